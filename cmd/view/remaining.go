package view

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/edgeward/edgeward/planner"
)

// remaining is what can be said of how long a run still takes.
type remaining struct {
	// about is the longest chain of what the plan expects of what is left, zero when
	// it expects nothing.
	about time.Duration
	// limit is what may make the run slower than its longest chain; "" when nothing
	// is known to.
	limit string
	// until is the latest end of a wait whose end is known: the run cannot be over
	// before.
	until time.Time
	// persons counts the buckets that wait for somebody.
	persons int
	// late is a stage that takes longer than expected, lateFor its expected time.
	late    planner.Kind
	lateFor time.Duration
}

// remaining is what the facts say at the time now.
func (l *Live) remaining(now time.Time, rates []LiveRate) remaining {
	var r remaining
	begun, toCome := map[string]bool{}, map[string]int{}
	chains, moves := map[string]time.Duration{}, map[string]time.Duration{}
	for _, b := range l.buckets {
		if b.ended || b.failed {
			continue
		}
		if b.state() == liveHand {
			r.persons++
			continue
		}
		if b.state() == liveToCome {
			toCome[b.Wave]++
		} else {
			begun[b.Wave] = true
		}
		all, moved := b.chain(now, l.took, &r)
		chains[b.Wave], moves[b.Wave] = max(chains[b.Wave], all), max(moves[b.Wave], moved)
	}
	if len(l.waves) == 0 {
		r.about = chains[""]
	}
	var start time.Duration // of the wave: the later ones wait for no lock
	for _, w := range l.waves {
		start += w.wait(now)
		r.about = max(r.about, start+chains[w.Name])
		start += moves[w.Name]
		if w.until.After(r.until) && w.status == planner.EventWaiting {
			r.until = w.until
		}
	}
	for wave, n := range toCome {
		if begun[wave] {
			r.limit = Count(n, "bucket") + " of those that run have not begun"
		}
	}
	for _, x := range rates {
		if x.Waiting > 0 {
			r.limit = Count(x.Waiting, "call") + " of " + x.API + " may not be made yet"
		}
	}
	return r
}

// wait is how long a wave has to wait before it starts.
func (w liveWave) wait(now time.Time) time.Duration {
	switch {
	case w.status == planner.EventWaiting && !w.until.IsZero():
		return max(w.until.Sub(now), 0)
	case w.status == "" || w.status == planner.EventWaiting:
		return w.Soak.Duration()
	}
	return 0
}

// chain is the longest chain of what is left of a bucket, and that up to its lock.
func (b *liveBucket) chain(now time.Time, took map[planner.Kind]*liveTook, r *remaining) (all, moved time.Duration) {
	end := map[planner.Kind]time.Duration{}
	for _, step := range b.Steps {
		var from time.Duration
		for _, n := range step.Needs {
			from = max(from, end[n])
		}
		end[step.Kind] = from + b.steps[step.Kind].left(now, took[step.Kind], r)
		all = max(all, end[step.Kind])
		if slices.Index(planner.Kinds(planner.Migrate), step.Kind) < slices.Index(planner.Kinds(planner.Migrate), planner.AccessGrant) {
			moved = max(moved, end[step.Kind])
		}
	}
	return all, moved
}

// liveTook is how long a stage took for the buckets that are past it, and how long
// it was expected to take for them.
type liveTook struct {
	n            int
	took, expect time.Duration
}

// tookFrom is of how many buckets a stage has to be done before what it took says
// more than what was expected.
const tookFrom = 5

// now is what the stage should take for a bucket that expects that.
func (t *liveTook) now(expect time.Duration) time.Duration {
	switch {
	case t == nil || t.n < tookFrom:
		return expect
	case t.expect <= 0:
		return expect + t.took/time.Duration(t.n)
	}
	return time.Duration(float64(expect) * float64(t.took) / float64(t.expect))
}

func (s *liveStep) left(now time.Time, took *liveTook, r *remaining) time.Duration {
	expect := s.Expect.Duration()
	switch {
	case s.status == planner.EventDone || s.status == planner.EventFailed:
		return 0
	case s.status == "":
		return took.now(expect)
	case !s.until.IsZero():
		if s.until.After(r.until) {
			r.until = s.until
		}
		return max(s.until.Sub(now), 0)
	}
	since := now.Sub(s.since)
	if since > expect && expect > 0 && s.status == planner.EventWaiting {
		r.late, r.lateFor = s.Kind, expect
	}
	return max(took.now(expect)-since, 0)
}

// words say it; now is the time that they are read at.
func (r remaining) words(now time.Time) string {
	var parts []string
	about := Duration(roundTime(r.about))
	switch {
	case r.persons > 0 && r.about <= 0:
		return "time left unknown: waits for a person"
	case r.persons > 0:
		parts = append(parts, "time left unknown: "+Count(r.persons, "bucket")+" waits for a person", "the others about "+about)
		if r.persons > 1 {
			parts[0] = strings.Replace(parts[0], " waits ", " wait ", 1)
		}
	case r.late != "" && r.about > 0:
		parts = append(parts, fmt.Sprintf("about %s left, %s takes longer than its %s", about, r.late, Duration(r.lateFor)))
	case r.late != "":
		parts = append(parts, fmt.Sprintf("time left unknown: %s takes longer than its %s", r.late, Duration(r.lateFor)))
	case r.about <= 0:
		return "time left unknown"
	case r.limit != "":
		parts = append(parts, "about "+about+" left, "+r.limit)
	default:
		parts = append(parts, "about "+about+" left")
	}
	if r.until.After(now) {
		parts = append(parts, "at least until "+day(r.until, now))
	}
	return strings.Join(parts, ", ")
}

// roundTime rounds up what is only known about.
func roundTime(d time.Duration) time.Duration {
	to := 10 * time.Second
	switch {
	case d > 2*time.Hour:
		to = 5 * time.Minute
	case d > 2*time.Minute:
		to = time.Minute
	}
	return (d + to - 1) / to * to
}
