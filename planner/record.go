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

// showRecords is a record set as plans print it; "" is none.
func showRecords(rs []providers.Record) string {
	rs = slices.Clone(rs)
	providers.SortRecords(rs)
	var parts []string
	for _, r := range rs {
		parts = append(parts, r.String())
	}
	return strings.Join(parts, " + ")
}

func recordPath(name string) string { return "record " + name }

// withTTL are records with another TTL, where they have one of their own.
func withTTL(rs []providers.Record, ttl time.Duration) []providers.Record {
	rs = slices.Clone(rs)
	for i := range rs {
		if !rs[i].Alias && !rs[i].Proxied {
			rs[i].TTL = ttl
		}
	}
	return rs
}

// lowTarget is the TTL that lowering aims at: what the provider can keep.
func lowTarget(b config.Bucket, n NameActual) time.Duration {
	return max(b.DNS.LowTTL, n.Features.MinTTL)
}

// moved is the name that S3 serves today, nil when only added names are asked.
func (a Actual) moved(b config.Bucket) *NameActual {
	for i := range a.Names {
		if b.Moved(a.Names[i].CNAME) {
			return &a.Names[i]
		}
	}
	return nil
}

// meanwhile is more than a look takes.
const meanwhile = 10 * time.Minute

// checkTTLLower (rule 8): the TTL is low on every authoritative server, and the
// old TTL has run out since.
func checkTTLLower(b config.Bucket, a Actual) Verdict {
	n := a.moved(b)
	if n == nil || n.Serves == servesOurs || n.Serves == servesNobody {
		return done("no record is to be lowered")
	}
	ttl, has := n.ttl()
	if !has {
		return done("the record of " + n.CNAME.Name + " has no TTL of its own")
	}
	low := lowTarget(b, *n)
	was, drain, saved := a.Crumbs.wasTTL()
	since, askedTTL, lowered := a.Crumbs.lowSince()
	asked := saved && askedTTL == ttl
	// Far in the future, a clock was wrong, and it is seen anew. A little later than
	// this look began is another run that wrote it meanwhile: that only waits longer.
	lowered = lowered && asked && !since.After(a.Now.Add(meanwhile))
	switch {
	case ttl > low && !asked:
		return lowerVerdict(*n, ttl, low)
	case !saved || ttl == was:
		return done(fmt.Sprintf("the TTL of %s is %s", n.CNAME.Name, shortDuration(ttl)))
	case lowered && !a.Now.Before(since.Add(drain)):
		return done(fmt.Sprintf("the TTL of %s is %s, and the old one of %s has run out", n.CNAME.Name, shortDuration(ttl), shortDuration(drain)))
	case lowered:
		v := waiting(fmt.Sprintf("until %s: resolvers may hold the old TTL of %s until then", writeTime(since.Add(drain)), shortDuration(drain)))
		v.Until, v.Expect = since.Add(drain), drain
		return v
	case !a.has(PartAuthoritative):
		v := waiting("the authoritative servers have not been asked yet")
		v.Expect = drain
		return v
	}
	if behind := serversBehind(*n, ttl); behind != nil {
		v := waiting("the low TTL is not at every authoritative server: " + strings.Join(behind, "; "))
		v.Expect = drain
		return v
	}
	v := todo("every authoritative server has the low TTL: the old one of " + shortDuration(drain) + " starts to run out")
	v.Expect = drain
	return v
}

func lowerVerdict(n NameActual, ttl, low time.Duration) Verdict {
	v := todo(fmt.Sprintf("then wait until the old TTL of %s has run out everywhere", shortDuration(ttl)),
		ValueChange{recordPath(n.CNAME.Name), showRecords(n.Set.Records), showRecords(withTTL(n.Set.Records, low))})
	v.Expect = ttl + expectInSync
	v.Undo = "edgeward rollback sets the old TTL again"
	v.ByHand = n.byHand(withTTL(n.Set.Records, low))
	return v
}

// serversBehind are the authoritative servers that do not answer, or not with a
// TTL of at most ttl. The addresses of a flattened CNAME have a TTL of their own
// as well.
func serversBehind(n NameActual, ttl time.Duration) []string {
	var out []string
	if n.alias() {
		ttl = max(ttl, aliasTTL)
	}
	for _, a := range n.Authoritative {
		ok := len(a.Records) > 0 && a.Err == ""
		for _, r := range a.Records {
			ok = ok && (r.Name != "" && r.Name != n.CNAME.Name || time.Duration(r.TTL)*time.Second <= ttl)
		}
		if !ok {
			out = append(out, a.Server+" answers "+saysTTL(a))
		}
	}
	if len(n.Authoritative) == 0 {
		return []string{"none was found"}
	}
	return out
}

func lowerTTL(ctx context.Context, s scene) error {
	n := s.a.moved(s.b)
	ttl, _ := n.ttl()
	low := lowTarget(s.b, *n)
	if _, asked, _ := s.a.Crumbs.lowSince(); ttl <= low || asked == ttl {
		// A time that must not be early is written after what it is about.
		return s.setTags(ctx, map[string]string{crumbLowSince: writeSince(writeTime(s.w.Clock.Now()), ttl)})
	}
	save := s.a.Crumbs.saveRecord(*n, low)
	if s.a.Crumbs[crumbLowSince] != "" {
		save[crumbLowSince] = ""
	}
	if err := s.setTags(ctx, save); err != nil {
		return err
	}
	if err := s.replace(ctx, "lower the TTL of", []replacement{{*n, withTTL(n.Set.Records, low)}}); err != nil {
		return err
	}
	return readBackTTL(ctx, s, *n, low)
}

// replacement is the change of one name's records.
type replacement struct {
	n    NameActual
	want []providers.Record
}

// replace writes the records of names, one after the other. What a person has
// to do is asked for at once, for all names.
func (s scene) replace(ctx context.Context, what string, rs []replacement) error {
	var asked []error
	for _, r := range rs {
		name := r.n.CNAME.Name
		err := s.w.DNS[r.n.CNAME.DNSProvider].Replace(ctx, name, r.n.Set.Records, r.want)
		var hand *providers.ByHandError
		switch {
		case errors.As(err, &hand):
			asked = append(asked, hand)
		case errors.Is(err, providers.ErrConflict):
			return &overtakenError{providers.Doing(err, "%s %s", what, name)}
		case err != nil:
			return providers.Doing(err, "%s %s", what, name)
		}
	}
	return allByHand(asked)
}

// allByHand is what several ByHandErrors ask for as one; nil for none.
func allByHand(asked []error) error {
	var all providers.ByHandError
	for i, err := range asked {
		var hand *providers.ByHandError
		if !errors.As(err, &hand) {
			return err
		}
		if i > 0 {
			all.Record, all.Still = all.Record+"; ", all.Still+"; "
		}
		all.Record, all.Still = all.Record+hand.Record, all.Still+hand.Still
	}
	if len(asked) == 0 {
		return nil
	}
	return &all
}

// readBackTTL notices a provider that kept the TTL, or has a floor: that is
// written down, and the switch goes on with the longer mixed time.
func readBackTTL(ctx context.Context, s scene, n NameActual, low time.Duration) error {
	set, err := s.w.DNS[n.CNAME.DNSProvider].Look(ctx, n.CNAME.Name)
	if err != nil {
		return providers.Doing(err, "read back the record of %s", n.CNAME.Name)
	}
	n.Set = set
	kept, has := n.ttl()
	if !has || kept <= low {
		return nil
	}
	s.note(fmt.Sprintf("%s was asked for a TTL of %s and has %s: for that long some visitors will reach S3 and some CloudFront", n.CNAME.DNSProvider, shortDuration(low), shortDuration(kept)))
	return s.setTags(ctx, map[string]string{crumbLowSince: writeSince("asked", kept)})
}

func writeSince(at string, ttl time.Duration) string {
	return fmt.Sprintf("%s/%d", at, int64(ttl/time.Second))
}

// setTags merges crumbs into the distribution's tags; nothing when none.
func (s scene) setTags(ctx context.Context, tags map[string]string) error {
	if len(tags) == 0 {
		return nil
	}
	if err := s.acc.Distributions.SetTags(ctx, s.a.Dist.ARN, tags); err != nil {
		return providers.Doing(err, "write %s to the tags of distribution %s", strings.Join(slices.Sorted(maps.Keys(tags)), ", "), s.a.Dist.ID)
	}
	return nil
}

// cloudFrontZone is the hosted zone of every alias to a distribution [Route 53
// API Reference, AliasTarget].
const cloudFrontZone = "Z2FDTNDATAQYW2"

// wantedRecords are what a name should have: a CNAME stays a CNAME, proxied if it
// is; an alias record, an apex, or a name with other types beside gets alias
// records where the provider has them. No TTL is below what the provider keeps.
func wantedRecords(b config.Bucket, a Actual, n NameActual) []providers.Record {
	domain, ipv6 := knownAfter(DistributionCreate), true
	if a.Dist != nil {
		domain, ipv6 = a.Dist.Domain, a.Dist.Settings.IPv6
	}
	ttl, has := n.ttl()
	low := lowTarget(b, n)
	if !has || ttl > low {
		ttl = low
	}
	ttl = max(ttl, n.Features.MinTTL)
	if useAlias(n) {
		rs := []providers.Record{{Type: "A", Value: domain, Alias: true, AliasZone: cloudFrontZone}}
		if ipv6 {
			rs = append(rs, providers.Record{Type: "AAAA", Value: domain, Alias: true, AliasZone: cloudFrontZone})
		}
		return rs
	}
	if n.proxied() {
		return []providers.Record{{Type: "CNAME", Value: domain, Proxied: true}}
	}
	return []providers.Record{{Type: "CNAME", Value: domain, TTL: ttl}}
}

func useAlias(n NameActual) bool {
	if !n.Features.Alias {
		return false
	}
	cname := slices.ContainsFunc(n.Set.Records, func(r providers.Record) bool { return r.Type == "CNAME" })
	return !cname && (len(n.Set.Records) > 0 || n.CNAME.Name == n.Set.Zone || len(n.Set.Other) > 0)
}

// checkSwitch: every name's record is the distribution's.
func checkSwitch(b config.Bucket, a Actual) Verdict {
	v := todo("one write a name; visitors are sent to CloudFront from then on")
	for _, n := range a.Names {
		if n.Serves == servesOurs {
			continue
		}
		want := wantedRecords(b, a, n)
		v.Changes = append(v.Changes, ValueChange{recordPath(n.CNAME.Name), showRecords(n.Set.Records), showRecords(want)})
		v.ByHand = append(v.ByHand, n.byHand(want)...)
		if !n.Features.Swap {
			v.Why = "not atomic: an edit within the write itself can be lost"
		}
	}
	if v.ByHand != nil {
		v.Why = "by hand, when apply asks for it and not before: until then CloudFront may not serve the name"
	}
	if v.Changes == nil {
		return done("the names are the distribution's")
	}
	if until, ok := a.frozen(); ok {
		v.Status, v.Why, v.Until = Waiting, "limits { freeze } lets no name be switched before "+until.Format("2006-01-02 15:04 UTC"), until
	}
	v.Expect = expectInSync
	v.Undo = "edgeward rollback -target='" + b.Address + "'"
	if sendsToHTTPS(b, a) {
		v.Undo = goBackBy(b, acceptHTTPSLoss)
	}
	return v
}

// switchNames is the gate of rule 7 and then the writes.
func switchNames(ctx context.Context, s scene) error {
	if s.a.Dist == nil {
		return notYet("there is no distribution yet")
	}
	d, err := s.acc.Distributions.Distribution(ctx, s.a.Dist.ID)
	if err != nil {
		return providers.Doing(err, "read distribution %s before the switch", s.a.Dist.ID)
	}
	if d.Status != providers.Deployed {
		return notYet("distribution " + d.ID + " is " + d.Status + " again: not every edge has it")
	}
	if m := missing(d.Settings.Aliases, s.b.Names()); m != nil || !d.Settings.Enabled || d.Settings.CertificateARN == "" {
		return fmt.Errorf("distribution %s cannot take the visitors: it needs to be enabled, with a certificate and the aliases %s: %w", d.ID, strings.Join(s.b.Names(), ", "), providers.ErrConflict)
	}
	s.a.Dist.ETag = d.ETag
	if !proven(s.b, s.a) {
		if s.a.Bucket == nil {
			return notYet("distribution " + d.ID + " was changed since its links were compared")
		}
		if err := verifyLinks(ctx, s); err != nil {
			return err
		}
	}
	save := map[string]string{crumbSwitched: writeTime(s.w.Clock.Now())}
	if n := s.a.moved(s.b); n != nil {
		maps.Copy(save, s.a.Crumbs.saveRecord(*n, lowTarget(s.b, *n)))
	}
	if served := s.a.Crumbs.served(s.a.moved(s.b) != nil && s.a.moved(s.b).Serves != servesOurs); served != s.a.Crumbs[crumbServed] {
		save[crumbServed] = served
	}
	for _, k := range []string{crumbHold, crumbFinished} {
		if s.a.Crumbs[k] != "" {
			save[k] = ""
		}
	}
	if err := s.reserveHold(ctx, save); err != nil {
		return err
	}
	save[crumbSwitched] = writeTime(s.w.Clock.Now())
	if err := s.setTags(ctx, save); err != nil {
		return err
	}
	if err := maySwitch(ctx, s, save); err != nil {
		return err
	}
	var rs []replacement
	for _, n := range s.a.Names {
		if n.Serves != servesOurs {
			rs = append(rs, replacement{n, wantedRecords(s.b, s.a, n)})
		}
	}
	return s.replace(ctx, "switch", rs)
}

// reserveHold adds the keys of a way back to what is written before the switch,
// where the distribution does not have them: what cannot be held is not switched.
func (s scene) reserveHold(ctx context.Context, save map[string]string) error {
	if s.a.Crumbs.reserved() {
		return nil
	}
	tags, err := s.acc.Distributions.Tags(ctx, s.a.Dist.ARN) // anew, so that no hold written since is emptied
	if err != nil {
		return providers.Doing(err, "read the tags of distribution %s before the switch", s.a.Dist.ID)
	}
	crumbs(tags).reserve(save)
	return nil
}

// stillFree finds out, as the last thing before the switch, whether a way back or
// a freeze was begun since the look: the links take a while to fetch.
func stillFree(ctx context.Context, s scene) error {
	_, err := s.freeTags(ctx)
	return err
}

// freeTags is stillFree, and gives the tags that it has read.
func (s scene) freeTags(ctx context.Context) (crumbs, error) {
	tags, err := s.acc.Distributions.Tags(ctx, s.a.Dist.ARN)
	if err != nil {
		return nil, providers.Doing(err, "read the tags of distribution %s before the switch", s.a.Dist.ID)
	}
	if hold := tags[crumbHold]; hold != "" && hold != s.a.Crumbs[crumbHold] {
		return nil, &heldError{s.b.Address, hold}
	}
	if _, frozen := s.a.Limits.Frozen(s.w.Clock.Now()); frozen && !s.a.begun() {
		return nil, notYet("a freeze of limits has begun meanwhile")
	}
	return tags, nil
}

// maySwitch is stillFree, and sees the old record of the moved name written down;
// saved is what has just been.
func maySwitch(ctx context.Context, s scene, saved map[string]string) error {
	tags, err := s.freeTags(ctx)
	n := s.a.moved(s.b)
	if err != nil || n == nil || n.Serves == servesOurs {
		return err
	}
	if was, just := saved[crumbWas]; tags[crumbWas] == "" || just && tags[crumbWas] != was {
		return notYet("tag " + crumbWas + " of distribution " + s.a.Dist.ID + ", which keeps the way back, is not to be seen yet")
	}
	return nil
}

// checkPropagated: the world answers with the distribution (rule 9).
func checkPropagated(b config.Bucket, a Actual) Verdict {
	if a.finished() {
		return done("an earlier run saw the world answer")
	}
	if !a.switched() || !a.has(PartAuthoritative|PartResolvers) {
		v := waiting("until every authoritative server and most resolvers answer with the distribution")
		v.Expect, _ = mixedTime(b, a)
		return v
	}
	var proofs []string
	for _, n := range a.Names {
		if why := unproven(n, func(x providers.Answer) bool { return answersWith(x, a.Dist.Domain) }); why != "" {
			v := waiting(why)
			v.Expect, _ = mixedTime(b, a)
			return v
		}
		proofs = append(proofs, n.proof("the distribution"))
	}
	return done(allProofs(a.Names, proofs))
}

// proof says how the record of a name is proven (rule 9), once it is.
func (n NameActual) proof(whose string) string {
	switch {
	case n.proxied():
		return "the provider has the record of " + whose + ", and HTTP under the name answers through its proxy"
	case n.alias() && n.Serves == servesOurs:
		return "the provider has the record, and every address answered for the name is an edge of CloudFront with our certificate"
	case n.alias():
		return "the provider has the record, and no address answered for the name is an edge of CloudFront"
	}
	return "every authoritative server and most resolvers answer with " + whose
}

// allProofs names the proof of each name where they differ.
func allProofs(names []NameActual, proofs []string) string {
	if len(slices.Compact(slices.Clone(proofs))) == 1 {
		return proofs[0]
	}
	var parts []string
	for i, p := range proofs {
		parts = append(parts, names[i].CNAME.Name+": "+p)
	}
	return strings.Join(parts, "; ")
}

// unproven says what the proof of a name's record still lacks, "" when nothing:
// every authoritative server, and more than half of the resolvers.
func unproven(n NameActual, right func(providers.Answer) bool) string {
	if n.Unasked != nil {
		return n.CNAME.Name + ": the authoritative servers could not be asked: " + n.Unasked.Error()
	}
	if n.alias() {
		if n.Edge != nil {
			return n.CNAME.Name + ": " + n.Edge.Error()
		}
		return ""
	}
	var behind []string
	for _, a := range n.Authoritative {
		if !right(a) {
			behind = append(behind, a.Server+" answers "+says(a))
		}
	}
	if len(n.Authoritative) == 0 || behind != nil {
		return n.CNAME.Name + ": not every authoritative server has the record: " + strings.Join(behind, "; ")
	}
	for _, a := range n.Resolved {
		if !right(a) {
			behind = append(behind, a.Server+" answers "+says(a))
		}
	}
	if ok := len(n.Resolved) - len(behind); 2*ok <= len(n.Resolved) {
		return fmt.Sprintf("%s: %d of %d resolvers have the record: %s", n.CNAME.Name, ok, len(n.Resolved), strings.Join(behind, "; "))
	}
	return ""
}

// mixedTime is how long some visitors reach S3 and some CloudFront after the
// switch, or after the way back: that one begins with the TTL as it is. The why
// is for what is not low_ttl; a proxy sends everybody the new way at once.
func mixedTime(b config.Bucket, a Actual) (longest time.Duration, why string) {
	longer := func(d time.Duration, w string) {
		if d > longest {
			longest, why = d, w
		}
	}
	for _, n := range a.Names {
		ttl, has := n.ttl()
		low := lowTarget(b, n)
		switch {
		case n.Serves == servesNobody || n.proxied():
		case !has:
			longer(aliasTTL, "the answers of an alias record live that long")
		case n.Serves == servesOurs:
			longer(ttl, "")
		case a.Crumbs.keeps(ttl):
			longer(ttl, n.Features.Provider+" keeps that TTL")
		case ttl >= low && low > b.DNS.LowTTL:
			longer(low, n.Features.Provider+" keeps no shorter TTL")
		default:
			longer(min(ttl, low), "")
		}
	}
	return longest, why
}

// aliasTTL is the TTL that Route 53 gives to the answers of alias records to S3
// and CloudFront [Route 53 Developer Guide].
const aliasTTL = time.Minute

// finalTTL is what the names' records have in the end: the moved name's old TTL,
// for added names too. It is false when that is not ours to say: there is none,
// or the owner has had it back.
func finalTTL(b config.Bucket, a Actual) (time.Duration, bool) {
	was, _, saved := a.Crumbs.wasTTL()
	switch {
	case b.DNS.TTL > 0:
		return b.DNS.TTL, true
	case a.finished():
		return 0, false
	case saved:
		return was, true
	}
	if m := a.moved(b); m != nil && m.Serves != servesOurs {
		return m.ttl()
	}
	return 0, false
}

// checkTTLRestore: the record has its final TTL, and that is written down.
func checkTTLRestore(b config.Bucket, a Actual) Verdict {
	v := todo("nothing to restore: the end is written down")
	for _, n := range a.Names {
		final, ok := finalTTL(b, a)
		final = max(final, n.Features.MinTTL)
		if n.Serves != servesOurs {
			n.Set.Records = wantedRecords(b, a, n)
		}
		if ttl, has := n.ttl(); ok && has && ttl != final {
			v.Changes = append(v.Changes, ValueChange{recordPath(n.CNAME.Name), showRecords(n.Set.Records), showRecords(withTTL(n.Set.Records, final))})
			v.ByHand = append(v.ByHand, n.byHand(withTTL(n.Set.Records, final))...)
		}
	}
	switch {
	case v.Changes == nil && a.finished():
		return done("the migration is finished")
	case v.Changes != nil && b.DNS.TTL > 0:
		v.Why = "the final TTL"
	case v.Changes != nil:
		v.Why = "the old TTL again"
	}
	v.Undo = "edgeward rollback -target='" + b.Address + "'"
	return v
}

func restoreTTL(ctx context.Context, s scene) error {
	var rs []replacement
	for _, n := range s.a.Names {
		final, ok := finalTTL(s.b, s.a)
		final = max(final, n.Features.MinTTL)
		if n.Serves != servesOurs {
			return fmt.Errorf("restore the TTL of %s: it is %q now, not the distribution's, and is not touched: %w", n.CNAME.Name, showRecords(n.Set.Records), providers.ErrConflict)
		}
		if ttl, has := n.ttl(); ok && has && ttl != final {
			rs = append(rs, replacement{n, withTTL(n.Set.Records, final)})
		}
	}
	if err := s.replace(ctx, "restore the TTL of", rs); err != nil {
		return err
	}
	end := map[string]string{crumbFinished: writeTime(s.w.Clock.Now()), crumbLowSince: ""}
	end[crumbServed] = end[crumbFinished]
	switch {
	case !s.b.Watch.S3Metrics:
	case lockByMetrics(s.b):
		end[crumbCounting] = countID
	default:
		if err := stopCounting(ctx, s); err != nil && ctx.Err() == nil {
			s.note(err.Error() + "; the next apply tries again") // no visitor is hurt by it
			end[crumbCounting] = countID
		}
	}
	if s.a.Crumbs.held() { // of a way back that ended before its first record; -retry lifts it
		end[crumbHold] = ""
	}
	return s.setTags(ctx, end)
}

// shortDuration prints whole units: 90s, 1h, 1h30m, 1d.
func shortDuration(d time.Duration) string {
	if d < 2*time.Minute {
		return fmt.Sprintf("%ds", int64(d/time.Second))
	}
	var b strings.Builder
	for _, u := range []struct {
		name string
		d    time.Duration
	}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}} {
		if n := d / u.d; n > 0 {
			fmt.Fprintf(&b, "%d%s", n, u.name)
			d -= n * u.d
		}
	}
	return b.String()
}
