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
	"golang.org/x/time/rate"

	"github.com/edgeward/edgeward/providers"
)

// Limits are requests a second to each API of one account, counted per
// attempt. AWS does not publish CloudFront's rates: the defaults are careful
// starting values, and a refusal halves the rate for a while.
type Limits struct {
	CloudFrontReads  float64 // default 5
	CloudFrontWrites float64 // default 1
	ACM              float64 // default 5
	Tagging          float64 // default 5
	S3               float64 // default 100
	STS              float64 // default 20
}

// Times is l with every field, the defaults included, multiplied by f: a lab
// that has no rates of AWS' sets a high f.
func (l Limits) Times(f float64) Limits {
	l = l.filled()
	return Limits{
		CloudFrontReads: l.CloudFrontReads * f, CloudFrontWrites: l.CloudFrontWrites * f,
		ACM: l.ACM * f, Tagging: l.Tagging * f, S3: l.S3 * f, STS: l.STS * f,
	}
}

func (l Limits) filled() Limits {
	or := func(v, d float64) float64 {
		if v <= 0 {
			return d
		}
		return v
	}
	return Limits{
		CloudFrontReads: or(l.CloudFrontReads, 5), CloudFrontWrites: or(l.CloudFrontWrites, 1),
		ACM: or(l.ACM, 5), Tagging: or(l.Tagging, 5), S3: or(l.S3, 100), STS: or(l.STS, 20),
	}
}

type limiters struct {
	cloudFrontReads, cloudFrontWrites, acm, tagging, s3, sts *limiter
}

func newLimiters(clock providers.Clock, l Limits) limiters {
	l = l.filled()
	return limiters{
		cloudFrontReads:  newLimiter(clock, l.CloudFrontReads, 5),
		cloudFrontWrites: newLimiter(clock, l.CloudFrontWrites, 2),
		acm:              newLimiter(clock, l.ACM, 5),
		tagging:          newLimiter(clock, l.Tagging, 5),
		s3:               newLimiter(clock, l.S3, 50),
		sts:              newLimiter(clock, l.STS, 5),
	}
}

// limiter is the rate of one API. It halves when the API refuses for its rate,
// at most once a second, down to an eighth, and every answer that is no such
// refusal gives a twentieth back.
type limiter struct {
	clock providers.Clock
	full  rate.Limit
	rate  *rate.Limiter

	mu  sync.Mutex
	cut time.Time
}

func newLimiter(clock providers.Clock, perSecond float64, burst int) *limiter {
	full := rate.Limit(perSecond)
	return &limiter{clock: clock, full: full, rate: rate.NewLimiter(full, max(burst, int(perSecond/10)))}
}

// wait takes one token, or gives it back when ctx ends first.
func (l *limiter) wait(ctx context.Context) error {
	now := l.clock.Now()
	token := l.rate.ReserveN(now, 1)
	if err := l.clock.Sleep(ctx, token.DelayFrom(now)); err != nil {
		token.CancelAt(l.clock.Now())
		return err
	}
	return nil
}

// saw adapts the rate to what an attempt met.
func (l *limiter) saw(throttled bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now, at := l.clock.Now(), l.rate.Limit()
	switch {
	case throttled && now.Sub(l.cut) >= time.Second:
		l.cut = now
		l.rate.SetLimitAt(now, max(at/2, l.full/8))
	case !throttled && at < l.full:
		l.rate.SetLimitAt(now, min(at+l.full/20, l.full))
	}
}

// of puts one limiter before every attempt.
func (limiters) of(l *limiter) func(*middleware.Stack) error {
	return limited(func(string) *limiter { return l })
}

// cloudFront tells reads from writes by the operation's name.
func (l limiters) cloudFront() func(*middleware.Stack) error {
	return limited(func(operation string) *limiter {
		if strings.HasPrefix(operation, "Get") || strings.HasPrefix(operation, "List") {
			return l.cloudFrontReads
		}
		return l.cloudFrontWrites
	})
}

func limited(choose func(operation string) *limiter) func(*middleware.Stack) error {
	return func(s *middleware.Stack) error {
		m := middleware.FinalizeMiddlewareFunc("EdgewardLimit", func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (
			middleware.FinalizeOutput, middleware.Metadata, error,
		) {
			l := choose(awsmiddleware.GetOperationName(ctx))
			if err := l.wait(ctx); err != nil {
				return middleware.FinalizeOutput{}, middleware.Metadata{}, &sdk.RequestCanceledError{Err: err}
			}
			out, meta, err := next.HandleFinalize(ctx, in)
			l.saw(throttled(err))
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
