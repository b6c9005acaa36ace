package dns

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/edgeward/edgeward/providers"
)

// manualType is for zones that no program may change: a person does, or another
// department by a ticket.
func manualType() Type {
	return Type{
		Name:     "manual",
		Features: providers.Features{Provider: "manual", ByHand: true},
		New:      newManual,
	}
}

// manual has no API: what stands is what the authoritative servers answer, and
// every change is somebody's.
type manual struct {
	resolver    providers.Resolver
	zones       []string
	nameservers []string
}

var _ providers.DNS = (*manual)(nil)

func newManual(o Options) (providers.DNS, error) {
	if o.Resolver == nil {
		return nil, errors.New("make manual DNS provider: a resolver is needed")
	}
	return &manual{resolver: o.Resolver, zones: o.Zones, nameservers: o.Nameservers}, nil
}

// Features implements providers.DNS.
func (m *manual) Features() providers.Features { return manualType().Features }

// serverSaid is what one server says of a name.
type serverSaid struct {
	server string
	// err is why it says nothing, "" when it does.
	err     string
	records []providers.Record
	other   []string
}

func (s serverSaid) String() string {
	if s.err != "" {
		return s.server + " does not answer (" + s.err + ")"
	}
	return s.server + " answers " + s.what()
}

func (s serverSaid) what() string {
	var parts []string
	for _, r := range s.records {
		parts = append(parts, r.String())
	}
	if parts == nil {
		return "that there is no such record"
	}
	return strings.Join(parts, " + ")
}

// Look implements providers.DNS. The servers must all answer, and alike; until
// they do there is no answer but an error that names what each one says.
func (m *manual) Look(ctx context.Context, name string) (providers.RecordSet, error) {
	name = clean(name)
	zone, all, err := m.ask(ctx, name)
	if err != nil {
		return providers.RecordSet{}, err
	}
	first := all[0]
	for _, s := range all {
		switch {
		case s.err != "":
			return providers.RecordSet{}, fmt.Errorf("look at %s: not every authoritative server of %s answers: %s", name, zone, saidBy(all))
		case !providers.SameRecords(s.records, first.records) || !slices.Equal(s.other, first.other):
			return providers.RecordSet{}, fmt.Errorf("look at %s: the authoritative servers of %s do not answer alike: %s: %w", name, zone, saidBy(all), providers.ErrUnsettled)
		}
	}
	return providers.RecordSet{Name: name, Zone: zone, Records: first.records, Other: first.other}, nil
}

// Replace implements providers.DNS: nil once want stands at every authoritative
// server, *providers.ByHandError while have does at some.
func (m *manual) Replace(ctx context.Context, name string, have, want []providers.Record) error {
	name = clean(name)
	for _, r := range want {
		if r.Alias || r.Proxied {
			return fmt.Errorf("replace %s: %s is no record of the DNS that a person could be asked to set: %w", name, r, providers.ErrInvalid)
		}
	}
	return m.change(ctx, name, have, want, providers.SameRecords)
}

// Ensure implements providers.DNS. Of a record that stands the TTL does not
// matter.
func (m *manual) Ensure(ctx context.Context, r providers.Record, name string) error {
	return m.change(ctx, clean(name), nil, []providers.Record{r}, func(a, b []providers.Record) bool {
		return providers.SameRecords(noTTL(a), noTTL(b))
	})
}

func noTTL(rs []providers.Record) []providers.Record {
	rs = slices.Clone(rs)
	for i := range rs {
		rs[i].TTL = 0
	}
	return rs
}

func (m *manual) change(ctx context.Context, name string, have, want []providers.Record, same func(a, b []providers.Record) bool) error {
	zone, all, err := m.ask(ctx, name)
	if err != nil {
		return err
	}
	var behind []serverSaid
	for _, s := range all {
		switch {
		case s.err == "" && same(s.records, want):
			continue
		case s.err == "" && !same(s.records, have):
			return fmt.Errorf("change %s by hand: at the authoritative servers of %s stands neither the old record nor the new one: %s: %w",
				name, zone, saidBy(all), providers.ErrConflict)
		}
		behind = append(behind, s)
	}
	if behind == nil {
		return nil
	}
	still := saidBy(behind)
	if allAlike(all) {
		still = "every authoritative server still answers " + all[0].what()
	}
	return &providers.ByHandError{Record: providers.ByHand(name, have, want), Still: still}
}

// allAlike: all servers answer, and the same.
func allAlike(all []serverSaid) bool {
	return !slices.ContainsFunc(all, func(s serverSaid) bool { return s.err != "" || s.what() != all[0].what() })
}

func saidBy(all []serverSaid) string {
	var parts []string
	for _, s := range all {
		parts = append(parts, s.String())
	}
	return strings.Join(parts, "; ")
}

// ask asks every authoritative server what stands at name. There is at least
// one in the answer.
func (m *manual) ask(ctx context.Context, name string) (zone string, all []serverSaid, err error) {
	for _, z := range m.zones {
		if holds(z, name) && len(z) > len(zone) {
			zone = z
		}
	}
	if zone == "" {
		return "", nil, fmt.Errorf("look at %s: it is in none of the zones %s: %w", name, strings.Join(m.zones, ", "), providers.ErrNotFound)
	}
	if err := m.gather(ctx, zone, name, &all, "CNAME"); err != nil {
		return zone, nil, err
	}
	// Where a CNAME stands nothing else does.
	if slices.ContainsFunc(all, func(s serverSaid) bool { return len(s.records) == 0 }) {
		if err := m.gather(ctx, zone, name, &all, "A", "AAAA", "MX", "TXT"); err != nil {
			return zone, nil, err
		}
	}
	if len(all) == 0 {
		return zone, nil, fmt.Errorf("look at %s: no authoritative server of %s was found", name, zone)
	}
	for i := range all {
		providers.SortRecords(all[i].records)
		if name == zone {
			all[i].other = append(all[i].other, "NS", "SOA")
		}
		slices.Sort(all[i].other)
	}
	return zone, all, nil
}

// gather adds the answers to the questions of some types to all.
func (m *manual) gather(ctx context.Context, zone, name string, all *[]serverSaid, types ...string) error {
	answers := make([][]providers.Answer, len(types))
	g, gctx := errgroup.WithContext(ctx)
	for i, typ := range types {
		g.Go(func() (err error) {
			defer providers.Recovered(&err)
			answers[i], err = m.resolver.Authoritative(gctx, zone, m.nameservers, name, typ)
			if err != nil {
				return fmt.Errorf("ask the authoritative servers of %s for %s: %w", zone, name, err)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for i, typ := range types {
		for _, a := range answers[i] {
			k := slices.IndexFunc(*all, func(s serverSaid) bool { return s.server == a.Server })
			if k < 0 {
				k = len(*all)
				*all = append(*all, serverSaid{server: a.Server})
			}
			(*all)[k].add(name, typ, a)
		}
	}
	return nil
}

// add takes in one answer of the server.
func (s *serverSaid) add(name, typ string, a providers.Answer) {
	switch {
	case a.Err != "":
		s.err = a.Err
	case a.RCode != "NOERROR" && a.RCode != "NXDOMAIN":
		s.err = a.RCode
	}
	for _, r := range a.Records {
		switch {
		case r.Name != name || r.Type != typ:
		case typ == "MX" || typ == "TXT":
			if !slices.Contains(s.other, typ) {
				s.other = append(s.other, typ)
			}
		default:
			s.records = append(s.records, providers.Record{Type: typ, Value: clean(r.Value), TTL: time.Duration(r.TTL) * time.Second})
		}
	}
}
