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
	// Objects lists the first objects in key order, at most limit (<= 1000).
	Objects(ctx context.Context, name, region string, limit int) ([]Object, error)
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
	// CORS is true when the bucket has at least one CORS rule.
	CORS bool
	// RequesterPays buckets answer anonymous requests with 403.
	RequesterPays bool
}

// Website is a bucket's website configuration.
type Website struct {
	IndexDocument string
	ErrorDocument string
	// RedirectAllTo is the host every request is redirected to, or "".
	RedirectAllTo string
	RoutingRules  int
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
