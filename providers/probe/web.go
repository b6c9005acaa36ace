package probe

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/edgeward/edgeward/providers"
)

// Bounds of the connections that are kept. Each place has its own, so that a
// request never reaches one that was dialled for another.
const (
	maxPlaces    = 128 // places with kept connections
	maxIdle      = 64  // kept connections of one place
	idleTime     = 15 * time.Second
	maxAnswer    = 1 << 20 // bytes of an answer's head
	slowestBytes = 1 << 10 // bytes a second below which a body is not waited for
	// maxPlain is how far gzip is undone, in bytes: a small body may stand for a
	// thousand times as much.
	maxPlain = 256 << 20
)

// WebOptions are what a Web is made from.
type WebOptions struct {
	// ConnectTo maps HOST[:PORT], a leading "*." allowed for all names below, to
	// ADDR[:PORT], as curl's --connect-to. It is applied to the host that would
	// be dialled, Request.Dial included.
	ConnectTo map[string]string
	// CAFile is a PEM file to trust besides the system's roots, or "".
	CAFile string
	// Version is the program's, for the User-Agent.
	Version string
	// Timeout bounds one Fetch up to the head of its answer, and a body that
	// trickles at less than 1 KiB a second; 0: 60 seconds.
	Timeout time.Duration
	// Stall is how long a body may give no byte at all; 0: 30 seconds.
	Stall time.Duration
	// Trace takes note of every fetch; nil takes none.
	Trace providers.Trace
}

// Web is providers.Web over HTTP/1.1 and HTTP/2. Its methods may be called from
// many goroutines.
type Web struct {
	connect        connectTo
	roots          *x509.CertPool
	agent          string
	timeout, stall time.Duration
	trace          providers.Trace

	mu     sync.Mutex
	places map[place]*transport
	turn   int // counts uses of places
}

var _ providers.Web = (*Web)(nil)

// NewWeb reads the CA file and does no other I/O.
func NewWeb(o WebOptions) (*Web, error) {
	w := &Web{
		agent: "edgeward", timeout: cmp.Or(o.Timeout, time.Minute), stall: cmp.Or(o.Stall, 30*time.Second),
		places: map[place]*transport{}, trace: o.Trace,
	}
	if o.Version != "" {
		w.agent += "/" + o.Version
	}
	var err error
	if w.connect, err = newConnectTo(o.ConnectTo); err != nil {
		return nil, err
	}
	w.roots, err = roots(o.CAFile)
	return w, err
}

// Fetch implements providers.Web. The body is hashed as it comes and not kept.
// Connections are kept for the same scheme, host and address; net/http sends a
// GET or HEAD once more on a fresh one when a kept one has died. A body that is
// shorter than its Content-Length, or that is not ended, is an
// io.ErrUnexpectedEOF; one that comes to a halt a context.DeadlineExceeded.
func (w *Web) Fetch(ctx context.Context, r providers.Request) (providers.Response, error) {
	u, err := readURL(r.URL)
	if err != nil {
		return providers.Response{}, fmt.Errorf("read URL %q: %w", redact(r.URL), bare(err))
	}
	address, err := w.place(u, r.Dial)
	if err != nil {
		return providers.Response{}, err
	}
	t := w.enter(place{u.Scheme, strings.ToLower(u.Host), address})
	defer w.leave(t)
	ctx, note := w.note(ctx, u, r.Method, address)
	resp, err := w.send(ctx, t, u, r)
	note(resp, err)
	if err != nil {
		return providers.Response{}, fmt.Errorf("fetch %s %s from %s: %w", r.Method, redact(r.URL), address, bare(err))
	}
	return resp, nil
}

func (w *Web) send(ctx context.Context, t *transport, u *url.URL, r providers.Request) (providers.Response, error) {
	ctx, watch := newWatch(ctx, w.timeout, w.stall)
	defer watch.end()
	req := (&http.Request{Method: r.Method, URL: u, Host: u.Host, Header: http.Header{}, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}).WithContext(ctx)
	for name, values := range r.Header {
		req.Header[http.CanonicalHeaderKey(name)] = values
	}
	if req.Header.Get("User-Agent") == "" {
		req.Header.Set("User-Agent", w.agent)
	}
	// The transport itself, unlike a client, follows no redirect and has no
	// cookies.
	resp, err := t.RoundTrip(req)
	if err != nil {
		return providers.Response{}, watch.cause(err)
	}
	defer resp.Body.Close()
	in := &intake{body: resp.Body, watch: watch, length: resp.ContentLength, digest: sha256.New(), keep: r.Keep, limit: r.Limit}
	out := providers.Response{Status: resp.StatusCode, Header: resp.Header}
	if strings.EqualFold(strings.TrimSpace(resp.Header.Get("Content-Encoding")), "gzip") {
		out.Plain = in.plain(maxPlain)
	}
	if err := in.rest(); err != nil {
		return providers.Response{}, in.failure(resp.StatusCode, err)
	}
	out.Length, out.SHA256, out.Body, out.Cut = in.n, hex.EncodeToString(in.digest.Sum(nil)), in.kept, in.cut
	return out, nil
}

// readURL reads an absolute URL. Its path and query reach the server byte for
// byte; what could not be sent so is escaped, and no escape is undone for that.
func readURL(raw string) (*url.URL, error) {
	if _, rest, ok := strings.Cut(raw, "://"); ok {
		if i := strings.IndexAny(rest, "/?#"); i >= 0 {
			i += len(raw) - len(rest)
			raw = raw[:i] + escape(raw[i:])
		}
	}
	u, err := url.Parse(raw)
	if err == nil && (u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "") {
		err = errors.New("it is no http or https URL with a host")
	}
	return u, err
}

func escape(s string) string {
	odd := "\"<>\\^`{|}"
	var out strings.Builder
	for i := range len(s) {
		c := s[i]
		if c == '?' {
			odd = ""
		}
		if c <= ' ' || c >= 0x7f || strings.IndexByte(odd, c) >= 0 {
			fmt.Fprintf(&out, "%%%02X", c)
		} else {
			out.WriteByte(c)
		}
	}
	return out.String()
}

// place is the address to connect to.
func (w *Web) place(u *url.URL, dial string) (string, error) {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	host := u.Hostname()
	if dial != "" {
		h, p, err := splitHost(dial)
		if err != nil {
			return "", fmt.Errorf("read place to connect to: %w", err)
		}
		host, port = h, cmp.Or(p, port)
	}
	return w.connect.address(host, port), nil
}

// place is where connections lead: what the URL says and what is dialled.
type place struct{ scheme, host, address string }

// transport has the connections of one place.
type transport struct {
	*http.Transport
	users, turn int // guarded by Web.mu
}

// enter gives the connections of p to one more user.
func (w *Web) enter(p place) *transport {
	w.mu.Lock()
	defer w.mu.Unlock()
	t := w.places[p]
	if t == nil {
		if len(w.places) >= maxPlaces {
			w.forget()
		}
		t = &transport{Transport: newTransport(p.address, w.roots)}
		w.places[p] = t
	}
	w.turn++
	t.turn = w.turn
	t.users++
	return t
}

func (w *Web) leave(t *transport) {
	w.mu.Lock()
	defer w.mu.Unlock()
	t.users--
}

// forget ends the connections of the place that was not used for longest.
func (w *Web) forget() {
	var oldest place
	var found *transport
	for p, t := range w.places {
		if t.users == 0 && (found == nil || t.turn < found.turn) {
			oldest, found = p, t
		}
	}
	if found != nil {
		delete(w.places, oldest)
		found.CloseIdleConnections()
	}
}

// newTransport connects to address whatever the URL says; the name that a
// certificate must have is the URL's.
func newTransport(address string, roots *x509.CertPool) *http.Transport {
	dialer := &net.Dialer{Timeout: 10 * time.Second}
	return &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, address)
		},
		TLSClientConfig:        &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    10 * time.Second,
		ResponseHeaderTimeout:  30 * time.Second,
		MaxResponseHeaderBytes: maxAnswer,
		MaxIdleConns:           maxIdle,
		MaxIdleConnsPerHost:    maxIdle,
		IdleConnTimeout:        idleTime,
		DisableCompression:     true,
		ForceAttemptHTTP2:      true,
		// A kept connection that went silent is found out.
		HTTP2: &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 15 * time.Second},
	}
}

// redact leaves a query out of messages: it may be a signature.
func redact(raw string) string {
	for i, c := range raw {
		if c == '?' {
			return raw[:i] + "?…"
		}
	}
	return raw
}

// bare is an error without the URL that net/url and net/http put before it.
func bare(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
