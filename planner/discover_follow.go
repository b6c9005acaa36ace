package planner

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/providers"
)

const (
	// maxHops is how many names a chain may have [as resolvers bound it].
	maxHops = 16
	// maxOutside is how many names outside the zones the resolvers are asked for.
	maxOutside = 1000
)

// neverS3 end names that are no way to S3, so that nobody needs to be asked.
var neverS3 = []string{".amazonaws.com", ".amazonaws.com.cn", ".cloudfront.net", ".acm-validations.aws", ".awsglobalaccelerator.com", ".azureedge.net", ".fastly.net"}

// trail is where a name leads.
type trail struct {
	via  []string
	ends endpoint
	// outside is the name at which the zones end, "" when they do not.
	outside string
}

// follow finds the names that lead to S3.
func (s *search) follow(ctx context.Context) error {
	trails, outside := map[string]trail{}, map[string]bool{}
	for name, set := range s.sets {
		if strings.Contains(name, "_") && !strings.HasPrefix(name, "*") && len(set.Records) == 1 && !anyS3(set.Records) {
			continue // validation and mail records; no bucket can have such a name
		}
		t, ok := s.trail(name)
		if ok {
			trails[name] = t
		}
		if t.outside != "" {
			outside[t.outside] = true
		}
	}
	ends, err := s.resolve(ctx, outside)
	if err != nil {
		return err
	}
	known := s.known()
	for _, name := range slices.Sorted(maps.Keys(trails)) {
		t := trails[name]
		if t.outside != "" {
			e, ok := ends[t.outside]
			if !ok {
				continue
			}
			t.via, t.ends = append(t.via, e.via...), e.ends
		}
		s.keep(name, t, known)
	}
	s.behindWildcards(known)
	return s.matched()
}

// known are the names and buckets that the configuration has.
func (s *search) known() map[string]bool {
	known := map[string]bool{}
	for _, b := range s.c.Buckets {
		known[b.Name] = true
		for _, n := range b.Names() {
			known[n] = true
		}
	}
	return known
}

func (s *search) keep(name string, t trail, known map[string]bool) {
	set := s.sets[name]
	if known[name] {
		s.configured++
		return
	}
	b := s.buckets[name]
	n := FoundName{Name: name, DNSProvider: set.provider, Zone: set.Zone, Record: showRecords(set.Records),
		Via: t.via, Endpoint: string(t.ends.kind), Account: b.account, Region: b.Region, wildcard: strings.HasPrefix(name, "*"), ends: t.ends}
	if n.wildcard {
		s.wild = append(s.wild, n)
	}
	if s.chosen(name, blockAddress(name)) {
		s.found = append(s.found, n)
	}
}

// blockAddress is the address of a block with that label.
func blockAddress(name string) string { return fmt.Sprintf("bucket[%q]", name) }

// behindWildcards are buckets that visitors reach by a wildcard record.
func (s *search) behindWildcards(known map[string]bool) {
	for _, name := range slices.Sorted(maps.Keys(s.buckets)) {
		_, stands := s.sets[name]
		if stands || known[name] || !s.chosen(name, blockAddress(name)) {
			continue
		}
		for _, w := range s.wild {
			if strings.HasSuffix(name, w.Name[1:]) {
				b := s.buckets[name]
				w.Name, w.Via, w.wildcard = name, append([]string{w.Name}, w.Via...), false
				w.Account, w.Region = b.account, b.Region
				s.found = append(s.found, w)
				break
			}
		}
	}
}

// matched refuses a target that matches nothing.
func (s *search) matched() error {
	for _, p := range s.o.Targets {
		if _, bucket := s.buckets[p]; !bucket && !slices.ContainsFunc(s.found, func(n FoundName) bool {
			return matches(p, n.Name) || matches(p, blockAddress(n.Name))
		}) {
			return &NoNameError{p}
		}
	}
	return nil
}

// NoNameError says that a pattern matches no name that leads to S3.
type NoNameError struct{ Pattern string }

func (e *NoNameError) Error() string {
	return fmt.Sprintf("-target=%s matches no name that leads to S3 and is not configured", e.Pattern)
}

// Hint says what a pattern is.
func (e *NoNameError) Hint() string {
	return "write a name or a pattern of names, such as -target='*.example.com'; without -target all are shown"
}

func anyS3(rs []providers.Record) bool {
	return slices.ContainsFunc(rs, func(r providers.Record) bool {
		_, ok := parseEndpoint(r.Value)
		return ok && (r.Type == "CNAME" || r.Alias)
	})
}

// trail follows name through the zones; false when it leads to no other name.
func (s *search) trail(name string) (trail, bool) {
	var t trail
	for at := name; ; {
		set, ok := s.at(at)
		target := ""
		for _, r := range set.Records {
			if r.Type != "CNAME" && !r.Alias {
				continue
			}
			if e, s3 := parseEndpoint(r.Value); s3 {
				t.ends = e
				return t, true
			}
			target = strings.ToLower(strings.TrimSuffix(r.Value, "."))
		}
		switch {
		case !ok && at != name && s.zoneOf(at) < 0 || !ok && at != name && s.unlisted(at):
			t.outside = at
			return t, true
		case target == "" || len(t.via) == maxHops || // the longest chain, or a circle
			slices.ContainsFunc(neverS3, func(end string) bool { return strings.HasSuffix(target, end) }):
			return trail{}, false
		}
		t.via = append(t.via, target)
		at = target
	}
}

// unlisted says that the zone of name was not listed, so that its absence means
// nothing.
func (s *search) unlisted(name string) bool {
	z := s.zoneOf(name)
	return z >= 0 && s.zones[z].Why != ""
}

// at is what answers for name: its own records, or a wildcard's.
func (s *search) at(name string) (placedSet, bool) {
	if set, ok := s.sets[name]; ok {
		return set, true
	}
	for parent := name; ; {
		_, after, ok := strings.Cut(parent, ".")
		if !ok {
			return placedSet{}, false
		}
		if set, ok := s.sets["*."+after]; ok {
			return set, true
		}
		parent = after
	}
}

// resolve asks the resolvers where names outside the zones lead.
func (s *search) resolve(ctx context.Context, outside map[string]bool) (map[string]trail, error) {
	names := slices.Sorted(maps.Keys(outside))
	if len(names) > maxOutside {
		s.findings = append(s.findings, Finding{Warning, "outside-not-followed", fmt.Sprintf("%d names outside the zones were not followed", len(names)-maxOutside),
			fmt.Sprintf("records lead to %d names outside the zones of the configuration, and the resolvers are asked for %d of them; the first that was left out is %s. Add the zones that are yours, or choose with -target", len(names), maxOutside, names[maxOutside])})
		names = names[:maxOutside]
	}
	trails, ok := make([]trail, len(names)), make([]bool, len(names))
	unasked := make([]bool, len(names))
	g, gctx := s.each(ctx)
	for i, name := range names {
		g.Go(func() (err error) {
			defer providers.Recovered(&err)
			as, err := s.w.Resolver.Resolve(gctx, name, "A")
			trails[i], ok[i] = outsideTrail(name, as)
			unasked[i] = err != nil || !slices.ContainsFunc(as, func(a providers.Answer) bool { return a.RCode != "" })
			return gctx.Err()
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	out, silent := map[string]trail{}, []string{}
	for i, name := range names {
		if ok[i] {
			out[name] = trails[i]
		}
		if unasked[i] {
			silent = append(silent, name)
		}
	}
	if len(silent) > 0 {
		s.findings = append(s.findings, Finding{Warning, "outside-not-followed", fmt.Sprintf("%d names outside the zones were not answered", len(silent)),
			"no resolver said where " + firstNames(silent) + " leads; run it again, or name resolvers in probe { resolvers = […] }"})
	}
	return out, nil
}

func firstNames(names []string) string {
	const most = 5
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}

// outsideTrail reads the chain of an answer.
func outsideTrail(name string, as []providers.Answer) (trail, bool) {
	for _, a := range as {
		next := map[string]string{}
		for _, r := range a.Records {
			if r.Type == "CNAME" {
				next[strings.ToLower(r.Name)] = strings.ToLower(strings.TrimSuffix(r.Value, "."))
			}
		}
		var t trail
		for at := name; next[at] != "" && len(t.via) < maxHops; at = next[at] {
			if e, ok := parseEndpoint(next[at]); ok {
				t.ends = e
				return t, true
			}
			t.via = append(t.via, next[at])
		}
	}
	return trail{}, false
}

// block is what is written for a name.
func (n FoundName) block() config.Found {
	return config.Found{Bucket: n.Name, Region: n.Region, Account: n.Account, DNSProvider: n.explicit}
}
