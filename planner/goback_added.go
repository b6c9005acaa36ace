package planner

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/providers"
)

// An added name has no other way to the bucket than the distribution, which stays
// enabled with its aliases: S3 answers under the bucket's own name alone. Until the
// bucket was finished once nobody counts on such a name, and a way back removes it.
// From then on a way back leaves it, for without its record nobody gets anything.

// servedBack marks in crumbServed that the moved name has gone back since.
const servedBack = "/back"

// everFinished says that a migration of the bucket has ended once, whatever came
// later.
func (c crumbs) everFinished() bool { return c[crumbFinished] != "" || c[crumbServed] != "" }

// settled says that the moved name is the distribution's since a migration ended:
// what is switched since are added names.
func (c crumbs) settled() bool {
	return c.everFinished() && !strings.HasSuffix(c[crumbServed], servedBack)
}

// served is the value of crumbServed that keeps what crumbFinished says, back where
// the moved name goes back or has gone; "" where the bucket was never finished.
func (c crumbs) served(back bool) string {
	at, gone, _ := strings.Cut(cmp.Or(c[crumbServed], c[crumbFinished]), "/")
	if at != "" && (back || gone != "") {
		return at + servedBack
	}
	return at
}

// stays says that a way back leaves the name where it is.
func (a Actual) stays(n NameActual) bool {
	bucket := a.Crumbs[providers.TagBucket]
	return bucket != "" && n.CNAME.Name != bucket && a.Crumbs.everFinished()
}

// returns says that a way back has a name to change.
func (a Actual) returns() bool {
	return slices.ContainsFunc(a.Names, func(n NameActual) bool { return n.Serves == servesOurs && !a.stays(n) })
}

// staying are the names that a way back leaves with the distribution.
func (a Actual) staying() []NameActual {
	return slices.DeleteFunc(slices.Clone(a.Names), func(n NameActual) bool { return n.Serves != servesOurs || !a.stays(n) })
}

// namesOf are the names as a list of words.
func namesOf(ns []NameActual) string {
	var names []string
	for _, n := range ns {
		names = append(names, n.CNAME.Name)
	}
	return strings.Join(names, ", ")
}

// codeAddedStay is the code of the finding that added names stay.
const codeAddedStay = "added-names-stay"

// addedFindings say which names a way back leaves, and how to remove their
// records.
func addedFindings(a Actual) []Finding {
	ns := a.staying()
	if len(ns) == 0 || a.Dist == nil {
		return nil
	}
	var records []string
	for _, n := range ns {
		records = append(records, showRecords(n.Set.Records)+" of "+n.CNAME.Name+" at "+n.CNAME.DNSProvider)
	}
	stay := " stay with distribution "
	if len(ns) == 1 {
		stay = " stays with distribution "
	}
	return []Finding{{Note, codeAddedStay, namesOf(ns) + stay + a.Dist.ID + ", also after the way back",
		"S3 answers under the bucket's own name alone, so without a record nobody would get anything there, and visitors know the name since the migration ended. Leave the distribution enabled. If nobody needs the name, remove the record by hand: " + strings.Join(records, "; ")}}
}

// ofAll says that a failure is one of the whole distribution, and not of a name
// that this run has switched: it answers with 5xx, or a test link of the moved name is
// broken. 4xx can be those of a new name's visitors, who ask for what never was.
func ofAll(err error) bool {
	var u *UnhealthyError
	return errors.As(err, &u) && (u.Code == codeErrors5xx || u.Code == codeLinks)
}

// settledFinding says why a bucket that was finished before stays, whatever has
// failed at the names that were added since.
func settledFinding(b config.Bucket, a Actual) Finding {
	n := a.moved(b)
	name := b.Name
	if n != nil {
		name = n.CNAME.Name
	}
	return Finding{Error, codeAddedStay, name + " was finished before, and what failed is about names that were added since",
		"mend what failed, then edgeward apply -target='" + b.Address + "' goes on"}
}
