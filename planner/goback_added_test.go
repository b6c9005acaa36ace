package planner

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/providers"
	"github.com/edgeward/edgeward/providers/sandbox"
)

const (
	added   = "static.example.com"
	newName = "new.example.com"
)

// atDistribution says which names lead to the bucket's distribution.
func atDistribution(s *session, names ...string) (at string) {
	for _, n := range names {
		if rs := s.w.Records(n); len(rs) > 0 && rs[0].Value == s.w.Distributions()[0].Domain {
			at += n + " "
		}
	}
	return strings.TrimSpace(at)
}

// withAdded gives the bucket of a lab its added name again.
func withAdded(l *lab) {
	l.config.Buckets[0].CNAMEs = append(l.config.Buckets[0].CNAMEs, config.CNAME{Name: added, DNSProvider: route53, Zone: "example.com"})
}

// TestAddedNamesStay: an added name of a bucket that was finished is served also
// after a way back, whoever goes back, and by whatever run it was begun; the moved
// name goes back alone, and the next apply finds nothing to end.
func TestAddedNamesStay(t *testing.T) {
	inWorld(t, assets, withAdded, func(t *testing.T, s *session) {
		before := s.w.Records(assets)
		s.want(s.apply(t.Context(), Migrate), OutcomeFinished)
		pause1(t, 24*time.Hour)
		p := s.plan(t.Context(), Rollback)
		if fs := p.Buckets[0].Findings; len(fs) != 1 || fs[0].Code != codeAddedStay || !strings.Contains(fs[0].Detail, added) {
			t.Errorf("%+v", fs)
		}
		s.want(s.run(t.Context(), p, nil), OutcomeRolled)
		pause1(t, 2*time.Hour)
		if at := atDistribution(s, assets, added); at != added || !providers.SameRecords(before, s.w.Records(assets)) {
			t.Errorf("at the distribution: %s", at)
		}
		if p := s.plan(t.Context(), Migrate); p.Buckets[0].Standing != StandHeld || len(p.Buckets[0].Steps) > 0 {
			t.Errorf("%+v", p.Buckets[0])
		}
		s.want(s.apply(t.Context(), Rollback), OutcomeNothing)
		s.o.Retry = []string{"*"}
		s.want(s.apply(t.Context(), Migrate), OutcomeFinished)
		s.o.Retry = nil
		s.want(s.apply(t.Context(), Rollback), OutcomeRolled)
		pause1(t, 2*time.Hour)
		if at := atDistribution(s, assets, added); at != added {
			t.Errorf("at the distribution after another way back: %s", at)
		}
		s.served()
	})
}

// TestAddedNamesGoFirst: before a bucket was finished once, a way back removes the
// names that the same migration has added.
func TestAddedNamesGoFirst(t *testing.T) {
	inWorld(t, assets, withAdded, func(t *testing.T, s *session) {
		goingBack(&lab{config: s.c})
		s.o.stages = sick(TTLRestore, "", assets)
		s.want(s.apply(t.Context(), Migrate), OutcomeRolled)
		if at := atDistribution(s, assets, added); at != "" || len(s.w.Records(added)) > 0 {
			t.Errorf("at the distribution: %s", at)
		}
	})
}

// TestNameAddedLater: what fails at a name that was added to a finished bucket moves
// nothing but what the failure is about.
func TestNameAddedLater(t *testing.T) {
	tests := map[string]struct {
		hook   func(sandbox.Call) error
		stages func(Goal) []stage
		want   Outcome
		at     string
	}{
		"the provider refuses the name": {func(c sandbox.Call) error {
			if c.Op == "DNS.Replace" && c.Name == newName && !c.After {
				return fmt.Errorf("not allowed: %w", providers.ErrDenied)
			}
			return nil
		}, nil, OutcomeFailed, assets + " " + added},
		"a later stage fails":         {nil, sickLater(DNSPropagated, ""), OutcomeFailed, assets + " " + added + " " + newName},
		"4xx of the name's visitors":  {nil, sickLater(DNSPropagated, codeErrors4xx), OutcomeFailed, assets + " " + added + " " + newName},
		"5xx of all the distribution": {nil, sickLater(DNSPropagated, codeErrors5xx), OutcomeRolled, added + " " + newName},
		"links of the moved name":     {nil, sickLater(DNSPropagated, codeLinks), OutcomeRolled, added + " " + newName},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			inWorld(t, assets, func(l *lab) { l.options.Hook = tc.hook; withAdded(goingBack(l)) }, func(t *testing.T, s *session) {
				s.want(s.apply(t.Context(), Migrate), OutcomeFinished)
				pause1(t, 24*time.Hour)
				s.c.Buckets[0].CNAMEs = append(s.c.Buckets[0].CNAMEs, config.CNAME{Name: newName, DNSProvider: route53, Zone: "example.com"})
				s.o.stages = tc.stages
				r := s.apply(t.Context(), Migrate)
				s.want(r, tc.want)
				pause1(t, 2*time.Hour)
				if at := atDistribution(s, assets, added, newName); at != tc.at {
					t.Errorf("at the distribution: %s", at)
				}
				if x := r.Results[0]; tc.want == OutcomeFailed && !strings.Contains(x.Hint, "was finished before") {
					t.Errorf("%+v", x)
				}
				s.served()
			})
		})
	}
}

// sickLater has a stage fail once the later name is switched.
func sickLater(k Kind, code string) func(Goal) []stage {
	return faulty(k, func(s *stage) {
		right := s.check
		s.check = func(b config.Bucket, a Actual) Verdict {
			switch {
			case !a.switched() || a.finished():
				return right(b, a)
			case code == "":
				return failed("planted")
			}
			return todo("looking again")
		}
		if code != "" {
			s.do = func(context.Context, scene) error { return &UnhealthyError{code, "planted"} }
		}
	})
}

// TestLockedGoesBackByItself: what an automatic way back has to unlock first, also
// where it was cut off and the next apply ends it, is unlocked.
func TestLockedGoesBackByItself(t *testing.T) {
	for name, cut := range map[string]bool{"at once": false, "cut off, then ended by an apply": true} {
		t.Run(name, func(t *testing.T) {
			var h hooked
			inLocked(t, func(l *lab) { l.options.Hook = h.hook; goingBack(l) }, func(t *testing.T, s *session) {
				s.want(s.apply(t.Context(), Migrate), OutcomeFinished)
				if s.public() {
					t.Fatal("the bucket is not locked")
				}
				pause1(t, 24*time.Hour)
				s.c.Buckets[0].CNAMEs = append(s.c.Buckets[0].CNAMEs, config.CNAME{Name: newName, DNSProvider: route53, Zone: "example.com"})
				s.o.stages = sickLater(DNSPropagated, codeErrors5xx)
				ctx, stop := context.WithCancel(t.Context())
				defer stop()
				p := s.plan(t.Context(), Migrate)
				if cut {
					h.set(func(c sandbox.Call) error {
						if c.Op == "Access.PutBlock" && !c.After && ctx.Err() == nil {
							stop()
							return errors.New("killed")
						}
						return nil
					})
				}
				r := s.run(ctx, p, nil)
				if cut {
					s.want(r, OutcomeInterrupted)
					s.o.stages = nil
					pause1(t, 10*time.Minute) // the tagging index is late
					r = s.apply(t.Context(), Migrate)
					s.want(r, OutcomeRolled)
				} else {
					s.want(r, OutcomeRolled)
				}
				pause1(t, 2*time.Hour)
				if at := atDistribution(s, assets); at != "" || !s.public() {
					t.Errorf("public %t, at the distribution: %q", s.public(), at)
				}
				s.served()
			})
		})
	}
}

// TestManualWayBackIsEnded: what a person has begun, and what was cut off after its
// hold was written, the next apply ends.
func TestManualWayBackIsEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const low = "low.example.com"
		var h hooked
		l := newLab(1).only(low)
		l.options.Hook = h.hook
		s := l.start(t)
		before := s.w.Records(low)
		s.w.StartVisitors(t.Context(), 20*time.Second)
		s.want(s.apply(t.Context(), Migrate), OutcomeFinished)
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		p := s.plan(t.Context(), Rollback)
		h.set(func(c sandbox.Call) error {
			if c.Op == "DNS.Replace" && !c.After && ctx.Err() == nil {
				stop()
				return errors.New("killed")
			}
			return nil
		})
		s.want(s.run(ctx, p, nil), OutcomeInterrupted)
		pause1(t, 10*time.Minute) // the tagging index is late
		s.want(s.apply(t.Context(), Migrate), OutcomeRolled)
		if got := s.w.Records(low); !providers.SameRecords(got, before) {
			t.Errorf("%v, was %v", got, before)
		}
		s.want(s.apply(t.Context(), Migrate), OutcomeHeld)
		s.served()
	})
}
