package dns

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeward/edgeward/providers"
)

// sendFunc is an http.RoundTripper.
type sendFunc func(n int, req *http.Request) (*http.Response, error)

type sender struct {
	f  sendFunc
	mu sync.Mutex
	n  int
	// at is when each attempt came, sent what its body was.
	at   []time.Time
	sent []string
}

func (s *sender) RoundTrip(req *http.Request) (*http.Response, error) {
	var body []byte
	if req.Body != nil {
		body, _ = io.ReadAll(req.Body)
	}
	s.mu.Lock()
	s.n++
	n := s.n
	s.at, s.sent = append(s.at, time.Now()), append(s.sent, string(body))
	s.mu.Unlock()
	return s.f(n, req)
}

func status(code int, retryAfter, kind, body string) (*http.Response, error) {
	h := http.Header{"Content-Type": {kind}}
	if retryAfter != "" {
		h.Set("Retry-After", retryAfter)
	}
	return &http.Response{StatusCode: code, Header: h, Body: io.NopCloser(strings.NewReader(body))}, nil
}

func refusedConnection() error {
	return &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
}

func testClient(s *sender) *httpClient {
	return newHTTPClient(httpOptions{API: "Example DNS", Clock: providers.RealClock{}, Limit: providers.NewLimiter(providers.RealClock{}, providers.LimiterOptions{}), Next: s,
		Secrets: []string{cfCanary}})
}

func send(ctx context.Context, c *httpClient, method, body string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, method, "https://api.example.net/v1/records", strings.NewReader(body))
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Bearer "+cfCanary)
	resp, err := c.Do(req)
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(resp.Body)
	return string(text), err
}

const htmlPage = "<html>\n<head><title>502 Bad Gateway</title></head>\n<body>" + cfCanary + "</body></html>"

func TestHTTPClientRepeats(t *testing.T) {
	ok := func() (*http.Response, error) { return status(200, "", "application/json", `{}`) }
	cases := map[string]struct {
		method   string
		first    sendFunc
		failures int
		attempts int
		took     time.Duration
		err      string
	}{
		"429 with Retry-After":      {"GET", func(int, *http.Request) (*http.Response, error) { return status(429, "7", "text/plain", "slow down") }, 1, 2, 7 * time.Second, ""},
		"429 eleven times, no word": {"GET", func(int, *http.Request) (*http.Response, error) { return status(429, "", "text/plain", "slow down") }, 11, 12, 131500 * time.Millisecond, ""},
		"a POST after 429":          {"POST", func(int, *http.Request) (*http.Response, error) { return status(429, "1", "text/plain", "slow down") }, 1, 2, time.Second, ""},
		"502 of a proxy":            {"PATCH", func(int, *http.Request) (*http.Response, error) { return status(502, "", "text/html", htmlPage) }, 2, 3, 1500 * time.Millisecond, ""},
		"a POST after 502":          {"POST", func(int, *http.Request) (*http.Response, error) { return status(502, "", "text/html", htmlPage) }, 1, 1, 0, "status 502"},
		"connection refused, POST":  {"POST", func(int, *http.Request) (*http.Response, error) { return nil, refusedConnection() }, 1, 2, 500 * time.Millisecond, ""},
		"connection lost, POST":     {"POST", func(int, *http.Request) (*http.Response, error) { return nil, io.ErrUnexpectedEOF }, 1, 1, 0, "does not answer"},
		"connection lost, PATCH":    {"PATCH", func(int, *http.Request) (*http.Response, error) { return nil, io.ErrUnexpectedEOF }, 1, 2, 500 * time.Millisecond, ""},
		"not connected":             {"GET", func(int, *http.Request) (*http.Response, error) { return nil, refusedConnection() }, 99, 4, 3500 * time.Millisecond, "connection refused, 4 times in 4s"},
		"Retry-After too long":      {"GET", func(int, *http.Request) (*http.Response, error) { return status(429, "3600", "text/plain", "slow") }, 1, 1, 0, "try again in 1h0m0s"},
		"always 503":                {"GET", func(int, *http.Request) (*http.Response, error) { return status(503, "", "", "") }, 99, 12, 131500 * time.Millisecond, "12 times in 2m12s"},
		"501":                       {"GET", func(int, *http.Request) (*http.Response, error) { return status(501, "", "", "") }, 1, 1, 0, "status 501"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &sender{f: func(n int, req *http.Request) (*http.Response, error) {
					if n <= c.failures {
						return c.first(n, req)
					}
					return ok()
				}}
				start := time.Now()
				_, err := send(t.Context(), testClient(s), c.method, `{"a":1}`)
				if took := time.Since(start); s.n != c.attempts || took != c.took {
					t.Errorf("%d attempts in %s, want %d in %s", s.n, took, c.attempts, c.took)
				}
				if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
					t.Errorf("error is %v, want %q", err, c.err)
				}
				noCanary(t, err)
				for _, body := range s.sent {
					if body != `{"a":1}` {
						t.Errorf("an attempt was sent with body %q", body)
					}
				}
			})
		})
	}
}

func noCanary(t *testing.T, err error) {
	t.Helper()
	for e := err; e != nil; e = errors.Unwrap(e) {
		if strings.Contains(e.Error(), cfCanary) {
			t.Errorf("an error has the token: %v", e)
		}
	}
}

func TestHTTPClientRetryAfterDate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sender{f: func(n int, req *http.Request) (*http.Response, error) {
			if n == 1 {
				return status(429, time.Now().Add(30*time.Second).UTC().Format(http.TimeFormat), "text/plain", "")
			}
			return status(200, "", "application/json", "{}")
		}}
		start := time.Now()
		if _, err := send(t.Context(), testClient(s), "GET", ""); err != nil || time.Since(start) != 30*time.Second {
			t.Errorf("after %s: %v, want 30s and no error", time.Since(start), err)
		}
	})
}

// An answer that came too early for one request keeps the others back too.
func TestHTTPClientHoldsAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sender{f: func(n int, req *http.Request) (*http.Response, error) {
			if n == 1 {
				return status(429, "300", "text/plain", "")
			}
			return status(200, "", "application/json", "{}")
		}}
		c := testClient(s)
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = send(t.Context(), c, "GET", "") })
		time.Sleep(time.Second)
		for range 5 {
			wg.Go(func() { _, _ = send(t.Context(), c, "GET", "") })
		}
		wg.Wait()
		for i, at := range s.at[1:] {
			if d := at.Sub(s.at[0]); d < 300*time.Second {
				t.Errorf("attempt %d came %s after the refusal, want 5m", i+2, d)
			}
		}
		if s.n != 7 {
			t.Errorf("%d attempts, want 7", s.n)
		}
	})
}

func TestHTTPClientAnswers(t *testing.T) {
	cases := map[string]struct {
		code       int
		kind, body string
		class      error
		want       []string
	}{
		"a login page":      {200, "text/html; charset=utf-8", htmlPage, nil, []string{"no JSON", "status 200", "text/html", "502 Bad Gateway", "proxy"}},
		"a forbidding page": {403, "text/html", "<h1>blocked</h1>", providers.ErrDenied, []string{"status 403", "blocked"}},
		"a redirection":     {302, "text/html", "", providers.ErrInvalid, []string{"redirection", "302", "api.example.net"}},
		"nothing":           {200, "application/json", "", nil, []string{"no JSON", "status 200"}},
		"cut JSON":          {200, "application/json", `{"a":`, nil, []string{"no JSON", `{\"a\":`}},
		"a long page":       {200, "text/html", strings.Repeat("word ", 10000), nil, []string{"word …"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &sender{f: func(int, *http.Request) (*http.Response, error) { return status(c.code, "", c.kind, c.body) }}
				_, err := send(t.Context(), testClient(s), "GET", "")
				if err == nil {
					t.Fatal("no error")
				}
				var h *httpError
				if !errors.As(err, &h) || h.Status != c.code || c.class != nil && !errors.Is(err, c.class) {
					t.Errorf("error %v has the wrong status or class", err)
				}
				for _, w := range c.want {
					if !strings.Contains(err.Error(), w) {
						t.Errorf("%q does not say %q", err, w)
					}
				}
				if len(err.Error()) > 500 || strings.Contains(err.Error(), "\n") {
					t.Errorf("the error is no short line: %q", err)
				}
				noCanary(t, err)
			})
		})
	}
}

func TestHTTPClientBodyBreaksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sender{f: func(n int, _ *http.Request) (*http.Response, error) {
			if n == 1 {
				return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(io.MultiReader(
					bytes.NewReader([]byte("{")), errReader{}))}, nil
			}
			return status(200, "", "application/json", `{"b":2}`)
		}}
		if got, err := send(t.Context(), testClient(s), "GET", ""); err != nil || got != `{"b":2}` || s.n != 2 {
			t.Errorf("%q, %v after %d attempts", got, err, s.n)
		}
	})
}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// An answer that stalls ends after a while, and is asked for again where that
// is safe.
func TestHTTPClientStalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stall := func(n int, req *http.Request) (*http.Response, error) {
			if n > 1 {
				return status(200, "", "application/json", "{}")
			}
			return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(stalled{req.Context()})}, nil
		}
		start, s := time.Now(), &sender{f: stall}
		if _, err := send(t.Context(), testClient(s), "GET", ""); err != nil || s.n != 2 || time.Since(start) != httpSlow+500*time.Millisecond {
			t.Errorf("%d attempts in %s: %v", s.n, time.Since(start), err)
		}
		s = &sender{f: stall}
		if _, err := send(t.Context(), testClient(s), "POST", "{}"); err == nil || !strings.Contains(err.Error(), "no whole answer came in 1m30s") || s.n != 1 {
			t.Errorf("%d attempts: %v", s.n, err)
		}
	})
}

type stalled struct{ ctx context.Context }

func (s stalled) Read([]byte) (int, error) {
	<-s.ctx.Done()
	return 0, s.ctx.Err()
}

// Turns taken together are for as many attempts and no more; a limiter that
// never has so many at once is obeyed one by one.
func TestHTTPClientTogether(t *testing.T) {
	for burst, want := range map[int][]time.Duration{2: {0, 0, time.Second, 2 * time.Second}, 1: {0, time.Second, 2 * time.Second, 3 * time.Second}} {
		synctest.Test(t, func(t *testing.T) {
			s := &sender{f: func(n int, _ *http.Request) (*http.Response, error) {
				return status(200, "", "application/json", "{}")
			}}
			c := testClient(s)
			c.o.Limit = providers.NewLimiter(providers.RealClock{}, providers.LimiterOptions{PerSecond: 1, Burst: burst})
			start := time.Now()
			ctx, err := c.together(t.Context(), 2)
			if err != nil {
				t.Fatal(err)
			}
			for i := range want {
				if _, err := send(ctx, c, "GET", ""); err != nil {
					t.Fatal(err)
				}
				if at := s.at[i].Sub(start); at != want[i] {
					t.Errorf("burst %d: request %d is sent after %s, want %s", burst, i, at, want[i])
				}
			}
		})
	}
}

func TestHTTPClientEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sender{f: func(int, *http.Request) (*http.Response, error) { return status(429, "300", "text/plain", "") }}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		start := time.Now()
		if _, err := send(ctx, testClient(s), "GET", ""); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 10*time.Second {
			t.Errorf("after %s: %v", time.Since(start), err)
		}
	})
}
