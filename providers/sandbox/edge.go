package sandbox

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// The kinds of places that a visitor can connect to.
const (
	restEnd  = "s3-rest"
	siteEnd  = "s3-website"
	edgeEnd  = "cloudfront"
	proxyEnd = "proxy"
)

// endpoint is a place to connect to.
type endpoint struct {
	kind string
	// region and global are of S3; global is the endpoint without a region.
	region string
	global bool
	// host is the name that led here; proxy the DNS provider whose proxy it is.
	host  string
	proxy *provider
	v6    bool
}

const (
	fromS3         = "S3"
	fromCloudFront = "CloudFront"
)

// connect is what a client sees that connects to e and asks for r; the host of
// r is the Host header and, for https, the SNI.
func (w *World) connect(e endpoint, r request, now time.Time) (reply, error) {
	switch e.kind {
	case edgeEnd:
		return w.edge(r, now)
	case proxyEnd:
		return w.proxied(e, r, now)
	case siteEnd:
		if r.scheme == "https" {
			return reply{}, fmt.Errorf("dial %s:443: connection refused: a website endpoint of S3 has no TLS", e.host)
		}
	case restEnd:
		if r.scheme == "https" && !e.certified(r.host) {
			return reply{}, fmt.Errorf("tls: failed to verify certificate: x509: certificate is valid for *.s3.%s.amazonaws.com, not %s", e.region, r.host)
		}
	default:
		return reply{}, fmt.Errorf("dial %s: connection refused", e.host)
	}
	return w.s3(e, r, now), nil
}

// certified is whether S3's certificate covers host: its wildcard is one label.
func (e endpoint) certified(host string) bool {
	at, b, ok := s3Host(host)
	return ok && at.kind == restEnd && at.region == e.region && !strings.Contains(b, ".")
}

// proxied forwards to the target of the record that the provider has now.
func (w *World) proxied(e endpoint, r request, now time.Time) (reply, error) {
	z := w.zoneOf(r.host)
	if z == nil || z.provider != e.proxy {
		return reply{from: "proxy"}.page(403, "Direct IP access not allowed"), nil
	}
	for _, rec := range z.latest(r.host).records {
		if !rec.Proxied {
			continue
		}
		to, err := w.place(rec.Value)
		if err != nil {
			return reply{from: "proxy"}.page(530, "Origin DNS error"), nil
		}
		r.scheme = "http"
		return w.connect(to, r, now)
	}
	return reply{from: "proxy"}.page(404, "no proxied record"), nil
}

// place is where a host name or an address leads. A name is resolved past all
// caches.
func (w *World) place(dial string) (endpoint, error) {
	dial = strings.ToLower(strings.TrimSuffix(dial, "."))
	if h, _, ok := strings.Cut(dial, ":"); ok && !strings.Contains(dial, "::") {
		dial = h
	}
	if _, err := netip.ParseAddr(dial); err == nil {
		if e, ok := w.hosts[dial]; ok {
			return e, nil
		}
		return endpoint{}, fmt.Errorf("dial %s: connection refused", dial)
	}
	if e, _, ok := s3Host(dial); ok {
		return e, nil
	}
	if d := w.edges[dial]; d != nil && d.domain == dial {
		return endpoint{kind: edgeEnd, host: dial}, nil
	}
	return endpoint{}, fmt.Errorf("look up %s: no such host", dial)
}
