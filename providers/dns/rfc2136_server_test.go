package dns

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/edgeward/edgeward/providers"
	"github.com/edgeward/edgeward/providers/providertest"
)

// The keys of the scripted server, by the name of who has them.
const (
	keyEdgeward = "edgeward."
	keySecond   = "second."
	keyPerson   = "person."
	labSecret   = "c2VjcmV0IG9mIHRoZSB0ZXN0cyBhbG9uZSwgMzIgYnl0ZXM="
)

// updateParty is a primary server with one zone, written from RFC 1034 (4.3.2,
// 4.3.3), RFC 2136 (3.2 to 3.4) and RFC 5936. BIND is asked the same questions
// by the tests with the tag peers.
type updateParty struct {
	address string
	zone    string

	mu  sync.Mutex
	rrs []dns.RR
	// noTransfer refuses transfers; noANY answers ANY as RFC 8482 allows.
	noTransfer, noANY bool
	// script answers a message in place of the server when it returns true.
	script func(w dns.ResponseWriter, q *dns.Msg) bool
	// before is called before each message, without the lock.
	before func(q *dns.Msg)
	// commit is called with the lock for each UPDATE that was applied, with the
	// address records at its name before and after.
	commit func(key string, before, after []providers.Record)
	// counts are of messages: AXFR, UPDATE, QUERY.
	counts map[string]int
}

func newUpdateParty(t testing.TB, zone string, lines []string) *updateParty {
	t.Helper()
	p := &updateParty{zone: zone, counts: map[string]int{}, rrs: parseRRs(t, append([]string{
		zone + ". 3600 IN SOA ns1." + zone + ". admin." + zone + ". 1 3600 900 604800 1", zone + ". 3600 IN NS ns1." + zone + "."}, lines...))}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.address = l.Addr().String()
	server := &dns.Server{Listener: l, Handler: p,
		TsigSecret:    map[string]string{keyEdgeward: labSecret, keySecond: labSecret, keyPerson: labSecret},
		MsgAcceptFunc: func(dns.Header) dns.MsgAcceptAction { return dns.MsgAccept }}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = server.ActivateAndServe() }()
	t.Cleanup(func() { _ = l.Close(); <-ended })
	return p
}

// parseRRs reads lines of a zone file.
func parseRRs(t testing.TB, lines []string) []dns.RR {
	t.Helper()
	var rrs []dns.RR
	for _, l := range lines {
		rr, err := dns.NewRR(l)
		if err != nil {
			t.Fatal(err)
		}
		rrs = append(rrs, rr)
	}
	return rrs
}

// ServeDNS implements dns.Handler.
func (p *updateParty) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	p.mu.Lock()
	before, script := p.before, p.script
	p.mu.Unlock()
	if before != nil {
		before(q)
	}
	if script != nil && script(w, q) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	m := new(dns.Msg)
	m.SetReply(q)
	switch sign := q.IsTsig(); {
	case sign == nil:
		m.Rcode = dns.RcodeRefused
	case w.TsigStatus() != nil:
		refuseTSIG(w, q, w.TsigStatus())
		return
	case q.Opcode == dns.OpcodeUpdate:
		p.counts["UPDATE"]++
		m.Rcode = p.update(q)
	case q.Question[0].Qtype == dns.TypeAXFR:
		p.counts["AXFR"]++
		if !p.noTransfer {
			p.transfer(w, q)
			return
		}
		m.Rcode = dns.RcodeRefused
	default:
		p.counts["QUERY"]++
		p.answer(m)
	}
	signedReply(w, q, m)
}

// signedReply signs an answer as the question was signed.
func signedReply(w dns.ResponseWriter, q, m *dns.Msg) {
	if t := q.IsTsig(); t != nil && w.TsigStatus() == nil {
		m.SetTsig(t.Hdr.Name, t.Algorithm, tsigFudge, time.Now().Unix())
	}
	_ = w.WriteMsg(m)
}

// refuseTSIG is the refusal of a signature [RFC 8945, 5.2].
func refuseTSIG(w dns.ResponseWriter, q *dns.Msg, why error) {
	m := new(dns.Msg)
	m.SetRcode(q, dns.RcodeNotAuth)
	t := dns.Copy(q.IsTsig()).(*dns.TSIG)
	t.MAC, t.MACSize, t.OrigId = "", 0, q.Id
	t.Error = dns.RcodeBadSig
	if why == dns.ErrSecret {
		t.Error = dns.RcodeBadKey
	}
	m.Extra = append(m.Extra, t)
	_ = w.WriteMsg(m)
}

// at are the records with an owner and a type (ANY: all types).
func (p *updateParty) at(name string, typ uint16) []dns.RR { return rrsOf(p.rrs, clean(name), typ) }

func (p *updateParty) holds(name string) bool { return holds(p.zone, clean(name)) }

// answer answers a query.
func (p *updateParty) answer(m *dns.Msg) {
	q := m.Question[0]
	if !p.holds(q.Name) {
		m.Rcode = dns.RcodeRefused
		return
	}
	m.Authoritative = true
	owner := q.Name
	if len(p.at(owner, dns.TypeANY)) == 0 {
		owner = p.wildcard(owner)
	}
	for _, rr := range p.at(owner, dns.TypeANY) {
		typ := rr.Header().Rrtype
		if typ == q.Qtype || typ == dns.TypeCNAME || q.Qtype == dns.TypeANY {
			rr = dns.Copy(rr)
			rr.Header().Name = q.Name
			m.Answer = append(m.Answer, rr)
		}
	}
	if q.Qtype == dns.TypeANY && p.noANY && len(m.Answer) > 0 {
		m.Answer = []dns.RR{&dns.HINFO{Hdr: dns.RR_Header{Name: q.Name, Rrtype: dns.TypeHINFO, Class: dns.ClassINET, Ttl: 60}, Cpu: "RFC8482"}}
	}
	if len(m.Answer) == 0 {
		m.Ns = p.at(p.zone, dns.TypeSOA)
		if len(p.at(owner, dns.TypeANY)) == 0 && !p.above(q.Name) {
			m.Rcode = dns.RcodeNameError
		}
	}
}

// above says whether something stands below a name, which then exists.
func (p *updateParty) above(name string) bool {
	return slices.ContainsFunc(p.rrs, func(rr dns.RR) bool { return holds(clean(name), clean(rr.Header().Name)) })
}

// wildcard is the owner that answers for a name that does not exist.
func (p *updateParty) wildcard(name string) string {
	if p.above(name) {
		return name
	}
	for _, rest, _ := strings.Cut(name, "."); p.holds(rest); _, rest, _ = strings.Cut(rest, ".") {
		if len(p.at("*."+rest, dns.TypeANY)) > 0 || p.above(rest) {
			return "*." + rest
		}
	}
	return name
}

// transfer sends the zone in messages of ten records.
func (p *updateParty) transfer(w dns.ResponseWriter, q *dns.Msg) {
	parts := make(chan *dns.Envelope)
	rrs := append(slices.Clone(p.rrs), p.at(p.zone, dns.TypeSOA)...)
	go func() {
		defer close(parts)
		for part := range slices.Chunk(rrs, 10) {
			parts <- &dns.Envelope{RR: part}
		}
	}()
	_ = new(dns.Transfer).Out(w, q, parts)
	for range parts { // what a caller who has gone did not take
	}
}

// update applies an UPDATE, or says with a code why not.
func (p *updateParty) update(q *dns.Msg) int {
	if clean(q.Question[0].Name) != p.zone {
		return dns.RcodeNotAuth
	}
	if code := p.prerequisites(q.Answer); code != dns.RcodeSuccess {
		return code
	}
	for _, rr := range q.Ns {
		if !p.holds(rr.Header().Name) {
			return dns.RcodeNotZone
		}
	}
	if len(q.Ns) == 0 {
		return dns.RcodeSuccess
	}
	name := q.Ns[0].Header().Name
	before := rrsAt{rrs: p.addresses(name)}.set(p.zone, clean(name)).Records
	for _, rr := range q.Ns {
		p.change(rr)
	}
	if p.commit != nil {
		p.commit(q.IsTsig().Hdr.Name, before, rrsAt{rrs: p.addresses(name)}.set(p.zone, clean(name)).Records)
	}
	return dns.RcodeSuccess
}

func (p *updateParty) addresses(name string) []dns.RR {
	return slices.Concat(p.at(name, dns.TypeCNAME), p.at(name, dns.TypeA), p.at(name, dns.TypeAAAA))
}

// prerequisites [RFC 2136, 3.2].
func (p *updateParty) prerequisites(rrs []dns.RR) int {
	type key struct {
		name string
		typ  uint16
	}
	want := map[key][]dns.RR{}
	for _, rr := range rrs {
		h := rr.Header()
		stands := p.at(h.Name, h.Rrtype)
		switch {
		case !p.holds(h.Name):
			return dns.RcodeNotZone
		case h.Ttl != 0:
			return dns.RcodeFormatError
		case h.Class == dns.ClassANY && len(stands) == 0 && h.Rrtype == dns.TypeANY:
			return dns.RcodeNameError
		case h.Class == dns.ClassANY && len(stands) == 0:
			return dns.RcodeNXRrset
		case h.Class == dns.ClassNONE && len(stands) > 0 && h.Rrtype == dns.TypeANY:
			return dns.RcodeYXDomain
		case h.Class == dns.ClassNONE && len(stands) > 0:
			return dns.RcodeYXRrset
		case h.Class == dns.ClassINET:
			k := key{clean(h.Name), h.Rrtype}
			want[k] = append(want[k], rr)
		}
	}
	for k, rrs := range want {
		stands := p.at(k.name, k.typ)
		if len(stands) != len(rrs) || slices.ContainsFunc(rrs, func(rr dns.RR) bool { return !hasRR(stands, rr) }) {
			return dns.RcodeNXRrset
		}
	}
	return dns.RcodeSuccess
}

func hasRR(stands []dns.RR, rr dns.RR) bool {
	return slices.ContainsFunc(stands, func(o dns.RR) bool { return dns.IsDuplicate(o, rr) })
}

// change applies one record of the update section [RFC 2136, 3.4.2].
func (p *updateParty) change(rr dns.RR) {
	h := rr.Header()
	remove := func(match func(dns.RR) bool) {
		p.rrs = slices.DeleteFunc(p.rrs, func(o dns.RR) bool {
			return strings.EqualFold(o.Header().Name, h.Name) && o.Header().Rrtype != dns.TypeSOA && match(o)
		})
	}
	switch h.Class {
	case dns.ClassANY:
		remove(func(o dns.RR) bool { return h.Rrtype == dns.TypeANY || o.Header().Rrtype == h.Rrtype })
	case dns.ClassNONE:
		remove(func(o dns.RR) bool { o = dns.Copy(o); o.Header().Class = dns.ClassNONE; return dns.IsDuplicate(o, rr) })
	default:
		cname := len(p.at(h.Name, dns.TypeCNAME)) > 0
		other := len(p.at(h.Name, dns.TypeANY)) > 0 && !cname
		if h.Rrtype == dns.TypeCNAME && other || h.Rrtype != dns.TypeCNAME && cname {
			return // silently [3.4.2.2]
		}
		remove(func(o dns.RR) bool { return h.Rrtype == dns.TypeCNAME || dns.IsDuplicate(o, rr) })
		p.rrs = append(p.rrs, dns.Copy(rr))
	}
}

// partyZone is the zone as the suite sees it.
type partyZone struct{ p *updateParty }

func (z partyZone) Put(t *testing.T, row providertest.Row) {
	z.Remove(t, row.Name, row.Type)
	z.p.mu.Lock()
	defer z.p.mu.Unlock()
	z.p.rrs = append(z.p.rrs, parseRRs(t, zoneLines([]providertest.Row{row}))...)
}

func (z partyZone) Remove(t *testing.T, name, typ string) {
	z.p.mu.Lock()
	defer z.p.mu.Unlock()
	z.p.rrs = slices.DeleteFunc(z.p.rrs, func(rr dns.RR) bool {
		return clean(rr.Header().Name) == name && dns.Type(rr.Header().Rrtype).String() == typ
	})
}

func (z partyZone) Rows(t *testing.T) []providertest.Row {
	z.p.mu.Lock()
	defer z.p.mu.Unlock()
	return rowsOf(z.p.rrs)
}

// rowsOf are records as the suite has them, without the SOA, whose serial rises
// with each update.
func rowsOf(rrs []dns.RR) []providertest.Row {
	var rows []providertest.Row
	for _, rr := range rrs {
		h := rr.Header()
		if h.Rrtype == dns.TypeSOA {
			continue
		}
		value := strings.TrimSuffix(strings.TrimPrefix(rr.String(), h.String()), ".")
		r := providertest.Row{Name: clean(h.Name), Type: dns.Type(h.Rrtype).String(), TTL: time.Duration(h.Ttl) * time.Second, Values: []string{value}}
		i := slices.IndexFunc(rows, func(o providertest.Row) bool { return o.Name == r.Name && o.Type == r.Type })
		if i >= 0 {
			rows[i].Values = append(rows[i].Values, value)
		} else {
			rows = append(rows, r)
		}
	}
	return rows
}

// zoneLines are rows as zone files have them.
func zoneLines(rows []providertest.Row) []string {
	var out []string
	for _, r := range rows {
		for _, v := range r.Values {
			if r.Type == "CNAME" || r.Type == "MX" {
				v = strings.TrimSuffix(v, ".") + "."
			}
			out = append(out, fmt.Sprintf("%s. %d IN %s %s", r.Name, int64(r.TTL/time.Second), r.Type, v))
		}
	}
	return out
}
