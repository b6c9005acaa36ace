package aws_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeward/edgeward/providers"
	"github.com/edgeward/edgeward/providers/aws"
)

// The codes and statuses are those of the CloudFront API Reference:
// CreateDistributionWithTags, Errors, and Common Errors.
func TestRefusals(t *testing.T) {
	tests := map[string]struct {
		status  int
		code    string
		message string
		class   error
		hint    string
	}{
		"alias taken":      {409, "CNAMEAlreadyExists", "One or more of the CNAMEs you provided are already associated with a different resource.", providers.ErrConflict, ""},
		"reference used":   {409, "DistributionAlreadyExists", "Already exists: E1ABC", providers.ErrConflict, ""},
		"policy full":      {400, "TooManyDistributionsAssociatedToCachePolicy", "m", providers.ErrFull, ""},
		"policy full too":  {400, "TooManyDistributionsAssociatedToCachePolicy", "m", providers.ErrQuota, ""},
		"quota":            {400, "TooManyDistributions", "m", providers.ErrQuota, ""},
		"quota of names":   {400, "TooManyDistributionCNAMEs", "m", providers.ErrQuota, ""},
		"certificate":      {400, "InvalidViewerCertificate", "m", providers.ErrInvalid, ""},
		"no such policy":   {404, "NoSuchCachePolicy", "m", providers.ErrInvalid, ""},
		"argument":         {400, "InvalidArgument", "m", providers.ErrInvalid, ""},
		"quantities":       {400, "InconsistentQuantities", "m", providers.ErrInvalid, ""},
		"denied":           {403, "AccessDenied", "User: arn:aws:iam::123456789012:user/x is not authorized", providers.ErrDenied, "cloudfront:CreateDistribution and cloudfront:TagResource"},
		"expired":          {403, "ExpiredToken", "The security token included in the request is expired", providers.ErrCredentials, "sign in again"},
		"unknown key":      {403, "InvalidClientTokenId", "The security token included in the request is invalid.", providers.ErrCredentials, "AWS_ACCESS_KEY_ID"},
		"unknown client":   {403, "UnrecognizedClientException", "m", providers.ErrCredentials, "AWS_ACCESS_KEY_ID"},
		"wrong secret":     {403, "SignatureDoesNotMatch", "The Canonical String for this request should have been 'POST x-amz-security-token:" + session + " " + accessKey + "'", providers.ErrCredentials, "secret key"},
		"clock":            {403, "RequestTimeTooSkewed", "m", providers.ErrCredentials, "clock"},
		"canary in answer": {400, "InvalidArgument", "you sent " + secretKey + " and " + accessKey + " and " + session, providers.ErrInvalid, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			environment(t, nil)
			w, account := connect(func(call) (*http.Response, error) {
				return refusal(test.status, test.code, test.message)
			}, fast())
			_, err := account.Distributions.Create(t.Context(), "ref", settings("arn:aws:acm:us-east-1:1:certificate/1", "policy"), map[string]string{providers.TagBucket: "assets.example.com"})
			if !errors.Is(err, test.class) {
				t.Errorf("class of %v", err)
			}
			if !strings.Contains(err.Error(), "create the distribution of assets.example.com: "+test.code) {
				t.Errorf("message: %v", err)
			}
			if test.hint != "" && !strings.Contains(hint(err), test.hint) {
				t.Errorf("hint %q", hint(err))
			}
			clean(t, err)
			if strings.Contains(err.Error(), "Canonical") {
				t.Errorf("the signed request is in the message: %v", err)
			}
			if n := len(w.made("POST /distribution?WithTags")); n != 1 {
				t.Errorf("%d attempts", n)
			}
		})
	}
}

func TestExistsErrorHasTheID(t *testing.T) {
	tests := map[string]struct{ message, id string }{
		// aws/aws-sdk-js-v3#2618 has this message.
		"today": {"The caller reference that you are using to create a distribution is associated with another distribution. Already exists: E2EXAMPLE1234", "E2EXAMPLE1234"},
		"other": {"The caller reference is associated with another distribution.", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			environment(t, nil)
			_, account := connect(func(call) (*http.Response, error) {
				return refusal(http.StatusConflict, "DistributionAlreadyExists", test.message)
			}, fast())
			_, err := account.Distributions.Create(t.Context(), "ref", settings("arn:aws:acm:us-east-1:1:certificate/1", "policy"), nil)
			var exists *providers.ExistsError
			if !errors.As(err, &exists) || exists.ID != test.id {
				t.Errorf("%v, want ID %q", err, test.id)
			}
		})
	}
}

// What no AWS service said is of no class: above all it is never "not found".
func TestAnswersThatAreNotAWS(t *testing.T) {
	const page = `<html><head><title>404</title></head><body><p>not here</p></body></html>`
	tests := map[string]struct {
		answer   func() (*http.Response, error)
		attempts int
	}{
		"page 404":        {func() (*http.Response, error) { return respond(404, page) }, 1},
		"broken page 404": {func() (*http.Response, error) { return respond(404, "<html><br><p>no") }, 1},
		"empty 404":       {func() (*http.Response, error) { return respond(404, "") }, 1},
		"page 403":        {func() (*http.Response, error) { return respond(403, page) }, 1},
		"page 503":        {func() (*http.Response, error) { return respond(503, page) }, 10},
		"page 200":        {func() (*http.Response, error) { return respond(200, page) }, 1},
		"declared page 200": {func() (*http.Response, error) {
			return respond(200, "\n<!DOCTYPE html>"+page, "Content-Type: text/html; charset=utf-8")
		}, 1},
		"cut off 200": {func() (*http.Response, error) {
			return respond(200, `<Distribution><Id>E1</Id><DistributionConfig><Call`)
		}, 1},
		"empty 200": {func() (*http.Response, error) { return respond(200, "") }, 1},
		"no answer": {func() (*http.Response, error) { return nil, errors.New("connection reset by peer " + secretKey) }, 1},
	}
	classes := []error{
		providers.ErrNotFound, providers.ErrConflict, providers.ErrDenied, providers.ErrCredentials,
		providers.ErrThrottled, providers.ErrQuota, providers.ErrInvalid,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			environment(t, nil)
			w, account := connect(func(call) (*http.Response, error) { return test.answer() }, fast())
			calls := map[string]func() error{
				"GET /distribution/E1": func() error {
					_, err := account.Distributions.Distribution(t.Context(), "E1")
					return err
				},
				"GET /tagging?Resource=arn%3Ad%2FE1": func() error {
					_, err := account.Distributions.Tags(t.Context(), "arn:d/E1")
					return err
				},
				"GET /assets.example.com?website": func() error {
					_, err := account.Buckets.Bucket(t.Context(), "assets.example.com", "eu-west-1")
					return err
				},
				"DescribeCertificate": func() error {
					_, err := account.Certificates.Certificate(t.Context(), "arn:aws:acm:us-east-1:1:certificate/1")
					return err
				},
				"HEAD /assets.example.com": func() error {
					_, err := account.Buckets.Bucket(t.Context(), "assets.example.com", "")
					return err
				},
			}
			for op, do := range calls {
				err := do()
				if err == nil {
					t.Errorf("%s: no error", op)
					continue
				}
				for _, class := range classes {
					if errors.Is(err, class) {
						t.Errorf("%s: %v is %v", op, err, class)
					}
				}
				clean(t, err)
			}
			if n := len(w.made("GET /distribution/E1")); test.attempts > 1 && n < test.attempts {
				t.Errorf("%d attempts, want %d", n, test.attempts)
			}
		})
	}
}

func TestNoCredentials(t *testing.T) {
	environment(t, map[string]string{"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_SESSION_TOKEN": ""})
	w, account := connect(func(call) (*http.Response, error) { return respond(500, "") }, fast())
	_, err := account.Identity.AccountID(t.Context())
	if !errors.Is(err, providers.ErrCredentials) || !strings.Contains(hint(err), "AWS_PROFILE") {
		t.Errorf("%v, hint %q", err, hint(err))
	}
	if len(w.count()) > 0 {
		t.Errorf("asked %v", w.count())
	}
	if _, err := account.Buckets.Bucket(t.Context(), "assets.example.com", ""); !errors.Is(err, providers.ErrCredentials) {
		t.Errorf("the region of a bucket: %v", err)
	}
}

func TestUnknownProfile(t *testing.T) {
	environment(t, nil)
	o := fast()
	o.Profile = "nobody"
	w, account := connect(func(call) (*http.Response, error) { return respond(500, "") }, o)
	_, err := account.Identity.AccountID(t.Context())
	if !errors.Is(err, providers.ErrCredentials) || !strings.Contains(err.Error(), `no profile "nobody"`) || hint(err) == "" {
		t.Errorf("%v, hint %q", err, hint(err))
	}
	if len(w.count()) > 0 {
		t.Errorf("asked %v", w.count())
	}
}

// A HEAD has no body to say why it was refused; the bucket's location is asked
// for the reason. [S3 API Reference: HeadBucket; Error responses: ExpiredToken]
func TestExpiredCredentialsAtS3(t *testing.T) {
	environment(t, nil)
	_, account := connect(func(c call) (*http.Response, error) {
		if strings.HasPrefix(c.op, "HEAD ") {
			return respond(400, "")
		}
		return s3Refusal(400, "ExpiredToken")
	}, fast())
	_, err := account.Buckets.Bucket(t.Context(), "assets.example.com", "")
	if !errors.Is(err, providers.ErrCredentials) || !strings.Contains(hint(err), "sign in again") {
		t.Errorf("%v, hint %q", err, hint(err))
	}
	clean(t, err)
}

// sts answers AssumeRole and GetCallerIdentity [STS API Reference].
func sts(c call) (*http.Response, error) {
	if c.op == "AssumeRole" {
		return respond(200, `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials><AccessKeyId>ASIAROLE000000000000</AccessKeyId><SecretAccessKey>role-secret</SecretAccessKey><SessionToken>role-session</SessionToken><Expiration>2100-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`)
	}
	return respond(200, `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult><Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`)
}

func TestAssumedRole(t *testing.T) {
	environment(t, nil)
	o := fast()
	o.RoleARN, o.ExternalID, o.Version = "arn:aws:iam::123456789012:role/deploy", "shared-word", "1.2.3"
	w, account := connect(sts, o)
	done := make(chan error)
	for range 20 {
		go func() {
			id, err := account.Identity.AccountID(t.Context())
			if err == nil && id != "123456789012" {
				err = errors.New("account " + id)
			}
			done <- err
		}()
	}
	for range 20 {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	assumed, asked := w.made("AssumeRole"), w.made("GetCallerIdentity")
	if len(assumed) != 1 || len(asked) != 1 {
		t.Fatalf("asked %v", w.count())
	}
	for _, part := range []string{"DurationSeconds=3600", "ExternalId=shared-word", "RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fdeploy", "RoleSessionName=edgeward"} {
		if !strings.Contains(assumed[0].body, part) {
			t.Errorf("AssumeRole without %s: %s", part, assumed[0].body)
		}
	}
	if !strings.Contains(asked[0].header.Get("Authorization"), "ASIAROLE000000000000") || asked[0].header.Get("X-Amz-Security-Token") != "role-session" {
		t.Error("the call is not signed with the role's credentials")
	}
	if assumed[0].host != "sts.us-east-1.amazonaws.com" || asked[0].host != assumed[0].host {
		t.Errorf("asked %s and %s", assumed[0].host, asked[0].host)
	}
	if ua := asked[0].header.Get("User-Agent"); !strings.Contains(ua, "edgeward/1.2.3") {
		t.Errorf("User-Agent %q", ua)
	}
}

func TestRoleRefused(t *testing.T) {
	environment(t, nil)
	o := fast()
	o.RoleARN = "arn:aws:iam::123456789012:role/deploy"
	_, account := connect(func(call) (*http.Response, error) {
		return refusal(403, "AccessDenied", "User: x is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::123456789012:role/deploy")
	}, o)
	_, err := account.Distributions.Distribution(t.Context(), "E1")
	if !errors.Is(err, providers.ErrDenied) || !strings.Contains(hint(err), "allow sts:AssumeRole on "+o.RoleARN) {
		t.Errorf("%v, hint %q", err, hint(err))
	}
	clean(t, err)
}

// Throttling is CloudFront's code with status 400 and no Retry-After
// [aws-sdk-go-v2 aws/retry: DefaultThrottleErrorCodes; domain facts: rates].
func throttling() (*http.Response, error) {
	return refusal(http.StatusBadRequest, "Throttling", "Rate exceeded")
}

func TestThrottledNineTimes(t *testing.T) {
	environment(t, map[string]string{"AWS_MAX_ATTEMPTS": "2"})
	synctest.Test(t, func(t *testing.T) {
		w, account := connect(func(c call) (*http.Response, error) {
			if c.n < 10 {
				return throttling()
			}
			return respond(200, "<Tags><Items></Items></Tags>")
		}, aws.Options{})
		began := time.Now()
		if _, err := account.Distributions.Tags(t.Context(), "arn:aws:cloudfront::1:distribution/E1"); err != nil {
			t.Fatal(err)
		}
		var counted int
		for _, n := range w.count() {
			counted += n
		}
		if took := time.Since(began); counted != 10 || took > 9*20*time.Second+30*time.Second {
			t.Errorf("%d attempts in %s", counted, took)
		}
	})
}

func TestThrottledForEver(t *testing.T) {
	environment(t, nil)
	synctest.Test(t, func(t *testing.T) {
		w, account := connect(func(call) (*http.Response, error) { return throttling() }, aws.Options{})
		_, err := account.Distributions.Distribution(t.Context(), "E1")
		if !errors.Is(err, providers.ErrThrottled) || hint(err) == "" {
			t.Errorf("%v, hint %q", err, hint(err))
		}
		if n := len(w.made("GET /distribution/E1")); n < 10 {
			t.Errorf("%d attempts", n)
		}
	})
}

// The limiter slows down on a refusal, once for those of one moment, and comes
// back.
func TestLimiterSlowsAndRecovers(t *testing.T) {
	environment(t, nil)
	synctest.Test(t, func(t *testing.T) {
		w, account := connect(func(c call) (*http.Response, error) {
			if c.n > 20 && c.n <= 23 {
				return throttling()
			}
			return refusal(404, "NoSuchDistribution", "m")
		}, aws.Options{Backoff: func(int, error) time.Duration { return 0 }})
		for range 80 {
			if _, err := account.Distributions.Distribution(t.Context(), "E1"); !errors.Is(err, providers.ErrNotFound) {
				t.Fatal(err)
			}
		}
		calls := w.made("GET /distribution/E1")
		between := func(i int) time.Duration { return calls[i].at.Sub(calls[i-1].at).Round(time.Millisecond) }
		if between(15) != 200*time.Millisecond {
			t.Errorf("before: %s between two reads, want 200ms (5 a second)", between(15))
		}
		if d := between(25); d < 250*time.Millisecond || d > 400*time.Millisecond {
			t.Errorf("after three refusals in half a second: %s between two reads, want at most 391ms", d)
		}
		if d := between(80); d > 230*time.Millisecond {
			t.Errorf("at the end: %s between two reads, want about 200ms again", d)
		}
	})
}

// Writes have a rate of their own, one a second at first and after a burst of
// two, which doubles every two seconds while others wait; every caller shares it.
func TestWritesAreSlow(t *testing.T) {
	environment(t, nil)
	synctest.Test(t, func(t *testing.T) {
		w, account := connect(func(call) (*http.Response, error) { return respond(204, "") }, aws.Options{})
		began := time.Now()
		done := make(chan error)
		for range 10 {
			go func() {
				done <- account.Distributions.SetTags(t.Context(), "arn:aws:cloudfront::1:distribution/E1", map[string]string{"a": "b"})
			}()
		}
		for range 10 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if took := time.Since(began); took < 4*time.Second || took > 5*time.Second {
			t.Errorf("10 writes took %s, want between 4s and 5s", took)
		}
		if got := w.made("POST /tagging?Operation=Tag&Resource=arn%3Aaws%3Acloudfront%3A%3A1%3Adistribution%2FE1"); len(got) != 10 {
			t.Errorf("made %v", w.count())
		}
	})
}

// A caller that gives up while waiting for its turn ends at once and its turn
// is the next one's.
func TestWaitingEndsWithTheCaller(t *testing.T) {
	environment(t, nil)
	synctest.Test(t, func(t *testing.T) {
		_, account := connect(func(call) (*http.Response, error) { return throttling() }, aws.Options{})
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			_ = providers.RealClock{}.Sleep(ctx, 3*time.Second)
			cancel()
		}()
		began := time.Now()
		_, err := account.Distributions.Distribution(ctx, "E1")
		if !errors.Is(err, context.Canceled) || time.Since(began) != 3*time.Second {
			t.Errorf("%v after %s", err, time.Since(began))
		}
	})
}

// New touches neither files nor network: a configuration that cannot be read
// is the first call's error.
func TestNewDoesNothing(t *testing.T) {
	environment(t, nil)
	w, _ := connect(func(call) (*http.Response, error) { return respond(500, "") }, aws.Options{Profile: "nobody", RoleARN: "x"})
	if len(w.count()) > 0 {
		t.Errorf("asked %v", w.count())
	}
}
