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
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/edgeward/edgeward/providers"
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
	// Timeout bounds one Fetch, its body included; 0: 60 seconds.
	Timeout time.Duration
}

// Web is providers.Web over HTTP/1.1 and HTTP/2.
type Web struct {
	connect connectTo
	roots   *x509.CertPool
	agent   string
	timeout time.Duration
}

var _ providers.Web = (*Web)(nil)

// NewWeb reads the CA file and does no other I/O.
func NewWeb(o WebOptions) (*Web, error) {
	w := &Web{agent: "edgeward", timeout: cmp.Or(o.Timeout, time.Minute)}
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

// Fetch implements providers.Web. Every request has a connection of its own, so
// that none reaches a place that was dialled for another one. The body is
// hashed as it comes and not kept.
func (w *Web) Fetch(ctx context.Context, r providers.Request) (providers.Response, error) {
	u, err := url.Parse(r.URL)
	if err == nil && (u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "") {
		err = errors.New("it is no http or https URL with a host")
	}
	if err != nil {
		return providers.Response{}, fmt.Errorf("read URL %q: %w", redact(r.URL), bare(err))
	}
	ctx, cancel := context.WithTimeout(ctx, w.timeout)
	defer cancel()
	address, err := w.place(u, r.Dial)
	if err != nil {
		return providers.Response{}, err
	}
	transport := newTransport(address, w.roots)
	defer transport.CloseIdleConnections()
	resp, err := w.send(ctx, transport, u, r)
	if err != nil {
		return providers.Response{}, fmt.Errorf("fetch %s %s from %s: %w", r.Method, redact(r.URL), address, bare(err))
	}
	return resp, nil
}

func (w *Web) send(ctx context.Context, transport *http.Transport, u *url.URL, r providers.Request) (providers.Response, error) {
	req := (&http.Request{Method: r.Method, URL: u, Host: u.Host, Header: http.Header{}, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}).WithContext(ctx)
	for name, values := range r.Header {
		req.Header[http.CanonicalHeaderKey(name)] = values
	}
	if req.Header.Get("User-Agent") == "" {
		req.Header.Set("User-Agent", w.agent)
	}
	// The transport itself, unlike a client, follows no redirect.
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return providers.Response{}, err
	}
	defer resp.Body.Close()
	digest := sha256.New()
	n, err := io.Copy(digest, resp.Body)
	if err != nil {
		return providers.Response{}, fmt.Errorf("read body after %d bytes of an answer with status %d: %w", n, resp.StatusCode, err)
	}
	return providers.Response{Status: resp.StatusCode, Header: resp.Header, Length: n, SHA256: hex.EncodeToString(digest.Sum(nil))}, nil
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

// newTransport connects to address whatever the URL says; the name that a
// certificate must have is the URL's.
func newTransport(address string, roots *x509.CertPool) *http.Transport {
	dialer := &net.Dialer{Timeout: 10 * time.Second}
	return &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, address)
		},
		TLSClientConfig:       &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: 30 * time.Second,
		DisableCompression:    true,
		ForceAttemptHTTP2:     true,
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
