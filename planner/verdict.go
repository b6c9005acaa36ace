package planner

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/providers"
)

// Verdict is what a stage says about an observation.
type Verdict struct {
	Status  Status
	Why     string
	Changes []ValueChange
	Undo    string
	// Expect is how long the stage should take from its start.
	Expect time.Duration
	// Until is when a wait should be over; zero when nobody can say. It comes
	// from facts, never from now.
	Until time.Time
	// Look, if not 0, is how often a wait looks again though Until is far.
	Look time.Duration
	// Traffic is what traffic.watch measured at its end.
	Traffic *Traffic
	// Links are what links.verify would fetch.
	Links []string
	// Action is the sign of the step; "" lets the stage's own stand.
	Action Action
	// ByHand is what a person has to do: the act only asks for it.
	ByHand []string
}

func done(why string) Verdict    { return Verdict{Status: Done, Why: why} }
func waiting(why string) Verdict { return Verdict{Status: Waiting, Why: why} }
func failed(why string) Verdict  { return Verdict{Status: Failed, Why: why} }
func todo(why string, changes ...ValueChange) Verdict {
	return Verdict{Status: Todo, Why: why, Changes: changes}
}

// scene is what an act is given: the world, the bucket and the observation that
// the verdict was about.
type scene struct {
	w     providers.World
	acc   providers.Account
	b     config.Bucket
	a     Actual
	retry bool
	// brief is Options.brief.
	brief bool
	// code is the one of the hold that a way back writes; "" is a person's.
	code string
	// rooms share the room in cache policies with the run's other buckets.
	rooms *policyRooms
	// note tells the run something that changes nothing.
	note func(string)
}

// How long things take, when nothing better is known.
const (
	expectIssued   = 5 * time.Minute
	expectDeployed = 5 * time.Minute
	expectVerify   = 30 * time.Second
	expectInSync   = time.Minute
)

// knownAfter stands for a value that another stage makes.
func knownAfter(k Kind) string { return "(known after " + string(k) + ")" }

// fits says whether a live value is the one that was approved. A "(known after
// KIND)" in the approved one stands for any text: the live value was computed
// from the object that was found as that stage's own.
func fits(approved, live string) bool {
	first, rest, unknown := strings.Cut(approved, "(known after ")
	if !unknown {
		return approved == live
	}
	pattern := "^" + regexp.QuoteMeta(first)
	for part := range strings.SplitSeq(rest, "(known after ") {
		_, after, _ := strings.Cut(part, ")")
		pattern += ".+" + regexp.QuoteMeta(after)
	}
	ok, err := regexp.MatchString(pattern+"$", live)
	return err == nil && ok
}

// StaleError says that the world differs from what was approved (rule 2).
type StaleError struct {
	Kind   Kind
	Change ValueChange
	// Approved is the change that was approved at this path, if any.
	Approved *ValueChange
}

func (e *StaleError) Error() string {
	if e.Approved == nil {
		return fmt.Sprintf("%s would change %s from %q to %q, which is not in the plan that was approved", e.Kind, e.Change.Path, e.Change.Before, e.Change.After)
	}
	if !fits(e.Approved.After, e.Change.After) {
		return fmt.Sprintf("%s: %s would become %q, but %q was approved", e.Kind, e.Change.Path, e.Change.After, e.Approved.After)
	}
	return fmt.Sprintf("%s: %s is %q now, but was %q when the plan was approved", e.Kind, e.Change.Path, e.Change.Before, e.Approved.Before)
}

// Hint says what to do.
func (e *StaleError) Hint() string {
	return "somebody or something else changed it; look at it, then run edgeward plan and apply again"
}

// approve compares live changes with the approved steps of the same bucket: a
// live value is approved if it equals the plan's before, or an after of an
// approved step at the same path, which is our own progress. What the plan could
// not know of the distribution is that of d, and nothing else: a record of
// somebody's is not ours because it has our TTL.
func approve(steps []Step, k Kind, changes []ValueChange, d *providers.Distribution) error {
	const unknown = "(known after " + string(DistributionCreate) + ")"
	settle := func(s string) string {
		if d == nil {
			return s
		}
		return strings.ReplaceAll(s, unknown, d.Domain)
	}
	for _, c := range changes {
		var at *ValueChange
		ours := false
		for i := range steps {
			for j := range steps[i].Changes {
				s := &steps[i].Changes[j]
				if s.Path != c.Path {
					continue
				}
				if steps[i].Kind == k {
					at = s
				}
				after := settle(s.After)
				ours = ours || !strings.Contains(after, unknown) && fits(after, c.Before)
			}
		}
		if at == nil || !fits(settle(at.After), c.After) || c.Before != at.Before && !ours {
			return &StaleError{Kind: k, Change: c, Approved: at}
		}
	}
	return nil
}

// byHand is what a person has to do so that want stands at the name; nothing
// when its provider can be asked to.
func (n NameActual) byHand(want []providers.Record) []string {
	if !n.Features.ByHand {
		return nil
	}
	row := providers.ByHand(n.CNAME.Name, n.Set.Records, want)
	return []string{strings.ReplaceAll(row, ").", ")")} // no dot after "(known after …)"
}

// answersWith says whether an authoritative answer has the CNAME target.
func answersWith(a providers.Answer, target string) bool {
	for _, r := range a.Records {
		if r.Type == "CNAME" && strings.EqualFold(strings.TrimSuffix(r.Value, "."), target) {
			return true
		}
	}
	return false
}

// says is a server's answer in words, saysTTL with the TTLs.
func says(a providers.Answer) string { return answer(a, false) }

func saysTTL(a providers.Answer) string { return answer(a, true) }

func answer(a providers.Answer, ttl bool) string {
	if a.Err != "" {
		return "not (" + a.Err + ")"
	}
	if len(a.Records) == 0 {
		if a.RCode == "NOERROR" {
			return "that there is no such record"
		}
		return a.RCode
	}
	var parts []string
	for _, r := range a.Records {
		part := r.Type + " " + r.Value
		if ttl {
			part += fmt.Sprintf(" TTL %ds", r.TTL)
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ", ")
}
