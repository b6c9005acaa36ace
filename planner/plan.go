package planner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/providers"
)

// Make observes every chosen bucket and plans what is not done. What concerns
// one bucket alone is a finding of that bucket; the error is for what stops
// the whole run: a target that matches nothing, credentials, ctx.
func Make(ctx context.Context, w providers.World, c *config.Config, o Options) (Plan, error) {
	p := Plan{FormatVersion: FormatVersion, Goal: o.Goal, Buckets: []BucketPlan{}}
	if p.Goal == "" {
		p.Goal = Migrate
	}
	chosen, err := choose(c, o)
	if err != nil {
		return p, err
	}
	w = rememberPolicies(w)
	leads := cmp.Or(o.leads, newChains(w, c))
	uses := make([]use, len(chosen))
	plans, before := make([]BucketPlan, len(chosen)), make([]bool, len(chosen))
	err = eachBucket(ctx, c, o, chosen, func(ctx context.Context, i int, b config.Bucket) error {
		a, err := lookToPlan(ctx, w, c, b, o, p.Goal)
		if stopsAll(ctx, err) {
			return err
		}
		a.Retry, a.NoEvidence, a.S3Loss = retries(o, b), o.NoEvidence, o.AcceptS3Loss
		if p.Goal == Rollback && err == nil {
			if before[i] = a.switchedBefore(o.Since); before[i] {
				return nil
			}
		}
		if err == nil && (p.Goal == Rollback || p.Goal == Migrate && a.unended()) {
			if err := a.lookWayBack(ctx, w, b); err != nil {
				return err
			}
		}
		if p.Goal == Migrate && err == nil && !a.switched() && (!a.Crumbs.held() || a.Retry) {
			if err := leads.known(ctx); err != nil {
				return err
			}
			a.Findings = append(a.Findings, leads.findings(b, a)...)
		}
		plans[i] = planBucket(b, a, err, o, p.Goal)
		uses[i] = usesOf(b, a, plans[i])
		return nil
	})
	if err != nil {
		return p, err
	}
	for i, bp := range plans {
		if !before[i] {
			p.Buckets = append(p.Buckets, bp)
		}
	}
	p.Summary = summarize(p.Buckets, p.Goal)
	p.Waves = planWaves(c, o, p)
	p.Findings = append(planFindings(c, p), leads.about()...)
	early, err := orderFinding(ctx, w, c, o, p)
	p.Findings = append(p.Findings, early...)
	if err != nil || p.Goal != Migrate {
		return p, err
	}
	quotas, beyond, err := preflight(ctx, w, uses)
	p.Quotas, p.Findings = quotas, append(p.Findings, beyond...)
	return p, err
}

// planned are the parts that a plan looks at.
func planned(g Goal) Part {
	switch g {
	case Rollback:
		return PartTags | PartAuthoritative | PartResolvers | partFinished | PartAccess | partUnlock | partCount | partLeft
	case UnlockBucket:
		return PartTags | PartAccess | partUnlock
	}
	return partAll | partLazy | partLeft | PartAccess | partLockable | partEvidence
}

// How often a look is made for a plan while the rate is exceeded, and while the
// servers of a zone do not answer alike: for about a minute.
const (
	triesThrottled = 12
	triesUnsettled = 8
)

// patiently observes a bucket for a plan, again where that will pass: of many
// buckets looked at together none should be called blocked for the rate, nor one
// whose record is just being changed.
func patiently(ctx context.Context, w providers.World, c *config.Config, b config.Bucket, parts Part) (Actual, error) {
	for try, d := 1, time.Second; ; try, d = try+1, min(2*d, everyAPI) {
		a, err := Observe(ctx, w, c, b, parts)
		again := errors.Is(err, providers.ErrThrottled) && try < triesThrottled || errors.Is(err, providers.ErrUnsettled) && try < triesUnsettled
		if !again {
			return a, err
		}
		if err := w.Clock.Sleep(ctx, d); err != nil {
			return a, err
		}
	}
}

// eachBucket runs f for the chosen buckets, many at the same time.
func eachBucket(ctx context.Context, c *config.Config, o Options, chosen []config.Bucket, f func(context.Context, int, config.Bucket) error) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(parallelism(c, o))
	for i, b := range chosen {
		g.Go(func() (err error) {
			defer providers.Recovered(&err)
			return f(gctx, i, b)
		})
	}
	return g.Wait()
}

func parallelism(c *config.Config, o Options) int {
	if o.Parallelism > 0 {
		return o.Parallelism
	}
	return max(1, c.Rollout.Parallelism)
}

// stopsAll: what fails for one bucket will fail for all.
func stopsAll(ctx context.Context, err error) bool {
	var broken *providers.PanicError
	return err != nil && (ctx.Err() != nil || errors.Is(err, providers.ErrCredentials) || errors.As(err, &broken))
}

// choose picks the buckets that -target and -exclude leave, and checks that
// every pattern means something.
func choose(c *config.Config, o Options) ([]config.Bucket, error) {
	for _, w := range o.Waves {
		if !slices.ContainsFunc(c.Buckets, func(b config.Bucket) bool { return b.Wave == w }) {
			return nil, &NoWaveError{Wave: w, Waves: waves(c)}
		}
	}
	for flag, patterns := range map[string][]string{"-target": o.Targets, "-exclude": o.Excludes, "-retry": o.Retry} {
		for _, pat := range patterns {
			if !slices.ContainsFunc(c.Buckets, func(b config.Bucket) bool { return matches(pat, b.Address) }) {
				return nil, &NoMatchError{Flag: flag, Pattern: pat, Buckets: c.Buckets}
			}
		}
	}
	var out []config.Bucket
	for _, b := range c.Buckets {
		if (len(o.Targets) == 0 || matchesAny(o.Targets, b.Address)) && !matchesAny(o.Excludes, b.Address) &&
			(len(o.Waves) == 0 || slices.Contains(o.Waves, b.Wave)) && o.Shard.has(b.Address) {
			out = append(out, b)
		}
	}
	if inWaves(c, cmp.Or(o.Goal, Migrate)) {
		slices.SortStableFunc(out, func(x, y config.Bucket) int { return waveIndex(c, x.Wave) - waveIndex(c, y.Wave) })
	}
	return out, nil
}

// CheckChoice says whether every wave and every pattern of o means something in
// c, as Make does before it looks at the world. The error is a [NoWaveError] or a
// [NoMatchError].
func CheckChoice(c *config.Config, o Options) error {
	_, err := choose(c, o)
	return err
}

// NoWaveError says that no bucket is of a wave.
type NoWaveError struct {
	Wave string
	// Waves are all there are.
	Waves []string
}

func (e *NoWaveError) Error() string {
	return fmt.Sprintf("-wave=%s: no bucket is of that wave", e.Wave)
}

// Hint names the waves there are.
func (e *NoWaveError) Hint() string {
	if len(e.Waves) == 0 {
		return "no bucket has a wave; write wave = \"" + e.Wave + "\" in its block"
	}
	if near := config.DidYouMean(e.Wave, e.Waves); near != "" {
		return "did you mean " + near + "?"
	}
	return "the waves are " + strings.Join(e.Waves, ", ")
}

func waves(c *config.Config) []string {
	var ws []string
	for _, b := range c.Buckets {
		if b.Wave != "" && !slices.Contains(ws, b.Wave) {
			ws = append(ws, b.Wave)
		}
	}
	slices.Sort(ws)
	return ws
}

// NoMatchError says that a pattern of addresses matches no bucket.
type NoMatchError struct {
	// Flag is the one that has the pattern, "" for an argument.
	Flag, Pattern string
	// Buckets are all there are.
	Buckets []config.Bucket
}

func (e *NoMatchError) Error() string {
	if e.Flag == "" {
		return e.Pattern + " is the address of no bucket of the configuration"
	}
	return fmt.Sprintf("%s=%s matches no bucket of the configuration", e.Flag, e.Pattern)
}

// Hint names the addresses there are, and first those that were meant: where only
// the quotes are missing that a shell takes away, whose address or one of whose
// names has the pattern in it, which is misspelt.
func (e *NoMatchError) Hint() string {
	var as, near []string
	for _, b := range e.Buckets {
		as = append(as, b.Address)
		if strings.ReplaceAll(b.Address, `"`, "") == e.Pattern {
			return fmt.Sprintf("the shell took the quotes away: type '%s'", b.Address)
		}
		if strings.Contains(b.Address, e.Pattern) || b.Name == e.Pattern ||
			slices.ContainsFunc(b.CNAMEs, func(n config.CNAME) bool { return n.Name == e.Pattern }) {
			near = append(near, b.Address)
		}
	}
	if meant := config.DidYouMean(e.Pattern, as); len(near) == 0 && meant != "" {
		near = []string{meant}
	}
	if n := len(near); n > 0 && n <= 3 {
		return "did you mean " + strings.Join(near, ", or ") + "?"
	}
	if len(as) > 8 {
		as = append(slices.Clone(as[:8]), fmt.Sprintf("and %d more", len(as)-8))
	}
	return "the addresses are " + strings.Join(as, ", ")
}

// matches compares an address with a pattern, in which * stands for any text;
// bucket.site means all instances of bucket.site.
func matches(pattern, address string) bool {
	if !strings.Contains(pattern, "*") {
		rest, ok := strings.CutPrefix(address, pattern)
		return ok && (rest == "" || strings.HasPrefix(rest, `["`) && strings.HasSuffix(rest, `"]`))
	}
	re := strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, `.*`)
	ok, err := regexp.MatchString(`^`+re+`(\[".*"\])?$`, address)
	return err == nil && ok
}

func matchesAny(patterns []string, address string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matches(p, address) })
}

func retries(o Options, b config.Bucket) bool { return matchesAny(o.Retry, b.Address) }

// planBucket judges one bucket's observation.
func planBucket(b config.Bucket, a Actual, lookErr error, o Options, g Goal) BucketPlan {
	p := BucketPlan{Address: b.Address, Bucket: b.Name, Region: b.Region, CNAMEs: b.Names(), Wave: b.Wave, Steps: []Step{}}
	if a.Bucket != nil {
		p.Region = a.Bucket.Region
	}
	if lookErr != nil {
		p.Standing = StandBlocked
		p.Findings = []Finding{lookFinding(lookErr)}
		return p
	}
	p.Facts = facts(a)
	p.Fingerprint = fingerprint(p.Facts)
	if g == Migrate {
		p.Findings = findings(b, a)
	}
	held := g == Migrate && a.Crumbs.held() && !a.Retry
	if held {
		p.Findings = []Finding{heldFinding(b, a)}
	}
	remains := held && a.leftCounting() && !a.leftLocked()
	if held && (a.unended() || remains || a.leftLocked()) {
		g, held = Rollback, false
	}
	if g == Rollback {
		p.Findings = append(p.Findings, wayBackFindings(b, a, o)...)
		slices.SortStableFunc(p.Findings, func(x, y Finding) int { return cmp.Compare(errorsFirst(x), errorsFirst(y)) })
	}
	all := judgeAll(b, a, stagesFor(b, a.Crumbs.lock(), o.table(g)))
	if remains { // the names went back; only what is billed is ended
		all = slices.DeleteFunc(all, func(j judged) bool { return j.stage.kind != MetricsStop })
	}
	if g == Migrate && a.begun() && !a.finished() {
		all = unlockable(all, p.Findings)
	}
	p.Stage = firstKind(all)
	for _, s := range all {
		if s.verdict.Status == Failed && !blocked(p.Findings) {
			p.Findings = append([]Finding{{Error, string(s.stage.kind), "stage " + string(s.stage.kind) + " cannot go on", s.verdict.Why}}, p.Findings...)
		}
	}
	switch {
	case held:
		p.Standing = StandHeld
	case blocked(p.Findings):
		p.Standing = StandBlocked
	case len(all) == 0:
		p.Standing = StandDone
	case a.Dist == nil:
		p.Standing = StandNew
	default:
		p.Standing = StandUnderWay
	}
	if p.Standing == StandNew || p.Standing == StandUnderWay {
		p.addSteps(b, a, all, o.upTo(g))
	}
	return p
}

func (p *BucketPlan) addSteps(b config.Bucket, a Actual, all []judged, wanted []stage) {
	for _, j := range all {
		if slices.ContainsFunc(wanted, func(s stage) bool { return s.kind == j.stage.kind }) {
			p.Steps = append(p.Steps, j.step())
		}
	}
	p.Expect = Seconds(longestPath(p.Steps) / time.Second)
	i := slices.IndexFunc(p.Steps, func(s Step) bool { return s.Kind == DNSSwitch || s.Kind == DNSRestore })
	if i < 0 {
		return
	}
	p.Switch = Seconds(longestPath(p.Steps[:i]) / time.Second)
	if until, ok := a.frozen(); ok && p.Steps[i].Kind == DNSSwitch {
		p.NotBefore = until.UTC()
	}
	mixed, why := mixedTime(b, a)
	p.Mixed, p.MixedWhy = Seconds(mixed/time.Second), why
}

// judged is a stage with its verdict.
type judged struct {
	stage   stage
	verdict Verdict
}

// judgeAll gives the stages that are not done. A change of the distribution has
// to be deployed and the links proven again, whatever they are now.
func judgeAll(b config.Bucket, a Actual, t []stage) []judged {
	var out []judged
	changing := false
	for _, s := range t {
		v := s.check(b, a)
		if v.Status == Done && changing && s.kind == DistributionDeployed {
			v = waiting("until every edge has the change")
			v.Expect = expectDeployed
		}
		if v.Status == Done && changing && s.kind == LinksVerify && !a.switched() {
			a.Crumbs = nil
			v = s.check(b, a)
		}
		if v.Status == Done {
			continue
		}
		changing = changing || s.kind == DistributionCreate
		out = append(out, judged{s, v})
	}
	return out
}

func firstKind(js []judged) Kind {
	if len(js) == 0 {
		return ""
	}
	return js[0].stage.kind
}

func (j judged) step() Step {
	v := j.verdict
	s := Step{Kind: j.stage.kind, Action: j.stage.action, Needs: j.stage.needs, Status: v.Status, Why: v.Why,
		Changes: v.Changes, Undo: v.Undo, Expect: Seconds(v.Expect / time.Second), Links: v.Links, ByHand: v.ByHand}
	if v.Action != "" {
		s.Action = v.Action
	}
	if v.Status == Waiting {
		s.Action = Wait
	}
	return s
}

// longestPath is how long the steps take together, as their needs allow.
func longestPath(steps []Step) time.Duration {
	end := map[Kind]time.Duration{}
	var total time.Duration
	for _, s := range steps {
		var start time.Duration
		for _, n := range s.Needs {
			start = max(start, end[n])
		}
		end[s.Kind] = start + s.Expect.Duration()
		total = max(total, end[s.Kind])
	}
	return total
}

// codeLookFailed is the code of a finding that says that nothing is known.
const codeLookFailed = "look-failed"

func lookFinding(err error) Finding {
	f := Finding{Error, codeLookFailed, "the bucket could not be looked at", err.Error()}
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		f.Detail += ". " + h.Hint()
	}
	return f
}

func heldFinding(b config.Bucket, a Actual) Finding {
	at, _, _ := strings.Cut(a.Crumbs[crumbHold], "/")
	how := "by hand"
	if code, ok := a.Crumbs.automatic(); ok {
		how = "by edgeward, because of " + code + ","
	}
	if a.unended() {
		return Finding{Warning, "held", "a way back was begun " + how + " at " + at + " and has not ended: names are still the distribution's",
			"this run ends it; or edgeward apply -retry='" + b.Address + "' to stay"}
	}
	if a.leftLocked() {
		return Finding{Warning, "held", "the bucket was rolled back " + how + " at " + at + " and is held, and a lock was begun meanwhile: visitors may be refused",
			"this run opens it; edgeward rollback -target='" + b.Address + "' does too"}
	}
	if a.returns() {
		return Finding{Note, "held", "a way back was begun " + how + " at " + at + " and has not ended: names are still the distribution's",
			"nothing is done about it until: edgeward rollback -target='" + b.Address + "' to end it, or edgeward apply -retry='" + b.Address + "' to stay"}
	}
	return Finding{Note, "held", "the bucket was rolled back " + how + " at " + at + " and is held",
		"nothing is done about it until: edgeward apply -retry='" + b.Address + "'"}
}

// summarize counts. The restores of an apply, which ends a way back that was
// begun, are no switches that limits could stop.
func summarize(bs []BucketPlan, g Goal) Summary {
	var s Summary
	for _, b := range bs {
		switch b.Standing {
		case StandNew:
			s.ToMigrate++
		case StandUnderWay:
			s.UnderWay++
		case StandDone:
			s.Done++
		case StandBlocked:
			s.Blocked++
		case StandHeld:
			s.Held++
		}
		for _, st := range b.Steps {
			if st.Kind == DNSSwitch || g == Rollback && st.Kind == DNSRestore && len(st.Changes) > 0 {
				s.Switches++
			}
		}
	}
	return s
}
