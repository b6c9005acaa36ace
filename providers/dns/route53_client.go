package dns

import (
	"context"
	"errors"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	"github.com/edgeward/edgeward/providers"
)

// attempts is how often one request is tried. The SDK tries 3 times, which a
// batch of changes beside other users of the account's 5 requests a second
// outlasts; PriorRequestNotComplete counts as throttling [aws/retry].
const attempts = 10

// client is the SDK's client, made at the first request.
func (d *route53DNS) client(ctx context.Context) (*route53.Client, error) {
	d.mu.Lock()
	api := d.api
	d.mu.Unlock()
	if api != nil {
		return api, nil
	}
	cfg, err := d.config(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, &apiError{class: providers.ErrCredentials, cause: err, text: "load AWS configuration: " + err.Error()}
	}
	made := route53.NewFromConfig(cfg, d.tune)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.api == nil {
		d.api = made
	}
	return d.api, nil
}

// tune sets region, retries, the limiter and the class of credential errors.
func (d *route53DNS) tune(o *route53.Options) {
	// Route 53 is one service for all regions; the SDK needs one to sign.
	if o.Region == "" {
		o.Region = "us-east-1"
	}
	o.RetryMaxAttempts = attempts
	// The SDK's adaptive mode would keep a second rate beside ours, by a clock of
	// its own; the limiter adapts instead.
	o.Retryer = retry.NewStandard(func(s *retry.StandardOptions) {
		s.MaxAttempts = attempts
		// A quota of retries would end a long queue at a throttled API early.
		s.RateLimiter = ratelimit.None
	})
	if o.Credentials != nil {
		o.Credentials = classedCredentials{o.Credentials}
	}
	o.APIOptions = append(o.APIOptions, func(s *middleware.Stack) error {
		return s.Finalize.Insert(d.turns, "Retry", middleware.After)
	}, discreet(o.Credentials))
}

// discreet keeps the credentials out of the messages of refusals: an answer may
// repeat what it was sent, a proxy's above all.
func discreet(from aws.CredentialsProvider) func(*middleware.Stack) error {
	return func(s *middleware.Stack) error {
		return s.Initialize.Add(middleware.InitializeMiddlewareFunc("EdgewardDiscreet", func(ctx context.Context, in middleware.InitializeInput,
			next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
			out, meta, err := next.HandleInitialize(ctx, in)
			var api smithy.APIError
			if from == nil || !errors.As(err, &api) {
				return out, meta, err
			}
			creds, lost := from.Retrieve(ctx) // the SDK keeps them
			if lost != nil {
				return out, meta, err
			}
			said := message(api)
			clean := said
			for _, secret := range []string{creds.AccessKeyID, creds.SecretAccessKey, creds.SessionToken} {
				if secret != "" {
					clean = strings.ReplaceAll(clean, secret, "(removed)")
				}
			}
			if clean != said {
				err = &smithy.GenericAPIError{Code: api.ErrorCode(), Message: clean, Fault: api.ErrorFault()}
			}
			return out, meta, err
		}), middleware.Before)
	}
}

// turns53 waits for the limiter before every attempt, retries too: it stands
// after "Retry". It slows down when Route 53 says that it is too fast, for
// others of the account use it too.
type turns53 struct {
	clock    providers.Clock
	limiters *providers.Limiters
	scope    func(context.Context) string
}

// limiter is the account's: 5 requests a second, evenly spaced, for a burst
// would meet those of the account's other users.
func (t turns53) limiter(ctx context.Context) *providers.Limiter {
	name := "route53"
	if t.scope != nil {
		if s := t.scope(ctx); s != "" {
			name += " (" + s + ")"
		}
	}
	return t.limiters.Get(providers.LimiterOptions{API: name, PerSecond: route53Rate, Burst: 1})
}

// ID implements middleware.FinalizeMiddleware.
func (t turns53) ID() string { return "EdgewardLimit" }

// HandleFinalize waits for its turn. A turn whose wait is cut short is given
// back.
func (t turns53) HandleFinalize(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (
	middleware.FinalizeOutput, middleware.Metadata, error) {
	limit := t.limiter(ctx)
	if err := limit.Wait(ctx, 1); err != nil {
		return middleware.FinalizeOutput{}, middleware.Metadata{}, &aws.RequestCanceledError{Err: err}
	}
	sent := t.clock.Now()
	out, meta, err := next.HandleFinalize(ctx, in)
	var api smithy.APIError
	limit.Saw(sent, errors.As(err, &api) && errors.Is(classOf(api.ErrorCode()), providers.ErrThrottled) && api.ErrorCode() != "PriorRequestNotComplete")
	return out, meta, err
}

// classedCredentials gives errors of a credentials provider their class; the
// SDK has no type for them.
type classedCredentials struct{ aws.CredentialsProvider }

// Retrieve implements aws.CredentialsProvider.
func (c classedCredentials) Retrieve(ctx context.Context) (aws.Credentials, error) {
	v, err := c.CredentialsProvider.Retrieve(ctx)
	if err != nil && ctx.Err() == nil {
		err = &apiError{class: providers.ErrCredentials, cause: err, text: err.Error()}
	}
	return v, err
}

// apiError is an error of the API in one of the port's classes. Its text has
// no request id, which differs each time, and no more of an error about
// credentials than its code: such messages may quote what was signed. class
// may be nil.
type apiError struct {
	class, cause error
	text         string
}

func (e *apiError) Error() string {
	if e.class == nil {
		return e.text
	}
	return e.text + ": " + e.class.Error()
}

// Unwrap gives the class, if there is one, and the cause.
func (e *apiError) Unwrap() []error {
	if e.class == nil {
		return []error{e.cause}
	}
	return []error{e.class, e.cause}
}

// classify puts an SDK error into the classes of the ports.
func classify(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, context.Canceled) {
		return context.Canceled
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	var classed *apiError
	if errors.As(err, &classed) {
		return classed
	}
	var api smithy.APIError
	if !errors.As(err, &api) {
		return err
	}
	text := "Route 53 says " + api.ErrorCode()
	class := classOf(api.ErrorCode())
	if m := message(api); m != "" && class != providers.ErrCredentials {
		text += ": " + m
	}
	return &apiError{class: class, cause: err, text: text}
}

// message is what the API says in words; InvalidChangeBatch has a list.
func message(api smithy.APIError) string {
	var batch *types.InvalidChangeBatch
	if errors.As(api, &batch) && len(batch.Messages) > 0 {
		return strings.Join(batch.Messages, "; ")
	}
	return strings.TrimSpace(api.ErrorMessage())
}

// classOf sorts the error codes of [Route 53 API Reference, Common Errors and
// ChangeResourceRecordSets], as they are spelled in aws-sdk-go-v2 too.
func classOf(code string) error {
	switch code {
	case "AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "NotAuthorizedException", "OptInRequired":
		return providers.ErrDenied
	case "NoSuchHostedZone", "HostedZoneNotFound", "NoSuchChange":
		return providers.ErrNotFound
	case "Throttling", "ThrottlingException", "ThrottledException", "TooManyRequestsException", "RequestLimitExceeded",
		"SlowDown", "PriorRequestNotComplete", "RequestThrottled", "RequestThrottledException":
		return providers.ErrThrottled
	case "ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException",
		"SignatureDoesNotMatch", "InvalidSignatureException", "MissingAuthenticationToken", "MissingAuthenticationTokenException",
		"IncompleteSignature", "InvalidAccessKeyId", "AuthFailure", "RequestExpired":
		return providers.ErrCredentials
	case "InvalidChangeBatch":
		return providers.ErrConflict
	case "InvalidInput", "InvalidArgument", "InvalidDomainName", "ValidationError", "ValidationException":
		return providers.ErrInvalid
	case "LimitsExceeded":
		return providers.ErrQuota
	}
	return nil
}
