package dns

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/libdns/libdns"

	"github.com/edgeward/edgeward/providers"
)

// listed are the sets of a zone at which an address record stands, by name. at
// says what stands at a name of rows, and home which zone of the provider holds a
// name. What is below a delegation, or at it, is not the zone's, though its rows
// stand there: glue, or what was left over. Nor does a zone answer from rows
// below a DNAME [RFC 6672, 2.4].
func listed[R any](zone string, home func(name string) string, rows map[string]R,
	at func(name string, row R) providers.RecordSet) []providers.RecordSet {
	sets, cuts := map[string]providers.RecordSet{}, map[string]bool{}
	for name, row := range rows {
		s := at(name, row)
		sets[name] = s
		cuts[name] = name != zone && slices.Contains(s.Other, "NS") || slices.Contains(s.Other, "DNAME")
	}
	var out []providers.RecordSet
	for _, name := range slices.Sorted(maps.Keys(sets)) {
		if s := sets[name]; len(s.Records) > 0 && home(name) == zone && !hidden(zone, s, cuts) {
			out = append(out, s)
		}
	}
	return out
}

// hidden says whether a set stands where another zone, or a DNAME, answers.
func hidden(zone string, s providers.RecordSet, cuts map[string]bool) bool {
	if s.Name != zone && slices.Contains(s.Other, "NS") {
		return true
	}
	for at := s.Name; at != zone; {
		_, at, _ = strings.Cut(at, ".")
		if cuts[at] {
			return true
		}
	}
	return false
}

// noZone is the error of a zone that the provider was not given.
func noZone(zone string) error {
	return fmt.Errorf("list zone %s: it is none of this provider's zones: %w", zone, providers.ErrNotFound)
}

// unlistable is the refusal of a list of names, with what to do about it.
type unlistable struct {
	zone string
	why  error
	hint string
}

func (e *unlistable) Error() string {
	return fmt.Sprintf("list zone %s: %s: %s", e.zone, providers.ErrUnlistable, e.why)
}

func (e *unlistable) Unwrap() []error { return []error{providers.ErrUnlistable, e.why} }

// Hint says what to do.
func (e *unlistable) Hint() string { return e.hint }

// List implements providers.DNS.
func (d *route53DNS) List(ctx context.Context, zone string) ([]providers.RecordSet, error) {
	zone = clean(zone)
	z, err := d.zone(ctx, zone)
	if err != nil {
		return nil, fmt.Errorf("list zone %s: %w", zone, err)
	}
	if z.name != zone {
		return nil, noZone(zone)
	}
	rows, err := z.known.list(ctx)
	if err != nil {
		return nil, fmt.Errorf("list zone %s: %w", zone, err)
	}
	return listed(zone, d.longest, rows, z.recordSet), nil
}

// List implements providers.DNS.
func (d *cloudflareDNS) List(ctx context.Context, zone string) ([]providers.RecordSet, error) {
	zone = clean(zone)
	z, err := d.zone(ctx, zone)
	if err != nil {
		return nil, fmt.Errorf("list zone %s: %w", zone, err)
	}
	if z.name != zone {
		return nil, noZone(zone)
	}
	rows, err := z.listAll(ctx)
	if err != nil {
		return nil, fmt.Errorf("list zone %s: %w", zone, err)
	}
	return listed(zone, d.longest, rows, z.recordSet), nil
}

// List implements providers.DNS: from a transfer of the zone (AXFR), which the
// server may refuse.
func (d *rfc2136DNS) List(ctx context.Context, zone string) ([]providers.RecordSet, error) {
	zone = clean(zone)
	if zone == "" || d.longest(zone) != zone {
		return nil, noZone(zone)
	}
	var l *zoneTransfer
	err := d.again(ctx, func() (err error) {
		l, err = d.transfers.all(ctx, zone)
		return err
	})
	switch {
	case errors.Is(err, errNoTransfer):
		return nil, &unlistable{zone, err, d.transferHint(zone)}
	case err != nil:
		return nil, fmt.Errorf("list zone %s: %w", zone, err)
	}
	return listed(zone, d.longest, l.names, func(name string, at rrsAt) providers.RecordSet { return at.set(zone, name) }), nil
}

// transferHint says how a server is made to transfer a zone.
func (d *rfc2136DNS) transferHint(zone string) string {
	if d.server.key == nil {
		return "let this machine transfer zone " + zone + " (AXFR), or write key_name and key_secret of a key that may; " +
			"in BIND, allow-transfer of the zone"
	}
	return fmt.Sprintf("let %s transfer zone %s (AXFR); in BIND, allow-transfer { key %q; } of the zone",
		d.server.key, zone, clean(d.server.key.name))
}

// List implements providers.DNS. The listing is the one that looks use.
func (d *libdnsDNS) List(ctx context.Context, zone string) ([]providers.RecordSet, error) {
	zone = clean(zone)
	z, err := d.zone(zone)
	if err != nil || z.name != zone {
		return nil, noZone(zone)
	}
	l, err := d.listing(ctx, z)
	if err != nil {
		return nil, fmt.Errorf("list zone %s: %w", zone, err)
	}
	names := map[string][]libdns.Record{}
	for _, r := range l.records {
		if r == nil { // what a module could not read
			continue
		}
		if name := absolute(r.RR().Name, zone); holds(zone, name) {
			names[name] = append(names[name], r)
		}
	}
	home := func(name string) string {
		z, _ := d.zone(name) // it is at least in this one
		return z.name
	}
	return listed(zone, home, names, func(name string, at []libdns.Record) providers.RecordSet { return libdnsSet(zone, name, at) }), nil
}

// List implements providers.DNS: nobody can say which names a person keeps, and
// name servers answer for names only that they are asked for.
func (m *manual) List(_ context.Context, zone string) ([]providers.RecordSet, error) {
	if zone = clean(zone); !slices.Contains(m.zones, zone) {
		return nil, noZone(zone)
	}
	return nil, &unlistable{zone, errors.New("a person keeps it, and its name servers only answer for names that they are asked for"),
		"say the names, or use a dns_provider that reads the zone"}
}
