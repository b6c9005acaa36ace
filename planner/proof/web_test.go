package proof

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/edgeward/edgeward/providers"
)

// The hosts of the two sites in these tests.
const (
	leftHost  = "left.test"
	rightHost = "right.test"
)

// fakeWeb is the two sites in memory, and what was asked of them.
type fakeWeb struct {
	sites map[string]http.Handler // by the host of the URL
	// delay is how long a request takes, 0 when nil; before may fail a request
	// that has come, the nth, the first being 1.
	delay  func() time.Duration
	before func(n int, r providers.Request) error

	mu     sync.Mutex
	asked  []asked
	flying int
	most   int
}

// asked is a request that came.
type asked struct {
	at             time.Time
	scheme         string
	host, path     string
	method, origin string
	query          string
	limit          int64
}

func (w *fakeWeb) Fetch(ctx context.Context, r providers.Request) (providers.Response, error) {
	u, err := url.Parse(r.URL)
	if err != nil {
		return providers.Response{}, err
	}
	w.mu.Lock()
	w.asked = append(w.asked, asked{time.Now(), u.Scheme, u.Host, u.EscapedPath(), r.Method, r.Header.Get("Origin"), u.RawQuery, r.Limit})
	n := len(w.asked)
	w.flying++
	w.most = max(w.most, w.flying)
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		w.flying--
		w.mu.Unlock()
	}()
	if w.delay != nil {
		if err := (providers.RealClock{}).Sleep(ctx, w.delay()); err != nil {
			return providers.Response{}, err
		}
	}
	if w.before != nil {
		if err := w.before(n, r); err != nil {
			return providers.Response{}, err
		}
	}
	if err := ctx.Err(); err != nil {
		return providers.Response{}, err
	}
	site := w.sites[u.Host]
	if site == nil {
		return providers.Response{}, errors.New("connection refused")
	}
	return answerOf(site, r, u), nil
}

// answerOf has a handler answer a Request.
func answerOf(site http.Handler, r providers.Request, u *url.URL) providers.Response {
	req := &http.Request{Method: r.Method, URL: u, Host: u.Host, Header: r.Header, Body: http.NoBody}
	if req.Header == nil {
		req.Header = http.Header{}
	}
	rec := httptest.NewRecorder()
	site.ServeHTTP(rec, req)
	resp := rec.Result()
	body, _ := io.ReadAll(resp.Body)
	out := providers.Response{Status: resp.StatusCode, Header: resp.Header}
	if r.Limit > 0 && int64(len(body)) > r.Limit {
		body, out.Cut = body[:r.Limit], true
	}
	sum := sha256.Sum256(body)
	out.Length, out.SHA256 = int64(len(body)), hex.EncodeToString(sum[:])
	out.Body = body[:min(len(body), r.Keep)]
	return out
}

// to counts the requests to one host.
func (w *fakeWeb) to(host string) int {
	n := 0
	for _, a := range w.asked {
		if a.host == host {
			n++
		}
	}
	return n
}

// store is a site with objects by path, as S3 has them.
type store map[string]string

func (s store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, ok := s[r.URL.Path]
	if !ok {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	h := w.Header()
	if o := r.Header.Get("Origin"); o != "" && !strings.Contains(o, "other") {
		h.Set("Access-Control-Allow-Origin", o)
		h.Add("Vary", "Origin")
	}
	if r.Method == http.MethodOptions {
		return
	}
	sum := sha256.Sum256([]byte(body))
	h.Set("Etag", `"`+hex.EncodeToString(sum[:4])+`"`)
	h.Set("Cache-Control", "max-age=60")
	h.Set("Content-Type", "text/plain")
	if strings.ContainsAny(r.Header.Get("Range"), ",x") { // S3 ignores these
		r = r.Clone(r.Context())
		r.Header.Del("Range")
	}
	http.ServeContent(w, r, "", time.Unix(1700000000, 0), strings.NewReader(body))
}

// objects is a store of n, and their targets; the first ones get the matrix.
func objects(n, whole int) (store, []Target) {
	s, targets := store{}, []Target(nil)
	for i := range n {
		path := fmt.Sprintf("/o/%05d.txt", i)
		s[path] = strings.Repeat(path, 3)
		targets = append(targets, Target{Path: path, Size: int64(len(s[path])), Whole: i < whole})
	}
	return s, targets
}

// options compare a left with a right, which is reached over http and https.
func options(left, right http.Handler) (Options, *fakeWeb) {
	web := &fakeWeb{sites: map[string]http.Handler{leftHost: left, rightHost: right}}
	return Options{
		Web: web, Clock: providers.RealClock{}, Left: Site{URL: "http://" + leftHost},
		Right: []Site{{URL: "http://" + rightHost}, {URL: "https://" + rightHost}},
		Facts: Facts{CloudFront: true, CORS: []providers.CORSRule{{Origins: []string{"https://*.example.com", "http://a.test"}, Methods: []string{"GET"}}}},
		Seed:  "seed", Rate: 1e9,
	}, web
}

// simple judges enough to tell one fault from another.
func simple(_ Facts, t Target, p pair) []Difference {
	var out []Difference
	add := func(a Aspect, v Verdict, left, right string) {
		if left != right {
			out = append(out, Difference{Path: t.Path, Request: p.request(), Aspect: a, Verdict: v, Left: left, Right: right})
		}
	}
	l, r := p.left, p.reply
	switch {
	case r.err != nil:
		add(Answer, Broken, fmt.Sprint(l.Status), r.err.Error())
	case l.Status != r.Status && r.Status < 500 && l.Status >= 400 && r.Status >= 400:
		add(StatusCode, Changed, fmt.Sprint(l.Status), fmt.Sprint(r.Status))
	case l.Status != r.Status:
		add(StatusCode, Broken, fmt.Sprint(l.Status), fmt.Sprint(r.Status))
	default:
		add(Body, Broken, l.SHA256, r.SHA256)
		add(CORS, Broken, l.Header.Get("Access-Control-Allow-Origin"), r.Header.Get("Access-Control-Allow-Origin"))
		add(CacheControl, Changed, l.Header.Get("Cache-Control"), r.Header.Get("Cache-Control"))
	}
	return out
}

// comparison runs Compare with the simple judge.
func comparison(ctx context.Context, o Options, targets []Target) (Result, error) {
	r := newRun(o, targets)
	r.judge = simple
	return r.compare(ctx)
}

func compared(t testing.TB, o Options, targets []Target) Result {
	t.Helper()
	got, err := comparison(t.Context(), o, targets)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// altered is a handler that answers some requests in its own way.
func altered(site http.Handler, own func(w http.ResponseWriter, r *http.Request) bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !own(w, r) {
			site.ServeHTTP(w, r)
		}
	})
}

// lacking is a site without one header.
func lacking(site http.Handler, header string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := httptest.NewRecorder()
		site.ServeHTTP(rec, r)
		for k, v := range rec.Header() {
			if k != header {
				w.Header()[k] = v
			}
		}
		w.WriteHeader(rec.Code)
		_, _ = w.Write(rec.Body.Bytes())
	})
}

// cache keeps whole answers to GET by URL, and by Origin when keyed.
type cache struct {
	site  http.Handler
	keyed bool
	mu    sync.Mutex
	have  map[string]*httptest.ResponseRecorder
	// hit and miss, if set, change the answers of a kind.
	hit, miss func(*httptest.ResponseRecorder)
}

func (c *cache) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet || r.Header.Get("Range") != "" || r.Header.Get("If-None-Match") != "" || r.Header.Get("If-Modified-Since") != "" {
		c.site.ServeHTTP(w, r)
		return
	}
	key := r.URL.Path + "?" + r.URL.RawQuery
	if c.keyed {
		key += r.Header.Get("Origin")
	}
	c.mu.Lock()
	rec, hit := c.have[key]
	if !hit {
		rec = httptest.NewRecorder()
		c.site.ServeHTTP(rec, r)
		if c.have == nil {
			c.have = map[string]*httptest.ResponseRecorder{}
		}
		c.have[key] = rec
	}
	c.mu.Unlock()
	out := httptest.NewRecorder()
	for k, v := range rec.Header() {
		out.Header()[k] = v
	}
	out.Code = rec.Code
	out.Body.Write(rec.Body.Bytes())
	if hit && c.hit != nil {
		c.hit(out)
	}
	if !hit && c.miss != nil {
		c.miss(out)
	}
	for k, v := range out.Header() {
		w.Header()[k] = v
	}
	w.WriteHeader(out.Code)
	_, _ = w.Write(out.Body.Bytes())
}

// jitter is a delay of up to most, the same ones for a seed.
func jitter(seed uint64, most time.Duration) func() time.Duration {
	var mu sync.Mutex
	r := rand.New(rand.NewPCG(seed, 1))
	return func() time.Duration {
		mu.Lock()
		defer mu.Unlock()
		return time.Duration(r.Int64N(int64(most)))
	}
}
