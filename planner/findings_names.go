package planner

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/providers"
)

// instead asks the authoritative servers what they answer for a name that has no
// record of its own, in every form that a visitor asks in: a wildcard, or another
// provider's servers, may lead visitors somewhere by it.
func (o *observer) instead(ctx context.Context, n *NameActual) error {
	as := n.Authoritative
	for _, typ := range []string{"A", "AAAA"} {
		if slices.ContainsFunc(as, func(x providers.Answer) bool { return len(x.Records) > 0 }) {
			break
		}
		var err error
		as, err = o.w.Resolver.Authoritative(ctx, n.CNAME.Zone, o.nameservers(n.CNAME.DNSProvider), n.CNAME.Name, typ)
		switch {
		case err != nil && ctx.Err() == nil:
			n.Unasked = err
			return nil
		case err != nil:
			return providers.Doing(err, "ask the authoritative servers of %s", n.CNAME.Zone)
		}
	}
	for _, x := range as {
		// What the distribution answered until just now is a way back on its way.
		if len(x.Records) > 0 && (o.a.Dist == nil || !answersWith(x, o.a.Dist.Domain)) {
			n.Instead = append(n.Instead, x)
		}
	}
	n.Whole = len(n.Instead) == len(as)
	if n.Instead == nil || n.Features.ByHand {
		return nil
	}
	return o.wildcard(ctx, n)
}

// wildcard reads the record that answers in place of the name's own.
func (o *observer) wildcard(ctx context.Context, n *NameActual) error {
	for at := n.CNAME.Name; at != n.CNAME.Zone; {
		_, above, ok := strings.Cut(at, ".")
		if !ok {
			return nil
		}
		set, err := o.w.DNS[n.CNAME.DNSProvider].Look(ctx, "*."+above)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil && len(set.Records) > 0 {
			set.Name = "*." + above
			n.Wildcard = &set
			break
		}
		at = above
	}
	if _, ok := s3Led(n.led()); ok && !o.b.Moved(n.CNAME) {
		_, err := o.acc.Buckets.Site(ctx, n.CNAME.Name, "", false)
		n.Vacant = errors.Is(err, providers.ErrNotFound)
		return ctx.Err()
	}
	return nil
}

// led are the targets to which the DNS leads the name, by its own record or by
// another; addresses are none.
func (n NameActual) led() []string {
	rs := slices.Clone(n.Set.Records)
	if n.Wildcard != nil {
		rs = append(rs, n.Wildcard.Records...)
	}
	var out []string
	for _, r := range rs {
		if r.Type == "CNAME" || r.Alias {
			out = append(out, r.Value)
		}
	}
	for _, x := range n.Instead {
		for _, r := range x.Records {
			if r.Type == "CNAME" {
				out = append(out, r.Value)
			}
		}
	}
	for i := range out {
		out[i] = strings.ToLower(strings.TrimSuffix(out[i], "."))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func s3Led(targets []string) (endpoint, bool) {
	for _, t := range targets {
		if e, ok := parseEndpoint(t); ok {
			return e, true
		}
	}
	return endpoint{}, false
}

// ownRecord is the record that gives a name by itself what it is answered now.
func ownRecord(b config.Bucket, a Actual, n NameActual, e endpoint) string {
	region := e.region
	if a.Bucket != nil && b.Moved(n.CNAME) {
		region = a.Bucket.Region
	}
	target := originDomain(n.CNAME.Name, region, e.kind)
	if region == "" {
		target = strings.Join(n.led(), " or ")
	}
	return n.CNAME.Name + " CNAME " + target
}

// insteadFindings: the name has no record, and is answered all the same. A
// distribution that is made for it must not take visitors along whom nobody looked
// at: what they are served by today is not known to the stages.
func insteadFindings(b config.Bucket, a Actual, n NameActual) []Finding {
	name := n.CNAME.Name
	by := "what stands above it"
	if n.Wildcard != nil {
		by = "the wildcard record " + n.Wildcard.Name + " (" + showRecords(n.Wildcard.Records) + ")"
	}
	f := Finding{Severity: Error, Code: "record-wildcard", Summary: name + " has no record of its own and is reached by " + by}
	e, s3 := s3Led(n.led())
	switch {
	case s3 && b.Moved(n.CNAME):
		f.Detail = wildcardWayOut(ownRecord(b, a, n, e))
	case s3 && n.Vacant:
		f.Severity = Warning
		f.Detail = "S3 has no bucket of that name, so it serves nobody there today; the switch creates a record for this name alone, and a rollback removes it"
	case s3:
		f.Detail = fmt.Sprintf("S3 takes the bucket from the name, so a visitor asks for bucket %s today, not %s. Take the name out of cnames; or give it a bucket block of its own, and the record %s", name, b.Name, ownRecord(b, a, n, e))
	case n.Wildcard == nil && (a.Dist != nil && !n.Whole):
		f.Severity, f.Code = Warning, "answers-differ"
		f.Detail = answeredInstead(n) + ". A change may be on its way; if it stays so, the zone has name servers that the provider does not feed"
	case n.Wildcard == nil:
		f.Code, f.Summary = "answers-differ", name+" is answered, though "+n.CNAME.DNSProvider+" has no record of it"
		f.Detail = answeredInstead(n) + ". The zone may be delegated to somebody else's name servers, or the provider answers in a way that it does not show. Visitors reach something by this name, and edgeward does not know what: write a record of the name's own first, or use the dns_provider that the zone is delegated to"
	default:
		f.Detail = fmt.Sprintf("%s. Its visitors are served by that, not by bucket %s, and the new distribution would take them away: take the name out of cnames; or, if the bucket is to serve them, let S3 serve them first, by a record of the name's own", answeredInstead(n), b.Name)
	}
	return []Finding{f}
}

// wildcardWayOut is what to do where a wildcard leads a name to S3.
func wildcardWayOut(record string) string {
	return "its visitors are served by S3 today, and edgeward moves only a record of the name's own, which a rollback can bring back. Write it first: " + record + ". Visitors notice nothing of that, for it leads them where they are led now. Then plan again"
}

func answeredInstead(n NameActual) string {
	var says []string
	for _, x := range n.Instead {
		says = append(says, x.Server+" answers "+saysAnything(x))
	}
	return strings.Join(says, "; ")
}

// saysAnything is an answer with what it names, addresses too.
func saysAnything(x providers.Answer) string {
	var out []string
	for _, r := range x.Records {
		out = append(out, r.Type+" "+r.Value)
	}
	return strings.Join(out, ", ")
}

// proxyFindings: a proxy that fetches over http, as Cloudflare's does in its mode
// Flexible, passes each redirect to https on, and asks by http again. A live
// distribution that has the setting already is left to whoever sees it work.
func proxyFindings(b config.Bucket, a Actual, n NameActual) []Finding {
	p := b.Distribution.ViewerProtocol
	switch {
	case !n.proxied() || p == nil || *p == "allow-all":
		return nil
	case n.Serves == servesOurs && a.Dist != nil && a.Dist.Settings.ViewerProtocol == *p:
		return nil
	}
	what := "visitors would be redirected from https to https for ever"
	if *p == "https-only" {
		what = "every visitor would be refused (403)"
	}
	return []Finding{{Error, "proxied-https", "viewer_protocol = \"" + *p + "\" does not go with the proxy that answers for " + n.CNAME.Name,
		fmt.Sprintf("where the proxy of %s fetches over http (its mode Flexible), %s, and edgeward cannot see the mode. Leave viewer_protocol out (allow-all), set the proxy's mode to Full, and let the proxy redirect visitors to https", n.Features.Provider, what)}}
}

// ipv6Findings: visitors who have no IPv4 reach S3 by a record with IPv6
// addresses, and no distribution without them.
func ipv6Findings(b config.Bucket, a Actual) []Finding {
	if want, _ := wantedSettings(b, a); want.IPv6 {
		return nil
	}
	for _, n := range a.Names {
		has := slices.ContainsFunc(n.Set.Records, func(r providers.Record) bool {
			return r.Type == "AAAA" || strings.Contains(r.Value, ".dualstack.")
		})
		if n.Serves == servesS3 && has && !n.proxied() {
			return []Finding{{Warning, "visitors-ipv6", "visitors who have only IPv6 will not reach " + n.CNAME.Name,
				fmt.Sprintf("its record %q leads them to S3 today, and the distribution has ipv6 = false; leave that out", showRecords(n.Set.Records))}}
		}
	}
	return nil
}

// fitting are old records as the name's provider of today can write them: only
// Cloudflare has a proxy of its own, so at another provider, to which the zone has
// moved since, a proxied record is a plain one. An error where no CNAME may stand.
func (n NameActual) fitting(old []providers.Record, err error) ([]providers.Record, error) {
	if err != nil || n.Features.Provider == "cloudflare" || !slices.ContainsFunc(old, func(r providers.Record) bool { return r.Proxied }) {
		return old, err
	}
	if n.CNAME.Name == n.Set.Zone && !n.Features.Flatten {
		return nil, fmt.Errorf("the old record of %s, %q, was the proxy's of another provider, and %s has nothing like it at the top of a zone; set by hand what leads visitors to S3, or stay", n.CNAME.Name, showRecords(old), n.Features.Provider)
	}
	old = slices.Clone(old)
	for i := range old {
		if old[i].Proxied {
			old[i].Proxied, old[i].TTL = false, max(plainTTL, n.Features.MinTTL)
		}
	}
	return old, nil
}

// plainTTL is what a record gets that had no TTL of its own.
const plainTTL = 5 * time.Minute

// unproxiedFindings say that a way back restores a proxied record as a plain one.
func unproxiedFindings(b config.Bucket, a Actual) []Finding {
	n := a.moved(b)
	was, err := decodeRecords(a.Crumbs[crumbWas], plainTTL)
	if n == nil || err != nil || n.Features.Provider == "cloudflare" || !slices.ContainsFunc(was, func(r providers.Record) bool { return r.Proxied }) {
		return nil
	}
	return []Finding{{Warning, "unproxied", n.CNAME.Name + " was answered by the proxy of another provider before the switch",
		n.Features.Provider + " has none: the record is restored as a plain one, which leads visitors to S3 itself, by http alone"}}
}

// aliasHijack says that the DNS leads one of the names to CloudFront by another
// record than the bucket's: the distribution that gets the name as its alias takes
// those visitors at once, wherever the DNS leads, since the more specific alias
// wins [CloudFront Developer Guide, "Using custom URLs"].
func aliasHijack(a Actual, d providers.Distribution) (name string, ok bool) {
	for _, n := range a.Names {
		if n.Serves == servesOurs {
			continue
		}
		for _, t := range n.led() {
			over := slices.ContainsFunc(d.Settings.Aliases, func(al string) bool { return providers.AliasOver(al, n.CNAME.Name) })
			if over && (strings.EqualFold(t, d.Domain) || strings.HasSuffix(t, ".cloudfront.net") && (a.Dist == nil || !strings.EqualFold(t, a.Dist.Domain))) {
				return n.CNAME.Name, true
			}
		}
	}
	return "", false
}

// chains are the records of every zone of the configuration that can be listed,
// read once for all buckets of a plan, and only when one of them is to be switched.
type chains struct {
	w    providers.World
	c    *config.Config
	once chan struct{}
	// to are the names whose record points at a name; done is closed when it is known.
	done chan struct{}
	to   map[string][]providers.RecordSet
	// unlisted are zones that no provider lists, unread those that could not be read
	// this time, with the reason.
	unlisted []string
	unread   []Finding
	err      error
}

func newChains(w providers.World, c *config.Config) *chains {
	ch := &chains{w: w, c: c, once: make(chan struct{}, 1), done: make(chan struct{}), to: map[string][]providers.RecordSet{}}
	ch.once <- struct{}{}
	return ch
}

// leads are the chains of the zones that discover has listed already.
func (s *search) leads() *chains {
	ch := newChains(s.w, s.c)
	for _, name := range slices.Sorted(maps.Keys(s.sets)) {
		ch.add(s.sets[name].RecordSet)
	}
	<-ch.once
	close(ch.done) // what could not be listed is said of the search
	return ch
}

// known waits until the zones were listed, by whoever comes first.
func (ch *chains) known(ctx context.Context) error {
	select {
	case <-ch.once:
		ch.err = ch.list(ctx)
		close(ch.done)
	case <-ch.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	return ch.err
}

func (ch *chains) list(ctx context.Context) error {
	for _, z := range ch.zones() {
		sets, err := ch.w.DNS[z.DNSProvider].List(ctx, z.Zone)
		switch {
		case err != nil && stopsAll(ctx, err):
			return err
		case errors.Is(err, providers.ErrUnlistable):
			ch.unlisted = append(ch.unlisted, z.Zone)
		case errors.Is(err, providers.ErrNotFound): // each bucket of that zone says so
		case err != nil:
			ch.unread = append(ch.unread, Finding{Warning, "chains-unknown", "zone " + z.Zone + " of " + z.DNSProvider + " could not be listed",
				whyUnread(err) + ". Whether other records point at the names to be moved is not known: their visitors would be refused after the switch"})
		}
		for _, set := range sets {
			ch.add(set)
		}
	}
	return nil
}

// zones are those of the providers, and those that names are in.
func (ch *chains) zones() []config.CNAME {
	var out []config.CNAME
	add := func(provider, zone string) {
		if z := (config.CNAME{DNSProvider: provider, Zone: zone}); ch.w.DNS[provider] != nil && !slices.Contains(out, z) {
			out = append(out, z)
		}
	}
	for _, p := range ch.c.DNSProviders {
		for _, zone := range p.Zones {
			add(p.Address, zone)
		}
	}
	for _, b := range ch.c.Buckets {
		for _, n := range b.CNAMEs {
			add(n.DNSProvider, n.Zone)
		}
	}
	return out
}

func (ch *chains) add(set providers.RecordSet) {
	for _, r := range set.Records {
		target := strings.ToLower(strings.TrimSuffix(r.Value, "."))
		if (r.Type == "CNAME" || r.Alias) && !slices.ContainsFunc(ch.to[target], func(s providers.RecordSet) bool { return s.Name == set.Name }) {
			ch.to[target] = append(ch.to[target], set)
		}
	}
}

// findings name the records that lead to S3 by way of a name that is to be moved:
// S3 takes the bucket from the name that a visitor asked for, and CloudFront holds
// only the bucket's own, so it would answer theirs with 403. A name that the
// distribution has as its alias already is served by it.
func (ch *chains) findings(b config.Bucket, a Actual) []Finding {
	if a.Bucket == nil {
		return nil // it is not there, or may not be read, and is not moved
	}
	var fs []Finding
	for _, n := range a.Names {
		if n.Serves != servesS3 {
			continue
		}
		seen := map[string]bool{n.CNAME.Name: true}
		for queue := []string{n.CNAME.Name}; len(queue) > 0; queue = queue[1:] {
			for _, set := range ch.to[queue[0]] {
				if seen[set.Name] {
					continue
				}
				seen[set.Name] = true
				if slices.Contains(b.Names(), set.Name) {
					continue // it is judged as one of the bucket's names
				}
				if a.Dist != nil && slices.Contains(a.Dist.Settings.Aliases, set.Name) {
					queue = append(queue, set.Name)
					continue
				}
				fs = append(fs, chainFinding(n, set))
			}
		}
	}
	return fs
}

func chainFinding(n NameActual, set providers.RecordSet) Finding {
	live := n.Set.Records[0]
	write := fmt.Sprintf("%s CNAME %s", set.Name, live.Value)
	if live.Alias {
		write = fmt.Sprintf("%s %s alias %s", set.Name, live.Type, live.Value)
	}
	who := "its visitors"
	if strings.HasPrefix(set.Name, "*") {
		who = "visitors of every name below it"
	}
	return Finding{Error, "record-chain", set.Name + " leads to S3 by way of " + n.CNAME.Name,
		fmt.Sprintf("its record is %q. After the switch %s reach a distribution that does not hold their name and get 403. S3 takes the bucket from the name that was asked for, so nothing is lost by pointing it at S3 itself now: %s. Then plan again", showRecords(set.Records), who, write)}
}

// about are the findings of the plan as a whole.
func (ch *chains) about() []Finding {
	select {
	case <-ch.done:
	default:
		return nil // nobody asked
	}
	fs := slices.Clone(ch.unread)
	if len(ch.unlisted) > 0 {
		fs = append(fs, Finding{Note, "chains-unknown", "records of " + firstNames(ch.unlisted) + " could not be looked through",
			"their provider has no list of names. If another name there is a CNAME of one that is to be moved, its visitors get 403 after the switch: point it at S3 itself first"})
	}
	return fs
}
