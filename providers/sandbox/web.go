package sandbox

import (
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/edgeward/edgeward/providers"
)

type webPort struct{ w *World }

const opFetch = "Web.Fetch"

func (p webPort) Fetch(ctx context.Context, r providers.Request) (providers.Response, error) {
	u, err := url.Parse(r.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return providers.Response{}, fmt.Errorf("fetch %s: not an http or https URL: %w", r.URL, providers.ErrInvalid)
	}
	if r.Method == "" {
		r.Method = http.MethodGet
	}
	var got reply
	var head http.Header
	err = p.w.call(ctx, Call{Op: opFetch, Name: r.Method + " " + r.URL}, func(now time.Time) error {
		got, err = p.w.fetch(r, u, now)
		if err == nil {
			p.w.seq++
			head = got.header(requestID(p.w.seq), now)
		}
		return err
	})
	if err != nil {
		return providers.Response{}, err
	}
	return received(r, got, head), nil
}

// received is an answer as a client has it that reads its body.
func received(r providers.Request, got reply, head http.Header) providers.Response {
	out := providers.Response{Status: got.status, Header: head}
	n := got.n
	if r.Method == http.MethodHead || got.body == nil || got.status == http.StatusNotModified {
		n = 0
	}
	if r.Limit > 0 && r.Limit < n {
		n, out.Cut = r.Limit, true
	}
	out.Length = n
	if r.Keep > 0 {
		out.Body = make([]byte, min(int64(r.Keep), n))
	}
	sum := sha256.New()
	if n > 0 {
		_, _ = got.body.ReadAt(out.Body, got.off)      // within the part, so no error
		_, _ = io.Copy(sum, got.body.part(got.off, n)) // nor here
	}
	out.SHA256 = hex.EncodeToString(sum.Sum(nil))
	if head.Get("Content-Encoding") == "gzip" && !out.Cut && n > 0 && got.status == http.StatusOK {
		out.Plain = unzipped(got.body.part(got.off, n))
	}
	return out
}

// unzipped is the digest of what was compressed, "" when it is no gzip.
func unzipped(r io.Reader) string {
	z, err := gzip.NewReader(r)
	if err != nil {
		return ""
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, z); err != nil {
		return ""
	}
	return hex.EncodeToString(sum.Sum(nil))
}

func (w *World) fetch(r providers.Request, u *url.URL, now time.Time) (reply, error) {
	dial := r.Dial
	if dial == "" {
		dial = u.Hostname()
	}
	e, err := w.place(dial)
	if err != nil {
		return reply{}, fmt.Errorf("fetch %s: %w", r.URL, err)
	}
	got, err := w.connect(e, request{
		scheme: u.Scheme, method: r.Method, host: strings.ToLower(u.Hostname()), path: pathOf(u.EscapedPath()), query: u.RawQuery, header: r.Header,
	}, now)
	if err != nil {
		return reply{}, fmt.Errorf("fetch %s from %s: %w", r.URL, dial, err)
	}
	return got, nil
}

func pathOf(p string) string {
	if p == "" {
		return "/"
	}
	return p
}

// Handler is the world at one of its places as an HTTP server: dial is an S3
// endpoint, the name of a distribution, an address of the world, or "cloudfront"
// for every distribution. As at those, the Host of a request (its port left out)
// says which bucket or distribution answers, and a request over TLS is one over
// https; where the place would not get as far as an answer (no TLS there, the
// wrong certificate) the connection is closed. The world's clock is only read,
// never slept on, so a handler serves real sockets if that clock goes by itself.
// Its requests are no calls: hooks, latencies and counts do not see them.
func (w *World) Handler(dial string) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, hr *http.Request) {
		got, head, err := w.serveHTTP(dial, hr)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		h := rw.Header()
		for k, v := range head {
			h[k] = v
		}
		if head.Get("Content-Type") == "" {
			h["Content-Type"] = nil // else net/http guesses one
		}
		rw.WriteHeader(got.status)
		if got.chunked {
			_ = http.NewResponseController(rw).Flush() // else net/http tells the length
		}
		if hr.Method != http.MethodHead && got.body != nil && got.status != http.StatusNotModified {
			_, _ = io.Copy(rw, got.body.part(got.off, got.n)) // the client's connection may end at any time
		}
	})
}

func (w *World) serveHTTP(dial string, hr *http.Request) (reply, http.Header, error) {
	raw, query := hr.URL.EscapedPath(), hr.URL.RawQuery
	if strings.HasPrefix(hr.RequestURI, "/") {
		raw, query, _ = strings.Cut(hr.RequestURI, "?")
	}
	host := strings.ToLower(hr.Host)
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	r := request{
		scheme: "http", method: hr.Method, host: host, path: pathOf(raw), query: query, header: hr.Header,
		body: hr.ContentLength != 0,
	}
	if hr.TLS != nil {
		r.scheme = "https"
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.clock.Now()
	w.advance(now)
	e, err := endpoint{kind: edgeEnd}, error(nil)
	if dial != edgeEnd {
		e, err = w.place(dial)
	}
	if err != nil {
		return reply{}, nil, err
	}
	got, err := w.connect(e, r, now)
	if err != nil {
		return reply{}, nil, err
	}
	w.seq++
	return got, got.header(requestID(w.seq), now), nil
}
