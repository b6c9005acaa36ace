//go:build peers

package dns

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
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
						d.transfers.refused[zone] = errNoTransfer
					}
					return d, labZone{s, zone}
				},
				Unfaithful: map[string]string{"look/routing": "a DNS server has no routing policies"},
				Unlistable: party.noTransfer,
			})
		})
	}
}

// labCNAME is an edit of a person's: the CNAME of rfcName.
func labCNAME(target string) func(*dns.Msg) {
	return func(m *dns.Msg) {
		rr := &dns.CNAME{Hdr: dns.RR_Header{Name: rfcName + ".", Rrtype: dns.TypeCNAME, Class: dns.ClassINET, Ttl: 60}, Target: target + "."}
		m.RemoveRRset([]dns.RR{rr})
		m.Insert([]dns.RR{rr})
	}
}

// A hundred changes of one name, between a name and addresses and back: the
// server never answers without a record, nor with two names.
func TestRFC2136NeverAbsent(t *testing.T) {
	for name, start := range map[string]func(testing.TB, ...dnslab.Zone) *dnslab.Server{"BIND": dnslab.Bind, "PowerDNS": dnslab.PowerDNS} {
		t.Run(name, func(t *testing.T) {
			s := start(t, dnslab.Zone{Name: "example.com", Rows: []string{rfcLine}})
			d := labProvider(t, s, s.Key, providers.RealClock{})
			w := dnslab.Watch(t, s.Address, rfcName)
			have := oldCNAME
			for i := range 100 {
				want := []providers.Record{{Type: "CNAME", Value: fmt.Sprintf("d%d.cloudfront.net", i), TTL: time.Minute}}
				if i%5 == 4 {
					want = []providers.Record{{Type: "A", Value: "192.0.2.1", TTL: time.Minute}, {Type: "AAAA", Value: "2001:db8::1", TTL: time.Minute}}
				}
				if err := d.Replace(t.Context(), rfcName, have, want); err != nil {
					t.Fatal(err)
				}
				have = want
			}
			seen := w.Stop()
			t.Logf("%d queries, %d values, %d absent, longest %s", seen.Queries, len(seen.Values), seen.Absent, seen.Longest)
			if seen.Absent+seen.Double+seen.Failed > 0 || seen.Queries < 50 || len(seen.Values) < 3 {
				t.Errorf("the watcher saw %s", seen)
			}
		})
	}
}

// What BIND refuses, it refuses with the codes that the scripted server has.
func TestRFC2136RefusedByBIND(t *testing.T) {
	s := dnslab.Bind(t, dnslab.Zone{Name: "example.com", Rows: []string{rfcLine}})
	before := s.Records(t, "example.com")
	for name, c := range map[string]struct {
		key   dnslab.Key
		zone  string
		clock providers.Clock
		class error
		says  []string
	}{
		"unknown key":  {key: dnslab.NewKey("stranger", "hmac-sha256"), class: providers.ErrCredentials, says: []string{"does not know", `key "stranger"`}},
		"wrong secret": {key: dnslab.NewKey("edgeward", "hmac-sha256"), class: providers.ErrCredentials, says: []string{"finds the signature of", "check key_secret"}},
		"other algorithm": {key: dnslab.Key{Name: "edgeward", Algorithm: "hmac-sha512", Secret: s.Key.Secret}, class: providers.ErrCredentials,
			says: []string{`key "edgeward" (hmac-sha512)`, "check key_name and key_algorithm"}},
		"not signed":   {class: providers.ErrDenied, says: []string{"REFUSED", "not signed"}},
		"guest":        {key: s.Guest, class: providers.ErrDenied, says: []string{"REFUSED to the update", `key "guest" (hmac-sha512)`}},
		"clock skew":   {key: s.Key, clock: quickClock{ahead: time.Hour}, class: providers.ErrCredentials, says: []string{"clock skew", "behind ours; at most 300 s are allowed"}},
		"no such zone": {key: s.Key, zone: "example.net", class: providers.ErrDenied, says: []string{"REFUSED to the query", "or zone example.net is not there"}},
	} {
		t.Run(name, func(t *testing.T) {
			o := Options{Zones: []string{"example.com"}, Clock: c.clock, Settings: map[string]any{"server": s.Address}}
			if c.key.Name != "" {
				o.Settings = map[string]any{"server": s.Address, "key_name": c.key.Name, "key_algorithm": c.key.Algorithm, "key_secret": c.key.Secret}
			}
			at := rfcName
			if c.zone != "" {
				o.Zones, at = []string{c.zone}, "www."+c.zone
			}
			err := newTestRFC2136(t, o).Replace(t.Context(), at, oldCNAME, newCNAME)
			refusedWith(t, err, c.class, append(c.says, at)...)
			if strings.Contains(err.Error(), s.Key.Secret) || c.key.Secret != "" && strings.Contains(err.Error(), c.key.Secret) {
				t.Errorf("the error shows a secret: %v", err)
			}
		})
	}
	if after := s.Records(t, "example.com"); len(after) != len(before) {
		t.Errorf("the zone was changed: %v", after)
	}
}

// The least rights that BIND can give suffice, with a wildcard in the zone that
// only an UPDATE without a change tells apart; what is beyond them is refused.
func TestRFC2136LeastRights(t *testing.T) {
	s := dnslab.Bind(t, dnslab.Zone{Name: "example.com", NoTransfer: true, Policy: "grant edgeward zonesub CNAME A AAAA;",
		Rows: []string{rfcLine, "* 60 IN CNAME any.example.net."}})
	d := labProvider(t, s, s.Key, providers.RealClock{})
	for name, have := range map[string][]providers.Record{rfcName: oldCNAME, "new.example.com": nil} {
		if err := d.Replace(t.Context(), name, have, newCNAME); err != nil {
			t.Error(err)
		}
		set, err := d.Look(t.Context(), name)
		if err != nil || !providers.SameRecords(set.Records, newCNAME) {
			t.Errorf("Look(%s): %+v, %v", name, set, err)
		}
	}
	if set, err := d.Look(t.Context(), "other.example.com"); err != nil || len(set.Records) > 0 {
		t.Errorf("Look of a name that only the wildcard answers: %+v, %v", set, err)
	}
	if err := d.Ensure(t.Context(), newCNAME[0], "_0123.assets.example.com"); err != nil {
		t.Error(err)
	}
	s = dnslab.Bind(t, dnslab.Zone{Name: "example.com", Policy: "grant edgeward name other.example.com CNAME;", Rows: []string{rfcLine}})
	err := labProvider(t, s, s.Key, providers.RealClock{}).Replace(t.Context(), rfcName, oldCNAME, newCNAME)
	refusedWith(t, err, providers.ErrDenied, `key "edgeward" (hmac-sha256) may not change it`, "update-policy")
}

// A key that may read, but not transfer: the zone is asked name by name.
func TestRFC2136LooksWithoutTransfer(t *testing.T) {
	s := dnslab.Bind(t, dnslab.Zone{Name: "example.com", Rows: []string{rfcLine, `assets-txt 60 IN TXT "x"`}})
	d := labProvider(t, s, s.Guest, providers.RealClock{})
	set, err := d.Look(t.Context(), rfcName)
	if err != nil || !providers.SameRecords(set.Records, oldCNAME) {
		t.Errorf("Look: %+v, %v", set, err)
	}
	if d.transfers.refused["example.com"] == nil {
		t.Error("the transfer was not refused")
	}
}

// history is what a server says it has done to rfcName since a serial: its
// incremental transfer [RFC 1995].
func history(t *testing.T, s *dnslab.Server, serial uint32) []commit {
	t.Helper()
	q := new(dns.Msg)
	q.SetIxfr("example.com.", serial, "ns1.example.com.", "admin.example.com.")
	q.SetTsig(s.Key.Name+".", s.Key.Algorithm+".", tsigFudge, time.Now().Unix())
	parts, err := (&dns.Transfer{TsigSecret: map[string]string{s.Key.Name + ".": s.Key.Secret}}).In(q, s.Address)
	if err != nil {
		t.Fatal(err)
	}
	var rrs []dns.RR
	for p := range parts {
		if p.Error != nil {
			t.Fatal(p.Error)
		}
		rrs = append(rrs, p.RR...)
	}
	// The newest SOA, then of each change the old SOA, removals, the new SOA,
	// additions, and the newest SOA again.
	var log []commit
	adding := true
	for _, rr := range rrs[1 : len(rrs)-1] {
		c, ok := rr.(*dns.CNAME)
		switch {
		case rr.Header().Rrtype == dns.TypeSOA:
			if adding = !adding; !adding {
				log = append(log, commit{})
			}
		case ok && adding:
			log[len(log)-1].after = append(log[len(log)-1].after, ofRR(c))
		case ok:
			log[len(log)-1].before = append(log[len(log)-1].before, ofRR(c))
		}
	}
	return log
}

// Two edgewards and a person change one name in BIND as fast as they can: BIND's
// own journal says that no value that somebody set was lost.
func TestRFC2136LosesNobodysChangeInBIND(t *testing.T) {
	const rounds, times = 20, 5
	s := dnslab.Bind(t, dnslab.Zone{Name: "example.com", Rows: []string{rfcLine}})
	allTTLs, conflicts, commits := 0, 0, 0
	for round := range uint64(rounds) {
		s.Update(t, "example.com", labCNAME("old.example.net"))
		serial := s.Records(t, "example.com")[0].(*dns.SOA).Serial
		var attempts [2][]attempt
		var errs [2]error
		var all sync.WaitGroup
		for i, who := range []string{"a", "b"} {
			d := labProvider(t, s, s.Key, providers.RealClock{})
			all.Go(func() {
				attempts[i], errs[i] = writer(t.Context(), d, fmt.Sprintf("%s%d-", who, round), times, rand.New(rand.NewPCG(round, uint64(i))))
			})
		}
		all.Go(func() {
			for i := range times {
				s.Update(t, "example.com", labCNAME(fmt.Sprintf("person%d-%d.example.net", round, i)))
			}
		})
		all.Wait()
		log := history(t, s, serial)
		values, ttls, err := losses(slices.Concat(attempts[0], attempts[1]), log)
		if err := errors.Join(err, errs[0], errs[1]); err != nil || values > 0 {
			t.Errorf("round %d: %d values were lost; %v", round, values, err)
		}
		allTTLs, commits = allTTLs+ttls, commits+len(log)
		for _, a := range slices.Concat(attempts[0], attempts[1]) {
			if a.err != nil {
				conflicts++
			}
		}
	}
	t.Logf("%d rounds: %d changes in the journal, %d conflicts, no value lost, %d TTLs", rounds, commits, conflicts, allTTLs)
	if conflicts == 0 {
		t.Error("nobody was in another's way, so that the test proves nothing")
	}
}
