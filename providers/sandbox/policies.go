package sandbox

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/edgeward/edgeward/providers"
)

// AWS's policies UseOriginCacheControlHeaders, without and with query strings:
// cookies are in their key, which CacheSettings cannot say.
const (
	originControl      = "83da9c7e-98b4-4e11-a168-04f0df8e2c65"
	originControlQuery = "4cc15a8a-d715-48a4-82b8-cc0b614638fe"
)

// managedPolicies knows AWS's own cache policies as far as the key and the
// times go [CloudFront Developer Guide: Use managed cache policies].
func managedPolicies(id string) (providers.CacheSettings, bool) {
	const year = 365 * 24 * 3600
	switch id {
	case "658327ea-f89d-4fab-a63d-7e88639e58f6": // CachingOptimized
		return providers.CacheSettings{MinTTL: 1, DefaultTTL: 86400, MaxTTL: year, Gzip: true, Brotli: true}, true
	case "b2884449-e4de-46a7-ac36-70bc7f1ddd6d": // CachingOptimizedForUncompressedObjects
		return providers.CacheSettings{MinTTL: 1, DefaultTTL: 86400, MaxTTL: year}, true
	case "4135ea2d-6df8-44a3-9df3-4b5a84be39ad": // CachingDisabled
		return providers.CacheSettings{}, true
	case originControl, originControlQuery:
		return providers.CacheSettings{MaxTTL: year, QueryStrings: id == originControlQuery, Gzip: true, Brotli: true}, true
	}
	return providers.CacheSettings{}, false
}

// settings are those of a policy, managed or the account's own.
func (a *account) settings(id string) providers.CacheSettings {
	if s, ok := managedPolicies(id); ok {
		return s
	}
	if a == nil || a.policies[id] == nil {
		return providers.CacheSettings{}
	}
	return a.policies[id].Settings
}

type policiesPort struct{ accountPort }

func (p policiesPort) CachePolicies(ctx context.Context) ([]providers.CachePolicy, error) {
	var out []providers.CachePolicy
	err := p.w.call(ctx, p.op("CachePolicies.CachePolicies", "", false), func(time.Time) error {
		for _, id := range sortedKeys(p.a.policies) {
			out = append(out, p.port(p.a.policies[id]))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (p policiesPort) CachePolicy(ctx context.Context, id string) (providers.CachePolicy, error) {
	var out providers.CachePolicy
	err := p.w.call(ctx, p.op("CachePolicies.CachePolicy", id, false), func(time.Time) error {
		c := p.a.policies[id]
		if _, managed := managedPolicies(id); c == nil && !managed {
			return fmt.Errorf("NoSuchCachePolicy %s: %w", id, providers.ErrNotFound)
		}
		out = providers.CachePolicy{ID: id, Settings: p.a.settings(id), Foreign: id == originControl || id == originControlQuery}
		if c != nil {
			out = p.port(c)
		}
		return nil
	})
	if err != nil {
		return providers.CachePolicy{}, err
	}
	return out, nil
}

func (p policiesPort) port(c *providers.CachePolicy) providers.CachePolicy {
	out := *c
	out.Settings.Headers = slices.Clone(c.Settings.Headers)
	for _, d := range p.w.dists {
		if d.account == p.a.label && d.settings.CachePolicyID == c.ID {
			out.InUse++
		}
	}
	return out
}

func (p policiesPort) CreateCachePolicy(ctx context.Context, name string, s providers.CacheSettings) (providers.CachePolicy, error) {
	var out providers.CachePolicy
	err := p.w.call(ctx, p.op("CachePolicies.CreateCachePolicy", name, true), func(now time.Time) error {
		if err := p.policyOK(name, s, now); err != nil {
			return fmt.Errorf("create cache policy %s: %w", name, err)
		}
		out = p.port(p.a.addPolicy(name, s))
		return nil
	})
	if err != nil {
		return providers.CachePolicy{}, err
	}
	return out, nil
}

func (p policiesPort) policyOK(name string, s providers.CacheSettings, now time.Time) error {
	for _, c := range p.a.policies {
		if c.Name == name {
			return fmt.Errorf("CachePolicyAlreadyExists: %w", providers.ErrConflict)
		}
	}
	switch {
	case p.full(providers.QuotaCachePolicies, now):
		return fmt.Errorf("TooManyCachePolicies: %w", providers.ErrQuota)
	case name == "" || len(name) > 128:
		return fmt.Errorf("InvalidArgument: the name: %w", providers.ErrInvalid)
	case s.MinTTL < 0 || s.DefaultTTL < s.MinTTL || s.MaxTTL < s.DefaultTTL:
		return fmt.Errorf("InvalidArgument: minimum %d, default %d, maximum TTL %d: %w", s.MinTTL, s.DefaultTTL, s.MaxTTL, providers.ErrInvalid)
	case s.MaxTTL == 0 && (s.QueryStrings || len(s.Headers) > 0 || s.Gzip || s.Brotli):
		return fmt.Errorf("InvalidArgument: a key while caching is disabled: %w", providers.ErrInvalid)
	}
	return nil
}

func (a *account) addPolicy(name string, s providers.CacheSettings) *providers.CachePolicy {
	h := code(32, "policy", a.label, name)
	s.Headers = slices.Sorted(slices.Values(s.Headers))
	c := &providers.CachePolicy{
		ID: fmt.Sprintf("%x-%x-%x-%x-%x", h[0:4], h[4:6], h[6:8], h[8:10], h[10:16]), Name: name, Settings: s,
	}
	a.policies[c.ID] = c
	return c
}
