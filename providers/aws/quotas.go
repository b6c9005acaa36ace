package aws

import (
	"context"
	"errors"
	"math"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acm"
	"github.com/aws/aws-sdk-go-v2/service/acm/types"
	"github.com/aws/aws-sdk-go-v2/service/servicequotas"
	quotatypes "github.com/aws/aws-sdk-go-v2/service/servicequotas/types"
	"golang.org/x/sync/errgroup"

	"github.com/edgeward/edgeward/providers"
)

// quotas is providers.Quotas over Service Quotas in us-east-1, where CloudFront's
// are as well [Service Quotas User Guide: Viewing service quotas]. What is used is
// counted in the listings that the other ports read anyway.
type quotas struct {
	c      *Client
	d      *distributions
	p      *cachePolicies
	certs  *certificates
	limits *sweeps[providers.Quota] // by kind, kept for the run
	issued *sweep[certificateCount]
}

// certificateCount is what counts towards ACM's quotas.
type certificateCount struct{ all, year int }

func newQuotas(c *Client, d *distributions, p *cachePolicies, certs *certificates) *quotas {
	q := &quotas{c: c, d: d, p: p, certs: certs}
	q.limits = newSweeps(c, math.MaxInt64, func(ctx context.Context, kind string) (providers.Quota, error) {
		return q.limit(ctx, providers.QuotaKind(kind))
	})
	q.issued = newSweep(c, q.count)
	return q
}

// Quotas implements providers.Quotas.
func (q *quotas) Quotas(ctx context.Context, kinds ...providers.QuotaKind) ([]providers.Quota, error) {
	out := make([]providers.Quota, len(kinds))
	g, gctx := errgroup.WithContext(ctx)
	for i, kind := range kinds {
		g.Go(func() (err error) {
			defer providers.Recovered(&err)
			limit, err := q.limits.get(gctx, string(kind))
			if err != nil {
				return err
			}
			out[i] = limit
			out[i].Used, err = q.used(gctx, kind)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return out, nil
}

// limit asks for the value that holds for the account, then for the default.
func (q *quotas) limit(ctx context.Context, kind providers.QuotaKind) (providers.Quota, error) {
	doc := kind.Documented()
	out := providers.Quota{Kind: kind, Limit: doc.Limit, Default: true, Why: "AWS' documents name no code by which to ask for it"}
	if doc.Code == "" {
		return out, nil
	}
	cfg, err := q.c.Config(ctx)
	if err != nil {
		return out, err
	}
	client := servicequotas.NewFromConfig(cfg, func(o *servicequotas.Options) {
		o.Region = global
		o.APIOptions = append(o.APIOptions, q.c.limits.of(q.c.limits.quotas))
	})
	op := "ask Service Quotas for " + string(kind) + " (" + doc.Code + ")"
	got, err := client.GetServiceQuota(ctx, &servicequotas.GetServiceQuotaInput{ServiceCode: &doc.Service, QuotaCode: &doc.Code})
	if err == nil {
		if v, ok := whole(got.Quota); ok {
			return providers.Quota{Kind: kind, Limit: v}, nil
		}
		err = errPartial
	}
	if !absent(err) {
		return q.untold(out, q.c.fail(op, "servicequotas:GetServiceQuota", err))
	}
	def, err := client.GetAWSDefaultServiceQuota(ctx, &servicequotas.GetAWSDefaultServiceQuotaInput{ServiceCode: &doc.Service, QuotaCode: &doc.Code})
	if err == nil {
		if v, ok := whole(def.Quota); ok {
			out.Limit, out.Why = v, "AWS tells its default alone, not what this account has"
			return out, nil
		}
		err = errPartial
	}
	if absent(err) {
		out.Why = "Service Quotas does not know it (" + doc.Code + ")"
		return out, nil
	}
	return q.untold(out, q.c.fail(op, "servicequotas:GetAWSDefaultServiceQuota", err))
}

// untold is the documented default where the credentials may not ask; any other
// failure may pass.
func (q *quotas) untold(out providers.Quota, err error) (providers.Quota, error) {
	if !errors.Is(err, providers.ErrDenied) && !errors.Is(err, providers.ErrInvalid) {
		return out, err
	}
	out.Why = err.Error()
	var h interface{ Hint() string }
	if errors.As(err, &h) && h.Hint() != "" {
		out.Why = "it may not be asked for: " + h.Hint()
	}
	return out, nil
}

// absent: a quota that AWS has no value of [Service Quotas API Reference:
// GetServiceQuota, NoSuchResourceException].
func absent(err error) bool { return code(err) == "NoSuchResourceException" }

func whole(q *quotatypes.ServiceQuota) (int, bool) {
	if q == nil || q.Value == nil || *q.Value < 0 || *q.Value > math.MaxInt32 {
		return 0, false
	}
	return int(*q.Value), true
}

// used counts what there is of a kind.
func (q *quotas) used(ctx context.Context, kind providers.QuotaKind) (int, error) {
	switch kind {
	case providers.QuotaDistributions:
		l, err := q.d.list.get(ctx, q.d.after.Load())
		if err != nil {
			return 0, err
		}
		return len(l.val.byID), nil
	case providers.QuotaCachePolicies:
		all, err := q.p.CachePolicies(ctx)
		return len(all), err
	case providers.QuotaOriginAccess:
		if q.c.account.Access == nil {
			return 0, nil
		}
		all, err := q.c.account.Access.OriginAccess(ctx)
		return len(all), err
	case providers.QuotaCertificates, providers.QuotaCertificatesYear:
		n, err := q.issued.get(ctx, q.certs.after.Load())
		if err != nil {
			return 0, err
		}
		if kind == providers.QuotaCertificates {
			return n.val.all, nil
		}
		return n.val.year, nil
	}
	return 0, nil
}

// count lists the certificates that ACM issues itself, whatever their status and
// key: those that were imported or are of a private authority count elsewhere
// [ACM User Guide: Quotas, Number of ACM certificates per year]. Without the key
// types the list has RSA alone.
func (q *quotas) count(ctx context.Context) (certificateCount, error) {
	const op = "count the certificates in us-east-1"
	var n certificateCount
	client, err := q.certs.client(ctx)
	if err != nil {
		return n, err
	}
	since := q.c.opts.Clock.Now().Add(-365 * 24 * time.Hour)
	in := &acm.ListCertificatesInput{Includes: &types.Filters{KeyTypes: types.KeyAlgorithm("").Values()}, MaxItems: sdk.Int32(1000)}
	for {
		out, err := client.ListCertificates(ctx, in)
		if err != nil {
			return n, q.c.fail(op, "acm:ListCertificates", err)
		}
		for _, row := range out.CertificateSummaryList {
			if row.Type == types.CertificateTypeImported || row.Type == types.CertificateTypePrivate {
				continue
			}
			n.all++
			if row.CreatedAt != nil && row.CreatedAt.After(since) {
				n.year++
			}
		}
		next := sdk.ToString(out.NextToken)
		switch next {
		case "":
			return n, nil
		case sdk.ToString(in.NextToken):
			return n, q.c.fail(op, "", errRepeats)
		}
		in.NextToken = &next
	}
}
