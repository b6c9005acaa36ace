package providers

import (
	"context"
	"fmt"
	"strings"
)

// Distributions is Amazon CloudFront's distributions of one account.
type Distributions interface {
	// Find returns every distribution that concerns a bucket: those with an alias
	// equal to, covering (wildcard), or covered by one of names, and those tagged
	// TagBucket = bucket. Answered from two sweeps (ListDistributions and the
	// tagging API's GetResources), hence without CallerReference, with
	// SettingsFull false, and with Tags that may be minutes old: use Tags for
	// exact ones. Ordered by ID.
	Find(ctx context.Context, bucket string, names []string) ([]Distribution, error)
	// Distribution reads one with all its settings (GetDistribution), Tags not
	// filled. ErrNotFound.
	Distribution(ctx context.Context, id string) (Distribution, error)
	// Tags reads the exact tags of one distribution. ErrNotFound.
	Tags(ctx context.Context, arn string) (map[string]string, error)
	// SetTags merges tags into those that stand; it removes none. ErrNotFound.
	SetTags(ctx context.Context, arn string, tags map[string]string) error
	// Create makes an enabled distribution. Errors: *ExistsError when
	// callerReference was used before; ErrConflict when an alias is on another
	// distribution of any account (CNAMEAlreadyExists); ErrFull when the cache
	// policy has all the distributions it can; ErrQuota; ErrInvalid.
	Create(ctx context.Context, callerReference string, s Settings, tags map[string]string) (Distribution, error)
	// Update reads the configuration, checks that its ETag is etag (else
	// ErrConflict), changes the fields named in fields and no other, and writes
	// it back with If-Match. The result has the new ETag.
	Update(ctx context.Context, id, etag string, s Settings, fields []Field) (Distribution, error)
	// Conflicts tells who, in any account, has name as an alias or covers it with a
	// wildcard (ListDomainConflicts). id is a distribution of this account with an
	// issued certificate that covers name: CloudFront answers nobody else, and none
	// may be made to ask. An error tells nothing about name, whatever its class;
	// ErrDenied, ErrNotFound and ErrInvalid are CloudFront's refusals.
	Conflicts(ctx context.Context, id, name string) ([]Holder, error)
}

// Holder is who has an alias, as far as CloudFront tells it.
type Holder struct {
	// Alias is the name that was asked for, or a wildcard over it.
	Alias string
	// ID and Account have asterisks in place of their first characters, always for
	// resources of other accounts and mostly for one's own [CloudFront Developer
	// Guide, "Find the source standard distribution or distribution tenant"].
	ID, Account string
	// Tenant: ID is a distribution tenant, which no list of distributions has.
	Tenant bool
}

// ErrFull: the cache policy has as many distributions as it may have
// (TooManyDistributionsAssociatedToCachePolicy).
var ErrFull = fmt.Errorf("cache policy is used by as many distributions as it may be: %w", ErrQuota)

// ExistsError says that a caller reference was used before
// (DistributionAlreadyExists). It is an ErrConflict.
type ExistsError struct {
	// ID is the distribution named in CloudFront's message, or "".
	ID  string
	Err error
}

func (e *ExistsError) Error() string {
	return fmt.Sprintf("the caller reference was used for distribution %s: %v", e.ID, e.Err)
}

// Unwrap gives the class and the cause.
func (e *ExistsError) Unwrap() []error { return []error{ErrConflict, e.Err} }

// AliasOver says whether a wildcard alias covers name. Other than in a
// certificate, it stands for any number of labels [CloudFront Developer Guide,
// "Using wildcards in alternate domain names"].
func AliasOver(alias, name string) bool {
	rest, wild := strings.CutPrefix(strings.ToLower(alias), "*.")
	return wild && strings.HasSuffix(strings.ToLower(name), "."+rest)
}

// Keys of the tags that edgeward writes. TagBucket marks what is ours; the
// crumbs of a migration are kept under TagPrefix too (planner).
const (
	TagPrefix = "edgeward:"
	TagBucket = TagPrefix + "bucket"
)

// Statuses of a distribution [CloudFront API: Distribution.Status].
const (
	Deployed   = "Deployed"
	InProgress = "InProgress"
)

// Distribution is one CloudFront distribution.
type Distribution struct {
	ID, ARN string
	// Domain is its own name, d111111abcdef8.cloudfront.net.
	Domain string
	Status string
	// ETag is the version of its configuration; tags do not change it.
	ETag string
	// CallerReference is "" in answers of a sweep.
	CallerReference string
	// Comment is the description that edgeward gave it or somebody else; ErrorCodes
	// are those that have an entry of Settings.ErrorTTL, nil where the entries differ.
	// Both are unknown in answers of a sweep, and neither is managed.
	Comment    string
	ErrorCodes []int64
	Settings   Settings
	// SettingsFull is false in answers of a sweep, where DefaultRootObject and
	// Logging are not known.
	SettingsFull bool
	// Tags is nil when not known. TagsExact: they were asked for by themselves, as by
	// Tags, in the call that gave them, and are not from a sweep.
	Tags      map[string]string
	TagsExact bool
}

// Field names one managed field of Settings; the strings are the attributes
// of the distribution block, so that a plan can print them.
type Field string

// The managed fields. A field that is not in this list is never written to a
// distribution that exists.
const (
	FieldEnabled           Field = "enabled"
	FieldAliases           Field = "aliases"
	FieldCertificate       Field = "certificate"
	FieldMinimumTLS        Field = "minimum_tls"
	FieldOrigin            Field = "origin"
	FieldViewerProtocol    Field = "viewer_protocol"
	FieldMethods           Field = "allowed_methods"
	FieldPriceClass        Field = "price_class"
	FieldHTTPVersion       Field = "http_version"
	FieldIPv6              Field = "ipv6"
	FieldCompress          Field = "compress"
	FieldCachePolicy       Field = "cache_policy"
	FieldOriginRequest     Field = "origin_request_policy"
	FieldResponseHeaders   Field = "response_headers_policy"
	FieldWebACL            Field = "web_acl_arn"
	FieldDefaultRootObject Field = "default_root_object"
	FieldLogging           Field = "logging"
	FieldOriginAccess      Field = "origin_access_control"
)

// OriginKind is how CloudFront reaches the bucket.
type OriginKind string

// RESTOrigin is an S3 origin (S3OriginConfig); WebsiteOrigin is the bucket's website
// endpoint as a custom origin over http.
const (
	RESTOrigin    OriginKind = "rest"
	WebsiteOrigin OriginKind = "website"
)

// Settings are the fields of a DistributionConfig that edgeward manages, in
// CloudFront's own values.
type Settings struct {
	Enabled bool
	// Aliases are the alternate domain names, sorted.
	Aliases        []string
	CertificateARN string
	// MinimumTLS is the MinimumProtocolVersion, such as TLSv1.2_2021.
	MinimumTLS   string
	OriginDomain string
	OriginKind   OriginKind
	// OriginAccessID is the origin access control of the origin, "" for none; known
	// from a sweep too.
	OriginAccessID string
	// ViewerProtocol is allow-all, redirect-to-https or https-only.
	ViewerProtocol string
	// Methods are the allowed methods: GET and HEAD, with OPTIONS or not.
	Methods []string
	// PriceClass is PriceClass_All, PriceClass_200 or PriceClass_100.
	PriceClass string
	// HTTPVersion is http1.1, http2, http3 or http2and3.
	HTTPVersion       string
	IPv6              bool
	Compress          bool
	CachePolicyID     string
	OriginRequestID   string
	ResponseHeadersID string
	WebACL            string
	// ErrorTTL is how long CloudFront keeps an error of the origin, in seconds;
	// set at create, for the codes that S3 answers, and not managed later.
	ErrorTTL int64
	// DefaultRootObject and Logging are unknown in answers of a sweep.
	DefaultRootObject string
	Logging           Logging
}

// Logging is the standard logging (legacy) of a distribution; the zero value
// is off.
type Logging struct {
	// Bucket is the bucket's domain name, such as logs.s3.amazonaws.com.
	Bucket, Prefix string
}

// CachePolicies is the account's own cache policies.
type CachePolicies interface {
	// CachePolicies lists the custom ones, from a sweep.
	CachePolicies(ctx context.Context) ([]CachePolicy, error)
	// CachePolicy reads one, a managed one too (GetCachePolicy). ErrNotFound.
	CachePolicy(ctx context.Context, id string) (CachePolicy, error)
	// CreateCachePolicy makes one. ErrConflict when the name exists
	// (CachePolicyAlreadyExists); ErrQuota at 20 an account.
	CreateCachePolicy(ctx context.Context, name string, s CacheSettings) (CachePolicy, error)
}

// CachePolicy is a custom cache policy.
type CachePolicy struct {
	ID, Name string
	Settings CacheSettings
	// Foreign is true when the policy has settings that CacheSettings cannot
	// say; such a policy is never taken for one of ours.
	Foreign bool
	// InUse is how many distributions of the account use it.
	InUse int
}

// CacheSettings are what a cache policy of ours says. Cookies are never in the
// key; query strings are all or none.
type CacheSettings struct {
	// MinTTL, DefaultTTL and MaxTTL are seconds.
	MinTTL, DefaultTTL, MaxTTL int64
	QueryStrings               bool
	// Headers in the cache key, sorted.
	Headers []string
	// Gzip and Brotli say whether Accept-Encoding is part of the key.
	Gzip, Brotli bool
}
