//go:build peers

package dns

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/libdns/libdns"
	"github.com/libdns/powerdns"

	"github.com/edgeward/edgeward/providers"
	"github.com/edgeward/edgeward/providers/providertest"
	"github.com/edgeward/edgeward/providers/providertest/dnslab"
)

func powerdnsProvider(t *testing.T, s *dnslab.Server, key string, zones ...string) providers.DNS {
	t.Helper()
	d, err := powerdnsType().New(Options{Zones: zones, Clock: providers.RealClock{},
		Settings: map[string]any{"server_url": s.API, "api_token": key}})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// powerdnsZone is a zone at PowerDNS, over its API, past the adapter.
type powerdnsZone struct {
	server *dnslab.Server
	name   string
}

type powerdnsSet struct {
	Name       string           `json:"name"`
	Type       string           `json:"type"`
	TTL        int64            `json:"ttl"`
	ChangeType string           `json:"changetype,omitempty"`
	Records    []powerdnsRecord `json:"records"`
}

type powerdnsRecord struct {
	Content string `json:"content"`
}

func (z powerdnsZone) ask(t *testing.T, method string, body any) []powerdnsSet {
	t.Helper()
	var text bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&text).Encode(map[string]any{"rrsets": body}); err != nil {
			t.Fatal(err)
		}
	}
	req, err := http.NewRequestWithContext(t.Context(), method, z.server.API+"/api/v1/servers/localhost/zones/"+z.name+".", &text)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-API-Key", z.server.APIKey)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode >= 300 {
		t.Fatalf("%s zone %s: %s %s (%v)", method, z.name, res.Status, answer, err)
	}
	var zone struct {
		Sets []powerdnsSet `json:"rrsets"`
	}
	if len(answer) > 0 {
		if err := json.Unmarshal(answer, &zone); err != nil {
			t.Fatal(err)
		}
	}
	return zone.Sets
}

func (z powerdnsZone) Rows(t *testing.T) []providertest.Row {
	t.Helper()
	var out []providertest.Row
	for _, s := range z.ask(t, http.MethodGet, nil) {
		row := providertest.Row{Name: clean(s.Name), Type: s.Type, TTL: time.Duration(s.TTL) * time.Second}
		for _, r := range s.Records {
			switch s.Type {
			case "CNAME", "MX", "NS":
				r.Content = clean(r.Content)
			case "SOA":
				r.Content = "as the server counts it"
			}
			row.Values = append(row.Values, r.Content)
		}
		out = append(out, row)
	}
	return out
}

func (z powerdnsZone) patch(t *testing.T, change, name, typ string, ttl time.Duration, values ...string) {
	t.Helper()
	s := powerdnsSet{Name: name + ".", Type: typ, TTL: int64(ttl / time.Second), ChangeType: change, Records: []powerdnsRecord{}}
	for _, v := range values {
		if typ == "CNAME" || typ == "MX" {
			v = strings.TrimSuffix(v, ".") + "."
		}
		s.Records = append(s.Records, powerdnsRecord{v})
	}
	z.ask(t, http.MethodPatch, []powerdnsSet{s})
}

func (z powerdnsZone) Put(t *testing.T, row providertest.Row) {
	t.Helper()
	z.patch(t, "REPLACE", row.Name, row.Type, row.TTL, row.Values...)
}

func (z powerdnsZone) Remove(t *testing.T, name, typ string) {
	t.Helper()
	z.patch(t, "DELETE", name, typ, 0)
}

// The suite on PowerDNS from Debian's package.
func TestPowerDNSSuite(t *testing.T) {
	providertest.DNS(t, providertest.DNSSuite{
		New: func(t *testing.T, zone string, rows []providertest.Row) (providers.DNS, providertest.Zone) {
			s := dnslab.PowerDNS(t, dnslab.Zone{Name: zone})
			z := powerdnsZone{s, zone}
			if len(rows) > 0 {
				var sets []powerdnsSet
				for _, r := range rows {
					set := powerdnsSet{Name: r.Name + ".", Type: r.Type, TTL: int64(r.TTL / time.Second), ChangeType: "REPLACE"}
					for _, v := range r.Values {
						if r.Type == "CNAME" || r.Type == "MX" {
							v = strings.TrimSuffix(v, ".") + "."
						}
						set.Records = append(set.Records, powerdnsRecord{v})
					}
					sets = append(sets, set)
				}
				z.ask(t, http.MethodPatch, sets)
			}
			return powerdnsProvider(t, s, s.APIKey, zone), z
		},
		Unfaithful: map[string]string{
			"look/routing":             "a DNS server has no routing policies",
			"look/unknown record type": "PowerDNS names the type 65400 ADDR; TestPowerDNSUnknownType asks another",
			"replace/several records":  typeChange,
		},
	})
}

// A watcher that asks the server all the time sees the name always there, and
// never with two CNAMEs.
func TestPowerDNSNeverAbsent(t *testing.T) {
	const rounds = 100
	s := dnslab.PowerDNS(t, dnslab.Zone{Name: "example.com", Rows: []string{"assets 5 IN CNAME t0.example.net."}})
	d := powerdnsProvider(t, s, s.APIKey, "example.com")
	w := dnslab.Watch(t, s.Address, libdnsName)
	for i := range rounds {
		err := d.Replace(t.Context(), libdnsName, recs("CNAME", 5*time.Second, fmt.Sprintf("t%d.example.net", i)),
			recs("CNAME", 5*time.Second, fmt.Sprintf("t%d.example.net", i+1)))
		if err != nil {
			t.Fatal(err)
		}
	}
	seen := w.Stop()
	t.Logf("%d changes: %d queries, %d failed, %d absent, %d double, %d values", rounds, seen.Queries, seen.Failed, seen.Absent, seen.Double, len(seen.Values))
	if seen.Absent+seen.Double+seen.Failed > 0 || len(seen.Values) < rounds/4 {
		t.Errorf("seen: %s", seen)
	}
}

// What people read when something is wrong at PowerDNS.
func TestPowerDNSErrors(t *testing.T) {
	s := dnslab.PowerDNS(t, dnslab.Zone{Name: "example.com"})
	for what, tc := range map[string]struct {
		key, zone string
		class     error
		says      string
	}{
		"wrong key":    {"wrong-key-0123", "example.com", providers.ErrCredentials, "PowerDNS: "},
		"unknown zone": {s.APIKey, "example.org", providers.ErrNotFound, "PowerDNS: zone not found"},
	} {
		t.Run(what, func(t *testing.T) {
			_, err := powerdnsProvider(t, s, tc.key, tc.zone).Look(t.Context(), "www."+tc.zone)
			if !errors.Is(err, tc.class) || !strings.Contains(err.Error(), tc.says) || strings.Contains(err.Error(), tc.key) {
				t.Errorf("error is %v, want one that is %q", err, tc.class)
			}
			t.Log(err)
		})
	}
}

// A record of a type that nobody knows does not hide the others.
func TestPowerDNSUnknownType(t *testing.T) {
	s := dnslab.PowerDNS(t, dnslab.Zone{Name: "example.com", Rows: []string{"new 60 IN TYPE65281 \\# 1 00", "assets 5 IN CNAME t.example.net.",
		"svc 60 IN HTTPS 1 . alpn=h2", "odd 60 IN TXT \"a\" \"b; \\\"c\\\"\""}})
	d := powerdnsProvider(t, s, s.APIKey, "example.com")
	for name, want := range map[string]string{"new": "TYPE65281", "assets": "CNAME t.example.net TTL 5s", "svc": "HTTPS", "odd": "TXT"} {
		set, err := d.Look(t.Context(), name+".example.com")
		if err != nil || describe(set) != want {
			t.Errorf("%s is %s (%v), want %s", name, describe(set), err, want)
		}
	}
}

// timedModule measures from the end of the last listing to the end of the write.
type timedModule struct {
	libdnsModule
	read    time.Time
	windows []time.Duration
}

func (m *timedModule) GetRecords(ctx context.Context, zone string) ([]libdns.Record, error) {
	recs, err := m.libdnsModule.GetRecords(ctx, zone)
	m.read = time.Now()
	return recs, err
}

func (m *timedModule) SetRecords(ctx context.Context, zone string, recs []libdns.Record) ([]libdns.Record, error) {
	recs, err := m.libdnsModule.SetRecords(ctx, zone, recs)
	m.windows = append(m.windows, time.Since(m.read))
	return recs, err
}

// Two edgewards change one name at the same time: at most one hears of success
// unless both were inside the window from read to write, which is measured.
func TestPowerDNSTogether(t *testing.T) {
	const rounds = 60
	s := dnslab.PowerDNS(t, dnslab.Zone{Name: "example.com", Rows: []string{"assets 5 IN CNAME t0.example.net."}})
	var writers [2]*timedModule
	var both [2]providers.DNS
	for k := range both {
		writers[k] = &timedModule{libdnsModule: &powerdns.Provider{ServerURL: s.API, APIToken: s.APIKey}}
		d, err := newLibdns(Options{Zones: []string{"example.com"}, Clock: providers.RealClock{}}, writers[k], libdnsRow{name: "powerdns", title: "PowerDNS"})
		if err != nil {
			t.Fatal(err)
		}
		both[k] = d
	}
	z := powerdnsZone{s, "example.com"}
	lost, conflicts, refused := 0, 0, 0
	for i := range rounds {
		base := fmt.Sprintf("base%d.example.net", i)
		z.patch(t, "REPLACE", libdnsName, "CNAME", 5*time.Second, base)
		var errs [2]error
		target := func(k int) []providers.Record {
			return recs("CNAME", 5*time.Second, fmt.Sprintf("w%d-%d.example.net", k, i))
		}
		var group sync.WaitGroup
		for k, d := range both {
			group.Go(func() { errs[k] = d.Replace(t.Context(), libdnsName, recs("CNAME", 5*time.Second, base), target(k)) })
		}
		group.Wait()
		winner, done := -1, 0
		for k, err := range errs {
			switch {
			case err == nil:
				winner, done = k, done+1
			case errors.Is(err, providers.ErrConflict):
				conflicts++
			case strings.Contains(err.Error(), "status code 500") && refused < rounds/10:
				refused++ // SQLite behind PowerDNS lets one writer in at a time; the other one is told
			default:
				t.Error(err)
			}
		}
		switch set, err := powerdnsProvider(t, s, s.APIKey, "example.com").Look(t.Context(), libdnsName); {
		case err != nil:
			t.Fatal(err)
		case done == 2:
			lost++
		case done == 1 && !providers.SameRecords(set.Records, target(winner)):
			t.Errorf("round %d: %s stands, and only writer %d was told of success", i, describe(set), winner)
		}
	}
	windows := append(writers[0].windows, writers[1].windows...)
	slices.Sort(windows)
	t.Logf("%d rounds of two writers at once: %d lost changes that nobody was told of, %d conflicts, %d refused by the database; read to write: median %v, longest %v",
		rounds, lost, conflicts, refused, windows[len(windows)/2], windows[len(windows)-1])
}
