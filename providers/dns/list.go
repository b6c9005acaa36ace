package dns

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/edgeward/edgeward/providers"
)

// listed are the sets of the names at which an address record stands, by name.
func listed[R any](rows map[string]R, set func(name string, row R) providers.RecordSet) []providers.RecordSet {
	var out []providers.RecordSet
	for _, name := range slices.Sorted(maps.Keys(rows)) {
		if s := set(name, rows[name]); len(s.Records) > 0 {
			out = append(out, s)
		}
	}
	return out
}

// noZone is the error of a zone that the provider was not given.
func noZone(zone string) error {
	return fmt.Errorf("list zone %s: it is none of this provider's zones: %w", zone, providers.ErrNotFound)
}

// List implements providers.DNS.
func (d *route53DNS) List(ctx context.Context, zone string) ([]providers.RecordSet, error) {
	z, err := d.zone(ctx, clean(zone))
	if err != nil {
		return nil, fmt.Errorf("list zone %s: %w", zone, err)
	}
	if z.name != clean(zone) {
		return nil, noZone(zone)
	}
	rows, err := z.list(ctx, "")
	if err != nil {
		return nil, err
	}
	return listed(rows, func(name string, sets []types.ResourceRecordSet) providers.RecordSet {
		return recordSet(z.name, name, sets)
	}), nil
}

// List implements providers.DNS.
func (d *cloudflareDNS) List(ctx context.Context, zone string) ([]providers.RecordSet, error) {
	z, err := d.zone(ctx, clean(zone))
	if err != nil {
		return nil, fmt.Errorf("list zone %s: %w", zone, err)
	}
	if z.name != clean(zone) {
		return nil, noZone(zone)
	}
	rows, err := z.readAll(ctx)
	if err != nil {
		return nil, fmt.Errorf("list zone %s: %w", zone, err)
	}
	return listed(rows, z.recordSet), nil
}

// List implements providers.DNS: by a transfer of the zone, which the server may
// refuse.
func (d *rfc2136DNS) List(ctx context.Context, zone string) ([]providers.RecordSet, error) {
	zone = clean(zone)
	if at, err := d.zone(zone); err != nil || at != zone {
		return nil, noZone(zone)
	}
	var l zoneTransfer
	err := d.again(ctx, func() (err error) {
		l.names, err = d.transfers.read(ctx, zone)
		return err
	})
	if errors.Is(err, errNoTransfer) {
		return nil, fmt.Errorf("list zone %s: %w: %w", zone, err, providers.ErrUnlistable)
	}
	if err != nil {
		return nil, fmt.Errorf("list zone %s: %w", zone, err)
	}
	sets := map[string]providers.RecordSet{}
	for name := range l.names {
		if at, err := l.at(zone, name); err == nil { // below a delegation it is not the zone's
			sets[name] = at.set(zone, name)
		}
	}
	return listed(sets, func(_ string, s providers.RecordSet) providers.RecordSet { return s }), nil
}

// List implements providers.DNS.
func (d *libdnsDNS) List(ctx context.Context, zone string) ([]providers.RecordSet, error) {
	zone = clean(zone)
	z, err := d.zone(zone)
	if err != nil || z.name != zone {
		return nil, noZone(zone)
	}
	if err := d.take(ctx); err != nil {
		return nil, fmt.Errorf("list zone %s: %w", zone, err)
	}
	defer d.give()
	l := d.read(ctx, z)
	if l.err != nil {
		return nil, fmt.Errorf("list zone %s: %w", zone, l.err)
	}
	names := map[string]bool{}
	for _, r := range l.records {
		if r != nil { // what a module could not read
			names[absolute(r.RR().Name, zone)] = true
		}
	}
	return listed(names, func(name string, _ bool) providers.RecordSet { return libdnsSet(zone, name, l.records) }), nil
}

// List implements providers.DNS: nobody can say which names a person keeps.
func (m *manual) List(_ context.Context, zone string) ([]providers.RecordSet, error) {
	return nil, fmt.Errorf("list zone %s: a person keeps it: %w", zone, providers.ErrUnlistable)
}
