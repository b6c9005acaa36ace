package aws

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/s3control"

	"github.com/edgeward/edgeward/providers"
)

// bucketAccess is providers.Access over S3, S3 Control and CloudFront.
type bucketAccess struct {
	c        *Client
	d        *distributions
	b        *buckets
	controls *sweep[[]providers.OriginAccess]
	account  *sweep[*providers.PublicAccessBlock]

	// after is the end of the last creation of an origin access control, refused or
	// not: the list has to be read after it.
	after atomic.Int64
}

func newAccess(c *Client, d *distributions, b *buckets) *bucketAccess {
	a := &bucketAccess{c: c, d: d, b: b}
	a.controls = newSweep(c, a.sweepControls)
	a.account = newSweep(c, a.accountBlock)
	return a
}

// origins notes which buckets a distribution fetches from and how: once for each
// origin. S3 asked by path is under the bucket that the origin's path begins with,
// or under "" when visitors say it.
func (l listing) origins(row *types.DistributionSummary) {
	if row.Origins == nil {
		return
	}
	id, signs := sdk.ToString(row.Id), map[string]bool{}
	for _, o := range row.Origins.Items {
		if c := sdk.ToString(o.OriginAccessControlId); c != "" {
			signs[c] = true
		}
		name := strings.ToLower(sdk.ToString(o.DomainName))
		if bucket, ok := originBucket(name, sdk.ToString(o.OriginPath)); ok {
			l.reads[bucket] = append(l.reads[bucket], id)
		}
	}
	for c := range signs {
		l.signs[c]++
	}
}

// pathHost is an endpoint of S3 that names no bucket [S3 User Guide: Methods for
// accessing a bucket, Path-style requests].
var pathHost = regexp.MustCompile(`^s3[.-]([a-z0-9.-]+\.)?amazonaws\.com(\.cn)?$`)

// originBucket is the bucket that an origin fetches from, "" for any; false when
// it is not S3's.
func originBucket(host, path string) (string, bool) {
	if i := strings.LastIndex(host, ".s3"); i > 0 {
		return host[:i], true
	}
	if !pathHost.MatchString(host) {
		return "", false
	}
	bucket, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return bucket, true
}

// Policy implements providers.Access.
func (a *bucketAccess) Policy(ctx context.Context, bucket, region string) (string, error) {
	var out providers.Bucket
	err := a.ask(ctx, bucket, region, &out, 0)
	return out.Policy, err
}

// ask reads the policy (0) or the block (2) of policyReads.
func (a *bucketAccess) ask(ctx context.Context, bucket, region string, out *providers.Bucket, which int) error {
	client, region, err := a.b.in(ctx, bucket, region)
	if err != nil {
		return err
	}
	out.Name = bucket
	return a.b.ask(ctx, policyReads(client, out)[which], bucket, region)
}

// PutPolicy implements providers.Access.
func (a *bucketAccess) PutPolicy(ctx context.Context, bucket, region, policy string) error {
	client, _, err := a.b.in(ctx, bucket, region)
	if err != nil {
		return err
	}
	if policy == "" {
		_, err = client.DeleteBucketPolicy(ctx, &s3.DeleteBucketPolicyInput{Bucket: &bucket})
		return a.failed("remove the policy of bucket "+bucket, "s3:DeleteBucketPolicy", err)
	}
	_, err = client.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: &bucket, Policy: &policy})
	return a.failed("put the policy of bucket "+bucket, "s3:PutBucketPolicy", err)
}

func (a *bucketAccess) failed(op, action string, err error) error {
	if err == nil {
		return nil
	}
	return a.b.fail(op, action, err)
}

// Block implements providers.Access. A block with no flag set is one all the
// same.
func (a *bucketAccess) Block(ctx context.Context, bucket, region string) (*providers.PublicAccessBlock, error) {
	client, region, err := a.b.in(ctx, bucket, region)
	if err != nil {
		return nil, err
	}
	var found *providers.PublicAccessBlock
	err = a.b.ask(ctx, read{"public access block", "s3:GetBucketPublicAccessBlock", "NoSuchPublicAccessBlockConfiguration", func(ctx context.Context) error {
		got, err := client.GetPublicAccessBlock(ctx, &s3.GetPublicAccessBlockInput{Bucket: &bucket})
		if err == nil && got.PublicAccessBlockConfiguration == nil {
			err = errPartial
		}
		if err == nil {
			b := block(*got.PublicAccessBlockConfiguration)
			found = &b
		}
		return err
	}}, bucket, region)
	return found, err
}

// PutBlock implements providers.Access.
func (a *bucketAccess) PutBlock(ctx context.Context, bucket, region string, b *providers.PublicAccessBlock) error {
	const action = "s3:PutBucketPublicAccessBlock"
	client, _, err := a.b.in(ctx, bucket, region)
	if err != nil {
		return err
	}
	if b == nil {
		_, err = client.DeletePublicAccessBlock(ctx, &s3.DeletePublicAccessBlockInput{Bucket: &bucket})
		return a.failed("remove the public access block of bucket "+bucket, action, err)
	}
	_, err = client.PutPublicAccessBlock(ctx, &s3.PutPublicAccessBlockInput{Bucket: &bucket, PublicAccessBlockConfiguration: &s3types.PublicAccessBlockConfiguration{
		BlockPublicAcls: &b.BlockPublicACLs, IgnorePublicAcls: &b.IgnorePublicACLs,
		BlockPublicPolicy: &b.BlockPublicPolicy, RestrictPublicBuckets: &b.RestrictPublicBuckets,
	}})
	return a.failed("put the public access block of bucket "+bucket, action, err)
}

// AccountBlock implements providers.Access: one answer for all buckets.
func (a *bucketAccess) AccountBlock(ctx context.Context) (*providers.PublicAccessBlock, error) {
	got, err := a.account.get(ctx, 0)
	if err != nil || got.val == nil {
		return nil, err
	}
	own := *got.val
	return &own, nil
}

func (a *bucketAccess) accountBlock(ctx context.Context) (*providers.PublicAccessBlock, error) {
	const op = "read the public access block of the account"
	id, err := a.c.account.Identity.AccountID(ctx)
	if err != nil {
		return nil, err
	}
	cfg, err := a.c.Config(ctx)
	if err != nil {
		return nil, err
	}
	client := s3control.NewFromConfig(cfg, func(o *s3control.Options) {
		o.APIOptions = append(o.APIOptions, a.c.limits.of(a.c.limits.s3Control))
	})
	out, err := client.GetPublicAccessBlock(ctx, &s3control.GetPublicAccessBlockInput{AccountId: &id})
	switch {
	case err != nil && code(err) == "NoSuchPublicAccessBlockConfiguration":
		return nil, nil
	case err != nil:
		return nil, a.c.fail(op, "s3:GetAccountPublicAccessBlock", err)
	case out.PublicAccessBlockConfiguration == nil:
		return nil, a.c.fail(op, "", errPartial)
	}
	b := out.PublicAccessBlockConfiguration
	return &providers.PublicAccessBlock{
		BlockPublicACLs: sdk.ToBool(b.BlockPublicAcls), IgnorePublicACLs: sdk.ToBool(b.IgnorePublicAcls),
		BlockPublicPolicy: sdk.ToBool(b.BlockPublicPolicy), RestrictPublicBuckets: sdk.ToBool(b.RestrictPublicBuckets),
	}, nil
}

// Readers implements providers.Access.
func (a *bucketAccess) Readers(ctx context.Context, bucket string) ([]providers.Reader, error) {
	l, err := a.d.list.get(ctx, 0)
	if err != nil {
		return nil, err
	}
	n := map[string]int{}
	for _, id := range slices.Concat(l.val.reads[strings.ToLower(bucket)], l.val.reads[""]) {
		n[id]++
	}
	var out []providers.Reader
	for _, id := range slices.Sorted(maps.Keys(n)) {
		out = append(out, providers.Reader{ID: id, Origins: n[id]})
	}
	return out, nil
}

// OriginAccess implements providers.Access.
func (a *bucketAccess) OriginAccess(ctx context.Context) ([]providers.OriginAccess, error) {
	swept, err := a.controls.get(ctx, a.after.Load())
	if err != nil {
		return nil, err
	}
	used, err := a.d.list.get(ctx, 0)
	if err != nil {
		return nil, err
	}
	all := slices.Clone(swept.val)
	for i := range all {
		all[i].InUse = used.val.signs[all[i].ID]
	}
	return all, nil
}

func (a *bucketAccess) sweepControls(ctx context.Context) ([]providers.OriginAccess, error) {
	const op = "list the origin access controls"
	client, err := a.c.cloudFront(ctx)
	if err != nil {
		return nil, err
	}
	var all []providers.OriginAccess
	in := &cloudfront.ListOriginAccessControlsInput{}
	for {
		out, err := client.ListOriginAccessControls(ctx, in)
		if err != nil {
			return nil, a.c.fail(op, "cloudfront:ListOriginAccessControls", err)
		}
		page := out.OriginAccessControlList
		if page == nil || page.IsTruncated == nil || int(sdk.ToInt32(page.Quantity)) != len(page.Items) {
			return nil, a.c.fail(op, "", errPartial)
		}
		for _, c := range page.Items {
			all = append(all, providers.OriginAccess{ID: sdk.ToString(c.Id), Name: sdk.ToString(c.Name),
				Signs: signsAlways(c.OriginAccessControlOriginType, c.SigningBehavior, c.SigningProtocol)})
		}
		if !sdk.ToBool(page.IsTruncated) {
			return all, nil
		}
		next := sdk.ToString(page.NextMarker)
		if next == "" || next == sdk.ToString(in.Marker) {
			return nil, a.c.fail(op, "", errRepeats)
		}
		in.Marker = &next
	}
}

func signsAlways(of types.OriginAccessControlOriginTypes, how types.OriginAccessControlSigningBehaviors, by types.OriginAccessControlSigningProtocols) bool {
	return of == types.OriginAccessControlOriginTypesS3 && how == types.OriginAccessControlSigningBehaviorsAlways && by == types.OriginAccessControlSigningProtocolsSigv4
}

// CreateOriginAccess implements providers.Access.
func (a *bucketAccess) CreateOriginAccess(ctx context.Context, name string) (providers.OriginAccess, error) {
	client, err := a.c.cloudFront(ctx)
	if err != nil {
		return providers.OriginAccess{}, err
	}
	defer func() { a.after.Store(a.c.order.Add(1)) }()
	out, err := client.CreateOriginAccessControl(ctx, &cloudfront.CreateOriginAccessControlInput{OriginAccessControlConfig: &types.OriginAccessControlConfig{
		Name: &name, Description: sdk.String("made by edgeward; shared by its distributions"),
		OriginAccessControlOriginType: types.OriginAccessControlOriginTypesS3,
		SigningBehavior:               types.OriginAccessControlSigningBehaviorsAlways, SigningProtocol: types.OriginAccessControlSigningProtocolsSigv4,
	}})
	if err == nil && (out.OriginAccessControl == nil || sdk.ToString(out.OriginAccessControl.Id) == "") {
		err = errors.New("the answer has no origin access control")
	}
	if err != nil {
		return providers.OriginAccess{}, a.c.fail(fmt.Sprintf("create origin access control %q", name), "cloudfront:CreateOriginAccessControl", err)
	}
	return providers.OriginAccess{ID: *out.OriginAccessControl.Id, Name: name, Signs: true}, nil
}
