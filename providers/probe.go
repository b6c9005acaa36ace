package providers

import (
	"context"
	"net/http"
)

// Resolver asks the DNS as the world does, past every provider's API.
type Resolver interface {
	// Authoritative asks every authoritative server of zone (found from the
	// delegation, or servers, "HOST[:PORT]", when given) for name and type. One
	// Answer a server; the error is for when no server could be found, and it is
	// ErrNotFound when every resolver says that the zone has none.
	Authoritative(ctx context.Context, zone string, servers []string, name, typ string) ([]Answer, error)
	// Resolve asks every configured resolver. One Answer a resolver.
	Resolve(ctx context.Context, name, typ string) ([]Answer, error)
}

// Answer is what one server said. A server that did not answer has RCode ""
// and Err; it is never left out. An answer that is a failure may have both: Err
// says more than RCode then, such as that DNSSEC validation fails.
type Answer struct {
	// Server is the name and address asked, such as "ns1.example.com (192.0.2.1)".
	Server string
	// RCode is the DNS response code, such as NOERROR, NXDOMAIN, SERVFAIL.
	RCode string
	Err   string
	// Records are those of the answer section, in its order: for a CNAME
	// question the CNAME at the name; for A and AAAA the chain and the addresses;
	// for CAA the chain and the properties, as 0 issue "amazon.com".
	Records []AnswerRecord
}

// AnswerRecord is one record of an answer; TTL is in seconds, what is left of
// it when a cache answered.
type AnswerRecord struct {
	Name, Type, Value string
	TTL               uint32
}

// Web fetches over HTTP from a place of the caller's choice.
type Web interface {
	// Fetch sends one request and reads the whole answer. Redirects are not
	// followed, nothing is asked to be compressed, no proxy is used. An answer
	// of any status is no error.
	Fetch(ctx context.Context, r Request) (Response, error)
}

// Request is one request of Web.
type Request struct {
	Method string
	// URL has the real name as host: it is the Host header and, for https, the
	// SNI and the name that the certificate must cover. Its path is sent as it
	// is escaped here.
	URL string
	// Dial is the host or address to connect to in place of the URL's host.
	Dial   string
	Header http.Header
	// Keep is how many of the first bytes of the body the answer keeps.
	Keep int
	// Limit, if not 0, ends the reading of the body after so many bytes; the
	// connection is then closed.
	Limit int64
}

// Response is the answer to a Request.
type Response struct {
	Status int
	Header http.Header
	// Length is the number of bytes of the body that were read.
	Length int64
	// SHA256 is the digest of the bytes that were read, in hex.
	SHA256 string
	// Plain is the digest of the body after gzip is undone, "" unless
	// Content-Encoding is gzip, the body was read whole, and it is valid gzip.
	Plain string
	// Body are the first Request.Keep bytes.
	Body []byte
	// Cut: Request.Limit ended the reading before the body ended.
	Cut bool
}
