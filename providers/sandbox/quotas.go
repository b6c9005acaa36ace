package sandbox

import (
	"context"
	"time"

	"github.com/edgeward/edgeward/providers"
)

// limit is what every account may have of a kind; told is whether AWS says so to
// who asks.
func (w *World) limit(kind providers.QuotaKind) (n int, told bool) {
	n, set := w.o.Quotas[kind]
	if !set {
		n = kind.Documented().Limit
	}
	if kind == providers.QuotaDistributions && w.o.MaxDistributions > 0 {
		n = w.o.MaxDistributions
	}
	return n, kind.Documented().Code != "" && !w.o.QuotasDenied
}

type quotasPort struct{ accountPort }

func (p quotasPort) Quotas(ctx context.Context, kinds ...providers.QuotaKind) ([]providers.Quota, error) {
	var out []providers.Quota
	err := p.w.call(ctx, p.op("Quotas.Quotas", "", false), func(now time.Time) error {
		for _, kind := range kinds {
			q := providers.Quota{Kind: kind}
			var told bool
			if q.Limit, told = p.w.limit(kind); !told {
				q.Limit, q.Default, q.Why = kind.Documented().Limit, true, "it may not be asked for"
			}
			q.Used = p.used(kind, now)
			out = append(out, q)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (p accountPort) used(kind providers.QuotaKind, now time.Time) int {
	n := 0
	switch kind {
	case providers.QuotaDistributions:
		for _, d := range p.w.dists {
			if d.account == p.a.label {
				n++
			}
		}
	case providers.QuotaCachePolicies:
		n = len(p.a.policies)
	case providers.QuotaOriginAccess:
		n = len(p.a.controls)
	case providers.QuotaCertificates:
		n = len(p.a.certificates)
	case providers.QuotaCertificatesYear:
		for _, c := range p.a.certificates {
			if c.asked.After(now.Add(-365 * 24 * time.Hour)) {
				n++
			}
		}
	}
	return n
}

// full says whether the account has as many of a kind as it may.
func (p accountPort) full(kind providers.QuotaKind, now time.Time) bool {
	limit, _ := p.w.limit(kind)
	return p.used(kind, now) >= limit
}
