package planner

import (
	"context"
	"errors"
	"slices"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/providers"
)

// result folds the ends of a bucket's steps into one, with one cause.
func (br *bucketRun) result(ctx context.Context) Result {
	res := Result{Address: br.b.Address, Switched: br.switched, Traffic: br.traffic}
	for _, s := range br.plan.Steps {
		if !br.done[s.Kind] {
			res.Stage = s.Kind
			break
		}
	}
	if err := br.cause(); err != nil {
		var unhealthy *UnhealthyError
		if errors.As(err, &unhealthy) && br.planned(TrafficWatch) {
			res.Stage = TrafficWatch // its looks begin before it
		}
		br.ended(&res, err)
		if ctx.Err() != nil && res.Outcome != OutcomeStale {
			res.Outcome, res.Why, res.Hint = OutcomeInterrupted, "interrupted", ""
		}
		return res
	}
	last := br.plan.Steps[len(br.plan.Steps)-1].Kind
	end := stagesFor(br.b, lockMark{}, table(br.goal))
	switch {
	case last != end[len(end)-1].kind && br.r.x.Options.Until != "":
		res.Outcome, res.Stage = OutcomeStopped, ""
		if i := slices.IndexFunc(end, func(s stage) bool { return s.kind == br.r.x.Options.Until }); i >= 0 && i+1 < len(end) {
			res.Stage = end[i+1].kind
		}
	case br.goal == Rollback:
		res.Outcome = OutcomeRolled
	case br.goal == UnlockBucket:
		res.Outcome = OutcomeUnlocked
	default:
		res.Outcome = OutcomeFinished
	}
	return res
}

// cause is the one error that ended the bucket: a failure before a wait, a wait
// before what was merely cut off by it.
func (br *bucketRun) cause() error {
	rank := func(e stepError) int {
		var w *waitError
		switch {
		case errors.Is(e.err, context.Canceled):
			return 2
		case errors.As(e.err, &w):
			return 1
		}
		return 0
	}
	if len(br.errs) == 0 {
		return nil
	}
	return slices.MinFunc(br.errs, func(x, y stepError) int {
		if d := rank(x) - rank(y); d != 0 {
			return d
		}
		// Of several waits the one that ends last, of which the end is known, tells
		// when to come back.
		var xw, yw *waitError
		if !errors.As(x.err, &xw) || !errors.As(y.err, &yw) {
			return 0
		}
		if xw.byHand != yw.byHand { // what somebody has to do is what must be said
			if xw.byHand {
				return -1
			}
			return 1
		}
		return yw.until.Compare(xw.until)
	}).err
}

func (br *bucketRun) ended(res *Result, err error) {
	var wait *waitError
	var stale *StaleError
	var held *heldError
	var hint interface{ Hint() string }
	res.Why = err.Error()
	if errors.As(err, &hint) {
		res.Hint = hint.Hint()
	}
	switch {
	case errors.As(err, &wait):
		res.Outcome = OutcomeWaiting
		if !wait.until.IsZero() {
			res.Until = &wait.until
		}
	case errors.As(err, &stale):
		res.Outcome = OutcomeStale
	case errors.As(err, &held):
		res.Outcome = OutcomeHeld
	case errors.Is(err, errTooManyFailures):
		res.Outcome = OutcomeSkipped
	default:
		res.Outcome = OutcomeFailed
	}
}

// ExitCode is the report's, by the table in the design: 0 done, 3 stale, 4 failed
// and nothing was switched or finished, 5 failed and something was, 6
// unfinished, 130 interrupted. The first of 130, 5, 4, 3, 6, 0 that holds.
func (r Report) ExitCode() int {
	has := func(os ...Outcome) bool {
		return slices.ContainsFunc(r.Results, func(x Result) bool { return slices.Contains(os, x.Outcome) })
	}
	back := r.Goal == Migrate && has(OutcomeRolled)
	bad := has(OutcomeFailed, OutcomeBlocked) || back
	progress := slices.ContainsFunc(r.Results, func(x Result) bool {
		if r.Goal == Migrate && x.Outcome == OutcomeRolled {
			return false
		}
		return x.Switched || x.Outcome == OutcomeFinished || x.Outcome == OutcomeRolled || x.Outcome == OutcomeUnlocked
	})
	switch {
	case has(OutcomeInterrupted):
		return 130
	case bad && progress:
		return 5
	case bad:
		return 4
	case has(OutcomeStale):
		return 3
	case has(OutcomeWaiting, OutcomeSkipped):
		return 6
	}
	return 0
}

// MakeStatus observes every chosen bucket, asks the authoritative servers and
// the resolvers, and says where each stands.
func MakeStatus(ctx context.Context, w providers.World, c *config.Config, o Options) (StatusReport, error) {
	r := StatusReport{FormatVersion: FormatVersion, Buckets: []BucketStatus{}}
	chosen, err := choose(c, o)
	if err != nil {
		return r, err
	}
	all := make([]BucketStatus, len(chosen))
	begun := make([]measured, len(chosen))
	err = eachBucket(ctx, c, o, chosen, func(ctx context.Context, i int, b config.Bucket) error {
		look := func() (Actual, error) { return Observe(ctx, w, c, b, partAll|partFinished|partSwept) }
		if o.Full {
			look = func() (Actual, error) { return readAll(ctx, w, c, b) }
		}
		a, err := look()
		if stopsAll(ctx, err) {
			return err
		}
		all[i] = bucketStatus(b, a, err, o)
		if err == nil && a.Dist != nil && a.begun() {
			begun[i] = measured{b, a, &all[i]}
		}
		return nil
	})
	if err != nil {
		return r, err
	}
	if err := measureAll(ctx, w, slices.DeleteFunc(begun, func(m measured) bool { return m.status == nil })); err != nil {
		return r, err
	}
	r.Buckets = append(r.Buckets, all...)
	return r, nil
}

func bucketStatus(b config.Bucket, a Actual, lookErr error, o Options) BucketStatus {
	p := planBucket(b, a, lookErr, o, Migrate)
	s := BucketStatus{Address: b.Address, Wave: b.Wave, Standing: p.Standing, Stage: p.Stage, Names: []NameStatus{}, Findings: p.Findings}
	switch {
	case p.Standing == StandBlocked || p.Standing == StandHeld:
		s.Why = p.Findings[0].Summary
	case len(p.Steps) > 0:
		s.Why = p.Steps[0].Why
	}
	if a.Dist != nil {
		s.Distribution = a.Dist.Domain
	}
	if o.Full && lookErr == nil {
		if s.Drift = drift(b, a); s.Drift != nil {
			s.Ask, s.Steps = ask(a), p.Steps
		}
	}
	for _, n := range a.Names {
		ns := NameStatus{Name: n.CNAME.Name, Record: showRecords(n.Set.Records), Serves: string(n.Serves)}
		if n.CNAME.Name == "" {
			continue // the look failed before it was asked
		}
		for _, x := range n.Authoritative {
			ns.Authoritative = append(ns.Authoritative, serverSays(n, a.Dist, x))
		}
		for _, x := range n.Resolved {
			ns.Resolvers = append(ns.Resolvers, serverSays(n, a.Dist, x))
		}
		s.Names = append(s.Names, ns)
	}
	return s
}

// Drifted says whether a bucket was changed by hand after its migration.
func (r StatusReport) Drifted() bool {
	return slices.ContainsFunc(r.Buckets, func(b BucketStatus) bool { return len(b.Drift) > 0 })
}

// Unseen are the addresses of the buckets that could not be looked at wholly, so
// that nobody can say whether they drifted.
func (r StatusReport) Unseen() []string {
	var out []string
	for _, b := range r.Buckets {
		if slices.ContainsFunc(b.Findings, func(f Finding) bool {
			return f.Code == codeLookFailed || f.Code == "bucket-denied" && b.Distribution != ""
		}) {
			out = append(out, b.Address)
		}
	}
	return out
}

// serverSays puts one server's answer in words, with who a visitor reaches by
// it. The addresses of an alias do not say that by themselves.
func serverSays(n NameActual, d *providers.Distribution, x providers.Answer) ServerSays {
	out := ServerSays{Server: x.Server, Answer: saysTTL(x), Serves: string(servesUnknown)}
	var rs []providers.Record
	for _, r := range x.Records {
		if r.Type == "CNAME" && (r.Name == "" || r.Name == n.CNAME.Name) {
			rs = append(rs, providers.Record{Type: r.Type, Value: r.Value})
		}
	}
	switch {
	case x.Err != "" || x.RCode != "NOERROR" && x.RCode != "NXDOMAIN":
		out.Answer = "no answer: " + x.Err
		if x.Err == "" {
			out.Answer = x.RCode
		}
	case rs != nil:
		who, _ := serves(rs, d)
		out.Serves = string(who)
	case len(x.Records) == 0:
		out.Serves = string(servesNobody)
	case n.alias() && n.Edge == nil:
		out.Serves = string(n.Serves)
	}
	return out
}
