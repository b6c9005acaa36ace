package sandbox

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/edgeward/edgeward/providers"
	"github.com/google/go-cmp/cmp"
)

// TestHandlerAnswersAsTheWebPort: over a real socket the same comes as through
// the port, but for ids and times of the connection.
func TestHandlerAnswersAsTheWebPort(t *testing.T) {
	w, _, id := front(t, preserving, func(b *Bucket) { website(b); b.Listing = true }, nil)
	domain := w.dists[id].domain
	for _, dial := range []string{restHost, siteHost, domain} {
		srv := httptest.NewServer(w.Handler(dial))
		t.Cleanup(srv.Close)
		transport := &http.Transport{DisableCompression: true, DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, network, srv.Listener.Addr().String())
		}}
		t.Cleanup(transport.CloseIdleConnections)
		for _, q := range []struct{ method, path, name, value string }{
			{"GET", "/digits", "", ""}, {"HEAD", "/digits", "", ""}, {"GET", "/digits", "Range", "bytes=2-4"}, {"GET", "/digits", "Range", "bytes=99-"},
			{"GET", "/digits", "If-None-Match", "*"}, {"GET", "/none", "", ""}, {"HEAD", "/none", "", ""}, {"GET", "/", "", ""}, {"HEAD", "/", "", ""},
			{"GET", "/empty", "", ""}, {"GET", "/full", "", ""}, {"GET", "/a%20b%2F%C3%B6+1.txt", "", ""}, {"GET", "/a//b", "", ""}, {"GET", "/100%25", "", ""}, {"GET", "//x", "", ""},
			{"GET", "/docs", "", ""}, {"OPTIONS", "/digits", "", ""}, {"PUT", "/digits", "", ""}, {"GET", "/?list-type=2&max-keys=1", "", ""},
		} {
			r := providers.Request{Method: q.method, URL: "http://" + theAlias + q.path, Dial: dial, Header: http.Header{}, Keep: 1 << 20}
			if q.name != "" {
				r.Header.Set(q.name, q.value)
			}
			want := must[providers.Response](t)(w.Providers().Web.Fetch(t.Context(), r))
			hr := must[*http.Request](t)(http.NewRequestWithContext(t.Context(), q.method, r.URL, nil))
			for k, v := range r.Header {
				hr.Header[k] = v
			}
			resp, err := transport.RoundTrip(hr)
			if err != nil {
				t.Fatal(err)
			}
			got := providers.Response{Status: resp.StatusCode, Header: resp.Header, Body: must[[]byte](t)(io.ReadAll(resp.Body))}
			_ = resp.Body.Close()
			sum := sha256.Sum256(got.Body)
			got.Length, got.SHA256 = int64(len(got.Body)), hex.EncodeToString(sum[:])
			for _, x := range []*providers.Response{&want, &got} {
				if x.Status >= 400 { // the text has the request's ids
					x.SHA256, x.Body = "", nil
				}
				if len(x.Body) == 0 {
					x.Body = nil
				}
				for _, k := range []string{"X-Amz-Request-Id", "X-Amz-Id-2", "X-Amz-Cf-Id", "Via", "X-Cache", "Age"} {
					x.Header.Del(k)
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s %s %s of %s:\n%s", q.method, q.path, q.value, dial, diff)
			}
		}
	}
}

// TestWebPortReads: Keep, Limit, Cut and Plain, and bodies that take no memory.
func TestWebPortReads(t *testing.T) {
	long := []byte(strings.Repeat("abcdefgh", 500))
	w, _, id := front(t, providers.CacheSettings{MaxTTL: 60, Gzip: true}, func(b *Bucket) {
		b.Objects = append(b.Objects, Object{Key: "long.css", Body: long, ContentType: "text/css"}, Object{Key: "big", Size: 8 << 20})
	}, func(s *providers.Settings) { s.Compress = true })
	fetch := func(path string, change func(*providers.Request)) providers.Response {
		t.Helper()
		r := providers.Request{URL: "http://" + theAlias + path, Dial: w.dists[id].domain, Header: http.Header{}}
		if change != nil {
			change(&r)
		}
		return must[providers.Response](t)(w.Providers().Web.Fetch(t.Context(), r))
	}
	zip := func(r *providers.Request) { r.Header.Set("Accept-Encoding", "gzip") }
	if got := fetch("/long.css", zip); got.Plain != digest(long) || got.SHA256 == got.Plain || got.Length >= int64(len(long)) || got.Cut {
		t.Errorf("gzip: %+v", got)
	}
	if got := fetch("/long.css", func(r *providers.Request) { zip(r); r.Limit = 10 }); got.Plain != "" || !got.Cut || got.Length != 10 {
		t.Errorf("gzip, cut: %+v", got)
	}
	if got := fetch("/digits", func(r *providers.Request) { r.Keep, r.Limit = 3, 10 }); string(got.Body) != "012" || got.Cut || got.Length != 10 || got.Plain != "" {
		t.Errorf("limit at the end: %+v", got)
	}
	if got := fetch("/digits", func(r *providers.Request) { r.Keep, r.Limit = 99, 4 }); string(got.Body) != "0123" || !got.Cut || got.SHA256 != digest([]byte("0123")) {
		t.Errorf("limit: %+v", got)
	}
	if got := fetch("/digits", func(r *providers.Request) { r.Header.Set("Range", "bytes=4-6") }); got.SHA256 != digest([]byte("456")) {
		t.Errorf("range: %+v", got)
	}
	if got := fetch("/digits", func(r *providers.Request) { r.Method, r.Keep = "HEAD", 9 }); got.Length != 0 || len(got.Body) != 0 || got.Cut {
		t.Errorf("HEAD: %+v", got)
	}
	allocated := testing.AllocsPerRun(1, func() {
		if got := fetch("/big", nil); got.Length != 8<<20 {
			t.Errorf("big: %+v", got)
		}
	})
	if allocated > 1000 {
		t.Errorf("a large body took %v allocations", allocated)
	}
}

// TestHandlerOverTLS: a request over TLS is https; where there would be no
// certificate the connection ends.
func TestHandlerOverTLS(t *testing.T) {
	w, _, id := front(t, preserving, nil, func(s *providers.Settings) { s.HTTPVersion = "http2and3"; s.ViewerProtocol = "redirect-to-https" })
	get := func(dial, host string) (*http.Response, error) {
		srv := httptest.NewUnstartedServer(w.Handler(dial))
		srv.Config.ErrorLog = nil
		srv.StartTLS()
		defer srv.Close()
		client := srv.Client()
		client.Transport.(*http.Transport).TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
		r := must[*http.Request](t)(http.NewRequestWithContext(t.Context(), "GET", srv.URL+"/digits", nil))
		r.Host = host
		resp, err := client.Do(r)
		if err == nil {
			_ = resp.Body.Close()
		}
		return resp, err
	}
	got, err := get(w.dists[id].domain, theAlias+":8443")
	if err != nil || got.StatusCode != 200 || !strings.Contains(got.Header.Get("Alt-Svc"), "h3") {
		t.Errorf("%+v, %v", got, err)
	}
	for _, c := range [][2]string{{edgeEnd, "other.example.com"}, {siteHost, theAlias}, {restHost, theAlias}, {"none.example.net", theAlias}} {
		if got, err := get(c[0], c[1]); err == nil {
			t.Errorf("%s at %s: %+v", c[1], c[0], got)
		}
	}
}

// TestHandlerServesMany: handlers are used at once, and while the world is
// edited (the race detector looks).
func TestHandlerServesMany(t *testing.T) {
	w, _, _ := front(t, preserving, nil, nil)
	srv := httptest.NewServer(w.Handler(edgeEnd))
	defer srv.Close()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for k := range 20 {
				conn, err := net.Dial("tcp", srv.Listener.Addr().String())
				if err != nil {
					t.Error(err)
					return
				}
				fmt.Fprintf(conn, "GET /digits?%d HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", k, theAlias)
				resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if err != nil || resp.StatusCode != 200 {
					t.Errorf("%v, %v", resp, err)
				} else if b, _ := io.ReadAll(resp.Body); !bytes.Equal(b, []byte("0123456789")) {
					t.Errorf("%q", b)
				}
				_ = conn.Close()
				if i == 0 {
					w.EditBucket(theAlias, func(b *Bucket) { b.Objects = []Object{{Key: "other", Body: []byte{byte(k)}}} })
				}
			}
		})
	}
	wg.Wait()
}
