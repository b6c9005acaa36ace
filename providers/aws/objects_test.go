package aws_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/edgeward/edgeward/providers"
)

// The listing is asked for in an encoding in which every key survives XML, and
// goes on behind the key that was named [S3 API Reference: ListObjectsV2].
func TestObjectsAfter(t *testing.T) {
	environment(t, nil)
	answer := func(coding, keys string) func(call) (*http.Response, error) {
		return func(call) (*http.Response, error) {
			return respond(200, `<ListBucketResult `+s3NS+`><Name>b</Name>`+coding+keys+`</ListBucketResult>`)
		}
	}
	const url = `<EncodingType>url</EncodingType>`
	keys := func(ks ...string) string {
		return "<Contents><Key>" + strings.Join(ks, "</Key></Contents><Contents><Key>") + "</Key></Contents>"
	}
	for name, c := range map[string]struct {
		answer func(call) (*http.Response, error)
		limit  int
		want   []string
	}{
		"odd keys": {answer(url, keys("a+b%2Bc%26", "%01%0A", "caf%C3%A9/%F0%9F%98%80", "a//b/", "%2525", "%3Cx%3E")), 10,
			[]string{"a b+c&", "\x01\n", "café/😀", "a//b/", "%25", "<x>"}},
		"not encoded after all": {answer("", keys("a+b%2Bc &amp;")), 10, []string{"a+b%2Bc &"}},
		"more than asked for":   {answer(url, keys("a", "b", "c")), 2, []string{"a", "b"}},
		"nothing left":          {answer(url, ""), 2, nil},
	} {
		w, account := connect(c.answer, fast())
		got, err := account.Buckets.Objects(t.Context(), "b", "eu-west-1", "a/ü +&.txt", c.limit)
		var have []string
		for _, o := range got {
			have = append(have, o.Key)
		}
		if d := cmp.Diff(c.want, have); err != nil || d != "" {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, d)
		}
		q := w.calls[0].req.URL.Query()
		if q.Get("start-after") != "a/ü +&.txt" || q.Get("encoding-type") != "url" || q.Get("list-type") != "2" || len(w.calls) != 1 {
			t.Errorf("%s: asked %v", name, w.count())
		}
	}
	for name, c := range map[string]struct {
		answer func(call) (*http.Response, error)
		class  error
		says   string
		hint   string
	}{
		"a bad escape": {answer(url, keys("%zz")), nil, "%zz", ""},
		"an empty key": {answer(url, keys("")), nil, "not complete", ""},
		"denied":       {func(call) (*http.Response, error) { return s3Refusal(403, "AccessDenied") }, providers.ErrDenied, "AccessDenied", "allow s3:ListBucket to"},
		"gone":         {func(call) (*http.Response, error) { return s3Refusal(404, "NoSuchBucket") }, providers.ErrNotFound, "NoSuchBucket", ""},
		"elsewhere": {func(call) (*http.Response, error) {
			return s3Refusal(301, "PermanentRedirect", "x-amz-bucket-region: us-west-2")
		}, providers.ErrInvalid, "it is in us-west-2, not in eu-west-1", `region = "us-west-2"`},
	} {
		_, account := connect(c.answer, fast())
		got, err := account.Buckets.Objects(t.Context(), "b", "eu-west-1", "", 5)
		if err == nil || got != nil || c.class != nil && !errors.Is(err, c.class) || !strings.Contains(err.Error(), c.says) || !strings.Contains(hint(err), c.hint) {
			t.Errorf("%s: %v, %v, hint %q", name, got, err, hint(err))
		}
	}
}

func TestHead(t *testing.T) {
	environment(t, nil)
	w, account := connect(func(call) (*http.Response, error) {
		// S3 API Reference: HeadObject, Response Syntax.
		return respond(200, "", "Content-Type: text/html; charset=utf-8", "Content-Encoding: gzip", "Content-Language: de", "Content-Disposition: attachment; filename=\"x\"",
			"Cache-Control: max-age=60", "Expires: 0", "x-amz-website-redirect-location: /other", "X-Amz-Meta-Owner-Team: Web", "x-amz-meta-x: =?UTF-8?Q?=C3=A9?=")
	}, fast())
	got, err := account.Buckets.Head(t.Context(), "bucket", "eu-west-1", "a")
	if err != nil {
		t.Fatal(err)
	}
	want := providers.ObjectHead{
		ContentType: "text/html; charset=utf-8", ContentEncoding: "gzip", ContentLanguage: "de", ContentDisposition: `attachment; filename="x"`,
		CacheControl: "max-age=60", Expires: "0", Redirect: "/other", Metadata: map[string]string{"owner-team": "Web", "x": "=?UTF-8?Q?=C3=A9?="},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
	if c := w.calls[0]; c.req.Method != "HEAD" || c.host != "bucket.s3.eu-west-1.amazonaws.com" {
		t.Errorf("asked %s of %s", c.op, c.host)
	}
}

// A key reaches S3 as it is, in both styles of addressing.
func TestHeadSendsTheKey(t *testing.T) {
	environment(t, nil)
	for _, bucket := range []string{"bucket", "b.example.com"} {
		for key, want := range map[string]string{
			"a b+c&d=e?f#g.txt": "/a%20b%2Bc%26d%3De%3Ff%23g.txt", "a//b/": "/a//b/", "a/../b/./c": "/a/../b/./c", "café/%2F": "/caf%C3%A9/%252F", "\x01": "/%01", "/lead": "//lead",
		} {
			w, account := connect(func(call) (*http.Response, error) { return respond(200, "") }, fast())
			if _, err := account.Buckets.Head(t.Context(), bucket, "eu-west-1", key); err != nil {
				t.Errorf("%q: %v", key, err)
				continue
			}
			if got := strings.TrimPrefix(w.calls[0].req.URL.EscapedPath(), "/b.example.com"); got != want {
				t.Errorf("%q of %s was asked for as %s, want %s", key, bucket, got, want)
			}
		}
	}
}

// The answer to a HEAD has no body, so only the status says why; that of a
// proxy proves nothing.
func TestHeadErrors(t *testing.T) {
	environment(t, nil)
	const id = "x-amz-request-id: 3E57427F3EXAMPLE"
	for name, c := range map[string]struct {
		status  int
		headers []string
		class   error // nil: none
		says    string
		hint    string
	}{
		"missing":        {404, []string{id}, providers.ErrNotFound, `read the metadata of object "a/b" of bucket "b": NotFound`, ""},
		"refused":        {403, []string{id}, providers.ErrDenied, "Forbidden (request 3E57427F3EXAMPLE) (so are objects that do not exist, without s3:ListBucket)", "allow s3:GetObject, and s3:ListBucket"},
		"a proxy's 404":  {404, nil, nil, "NotFound", ""},
		"a proxy's 403":  {403, nil, nil, "Forbidden", ""},
		"bad request":    {400, []string{id}, nil, "BadRequest", ""},
		"another region": {301, []string{id, "x-amz-bucket-region: us-west-2"}, providers.ErrInvalid, "it is in us-west-2, not in eu-west-1", `region = "us-west-2"`},
	} {
		_, account := connect(func(call) (*http.Response, error) { return respond(c.status, "", c.headers...) }, fast())
		_, err := account.Buckets.Head(t.Context(), "b", "eu-west-1", "a/b")
		if err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(hint(err), c.hint) {
			t.Errorf("%s: %v, hint %q", name, err, hint(err))
			continue
		}
		for _, class := range []error{providers.ErrNotFound, providers.ErrDenied, providers.ErrInvalid, providers.ErrCredentials} {
			if errors.Is(err, class) != (class == c.class) {
				t.Errorf("%s: %v is %q: %t", name, err, class, errors.Is(err, class))
			}
		}
	}
}

// What a website and CORS configuration can say [S3 API Reference:
// GetBucketWebsite, RoutingRule, GetBucketCors].
func TestWebsiteAndCORS(t *testing.T) {
	environment(t, nil)
	text := func(s string) *string { return &s }
	for name, c := range map[string]struct {
		website string
		want    *providers.Website
	}{
		"all to another host": {`<RedirectAllRequestsTo><HostName>example.com</HostName><Protocol>https</Protocol></RedirectAllRequestsTo>`,
			&providers.Website{RedirectAllTo: "example.com", RedirectAllProtocol: "https"}},
		"all, as the request": {`<RedirectAllRequestsTo><HostName>example.com</HostName></RedirectAllRequestsTo>`, &providers.Website{RedirectAllTo: "example.com"}},
		"rules": {`<IndexDocument><Suffix>i.html</Suffix></IndexDocument><RoutingRules>
<RoutingRule><Condition><KeyPrefixEquals>docs/</KeyPrefixEquals></Condition><Redirect><ReplaceKeyPrefixWith></ReplaceKeyPrefixWith></Redirect></RoutingRule>
<RoutingRule><Condition><KeyPrefixEquals>old/</KeyPrefixEquals></Condition><Redirect><ReplaceKeyPrefixWith>new/a&amp;b/</ReplaceKeyPrefixWith></Redirect></RoutingRule>
<RoutingRule><Condition><HttpErrorCodeReturnedEquals>404</HttpErrorCodeReturnedEquals><KeyPrefixEquals>a</KeyPrefixEquals></Condition><Redirect><Protocol>https</Protocol><HostName>h</HostName><ReplaceKeyWith>error.html</ReplaceKeyWith><HttpRedirectCode>302</HttpRedirectCode></Redirect></RoutingRule>
<RoutingRule><Redirect><HostName>last</HostName></Redirect></RoutingRule></RoutingRules>`, &providers.Website{IndexDocument: "i.html", RoutingRules: []providers.RoutingRule{
			{KeyPrefix: "docs/", ReplaceKeyPrefix: text("")},
			{KeyPrefix: "old/", ReplaceKeyPrefix: text("new/a&b/")},
			{KeyPrefix: "a", ErrorCode: "404", Protocol: "https", HostName: "h", ReplaceKey: "error.html", Code: "302"},
			{HostName: "last"},
		}}},
		"a closed empty element": {`<IndexDocument><Suffix>i</Suffix></IndexDocument><RoutingRules><RoutingRule><Redirect><ReplaceKeyPrefixWith/></Redirect></RoutingRule></RoutingRules>`,
			&providers.Website{IndexDocument: "i", RoutingRules: []providers.RoutingRule{{ReplaceKeyPrefix: text("")}}}},
	} {
		_, account := connect(func(c2 call) (*http.Response, error) {
			switch subresource(c2) {
			case "?website":
				return respond(200, `<WebsiteConfiguration `+s3NS+`>`+c.website+`</WebsiteConfiguration>`)
			case "?cors":
				return respond(200, `<CORSConfiguration `+s3NS+`><CORSRule><ID>1</ID><AllowedOrigin>https://*.example.com</AllowedOrigin><AllowedOrigin>https://a.example</AllowedOrigin><AllowedMethod>GET</AllowedMethod><AllowedMethod>HEAD</AllowedMethod><AllowedHeader>x-*</AllowedHeader><ExposeHeader>ETag</ExposeHeader><MaxAgeSeconds>3000</MaxAgeSeconds></CORSRule><CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod></CORSRule></CORSConfiguration>`)
			}
			return bare(c2)
		}, fast())
		got, err := account.Buckets.Bucket(t.Context(), "plain", "eu-west-1")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if d := cmp.Diff(c.want, got.Website); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
		rules := []providers.CORSRule{
			{Origins: []string{"https://*.example.com", "https://a.example"}, Methods: []string{"GET", "HEAD"}, Headers: []string{"x-*"}, Expose: []string{"ETag"}, MaxAge: 3000},
			{Origins: []string{"*"}, Methods: []string{"GET"}},
		}
		if d := cmp.Diff(rules, got.CORS); d != "" {
			t.Errorf("%s, CORS (-want +got):\n%s", name, d)
		}
	}
	_, account := connect(func(c call) (*http.Response, error) {
		if subresource(c) == "?website" {
			return respond(200, `<WebsiteConfiguration `+s3NS+`></WebsiteConfiguration>`)
		}
		return bare(c)
	}, fast())
	if _, err := account.Buckets.Bucket(t.Context(), "plain", "eu-west-1"); err == nil {
		t.Error("a website configuration that says nothing is no error")
	}
}

// Where the access log goes [S3 API Reference: GetBucketLogging].
func TestBucketLogging(t *testing.T) {
	environment(t, nil)
	const where = `<TargetBucket>l</TargetBucket><TargetPrefix>p/</TargetPrefix>`
	for name, c := range map[string]struct {
		answer string
		want   providers.BucketLog
		bad    bool
	}{
		"none":        {"", providers.BucketLog{}, false},
		"simple":      {`<LoggingEnabled>` + where + `<TargetObjectKeyFormat><SimplePrefix/></TargetObjectKeyFormat></LoggingEnabled>`, providers.BucketLog{Bucket: "l", Prefix: "p/"}, false},
		"not said":    {`<LoggingEnabled>` + where + `</LoggingEnabled>`, providers.BucketLog{Bucket: "l", Prefix: "p/"}, false},
		"no prefix":   {`<LoggingEnabled><TargetBucket>l</TargetBucket><TargetPrefix/></LoggingEnabled>`, providers.BucketLog{Bucket: "l"}, false},
		"partitioned": {`<LoggingEnabled>` + where + `<TargetObjectKeyFormat><PartitionedPrefix><PartitionDateSource>EventTime</PartitionDateSource></PartitionedPrefix></TargetObjectKeyFormat></LoggingEnabled>`, providers.BucketLog{Bucket: "l", Prefix: "p/", Partitioned: true}, false},
		"no bucket":   {`<LoggingEnabled><TargetPrefix>p/</TargetPrefix></LoggingEnabled>`, providers.BucketLog{}, true},
	} {
		_, account := connect(func(c2 call) (*http.Response, error) {
			if subresource(c2) == "?logging" {
				return respond(200, `<BucketLoggingStatus `+s3NS+`>`+c.answer+`</BucketLoggingStatus>`)
			}
			return bare(c2)
		}, fast())
		got, err := account.Buckets.Bucket(t.Context(), "plain", "eu-west-1")
		if (err != nil) != c.bad || got.Log != c.want {
			t.Errorf("%s: %+v, %v", name, got.Log, err)
		}
	}
	_, account := connect(func(c call) (*http.Response, error) {
		if subresource(c) == "?logging" {
			return s3Refusal(403, "AccessDenied")
		}
		return bare(c)
	}, fast())
	_, err := account.Buckets.Bucket(t.Context(), "plain", "eu-west-1")
	if !errors.Is(err, providers.ErrDenied) || !strings.Contains(hint(err), "allow s3:GetBucketLogging") {
		t.Errorf("without the right: %v, hint %q", err, hint(err))
	}
}

// A policy by its ID, AWS's own ones too [CloudFront API Reference:
// GetCachePolicy].
func TestCachePolicyByID(t *testing.T) {
	environment(t, nil)
	policy := func(id, cookies, headers, query string) string {
		return `<CachePolicy xmlns="http://cloudfront.amazonaws.com/doc/2020-05-31/"><Id>` + id + `</Id><LastModifiedTime>2021-01-01T00:00:00Z</LastModifiedTime><CachePolicyConfig><Comment>c</Comment><Name>Managed-X</Name><DefaultTTL>86400</DefaultTTL><MaxTTL>31536000</MaxTTL><MinTTL>1</MinTTL><ParametersInCacheKeyAndForwardedToOrigin><EnableAcceptEncodingGzip>true</EnableAcceptEncodingGzip><EnableAcceptEncodingBrotli>true</EnableAcceptEncodingBrotli><HeadersConfig>` + headers + `</HeadersConfig><CookiesConfig><CookieBehavior>` + cookies + `</CookieBehavior></CookiesConfig><QueryStringsConfig><QueryStringBehavior>` + query + `</QueryStringBehavior></QueryStringsConfig></ParametersInCacheKeyAndForwardedToOrigin></CachePolicyConfig></CachePolicy>`
	}
	const (
		optimized = "658327ea-f89d-4fab-a63d-7e88639e58f6"
		origin    = "83da9c7e-98b4-4e11-a168-04f0df8e2c65"
		none      = `<HeaderBehavior>none</HeaderBehavior>`
	)
	_, account := connect(func(c call) (*http.Response, error) {
		switch c.op {
		case "GET /cache-policy/" + optimized:
			return respond(200, policy(optimized, "none", none, "none"))
		case "GET /cache-policy/" + origin:
			return respond(200, policy(origin, "all", `<HeaderBehavior>whitelist</HeaderBehavior><Headers><Quantity>2</Quantity><Items><Name>origin</Name><Name>host</Name></Items></Headers>`, "none"))
		case "GET /cache-policy/some":
			return respond(200, policy("some", "none", none, "whitelist"))
		case "GET /cache-policy/denied":
			return refusal(403, "AccessDenied", "no")
		case "GET /cache-policy/empty":
			return respond(200, `<CachePolicy><Id>empty</Id></CachePolicy>`)
		}
		return refusal(404, "NoSuchCachePolicy", "The cache policy does not exist.")
	}, fast())
	times := providers.CacheSettings{MinTTL: 1, DefaultTTL: 86400, MaxTTL: 31536000, Gzip: true, Brotli: true}
	withHeaders := times
	withHeaders.Headers = []string{"host", "origin"}
	for id, want := range map[string]providers.CachePolicy{
		optimized: {ID: optimized, Name: "Managed-X", Settings: times},
		origin:    {ID: origin, Name: "Managed-X", Settings: withHeaders, Foreign: true},
		"some":    {ID: "some", Name: "Managed-X", Settings: times, Foreign: true},
	} {
		got, err := account.CachePolicies.CachePolicy(t.Context(), id)
		if d := cmp.Diff(want, got); err != nil || d != "" {
			t.Errorf("%s: %v (-want +got):\n%s", id, err, d)
		}
	}
	for id, want := range map[string]error{"absent": providers.ErrNotFound, "denied": providers.ErrDenied} {
		if _, err := account.CachePolicies.CachePolicy(t.Context(), id); !errors.Is(err, want) || id == "denied" && hint(err) != "allow cloudfront:GetCachePolicy to these credentials" {
			t.Errorf("%s: %v, hint %q", id, err, hint(err))
		}
	}
	if _, err := account.CachePolicies.CachePolicy(t.Context(), "empty"); err == nil || errors.Is(err, providers.ErrNotFound) {
		t.Errorf("an answer without a policy: %v", err)
	}
}
