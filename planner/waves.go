package planner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/providers"
)

// waveIndex is a wave's place in the order of rollout; buckets of no wave run
// after all.
func waveIndex(c *config.Config, name string) int {
	if i := slices.IndexFunc(c.Rollout.Waves, func(w config.Wave) bool { return w.Name == name }); i >= 0 {
		return i
	}
	return len(c.Rollout.Waves)
}

// waveWords names a wave in a sentence.
func waveWords(name string) string {
	if name == "" {
		return "the buckets of no wave"
	}
	return "wave " + name
}

// waveSettings are those of a wave with what it leaves out filled in. limit is
// how many of its buckets may fail, -1 for any number.
func waveSettings(c *config.Config, name string) (w config.Wave, limit int) {
	i := waveIndex(c, name)
	if i == len(c.Rollout.Waves) {
		return config.Wave{}, c.Rollout.MaxFailures
	}
	w = c.Rollout.Waves[i]
	limit = w.MaxFailures
	if limit < 0 {
		limit = max(0, c.Rollout.MaxFailures)
	}
	return w, limit
}

// inWaves says whether a run goes in waves: there are some, and it is no way
// back, which all buckets take at once.
func inWaves(c *config.Config, g Goal) bool { return g == Migrate && len(c.Rollout.Waves) > 0 }

// planWaves are the waves of a plan's buckets, in order.
func planWaves(c *config.Config, o Options, p Plan) []PlanWave {
	if !inWaves(c, p.Goal) {
		return nil
	}
	var out []PlanWave
	for _, b := range p.Buckets {
		if len(out) == 0 || out[len(out)-1].Name != b.Wave {
			w, limit := waveSettings(c, b.Wave)
			x := PlanWave{Name: b.Wave, Soak: Seconds(w.Soak / time.Second), Parallelism: parallelism(c, o)}
			if w.Parallelism > 0 && o.Parallelism == 0 {
				x.Parallelism = w.Parallelism
			}
			if limit >= 0 {
				x.MaxFailures = &limit
			}
			out = append(out, x)
		}
		w := &out[len(out)-1]
		if len(b.Steps) > 0 {
			w.Buckets++
		}
		w.Switches += summarize([]BucketPlan{b}, p.Goal).Switches
	}
	return out
}

// prepares says that a run stops before anything that visitors could notice:
// waves then run one after the other, and wait for nothing.
func (o Options) prepares() bool {
	at := func(k Kind) int { return slices.Index(Kinds(Migrate), k) }
	return o.Until != "" && at(o.Until) < at(DNSSwitch)
}

// waveRun is one wave of a run, or all buckets of a run without waves.
type waveRun struct {
	name  string
	soak  time.Duration
	limit int
	// slots bounds how many steps look or act at the same time; who only waits
	// holds none.
	slots chan struct{}
	// failures is guarded by run.mu.
	failures int
	// buckets are indexes of the plan's; those of ahead did not wait for the gate, and
	// running is done when they are.
	buckets, ahead []int
	running        sync.WaitGroup
	// stop is why it did not begin, nil when it did; res is filled at its end.
	stop *waveStop
	res  WaveResult
	// aheads are told when those of ahead are moved.
	aheads []<-chan struct{}
	// mu guards which buckets have ended.
	mu    sync.Mutex
	ended map[int]bool
}

// start runs a bucket of the wave, and gives a channel that is closed once nothing
// but a lock of it is left: no later wave waits for locks, whose time may be a week.
func (w *waveRun) start(ctx context.Context, r *run, i int, p Plan, report *Report) (moved <-chan struct{}) {
	ch := make(chan struct{})
	tell := sync.OnceFunc(func() { close(ch) })
	if len(p.Buckets[i].Steps) > 0 && isLockStage(p.Buckets[i].Steps[0].Kind) {
		tell() // moved by an earlier run
	}
	w.running.Go(func() {
		res := r.bucket(ctx, w, p.Buckets[i], tell)
		w.mu.Lock()
		report.Results[i], w.ended[i] = res, true
		w.mu.Unlock()
		tell()
	})
	return ch
}

// waves divides a plan. A bucket that is held since an earlier run counts as one
// of its wave that failed.
func (r *run) waves(p Plan) []*waveRun {
	c, o := r.x.Config, r.x.Options
	if !inWaves(c, p.Goal) {
		w := &waveRun{limit: -1, ended: map[int]bool{}, slots: make(chan struct{}, parallelism(c, o))}
		for i := range p.Buckets {
			w.buckets = append(w.buckets, i)
		}
		return []*waveRun{w}
	}
	var out []*waveRun
	shared := make(chan struct{}, parallelism(c, o))
	for i := range len(c.Rollout.Waves) + 1 {
		name := ""
		if i < len(c.Rollout.Waves) {
			name = c.Rollout.Waves[i].Name
		}
		s, limit := waveSettings(c, name)
		w := &waveRun{name: name, soak: s.Soak, limit: limit, ended: map[int]bool{}, slots: shared}
		if s.Parallelism > 0 && o.Parallelism == 0 {
			w.slots = make(chan struct{}, s.Parallelism)
		}
		for j, b := range p.Buckets {
			if waveIndex(c, b.Wave) != i {
				continue
			}
			w.buckets = append(w.buckets, j)
			if b.Standing == StandHeld {
				w.failures++
			}
		}
		if w.buckets != nil {
			out = append(out, w)
		}
	}
	return out
}

// onTheWay says that visitors of the bucket are between the two already: names of
// it are switched and not watched to the end, or it is going back. No order of
// waves may keep that from its end (rule 10).
func onTheWay(bp BucketPlan) bool {
	has := func(k Kind) *Step {
		i := slices.IndexFunc(bp.Steps, func(s Step) bool { return s.Kind == k })
		if i < 0 {
			return nil
		}
		return &bp.Steps[i]
	}
	switch to := has(DNSSwitch); {
	case goalOf(Migrate, bp.Steps) == Rollback:
		return true
	case to != nil:
		return len(to.Changes) < len(bp.CNAMEs)
	}
	return has(DNSPropagated) != nil || has(TrafficWatch) != nil || has(TTLRestore) != nil && has(DistributionCreate) == nil
}

// goAhead begins what waits for no wave.
func (r *run) goAhead(ctx context.Context, w *waveRun, p Plan, report *Report) {
	c, o := r.x.Config, r.x.Options
	if !inWaves(c, p.Goal) || o.prepares() || len(order(c, o, w.name)) == 0 {
		return
	}
	for _, i := range w.buckets {
		if _, idle := r.idle(p.Buckets[i]); idle || !onTheWay(p.Buckets[i]) {
			continue
		}
		w.ahead = append(w.ahead, i)
		w.aheads = append(w.aheads, w.start(ctx, r, i, p, report))
	}
}

// tooMany says why no further bucket of a wave may start, nor be switched.
func (r *run) tooMany(w *waveRun) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if limit := r.x.Config.Rollout.MaxFailures; limit >= 0 && r.failures > limit {
		return errTooManyFailures
	}
	if w.limit >= 0 && w.failures > w.limit {
		return fmt.Errorf("%w: %d of %s, of which it allows %d", errTooManyFailures, w.failures, waveWords(w.name), w.limit)
	}
	return nil
}

// wave runs the buckets of a wave once it may begin, until they are moved or have
// ended.
func (r *run) wave(ctx context.Context, w *waveRun, p Plan, report *Report) {
	var todo []int
	for _, i := range w.buckets {
		if _, idle := r.idle(p.Buckets[i]); !idle && !slices.Contains(w.ahead, i) {
			todo = append(todo, i)
		}
	}
	w.res = WaveResult{Name: w.name, Buckets: len(w.buckets)}
	if inWaves(r.x.Config, p.Goal) && todo != nil {
		if w.stop = r.gate(ctx, w); w.stop == nil {
			w.res.Started = r.x.World.Clock.Now()
			r.emit(Event{Wave: w.name, Status: EventStarted, Why: plural(len(todo), "bucket", "buckets")})
		}
	}
	waits := w.aheads
	for _, i := range todo {
		if w.stop != nil {
			report.Results[i] = w.stop.result(p.Buckets[i])
			continue
		}
		waits = append(waits, w.start(ctx, r, i, p, report))
	}
	for _, moved := range waits {
		<-moved
	}
	if w.ends(r, todo, p, report) {
		r.waveLocked(w, report)
	}
}

// ends notes how the buckets of a wave have ended, and says whether all have.
func (w *waveRun) ends(r *run, todo []int, p Plan, report *Report) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := true
	for _, i := range w.buckets {
		if _, idle := r.idle(p.Buckets[i]); idle || w.stop != nil && slices.Contains(todo, i) || w.ended[i] {
			r.ends[report.Results[i].Address] = bucketEnd{report.Results[i], r.x.World.Clock.Now()}
			continue
		}
		all = false
	}
	return all
}

// waveLocked waits for what is left of a wave, which are locks, and tells its end
// once.
func (r *run) waveLocked(w *waveRun, report *Report) {
	w.running.Wait()
	if inWaves(r.x.Config, r.goal) && w.res.Outcome == "" {
		r.waveEnded(&w.res, w, w.stop, report)
	}
}

// waveEnded fills the result of a wave and tells it.
func (r *run) waveEnded(res *WaveResult, w *waveRun, stop *waveStop, report *Report) {
	has := map[Outcome]int{}
	for _, i := range w.buckets {
		x := report.Results[i]
		if onlyLockLeft(x) {
			x.Outcome = OutcomeWaiting // it is moved and well
		}
		has[x.Outcome]++
	}
	res.Failed = has[OutcomeFailed] + has[OutcomeStale] + has[OutcomeBlocked] + has[OutcomeRolled]
	lost := res.Failed + has[OutcomeHeld]
	switch {
	case has[OutcomeInterrupted] > 0:
		res.Outcome = OutcomeInterrupted
	case stop != nil:
		res.Outcome, res.Why = stop.outcome, stop.why
	case w.limit >= 0 && lost > w.limit:
		res.Outcome, res.Why = OutcomeFailed, fmt.Sprintf("%s failed, and max_failures allows %d", plural(lost, "bucket", "buckets"), w.limit)
	case has[OutcomeWaiting]+has[OutcomeSkipped] > 0:
		res.Outcome, res.Why = OutcomeWaiting, plural(has[OutcomeWaiting]+has[OutcomeSkipped], "bucket is", "buckets are")+" not finished"
	case has[OutcomeStopped] > 0:
		res.Outcome = OutcomeStopped
	case has[OutcomeFinished] > 0:
		res.Outcome = OutcomeFinished
	default:
		res.Outcome = OutcomeNothing
	}
	if res.Started.IsZero() {
		return
	}
	res.Ended = r.x.World.Clock.Now()
	switch res.Outcome {
	case OutcomeFinished, OutcomeStopped, OutcomeNothing:
		r.emit(Event{Wave: w.name, Status: EventDone, Why: string(res.Outcome)})
	case OutcomeFailed:
		r.emit(Event{Wave: w.name, Status: EventFailed, Why: res.Why})
	}
}

// waveStop is why a wave does not begin in this run.
type waveStop struct {
	outcome Outcome
	why     string
	hint    string
	until   time.Time
	// ours: nothing but another run can change that, for this one has ended the
	// buckets that it waits for.
	ours bool
}

// result is that of a bucket of the wave.
func (s *waveStop) result(b BucketPlan) Result {
	res := Result{Address: b.Address, Outcome: s.outcome, Stage: b.Stage, Why: s.why, Hint: s.hint}
	if !s.until.IsZero() {
		res.Until = &s.until
	}
	return res
}

// gate waits until a wave may begin: all waves before are done and healthy, and
// have been for the soak. nil: it may.
func (r *run) gate(ctx context.Context, w *waveRun) *waveStop {
	clock := r.x.World.Clock
	said, pause := "", time.Duration(0)
	for {
		s := r.before(ctx, w)
		if ctx.Err() != nil {
			return &waveStop{outcome: OutcomeInterrupted, why: "interrupted"}
		}
		now := clock.Now()
		switch {
		case s == nil:
			return nil
		case s.outcome == OutcomeSkipped:
			r.emit(Event{Wave: w.name, Status: EventFailed, Why: "not started: " + s.why})
			return s
		}
		if s.why != said {
			e := Event{Wave: w.name, Status: EventWaiting, Why: s.why}
			if !s.until.IsZero() {
				e.Until = &s.until
			}
			r.emit(e)
			said = s.why
		}
		if s.ours || r.x.NoWait || !now.Before(r.deadline) || s.until.After(r.deadline) {
			return s
		}
		pause = min(max(2*pause, time.Second), everyAPI)
		d := pause
		if left := s.until.Sub(now); left > 0 {
			d = min(left, longestSleep)
		}
		if clock.Sleep(ctx, min(d, r.deadline.Sub(now))) != nil {
			return &waveStop{outcome: OutcomeInterrupted, why: "interrupted"}
		}
	}
}

// bucketEnd is how and when a bucket ended in this run.
type bucketEnd struct {
	Result
	at time.Time
}

// earlier is where a bucket of a wave before stands.
type earlier struct {
	b config.Bucket
	// done: it is moved and well, and has been since. lost: it failed, or is held.
	done, lost bool
	since      time.Time
	why        string
	until      time.Time
	// ours: this run has ended it.
	ours bool
}

// order are the buckets of all waves before that of name: those of the whole
// configuration, of other runs and shards too, except where -target says that no
// other bucket counts.
func order(c *config.Config, o Options, name string) []config.Bucket {
	at := waveIndex(c, name)
	return slices.DeleteFunc(slices.Clone(c.Buckets), func(b config.Bucket) bool {
		return waveIndex(c, b.Wave) >= at || len(o.Targets) > 0 && (!matchesAny(o.Targets, b.Address) || matchesAny(o.Excludes, b.Address))
	})
}

// before looks at the buckets of the waves before once more and says what keeps
// the wave from beginning, nil for nothing.
func (r *run) before(ctx context.Context, w *waveRun) *waveStop {
	c, o := r.x.Config, r.x.Options
	all := make([]earlier, 0)
	for _, b := range order(c, o, w.name) {
		all = append(all, earlier{b: b})
	}
	var wg sync.WaitGroup
	for i := range all {
		wg.Go(func() {
			e := &all[i]
			if end, ours := r.ends[e.b.Address]; ours && e.ended(end, o) {
				return
			}
			if o.prepares() {
				e.done = true
				return
			}
			select {
			case w.slots <- struct{}{}:
				defer func() { <-w.slots }()
				e.look(ctx, r.x.World, c)
			case <-ctx.Done():
			}
			if end := r.ends[e.b.Address]; end.Outcome == OutcomeFinished && e.since.Before(r.started) {
				e.since = end.at // an older migration was changed by this run
			}
		})
	}
	wg.Wait()
	s := judgeEarlier(c, w.soak, all, r.x.World.Clock.Now(), o)
	if s != nil || o.prepares() {
		return s
	}
	for i := range all {
		wg.Go(func() {
			select {
			case w.slots <- struct{}{}:
				defer func() { <-w.slots }()
				all[i].health(ctx, r.x.World, c)
			case <-ctx.Done():
			}
		})
	}
	wg.Wait()
	return judgeEarlier(c, w.soak, all, r.x.World.Clock.Now(), o)
}

// health has the bucket watched once more. Who cannot see anything says nothing.
func (e *earlier) health(ctx context.Context, w providers.World, c *config.Config) {
	var unhealthy *UnhealthyError
	if e.done && errors.As(CheckHealth(ctx, w, c, e.b), &unhealthy) {
		e.done, e.lost, e.why = false, true, "unhealthy: "+unhealthy.Why
	}
}

// onlyLockLeft says that a bucket is moved, and well as far as its end tells: its
// lock waits, or is refused, which is no part of that.
func onlyLockLeft(res Result) bool {
	return isLockStage(res.Stage) && slices.Contains([]Outcome{OutcomeWaiting, OutcomeFailed, OutcomeBlocked, OutcomeStale}, res.Outcome)
}

// ended takes over how this run ended the bucket; false where only a look tells
// how it is.
func (e *earlier) ended(end bucketEnd, o Options) bool {
	e.ours, e.why = true, string(end.Outcome)
	if onlyLockLeft(end.Result) {
		e.ours = false
		return false
	}
	switch end.Outcome {
	case OutcomeFinished, OutcomeNothing:
		e.ours = false
		return false
	case OutcomeStopped:
		if e.done = o.prepares(); !e.done {
			e.why = "stopped at -until"
		}
	case OutcomeWaiting:
		if end.Until != nil {
			e.until = *end.Until
		}
	case OutcomeFailed, OutcomeStale, OutcomeRolled, OutcomeBlocked, OutcomeHeld:
		e.lost = true
	}
	return true
}

// look judges a bucket by what can be seen: it is the distribution's, and
// finished, not held, and well.
func (e *earlier) look(ctx context.Context, w providers.World, c *config.Config) {
	a, err := Observe(ctx, w, c, e.b, PartTags)
	// Of hundreds that have to be seen in one pass, one fault in passing must not
	// make all be looked at again.
	for try, d := 1, time.Second; transient(err) && try < triesThrottled; try, d = try+1, min(2*d, everyAPI) {
		if w.Clock.Sleep(ctx, d) != nil {
			break
		}
		a, err = Observe(ctx, w, c, e.b, PartTags)
	}
	switch {
	case err != nil:
		e.why = "could not be looked at: " + err.Error()
	case a.Crumbs.held():
		e.lost, e.why = true, "held"
	case !a.finished():
		e.why = "not finished"
	case blocked(a.Findings):
		e.lost, e.why = true, "blocked: "+a.Findings[0].Summary
	default:
		e.done = true
		if at, ok := readTime(a.Crumbs[crumbFinished]); ok && !at.After(a.Now.Add(meanwhile)) {
			e.since = at // a later one is of a wrong clock
		}
	}
}

// judgeEarlier folds where the buckets of the waves before stand.
func judgeEarlier(c *config.Config, soak time.Duration, all []earlier, now time.Time, o Options) *waveStop {
	var since time.Time
	lost, open := map[string][]string{}, []earlier{}
	for _, e := range all {
		switch {
		case e.done:
			if e.since.After(since) {
				since = e.since
			}
		case e.lost:
			lost[e.b.Wave] = append(lost[e.b.Wave], e.b.Address+" ("+e.why+")")
		default:
			open = append(open, e)
		}
	}
	for _, e := range all {
		if bad := lost[e.b.Wave]; len(bad) > 0 {
			if _, limit := waveSettings(c, e.b.Wave); limit >= 0 && len(bad) > limit {
				return &waveStop{outcome: OutcomeSkipped, why: fmt.Sprintf("%s has %s that failed, and max_failures allows %d: %s",
					waveWords(e.b.Wave), plural(len(bad), "bucket", "buckets"), limit, some(bad)),
					hint: "mend them and run edgeward apply -retry=ADDR, or raise the wave's max_failures; -target=ADDR takes buckets out of the order"}
			}
		}
	}
	if len(open) > 0 {
		return waitForEarlier(open)
	}
	if until := since.Add(soak); soak > 0 && now.Before(until) && !o.prepares() {
		return &waveStop{outcome: OutcomeWaiting, until: until, why: fmt.Sprintf("until %s: the waves before have to be well for %s first", writeTime(until), shortDuration(soak))}
	}
	return nil
}

// waitForEarlier names the buckets that are not done. Of several ends that are
// known the latest tells when to come back.
func waitForEarlier(open []earlier) *waveStop {
	s := &waveStop{outcome: OutcomeWaiting, ours: true}
	var names []string
	for _, e := range open {
		names = append(names, e.b.Address+" ("+e.why+")")
		s.ours = s.ours && e.ours
		if e.until.After(s.until) {
			s.until = e.until
		}
	}
	s.why = "until the waves before are done: " + some(names)
	return s
}

// some are the first few of a list.
func some(words []string) string {
	const most = 5
	if n := len(words) - most; n > 0 {
		words = append(slices.Clone(words[:most]), fmt.Sprintf("and %d more", n))
	}
	return strings.Join(words, ", ")
}

// codeWaveOrder is the code of a finding that says that waves before are not
// done.
const codeWaveOrder = "wave-order"

// orderFinding says that apply would refuse a plan of waves (-wave) because waves
// before them, which it leaves out, are not done.
func orderFinding(ctx context.Context, w providers.World, c *config.Config, o Options, p Plan) ([]Finding, error) {
	if len(o.Waves) == 0 || len(p.Waves) == 0 || len(o.Targets) > 0 || o.prepares() {
		return nil, nil
	}
	last := ""
	for _, x := range p.Waves {
		if x.Buckets > 0 {
			last = x.Name
		}
	}
	left := slices.DeleteFunc(order(c, o, last), func(b config.Bucket) bool { return slices.Contains(o.Waves, b.Wave) })
	all := make([]earlier, len(left))
	err := eachBucket(ctx, c, o, left, func(ctx context.Context, i int, b config.Bucket) error {
		all[i] = earlier{b: b}
		all[i].look(ctx, w, c)
		return ctx.Err()
	})
	if err != nil {
		return nil, err
	}
	s := judgeEarlier(c, 0, all, w.Clock.Now(), o)
	if s == nil {
		return nil, nil
	}
	return []Finding{{Error, codeWaveOrder, refusal(p) + waveWords(last) + " has to wait " + s.why,
		"finish the waves before first, or leave -wave out: apply runs them in order; -target=ADDR takes buckets out of the order"}}, nil
}

// errTooManyFailures ends a bucket that was not begun, or not switched.
var errTooManyFailures = errors.New("more buckets failed than max_failures allows")

// transient says that a later try may not meet an error of a look.
func transient(err error) bool {
	return err != nil && (!classified(err) || errors.Is(err, providers.ErrThrottled) || errors.Is(err, providers.ErrUnsettled))
}
