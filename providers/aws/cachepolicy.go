package aws

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront/types"

	"github.com/edgeward/edgeward/providers"
)

// cachePolicies is providers.CachePolicies over CloudFront.
type cachePolicies struct {
	c    *Client
	d    *distributions
	list *sweep[[]providers.CachePolicy]

	// after is the end of the last creation, whatever became of it: the list has to
	// be read after it.
	after atomic.Int64

	mu sync.Mutex
	// created are the policies that this process made, by ID. A cache policy
	// of edgeward is never changed, so the answer to its creation stays true;
	// only whether it still exists has to be asked.
	created map[string]bool
}

func newCachePolicies(c *Client, d *distributions) *cachePolicies {
	p := &cachePolicies{c: c, d: d, created: map[string]bool{}}
	p.list = newSweep(c, p.sweep)
	return p
}

func (p *cachePolicies) sweep(ctx context.Context) ([]providers.CachePolicy, error) {
	const op = "list the cache policies"
	client, err := p.c.cloudFront(ctx)
	if err != nil {
		return nil, err
	}
	var all []providers.CachePolicy
	in := &cloudfront.ListCachePoliciesInput{Type: types.CachePolicyTypeCustom}
	for {
		out, err := client.ListCachePolicies(ctx, in)
		if err != nil {
			return nil, p.c.fail(op, "cloudfront:ListCachePolicies", err)
		}
		if list := out.CachePolicyList; list == nil || list.Quantity == nil || int(*list.Quantity) != len(list.Items) {
			return nil, p.c.fail(op, "", errPartial)
		}
		for _, row := range out.CachePolicyList.Items {
			if row.Type == types.CachePolicyTypeManaged || row.CachePolicy == nil || row.CachePolicy.CachePolicyConfig == nil {
				continue
			}
			all = append(all, cachePolicy(row.CachePolicy))
		}
		next := sdk.ToString(out.CachePolicyList.NextMarker)
		if next == "" {
			return all, nil
		}
		if next == sdk.ToString(in.Marker) {
			return nil, p.c.fail(op, "", errRepeats)
		}
		in.Marker = &next
	}
}

// CachePolicies implements providers.CachePolicies. InUse is from the sweep of
// the distributions, with those that this process created since.
func (p *cachePolicies) CachePolicies(ctx context.Context) ([]providers.CachePolicy, error) {
	swept, err := p.list.get(ctx, p.after.Load())
	if err != nil {
		return nil, err
	}
	all := slices.Clone(swept.val)
	for _, id := range p.unlisted(all) {
		one, err := p.read(ctx, id)
		if err != nil {
			return nil, err
		}
		if one != nil {
			all = append(all, *one)
		}
	}
	used, err := p.d.list.get(ctx, 0)
	if err != nil {
		return nil, err
	}
	more := p.d.since(used.val)
	for i := range all {
		all[i].InUse = used.val.uses[all[i].ID] + more[all[i].ID]
		all[i].Settings.Headers = slices.Clone(all[i].Settings.Headers)
	}
	return all, nil
}

// since counts by cache policy the distributions that this process wrote and
// that a listing does not show.
func (d *distributions) since(l listing) map[string]int {
	d.mu.Lock()
	defer d.mu.Unlock()
	uses := map[string]int{}
	for id, w := range d.written {
		if _, ok := l.byID[id]; !ok && w.policy != "" {
			uses[w.policy]++
		}
	}
	return uses
}

func (p *cachePolicies) unlisted(all []providers.CachePolicy) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var ids []string
	for id := range p.created {
		if !slices.ContainsFunc(all, func(c providers.CachePolicy) bool { return c.ID == id }) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// read asks for one policy; nil when it does not exist.
func (p *cachePolicies) read(ctx context.Context, id string) (*providers.CachePolicy, error) {
	client, err := p.c.cloudFront(ctx)
	if err != nil {
		return nil, err
	}
	out, err := client.GetCachePolicy(ctx, &cloudfront.GetCachePolicyInput{Id: &id})
	if code(err) == "NoSuchCachePolicy" {
		return nil, nil
	}
	if err == nil && (out.CachePolicy == nil || out.CachePolicy.CachePolicyConfig == nil) {
		err = errors.New("the answer has no policy")
	}
	if err != nil {
		return nil, p.c.fail("read cache policy "+id, "cloudfront:GetCachePolicy", err)
	}
	one := cachePolicy(out.CachePolicy)
	return &one, nil
}

// CachePolicy implements providers.CachePolicies.
func (p *cachePolicies) CachePolicy(ctx context.Context, id string) (providers.CachePolicy, error) {
	one, err := p.read(ctx, id)
	if err == nil && one == nil {
		err = fmt.Errorf("read cache policy %s: %w", id, providers.ErrNotFound)
	}
	if err != nil {
		return providers.CachePolicy{}, err
	}
	return *one, nil
}

// CreateCachePolicy implements providers.CachePolicies.
func (p *cachePolicies) CreateCachePolicy(ctx context.Context, name string, s providers.CacheSettings) (providers.CachePolicy, error) {
	op := "create cache policy " + name
	client, err := p.c.cloudFront(ctx)
	if err != nil {
		return providers.CachePolicy{}, err
	}
	out, err := client.CreateCachePolicy(ctx, &cloudfront.CreateCachePolicyInput{CachePolicyConfig: policyConfig(name, s)})
	if err == nil && (out.CachePolicy == nil || out.CachePolicy.CachePolicyConfig == nil) {
		err = errors.New("the answer has no policy")
	}
	if err != nil {
		p.after.Store(p.c.order.Add(1))
		return providers.CachePolicy{}, p.c.fail(op, "cloudfront:CreateCachePolicy", err)
	}
	one := cachePolicy(out.CachePolicy)
	p.after.Store(p.c.order.Add(1)) // one list for all who look next
	p.mu.Lock()
	defer p.mu.Unlock()
	p.created[one.ID] = true
	return one, nil
}

func policyConfig(name string, s providers.CacheSettings) *types.CachePolicyConfig {
	query := types.CachePolicyQueryStringBehaviorNone
	if s.QueryStrings {
		query = types.CachePolicyQueryStringBehaviorAll
	}
	headers := &types.CachePolicyHeadersConfig{HeaderBehavior: types.CachePolicyHeaderBehaviorNone}
	if len(s.Headers) > 0 {
		headers.HeaderBehavior = types.CachePolicyHeaderBehaviorWhitelist
		headers.Headers = &types.Headers{Quantity: sdk.Int32(int32(len(s.Headers))), Items: slices.Sorted(slices.Values(s.Headers))}
	}
	return &types.CachePolicyConfig{
		Name: &name, Comment: sdk.String("made by edgeward; shared by its distributions"),
		MinTTL: &s.MinTTL, DefaultTTL: &s.DefaultTTL, MaxTTL: &s.MaxTTL,
		ParametersInCacheKeyAndForwardedToOrigin: &types.ParametersInCacheKeyAndForwardedToOrigin{
			CookiesConfig:              &types.CachePolicyCookiesConfig{CookieBehavior: types.CachePolicyCookieBehaviorNone},
			QueryStringsConfig:         &types.CachePolicyQueryStringsConfig{QueryStringBehavior: query},
			HeadersConfig:              headers,
			EnableAcceptEncodingGzip:   &s.Gzip,
			EnableAcceptEncodingBrotli: &s.Brotli,
		},
	}
}

// cachePolicy reads a policy; Foreign when CacheSettings cannot say it.
func cachePolicy(p *types.CachePolicy) providers.CachePolicy {
	cfg := p.CachePolicyConfig
	out := providers.CachePolicy{
		ID: sdk.ToString(p.Id), Name: sdk.ToString(cfg.Name),
		Settings: providers.CacheSettings{
			MinTTL: sdk.ToInt64(cfg.MinTTL), DefaultTTL: sdk.ToInt64(cfg.DefaultTTL), MaxTTL: sdk.ToInt64(cfg.MaxTTL),
		},
	}
	key := cfg.ParametersInCacheKeyAndForwardedToOrigin
	if key == nil {
		out.Foreign = true
		return out
	}
	out.Settings.Gzip = sdk.ToBool(key.EnableAcceptEncodingGzip)
	out.Settings.Brotli = sdk.ToBool(key.EnableAcceptEncodingBrotli)
	if key.CookiesConfig == nil || key.CookiesConfig.CookieBehavior != types.CachePolicyCookieBehaviorNone {
		out.Foreign = true
	}
	switch q := key.QueryStringsConfig; {
	case q == nil:
		out.Foreign = true
	case q.QueryStringBehavior == types.CachePolicyQueryStringBehaviorAll:
		out.Settings.QueryStrings = true
	case q.QueryStringBehavior != types.CachePolicyQueryStringBehaviorNone:
		out.Foreign = true
	}
	switch h := key.HeadersConfig; {
	case h == nil:
		out.Foreign = true
	case h.HeaderBehavior == types.CachePolicyHeaderBehaviorWhitelist && h.Headers != nil:
		out.Settings.Headers = slices.SortedFunc(slices.Values(h.Headers.Items), strings.Compare)
	case h.HeaderBehavior != types.CachePolicyHeaderBehaviorNone:
		out.Foreign = true
	}
	return out
}
