package proof

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestFreshOf(t *testing.T) {
	until := time.Date(2032, time.January, 1, 0, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		control, expires string
		want             freshness
	}{
		"nothing":                  {"", "", freshness{unsaid: true, seconds: -1}},
		"public says nothing":      {"public, immutable", "", freshness{unsaid: true, seconds: -1}},
		"max-age":                  {"max-age=60", "", freshness{seconds: 60}},
		"max-age in quotes":        {`Max-Age="60" , public`, "", freshness{seconds: 60}},
		"max-age before Expires":   {"max-age=60", "0", freshness{seconds: 60}},
		"s-maxage before max-age":  {"max-age=0, s-maxage=60", "", freshness{seconds: 60}},
		"max-age=0":                {"max-age=0", "", freshness{never: true}},
		"max-age that is none":     {"max-age=soon", "", freshness{never: true}},
		"max-age below 0":          {"max-age=-5", "", freshness{never: true}},
		"too long a number":        {"max-age=99999999999999999999", "", freshness{never: true}},
		"no-cache":                 {"no-cache", "", freshness{never: true, seconds: -1}},
		"no-cache for some fields": {`no-cache="set-cookie, x", max-age=5`, "", freshness{seconds: 5}},
		"private":                  {"private, max-age=60", "", freshness{never: true, seconds: -1}},
		"while revalidating":       {"max-age=60, stale-while-revalidate=30", "", freshness{seconds: 90}},
		"Expires":                  {"", "Thu, 01 Jan 2032 00:00:00 GMT", freshness{seconds: -1, until: until}},
		"Expires that is none":     {"", "0", freshness{never: true, seconds: -1}},
	} {
		h := http.Header{}
		if c.control != "" {
			h.Set("Cache-Control", c.control)
		}
		if c.expires != "" {
			h.Set("Expires", c.expires)
		}
		a := answer{}
		a.Header = h
		got := freshOf(sideOf(a))
		got.text = ""
		if d := cmp.Diff(c.want, got, cmp.AllowUnexported(freshness{})); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

func TestKept(t *testing.T) {
	for name, c := range map[string]struct {
		headers []string
		kept    bool
		age     int64
	}{
		"nothing":              {nil, false, -1},
		"miss":                 {[]string{"X-Cache: Miss from cloudfront"}, false, -1},
		"hit":                  {[]string{"X-Cache: Hit from cloudfront", "Age: 0"}, true, 0},
		"refresh hit":          {[]string{"X-Cache: RefreshHit from cloudfront", "Age: 7"}, false, 7},
		"error":                {[]string{"X-Cache: Error from cloudfront"}, false, -1},
		"error with an age":    {[]string{"X-Cache: Error from cloudfront", "Age: 7"}, true, 7},
		"age alone":            {[]string{"Age: 1"}, true, 1},
		"age that is none":     {[]string{"Age: soon"}, false, -1},
		"age below 0":          {[]string{"Age: -1"}, false, -1},
		"two caches":           {[]string{"X-Cache: MISS, HIT"}, true, -1},
		"revalidated":          {[]string{"Cf-Cache-Status: REVALIDATED", "Age: 3"}, false, 3},
		"expired":              {[]string{"Cf-Cache-Status: EXPIRED"}, false, -1},
		"stale":                {[]string{"Cf-Cache-Status: STALE"}, true, -1},
		"squid":                {[]string{"X-Cache: TCP_HIT from proxy"}, true, -1},
		"squid asked again":    {[]string{"X-Cache: TCP_REFRESH_HIT from proxy"}, false, -1},
		"RFC 9211":             {[]string{"Cache-Status: edge; hit; ttl=30"}, true, -1},
		"RFC 9211 asked again": {[]string{"Cache-Status: edge; fwd=stale"}, false, -1},
	} {
		got := kept(sideOf(turned(said(200, ""), c.headers...)))
		if got.kept != c.kept || got.age != c.age {
			t.Errorf("%s: kept %t, age %d; want %t, %d", name, got.kept, got.age, c.kept, c.age)
		}
		if got.kept && got.text == "" {
			t.Errorf("%s: says nothing", name)
		}
	}
}

func TestSpansOf(t *testing.T) {
	for value, want := range map[string]spans{
		"bytes=0-0": {}, "bytes=5-": {}, "bytes=-5": {}, "bytes = 0-1": {}, "bytes=100-200,300-400": {many: true}, "bytes=0-0, -1": {many: true},
		"bytes=300-400,100-200": {many: true, odd: true}, "bytes=100-200,150-250": {many: true, odd: true}, "bytes=5-2": {odd: true}, "bytes=-": {odd: true},
		"bytes=": {odd: true}, "bytes=x-y": {odd: true}, "lines=0-1": {odd: true}, "": {odd: true}, "bytes=99999999999999999999-": {odd: true}, "bytes=0-1,": {many: true, odd: true},
	} {
		if got := spansOf(value); got != want {
			t.Errorf("%q: %+v, want %+v", value, got, want)
		}
	}
}

func TestPlaceOf(t *testing.T) {
	for name, c := range map[string]struct{ raw, site, path, want string }{
		"relative":                {"/docs/", "http://a.example", "/docs", "| |/docs/"},
		"beside":                  {"x", "http://a.example", "/docs/y", "| |/docs/x"},
		"own host":                {"http://A.example:80/x", "http://a.example", "/", "| |/x"},
		"own host with a dot":     {"http://a.example./x", "http://a.example", "/", "| |/x"},
		"own host, other scheme":  {"https://a.example/x", "http://a.example", "/", "https| |/x"},
		"own host, other port":    {"http://a.example:8080/x", "http://a.example", "/", "http|a.example:8080|/x"},
		"without a scheme":        {"//b.example/x", "https://a.example", "/", "https|b.example|/x"},
		"elsewhere":               {"https://b.example", "http://a.example", "/", "https|b.example|/"},
		"query and fragment":      {"/x?a=%20b#c", "http://a.example", "/", "| |/x?a=%20b#c"},
		"escapes are kept":        {"/a%2Fb", "http://a.example", "/", "| |/a%2Fb"},
		"path before each target": {"http://a.example/base/x", "http://a.example/base", "/", "| |/x"},
		"unreadable":              {"http://[::1", "http://a.example", "/", "bad"},
		"backslash":               {`\\b.example`, "http://a.example", "/", "bad"},
		"nothing":                 {"", "http://a.example", "/", "bad"},
	} {
		p := placeOf(c.raw, c.site, c.path)
		got := "bad"
		if !p.bad {
			host := p.host
			if host == "" {
				host = " "
			}
			got = p.scheme + "|" + host + "|" + p.rest
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestWords(t *testing.T) {
	for in, want := range map[string]string{"plain": "plain", "a\x1b[31mb": "a?[31mb", "\xff": "?", "a\u202eb\u2028c": "a?b?c", "ünï": "ünï", "exactly10!": "exactly10!", "more than 10": "more than…"} {
		if got := clean(in, 10); got != want {
			t.Errorf("clean(%q) is %q, want %q", in, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0", 12: "12", 123: "123", 1234: "1,234", 123456: "123,456", 1234567: "1,234,567", -5: "-5", -1234: "-1,234"} {
		if got := commas(n); got != want {
			t.Errorf("commas(%d) is %q, want %q", n, got, want)
		}
	}
	if got := statusText(299); got != "299" {
		t.Error(got)
	}
}
