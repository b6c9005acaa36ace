package aws

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/acm"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/edgeward/edgeward/providers"
)

// tracedCall is one call of the SDK; its attempts follow one another.
type tracedCall struct {
	about   string
	attempt int
	// free is when the attempt could have been sent.
	free time.Time
}

type tracedKey struct{}

// traced takes note of every attempt that is sent. It stands behind whatever
// waits: its place does not depend on that of the limiters, which the clients
// add.
func (c *Client) traced(s *middleware.Stack) error {
	begin := middleware.InitializeMiddlewareFunc("EdgewardTraceCall", func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (
		middleware.InitializeOutput, middleware.Metadata, error,
	) {
		t := &tracedCall{about: about(in.Parameters), free: c.opts.Clock.Now()}
		return next.HandleInitialize(context.WithValue(ctx, tracedKey{}, t), in)
	})
	if err := s.Initialize.Add(begin, middleware.Before); err != nil {
		return err
	}
	each := middleware.FinalizeMiddlewareFunc("EdgewardTrace", func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (
		middleware.FinalizeOutput, middleware.Metadata, error,
	) {
		t := ctx.Value(tracedKey{}).(*tracedCall)
		sent := c.opts.Clock.Now()
		out, meta, err := next.HandleFinalize(ctx, in)
		ended := c.opts.Clock.Now()
		t.attempt++
		e := providers.Exchange{
			API:       strings.ToLower(strings.ReplaceAll(awsmiddleware.GetServiceID(ctx), " ", "")),
			Operation: awsmiddleware.GetOperationName(ctx), Region: awsmiddleware.GetRegion(ctx),
			About: t.about, Attempt: t.attempt,
		}
		e.Timed(t.free, sent, ended)
		answered(&e, meta, err)
		c.note(e, err)
		t.free = ended
		return out, meta, err
	})
	return s.Finalize.Add(each, middleware.After)
}

// answered takes status and request id from an answer, whichever way it is told.
func answered(e *providers.Exchange, meta middleware.Metadata, err error) {
	if answer, ok := awsmiddleware.GetRawResponse(meta).(*smithyhttp.Response); ok && answer != nil && answer.Response != nil {
		e.Status = answer.StatusCode
	}
	e.RequestID, _ = awsmiddleware.GetRequestIDMetadata(meta)
	var failed *smithyhttp.ResponseError
	if errors.As(err, &failed) && failed.Response != nil {
		e.Status = failed.HTTPStatusCode()
	}
	var named interface{ ServiceRequestID() string }
	if e.RequestID == "" && errors.As(err, &named) {
		e.RequestID = named.ServiceRequestID()
	}
}

// note hands e on with what err says, and without the secrets that this account
// has.
func (c *Client) note(e providers.Exchange, err error) {
	if err != nil {
		e.Code, e.Throttled = code(err), throttled(err)
		e.Error = short(words(err))
	}
	for _, text := range []*string{&e.About, &e.URL, &e.RequestID, &e.Code, &e.Error} {
		*text = c.secrets.remove(*text)
	}
	c.opts.Trace(e)
}

// words are those of an error, without its code. The message of a wrong signature
// repeats the signed headers, the session token among them.
func words(err error) string {
	var api smithy.APIError
	var sending *url.Error // its text begins with the whole URL
	switch {
	case errors.As(err, &sending):
		return sending.Err.Error()
	case !errors.As(err, &api):
		return err.Error()
	case strings.Contains(api.ErrorCode(), "Signature"):
		return ""
	}
	return api.ErrorMessage()
}

// about is what a call's input is about. Only what is named here is ever taken out
// of an input.
func about(in any) string {
	switch in := in.(type) {
	case *cloudfront.CreateDistributionWithTagsInput:
		if c := in.DistributionConfigWithTags; c != nil && c.DistributionConfig != nil && c.DistributionConfig.Aliases != nil {
			return strings.Join(c.DistributionConfig.Aliases.Items, " ")
		}
	case *acm.RequestCertificateInput:
		names := []string{sdk.ToString(in.DomainName)}
		for _, n := range in.SubjectAlternativeNames {
			if n != names[0] {
				names = append(names, n)
			}
		}
		return strings.Join(names, " ")
	case *cloudwatch.GetMetricDataInput:
		return fmt.Sprintf("%d metrics", len(in.MetricDataQueries))
	}
	return aboutFields(in)
}

// aboutFields are the names of things that an input has, a bucket with its object.
func aboutFields(in any) string {
	v := reflect.Indirect(reflect.ValueOf(in))
	if v.Kind() != reflect.Struct {
		return ""
	}
	field := func(name string) string {
		if f := v.FieldByName(name); f.IsValid() {
			if text, ok := f.Interface().(*string); ok {
				return sdk.ToString(text)
			}
		}
		return ""
	}
	var words []string
	if bucket := field("Bucket"); bucket != "" {
		words = append(words, strings.TrimSuffix(bucket+"/"+field("Key"), "/"))
	}
	for _, name := range []string{"Id", "HostedZoneId", "DNSName", "StartRecordName", "CertificateArn", "Resource", "RoleArn", "AccountId", "ServiceCode", "QuotaCode"} {
		if text := field(name); text != "" {
			words = append(words, strings.TrimSuffix(text, "."))
		}
	}
	return strings.Join(append(words, changed(v)...), " ")
}

// changed are the names in a batch of changes to records, each once. Its types are
// those of Route 53, which another package speaks to by this account's
// configuration.
func changed(in reflect.Value) []string {
	batch := reflect.Indirect(in.FieldByName("ChangeBatch"))
	if batch.Kind() != reflect.Struct || batch.FieldByName("Changes").Kind() != reflect.Slice {
		return nil
	}
	var names []string
	for _, change := range batch.FieldByName("Changes").Seq2() {
		set := reflect.Indirect(change.FieldByName("ResourceRecordSet"))
		if set.Kind() != reflect.Struct {
			continue
		}
		name, _ := set.FieldByName("Name").Interface().(*string)
		if text := strings.TrimSuffix(sdk.ToString(name), "."); !slices.Contains(names, text) {
			names = append(names, text)
		}
	}
	return names
}

// noteSigned takes note of a fetch that the SDK had no part in.
func (c *Client) noteSigned(req *http.Request, region string, free, sent time.Time, answer *http.Response, err error) {
	if c.opts.Trace == nil {
		return
	}
	e := providers.Exchange{API: "s3", Operation: req.Method, Region: region, Attempt: 1,
		URL: req.URL.Scheme + "://" + req.URL.Host + req.URL.EscapedPath()}
	e.Timed(free, sent, c.opts.Clock.Now())
	if answer != nil {
		e.Status, e.RequestID = answer.StatusCode, answer.Header.Get("X-Amz-Request-Id")
	}
	c.note(e, err)
}
