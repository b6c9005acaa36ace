// Package probe looks at the world as visitors do: it asks name servers and
// resolvers, and fetches over HTTP from a place of the caller's choice. It is,
// with the real Clock, the only package that uses the time of sockets.
package probe

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/miekg/dns"

	"github.com/edgeward/edgeward/providers"
)

// ResolverOptions are what a Resolver is made from.
type ResolverOptions struct {
	// Resolvers are HOST[:PORT], or https URLs for DNS over HTTPS (RFC 8484).
	Resolvers []string
	// ConnectTo and CAFile are for the https ones, as in WebOptions.
	ConnectTo map[string]string
	CAFile    string
	// Clock tells how old a zone's list of name servers is; required.
	Clock providers.Clock
	// Timeout bounds one exchange of messages; a server gets at most four. 0: 1.5
	// seconds.
	Timeout time.Duration
	// Trace takes note of every message; nil takes none.
	Trace providers.Trace
}

// nsAge is how long the name servers of a zone are kept.
const nsAge = time.Minute

// Resolver is providers.Resolver over UDP, TCP and HTTPS.
type Resolver struct {
	clock     providers.Clock
	timeout   time.Duration
	resolvers []asked
	// port of authoritative servers; tests have another than 53.
	port  string
	trace providers.Trace

	// mu guards zones and deaf; it is never held while waiting.
	mu    sync.Mutex
	zones map[string]*delegation
	// deaf are the addresses that this machine does not reach over TCP.
	deaf map[string]bool
}

var _ providers.Resolver = (*Resolver)(nil)

// asked is one server.
type asked struct {
	// name is how an Answer names it.
	name string
	// exchange sends one question and gives the answer to it.
	exchange func(ctx context.Context, q *dns.Msg) (*dns.Msg, error)
	// server is the name of an authoritative server, address its address.
	server  string
	address netip.Addr
	// err is why it cannot be asked.
	err error
}

// delegation is the name servers of a zone, complete when done is closed.
type delegation struct {
	done    chan struct{}
	at      time.Time
	servers []asked
	err     error
}

// NewResolver reads the CA file and does no other I/O.
func NewResolver(o ResolverOptions) (*Resolver, error) {
	if o.Clock == nil {
		return nil, errors.New("make resolver: a clock is needed")
	}
	r := &Resolver{clock: o.Clock, timeout: cmp.Or(o.Timeout, 1500*time.Millisecond), port: "53", trace: o.Trace,
		zones: map[string]*delegation{}, deaf: map[string]bool{}}
	connect, err := newConnectTo(o.ConnectTo)
	if err != nil {
		return nil, err
	}
	pool, err := roots(o.CAFile)
	if err != nil {
		return nil, err
	}
	for _, s := range o.Resolvers {
		if strings.Contains(s, "://") {
			u, err := url.Parse(s)
			if err != nil || u.Scheme != "https" || u.Hostname() == "" {
				return nil, fmt.Errorf("read resolver %q: write HOST[:PORT], or an https URL such as https://dns.example/dns-query", s)
			}
			h := &overHTTPS{url: u, roots: pool, timeout: 2 * r.timeout, trace: o.Trace,
				address: connect.address(u.Hostname(), cmp.Or(u.Port(), "443"))}
			r.resolvers = append(r.resolvers, asked{name: s, exchange: h.exchange})
			continue
		}
		host, port, err := splitHost(s)
		if err != nil {
			return nil, fmt.Errorf("read resolver: %w; write HOST[:PORT] or an https URL", err)
		}
		r.resolvers = append(r.resolvers, asked{name: s, exchange: r.socket(net.JoinHostPort(host, cmp.Or(port, "53")))})
	}
	return r, nil
}

// Resolve implements providers.Resolver.
func (r *Resolver) Resolve(ctx context.Context, name, typ string) ([]providers.Answer, error) {
	q, err := question(name, typ)
	if err != nil {
		return nil, err
	}
	if len(r.resolvers) == 0 {
		return nil, fmt.Errorf("resolve %s: no resolver is configured", name)
	}
	q.RecursionDesired = true
	return r.askAll(ctx, r.resolvers, q, func(m *dns.Msg) error { return nil })
}

// Authoritative implements providers.Resolver. Every address of every name
// server is asked, without recursion. An IPv6 address that this machine has no
// route to is left out if the same server was asked over IPv4.
func (r *Resolver) Authoritative(ctx context.Context, zone string, servers []string, name, typ string) ([]providers.Answer, error) {
	q, err := question(name, typ)
	if err != nil {
		return nil, err
	}
	zone = clean(zone)
	var list []asked
	if len(servers) > 0 {
		list, err = r.given(ctx, servers)
	} else {
		list, err = r.delegated(ctx, zone)
	}
	if err != nil {
		return nil, err
	}
	return r.askAll(ctx, list, q, func(m *dns.Msg) error {
		if !m.Authoritative && (m.Rcode == dns.RcodeSuccess || m.Rcode == dns.RcodeNameError) {
			return fmt.Errorf("not authoritative for zone %s", zone)
		}
		return nil
	})
}

// askAll asks all servers at once.
func (r *Resolver) askAll(ctx context.Context, servers []asked, q *dns.Msg, check func(*dns.Msg) error) ([]providers.Answer, error) {
	answers := make([]providers.Answer, len(servers))
	errs := make([]error, len(servers))
	var wg sync.WaitGroup
	for i, s := range servers {
		wg.Go(func() {
			answers[i] = providers.Answer{Server: s.name}
			var m *dns.Msg
			err := s.err
			if err == nil {
				m, err = s.exchange(ctx, q.Copy())
			}
			if err == nil {
				err = check(m)
			}
			if err != nil {
				answers[i].Err, errs[i] = sentence(err), err
				return
			}
			answers[i].RCode, answers[i].Records = rcode(m.Rcode), records(m)
			if m.Rcode == dns.RcodeServerFailure && q.RecursionDesired && s.unvalidated(ctx, q) {
				answers[i].Err = "SERVFAIL, since DNSSEC validation fails there: it answers when asked not to validate"
			}
		})
	}
	wg.Wait()
	if err := ended(ctx); err != nil {
		return nil, err
	}
	return reachable(servers, answers, errs), nil
}

// unvalidated says whether s answers q once it is asked not to validate: then
// its SERVFAIL was about signatures [RFC 4035, section 3.2.2].
func (s asked) unvalidated(ctx context.Context, q *dns.Msg) bool {
	q = q.Copy()
	q.CheckingDisabled = true
	m, err := s.exchange(ctx, q)
	return err == nil && (m.Rcode == dns.RcodeSuccess || m.Rcode == dns.RcodeNameError)
}

// reachable leaves out the addresses without a route of servers that were
// asked at another address.
func reachable(servers []asked, answers []providers.Answer, errs []error) []providers.Answer {
	routed := map[string]bool{}
	for i, s := range servers {
		if s.server != "" && !noRoute(errs[i]) {
			routed[s.server] = true
		}
	}
	var out []providers.Answer
	for i, s := range servers {
		if noRoute(errs[i]) && s.address.Is6() && routed[s.server] {
			continue
		}
		out = append(out, answers[i])
	}
	return out
}

func noRoute(err error) bool {
	return errors.Is(err, syscall.ENETUNREACH) || errors.Is(err, syscall.EHOSTUNREACH) ||
		errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT)
}

// given are the servers that a configuration names.
func (r *Resolver) given(ctx context.Context, servers []string) ([]asked, error) {
	var list []asked
	for _, s := range servers {
		host, port, err := splitHost(s)
		if err != nil {
			return nil, fmt.Errorf("read name server: %w", err)
		}
		port = cmp.Or(port, r.port)
		if ip, err := netip.ParseAddr(host); err == nil {
			list = append(list, asked{name: s, address: ip, exchange: r.both(net.JoinHostPort(host, port))})
			continue
		}
		lookup, cancel := context.WithTimeout(ctx, 2*r.timeout)
		ips, err := net.DefaultResolver.LookupNetIP(lookup, "ip", host)
		cancel()
		if err != nil {
			list = append(list, asked{name: s, err: fmt.Errorf("find its address: %w", err)})
		}
		for _, ip := range ips {
			list = append(list, r.server(s, ip.Unmap(), port))
		}
	}
	return list, ctx.Err()
}

func (r *Resolver) server(name string, ip netip.Addr, port string) asked {
	return asked{name: fmt.Sprintf("%s (%s)", name, ip), server: name, address: ip,
		exchange: r.both(net.JoinHostPort(ip.String(), port))}
}

// delegated are the name servers of a zone as the resolvers know them, kept
// for a while. Callers that come while they are looked for share the answer.
func (r *Resolver) delegated(ctx context.Context, zone string) ([]asked, error) {
	for {
		now := r.clock.Now()
		r.mu.Lock()
		d := r.zones[zone]
		if d == nil {
			d = &delegation{done: make(chan struct{}), at: now}
			r.zones[zone] = d
			r.mu.Unlock()
			d.servers, d.err = r.find(ctx, zone)
			if d.err != nil {
				r.forget(zone, d)
			}
			close(d.done)
			return d.servers, d.err
		}
		r.mu.Unlock()
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-d.done:
		}
		// The end of another caller's context is no answer.
		ended := errors.Is(d.err, context.Canceled) || errors.Is(d.err, context.DeadlineExceeded)
		if !ended && now.Sub(d.at) < nsAge {
			return d.servers, d.err
		}
		r.forget(zone, d)
	}
}

func (r *Resolver) forget(zone string, d *delegation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.zones[zone] == d {
		delete(r.zones, zone)
	}
}

// find asks the resolvers for the zone's NS records and their addresses.
func (r *Resolver) find(ctx context.Context, zone string) ([]asked, error) {
	answers, err := r.Resolve(ctx, zone, "NS")
	if err != nil {
		return nil, err
	}
	names := values(answers, zone, "NS")
	if len(names) == 0 {
		err := fmt.Errorf("find name servers of zone %s: %s; is the zone delegated? "+
			"For a lab or a hidden primary write nameservers in its dns_provider", zone, said(answers))
		if !slices.ContainsFunc(answers, func(a providers.Answer) bool { return a.Err != "" || a.RCode != "NOERROR" && a.RCode != "NXDOMAIN" }) {
			err = fmt.Errorf("%w: %w", err, providers.ErrNotFound)
		}
		return nil, err
	}
	lists := make([][]asked, len(names))
	var wg sync.WaitGroup
	for i, name := range names {
		wg.Go(func() { lists[i] = r.addresses(ctx, name) })
	}
	wg.Wait()
	return slices.Concat(lists...), ctx.Err()
}

// addresses are those of one name server; one without any stays in the list.
func (r *Resolver) addresses(ctx context.Context, name string) []asked {
	var list []asked
	var why []string
	for _, typ := range []string{"A", "AAAA"} {
		answers, err := r.Resolve(ctx, name, typ)
		if err != nil {
			return []asked{{name: name, server: name, err: err}}
		}
		for _, v := range values(answers, "", typ) {
			if ip, err := netip.ParseAddr(v); err == nil {
				list = append(list, r.server(name, ip, r.port))
			}
		}
		why = append(why, said(answers))
	}
	if len(list) == 0 {
		return []asked{{name: name, server: name, err: errors.New("it has no address: " + strings.Join(why, "; "))}}
	}
	return list
}

// values are the different values of a type in all answers, at name if that is
// given, sorted.
func values(answers []providers.Answer, name, typ string) []string {
	var vs []string
	for _, a := range answers {
		for _, rec := range a.Records {
			if rec.Type == typ && (name == "" || rec.Name == name) {
				vs = append(vs, rec.Value)
			}
		}
	}
	slices.Sort(vs)
	return slices.Compact(vs)
}

// said is what resolvers answered, in few words.
func said(answers []providers.Answer) string {
	var parts []string
	for _, a := range answers {
		switch {
		case a.Err != "":
			parts = append(parts, a.Server+": "+a.Err)
		case len(a.Records) == 0 && a.RCode == "NOERROR":
			parts = append(parts, a.Server+" has no such record")
		default:
			parts = append(parts, a.Server+" answers "+a.RCode)
		}
	}
	return strings.Join(parts, ", ")
}

func clean(name string) string { return strings.TrimSuffix(strings.ToLower(name), ".") }

// ended is ctx's error. A socket whose deadline is ctx's may give up a moment
// before ctx itself does.
func ended(ctx context.Context) error {
	if d, ok := ctx.Deadline(); ok && !time.Now().Before(d) {
		return context.DeadlineExceeded
	}
	return ctx.Err()
}
