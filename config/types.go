// Package config turns the HCL files of one folder into a validated Config,
// formats them, and writes what other commands generate. It reads files only
// and never the network.
package config

import (
	"time"

	"github.com/hashicorp/hcl/v2"
)

// Config is the whole configuration of one folder, validated: every reference
// is resolved, every name is matched to a DNS provider, and no name is in two
// buckets.
type Config struct {
	// Dir is the folder that was read, as the user gave it.
	Dir string
	// Buckets are sorted by Address.
	Buckets []Bucket
	// Accounts are the aws blocks, sorted by Name. The default chain (Name "")
	// is in the list when a bucket or a provider uses it.
	Accounts []Account
	// DNSProviders are sorted by Address.
	DNSProviders []DNSProvider
	Probe        Probe
	Rollout      Rollout
	Limits       Limits
	// RunLock is nil when runs do not lock.
	RunLock *RunLock

	// secrets are for Secrets alone.
	secrets []string
}

// Account is one aws block.
type Account struct {
	// Name is the block's label; "" is the SDK's default chain.
	Name    string
	Profile string
	RoleARN string
	// ExternalID may come from a sensitive value: never print it.
	ExternalID  string
	Region      string
	DefaultTags map[string]string
}

// DNSProvider is one dns_provider block.
type DNSProvider struct {
	// Address is "dns_provider.TYPE.NAME".
	Address string
	Type    string
	Name    string
	// Zones are lower case without a trailing dot.
	Zones []string
	// Nameservers are asked instead of the delegated authoritative servers,
	// HOST[:PORT]; empty: find them from the delegation.
	Nameservers []string
	// Account is the aws block that a Route 53 provider uses.
	Account string
	// Settings are the type's own attributes, from the block or from the
	// environment: string, []string, time.Duration or bool, without white space
	// around. They may hold secrets: never print them.
	Settings map[string]any
	Range    hcl.Range
}

// Bucket is one bucket to migrate: one bucket block, or one instance of a
// block with for_each.
type Bucket struct {
	// Address is bucket.assets, bucket["assets.example.com"] or
	// bucket.site["KEY"].
	Address string
	// Name is the S3 bucket's.
	Name string
	// Region is "" when S3 is to be asked.
	Region string
	// CNAMEs are the names that visitors use, in the order written. At most one
	// equals Name: that one is moved, the others are added.
	CNAMEs []CNAME
	// Account is the label of an aws block, "" for the default chain.
	Account string
	// Wave is the name of the bucket's wave, or "".
	Wave string
	// Origin is "auto", "rest" or "website".
	Origin string
	// CertificateARN is "" when edgeward finds or requests one.
	CertificateARN string
	// ShareCertificate: one certificate of edgeward's may cover this bucket's names
	// and those of others of the account and wave that say so too; false where
	// CertificateARN is set.
	ShareCertificate bool
	Distribution     Distribution
	Verify           Verify
	DNS              DNS
	Watch            Watch
	// Lock is nil when the bucket stays public.
	Lock *Lock
	// Range is where the block stands, for findings.
	Range hcl.Range
}

// CNAME is one name that visitors use.
type CNAME struct {
	Name string
	// DNSProvider is the address of the provider that holds the name's record.
	DNSProvider string
	// Zone is the longest zone of that provider that holds Name.
	Zone string
}

// Moved says whether c is the name that S3 serves today: the bucket's own.
func (b Bucket) Moved(c CNAME) bool { return c.Name == b.Name }

// Names are the names of CNAMEs, in order.
func (b Bucket) Names() []string {
	var names []string
	for _, c := range b.CNAMEs {
		names = append(names, c.Name)
	}
	return names
}

// Distribution has what the user set; nil means not set, which preserves what
// S3 does today (for a new distribution) or what stands (for an adopted one).
type Distribution struct {
	// Adopt is the ID of a distribution to use instead of creating one.
	Adopt string
	// PriceClass is CloudFront's spelling, such as PriceClass_100.
	PriceClass        *string
	HTTPVersion       *string
	IPv6              *bool
	Compress          *bool
	ViewerProtocol    *string
	MinimumTLS        *string
	DefaultRootObject *string
	// CachePolicy, OriginRequestPolicy and ResponseHeadersPolicy are IDs.
	CachePolicy           *string
	OriginRequestPolicy   *string
	ResponseHeadersPolicy *string
	WebACLARN             *string
	Logging               *Logging
	// Tags are the user's own, the account's default_tags merged under them.
	Tags map[string]string
}

// Logging is the logging block: standard logs to an S3 bucket.
type Logging struct {
	// Bucket is the bucket's domain name, such as my-logs.s3.amazonaws.com, also
	// where the user wrote only my-logs.
	Bucket, Prefix string
}

// Verify is the verify block, defaults filled in.
type Verify struct {
	// Paths are test links, each with a leading slash, as the user wrote them. In
	// one without a query, * stands for any bytes of a segment and ** for any
	// bytes: then it picks the keys of the listing that match.
	Paths []string
	// Sample is at least how many objects are picked besides; default 20. SampleAll
	// is every object ("all").
	Sample int
	// MaxAge is how old a proof may be at the switch; default 15 minutes.
	MaxAge time.Duration
	// Accept are the aspects of differences that visitors may see, in the order
	// written (planner/proof, Aspects).
	Accept []string
	// MaxRequests and MaxBytes bound one comparison: more, and it is not begun,
	// or ended without a verdict. Defaults 200,000 requests and 20 GB.
	MaxRequests int
	MaxBytes    int64
}

// SampleAll is the value of Verify.Sample for every object.
const SampleAll = -1

// DNS is the dns block, defaults filled in.
type DNS struct {
	// LowTTL is the TTL while switching; default 60 s.
	LowTTL time.Duration
	// TTL is the final one; 0: the one that stood before.
	TTL time.Duration
}

// Watch is the watch block, defaults filled in.
type Watch struct {
	// For is how long a bucket has to be healthy after the world answers with the
	// distribution; 0: it is not watched.
	For time.Duration
	// MaxErrorRate is how many percent of the requests may fail with a 5xx, or with
	// more 4xx than before the switch.
	MaxErrorRate float64
	// MinRequests is how many requests a window needs for a verdict.
	MinRequests int
	// Rollback: the names are pointed back at S3 when it is not healthy.
	Rollback bool
	// S3Metrics: S3 is told to count the bucket's requests until the migration is
	// finished, unless it does already. AWS bills that as custom metrics.
	S3Metrics bool
}

// Lock is the lock block, defaults filled in: the bucket is closed to all but
// its distribution.
type Lock struct {
	// After is how long the names have been the distribution's before.
	After time.Duration
	// Evidence says which proof of no direct requests is enough.
	Evidence []string
	// Keep404: a missing key stays a 404 for visitors, at the price that the
	// distribution may list the bucket.
	Keep404 bool
}

// Probe is the probe block, defaults filled in.
type Probe struct {
	// Resolvers are HOST[:PORT] or https URLs (DNS over HTTPS).
	Resolvers []string
	// ConnectTo maps HOST[:PORT], a leading "*." allowed, to ADDR[:PORT].
	ConnectTo map[string]string
	// CAFile is a PEM file to trust besides the system's roots, or ""; its path
	// has the configuration's folder in front.
	CAFile string
}

// Rollout is the rollout block.
type Rollout struct {
	// Parallelism is how many buckets are looked at or changed at the same time;
	// default 10. Buckets that only wait do not count.
	Parallelism int
	// MaxFailures: more failed buckets than this, and no new bucket is started;
	// -1 means no limit, the default.
	MaxFailures int
	// Waves are in the order in which they run. Buckets of no wave run after them.
	Waves []Wave
}

// Wave is one wave block of rollout: the buckets that say wave = "NAME".
type Wave struct {
	Name string
	// Soak is how long every wave before has to have been healthy.
	Soak time.Duration
	// Parallelism and MaxFailures are as those of Rollout, within the wave; 0 and -1
	// are not set.
	Parallelism, MaxFailures int
}

// Limits is the limits block.
type Limits struct {
	// MaxSwitches: a plan with more dns.switch steps is not applied; -1 means no
	// limit, the default. MaxPercent likewise, in percent of all buckets of the
	// configuration, rounded up.
	MaxSwitches, MaxPercent int
	// RequireApprovalAbove: a plan with more dns.switch steps needs a person's yes
	// or a saved plan, -auto-approve does not do; -1 means never, the default.
	RequireApprovalAbove int
	// AllowApex: names at the top of their zone may be switched; the default.
	AllowApex bool
	// Freezes are times in which no name is switched, in the order written.
	Freezes []Freeze
}

// Freeze is one time in which no name is switched.
type Freeze struct {
	// From is the first moment, Until the first one after it; UTC.
	From, Until time.Time
}

// RunLock is the run_lock block: the object in S3 by which runs keep out of each
// other's way.
type RunLock struct {
	Bucket, Key string
	// Region is "" when S3 is to be asked.
	Region string
	// Account is the label of an aws block, "" for the default chain.
	Account string
	// Lease is for how long the lock is held after each renewal.
	Lease time.Duration
	Range hcl.Range
}

// DNSType tells Load what a dns_provider of one type takes. The list comes
// from the table in providers/dns.
type DNSType struct {
	Type     string
	Settings []Setting
	// Refused is the sentence why no block of this type may be written, or "".
	Refused string
}

// Setting is one attribute of a dns_provider: a string, unless one of List,
// Account, Duration and Bool says something else.
type Setting struct {
	Name string
	// List: the value is a list of strings.
	List bool
	// Account: the value is a reference to an aws block.
	Account bool
	// Duration: the value is a duration such as "60s".
	Duration bool
	// Bool: the value is true or false.
	Bool bool
	// Required: a missing value is an error of the configuration.
	Required bool
	// Env are the environment variables that give the value when the attribute is
	// left out; the first one that is set and not empty counts. A list is
	// separated by commas there.
	Env []string
	// Sensitive values are secrets; this is for the documentation only, for no
	// setting is ever printed.
	Sensitive bool
	// Doc is one line for the documentation.
	Doc string
}

// Options are what Load needs besides the folder.
type Options struct {
	DNSTypes []DNSType
	// Vars are the -var flags, NAME=VALUE, in order; VarFiles the -var-file
	// paths, read before them.
	Vars, VarFiles []string
	// Env looks up an environment variable; nil means that none is set.
	Env func(name string) (string, bool)
}
