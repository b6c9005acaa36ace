package planner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/providers"
)

// oldRecords are what a name had before the switch: the crumb of the moved
// name; nothing for an added one. A TTL is at least what the provider keeps.
func oldRecords(b config.Bucket, a Actual, n NameActual) ([]providers.Record, error) {
	if !b.Moved(n.CNAME) {
		return nil, nil
	}
	was := a.Crumbs[crumbWas]
	if was == "" {
		return nil, fmt.Errorf("distribution %s has no tag %s, which keeps the old record of %s; set the record by hand: CNAME %s",
			a.Dist.ID, crumbWas, n.CNAME.Name, a.Dist.Settings.OriginDomain)
	}
	ttl, _, ok := a.Crumbs.wasTTL()
	if !ok { // lost, or never had: better the one it has than none
		ttl, _ = n.ttl()
	}
	return n.fitting(decodeRecords(was, max(ttl, n.Features.MinTTL)))
}

// restored says that the name has its old records; also with the old TTL where
// the provider would not keep it again.
func (n NameActual) restored(old []providers.Record, c crumbs) bool {
	was, _, _ := c.wasTTL()
	return providers.SameRecords(old, n.Set.Records) || providers.SameRecords(withTTL(old, was), n.Set.Records)
}

// heldSince says that the bucket is held and nothing was prepared to switch it
// since: else an apply -retry may be under way, which only a new hold stops.
func (c crumbs) heldSince() bool {
	return c.held() && c[crumbLowSince] == "" && c[crumbProof] == ""
}

// checkRestore: every name that goes back has its old record, and the bucket is held.
func checkRestore(b config.Bucket, a Actual) Verdict {
	if a.Dist == nil {
		return withoutDistribution(b, a)
	}
	v := todo("the old record of every name; the distribution stays, enabled, with its aliases: resolvers still send visitors there")
	for _, n := range a.Names {
		old, err := oldRecords(b, a, n)
		if a.stays(n) || n.Serves != servesOurs && a.Crumbs[crumbWas] == "" {
			continue // nothing was changed yet, or it has no other way
		}
		if err != nil {
			return failed(err.Error())
		}
		if n.restored(old, a.Crumbs) {
			continue
		}
		if n.Serves != servesOurs && !providers.SameRecords(withTTL(old, 0), withTTL(n.Set.Records, 0)) {
			return failed(fmt.Sprintf("%s is %q, which is neither the distribution's nor the old record %q; it is not touched", n.CNAME.Name, showRecords(n.Set.Records), showRecords(old)))
		}
		v.Changes = append(v.Changes, ValueChange{recordPath(n.CNAME.Name), showRecords(n.Set.Records), showRecords(old)})
		v.ByHand = append(v.ByHand, n.byHand(old)...)
	}
	if v.Changes == nil && a.Crumbs.heldSince() {
		return done("the names have their old records")
	}
	if v.Changes == nil {
		v.Why = "no record is to go back; the bucket is held"
	}
	v.Expect = expectInSync
	v.Undo = "edgeward apply -retry='" + b.Address + "'"
	if strings.HasPrefix(b.Address, orphanAddress) {
		v.Undo = "write its bucket block again, then edgeward apply -retry=ADDR"
	}
	return v
}

// withoutDistribution: nothing was changed, unless the moved name is at some
// distribution: then the crumbs have gone with it, or with its tag.
func withoutDistribution(b config.Bucket, a Actual) Verdict {
	if n := a.moved(b); n != nil && n.Serves == servesElsewhere &&
		slices.ContainsFunc(n.Set.Records, func(r providers.Record) bool { return strings.HasSuffix(strings.ToLower(r.Value), ".cloudfront.net") }) {
		return failed(fmt.Sprintf("%s is %q, but no distribution has the tag %s = %s: it was deleted or has lost its tags, and the old record with them; set the record by hand, or set the tags back",
			n.CNAME.Name, showRecords(n.Set.Records), providers.TagBucket, b.Name))
	}
	return done("edgeward has changed nothing")
}

// restoreRecords looks whether visitors will be served, writes the hold (rule 10), so
// that no other run switches the bucket again, and then the old records.
func restoreRecords(ctx context.Context, s scene) error {
	if !s.a.S3Loss {
		looks := backLooks
		if slices.ContainsFunc(s.a.Names, func(n NameActual) bool { return n.Features.ByHand }) {
			looks = 1 // a person is asked, and what they do is looked for again and again
		}
		switch lost, err := seesOld(ctx, s.w, s.b, s.a, looks); {
		case err != nil:
			return err
		case lost != nil:
			return &lostError{*lost}
		}
	}
	var unheld error
	if !s.a.Crumbs.heldFor(s.code) {
		hold := map[string]string{crumbHold: writeTime(s.w.Clock.Now()) + "/" + cmp.Or(s.code, manualHold)}
		for _, k := range []string{crumbFinished, crumbLowSince, crumbProof, crumbSwitched} {
			if s.a.Crumbs[k] != "" {
				hold[k] = ""
			}
		}
		if served := s.a.Crumbs.served(true); served != s.a.Crumbs[crumbServed] {
			hold[crumbServed] = served
		}
		if unheld = s.setTags(ctx, hold); unheld != nil {
			if ctx.Err() != nil {
				return unheld
			}
			s.note("the hold could not be written, and the names go back all the same: " + unheld.Error())
		}
	}
	if err := s.openAgain(ctx); err != nil {
		return err
	}
	var rs []replacement
	for _, n := range s.a.Names {
		if s.a.stays(n) || n.Serves != servesOurs && s.a.Crumbs[crumbWas] == "" {
			continue
		}
		old, err := oldRecords(s.b, s.a, n)
		if err != nil {
			return err
		}
		if !n.restored(old, s.a.Crumbs) {
			rs = append(rs, replacement{n, old})
		}
	}
	if err := s.replace(ctx, "restore the record of", rs); err != nil || unheld == nil {
		return errors.Join(err, unheld)
	}
	return &unheldError{s.b.Address, unheld}
}

// unheldError: the names are S3's again, and the hold that keeps later applies from
// switching them could not be written. Visitors come before that. The same write
// stands before every switch, so what goes on refusing it keeps the names where
// they are.
type unheldError struct {
	address string
	error
}

func (e *unheldError) Error() string {
	return "the names have their old records again, but the bucket is not held: " + e.error.Error()
}

func (e *unheldError) Unwrap() error { return e.error }

// Hint says what a person has to know, and to do.
func (e *unheldError) Hint() string {
	return "apply writes such a tag before every switch, so it switches nothing while AWS refuses that, and may switch again once AWS does not: stop scheduled runs, mend what the error says, then edgeward rollback -target='" + e.address + "', which writes the hold"
}

// switchedBefore says that the bucket was switched before since, or is not switched
// at all. When is not known of a bucket that is on its way, or that another
// version has switched: that one counts as switched since, unless it was finished
// before.
func (a Actual) switchedBefore(since time.Time) bool {
	if since.IsZero() {
		return false
	}
	if !a.begun() {
		return true
	}
	at, ok := a.Crumbs.switchedAt()
	if !ok {
		at, ok = readTime(a.Crumbs[crumbFinished])
	}
	return ok && at.Before(since)
}

// checkRestored: the world answers with the old records.
func checkRestored(b config.Bucket, a Actual) Verdict {
	if a.Dist == nil || a.Crumbs[crumbWas] == "" {
		return done("edgeward has changed nothing")
	}
	v := waiting("until every authoritative server and most resolvers answer with the old record")
	v.Expect, _ = mixedTime(b, a)
	var proofs []string
	var back []NameActual
	for _, n := range a.Names {
		if a.stays(n) {
			continue
		}
		if n.Serves == servesOurs || !a.has(PartAuthoritative|PartResolvers) {
			return v
		}
		if why := unrestored(n, a.Dist.Domain); why != "" {
			v.Why = why
			return v
		}
		back, proofs = append(back, n), append(proofs, n.proof("the old record"))
	}
	return done(allProofs(back, proofs))
}

// unrestored says who still answers with the distribution, "" when nobody does
// (or, of the resolvers, less than half).
func unrestored(n NameActual, domain string) string {
	if n.alias() {
		return unproven(n, nil)
	}
	old := func(x providers.Answer) bool {
		if x.Err != "" || x.RCode != "NOERROR" && x.RCode != "NXDOMAIN" {
			return false
		}
		for _, r := range x.Records {
			if strings.EqualFold(strings.TrimSuffix(r.Value, "."), domain) {
				return false
			}
		}
		if len(n.Set.Records) > 0 {
			return answersWith(x, n.Set.Records[0].Value)
		}
		return true
	}
	return unproven(n, old)
}
