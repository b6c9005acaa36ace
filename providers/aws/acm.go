package aws

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acm"
	"github.com/aws/aws-sdk-go-v2/service/acm/types"

	"github.com/edgeward/edgeward/providers"
)

// certificates is providers.Certificates over ACM in us-east-1.
type certificates struct {
	c        *Client
	list     *sweep[[]types.CertificateSummary]
	describe *sweeps[providers.Certificate]
	tags     *sweeps[map[string]string]

	// after is the end of the last request whose outcome is not known: the list
	// has to be read after it.
	after atomic.Int64

	mu sync.Mutex
	// requested has the certificates that this process asked for, and their
	// names: they are answered about even while the list does not show them.
	requested map[string][]string
}

func newCertificates(c *Client) *certificates {
	s := &certificates{c: c, requested: map[string][]string{}}
	s.list = newSweep(c, s.sweep)
	s.describe = newSweeps(c, c.opts.Freshness, s.read)
	// Tags of a certificate are written once, with the request.
	s.tags = newSweeps(c, time.Minute, s.readTags)
	return s
}

func (s *certificates) client(ctx context.Context) (*acm.Client, error) {
	cfg, err := s.c.Config(ctx)
	if err != nil {
		return nil, err
	}
	return acm.NewFromConfig(cfg, func(o *acm.Options) {
		o.Region = global
		o.APIOptions = append(o.APIOptions, s.c.limits.ofACM())
	}), nil
}

// sweep lists what CloudFront could use. Without the key types the list leaves
// ECDSA certificates out [ACM API Reference: Filters].
func (s *certificates) sweep(ctx context.Context) ([]types.CertificateSummary, error) {
	const op = "list the certificates in us-east-1"
	client, err := s.client(ctx)
	if err != nil {
		return nil, err
	}
	in := &acm.ListCertificatesInput{
		CertificateStatuses: []types.CertificateStatus{types.CertificateStatusIssued, types.CertificateStatusPendingValidation},
		Includes: &types.Filters{KeyTypes: []types.KeyAlgorithm{
			types.KeyAlgorithmRsa2048, types.KeyAlgorithmEcPrime256v1,
		}},
		MaxItems: sdk.Int32(1000),
	}
	var all []types.CertificateSummary
	for {
		out, err := client.ListCertificates(ctx, in)
		if err != nil {
			return nil, s.c.fail(op, "acm:ListCertificates", err)
		}
		all = append(all, out.CertificateSummaryList...)
		if sdk.ToString(out.NextToken) == "" {
			return all, nil
		}
		if sdk.ToString(out.NextToken) == sdk.ToString(in.NextToken) {
			return nil, s.c.fail(op, "", errRepeats)
		}
		in.NextToken = out.NextToken
	}
}

// errRepeats: a list that leads back to the same page is not complete.
var errRepeats = errors.New("the answer's next page is the page itself")

// Covering implements providers.Certificates.
func (s *certificates) Covering(ctx context.Context, names []string) ([]providers.Certificate, error) {
	swept, err := s.list.get(ctx, s.after.Load())
	if err != nil {
		return nil, err
	}
	var found []providers.Certificate
	seen := map[string]bool{}
	for _, summary := range swept.val {
		arn := sdk.ToString(summary.CertificateArn)
		seen[arn] = true
		c, ok, err := s.covering(ctx, summary, names)
		if err != nil {
			return nil, err
		}
		if ok {
			found = append(found, c)
		}
	}
	for _, arn := range s.unlisted(seen, names) {
		c, err := s.detailed(ctx, arn, names)
		if errors.Is(err, providers.ErrNotFound) {
			continue // deleted since
		}
		if err != nil {
			return nil, err
		}
		if c.Tags == nil {
			if c.Tags, err = s.tags.get(ctx, arn); err != nil {
				return nil, err
			}
		}
		found = append(found, c)
	}
	return found, nil
}

// covering judges one row of the list, described where the row is not enough.
func (s *certificates) covering(ctx context.Context, row types.CertificateSummary, names []string) (providers.Certificate, bool, error) {
	c := providers.Certificate{
		ARN:      sdk.ToString(row.CertificateArn),
		Status:   string(row.Status),
		Names:    row.SubjectAlternativeNameSummaries,
		NotAfter: sdk.ToTime(row.NotAfter),
		KeyType:  keyType(row.KeyAlgorithm),
		Imported: row.Type == types.CertificateTypeImported,
	}
	truncated := len(c.Names) == 0 || sdk.ToBool(row.HasAdditionalSubjectAlternativeNames)
	covers := coversAll(c.Names, names)
	switch {
	case !covers && !truncated:
		return c, false, nil
	case row.Status == types.CertificateStatusIssued && !truncated:
		return c, true, nil
	}
	full, err := s.detailed(ctx, c.ARN, names)
	if errors.Is(err, providers.ErrNotFound) {
		return c, false, nil // deleted since the list was read
	}
	return full, err == nil && usable(full.Status) && coversAll(full.Names, names), err
}

func usable(status string) bool {
	return status == providers.CertificateIssued || status == providers.CertificatePending
}

// unlisted are the certificates that this process requested for names that
// cover these and that the list does not show.
func (s *certificates) unlisted(seen map[string]bool, names []string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var arns []string
	for arn, has := range s.requested {
		if !seen[arn] && coversAll(has, names) {
			arns = append(arns, arn)
		}
	}
	slices.Sort(arns)
	return arns
}

// detailed is a certificate with, if it is pending and covers names, its tags.
func (s *certificates) detailed(ctx context.Context, arn string, names []string) (providers.Certificate, error) {
	c, err := s.describe.get(ctx, arn)
	if err != nil || c.Status != providers.CertificatePending || !coversAll(c.Names, names) {
		return c, err
	}
	tags, err := s.tags.get(ctx, arn)
	if err != nil {
		return c, err
	}
	c.Tags = maps.Clone(tags)
	return c, nil
}

// Certificate implements providers.Certificates.
func (s *certificates) Certificate(ctx context.Context, arn string) (providers.Certificate, error) {
	return s.describe.get(ctx, arn)
}

func (s *certificates) read(ctx context.Context, arn string) (providers.Certificate, error) {
	op := fmt.Sprintf("describe certificate %s", arn)
	client, err := s.client(ctx)
	if err != nil {
		return providers.Certificate{}, err
	}
	out, err := client.DescribeCertificate(ctx, &acm.DescribeCertificateInput{CertificateArn: &arn})
	if err != nil {
		return providers.Certificate{}, s.c.fail(op, "acm:DescribeCertificate", err)
	}
	if out.Certificate == nil {
		return providers.Certificate{}, s.c.fail(op, "", errors.New("the answer has no certificate"))
	}
	d := out.Certificate
	c := providers.Certificate{
		ARN: arn, Status: string(d.Status), FailureReason: string(d.FailureReason),
		Names: domainFirst(sdk.ToString(d.DomainName), d.SubjectAlternativeNames), NotAfter: sdk.ToTime(d.NotAfter), KeyType: keyType(d.KeyAlgorithm),
		Imported: d.Type == types.CertificateTypeImported,
	}
	for _, v := range d.DomainValidationOptions {
		one := providers.Validation{Name: sdk.ToString(v.DomainName), Status: string(v.ValidationStatus)}
		if r := v.ResourceRecord; r != nil && r.Type == types.RecordTypeCname {
			one.RecordName = strings.TrimSuffix(strings.ToLower(sdk.ToString(r.Name)), ".")
			one.RecordValue = strings.TrimSuffix(strings.ToLower(sdk.ToString(r.Value)), ".")
		}
		c.Validation = append(c.Validation, one)
	}
	return c, nil
}

// domainFirst puts a certificate's domain name before its others.
func domainFirst(domain string, names []string) []string {
	i := slices.Index(names, domain)
	if i <= 0 {
		return names
	}
	return append([]string{domain}, slices.Delete(slices.Clone(names), i, i+1)...)
}

// Tags implements providers.Certificates.
func (s *certificates) Tags(ctx context.Context, arn string) (map[string]string, error) {
	return s.readTags(ctx, arn)
}

func (s *certificates) readTags(ctx context.Context, arn string) (map[string]string, error) {
	client, err := s.client(ctx)
	if err != nil {
		return nil, err
	}
	out, err := client.ListTagsForCertificate(ctx, &acm.ListTagsForCertificateInput{CertificateArn: &arn})
	if err != nil {
		return nil, s.c.fail("list the tags of certificate "+arn, "acm:ListTagsForCertificate", err)
	}
	tags := map[string]string{}
	for _, t := range out.Tags {
		tags[sdk.ToString(t.Key)] = sdk.ToString(t.Value)
	}
	return tags, nil
}

// maxCommonName is X.509's limit for a common name, in octets; a certificate's
// first name is its common name [RFC 5280, ub-common-name; ACM API Reference:
// RequestCertificate, DomainName].
const maxCommonName = 64

// Request implements providers.Certificates. When the first of names is too
// long for a common name, the first that is short enough takes its place.
func (s *certificates) Request(ctx context.Context, names []string, token string, tags map[string]string) (string, error) {
	op := "request a certificate for " + strings.Join(names, ", ")
	first := slices.IndexFunc(names, func(n string) bool { return len(n) <= maxCommonName })
	if first < 0 {
		return "", &callError{
			text:  fmt.Sprintf("%s: every name is longer than %d octets, and ACM needs one that is not as the common name", op, maxCommonName),
			hint:  "add a shorter name to `cnames`, or import a certificate and name it in `certificate { arn }`",
			class: providers.ErrInvalid, cause: errors.New("no name fits the common name"),
		}
	}
	client, err := s.client(ctx)
	if err != nil {
		return "", err
	}
	in := &acm.RequestCertificateInput{
		DomainName:       &names[first],
		IdempotencyToken: &token,
		KeyAlgorithm:     types.KeyAlgorithmRsa2048,
		ValidationMethod: types.ValidationMethodDns,
	}
	if others := slices.Delete(slices.Clone(names), first, first+1); len(others) > 0 {
		in.SubjectAlternativeNames = others
	}
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		in.Tags = append(in.Tags, types.Tag{Key: sdk.String(k), Value: sdk.String(tags[k])})
	}
	out, err := client.RequestCertificate(ctx, in)
	if err != nil {
		s.after.Store(s.c.order.Add(1))
		return "", s.c.fail(op, "acm:RequestCertificate and acm:AddTagsToCertificate", err)
	}
	arn := sdk.ToString(out.CertificateArn)
	if arn == "" {
		return "", s.c.fail(op, "", errors.New("the answer has no ARN"))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requested[arn] = slices.Clone(names)
	return arn, nil
}

// keyType spells a key type as the API's enumeration does; some answers write
// RSA-2048.
func keyType(k types.KeyAlgorithm) string { return strings.ReplaceAll(string(k), "-", "_") }

func coversAll(have, names []string) bool {
	for _, n := range names {
		if !slices.ContainsFunc(have, func(h string) bool { return covers(h, n) }) {
			return false
		}
	}
	return true
}

// covers says whether pattern is name, or is a wildcard for it. A wildcard
// stands for exactly one label: neither for the apex nor for two.
func covers(pattern, name string) bool {
	pattern, name = strings.ToLower(pattern), strings.ToLower(name)
	if pattern == name {
		return true
	}
	rest, wild := strings.CutPrefix(pattern, "*.")
	label, parent, ok := strings.Cut(name, ".")
	return wild && ok && parent == rest && label != "" && label != "*"
}
