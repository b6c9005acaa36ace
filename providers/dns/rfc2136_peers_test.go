//go:build peers

package dns

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/edgeward/edgeward/providers"
	"github.com/edgeward/edgeward/providers/providertest"
	"github.com/edgeward/edgeward/providers/providertest/dnslab"
)

// labProvider is the adapter at a server of the lab, with a key of it.
func labProvider(t *testing.T, s *dnslab.Server, k dnslab.Key, clock providers.Clock) *rfc2136DNS {
	t.Helper()
	d, err := newRFC2136(Options{Zones: []string{"example.com"}, Clock: clock, Settings: map[string]any{
		"server": s.Address, "key_name": k.Name, "key_algorithm": k.Algorithm, "key_secret": k.Secret}})
	if err != nil {
		t.Fatal(err)
	}
	return d.(*rfc2136DNS)
}

// labZone is a zone of the lab as the suite sees it.
type labZone struct {
	server *dnslab.Server
	name   string
}

// line is a row as zone files have it.
func line(r providertest.Row, value string) string {
	if r.Type == "CNAME" {
		value = strings.TrimSuffix(value, ".") + "."
	}
	if r.Type == "MX" {
		value += "."
	}
	return fmt.Sprintf("%s. %d IN %s %s", r.Name, int64(r.TTL/time.Second), r.Type, value)
}

func lines(rows []providertest.Row) []string {
	var out []string
	for _, r := range rows {
		for _, v := range r.Values {
			out = append(out, line(r, v))
		}
	}
	return out
}

func (z labZone) update(t *testing.T, fill func(*dns.Msg)) {
	t.Helper()
	if code := z.server.Update(t, z.name, fill); code != dns.RcodeSuccess {
		t.Fatalf("update: %s", dns.RcodeToString[code])
	}
}

func parse(t testing.TB, lines []string) []dns.RR {
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

func (z labZone) Put(t *testing.T, row providertest.Row) {
	t.Helper()
	rrs := parse(t, lines([]providertest.Row{row}))
	z.update(t, func(m *dns.Msg) {
		m.RemoveRRset(rrs[:1])
		m.Insert(rrs)
	})
}

func (z labZone) Remove(t *testing.T, name, typ string) {
	t.Helper()
	z.update(t, func(m *dns.Msg) {
		m.RemoveRRset([]dns.RR{&dns.ANY{Hdr: dns.RR_Header{Name: name + ".", Rrtype: dns.StringToType[typ]}}})
	})
}

// Rows leaves the SOA out, whose serial rises with each update.
func (z labZone) Rows(t *testing.T) []providertest.Row {
	t.Helper()
	var rows []providertest.Row
	for _, rr := range z.server.Records(t, z.name) {
		h := rr.Header()
		if h.Rrtype == dns.TypeSOA {
			continue
		}
		value := strings.TrimPrefix(rr.String(), h.String())
		r := providertest.Row{Name: clean(h.Name), Type: dns.Type(h.Rrtype).String(), TTL: time.Duration(h.Ttl) * time.Second,
			Values: []string{strings.TrimSuffix(value, ".")}}
		i := slices.IndexFunc(rows, func(o providertest.Row) bool { return o.Name == r.Name && o.Type == r.Type })
		if i >= 0 {
			rows[i].Values = append(rows[i].Values, r.Values...)
		} else {
			rows = append(rows, r)
		}
	}
	return rows
}

// TestRFC2136Conforms runs the suite against servers that we did not write:
// BIND with transfers, BIND without, which is asked name by name, and PowerDNS.
func TestRFC2136Conforms(t *testing.T) {
	for name, party := range map[string]struct {
		start      func(testing.TB, ...dnslab.Zone) *dnslab.Server
		noTransfer bool
	}{
		"BIND":                   {start: dnslab.Bind},
		"BIND without transfers": {dnslab.Bind, true},
		"PowerDNS":               {start: dnslab.PowerDNS},
	} {
		t.Run(name, func(t *testing.T) {
			providertest.DNS(t, providertest.DNSSuite{
				New: func(t *testing.T, zone string, rows []providertest.Row) (providers.DNS, providertest.Zone) {
					s := party.start(t, dnslab.Zone{Name: zone, Rows: lines(rows)})
					d := labProvider(t, s, s.Key, providers.RealClock{})
					if party.noTransfer {
						d.transfers.refused[zone] = true
					}
					return d, labZone{s, zone}
				},
				Unfaithful: map[string]string{"look/routing": "a DNS server has no routing policies"},
			})
		})
	}
}
