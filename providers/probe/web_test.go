package probe

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/edgeward/edgeward/providers"
)

// quiet drops what servers say about clients that hang up.
var quiet = log.New(io.Discard, "", 0)

func newWeb(t testing.TB, o WebOptions) *Web {
	t.Helper()
	w, err := NewWeb(o)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func plain(t testing.TB, h http.HandlerFunc) (dial string) {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = quiet
	s.Start()
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

func TestFetch(t *testing.T) {
	const body = "the body"
	handler := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Host", r.Host)
		w.Header().Set("X-Sent", fmt.Sprint(r.Header))
		w.Header().Set("Location", "http://elsewhere.example/")
		if r.TLS != nil {
			w.Header().Set("X-Sni", r.TLS.ServerName)
		}
		w.WriteHeader(302)
		_, _ = io.WriteString(w, body)
	}
	tls, ca := secure(t, handler)
	sum := sha256.Sum256([]byte(body))
	for scheme, dial := range map[string]string{"http": plain(t, handler), "https": tls.Listener.Addr().String()} {
		for _, method := range []string{"GET", "HEAD"} {
			got, err := newWeb(t, WebOptions{CAFile: ca, Version: "1.2.3"}).Fetch(t.Context(), providers.Request{Method: method,
				URL: scheme + "://assets.example.com/x", Dial: dial, Header: http.Header{"origin": {"https://a.example"}}})
			if err != nil {
				t.Errorf("%s %s: %v", method, scheme, err)
				continue
			}
			want := providers.Response{Status: 302, Length: int64(len(body)), SHA256: hex.EncodeToString(sum[:])}
			if method == "HEAD" {
				empty := sha256.Sum256(nil)
				want.Length, want.SHA256 = 0, hex.EncodeToString(empty[:])
			}
			header := got.Header
			got.Header = nil
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("%s %s (-want +got):\n%s", method, scheme, d)
			}
			if h := header.Get("X-Host"); h != "assets.example.com" {
				t.Errorf("Host is %s", h)
			}
			if s := header.Get("X-Sni"); scheme == "https" && s != "assets.example.com" {
				t.Errorf("SNI is %q", s)
			}
			if s := header.Get("X-Sent"); s != "map[Origin:[https://a.example] User-Agent:[edgeward/1.2.3]]" {
				t.Errorf("headers sent: %s", s)
			}
		}
	}
}

func TestFetchSendsThePathAsItIs(t *testing.T) {
	handler := func(w http.ResponseWriter, r *http.Request) { w.Header().Set("X-Uri", r.RequestURI) }
	dial := plain(t, handler)
	tls, ca := secure(t, handler)
	w := newWeb(t, WebOptions{CAFile: ca})
	for _, path := range []string{"/a%2Fb", "//x", "//x//y/", "/a+b%20c", "/%7Euser", "/a/../b", "/./a", "/", "/caf%C3%A9", "/caf%c3%a9", "/a?b=c%20d+e&f",
		"/a?", "/a;b=1,2", "/a'(b)!*", "/a%3Fb%23c%25", "/a%2Fb/+/%2B/%7C%22%5C", "/%2F", "/a??b?", "/a?&&=", "/a?b|c{}", "/%00%0a",
		"/" + strings.Repeat("%C3%A9", 1024), "/a?" + strings.Repeat("x", 8000), "/a:b@c$d", "/..%2f..", "/$&+,:;=@[]~"} {
		for prefix, to := range map[string]string{"http://example.com": dial, "https://example.com": tls.Listener.Addr().String()} {
			got, err := w.Fetch(t.Context(), providers.Request{Method: "GET", URL: prefix + path, Dial: to})
			if err != nil {
				t.Errorf("%s%s: %v", prefix, path, err)
			} else if uri := got.Header.Get("X-Uri"); uri != path {
				t.Errorf("%s%s reached the server as %s", prefix, path, uri)
			}
		}
	}
}

// What cannot be sent as it is, is escaped, and nothing else is touched.
func TestFetchEscapesWhatItMust(t *testing.T) {
	dial := plain(t, func(w http.ResponseWriter, r *http.Request) { w.Header().Set("X-Uri", r.RequestURI) })
	w := newWeb(t, WebOptions{})
	for path, want := range map[string]string{
		"/a%2Fb|c": "/a%2Fb%7Cc", "/café": "/caf%C3%A9", "/a b?c d": "/a%20b?c%20d", "": "/", "?a": "/?a", "/a#b": "/a", "/a\\b\"": "/a%5Cb%22",
		"//a^b": "//a%5Eb", "/\x00\r\nHost: x": "/%00%0D%0AHost:%20x",
	} {
		got, err := w.Fetch(t.Context(), providers.Request{Method: "GET", URL: "http://example.com" + path, Dial: dial})
		if err != nil {
			t.Errorf("%q: %v", path, err)
		} else if uri := got.Header.Get("X-Uri"); uri != want {
			t.Errorf("%q reached the server as %q, want %q", path, uri, want)
		}
	}
}

func TestFetchConnectTo(t *testing.T) {
	here := plain(t, func(w http.ResponseWriter, r *http.Request) { w.Header().Set("X-Host", r.Host) })
	_, port, _ := net.SplitHostPort(here)
	for what, c := range map[string]struct {
		connect   map[string]string
		url, dial string
	}{
		"host":                {map[string]string{"assets.example.com": here}, "http://assets.example.com/", ""},
		"host and port":       {map[string]string{"Assets.Example.com:80": here}, "http://assets.example.com/", ""},
		"port kept":           {map[string]string{"assets.example.com": "127.0.0.1"}, "http://assets.example.com:" + port + "/", ""},
		"port of the URL":     {nil, "http://assets.example.com:" + port + "/", "127.0.0.1"},
		"wildcard":            {map[string]string{"*.cloudfront.net": here}, "http://assets.example.com/", "d1.cloudfront.net"},
		"wildcard of labels":  {map[string]string{"*.amazonaws.com": here}, "http://assets.example.com/", "a.b.s3.eu-west-1.amazonaws.com"},
		"the exact one first": {map[string]string{"*.net": "127.0.0.1:1", "*.cloudfront.net": here}, "http://assets.example.com/", "d1.cloudfront.net"},
		"the port one first":  {map[string]string{"d1.cloudfront.net": "127.0.0.1:1", "d1.cloudfront.net:80": here}, "http://assets.example.com/", "d1.cloudfront.net"},
		"only what is dialled": {map[string]string{"assets.example.com": "127.0.0.1:1", "d1.cloudfront.net": here},
			"http://assets.example.com/", "d1.cloudfront.net"},
	} {
		t.Run(what, func(t *testing.T) {
			got, err := newWeb(t, WebOptions{ConnectTo: c.connect}).Fetch(t.Context(), providers.Request{Method: "GET", URL: c.url, Dial: c.dial})
			if err != nil {
				t.Fatal(err)
			}
			if h := got.Header.Get("X-Host"); !strings.HasPrefix(h, "assets.example.com") {
				t.Errorf("Host is %s", h)
			}
		})
	}
}

func TestConnectToAddresses(t *testing.T) {
	c, err := newConnectTo(map[string]string{"*.example.com": "127.0.0.2", "a.example.com:443": "[::1]:8443", "b.example.com": "::1"})
	if err != nil {
		t.Fatal(err)
	}
	for in, want := range map[[2]string]string{{"a.example.com", "443"}: "[::1]:8443", {"a.example.com", "80"}: "127.0.0.2:80",
		{"b.example.com", "80"}: "[::1]:80", {"example.com", "80"}: "example.com:80", {"aexample.com", "80"}: "aexample.com:80",
		{"X.Y.example.com.", "80"}: "127.0.0.2:80"} {
		if got := c.address(in[0], in[1]); got != want {
			t.Errorf("%v is dialled as %s, want %s", in, got, want)
		}
	}
	for from, to := range map[string]string{"a:b": "c", "a": "c:0", "": "c", "a ": "", "a/b": "c"} {
		if _, err := NewWeb(WebOptions{ConnectTo: map[string]string{from: to}}); err == nil || !strings.Contains(err.Error(), "HOST[:PORT]") {
			t.Errorf("connect_to %q = %q: error is %v", from, to, err)
		}
	}
}

func TestFetchErrors(t *testing.T) {
	tls, ca := secure(t, func(http.ResponseWriter, *http.Request) {})
	secureAt := tls.Listener.Addr().String()
	cut := plain(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "short")
	})
	for what, c := range map[string]struct {
		url, dial, ca string
		want          []string
	}{
		"certificate of another name": {"https://assets.example.net/x", secureAt, ca, []string{"assets.example.net", "example.com", secureAt}},
		"unknown authority":           {"https://example.com/x", secureAt, "", []string{"unknown authority", "https://example.com/x"}},
		"body cut off":                {"http://example.com/x", cut, "", []string{"read body after 5 bytes, of 100 that", "status 200", "cut off", "unexpected EOF"}},
		"nobody there":                {"http://example.com/x?X-Amz-Signature=secret", serveNothing(t), "", []string{"connection refused", "/x?…"}},
		"no scheme":                   {"example.com/x", "", "", []string{"http or https URL"}},
		"bad escape":                  {"http://example.com/%zz?secret", "", "", []string{"%zz", "?…"}},
		"bad place":                   {"http://example.com/", "a:b:c:d", "", []string{"HOST[:PORT]"}},
	} {
		_, err := newWeb(t, WebOptions{CAFile: c.ca}).Fetch(t.Context(), providers.Request{Method: "GET", URL: c.url, Dial: c.dial})
		if err == nil {
			t.Errorf("%s: no error", what)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q does not say %q", what, err, want)
			}
		}
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %q tells the query", what, err)
		}
	}
}

// A large body is hashed without being kept.
func TestFetchMemory(t *testing.T) {
	const size = 64 << 20
	chunk := make([]byte, 1<<20)
	dial := plain(t, func(w http.ResponseWriter, _ *http.Request) {
		for range size / len(chunk) {
			_, _ = w.Write(chunk)
		}
	})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	got, err := newWeb(t, WebOptions{}).Fetch(t.Context(), providers.Request{Method: "GET", URL: "http://example.com/", Dial: dial})
	runtime.ReadMemStats(&after)
	if err != nil || got.Length != size {
		t.Fatalf("length %d, error %v", got.Length, err)
	}
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 8<<20 {
		t.Errorf("%d bytes were allocated for a body of %d", grown, size)
	}
}

func TestBadCAFile(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{empty: "no PEM certificate", empty + ".missing": "read ca_file"} {
		if _, err := NewWeb(WebOptions{CAFile: file}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error is %v, want one that says %q", file, err, want)
		}
	}
}
