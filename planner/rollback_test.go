package planner

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeward/edgeward/providers"
	"github.com/edgeward/edgeward/providers/sandbox"
)

// TestRollbackKilledAtEveryCall: whatever call a way back dies at, a second one
// ends it, an apply ends it, shows the bucket as held or as it was before, and apply
// -retry reaches the end again; no visitor misses anything.
func TestRollbackKilledAtEveryCall(t *testing.T) {
	after := map[string]struct {
		goal  Goal
		retry []string
		ends  []Outcome
	}{
		"rollback":     {Rollback, nil, []Outcome{OutcomeRolled, OutcomeNothing}},
		"apply":        {Migrate, nil, []Outcome{OutcomeHeld, OutcomeRolled, OutcomeNothing}},
		"apply -retry": {Migrate, []string{"*"}, []Outcome{OutcomeFinished, OutcomeNothing}},
	}
	for _, name := range []string{assets, "www.example.org"} {
		for then, tc := range after {
			t.Run(name+", then "+then, func(t *testing.T) {
				t.Parallel()
				step := 1
				if raceDetector {
					step = 4
				}
				for n := 1; n <= 30 && !t.Failed(); n += step {
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

// TestApplyAndRollbackAtOnce: a way back that is begun while an apply is between
// its last look and the switch, or while apply -retry waits, is the last word.
func TestApplyAndRollbackAtOnce(t *testing.T) {
	s3 := func(s *session) bool {
		return s.w.Records(s.c.Buckets[0].Name)[0].Value != s.w.Distributions()[0].Domain
	}
	t.Run("while the links are fetched again before the switch", func(t *testing.T) {
		var h hooked
		inWorld(t, assets, func(l *lab) { l.options.Hook = h.hook }, func(t *testing.T, s *session) {
			s.o.Until = TTLLower
			s.apply(t.Context(), Migrate)
			s.o.Until = ""
			pause1(t, time.Hour) // the proof is too old then
			id := s.w.Distributions()[0].ID
			p := s.plan(t.Context(), Migrate)
			h.set(func(c sandbox.Call) error {
				if c.Op == "Distributions.Distribution" && c.After { // the first call of the gate
					go s.w.EditTags(id, map[string]string{crumbHold: writeTime(time.Now()) + "/manual"})
				}
				return nil
			})
			p.Buckets[0].Steps = p.Buckets[0].Steps[len(p.Buckets[0].Steps)-3:]
			r := one(t, s.run(t.Context(), p, nil))
			if r.Outcome != OutcomeHeld || !s3(s) {
				t.Errorf("%+v, %v", r, s.w.Records(assets))
			}
			s.served()
		})
	})
	t.Run("while apply -retry waits", func(t *testing.T) {
		inWorld(t, assets, nil, func(t *testing.T, s *session) {
			s.want(s.apply(t.Context(), Migrate), OutcomeFinished)
			s.want(s.apply(t.Context(), Rollback), OutcomeRolled)
			again := &session{t: t, w: s.w, c: s.c, o: Options{Retry: []string{"*"}}}
			p := again.plan(t.Context(), Migrate)
			ended := make(chan Report)
			go func() { ended <- again.run(t.Context(), p, nil) }()
			pause1(t, 20*time.Minute)
			s.apply(t.Context(), Rollback)
			if r := one(t, <-ended); r.Outcome != OutcomeHeld || !s3(s) {
				t.Errorf("%+v, %v", r, s.w.Records(assets))
			}
			s.served()
		})
	})
}

// TestRollbackWithoutItsCrumbs: a person took tags away, or the distribution.
func TestRollbackWithoutItsCrumbs(t *testing.T) {
	tests := map[string]struct {
		change  func(s *session, id string)
		outcome Outcome
		ttl     time.Duration
	}{
		"the old TTL: the record keeps the one it has": {func(s *session, id string) {
			s.w.EditTags(id, map[string]string{crumbWasTTL: ""})
		}, OutcomeRolled, time.Minute},
		"the distribution: nobody is told that nothing was changed": {func(s *session, id string) {
			s.w.DeleteDistribution(id)
		}, OutcomeBlocked, time.Minute},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			inWorld(t, assets, nil, func(t *testing.T, s *session) {
				s.o.Until = DNSSwitch
				s.apply(t.Context(), Migrate)
				s.o.Until = ""
				tc.change(s, s.w.Distributions()[0].ID)
				r := one(t, s.apply(t.Context(), Rollback))
				if rs := s.w.Records(assets); r.Outcome != tc.outcome || len(rs) != 1 || rs[0].TTL != tc.ttl {
					t.Errorf("%+v, %v", r, rs)
				}
			})
		})
	}
}

// TestRestoringTheTTLLeavesAPersonsRecord: whoever points the name elsewhere
// after the switch keeps it, TTL and all.
func TestRestoringTheTTLLeavesAPersonsRecord(t *testing.T) {
	inWorld(t, assets, nil, func(t *testing.T, s *session) {
		s.o.Until = DNSPropagated
		s.apply(t.Context(), Migrate)
		s.o.Until = ""
		p := s.plan(t.Context(), Migrate)
		theirs := []providers.Record{{Type: "CNAME", Value: "other.example.net", TTL: 2 * time.Minute}}
		s.w.SetRecords(route53, assets, theirs)
		r := one(t, s.run(t.Context(), p, nil))
		if got := s.w.Records(assets); r.Outcome == OutcomeFinished || !providers.SameRecords(got, theirs) {
			t.Errorf("%+v, %v", r, got)
		}
	})
}

// TestTwoAppliesAtOnce: what the other run did first is progress of both.
func TestTwoAppliesAtOnce(t *testing.T) {
	for seed := range int64(8) {
		synctest.Test(t, func(t *testing.T) {
			s := newLab(seed).start(t)
			s.w.StartVisitors(t.Context(), time.Minute)
			ended := make(chan Report)
			for i := range 2 {
				x := &session{t: t, w: s.w, c: s.c, o: s.o, early: new(string)} // the other run may have switched already
				go func() {
					pause1(t, time.Duration(i)*time.Duration(seed)*300*time.Millisecond)
					ended <- x.apply(t.Context(), Migrate)
				}()
			}
			s.want(<-ended, OutcomeFinished)
			s.want(<-ended, OutcomeFinished)
			s.served()
		})
	}
}

// TestManyBucketsThrottled: every eleventh call is refused, and all buckets
// finish.
func TestManyBucketsThrottled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(1).only()
		l.options.Buckets = nil
		for i := range 40 {
			name := fmt.Sprintf("b%d.example.com", i)
			l.bucket(name, route53, nil, cname(name, "s3.eu-west-1.amazonaws.com", time.Minute))
			l.config.Buckets[i].Verify.Sample = 1
		}
		s := l.start(t)
		s.o.Parallelism = 16
		s.w.SetThrottle(11)
		s.w.StartVisitors(t.Context(), time.Minute)
		s.want(s.apply(t.Context(), Migrate), OutcomeFinished)
		s.served()
	})
}

// TestTimesThatAreYetToCome: what a wrong clock wrote down proves nothing and
// keeps no bucket waiting for years.
func TestTimesThatAreYetToCome(t *testing.T) {
	inWorld(t, assets, nil, func(t *testing.T, s *session) {
		s.o.Until = TTLLower
		s.apply(t.Context(), Migrate)
		s.o.Until = ""
		d := s.w.Distributions()[0]
		s.w.EditTags(d.ID, map[string]string{crumbLowSince: "2100-01-01T00:00:00Z/60", crumbProof: "2100-01-01T00:00:00Z/" + d.ETag + "/" + askedOf(s.c.Buckets[0].Verify) + "/abc"})
		s.want(s.apply(t.Context(), Migrate), OutcomeFinished)
		if at, _, _, _ := crumbs(s.w.Distributions()[0].Tags).proof(); at.After(time.Now()) {
			t.Error("the links were not proven again")
		}
		s.served()
	})
}
