package providers

import (
	"context"
	"time"
)

// Buckets is Amazon S3 as far as a migration reads it.
type Buckets interface {
	// Bucket reads the settings of a bucket. region may be "": then S3 is asked
	// (HeadBucket). ErrNotFound: no such bucket anywhere. ErrDenied: it exists
	// but these credentials may not read it (another account's, mostly).
	Bucket(ctx context.Context, name, region string) (Bucket, error)
	// Objects lists the first objects whose keys come after the key after, in the
	// order of S3 (by bytes), at most limit (<= 1000): one page of ListObjectsV2.
	Objects(ctx context.Context, name, region, after string, limit int) ([]Object, error)
	// Head reads the metadata of one object with the account's credentials
	// (HeadObject), not as a visitor. ErrNotFound, ErrDenied.
	Head(ctx context.Context, name, region, key string) (ObjectHead, error)
}

// Bucket is what S3 says of one bucket. [S3 API Reference: HeadBucket,
// GetBucketWebsite, GetBucketPolicy, GetBucketPolicyStatus,
// GetPublicAccessBlock, GetBucketCors, GetBucketOwnershipControls,
// GetBucketRequestPayment]
type Bucket struct {
	Name   string
	Region string
	// Website is nil when the bucket has no website configuration.
	Website *Website
	// PolicyPublic is GetBucketPolicyStatus.IsPublic; false without a policy.
	PolicyPublic bool
	// Policy is the bucket policy's text, "" without one. Compare by meaning: S3
	// rewrites the text.
	Policy string
	// Block holds the four flags of the bucket's public access block.
	Block PublicAccessBlock
	// ACLsEnabled is false when ownership is BucketOwnerEnforced.
	ACLsEnabled bool
	// CORS are the bucket's CORS rules, in order; the first that matches counts.
	CORS []CORSRule
	// RequesterPays buckets answer anonymous requests with 403.
	RequesterPays bool
}

// CORSRule is one rule of a CORS configuration, as S3 has it.
type CORSRule struct {
	Origins, Methods, Headers, Expose []string
	// MaxAge is Access-Control-Max-Age in seconds; 0: none is sent.
	MaxAge int32
}

// ObjectHead is the metadata of one object.
type ObjectHead struct {
	ContentType, ContentEncoding, ContentLanguage, ContentDisposition string
	CacheControl, Expires                                             string
	// Redirect is x-amz-website-redirect-location.
	Redirect string
	// Metadata are the user's own (x-amz-meta-), keys in lower case.
	Metadata map[string]string
}

// Website is a bucket's website configuration.
type Website struct {
	IndexDocument string
	ErrorDocument string
	// RedirectAllTo is the host every request is redirected to, or "";
	// RedirectAllProtocol is http, https or "": as the request.
	RedirectAllTo, RedirectAllProtocol string
	RoutingRules                       []RoutingRule
}

// RoutingRule is one rule of a website, tried in order; "" is not set [S3 API:
// RoutingRule].
type RoutingRule struct {
	// The conditions: a prefix of the key, the HTTP status of an error, or both.
	KeyPrefix, ErrorCode string
	// Where it leads. Without a HostName the Location has the host that was asked
	// for, which behind CloudFront is S3's own.
	HostName, Protocol string
	// At most one of ReplaceKeyPrefix and ReplaceKey is set; a prefix may be
	// replaced by "", hence the pointer.
	ReplaceKeyPrefix *string
	ReplaceKey       string
	// Code is the HTTP status of the redirect, 301 when "".
	Code string
}

// PublicAccessBlock has S3's four flags; all false when none is configured.
type PublicAccessBlock struct {
	BlockPublicACLs, IgnorePublicACLs, BlockPublicPolicy, RestrictPublicBuckets bool
}

// Object is one row of ListObjectsV2.
type Object struct {
	Key  string
	Size int64
	// ETag as S3 lists it, quotes removed.
	ETag         string
	StorageClass string
	LastModified time.Time
}
