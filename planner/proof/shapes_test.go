package proof

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/edgeward/edgeward/providers"
)

// served is a left's answer with an object of n bytes.
func served(n int64) answer {
	a := answer{}
	a.Status, a.Length = http.StatusOK, n
	a.Header = http.Header{"Etag": {`"e"`}, "Last-Modified": {"Mon, 01 Jan 2024 00:00:00 GMT"}, "Content-Length": {fmt.Sprint(n)}}
	if n > bigBody {
		a.Length, a.Cut = glance, true
	}
	return a
}

func status(code int) answer {
	a := answer{}
	a.Status, a.Header = code, http.Header{}
	return a
}

// lines are the requests of groups as a Difference calls them.
func lines(groups []group) []string {
	var out []string
	for _, g := range groups {
		for _, a := range g.asks {
			out = append(out, pair{shape: a.shape, right: Site{URL: "https://a.test"}, warm: a.warm}.request())
		}
	}
	return out
}

func TestMatrix(t *testing.T) {
	cors := Facts{CloudFront: true, CORS: []providers.CORSRule{{Origins: []string{"https://a.example.com"}, Methods: []string{"GET"}, Headers: []string{"*"}}}}
	const preflight = "OPTIONS Origin: https://a.example.com, Access-Control-Request-Method: GET"
	const other = "OPTIONS Origin: https://other.example, Access-Control-Request-Method: GET"
	tests := map[string]struct {
		facts Facts
		path  string
		left  answer
		wide  wide
		want  []string
	}{
		"an object, CORS": {facts: cors, left: served(1000), want: []string{
			"GET (https)", "GET (https, warm)", "HEAD (https)", "GET Origin: https://a.example.com (https)", "GET Origin: https://other.example (https)",
			"GET ?edgeward=… (https)", "GET ?edgeward=… (https, warm)",
			`GET If-None-Match: "e" (https)`, `GET If-None-Match: "edgeward" (https)`,
			"GET If-Modified-Since: Mon, 01 Jan 2024 00:00:00 GMT (https)", "GET If-Modified-Since: Sat, 01 Jan 2000 00:00:00 GMT (https)",
			`GET If-Range: "e", Range: bytes=0-0 (https)`, `GET If-Range: "edgeward", Range: bytes=0-0 (https)`,
			"GET Range: bytes=0-0 (https)", "GET Range: bytes=500-599 (https)", "GET Range: bytes=-1 (https)", "GET Range: bytes=1000- (https)",
			"GET Range: bytes=999-1099 (https)", "GET Range: bytes=x-y (https)", "GET Range: bytes=0-0,2-2 (https)",
			"GET ?edgeward=… Range: bytes=0-0 (https)", "GET ?edgeward=…, after a Range (https)",
			"GET Accept-Encoding: gzip (https)", "GET Accept-Encoding: gzip (https, warm)", "GET without Accept-Encoding, after gzip (https)",
			"GET without Origin (https)", "GET Origin: https://a.example.com (https)", "GET Origin: https://a.example.com (https, warm)",
			"GET Origin: https://other.example (https)", "GET Origin: https://other.example (https, warm)", "GET without Origin (https, warm)",
			preflight + " (https)", other + " (https)", preflight + " (https, warm)",
			"GET ?versionId=edgeward (https)", "GET ?response-content-type=text%2Fx-edgeward (https)",
		}},
		"an object, CORS, with first": {facts: cors, left: served(1), wide: wide{order: 1, of: 2}, want: []string{
			"GET Origin: https://a.example.com (https)", "GET Origin: https://other.example (https)", "GET (https)", "GET (https, warm)", "HEAD (https)",
			"GET ?edgeward=… (https)", "GET ?edgeward=… (https, warm)",
			`GET If-None-Match: "e" (https)`, `GET If-None-Match: "edgeward" (https)`,
			"GET If-Modified-Since: Mon, 01 Jan 2024 00:00:00 GMT (https)", "GET If-Modified-Since: Sat, 01 Jan 2000 00:00:00 GMT (https)",
			`GET If-Range: "e", Range: bytes=0-0 (https)`, `GET If-Range: "edgeward", Range: bytes=0-0 (https)`,
			"GET Range: bytes=0-0 (https)", "GET Range: bytes=1- (https)", "GET Range: bytes=0-100 (https)", "GET Range: bytes=x-y (https)",
			"GET Accept-Encoding: gzip (https)", "GET Accept-Encoding: gzip (https, warm)", "GET without Accept-Encoding, after gzip (https)",
			"GET Origin: https://a.example.com (https)", "GET Origin: https://a.example.com (https, warm)", "GET without Origin, after one with it (https)",
			"GET without Origin, after one with it (https, warm)", "GET Origin: https://other.example (https)", "GET Origin: https://other.example (https, warm)",
			preflight + " (https)", other + " (https)", preflight + " (https, warm)",
			"GET ?versionId=edgeward (https)", "GET ?response-content-type=text%2Fx-edgeward (https)",
		}},
		"an empty object": {facts: Facts{CloudFront: true}, left: served(0), wide: wide{order: fewCORS, of: 9}, want: []string{
			"GET (https)", "GET (https, warm)", "HEAD (https)", "GET ?edgeward=… (https)", "GET ?edgeward=… (https, warm)",
			`GET If-None-Match: "e" (https)`, `GET If-None-Match: "edgeward" (https)`,
			"GET If-Modified-Since: Mon, 01 Jan 2024 00:00:00 GMT (https)", "GET If-Modified-Since: Sat, 01 Jan 2000 00:00:00 GMT (https)",
			"GET Range: bytes=0-0 (https)",
			"GET Accept-Encoding: gzip (https)", "GET Accept-Encoding: gzip (https, warm)", "GET without Accept-Encoding, after gzip (https)",
			"GET ?versionId=edgeward (https)", "GET ?response-content-type=text%2Fx-edgeward (https)",
		}},
		"a missing key": {facts: Facts{CloudFront: true}, left: status(404), wide: wide{order: fewCORS, of: 9}, want: []string{
			"GET (https)", "GET (https, warm)", "HEAD (https)", "GET ?edgeward=… (https)", "GET ?edgeward=… (https, warm)",
			"GET ?versionId=edgeward (https)", "GET ?response-content-type=text%2Fx-edgeward (https)",
		}},
		"a redirect, no rules": {facts: Facts{CloudFront: true}, left: status(302), want: []string{
			"GET (https)", "GET (https, warm)", "HEAD (https)", "GET Origin: https://edgeward.example (https)",
			"GET ?edgeward=… (https)", "GET ?edgeward=… (https, warm)",
			"GET without Origin (https)", "GET Origin: https://edgeward.example (https)", "GET Origin: https://edgeward.example (https, warm)",
			"GET without Origin (https, warm)", "OPTIONS Origin: https://edgeward.example, Access-Control-Request-Method: GET (https)",
			"GET ?versionId=edgeward (https)", "GET ?response-content-type=text%2Fx-edgeward (https)",
		}},
		"the root": {facts: Facts{CloudFront: true}, path: "/", left: status(403), wide: wide{order: fewCORS, of: 9}, want: []string{
			"GET (https)", "GET (https, warm)", "HEAD (https)", "GET ?edgeward=… (https)", "GET ?edgeward=… (https, warm)",
			"GET ?versionId=edgeward (https)", "GET ?response-content-type=text%2Fx-edgeward (https)", "GET ?list-type=2&max-keys=1 (https)",
		}},
		"the root has an object of its own": {facts: Facts{CloudFront: true, DefaultRootObject: "index.html"}, path: "/", left: status(403), want: []string{
			"GET (https)", "GET (https, warm)", "HEAD (https)",
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			x := Target{Path: tt.path, Size: size(tt.left)}
			if tt.path == "" {
				x.Path = "/o"
			}
			groups := matrix(tt.facts, x, plainGet(x), tt.left, tt.wide)
			if d := cmp.Diff(tt.want, lines(groups)); d != "" {
				t.Error(d)
			}
			for _, g := range groups {
				if fresh := !slices.Contains([]string{"plain", "conditional", "range", "preflight", "query"}, g.name); g.fresh != fresh {
					t.Errorf("%s: a query of its own %v", g.name, g.fresh)
				}
			}
		})
	}
}

// All of it, at the first name over both schemes; other names and targets plain.
func TestWhoGetsWhat(t *testing.T) {
	right := []Site{{URL: "http://a.test"}, {URL: "https://a.test"}, {URL: "http://b.test"}, {URL: "https://b.test"}}
	tests := map[string]struct {
		facts Facts
		right []Site
		whole bool
		want  []string // sites with more than one request, and how many with one
	}{
		"whole":               {right: right, whole: true, want: []string{"http://a.test", "https://a.test", "2 plain"}},
		"plain":               {right: right, want: []string{"4 plain"}},
		"http is redirected":  {facts: Facts{ViewerProtocol: "redirect-to-https"}, right: right, whole: true, want: []string{"https://a.test", "3 plain"}},
		"http is as it was":   {facts: Facts{ViewerProtocol: "allow-all"}, right: right, whole: true, want: []string{"http://a.test", "https://a.test", "2 plain"}},
		"only https, refused": {facts: Facts{ViewerProtocol: "https-only"}, right: right[1:2], whole: true, want: []string{"https://a.test", "0 plain"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o, _ := options(nil, nil)
				o.Right, o.Facts = tt.right, tt.facts
				x := Target{Path: "/o", Size: 9, Whole: tt.whole}
				r := newRun(o, []Target{x})
				asks := map[int]int{}
				var got []string
				plain := 0
				for _, c := range r.courses(x, 0, plainGet(x), served(9)) {
					asks[c.site] += len(c.group.asks)
				}
				for i, s := range tt.right {
					if asks[i] > 1 {
						got = append(got, s.URL)
					} else {
						plain++
					}
				}
				if d := cmp.Diff(tt.want, append(got, fmt.Sprint(plain, " plain"))); d != "" {
					t.Error(d)
				}
			})
		})
	}
}

// Of a big object no more than a piece is read at a time, whether its size was
// known or not, and its end is asked for.
func TestBigObjects(t *testing.T) {
	const n = bigBody + 12345
	for name, x := range map[string]Target{
		"known": {Path: "/o", Size: n}, "whole": {Path: "/o", Size: n, Whole: true}, "not known": {Path: "/o", Listed: true, Size: -1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o, _ := options(nil, nil)
				o.Right = o.Right[:1]
				asked := 0
				o.Web = webFunc(func(_ context.Context, r providers.Request) (providers.Response, error) {
					asked++
					if r.Limit > glance && (x.Size > 0 || asked > 1) || r.Limit == 0 {
						t.Errorf("%s %s reads up to %d", r.Method, r.URL, r.Limit)
					}
					return long(n, r, strings.Contains(r.URL, rightHost)), nil
				})
				got := compared(t, o, []Target{x})
				if got.Verdict != Broken || got.Differences[0].Request != "GET Range: bytes="+fmt.Sprintf("%d-%d", n-piece, n-1)+" (http)" {
					t.Errorf("%+v", got)
				}
			})
		})
	}
}

// long is an answer of n bytes, the last of which may be wrong.
func long(n int64, r providers.Request, wrong bool) providers.Response {
	out := providers.Response{Status: http.StatusOK, Header: http.Header{"Etag": {`"e"`}, "Content-Length": {fmt.Sprint(n)}, "Cache-Control": {"no-cache"}}}
	from, to := int64(0), n-1
	if v := r.Header.Get("Range"); v != "" && r.Header.Get("If-Range") == "" {
		if k, _ := fmt.Sscanf(v, "bytes=%d-%d", &from, &to); k == 1 && from < 0 {
			from, to = n+from, n-1
		}
		out.Status, to = http.StatusPartialContent, min(to, n-1)
	}
	out.Length, out.Cut = min(to-from+1, r.Limit), to-from+1 > r.Limit
	out.SHA256 = fmt.Sprint(from, out.Length, wrong && from+out.Length == n)
	return out
}

func TestOrigins(t *testing.T) {
	rules := func(patterns ...string) []providers.CORSRule {
		return []providers.CORSRule{{Origins: patterns, Methods: []string{"GET"}}}
	}
	tests := map[string]struct {
		facts Facts
		wide  wide
		want  []string
	}{
		"no rules":           {facts: Facts{CloudFront: true}, want: []string{anOrigin}},
		"no rules, later":    {facts: Facts{CloudFront: true}, wide: wide{order: fewCORS}},
		"nothing known":      {wide: wide{order: 40}, want: []string{anOrigin}},
		"all":                {facts: Facts{CORS: rules("*")}, want: []string{anOrigin, anotherOrigin}},
		"one":                {facts: Facts{CORS: rules("http://a.test:8080")}, wide: wide{order: 5, of: 9}, want: []string{"http://a.test:8080", anotherOrigin}},
		"wildcards":          {facts: Facts{CORS: rules("https://*.a.test", "*.b.test")}, want: []string{"https://edgeward.a.test", "https://edgeward.b.test", anotherOrigin}},
		"a scheme's":         {facts: Facts{CORS: rules("https://*")}, want: []string{"https://edgeward.example", "http://edgeward.invalid"}},
		"dealt out":          {facts: Facts{CORS: rules("http://a", "http://b", "http://c", "http://d", "http://e")}, wide: wide{order: 1, of: 2}, want: []string{"http://b", "http://c", "http://d", anotherOrigin}},
		"the last, of three": {facts: Facts{CORS: rules("http://a", "http://b", "http://c")}, wide: wide{order: 2, of: 3}, want: []string{"http://c", "http://a", anotherOrigin}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, _ := tt.wide.origins(tt.facts)
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Error(d)
			}
		})
	}
	patterns := []string{"http://a", "https://*.b", "*://c", "http://d*", "https://*"}
	for of := 1; of < 8; of++ {
		met := map[string]bool{}
		for order := range of {
			got, _ := wide{order: order, of: of}.origins(Facts{CORS: rules(patterns...)})
			for _, p := range patterns {
				met[p] = met[p] || slices.ContainsFunc(got, func(o string) bool { return allows(p, o) })
			}
			if allows("https://*", got[len(got)-1]) || slices.Contains(got[:len(got)-1], got[len(got)-1]) {
				t.Errorf("%d of %d: %q", order, of, got)
			}
		}
		if len(met) != len(patterns) || slices.ContainsFunc(patterns, func(p string) bool { return !met[p] }) {
			t.Errorf("with %d targets not all patterns are met: %v", of, met)
		}
	}
}

func TestAddress(t *testing.T) {
	tests := map[string]struct{ site, path, query, want, host string }{
		"plain":  {"http://a.test", "/b%20c", "", "http://a.test/b%20c", "a.test"},
		"query":  {"http://A.test:80", "/b", "x=1", "http://A.test:80/b?x=1", "a.test:80"},
		"second": {"http://a.test/base", "/b?y=2", "x=1", "http://a.test/base/b?y=2&x=1", "a.test"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := Site{URL: tt.site}
			if got := address(s, tt.path, tt.query); got != tt.want || s.host() != tt.host {
				t.Errorf("%s at %s", got, s.host())
			}
		})
	}
}

func TestRequestText(t *testing.T) {
	p := pair{shape: with(partRange, "Range", "bytes=0-0"), right: Site{URL: "https://b.test"}, host: "b.test", warm: true}
	if got := p.request(); got != "GET Range: bytes=0-0 (https, b.test, warm)" {
		t.Error(got)
	}
}
