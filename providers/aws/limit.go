package aws

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/edgeward/edgeward/providers"
)

// Limits are requests a second to each API of one account, counted per
// attempt: where they begin. ACM documents its rates [ACM User Guide, Quotas:
// API rate quotas], so they are never exceeded; the others are careful values
// that rise while AWS does not refuse, by the factors of rises.
type Limits struct {
	CloudFrontReads  float64 // default 5
	CloudFrontWrites float64 // default 1
	ACMReads         float64 // default 10: DescribeCertificate, ListTagsForCertificate
	ACM              float64 // default 5: RequestCertificate and the rest
	Tagging          float64 // default 5
	S3               float64 // default 100
	S3Control        float64 // default 10
	STS              float64 // default 20
	CloudWatch       float64 // default 10
	Quotas           float64 // default 5
}

// rises are how many times its beginning a rate may rise to. Writes to
// CloudFront are known to be refused after a few a minute at times and at a
// hundred at once; nobody tells more.
const (
	risesWrites = 10
	risesReads  = 10
)

// Times is l with every field, the defaults included, multiplied by f: a lab
// that has no rates of AWS' sets a high f.
func (l Limits) Times(f float64) Limits {
	l = l.filled()
	for _, v := range l.fields() {
		*v *= f
	}
	return l
}

func (l *Limits) fields() []*float64 {
	return []*float64{&l.CloudFrontReads, &l.CloudFrontWrites, &l.ACMReads, &l.ACM, &l.Tagging, &l.S3, &l.S3Control, &l.STS, &l.CloudWatch, &l.Quotas}
}

func (l Limits) filled() Limits {
	defaults := Limits{CloudFrontReads: 5, CloudFrontWrites: 1, ACMReads: 10, ACM: 5, Tagging: 5, S3: 100, S3Control: 10, STS: 20, CloudWatch: 10, Quotas: 5}
	d := defaults.fields()
	for i, v := range l.fields() {
		if *v <= 0 {
			*v = *d[i]
		}
	}
	return l
}

// api is one rate of an account.
type api struct {
	name  string
	rate  float64
	rises float64 // 0: never above rate
	burst int
}

// limiters are the rates of one client's account.
type limiters struct {
	c *Client

	cloudFrontReads, cloudFrontWrites, acmReads, acm, tagging, s3, s3Control, sts, cloudWatch, quotas api
}

func newLimiters(c *Client, l Limits) limiters {
	l = l.filled()
	return limiters{
		c:                c,
		cloudFrontReads:  api{"cloudfront reads", l.CloudFrontReads, risesReads, 5},
		cloudFrontWrites: api{"cloudfront writes", l.CloudFrontWrites, risesWrites, 2},
		acmReads:         api{"acm reads", l.ACMReads, 0, 10},
		acm:              api{"acm", l.ACM, 0, 5},
		tagging:          api{"tagging", l.Tagging, 3, 5},
		s3:               api{"s3", l.S3, risesReads, 50},
		s3Control:        api{"s3control", l.S3Control, risesReads, 5},
		sts:              api{"sts", l.STS, 0, 5},
		cloudWatch:       api{"cloudwatch", l.CloudWatch, 5, 5},
		quotas:           api{"service quotas", l.Quotas, 0, 5},
	}
}

// get is the limiter of one API. STS tells whose account it is, so its own
// limiter cannot hang on that.
func (l limiters) get(ctx context.Context, a api) *providers.Limiter {
	name := a.name
	if a.name != l.sts.name {
		if scope := l.c.LimitScope(ctx); scope != "" {
			name += " (" + scope + ")"
		}
	}
	return l.c.opts.Limiters.Get(providers.LimiterOptions{API: name, PerSecond: a.rate, Most: a.rate * a.rises, Burst: max(a.burst, int(a.rate/10))})
}

// scope is whose account a client's limits are, once that is known.
type scope struct {
	mu    sync.Mutex
	known bool
	name  string
}

// LimitScope says which account the rates of this client are counted by, for
// the names of limiters: its number, or what it is configured with when nobody
// tells the number; "" where the client is the only one.
func (c *Client) LimitScope(ctx context.Context) string {
	if !c.opts.Several {
		return ""
	}
	c.scope.mu.Lock()
	known, name := c.scope.known, c.scope.name
	c.scope.mu.Unlock()
	if known {
		return name
	}
	name = accountOf(c.opts.RoleARN)
	if name == "" {
		number, err := c.account.Identity.AccountID(ctx)
		name = number
		if err != nil {
			name = "profile " + c.opts.Profile
			if ctx.Err() != nil {
				return name
			}
		}
	}
	c.scope.mu.Lock()
	defer c.scope.mu.Unlock()
	c.scope.known, c.scope.name = true, name
	return name
}

// accountOf is the number in arn:aws:iam::123456789012:role/NAME, "" without.
func accountOf(arn string) string {
	if parts := strings.SplitN(arn, ":", 6); len(parts) == 6 {
		return parts[4]
	}
	return ""
}

// of puts one limiter before every attempt.
func (l limiters) of(a api) func(*middleware.Stack) error {
	return l.limited(func(string) api { return a })
}

// ofCloudFront tells reads from writes by the operation's name.
func (l limiters) ofCloudFront() func(*middleware.Stack) error {
	return l.limited(func(operation string) api {
		if strings.HasPrefix(operation, "Get") || strings.HasPrefix(operation, "List") {
			return l.cloudFrontReads
		}
		return l.cloudFrontWrites
	})
}

// ofACM tells apart what ACM has different rates for.
func (l limiters) ofACM() func(*middleware.Stack) error {
	return l.limited(func(operation string) api {
		if operation == "DescribeCertificate" || operation == "ListTagsForCertificate" {
			return l.acmReads
		}
		return l.acm
	})
}

func (l limiters) limited(choose func(operation string) api) func(*middleware.Stack) error {
	return func(s *middleware.Stack) error {
		m := middleware.FinalizeMiddlewareFunc("EdgewardLimit", func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (
			middleware.FinalizeOutput, middleware.Metadata, error,
		) {
			one := l.get(ctx, choose(awsmiddleware.GetOperationName(ctx)))
			if err := one.Wait(ctx, 1); err != nil {
				return middleware.FinalizeOutput{}, middleware.Metadata{}, &sdk.RequestCanceledError{Err: err}
			}
			sent := l.c.opts.Clock.Now()
			out, meta, err := next.HandleFinalize(ctx, in)
			one.Saw(sent, throttled(err))
			return out, meta, err
		})
		return s.Finalize.Insert(m, "Retry", middleware.After)
	}
}

// attempts counts the attempts of one call; it is in the call's context.
type attempts struct {
	n    int
	last error
}

type attemptsKey struct{}

// counting lets the caller see how many attempts its call took.
func counting(ctx context.Context) (context.Context, *attempts) {
	a := &attempts{}
	return context.WithValue(ctx, attemptsKey{}, a), a
}

// backOff waits between attempts by the Clock; the SDK itself, whose timers
// are those of the time package, waits 0.
func (c *Client) backOff(s *middleware.Stack) error {
	begin := middleware.InitializeMiddlewareFunc("EdgewardAttempts", func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (
		middleware.InitializeOutput, middleware.Metadata, error,
	) {
		if _, ok := ctx.Value(attemptsKey{}).(*attempts); !ok {
			ctx, _ = counting(ctx)
		}
		return next.HandleInitialize(ctx, in)
	})
	if err := s.Initialize.Add(begin, middleware.Before); err != nil {
		return err
	}
	each := middleware.FinalizeMiddlewareFunc("EdgewardBackoff", func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (
		middleware.FinalizeOutput, middleware.Metadata, error,
	) {
		a := ctx.Value(attemptsKey{}).(*attempts)
		if a.n > 0 {
			if err := c.opts.Clock.Sleep(ctx, c.opts.Backoff(a.n, a.last)); err != nil {
				return middleware.FinalizeOutput{}, middleware.Metadata{}, &sdk.RequestCanceledError{Err: err}
			}
		}
		a.n++
		out, meta, err := next.HandleFinalize(ctx, in)
		a.last = err
		return out, meta, err
	})
	return s.Finalize.Insert(each, "Retry", middleware.After)
}

func defaultBackoff(attempt int, err error) time.Duration {
	d, err := retry.NewExponentialJitterBackoff(20*time.Second).BackoffDelay(attempt, err)
	if err != nil {
		return 20 * time.Second
	}
	return d
}

// newRetryer is the SDK's standard one without its own waits and without its
// budget of retries, which a throttled batch of hundreds would use up.
func newRetryer(attempts int) sdk.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = attempts
		o.RateLimiter = ratelimit.None
		o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
		// ACM's LimitExceededException is a quota, not a rate [ACM API Reference:
		// RequestCertificate, Errors]; the SDK's list has it as a rate.
		o.Retryables = append([]retry.IsErrorRetryable{
			retry.IsErrorRetryableFunc(func(err error) sdk.Ternary {
				if code(err) == "LimitExceededException" {
					return sdk.FalseTernary
				}
				return sdk.UnknownTernary
			}),
		}, o.Retryables...)
	})
}

// throttled says whether err is a refusal for the rate of requests.
func throttled(err error) bool {
	if err == nil {
		return false
	}
	if c := code(err); c != "" {
		_, ok := retry.DefaultThrottleErrorCodes[c]
		if ok && c != "LimitExceededException" || c == "RequestThrottled" {
			return true
		}
	}
	var answer *smithyhttp.ResponseError
	return errors.As(err, &answer) && answer.HTTPStatusCode() == http.StatusTooManyRequests
}

// code is AWS' code of an error, or "".
func code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

// noPages refuses web pages: a proxy's page with status 200 would read as an
// answer in which everything is absent. It looks at the text, for the type in
// the header is not reliable.
func noPages(s *middleware.Stack) error {
	m := middleware.DeserializeMiddlewareFunc("EdgewardNoPages", func(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (
		middleware.DeserializeOutput, middleware.Metadata, error,
	) {
		out, meta, err := next.HandleDeserialize(ctx, in)
		answer, ok := out.RawResponse.(*smithyhttp.Response)
		if err != nil || !ok || answer.StatusCode/100 != 2 || answer.Body == nil {
			return out, meta, err
		}
		text := bufio.NewReader(answer.Body)
		begin, _ := text.Peek(64)
		answer.Body = &body{Reader: text, Closer: answer.Body}
		lower := strings.ToLower(strings.TrimSpace(string(begin)))
		if strings.HasPrefix(lower, "<!doctype html") || strings.HasPrefix(lower, "<html") {
			err = errors.New("the answer is a web page and not AWS's: is there a proxy or a sign-in page in between?")
		}
		return out, meta, err
	})
	return s.Deserialize.Add(m, middleware.After)
}

// body is an answer's text of which the beginning was looked at.
type body struct {
	io.Reader
	io.Closer
}

func userAgent(version string) func(*middleware.Stack) error {
	if version == "" {
		return awsmiddleware.AddUserAgentKey("edgeward")
	}
	return awsmiddleware.AddUserAgentKeyValue("edgeward", version)
}
