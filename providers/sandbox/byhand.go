package sandbox

import (
	"fmt"
	"strings"
	"time"

	"github.com/edgeward/edgeward/providers"
)

// A provider with Features.ByHand has no API: what stands is what its name
// servers answer, and a person makes the changes (SetRecords, or Provider.Person).

// alike is what all name servers of z have at name, or an error that says who
// has what.
func (z *zone) alike(name string, now time.Time) (version, error) {
	n := z.nodes[name]
	if n == nil {
		return version{}, nil
	}
	first := n.seen(0, now)
	for i := range z.servers {
		if !providers.SameRecords(n.seen(i, now).records, first.records) {
			return version{}, fmt.Errorf("look at %s: the authoritative servers of %s do not answer alike: %s: %w", name, z.name, z.still(name, now, nil), providers.ErrUnsettled)
		}
	}
	return first, nil
}

// still is what the name servers have at name that have not want.
func (z *zone) still(name string, now time.Time, want []providers.Record) string {
	var parts []string
	for i, s := range z.servers {
		var v version
		if n := z.nodes[name]; n != nil {
			v = n.seen(i, now)
		}
		if want == nil || !providers.SameRecords(v.records, want) {
			parts = append(parts, s+" answers "+inWords(v.records))
		}
	}
	return strings.Join(parts, "; ")
}

func inWords(rs []providers.Record) string {
	var parts []string
	for _, r := range rs {
		parts = append(parts, r.String())
	}
	if parts == nil {
		return "that there is no such record"
	}
	return strings.Join(parts, " + ")
}

// byHand is Replace and Ensure of such a provider: nil once want stands at every
// name server. Of what is there same decides whether it is have, or want.
func (d dnsPort) byHand(name string, have, want []providers.Record, now time.Time, same func(a, b []providers.Record) bool) error {
	z, err := d.zone(name)
	if err != nil {
		return err
	}
	done := true
	for i := range z.servers {
		var at []providers.Record
		if n := z.nodes[name]; n != nil {
			at = n.seen(i, now).records
		}
		switch {
		case same(at, want):
		case same(at, have):
			done = false
		default:
			return fmt.Errorf("change %s by hand: at %s stands %v, neither the old record nor the new one: %w", name, z.servers[i], at, providers.ErrConflict)
		}
	}
	if done {
		return nil
	}
	d.tell(z, name, have, want, now)
	return &providers.ByHandError{Record: providers.ByHand(name, have, want), Still: z.still(name, now, want)}
}

// tell has the person of the zone do it after a while, if there is one.
func (d dnsPort) tell(z *zone, name string, have, want []providers.Record, now time.Time) {
	key := providers.ByHand(name, have, want)
	if d.p.Person == (Span{}) || d.p.told[key] {
		return
	}
	if d.p.told == nil {
		d.p.told = map[string]bool{}
	}
	d.p.told[key] = true
	d.w.at(now.Add(d.w.draw(d.p.Person, "person", key)), func(at time.Time) {
		delete(d.p.told, key)
		if providers.SameRecords(z.latest(name).records, have) {
			d.w.put(z, name, d.p.stored(have, want), at)
		}
	})
}
