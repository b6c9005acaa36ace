package probe

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/edgeward/edgeward/providers"
)

// udpSize is what we offer to take over UDP: it passes every path without
// fragments [DNS flag day 2020].
const udpSize = 1232

// question makes a query with EDNS0.
func question(name, typ string) (*dns.Msg, error) {
	t, ok := dns.StringToType[strings.ToUpper(typ)]
	if !ok {
		return nil, fmt.Errorf("ask for %s of %s: no such record type", typ, name)
	}
	name = clean(name)
	if _, ok := dns.IsDomainName(name); !ok || name == "" {
		return nil, fmt.Errorf("ask for %s of %q: it is no domain name", typ, name)
	}
	q := new(dns.Msg)
	q.SetQuestion(dns.Fqdn(name), t)
	q.RecursionDesired = false
	q.SetEdns0(udpSize, false)
	return q, nil
}

// socket asks a server over UDP, and over TCP when the answer is cut off or
// there is none; all that twice.
func (r *Resolver) socket(address string) func(context.Context, *dns.Msg) (*dns.Msg, error) {
	return func(ctx context.Context, q *dns.Msg) (m *dns.Msg, err error) {
		for range 2 {
			for _, network := range []string{"udp", "tcp"} {
				m, err = r.once(ctx, network, address, q)
				if err == nil && m.Rcode == dns.RcodeFormatError && q.IsEdns0() != nil {
					// A server from before EDNS0 [RFC 6891, section 6.2.2].
					q.Extra = nil
					m, err = r.once(ctx, network, address, q)
				}
				if err == nil && !m.Truncated {
					return m, nil
				}
				if ctx.Err() != nil {
					return nil, ctx.Err()
				}
			}
		}
		if err == nil {
			err = errors.New("answer is cut off, over TCP too")
		}
		return nil, err
	}
}

// both asks an authoritative server over UDP and over TCP, for resolvers use
// either [RFC 7766]: a server that has another CNAME or code over TCP gives no
// answer. One that this machine does not reach over TCP, which many networks
// forbid, is asked over UDP alone from then on. Addresses may differ from one
// question to the next and are not compared.
func (r *Resolver) both(address string) func(context.Context, *dns.Msg) (*dns.Msg, error) {
	ask := r.socket(address)
	return func(ctx context.Context, q *dns.Msg) (*dns.Msg, error) {
		m, err := ask(ctx, q)
		r.mu.Lock()
		deaf := r.deaf[address]
		r.mu.Unlock()
		if err != nil || deaf {
			return m, err
		}
		again, err := r.once(ctx, "tcp", address, q)
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case err != nil:
			r.mu.Lock()
			r.deaf[address] = true
			r.mu.Unlock()
		case again.Rcode != m.Rcode || !slices.Equal(cnames(again), cnames(m)):
			return nil, errors.New("it answers otherwise over TCP than over UDP")
		}
		return m, nil
	}
}

// cnames are the CNAME records of an answer, as text.
func cnames(m *dns.Msg) []string {
	var out []string
	for _, rr := range m.Answer {
		if c, ok := rr.(*dns.CNAME); ok {
			out = append(out, strings.ToLower(c.String()))
		}
	}
	slices.Sort(out)
	return out
}

func (r *Resolver) once(ctx context.Context, network, address string, q *dns.Msg) (*dns.Msg, error) {
	sent := time.Now()
	m, err := r.ask(ctx, network, address, q)
	noteMessage(r.trace, providers.Exchange{Server: address, Network: network}, q, m, sent, err)
	return m, err
}

func (r *Resolver) ask(ctx context.Context, network, address string, q *dns.Msg) (*dns.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	q.Id = dns.Id()
	client := &dns.Client{Net: network, Timeout: r.timeout, UDPSize: udpSize}
	conn, err := client.DialContext(ctx, address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	// A read does not see the end of ctx by itself.
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	m, _, err := client.ExchangeWithConnContext(ctx, q, conn)
	if err != nil {
		return nil, err
	}
	return m, fits(m, q)
}

// fits says whether m answers q.
func fits(m, q *dns.Msg) error {
	if !m.Response {
		return errors.New("it sent no answer but a question")
	}
	if len(m.Question) == 0 && m.Rcode != dns.RcodeSuccess && m.Rcode != dns.RcodeNameError {
		return nil
	}
	if len(m.Question) != 1 || !strings.EqualFold(m.Question[0].Name, q.Question[0].Name) || m.Question[0].Qtype != q.Question[0].Qtype {
		return errors.New("it answered another question")
	}
	return nil
}

// overHTTPS is a resolver behind an https URL [RFC 8484].
type overHTTPS struct {
	url     *url.URL
	address string
	roots   *x509.CertPool
	timeout time.Duration
	trace   providers.Trace
}

// exchange asks twice at most.
func (h *overHTTPS) exchange(ctx context.Context, q *dns.Msg) (m *dns.Msg, err error) {
	// RFC 8484, section 4.1: the id should be 0.
	q.Id = 0
	wire, err := q.Pack()
	if err != nil {
		return nil, err
	}
	for range 2 {
		sent := time.Now()
		m, err = h.post(ctx, wire)
		if h.trace != nil {
			noteMessage(h.trace, providers.Exchange{Server: h.address, Network: "https", URL: bareURL(h.url)}, q, m, sent, err)
		}
		if err == nil {
			return m, fits(m, q)
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	return nil, err
}

func (h *overHTTPS) post(ctx context.Context, wire []byte) (*dns.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, h.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url.String(), bytes.NewReader(wire))
	if err != nil {
		return nil, bare(err)
	}
	const message = "application/dns-message"
	req.Header.Set("Content-Type", message)
	req.Header.Set("Accept", message)
	transport := newTransport(h.address, h.roots)
	defer transport.CloseIdleConnections()
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return nil, bare(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, dns.MaxMsgSize+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read its answer: %w", err)
	case resp.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("it answers HTTP status %d", resp.StatusCode)
	case !strings.HasPrefix(resp.Header.Get("Content-Type"), message):
		return nil, fmt.Errorf("it answers %q, not %s", resp.Header.Get("Content-Type"), message)
	}
	m := new(dns.Msg)
	if err := m.Unpack(body); err != nil {
		return nil, fmt.Errorf("read its answer: %w", err)
	}
	return m, nil
}

func rcode(n int) string {
	if s, ok := dns.RcodeToString[n]; ok {
		return s
	}
	return fmt.Sprintf("RCODE%d", n)
}

// records are those of the answer section.
func records(m *dns.Msg) []providers.AnswerRecord {
	var out []providers.AnswerRecord
	for _, rr := range m.Answer {
		h := rr.Header()
		rec := providers.AnswerRecord{Name: clean(h.Name), Type: dns.Type(h.Rrtype).String(), TTL: h.Ttl}
		switch v := rr.(type) {
		case *dns.A:
			rec.Value = v.A.String()
		case *dns.AAAA:
			rec.Value = v.AAAA.String()
		case *dns.CNAME:
			rec.Value = clean(v.Target)
		case *dns.NS:
			rec.Value = clean(v.Ns)
		default:
			// Name, TTL, class and type come before the data.
			if parts := strings.SplitN(rr.String(), "\t", 5); len(parts) == 5 {
				rec.Value = parts[4]
			}
		}
		out = append(out, rec)
	}
	return out
}

// sentence is an error without the ports of this machine, which differ each
// time.
func sentence(err error) string {
	var op *net.OpError
	if errors.As(err, &op) {
		if op.Timeout() {
			return "no answer in time"
		}
		if op.Err != nil {
			return strings.TrimPrefix(op.Op+": "+op.Err.Error(), "read: ")
		}
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return "no answer in time"
	}
	return err.Error()
}
