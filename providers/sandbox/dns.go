package sandbox

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/edgeward/edgeward/providers"
)

// Provider is a DNS provider of the world.
type Provider struct {
	// Address is that of the configuration, dns_provider.route53.main.
	Address  string
	Zones    []string
	Features providers.Features
	Records  []NamedRecord
	// KeepTTL: a change of a record's value leaves its TTL as it was.
	KeepTTL bool
	// FlattenAll: every CNAME is answered with the addresses of its target, not
	// only one at an apex (Features.Flatten).
	FlattenAll bool
	// Person is how long after edgeward asked for a change a person makes it, with
	// Features.ByHand. The zero Span: nobody does.
	Person Span
}

// NamedRecord is one row of a provider's zone. SOA and NS at the apex are
// implied.
type NamedRecord struct {
	Name   string
	Record providers.Record
	// Other is a type without an address, such as "MX"; Record is not read then.
	Other string
	// Value is that of an Other record, such as 0 issue "amazon.com" of a CAA.
	Value string
	// Routing makes the set at Name one that cannot be changed as a whole: the
	// sentence why.
	Routing string
}

type provider struct {
	Provider
	zones []*zone // the longest name first
	// told are the changes that its person was asked for and has not made.
	told map[string]bool
}

type zone struct {
	name     string
	provider *provider
	// servers are the names of its name servers; negative is how long an
	// absence is cached.
	servers  []string
	negative time.Duration
	nodes    map[string]*node
}

type node struct {
	// versions are what stood at the name, oldest first; those that no name
	// server answers any more are dropped.
	versions []version
	// held is until when some cache may hold a version before the present one.
	held time.Time
	// values are those of records without addresses.
	values []typed
}

type version struct {
	at      time.Time
	lags    []time.Duration // by server, none: at once
	records []providers.Record
	other   []string
	routing string
}

func (w *World) addProvider(p Provider) {
	x := &provider{Provider: p}
	for _, name := range p.Zones {
		z := &zone{name: name, provider: x, negative: 60 * time.Second, nodes: map[string]*node{}}
		h := mix(w.o.Seed, "zone", name)
		for i := range 2 + int(h%3) {
			z.servers = append(z.servers, fmt.Sprintf("ns%d.%s (192.0.2.%d)", i+1, name, 1+(h>>8)%60*4+uint64(i)))
		}
		z.nodes[name] = &node{versions: []version{{other: []string{"NS", "SOA"}}}}
		x.zones = append(x.zones, z)
		if w.zones[name] == nil {
			w.zones[name] = z
		}
	}
	slices.SortStableFunc(x.zones, func(a, b *zone) int { return cmp.Compare(len(b.name), len(a.name)) })
	for _, r := range p.Records {
		x.row(r)
	}
	w.dns[p.Address] = x
}

func (p *provider) row(r NamedRecord) {
	r.Name = plainName(r.Name)
	z := p.zoneOf(r.Name)
	if z == nil {
		panic("sandbox: no zone of " + p.Address + " holds " + r.Name)
	}
	n := z.nodes[r.Name]
	if n == nil {
		n = &node{versions: []version{{}}}
		z.nodes[r.Name] = n
	}
	v := &n.versions[0]
	if r.Other != "" {
		v.other = append(v.other, r.Other)
		slices.Sort(v.other)
		v.other = slices.Compact(v.other)
		if r.Value != "" {
			n.values = append(n.values, typed{r.Other, r.Value})
		}
	} else {
		v.records = append(v.records, p.plain([]providers.Record{r.Record})...)
		providers.SortRecords(v.records)
	}
	v.routing = cmp.Or(v.routing, r.Routing)
}

// plainName is name as the ports spell names.
func plainName(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

// plain are records as the provider answers them.
func (p *provider) plain(rs []providers.Record) []providers.Record {
	rs = slices.Clone(rs)
	for i := range rs {
		rs[i].Value = plainName(rs[i].Value)
		if p.Features.Provider == "route53" && rs[i].Alias && rs[i].AliasZone == "" && strings.HasSuffix(rs[i].Value, ".cloudfront.net") {
			rs[i].AliasZone = cloudFrontZone
		}
	}
	return rs
}

func under(name, zone string) bool { return name == zone || strings.HasSuffix(name, "."+zone) }

func (p *provider) zoneOf(name string) *zone {
	for _, z := range p.zones {
		if under(name, z.name) {
			return z
		}
	}
	return nil
}

// zoneOf is the zone that the world asks about name.
func (w *World) zoneOf(name string) *zone {
	for {
		if z := w.zones[name]; z != nil {
			return z
		}
		_, after, ok := strings.Cut(name, ".")
		if !ok {
			return nil
		}
		name = after
	}
}

// latest is what the provider has at name.
func (z *zone) latest(name string) version {
	if n := z.nodes[name]; n != nil {
		return n.versions[len(n.versions)-1]
	}
	return version{}
}

// seen is what name server i has at name.
func (n *node) seen(i int, now time.Time) version {
	for k := len(n.versions) - 1; k > 0; k-- {
		v := &n.versions[k]
		if i >= len(v.lags) || !now.Before(v.at.Add(v.lags[i])) {
			return *v
		}
	}
	return n.versions[0]
}

// put makes rs the address records at name and says how long the name servers
// take to know.
func (w *World) put(z *zone, name string, rs []providers.Record, now time.Time) time.Duration {
	n := z.nodes[name]
	if n == nil {
		n = &node{versions: []version{{}}}
		z.nodes[name] = n
	}
	old := n.versions[len(n.versions)-1]
	sync := w.draw(w.o.InSync, "sync", name, strconv.FormatInt(now.UnixNano(), 36))
	v := version{at: now, records: slices.Clone(rs), other: old.other, routing: old.routing}
	providers.SortRecords(v.records)
	for i := range z.servers {
		v.lags = append(v.lags, within(Span{0, sync}, mix(w.o.Seed, "lag", name, z.servers[i], strconv.FormatInt(now.UnixNano(), 36))))
	}
	n.held = latestOf(n.held, now.Add(sync+lifetime(z, old.records)))
	n.versions = append(n.versions, v)
	// Changes reach a server in order: it cannot still lack one when it has the next.
	for i := range v.lags {
		if p := n.versions[len(n.versions)-2]; i < len(p.lags) && p.at.Add(p.lags[i]).After(now.Add(v.lags[i])) {
			v.lags[i] = p.at.Add(p.lags[i]).Sub(now)
		}
	}
	w.at(now.Add(sync), func(at time.Time) { n.prune(at) })
	w.appear(name, rs, now)
	w.validate(now)
	return sync
}

// prune drops the versions that no server answers any more.
func (n *node) prune(now time.Time) {
	for len(n.versions) > 1 {
		next := n.versions[1]
		for _, l := range next.lags {
			if now.Before(next.at.Add(l)) {
				return
			}
		}
		n.versions = n.versions[1:]
	}
}

func latestOf(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// lifetime is how long a cache keeps what stands there.
func lifetime(z *zone, rs []providers.Record) time.Duration {
	if len(rs) == 0 {
		return z.negative
	}
	var d time.Duration
	for _, r := range rs {
		d = max(d, ttlOf(r))
	}
	return d
}

// ttlOf is the TTL that r is answered with.
func ttlOf(r providers.Record) time.Duration {
	switch {
	case r.Proxied:
		return 300 * time.Second
	case r.Alias:
		return hostTTL * time.Second
	}
	return r.TTL
}

type dnsPort struct {
	w *World
	p *provider
}

func (d dnsPort) op(op, name string, write bool) Call {
	return Call{Op: op, Account: d.p.Address, Name: name, Write: write}
}

func (d dnsPort) Features() providers.Features { return d.p.Features }

func (d dnsPort) zone(name string) (*zone, error) {
	z := d.p.zoneOf(name)
	if z == nil {
		return nil, fmt.Errorf("look at %s: %s has no public zone that holds it: %w", name, d.p.Address, providers.ErrNotFound)
	}
	return z, nil
}

func (d dnsPort) Look(ctx context.Context, name string) (providers.RecordSet, error) {
	name = plainName(name)
	var out providers.RecordSet
	err := d.w.call(ctx, d.op("DNS.Look", name, false), func(now time.Time) error {
		z, err := d.zone(name)
		if err != nil {
			return err
		}
		v := z.latest(name)
		if d.p.Features.ByHand {
			if v, err = z.alike(name, now); err != nil {
				return err
			}
		}
		out = z.set(name, v)
		return nil
	})
	if err != nil {
		return providers.RecordSet{}, err
	}
	return out, nil
}

func (d dnsPort) Replace(ctx context.Context, name string, have, want []providers.Record) error {
	name, have, want = plainName(name), d.p.plain(have), d.p.plain(want)
	if d.p.Features.ByHand {
		return d.w.call(ctx, d.op("DNS.Replace", name, true), func(now time.Time) error {
			return d.byHand(name, have, want, now, providers.SameRecords)
		})
	}
	var sync time.Duration
	rest := func() time.Duration { return sync }
	write := func(now time.Time) error {
		z, err := d.zone(name)
		if err != nil {
			return err
		}
		sync = d.w.put(z, name, d.p.stored(z.latest(name).records, want), now)
		return nil
	}
	compare := func(time.Time) error { return d.compare(name, have, want) }
	if d.p.Features.Swap {
		return d.w.calling(ctx, d.op("DNS.Replace", name, true), func(now time.Time) error {
			if err := compare(now); err != nil {
				return err
			}
			return write(now)
		}, rest)
	}
	// Without a swap: what somebody writes between the read and the write is lost.
	if err := d.w.call(ctx, d.op("DNS.Replace.read", name, false), compare); err != nil {
		return err
	}
	return d.w.calling(ctx, d.op("DNS.Replace", name, true), write, rest)
}

func (d dnsPort) compare(name string, have, want []providers.Record) error {
	z, err := d.zone(name)
	if err != nil {
		return err
	}
	v := z.latest(name)
	if err := d.p.possible(z, name, v, want); err != nil {
		return fmt.Errorf("replace %s: %w", name, err)
	}
	if !providers.SameRecords(v.records, have) {
		return fmt.Errorf("replace %s: there stands %v, not %v: %w", name, v.records, have, providers.ErrConflict)
	}
	return nil
}

// possible refuses what a provider refuses of a set of records.
func (p *provider) possible(z *zone, name string, v version, want []providers.Record) error {
	cname := slices.ContainsFunc(want, func(r providers.Record) bool { return r.Type == "CNAME" && !r.Alias })
	switch {
	case v.routing != "":
		return fmt.Errorf("%s: %w", v.routing, providers.ErrConflict)
	case cname && name == z.name && p.Features.Flatten:
	case cname && name == z.name:
		return fmt.Errorf("a CNAME is not permitted at the apex of zone %s: %w", z.name, providers.ErrInvalid)
	case cname && len(v.other) > 0:
		return fmt.Errorf("a CNAME cannot stand beside %s: %w", strings.Join(v.other, ", "), providers.ErrInvalid)
	case cname && len(want) > 1:
		return fmt.Errorf("a CNAME must be the only record: %w", providers.ErrInvalid)
	}
	for _, r := range want {
		if err := p.recordOK(r); err != nil {
			return err
		}
	}
	return nil
}

func (p *provider) recordOK(r providers.Record) error {
	addr, err := netip.ParseAddr(r.Value)
	switch {
	case r.Alias && !p.Features.Alias:
		return fmt.Errorf("%s has no alias records: %w", p.Address, providers.ErrInvalid)
	case r.Alias && p.Features.Provider == "route53" && r.AliasZone == "":
		return fmt.Errorf("the alias to %s names no hosted zone: %w", r.Value, providers.ErrInvalid)
	case r.Alias && p.Features.Provider == "route53" && strings.HasSuffix(r.Value, ".cloudfront.net") && r.AliasZone != cloudFrontZone:
		return fmt.Errorf("%s is not the hosted zone of %s: %w", r.AliasZone, r.Value, providers.ErrInvalid)
	case r.TTL < 0 || r.TTL > 1<<31*time.Second || (r.Alias || r.Proxied) && r.TTL != 0:
		return fmt.Errorf("the TTL %s: %w", r.TTL, providers.ErrInvalid)
	case r.Alias || r.Type == "CNAME":
		if !strings.Contains(r.Value, ".") || strings.ContainsAny(r.Value, " /:") {
			return fmt.Errorf("the target %q: %w", r.Value, providers.ErrInvalid)
		}
	case r.Type == "A" && err == nil && addr.Is4(), r.Type == "AAAA" && err == nil && addr.Is6():
	default:
		return fmt.Errorf("the record %s: %w", r, providers.ErrInvalid)
	}
	return nil
}

// cloudFrontZone is the hosted zone of every distribution's domain [Route 53
// API: AliasTarget].
const cloudFrontZone = "Z2FDTNDATAQYW2"

// stored is want as the provider keeps it: TTLs floored, or kept.
func (p *provider) stored(old, want []providers.Record) []providers.Record {
	out := slices.Clone(want)
	for i := range out {
		if out[i].Alias || out[i].Proxied {
			continue
		}
		out[i].TTL = max(out[i].TTL, p.Features.MinTTL)
		if p.KeepTTL && len(old) > 0 && !old[0].Alias && !old[0].Proxied {
			out[i].TTL = old[0].TTL
		}
	}
	return out
}

func (d dnsPort) Ensure(ctx context.Context, r providers.Record, name string) error {
	name, r = plainName(name), d.p.plain([]providers.Record{r})[0]
	if d.p.Features.ByHand {
		return d.w.call(ctx, d.op("DNS.Ensure", name, true), func(now time.Time) error {
			return d.byHand(name, nil, []providers.Record{r}, now, func(a, b []providers.Record) bool {
				return len(a) == len(b) && (len(a) == 0 || a[0].Type == b[0].Type && a[0].Value == b[0].Value)
			})
		})
	}
	var sync time.Duration
	return d.w.calling(ctx, d.op("DNS.Ensure", name, true), func(now time.Time) error {
		z, err := d.zone(name)
		if err != nil {
			return err
		}
		v := z.latest(name)
		switch {
		case len(v.records) == 1 && v.records[0].Type == r.Type && v.records[0].Value == r.Value:
			return nil
		case len(v.records) > 0 || len(v.other) > 0:
			return fmt.Errorf("ensure %s: there stands %v %v: %w", name, v.records, v.other, providers.ErrConflict)
		}
		if err := d.p.possible(z, name, v, []providers.Record{r}); err != nil {
			return fmt.Errorf("ensure %s: %w", name, err)
		}
		sync = d.w.put(z, name, d.p.stored(nil, []providers.Record{r}), now)
		return nil
	}, func() time.Duration { return sync })
}

// set is what the provider answers of a name, with the marks that other tools ask
// for.
func (z *zone) set(name string, v version) providers.RecordSet {
	out := providers.RecordSet{Name: name, Zone: z.name, Records: slices.Clone(v.records), Other: slices.Clone(v.other), Routing: v.routing}
	hex := func(parts ...string) string {
		return fmt.Sprintf("%016x%016x", mix(1, append(parts, "a")...), mix(1, append(parts, "b")...))
	}
	switch z.provider.Features.Provider {
	case "route53":
		out.ZoneID = "Z" + strings.ToUpper(hex("zone", z.name)[:20])
	case "cloudflare":
		out.ZoneID = hex("zone", z.name)
		for _, r := range v.records {
			out.IDs = append(out.IDs, hex("record", name, r.Type, r.Value))
		}
	}
	return out
}

// delegated says whether name is another zone's, by NS records below the apex.
func (z *zone) delegated(name string) bool {
	for at := name; at != z.name; _, at, _ = strings.Cut(at, ".") {
		if slices.Contains(z.latest(at).other, "NS") {
			return true
		}
	}
	return false
}

func (d dnsPort) List(ctx context.Context, zone string) ([]providers.RecordSet, error) {
	zone = plainName(zone)
	var out []providers.RecordSet
	err := d.w.call(ctx, d.op("DNS.List", zone, false), func(time.Time) error {
		z, err := d.zone(zone)
		if err != nil || z.name != zone {
			return fmt.Errorf("list zone %s: %s has no such public zone: %w", zone, d.p.Address, providers.ErrNotFound)
		}
		if d.p.Features.ByHand {
			return fmt.Errorf("list zone %s: %w: a person keeps it", zone, providers.ErrUnlistable)
		}
		for _, name := range slices.Sorted(maps.Keys(z.nodes)) {
			if v := z.latest(name); len(v.records) > 0 && !z.delegated(name) && d.p.zoneOf(name) == z {
				out = append(out, z.set(name, v))
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
