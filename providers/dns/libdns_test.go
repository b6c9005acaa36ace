package dns

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/libdns/libdns"

	"github.com/edgeward/edgeward/providers"
	"github.com/edgeward/edgeward/providers/providertest"
)

// memoryProvider is the adapter over a module in memory.
func memoryProvider(t *testing.T, m *memoryModule, row libdnsRow, zones ...string) *libdnsDNS {
	t.Helper()
	if row.name == "" {
		row.name, row.title = "memory", "Memory DNS"
	}
	if m.ids {
		row.update = func(old libdns.Record, to libdns.RR) libdns.Record { return ownRecord{to, old.(ownRecord).id} }
	}
	if len(zones) == 0 {
		zones = []string{m.zone}
	}
	d, err := newLibdns(Options{Zones: zones, Clock: providers.RealClock{}}, m, row)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

const typeChange = "a change of the type is refused: it cannot be made in one step"

// The suite over modules of every kind.
func TestLibdnsSuite(t *testing.T) {
	modules := map[string]struct {
		make       func(zone string) *memoryModule
		row        libdnsRow
		unfaithful map[string]string
	}{
		"record sets": {make: func(z string) *memoryModule { return &memoryModule{zone: z} }},
		"in place": {
			make: func(z string) *memoryModule { return &memoryModule{zone: z, inPlace: true, dotless: true} },
			row:  libdnsRow{single: true, bare: true},
		},
		"own records": {make: func(z string) *memoryModule { return &memoryModule{zone: z, ids: true, dotless: true} }},
		"pointers":    {make: func(z string) *memoryModule { return &memoryModule{zone: z, pointers: true} }},
	}
	for name, tc := range modules {
		t.Run(name, func(t *testing.T) {
			unfaithful := map[string]string{
				"look/routing":            "libdns has no routing policies",
				"replace/several records": typeChange,
			}
			providertest.DNS(t, providertest.DNSSuite{
				Unfaithful: unfaithful,
				New: func(t *testing.T, zone string, rows []providertest.Row) (providers.DNS, providertest.Zone) {
					m := tc.make(zone)
					for _, r := range rows {
						m.set(r)
					}
					return memoryProvider(t, m, tc.row), memoryZone{m}
				},
			})
		})
	}
}

func recs(typ string, ttl time.Duration, values ...string) []providers.Record {
	var out []providers.Record
	for _, v := range values {
		out = append(out, providers.Record{Type: typ, Value: v, TTL: ttl})
	}
	return out
}

const (
	libdnsName = "assets.example.com"
	oldTarget  = "assets.example.com.s3.eu-west-1.amazonaws.com"
	newTarget  = "d111111abcdef8.cloudfront.net"
)

func standingModule(m *memoryModule, rows ...providertest.Row) *memoryModule {
	m.zone = "example.com"
	if len(rows) == 0 {
		rows = []providertest.Row{{Name: libdnsName, Type: "CNAME", TTL: time.Hour, Values: []string{oldTarget}}}
	}
	for _, r := range rows {
		m.set(r)
	}
	return m
}

// What each change sends: the fewest calls, nothing deleted before something
// else stands.
func TestLibdnsCalls(t *testing.T) {
	type rows = []providers.Record
	for what, tc := range map[string]struct {
		module     *memoryModule
		have, want rows
		calls      string
	}{
		"a target, record sets": {have: recs("CNAME", time.Hour, oldTarget), want: recs("CNAME", time.Minute, newTarget), calls: "get set get"},
		"a target, own records": {module: &memoryModule{ids: true}, have: recs("CNAME", time.Hour, oldTarget), want: recs("CNAME", time.Minute, newTarget), calls: "get set get"},
		"creation":              {want: recs("CNAME", time.Minute, newTarget), calls: "get append get"},
		"removal":               {have: recs("CNAME", time.Hour, oldTarget), calls: "get delete get"},
		"A to AAAA":             {have: recs("A", time.Hour, "192.0.2.1"), want: recs("AAAA", time.Hour, "2001:db8::1"), calls: "get append delete get"},
		"A, and AAAA beside": {have: recs("A", time.Hour, "192.0.2.1"),
			want: append(recs("A", time.Minute, "192.0.2.2"), recs("AAAA", time.Minute, "2001:db8::1")...), calls: "get set append get"},
		"fewer values, own records": {module: &memoryModule{ids: true}, have: recs("A", time.Hour, "192.0.2.1", "192.0.2.2"),
			want: recs("A", time.Minute, "192.0.2.3"), calls: "get set delete get"},
		"what stands is wanted": {have: recs("CNAME", time.Hour, newTarget), want: recs("CNAME", time.Hour, oldTarget), calls: "get"},
	} {
		t.Run(what, func(t *testing.T) {
			m := tc.module
			if m == nil {
				m = &memoryModule{}
			}
			m.zone = "example.com"
			stand := tc.have
			if what == "what stands is wanted" {
				stand = tc.want
			}
			for _, r := range stand {
				m.set(providertest.Row{Name: libdnsName, Type: r.Type, TTL: r.TTL, Values: []string{r.Value}})
			}
			d := memoryProvider(t, m, libdnsRow{})
			if err := d.Replace(t.Context(), libdnsName, tc.have, tc.want); err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(m.calls, " "); got != tc.calls {
				t.Errorf("calls are %q, want %q", got, tc.calls)
			}
			got, err := d.Look(t.Context(), libdnsName)
			if err != nil || !providers.SameRecords(got.Records, tc.want) {
				t.Errorf("%v stands (%v), want %v", got.Records, err, tc.want)
			}
		})
	}
}

// Requests of n names of one zone that are switched at the same time.
func TestLibdnsRequests(t *testing.T) {
	for _, n := range []int{1, 10, 100} {
		m := &memoryModule{zone: "example.com"}
		var names []string
		for i := range n {
			name := string(rune('a'+i%26)) + strings.Repeat("x", i/26) + ".example.com"
			names = append(names, name)
			m.set(providertest.Row{Name: name, Type: "CNAME", TTL: time.Hour, Values: []string{oldTarget}})
		}
		d := memoryProvider(t, m, libdnsRow{})
		var group sync.WaitGroup
		for _, name := range names {
			group.Go(func() {
				if _, err := d.Look(t.Context(), name); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		if len(m.calls) != 1 {
			t.Errorf("%d looks made %d requests, want 1", n, len(m.calls))
		}
		m.calls = nil
		for _, name := range names {
			group.Go(func() {
				err := d.Replace(t.Context(), name, recs("CNAME", time.Hour, oldTarget), recs("CNAME", time.Minute, newTarget))
				if err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		t.Logf("%d names: %d requests", n, len(m.calls))
		if len(m.calls) > 3*n || len(m.calls) < 2*n+1 {
			t.Errorf("%d names were switched with %d requests, want 2 a name and one more, at most 3 a name", n, len(m.calls))
		}
	}
}

func TestLibdnsRefused(t *testing.T) {
	cname, address := recs("CNAME", time.Hour, oldTarget), recs("A", time.Hour, "192.0.2.1")
	for what, tc := range map[string]struct {
		row        libdnsRow
		name       string
		have, want []providers.Record
		beside     []providertest.Row
		says       string
	}{
		"type change": {have: cname, want: address, says: "Memory DNS cannot change the type of a record in one step"},
		"and back":    {have: address, want: cname, says: "Memory DNS cannot change the type of a record in one step"},
		"alias":       {have: cname, want: []providers.Record{{Type: "A", Value: newTarget, Alias: true}}, says: "has only ordinary records"},
		"proxied":     {have: cname, want: []providers.Record{{Type: "CNAME", Value: newTarget, Proxied: true}}, says: "has only ordinary records"},
		"apex":        {name: "example.com", want: cname, says: "no CNAME can stand"},
		"two CNAMEs":  {want: recs("CNAME", time.Hour, oldTarget, newTarget), says: "beside other records"},
		"beside MX": {want: cname, beside: []providertest.Row{{Name: libdnsName, Type: "MX", TTL: time.Hour, Values: []string{"10 mx.example.net."}}},
			says: "cannot stand beside MX"},
		"TTLs":    {want: append(address, recs("A", time.Minute, "192.0.2.2")...), says: "cannot stand together"},
		"nothing": {have: cname, want: recs("CNAME", time.Hour, ""), says: "has no value"},
		"several at a module of one value": {row: libdnsRow{name: "one", title: "One", single: true}, have: address,
			want: recs("A", time.Hour, "192.0.2.1", "192.0.2.2"), says: "libdns/one writes only one"},
		"alias type of the provider": {want: cname, beside: []providertest.Row{{Name: libdnsName, Type: "ALIAS", TTL: time.Hour, Values: []string{"x.example.net."}}},
			says: "of a type of the provider's own"},
	} {
		t.Run(what, func(t *testing.T) {
			m := &memoryModule{zone: "example.com"}
			name := tc.name
			if name == "" {
				name = libdnsName
			}
			for _, r := range tc.have {
				m.set(providertest.Row{Name: name, Type: r.Type, TTL: r.TTL, Values: []string{r.Value}})
			}
			for _, r := range tc.beside {
				m.set(r)
			}
			before := slices.Clone(m.rows)
			err := memoryProvider(t, m, tc.row).Replace(t.Context(), name, tc.have, tc.want)
			if !errors.Is(err, providers.ErrInvalid) || !strings.Contains(err.Error(), tc.says) || !strings.Contains(err.Error(), name) {
				t.Errorf("error is %v, want ErrInvalid that says %q", err, tc.says)
			}
			if d := cmp.Diff(before, m.rows, cmp.AllowUnexported(memoryRow{})); d != "" {
				t.Errorf("the zone changed:\n%s", d)
			}
		})
	}
}

// A provider may keep the old TTL or raise a low one: no error, and the next
// look shows it.
func TestLibdnsTTL(t *testing.T) {
	for what, tc := range map[string]struct {
		module *memoryModule
		row    libdnsRow
		want   time.Duration
	}{
		"kept":             {module: &memoryModule{inPlace: true, keepTTL: true}, want: time.Hour},
		"raised":           {module: &memoryModule{floor: 10 * time.Minute}, want: 10 * time.Minute},
		"raised before":    {row: libdnsRow{features: providers.Features{MinTTL: 5 * time.Minute}}, want: 5 * time.Minute},
		"taken as it is":   {want: time.Minute},
		"kept, own record": {module: &memoryModule{ids: true, keepTTL: true}, want: time.Hour},
	} {
		t.Run(what, func(t *testing.T) {
			if tc.module == nil {
				tc.module = &memoryModule{}
			}
			d := memoryProvider(t, standingModule(tc.module), tc.row)
			for _, target := range []string{oldTarget, newTarget} {
				have, err := d.Look(t.Context(), libdnsName)
				if err != nil {
					t.Fatal(err)
				}
				if err := d.Replace(t.Context(), libdnsName, have.Records, recs("CNAME", time.Minute, target)); err != nil {
					t.Fatal(err)
				}
				got, err := d.Look(t.Context(), libdnsName)
				if err != nil || !providers.SameRecords(got.Records, recs("CNAME", tc.want, target)) {
					t.Errorf("%v stands (%v), want TTL %v", got.Records, err, tc.want)
				}
			}
		})
	}
}

// A write that fails: what stands afterwards decides what is said.
func TestLibdnsHalfWay(t *testing.T) {
	boom := errors.New("unexpected status code 500: boom")
	both := append(recs("A", time.Hour, "192.0.2.1"), recs("AAAA", time.Hour, "2001:db8::1")...)
	other := append(recs("A", time.Hour, "192.0.2.9"), recs("AAAA", time.Hour, "2001:db8::9")...)
	for what, tc := range map[string]struct {
		fail  func(call string, written int) error
		class error
		says  string
	}{
		"nothing was written": {
			fail: func(call string, n int) error {
				if call == "set" && n == 0 {
					return boom
				}
				return nil
			}, says: "500: boom",
		},
		"half was written": {
			fail: func(call string, n int) error {
				if call == "set" && n == 1 {
					return boom
				}
				return nil
			}, class: providers.ErrConflict, says: "after the change A 192.0.2.9 TTL 3600s, AAAA 2001:db8::1 TTL 3600s stands there",
		},
		"all was written": {
			fail: func(call string, n int) error {
				if call == "set" && n == 2 {
					return boom
				}
				return nil
			},
		},
	} {
		t.Run(what, func(t *testing.T) {
			m := standingModule(&memoryModule{inPlace: true, fail: tc.fail},
				providertest.Row{Name: libdnsName, Type: "A", TTL: time.Hour, Values: []string{"192.0.2.1"}},
				providertest.Row{Name: libdnsName, Type: "AAAA", TTL: time.Hour, Values: []string{"2001:db8::1"}})
			err := memoryProvider(t, m, libdnsRow{}).Replace(t.Context(), libdnsName, both, other)
			switch {
			case tc.says == "" && err != nil:
				t.Errorf("error is %v; what is wanted stands", err)
			case tc.says != "" && (err == nil || !strings.Contains(err.Error(), tc.says)):
				t.Errorf("error is %v, want one that says %q", err, tc.says)
			case tc.class != nil && !errors.Is(err, tc.class):
				t.Errorf("error is %v, want one that is %v", err, tc.class)
			}
		})
	}
}

// Somebody else writes between our write and our reading back.
func TestLibdnsMeanwhile(t *testing.T) {
	m := standingModule(&memoryModule{})
	m.between = func() { m.rows[0].rr.Data = "elsewhere.example.net." }
	err := memoryProvider(t, m, libdnsRow{}).Replace(t.Context(), libdnsName,
		recs("CNAME", time.Hour, oldTarget), recs("CNAME", time.Minute, newTarget))
	if !errors.Is(err, providers.ErrConflict) || !strings.Contains(err.Error(), "elsewhere.example.net") {
		t.Errorf("error is %v, want a conflict that names elsewhere.example.net", err)
	}
}

// A listing that is behind the write is read again; one that stays so is an
// error.
func TestLibdnsBehind(t *testing.T) {
	for behind, ok := range map[int]bool{0: true, 2: true, 99: false} {
		synctest.Test(t, func(t *testing.T) {
			m := standingModule(&memoryModule{})
			d := memoryProvider(t, m, libdnsRow{})
			m.fail = func(call string, _ int) error {
				if call == "set" {
					m.behind = behind
				}
				return nil
			}
			err := d.Replace(t.Context(), libdnsName, recs("CNAME", time.Hour, oldTarget), recs("CNAME", time.Minute, newTarget))
			if (err == nil) != ok {
				t.Errorf("%d listings behind: error is %v", behind, err)
			}
			if err != nil && !strings.Contains(err.Error(), "Memory DNS took the change, and after 7s still has CNAME "+oldTarget) {
				t.Errorf("%v does not say what stands", err)
			}
		})
	}
}

// A look is answered from one listing for five seconds, errors too, and from a
// new one after a write.
func TestLibdnsSharedListing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := standingModule(&memoryModule{})
		d := memoryProvider(t, m, libdnsRow{})
		look := func(wantCalls int) {
			t.Helper()
			if _, err := d.Look(t.Context(), libdnsName); err != nil {
				t.Error(err)
			}
			if len(m.calls) != wantCalls {
				t.Errorf("%d calls so far, want %d", len(m.calls), wantCalls)
			}
		}
		look(1)
		time.Sleep(4 * time.Second)
		look(1)
		time.Sleep(time.Second)
		look(2)
		if err := d.Replace(t.Context(), libdnsName, recs("CNAME", time.Hour, oldTarget), nil); err != nil {
			t.Fatal(err)
		}
		look(5)
		m.fail = func(string, int) error { return errors.New("unexpected status code 401: no") }
		time.Sleep(5 * time.Second)
		for range 3 {
			if _, err := d.Look(t.Context(), libdnsName); !errors.Is(err, providers.ErrCredentials) {
				t.Errorf("error is %v, want ErrCredentials", err)
			}
		}
		if len(m.calls) != 6 {
			t.Errorf("%d calls, want 6: an error holds for five seconds, too", len(m.calls))
		}
	})
}

// A module that does not hear the end of its context: the caller is let go, the
// next one waits until the module is done.
func TestLibdnsDeaf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := standingModule(&memoryModule{deaf: make(chan struct{})})
		d := memoryProvider(t, m, libdnsRow{})
		ctx, cancel := context.WithCancel(t.Context())
		first := make(chan error, 1)
		go func() {
			first <- d.Replace(ctx, libdnsName, recs("CNAME", time.Hour, oldTarget), recs("CNAME", time.Minute, newTarget))
		}()
		synctest.Wait()
		cancel()
		if err := <-first; !errors.Is(err, context.Canceled) {
			t.Errorf("error is %v, want the context's", err)
		}
		second := make(chan error, 1)
		go func() {
			_, err := d.Look(t.Context(), libdnsName)
			second <- err
		}()
		synctest.Wait()
		if len(m.calls) != 1 {
			t.Errorf("calls are %v while the first is still at work", m.calls)
		}
		close(m.deaf)
		if err := <-second; err != nil {
			t.Error(err)
		}
		if got := strings.Join(m.calls, " "); got != "get get" {
			t.Errorf("calls are %q, want no write", got)
		}
	})
}

// An API that never answers, and a module that panics, are errors.
func TestLibdnsBroken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := standingModule(&memoryModule{deaf: make(chan struct{})})
		d := memoryProvider(t, m, libdnsRow{})
		began := time.Now()
		_, err := d.Look(t.Context(), libdnsName)
		if err == nil || !strings.Contains(err.Error(), "Memory DNS: no answer within 2m0s") || time.Since(began) != callLimit {
			t.Errorf("error is %v after %v", err, time.Since(began))
		}
		close(m.deaf)
	})
	m := standingModule(&memoryModule{fail: func(string, int) error { panic("nil pointer") }})
	_, err := memoryProvider(t, m, libdnsRow{}).Look(t.Context(), libdnsName)
	if err == nil || !strings.Contains(err.Error(), "Memory DNS: the module for it broke down: nil pointer") {
		t.Errorf("error is %v", err)
	}
}

// emptyModule reads every zone as empty.
type emptyModule struct{ memoryModule }

func (*emptyModule) GetRecords(context.Context, string) ([]libdns.Record, error) { return nil, nil }

// An empty list is no absence where a zone always has records of its own.
func TestLibdnsNeverEmpty(t *testing.T) {
	for never, wantError := range map[bool]bool{true: true, false: false} {
		d, err := newLibdns(Options{Zones: []string{"example.com"}, Clock: providers.RealClock{}}, &emptyModule{},
			libdnsRow{name: "empty", title: "Empty DNS", neverEmpty: never})
		if err != nil {
			t.Fatal(err)
		}
		_, err = d.Look(t.Context(), libdnsName)
		if (err != nil) != wantError {
			t.Errorf("neverEmpty %v: error is %v", never, err)
		}
		err = d.Replace(t.Context(), libdnsName, nil, recs("CNAME", time.Minute, newTarget))
		if never && (err == nil || !strings.Contains(err.Error(), "came back empty")) {
			t.Errorf("Replace: error is %v", err)
		}
	}
}

// Names are matched by whole labels, the longest zone first.
func TestLibdnsZones(t *testing.T) {
	m := standingModule(&memoryModule{}, providertest.Row{Name: "notexample.com.example.com", Type: "A", TTL: time.Hour, Values: []string{"192.0.2.1"}},
		providertest.Row{Name: "example.com.example.com", Type: "A", TTL: time.Hour, Values: []string{"192.0.2.2"}})
	m.zone = "example.com"
	d := memoryProvider(t, m, libdnsRow{}, "com", "example.com", "b.example.com")
	for name, want := range map[string]string{"notexample.com.example.com": "192.0.2.1", "example.com.example.com": "192.0.2.2"} {
		got, err := d.Look(t.Context(), name)
		if err != nil || got.Zone != "example.com" || len(got.Records) != 1 || got.Records[0].Value != want {
			t.Errorf("Look(%s) is %+v (%v), want %s", name, got, err, want)
		}
	}
	got, err := d.Look(t.Context(), "example.com")
	if err != nil || len(got.Records) != 0 || !slices.Equal(got.Other, []string{"NS", "SOA"}) {
		t.Errorf("the top of the zone is %+v (%v)", got, err)
	}
	if z, err := d.zone("a.b.example.com"); err != nil || z.name != "b.example.com" {
		t.Errorf("zone is %v (%v)", z, err)
	}
	if _, err := d.Look(t.Context(), "www.example.org"); !errors.Is(err, providers.ErrNotFound) || !strings.Contains(err.Error(), "example.com, com") {
		t.Errorf("error is %v, want the zones in it", err)
	}
}
