package aws_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/edgeward/edgeward/providers"
)

// bucketList is a page of the account's buckets, "name region" each, with the
// token of the next page or "" [S3 API Reference: ListBuckets, Response Syntax].
func bucketList(next string, buckets ...string) string {
	var b strings.Builder
	b.WriteString(`<ListAllMyBucketsResult ` + s3NS + `><Owner><ID>o</ID></Owner><Buckets>`)
	for _, x := range buckets {
		name, region, _ := strings.Cut(x, " ")
		b.WriteString(`<Bucket><CreationDate>2026-01-02T03:04:05.000Z</CreationDate><Name>` + name + `</Name>`)
		if region != "" {
			b.WriteString(`<BucketRegion>` + region + `</BucketRegion>`)
		}
		b.WriteString(`</Bucket>`)
	}
	b.WriteString(`</Buckets>`)
	if next != "" {
		b.WriteString(`<ContinuationToken>` + next + `</ContinuationToken>`)
	}
	return b.String() + `</ListAllMyBucketsResult>`
}

// The pages are followed, the rows are in order, and where a bucket is need not be
// asked again.
func TestListBuckets(t *testing.T) {
	environment(t, map[string]string{"AWS_REGION": "eu-central-1"})
	w, account := connect(func(c call) (*http.Response, error) {
		_, query, _ := strings.Cut(c.op, "?")
		q, err := url.ParseQuery(query)
		switch {
		case err != nil, c.req.URL.Path != "/":
			return bare(c)
		case q.Get("max-buckets") != "1000":
			return s3Refusal(400, "InvalidArgument")
		case q.Get("continuation-token") == "":
			return respond(200, bucketList("t+/=1", "www.example.com eu-west-1", "b.example.com us-east-1"))
		case q.Get("continuation-token") == "t+/=1":
			return respond(200, bucketList("t2", "a.example.com ap-south-1"))
		}
		return respond(200, bucketList("", "old"))
	}, fast())
	got, err := account.Buckets.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	created := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	want := []providers.BucketEntry{
		{Name: "a.example.com", Region: "ap-south-1", Created: created}, {Name: "b.example.com", Region: "us-east-1", Created: created},
		{Name: "old", Created: created}, {Name: "www.example.com", Region: "eu-west-1", Created: created},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
	if len(w.calls) != 3 || w.calls[2].host != "s3.eu-central-1.amazonaws.com" {
		t.Errorf("asked %v", w.count())
	}
	if b, err := account.Buckets.Bucket(t.Context(), "a.example.com", ""); err != nil || b.Region != "ap-south-1" {
		t.Errorf("region %q, %v", b.Region, err)
	}
	if n := len(w.made("HEAD /a.example.com")); n != 0 {
		t.Errorf("HeadBucket: %d times", n)
	}
}

func TestListBucketsOfAnEmptyAccount(t *testing.T) {
	environment(t, nil)
	_, account := connect(func(call) (*http.Response, error) { return respond(200, bucketList("")) }, fast())
	if got, err := account.Buckets.List(t.Context()); err != nil || len(got) > 0 {
		t.Errorf("%v, %v", got, err)
	}
}

// A list is whole or it is an error.
func TestListBucketsErrors(t *testing.T) {
	for name, test := range map[string]struct {
		second func() (*http.Response, error)
		class  error
		text   string
		hint   string
	}{
		"no right": {func() (*http.Response, error) { return s3Refusal(403, "AccessDenied") },
			providers.ErrDenied, "list the buckets of the account: AccessDenied", "allow s3:ListAllMyBuckets to these credentials"},
		"no credentials": {func() (*http.Response, error) { return s3Refusal(403, "InvalidAccessKeyId") },
			providers.ErrCredentials, "list the buckets of the account: InvalidAccessKeyId", ""},
		"too fast":      {func() (*http.Response, error) { return s3Refusal(503, "SlowDown") }, providers.ErrThrottled, "SlowDown", ""},
		"broken":        {func() (*http.Response, error) { return s3Refusal(500, "InternalError") }, nil, "InternalError", ""},
		"another page":  {func() (*http.Response, error) { return respond(200, `<html><body>Sign in</body></html>`) }, nil, "the answer is a web page", ""},
		"no list":       {func() (*http.Response, error) { return respond(200, `<ListAllMyBucketsResult `+s3NS+`/>`) }, nil, "the answer is not complete", ""},
		"a nameless":    {func() (*http.Response, error) { return respond(200, bucketList("", " eu-west-1")) }, nil, "the answer is not complete", ""},
		"cut off":       {func() (*http.Response, error) { return respond(200, bucketList("", "x")[:150]) }, nil, "list the buckets of the account: ", ""},
		"no connection": {func() (*http.Response, error) { return nil, errors.New("connection refused") }, nil, "connection refused", ""},
	} {
		for page := 1; page <= 2; page++ {
			t.Run(fmt.Sprint(name, ", page ", page), func(t *testing.T) {
				environment(t, nil)
				_, account := connect(func(c call) (*http.Response, error) {
					if page == 2 && !strings.Contains(c.op, "continuation-token") {
						return respond(200, bucketList("next", "a.example.com eu-west-1"))
					}
					return test.second()
				}, fast())
				got, err := account.Buckets.List(t.Context())
				if got != nil || err == nil || test.class != nil && !errors.Is(err, test.class) ||
					!strings.Contains(err.Error(), test.text) || !strings.Contains(hint(err), test.hint) {
					t.Errorf("%v, %v, hint %q", got, err, hint(err))
				}
				if err != nil {
					clean(t, err)
				}
			})
		}
	}
}
