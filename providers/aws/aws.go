// Package aws is edgeward's view of Amazon Web Services: S3, CloudFront, ACM,
// STS and the tagging API behind the ports of providers, over aws-sdk-go-v2.
//
// Questions about many resources are answered from sweeps that callers share;
// every attempt of every call waits for the limiter of its API; refusals slow
// that limiter down. All waiting is the Clock's.
package aws

import (
	"context"
	"math"
	"sync"
	"sync/atomic"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/logging"
	"github.com/aws/smithy-go/middleware"

	"github.com/edgeward/edgeward/providers"
)

// global is the region of CloudFront, of the certificates that it takes, and
// of the tags of its distributions [Resource Groups Tagging API: Services that
// support the Resource Groups Tagging API].
const global = "us-east-1"

// Options say which account, and how hard it may be asked. Only Clock is
// required.
type Options struct {
	Clock providers.Clock
	// Profile is a profile of the shared configuration files, "" for the SDK's
	// default chain.
	Profile string
	// RoleARN is a role to assume with the credentials found; ExternalID goes
	// with it.
	RoleARN, ExternalID string
	// Region is where S3 and STS are asked when nothing else says so; ""
	// is what the SDK's configuration says, else us-east-1. CloudFront, ACM and
	// the tagging API are always asked in us-east-1.
	Region string
	// HTTPClient sends the requests; nil is the SDK's own client. It must not
	// follow redirects.
	HTTPClient sdk.HTTPClient
	// Version goes into the User-Agent header.
	Version string
	// Freshness is how long the answer of a sweep is used again; 0 is 5 s.
	Freshness time.Duration
	// Limits are requests a second; a zero field is the default.
	Limits Limits
	// Limiters are shared with whoever is counted together with this client; nil
	// are its own. Several says that other clients share them, of which some may
	// be of the same account: this client then asks whose account it is.
	Limiters *providers.Limiters
	Several  bool
	// Attempts is how often a call is tried at most; less than 10 is 10.
	Attempts int
	// Trace takes note of every attempt of every call, those of credentials
	// included; nil takes none.
	Trace providers.Trace
	// Backoff is how long to wait after the attempt with this number (from 1)
	// failed with err; nil is exponential with jitter, at most 20 s.
	Backoff func(attempt int, err error) time.Duration
}

// Client is one AWS account. Its methods may be called from many goroutines.
type Client struct {
	opts    Options
	limits  limiters
	scope   scope
	secrets secrets
	// order numbers the beginnings of sweeps and the ends of writes.
	order atomic.Int64

	mu     sync.Mutex
	loaded bool
	config sdk.Config
	failed error

	account providers.Account
}

// New describes an account. It reads no file, no environment and no network:
// that is done by the first call that needs it.
func New(o Options) *Client {
	if o.Freshness == 0 {
		o.Freshness = 5 * time.Second
	}
	o.Attempts = max(o.Attempts, 10)
	if o.Backoff == nil {
		o.Backoff = defaultBackoff
	}
	if o.Limiters == nil {
		o.Limiters = providers.NewLimiters(o.Clock)
	}
	c := &Client{opts: o}
	c.secrets.add(o.ExternalID)
	c.limits = newLimiters(c, o.Limits)
	d, b := newDistributions(c), newBuckets(c)
	p, certs := newCachePolicies(c, d), newCertificates(c)
	c.account = providers.Account{
		Access:        newAccess(c, d, b),
		Signed:        &signed{c},
		Identity:      newIdentity(c),
		Buckets:       b,
		Certificates:  certs,
		Distributions: d,
		CachePolicies: p,
		Quotas:        newQuotas(c, d, p, certs),
		Metrics:       newMetrics(c, b),
	}
	return c
}

// Account has the ports of this account.
func (c *Client) Account() providers.Account { return c.account }

// Config is the SDK's configuration of this account: region, credentials
// (the assumed role's, if there is one), retries with the Clock's waits, and
// endpoints. It has no rate limit: whoever makes a client of it adds one. The
// files and the environment are read once. ErrCredentials when the profile is
// missing or broken.
func (c *Client) Config(ctx context.Context) (sdk.Config, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.loaded {
		return c.config.Copy(), c.failed
	}
	cfg, err := c.load(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return sdk.Config{}, ctx.Err()
		}
		err = c.configError(err)
	}
	c.loaded, c.config, c.failed = true, cfg, err
	return cfg.Copy(), err
}

func (c *Client) load(ctx context.Context) (sdk.Config, error) {
	client := c.opts.HTTPClient
	if client == nil {
		// A minute is more than any answer of these APIs takes; without a limit a
		// connection that went silent would hold its caller for ever.
		client = awshttp.NewBuildableClient().WithTimeout(time.Minute)
	}
	options := []func(*config.LoadOptions) error{config.WithHTTPClient(client)}
	if c.opts.Profile != "" {
		options = append(options, config.WithSharedConfigProfile(c.opts.Profile))
	}
	if c.opts.Region != "" {
		options = append(options, config.WithRegion(c.opts.Region))
	}
	// The SDK's own warnings would mix with what the user reads; errors say all.
	options = append(options, config.WithLogger(logging.Nop{}))
	if c.opts.Trace != nil {
		options = append(options, config.WithAPIOptions([]func(*middleware.Stack) error{c.traced}))
	}
	cfg, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return sdk.Config{}, err
	}
	if cfg.Region == "" {
		cfg.Region = global
	}
	attempts := max(c.opts.Attempts, cfg.RetryMaxAttempts)
	cfg.RetryMaxAttempts = 0 // AWS_MAX_ATTEMPTS may raise the number, not lower it
	cfg.Retryer = func() sdk.Retryer { return newRetryer(attempts) }
	cfg.APIOptions = append(cfg.APIOptions, userAgent(c.opts.Version), c.backOff, noPages)
	if c.opts.RoleARN != "" {
		cfg.Credentials = c.assume(cfg)
	}
	cfg.Credentials = &watched{inner: cfg.Credentials, secrets: &c.secrets}
	return cfg, nil
}

// assume gives the credentials of the role. An hour is the longest session
// that every role allows, a chained one included [STS API Reference:
// AssumeRole, DurationSeconds]; the cache renews it.
func (c *Client) assume(cfg sdk.Config) sdk.CredentialsProvider {
	base := cfg.Copy()
	base.Credentials = &watched{inner: cfg.Credentials, secrets: &c.secrets}
	role := stscreds.NewAssumeRoleProvider(sts.NewFromConfig(base), c.opts.RoleARN,
		func(o *stscreds.AssumeRoleOptions) {
			o.RoleSessionName = "edgeward"
			o.Duration = time.Hour
			if c.opts.ExternalID != "" {
				o.ExternalID = sdk.String(c.opts.ExternalID)
			}
		})
	return sdk.NewCredentialsCache(role, func(o *sdk.CredentialsCacheOptions) {
		o.ExpiryWindow = 5 * time.Minute
	})
}

// identity is providers.Identity over STS: one answer, kept.
type identity struct {
	id *sweep[string]
}

func newIdentity(c *Client) *identity {
	id := newSweep(c, c.accountID)
	id.fresh = math.MaxInt64
	return &identity{id: id}
}

// AccountID implements providers.Identity.
func (i *identity) AccountID(ctx context.Context) (string, error) {
	a, err := i.id.get(ctx, 0)
	if err != nil {
		return "", err
	}
	return a.val, nil
}

func (c *Client) accountID(ctx context.Context) (string, error) {
	cfg, err := c.Config(ctx)
	if err != nil {
		return "", err
	}
	const op = "ask STS who the credentials are"
	client := sts.NewFromConfig(cfg, func(o *sts.Options) {
		o.APIOptions = append(o.APIOptions, c.limits.of(c.limits.sts))
	})
	out, err := client.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err == nil && sdk.ToString(out.Account) == "" {
		err = errPartial
	}
	if err != nil {
		return "", c.fail(op, "sts:GetCallerIdentity", err)
	}
	return *out.Account, nil
}
