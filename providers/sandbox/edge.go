package sandbox

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/edgeward/edgeward/providers"
)

// The kinds of places that a visitor can connect to.
const (
	restEnd  = "s3-rest"
	siteEnd  = "s3-website"
	edgeEnd  = "cloudfront"
	proxyEnd = "proxy"
)

// endpoint is a place to connect to.
type endpoint struct {
	kind string
	// region and global are of S3; global is the endpoint without a region.
	region string
	global bool
	// host is the name that led here; proxy the DNS provider whose proxy it is.
	host  string
	proxy *provider
	v6    bool
}

const (
	fromS3         = "S3"
	fromCloudFront = "CloudFront"
)

// request is a request as a server reads it.
type request struct {
	scheme, method, host, path, query string
	// origin: the request has an Origin header (and the server is told).
	origin bool
}

// reply is an answer before it is written out as HTTP.
type reply struct {
	status   int
	body     []byte
	object   *object
	ctype    string
	location string
	// code is S3's error code, or CloudFront's own sentence.
	code string
	from string
	site bool
	cors bool
	// region of the S3 endpoint; home is the bucket's, told with a redirect.
	region, home string
	// dist, hit and age are CloudFront's.
	dist *distribution
	hit  bool
	age  time.Duration
}

func (out reply) refuse(status int, code string) reply {
	out.status, out.code, out.body, out.object = status, code, nil, nil
	out.ctype = "application/xml"
	if out.site {
		out.ctype = "text/html; charset=utf-8"
	}
	return out
}

func (out reply) serve(o *object) reply {
	out.status, out.object, out.body, out.ctype = 200, o, o.Body, o.ContentType
	return out
}

// connect is what a client sees that connects to e and asks for r; the host of
// r is the Host header and, for https, the SNI.
func (w *World) connect(e endpoint, r request, now time.Time) (reply, error) {
	switch e.kind {
	case edgeEnd:
		return w.edge(r, now)
	case proxyEnd:
		return w.proxied(e, r, now)
	case siteEnd:
		if r.scheme == "https" {
			return reply{}, fmt.Errorf("dial %s:443: connection refused: a website endpoint of S3 has no TLS", e.host)
		}
	case restEnd:
		if r.scheme == "https" && !e.certified(r.host) {
			return reply{}, fmt.Errorf("tls: failed to verify certificate: x509: certificate is valid for *.s3.%s.amazonaws.com, not %s", e.region, r.host)
		}
	default:
		return reply{}, fmt.Errorf("dial %s: connection refused", e.host)
	}
	return w.s3(e, r), nil
}

// certified is whether S3's certificate covers host: its wildcard is one label.
func (e endpoint) certified(host string) bool {
	at, b, ok := s3Host(host)
	return ok && at.kind == restEnd && at.region == e.region && !strings.Contains(b, ".")
}

// proxied forwards to the target of the record that the provider has now.
func (w *World) proxied(e endpoint, r request, now time.Time) (reply, error) {
	z := w.zoneOf(r.host)
	if z == nil || z.provider != e.proxy {
		return reply{}.refuse(403, "Direct IP access not allowed"), nil
	}
	for _, rec := range z.latest(r.host).records {
		if !rec.Proxied {
			continue
		}
		to, err := w.place(rec.Value)
		if err != nil {
			return reply{from: "proxy"}.refuse(530, "Origin DNS error"), nil
		}
		r.scheme = "http"
		return w.connect(to, r, now)
	}
	return reply{}.refuse(404, "no proxied record"), nil
}

// edge answers as CloudFront does: by Host among the configurations that are
// deployed, whatever name or address was connected to.
func (w *World) edge(r request, now time.Time) (reply, error) {
	d := w.edgeOf(r.host)
	if r.scheme == "https" && (d == nil || r.host != d.domain && !w.coversNow(d, r.host, now)) {
		return reply{}, fmt.Errorf("tls: failed to verify certificate: x509: certificate is valid for *.cloudfront.net, not %s", r.host)
	}
	out := reply{from: fromCloudFront, dist: d}
	if d == nil || !d.served.Enabled {
		out.dist = nil
		return out.refuse(403, "The request could not be satisfied."), nil
	}
	s := d.served
	if r.scheme == "http" && s.ViewerProtocol == "redirect-to-https" {
		out.status, out.location = 301, "https://"+r.host+r.path
		return out, nil
	}
	if r.scheme == "http" && s.ViewerProtocol == "https-only" || !allows(s.Methods, r.method) {
		return out.refuse(403, "The request could not be satisfied."), nil
	}
	if r.path == "/" && s.DefaultRootObject != "" {
		r.path = "/" + s.DefaultRootObject
	}
	got := w.origin(d, r, now)
	got.from, got.dist = fromCloudFront, d
	if body, ok := d.faults[r.path]; ok && got.status == 200 {
		got.object = &object{Object: Object{Body: body, ContentType: got.ctype}, etag: code(32, string(body)), sha: digest(body)}
		got.body = body
	}
	return got, nil
}

func allows(methods []string, m string) bool {
	for _, a := range methods {
		if a == m {
			return true
		}
	}
	return m == "GET" || m == "HEAD"
}

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

type cached struct {
	reply
	at, until time.Time
}

// origin answers from the edge's cache or asks the bucket. Host becomes the
// origin's domain; of the rest only what the cache policy names gets through.
func (w *World) origin(d *distribution, r request, now time.Time) reply {
	s, p := d.served, w.accounts[d.account].settings(d.served.CachePolicyID)
	hasOrigin := r.origin && has(p.Headers, "Origin")
	key := r.path
	if p.QueryStrings {
		key += "?" + r.query
	}
	if hasOrigin {
		key += "\x00origin"
	}
	if c, ok := d.cache[key]; ok && now.Before(c.until) {
		c.hit, c.age = true, now.Sub(c.at)
		return c.reply
	}
	e, _, ok := s3Host(s.OriginDomain)
	if !ok || (e.kind == siteEnd) != (s.OriginKind == providers.WebsiteOrigin) {
		return reply{}.refuse(502, "CloudFront wasn't able to connect to the origin.")
	}
	to := request{scheme: "http", method: r.method, host: s.OriginDomain, path: r.path, query: r.query, origin: hasOrigin}
	got := w.s3(e, to)
	if ttl := keep(got, p, s.ErrorTTL); ttl > 0 && r.method != "OPTIONS" {
		d.cache[key] = cached{got, now, now.Add(ttl)}
	}
	return got
}

func has(list []string, s string) bool {
	for _, l := range list {
		if strings.EqualFold(l, s) {
			return true
		}
	}
	return false
}

// keep is how long an edge keeps an answer: Cache-Control between the policy's
// bounds, or the default; an error for the error TTL.
func keep(r reply, p providers.CacheSettings, errorTTL int64) time.Duration {
	if r.status >= 400 {
		return time.Duration(errorTTL) * time.Second
	}
	ttl := p.DefaultTTL
	if r.object != nil {
		for _, w := range strings.FieldsFunc(r.object.CacheControl, func(c rune) bool { return c == ',' || c == ' ' }) {
			if n, ok := strings.CutPrefix(w, "max-age="); ok {
				ttl, _ = strconv.ParseInt(n, 10, 64)
			}
			if w == "no-cache" || w == "no-store" || w == "private" {
				ttl = 0
				break
			}
		}
	}
	return time.Duration(min(max(ttl, p.MinTTL), p.MaxTTL)) * time.Second
}

type webPort struct{ w *World }

const opFetch = "Web.Fetch"

func (p webPort) Fetch(ctx context.Context, r providers.Request) (providers.Response, error) {
	u, err := url.Parse(r.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return providers.Response{}, fmt.Errorf("fetch %s: not an http or https URL: %w", r.URL, providers.ErrInvalid)
	}
	var out providers.Response
	err = p.w.call(ctx, Call{Op: opFetch, Name: r.Method + " " + r.URL}, func(now time.Time) error {
		out, err = p.w.fetch(r, u, now)
		return err
	})
	if err != nil {
		return providers.Response{}, err
	}
	return out, nil
}

func (w *World) fetch(r providers.Request, u *url.URL, now time.Time) (providers.Response, error) {
	dial := r.Dial
	if dial == "" {
		dial = u.Hostname()
	}
	e, err := w.place(dial)
	if err != nil {
		return providers.Response{}, fmt.Errorf("fetch %s: %w", r.URL, err)
	}
	path := u.Path
	if path == "" {
		path = "/"
	}
	q := request{
		scheme: u.Scheme, method: r.Method, host: strings.ToLower(u.Hostname()), path: path, query: u.RawQuery,
		origin: r.Header.Get("Origin") != "",
	}
	if q.method == "" {
		q.method = http.MethodGet
	}
	got, err := w.connect(e, q, now)
	if err != nil {
		return providers.Response{}, fmt.Errorf("fetch %s from %s: %w", r.URL, dial, err)
	}
	return w.respond(got, q, now), nil
}

// place is where a host name or an address leads. A name is resolved past all
// caches.
func (w *World) place(dial string) (endpoint, error) {
	dial = strings.ToLower(strings.TrimSuffix(dial, "."))
	if h, _, ok := strings.Cut(dial, ":"); ok && !strings.Contains(dial, "::") {
		dial = h
	}
	if _, err := netip.ParseAddr(dial); err == nil {
		if e, ok := w.hosts[dial]; ok {
			return e, nil
		}
		return endpoint{}, fmt.Errorf("dial %s: connection refused", dial)
	}
	if e, _, ok := s3Host(dial); ok {
		return e, nil
	}
	if d := w.edges[dial]; d != nil && d.domain == dial {
		return endpoint{kind: edgeEnd, host: dial}, nil
	}
	return endpoint{}, fmt.Errorf("look up %s: no such host", dial)
}

// respond writes an answer out as HTTP.
func (w *World) respond(got reply, q request, now time.Time) providers.Response {
	w.seq++
	id := code(16, "request", strconv.Itoa(w.seq))
	h := http.Header{}
	h.Set("Date", now.UTC().Format(http.TimeFormat))
	body := got.body
	if got.code != "" {
		body = errorBody(got, id)
	}
	if got.from == fromS3 || got.object != nil || got.region != "" {
		h.Set("Server", "AmazonS3")
		h.Set("X-Amz-Request-Id", id)
		h.Set("X-Amz-Id-2", code(44, "id2", id))
	}
	set := func(k, v string) {
		if v != "" {
			h.Set(k, v)
		}
	}
	set("Content-Type", got.ctype)
	set("Location", got.location)
	if o := got.object; o != nil && o.etag != "" {
		h.Set("ETag", `"`+o.etag+`"`)
		h.Set("Last-Modified", o.modified.Format(http.TimeFormat))
		h.Set("Accept-Ranges", "bytes")
		set("Cache-Control", o.CacheControl)
		if !got.site {
			set("X-Amz-Website-Redirect-Location", o.Redirect)
		}
	}
	if got.cors {
		h.Set("Access-Control-Allow-Origin", "*")
		h.Set("Vary", "Origin, Access-Control-Request-Headers, Access-Control-Request-Method")
	}
	set("X-Amz-Bucket-Region", got.home)
	if got.from == fromCloudFront {
		got.stamp(h, id)
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	out := providers.Response{Status: got.status, Header: h}
	if q.method == http.MethodHead {
		body = nil
	}
	out.Length = int64(len(body))
	out.SHA256 = digest(body)
	return out
}

// stamp adds CloudFront's own headers.
func (out reply) stamp(h http.Header, id string) {
	via := strings.ToLower(code(14, "via", id))
	h.Set("Via", "1.1 "+via+".cloudfront.net (CloudFront)")
	h.Set("X-Amz-Cf-Id", code(56, "cf", id))
	h.Set("X-Amz-Cf-Pop", "FRA56-P1")
	switch {
	case out.status >= 400:
		h.Set("X-Cache", "Error from cloudfront")
	case out.dist != nil && out.region == "" && out.status == 301:
		h.Set("X-Cache", "Redirect from cloudfront")
	case out.hit:
		h.Set("X-Cache", "Hit from cloudfront")
		h.Set("Age", strconv.Itoa(int(out.age/time.Second)))
	default:
		h.Set("X-Cache", "Miss from cloudfront")
	}
	if out.object == nil && out.region == "" {
		h.Set("Server", "CloudFront")
	}
}

func errorBody(got reply, id string) []byte {
	if got.site || got.region == "" {
		return fmt.Appendf(nil, "<html><head><title>%d</title></head><body><h1>%d</h1><ul><li>Code: %s</li><li>RequestId: %s</li></ul></body></html>\n", got.status, got.status, got.code, id)
	}
	return fmt.Appendf(nil, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>%s</Code><RequestId>%s</RequestId></Error>", got.code, id)
}
