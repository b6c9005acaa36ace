package dns

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/libdns/libdns"

	"github.com/edgeward/edgeward/providers"
)

// absolute is the name of a libdns record in a zone. Names are relative to the
// zone unless they end in a dot; a name that ends with the zone's text is still
// relative.
func absolute(name, zone string) string {
	name = strings.ToLower(strings.TrimSpace(name))
	switch {
	case name == "" || name == "@":
		return zone
	case strings.HasSuffix(name, "."):
		return clean(name)
	default:
		return name + "." + zone
	}
}

// relative is a name as libdns has it; apex stands for the top of the zone.
func relative(name, zone, apex string) string {
	if name == zone {
		return apex
	}
	return strings.TrimSuffix(name, "."+zone)
}

// standing are the records of a listing at a name that are address records, by
// what they say. Records that are nil are what a module could not read.
func standing(zone, name string, all []libdns.Record) (records []libdns.Record, said []providers.Record, other []string) {
	for _, rec := range all {
		if rec == nil {
			continue
		}
		rr := rec.RR()
		if absolute(rr.Name, zone) != name {
			continue
		}
		typ := strings.ToUpper(rr.Type)
		if typ != "CNAME" && typ != "A" && typ != "AAAA" {
			other = append(other, typ)
			continue
		}
		r := cleanRecord(providers.Record{Type: typ, Value: rr.Data, TTL: rr.TTL.Truncate(time.Second)})
		if typ == "CNAME" && r.Value == "@" {
			r.Value = zone
		}
		records, said = append(records, rec), append(said, r)
	}
	return records, said, other
}

// libdnsSet is all that a listing says about a name.
func libdnsSet(zone, name string, all []libdns.Record) providers.RecordSet {
	_, said, other := standing(zone, name, all)
	slices.Sort(other)
	set := providers.RecordSet{Name: name, Zone: zone, Records: said, Other: slices.Compact(other)}
	providers.SortRecords(set.Records)
	for _, typ := range set.Other {
		switch typ {
		case "ALIAS", "ANAME", "FLATTENED", "FORWARD", "REDIRECT", "URL", "LUA", "POOL":
			set.Routing = fmt.Sprintf("%s %s is of a type of the provider's own that answers with addresses; edgeward cannot change it", typ, name)
		}
	}
	return set
}

// sameValues compares records without their TTLs.
func sameValues(a, b []providers.Record) bool {
	return providers.SameRecords(withoutTTLs(a), withoutTTLs(b))
}

func withoutTTLs(rs []providers.Record) []providers.Record {
	out := slices.Clone(rs)
	for i := range out {
		out[i].TTL = 0
	}
	return out
}

func ofType(rs []providers.Record, typ string) []providers.Record {
	return slices.DeleteFunc(slices.Clone(rs), func(r providers.Record) bool { return r.Type != typ })
}

// writable says whether want can be written where set stands, without an
// instant at which the name is gone. ErrInvalid.
func (d *libdnsDNS) writable(set providers.RecordSet, want []providers.Record) error {
	if set.Routing != "" {
		return fmt.Errorf("%s: %w", set.Routing, providers.ErrInvalid)
	}
	want = slices.Clone(want)
	providers.SortRecords(want)
	for i, r := range want {
		switch {
		case r.Type != "CNAME" && r.Type != "A" && r.Type != "AAAA":
			return fmt.Errorf("%s is no address record: %w", r, providers.ErrInvalid)
		case r.Alias || r.Proxied:
			return fmt.Errorf("%s cannot be: %s has only ordinary records here: %w", r, d.row.title, providers.ErrInvalid)
		case r.Value == "":
			return fmt.Errorf("%s has no value: %w", r, providers.ErrInvalid)
		case r.Type == "CNAME" && set.Name == set.Zone:
			return fmt.Errorf("%s is the top of its zone, where no CNAME can stand: %w", set.Name, providers.ErrInvalid)
		case r.Type == "CNAME" && len(want) > 1:
			return fmt.Errorf("a CNAME of %s cannot stand beside other records: %w", set.Name, providers.ErrInvalid)
		case r.Type == "CNAME" && len(set.Other) > 0:
			return fmt.Errorf("a CNAME of %s cannot stand beside %s: %w", set.Name, strings.Join(set.Other, ", "), providers.ErrInvalid)
		case i > 0 && r.Type == want[i-1].Type && r.TTL != want[i-1].TTL:
			return fmt.Errorf("%s and %s cannot stand together: %w", want[i-1], r, providers.ErrInvalid)
		}
	}
	return d.divisible(set, want)
}

// divisible refuses what this provider could only do in steps between which
// the name is gone or wrong.
func (d *libdnsDNS) divisible(set providers.RecordSet, want []providers.Record) error {
	had := set.Records
	if len(had) > 0 && len(want) > 0 && (had[0].Type == "CNAME") != (want[0].Type == "CNAME") {
		return fmt.Errorf("%s stands at %s, and %s cannot change the type of a record in one step, so that the name "+
			"would be gone in between; keep the type, or change it by hand: %w", describe(set), set.Name, d.row.title, providers.ErrInvalid)
	}
	if !d.row.single {
		return nil
	}
	for _, typ := range []string{"A", "AAAA", "CNAME"} {
		old, to := ofType(had, typ), ofType(want, typ)
		if (len(old) > 1 || len(to) > 1) && !providers.SameRecords(old, to) {
			return fmt.Errorf("%s has or gets several %s records, of which libdns/%s writes only one; change them by hand: %w",
				set.Name, typ, d.row.name, providers.ErrInvalid)
		}
	}
	return nil
}

const (
	stepSet    = "set"
	stepAppend = "append"
	stepDelete = "delete"
)

// step is one call of a module.
type step struct {
	kind    string
	records []libdns.Record
}

// steps are the calls that make want of what a listing has at a name. What is
// new comes first and what goes last.
func (d *libdnsDNS) steps(z *libdnsZone, name string, all []libdns.Record, want []providers.Record) []step {
	records, said, _ := standing(z.name, name, all)
	var set, added, removed, edits []libdns.Record
	for _, typ := range []string{"CNAME", "A", "AAAA"} {
		var old []libdns.Record
		var had []providers.Record
		for i, r := range said {
			if r.Type == typ {
				old, had = append(old, records[i]), append(had, r)
			}
		}
		to := ofType(want, typ)
		switch {
		case providers.SameRecords(had, to):
		case d.row.update != nil:
			n := min(len(old), len(to))
			for i := range n {
				edits = append(edits, d.row.update(old[i], d.rr(z, name, to[i])))
			}
			added = append(added, d.rrs(z, name, to[n:])...)
			removed = append(removed, old[n:]...)
		case len(to) == 0:
			removed = append(removed, old...)
		case len(old) == 0:
			added = append(added, d.rrs(z, name, to)...)
		default:
			set = append(set, d.rrs(z, name, to)...)
		}
	}
	var out []step
	for _, e := range edits {
		out = append(out, step{stepSet, []libdns.Record{e}})
	}
	for _, s := range []step{{stepSet, set}, {stepAppend, added}, {stepDelete, removed}} {
		if len(s.records) > 0 {
			out = append(out, s)
		}
	}
	return out
}

// rr is a record as a module takes it, its TTL not below the provider's.
func (d *libdnsDNS) rr(z *libdnsZone, name string, r providers.Record) libdns.RR {
	apex := "@"
	if d.row.apex != nil {
		apex = *d.row.apex
	}
	data := r.Value
	if r.Type == "CNAME" && !d.row.bare {
		data += "."
	}
	return libdns.RR{Name: relative(name, z.name, apex), Type: r.Type, Data: data, TTL: max(r.TTL, d.row.features.MinTTL)}
}

func (d *libdnsDNS) rrs(z *libdnsZone, name string, rs []providers.Record) []libdns.Record {
	var out []libdns.Record
	for _, r := range rs {
		rr := d.rr(z, name, r)
		// A record that does not parse is left to the module to refuse.
		if parsed, err := rr.Parse(); err == nil {
			out = append(out, parsed)
		} else {
			out = append(out, rr)
		}
	}
	return out
}
