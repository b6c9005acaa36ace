package proof_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/edgeward/edgeward/providers"
	"github.com/edgeward/edgeward/providers/sandbox"
)

// written is when the objects of the corpus were.
var written = time.Date(2024, time.February, 29, 12, 0, 0, 0, time.UTC)

// text is a body of n bytes that does not repeat.
func text(n int) []byte {
	var b bytes.Buffer
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "line %d of what a visitor reads\n", i)
	}
	return b.Bytes()[:n]
}

func zipped(b []byte) []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	_, _ = z.Write(b)
	_ = z.Close()
	return out.Bytes()
}

// stored is an object of the corpus.
func stored(key, kind string, body []byte) sandbox.Object {
	return sandbox.Object{Key: key, ContentType: kind, Body: body, Modified: written}
}

// object is the object of a bucket with a key.
func object(b *sandbox.Bucket, key string) *sandbox.Object {
	i := slices.IndexFunc(b.Objects, func(o sandbox.Object) bool { return o.Key == key })
	if i < 0 {
		panic("no object " + key)
	}
	return &b.Objects[i]
}

func longKey() string { return strings.Repeat("very-long-", 90) + ".txt" }

// restBucket has one object of each kind that the corpus needs.
func restBucket() sandbox.Bucket {
	page := stored("page.html", "text/html; charset=utf-8", text(2000))
	page.CacheControl, page.ContentLanguage, page.ContentDisposition = "max-age=300", "de", `inline; filename="page.html"`
	page.Metadata, page.StorageClass = map[string]string{"team": "web"}, "STANDARD_IA"
	app := stored("app.js", "application/javascript", zipped(text(4000)))
	app.ContentEncoding, app.CacheControl = "gzip", "max-age=60"
	fresh, secret := stored("fresh.json", "application/json", []byte(`{"version":7}`)), stored("secret.json", "application/json", []byte(`{"basket":[]}`))
	fresh.CacheControl, secret.CacheControl = "no-cache", "private, no-store"
	dated, image := stored("dated.pdf", "application/pdf", text(900)), stored("image.png", "image/png", text(70000))
	dated.Expires, image.CacheControl = "Thu, 01 Jan 2032 00:00:00 GMT", "max-age=31536000, immutable"
	private, big := stored("private.txt", "text/plain", text(100)), stored("big.bin", "application/octet-stream", nil)
	private.Private, big.Size = true, 40<<20
	b := sandbox.Bucket{Objects: []sandbox.Object{page, app, fresh, secret, dated, image, private, big,
		stored("plain.txt", "text/plain", text(1500)), stored("empty.txt", "text/plain", nil)}}
	for _, key := range []string{"a b.txt", "a+b.txt", "x/y.txt", "d//e.txt", "\u00e4.txt", "UPPER.txt", "100%.txt", "q?.txt", longKey()} {
		o := stored(key, "text/plain", []byte("the object "+key))
		o.CacheControl = "max-age=60"
		b.Objects = append(b.Objects, o)
	}
	return b
}

func listedBucket() sandbox.Bucket {
	b := restBucket()
	b.Listing = true
	return b
}

func corsBucket() sandbox.Bucket {
	b := restBucket()
	b.CORS = []providers.CORSRule{{
		Origins: []string{"https://app.example.com", "https://*.shop.example.com"}, Methods: []string{"GET", "HEAD"},
		Headers: []string{"Authorization", "X-Token"}, Expose: []string{"ETag", "X-Amz-Meta-Team"}, MaxAge: 600,
	}}
	return b
}

func openBucket() sandbox.Bucket {
	b := restBucket()
	b.CORS = []providers.CORSRule{{Origins: []string{"*"}, Methods: []string{"GET", "HEAD"}, Headers: []string{"*"}, MaxAge: 3000}}
	return b
}

func siteBucket() sandbox.Bucket {
	to := "new/"
	const html = "text/html"
	moved, private := stored("moved.html", html, nil), stored("private.html", html, text(300))
	moved.Redirect, private.Private = "/docs/", true
	docs, style := stored("docs/index.html", html, text(1300)), stored("style.css", "text/css", text(1100))
	docs.CacheControl, style.CacheControl = "max-age=300", "max-age=300"
	return sandbox.Bucket{
		Website: &providers.Website{IndexDocument: "index.html", ErrorDocument: "error.html", RoutingRules: []providers.RoutingRule{
			{KeyPrefix: "old/", HostName: "docs.example.com", Protocol: "https", ReplaceKeyPrefix: &to, Code: "302"},
		}},
		Objects: []sandbox.Object{moved, private, docs, style, stored("index.html", html, text(1200)),
			stored("error.html", html, []byte("<h1>There is no such page</h1>"))},
	}
}

func leaveBucket() sandbox.Bucket {
	return sandbox.Bucket{Website: &providers.Website{RedirectAllTo: "www.example.com", RedirectAllProtocol: "https"},
		Objects: []sandbox.Object{stored("index.html", "text/html", text(100)), stored("any", "text/html", text(100))}}
}

// front is a fault: it stands before the distribution.
type front func(http.Handler) http.Handler

// said is an answer that a fault may edit.
type said struct {
	status int
	header http.Header
	body   []byte
}

// edit changes answers. A body that it changes gets its new length.
func edit(f func(r *http.Request, a *said)) front {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			a := record(next, r)
			was := a.body
			f(r, a)
			a.write(w, r, !bytes.Equal(was, a.body))
		})
	}
}

// record is what a handler answers to a request.
func record(h http.Handler, r *http.Request) *said {
	out := httptest.NewRecorder()
	h.ServeHTTP(out, r)
	return &said{out.Code, out.Header(), out.Body.Bytes()}
}

func (a *said) write(w http.ResponseWriter, r *http.Request, length bool) {
	if length {
		a.header.Set("Content-Length", strconv.Itoa(len(a.body)))
	}
	maps.Copy(w.Header(), a.header)
	if a.header.Get("Content-Type") == "" {
		w.Header()["Content-Type"] = nil // else the server would guess
	}
	w.WriteHeader(a.status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(a.body)
	}
}

// error makes the answer one of the edge's own.
func (a *said) error(status int) {
	a.status, a.body = status, fmt.Appendf(nil, "<html><body>%d: the request could not be satisfied.</body></html>", status)
	a.header = http.Header{"Content-Type": {"text/html"}, "Server": {"CloudFront"}, "X-Cache": {"Error from cloudfront"},
		"X-Amz-Cf-Id": {"dGhlIGVkZ2UncyBvd24=="}, "Via": {"1.1 0123456789abcdef.cloudfront.net (CloudFront)"}}
}

// ok edits answers that have the object, or a part of it.
func ok(f func(h http.Header)) front {
	return edit(func(_ *http.Request, a *said) {
		if a.status == http.StatusOK || a.status == http.StatusPartialContent {
			f(a.header)
		}
	})
}

func drop(name string) front { return ok(func(h http.Header) { h.Del(name) }) }

func set(name, value string) front { return ok(func(h http.Header) { h.Set(name, value) }) }

// always sets a header of every answer.
func always(name, value string) front {
	return edit(func(_ *http.Request, a *said) { a.header.Set(name, value) })
}

// refuse answers with a status when a request fits.
func refuse(status int, when func(r *http.Request) bool) front {
	return edit(func(r *http.Request, a *said) {
		if when(r) {
			a.error(status)
		}
	})
}

func method(m string) func(*http.Request) bool {
	return func(r *http.Request) bool { return r.Method == m }
}

// ask changes requests.
func ask(f func(r *http.Request)) front {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r = r.Clone(r.Context())
			f(r)
			r.RequestURI = r.URL.RequestURI()
			next.ServeHTTP(w, r)
		})
	}
}

// forget leaves request headers out.
func forget(names ...string) front {
	return ask(func(r *http.Request) {
		for _, n := range names {
			r.Header.Del(n)
		}
	})
}

// path changes the path of requests.
func path(f func(escaped string) string) front {
	return ask(func(r *http.Request) {
		if to, err := url.PathUnescape(f(r.URL.EscapedPath())); err == nil {
			r.URL.Path, r.URL.RawPath = to, ""
		}
	})
}

func onlyQuery(r *http.Request, want string) bool { return strings.Contains(r.URL.RawQuery, want) }

// remember is a cache that keeps what it should not: the first answer for a
// key is every later one's. Its answers say how old they are.
func remember(age time.Duration, key func(r *http.Request) string) front {
	return func(next http.Handler) http.Handler {
		var mu sync.Mutex
		have := map[string]*said{}
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			k := key(r)
			if k == "" {
				next.ServeHTTP(w, r)
				return
			}
			k += r.Method
			mu.Lock()
			defer mu.Unlock()
			if have[k] == nil {
				have[k] = record(next, r)
			} else {
				have[k].header.Set("X-Cache", "Hit from cloudfront")
				have[k].header.Set("Age", strconv.Itoa(int(age/time.Second)))
			}
			have[k].write(w, r, false)
		})
	}
}

// plainly is the key of requests that ask for the whole object.
func plainly(r *http.Request) string {
	if r.Header.Get("Range") != "" || r.Header.Get("If-None-Match") != "" || r.Header.Get("If-Modified-Since") != "" || r.Method == http.MethodOptions {
		return ""
	}
	return r.URL.EscapedPath() + "?" + r.URL.RawQuery + "\n" + r.Header.Get("Origin")
}

// noOrigin is plainly without the Origin.
func noOrigin(r *http.Request) string {
	k, _, _ := strings.Cut(plainly(r), "\n")
	return k
}

// seen tells the second and later requests for the same thing from the first.
func seen(f func(again bool, a *said)) front {
	return func(next http.Handler) http.Handler {
		var had sync.Map
		return edit(func(r *http.Request, a *said) {
			k := plainly(r)
			if k == "" || a.status != http.StatusOK {
				return
			}
			_, again := had.LoadOrStore(k+r.Method, true)
			f(again, a)
		})(next)
	}
}

// onceIn spoils one answer in n.
func onceIn(n int64, spoil func(a *said)) front {
	var count atomic.Int64
	return edit(func(r *http.Request, a *said) {
		if a.status == http.StatusOK && count.Add(1)%n == 0 {
			spoil(a)
		}
	})
}

func garble(a *said) {
	a.body = bytes.ToUpper(slices.Clone(a.body))
}

// scheme lets a fault act on one scheme only.
func scheme(secure bool, f front) front {
	return func(next http.Handler) http.Handler {
		faulty := f(next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if (r.TLS != nil) == secure {
				faulty.ServeHTTP(w, r)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// compress gives gzip to whoever does, or does not, ask for it.
func compress(asked bool) front {
	return edit(func(r *http.Request, a *said) {
		if a.status == http.StatusOK && len(a.body) > 0 && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") == asked {
			a.body = zipped(a.body)
			a.header.Set("Content-Encoding", "gzip")
		}
	})
}

// cut ends the connection when n bytes of a body were sent.
func cut(n int) front {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(&cutter{w, n}, r)
		})
	}
}

type cutter struct {
	http.ResponseWriter
	left int
}

func (c *cutter) Write(b []byte) (int, error) {
	if len(b) <= c.left {
		c.left -= len(b)
		return c.ResponseWriter.Write(b)
	}
	_, _ = c.ResponseWriter.Write(b[:c.left])
	panic(http.ErrAbortHandler)
}

// silent ends the connection without an answer.
func silent(http.Handler) http.Handler {
	return http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
}

var oneRange = regexp.MustCompile(`^bytes=\d*-\d+$`)

// onRanges edits answers to requests for one range, and lets the others pass.
func onRanges(f func(r *http.Request, a *said)) front {
	return func(next http.Handler) http.Handler {
		faulty := edit(f)(next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if oneRange.MatchString(r.Header.Get("Range")) {
				faulty.ServeHTTP(w, r)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}
