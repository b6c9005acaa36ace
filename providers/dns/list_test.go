package dns

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libdns/libdns"
	"github.com/miekg/dns"

	"github.com/edgeward/edgeward/providers"
	"github.com/edgeward/edgeward/providers/providertest"
)

// listOf is a list that must not fail, as its names.
func listOf(t *testing.T, d providers.DNS, zone string) []string {
	t.Helper()
	sets, err := d.List(t.Context(), zone)
	if err != nil {
		t.Fatalf("List(%s): %v", zone, err)
	}
	var names []string
	for _, s := range sets {
		if s.Zone != zone || len(s.Records) == 0 {
			t.Errorf("List(%s) has %+v", zone, s)
		}
		names = append(names, s.Name)
	}
	return names
}

func sameNames(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("the names are %q, want %q", got, want)
	}
}

// Lists and looks of the same seconds share one listing, of as many requests as it
// has pages.
func TestListSharesTheListing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, d := zoneOf(t, 1500)
		var asking sync.WaitGroup
		for range 20 {
			asking.Go(func() {
				if n := len(listOf(t, d, "example.com")); n != 1500 {
					t.Errorf("%d names, want 1500", n)
				}
			})
		}
		asking.Wait()
		if _, err := d.Look(t.Context(), nth(7)); err != nil {
			t.Error(err)
		}
		if n := s.count("ListResourceRecordSets"); n != 6 {
			t.Errorf("%d requests for 1502 record sets, want 6", n)
		}
		time.Sleep(fresh)
		listOf(t, d, "example.com")
		if n := s.count("ListResourceRecordSets"); n != 12 {
			t.Errorf("%d requests after a while, want 12", n)
		}
	})
	inCloudflare(t, func(t *testing.T, s *cfServer, z *cfZoneState, d *cloudflareDNS) {
		s.record(z, cfName, "CNAME", cfOld, 3600, false)
		lookup(t, d, cfName)
		sameNames(t, listOf(t, d, "example.com"), cfName)
		if n := s.count("GET /zones/" + z.id + "/dns_records"); n != 1 {
			t.Errorf("Cloudflare: %d requests for records, want 1", n)
		}
	})
	m := standingModule(&memoryModule{})
	module := memoryProvider(t, m, libdnsRow{})
	lookup(t, module, libdnsName)
	sameNames(t, listOf(t, module, "example.com"), libdnsName)
	if !slices.Equal(m.calls, []string{"get"}) {
		t.Errorf("libdns: the calls are %v, want one", m.calls)
	}
	p := newUpdateParty(t, "example.com", []string{rfcLine2})
	d := newTestRFC2136(t, Options{Settings: settings2136(p.address, keyEdgeward)})
	lookup(t, d, "assets.example.com")
	sameNames(t, listOf(t, d, "example.com"), "assets.example.com")
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.counts["AXFR"] != 1 || p.counts["QUERY"] > 0 {
		t.Errorf("RFC 2136: the messages are %v, want one AXFR", p.counts)
	}
}

const rfcLine2 = "assets.example.com. 60 IN CNAME assets.example.com.s3.eu-west-1.amazonaws.com."

// A listing that was under way when a name was written is no answer for a list
// that was asked for after the write.
func TestListOverlappingWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, d := zoneOf(t, 20)
		s.settle = 0
		s.delay = func(op string, n int) time.Duration {
			if op == "ListResourceRecordSets" && n == 1 {
				return 20 * time.Second
			}
			return 0
		}
		var wg sync.WaitGroup
		wg.Go(func() { listOf(t, d, "example.com") })
		time.Sleep(time.Second)
		if err := d.Replace(t.Context(), nth(0), target("old.example.net"), target("new.example.net")); err != nil {
			t.Error(err)
		}
		sets, err := d.List(t.Context(), "example.com")
		if err != nil || sets[0].Records[0].Value != "new.example.net" {
			t.Errorf("List has %v, error %v", sets, err)
		}
		wg.Wait()
	})
}

// A name belongs to the longest of the provider's zones, and to none of them below
// a delegation or a DNAME.
func TestListOfTwoZones(t *testing.T) {
	cname := func(name string) string { return name + ". 60 IN CNAME t.example.net." }
	rows := []string{cname("a.example.com"), cname("x.sub.example.com"), cname("x.notsub.example.com"),
		"d.example.com. 60 IN DNAME other.example.net.", cname("under.d.example.com"),
		"far.example.com. 60 IN NS ns.example.net.", "far.example.com. 60 IN A 192.0.2.1", cname("x.y.far.example.com")}
	p := newUpdateParty(t, "example.com", rows)
	d := newTestRFC2136(t, Options{Zones: []string{"example.com", "sub.example.com"}, Settings: settings2136(p.address, keyEdgeward)})
	sameNames(t, listOf(t, d, "example.com"), "a.example.com", "x.notsub.example.com")

	set := func(name, typ, value string) providertest.Row {
		return providertest.Row{Name: name, Type: typ, TTL: time.Hour, Values: []string{value}}
	}
	m := standingModule(&memoryModule{}, set("a.example.com", "CNAME", "t.example.net"), set("x.sub.example.com", "CNAME", "t.example.net"),
		set("far.example.com", "NS", "ns.example.net"), set("far.example.com", "A", "192.0.2.1"), set("x.y.far.example.com", "A", "192.0.2.1"))
	m.rows = append(m.rows, memoryRow{rr: libdns.RR{Name: "UPPER", Type: "cname", Data: "T.Example.NET.", TTL: time.Hour}},
		memoryRow{rr: libdns.RR{Name: "away.example.net.", Type: "A", Data: "192.0.2.7", TTL: time.Hour}},
		memoryRow{rr: libdns.RR{Name: "www.example.com", Type: "A", Data: "192.0.2.7", TTL: time.Hour}})
	sameNames(t, listOf(t, memoryProvider(t, m, libdnsRow{}, "example.com", "sub.example.com"), "example.com"),
		"a.example.com", "upper.example.com", "www.example.com.example.com")

	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		s.add("Z1", "example.com", false, simple("a.example.com", "CNAME", 60, "t.example.net"), simple("x.sub.example.com", "A", 60, "192.0.2.1"),
			simple("far.example.com", "NS", 60, "ns.example.net"), simple("x.far.example.com", "A", 60, "192.0.2.1"))
		s.add("Z2", "sub.example.com", false, simple("y.sub.example.com", "A", 60, "192.0.2.1"))
		d := newProvider(t, s.options("example.com", "sub.example.com"))
		sameNames(t, listOf(t, d, "example.com"), "a.example.com")
		sameNames(t, listOf(t, d, "sub.example.com"), "y.sub.example.com")
		if set := lookup(t, d, "y.sub.example.com"); set.ZoneID != "Z2" || set.IDs != nil {
			t.Errorf("the zone's ID is %q, the records' are %v", set.ZoneID, set.IDs)
		}
	})
}

// A row that one created and one removed between two pages hid is in the list.
func TestCloudflareListsHiddenRows(t *testing.T) {
	inCloudflare(t, func(t *testing.T, s *cfServer, z *cfZoneState, d *cloudflareDNS) {
		for i := range cloudflarePageSize + 10 {
			s.record(z, nth(i), "CNAME", cfOld, 3600, false)
		}
		s.after = func(req *http.Request) {
			if req.URL.Query().Get("page") == "1" && s.count("GET /zones/"+z.id+"/dns_records") == 1 {
				z.records = z.records[1:] // so that the first of page 2 is now the last of page 1
				s.put(z, map[string]any{"name": "new.example.com", "type": "CNAME", "content": cfOld, "ttl": 1, "proxied": false})
			}
		}
		names := listOf(t, d, "example.com")
		for name, want := range map[string]bool{nth(0): false, nth(1): true, nth(cloudflarePageSize): true, nth(cloudflarePageSize + 9): true, "new.example.com": true} {
			if _, got := slices.BinarySearch(names, name); got != want {
				t.Errorf("%s is in the list: %v, want %v", name, got, want)
			}
		}
		// Two listings of two pages, and the two names that differ.
		if n := s.count("GET /zones/" + z.id + "/dns_records"); n != 6 || len(names) != cloudflarePageSize+10 {
			t.Errorf("%d requests for %d names, want 6 for %d", n, len(names), cloudflarePageSize+10)
		}
	})
}

// What is said where a zone cannot be listed, and what is no list.
func TestListRefused(t *testing.T) {
	p := newUpdateParty(t, "example.com", []string{rfcLine2})
	p.noTransfer = true
	d := newTestRFC2136(t, Options{Settings: settings2136(p.address, keyEdgeward)})
	unsigned := newTestRFC2136(t, Options{Settings: map[string]any{"server": p.address}})
	half := newUpdateParty(t, "example.com", nil)
	half.script = func(w dns.ResponseWriter, q *dns.Msg) bool {
		if q.Question[0].Qtype == dns.TypeAXFR {
			m := new(dns.Msg)
			m.SetReply(q)
			m.Answer = parseRRs(t, []string{"example.com. 60 IN SOA ns. admin. 1 2 3 4 5", rfcLine2})
			signedReply(w, q, m)
			_ = w.Close()
			return true
		}
		return false
	}
	person, err := newManual(Options{Zones: []string{"example.com"}, Resolver: noResolver{}})
	if err != nil {
		t.Fatal(err)
	}
	empty := memoryProvider(t, &memoryModule{zone: "example.com", fail: func(string, int) error { return errors.New("401 Unauthorized") }}, libdnsRow{})
	for name, c := range map[string]struct {
		d     providers.DNS
		class error
		says  []string
	}{
		"a server that does not transfer": {d, providers.ErrUnlistable, []string{
			"list zone example.com: its names cannot be listed: the zone is not transferred: REFUSED",
			`let key "` + strings.TrimSuffix(keyEdgeward, ".") + `" (hmac-sha256) transfer zone example.com (AXFR); in BIND, allow-transfer { key "`}},
		"asked again":             {d, providers.ErrUnlistable, []string{"the zone is not transferred: REFUSED"}},
		"without a key":           {unsigned, providers.ErrUnlistable, []string{"let this machine transfer zone example.com (AXFR), or write key_name and key_secret"}},
		"a transfer that is half": {newTestRFC2136(t, Options{Settings: settings2136(half.address, keyEdgeward)}), nil, []string{"list zone example.com: "}},
		"a person":                {person, providers.ErrUnlistable, []string{"list zone example.com: its names cannot be listed: a person keeps it", "say the names"}},
		"a module":                {empty, nil, []string{"list zone example.com: Memory DNS: "}},
	} {
		t.Run(name, func(t *testing.T) {
			sets, err := c.d.List(t.Context(), "Example.com.")
			if sets != nil {
				t.Errorf("List gives %v", sets)
			}
			wantError(t, err, c.class, c.says...)
			if c.class == nil && errors.Is(err, providers.ErrUnlistable) {
				t.Errorf("%v says that the zone cannot be listed", err)
			}
		})
	}
	if _, err := person.List(t.Context(), "example.net"); !errors.Is(err, providers.ErrNotFound) {
		t.Errorf("error is %v", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.counts["AXFR"] != 1 { // an unsigned one is not counted
		t.Errorf("a refused transfer was asked for %d times, want once", p.counts["AXFR"])
	}
}

// noResolver is asked nothing.
type noResolver struct{ providers.Resolver }

// Refusals of the APIs, with their classes; an answer that is cut off is no list.
func TestListRefusedByAPIs(t *testing.T) {
	for code, class := range map[string]error{"AccessDenied": providers.ErrDenied, "InvalidClientTokenId": providers.ErrCredentials,
		"NoSuchHostedZone": providers.ErrNotFound, "Throttling": providers.ErrThrottled} {
		synctest.Test(t, func(t *testing.T) {
			s, d := zoneOf(t, 3)
			s.fault = func(op string, _ int) (string, bool) {
				if op == "ListResourceRecordSets" {
					return code, false
				}
				return "", false
			}
			sets, err := d.List(t.Context(), "example.com")
			if sets != nil || !errors.Is(err, class) || !strings.Contains(err.Error(), "list zone example.com") {
				t.Errorf("%s: List gives %v, %v", code, sets, err)
			}
		})
	}
	for status, class := range map[int]error{403: providers.ErrDenied, 401: providers.ErrCredentials} {
		inCloudflare(t, func(t *testing.T, s *cfServer, z *cfZoneState, d *cloudflareDNS) {
			for i := range cloudflarePageSize + 1 {
				s.record(z, fmt.Sprintf("n%d.example.com", i), "CNAME", cfOld, 3600, false)
			}
			s.script = func(_ int, req *http.Request) (*http.Response, error) {
				if req.URL.Query().Get("page") == "2" {
					return cfResponse(status, cfFail(10000, "Authentication error")), nil
				}
				return nil, nil
			}
			sets, err := d.List(t.Context(), "example.com")
			if sets != nil || !errors.Is(err, class) {
				t.Errorf("status %d of page 2: List gives %d sets, %v", status, len(sets), err)
			}
		})
	}
}
