package proof_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/edgeward/edgeward/planner/proof"
	"github.com/edgeward/edgeward/providers"
	"github.com/edgeward/edgeward/providers/sandbox"
)

// planted is one difference between two sites that are otherwise the same.
type planted struct {
	// bucket is what both sites have; restBucket when nil.
	bucket func() sandbox.Bucket
	// at are the paths compared; "/page.html" when empty.
	at []string
	// The fault: in what the right has stored, in the distribution's settings, or
	// before the distribution.
	stored func(b *sandbox.Bucket)
	edge   func(s *providers.Settings, c *providers.CacheSettings)
	front  front
	// schemes ("http"), and a prefix for the name, where they matter.
	schemes []string
	prefix  string
	// want is what must be named and nothing else: "ASPECT VERDICT", commas
	// between; one of several with "|".
	want string
	// with are aspects that the fault itself also shows, and may be named.
	with []proof.Aspect
	// on are the only paths that may be named; all when empty.
	on []string
}

// outcome compares the two sites of the case.
func (p planted) outcome(t *testing.T, l *lab) proof.Result {
	t.Helper()
	if p.bucket == nil {
		p.bucket = restBucket
	}
	if p.at == nil {
		p.at = []string{"/page.html"}
	}
	s := sites{left: p.bucket(), right: p.bucket(), edge: p.edge, front: p.front, schemes: p.schemes, prefix: p.prefix}
	if p.stored != nil {
		p.stored(&s.right)
	}
	got, err := proof.Compare(t.Context(), l.options(s), targets(s.left, p.at))
	if err != nil {
		t.Fatalf("compare: %v", err)
	}
	return got
}

// check says what of a result is not as the case wants it.
func (p planted) check(got proof.Result) []string {
	var faults []string
	named := map[string]bool{}
	wanted := strings.FieldsFunc(p.want, func(r rune) bool { return r == ',' || r == '|' })
	for _, d := range got.Differences {
		if d.Verdict.Passes() {
			continue
		}
		name := fmt.Sprintf("%s %s", d.Aspect, d.Verdict)
		named[name] = true
		if !slices.Contains(wanted, name) && !slices.Contains(p.with, d.Aspect) {
			faults = append(faults, "named besides: "+describe(d))
		}
		if p.on != nil && !slices.Contains(p.on, d.Path) {
			faults = append(faults, "named at another path: "+describe(d))
		}
		if d.Means == "" || d.Left == "" || d.Right == "" || d.Request == "" {
			faults = append(faults, "says too little: "+describe(d))
		}
	}
	for want := range strings.SplitSeq(p.want, ",") {
		if !slices.ContainsFunc(strings.Split(want, "|"), func(w string) bool { return named[w] }) {
			faults = append(faults, fmt.Sprintf("not named: %s; named are %q", want, slices.Sorted(maps.Keys(named))))
		}
	}
	return faults
}

func describe(d proof.Difference) string {
	return fmt.Sprintf("%s %s at %s, %s (and %d): %s -> %s: %s", d.Aspect, d.Verdict, d.Path, d.Request, d.Also, d.Left, d.Right, d.Means)
}

// TestPlantedDifferences proves the proof: each difference is found, named with
// its aspect and verdict, and nothing else is.
func TestPlantedDifferences(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	cases := corpus()
	if len(cases) < 60 {
		t.Errorf("%d cases, want 60 at least", len(cases))
	}
	for name, p := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, fault := range p.check(p.outcome(t, l)) {
				t.Error(fault)
			}
		})
	}
}

// corpus are all planted differences.
func corpus() map[string]planted {
	all := map[string]planted{}
	for _, part := range []map[string]planted{headers(), bodies(), statuses(), parts(), queries(), crossOrigin(), encodings(),
		websites(), keys(), connections(), caches(), settings(), few()} {
		for name, p := range part {
			if _, twice := all[name]; twice {
				panic(name)
			}
			all[name] = p
		}
	}
	return all
}

// onPage changes what the right has stored of /page.html.
func onPage(f func(o *sandbox.Object)) func(*sandbox.Bucket) {
	return func(b *sandbox.Bucket) { f(object(b, "page.html")) }
}

func headers() map[string]planted {
	return map[string]planted{
		"wrong type":                         {stored: onPage(func(o *sandbox.Object) { o.ContentType = "text/plain" }), want: "content-type changed"},
		"charset lost":                       {stored: onPage(func(o *sandbox.Object) { o.ContentType = "text/html" }), want: "content-type changed"},
		"type lost":                          {front: drop("Content-Type"), want: "content-type changed"},
		"Cache-Control lost":                 {front: drop("Cache-Control"), want: "cache-control changed"},
		"Cache-Control longer":               {stored: onPage(func(o *sandbox.Object) { o.CacheControl = "max-age=86400" }), want: "cache-control changed"},
		"Cache-Control added":                {at: []string{"/plain.txt"}, front: set("Cache-Control", "max-age=3600"), want: "cache-control changed"},
		"Expires lost":                       {at: []string{"/dated.pdf"}, front: drop("Expires"), want: "expires changed"},
		"Expires changed":                    {at: []string{"/dated.pdf"}, front: set("Expires", "Fri, 02 Jan 2032 00:00:00 GMT"), want: "expires changed"},
		"Content-Disposition lost":           {front: drop("Content-Disposition"), want: "content-disposition changed"},
		"Content-Disposition changed":        {stored: onPage(func(o *sandbox.Object) { o.ContentDisposition = "attachment" }), want: "content-disposition changed"},
		"Content-Language lost":              {stored: onPage(func(o *sandbox.Object) { o.ContentLanguage = "" }), want: "content-language changed"},
		"ETag lost":                          {front: drop("Etag"), want: "etag changed"},
		"ETag weak":                          {front: ok(func(h http.Header) { h.Set("Etag", "W/"+h.Get("Etag")) }), want: "etag changed"},
		"ETag of another kind":               {front: set("Etag", `"65e0726c-7d0"`), want: "etag changed"},
		"Last-Modified lost":                 {front: drop("Last-Modified"), want: "last-modified changed"},
		"Last-Modified of the copy":          {stored: onPage(func(o *sandbox.Object) { o.Modified = written.Add(time.Hour) }), want: "last-modified changed"},
		"Accept-Ranges lost":                 {front: drop("Accept-Ranges"), want: "accept-ranges changed"},
		"metadata lost":                      {stored: onPage(func(o *sandbox.Object) { o.Metadata = nil }), want: "metadata changed"},
		"metadata changed":                   {stored: onPage(func(o *sandbox.Object) { o.Metadata = map[string]string{"team": "mobile"} }), want: "metadata changed"},
		"metadata added":                     {stored: onPage(func(o *sandbox.Object) { o.Metadata = map[string]string{"team": "web", "copied": "yes"} }), want: "metadata changed"},
		"storage class lost":                 {front: drop("X-Amz-Storage-Class"), want: "amz-header changed"},
		"HSTS added":                         {front: always("Strict-Transport-Security", "max-age=31536000"), want: "header changed"},
		"Set-Cookie added":                   {front: always("Set-Cookie", "lb=1"), want: "header changed"},
		"security header added":              {front: always("X-Frame-Options", "DENY"), want: "header changed"},
		"header of the platform added":       {front: always("X-Powered-By", "edge"), want: "header changed"},
		"Vary added":                         {front: set("Vary", "User-Agent"), want: "vary changed"},
		"Vary of everything":                 {front: set("Vary", "*"), want: "vary changed"},
		"redirect location of a REST object": {stored: onPage(func(o *sandbox.Object) { o.Redirect = "/x" }), want: "amz-header changed"},
	}
}

func bodies() map[string]planted {
	body := func(key string, body []byte) func(*sandbox.Bucket) {
		return func(b *sandbox.Bucket) { object(b, key).Body = body }
	}
	follows := []proof.Aspect{proof.ETag, proof.ContentLength, proof.LastModified}
	return map[string]planted{
		"stale body": {stored: onPage(func(o *sandbox.Object) {
			o.Body, o.Modified = text(1990), written.Add(-24*time.Hour)
		}), want: "body broken", with: follows},
		"other bytes of the same length": {front: edit(func(r *http.Request, a *said) {
			if a.status < 300 && r.Method == http.MethodGet {
				garble(a)
			}
		}), want: "body broken"},
		"one byte of many":       {at: []string{"/image.png"}, stored: func(b *sandbox.Bucket) { object(b, "image.png").Body[34567] ^= 1 }, want: "body broken", with: follows},
		"truncated":              {stored: body("page.html", text(1024)), want: "body broken", with: follows},
		"cut within the body":    {at: []string{"/image.png"}, front: cut(4000), want: "answer broken|body broken", with: []proof.Aspect{proof.Range, proof.Body, proof.Answer}},
		"empty":                  {stored: body("page.html", nil), want: "body broken", with: append(follows, proof.Range)},
		"empty object with body": {at: []string{"/empty.txt"}, stored: body("empty.txt", []byte("\n")), want: "body broken", with: append(follows, proof.Range)},
		"script injected":        {stored: body("page.html", append(text(2000), "<script>"...)), want: "body broken", with: follows},
		"byte order mark":        {stored: body("plain.txt", append([]byte("\ufeff"), text(1500)...)), at: []string{"/plain.txt"}, want: "body broken", with: follows},
		"large object truncated": {at: []string{"/big.bin"}, stored: func(b *sandbox.Bucket) { object(b, "big.bin").Size = 33 << 20 },
			want: "body broken|content-length broken", with: append(follows, proof.Range)},
		"large object is another": {at: []string{"/big.bin"}, stored: func(b *sandbox.Bucket) {
			object(b, "big.bin").Fill = "another"
		}, want: "body broken", with: append(follows, proof.Range)},
		"large object loses its end": {at: []string{"/big.bin"}, front: onRanges(func(_ *http.Request, a *said) {
			if a.status == http.StatusPartialContent && !strings.HasPrefix(a.header.Get("Content-Range"), "bytes 0-") {
				a.body = make([]byte, len(a.body))
			}
		}), want: "range broken"},
	}
}

func statuses() map[string]planted {
	page := func(r *http.Request) bool { return r.URL.Path == "/page.html" }
	rewrite := func(key string) front {
		return func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				got := record(next, r)
				if got.status >= 400 {
					r = r.Clone(r.Context())
					r.URL.Path, r.RequestURI = "/"+key, "/"+key
					got = record(next, r)
				}
				got.write(w, r, false)
			})
		}
	}
	return map[string]planted{
		"404 for 403":                     {at: []string{"/missing"}, stored: func(b *sandbox.Bucket) { b.Listing = true }, want: "status changed"},
		"403 for 404":                     {bucket: listedBucket, at: []string{"/missing"}, stored: func(b *sandbox.Bucket) { b.Listing = false }, want: "status changed"},
		"missing key has the single page": {at: []string{"/missing"}, front: rewrite("page.html"), want: "status changed|status broken"},
		"object refused":                  {front: refuse(403, page), want: "status broken"},
		"object not found":                {front: refuse(404, page), want: "status broken"},
		"object unavailable":              {front: refuse(503, page), want: "status broken"},
		"bad gateway":                     {front: refuse(502, page), want: "status broken", schemes: []string{"http", "https"}},
		"one of three objects refused": {at: []string{"/page.html", "/plain.txt", "/image.png"}, front: refuse(403, func(r *http.Request) bool {
			return r.URL.Path == "/plain.txt"
		}), want: "status broken", on: []string{"/plain.txt"}},
		"unreadable object is readable": {at: []string{"/private.txt"}, stored: func(b *sandbox.Bucket) { object(b, "private.txt").Private = false }, want: "status broken"},
		"HEAD refused":                  {front: refuse(405, method(http.MethodHead)), want: "status broken"},
		"HEAD with another length": {front: edit(func(r *http.Request, a *said) {
			if r.Method == http.MethodHead {
				a.header.Set("Content-Length", "0")
			}
		}), want: "content-length changed"},
		"HEAD without type": {front: edit(func(r *http.Request, a *said) {
			if r.Method == http.MethodHead {
				a.header.Del("Content-Type")
			}
		}), want: "content-type changed"},
		"204 for an empty object": {at: []string{"/empty.txt"}, front: edit(func(_ *http.Request, a *said) {
			if a.status == http.StatusOK {
				a.status = http.StatusNoContent
				a.header.Del("Content-Length")
			}
		}), want: "status changed|status broken", with: []proof.Aspect{proof.ContentLength}},
	}
}

// parts are ranges and conditions.
func parts() map[string]planted {
	ranged := func(f func(r *http.Request, a *said)) front {
		return edit(func(r *http.Request, a *said) {
			if a.status == http.StatusPartialContent {
				f(r, a)
			}
		})
	}
	return map[string]planted{
		"200 for 206": {front: forget("Range"), want: "range changed|range broken"},
		"wrong range": {front: ranged(func(_ *http.Request, a *said) { a.body = text(2000)[:len(a.body)] }), want: "range broken"},
		"range shifted by one": {front: ranged(func(_ *http.Request, a *said) {
			a.body = append(slices.Clone(a.body[1:]), '!')
		}), want: "range broken"},
		"wrong Content-Range": {front: ranged(func(_ *http.Request, a *said) {
			a.header.Set("Content-Range", fmt.Sprintf("bytes 0-%d/2000", len(a.body)-1))
		}), want: "range changed|range broken"},
		"Content-Range without the length": {front: ranged(func(_ *http.Request, a *said) {
			before, _, _ := strings.Cut(a.header.Get("Content-Range"), "/")
			a.header.Set("Content-Range", before+"/*")
		}), want: "range changed|range broken"},
		"Content-Range lost": {front: ranged(func(_ *http.Request, a *said) { a.header.Del("Content-Range") }), want: "range changed|range broken"},
		"suffix range from the start": {front: ask(func(r *http.Request) {
			if n, ok := strings.CutPrefix(r.Header.Get("Range"), "bytes=-"); ok {
				r.Header.Set("Range", "bytes=0-"+n)
			}
		}), want: "range broken"},
		"416 lost": {front: func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				got := record(next, r)
				if got.status == http.StatusRequestedRangeNotSatisfiable {
					r = r.Clone(r.Context())
					r.Header.Del("Range")
					got = record(next, r)
				}
				got.write(w, r, false)
			})
		}, want: "range changed|range broken"},
		"ranges refused": {front: edit(func(_ *http.Request, a *said) {
			if a.status == http.StatusPartialContent {
				a.error(http.StatusRequestedRangeNotSatisfiable)
			}
		}), want: "range broken"},
		"304 lost":                  {front: forget("If-None-Match", "If-Modified-Since"), want: "conditional changed"},
		"If-None-Match ignored":     {front: forget("If-None-Match"), want: "conditional changed"},
		"If-Modified-Since ignored": {front: forget("If-Modified-Since"), want: "conditional changed"},
		"304 for another version": {front: edit(func(r *http.Request, a *said) {
			if r.Header.Get("If-None-Match") != "" {
				a.status, a.body = http.StatusNotModified, nil
				a.header.Del("Content-Length")
			}
		}), want: "conditional broken"},
		"304 for an older copy": {front: edit(func(r *http.Request, a *said) {
			if r.Header.Get("If-Modified-Since") != "" {
				a.status, a.body = http.StatusNotModified, nil
				a.header.Del("Content-Length")
			}
		}), want: "conditional broken"},
		"304 without the ETag": {front: edit(func(_ *http.Request, a *said) {
			if a.status == http.StatusNotModified {
				a.header.Del("Etag")
			}
		}), want: "conditional changed|etag changed"},
	}
}

func queries() map[string]planted {
	dropped := func(names ...string) front {
		return ask(func(r *http.Request) {
			q := r.URL.Query()
			for _, n := range names {
				q.Del(n)
			}
			r.URL.RawQuery = q.Encode()
		})
	}
	return map[string]planted{
		"query string dropped":  {front: ask(func(r *http.Request) { r.URL.RawQuery = "" }), want: "query-string changed|query-string broken"},
		"version ignored":       {front: dropped("versionId"), want: "query-string changed|query-string broken"},
		"response type ignored": {front: dropped("response-content-type", "response-content-disposition"), want: "query-string changed|query-string broken"},
		"queries refused":       {front: refuse(403, func(r *http.Request) bool { return r.URL.RawQuery != "" }), want: "query-string broken|status broken", with: []proof.Aspect{proof.QueryString}},
		"list-type refused":     {bucket: listedBucket, at: []string{"/"}, front: refuse(403, func(r *http.Request) bool { return onlyQuery(r, "list-type") }), want: "query-string broken|query-string changed|status broken"},
		"list-type dropped":     {bucket: listedBucket, at: []string{"/"}, front: dropped("list-type"), want: "query-string changed|query-string broken"},
		"listing changed": {bucket: listedBucket, at: []string{"/"}, stored: func(b *sandbox.Bucket) {
			b.Objects = slices.DeleteFunc(b.Objects, func(o sandbox.Object) bool { return o.Key == "plain.txt" })
		}, want: "body broken|body changed", with: []proof.Aspect{proof.ContentLength}},
		"listing lost":                {bucket: listedBucket, at: []string{"/"}, front: refuse(403, func(r *http.Request) bool { return r.URL.Path == "/" }), want: "status broken"},
		"listing gained":              {at: []string{"/"}, stored: func(b *sandbox.Bucket) { b.Listing = true }, want: "status broken"},
		"default root object unasked": {at: []string{"/"}, edge: root("page.html"), want: "status broken|status changed"},
		"default root object for a listing": {bucket: listedBucket, at: []string{"/"}, edge: root("page.html"),
			want: "body broken", with: allHeaders()},
	}
}

func root(key string) func(*providers.Settings, *providers.CacheSettings) {
	return func(s *providers.Settings, _ *providers.CacheSettings) { s.DefaultRootObject = key }
}

// allHeaders are what another object in its place may differ in.
func allHeaders() []proof.Aspect {
	return []proof.Aspect{proof.ContentType, proof.ContentLength, proof.ETag, proof.LastModified, proof.CacheControl, proof.AcceptRanges,
		proof.ContentDisposition, proof.ContentLanguage, proof.Metadata, proof.AmzHeader, proof.Range, proof.Conditional, proof.QueryString, proof.Caching}
}

func crossOrigin() map[string]planted {
	// Two targets, so that CORS is asked in both orders.
	at := []string{"/page.html", "/image.png"}
	return map[string]planted{
		"CORS never forwarded": {bucket: corsBucket, at: at[:1], edge: func(s *providers.Settings, c *providers.CacheSettings) {
			s.Methods, c.Headers = []string{"GET", "HEAD"}, nil
		}, want: "cors broken", with: []proof.Aspect{proof.Preflight}},
		"CORS headers dropped": {bucket: openBucket, at: at[:1], front: drop("Access-Control-Allow-Origin"), want: "cors broken", with: []proof.Aspect{proof.Preflight}},
		"CORS without Vary": {bucket: corsBucket, at: at[:1], front: edit(func(r *http.Request, a *said) {
			a.header.Del("Vary")
		}), want: "cors changed", with: []proof.Aspect{proof.Preflight}},
		"CORS lost when cached without Origin": {bucket: corsBucket, at: at, front: remember(0, noOrigin), want: "cors broken", with: []proof.Aspect{proof.Vary, proof.Caching}},
		"CORS lost when cached without Origin, any origin": {bucket: openBucket, at: at, front: remember(0, noOrigin), want: "cors broken",
			with: []proof.Aspect{proof.Vary, proof.Caching}},
		"one origin's answer served to another": {bucket: corsBucket, at: at, front: remember(0, func(r *http.Request) string {
			if r.Header.Get("Origin") == "" {
				return ""
			}
			return noOrigin(r)
		}), want: "cors broken", with: []proof.Aspect{proof.Caching}},
		"CORS for the wrong origin": {bucket: corsBucket, at: at[:1], front: ok(func(h http.Header) {
			if h.Get("Access-Control-Allow-Origin") != "" {
				h.Set("Access-Control-Allow-Origin", "https://www.example.com")
			}
		}), want: "cors broken", with: []proof.Aspect{proof.Preflight}},
		"CORS opened to all": {bucket: corsBucket, at: at[:1], front: ok(func(h http.Header) {
			h.Set("Access-Control-Allow-Origin", "*")
		}), want: "cors changed|cors broken", with: []proof.Aspect{proof.Preflight}},
		"CORS where the bucket has none": {at: at[:1], front: ok(func(h http.Header) { h.Set("Access-Control-Allow-Origin", "*") }), want: "cors changed"},
		"CORS credentials lost":          {bucket: corsBucket, at: at[:1], front: drop("Access-Control-Allow-Credentials"), want: "cors broken|cors changed", with: []proof.Aspect{proof.Preflight}},
		"exposed headers lost": {bucket: corsBucket, at: at[:1], stored: func(b *sandbox.Bucket) { b.CORS[0].Expose = nil },
			want: "cors broken|cors changed", with: []proof.Aspect{proof.Preflight}},
		"preflight refused": {bucket: corsBucket, at: at[:1], front: refuse(403, method(http.MethodOptions)), want: "preflight broken"},
		"preflight answered by the bucket's page": {bucket: corsBucket, at: at[:1], front: ask(func(r *http.Request) {
			if r.Method == http.MethodOptions {
				r.Method = http.MethodGet
			}
		}), want: "preflight broken"},
		"preflight without its headers": {bucket: corsBucket, at: at[:1], front: edit(func(r *http.Request, a *said) {
			a.header.Del("Access-Control-Allow-Headers")
		}), want: "preflight broken"},
		"preflight with fewer methods": {bucket: corsBucket, at: at[:1], front: edit(func(r *http.Request, a *said) {
			if r.Method == http.MethodOptions {
				a.header.Set("Access-Control-Allow-Methods", "HEAD")
			}
		}), want: "preflight broken"},
		"preflight kept for less time": {bucket: corsBucket, at: at[:1], front: edit(func(r *http.Request, a *said) {
			if r.Method == http.MethodOptions {
				a.header.Del("Access-Control-Max-Age")
			}
		}), want: "preflight changed"},
		"preflight allowed where the bucket refuses": {at: at[:1], front: edit(func(r *http.Request, a *said) {
			if r.Method == http.MethodOptions {
				a.status, a.body = http.StatusOK, nil
				a.header.Set("Access-Control-Allow-Origin", "*")
				a.header.Set("Access-Control-Allow-Methods", "GET")
			}
		}), want: "preflight changed"},
	}
}

func encodings() map[string]planted {
	return map[string]planted{
		"Content-Encoding lost": {at: []string{"/app.js"}, front: drop("Content-Encoding"), want: "content-encoding broken"},
		"gzip undone": {at: []string{"/app.js"}, stored: func(b *sandbox.Bucket) {
			o := object(b, "app.js")
			o.Body, o.ContentEncoding = text(4000), ""
		}, want: "content-encoding changed|content-encoding broken|compression changed", with: []proof.Aspect{proof.ETag, proof.ContentLength, proof.Range, proof.Conditional}},
		"compressed unasked": {at: []string{"/plain.txt"}, edge: func(s *providers.Settings, c *providers.CacheSettings) {
			s.Compress, c.Gzip = true, true
		}, want: "compression changed"},
		"gzip of an encoded object":     {at: []string{"/app.js"}, front: compress(true), want: "compression broken|content-encoding broken"},
		"gzip to those who did not ask": {at: []string{"/plain.txt"}, front: compress(false), want: "compression broken|content-encoding broken"},
		"gzip kept for those who did not ask": {at: []string{"/plain.txt"}, front: func(next http.Handler) http.Handler {
			return remember(0, noOrigin)(compress(true)(ask(func(r *http.Request) {
				r.Header.Set("Accept-Encoding", "gzip") // as the first visitor asked
			})(next)))
		}, want: "compression broken|content-encoding broken", with: []proof.Aspect{proof.Caching}},
		"gzip that is none": {at: []string{"/plain.txt"}, front: edit(func(r *http.Request, a *said) {
			if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") && a.status == http.StatusOK {
				a.header.Set("Content-Encoding", "gzip")
			}
		}), want: "compression broken|content-encoding broken"},
		"another encoding than its own": {at: []string{"/app.js"}, front: set("Content-Encoding", "br"), want: "content-encoding broken"},
	}
}

func websites() map[string]planted {
	website := func(at, want string, f front) planted {
		return planted{bucket: siteBucket, at: strings.Fields(at), front: f, want: want}
	}
	at := func(path string, f func(r *http.Request, a *said)) front {
		return edit(func(r *http.Request, a *said) {
			if r.URL.Path == path && r.Method != http.MethodOptions {
				f(r, a)
			}
		})
	}
	location := func(to string) func(r *http.Request, a *said) {
		return func(_ *http.Request, a *said) {
			if a.header.Get("Location") != "" {
				a.header.Set("Location", to)
			}
		}
	}
	notThere := func(r *http.Request, a *said) { a.error(http.StatusNotFound) }
	return map[string]planted{
		"index document missing":             website("/ /style.css", "status broken", at("/", notThere)),
		"index document of a folder missing": website("/docs/ /style.css", "status broken", at("/docs/", notThere)),
		"root serves another page":           {bucket: siteBucket, at: []string{"/"}, edge: root("docs/index.html"), want: "body broken", with: allHeaders()},
		"folder redirect lost":               website("/docs /style.css", "redirect broken", at("/docs", notThere)),
		"folder served without redirect": website("/docs /style.css", "redirect broken|redirect changed", path(func(p string) string {
			if p == "/docs" {
				return "/docs/"
			}
			return p
		})),
		"folder redirect to the document": website("/docs", "redirect changed|redirect broken", at("/docs", location("/docs/index.html"))),
		"302 becomes 301":                 website("/docs", "redirect changed", at("/docs", func(_ *http.Request, a *said) { a.status = http.StatusMovedPermanently })),
		"redirect to the origin's host": website("/docs", "redirect broken",
			at("/docs", location("http://bucket.s3.eu-west-1.amazonaws.com/docs/"))),
		"redirect to itself":        website("/docs", "redirect broken", at("/docs", location("/docs"))),
		"error document replaced":   website("/missing", "body changed|body broken", at("/missing", notThere)),
		"error document with 200":   website("/missing", "status changed|status broken", at("/missing", func(_ *http.Request, a *said) { a.status = http.StatusOK })),
		"error document with 403":   website("/missing", "status changed", at("/missing", func(_ *http.Request, a *said) { a.status = http.StatusForbidden })),
		"private page readable":     {bucket: siteBucket, at: []string{"/private.html"}, stored: func(b *sandbox.Bucket) { object(b, "private.html").Private = false }, want: "status broken"},
		"routing rule lost":         {bucket: siteBucket, at: []string{"/old/a"}, stored: func(b *sandbox.Bucket) { b.Website.RoutingRules = nil }, want: "redirect broken"},
		"routing rule leads astray": {bucket: siteBucket, at: []string{"/old/a"}, stored: func(b *sandbox.Bucket) { b.Website.RoutingRules[0].ReplaceKeyPrefix = nil }, want: "redirect broken|redirect changed"},
		"routing rule leaks the S3 host": {bucket: func() sandbox.Bucket {
			b := siteBucket()
			b.Website.RoutingRules[0].HostName = ""
			return b
		}, at: []string{"/old/a"}, want: "redirect broken"},
		"object's redirect lost":  {bucket: siteBucket, at: []string{"/moved.html"}, stored: func(b *sandbox.Bucket) { object(b, "moved.html").Redirect = "" }, want: "redirect broken"},
		"redirect-all lost":       {bucket: leaveBucket, at: []string{"/", "/any"}, stored: func(b *sandbox.Bucket) { b.Website = siteBucket().Website }, want: "redirect broken"},
		"redirect-all over http":  {bucket: leaveBucket, at: []string{"/", "/any"}, stored: func(b *sandbox.Bucket) { b.Website.RedirectAllProtocol = "http" }, want: "redirect changed|redirect broken"},
		"redirect-all loses path": {bucket: leaveBucket, at: []string{"/any"}, front: edit(location("https://www.example.com/")), want: "redirect broken|redirect changed"},
		"REST endpoint for a website": {bucket: siteBucket, at: []string{"/", "/docs", "/docs/", "/missing"}, edge: func(s *providers.Settings, _ *providers.CacheSettings) {
			s.OriginKind, s.OriginDomain = providers.RESTOrigin, strings.Replace(s.OriginDomain, "s3-website-", "s3.", 1)
		},
			want: "redirect broken,status broken", with: []proof.Aspect{proof.StatusCode, proof.AmzHeader, proof.ContentType, proof.Body, proof.QueryString}},
	}
}

func keys() map[string]planted {
	odd := func(key, want string, f front) planted {
		return planted{at: []string{key, "/page.html"}, front: f, want: want, on: []string{key}}
	}
	swap := func(from, to string) front {
		return path(func(p string) string { return strings.ReplaceAll(p, from, to) })
	}
	return map[string]planted{
		"plus read as a space":   odd("/a+b.txt", "status broken|body broken", swap("+", "%20")),
		"space read as a plus":   odd("/a%20b.txt", "status broken|body broken", swap("%20", "+")),
		"%2F refused":            odd("/x%2Fy.txt", "status broken", refuse(404, func(r *http.Request) bool { return strings.Contains(r.URL.EscapedPath(), "%2F") })),
		"double slash collapsed": odd("/d//e.txt", "status broken", swap("//", "/")),
		"double slash redirected": odd("/d//e.txt", "redirect broken|redirect changed|status broken", edit(func(r *http.Request, a *said) {
			if strings.Contains(r.URL.Path, "//") {
				a.error(http.StatusMovedPermanently)
				a.header.Set("Location", strings.ReplaceAll(r.URL.Path, "//", "/"))
			}
		})),
		"UTF-8 normalised":   odd("/%C3%A4.txt", "status broken", swap("%C3%A4", "a%CC%88")),
		"UTF-8 as Latin-1":   odd("/%C3%A4.txt", "status broken", swap("%C3%A4", "%E4")),
		"case folded":        odd("/UPPER.txt", "status broken", path(strings.ToLower)),
		"percent read twice": odd("/100%25.txt", "status broken", refuse(400, func(r *http.Request) bool { return strings.Contains(r.URL.Path, "%") })),
		"question mark lost": odd("/q%3F.txt", "status broken", swap("%3F", "")),
		"long key refused":   odd("/"+longKey(), "status broken", refuse(414, func(r *http.Request) bool { return len(r.URL.Path) > 512 })),
		"extension cut off":  odd("/x/y.txt", "status broken", path(func(p string) string { return strings.Replace(p, "y.txt", "y", 1) })),
	}
}

func connections() map[string]planted {
	both := []string{"http", "https"}
	return map[string]planted{
		"wrong certificate": {prefix: "other-", schemes: both, want: "answer broken"},
		"https refused":     {prefix: "refused-", schemes: both, want: "answer broken"},
		"connection closed": {front: silent, want: "answer broken"},
		"one object no answer": {at: []string{"/page.html", "/plain.txt"}, front: func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/plain.txt" {
					silent(nil).ServeHTTP(w, r)
				}
				next.ServeHTTP(w, r)
			})
		}, want: "answer broken", on: []string{"/plain.txt"}},
		"http redirected unasked": {schemes: both, edge: func(s *providers.Settings, _ *providers.CacheSettings) {
			s.ViewerProtocol = "redirect-to-https"
		}, want: "redirect changed"},
		"http refused": {schemes: both, front: refuse(403, func(r *http.Request) bool { return r.TLS == nil }), want: "status broken"},
		"https redirected to http": {schemes: both, front: edit(func(r *http.Request, a *said) {
			if r.TLS != nil {
				a.error(http.StatusFound)
				a.header.Set("Location", "http://"+r.Host+r.URL.RequestURI())
			}
		}), want: "redirect changed|redirect broken"},
		"redirected in a circle": {front: edit(func(r *http.Request, a *said) {
			a.error(http.StatusFound)
			a.header.Set("Location", "http://"+r.Host+r.URL.RequestURI())
		}), want: "redirect broken"},
		"only https has another body": {schemes: both, front: scheme(true, edit(func(r *http.Request, a *said) {
			if r.Method == http.MethodGet && a.status < 300 {
				garble(a)
			}
		})), want: "body broken"},
		"only http has HSTS": {schemes: both, front: scheme(false, always("Strict-Transport-Security", "max-age=60")), want: "header changed"},
	}
}

func caches() map[string]planted {
	const day = 24 * time.Hour
	at := func(key, want string, f front) planted {
		return planted{at: []string{key}, front: f, want: want}
	}
	return map[string]planted{
		"kept for a day":       at("/plain.txt", "caching changed", remember(day-time.Minute, plainly)),
		"kept for a minute":    at("/plain.txt", "caching changed", remember(time.Minute, plainly)),
		"no-cache kept":        at("/fresh.json", "caching changed", remember(30*time.Second, plainly)),
		"private kept":         at("/secret.json", "caching changed|caching broken", remember(30*time.Second, plainly)),
		"max-age exceeded":     at("/page.html", "caching changed", remember(time.Hour, plainly)),
		"errors kept for long": at("/missing", "caching changed", remember(time.Hour, plainly)),
		"only warm is wrong":   at("/page.html", "body broken", seen(func(again bool, a *said) { spoil(again, a) })),
		"only cold is wrong":   at("/page.html", "body broken|unsteady broken", seen(func(again bool, a *said) { spoil(!again, a) })),
		"only what is not in the cache is wrong": at("/page.html", "body broken", edit(func(r *http.Request, a *said) {
			if onlyQuery(r, "edgeward=") && a.status == http.StatusOK {
				garble(a)
			}
		})),
		"only warm is refused": at("/page.html", "status broken", seen(func(again bool, a *said) { refuseIf(again, a) })),
		"warm loses its type":  at("/page.html", "content-type changed", seen(func(again bool, a *said) { untype(again, a) })),
	}
}

// settings are distributions that somebody set up otherwise than edgeward does.
func settings() map[string]planted {
	at := func(paths, want string, edge func(s *providers.Settings, c *providers.CacheSettings)) planted {
		return planted{at: strings.Fields(paths), edge: edge, want: want}
	}
	const optimized, security, simpleCORS = "658327ea-f89d-4fab-a63d-7e88639e58f6", "67f7725c-6f97-4210-82d7-5512b31e9d03", "60669652-455b-4ae9-85a4-c4c02393f86c"
	all := map[string]planted{
		"CachingOptimized": at("/plain.txt", "caching changed,query-string changed|query-string broken", func(s *providers.Settings, _ *providers.CacheSettings) {
			s.CachePolicyID = optimized
		}),
		"default TTL of a day":  at("/plain.txt /fresh.json", "caching changed", func(_ *providers.Settings, c *providers.CacheSettings) { c.DefaultTTL = 86400 }),
		"minimum TTL":           at("/fresh.json /secret.json", "caching changed", func(_ *providers.Settings, c *providers.CacheSettings) { c.MinTTL, c.DefaultTTL = 60, 60 }),
		"no query strings":      at("/page.html /image.png", "query-string changed|query-string broken", func(_ *providers.Settings, c *providers.CacheSettings) { c.QueryStrings = false }),
		"security headers":      at("/page.html", "header changed", func(s *providers.Settings, _ *providers.CacheSettings) { s.ResponseHeadersID = security }),
		"SimpleCORS":            at("/page.html", "cors changed", func(s *providers.Settings, _ *providers.CacheSettings) { s.ResponseHeadersID = simpleCORS }),
		"alias forgotten":       at("/page.html", "status broken", func(s *providers.Settings, _ *providers.CacheSettings) { s.Aliases = nil }),
		"distribution disabled": at("/page.html", "status broken", func(s *providers.Settings, _ *providers.CacheSettings) { s.Enabled = false }),
		"origin of wrong region": at("/page.html", "redirect broken|status broken", func(s *providers.Settings, _ *providers.CacheSettings) {
			s.OriginDomain = strings.Replace(s.OriginDomain, "eu-west-1", "eu-west-3", 1)
		}),
		"global origin": at("/page.html", "redirect broken", func(s *providers.Settings, _ *providers.CacheSettings) {
			s.OriginDomain = strings.Replace(s.OriginDomain, "eu-west-1.", "", 1)
		}),
		"https only":     at("/page.html", "status broken", func(s *providers.Settings, _ *providers.CacheSettings) { s.ViewerProtocol = "https-only" }),
		"bucket locked":  {stored: func(b *sandbox.Bucket) { b.Private = true }, want: "status broken"},
		"requester pays": {stored: func(b *sandbox.Bucket) { b.RequesterPays = true }, want: "status broken"},
	}
	origin := at("/page.html /image.png", "cors broken", func(s *providers.Settings, c *providers.CacheSettings) {
		s.OriginRequestID, c.Headers = "88a5eaf4-2fd4-4709-b370-b4c650ea3fcf", nil // CORS-S3Origin
	})
	origin.bucket, origin.with = corsBucket, []proof.Aspect{proof.Preflight}
	all["Origin forwarded but not in the key"] = origin
	options := at("/page.html", "preflight broken", func(s *providers.Settings, _ *providers.CacheSettings) { s.Methods = []string{"GET", "HEAD"} })
	options.bucket = corsBucket
	all["OPTIONS not allowed"] = options
	return all
}

func spoil(yes bool, a *said) {
	if yes {
		garble(a)
	}
}

func refuseIf(yes bool, a *said) {
	if yes {
		a.error(http.StatusForbidden)
	}
}

func untype(yes bool, a *said) {
	if yes {
		a.header.Set("Content-Type", "application/octet-stream")
	}
}

// few are differences that only some answers show.
func few() map[string]planted {
	return map[string]planted{
		"flaky body, one in three":   {front: onceIn(3, garble), want: "unsteady broken|body broken", with: []proof.Aspect{proof.Range, proof.Body}},
		"flaky errors, one in three": {front: onceIn(3, func(a *said) { a.error(503) }), want: "unsteady broken|status broken", with: []proof.Aspect{proof.StatusCode, proof.Unsteady}},
		"two causes, a type and the query string": {stored: onPage(func(o *sandbox.Object) { o.ContentType = "text/plain" }),
			front: ask(func(r *http.Request) { r.URL.RawQuery = "" }), want: "content-type changed,query-string changed"},
		"two causes, a copy kept and metadata lost": {at: []string{"/page.html"}, stored: onPage(func(o *sandbox.Object) { o.Metadata = nil }),
			front: remember(time.Hour, plainly), want: "caching changed,metadata changed"},
		"two causes, a body and a header": {stored: onPage(func(o *sandbox.Object) { o.Body = text(1999) }), front: always("X-Frame-Options", "DENY"),
			want: "body broken,header changed", with: []proof.Aspect{proof.ETag, proof.ContentLength}},
		"two causes, cors and ranges": {bucket: corsBucket, edge: func(_ *providers.Settings, c *providers.CacheSettings) { c.Headers = nil }, front: forget("Range"),
			want: "cors broken,range changed", with: []proof.Aspect{proof.Preflight}},
		"one bad object of a folder": {at: []string{"/page.html", "/plain.txt", "/image.png", "/x/y.txt", "/dated.pdf"}, stored: func(b *sandbox.Bucket) {
			object(b, "x/y.txt").Body = []byte("another object")
		}, want: "body broken", with: []proof.Aspect{proof.ETag, proof.ContentLength}, on: []string{"/x/y.txt"}},
	}
}
