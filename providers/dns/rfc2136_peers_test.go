//go:build peers

package dns

import (
	"testing"

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

func (z labZone) update(t *testing.T, fill func(*dns.Msg)) {
	t.Helper()
	if code := z.server.Update(t, z.name, fill); code != dns.RcodeSuccess {
		t.Fatalf("update: %s", dns.RcodeToString[code])
	}
}

func (z labZone) Put(t *testing.T, row providertest.Row) {
	t.Helper()
	rrs := parseRRs(t, zoneLines([]providertest.Row{row}))
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

func (z labZone) Rows(t *testing.T) []providertest.Row {
	t.Helper()
	return rowsOf(z.server.Records(t, z.name))
}

// TestRFC2136ConformsOnPeers runs the suite against servers that we did not write:
// BIND with transfers, BIND without, which is asked name by name, and PowerDNS.
func TestRFC2136ConformsOnPeers(t *testing.T) {
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
					s := party.start(t, dnslab.Zone{Name: zone, Rows: zoneLines(rows)})
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
