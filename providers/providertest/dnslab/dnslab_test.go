//go:build peers

package dnslab_test

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/edgeward/edgeward/providers/providertest/dnslab"
)

func ask(t *testing.T, server, name string, typ uint16) *dns.Msg {
	t.Helper()
	q := new(dns.Msg)
	q.SetQuestion(dns.Fqdn(name), typ)
	m, _, err := (&dns.Client{Timeout: 5 * time.Second}).Exchange(q, server)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func replaceCNAME(name, target string) func(*dns.Msg) {
	return func(m *dns.Msg) {
		rr := &dns.CNAME{Hdr: dns.RR_Header{Name: dns.Fqdn(name), Rrtype: dns.TypeCNAME, Class: dns.ClassINET, Ttl: 2}, Target: dns.Fqdn(target)}
		m.RemoveRRset([]dns.RR{rr})
		m.Insert([]dns.RR{rr})
	}
}

// Each server holds its zone, takes a signed update, and the resolver keeps the
// old answer for its TTL and no longer.
func TestServers(t *testing.T) {
	zone := dnslab.Zone{Name: "example.com", Rows: []string{"assets 2 IN CNAME old.example.net."}}
	target := dnslab.Zone{Name: "example.net", Rows: []string{"* 60 IN A 127.0.0.9"}}
	for name, start := range map[string]func(testing.TB, ...dnslab.Zone) *dnslab.Server{"BIND": dnslab.Bind, "PowerDNS": dnslab.PowerDNS} {
		t.Run(name, func(t *testing.T) {
			s := start(t, zone, target)
			resolver := dnslab.Unbound(t, map[string]string{"example.com": s.Address, "example.net": s.Address})
			if m := ask(t, resolver, "assets.example.com", dns.TypeA); len(m.Answer) != 2 {
				t.Fatalf("the resolver answers\n%v", m)
			}
			if m := ask(t, resolver, "www.example.org", dns.TypeA); m.Rcode != dns.RcodeRefused {
				t.Errorf("the resolver answers a name that is not in the lab\n%v", m)
			}
			w := dnslab.Watch(t, s.Address, "assets.example.com")
			if rcode := s.Update(t, "example.com", replaceCNAME("assets.example.com", "new.example.net")); rcode != dns.RcodeSuccess {
				t.Fatal(dns.RcodeToString[rcode])
			}
			if got := ask(t, resolver, "assets.example.com", dns.TypeCNAME).Answer[0].(*dns.CNAME).Target; got != "old.example.net." {
				t.Errorf("the resolver has forgotten the old answer before its time: %s", got)
			}
			for began := time.Now(); ask(t, resolver, "assets.example.com", dns.TypeCNAME).Answer[0].(*dns.CNAME).Target != "new.example.net."; {
				if time.Since(began) > 10*time.Second {
					t.Fatal("the resolver keeps the old answer")
				}
				time.Sleep(50 * time.Millisecond)
			}
			if seen := w.Stop(); seen.Queries < 100 || seen.Absent+seen.Double+seen.Failed > 0 || len(seen.Values) != 2 {
				t.Errorf("the watcher saw %s", seen)
			}
			if n := len(s.Records(t, "example.com")); n != 4 {
				t.Errorf("the zone has %d records", n)
			}
		})
	}
}

// The watcher sees what it is there to see.
func TestWatcherBites(t *testing.T) {
	s := dnslab.Bind(t, dnslab.Zone{Name: "example.com", Rows: []string{"assets 2 IN CNAME old.example.net."}})
	w := dnslab.Watch(t, s.Address, "assets.example.com")
	old := &dns.CNAME{Hdr: dns.RR_Header{Name: "assets.example.com.", Rrtype: dns.TypeCNAME, Class: dns.ClassINET}}
	s.Update(t, "example.com", func(m *dns.Msg) { m.RemoveRRset([]dns.RR{old}) })
	time.Sleep(100 * time.Millisecond)
	s.Update(t, "example.com", replaceCNAME("assets.example.com", "new.example.net"))
	time.Sleep(20 * time.Millisecond)
	if seen := w.Stop(); seen.Absent == 0 || seen.Longest < 80*time.Millisecond || seen.Longest > time.Second {
		t.Errorf("the watcher saw %s", seen)
	}
}

// A double answer is counted; the server is a scripted one, for real ones have no
// such fault.
func TestWatcherCountsDoubles(t *testing.T) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &dns.Server{PacketConn: conn, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg)
		m.SetReply(q)
		for _, target := range []string{"a.example.net.", "b.example.net."} {
			m.Answer = append(m.Answer, &dns.CNAME{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeCNAME, Class: dns.ClassINET}, Target: target})
		}
		_ = w.WriteMsg(m)
	})}
	go func() { _ = server.ActivateAndServe() }()
	t.Cleanup(func() { _ = server.ShutdownContext(context.Background()) })
	w := dnslab.Watch(t, conn.LocalAddr().String(), "assets.example.com")
	time.Sleep(50 * time.Millisecond)
	if seen := w.Stop(); seen.Double == 0 || seen.Double != seen.Queries || seen.Absent > 0 {
		t.Errorf("the watcher saw %s", seen)
	}
}
