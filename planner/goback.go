package planner

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/providers"
)

// holdCode is what stands in the hold of a way back that the bucket's run began
// by itself: why the bucket is unhealthy, else the stage that failed.
func holdCode(k Kind, err error) string {
	var u *UnhealthyError
	if errors.As(err, &u) {
		return u.Code
	}
	return string(k)
}

// manualHold is the code of a way back that a person has begun.
const manualHold = "manual"

// automatic says that a run has begun the way back by itself, and names the
// cause.
func (c crumbs) automatic() (code string, ok bool) {
	_, code, _ = strings.Cut(c[crumbHold], "/")
	return code, code != "" && code != manualHold
}

// heldFor says that the hold stands, and names the cause that a way back has; "" is
// any.
func (c crumbs) heldFor(code string) bool {
	_, has, _ := strings.Cut(c[crumbHold], "/")
	return c.heldSince() && (code == "" || has == code)
}

// unended says that a run has begun a way back, by itself or for a person, and that
// a name is the distribution's yet: the visitors that it was begun for still get
// there, and the way back was approved, with the switch or by that person. So every
// later apply ends it.
func (a Actual) unended() bool {
	return a.Crumbs.held() && a.returns() && !a.Retry && a.Crumbs[crumbWas] != ""
}

// lookToPlan looks at what a plan needs. Where an apply ends a way back of a locked
// bucket, that is unlocked first, so its flags have to be known.
func lookToPlan(ctx context.Context, w providers.World, c *config.Config, b config.Bucket, o Options, g Goal) (Actual, error) {
	a, err := patiently(ctx, w, c, b, planned(g))
	if err != nil || g != Migrate || retries(o, b) || !a.Crumbs.held() || !a.Crumbs.maybeLocked() {
		return a, err
	}
	return patiently(ctx, w, c, b, planned(Rollback))
}

// goalOf is the table that a bucket's steps are of: an apply has those of the way
// back where it ends one that was begun.
func goalOf(g Goal, steps []Step) Goal {
	back := func(s Step) bool { return slices.Contains(Kinds(Rollback), s.Kind) }
	if g == Migrate && len(steps) > 0 && back(steps[0]) {
		return Rollback
	}
	return g
}

// staysHeld: a run that only ended what the way back of an earlier one had left
// on has moved nothing.
func (br *bucketRun) staysHeld(res *Result) {
	restores := slices.ContainsFunc(br.plan.Steps, func(s Step) bool { return s.Kind == DNSRestore })
	if br.r.goal == Migrate && br.goal == Rollback && !restores && (res.Outcome == OutcomeRolled || res.Outcome == OutcomeStopped) {
		res.Outcome, res.Hint = OutcomeHeld, br.plan.Findings[0].Detail
	}
}

// Going back looks again for so often, and waits for so long until the world sees
// it, whatever -wait-timeout has left.
const (
	triesBack = 8
	waitBack  = 15 * time.Minute
)

// goBack is what an apply does by itself with a bucket that failed after its
// switch: the way back that was printed with it, and nothing else (rule 15).
func (br *bucketRun) goBack(ctx context.Context, res *Result) {
	if br.goal != Migrate || res.Outcome != OutcomeFailed || !br.b.Watch.Rollback || ctx.Err() != nil || !br.hurts(res.Stage) {
		return
	}
	a, err := br.lookBack(ctx)
	if err != nil {
		res.Hint = "it could not be seen whether the bucket is switched (" + err.Error() + "): edgeward status; edgeward rollback -target='" + br.b.Address + "' to go back"
		return
	}
	o := br.r.x.Options
	other := a.Crumbs.held() && !(retries(o, br.b) && br.lifts(a.Crumbs[crumbHold])) // somebody else goes back
	if !a.begun() || a.Crumbs[crumbFinished] != "" || other || a.Crumbs[crumbWas] == "" {
		return
	}
	if a.Crumbs.settled() && !ofAll(br.cause()) {
		br.stays(res, settledFinding(br.b, a))
		return
	}
	o.AcceptHTTPSLoss, o.AcceptS3Loss = false, false
	way := planBucket(br.b, a, nil, o, Rollback)
	if way.Standing == StandBlocked {
		br.stays(res, way.Findings[0])
		return
	}
	cause := br.cause()
	back := &bucketRun{r: br.r, w: br.w, b: br.b, plan: way, goal: Rollback, done: map[Kind]bool{}, started: true,
		code: holdCode(res.Stage, cause), deadline: br.r.x.World.Clock.Now().Add(max(waitBack, 2*way.Mixed.Duration()))}
	br.emit("", EventNote, Verdict{Why: "going back to S3, since " + string(res.Stage) + " failed: " + res.Why})
	sctx, stop := context.WithCancel(ctx)
	defer stop()
	back.stop = stop
	back.steps(ctx, sctx)
	back.backEnded(ctx, res)
}

// stays says why a bucket that failed does not go back: visitors would lose by it.
func (br *bucketRun) stays(res *Result, why Finding) {
	res.Hint = "the names stay the distribution's: " + why.Summary + "; " + why.Detail
	br.emit("", EventNote, Verdict{Why: "not going back to S3: " + why.Summary})
}

// hurts says that the failure can be one of the switch: this run has made it, or
// what comes with it and after it has failed. Another run may have switched the
// bucket, and what fails here before is no reason to undo that.
func (br *bucketRun) hurts(stage Kind) bool {
	kinds := Kinds(Migrate)
	return br.switched || slices.Index(kinds, stage) >= slices.Index(kinds, DNSSwitch)
}

// backEnded folds the end of a way back into the bucket's result, whose one cause
// stays that of the failure.
func (br *bucketRun) backEnded(ctx context.Context, res *Result) {
	end := br.result(ctx)
	var lost *lostError
	var unheld *unheldError
	switch {
	case errors.As(br.cause(), &unheld):
		res.Hint = unheld.Error() + "; " + unheld.Hint()
	case errors.As(br.cause(), &lost):
		br.stays(res, lost.f)
	case end.Outcome == OutcomeInterrupted:
		res.Outcome, res.Why, res.Hint = OutcomeInterrupted, "interrupted while going back: "+res.Why, "the next apply ends the way back"
	case br.done[DNSRestore]:
		res.Outcome = OutcomeRolled
		res.Hint = "the names are S3's again, and the bucket is held; mend what failed, then edgeward apply -retry='" + br.b.Address + "'"
		if end.Outcome == OutcomeWaiting {
			res.Hint = end.Why + "; " + res.Hint
		}
		br.emit("", EventFailed, Verdict{Why: "rolled back: " + res.Why})
	default:
		res.Hint = "going back has not ended: " + end.Why + "; the next apply goes on with it, or type edgeward rollback -target='" + br.b.Address + "'"
		if end.Hint != "" {
			res.Hint += "; " + end.Hint
		}
	}
}

// lookBack looks at the bucket again, also where a look fails.
func (br *bucketRun) lookBack(ctx context.Context) (Actual, error) {
	x := br.r.x
	ctx = providers.WithUrgency(ctx)
	parts := PartTags | partCount | partLeft
	for try, d := 1, time.Second; ; try, d = try+1, min(2*d, everyAPI) {
		a, err := Observe(ctx, x.World, x.Config, br.b, parts)
		if err == nil && a.Crumbs.locked() && parts&partUnlock == 0 { // it is unlocked first
			parts |= PartAccess | partUnlock
			a, err = Observe(ctx, x.World, x.Config, br.b, parts)
		}
		if err == nil {
			return a, a.lookWayBack(ctx, x.World, br.b)
		}
		if try == triesBack || errors.Is(err, providers.ErrDenied) || errors.Is(err, providers.ErrCredentials) {
			return a, err
		}
		if err := x.World.Clock.Sleep(ctx, d); err != nil {
			return a, err
		}
	}
}

// lookWayBack looks for what visitors would lose by a way back. S3 is not asked
// where the bucket is locked, which is undone first. The error is ctx's alone.
func (a *Actual) lookWayBack(ctx context.Context, w providers.World, b config.Bucket) (err error) {
	a.HTTPS = keepsHTTPS(ctx, w, b, *a)
	if !a.Crumbs.locked() {
		a.Lost, err = seesOld(ctx, w, b, *a, 1)
	}
	return err
}

// keepsHTTPS says why browsers go on asking by https, which S3 cannot answer,
// once the names are S3's again; "" when nothing is seen that makes them.
func keepsHTTPS(ctx context.Context, w providers.World, b config.Bucket, a Actual) string {
	if a.Dist == nil || !a.begun() {
		return ""
	}
	switch a.Dist.Settings.ViewerProtocol {
	case "redirect-to-https":
		return "the distribution redirects visitors to https for good"
	case "https-only":
		return "the distribution serves https only"
	}
	if a.Dist.Settings.ResponseHeadersID == "" { // without one no header of the kind is sent
		return ""
	}
	path := "/"
	if len(b.Verify.Paths) > 0 {
		path = b.Verify.Paths[0]
	}
	for _, n := range b.Names() {
		r, err := w.Web.Fetch(ctx, providers.Request{Method: http.MethodHead, URL: "https://" + n + path, Dial: a.Dist.Domain})
		if err == nil && hstsAge(r.Header.Get("Strict-Transport-Security")) > 0 {
			return "the distribution sends Strict-Transport-Security with " + n
		}
	}
	return ""
}

// acceptHTTPSLoss is the flag that goes back where browsers go on asking by https.
const acceptHTTPSLoss = "-accept-https-loss"

// sendsToHTTPS says that the distribution will send visitors to https, or serve
// nothing else, which no way back can undo: so it will be refused.
func sendsToHTTPS(b config.Bucket, a Actual) bool {
	p := asked(b.Distribution.ViewerProtocol)
	if p == "" && a.Dist != nil {
		p = a.Dist.Settings.ViewerProtocol
	}
	return p == "redirect-to-https" || p == "https-only"
}

// hstsAge is the max-age of a Strict-Transport-Security header, 0 without one
// (RFC 6797, part 6.1.1).
func hstsAge(header string) int {
	for d := range strings.SplitSeq(header, ";") {
		name, value, _ := strings.Cut(d, "=")
		if strings.EqualFold(strings.TrimSpace(name), "max-age") {
			n, err := strconv.Atoi(strings.Trim(strings.TrimSpace(value), `"`))
			if err == nil {
				return n
			}
		}
	}
	return 0
}

// wayBackFindings say for which visitors going back would be worse than staying.
func wayBackFindings(b config.Bucket, a Actual, o Options) []Finding {
	if a.Dist == nil || !a.begun() {
		return addedFindings(a)
	}
	fs := append(unproxiedFindings(b, a), addedFindings(a)...)
	if a.Lost != nil {
		f := *a.Lost
		if o.AcceptS3Loss {
			f.Severity, f.Detail = Warning, "-accept-s3-loss accepts that"
		}
		fs = append(fs, f)
	}
	if a.HTTPS != "" {
		f := Finding{Error, "https-lost", a.HTTPS + ": browsers go on asking by https, and S3 cannot answer that under " + strings.Join(b.Names(), ", "),
			"stay with CloudFront and mend what is wrong there; to go back all the same, knowing that those visitors are lost: " + goBackBy(b, acceptHTTPSLoss)}
		if o.AcceptHTTPSLoss {
			f.Severity, f.Detail = Warning, "-accept-https-loss accepts that"
		}
		fs = append(fs, f)
	}
	return fs
}

// errorsFirst puts what blocks a way back before everything else.
func errorsFirst(f Finding) int {
	if f.Severity == Error {
		return 0
	}
	return 1
}

// codePlanRefused is the code of the finding that a bucket is not begun because its
// plan is refused as a whole.
const codePlanRefused = "plan-refused"

// OnTheWay is what of a plan may run that is refused as a whole, for why, with what
// to do about it: buckets of which visitors are between the two already, or that go
// back. Limits, the order of waves and quotas stop what is new, and never keep those
// from their end (rule 10). The others are blocked. It is false where nothing is on
// its way.
func OnTheWay(p Plan, why, hint string) (rest Plan, ok bool) {
	if !endsSome(p) {
		return p, false
	}
	rest = p
	rest.Buckets = slices.Clone(p.Buckets)
	for i := range rest.Buckets {
		b := &rest.Buckets[i]
		if len(b.Steps) == 0 || onTheWay(*b) {
			continue
		}
		b.Standing, b.Steps = StandBlocked, []Step{}
		b.Findings = append([]Finding{{Error, codePlanRefused, "not begun: " + strings.TrimPrefix(why, refusal(p)), hint}}, b.Findings...)
	}
	rest.Summary = summarize(rest.Buckets, rest.Goal)
	return rest, true
}

// endsSome says that a plan to migrate has buckets on their way.
func endsSome(p Plan) bool {
	return p.Goal == Migrate && slices.ContainsFunc(p.Buckets, func(b BucketPlan) bool { return len(b.Steps) > 0 && onTheWay(b) })
}

// refusal begins the finding that apply refuses a plan.
func refusal(p Plan) string {
	if endsSome(p) {
		return "apply begins nothing of this plan and only ends what is on its way: "
	}
	return "apply refuses this plan as a whole: "
}
