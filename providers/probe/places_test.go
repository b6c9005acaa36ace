package probe

import (
	"bufio"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/edgeward/edgeward/providers"
)

// counted counts the connections that a server accepts.
func counted(s *httptest.Server) *atomic.Int64 {
	var n atomic.Int64
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			n.Add(1)
		}
	}
	return &n
}

// fetchAll makes n requests for the URL, parallel at a time.
func fetchAll(t testing.TB, w *Web, r providers.Request, n, parallel int) {
	var wg sync.WaitGroup
	var next atomic.Int64
	for range parallel {
		wg.Go(func() {
			for next.Add(1) <= int64(n) {
				if got, err := w.Fetch(t.Context(), r); err != nil || got.Status != 200 {
					t.Errorf("status %d, %v", got.Status, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestConnectionsAreKept(t *testing.T) {
	body := strings.Repeat("x", 10_000)
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) })
	for name, c := range map[string]struct {
		tls         bool
		parallel, n int
		most        int64
		method      string
	}{
		"one at a time":           {false, 1, 100, 1, "GET"},
		"eight at a time":         {false, 8, 2000, 16, "GET"},
		"32 at a time":            {false, 32, 2000, 64, "GET"},
		"heads":                   {false, 8, 200, 16, "HEAD"},
		"HTTP/2":                  {true, 1, 100, 1, "GET"},
		"HTTP/2, eight at a time": {true, 8, 500, 8, "GET"},
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewUnstartedServer(handler)
			s.Config.ErrorLog = quiet
			s.EnableHTTP2 = true
			n := counted(s)
			o, base := WebOptions{}, "http://example.com/"
			if c.tls {
				s.StartTLS()
				o.CAFile, base = written(t, s), "https://example.com/"
			} else {
				s.Start()
			}
			t.Cleanup(s.Close)
			w := newWeb(t, o)
			fetchAll(t, w, providers.Request{Method: c.method, URL: base, Dial: s.Listener.Addr().String()}, c.n, c.parallel)
			if made := n.Load(); made > c.most {
				t.Errorf("%d connections for %d requests, %d at a time; want at most %d", made, c.n, c.parallel, c.most)
			}
		})
	}
}

// A request never reaches a place that was dialled for another one, and never
// under another name, however many are under way.
func TestPlacesAreApart(t *testing.T) {
	handler := func(id string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Place", id+" "+r.Host)
			if r.TLS != nil {
				w.Header().Set("X-Place", id+" "+r.Host+" "+r.TLS.ServerName)
			}
		}
	}
	left, right := plain(t, handler("left")), plain(t, handler("right"))
	secureLeft, ca := secure(t, handler("left"))
	secureRight := httptest.NewUnstartedServer(handler("right"))
	secureRight.EnableHTTP2, secureRight.TLS = true, secureLeft.TLS.Clone()
	secureRight.Config.ErrorLog = quiet
	secureRight.StartTLS()
	t.Cleanup(secureRight.Close)
	w := newWeb(t, WebOptions{CAFile: ca})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for n := range 50 {
				host := []string{"a.example.com", "example.com"}[(i+n)%2]
				for _, c := range [][3]string{
					{"http", left, "left " + host}, {"http", right, "right " + host},
					{"https", secureLeft.Listener.Addr().String(), "left " + host + " " + host},
					{"https", secureRight.Listener.Addr().String(), "right " + host + " " + host},
				} {
					if c[0] == "https" && host != "example.com" && !strings.HasSuffix(host, ".example.com") {
						continue
					}
					got, err := w.Fetch(t.Context(), providers.Request{Method: "GET", URL: c[0] + "://" + host + "/", Dial: c[1]})
					if err != nil || got.Header.Get("X-Place") != c[2] {
						t.Errorf("%s %s at %s was answered by %q, %v", c[0], host, c[1], got.Header.Get("X-Place"), err)
						return
					}
				}
			}
		})
	}
	wg.Wait()
}

// A kept connection that the server has closed in the meantime costs nothing; a
// fresh one that breaks is an error and is not tried again.
func TestDeadConnections(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var conns, requests atomic.Int64
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			conns.Add(1)
			go func() {
				defer c.Close()
				in := bufio.NewReader(c)
				for n := 0; ; n++ { // answers the first request, dies of the second
					req, err := http.ReadRequest(in)
					if err != nil {
						return
					}
					requests.Add(1)
					if n > 0 || req.URL.Path == "/dies" {
						return
					}
					_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
				}
			}()
		}
	}()
	w := newWeb(t, WebOptions{})
	ask := func(method, path string) error {
		_, err := w.Fetch(t.Context(), providers.Request{Method: method, URL: "http://example.com" + path, Dial: l.Addr().String()})
		return err
	}
	for i, method := range []string{"GET", "GET", "HEAD"} {
		if err := ask(method, "/"); err != nil {
			t.Errorf("request %d: %v", i, err)
		}
	}
	if c, r := conns.Load(), requests.Load(); c != 3 || r != 5 {
		t.Errorf("%d connections and %d requests, want 3 and 5", c, r)
	}
	w = newWeb(t, WebOptions{})
	before := requests.Load()
	if err := ask("GET", "/dies"); err == nil {
		t.Error("no error from a connection that broke")
	}
	if n := requests.Load() - before; n != 1 {
		t.Errorf("it was asked %d times", n)
	}
}

// The places of hundreds of sites are not all kept.
func TestPlacesAreBounded(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Header().Set("X-Host", r.Host) }))
	var open atomic.Int64
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			open.Add(1)
		case http.StateClosed:
			open.Add(-1)
		}
	}
	s.Start()
	defer s.Close()
	w := newWeb(t, WebOptions{})
	for i := range 2 * maxPlaces {
		host := fmt.Sprintf("s%d.example.com", i%(maxPlaces+20))
		got, err := w.Fetch(t.Context(), providers.Request{Method: "GET", URL: "http://" + host + "/", Dial: s.Listener.Addr().String()})
		if err != nil || got.Header.Get("X-Host") != host {
			t.Fatalf("%s: %v, %v", host, got, err)
		}
	}
	if n := len(w.places); n != maxPlaces {
		t.Errorf("%d places are kept, want %d", n, maxPlaces)
	}
	for range 1000 { // the server hears of the ends a little later
		if open.Load() <= maxPlaces {
			return
		}
		_, _ = w.Fetch(t.Context(), providers.Request{Method: "GET", URL: "http://s0.example.com/", Dial: s.Listener.Addr().String()})
	}
	t.Errorf("%d connections are open", open.Load())
}

// No cookie is kept, no proxy of the environment is used, nothing is asked to be
// compressed.
func TestFetchAddsNothing(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	t.Setenv("http_proxy", "http://127.0.0.1:1")
	dial := plain(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Set-Cookie", "a=b")
		w.Header().Set("X-Sent", fmt.Sprint(r.Header))
	})
	w := newWeb(t, WebOptions{})
	for range 2 {
		got, err := w.Fetch(t.Context(), providers.Request{Method: "GET", URL: "http://example.com/", Dial: dial})
		if sent := got.Header.Get("X-Sent"); err != nil || sent != "map[User-Agent:[edgeward]]" {
			t.Errorf("headers sent: %s, %v", sent, err)
		}
	}
}

// Time, memory and connections of fetches from one host; the number of
// connections is reported.
func BenchmarkFetch(b *testing.B) {
	body := strings.Repeat("x", 10_000)
	for _, parallel := range []int{1, 8, 32} {
		b.Run(fmt.Sprint(parallel), func(b *testing.B) {
			s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }))
			n := counted(s)
			s.Start()
			defer s.Close()
			w := newWeb(b, WebOptions{})
			b.ReportAllocs()
			b.ResetTimer()
			fetchAll(b, w, providers.Request{Method: "GET", URL: "http://example.com/", Dial: s.Listener.Addr().String()}, b.N, parallel)
			b.ReportMetric(float64(n.Load()), "connections")
		})
	}
}

// written is the file with the certificate of a server.
func written(t testing.TB, s *httptest.Server) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
