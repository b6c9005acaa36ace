package providertest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/edgeward/edgeward/providers"
)

// unlisted checks the refusal of a party that does not say which names it has,
// and says whether it is one.
func unlisted(t *testing.T, s DNSSuite, d providers.DNS) bool {
	t.Helper()
	if !s.Unlistable {
		return false
	}
	sets, err := d.List(t.Context(), dnsZone)
	class(t, err, providers.ErrUnlistable)
	if err != nil && !strings.Contains(err.Error(), dnsZone) {
		t.Errorf("List(%s): %q does not name it", dnsZone, err)
	}
	if sets != nil {
		t.Errorf("List(%s) gives %v and an error", dnsZone, sets)
	}
	return true
}

// list is a list of a zone without the address of a name server of its own, which
// some parties put there by themselves.
func list(t *testing.T, d providers.DNS, zone string) []providers.RecordSet {
	t.Helper()
	sets, err := d.List(t.Context(), zone)
	if err != nil {
		t.Fatalf("List(%s): %v", zone, err)
	}
	return slices.DeleteFunc(sets, func(s providers.RecordSet) bool { return s.Name == "ns1."+dnsZone })
}

// dnsListStanding: all names with address records, sorted, each as Look has it.
func dnsListStanding(t *testing.T, s DNSSuite) {
	d, _ := s.New(t, dnsZone, []Row{
		cname("www.example.com", "WWW.Example.NET."),
		address("two.example.com", "A", "192.0.2.1", "192.0.2.2"),
		address("two.example.com", "AAAA", "2001:db8::1"),
		{Name: "two.example.com", Type: "TXT", TTL: time.Minute, Values: []string{`"hello"`}},
		{Name: "mail.example.com", Type: "MX", TTL: time.Minute, Values: []string{"10 mx.example.net"}},
		cname("*.example.com", dnsOld), cname("_hash.example.com", dnsOther),
		cname("c.b.a.example.com", dnsOther), address(dnsZone, "A", "192.0.2.1"),
	})
	if unlisted(t, s, d) {
		return
	}
	names := []string{"*.example.com", "_hash.example.com", "c.b.a.example.com", dnsZone, "two.example.com", "www.example.com"}
	var want []providers.RecordSet
	for _, name := range names {
		want = append(want, look(t, d, name))
	}
	same(t, list(t, d, dnsZone), want)
	for _, spelled := range []string{"Example.COM", "example.com."} {
		same(t, list(t, d, spelled), want)
	}
	same(t, want[0].Records, []providers.Record{cnameRecord(dnsOld, time.Hour)})
	same(t, want[5].Records, []providers.Record{cnameRecord("www.example.net", time.Hour)})
}

// dnsListDelegations: glue stands in a zone and is none of its names.
func dnsListDelegations(t *testing.T, s DNSSuite) {
	d, _ := s.New(t, dnsZone, []Row{
		cname(dnsName, dnsOld), cname("notsub.example.com", dnsOther),
		{Name: "sub.example.com", Type: "NS", TTL: time.Hour, Values: []string{"ns.sub.example.com.", "ns.example.net."}},
		address("ns.sub.example.com", "A", "192.0.2.53"),
	})
	if unlisted(t, s, d) {
		return
	}
	same(t, names(list(t, d, dnsZone)), []string{dnsName, "notsub.example.com"})
}

func dnsListNothing(t *testing.T, s DNSSuite) {
	d, _ := s.New(t, dnsZone, []Row{{Name: dnsName, Type: "TXT", TTL: time.Hour, Values: []string{`"hello"`}}})
	if !unlisted(t, s, d) {
		same(t, list(t, d, dnsZone), nil)
	}
}

func dnsListLongZone(t *testing.T, s DNSSuite) {
	var long []Row
	var want []string
	for i := range 650 {
		want = append(want, fmt.Sprintf("n%04d.example.com", i))
		long = append(long, cname(want[i], fmt.Sprintf("t%d.example.net", i)))
	}
	d, _ := s.New(t, dnsZone, long)
	if unlisted(t, s, d) {
		return
	}
	got := list(t, d, dnsZone)
	same(t, names(got), want)
	for i, set := range got {
		if len(set.Records) != 1 || set.Records[0].Value != fmt.Sprintf("t%d.example.net", i) || set.Zone != dnsZone {
			t.Fatalf("List has %+v", set)
		}
	}
}

// dnsListAfterWrites: a list is from after what was written through the
// implementation before it was asked for.
func dnsListAfterWrites(t *testing.T, s DNSSuite) {
	d, _ := s.New(t, dnsZone, []Row{cname(dnsName, dnsOld), cname("other.example.com", dnsOther)})
	if unlisted(t, s, d) {
		return
	}
	same(t, names(list(t, d, dnsZone)), []string{dnsName, "other.example.com"})
	changed := []providers.Record{cnameRecord(dnsNew, time.Minute)}
	replace(t, d, dnsName, []providers.Record{cnameRecord(dnsOld, time.Hour)}, changed)
	same(t, list(t, d, dnsZone)[0].Records, changed)
	if err := d.Ensure(t.Context(), cnameRecord("_4567def.acm-validations.aws", time.Hour), "_0123abc.example.com"); err != nil {
		t.Fatal(err)
	}
	replace(t, d, dnsName, changed, nil)
	same(t, names(list(t, d, dnsZone)), []string{"_0123abc.example.com", "other.example.com"})
}

func dnsListOutside(t *testing.T, s DNSSuite) {
	d, _ := s.New(t, dnsZone, []Row{cname(dnsName, dnsOld)})
	for _, zone := range []string{"example.net", "notexample.com", dnsName, "com", ""} {
		if _, err := d.List(t.Context(), zone); err == nil {
			t.Errorf("List(%q) is no error", zone)
		} else {
			class(t, err, providers.ErrNotFound)
		}
	}
}

func dnsListEnded(t *testing.T, s DNSSuite) {
	d, _ := s.New(t, dnsZone, []Row{cname(dnsName, dnsOld)})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := d.List(ctx, dnsZone); !s.Unlistable {
		class(t, err, context.Canceled)
	}
}

func names(sets []providers.RecordSet) []string {
	var out []string
	for _, s := range sets {
		out = append(out, s.Name)
	}
	slices.Sort(out)
	for i, s := range sets {
		if s.Name != out[i] {
			return append(out, "not in order")
		}
	}
	return out
}
