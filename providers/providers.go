// Package providers holds the ports of edgeward: small interfaces and plain
// data for everything outside the process, time included. It knows no SDK.
//
// Every adapter keeps four promises, and providertest checks them:
//
//   - An answer is complete or it is an error. "Absent" (ErrNotFound, an empty
//     list) means that a complete and successful answer said so.
//   - After a write through an adapter, its answers about that resource come
//     only from reads that began after the write. Until then, answers may come
//     from one sweep of the API shared by many callers.
//   - Errors are one of the classes below, with the cause kept.
//   - All methods may be called from many goroutines at once; rate limits and
//     retries of single calls are the adapter's business.
//
// Names of DNS are lower case and have no trailing dot everywhere in the ports.
package providers

import (
	"context"
	"errors"
	"time"
)

// The classes of errors. An adapter wraps its SDK's error in one of them; an
// error of no class is a fault of transport or of the remote side, which a
// later try may not meet.
var (
	// ErrNotFound: the resource does not exist, and a complete answer said so.
	ErrNotFound = errors.New("not found")
	// ErrConflict: what stands there is not what the caller said (a stale ETag,
	// other records), or the name is taken. Never retried blindly.
	ErrConflict = errors.New("conflict")
	// ErrDenied: the credentials are right but may not do this.
	ErrDenied = errors.New("access denied")
	// ErrCredentials: there are no credentials, or they are expired or wrong.
	ErrCredentials = errors.New("no valid credentials")
	// ErrThrottled: the API still refused for its rate after all retries.
	ErrThrottled = errors.New("throttled")
	// ErrQuota: a quota of the account is used up.
	ErrQuota = errors.New("quota reached")
	// ErrUnsettled: the servers of a zone do not answer alike; a change is mostly on
	// its way.
	ErrUnsettled = errors.New("not settled")
	// ErrUnlistable: the names of a zone cannot be listed; each can be looked at.
	ErrUnlistable = errors.New("its names cannot be listed")
	// ErrInvalid: the API refuses the request as it is; a retry cannot help.
	ErrInvalid = errors.New("refused as invalid")
)

// World is everything outside the process.
type World struct {
	Clock Clock
	// Accounts by the label of their aws block; "" is the SDK's default chain.
	Accounts map[string]Account
	// DNS by address, such as "dns_provider.route53.main".
	DNS      map[string]DNS
	Resolver Resolver
	Web      Web
	// Rates tells how hard the APIs are asked; nil where nobody counts.
	Rates func() []Rate
}

// Rate is how one API was asked so far, and may be asked now.
type Rate struct {
	// API is its name and what it is counted by, such as "cloudfront writes" or
	// "route53 (dns)".
	API string
	// PerSecond is what the limiter allows at the moment.
	PerSecond float64
	// Requests counts attempts, Throttled those of them that were refused for their
	// rate; Waiting is how many callers wait for their turn.
	Requests, Throttled, Waiting int
}

type urgentKey struct{}

// WithUrgency marks the calls that send visitors somewhere or follow at once
// from that: limiters let them pass before the others.
func WithUrgency(ctx context.Context) context.Context {
	return context.WithValue(ctx, urgentKey{}, true)
}

type sharedKey struct{}

// WithShared marks a call whose answer many wait for, such as a listing: limiters let
// it pass before those that one waits for.
func WithShared(ctx context.Context) context.Context {
	return context.WithValue(ctx, sharedKey{}, true)
}

// Urgent says whether ctx was marked by WithUrgency.
func Urgent(ctx context.Context) bool { return ctx.Value(urgentKey{}) != nil }

// Account is one AWS account.
type Account struct {
	Identity      Identity
	Buckets       Buckets
	Certificates  Certificates
	Distributions Distributions
	CachePolicies CachePolicies
	Quotas        Quotas
	Metrics       Metrics
	Access        Access
	// Signed fetches from S3's REST endpoints as the account, not as a visitor: what
	// a bucket answers once it is locked. The URL's host is the endpoint itself.
	Signed Web
}

// Clock is time. All waiting of edgeward is Clock.Sleep.
type Clock interface {
	Now() time.Time
	// Sleep returns nil after d, or ctx's error as soon as ctx ends. It holds no
	// lock and returns at once for d <= 0.
	Sleep(ctx context.Context, d time.Duration) error
}

// Identity says who the credentials are.
type Identity interface {
	// AccountID is the 12-digit account number (STS GetCallerIdentity), asked
	// once and kept. ErrCredentials when there are none.
	AccountID(ctx context.Context) (string, error)
}
