package planner

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeward/edgeward/providers"
)

// TestRollbackKilledAtEveryCall: whatever call a way back dies at, a second one
// ends it, an apply shows the bucket as held or as it was before, and apply
// -retry reaches the end again; no visitor misses anything.
func TestRollbackKilledAtEveryCall(t *testing.T) {
	after := map[string]struct {
		goal  Goal
		retry []string
		ends  []Outcome
	}{
		"rollback":     {Rollback, nil, []Outcome{OutcomeRolled, OutcomeNothing}},
		"apply":        {Migrate, nil, []Outcome{OutcomeHeld, OutcomeNothing}},
		"apply -retry": {Migrate, []string{"*"}, []Outcome{OutcomeFinished, OutcomeNothing}},
	}
	for _, name := range []string{assets, "www.example.org"} {
		for then, tc := range after {
			t.Run(name+", then "+then, func(t *testing.T) {
				t.Parallel()
				for n := 1; n <= 30 && !t.Failed(); n++ {
					rollbackKilled(t, newLab(3).only(name), n, tc.goal, tc.retry, tc.ends)
				}
			})
		}
	}
}

func rollbackKilled(t *testing.T, l *lab, n int, then Goal, retry []string, ends []Outcome) {
	opts, arm := killedAt(l, n, true)
	l.options = opts
	name := l.config.Buckets[0].Name
	synctest.Test(t, func(t *testing.T) {
		s := l.start(t)
		before := s.w.Records(name)
		s.w.StartVisitors(t.Context(), 5*time.Minute)
		s.want(s.apply(t.Context(), Migrate), OutcomeFinished)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		arm(cancel)
		if p, err := Make(ctx, s.w.Providers(), s.c, Options{Goal: Rollback}); err == nil && ctx.Err() == nil {
			s.run(ctx, p, nil)
		}
		arm(nil)
		s.o.Retry = retry
		x := one(t, s.apply(t.Context(), then))
		ok := false
		for _, o := range ends {
			ok = ok || x.Outcome == o
		}
		if !ok {
			t.Errorf("killed after call %d: %s at %s: %s", n, x.Outcome, x.Stage, x.Why)
		}
		if got := s.w.Records(name); then == Rollback && !providers.SameRecords(before, got) {
			t.Errorf("killed after call %d: %s is %v, was %v", n, name, got, before)
		}
		s.served()
	})
}
