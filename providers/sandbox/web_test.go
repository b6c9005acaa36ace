package sandbox

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/edgeward/edgeward/providers"
	"github.com/google/go-cmp/cmp"
)

func TestS3Hosts(t *testing.T) {
	for host, want := range map[string]struct {
		kind, region, bucket string
		global               bool
	}{
		"b.s3.eu-west-1.amazonaws.com":                        {restEnd, "eu-west-1", "b", false},
		"b.s3-eu-west-1.amazonaws.com":                        {restEnd, "eu-west-1", "b", false},
		"b.s3.amazonaws.com":                                  {restEnd, "us-east-1", "b", true},
		"s3.amazonaws.com":                                    {restEnd, "us-east-1", "", true},
		"s3.ap-southeast-1.amazonaws.com":                     {restEnd, "ap-southeast-1", "", false},
		"a.example.com.s3.us-east-2.amazonaws.com":            {restEnd, "us-east-2", "a.example.com", false},
		"s3.example.com.s3.us-east-2.amazonaws.com":           {restEnd, "us-east-2", "s3.example.com", false},
		"a.example.com.s3.dualstack.us-east-2.amazonaws.com":  {restEnd, "us-east-2", "a.example.com", false},
		"b.s3.cn-north-1.amazonaws.com.cn":                    {restEnd, "cn-north-1", "b", false},
		"a.example.com.s3-website-eu-west-1.amazonaws.com":    {siteEnd, "eu-west-1", "a.example.com", false},
		"a.example.com.s3-website.eu-central-1.amazonaws.com": {siteEnd, "eu-central-1", "a.example.com", false},
		"s3-website-us-east-1.amazonaws.com":                  {siteEnd, "us-east-1", "", false},
		"s3-website.eu-central-1.amazonaws.com":               {siteEnd, "eu-central-1", "", false},
		"ec2.eu-west-1.amazonaws.com":                         {},
		"amazonaws.com":                                       {},
		"d111111abcdef8.cloudfront.net":                       {},
		"b.s3.eu-west-1.amazonaws.com.example.com":            {},
	} {
		e, bucket, ok := s3Host(host)
		if ok != (want.kind != "") || ok && (e.kind != want.kind || e.region != want.region || bucket != want.bucket || e.global != want.global) {
			t.Errorf("%s: %+v, bucket %q, %t", host, e, bucket, ok)
		}
	}
}

// TestAnswersOfS3 follows the Amazon S3 User Guide: Virtual hosting of buckets,
// Website endpoints, Enabling website hosting.
func TestAnswersOfS3(t *testing.T) {
	const rest, site = "s3.eu-west-1.amazonaws.com", "s3-website.eu-central-1.amazonaws.com"
	const assets, www = "http://assets.example.com", "http://www.example.org"
	index, odd := digest([]byte("<h1>hello</h1>")), digest([]byte("odd key"))
	cases := map[string]struct {
		method, url, dial string
		status            int
		sha               string
		header            map[string]string
		err               string
	}{
		"object":                    {"GET", assets + "/index.html", rest, 200, index, map[string]string{"Content-Type": "text/html", "Server": "AmazonS3", "Content-Length": "14", "Accept-Ranges": "bytes"}, ""},
		"object at another host":    {"GET", assets + "/index.html", "other.s3.eu-west-1.amazonaws.com", 200, index, nil, ""},
		"HEAD":                      {"HEAD", assets + "/index.html", rest, 200, digest(nil), map[string]string{"Content-Length": "14"}, ""},
		"Cache-Control":             {"GET", assets + "/cached.css", rest, 200, "", map[string]string{"Cache-Control": "public, max-age=600"}, ""},
		"escaped key":               {"GET", assets + "/a%20b/%C3%B6.txt", rest, 200, odd, nil, ""},
		"missing key":               {"GET", assets + "/none", rest, 403, "", map[string]string{"Content-Type": "application/xml"}, ""},
		"private object":            {"GET", assets + "/secret", rest, 403, "", nil, ""},
		"root of a REST endpoint":   {"GET", assets + "/", rest, 403, "", nil, ""},
		"redirect object over REST": {"GET", assets + "/old", rest, 200, "", map[string]string{"X-Amz-Website-Redirect-Location": "/docs/"}, ""},
		"no such bucket":            {"GET", "http://none.example.com/index.html", rest, 404, "", nil, ""},
		"another region":            {"GET", assets + "/index.html", "s3.eu-west-3.amazonaws.com", 301, "", map[string]string{"X-Amz-Bucket-Region": "eu-west-1"}, ""},
		"global endpoint":           {"GET", assets + "/index.html", "s3.amazonaws.com", 307, "", map[string]string{"Location": "http://assets.example.com.s3.eu-west-1.amazonaws.com/index.html"}, ""},
		"virtual host":              {"GET", "http://assets.example.com.s3.eu-west-1.amazonaws.com/index.html", "", 200, index, nil, ""},
		"path style":                {"GET", "https://s3.eu-west-1.amazonaws.com/assets.example.com/index.html", "", 200, index, nil, ""},
		"https under the alias":     {"GET", "https://assets.example.com/index.html", rest, 0, "", nil, "x509"},
		"https at a dotted bucket":  {"GET", "https://assets.example.com.s3.eu-west-1.amazonaws.com/index.html", "", 0, "", nil, "x509"},
		"upload":                    {"PUT", assets + "/index.html", rest, 403, "", nil, ""},
		"index document":            {"GET", www + "/", site, 200, index, nil, ""},
		"index of a folder":         {"GET", www + "/docs/", site, 200, digest([]byte("docs")), nil, ""},
		"folder without a slash":    {"GET", www + "/docs", site, 302, "", map[string]string{"Location": "/docs/"}, ""},
		"error document":            {"GET", www + "/none", site, 404, digest([]byte("nothing here")), map[string]string{"Content-Type": "text/html"}, ""},
		"private object of a site":  {"GET", www + "/secret", site, 403, digest([]byte("nothing here")), nil, ""},
		"redirect object":           {"GET", www + "/old", site, 301, "", map[string]string{"Location": "/docs/"}, ""},
		"https at a website":        {"GET", "https://www.example.org/", site, 0, "", nil, "no TLS"},
		"website of another region": {"GET", www + "/", "s3-website-eu-west-1.amazonaws.com", 400, "", nil, ""},
		"no website configuration":  {"GET", assets + "/", "s3-website-eu-west-1.amazonaws.com", 404, "", nil, ""},
		"redirect all":              {"GET", "http://moved.example.com/a", "s3-website-us-east-1.amazonaws.com", 301, "", map[string]string{"Location": "http://example.com/a"}, ""},
		"listable root":             {"GET", "http://listed.example.com/", "s3.us-east-1.amazonaws.com", 200, "", map[string]string{"Content-Type": "application/xml"}, ""},
		"listable bucket's 404":     {"GET", "http://listed.example.com/none", "s3.us-east-1.amazonaws.com", 404, "", nil, ""},
		"requester pays":            {"GET", "http://paid.example.com/a", "s3.us-east-1.amazonaws.com", 403, "", nil, ""},
		"unknown host":              {"GET", assets + "/", "ec2.amazonaws.com", 0, "", nil, "no such host"},
		"unknown address":           {"GET", assets + "/", "192.0.2.77", 0, "", nil, "connection refused"},
		"odd URL":                   {"GET", "ftp://assets.example.com/", rest, 0, "", nil, "not an http"},
	}
	more := func(o *Options) {
		o.Buckets = append(o.Buckets,
			Bucket{Name: "moved.example.com", Website: &providers.Website{RedirectAllTo: "example.com"}},
			Bucket{Name: "listed.example.com", Listing: true, Objects: objects()},
			Bucket{Name: "paid.example.com", RequesterPays: true, Objects: []Object{{Key: "a"}}})
	}
	for title, c := range cases {
		t.Run(title, func(t *testing.T) {
			inBubble(t, more, func(t *testing.T, w *World) {
				got, err := w.Providers().Web.Fetch(t.Context(), providers.Request{Method: c.method, URL: c.url, Dial: c.dial})
				if c.err != "" || err != nil {
					if err == nil || c.err == "" || !strings.Contains(err.Error(), c.err) {
						t.Errorf("error is %v, want one that says %q", err, c.err)
					}
					return
				}
				if got.Status != c.status || c.sha != "" && got.SHA256 != c.sha || got.Header.Get("X-Amz-Request-Id") == "" {
					t.Errorf("%+v, want %d with %s", got, c.status, c.sha)
				}
				if n := got.Header.Get("Content-Length"); n != "" && c.method != "HEAD" && n != strconv.FormatInt(got.Length, 10) {
					t.Errorf("a length of %s, %d bytes", got.Header.Get("Content-Length"), got.Length)
				}
				for k, v := range c.header {
					if got.Header.Get(k) != v {
						t.Errorf("%s: %q, want %q", k, got.Header.Get(k), v)
					}
				}
			})
		})
	}
}

// edgeOfAssets is a deployed distribution before assets.example.com.
func edgeOfAssets(w *World, change func(*providers.Settings)) providers.Distribution {
	arn := w.AddCertificate("", providers.Certificate{Names: []string{"*.example.com"}})
	s := settings("assets.example.com.s3.eu-west-1.amazonaws.com", providers.RESTOrigin, disabled, arn, "assets.example.com")
	if change != nil {
		change(&s)
	}
	return w.AddDistribution("", s, nil)
}

func TestAnswersOfCloudFront(t *testing.T) {
	const http_, https = "http://assets.example.com", "https://assets.example.com"
	index := digest([]byte("<h1>hello</h1>"))
	cases := map[string]struct {
		change      func(*providers.Settings)
		method, url string
		status      int
		sha         string
		header      map[string]string
		err         string
	}{
		"http":                   {nil, "GET", http_ + "/index.html", 200, index, map[string]string{"X-Cache": "Miss from cloudfront", "Content-Type": "text/html", "Server": "AmazonS3"}, ""},
		"https":                  {nil, "GET", https + "/index.html", 200, index, nil, ""},
		"HEAD":                   {nil, "HEAD", https + "/index.html", 200, digest(nil), map[string]string{"Content-Length": "14"}, ""},
		"missing key":            {nil, "GET", http_ + "/none", 403, "", map[string]string{"X-Cache": "Error from cloudfront", "Content-Type": "application/xml"}, ""},
		"its own name":           {nil, "GET", "https://DOMAIN/index.html", 200, index, nil, ""},
		"no such alias":          {nil, "GET", "http://other.example.com/index.html", 403, "", map[string]string{"Server": "CloudFront", "X-Cache": "Error from cloudfront"}, ""},
		"no such alias, https":   {nil, "GET", "https://other.example.com/index.html", 0, "", nil, "valid for *.cloudfront.net"},
		"disabled":               {func(s *providers.Settings) { s.Enabled = false }, "GET", http_ + "/index.html", 403, "", nil, ""},
		"redirect to https":      {func(s *providers.Settings) { s.ViewerProtocol = "redirect-to-https" }, "GET", http_ + "/index.html", 301, "", map[string]string{"Location": https + "/index.html", "Server": "CloudFront"}, ""},
		"redirected":             {func(s *providers.Settings) { s.ViewerProtocol = "redirect-to-https" }, "GET", https + "/index.html", 200, index, nil, ""},
		"https only":             {func(s *providers.Settings) { s.ViewerProtocol = "https-only" }, "GET", http_ + "/index.html", 403, "", nil, ""},
		"method":                 {func(s *providers.Settings) { s.Methods = []string{"GET", "HEAD"} }, "OPTIONS", http_ + "/index.html", 403, "", nil, ""},
		"upload":                 {nil, "PUT", http_ + "/index.html", 403, "", nil, ""},
		"root":                   {nil, "GET", http_ + "/", 403, "", nil, ""},
		"root object":            {func(s *providers.Settings) { s.DefaultRootObject = "index.html" }, "GET", http_ + "/", 200, index, nil, ""},
		"origin of wrong kind":   {func(s *providers.Settings) { s.OriginKind = providers.WebsiteOrigin }, "GET", http_ + "/index.html", 502, "", nil, ""},
		"origin of wrong region": {func(s *providers.Settings) { s.OriginDomain = "assets.example.com.s3.eu-west-3.amazonaws.com" }, "GET", http_ + "/index.html", 301, "", nil, ""},
		"global origin":          {func(s *providers.Settings) { s.OriginDomain = "assets.example.com.s3.amazonaws.com" }, "GET", http_ + "/index.html", 307, "", map[string]string{"Location": "http://assets.example.com.s3.eu-west-1.amazonaws.com/index.html"}, ""},
	}
	for title, c := range cases {
		t.Run(title, func(t *testing.T) {
			inBubble(t, nil, func(t *testing.T, w *World) {
				d := edgeOfAssets(w, c.change)
				got, err := w.Providers().Web.Fetch(t.Context(), providers.Request{Method: c.method, URL: strings.Replace(c.url, "DOMAIN", d.Domain, 1), Dial: d.Domain})
				if c.err != "" || err != nil {
					if err == nil || c.err == "" || !strings.Contains(err.Error(), c.err) {
						t.Errorf("error is %v, want one that says %q", err, c.err)
					}
					return
				}
				if got.Status != c.status || c.sha != "" && got.SHA256 != c.sha {
					t.Errorf("%+v, want %d with %s", got, c.status, c.sha)
				}
				if !strings.Contains(got.Header.Get("Via"), "cloudfront.net (CloudFront)") || got.Header.Get("X-Amz-Cf-Id") == "" {
					t.Errorf("not CloudFront's: %v", got.Header)
				}
				for k, v := range c.header {
					if got.Header.Get(k) != v {
						t.Errorf("%s: %q, want %q", k, got.Header.Get(k), v)
					}
				}
			})
		})
	}
}

// TestAnswersAgree: what S3 gives under the alias and what CloudFront gives are
// the same in all that visitors notice.
func TestAnswersAgree(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *World) {
		d := edgeOfAssets(w, nil)
		for _, path := range []string{"/index.html", "/a%20b/%C3%B6.txt", "/cached.css", "/none", "/"} {
			var answers []providers.Response
			for _, dial := range []string{"s3.eu-west-1.amazonaws.com", d.Domain} {
				got := must[providers.Response](t)(w.Providers().Web.Fetch(t.Context(), providers.Request{Method: "GET", URL: "http://assets.example.com" + path, Dial: dial}))
				noticed := http.Header{}
				for _, k := range []string{"Content-Type", "Content-Length", "ETag", "Cache-Control", "Last-Modified", "Location", "Accept-Ranges"} {
					noticed[k] = got.Header.Values(k)
				}
				if got.Status >= 400 { // the body has a request's id
					got.SHA256 = ""
				}
				got.Header = noticed
				answers = append(answers, got)
			}
			if diff := cmp.Diff(answers[0], answers[1]); diff != "" {
				t.Errorf("%s:\n%s", path, diff)
			}
		}
	})
}

func TestEdgesCache(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *World) {
		id := w.AddCachePolicy("", "edgeward-1", providers.CacheSettings{MaxTTL: 31536000, QueryStrings: true, Headers: []string{"Origin"}}, false)
		d := edgeOfAssets(w, func(s *providers.Settings) { s.CachePolicyID, s.ErrorTTL = id, 5 })
		get := func(path string, origin bool) providers.Response {
			t.Helper()
			h := http.Header{}
			if origin {
				h.Set("Origin", "http://example.net")
			}
			return must[providers.Response](t)(w.Providers().Web.Fetch(t.Context(), providers.Request{Method: "GET", URL: "http://assets.example.com" + path, Dial: d.Domain, Header: h}))
		}
		first := get("/cached.css", false)
		time.Sleep(time.Minute)
		second := get("/cached.css", false)
		if a, b := first.Header.Get("X-Cache"), second.Header.Get("X-Cache"); a != "Miss from cloudfront" || b != "Hit from cloudfront" || second.Header.Get("Age") < "60" {
			t.Errorf("%s, then %s of age %s", a, b, second.Header.Get("Age"))
		}
		if with := get("/cached.css", true); with.Header.Get("Access-Control-Allow-Origin") != "*" || second.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("with Origin: %v", with.Header)
		}
		w.EditBucket("assets.example.com", func(b *Bucket) {
			b.Objects = []Object{{Key: "cached.css", Body: []byte("new"), CacheControl: "max-age=600"}, {Key: "index.html", Body: []byte("new")}}
		})
		if got := get("/cached.css", false); got.SHA256 != first.SHA256 {
			t.Error("an object that may be kept for ten minutes was not kept")
		}
		if got := get("/index.html", false); got.SHA256 != digest([]byte("new")) {
			t.Error("an object without Cache-Control was kept")
		}
		time.Sleep(10 * time.Minute)
		if got := get("/cached.css", false); got.SHA256 != digest([]byte("new")) {
			t.Error("an object was kept for more than ten minutes")
		}
		later := func(o ...Object) {
			w.EditBucket("assets.example.com", func(b *Bucket) { b.Listing, b.Objects = true, o })
		}
		if got := get("/later", false); got.Status != 403 {
			t.Errorf("%+v", got)
		}
		later()
		if got := get("/later", false); got.Status != 404 {
			t.Error("a 403 without Cache-Control was kept")
		}
		later(Object{Key: "later", Body: []byte("x")})
		if got := get("/later", false); got.Status != 404 {
			t.Error("a 404 was not kept")
		}
		time.Sleep(6 * time.Second)
		if got := get("/later", false); got.Status != 200 {
			t.Error("an error was kept for more than its five seconds")
		}
	})
}
