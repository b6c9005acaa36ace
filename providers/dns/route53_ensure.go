package dns

import (
	"context"
	"fmt"
	"strings"

	"github.com/libdns/libdns"

	"github.com/edgeward/edgeward/providers"
)

// Ensure implements providers.DNS. The record is written through
// libdns.RecordAppender, by an appender of our own: libdns/route53 v1.6.2
// cannot keep the promise that a record which stands is never changed, for its
// AppendRecords lists the zone and then sends an UPSERT, which overwrites what
// somebody created in between. It also ends the process (log.Fatalf) when the
// environment names an AWS profile that does not exist, even if it was given
// credentials, and takes no client, so that its attempts could not be counted.
func (d *route53DNS) Ensure(ctx context.Context, r providers.Record, name string) error {
	name, r = clean(name), cleanRecord(r)
	if r.Type != "CNAME" || r.Alias || r.Proxied {
		return fmt.Errorf("create record %s at %s: only an ordinary CNAME can be ensured: %w", r, name, providers.ErrInvalid)
	}
	set, err := d.Look(ctx, name)
	if err != nil {
		return err
	}
	if stands, err := ensured(set, r); stands || err != nil {
		return err
	}
	rr := libdns.RR{Name: libdns.RelativeName(name+".", set.Zone+"."), Type: r.Type, Data: r.Value + ".", TTL: r.TTL}
	_, err = route53Appender{d}.AppendRecords(ctx, set.Zone+".", []libdns.Record{rr})
	return err
}

// ensured says whether r stands in set, whatever its TTL; the error is
// ErrConflict when another record is in its way.
func ensured(set providers.RecordSet, r providers.Record) (bool, error) {
	if len(set.Records) == 1 && set.Routing == "" {
		s := set.Records[0]
		if s.Type == r.Type && s.Value == r.Value && !s.Alias && !s.Proxied {
			return true, nil
		}
	}
	if len(set.Records) > 0 || len(set.Other) > 0 {
		return false, fmt.Errorf("create record %s at %s in zone %s: %s stands there; remove it if nothing needs it: %w",
			r, set.Name, set.Zone, describe(set), providers.ErrConflict)
	}
	return false, nil
}

// describe is what stands at a name, as errors name it.
func describe(set providers.RecordSet) string {
	var parts []string
	for _, r := range set.Records {
		parts = append(parts, r.String())
	}
	parts = append(parts, set.Other...)
	if len(parts) == 0 {
		return "no record"
	}
	return strings.Join(parts, ", ")
}

// route53Appender is Route 53 as a libdns.RecordAppender for CNAMEs: it uses
// CREATE, which Route 53 refuses where a record set stands.
type route53Appender struct{ d *route53DNS }

var _ libdns.RecordAppender = route53Appender{}

// AppendRecords creates the records. One that stands already, with any TTL,
// counts as created; the first conflict ends it.
func (a route53Appender) AppendRecords(ctx context.Context, zone string, recs []libdns.Record) ([]libdns.Record, error) {
	var done []libdns.Record
	for _, rec := range recs {
		rr := rec.RR()
		name := clean(libdns.AbsoluteName(rr.Name, zone))
		r := cleanRecord(providers.Record{Type: rr.Type, Value: rr.Data, TTL: rr.TTL})
		z, err := a.d.zone(ctx, name)
		if err == nil {
			err = writable(z.name, name, []providers.Record{r})
		}
		if err == nil {
			err = z.change(ctx, &change{name: name, want: []providers.Record{r}, anyTTL: true}, nil)
		}
		if err != nil {
			return done, fmt.Errorf("create record %s at %s in zone %s: %w", r, name, clean(zone), err)
		}
		done = append(done, rec)
	}
	return done, nil
}
