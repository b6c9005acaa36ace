package planner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/providers"
)

// Apply executes p: wave after wave, each bucket's steps as their needs allow, many
// buckets at the same time. The report is always complete; buckets that ctx's end cut
// off are in it as interrupted.
func (x *Executor) Apply(ctx context.Context, p Plan) Report {
	limit := x.WaitTimeout
	if limit <= 0 {
		limit = time.Hour
	}
	now := x.World.Clock.Now()
	r := &run{x: x, goal: p.Goal, started: now, deadline: now.Add(limit), ends: map[string]bucketEnd{}, buckets: map[string]*config.Bucket{}}
	for i, b := range x.Config.Buckets {
		r.buckets[b.Address] = &x.Config.Buckets[i]
	}
	report := Report{FormatVersion: FormatVersion, Goal: p.Goal, Started: now, Results: make([]Result, len(p.Buckets))}
	for i, bp := range p.Buckets {
		if res, idle := r.idle(bp); idle {
			report.Results[i] = res
			r.emitIdle(res)
		}
	}
	waves := r.waves(p)
	for _, w := range waves {
		r.goAhead(ctx, w, p, &report)
	}
	for _, w := range waves {
		r.wave(ctx, w, p, &report)
	}
	for _, w := range waves {
		r.waveLocked(w, &report)
		if inWaves(r.x.Config, p.Goal) {
			report.Waves = append(report.Waves, w.res)
		}
	}
	report.Ended = x.World.Clock.Now()
	return report
}

// run is one Apply.
type run struct {
	x                 *Executor
	goal              Goal
	started, deadline time.Time
	// ends are the buckets that this run has ended, by address; written between waves.
	ends map[string]bucketEnd
	// rooms are the places in cache policies.
	rooms policyRooms
	// buckets are those of the configuration by address.
	buckets map[string]*config.Bucket

	mu       sync.Mutex
	failures int
}

func (r *run) emit(e Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e.Time = r.x.World.Clock.Now()
	if r.x.Events != nil {
		r.x.Events(e)
	}
}

// take gets a slot. The first slot of a bucket starts it, which too many
// failures forbid.
func (br *bucketRun) take(ctx context.Context) error {
	select {
	case br.w.slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	br.mu.Lock()
	defer br.mu.Unlock()
	if !br.started {
		if err := br.r.tooMany(br.w); err != nil {
			br.give()
			return err
		}
	}
	br.started = true
	return nil
}

func (br *bucketRun) give() { <-br.w.slots }

// seat is the slot of one round. Who waits within it, for a turn at an API or for
// a change that others send, leaves the slot to others meanwhile.
type seat struct {
	br *bucketRun
	// turn is the one who may touch the fields below; it is a channel, for a slot
	// is waited for while it is held.
	turn chan struct{}
	held bool
	idle int
}

// leave gives the slot away until all who wait within the round go on.
func (s *seat) leave(ctx context.Context) func() func() {
	return func() func() {
		s.turn <- struct{}{}
		if s.idle++; s.held {
			s.br.give()
			s.held = false
		}
		<-s.turn
		return func() {
			s.turn <- struct{}{}
			defer func() { <-s.turn }()
			if s.idle--; s.idle > 0 || s.held {
				return
			}
			select {
			case s.br.w.slots <- struct{}{}:
				s.held = true
			case <-ctx.Done():
			}
		}
	}
}

func (s *seat) end() {
	if s.held {
		s.br.give()
	}
}

// waitError ends a bucket as unfinished.
type waitError struct {
	kind  Kind
	why   string
	until time.Time
	// byHand: it waits for a person.
	byHand bool
	// hint is what else a person has to know.
	hint string
}

func (e *waitError) Error() string { return fmt.Sprintf("%s: %s", e.kind, e.why) }

// Hint says what a person has to know; "" for other waits.
func (e *waitError) Hint() string {
	if !e.byHand {
		return e.hint
	}
	return "have exactly this done where the zone is kept; then, hours or weeks later, run edgeward again: it goes on from there"
}

// heldError ends a bucket that was rolled back while this run was under way.
type heldError struct{ address, hold string }

func (e *heldError) Error() string {
	return "the bucket was rolled back meanwhile and is held: " + e.hold
}

// Hint says how to go on.
func (e *heldError) Hint() string { return "edgeward apply -retry='" + e.address + "'" }

// bucketRun is one bucket of a run.
type bucketRun struct {
	r    *run
	w    *waveRun
	b    config.Bucket
	plan BucketPlan
	// goal is that of the steps, code the one of the hold that a way back writes.
	goal Goal
	code string
	// deadline bounds the waits.
	deadline time.Time
	// moved is told once that nothing but a lock is left; nil where nobody asks.
	moved func()
	// stop ends the waits of the other steps once one has failed.
	stop context.CancelFunc

	mu       sync.Mutex
	started  bool
	done     map[Kind]bool
	errs     []stepError
	switched bool
	traffic  *Traffic
	hold     *string // the hold as the run found it
	beside   beside
}

// lifts says whether -retry lifts a hold: the one that the run found, and not
// that of a way back which was begun since.
func (br *bucketRun) lifts(hold string) bool {
	br.mu.Lock()
	defer br.mu.Unlock()
	if br.hold == nil {
		br.hold = &hold
	}
	return *br.hold == hold
}

// measured keeps what traffic.watch saw at its end, for the report.
func (br *bucketRun) measured(t *Traffic) {
	br.mu.Lock()
	defer br.mu.Unlock()
	if t != nil {
		br.traffic = t
	}
}

type stepError struct {
	kind Kind
	err  error
}

// idle is how a bucket ends of which the run takes up nothing.
func (r *run) idle(bp BucketPlan) (res Result, idle bool) {
	res = Result{Address: bp.Address, Stage: bp.Stage}
	switch {
	case r.config(bp.Address) == nil:
		res.Outcome, res.Why = OutcomeStale, "the bucket is no longer in the configuration"
	case r.x.Refused[bp.Address] != nil:
		(&bucketRun{}).ended(&res, r.x.Refused[bp.Address])
		res.Outcome = OutcomeStale
	case bp.Standing == StandHeld:
		res.Outcome, res.Why = OutcomeHeld, bp.Findings[0].Summary
		res.Hint = bp.Findings[0].Detail
	case bp.Standing == StandBlocked:
		f := bp.Findings[0]
		res.Outcome, res.Why, res.Hint = OutcomeBlocked, f.Summary, f.Detail
	case len(bp.Steps) == 0:
		res.Outcome = OutcomeNothing
		if bp.Stage != "" {
			res.Outcome = OutcomeStopped
		}
	default:
		return res, false
	}
	return res, true
}

// emitIdle tells of a bucket that is refused or blocked.
func (r *run) emitIdle(res Result) {
	switch {
	case res.Outcome == OutcomeBlocked:
		r.emit(Event{Address: res.Address, Status: EventFailed, Why: res.Why + ": " + res.Hint})
	case r.x.Refused[res.Address] != nil:
		r.emit(Event{Address: res.Address, Status: EventFailed, Why: res.Why})
	}
}

// config is the bucket of an address, nil when there is none.
func (r *run) config(address string) *config.Bucket {
	return r.buckets[address]
}

// bucket runs the steps of one bucket and says how it ended.
// moved, if not nil, is told once nothing but a lock is left.
func (r *run) bucket(ctx context.Context, w *waveRun, bp BucketPlan, moved func()) (res Result) {
	var broken error
	defer func() {
		if broken != nil {
			res = Result{Address: bp.Address, Outcome: OutcomeFailed, Why: broken.Error()}
		}
	}()
	defer providers.Recovered(&broken)
	sctx, stop := context.WithCancel(ctx)
	defer stop()
	br := &bucketRun{r: r, w: w, b: *r.config(bp.Address), plan: bp, stop: stop, done: map[Kind]bool{}, goal: goalOf(r.goal, bp.Steps), deadline: r.deadline, moved: moved}
	br.started = br.goal == Rollback // a way back is never limited
	br.steps(ctx, sctx)
	res = br.result(ctx)
	br.goBack(ctx, &res)
	if r.goal == Migrate && br.goal == Rollback && res.Why == "" {
		res.Why = bp.Findings[0].Summary
	}
	br.staysHeld(&res)
	if r.failed(res) {
		r.mu.Lock()
		r.failures++
		w.failures++
		r.mu.Unlock()
	}
	return res
}

// failed says that an end counts for max_failures. A bucket that only cannot be
// locked is moved and well.
func (r *run) failed(res Result) bool {
	switch res.Outcome {
	case OutcomeFailed, OutcomeStale:
		return !isLockStage(res.Stage)
	case OutcomeRolled:
		return r.goal == Migrate
	}
	return false
}

// steps starts a goroutine a step; each begins when its needs are done.
func (br *bucketRun) steps(ctx, sctx context.Context) {
	ready := map[Kind]chan struct{}{}
	for _, s := range br.plan.Steps {
		ready[s.Kind] = make(chan struct{})
	}
	var wg sync.WaitGroup
	stages := br.r.x.Options.table(br.goal)
	for _, st := range stages {
		ch, planned := ready[st.kind]
		if !planned {
			continue
		}
		if until := br.watchesUntil(); until != "" && st.kind == until {
			wg.Go(func() { br.watchFrom(ctx, sctx, stages, ready, ch) })
		}
		wg.Go(func() {
			defer close(ch)
			before := needsOf(stages, st)
			for _, n := range before {
				if c, ok := ready[n]; ok {
					<-c
				}
			}
			if !br.may(before) {
				return
			}
			br.end(st.kind, br.step(ctx, sctx, st))
		})
	}
	wg.Wait()
}

// watchFrom begins to watch once the names are switched.
func (br *bucketRun) watchFrom(ctx, sctx context.Context, stages []stage, ready map[Kind]chan struct{}, ended <-chan struct{}) {
	before := needsOf(stages, stage{needs: []Kind{DNSSwitch}})
	for _, n := range before {
		if c, ok := ready[n]; ok {
			<-c
		}
	}
	if br.may(before) {
		br.watchBeside(ctx, sctx, ended)
	}
}

// needsOf are the stages that st needs, and those that they need: one that was
// done when the plan was made still stands behind those that were not.
func needsOf(stages []stage, st stage) []Kind {
	needs := slices.Clone(st.needs)
	for _, n := range st.needs {
		if i := slices.IndexFunc(stages, func(s stage) bool { return s.kind == n }); i >= 0 {
			needs = append(needs, needsOf(stages, stages[i])...)
		}
	}
	return needs
}

// may: all needs that were planned are done.
func (br *bucketRun) may(needs []Kind) bool {
	br.mu.Lock()
	defer br.mu.Unlock()
	for _, n := range needs {
		if slices.ContainsFunc(br.plan.Steps, func(s Step) bool { return s.Kind == n }) && !br.done[n] {
			return false
		}
	}
	return true
}

func (br *bucketRun) end(k Kind, err error) {
	br.mu.Lock()
	defer br.mu.Unlock()
	if err == nil {
		br.done[k] = true
		br.switched = br.switched || k == DNSSwitch || k == DNSRestore
		if br.moved != nil && br.onlyLock() {
			br.moved()
			br.moved = nil
		}
		return
	}
	br.errs = append(br.errs, stepError{k, err})
	var wait *waitError
	if !errors.As(err, &wait) {
		br.stop()
	}
}

// onlyLock says that no step is left but those of a lock. br.mu is held.
func (br *bucketRun) onlyLock() bool {
	return !slices.ContainsFunc(br.plan.Steps, func(s Step) bool { return !isLockStage(s.Kind) && !br.done[s.Kind] })
}

// step is the one loop: observe, judge, act once, or wait.
func (br *bucketRun) step(ctx, sctx context.Context, st stage) error {
	p := pause{st: st}
	acts := 0
	for {
		v, acted, err := br.round(ctx, sctx, st, &p)
		if acted {
			acts++
		}
		var yet notYet
		var hand *providers.ByHandError
		var overtaken *overtakenError
		var left *leftError
		switch {
		case errors.As(err, &left):
			br.emit(st.kind, EventNote, Verdict{Why: left.Error()})
			return nil
		case errors.As(err, &hand):
			// A person was asked: nothing has been done, so it is a wait and no act.
			acts--
			p.asked = v.Changes
			v = waiting(hand.Error())
			v.ByHand = []string{hand.Record}
		case errors.As(err, &yet):
			if acted { // it has only looked
				acts--
				p.begun = v.Why
			}
			v = waiting(string(yet))
		case acted && errors.Is(err, providers.ErrThrottled) && ctx.Err() == nil:
			acts-- // it was refused, so nothing has been done
			v = waiting("asked too much at once: " + err.Error())
		case errors.As(err, &overtaken) && acts < maxActs && ctx.Err() == nil:
			v = waiting("looking again: " + err.Error())
		case err != nil && acted && acts < maxActs && mayHaveWorked(err) && ctx.Err() == nil:
			// The answer may have been lost: the next look tells.
			v = waiting("looking again, since an answer was lost: " + err.Error())
		case err != nil:
			br.fail(st.kind, err)
			return err
		case v.Status == Done:
			br.emit(st.kind, EventDone, v)
			br.measured(v.Traffic)
			return nil
		case v.Status == Failed:
			err := errors.New(v.Why)
			br.fail(st.kind, err)
			return err
		case acted && acts > maxActs:
			err := fmt.Errorf("%s was done %d times and is still not in effect: %s", st.kind, acts, v.Why)
			br.fail(st.kind, err)
			return err
		case acted:
			p = pause{st: st}
			continue
		}
		if err := br.wait(sctx, st, v, &p); err != nil {
			return err
		}
	}
}

// maxActs: a stage acts once, once more for what only a second look can write
// down, and again when an answer was lost (an act is safe to die in, so it is
// safe to repeat on a fresh look); more means that it does not take effect.
const maxActs = 4

// overtakenError says that another value stood at a name than the look had
// shown. The next look tells whose: another run's is progress, a person's stale.
type overtakenError struct{ error }

func (e *overtakenError) Unwrap() error { return e.error }

// mayHaveWorked says that an act's error leaves open whether it took effect.
func mayHaveWorked(err error) bool {
	var stale *StaleError
	var mismatch *MismatchError
	var unproven *unprovenError
	var broken *providers.PanicError
	var held *heldError
	var unhealthy *UnhealthyError
	return !errors.As(err, &unhealthy) && !classified(err) && !errors.As(err, &stale) && !errors.As(err, &mismatch) && !errors.As(err, &unproven) && !errors.As(err, &held) && !errors.As(err, &broken)
}

// classified says that an error is of a class of providers; one of no class is a
// fault that a later try may not meet.
func classified(err error) bool {
	for _, class := range []error{providers.ErrNotFound, providers.ErrConflict, providers.ErrDenied, providers.ErrCredentials,
		providers.ErrThrottled, providers.ErrQuota, providers.ErrInvalid} {
		if errors.Is(err, class) {
			return true
		}
	}
	return false
}

// round is one look, with one act where there is something to do.
func (br *bucketRun) round(ctx, sctx context.Context, st stage, p *pause) (v Verdict, acted bool, err error) {
	defer providers.Recovered(&err)
	if err := br.take(sctx); err != nil {
		return v, false, err
	}
	sit := &seat{br: br, turn: make(chan struct{}, 1), held: true}
	defer sit.end()
	ctx, sctx = providers.WithIdle(ctx, sit.leave(ctx)), providers.WithIdle(sctx, sit.leave(ctx))
	x := br.r.x
	if br.goal == Rollback && st.urgent() {
		sctx = providers.WithUrgency(sctx)
	}
	a, err := Observe(sctx, x.World, x.Config, br.b, st.reads)
	switch {
	case sctx.Err() != nil:
		return v, false, sctx.Err()
	case errors.Is(err, providers.ErrDenied) || stopsAll(sctx, err):
		return v, false, err
	case err != nil: // a failed look gives no verdict (rule 1)
		return waiting("could not look: " + err.Error()), false, nil
	}
	a.Retry, a.NoEvidence, a.S3Loss = retries(x.Options, br.b), x.Options.NoEvidence, x.Options.AcceptS3Loss
	lifts := !a.Exact || br.lifts(a.Crumbs[crumbHold])
	if br.goal == Migrate && a.Crumbs.held() && (!a.Retry || !lifts) {
		return v, false, &heldError{br.b.Address, a.Crumbs[crumbHold]}
	}
	if fs := a.Findings; blocked(fs) {
		return v, false, fmt.Errorf("%s: %s", fs[0].Summary, fs[0].Detail)
	}
	if a.Dist == nil && slices.Contains(needsOf(x.Options.table(br.goal), st), DistributionCreate) {
		return v, false, fmt.Errorf("the distribution of %s is gone: somebody deleted it: %w", br.b.Name, providers.ErrConflict)
	}
	v = st.check(br.b, a)
	if v.Status != Todo {
		return v, false, nil
	}
	if err := br.allowed(st, v, a); err != nil {
		return v, false, err
	}
	if !p.wasAsked(v.Changes) && v.Why != p.begun {
		br.emit(st.kind, EventStarted, v)
	}
	s := br.scene(a, st.kind)
	if st.kind == DNSSwitch {
		br.answersBefore(sctx)
	}
	if st.urgent() {
		ctx = providers.WithUrgency(ctx)
	}
	// An act is not cut short by another step's failure, only by the run's end.
	return v, true, st.do(ctx, s)
}

// scene is what an act of a stage is given.
func (br *bucketRun) scene(a Actual, k Kind) scene {
	x := br.r.x
	return scene{w: x.World, acc: x.World.Accounts[br.b.Account], b: br.b, a: a, retry: a.Retry, brief: x.Options.brief, code: br.code, rooms: &br.r.rooms,
		note: func(why string) { br.emit(k, EventNote, Verdict{Why: why}) }}
}

// allowed says why a stage may not act: the changes are not those that were
// approved, too many buckets failed for one more to be switched, or nobody would
// watch it to the end.
func (br *bucketRun) allowed(st stage, v Verdict, a Actual) error {
	if err := approve(br.plan.Steps, st.kind, v.Changes, a.Dist); err != nil {
		return err
	}
	if st.kind == DNSSwitch && !a.begun() {
		if err := br.r.tooMany(br.w); err != nil {
			return err
		}
		return br.watchFits(br.b, a)
	}
	return nil
}

// pause is the time between two looks: at once, a second, then ever less often.
type pause struct {
	st   stage
	last time.Duration
	why  string
	// asked are the changes that a person was asked to make.
	asked []ValueChange
	// begun is why the act was begun that found that it must wait.
	begun string
}

// wasAsked says that a person was asked for all of changes already.
func (p *pause) wasAsked(changes []ValueChange) bool {
	return len(changes) > 0 && !slices.ContainsFunc(changes, func(c ValueChange) bool { return !slices.Contains(p.asked, c) })
}

// wait sleeps until the next look, or ends the step when the run may not wait
// that long.
func (br *bucketRun) wait(ctx context.Context, st stage, v Verdict, p *pause) error {
	clock := br.r.x.World.Clock
	now := clock.Now()
	if v.Why != p.why {
		br.emit(st.kind, EventWaiting, v)
		p.why = v.Why
	}
	over := &waitError{kind: st.kind, why: v.Why, until: v.Until, byHand: v.ByHand != nil}
	switch {
	case br.r.x.NoWait, !now.Before(br.deadline), v.Until.After(br.deadline):
		return over
	}
	every := st.every
	if v.ByHand != nil {
		every = everyHand
	}
	p.last = min(max(2*p.last, time.Second), every)
	d := p.last
	if left := v.Until.Sub(now); left > 0 {
		d = min(left, longestSleep)
		if v.Look > 0 {
			d = min(d, v.Look)
		}
	}
	return clock.Sleep(ctx, min(d, br.deadline.Sub(now)))
}

// longestSleep bounds a sleep whose end is known, so that a change made
// meanwhile is noticed.
const longestSleep = 5 * time.Minute

func (br *bucketRun) emit(k Kind, s EventStatus, v Verdict) {
	e := Event{Address: br.b.Address, Kind: k, Status: s, Why: v.Why}
	switch s {
	case EventStarted:
		e.Changes = v.Changes
	case EventWaiting:
		e.ByHand = v.ByHand
	}
	if !v.Until.IsZero() {
		e.Until = &v.Until
	}
	br.r.emit(e)
}

func (br *bucketRun) fail(k Kind, err error) {
	var over *waitError
	if errors.As(err, &over) {
		br.emit(k, EventWaiting, Verdict{Why: over.why})
		return
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, errTooManyFailures) {
		return
	}
	br.emit(k, EventFailed, Verdict{Why: err.Error()})
}
