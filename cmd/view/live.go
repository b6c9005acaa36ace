package view

import (
	"slices"
	"time"

	"github.com/edgeward/edgeward/planner"
)

// Live is a run of apply or rollback as it goes: what its events have told. It is
// pure: the same events, time and size give the same lines. It is not safe for
// use by several goroutines at once.
type Live struct {
	style   Style
	goal    planner.Goal
	buckets []*liveBucket
	at      map[string]*liveBucket
	kinds   []planner.Kind
	waves   []liveWave
	started time.Time
	// took is how long the stages took so far.
	took map[planner.Kind]*liveTook
}

// liveBucket is a bucket there.
type liveBucket struct {
	planner.BucketPlan
	steps  map[planner.Kind]*liveStep
	left   int
	ended  bool
	failed bool
	// stage and why are what it failed of.
	stage planner.Kind
	why   string
	// back is the stage of the way back that a run takes by itself, home that the
	// way is done.
	back planner.Kind
	home bool
}

// liveStep is one of its steps.
type liveStep struct {
	planner.Step
	status planner.EventStatus // "" before it began
	since  time.Time
	why    string
	until  time.Time
	byHand []string
}

// liveWave is a wave; status is "" before any event.
type liveWave struct {
	planner.PlanWave
	status planner.EventStatus
	why    string
	until  time.Time
}

// LiveRate is how one API was asked and may be asked, as providers.Rate tells it.
type LiveRate struct {
	API                          string
	PerSecond                    float64
	Requests, Throttled, Waiting int
}

// NewLive begins the screen of p, which started at a time. Buckets that a run does
// not take up are not counted.
func NewLive(p planner.Plan, started time.Time, s Style) *Live {
	l := &Live{style: s, goal: p.Goal, at: map[string]*liveBucket{}, started: started, took: map[planner.Kind]*liveTook{}}
	seen := map[planner.Kind]bool{}
	for _, bp := range p.Buckets {
		if len(bp.Steps) == 0 || bp.Standing == planner.StandBlocked || bp.Standing == planner.StandHeld {
			continue
		}
		b := &liveBucket{BucketPlan: bp, steps: map[planner.Kind]*liveStep{}, left: len(bp.Steps)}
		for _, s := range bp.Steps {
			b.steps[s.Kind] = &liveStep{Step: s}
			seen[s.Kind] = true
		}
		l.buckets, l.at[bp.Address] = append(l.buckets, b), b
	}
	for _, k := range kindOrder() {
		if seen[k] {
			l.kinds = append(l.kinds, k)
		}
	}
	for _, w := range p.Waves {
		l.waves = append(l.waves, liveWave{PlanWave: w})
	}
	return l
}

// kindOrder is the order of the stages, those of the ways back behind the others.
func kindOrder() []planner.Kind {
	var all []planner.Kind
	for _, g := range []planner.Goal{planner.Migrate, planner.Rollback, planner.UnlockBucket} {
		for _, k := range planner.Kinds(g) {
			if !slices.Contains(all, k) {
				all = append(all, k)
			}
		}
	}
	return all
}

// Event takes in what happened.
func (l *Live) Event(e planner.Event) {
	if e.Address == "" {
		l.wave(e)
		return
	}
	b := l.at[e.Address]
	if b == nil {
		return
	}
	if b.steps[e.Kind] == nil && l.goal == planner.Migrate && slices.Contains(planner.Kinds(planner.Rollback), e.Kind) {
		b.back = e.Kind
		b.home = e.Kind == planner.DNSRestored && e.Status == planner.EventDone
		return
	}
	l.step(b, e)
}

func (l *Live) step(b *liveBucket, e planner.Event) {
	s := b.steps[e.Kind]
	switch e.Status {
	case planner.EventFailed:
		if !b.failed {
			b.failed, b.stage, b.why = true, e.Kind, e.Why
		}
	case planner.EventDone:
		if s != nil && s.status != planner.EventDone {
			b.left--
		}
		b.ended = b.left == 0 || e.Kind == ""
	case planner.EventNote:
		return
	}
	if s == nil {
		return
	}
	if s.status == "" {
		s.since = e.Time
	}
	if e.Status == planner.EventDone && s.status != planner.EventDone {
		t := l.took[e.Kind]
		if t == nil {
			t = &liveTook{}
			l.took[e.Kind] = t
		}
		t.n, t.took, t.expect = t.n+1, t.took+e.Time.Sub(s.since), t.expect+s.Expect.Duration()
	}
	s.status, s.why, s.byHand, s.until = e.Status, e.Why, e.ByHand, time.Time{}
	if e.Until != nil {
		s.until = *e.Until
	}
}

func (l *Live) wave(e planner.Event) {
	i := slices.IndexFunc(l.waves, func(w liveWave) bool { return w.Name == e.Wave })
	if i < 0 || e.Status == planner.EventNote {
		return
	}
	w := &l.waves[i]
	w.status, w.why, w.until = e.Status, e.Why, time.Time{}
	if e.Until != nil {
		w.until = *e.Until
	}
}

// The states of a bucket on the screen.
const (
	liveFailed = "failed"
	liveBack   = "rolled back"
	liveDone   = "done"
	liveHand   = "by hand"
	liveWaits  = "waits"
	liveDoing  = "under way"
	liveToCome = "to come"
)

// state is the bucket's.
func (b *liveBucket) state() string {
	switch {
	case b.home:
		return liveBack
	case b.failed:
		return liveFailed
	case b.ended:
		return liveDone
	}
	state, begun := liveToCome, false
	for _, step := range b.Steps {
		s := b.steps[step.Kind]
		begun = begun || s.status != ""
		switch {
		case s.status == planner.EventWaiting && s.byHand != nil:
			return liveHand
		case s.status == planner.EventStarted:
			state = liveDoing
		case s.status == planner.EventWaiting && state != liveDoing:
			state = liveWaits
		}
	}
	if begun && state == liveToCome {
		return liveDoing
	}
	return state
}

// now is the step that the bucket is at: what it does, else what it waits for,
// else the first to come; nil when all are done.
func (b *liveBucket) now() *liveStep {
	var waits, next *liveStep
	for _, step := range b.Steps {
		s := b.steps[step.Kind]
		switch s.status {
		case planner.EventStarted:
			return s
		case planner.EventWaiting:
			if waits == nil || s.byHand != nil {
				waits = s
			}
		case "":
			if next == nil {
				next = s
			}
		}
	}
	if waits != nil {
		return waits
	}
	return next
}

// names are the bucket's own.
func (b *liveBucket) names() []string { return append([]string{b.Address, b.Bucket}, b.CNAMEs...) }

// waitGroup is what several buckets wait for.
type waitGroup struct {
	kind  planner.Kind
	said  said
	until time.Time // the latest, zero when it is not known
	// addresses are those of the buckets, in the plan's order.
	addresses []string
}

// waits are what the buckets wait for, the most first; what a person has to do is
// not among them.
func (l *Live) waits() []*waitGroup {
	at := map[string]*waitGroup{}
	var all []*waitGroup
	for _, b := range l.buckets {
		if state := b.state(); state != liveWaits && state != liveDoing {
			continue
		}
		for _, step := range b.Steps {
			s := b.steps[step.Kind]
			if s.status != planner.EventWaiting || s.byHand != nil {
				continue
			}
			why := s.why
			if !s.until.IsZero() {
				why = withoutTime(why)
			}
			words, key := likeWords(why, b.names())
			key = string(s.Kind) + " " + key
			if at[key] == nil {
				at[key] = &waitGroup{kind: s.Kind}
				all = append(all, at[key])
			}
			g := at[key]
			g.said.add(why, words)
			g.addresses = append(g.addresses, b.Address)
			if s.until.After(g.until) {
				g.until = s.until
			}
		}
	}
	slices.SortStableFunc(all, func(a, b *waitGroup) int { return b.said.n - a.said.n })
	return all
}

// counts are the buckets by state.
func (l *Live) counts() map[string]int {
	n := map[string]int{}
	for _, b := range l.buckets {
		n[b.state()]++
	}
	return n
}
