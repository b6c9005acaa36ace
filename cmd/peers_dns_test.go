//go:build peers

package cmd_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"
	"github.com/miekg/dns"
)

// The addresses that the names of AWS resolve to here. connect_to leads them to
// the fronts of the test, so that an address tells who would be reached.
const (
	edgeAddress    = "127.0.0.2"
	websiteAddress = "127.0.0.3"
	restAddress    = "127.0.0.4"
)

// amazonAddress is where a name of AWS leads, "" for other names.
func amazonAddress(name string) string {
	name = strings.TrimSuffix(strings.ToLower(name), ".")
	switch {
	case strings.HasSuffix(name, ".cloudfront.net"):
		return edgeAddress
	case strings.HasSuffix(name, ".amazonaws.com") && strings.Contains(name, "s3-website"):
		return websiteAddress
	case strings.HasSuffix(name, ".amazonaws.com"):
		return restAddress
	}
	return ""
}

// aliasSeconds is the TTL of what alias records answer. Route 53's is a minute;
// here it is short so that the test is.
const aliasSeconds = 1

// authority answers, with AA, from the zones that stand in moto.
type authority struct {
	api *route53.Client
	// zones has the ID of each zone by its name.
	zones map[string]string
}

// ServeDNS implements dns.Handler.
func (a *authority) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	m := new(dns.Msg)
	m.SetReply(q)
	m.Authoritative = true
	name := strings.TrimSuffix(strings.ToLower(q.Question[0].Name), ".")
	zone := ""
	for z := range a.zones {
		if (name == z || strings.HasSuffix(name, "."+z)) && len(z) > len(zone) {
			zone = z
		}
	}
	if zone == "" {
		m.Authoritative, m.Rcode = false, dns.RcodeRefused
		_ = w.WriteMsg(m)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	exists, err := a.answer(ctx, m, zone, name, q.Question[0].Qtype)
	switch {
	case err != nil:
		m.Answer, m.Rcode = nil, dns.RcodeServerFailure
	case !exists:
		m.Rcode = dns.RcodeNameError
	}
	if len(m.Answer) == 0 {
		m.Ns = []dns.RR{&dns.SOA{Hdr: header(zone, dns.TypeSOA, 1), Ns: "ns1." + zone + ".", Mbox: "admin." + zone + ".",
			Serial: 1, Refresh: 7200, Retry: 900, Expire: 1209600, Minttl: 1}}
	}
	_ = w.WriteMsg(m)
}

func header(name string, typ uint16, ttl uint32) dns.RR_Header {
	return dns.RR_Header{Name: dns.Fqdn(name), Rrtype: typ, Class: dns.ClassINET, Ttl: ttl}
}

// answer fills the answer section; exists is false when nothing stands at name.
func (a *authority) answer(ctx context.Context, m *dns.Msg, zone, name string, typ uint16) (exists bool, err error) {
	in := &route53.ListResourceRecordSetsInput{HostedZoneId: aws.String(a.zones[zone])}
	for {
		out, err := a.api.ListResourceRecordSets(ctx, in)
		if err != nil {
			return false, err
		}
		for _, s := range out.ResourceRecordSets {
			if strings.TrimSuffix(strings.ToLower(aws.ToString(s.Name)), ".") != name {
				continue
			}
			exists = true
			if own := dns.StringToType[string(s.Type)]; own == typ || own == dns.TypeCNAME {
				m.Answer = append(m.Answer, recordsOf(s, name, own)...)
			}
		}
		if !out.IsTruncated {
			return exists, nil
		}
		in.StartRecordName, in.StartRecordType = out.NextRecordName, out.NextRecordType
	}
}

// recordsOf are the records that a set answers with. An alias answers with the
// addresses of its target; there is no IPv6 here.
func recordsOf(s types.ResourceRecordSet, name string, typ uint16) []dns.RR {
	if s.AliasTarget != nil {
		address := amazonAddress(aws.ToString(s.AliasTarget.DNSName))
		if typ != dns.TypeA || address == "" {
			return nil
		}
		return []dns.RR{&dns.A{Hdr: header(name, dns.TypeA, aliasSeconds), A: net.ParseIP(address)}}
	}
	var rrs []dns.RR
	for _, v := range s.ResourceRecords {
		rr, err := dns.NewRR(dns.Fqdn(name) + " IN " + string(s.Type) + " " + aws.ToString(v.Value))
		if err == nil && rr != nil {
			rr.Header().Ttl = uint32(aws.ToInt64(s.TTL))
			rrs = append(rrs, rr)
		}
	}
	return rrs
}

// resolver is a caching resolver: it keeps each record set for its TTL and
// answers with what is left of it; what does not exist, for the SOA's minimum.
type resolver struct {
	// authority is the HOST:PORT that everything but AWS' names is asked at.
	authority string

	mu    sync.Mutex
	cache map[cacheKey]cacheEntry
}

type cacheKey struct {
	name string
	typ  uint16
}

type cacheEntry struct {
	rrs     []dns.RR
	rcode   int
	expires time.Time
}

func newResolver(authority string) *resolver {
	return &resolver{authority: authority, cache: map[cacheKey]cacheEntry{}}
}

// ServeDNS implements dns.Handler.
func (r *resolver) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	m := new(dns.Msg)
	m.SetReply(q)
	m.RecursionAvailable = true
	rrs, rcode, err := r.resolve(strings.ToLower(q.Question[0].Name), q.Question[0].Qtype, 0)
	if err != nil {
		rcode = dns.RcodeServerFailure
	}
	m.Answer, m.Rcode = rrs, rcode
	_ = w.WriteMsg(m)
}

// resolve follows CNAMEs.
func (r *resolver) resolve(name string, typ uint16, depth int) ([]dns.RR, int, error) {
	if depth > 8 {
		return nil, 0, errors.New("a loop of CNAMEs")
	}
	if address := amazonAddress(name); address != "" {
		if typ != dns.TypeA {
			return nil, dns.RcodeSuccess, nil
		}
		return []dns.RR{&dns.A{Hdr: header(name, dns.TypeA, 60), A: net.ParseIP(address)}}, dns.RcodeSuccess, nil
	}
	e, ok := r.cached(cacheKey{name, dns.TypeCNAME})
	if !ok || len(e.rrs) == 0 {
		if e, ok = r.cached(cacheKey{name, typ}); !ok {
			var err error
			if e, err = r.ask(name, typ); err != nil {
				return nil, 0, err
			}
		}
	}
	if len(e.rrs) == 0 || typ == dns.TypeCNAME {
		return e.rrs, e.rcode, nil
	}
	alias, ok := e.rrs[0].(*dns.CNAME)
	if !ok {
		return e.rrs, e.rcode, nil
	}
	rest, rcode, err := r.resolve(strings.ToLower(alias.Target), typ, depth+1)
	return append(slices.Clone(e.rrs), rest...), rcode, err
}

// cached gives an entry with what is left of its TTL.
func (r *resolver) cached(k cacheKey) (cacheEntry, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e, ok := r.cache[k]
	left := time.Until(e.expires)
	if !ok || left <= 0 {
		delete(r.cache, k)
		return cacheEntry{}, false
	}
	rrs := make([]dns.RR, len(e.rrs))
	for i, rr := range e.rrs {
		rrs[i] = dns.Copy(rr)
		rrs[i].Header().Ttl = uint32((left + time.Second - 1) / time.Second)
	}
	e.rrs = rrs
	return e, true
}

func (r *resolver) ask(name string, typ uint16) (cacheEntry, error) {
	q := new(dns.Msg)
	q.SetQuestion(name, typ)
	m, _, err := (&dns.Client{Timeout: 6 * time.Second}).Exchange(q, r.authority)
	if err != nil {
		return cacheEntry{}, err
	}
	if m.Rcode != dns.RcodeSuccess && m.Rcode != dns.RcodeNameError || !m.Authoritative {
		return cacheEntry{}, errors.New("the authoritative server answers " + dns.RcodeToString[m.Rcode])
	}
	e := cacheEntry{rrs: m.Answer, rcode: m.Rcode}
	k, ttl := cacheKey{name, typ}, uint32(1)
	if len(m.Answer) > 0 {
		k.typ, ttl = m.Answer[0].Header().Rrtype, m.Answer[0].Header().Ttl
	}
	e.expires = time.Now().Add(time.Duration(ttl) * time.Second)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cache[k] = e
	return e, nil
}

// serveDNS runs h on a loopback port, UDP and TCP, until the test ends, and
// gives its HOST:PORT.
func serveDNS(t *testing.T, h dns.Handler) string {
	t.Helper()
	for range 20 {
		udp, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		address := udp.LocalAddr().String()
		tcp, err := net.Listen("tcp", address)
		if err != nil { // the port is somebody's over TCP
			_ = udp.Close()
			continue
		}
		for _, s := range []*dns.Server{{PacketConn: udp, Handler: h}, {Listener: tcp, Handler: h}} {
			started, ended := make(chan struct{}), make(chan struct{})
			s.NotifyStartedFunc = func() { close(started) }
			go func() { defer close(ended); _ = s.ActivateAndServe() }()
			<-started
			t.Cleanup(func() { _ = s.Shutdown(); <-ended })
		}
		return address
	}
	t.Fatal("no port is free over UDP and TCP")
	return ""
}
