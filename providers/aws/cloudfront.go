package aws

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront/types"
	"github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi"
	taggingtypes "github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi/types"
	"golang.org/x/sync/errgroup"

	"github.com/edgeward/edgeward/providers"
)

// distributions is providers.Distributions over CloudFront and the tagging
// API.
type distributions struct {
	c    *Client
	list *sweep[listing]
	tags *sweep[tagging]
	// one and oneTags share what is asked for at the same time, and keep nothing.
	one     *sweeps[providers.Distribution]
	oneTags *sweeps[map[string]string]

	// after is the end of the last refused or lost creation, which may have made
	// a distribution of ours all the same: the sweeps have to begin after it.
	after atomic.Int64

	mu sync.Mutex
	// written are the distributions that this process wrote, by ID, and
	// tagged those whose tags it wrote, by ARN.
	written map[string]written
	tagged  map[string]tagged
	unseen  map[string]unseen // by ARN
}

// listing is one complete ListDistributions.
type listing struct {
	byID map[string]providers.Distribution
	// byAlias are IDs by an alias as it is written, lower case.
	byAlias map[string][]string
	// uses counts the distributions of each cache policy, signs those of each origin
	// access control.
	uses, signs map[string]int
	// reads are IDs by the bucket that an origin is.
	reads map[string][]string
}

// tagging is one complete GetResources.
type tagging struct {
	byARN    map[string]map[string]string
	byBucket map[string][]string // ARNs by the value of TagBucket
}

// written is what the last write of a distribution left: its version, "" when
// the answer was lost, the end of the write among the sweeps, and by what Find
// would look for it.
type written struct {
	etag    string
	order   int64
	arn     string
	aliases []string
	bucket  string
	policy  string
}

// tagged are tags that this process wrote, and the end of the write.
type tagged struct {
	tags  map[string]string
	order int64
}

func newDistributions(c *Client) *distributions {
	d := &distributions{c: c, written: map[string]written{}, tagged: map[string]tagged{}, unseen: map[string]unseen{}}
	d.list = newSweep(c, d.sweepList)
	d.tags = newSweep(c, d.sweepTags)
	d.one, d.oneTags = newSweeps(c, 0, d.read), newSweeps(c, 0, d.settledTags)
	return d
}

func (c *Client) cloudFront(ctx context.Context) (*cloudfront.Client, error) {
	cfg, err := c.Config(ctx)
	if err != nil {
		return nil, err
	}
	return cloudfront.NewFromConfig(cfg, func(o *cloudfront.Options) {
		o.Region = global
		o.APIOptions = append(o.APIOptions, c.limits.ofCloudFront())
	}), nil
}

func (d *distributions) sweepList(ctx context.Context) (listing, error) {
	const op = "list the distributions"
	l := listing{byID: map[string]providers.Distribution{}, byAlias: map[string][]string{}, uses: map[string]int{}, signs: map[string]int{}, reads: map[string][]string{}}
	client, err := d.c.cloudFront(ctx)
	if err != nil {
		return l, err
	}
	in := &cloudfront.ListDistributionsInput{}
	for {
		out, err := client.ListDistributions(ctx, in)
		if err != nil {
			return l, d.c.fail(op, "cloudfront:ListDistributions", err)
		}
		page := out.DistributionList
		if page == nil || page.IsTruncated == nil || int(sdk.ToInt32(page.Quantity)) != len(page.Items) {
			return l, d.c.fail(op, "", errPartial)
		}
		for i := range page.Items {
			row := &page.Items[i]
			one := fromSummary(row)
			l.byID[one.ID] = one
			for _, a := range one.Settings.Aliases {
				a = strings.ToLower(a)
				l.byAlias[a] = append(l.byAlias[a], one.ID)
			}
			for policy := range policiesOf(row) {
				l.uses[policy]++
			}
			l.origins(row)
		}
		if !sdk.ToBool(page.IsTruncated) {
			return l, nil
		}
		next := sdk.ToString(page.NextMarker)
		if next == "" || next == sdk.ToString(in.Marker) {
			return l, d.c.fail(op, "", errRepeats)
		}
		in.Marker = &next
	}
}

func fromSummary(row *types.DistributionSummary) providers.Distribution {
	return providers.Distribution{
		ID: sdk.ToString(row.Id), ARN: sdk.ToString(row.ARN), Domain: strings.ToLower(sdk.ToString(row.DomainName)),
		Status: sdk.ToString(row.Status), ETag: sdk.ToString(row.ETag), Settings: summarySettings(row),
	}
}

// policiesOf are the cache policies of a distribution's behaviours.
func policiesOf(row *types.DistributionSummary) map[string]bool {
	used := map[string]bool{}
	if b := row.DefaultCacheBehavior; b != nil {
		used[sdk.ToString(b.CachePolicyId)] = true
	}
	if row.CacheBehaviors != nil {
		for _, b := range row.CacheBehaviors.Items {
			used[sdk.ToString(b.CachePolicyId)] = true
		}
	}
	delete(used, "")
	return used
}

// sweepTags reads the tags of every distribution that has TagBucket.
func (d *distributions) sweepTags(ctx context.Context) (tagging, error) {
	const op = "list the tagged distributions"
	all := tagging{byARN: map[string]map[string]string{}, byBucket: map[string][]string{}}
	cfg, err := d.c.Config(ctx)
	if err != nil {
		return all, err
	}
	client := resourcegroupstaggingapi.NewFromConfig(cfg, func(o *resourcegroupstaggingapi.Options) {
		o.Region = global
		o.APIOptions = append(o.APIOptions, d.c.limits.of(d.c.limits.tagging))
	})
	in := &resourcegroupstaggingapi.GetResourcesInput{
		ResourceTypeFilters: []string{"cloudfront:distribution"},
		TagFilters:          []taggingtypes.TagFilter{{Key: sdk.String(providers.TagBucket)}},
		ResourcesPerPage:    sdk.Int32(100),
	}
	for {
		out, err := client.GetResources(ctx, in)
		if err != nil {
			return all, d.c.fail(op, "tag:GetResources", err)
		}
		for _, r := range out.ResourceTagMappingList {
			tags := map[string]string{}
			for _, t := range r.Tags {
				tags[sdk.ToString(t.Key)] = sdk.ToString(t.Value)
			}
			arn, bucket := sdk.ToString(r.ResourceARN), tags[providers.TagBucket]
			all.byARN[arn] = tags
			all.byBucket[bucket] = append(all.byBucket[bucket], arn)
		}
		next := sdk.ToString(out.PaginationToken)
		if next == "" {
			return all, nil
		}
		if next == sdk.ToString(in.PaginationToken) {
			return all, d.c.fail(op, "", errRepeats)
		}
		in.PaginationToken = &next
	}
}

// Find implements providers.Distributions. What this process wrote since the
// sweeps began, or what they do not show yet, is read by itself.
func (d *distributions) Find(ctx context.Context, bucket string, names []string) ([]providers.Distribution, error) {
	var list *answer[listing]
	var tags *answer[tagging]
	both, stop := errgroup.WithContext(ctx)
	both.Go(func() (err error) {
		defer providers.Recovered(&err)
		list, err = d.list.get(stop, d.after.Load())
		return err
	})
	both.Go(func() (err error) {
		defer providers.Recovered(&err)
		tags, err = d.tags.get(stop, d.after.Load())
		return err
	})
	if err := both.Wait(); err != nil {
		return nil, err
	}
	var found []providers.Distribution
	for _, id := range d.candidates(list.val, tags.val, bucket, names) {
		one, ok := list.val.byID[id]
		if !ok || d.outdated(one, list.began) {
			var err error
			one, err = d.Distribution(ctx, id)
			if errors.Is(err, providers.ErrNotFound) {
				continue // deleted since
			}
			if err != nil {
				return nil, err
			}
		}
		var err error
		if one.Tags, one.TagsExact, err = d.tagsOf(ctx, one.ARN, tags); err != nil {
			return nil, err
		}
		one.Settings.Aliases = slices.Clone(one.Settings.Aliases)
		one.Settings.Methods = slices.Clone(one.Settings.Methods)
		if concerns(one.Settings.Aliases, names) || one.Tags[providers.TagBucket] == bucket {
			found = append(found, one)
		}
	}
	return found, nil
}

// candidates are the IDs of all that may concern a bucket, sorted.
func (d *distributions) candidates(list listing, tags tagging, bucket string, names []string) []string {
	ids := map[string]bool{}
	for _, n := range names {
		for _, id := range list.concerning(strings.ToLower(n)) {
			ids[id] = true
		}
	}
	for _, arn := range tags.byBucket[bucket] {
		ids[idOf(arn)] = true
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for id, w := range d.written {
		if w.bucket == bucket || concerns(w.aliases, names) {
			ids[id] = true
		}
	}
	for arn, t := range d.tagged {
		if t.tags[providers.TagBucket] == bucket {
			ids[idOf(arn)] = true
		}
	}
	return slices.Sorted(maps.Keys(ids))
}

// concerning are the IDs of the distributions with an alias that is name, or
// covers it, or is covered by it.
func (l listing) concerning(name string) []string {
	ids := slices.Clone(l.byAlias[name])
	for rest := name; rest != ""; {
		_, rest, _ = strings.Cut(rest, ".")
		ids = append(ids, l.byAlias["*."+rest]...)
	}
	if strings.HasPrefix(name, "*.") {
		for alias, has := range l.byAlias {
			if providers.AliasOver(name, alias) {
				ids = append(ids, has...)
			}
		}
	}
	return ids
}

// idOf is the ID in arn:aws:cloudfront::123456789012:distribution/E….
func idOf(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] }

// concerns says whether an alias is one of names, or covers one, or is covered
// by one.
func concerns(aliases, names []string) bool {
	return slices.ContainsFunc(aliases, func(a string) bool {
		return slices.ContainsFunc(names, func(n string) bool {
			return strings.EqualFold(a, n) || providers.AliasOver(a, n) || providers.AliasOver(n, a)
		})
	})
}

// outdated says whether a row of a sweep may be older than this process' own
// write of that distribution.
func (d *distributions) outdated(row providers.Distribution, began int64) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	w, ok := d.written[row.ID]
	return ok && (began <= w.order || w.etag != "" && w.etag != row.ETag)
}

// tagsOf are the tags of one distribution: the sweep's if it began after our
// last write of them and shows that write, else read now, which exact says; nil
// when the sweep does not have them and nothing was written.
func (d *distributions) tagsOf(ctx context.Context, arn string, swept *answer[tagging]) (tags map[string]string, exact bool, err error) {
	d.mu.Lock()
	wrote, ok := d.tagged[arn]
	d.mu.Unlock()
	if !ok {
		return maps.Clone(swept.val.byARN[arn]), false, nil
	}
	if swept.began > wrote.order && contains(swept.val.byARN[arn], wrote.tags) {
		return maps.Clone(swept.val.byARN[arn]), false, nil
	}
	tags, err = d.Tags(ctx, arn)
	return tags, err == nil, err
}

func contains(all, some map[string]string) bool {
	for k, v := range some {
		if have, ok := all[k]; !ok || have != v {
			return false
		}
	}
	return true
}

// Distribution implements providers.Distributions. Those who ask at the same time
// share a read that began after the last write; who is urgent does not wait for it.
func (d *distributions) Distribution(ctx context.Context, id string) (providers.Distribution, error) {
	if providers.Urgent(ctx) {
		return d.read(ctx, id)
	}
	d.mu.Lock()
	after := d.written[id].order
	d.mu.Unlock()
	one, err := d.one.since(ctx, id, after)
	one.Settings.Aliases, one.Settings.Methods = slices.Clone(one.Settings.Aliases), slices.Clone(one.Settings.Methods)
	return one, err
}

func (d *distributions) read(ctx context.Context, id string) (providers.Distribution, error) {
	op := "read distribution " + id
	client, err := d.c.cloudFront(ctx)
	if err != nil {
		return providers.Distribution{}, err
	}
	out, err := client.GetDistribution(ctx, &cloudfront.GetDistributionInput{Id: &id})
	if err != nil {
		err = d.c.fail(op, "cloudfront:GetDistribution", err)
		if errors.Is(err, providers.ErrNotFound) {
			d.forget(id)
		}
		return providers.Distribution{}, err
	}
	one, err := full(out.Distribution, out.ETag)
	if err != nil {
		return one, d.c.fail(op, "", err)
	}
	d.saw(one)
	return one, nil
}

// forget drops what was written to a distribution that is gone.
func (d *distributions) forget(id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.tagged, d.written[id].arn)
	delete(d.written, id)
}

// saw notes the version of a distribution that we once wrote, so that the
// sweep is trusted again as soon as it shows that version.
func (d *distributions) saw(one providers.Distribution) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if w, ok := d.written[one.ID]; ok {
		w.etag, w.aliases, w.policy = one.ETag, one.Settings.Aliases, one.Settings.CachePolicyID
		d.written[one.ID] = w
	}
}

func full(d *types.Distribution, etag *string) (providers.Distribution, error) {
	if d == nil || d.DistributionConfig == nil || sdk.ToString(d.Id) == "" {
		return providers.Distribution{}, errors.New("the answer has no distribution")
	}
	return providers.Distribution{
		ID: sdk.ToString(d.Id), ARN: sdk.ToString(d.ARN), Domain: strings.ToLower(sdk.ToString(d.DomainName)),
		Status: sdk.ToString(d.Status), ETag: sdk.ToString(etag),
		CallerReference: sdk.ToString(d.DistributionConfig.CallerReference),
		Comment:         sdk.ToString(d.DistributionConfig.Comment),
		ErrorCodes:      sharedErrors(d.DistributionConfig.CustomErrorResponses),
		Settings:        settingsOf(d.DistributionConfig), SettingsFull: true,
	}, nil
}

// Tags implements providers.Distributions. They are shared as a Distribution is.
func (d *distributions) Tags(ctx context.Context, arn string) (map[string]string, error) {
	if providers.Urgent(ctx) {
		return d.settledTags(ctx, arn)
	}
	d.mu.Lock()
	after := d.tagged[arn].order
	d.mu.Unlock()
	tags, err := d.oneTags.since(ctx, arn, after)
	return maps.Clone(tags), err
}

func (d *distributions) readTags(ctx context.Context, arn string) (map[string]string, error) {
	client, err := d.c.cloudFront(ctx)
	if err != nil {
		return nil, err
	}
	out, err := client.ListTagsForResource(ctx, &cloudfront.ListTagsForResourceInput{Resource: &arn})
	if err == nil && out.Tags == nil {
		err = errPartial
	}
	if err != nil {
		return nil, d.c.fail("read the tags of distribution "+idOf(arn), "cloudfront:ListTagsForResource", err)
	}
	tags := map[string]string{}
	for _, t := range out.Tags.Items {
		tags[sdk.ToString(t.Key)] = sdk.ToString(t.Value)
	}
	return tags, nil
}

// SetTags implements providers.Distributions. TagResource adds and overwrites
// and leaves the other tags [CloudFront API Reference: TagResource].
func (d *distributions) SetTags(ctx context.Context, arn string, tags map[string]string) error {
	if len(tags) == 0 {
		return nil
	}
	client, err := d.c.cloudFront(ctx)
	if err != nil {
		return err
	}
	_, err = client.TagResource(ctx, &cloudfront.TagResourceInput{Resource: &arn, Tags: tagList(tags)})
	d.noteTags(arn, tags) // even after an error: its effect is not known
	if err != nil {
		return d.c.fail("tag distribution "+idOf(arn), "cloudfront:TagResource", err)
	}
	d.noteUnseen(arn, tags)
	return nil
}

func (d *distributions) noteTags(arn string, tags map[string]string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := maps.Clone(d.tagged[arn].tags)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, tags)
	d.tagged[arn] = tagged{tags: all, order: d.c.order.Add(1)}
}

func tagList(tags map[string]string) *types.Tags {
	out := &types.Tags{}
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		out.Items = append(out.Items, types.Tag{Key: sdk.String(k), Value: sdk.String(tags[k])})
	}
	return out
}

// Create implements providers.Distributions.
func (d *distributions) Create(ctx context.Context, callerReference string, s providers.Settings, tags map[string]string) (providers.Distribution, error) {
	name := tags[providers.TagBucket]
	if name == "" && len(s.Aliases) > 0 {
		name = s.Aliases[0]
	}
	op := "create the distribution of " + name
	client, err := d.c.cloudFront(ctx)
	if err != nil {
		return providers.Distribution{}, err
	}
	out, err := client.CreateDistributionWithTags(ctx, &cloudfront.CreateDistributionWithTagsInput{
		DistributionConfigWithTags: &types.DistributionConfigWithTags{
			DistributionConfig: newConfig(callerReference, name, s), Tags: tagList(tags),
		},
	})
	if err != nil {
		d.after.Store(d.c.order.Add(1))
		return providers.Distribution{}, d.createError(op, err)
	}
	one, err := full(out.Distribution, out.ETag)
	if err != nil {
		return one, d.c.fail(op, "", err)
	}
	one.Tags = maps.Clone(tags)
	d.mu.Lock()
	d.written[one.ID] = written{
		etag: one.ETag, order: d.c.order.Add(1), arn: one.ARN, aliases: one.Settings.Aliases,
		bucket: tags[providers.TagBucket], policy: one.Settings.CachePolicyID,
	}
	d.mu.Unlock()
	d.noteTags(one.ARN, tags)
	d.noteUnseen(one.ARN, tags)
	return one, nil
}

// existsID finds the ID in "The caller reference that you are using to create
// a distribution is associated with another distribution. Already exists: E…":
// the answer has it nowhere else.
var existsID = regexp.MustCompile(`(?i:exists):?\s+([A-Z0-9]{6,})\b`)

func (d *distributions) createError(op string, err error) error {
	wrapped := d.c.fail(op, "cloudfront:CreateDistribution and cloudfront:TagResource", err)
	if code(err) != "DistributionAlreadyExists" {
		return wrapped
	}
	exists := &providers.ExistsError{Err: wrapped}
	var api interface{ ErrorMessage() string }
	if errors.As(err, &api) {
		if m := existsID.FindStringSubmatch(api.ErrorMessage()); m != nil {
			exists.ID = m[1]
		}
	}
	return exists
}

// Update implements providers.Distributions.
func (d *distributions) Update(ctx context.Context, id, etag string, s providers.Settings, fields []providers.Field) (providers.Distribution, error) {
	op := "update distribution " + id
	client, err := d.c.cloudFront(ctx)
	if err != nil {
		return providers.Distribution{}, err
	}
	get, err := client.GetDistributionConfig(ctx, &cloudfront.GetDistributionConfigInput{Id: &id})
	if err != nil {
		return providers.Distribution{}, d.c.fail(op, "cloudfront:GetDistributionConfig", err)
	}
	cfg := get.DistributionConfig
	if cfg == nil || cfg.DefaultCacheBehavior == nil {
		return providers.Distribution{}, d.c.fail(op, "", errors.New("the answer has no configuration"))
	}
	if have := sdk.ToString(get.ETag); have != etag {
		return providers.Distribution{}, &callError{
			text:  fmt.Sprintf("%s: it was changed meanwhile (its version is %s, not %s)", op, have, etag),
			hint:  "look at the change and plan again",
			class: providers.ErrConflict, cause: errors.New("the ETag differs"),
		}
	}
	for _, f := range fields {
		if !setField(cfg, f, s) {
			return providers.Distribution{}, fmt.Errorf("%s: no field %q: %w", op, f, providers.ErrInvalid)
		}
		if f == providers.FieldOrigin && defaultOrigin(cfg.Origins, cfg.DefaultCacheBehavior) == nil {
			return providers.Distribution{}, &callError{
				text:  op + ": its default cache behaviour uses an origin group, which edgeward does not change",
				hint:  "point the default cache behaviour at one origin, or leave this distribution to its owner",
				class: providers.ErrInvalid, cause: errors.New("no single origin"),
			}
		}
	}
	return d.put(ctx, client, id, etag, cfg)
}

// put writes a configuration with If-Match. A refusal for the version after an
// attempt whose answer was lost may be about our own write: then what stands
// is compared with what was sent.
func (d *distributions) put(ctx context.Context, client *cloudfront.Client, id, etag string, cfg *types.DistributionConfig) (providers.Distribution, error) {
	op := "update distribution " + id
	ctx, tries := counting(ctx)
	out, err := client.UpdateDistribution(ctx, &cloudfront.UpdateDistributionInput{Id: &id, IfMatch: &etag, DistributionConfig: cfg})
	var one providers.Distribution
	if err == nil {
		one, err = full(out.Distribution, out.ETag)
	}
	if err != nil && code(err) == "PreconditionFailed" && tries.n > 1 {
		ctx, _ := counting(ctx)
		now, again := client.GetDistribution(ctx, &cloudfront.GetDistributionInput{Id: &id})
		if again == nil && now.Distribution != nil && reflect.DeepEqual(now.Distribution.DistributionConfig, cfg) {
			one, err = full(now.Distribution, now.ETag)
		}
	}
	d.mu.Lock()
	w := d.written[id]
	w.etag, w.order = one.ETag, d.c.order.Add(1) // "" after an error: its effect is not known
	if err == nil {
		w.arn, w.aliases, w.policy = one.ARN, one.Settings.Aliases, one.Settings.CachePolicyID
	}
	d.written[id] = w
	d.mu.Unlock()
	if err != nil {
		return providers.Distribution{}, d.c.fail(op, "cloudfront:UpdateDistribution", err)
	}
	return one, nil
}
