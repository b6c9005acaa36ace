package sandbox

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/edgeward/edgeward/providers"
)

// page is an answer of CloudFront's own, or of a proxy's: a page of HTML.
func (out reply) page(status int, says string) reply {
	out.code = says
	return out.text(status, "text/html", fmt.Appendf(nil, "<HTML><HEAD><TITLE>ERROR: The request could not be satisfied</TITLE></HEAD>"+
		"<BODY><H1>%d ERROR</H1><H2>The request could not be satisfied.</H2>%s<HR/><ADDRESS></ADDRESS></BODY></HTML>", status, says))
}

const unsatisfied = "The request could not be satisfied."

// edgeAnswer is CloudFront's: by Host among the configurations that are
// deployed, whatever name or address was connected to.
func (w *World) edgeAnswer(r request, now time.Time) (reply, error) {
	d := w.edgeOf(r.host)
	if r.scheme == "https" && (d == nil || r.host != d.domain && !w.coversNow(d, r.host, now)) {
		return reply{}, fmt.Errorf("tls: failed to verify certificate: x509: certificate is valid for *.cloudfront.net, not %s", r.host)
	}
	out := reply{from: fromCloudFront, cache: "Error", at: now}
	if d == nil || !d.served.Enabled {
		return out.page(403, unsatisfied), nil
	}
	s := d.served
	if r.scheme == "https" && (s.HTTPVersion == "http3" || s.HTTPVersion == "http2and3") {
		out.alt = `h3=":443"; ma=86400`
	}
	switch {
	case r.scheme == "http" && s.ViewerProtocol == "https-only":
		return out.page(403, unsatisfied), nil
	case r.scheme == "http" && s.ViewerProtocol == "redirect-to-https":
		status := http.StatusMovedPermanently
		if r.method != http.MethodGet && r.method != http.MethodHead {
			status = http.StatusTemporaryRedirect
		}
		out = out.page(status, "Moved")
		out.cache, out.code, out.location = "Redirect", "", "https://"+r.host+r.path+asked(r.query)
		return out, nil
	case !allows(s.Methods, r.method):
		return out.page(403, "This distribution is not configured to allow the HTTP request method that was used for this request."), nil
	case r.body && r.method == http.MethodGet:
		return out.page(403, unsatisfied), nil
	}
	if r.path == "/" && s.DefaultRootObject != "" {
		r.path = "/" + s.DefaultRootObject
	}
	got := w.throughCache(d, r, now)
	got.from, got.alt = fromCloudFront, out.alt
	if body, ok := d.faults[r.path]; ok && got.status == 200 {
		o := newObject(Object{Key: r.path, Body: body, ContentType: got.ctype}, now)
		got = got.serve(o)
	}
	return decorate(got, s.ResponseHeadersID, r), nil
}

func allows(methods []string, m string) bool { return m == "GET" || m == "HEAD" || has(methods, m) }

// edgeOf finds the deployed distribution for a host: the exact alias first,
// then the closest wildcard.
func (w *World) edgeOf(host string) *distribution {
	if d := w.edges[host]; d != nil {
		return d
	}
	for rest := host; ; {
		_, after, ok := strings.Cut(rest, ".")
		if !ok {
			return nil
		}
		if d := w.edges["*."+after]; d != nil {
			return d
		}
		rest = after
	}
}

// cached is an answer that an edge has; the zero value of until is one that is
// asked about every time.
type cached struct {
	reply
	until time.Time
}

// maxObject is the size of the largest object that CloudFront gives as a whole
// when it may keep it, in bytes [CloudFront Developer Guide: Quotas].
const maxObject = 50 << 30

// maxCached bounds one distribution's cache; then everything is forgotten.
const maxCached = 100_000

// throughCache answers from the edge's cache or asks the bucket. An answer that
// is too old is asked about by its ETag; conditions and ranges of the viewer are
// applied to what the edge has [CloudFront Developer Guide: Managing how long
// content stays in the cache; How CloudFront processes range GETs; Request and
// response behavior for Amazon S3 origins].
func (w *World) throughCache(d *distribution, r request, now time.Time) reply {
	p := w.accounts[d.account].settings(d.served.CachePolicyID)
	to, key := w.forwarded(d, r, p)
	e, _, ok := s3Host(d.served.OriginDomain)
	if !ok || (e.kind == siteEnd) != (d.served.OriginKind == providers.WebsiteOrigin) {
		return reply{cache: "Error", at: now}.page(502, "CloudFront wasn't able to connect to the origin.")
	}
	if r.method == http.MethodOptions {
		out := w.s3(e, to, now)
		out.cache = "Miss"
		return out
	}
	c := d.lookUp(key, r.method, now)
	var out reply
	if c != nil && now.Before(c.until) {
		out = c.reply
		out.cache, out.age = "Hit", now.Sub(c.at)
	} else {
		out = w.s3(e, to, now)
		out.cache = "Miss"
		if c != nil {
			out = revalidated(c.reply, out)
		}
		d.keep(key, r.method, out, p, c)
	}
	if out.object != nil && out.object.content.size > maxObject && p.MaxTTL > 0 && r.get("Range") == "" && r.method == http.MethodGet {
		return reply{cache: "Error", at: now}.page(502, unsatisfied)
	}
	if d.served.Compress && p.Gzip && acceptsGzip(r) && r.get("Range") == "" {
		out = out.compress()
	}
	if final := choose(out, r); final.status == out.status || final.status < 400 {
		return final
	}
	// The viewer asks for what is not so. Whether an edge says that itself is not
	// documented: here it asks the origin.
	for _, k := range conditions {
		if v := r.get(k); v != "" {
			to.header.Set(k, v)
		}
	}
	out = w.s3(e, to, now)
	out.cache = "Error"
	return out
}

var conditions = [...]string{"If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range", "Range"}

// revalidated is the answer when the origin was asked about what the edge has:
// with the same ETag it says 304, so the edge gives what it has, with the times
// and Cache-Control that came with the 304 [RFC 9111, 4.3.4].
func revalidated(had, fresh reply) reply {
	if fresh.status != http.StatusOK || had.status != http.StatusOK || fresh.object == nil || had.object == nil || fresh.object.etag != had.object.etag {
		return fresh
	}
	if fresh.object == had.object {
		fresh.cache = "RefreshHit"
		return fresh
	}
	o := had.object.Object
	o.CacheControl, o.Expires, o.Modified = fresh.object.CacheControl, fresh.object.Expires, fresh.object.modified
	had = had.serve(newObject(o, fresh.at))
	had.cache, had.at, had.age = "RefreshHit", fresh.at, 0
	return had
}

// forwarded is the request that the origin gets, and the key under which its
// answer is kept: of the viewer's headers only those of the two policies, the
// query only if one of them says so [CloudFront Developer Guide: Control origin
// requests with a policy; Control the cache key with a policy].
func (w *World) forwarded(d *distribution, r request, p providers.CacheSettings) (to request, key string) {
	to = request{scheme: r.scheme, method: r.method, host: d.served.OriginDomain, path: r.path}
	if d.served.OriginKind == providers.WebsiteOrigin {
		to.scheme = "http"
	}
	if c := w.accounts[d.account].control(d.served.OriginAccessID); c != nil && c.Signs && r.method != http.MethodOptions {
		to.by = d.arn
	}
	also := originRequest(d.served.OriginRequestID)
	key = r.path
	if p.QueryStrings {
		key += "?" + r.query
	}
	if p.QueryStrings || also.query {
		to.query = r.query
	}
	if r.header == nil {
		return to, key
	}
	to.header = http.Header{}
	for _, h := range p.Headers {
		if v := r.header.Get(h); v != "" {
			to.header.Set(h, v)
			key += "\x00" + http.CanonicalHeaderKey(h) + "\x00" + v
		}
	}
	if p.Gzip && acceptsGzip(r) {
		key += "\x00gzip"
	}
	for _, h := range also.headers {
		if v := r.header.Get(h); v != "" {
			to.header.Set(h, v)
		}
	}
	return to, key
}

// lookUp finds what is kept for GET, for HEAD also what a HEAD got.
func (d *distribution) lookUp(key, method string, now time.Time) *cached {
	c := d.cache[key]
	if method == http.MethodHead && (c == nil || !now.Before(c.until)) {
		if h := d.cache["HEAD "+key]; h != nil {
			return h
		}
	}
	return c
}

// keep keeps an answer for as long as it may be.
func (d *distribution) keep(key, method string, out reply, p providers.CacheSettings, had *cached) {
	ttl, store := keep(out, p, d.served.ErrorTTL)
	if method == http.MethodHead {
		key = "HEAD " + key
	}
	if !store {
		delete(d.cache, key)
		return
	}
	until := out.at.Add(ttl)
	if had != nil && ttl == 0 && had.object == out.object && d.cache[key] == had {
		return // asked about every time, and still the same
	}
	if len(d.cache) >= maxCached {
		clear(d.cache)
	}
	d.cache[key] = &cached{out, until}
}

func has(list []string, s string) bool {
	for _, l := range list {
		if strings.EqualFold(l, s) {
			return true
		}
	}
	return false
}

// keep is how long an edge keeps an answer: s-maxage, max-age or Expires
// between the policy's bounds, or the default; an error for the error TTL, or
// longer if its document says so. With 0 it is asked about each time; store is
// false when nothing is kept at all [CloudFront Developer Guide: Managing how
// long content stays in the cache, How CloudFront caches HTTP 4xx and 5xx].
func keep(r reply, p providers.CacheSettings, errorTTL int64) (ttl time.Duration, store bool) {
	said, known, never := int64(0), false, false
	if r.object != nil && r.object.CacheControl+r.object.Expires != "" {
		said, known, never = lifetimeOf(r.object.CacheControl, r.object.Expires, r.at)
	}
	switch r.status {
	case 400, 403, 412, 415: // kept only if their Cache-Control says for how long
		if !known || never || !strings.Contains(r.object.CacheControl, "max") {
			return 0, false
		}
	case 416: // in none of the two lists
		return 0, false
	}
	if r.status >= 400 {
		if known && !never {
			errorTTL = max(errorTTL, min(said, p.MaxTTL))
		}
		return time.Duration(errorTTL) * time.Second, errorTTL > 0
	}
	if !known {
		said = p.DefaultTTL
	}
	n := min(max(said, p.MinTTL), p.MaxTTL)
	return time.Duration(n) * time.Second, p.MaxTTL > 0 && (n > 0 || !never)
}

// lifetimeOf reads Cache-Control and Expires, in seconds; never: no-store or
// private, which may not be kept unless there is a minimum TTL.
func lifetimeOf(control, expires string, now time.Time) (seconds int64, known, never bool) {
	age := int64(-1)
	for w := range strings.SplitSeq(control, ",") {
		name, value, _ := strings.Cut(strings.ToLower(strings.TrimSpace(w)), "=")
		switch name {
		case "no-store", "private":
			return 0, true, true
		case "no-cache":
			return 0, true, false
		case "s-maxage", "max-age":
			n, err := strconv.ParseInt(strings.Trim(value, `"`), 10, 64)
			if err == nil && (name == "s-maxage" || age < 0 || !strings.Contains(strings.ToLower(control), "s-maxage")) {
				age = n
			}
		}
	}
	if age >= 0 {
		return min(age, 1<<31), true, false
	}
	if at, ok := date(expires); ok {
		return int64(max(0, at.Sub(now)) / time.Second), true, false
	}
	return 0, expires != "", false // one that cannot be read is past [RFC 9111, 5.3]
}
