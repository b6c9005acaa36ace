package dns

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/libdns/libdns"

	"github.com/edgeward/edgeward/providers"
)

// libdnsModule is what a libdns module must be able to do.
type libdnsModule interface {
	libdns.RecordGetter
	libdns.RecordAppender
	libdns.RecordSetter
	libdns.RecordDeleter
}

// libdnsRow is one provider that is reached through a libdns module, and what
// was read in that module's source. Each row's file says at which version.
type libdnsRow struct {
	// name is the label in the configuration, title how people call the provider.
	name, title string
	settings    []Setting
	features    providers.Features
	notes       string
	// module makes an empty module; the settings go to the fields of their JSON
	// names. check, if set, judges the settings together.
	module func() libdnsModule
	check  func(settings map[string]any) error
	// single: the module writes one value for a name and type, whatever it is
	// given, so that a set of several values would be lost or mixed up.
	single bool
	// bare: targets of CNAMEs are written without the dot at the end.
	bare bool
	// apex is how the module names the top of a zone; "" means "@".
	apex *string
	// keepsContext: the module keeps the context of its first call for later ones.
	keepsContext bool
	// neverEmpty: a listing always has the zone's own NS or SOA records, so that
	// an empty one is a failure that the module did not report.
	neverEmpty bool
	// update makes the record to write from the one that the module gave. Set
	// where the module finds records by an identity of its own.
	update func(old libdns.Record, to libdns.RR) libdns.Record
	// context prepares the context of a call; nil leaves it as it is.
	context func(ctx context.Context, write []libdns.RR) context.Context
}

// libdnsType is the row in the table of types.
func libdnsType(row libdnsRow) Type {
	row.features.Provider = row.name
	return Type{Name: row.name, Title: row.title, Notes: row.notes, Settings: row.settings, Features: row.features,
		New: func(o Options) (providers.DNS, error) {
			module := row.module()
			if row.check != nil {
				if err := row.check(o.Settings); err != nil {
					return nil, err
				}
			}
			if err := fill(module, o.Settings); err != nil {
				return nil, fmt.Errorf("read settings of %s: %w", row.name, err)
			}
			return newLibdns(o, module, row)
		}}
}

// fill sets the fields of a module that have the settings' names in JSON.
func fill(module libdnsModule, settings map[string]any) error {
	text, err := json.Marshal(settings)
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	return d.Decode(module)
}

// libdnsDNS makes a providers.DNS of a libdns module: it reads, compares,
// writes and reads back, one caller at a time. The comparison is no lock at the
// provider: an edit between the last read and the write is lost, which is the
// time of one call, as is said in the plan (Features without Swap).
type libdnsDNS struct {
	module libdnsModule
	row    libdnsRow
	clock  providers.Clock
	// secrets are values that no error may have in it.
	secrets []string
	zones   []*libdnsZone
	// turn holds one token: who has it may call the module. Several modules are
	// not safe to be called twice at once (inwx v0.3.1 drops the client that
	// another call is using), and one writer of a zone is wanted anyway.
	turn chan struct{}
	// left is a call that was given up, of the one who has the turn.
	left chan reply

	// mu guards the fields below and those of the zones; it is never held while
	// waiting.
	mu    sync.Mutex
	ticks int64
}

// libdnsZone is one zone and what was last read of it.
type libdnsZone struct {
	name    string
	listing *zoneList
}

// zoneList is one answer to "all records of the zone".
type zoneList struct {
	records []libdns.Record
	err     error
	// began is the tick at which the request began, at when it ended.
	began int64
	at    time.Time
}

func newLibdns(o Options, module libdnsModule, row libdnsRow) (*libdnsDNS, error) {
	if o.Clock == nil {
		return nil, fmt.Errorf("make %s provider: a clock is needed", row.name)
	}
	d := &libdnsDNS{module: module, row: row, clock: o.Clock, turn: make(chan struct{}, 1)}
	if o.Trace != nil {
		d.module = &tracedModule{d: d, module: module, trace: o.Trace}
	}
	for _, s := range row.settings {
		if v, ok := o.Settings[s.Name].(string); ok && s.Sensitive {
			d.secrets = append(d.secrets, v)
		}
	}
	for _, z := range o.Zones {
		d.zones = append(d.zones, &libdnsZone{name: clean(z)})
	}
	// The longest zone comes first.
	slices.SortStableFunc(d.zones, func(a, b *libdnsZone) int { return len(b.name) - len(a.name) })
	return d, nil
}

// Features implements providers.DNS.
func (d *libdnsDNS) Features() providers.Features { return d.row.features }

// Look implements providers.DNS. One listing of the zone answers for all names
// for five seconds, or until a write.
func (d *libdnsDNS) Look(ctx context.Context, name string) (providers.RecordSet, error) {
	name = clean(name)
	z, err := d.zone(name)
	if err != nil {
		return providers.RecordSet{}, fmt.Errorf("look up records of %s: %w", name, err)
	}
	l, err := d.listing(ctx, z)
	if err != nil {
		return providers.RecordSet{}, fmt.Errorf("look up records of %s in zone %s: %w", name, z.name, err)
	}
	return libdnsSet(z.name, name, l.records), nil
}

// Replace implements providers.DNS. Where want stands already, it succeeds.
func (d *libdnsDNS) Replace(ctx context.Context, name string, have, want []providers.Record) error {
	name = clean(name)
	have, want = cleanRecords(have), cleanRecords(want)
	if providers.SameRecords(have, want) {
		return nil
	}
	z, err := d.zone(name)
	if err == nil {
		err = d.change(ctx, z, name, func(set providers.RecordSet) ([]providers.Record, error) {
			switch {
			case len(want) > 0 && providers.SameRecords(set.Records, want):
				return want, nil
			case !providers.SameRecords(set.Records, have):
				return nil, fmt.Errorf("%s stands at %s, not %s; somebody else changed it: %w",
					describe(set), name, describe(providers.RecordSet{Records: have}), providers.ErrConflict)
			}
			return want, d.writable(set, want)
		})
	}
	if err != nil {
		return fmt.Errorf("replace records of %s%s: %w", name, inZone(z), err)
	}
	return nil
}

// Ensure implements providers.DNS.
func (d *libdnsDNS) Ensure(ctx context.Context, r providers.Record, name string) error {
	name, r = clean(name), cleanRecord(r)
	if r.Type != "CNAME" || r.Alias || r.Proxied {
		return fmt.Errorf("create record %s at %s: only an ordinary CNAME can be ensured: %w", r, name, providers.ErrInvalid)
	}
	z, err := d.zone(name)
	if err == nil {
		err = d.change(ctx, z, name, func(set providers.RecordSet) ([]providers.Record, error) {
			if stands, err := ensured(set, r); stands || err != nil {
				return set.Records, err
			}
			want := []providers.Record{r}
			return want, d.writable(set, want)
		})
	}
	if err != nil {
		return fmt.Errorf("create record %s at %s%s: %w", r, name, inZone(z), err)
	}
	return nil
}

func inZone(z *libdnsZone) string {
	if z == nil {
		return ""
	}
	return " in zone " + z.name
}

// change reads what stands at a name, lets decide say what shall stand, writes
// and reads back. An error of decide ends it before anything is written.
func (d *libdnsDNS) change(ctx context.Context, z *libdnsZone, name string,
	decide func(providers.RecordSet) ([]providers.Record, error)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	d.mu.Lock()
	d.ticks++
	since := d.ticks
	d.mu.Unlock()
	if err := d.take(ctx); err != nil {
		return err
	}
	defer d.give()
	l := d.since(z, since)
	if l == nil {
		l = d.read(ctx, z)
	}
	if l.err != nil {
		return l.err
	}
	set := libdnsSet(z.name, name, l.records)
	want, err := decide(set)
	if err != nil || providers.SameRecords(set.Records, want) {
		return err
	}
	err = d.write(ctx, z, d.steps(z, name, l.records, want))
	if err != nil && (ctx.Err() != nil || d.left != nil) {
		return err
	}
	return d.confirm(ctx, z, name, set.Records, want, err)
}

// confirm reads back what was written. A provider may keep the old TTL or raise
// a low one, which is no error here: the next Look shows it. said is the error
// of the write; what stands decides, for an answer can be lost.
func (d *libdnsDNS) confirm(ctx context.Context, z *libdnsZone, name string, had, want []providers.Record, said error) error {
	for wait := time.Second; ; wait *= 2 {
		l := d.read(ctx, z)
		if l.err != nil {
			return errors.Join(said, fmt.Errorf("read back: %w", l.err))
		}
		set := libdnsSet(z.name, name, l.records)
		switch {
		case sameValues(set.Records, want):
			return nil
		case !sameValues(set.Records, had):
			return half(set, want, said)
		case said != nil:
			return said
		case wait > 4*time.Second:
			return fmt.Errorf("%s took the change, and after %v still has %s", d.row.title, wait-time.Second, describe(set))
		}
		// A listing may be behind the write.
		if err := d.clock.Sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// half is the error when neither the old nor the new records stand.
func half(set providers.RecordSet, want []providers.Record, said error) error {
	err := fmt.Errorf("after the change %s stands there, neither the old records nor %s: %w",
		describe(set), describe(providers.RecordSet{Records: want}), providers.ErrConflict)
	if said != nil {
		return fmt.Errorf("%w; the write ended with: %w", err, said)
	}
	return err
}

// zone is the longest zone of the block that holds a name.
func (d *libdnsDNS) zone(name string) (*libdnsZone, error) {
	var names []string
	for _, z := range d.zones {
		if holds(z.name, name) {
			return z, nil
		}
		names = append(names, z.name)
	}
	return nil, fmt.Errorf("no zone of this provider holds it (zones: %s): %w", strings.Join(names, ", "), providers.ErrNotFound)
}
