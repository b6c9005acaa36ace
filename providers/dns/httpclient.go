package dns

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"time"
	"unicode"

	"github.com/edgeward/edgeward/providers"
)

const (
	// httpAttempts is how often a request is sent whose API says that it came too
	// early (429) or is ill for the moment (5xx).
	httpAttempts = 12
	// httpFaults is how often a request is sent that gets no answer at all: who is
	// not connected wants to know it soon.
	httpFaults = 4
	// httpSlow is how long one attempt may take.
	httpSlow = 90 * time.Second
	// httpPatience is how long one request waits between its attempts, all in
	// all. Cloudflare blocks for 5 minutes who was too fast [Cloudflare, API rate
	// limits]; more than two such blocks are for a person to look at.
	httpPatience = 12 * time.Minute
	// httpAnswer is the most of an answer that is read.
	httpAnswer = 32 << 20
	// httpQuote is how much of an unreadable answer an error quotes.
	httpQuote = 160
)

// httpOptions are what an httpClient is made from.
type httpOptions struct {
	// API is the name of the party in errors, such as "Cloudflare".
	API string
	// Clock is all waiting; required.
	Clock providers.Clock
	// Limit counts every attempt; required.
	Limit *providers.Limiter
	// Next sends the requests; nil: a transport that obeys the proxy variables.
	Next http.RoundTripper
	// Secrets never stand in an error, whatever the API or a proxy answers.
	Secrets []string
	// Trace takes note of every attempt; nil takes none.
	Trace providers.Trace
	// AnyBody: answers need not be JSON.
	AnyBody bool
	// Refused turns an answer into an error, or gives nil where the answer is to
	// be handed on. It is asked for every JSON answer that is final.
	Refused func(status int, body []byte) error
}

// httpClient sends the requests of providers that have an HTTP API. A request
// is tried again after 429 and 5xx, when the API says it may, and after faults of
// transport; a POST only where it was surely not carried out. Answers that are
// no JSON are errors that name their status and how they begin.
//
// It is what the libdns modules take as their HTTP client (Do), and what the
// standard library takes as a transport (RoundTrip).
type httpClient struct{ o httpOptions }

func newHTTPClient(o httpOptions) *httpClient {
	if o.Next == nil {
		o.Next = &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			DialContext:           (&net.Dialer{Timeout: 15 * time.Second}).DialContext,
			ForceAttemptHTTP2:     true,
			TLSHandshakeTimeout:   15 * time.Second,
			ResponseHeaderTimeout: time.Minute,
			IdleConnTimeout:       90 * time.Second,
		}
	}
	return &httpClient{o: o}
}

// httpError is an answer that is no answer, or none at all.
type httpError struct {
	// class is one of the port's, or nil.
	class error
	// Status is that of the answer, 0 without one.
	Status int
	text   string
}

func (e *httpError) Error() string {
	if e.class == nil {
		return e.text
	}
	return e.text + ": " + e.class.Error()
}

// Unwrap gives the class. The cause is left out on purpose: its words may hold
// what was sent.
func (e *httpError) Unwrap() error { return e.class }

// turnsKey is the key of turns that a caller took beforehand.
type turnsKey struct{}

type turns struct {
	mu   sync.Mutex
	left int
}

func (t *turns) take() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.left--
	return t.left >= 0
}

// together waits for n turns of the limiter at once. The next n attempts with
// the context it gives are sent without a wait: a comparison and the write that
// relies on it stand close together.
func (c *httpClient) together(ctx context.Context, n int) (context.Context, error) {
	if n > c.o.Limit.Burst() {
		return ctx, nil
	}
	if err := c.o.Limit.Wait(ctx, n); err != nil {
		return ctx, err
	}
	return context.WithValue(ctx, turnsKey{}, &turns{left: n}), nil
}

// RoundTrip implements http.RoundTripper.
func (c *httpClient) RoundTrip(req *http.Request) (*http.Response, error) { return c.Do(req) }

// Do sends a request, more than once where that is safe, and gives the answer
// with its body read. Errors are *httpError, those of Refused, or ctx's.
func (c *httpClient) Do(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	body, err := sentBody(req)
	if err != nil {
		return nil, err
	}
	var waited time.Duration
	free := c.o.Clock.Now()
	for attempt := 1; ; attempt++ {
		if paid, _ := ctx.Value(turnsKey{}).(*turns); paid == nil || !paid.take() {
			if err := c.o.Limit.Wait(ctx, 1); err != nil {
				return nil, err
			}
		}
		sent := c.o.Clock.Now()
		answer, text, err := c.once(req, body)
		if ctx.Err() != nil {
			c.note(tried{req: req, attempt: attempt, free: free, sent: sent, failed: &httpError{text: ctx.Err().Error()}})
			return nil, ctx.Err()
		}
		failed := c.judge(req, answer, text, err)
		free = c.note(tried{req: req, attempt: attempt, free: free, sent: sent, answer: answer, text: text, failed: failed})
		tooFast := answer != nil && answer.StatusCode == http.StatusTooManyRequests
		c.o.Limit.Saw(sent, tooFast)
		if failed == nil {
			return c.hand(answer, text)
		}
		wait := c.pause(answer, attempt)
		most := httpAttempts
		if answer == nil {
			most = httpFaults
		}
		if !mayRepeat(req.Method, answer, err) || attempt >= most || waited+wait > httpPatience {
			return nil, failed.after(attempt, waited, wait)
		}
		waited += wait
		if tooFast {
			c.o.Limit.Hold(wait) // what is too fast for one is too fast for all
		}
		if err := c.o.Clock.Sleep(ctx, wait); err != nil {
			return nil, err
		}
	}
}

// hand gives a final answer to the caller.
func (c *httpClient) hand(answer *http.Response, text []byte) (*http.Response, error) {
	if c.o.Refused != nil {
		if err := c.o.Refused(answer.StatusCode, text); err != nil {
			return nil, err
		}
	}
	answer.Body = io.NopCloser(bytes.NewReader(text))
	answer.ContentLength = int64(len(text))
	return answer, nil
}

func sentBody(req *http.Request) ([]byte, error) {
	if req.Body == nil || req.Body == http.NoBody {
		return nil, nil
	}
	defer func() { _ = req.Body.Close() }()
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, fmt.Errorf("read the request to send: %w", err)
	}
	return body, nil
}

// errSlow says that an attempt took too long.
var errSlow = fmt.Errorf("no whole answer came in %s", httpSlow)

// once sends one attempt and reads the whole answer.
func (c *httpClient) once(req *http.Request, body []byte) (answer *http.Response, text []byte, err error) {
	ctx, cancel := context.WithCancelCause(req.Context())
	var alarm sync.WaitGroup
	alarm.Go(func() {
		if c.o.Clock.Sleep(ctx, httpSlow) == nil {
			cancel(errSlow)
		}
	})
	defer func() {
		if err != nil && errors.Is(context.Cause(ctx), errSlow) {
			err = errSlow
		}
		cancel(nil)
		alarm.Wait()
	}()
	r := req.Clone(ctx)
	r.Body, r.GetBody = nil, nil
	if body != nil {
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	}
	answer, err = c.o.Next.RoundTrip(r)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = answer.Body.Close() }()
	text, err = io.ReadAll(io.LimitReader(answer.Body, httpAnswer+1))
	if err == nil && len(text) > httpAnswer {
		err = fmt.Errorf("the answer is longer than %d MiB", httpAnswer>>20)
	}
	return answer, text, err
}

// judge says what is wrong with an attempt, nil: it is final, be it a refusal.
func (c *httpClient) judge(req *http.Request, answer *http.Response, text []byte, err error) *httpError {
	to := req.Method + " " + req.URL.Host + req.URL.Path
	switch {
	case err != nil && answer == nil:
		return &httpError{text: fmt.Sprintf("%s does not answer (%s): %s", c.o.API, to, c.safe(err.Error()))}
	case err != nil:
		return &httpError{Status: answer.StatusCode,
			text: fmt.Sprintf("%s breaks off its answer (%s, status %d): %s", c.o.API, to, answer.StatusCode, c.safe(err.Error()))}
	case answer.StatusCode == http.StatusTooManyRequests:
		return &httpError{Status: answer.StatusCode, class: providers.ErrThrottled,
			text: fmt.Sprintf("%s says that there are too many requests (status 429%s)", c.o.API, c.quote(answer, text))}
	case answer.StatusCode >= 500:
		return &httpError{Status: answer.StatusCode,
			text: fmt.Sprintf("%s is out of order (%s, status %d%s)", c.o.API, to, answer.StatusCode, c.quote(answer, text))}
	case answer.StatusCode >= 300 && answer.StatusCode < 400:
		return &httpError{Status: answer.StatusCode, class: providers.ErrInvalid, text: fmt.Sprintf("%s answers with a redirection "+
			"(%s, status %d), which an API does not do: something between here and %s answers instead",
			c.o.API, to, answer.StatusCode, req.URL.Host)}
	case !c.o.AnyBody && len(bytes.TrimSpace(text)) > 0 && !json.Valid(text), !c.o.AnyBody && len(bytes.TrimSpace(text)) == 0 && answer.StatusCode != http.StatusNoContent:
		return &httpError{Status: answer.StatusCode, class: classOfStatus(answer.StatusCode), text: fmt.Sprintf("%s answers with something that is no JSON "+
			"(%s, status %d%s): perhaps a proxy or a login page stands between here and %s",
			c.o.API, to, answer.StatusCode, c.quote(answer, text), req.URL.Host)}
	}
	return nil
}

// classOfStatus is the class of an answer that says nothing but its status.
func classOfStatus(status int) error {
	switch status {
	case http.StatusUnauthorized, http.StatusProxyAuthRequired:
		return providers.ErrCredentials
	case http.StatusForbidden:
		return providers.ErrDenied
	case http.StatusTooManyRequests:
		return providers.ErrThrottled
	}
	return nil
}

// after adds how often and how long a request was tried.
func (e *httpError) after(attempts int, waited, wait time.Duration) *httpError {
	if attempts > 1 {
		e.text += fmt.Sprintf(", %d times in %s", attempts, waited.Round(time.Second))
	}
	if e.class == providers.ErrThrottled {
		e.text += fmt.Sprintf("; try again in %s", wait.Round(time.Second))
	}
	return e
}

// mayRepeat says whether a failed attempt may be sent again: it is harmless
// twice, or it was surely not carried out.
func mayRepeat(method string, answer *http.Response, err error) bool {
	status := 0
	if answer != nil {
		status = answer.StatusCode
	}
	switch {
	case status == http.StatusTooManyRequests, answer == nil && errors.Is(err, syscall.ECONNREFUSED):
		return true
	case method == http.MethodPost:
		return false
	}
	return err != nil || status >= 500 && status != http.StatusNotImplemented
}

// pause is how long to wait before the next attempt: what the answer says
// (Retry-After, in seconds or as a date), else ever longer, to 20 s.
func (c *httpClient) pause(answer *http.Response, attempt int) time.Duration {
	wait := min(500*time.Millisecond<<min(attempt-1, 10), 20*time.Second)
	if answer == nil {
		return wait
	}
	said := strings.TrimSpace(answer.Header.Get("Retry-After"))
	if s, err := time.ParseDuration(said + "s"); err == nil && said != "" && s >= 0 {
		return max(s, wait)
	}
	if at, err := http.ParseTime(said); err == nil {
		return max(at.Sub(c.o.Clock.Now()), wait)
	}
	return wait
}

// quote is the beginning of an answer, as an error shows it.
func (c *httpClient) quote(answer *http.Response, text []byte) string {
	var b strings.Builder
	if kind, _, _ := strings.Cut(answer.Header.Get("Content-Type"), ";"); kind != "" {
		b.WriteString(", " + c.safe(kind))
	}
	words := strings.Join(strings.FieldsFunc(c.safe(string(text[:min(len(text), 1<<16)])), func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r)
	}), " ")
	if r := []rune(words); len(r) > httpQuote {
		words = string(r[:httpQuote]) + "…"
	}
	if words != "" {
		fmt.Fprintf(&b, ", %q", words)
	}
	return b.String()
}

// safe is text without secrets.
func (c *httpClient) safe(text string) string {
	for _, s := range c.o.Secrets {
		if s != "" {
			text = strings.ReplaceAll(text, s, "(secret)")
		}
	}
	return text
}
