package sandbox

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/edgeward/edgeward/providers"
)

const (
	opResolve       = "Resolver.Resolve"
	opAuthoritative = "Resolver.Authoritative"
	// hostTTL is the TTL, in seconds, of the addresses of S3 and CloudFront.
	hostTTL = 60
	// otherTTL is that of records without addresses.
	otherTTL = 300
)

// Resolving says how a caching resolver behaves.
type Resolving struct {
	// RCode is answered to everything, such as SERVFAIL; "" means none.
	RCode string
	// TimesOut: it does not answer.
	TimesOut bool
	// Floor: it keeps every answer at least this long, whatever its TTL.
	Floor time.Duration
}

type resolver struct {
	name  string
	how   Resolving
	cache map[question]cachedAnswer
}

type question struct{ name, typ string }

type cachedAnswer struct {
	records []providers.AnswerRecord // TTLs as they came
	rcode   string
	until   time.Time
}

func newResolver(i int) *resolver {
	return &resolver{name: fmt.Sprintf("resolver %d (198.51.100.%d)", i+1, i+1), cache: map[question]cachedAnswer{}}
}

type resolverPort struct{ w *World }

func (p resolverPort) Authoritative(ctx context.Context, zone string, servers []string, name, typ string) ([]providers.Answer, error) {
	zone, name = plainName(zone), plainName(name)
	var out []providers.Answer
	err := p.w.call(ctx, Call{Op: opAuthoritative, Name: name + " " + typ}, func(now time.Time) error {
		z := p.w.zones[zone]
		if z == nil {
			return fmt.Errorf("find the name servers of %s: no delegation: NXDOMAIN: %w", zone, providers.ErrNotFound)
		}
		named := z.servers
		if len(servers) > 0 {
			named = servers
		}
		for i, s := range named {
			rcode, records := p.w.answer(z, i%len(z.servers), name, typ, now)
			out = append(out, providers.Answer{Server: s, RCode: rcode, Records: slices.Clone(records)})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (p resolverPort) Resolve(ctx context.Context, name, typ string) ([]providers.Answer, error) {
	name = plainName(name)
	var out []providers.Answer
	err := p.w.call(ctx, Call{Op: opResolve, Name: name + " " + typ}, func(now time.Time) error {
		for i, r := range p.w.caches {
			a := providers.Answer{Server: r.name}
			switch {
			case r.how.TimesOut:
				a.Err = "no answer in 5s"
			case r.how.RCode != "":
				a.RCode = r.how.RCode
			default:
				a.RCode, a.Records, _ = p.w.resolve(i, name, typ, now)
			}
			out = append(out, a)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// answer is what name server i of z says about name.
func (w *World) answer(z *zone, i int, name, typ string, now time.Time) (string, []providers.AnswerRecord) {
	if !under(name, z.name) {
		return "REFUSED", nil
	}
	n := z.nodes[name]
	var v version
	if n != nil {
		v = n.seen(i, now)
	}
	if len(v.records) == 0 && len(v.other) == 0 {
		if n = z.wildcard(i, name, now); n == nil {
			return z.absent(name), nil
		}
		v = n.seen(i, now)
	}
	if typ == "NS" && name == z.name {
		var out []providers.AnswerRecord
		for _, s := range z.servers {
			host, _, _ := strings.Cut(s, " ")
			out = append(out, providers.AnswerRecord{Name: name, Type: "NS", Value: host, TTL: 172800})
		}
		return "NOERROR", out
	}
	var out []providers.AnswerRecord
	for _, r := range v.records {
		out = append(out, w.rows(z, name, typ, r)...)
	}
	for _, v := range n.values {
		if v.typ == typ {
			out = append(out, providers.AnswerRecord{Name: name, Type: typ, Value: v.value, TTL: otherTTL})
		}
	}
	return "NOERROR", out
}

// wildcard is the node that answers for a name at which nothing stands: the one
// below its closest encloser, the longest name above it that exists, if only
// because of names below it; nil when there is none [RFC 4592, section 3.3].
func (z *zone) wildcard(i int, name string, now time.Time) *node {
	stands := func(n *node) bool {
		if n == nil {
			return false
		}
		v := n.seen(i, now)
		return len(v.records)+len(v.other) > 0
	}
	for at := name; at != z.name; {
		_, above, _ := strings.Cut(at, ".")
		if n := z.nodes["*."+above]; stands(n) {
			// Whatever exists between the two keeps it from answering.
			for other, x := range z.nodes {
				if (other == at || strings.HasSuffix(other, "."+at)) && stands(x) {
					return nil
				}
			}
			return n
		}
		at = above
	}
	return nil
}

// absent is the answer where nothing stands: NXDOMAIN, or NOERROR when there
// are names below.
func (z *zone) absent(name string) string {
	for n, at := range z.nodes {
		if strings.HasSuffix(n, "."+name) && len(at.versions[len(at.versions)-1].records) > 0 {
			return "NOERROR"
		}
	}
	return "NXDOMAIN"
}

// rows are the records that r gives in answer to a question of type typ.
func (w *World) rows(z *zone, name, typ string, r providers.Record) []providers.AnswerRecord {
	ttl := uint32(ttlOf(r) / time.Second)
	switch {
	case r.Proxied:
		if typ != "A" && typ != "AAAA" {
			return nil
		}
		e := endpoint{kind: proxyEnd, host: z.provider.Address, proxy: z.provider, v6: true}
		return w.addresses(e, name, typ, ttl)
	case z.flattens(name, r):
		_, out := w.host(r.Value, typ)
		out = slices.Clone(out)
		for i := range out {
			out[i].Name, out[i].TTL = name, ttl
		}
		return out
	case r.Alias:
		if typ != r.Type && !(r.Type == "CNAME" && (typ == "A" || typ == "AAAA")) {
			return nil
		}
		_, out := w.host(r.Value, typ)
		out = slices.Clone(out)
		for i := range out {
			out[i].Name = name
		}
		return out
	case r.Type == typ || r.Type == "CNAME":
		return []providers.AnswerRecord{{Name: name, Type: r.Type, Value: r.Value, TTL: ttl}}
	}
	return nil
}

// flattens is whether r, a CNAME, is answered with the addresses of its target.
func (z *zone) flattens(name string, r providers.Record) bool {
	return r.Type == "CNAME" && !r.Alias && (z.provider.FlattenAll || name == z.name && z.provider.Features.Flatten)
}

// host answers for the names outside the world's zones: S3's and CloudFront's.
func (w *World) host(name, typ string) (string, []providers.AnswerRecord) {
	e, _, ok := s3Host(name)
	if d := w.edges[name]; d != nil && d.domain == name {
		e, ok = endpoint{kind: edgeEnd, host: name, v6: d.served.IPv6}, true
	}
	if !ok {
		return "NXDOMAIN", nil
	}
	return "NOERROR", w.addresses(e, name, typ, hostTTL)
}

// addresses are the stable addresses of e, for questions of type A and AAAA.
func (w *World) addresses(e endpoint, name, typ string, ttl uint32) []providers.AnswerRecord {
	if typ != "A" && (typ != "AAAA" || !e.v6) {
		return nil
	}
	memo := placeKey{e.kind, e.region, e.host, name, typ, e.global}
	if out, ok := w.places[memo]; ok {
		return out
	}
	key := []string{e.kind, e.region, strconv.FormatBool(e.global)}
	n := 1
	switch e.kind {
	case edgeEnd:
		key, n = []string{e.kind, e.host}, 4
	case proxyEnd:
		key, n = []string{e.kind, e.host}, 2
	}
	var out []providers.AnswerRecord
	for i := range n {
		h := mix(0, append(key, strconv.Itoa(i))...)
		a := fmt.Sprintf("198.%d.%d.%d", 18+h>>16&1, h>>8&255, h&255)
		if typ == "AAAA" {
			a = fmt.Sprintf("2001:db8:%x::%x", h>>16&0xffff|1, h&0xffff|1)
		}
		w.hosts[a] = e
		out = append(out, providers.AnswerRecord{Name: name, Type: typ, Value: a, TTL: ttl})
	}
	w.places[memo] = out
	return out
}

// placeKey is what decides the addresses of an endpoint.
type placeKey struct {
	kind, region, host, name, typ string
	global                        bool
}

// resolve asks caching resolver i. The records carry what is left of their
// TTLs; left is how long the whole answer may be kept.
func (w *World) resolve(i int, name, typ string, now time.Time) (rcode string, chain []providers.AnswerRecord, left time.Duration) {
	rcode, left = w.walk(i, name, typ, now, func(c cachedAnswer) {
		for _, a := range c.records {
			a.TTL = uint32(max(0, c.until.Sub(now)) / time.Second)
			chain = append(chain, a)
		}
	})
	return rcode, chain, left
}

// walk follows the chain from name through the cache of resolver i.
func (w *World) walk(i int, name, typ string, now time.Time, each func(cachedAnswer)) (rcode string, left time.Duration) {
	left = time.Hour
	for range 9 {
		c := w.cachedAnswer(w.caches[i], i, name, typ, now)
		left = min(left, c.until.Sub(now))
		each(c)
		if len(c.records) == 0 || c.records[0].Type != "CNAME" || typ == "CNAME" {
			return c.rcode, left
		}
		name = c.records[0].Value
	}
	return "SERVFAIL", 0
}

// cachedAnswer is r's answer for one name of a chain: from the cache, or from a
// name server of the zone.
func (w *World) cachedAnswer(r *resolver, i int, name, typ string, now time.Time) cachedAnswer {
	if c, ok := r.cache[question{name, typ}]; ok && now.Before(c.until) {
		return c
	}
	if typ != "CNAME" {
		if c, ok := r.cache[question{name, "CNAME"}]; ok && now.Before(c.until) && len(c.records) > 0 {
			return c
		}
	}
	var c cachedAnswer
	keep := hostTTL * time.Second
	if z := w.zoneOf(name); z != nil {
		server := mix(w.o.Seed, "ask", name, strconv.FormatInt(now.UnixNano()/1e9+int64(i), 36)) % uint64(len(z.servers))
		c.rcode, c.records = w.answer(z, int(server), name, typ, now)
		keep = z.negative
	} else {
		c.rcode, c.records = w.host(name, typ)
	}
	q := question{name, typ}
	for k, a := range c.records {
		if d := time.Duration(a.TTL) * time.Second; k == 0 || d < keep {
			keep = d
		}
		q.typ = a.Type
	}
	c.until = now.Add(max(keep, r.how.Floor))
	r.cache[q] = c
	return c
}
