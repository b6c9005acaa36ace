package dns

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/edgeward/edgeward/providers"
)

// rrUpdate is the change of one name.
type rrUpdate struct {
	zone, name string
	have, want []providers.Record
	// ensure: want is created where nothing stands; the very record with another
	// TTL is fine.
	ensure bool
	// sent is true when an UPDATE may have reached the server.
	sent bool
}

// Replace implements providers.DNS: one UPDATE message, whose prerequisites are
// all values that stand, and that no other address record stands. The server
// applies all of it or nothing [RFC 2136, 3.4]. When the answer of an UPDATE is
// lost and what is wanted stands, Replace succeeds.
func (d *rfc2136DNS) Replace(ctx context.Context, name string, have, want []providers.Record) error {
	name = clean(name)
	have, want = cleanRecords(have), cleanRecords(want)
	if providers.SameRecords(have, want) {
		return nil
	}
	zone, err := d.zone(name)
	if err != nil {
		return fmt.Errorf("replace records of %s: %w", name, err)
	}
	if err := d.change(ctx, &rrUpdate{zone: zone, name: name, have: have, want: want}); err != nil {
		return fmt.Errorf("replace records of %s in zone %s: %w", name, zone, err)
	}
	return nil
}

// Ensure implements providers.DNS: an UPDATE with the prerequisite that nothing
// stands at the name.
func (d *rfc2136DNS) Ensure(ctx context.Context, r providers.Record, name string) error {
	name, r = clean(name), cleanRecord(r)
	if r.Type != "CNAME" || r.Alias || r.Proxied {
		return fmt.Errorf("create record %s at %s: only an ordinary CNAME can be ensured: %w", r, name, providers.ErrInvalid)
	}
	zone, err := d.zone(name)
	if err != nil {
		return fmt.Errorf("create record %s at %s: %w", r, name, err)
	}
	if err := d.change(ctx, &rrUpdate{zone: zone, name: name, want: []providers.Record{r}, ensure: true}); err != nil {
		return fmt.Errorf("create record %s at %s in zone %s: %w", r, name, zone, err)
	}
	return nil
}

// change makes a update, anew where an answer was lost: the prerequisites keep a
// message that arrives twice from doing anything the second time.
func (d *rfc2136DNS) change(ctx context.Context, c *rrUpdate) error {
	if err := c.writable(); err != nil {
		return err
	}
	defer d.transfers.wrote(c.name)
	return d.again(ctx, func() error {
		return d.server.with(ctx, func(s *dnsSession) error { return d.update(ctx, s, c) })
	})
}

// writable says whether a DNS server can hold what is wanted. ErrInvalid.
func (c *rrUpdate) writable() error {
	byType := map[string]providers.Record{}
	for _, r := range c.want {
		if _, err := rrOf(c.name, r); err != nil {
			return err
		}
		first, more := byType[r.Type]
		switch {
		case r.Type == "CNAME" && c.name == c.zone:
			return fmt.Errorf("%s is the top of its zone, where no CNAME can stand, and RFC 2136 has no alias records; "+
				"move the zone to a provider that has them, or use a name below it: %w", c.name, providers.ErrInvalid)
		case more && (r.Type == "CNAME" || r.TTL != first.TTL):
			return fmt.Errorf("%s and %s cannot stand together: %w", first, r, providers.ErrInvalid)
		}
		byType[r.Type] = r
	}
	if _, cname := byType["CNAME"]; cname && len(byType) > 1 {
		return fmt.Errorf("a CNAME of %s cannot stand beside other records: %w", c.name, providers.ErrInvalid)
	}
	return nil
}

// update reads, compares, writes and reads back on one connection.
func (d *rfc2136DNS) update(ctx context.Context, s *dnsSession, c *rrUpdate) error {
	at, err := s.ask(c.zone, c.name)
	if err != nil {
		return err
	}
	done, err := c.compare(at)
	if done || err != nil {
		return err
	}
	m, err := c.message(at)
	if err != nil {
		return err
	}
	c.sent = true
	answer, err := s.exchange(m)
	if err != nil {
		return err
	}
	if err := s.server.refusal("update", c.zone, answer); err != nil {
		if !errors.Is(err, providers.ErrConflict) {
			return err
		}
		return c.refused(s, err)
	}
	return d.settle(ctx, s, c)
}

// compare says that a change is done or must not be made.
func (c *rrUpdate) compare(at rrsAt) (done bool, err error) {
	set := at.set(c.zone, c.name)
	if c.ensure {
		return ensured(set, c.want[0])
	}
	switch {
	case set.Routing != "":
		return false, fmt.Errorf("%s: %w", set.Routing, providers.ErrConflict)
	case c.sent && providers.SameRecords(set.Records, c.want):
		return true, nil
	case !providers.SameRecords(set.Records, c.have):
		return false, fmt.Errorf("%s stands at %s, where the change expects %s: %w", describe(providers.RecordSet{Records: set.Records}),
			c.name, describe(providers.RecordSet{Records: c.have}), providers.ErrConflict)
	case c.cname() && len(set.Other) > 0:
		// The server would leave the CNAME out and say nothing [RFC 2136, 3.4.2.2].
		return false, fmt.Errorf("a CNAME of %s cannot stand beside its %s: %w", c.name, strings.Join(set.Other, ", "), providers.ErrInvalid)
	}
	return false, nil
}

func (c *rrUpdate) cname() bool { return len(c.want) == 1 && c.want[0].Type == "CNAME" }

// message is the UPDATE for what stands.
func (c *rrUpdate) message(at rrsAt) (*dns.Msg, error) {
	m := new(dns.Msg)
	m.SetUpdate(c.zone + ".")
	owner := func(typ uint16) []dns.RR {
		return []dns.RR{&dns.ANY{Hdr: dns.RR_Header{Name: c.name + ".", Rrtype: typ, Class: dns.ClassINET}}}
	}
	if at.empty() && c.cname() {
		m.NameNotUsed(owner(dns.TypeANY))
	}
	for _, typ := range []uint16{dns.TypeCNAME, dns.TypeA, dns.TypeAAAA} {
		var stands []dns.RR
		for _, rr := range at.rrs {
			if rr.Header().Rrtype == typ {
				stands = append(stands, dns.Copy(rr))
			}
		}
		if stands == nil {
			m.RRsetNotUsed(owner(typ))
			continue
		}
		m.Used(stands)
		m.RemoveRRset(owner(typ))
	}
	if c.cname() && len(at.rrs) > 0 && at.rrs[0].Header().Rrtype != dns.TypeCNAME {
		for _, typ := range otherTypes2136() {
			m.RRsetNotUsed(owner(typ))
		}
	}
	for _, r := range c.want {
		rr, err := rrOf(c.name, r)
		if err != nil {
			return nil, err
		}
		m.Insert([]dns.RR{rr})
	}
	return m, nil
}

// refused is the verdict where a prerequisite did not hold: what stands now says
// why.
func (c *rrUpdate) refused(s *dnsSession, refusal error) error {
	at, err := s.ask(c.zone, c.name)
	if err != nil {
		return refusal
	}
	done, err := c.compare(at)
	switch {
	case done && c.ensure:
		return nil
	case err != nil:
		return fmt.Errorf("%w (%v)", err, refusal)
	}
	return fmt.Errorf("%s was changed at the same moment: %w", c.name, refusal)
}

// settle waits until the server answers with what it has taken. Something else
// than the old and the new is somebody's later change, which is no fault of this
// one.
func (d *rfc2136DNS) settle(ctx context.Context, s *dnsSession, c *rrUpdate) error {
	limit := d.clock.Now().Add(rfc2136Settle)
	for delay := 100 * time.Millisecond; ; delay *= 2 {
		at, err := s.ask(c.zone, c.name)
		if err != nil {
			return fmt.Errorf("the server took the change, but could not be asked for it: %w", err)
		}
		now := at.set(c.zone, c.name).Records
		if slices.Equal(bareValues(now), bareValues(c.want)) || !slices.Equal(bareValues(now), bareValues(c.have)) {
			return nil
		}
		if !d.clock.Now().Add(delay).Before(limit) {
			return fmt.Errorf("server %s took the change of %s, but goes on to answer %s after %s", s.server.address, c.name,
				describe(providers.RecordSet{Records: now}), rfc2136Settle)
		}
		if err := d.clock.Sleep(ctx, delay); err != nil {
			return err
		}
	}
}

// values are records without TTLs, which a server may change.
func bareValues(rs []providers.Record) []string {
	var out []string
	for _, r := range rs {
		out = append(out, r.Type+" "+r.Value)
	}
	slices.Sort(out)
	return out
}
