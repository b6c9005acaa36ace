package dns

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/edgeward/edgeward/providers"
)

// rrsAt is what a server has at one name.
type rrsAt struct {
	// rrs are the address records as the server spells them.
	rrs []dns.RR
	// other are the other types.
	other []string
	// routing is the sentence why the name cannot be changed by itself, or "".
	routing string
}

func (s rrsAt) set(zone, name string) providers.RecordSet {
	out := providers.RecordSet{Name: name, Zone: zone, Routing: s.routing, Other: slices.Sorted(slices.Values(s.other))}
	for _, rr := range s.rrs {
		out.Records = append(out.Records, ofRR(rr))
	}
	providers.SortRecords(out.Records)
	return out
}

func (s rrsAt) empty() bool { return len(s.rrs) == 0 && len(s.other) == 0 }

// add takes in one record at the name. Signatures and proofs of DNSSEC come and
// go with the others and are no content.
func (s *rrsAt) add(rr dns.RR) {
	typ := rr.Header().Rrtype
	switch typ {
	case dns.TypeCNAME, dns.TypeA, dns.TypeAAAA:
		s.rrs = append(s.rrs, rr)
	case dns.TypeRRSIG, dns.TypeNSEC, dns.TypeNSEC3:
	default:
		if name := dns.Type(typ).String(); !slices.Contains(s.other, name) {
			s.other = append(s.other, name)
		}
	}
}

// recordOf is an address record in the port's words.
func ofRR(rr dns.RR) providers.Record {
	r := providers.Record{Type: dns.TypeToString[rr.Header().Rrtype], TTL: time.Duration(rr.Header().Ttl) * time.Second}
	switch rr := rr.(type) {
	case *dns.CNAME:
		r.Value = rr.Target
	case *dns.A:
		r.Value = rr.A.String()
	case *dns.AAAA:
		r.Value = rr.AAAA.String()
	}
	return cleanRecord(r)
}

// otherTypes2136 are the types that may stand beside addresses, or in the way of
// a CNAME, in the order in which they are asked where a server does not answer
// questions for ANY.
func otherTypes2136() []uint16 {
	return []uint16{dns.TypeMX, dns.TypeTXT, dns.TypeNS, dns.TypeSOA, dns.TypeCAA, dns.TypeSRV, dns.TypeHTTPS, dns.TypeSVCB,
		dns.TypePTR, dns.TypeTLSA, dns.TypeSSHFP, dns.TypeNAPTR, dns.TypeDNAME, dns.TypeDS, dns.TypeLOC, dns.TypeURI}
}

// ask reads what stands at name by single queries.
func (s *dnsSession) ask(zone, name string) (rrsAt, error) {
	at, err := s.query(zone, name)
	if err != nil {
		return at, err
	}
	if name != zone && slices.Contains(at.other, "SOA") {
		return at, childZone(zone, name)
	}
	return at, s.above(zone, name, &at)
}

// query asks for the records at a name. What a wildcard answers is among them.
func (s *dnsSession) query(zone, name string) (rrsAt, error) {
	var at rrsAt
	for _, typ := range []uint16{dns.TypeCNAME, dns.TypeA, dns.TypeAAAA} {
		m, err := s.question(zone, name, typ)
		if err != nil {
			return at, err
		}
		for _, rr := range rrsOf(m.Answer, name, typ) {
			at.add(rr)
		}
		if slices.ContainsFunc(m.Answer, func(rr dns.RR) bool {
			return rr.Header().Rrtype == dns.TypeDNAME && !strings.EqualFold(clean(rr.Header().Name), name)
		}) {
			return rrsAt{routing: belowDNAME(name)}, nil
		}
		// Nothing else stands beside a CNAME, and nothing at a name that is not.
		if m.Rcode == dns.RcodeNameError || typ == dns.TypeCNAME && len(at.rrs) > 0 {
			return at, nil
		}
	}
	return at, s.others(zone, name, &at)
}

// others adds the types beside the addresses.
func (s *dnsSession) others(zone, name string, at *rrsAt) error {
	m, err := s.question(zone, name, dns.TypeANY)
	var asked *refusedQuery
	if err != nil && !errors.As(err, &asked) {
		return err
	}
	if err == nil && !minimalANY(m, name, len(at.rrs)) {
		for _, rr := range rrsOf(m.Answer, name, dns.TypeANY) {
			if t := rr.Header().Rrtype; t != dns.TypeCNAME && t != dns.TypeA && t != dns.TypeAAAA {
				at.add(rr)
			}
		}
		return nil
	}
	for _, typ := range otherTypes2136() {
		m, err := s.question(zone, name, typ)
		if err != nil {
			return err
		}
		for _, rr := range rrsOf(m.Answer, name, typ) {
			at.add(rr)
		}
	}
	return nil
}

// minimalANY says whether an answer to ANY leaves records out: the HINFO of RFC
// 8482, or fewer addresses than are known.
func minimalANY(m *dns.Msg, name string, addresses int) bool {
	for _, rr := range rrsOf(m.Answer, name, dns.TypeHINFO) {
		if h, ok := rr.(*dns.HINFO); ok && strings.EqualFold(h.Cpu, "RFC8482") {
			return true
		}
	}
	n := len(rrsOf(m.Answer, name, dns.TypeA)) + len(rrsOf(m.Answer, name, dns.TypeAAAA))
	return n < addresses
}

// above looks at the names between name and zone: a zone of its own may begin
// there, and a wildcard may be what has answered for name.
func (s *dnsSession) above(zone, name string, at *rrsAt) error {
	wild := false
	for parent := name; parent != zone; {
		_, rest, _ := strings.Cut(parent, ".")
		parent = rest
		if parent != zone {
			m, err := s.question(zone, parent, dns.TypeSOA)
			if err != nil {
				return err
			}
			if len(rrsOf(m.Answer, parent, dns.TypeSOA)) > 0 {
				return childZone(zone, parent)
			}
		}
		if star := "*." + parent; !at.empty() && star != name && !wild {
			all, err := s.query(zone, star)
			if err != nil {
				return err
			}
			wild = !all.empty()
		}
	}
	if !wild {
		return nil
	}
	exists, err := s.exists(zone, name)
	if err == nil && !exists {
		*at = rrsAt{}
	}
	return err
}

// exists asks whether name itself is in the zone, which no query tells where a
// wildcard covers it: an UPDATE with the prerequisite "name is in use" and no
// change.
func (s *dnsSession) exists(zone, name string) (bool, error) {
	m := new(dns.Msg)
	m.SetUpdate(zone + ".")
	m.NameUsed([]dns.RR{&dns.ANY{Hdr: dns.RR_Header{Name: name + "."}}})
	answer, err := s.exchange(m)
	if err != nil {
		return false, err
	}
	switch answer.Rcode {
	case dns.RcodeSuccess:
		return true, nil
	case dns.RcodeNameError:
		return false, nil
	}
	return false, fmt.Errorf("tell the records of %s from those of a wildcard: %w", name, s.server.refusal("update", zone, answer))
}

// refusedQuery is an answer that is neither NOERROR nor NXDOMAIN.
type refusedQuery struct{ err error }

func (e *refusedQuery) Error() string { return e.err.Error() }
func (e *refusedQuery) Unwrap() error { return e.err }

// question asks one question. The answer is authoritative, and NOERROR or
// NXDOMAIN.
func (s *dnsSession) question(zone, name string, typ uint16) (*dns.Msg, error) {
	q := new(dns.Msg)
	q.SetQuestion(name+".", typ)
	q.RecursionDesired = false
	m, err := s.exchange(q)
	if err != nil {
		return nil, err
	}
	if m.Rcode != dns.RcodeSuccess && m.Rcode != dns.RcodeNameError {
		return nil, &refusedQuery{s.server.refusal("query", zone, m)}
	}
	if m.Authoritative {
		return m, nil
	}
	for _, rr := range m.Ns {
		if at := clean(rr.Header().Name); rr.Header().Rrtype == dns.TypeNS && at != zone && holds(zone, at) && holds(at, name) {
			return nil, childZone(zone, at)
		}
	}
	return nil, fmt.Errorf("server %s answers without authority: it does not have zone %s; check server and zones: %w", s.server.address, zone, providers.ErrNotFound)
}

func childZone(zone, at string) error {
	return fmt.Errorf("%s is a zone of its own, delegated from %s; add it to the zones of the dns_provider that serves it: %w", at, zone, providers.ErrNotFound)
}

func belowDNAME(name string) string {
	return fmt.Sprintf("%s is below a DNAME, which answers for all names below it", name)
}

// rdata is a record of the port as the wire has it. ErrInvalid.
func rrOf(name string, r providers.Record) (dns.RR, error) {
	h := dns.RR_Header{Name: name + ".", Rrtype: dns.StringToType[r.Type], Class: dns.ClassINET, Ttl: uint32(r.TTL / time.Second)}
	if r.TTL < 0 || r.TTL/time.Second > 1<<31-1 {
		return nil, fmt.Errorf("%s cannot be: a TTL is between 0 and 2147483647 seconds: %w", r, providers.ErrInvalid)
	}
	ip := net.ParseIP(r.Value)
	switch {
	case r.Alias, r.Proxied:
		return nil, fmt.Errorf("%s cannot be: RFC 2136 has ordinary records only: %w", r, providers.ErrInvalid)
	case r.Type == "CNAME":
		if _, ok := dns.IsDomainName(r.Value); !ok || r.Value == "" {
			return nil, fmt.Errorf("%s cannot be: %q is no domain name: %w", r, r.Value, providers.ErrInvalid)
		}
		return &dns.CNAME{Hdr: h, Target: r.Value + "."}, nil
	case r.Type == "A" && ip.To4() != nil && !strings.Contains(r.Value, ":"):
		return &dns.A{Hdr: h, A: ip.To4()}, nil
	case r.Type == "AAAA" && ip != nil && strings.Contains(r.Value, ":"):
		return &dns.AAAA{Hdr: h, AAAA: ip.To16()}, nil
	case r.Type == "A", r.Type == "AAAA":
		return nil, fmt.Errorf("%s cannot be: %q is no such address: %w", r, r.Value, providers.ErrInvalid)
	}
	return nil, fmt.Errorf("%s is no address record: %w", r, providers.ErrInvalid)
}
