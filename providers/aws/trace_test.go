package aws_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"
	"github.com/google/go-cmp/cmp"

	"github.com/edgeward/edgeward/providers"
	"github.com/edgeward/edgeward/providers/aws"
)

// traced is a list of exchanges, without the times at which they were sent.
type traced struct {
	mu  sync.Mutex
	all []providers.Exchange
}

func (t *traced) note(e providers.Exchange) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e.Time.IsZero() || e.Time.Location() != time.UTC {
		e.Error += " no time in UTC"
	}
	e.Time = time.Time{}
	t.all = append(t.all, e)
}

// TestTrace: every attempt that is sent is told, with what it waited for, in the
// order in which they end: credentials, throttled calls, locks, what is signed
// without the SDK, Route 53. A bubble has exact times.
func TestTrace(t *testing.T) {
	environment(t, nil)
	synctest.Test(t, func(t *testing.T) {
		var got traced
		w := &wire{answer: func(c call) (*http.Response, error) {
			time.Sleep(30 * time.Millisecond)
			switch {
			case c.op == "AssumeRole":
				return sts(c)
			case c.op == "GET /distribution/E1" && c.n == 1:
				return refusal(400, "Throttling", "Rate exceeded for "+session)
			case c.op == "GET /distribution/E1":
				return refusal(404, "NoSuchDistribution", "The specified distribution does not exist.")
			case strings.HasPrefix(c.op, "GET /assets.example.com/a b?"):
				return respond(200, "hello", "X-Amz-Request-Id: "+secretKey)
			case strings.Contains(c.host, "route53"):
				return respond(200, `<ChangeResourceRecordSetsResponse><ChangeInfo><Id>/change/C1</Id><Status>PENDING</Status><SubmittedAt>2026-01-01T00:00:00Z</SubmittedAt></ChangeInfo></ChangeResourceRecordSetsResponse>`)
			}
			return s3Refusal(404, "NoSuchKey", "X-Amz-Request-Id: r-lock")
		}}
		o := aws.Options{Clock: providers.RealClock{}, HTTPClient: w, Trace: got.note, RoleARN: "arn:aws:iam::123456789012:role/deploy", ExternalID: "external-canary",
			Limits: aws.Limits{}.Times(1e4), Backoff: func(int, error) time.Duration { return 2 * time.Second }}
		client := aws.New(o)
		if _, err := client.Account().Distributions.Distribution(t.Context(), "E1"); err == nil {
			t.Error("there is a distribution")
		}
		if _, err := client.LockStore("our-tools", "edgeward/lock.json", "eu-west-1").ReadLock(t.Context()); err == nil {
			t.Error("there is a lock")
		}
		if _, err := client.Account().Signed.Fetch(t.Context(), providers.Request{URL: "https://assets.example.com.s3.eu-west-1.amazonaws.com/a%20b?q=" + secretKey}); err != nil {
			t.Error(err)
		}
		change(t, client)
		want := []providers.Exchange{
			{API: "sts", Operation: "AssumeRole", Region: "us-east-1", About: o.RoleARN, Attempt: 1, Duration: 30, Status: 200},
			{API: "cloudfront", Operation: "GetDistribution", Region: "us-east-1", About: "E1", Attempt: 1, Waited: 30, Duration: 30, Status: 400, RequestID: "req-1",
				Code: "Throttling", Error: "Rate exceeded for (removed)", Throttled: true},
			{API: "cloudfront", Operation: "GetDistribution", Region: "us-east-1", About: "E1", Attempt: 2, Waited: 2000, Duration: 30, Status: 404, RequestID: "req-1",
				Code: "NoSuchDistribution", Error: "The specified distribution does not exist."},
			{API: "s3", Operation: "GetObject", Region: "eu-west-1", About: "our-tools/edgeward/lock.json", Attempt: 1, Duration: 30, Status: 404, RequestID: "r-lock",
				Code: "NoSuchKey", Error: "message of NoSuchKey"},
			{API: "s3", Operation: "GET", Region: "eu-west-1", URL: "https://s3.eu-west-1.amazonaws.com/assets.example.com/a%20b", Attempt: 1, Duration: 30,
				Status: 200, RequestID: "(removed)"},
			{API: "route53", Operation: "ChangeResourceRecordSets", Region: "us-east-1", About: "Z1 www.example.com", Attempt: 1, Duration: 30, Status: 200},
		}
		if d := cmp.Diff(want, got.all); d != "" {
			t.Errorf("-want +got:\n%s", d)
		}
	})
}

// change changes a record by the configuration that others make clients of.
func change(t *testing.T, client *aws.Client) {
	t.Helper()
	cfg, err := client.Config(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	zone, name := "Z1", "www.example.com."
	set := &types.ResourceRecordSet{Name: &name, Type: types.RRTypeTxt}
	in := &route53.ChangeResourceRecordSetsInput{HostedZoneId: &zone, ChangeBatch: &types.ChangeBatch{Changes: []types.Change{
		{Action: types.ChangeActionDelete, ResourceRecordSet: set}, {Action: types.ChangeActionCreate, ResourceRecordSet: set}}}}
	if _, err := route53.NewFromConfig(cfg).ChangeResourceRecordSets(t.Context(), in); err != nil {
		t.Error(err)
	}
}

// Whatever AWS, or a proxy before it, repeats of what it was sent.
func TestTraceHasNoSecret(t *testing.T) {
	environment(t, nil)
	var got traced
	o := fast()
	o.Trace, o.RoleARN, o.ExternalID = got.note, "arn:aws:iam::123456789012:role/deploy", "external/canary+1"
	n := 0
	_, account := connect(func(c call) (*http.Response, error) {
		told := fmt.Sprint(o.ExternalID, " ", secretKey, " ", c.header.Get("Authorization"), c.header)
		n++
		switch {
		case n%3 == 0:
			return nil, fmt.Errorf("cannot send %s %s %s %s", o.ExternalID, accessKey, secretKey, session)
		case c.op == "AssumeRole" && n > 6:
			return sts(c)
		}
		answer, err := refusal(403, []string{"AccessDenied", "SignatureDoesNotMatch"}[n%2], "<![CDATA["+told+"]]>")
		answer.Header.Set("X-Amzn-Requestid", secretKey+session+o.ExternalID)
		return answer, err
	}, o)
	for range 12 {
		_, _ = account.Distributions.Distribution(t.Context(), "E1")
		_, _ = account.Buckets.Bucket(t.Context(), "assets.example.com", "")
		answer, err := account.Signed.Fetch(t.Context(), providers.Request{URL: "https://assets.example.com.s3.eu-west-1.amazonaws.com/a"})
		if err == nil {
			_, _ = io.Discard.Write(answer.Body)
		}
	}
	if len(got.all) < 12 {
		t.Errorf("only %d exchanges were told", len(got.all))
	}
	signatures := 0
	for _, e := range got.all {
		if e.Code == "SignatureDoesNotMatch" {
			signatures++
			if e.Error != "" {
				t.Errorf("what was signed is in %q", e.Error)
			}
		}
		for _, secret := range []string{accessKey, secretKey, session, "role-secret", "role-session", o.ExternalID} {
			if text := fmt.Sprintf("%+v", e); strings.Contains(text, secret) {
				t.Errorf("%q is in %s", secret, text)
			}
		}
	}
	if signatures == 0 {
		t.Error("no signature was refused")
	}
}
