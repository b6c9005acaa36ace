package planner

import (
	"slices"
	"time"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/providers"
)

// begun says that a name is the distribution's already: limits stop no bucket
// half-way (rule 10). Of a bucket that was finished once, the added names stay there,
// so that it is the moved name's record that counts.
func (a Actual) begun() bool {
	moved := func(n NameActual) bool { return n.CNAME.Name == a.Crumbs[providers.TagBucket] }
	if i := slices.IndexFunc(a.Names, moved); i >= 0 && a.Crumbs.everFinished() {
		return a.Names[i].Serves == servesOurs
	}
	return slices.ContainsFunc(a.Names, func(n NameActual) bool { return n.Serves == servesOurs })
}

// frozen says until when limits { freeze } keeps the bucket from being switched.
func (a Actual) frozen() (until time.Time, ok bool) {
	if a.begun() {
		return until, false
	}
	return a.Limits.Frozen(a.Now)
}

// limitFindings say which limit of the configuration stops the switch of this
// bucket. Those that count many buckets are judged when a plan is applied.
func limitFindings(b config.Bucket, a Actual) []Finding {
	var fs []Finding
	if a.begun() {
		return nil
	}
	for _, n := range a.Names {
		if n.CNAME.Name != "" && n.CNAME.Name == n.Set.Zone && !a.Limits.AllowApex {
			fs = append(fs, Finding{Error, "limit-apex", n.CNAME.Name + " is the top of its zone, and limits { allow_apex = false } forbids to switch it",
				"set allow_apex = true when the zone's owner agrees, or take the bucket out of this run: -exclude='" + b.Address + "'"})
		}
	}
	if until, ok := a.frozen(); ok {
		fs = append(fs, Finding{Note, "limit-freeze", "nothing is switched before " + until.Format("2006-01-02 15:04 UTC"),
			"limits { freeze } says so; all that comes before the switch is done, then apply waits, or ends as unfinished"})
	}
	return fs
}
