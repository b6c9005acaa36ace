package probe

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/edgeward/edgeward/providers"
)

func sum(s string) string {
	d := sha256.Sum256([]byte(s))
	return hex.EncodeToString(d[:])
}

func zipped(parts ...string) string {
	var out bytes.Buffer
	for _, p := range parts {
		z := gzip.NewWriter(&out)
		_, _ = io.WriteString(z, p)
		_ = z.Close()
	}
	return out.String()
}

// both serves over HTTP/1.1 and over HTTP/2.
func both(t *testing.T, h http.HandlerFunc) (w *Web, places map[string]string) {
	t.Helper()
	web, ca := secure(t, h)
	return newWeb(t, WebOptions{CAFile: ca}), map[string]string{"http://example.com": plain(t, h), "https://example.com": web.Listener.Addr().String()}
}

func TestFetchKeepsAndLimits(t *testing.T) {
	const body = "0123456789"
	handler := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/sized" {
			w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		}
		_, _ = io.WriteString(w, body)
		if r.URL.Path == "/chunked" {
			w.(http.Flusher).Flush()
		}
	}
	w, places := both(t, handler)
	for name, c := range map[string]struct {
		keep  int
		limit int64
		want  providers.Response
	}{
		"nothing kept":         {0, 0, providers.Response{Length: 10, SHA256: sum(body)}},
		"the beginning":        {3, 0, providers.Response{Length: 10, SHA256: sum(body), Body: []byte("012")}},
		"more than there is":   {99, 0, providers.Response{Length: 10, SHA256: sum(body), Body: []byte(body)}},
		"cut":                  {99, 4, providers.Response{Length: 4, SHA256: sum("0123"), Body: []byte("0123"), Cut: true}},
		"cut behind the kept":  {1, 4, providers.Response{Length: 4, SHA256: sum("0123"), Body: []byte("0"), Cut: true}},
		"cut before the last":  {0, 9, providers.Response{Length: 9, SHA256: sum("012345678"), Cut: true}},
		"limit is the length":  {0, 10, providers.Response{Length: 10, SHA256: sum(body)}},
		"limit above":          {0, 11, providers.Response{Length: 10, SHA256: sum(body)}},
		"the first byte alone": {9, 1, providers.Response{Length: 1, SHA256: sum("0"), Body: []byte("0"), Cut: true}},
	} {
		for base, dial := range places {
			for _, path := range []string{"/sized", "/chunked"} {
				got, err := w.Fetch(t.Context(), providers.Request{Method: "GET", URL: base + path, Dial: dial, Keep: c.keep, Limit: c.limit})
				if err != nil {
					t.Errorf("%s, %s%s: %v", name, base, path, err)
				}
				c.want.Status, got.Header = 200, nil
				if d := cmp.Diff(c.want, got, cmpopts.EquateEmpty()); d != "" {
					t.Errorf("%s, %s%s (-want +got):\n%s", name, base, path, d)
				}
			}
		}
	}
}

func TestFetchPlain(t *testing.T) {
	long := strings.Repeat("all work and no play ", 50_000)
	for name, c := range map[string]struct {
		coding, body string
		limit        int64
		method       string
		want         string
	}{
		"gzip":                   {coding: "gzip", body: zipped(long), want: sum(long)},
		"upper case":             {coding: " GZIP ", body: zipped(long), want: sum(long)},
		"of nothing":             {coding: "gzip", body: zipped(""), want: sum("")},
		"in two members":         {coding: "gzip", body: zipped("a", "b"), want: sum("ab")},
		"not said":               {body: zipped(long)},
		"another coding":         {coding: "br", body: zipped(long)},
		"two codings":            {coding: "aws-chunked, gzip", body: zipped(long)},
		"said, but it is none":   {coding: "gzip", body: long},
		"said, without a body":   {coding: "gzip"},
		"asked for the head":     {coding: "gzip", body: zipped("x"), method: "HEAD"},
		"an object cut short":    {coding: "gzip", body: zipped(long)[:500]},
		"a wrong sum":            {coding: "gzip", body: zipped("abc")[:len(zipped("abc"))-8] + "12345678"},
		"something behind it":    {coding: "gzip", body: zipped("abc") + "more"},
		"read in part":           {coding: "gzip", body: zipped(long), limit: 100},
		"read exactly":           {coding: "gzip", body: zipped("abc"), limit: int64(len(zipped("abc"))), want: sum("abc")},
		"cut where a member end": {coding: "gzip", body: zipped("abc", "def"), limit: int64(len(zipped("abc")))},
	} {
		handler := func(w http.ResponseWriter, _ *http.Request) {
			if c.coding != "" {
				w.Header().Set("Content-Encoding", c.coding)
			}
			_, _ = io.WriteString(w, c.body)
		}
		w, places := both(t, handler)
		for base, dial := range places {
			method := "GET"
			if c.method != "" {
				method, c.body = c.method, ""
			}
			got, err := w.Fetch(t.Context(), providers.Request{Method: method, URL: base, Dial: dial, Limit: c.limit})
			if err != nil {
				t.Errorf("%s, %s: %v", name, base, err)
				continue
			}
			raw := c.body
			if c.limit > 0 {
				raw = raw[:c.limit]
			}
			if got.Plain != c.want || got.SHA256 != sum(raw) || got.Length != int64(len(raw)) {
				t.Errorf("%s, %s: plain %q, want %q; %d bytes, want %d", name, base, got.Plain, c.want, got.Length, len(raw))
			}
		}
	}
}

// A small body that stands for very much is not followed to its end; it is still
// hashed whole.
func TestGzipBomb(t *testing.T) {
	zeros := strings.Repeat("\x00", 1<<20)
	body := zipped(zeros) + strings.Repeat("tail", 50_000)
	_, watch := newWatch(t.Context(), time.Minute, time.Minute)
	defer watch.end()
	for most, want := range map[int64]string{1 << 20: sum(zeros), 1<<20 - 1: ""} {
		text := body[:len(zipped(zeros))]
		if want == "" {
			text = body
		}
		in := &intake{body: strings.NewReader(text), watch: watch, length: -1, digest: sha256.New()}
		if got := in.plain(most); got != want {
			t.Errorf("with at most %d bytes: %q, want %q", most, got, want)
		}
		if err := in.rest(); err != nil || in.n != int64(len(text)) || hex.EncodeToString(in.digest.Sum(nil)) != sum(text) {
			t.Errorf("with at most %d bytes: read %d of %d, %v", most, in.n, len(text), err)
		}
	}
}

// A body that breaks off is an error that says so, over both versions of HTTP,
// with and without a length, zipped or not.
func TestFetchCutOff(t *testing.T) {
	handler := func(w http.ResponseWriter, r *http.Request) {
		body := "only the beginning"
		switch r.URL.Path {
		case "/sized":
			w.Header().Set("Content-Length", "100")
		case "/gzip":
			w.Header().Set("Content-Length", "100")
			w.Header().Set("Content-Encoding", "gzip")
			body = zipped(body)[:20]
		}
		_, _ = io.WriteString(w, body)
		w.(http.Flusher).Flush()
		if r.URL.Path == "/reset" {
			panic(http.ErrAbortHandler)
		}
	}
	w, places := both(t, handler)
	for base, dial := range places {
		for _, path := range []string{"/sized", "/reset", "/gzip"} {
			_, err := w.Fetch(t.Context(), providers.Request{Method: "GET", URL: base + path, Dial: dial})
			if !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(err.Error(), "it is cut off") {
				t.Errorf("%s%s: error is %v, want one that says that the body is cut off", base, path, err)
			}
		}
		if _, err := w.Fetch(t.Context(), providers.Request{Method: "HEAD", URL: base + "/sized", Dial: dial}); err != nil {
			t.Errorf("HEAD %s: %v", base, err)
		}
	}
}

// A body takes as long as it takes while it flows; one that stops, or
// trickles, does not hold its caller for ever.
func TestFetchStalls(t *testing.T) {
	stop := make(chan struct{})
	handler := func(w http.ResponseWriter, r *http.Request) {
		size, pieces := 4096, 8
		switch r.URL.Path {
		case "/silent":
			pieces = 0
		case "/stops":
			pieces = 1
		case "/trickles":
			size, pieces = 1, 250
		}
		tick := time.NewTicker(40 * time.Millisecond)
		defer tick.Stop()
		for range pieces {
			_, _ = w.Write(make([]byte, size))
			w.(http.Flusher).Flush()
			select {
			case <-tick.C:
			case <-stop:
				return
			}
		}
		if r.URL.Path != "/flows" {
			select {
			case <-stop:
			case <-r.Context().Done():
			}
		}
	}
	web, ca := secure(t, handler)
	defer close(stop)
	w := newWeb(t, WebOptions{CAFile: ca, Timeout: 200 * time.Millisecond, Stall: 150 * time.Millisecond})
	for base, dial := range map[string]string{"http://example.com": plain(t, handler), "https://example.com": web.Listener.Addr().String()} {
		got, err := w.Fetch(t.Context(), providers.Request{Method: "GET", URL: base + "/flows", Dial: dial})
		if err != nil || got.Length != 8*4096 {
			t.Errorf("%s: a body that flows longer than the timeout: %d bytes, %v", base, got.Length, err)
		}
		for path, want := range map[string]string{"/silent": "in time", "/stops": "after 4096 bytes", "/trickles": "read body after"} {
			began := time.Now()
			_, err := w.Fetch(t.Context(), providers.Request{Method: "GET", URL: base + path, Dial: dial})
			if took := time.Since(began); took > 3*time.Second {
				t.Errorf("%s%s took %s", base, path, took)
			}
			if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), want) {
				t.Errorf("%s%s: error is %v, want a deadline and %q", base, path, err, want)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		if _, err := w.Fetch(ctx, providers.Request{Method: "GET", URL: base + "/stops", Dial: dial}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: error is %v when the caller's context ended", base, err)
		}
		cancel()
		if _, err := w.Fetch(ctx, providers.Request{Method: "GET", URL: base + "/flows", Dial: dial}); err == nil {
			t.Errorf("%s: no error with a context that has ended", base)
		}
	}
}
