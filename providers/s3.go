package providers

import (
	"context"
	"time"
)

// Buckets is Amazon S3 as far as a migration reads it.
type Buckets interface {
	// List lists all buckets of the account, by name. ErrDenied.
	List(ctx context.Context) ([]BucketEntry, error)
	// Bucket reads the settings of a bucket. region may be "": then S3 is asked
	// (HeadBucket). ErrNotFound: no such bucket anywhere. ErrDenied: it exists
	// but these credentials may not read it (another account's, mostly).
	Bucket(ctx context.Context, name, region string) (Bucket, error)
	// Site reads how a bucket is served and nothing else: name, region, CORS rules,
	// and its website configuration if website says so; the other fields are zero
	// and prove nothing. Who looks again and again asks for no more than that.
	// Region and errors as of Bucket.
	Site(ctx context.Context, name, region string, website bool) (Bucket, error)
	// Objects lists the first objects whose keys come after the key after, in the
	// order of S3 (by bytes), at most limit (<= 1000): one page of ListObjectsV2.
	Objects(ctx context.Context, name, region, after string, limit int) ([]Object, error)
	// Head reads the metadata of one object with the account's credentials
	// (HeadObject), not as a visitor. ErrNotFound, ErrDenied.
	Head(ctx context.Context, name, region, key string) (ObjectHead, error)
	// AccessLog gives each request about b that stands in the newest objects of
	// its access log, those delivered since then and at most files of them; the
	// requests come object by object, in no order of time, and none from before
	// since. b is from Bucket. read is how many log objects had something to say
	// about b: few or none prove nothing, for S3 delivers hours late and makes no
	// promise to deliver at all. 0 without an error when b has no log.
	// ErrNotFound: the log's bucket is gone. ErrDenied.
	AccessLog(ctx context.Context, b Bucket, since time.Time, files int, each func(LogEntry)) (read int, err error)
}

// BucketEntry is one row of ListBuckets.
type BucketEntry struct {
	Name string
	// Region is "" where the answer does not say.
	Region  string
	Created time.Time
}

// Bucket is what S3 says of one bucket. [S3 API Reference: HeadBucket,
// GetBucketWebsite, GetBucketPolicy, GetBucketPolicyStatus,
// GetPublicAccessBlock, GetBucketCors, GetBucketOwnershipControls,
// GetBucketRequestPayment, GetBucketLogging]
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
	// Log is where its access log goes; the zero value: it has none.
	Log BucketLog
}

// BucketLog is where S3 delivers a bucket's access log.
type BucketLog struct {
	// Bucket has the log; it may be the logged bucket itself.
	Bucket, Prefix string
	// Partitioned: after Prefix a key has the account, the region, the bucket and
	// the day, each with a slash, before the time; else only the time.
	Partitioned bool
}

// LogEntry is one request of an access log, without the person who made it [S3
// User Guide: Amazon S3 server access log format]. Referer, address, the name of
// a user or role and request ids are left out, and so are the values of a query,
// which may be signatures.
type LogEntry struct {
	Time time.Time
	// Operation is REST.GET.OBJECT, WEBSITE.GET.OBJECT, BATCH.DELETE.OBJECT,
	// S3.EXPIRE.OBJECT …; those of S3 itself have no Method and no Path. "" is a line
	// that is not as documented: of it only a Time is given, which is not before its
	// own.
	Operation, Method string
	// Path is escaped as it was asked for, without the query; it begins with the
	// bucket's name when the bucket was asked for by path.
	Path string
	// Query are the names of the query's parameters, sorted.
	Query []string
	// Status is 0 when the log does not say.
	Status int
	// Error is S3's code, or "".
	Error string
	// Host is the Host header in lower case without port: a name that visitors
	// use, or S3's own. "" in old logs.
	Host, UserAgent string
	// Signed: the request had credentials, in a header or, presigned, in its
	// query (Presigned).
	Signed, Presigned bool
	// Signer is whose they were, as far as the log tells: the number of an account,
	// for its users and roles; SignerOwner; a service by its name, of which
	// CloudFront's fetches with an origin access control are (SignerCloudFront);
	// SignerUnknown; "" for nobody.
	Signer string
	// TLS: it came over https; false too when the log does not say.
	TLS bool
}

// Signers that are no account's number.
const (
	SignerCloudFront = "cloudfront.amazonaws.com"
	// SignerOwner is the account that owns the bucket, by its canonical ID.
	SignerOwner = "owner"
	// SignerUnknown is somebody else: the canonical ID of another account, an origin
	// access identity, or what the log does not tell.
	SignerUnknown = "?"
)

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
	// Encryption is x-amz-server-side-encryption: AES256, aws:kms or aws:kms:dsse.
	Encryption string
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
