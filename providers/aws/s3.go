package aws

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/edgeward/edgeward/providers"
)

// buckets is providers.Buckets over S3, with a client a region.
type buckets struct {
	c *Client

	mu      sync.Mutex
	clients map[string]*s3.Client
	// regions are those that S3 told; a bucket never moves.
	regions map[string]string
}

func newBuckets(c *Client) *buckets {
	return &buckets{c: c, clients: map[string]*s3.Client{}, regions: map[string]string{}}
}

// client is S3 in one region, "" for the configuration's own.
func (b *buckets) client(ctx context.Context, region string) (*s3.Client, error) {
	cfg, err := b.c.Config(ctx)
	if err != nil {
		return nil, err
	}
	if region == "" {
		region = cfg.Region
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if have := b.clients[region]; have != nil {
		return have, nil
	}
	client := s3.NewFromConfig(cfg, func(o *s3.Options) {
		o.Region = region
		// An endpoint of one's own has no name for every bucket.
		o.UsePathStyle = o.BaseEndpoint != nil
		o.APIOptions = append(o.APIOptions, b.c.limits.of(b.c.limits.s3))
	})
	b.clients[region] = client
	return client, nil
}

// in is the client for a bucket, and its region.
func (b *buckets) in(ctx context.Context, name, region string) (*s3.Client, string, error) {
	if region == "" {
		b.mu.Lock()
		region = b.regions[name]
		b.mu.Unlock()
	}
	if region == "" {
		var err error
		if region, err = b.region(ctx, name); err != nil {
			return nil, "", err
		}
		b.mu.Lock()
		b.regions[name] = region
		b.mu.Unlock()
	}
	client, err := b.client(ctx, region)
	return client, region, err
}

// region asks S3 where a bucket is. HeadBucket's answer names the region
// whatever its status is [S3 API Reference: HeadBucket]; it has no body, so
// when there is no region in it GetBucketLocation is asked, whose refusals say
// why.
func (b *buckets) region(ctx context.Context, name string) (string, error) {
	op := fmt.Sprintf("find the region of bucket %q", name)
	client, err := b.client(ctx, "")
	if err != nil {
		return "", err
	}
	head, err := client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &name})
	switch region := headerRegion(err); {
	case err == nil && sdk.ToString(head.BucketRegion) != "":
		return *head.BucketRegion, nil
	case region != "":
		return region, nil
	case ctx.Err() != nil:
		return "", b.c.fail(op, "", ctx.Err())
	case classOf(err) == providers.ErrCredentials:
		return "", b.c.fail(op, "", err)
	}
	out, err := client.GetBucketLocation(ctx, &s3.GetBucketLocationInput{Bucket: &name})
	if err != nil {
		if region := headerRegion(err); region != "" {
			return region, nil
		}
		return "", b.fail(op, "s3:GetBucketLocation", err)
	}
	switch out.LocationConstraint {
	case "":
		return "us-east-1", nil
	case types.BucketLocationConstraintEu:
		return "eu-west-1", nil
	}
	return string(out.LocationConstraint), nil
}

// headerRegion is x-amz-bucket-region of a refused request, or "".
func headerRegion(err error) string {
	var answer *smithyhttp.ResponseError
	if !errors.As(err, &answer) || answer.Response == nil || answer.Response.Response == nil {
		return ""
	}
	return answer.Response.Header.Get("X-Amz-Bucket-Region")
}

// List implements providers.Buckets. With MaxBuckets the answer is in pages and
// says where each bucket is [S3 API Reference: ListBuckets]; that is kept, so that
// nobody need ask for it.
func (b *buckets) List(ctx context.Context) ([]providers.BucketEntry, error) {
	client, err := b.client(ctx, "")
	if err != nil {
		return nil, err
	}
	var all []providers.BucketEntry
	pages := s3.NewListBucketsPaginator(client, &s3.ListBucketsInput{MaxBuckets: sdk.Int32(1000)})
	for pages.HasMorePages() {
		out, err := pages.NextPage(ctx)
		if err != nil {
			return nil, b.fail("list the buckets of the account", "s3:ListAllMyBuckets", err)
		}
		if out.Buckets == nil { // an account without buckets has an empty element
			return nil, b.fail("list the buckets of the account", "", errPartial)
		}
		for _, x := range out.Buckets {
			if sdk.ToString(x.Name) == "" {
				return nil, b.fail("list the buckets of the account", "", errPartial)
			}
			all = append(all, providers.BucketEntry{Name: *x.Name, Region: sdk.ToString(x.BucketRegion), Created: sdk.ToTime(x.CreationDate)})
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, x := range all {
		if x.Region != "" {
			b.regions[x.Name] = x.Region
		}
	}
	slices.SortFunc(all, func(x, y providers.BucketEntry) int { return strings.Compare(x.Name, y.Name) })
	return all, nil
}

// Bucket implements providers.Buckets.
func (b *buckets) Bucket(ctx context.Context, name, region string) (providers.Bucket, error) {
	client, region, err := b.in(ctx, name, region)
	if err != nil {
		return providers.Bucket{}, err
	}
	out := providers.Bucket{Name: name, Region: region, ACLsEnabled: true}
	if err := b.askAll(ctx, b.reads(client, &out), name, region); err != nil {
		return providers.Bucket{}, err
	}
	return out, nil
}

// Site implements providers.Buckets.
func (b *buckets) Site(ctx context.Context, name, region string, website bool) (providers.Bucket, error) {
	client, region, err := b.in(ctx, name, region)
	if err != nil {
		return providers.Bucket{}, err
	}
	out := providers.Bucket{Name: name, Region: region}
	reads := []read{readCORS(client, &out)}
	if website {
		reads = append(reads, readWebsite(client, &out))
	}
	if err := b.askAll(ctx, reads, name, region); err != nil {
		return providers.Bucket{}, err
	}
	return out, nil
}

// askAll asks all at the same time. Of several errors it gives the first in the
// order of reads, so that a plan says the same each time.
func (b *buckets) askAll(ctx context.Context, reads []read, name, region string) error {
	errs := make([]error, len(reads))
	var asked sync.WaitGroup
	for i, r := range reads {
		asked.Go(func() {
			defer providers.Recovered(&errs[i])
			errs[i] = b.ask(ctx, r, name, region)
		})
	}
	asked.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *buckets) ask(ctx context.Context, r read, name, region string) error {
	err := r.do(ctx)
	if err == nil || r.none != "" && code(err) == r.none {
		return nil
	}
	if at := headerRegion(err); at != "" && at != region {
		return b.elsewhere(name, region, at, err)
	}
	return b.fail(fmt.Sprintf("read the %s of bucket %q", r.what, name), r.action, err)
}

// read is one question about a bucket. none is the code that S3 gives when
// there is nothing of the kind: an answer, not an error.
type read struct {
	what, action, none string
	do                 func(context.Context) error
}

func (b *buckets) reads(client *s3.Client, out *providers.Bucket) []read {
	return append(settingReads(client, out), policyReads(client, out)...)
}

func policyReads(client *s3.Client, out *providers.Bucket) []read {
	name := &out.Name
	return []read{
		{"policy", "s3:GetBucketPolicy", "NoSuchBucketPolicy", func(ctx context.Context) error {
			got, err := client.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: name})
			if err != nil || !strings.HasPrefix(strings.TrimSpace(sdk.ToString(got.Policy)), "{") {
				return cmp.Or(err, errPartial)
			}
			out.Policy = *got.Policy
			return nil
		}},
		{"policy status", "s3:GetBucketPolicyStatus", "NoSuchBucketPolicy", func(ctx context.Context) error {
			got, err := client.GetBucketPolicyStatus(ctx, &s3.GetBucketPolicyStatusInput{Bucket: name})
			if err != nil || got.PolicyStatus == nil || got.PolicyStatus.IsPublic == nil {
				return cmp.Or(err, errPartial)
			}
			out.PolicyPublic = *got.PolicyStatus.IsPublic
			return nil
		}},
		{"public access block", "s3:GetBucketPublicAccessBlock", "NoSuchPublicAccessBlockConfiguration", func(ctx context.Context) error {
			got, err := client.GetPublicAccessBlock(ctx, &s3.GetPublicAccessBlockInput{Bucket: name})
			if err != nil || got.PublicAccessBlockConfiguration == nil {
				return cmp.Or(err, errPartial)
			}
			out.Block = block(*got.PublicAccessBlockConfiguration)
			return nil
		}},
	}
}

func readWebsite(client *s3.Client, out *providers.Bucket) read {
	return read{"website configuration", "s3:GetBucketWebsite", "NoSuchWebsiteConfiguration", func(ctx context.Context) error {
		got, err := client.GetBucketWebsite(ctx, &s3.GetBucketWebsiteInput{Bucket: &out.Name})
		if err == nil {
			out.Website, err = website(got)
		}
		return err
	}}
}

func readCORS(client *s3.Client, out *providers.Bucket) read {
	return read{"CORS configuration", "s3:GetBucketCORS", "NoSuchCORSConfiguration", func(ctx context.Context) error {
		got, err := client.GetBucketCors(ctx, &s3.GetBucketCorsInput{Bucket: &out.Name})
		if err != nil || len(got.CORSRules) == 0 {
			return cmp.Or(err, errPartial)
		}
		for _, r := range got.CORSRules {
			out.CORS = append(out.CORS, providers.CORSRule{
				Origins: r.AllowedOrigins, Methods: r.AllowedMethods, Headers: r.AllowedHeaders,
				Expose: r.ExposeHeaders, MaxAge: sdk.ToInt32(r.MaxAgeSeconds),
			})
		}
		return nil
	}}
}

func settingReads(client *s3.Client, out *providers.Bucket) []read {
	name := &out.Name
	return []read{
		readWebsite(client, out),
		readCORS(client, out),
		{"object ownership", "s3:GetBucketOwnershipControls", "OwnershipControlsNotFoundError", func(ctx context.Context) error {
			got, err := client.GetBucketOwnershipControls(ctx, &s3.GetBucketOwnershipControlsInput{Bucket: name})
			if err != nil || got.OwnershipControls == nil {
				return cmp.Or(err, errPartial)
			}
			out.ACLsEnabled = aclsEnabled(got.OwnershipControls)
			return nil
		}},
		{"requester-pays setting", "s3:GetBucketRequestPayment", "", func(ctx context.Context) error {
			got, err := client.GetBucketRequestPayment(ctx, &s3.GetBucketRequestPaymentInput{Bucket: name})
			if err != nil || got.Payer == "" {
				return cmp.Or(err, errPartial)
			}
			out.RequesterPays = got.Payer == types.PayerRequester
			return nil
		}},
		{"logging setting", "s3:GetBucketLogging", "", func(ctx context.Context) error {
			got, err := client.GetBucketLogging(ctx, &s3.GetBucketLoggingInput{Bucket: name})
			if err == nil {
				out.Log, err = bucketLog(got.LoggingEnabled)
			}
			return err
		}},
	}
}

// bucketLog reads where an access log goes; no element means that there is none.
func bucketLog(l *types.LoggingEnabled) (providers.BucketLog, error) {
	if l == nil {
		return providers.BucketLog{}, nil
	}
	if sdk.ToString(l.TargetBucket) == "" {
		return providers.BucketLog{}, errPartial
	}
	return providers.BucketLog{
		Bucket: *l.TargetBucket, Prefix: sdk.ToString(l.TargetPrefix),
		Partitioned: l.TargetObjectKeyFormat != nil && l.TargetObjectKeyFormat.PartitionedPrefix != nil,
	}, nil
}

// errPartial: an answer without what it must have proves nothing to be absent.
var errPartial = errors.New("the answer is not complete")

func website(got *s3.GetBucketWebsiteOutput) (*providers.Website, error) {
	w := &providers.Website{}
	for _, r := range got.RoutingRules {
		w.RoutingRules = append(w.RoutingRules, routingRule(r))
	}
	if got.IndexDocument != nil {
		w.IndexDocument = sdk.ToString(got.IndexDocument.Suffix)
	}
	if got.ErrorDocument != nil {
		w.ErrorDocument = sdk.ToString(got.ErrorDocument.Key)
	}
	if got.RedirectAllRequestsTo != nil {
		w.RedirectAllTo = sdk.ToString(got.RedirectAllRequestsTo.HostName)
		w.RedirectAllProtocol = string(got.RedirectAllRequestsTo.Protocol)
	}
	if w.IndexDocument == "" && w.RedirectAllTo == "" {
		return nil, errPartial
	}
	return w, nil
}

func routingRule(r types.RoutingRule) providers.RoutingRule {
	var out providers.RoutingRule
	if c := r.Condition; c != nil {
		out.KeyPrefix, out.ErrorCode = sdk.ToString(c.KeyPrefixEquals), sdk.ToString(c.HttpErrorCodeReturnedEquals)
	}
	if to := r.Redirect; to != nil {
		out.HostName, out.Protocol, out.Code = sdk.ToString(to.HostName), string(to.Protocol), sdk.ToString(to.HttpRedirectCode)
		out.ReplaceKeyPrefix, out.ReplaceKey = to.ReplaceKeyPrefixWith, sdk.ToString(to.ReplaceKeyWith)
	}
	return out
}

func block(p types.PublicAccessBlockConfiguration) providers.PublicAccessBlock {
	return providers.PublicAccessBlock{
		BlockPublicACLs:       sdk.ToBool(p.BlockPublicAcls),
		IgnorePublicACLs:      sdk.ToBool(p.IgnorePublicAcls),
		BlockPublicPolicy:     sdk.ToBool(p.BlockPublicPolicy),
		RestrictPublicBuckets: sdk.ToBool(p.RestrictPublicBuckets),
	}
}

func aclsEnabled(o *types.OwnershipControls) bool {
	for _, rule := range o.Rules {
		if rule.ObjectOwnership == types.ObjectOwnershipBucketOwnerEnforced {
			return false
		}
	}
	return true
}

// Objects implements providers.Buckets.
func (b *buckets) Objects(ctx context.Context, name, region, after string, limit int) ([]providers.Object, error) {
	client, region, err := b.in(ctx, name, region)
	if err != nil {
		return nil, err
	}
	out, err := client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{
		Bucket: &name, MaxKeys: sdk.Int32(int32(min(max(limit, 1), 1000))), StartAfter: optional(after),
		EncodingType: types.EncodingTypeUrl,
	})
	if err != nil {
		if at := headerRegion(err); at != "" && at != region {
			return nil, b.elsewhere(name, region, at, err)
		}
		return nil, b.fail(fmt.Sprintf("list the objects of bucket %q", name), "s3:ListBucket", err)
	}
	if out.Name == nil {
		return nil, b.fail(fmt.Sprintf("list the objects of bucket %q", name), "", errPartial)
	}
	var objects []providers.Object
	for _, o := range out.Contents {
		key, err := plainKey(out, o.Key)
		if err != nil {
			return nil, b.fail(fmt.Sprintf("list the objects of bucket %q", name), "", err)
		}
		objects = append(objects, providers.Object{
			Key:          key,
			Size:         sdk.ToInt64(o.Size),
			ETag:         strings.Trim(sdk.ToString(o.ETag), `"`),
			StorageClass: string(o.StorageClass),
			LastModified: sdk.ToTime(o.LastModified),
		})
	}
	return objects[:min(len(objects), max(limit, 0))], nil
}

// plainKey undoes the encoding of a listing, which is asked for because a key may
// have characters that XML cannot say. A blank is a plus in it [S3 API
// Reference: ListObjectsV2, EncodingType].
func plainKey(out *s3.ListObjectsV2Output, key *string) (string, error) {
	text := sdk.ToString(key)
	if out.EncodingType == types.EncodingTypeUrl {
		var err error
		if text, err = url.QueryUnescape(text); err != nil {
			return "", fmt.Errorf("a key in the answer: %w", err)
		}
	}
	if text == "" {
		return "", errPartial
	}
	return text, nil
}

// Head implements providers.Buckets.
func (b *buckets) Head(ctx context.Context, name, region, key string) (providers.ObjectHead, error) {
	client, region, err := b.in(ctx, name, region)
	if err != nil {
		return providers.ObjectHead{}, err
	}
	out, err := client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &name, Key: &key})
	if err != nil {
		if at := headerRegion(err); at != "" && at != region {
			return providers.ObjectHead{}, b.elsewhere(name, region, at, err)
		}
		return providers.ObjectHead{}, b.headless(fmt.Sprintf("read the metadata of object %q of bucket %q", key, name), err)
	}
	return providers.ObjectHead{
		ContentType: sdk.ToString(out.ContentType), ContentEncoding: sdk.ToString(out.ContentEncoding),
		ContentLanguage: sdk.ToString(out.ContentLanguage), ContentDisposition: sdk.ToString(out.ContentDisposition),
		CacheControl: sdk.ToString(out.CacheControl), Expires: sdk.ToString(out.ExpiresString),
		Redirect: sdk.ToString(out.WebsiteRedirectLocation), Encryption: string(out.ServerSideEncryption), Metadata: out.Metadata,
	}, nil
}

// headless is the error of a HEAD, whose answer has no body and so no code: only
// the status [S3 API Reference: HeadObject, Permissions]. It counts when the
// answer has a request id of S3's, which no proxy makes.
func (b *buckets) headless(op string, err error) error {
	class := map[string]error{"NotFound": providers.ErrNotFound, "Forbidden": providers.ErrDenied}[code(err)]
	err = b.fail(op, "s3:GetObject", err)
	var answer *smithyhttp.ResponseError
	var e *callError
	if class == nil || !errors.As(err, &e) || e.class != nil || !errors.As(err, &answer) || answer.Response == nil ||
		answer.Response.Header.Get("X-Amz-Request-Id") == "" {
		return err
	}
	e.class = class
	if class == providers.ErrDenied {
		e.text += " (so are objects that do not exist, without s3:ListBucket)"
		e.hint = "allow s3:GetObject, and s3:ListBucket to tell what is missing from what is refused, to these credentials; if the bucket is another account's, name that account with `aws`"
	}
	return e
}

// elsewhere is the error of a bucket whose region was given wrongly.
func (b *buckets) elsewhere(name, region, at string, cause error) error {
	return &callError{
		text:  fmt.Sprintf("read bucket %q: it is in %s, not in %s", name, at, region),
		hint:  fmt.Sprintf("write region = %q in the bucket's block, or leave region out: then S3 is asked", at),
		class: providers.ErrInvalid,
		cause: cause,
	}
}

func (b *buckets) fail(op, action string, err error) error {
	err = b.c.fail(op, action, err)
	var e *callError
	if errors.As(err, &e) && e.class == providers.ErrDenied && !strings.HasPrefix(e.hint, "allow sts:") {
		e.hint += "; if the bucket is another account's, name that account with `aws`"
	}
	return err
}
