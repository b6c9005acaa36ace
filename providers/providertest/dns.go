// Package providertest holds the suites that every implementation of a port
// passes: adapters before scripted servers and independent ones, and the
// sandbox.
package providertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/edgeward/edgeward/providers"
)

// DNSSuite says how to try one implementation of providers.DNS.
type DNSSuite struct {
	// New makes an implementation that has one zone, with rows in it beside
	// whatever the party puts there by itself (SOA, NS), and a view of that zone
	// which goes past the implementation. It is called once a case.
	New func(t *testing.T, zone string, rows []Row) (providers.DNS, Zone)
	// Wrap runs a case; nil runs it as it is. A testing/synctest bubble goes here.
	Wrap func(t *testing.T, f func(t *testing.T))
	// Unfaithful are cases that the party behind the implementation cannot be
	// asked, by name, each with what it does wrong. They are skipped with that
	// sentence; a name that is no case fails the suite.
	Unfaithful map[string]string
	// Unlistable: the party does not say which names a zone has.
	Unlistable bool
}

// Row is one record set of a zone as the party holds it, of any type.
type Row struct {
	// Name is lower case without a trailing dot; "*" and "_" stand for themselves.
	Name, Type string
	TTL        time.Duration
	// Values are as a zone file has them; names in them are lower case without
	// a trailing dot. Sorted when a Zone gives them.
	Values []string
	// AliasTo is the target of an alias record, which has no TTL and no Values.
	AliasTo string
	// Weighted rows are one of several sets of one name and type.
	Weighted bool
}

// Zone is the zone of a case, seen and changed past the implementation: what
// stands in it, and somebody else's edits.
type Zone interface {
	// Rows are all record sets that stand now, in any order.
	Rows(t *testing.T) []Row
	// Put makes row the record set of its name and type.
	Put(t *testing.T, row Row)
	// Remove takes the record set of a name and type away.
	Remove(t *testing.T, name, typ string)
}

const (
	dnsZone  = "example.com"
	dnsName  = "assets.example.com"
	dnsOld   = "assets.example.com.s3.eu-west-1.amazonaws.com"
	dnsNew   = "d111111abcdef8.cloudfront.net"
	dnsOther = "elsewhere.example.net"
)

// DNS checks that an implementation keeps the promises of providers.DNS.
func DNS(t *testing.T, s DNSSuite) {
	cases := map[string]func(*testing.T, DNSSuite){
		"look/nothing stands":              dnsLookAbsent,
		"look/what stands":                 dnsLookStanding,
		"look/case and trailing dots":      dnsLookSpelling,
		"look/wildcard and escaped names":  dnsLookEscapes,
		"look/unknown record type":         dnsLookUnknownType,
		"look/routing":                     dnsLookRouting,
		"look/names outside the zone":      dnsLookOutside,
		"look/long zone":                   dnsLookLongZone,
		"list/what stands":                 dnsListStanding,
		"list/delegations":                 dnsListDelegations,
		"list/nothing stands":              dnsListNothing,
		"list/long zone":                   dnsListLongZone,
		"list/after writes":                dnsListAfterWrites,
		"list/other zones":                 dnsListOutside,
		"list/ended context":               dnsListEnded,
		"replace/create, change, remove":   dnsReplaceLife,
		"replace/same is nothing":          dnsReplaceSame,
		"replace/TTL only":                 dnsReplaceTTL,
		"replace/several records":          dnsReplaceSeveral,
		"replace/apex":                     dnsReplaceApex,
		"replace/alias and back":           dnsReplaceAlias,
		"replace/wildcard":                 dnsReplaceWildcard,
		"replace/conflict":                 dnsReplaceConflict,
		"replace/conflict of a neighbour":  dnsReplaceNeighbour,
		"replace/somebody else's edit":     dnsReplaceFresh,
		"replace/one winner":               dnsReplaceRace,
		"replace/one stale among fifty":    dnsReplaceMany,
		"replace/outside the zone":         dnsReplaceOutside,
		"replace/ended context":            dnsReplaceEnded,
		"replace/look after write":         dnsLookAfterWrite,
		"ensure/creates and is done again": dnsEnsureCreates,
		"ensure/another record stands":     dnsEnsureConflict,
		"ensure/many at once":              dnsEnsureMany,
	}
	run(t, suite{"DNSSuite", s.Wrap, s.Unfaithful}, cases, func(*testing.T) DNSSuite { return s })
}

func dnsLookAbsent(t *testing.T, s DNSSuite) {
	d, _ := s.New(t, dnsZone, []Row{cname("other.example.com", dnsOld)})
	got := look(t, d, dnsName)
	same(t, got, providers.RecordSet{Name: dnsName, Zone: dnsZone})
}

func dnsLookStanding(t *testing.T, s DNSSuite) {
	d, _ := s.New(t, dnsZone, []Row{
		cname(dnsName, dnsOld),
		address("a.example.com", "A", "192.0.2.1", "192.0.2.2"),
		address("a.example.com", "AAAA", "2001:db8::1"),
		{Name: "a.example.com", Type: "TXT", TTL: time.Minute, Values: []string{`"hello"`}},
		{Name: "mail.example.com", Type: "MX", TTL: time.Minute, Values: []string{"10 mx.example.net"}},
		cname("b.assets.example.com", dnsOther),
	})
	for _, want := range []providers.RecordSet{
		{Name: dnsName, Zone: dnsZone, Records: []providers.Record{cnameRecord(dnsOld, time.Hour)}},
		{Name: "a.example.com", Zone: dnsZone, Other: []string{"TXT"}, Records: []providers.Record{
			{Type: "A", Value: "192.0.2.1", TTL: time.Hour}, {Type: "A", Value: "192.0.2.2", TTL: time.Hour},
			{Type: "AAAA", Value: "2001:db8::1", TTL: time.Hour}}},
		{Name: "mail.example.com", Zone: dnsZone, Other: []string{"MX"}},
		{Name: "b.assets.example.com", Zone: dnsZone, Records: []providers.Record{cnameRecord(dnsOther, time.Hour)}},
	} {
		same(t, look(t, d, want.Name), want)
	}
}

func dnsLookSpelling(t *testing.T, s DNSSuite) {
	d, _ := s.New(t, dnsZone, []Row{cname(dnsName, "Target.Example.NET.")})
	want := providers.RecordSet{Name: dnsName, Zone: dnsZone,
		Records: []providers.Record{cnameRecord("target.example.net", time.Hour)}}
	for _, name := range []string{dnsName, "Assets.EXAMPLE.com", "assets.example.com."} {
		same(t, look(t, d, name), want)
	}
	replace(t, d, dnsName, want.Records, []providers.Record{cnameRecord(dnsNew, time.Minute)})
}

func dnsLookEscapes(t *testing.T, s DNSSuite) {
	d, _ := s.New(t, dnsZone, []Row{cname("*.example.com", dnsOld), cname("_hash.example.com", dnsOther)})
	for name, target := range map[string]string{"*.example.com": dnsOld, "_hash.example.com": dnsOther} {
		same(t, look(t, d, name), providers.RecordSet{Name: name, Zone: dnsZone,
			Records: []providers.Record{cnameRecord(target, time.Hour)}})
	}
	// A provider's record is what is asked for, not what a wildcard answers.
	same(t, look(t, d, dnsName), providers.RecordSet{Name: dnsName, Zone: dnsZone})
}

func dnsLookUnknownType(t *testing.T, s DNSSuite) {
	d, _ := s.New(t, dnsZone, []Row{
		cname(dnsName, dnsOld),
		{Name: "new.example.com", Type: "TYPE65400", TTL: time.Minute, Values: []string{`\# 1 00`}},
	})
	same(t, look(t, d, "new.example.com"), providers.RecordSet{Name: "new.example.com", Zone: dnsZone,
		Other: []string{"TYPE65400"}})
	replace(t, d, dnsName, []providers.Record{cnameRecord(dnsOld, time.Hour)},
		[]providers.Record{cnameRecord(dnsNew, time.Minute)})
}

func dnsLookRouting(t *testing.T, s DNSSuite) {
	weighted := cname(dnsName, dnsOld)
	weighted.Weighted = true
	d, z := s.New(t, dnsZone, []Row{weighted})
	got := look(t, d, dnsName)
	if got.Routing == "" {
		t.Errorf("Look(%s).Routing is empty, want a sentence: a weighted set stands there", dnsName)
	}
	if !s.Unlistable {
		same(t, list(t, d, dnsZone), []providers.RecordSet{got})
	}
	before := rows(t, z)
	err := d.Replace(t.Context(), dnsName, got.Records, []providers.Record{cnameRecord(dnsNew, time.Minute)})
	class(t, err, providers.ErrConflict)
	sameRows(t, z, before)
}

func dnsLookOutside(t *testing.T, s DNSSuite) {
	d, _ := s.New(t, dnsZone, []Row{cname(dnsName, dnsOld)})
	for _, name := range []string{"www.example.net", "www.notexample.com", "notexample.com", "example.com.net", "com"} {
		_, err := d.Look(t.Context(), name)
		class(t, err, providers.ErrNotFound)
		if err != nil && !strings.Contains(err.Error(), name) {
			t.Errorf("Look(%s): %q does not name it", name, err)
		}
	}
}

func dnsLookLongZone(t *testing.T, s DNSSuite) {
	const n = 650
	var long []Row
	for i := range n {
		long = append(long, cname(fmt.Sprintf("n%04d.example.com", i), fmt.Sprintf("t%d.example.net", i)))
	}
	d, _ := s.New(t, dnsZone, long)
	for i := 0; i < n; i += 9 {
		name := fmt.Sprintf("n%04d.example.com", i)
		same(t, look(t, d, name), providers.RecordSet{Name: name, Zone: dnsZone,
			Records: []providers.Record{cnameRecord(fmt.Sprintf("t%d.example.net", i), time.Hour)}})
	}
	same(t, look(t, d, "n9999.example.com"), providers.RecordSet{Name: "n9999.example.com", Zone: dnsZone})
}

func dnsReplaceLife(t *testing.T, s DNSSuite) {
	d, z := s.New(t, dnsZone, []Row{cname("other.example.com", dnsOther)})
	before := rows(t, z)
	first := []providers.Record{cnameRecord(dnsOld, time.Hour)}
	second := []providers.Record{cnameRecord(dnsNew, time.Minute)}
	replace(t, d, dnsName, nil, first)
	sameRows(t, z, append([]Row{cname(dnsName, dnsOld)}, before...))
	replace(t, d, dnsName, first, second)
	changed := cname(dnsName, dnsNew)
	changed.TTL = time.Minute
	sameRows(t, z, append([]Row{changed}, before...))
	replace(t, d, dnsName, second, nil)
	sameRows(t, z, before)
}

func dnsReplaceSame(t *testing.T, s DNSSuite) {
	d, z := s.New(t, dnsZone, []Row{cname(dnsName, dnsOld)})
	before := rows(t, z)
	records := []providers.Record{cnameRecord(dnsOld, time.Hour)}
	replace(t, d, dnsName, records, records)
	sameRows(t, z, before)
}

func dnsReplaceTTL(t *testing.T, s DNSSuite) {
	d, z := s.New(t, dnsZone, []Row{cname(dnsName, dnsOld)})
	stale := []providers.Record{cnameRecord(dnsOld, 2*time.Hour)}
	low := []providers.Record{cnameRecord(dnsOld, time.Minute)}
	before := rows(t, z)
	class(t, d.Replace(t.Context(), dnsName, stale, low), providers.ErrConflict)
	sameRows(t, z, before)
	replace(t, d, dnsName, []providers.Record{cnameRecord(dnsOld, time.Hour)}, low)
	same(t, look(t, d, dnsName).Records, low)
}

func dnsReplaceSeveral(t *testing.T, s DNSSuite) {
	d, _ := s.New(t, dnsZone, []Row{
		address(dnsName, "A", "192.0.2.2", "192.0.2.1"), address(dnsName, "AAAA", "2001:db8::1"),
	})
	have := look(t, d, dnsName).Records
	if len(have) != 3 {
		t.Fatalf("Look(%s) has %d records, want 3: %v", dnsName, len(have), have)
	}
	partial := slices.Clone(have[:2])
	want := []providers.Record{cnameRecord(dnsNew, time.Minute)}
	class(t, d.Replace(t.Context(), dnsName, partial, want), providers.ErrConflict)
	slices.Reverse(have)
	replace(t, d, dnsName, have, want)
	replace(t, d, dnsName, want, have)
	got := look(t, d, dnsName).Records
	if !providers.SameRecords(got, have) {
		t.Errorf("after the way back %v stands, want %v", got, have)
	}
}

func dnsReplaceApex(t *testing.T, s DNSSuite) {
	beside := []Row{
		{Name: dnsZone, Type: "MX", TTL: time.Hour, Values: []string{"10 mx.example.net"}},
		{Name: dnsZone, Type: "TXT", TTL: time.Hour, Values: []string{`"v=spf1 -all"`}},
		{Name: dnsZone, Type: "CAA", TTL: time.Hour, Values: []string{`0 issue "amazon.com"`}},
	}
	d, z := s.New(t, dnsZone, append([]Row{address(dnsZone, "A", "192.0.2.1")}, beside...))
	got := look(t, d, dnsZone)
	for _, typ := range []string{"CAA", "MX", "TXT"} {
		if !slices.Contains(got.Other, typ) {
			t.Errorf("Look(%s).Other is %v, want %s in it", dnsZone, got.Other, typ)
		}
	}
	if !slices.IsSorted(got.Other) {
		t.Errorf("Look(%s).Other is not sorted: %v", dnsZone, got.Other)
	}
	before := rows(t, z)
	want := []providers.Record{{Type: "A", Value: "192.0.2.9", TTL: time.Minute},
		{Type: "AAAA", Value: "2001:db8::9", TTL: time.Minute}}
	replace(t, d, dnsZone, got.Records, want)
	same(t, look(t, d, dnsZone).Other, got.Other)
	replace(t, d, dnsZone, want, got.Records)
	sameRows(t, z, before)
}

func dnsReplaceAlias(t *testing.T, s DNSSuite) {
	d, z := s.New(t, dnsZone, []Row{cname(dnsName, dnsOld)})
	if !d.Features().Alias {
		t.Skip("the provider has no alias records")
	}
	before := rows(t, z)
	old := look(t, d, dnsName).Records
	replace(t, d, dnsName, old, []providers.Record{
		{Type: "A", Value: dnsNew, Alias: true}, {Type: "AAAA", Value: dnsNew, Alias: true}})
	sameRows(t, z, append(without(before, dnsName),
		Row{Name: dnsName, Type: "A", AliasTo: dnsNew}, Row{Name: dnsName, Type: "AAAA", AliasTo: dnsNew}))
	got := look(t, d, dnsName).Records
	for _, r := range got {
		if !r.Alias || r.Value != dnsNew || r.TTL != 0 {
			t.Errorf("alias reads back as %+v", r)
		}
	}
	stale := slices.Clone(got)
	stale[0].Value = "d222222abcdef8.cloudfront.net"
	class(t, d.Replace(t.Context(), dnsName, stale, old), providers.ErrConflict)
	class(t, d.Replace(t.Context(), dnsName, old, nil), providers.ErrConflict)
	replace(t, d, dnsName, got, old)
	sameRows(t, z, before)
}

func dnsReplaceWildcard(t *testing.T, s DNSSuite) {
	d, z := s.New(t, dnsZone, []Row{cname("*.example.com", dnsOld), cname("a.example.com", dnsOther)})
	have := look(t, d, "*.example.com").Records
	replace(t, d, "*.example.com", have, []providers.Record{cnameRecord(dnsNew, time.Hour)})
	sameRows(t, z, append(without(rows(t, z), "*.example.com"), cname("*.example.com", dnsNew)))
	replace(t, d, "b.example.com", nil, []providers.Record{cnameRecord(dnsNew, time.Hour)})
	same(t, look(t, d, "b.example.com").Records, []providers.Record{cnameRecord(dnsNew, time.Hour)})
}

func dnsReplaceConflict(t *testing.T, s DNSSuite) {
	stands := []providers.Record{cnameRecord(dnsOld, time.Hour)}
	want := []providers.Record{cnameRecord(dnsNew, time.Minute)}
	d, z := s.New(t, dnsZone, []Row{cname(dnsName, dnsOld), address("a.example.com", "A", "192.0.2.1")})
	before := rows(t, z)
	cases := []struct {
		what, name string
		have, want []providers.Record
	}{
		{"another target", dnsName, []providers.Record{cnameRecord(dnsOther, time.Hour)}, want},
		{"nothing, where a record stands", dnsName, nil, want},
		{"an address, where a CNAME stands", dnsName, []providers.Record{{Type: "A", Value: "192.0.2.1", TTL: time.Hour}}, want},
		{"a CNAME, where an address stands", "a.example.com", stands, want},
		{"a record, where nothing stands", "absent.example.com", stands, want},
		{"a removal of a record that does not stand", "absent.example.com", stands, nil},
		{"a removal of another record", dnsName, want, nil},
		{"what is wanted already", dnsName, want, stands},
	}
	for _, c := range cases {
		err := d.Replace(t.Context(), c.name, c.have, c.want)
		if !errors.Is(err, providers.ErrConflict) {
			// What is wanted stands already: an adapter may say so, for it cannot
			// tell this from its own change whose answer was lost.
			if err == nil && c.what == "what is wanted already" {
				continue
			}
			t.Errorf("Replace of %s: error is %v, want a conflict", c.what, err)
		} else if !strings.Contains(err.Error(), c.name) {
			t.Errorf("Replace of %s: %q does not name %s", c.what, err, c.name)
		}
		sameRows(t, z, before)
	}
}

// dnsReplaceNeighbour: an address record that the caller did not know of is a
// conflict, even if it could stand beside the wanted one.
func dnsReplaceNeighbour(t *testing.T, s DNSSuite) {
	d, z := s.New(t, dnsZone, []Row{address(dnsName, "A", "192.0.2.1"), address(dnsName, "AAAA", "2001:db8::1")})
	before := rows(t, z)
	err := d.Replace(t.Context(), dnsName, []providers.Record{{Type: "A", Value: "192.0.2.1", TTL: time.Hour}},
		[]providers.Record{{Type: "A", Value: "192.0.2.2", TTL: time.Hour}})
	class(t, err, providers.ErrConflict)
	sameRows(t, z, before)
}

// dnsReplaceFresh: what somebody else wrote since the last look decides.
func dnsReplaceFresh(t *testing.T, s DNSSuite) {
	d, z := s.New(t, dnsZone, []Row{cname(dnsName, dnsOld)})
	old := look(t, d, dnsName).Records
	z.Put(t, cname(dnsName, dnsOther))
	before := rows(t, z)
	want := []providers.Record{cnameRecord(dnsNew, time.Minute)}
	class(t, d.Replace(t.Context(), dnsName, old, want), providers.ErrConflict)
	sameRows(t, z, before)
	z.Remove(t, dnsName, "CNAME")
	z.Put(t, cname(dnsName, dnsOld))
	replace(t, d, dnsName, old, want)
	same(t, look(t, d, dnsName).Records, want)
}

func dnsReplaceRace(t *testing.T, s DNSSuite) {
	d, _ := s.New(t, dnsZone, []Row{cname(dnsName, dnsOld)})
	if !d.Features().Swap {
		t.Skip("the provider's comparison is a read before the write")
	}
	have := look(t, d, dnsName).Records
	target := func(i int) []providers.Record {
		return []providers.Record{cnameRecord(fmt.Sprintf("d%d.cloudfront.net", i), time.Minute)}
	}
	errs := together(8, func(i int) error { return d.Replace(t.Context(), dnsName, have, target(i)) })
	winner := -1
	for i, err := range errs {
		switch {
		case err == nil && winner < 0:
			winner = i
		case err == nil:
			t.Errorf("Replace %d and %d of one name from one have both succeeded", winner, i)
		default:
			class(t, err, providers.ErrConflict)
		}
	}
	if winner < 0 {
		t.Fatal("no Replace succeeded, want one")
	}
	same(t, look(t, d, dnsName).Records, target(winner))
}

func dnsReplaceMany(t *testing.T, s DNSSuite) {
	const n, stale = 50, 17
	name := func(i int) string { return fmt.Sprintf("n%d.example.com", i) }
	var stand []Row
	for i := range n {
		stand = append(stand, cname(name(i), dnsOld))
	}
	d, z := s.New(t, dnsZone, stand)
	z.Put(t, cname(name(stale), dnsOther))
	want := []providers.Record{cnameRecord(dnsNew, time.Minute)}
	errs := together(n, func(i int) error {
		return d.Replace(t.Context(), name(i), []providers.Record{cnameRecord(dnsOld, time.Hour)}, want)
	})
	for i, err := range errs {
		if i == stale {
			class(t, err, providers.ErrConflict)
			same(t, look(t, d, name(i)).Records, []providers.Record{cnameRecord(dnsOther, time.Hour)})
			continue
		}
		if err != nil {
			t.Errorf("Replace(%s) beside a stale one: %v", name(i), err)
		}
		same(t, look(t, d, name(i)).Records, want)
	}
}

func dnsReplaceOutside(t *testing.T, s DNSSuite) {
	d, z := s.New(t, dnsZone, []Row{cname(dnsName, dnsOld)})
	before := rows(t, z)
	for _, name := range []string{"www.notexample.com", "www.example.net"} {
		err := d.Replace(t.Context(), name, nil, []providers.Record{cnameRecord(dnsNew, time.Minute)})
		class(t, err, providers.ErrNotFound)
		class(t, d.Ensure(t.Context(), cnameRecord(dnsNew, time.Minute), name), providers.ErrNotFound)
	}
	sameRows(t, z, before)
}

func dnsReplaceEnded(t *testing.T, s DNSSuite) {
	d, z := s.New(t, dnsZone, []Row{cname(dnsName, dnsOld)})
	have := look(t, d, dnsName).Records
	before := rows(t, z)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := d.Replace(ctx, dnsName, have, []providers.Record{cnameRecord(dnsNew, time.Minute)})
	class(t, err, context.Canceled)
	sameRows(t, z, before)
}

func dnsLookAfterWrite(t *testing.T, s DNSSuite) {
	d, _ := s.New(t, dnsZone, []Row{cname(dnsName, dnsOld), cname("other.example.com", dnsOther)})
	now := look(t, d, dnsName).Records
	for i := range 4 {
		want := []providers.Record{cnameRecord(fmt.Sprintf("d%d.cloudfront.net", i), time.Minute)}
		replace(t, d, dnsName, now, want)
		same(t, look(t, d, dnsName).Records, want)
		same(t, look(t, d, "other.example.com").Records, []providers.Record{cnameRecord(dnsOther, time.Hour)})
		now = want
	}
}

func dnsEnsureCreates(t *testing.T, s DNSSuite) {
	const name, value = "_0123abc.assets.example.com", "_4567def.acm-validations.aws"
	d, z := s.New(t, dnsZone, []Row{cname(dnsName, dnsOld)})
	before := rows(t, z)
	r := cnameRecord(value, 5*time.Minute)
	if err := d.Ensure(t.Context(), r, name); err != nil {
		t.Fatalf("Ensure(%s): %v", name, err)
	}
	created := cname(name, value)
	created.TTL = 5 * time.Minute
	sameRows(t, z, append([]Row{created}, before...))
	for _, again := range []providers.Record{r, cnameRecord(value, time.Hour), cnameRecord(strings.ToUpper(value)+".", time.Hour)} {
		if err := d.Ensure(t.Context(), again, name); err != nil {
			t.Errorf("Ensure(%s) again as %v: %v", name, again, err)
		}
	}
	sameRows(t, z, append([]Row{created}, before...))
}

func dnsEnsureConflict(t *testing.T, s DNSSuite) {
	const name = "_0123abc.assets.example.com"
	for what, row := range map[string]Row{
		"another CNAME": cname(name, dnsOther),
		"an address":    address(name, "A", "192.0.2.1"),
		"a TXT record":  {Name: name, Type: "TXT", TTL: time.Hour, Values: []string{`"old proof"`}},
	} {
		d, z := s.New(t, dnsZone, []Row{row})
		before := rows(t, z)
		err := d.Ensure(t.Context(), cnameRecord("_4567def.acm-validations.aws", 5*time.Minute), name)
		if !errors.Is(err, providers.ErrConflict) {
			t.Errorf("Ensure where %s stands: error is %v, want a conflict", what, err)
		} else if !strings.Contains(err.Error(), name) {
			t.Errorf("Ensure where %s stands: %q does not name %s", what, err, name)
		}
		sameRows(t, z, before)
	}
}

func dnsEnsureMany(t *testing.T, s DNSSuite) {
	d, z := s.New(t, dnsZone, nil)
	before := rows(t, z)
	name := func(i int) string { return fmt.Sprintf("_%d.example.com", i/2) }
	for i, err := range together(20, func(i int) error {
		return d.Ensure(t.Context(), cnameRecord(fmt.Sprintf("_v%d.acm-validations.aws", i/2), time.Hour), name(i))
	}) {
		if err != nil {
			t.Errorf("Ensure(%s), asked twice at once: %v", name(i), err)
		}
	}
	for i := range 10 {
		before = append(before, cname(name(2*i), fmt.Sprintf("_v%d.acm-validations.aws", i)))
	}
	sameRows(t, z, before)
}

func cname(name, target string) Row {
	return Row{Name: name, Type: "CNAME", TTL: time.Hour, Values: []string{target}}
}

func address(name, typ string, values ...string) Row {
	return Row{Name: name, Type: typ, TTL: time.Hour, Values: values}
}

func cnameRecord(target string, ttl time.Duration) providers.Record {
	return providers.Record{Type: "CNAME", Value: target, TTL: ttl}
}

// together calls f(0) to f(n-1) at once and gives their errors.
func together(n int, f func(i int) error) []error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = f(i) })
	}
	wg.Wait()
	return errs
}

func look(t *testing.T, d providers.DNS, name string) providers.RecordSet {
	t.Helper()
	set, err := d.Look(t.Context(), name)
	if err != nil {
		t.Fatalf("Look(%s): %v", name, err)
	}
	return set
}

func replace(t *testing.T, d providers.DNS, name string, have, want []providers.Record) {
	t.Helper()
	if err := d.Replace(t.Context(), name, have, want); err != nil {
		t.Fatalf("Replace(%s, %v, %v): %v", name, have, want, err)
	}
}

func class(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("error is %v, want one that is %q", err, want)
	}
}

func same[T any](t *testing.T, got, want T) {
	t.Helper()
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.IgnoreFields(providers.RecordSet{}, "ZoneID", "IDs")); d != "" {
		t.Errorf("wrong answer (-want +got):\n%s", d)
	}
}

func rows(t *testing.T, z Zone) []Row {
	t.Helper()
	return sortRows(z.Rows(t))
}

func sortRows(rs []Row) []Row {
	rs = slices.Clone(rs)
	for i := range rs {
		rs[i].Values = slices.Sorted(slices.Values(rs[i].Values))
	}
	slices.SortFunc(rs, func(a, b Row) int {
		return strings.Compare(fmt.Sprint(a.Name, " ", a.Type, a.Values), fmt.Sprint(b.Name, " ", b.Type, b.Values))
	})
	return rs
}

// without leaves out the CNAME and the addresses at name.
func without(rs []Row, name string) []Row {
	return slices.DeleteFunc(slices.Clone(rs), func(r Row) bool {
		return r.Name == name && (r.Type == "CNAME" || r.Type == "A" || r.Type == "AAAA")
	})
}

func sameRows(t *testing.T, z Zone, want []Row) {
	t.Helper()
	if d := cmp.Diff(sortRows(want), rows(t, z), cmpopts.EquateEmpty()); d != "" {
		t.Errorf("wrong zone (-want +got):\n%s", d)
	}
}
