package sandbox

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/edgeward/edgeward/providers"
)

// front is a distribution before the shop, with a cache policy of its own.
func front(t *testing.T, policy providers.CacheSettings, bucket func(*Bucket), change func(*providers.Settings)) (*World, *handClock, string) {
	t.Helper()
	w, clock := shop(bucket)
	id := w.AddCachePolicy("", "own", policy, false)
	arn := w.AddCertificate("", providers.Certificate{Names: []string{theAlias}})
	s := settings(theAlias+"."+restHost, providers.RESTOrigin, id, arn, theAlias)
	s.ErrorTTL = 0
	if change != nil {
		change(&s)
	}
	return w, clock, w.AddDistribution("", s, nil).ID
}

// preserving is the cache policy that a migration makes.
var preserving = providers.CacheSettings{MaxTTL: 31536000, QueryStrings: true}

// TestCacheTimes follows the CloudFront Developer Guide: Managing how long
// content stays in the cache, and How CloudFront caches HTTP 4xx and 5xx status
// codes.
func TestCacheTimes(t *testing.T) {
	const year, day = 31536000, 86400
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	expires := func(d time.Duration) string { return at.Add(d).Format(http.TimeFormat) }
	type object struct{ control, expires string }
	for title, c := range map[string]struct {
		o             object
		min, def, max int64
		status        int
		errorTTL      int64
		ttl           int64
		store         bool
	}{
		"nothing said, preserved":        {object{}, 0, 0, year, 200, 0, 0, true},
		"nothing said, optimized":        {object{}, 1, day, year, 200, 0, day, true},
		"nothing said, minimum":          {object{}, 100, 10, year, 200, 0, 100, true},
		"disabled":                       {object{"max-age=60", ""}, 0, 0, 0, 200, 0, 0, false},
		"max-age":                        {object{"max-age=60", ""}, 0, day, year, 200, 0, 60, true},
		"max-age above the maximum":      {object{"max-age=6000", ""}, 0, 0, 600, 200, 0, 600, true},
		"max-age below the minimum":      {object{"max-age=1", ""}, 60, 60, 600, 200, 0, 60, true},
		"s-maxage before max-age":        {object{"s-maxage=10, max-age=60", ""}, 0, 0, year, 200, 0, 10, true},
		"max-age before s-maxage":        {object{"max-age=60, s-maxage=10", ""}, 0, 0, year, 200, 0, 10, true},
		"max-age, not Expires":           {object{"max-age=60", expires(time.Hour)}, 0, 0, year, 200, 0, 60, true},
		"Expires":                        {object{"", expires(time.Hour)}, 0, day, year, 200, 0, 3600, true},
		"Expires above the maximum":      {object{"", expires(time.Hour)}, 0, 0, 600, 200, 0, 600, true},
		"Expires in the past":            {object{"", expires(-time.Hour)}, 0, day, year, 200, 0, 0, true},
		"Expires that cannot be read":    {object{"", "0"}, 0, day, year, 200, 0, 0, true},
		"public alone":                   {object{"public", ""}, 0, day, year, 200, 0, day, true},
		"no-cache":                       {object{"no-cache", ""}, 0, day, year, 200, 0, 0, true},
		"no-store":                       {object{"no-store", ""}, 0, day, year, 200, 0, 0, false},
		"private":                        {object{"private, max-age=60", ""}, 0, day, year, 200, 0, 0, false},
		"no-store with a minimum":        {object{"no-store", ""}, 1, day, year, 200, 0, 1, true},
		"no-cache with a minimum":        {object{"no-cache", ""}, 1, day, year, 200, 0, 1, true},
		"302":                            {object{}, 0, day, year, 302, 0, day, true},
		"404":                            {object{}, 0, day, year, 404, 10, 10, true},
		"404, no error TTL":              {object{}, 0, day, year, 404, 0, 0, false},
		"404 with max-age":               {object{"max-age=60", ""}, 0, day, year, 404, 10, 60, true},
		"404 with a shorter max-age":     {object{"max-age=6", ""}, 0, day, year, 404, 10, 10, true},
		"403":                            {object{}, 0, day, year, 403, 10, 0, false},
		"403 with max-age":               {object{"max-age=60", ""}, 0, day, year, 403, 10, 60, true},
		"403 with Expires":               {object{"", expires(time.Hour)}, 0, day, year, 403, 10, 0, false},
		"416":                            {object{}, 0, day, year, 416, 10, 0, false},
		"503":                            {object{}, 0, day, year, 503, 10, 10, true},
		"quoted max-age, in upper case ": {object{`MAX-AGE="60"`, ""}, 0, day, year, 200, 0, 60, true},
	} {
		t.Run(title, func(t *testing.T) {
			r := reply{at: at}.serve(newObject(Object{CacheControl: c.o.control, Expires: c.o.expires}, at))
			r.status = c.status
			ttl, store := keep(r, providers.CacheSettings{MinTTL: c.min, DefaultTTL: c.def, MaxTTL: c.max}, c.errorTTL)
			if ttl != time.Duration(c.ttl)*time.Second || store != c.store {
				t.Errorf("%s, stored: %t", ttl, store)
			}
		})
	}
}

// TestXCache: what an edge has is a hit with its age, what it asks about again
// a refresh hit, what changed meanwhile a miss.
func TestXCache(t *testing.T) {
	w, clock, _ := front(t, preserving, func(b *Bucket) {
		b.Objects = append(b.Objects, Object{Key: "no-store", CacheControl: "no-store"}, Object{Key: "no-cache", CacheControl: "no-cache"})
	}, nil)
	get := func(path, cache, age string) *http.Response {
		t.Helper()
		got := ask(w, edgeEnd, "GET", "http://"+theAlias+path)
		if got.Header.Get("X-Cache") != cache+" from cloudfront" || got.Header.Get("Age") != age {
			t.Errorf("%s: X-Cache %q, Age %q, want %s, %q", path, got.Header.Get("X-Cache"), got.Header.Get("Age"), cache, age)
		}
		return got
	}
	for path, second := range map[string]string{"/digits": "RefreshHit", "/no-store": "Miss", "/no-cache": "RefreshHit", "/none": "Error"} {
		get(path, map[bool]string{true: "Error", false: "Miss"}[path == "/none"], "")
		get(path, second, "")
	}
	first := get("/full", "Miss", "")
	clock.now = clock.now.Add(59 * time.Second)
	if got := get("/full", "Hit", "59"); got.Header.Get("Date") != first.Header.Get("Date") {
		t.Errorf("Date %s of a hit, it was %s", got.Header.Get("Date"), first.Header.Get("Date"))
	}
	clock.now = clock.now.Add(time.Second)
	get("/full", "RefreshHit", "")
	get("/full", "Hit", "0")
	get("/full?v=2", "Miss", "") // the query is in the key

	// The same bytes under another type: the ETag is the same, so S3 says 304, and
	// the edge gives what it has with the new Cache-Control.
	w.EditBucket(theAlias, func(b *Bucket) {
		b.Objects = []Object{{Key: "full", Body: []byte("all"), ContentType: "new/type", CacheControl: "max-age=1"}}
	})
	clock.now = clock.now.Add(time.Minute)
	if got := get("/full", "RefreshHit", ""); got.Header.Get("Content-Type") != "application/x-thing" || got.Header.Get("Cache-Control") != "max-age=1" {
		t.Errorf("after a 304: %v", got.Header)
	}
	w.EditBucket(theAlias, func(b *Bucket) { b.Objects = []Object{{Key: "full", Body: []byte("other")}} })
	clock.now = clock.now.Add(time.Second)
	if got := get("/full", "Miss", ""); text(t, got) != "other" {
		t.Error("the old bytes")
	}
}

// TestEdge follows the CloudFront Developer Guide: Request and response behavior
// for Amazon S3 origins, How CloudFront processes range GETs, Specify a default
// root object, Require HTTPS, Use managed policies. Every request is sent three
// times, so that it meets a cold, a warm and maybe a kept answer.
func TestEdge(t *testing.T) {
	tag := `"` + bytesOf([]byte("0123456789")).etag() + `"`
	optimized := providers.CacheSettings{MinTTL: 1, DefaultTTL: 86400, MaxTTL: 31536000}
	cors := preserving
	cors.Headers = []string{"Access-Control-Request-Headers", "Access-Control-Request-Method", "Origin"}
	rules := func(b *Bucket) {
		b.CORS = []providers.CORSRule{{Origins: []string{"http://*"}, Methods: []string{"GET"}, MaxAge: 9}}
	}
	origin := []string{"Origin", "http://o"}
	viewer := func(p string) func(*providers.Settings) {
		return func(s *providers.Settings) { s.ViewerProtocol = p }
	}
	headers := func(id string) func(*providers.Settings) {
		return func(s *providers.Settings) { s.ResponseHeadersID = id }
	}
	own := map[string]string{"Server": "CloudFront", "X-Cache": "Error from cloudfront"}
	for title, c := range map[string]struct {
		exchange
		policy   providers.CacheSettings
		settings func(*providers.Settings)
	}{
		"object":                     {exchange{path: "/digits", status: 200, body: "0123456789", exact: true, header: map[string]string{"Server": "AmazonS3", "x-amz-request-id": "", "x-amz-id-2": "", "ETag": tag, "Content-Length": "10", "Vary": ""}}, preserving, nil},
		"metadata":                   {exchange{path: "/full", status: 200, header: map[string]string{"x-amz-meta-colour": "blue", "x-amz-version-id": "v" + strings.Repeat("1", 31), "Content-Encoding": "br"}}, preserving, nil},
		"HEAD":                       {exchange{method: "HEAD", path: "/digits", status: 200, header: map[string]string{"Content-Length": "10"}}, optimized, nil},
		"304":                        {exchange{path: "/digits", fields: []string{"If-None-Match", tag}, status: 304, exact: true, header: map[string]string{"ETag": tag}}, optimized, nil},
		"412":                        {exchange{path: "/digits", fields: []string{"If-Match", `"x"`}, status: 412, body: "PreconditionFailed"}, optimized, nil},
		"range":                      {exchange{path: "/digits", fields: []string{"Range", "bytes=2-4"}, status: 206, body: "234", exact: true, header: map[string]string{"Content-Range": "bytes 2-4/10"}}, optimized, nil},
		"suffix":                     {exchange{path: "/digits", fields: []string{"Range", "bytes=-2"}, status: 206, body: "89", exact: true}, preserving, nil},
		"416":                        {exchange{path: "/digits", fields: []string{"Range", "bytes=10-"}, status: 416, body: "InvalidRange", header: map[string]string{"Content-Type": "application/xml"}}, optimized, nil},
		"turned range":               {exchange{path: "/digits", fields: []string{"Range", "bytes=4-2"}, status: 200, body: "0123456789"}, optimized, nil},
		"overlapping ranges":         {exchange{path: "/digits", fields: []string{"Range", "bytes=0-4,2-6"}, status: 200, body: "0123456789"}, optimized, nil},
		"too large to keep":          {exchange{path: "/huge", status: 502}, preserving, nil},
		"part of one too large":      {exchange{path: "/huge", fields: []string{"Range", "bytes=0-0"}, status: 206}, preserving, nil},
		"query in the key":           {exchange{path: "/digits?versionId=1", status: 400, body: "Invalid version id"}, preserving, nil},
		"query not in the key":       {exchange{path: "/digits?versionId=1", status: 200, body: "0123456789"}, optimized, nil},
		"listing without its query":  {exchange{change: listable, path: "/?list-type=2&prefix=docs/", status: 200, body: "<Key>index.html</Key>"}, optimized, nil},
		"missing":                    {exchange{path: "/none", status: 403, body: "AccessDenied", header: map[string]string{"Server": "AmazonS3", "X-Cache": "Error from cloudfront"}}, preserving, nil},
		"odd key":                    {exchange{path: "/a%20b/%C3%B6+1.txt", status: 200, body: "odd"}, preserving, nil},
		"double slash":               {exchange{path: "/a//b", status: 200, body: "two slashes"}, preserving, nil},
		"root":                       {exchange{path: "/", status: 403}, preserving, nil},
		"default root object":        {exchange{path: "/", status: 200, body: "<h1>home</h1>"}, preserving, func(s *providers.Settings) { s.DefaultRootObject = "index.html" }},
		"but not of folders":         {exchange{path: "/docs/", status: 403}, preserving, func(s *providers.Settings) { s.DefaultRootObject = "index.html" }},
		"OPTIONS not allowed":        {exchange{change: rules, method: "OPTIONS", path: "/digits", fields: append(origin, "Access-Control-Request-Method", "GET"), status: 403, header: own}, cors, func(s *providers.Settings) { s.Methods = []string{"GET", "HEAD"} }},
		"PUT":                        {exchange{method: "PUT", path: "/digits", status: 403, header: own}, preserving, nil},
		"redirect to https":          {exchange{path: "/a%20b?c=d", status: 301, header: map[string]string{"Location": "https://" + theAlias + "/a%20b?c=d", "Server": "CloudFront", "X-Cache": "Redirect from cloudfront"}}, preserving, viewer("redirect-to-https")},
		"redirect of OPTIONS":        {exchange{method: "OPTIONS", path: "/", status: 307}, preserving, viewer("redirect-to-https")},
		"https only":                 {exchange{path: "/digits", status: 403, header: own}, preserving, viewer("https-only")},
		"Origin not in the key":      {exchange{change: rules, path: "/digits", fields: origin, status: 200, header: map[string]string{"Access-Control-Allow-Origin": "", "Vary": ""}}, preserving, nil},
		"Origin in the key":          {exchange{change: rules, path: "/digits", fields: origin, status: 200, header: map[string]string{"Access-Control-Allow-Origin": "http://o", "Vary": varyCORS}}, cors, nil},
		"preflight":                  {exchange{change: rules, method: "OPTIONS", path: "/digits", fields: append(origin, "Access-Control-Request-Method", "GET"), status: 200, header: map[string]string{"Access-Control-Allow-Origin": "http://o", "Access-Control-Max-Age": "9"}}, cors, nil},
		"preflight without its key":  {exchange{change: rules, method: "OPTIONS", path: "/digits", fields: append(origin, "Access-Control-Request-Method", "GET"), status: 400}, preserving, nil},
		"headers: simple CORS":       {exchange{path: "/digits", fields: origin, status: 200, header: map[string]string{"Access-Control-Allow-Origin": "*"}}, preserving, headers("60669652-455b-4ae9-85a4-c4c02393f86c")},
		"headers: CORS, no Origin":   {exchange{path: "/digits", status: 200, header: map[string]string{"Access-Control-Allow-Origin": ""}}, preserving, headers("60669652-455b-4ae9-85a4-c4c02393f86c")},
		"headers: the origin's stay": {exchange{change: rules, path: "/digits", fields: origin, status: 200, header: map[string]string{"Access-Control-Allow-Origin": "http://o"}}, cors, headers("e61eb60c-9c35-4d20-a928-2b84e02af89c")},
		"headers: security":          {exchange{path: "/digits", status: 200, header: map[string]string{"X-Content-Type-Options": "nosniff", "Strict-Transport-Security": ""}}, preserving, headers("67f7725c-6f97-4210-82d7-5512b31e9d03")},
		"website": {exchange{change: website, path: "/docs/", status: 200, body: "docs"}, preserving, func(s *providers.Settings) {
			s.OriginDomain, s.OriginKind = theAlias+"."+siteHost, providers.WebsiteOrigin
		}},
		"website's error": {exchange{change: website, path: "/none", status: 404, body: "sorry", header: map[string]string{"X-Cache": "Error from cloudfront"}}, preserving, func(s *providers.Settings) {
			s.OriginDomain, s.OriginKind = theAlias+"."+siteHost, providers.WebsiteOrigin
		}},
		"website's rule leaks the origin": {exchange{change: routed(providers.RoutingRule{KeyPrefix: "x", ReplaceKey: "y"}), path: "/x", status: 301, header: map[string]string{"Location": "http://" + theAlias + "." + siteHost + "/y"}}, preserving, func(s *providers.Settings) {
			s.OriginDomain, s.OriginKind = theAlias+"."+siteHost, providers.WebsiteOrigin
		}},
	} {
		t.Run(title, func(t *testing.T) {
			w, _, _ := front(t, c.policy, c.change, c.settings)
			for range 3 {
				c.run(t, w, edgeEnd)
			}
		})
	}
}

// TestOriginForwardedButNotKeyed: the managed CORS-S3Origin policy without
// Origin in the key has the first answer decide for all.
func TestOriginForwardedButNotKeyed(t *testing.T) {
	for first, want := range map[string]string{"http://o": "http://o", "": ""} {
		w, _, _ := front(t, providers.CacheSettings{DefaultTTL: 60, MaxTTL: 60}, func(b *Bucket) {
			b.CORS = []providers.CORSRule{{Origins: []string{"http://*"}, Methods: []string{"GET"}}}
		}, func(s *providers.Settings) { s.OriginRequestID = "88a5eaf4-2fd4-4709-b370-b4c650ea3fcf" })
		for _, o := range []string{first, "http://p", ""} {
			var fields []string
			if o != "" {
				fields = []string{"Origin", o}
			}
			if got := ask(w, edgeEnd, "GET", "http://"+theAlias+"/digits", fields...).Header.Get("Access-Control-Allow-Origin"); got != want {
				t.Errorf("first %q, then %q: %q", first, o, got)
			}
		}
	}
}

// TestEdgeCompresses follows the CloudFront Developer Guide: Serve compressed
// files.
func TestEdgeCompresses(t *testing.T) {
	long := strings.Repeat("text ", 400)
	policy := providers.CacheSettings{MaxTTL: 31536000, DefaultTTL: 60, Gzip: true}
	objects := func(b *Bucket) {
		b.Objects = []Object{
			{Key: "long.css", Body: []byte(long), ContentType: "text/css; charset=utf-8"},
			{Key: "short.css", Body: []byte(long[:999]), ContentType: "text/css"},
			{Key: "thousand.css", Body: []byte(long[:1000]), ContentType: "text/css"},
			{Key: "large.css", Size: 10_000_001, ContentType: "text/css"},
			{Key: "long.png", Body: []byte(long), ContentType: "image/png"},
			{Key: "long.br", Body: []byte(long), ContentType: "text/css", ContentEncoding: "br"},
			{Key: "identity", Body: []byte(long), ContentType: "text/css", ContentEncoding: "identity"},
		}
	}
	on := func(s *providers.Settings) { s.Compress = true }
	for title, c := range map[string]struct {
		path, accept string
		policy       providers.CacheSettings
		settings     func(*providers.Settings)
		want         bool
	}{
		"text":                        {"/long.css", "gzip", policy, on, true},
		"among others":                {"/long.css", "deflate, GZIP;q=0.5, br", policy, on, true},
		"1,000 bytes":                 {"/thousand.css", "gzip", policy, on, true},
		"999 bytes":                   {"/short.css", "gzip", policy, on, false},
		"more than 10,000,000 bytes":  {"/large.css", "gzip", policy, on, false},
		"an image":                    {"/long.png", "gzip", policy, on, false},
		"encoded":                     {"/long.br", "gzip", policy, on, false},
		"encoded as nothing":          {"/identity", "gzip", policy, on, false},
		"not accepted":                {"/long.css", "", policy, on, false},
		"refused":                     {"/long.css", "gzip;q=0.0", policy, on, false},
		"only Brotli, which is not":   {"/long.css", "br", policy, on, false},
		"not asked for":               {"/long.css", "gzip", policy, nil, false},
		"Accept-Encoding not in key":  {"/long.css", "gzip", preserving, on, false},
		"an error's few bytes of XML": {"/none", "gzip", policy, on, false},
	} {
		t.Run(title, func(t *testing.T) {
			w, _, _ := front(t, c.policy, objects, c.settings)
			method := "HEAD"
			if c.want {
				method = "GET"
			}
			plain := ask(w, edgeEnd, method, "http://"+theAlias+c.path)
			for range 2 {
				got := ask(w, edgeEnd, method, "http://"+theAlias+c.path, "Accept-Encoding", c.accept)
				if zipped := got.Header.Get("Content-Encoding") == "gzip"; zipped != c.want {
					t.Fatalf("compressed: %t; %v", zipped, got.Header)
				}
				if !c.want {
					continue
				}
				if got.Header.Get("ETag") != "W/"+plain.Header.Get("ETag") || got.Header.Get("Vary") != "Accept-Encoding" || got.Header.Get("Content-Length") != "" {
					t.Errorf("%v", got.Header)
				}
				z := must[*gzip.Reader](t)(gzip.NewReader(got.Body))
				if b := must[[]byte](t)(io.ReadAll(z)); !strings.HasPrefix(long, string(b)) || len(b) < 1000 {
					t.Error("other bytes")
				}
				again := ask(w, edgeEnd, "GET", "http://"+theAlias+c.path, "Accept-Encoding", c.accept, "If-None-Match", got.Header.Get("ETag"))
				if again.StatusCode != 304 || again.Header.Get("ETag") != got.Header.Get("ETag") {
					t.Errorf("with its own ETag: %d %v", again.StatusCode, again.Header)
				}
			}
		})
	}
}

// TestCacheIsBounded: what no request can come back for is forgotten.
func TestCacheIsBounded(t *testing.T) {
	w, _, id := front(t, preserving, nil, nil)
	d := w.dists[id]
	for i := range maxCached {
		d.cache[fmt.Sprint(i)] = &cached{}
	}
	if ask(w, edgeEnd, "GET", "http://"+theAlias+"/digits"); len(d.cache) != 1 {
		t.Errorf("%d answers are kept", len(d.cache))
	}
}
