package planner

import (
	"strings"
	"testing"
	"time"

	"github.com/edgeward/edgeward/providers"
	"github.com/edgeward/edgeward/providers/sandbox"
)

// TestWayBackToAClosedBucket: what keeps a way back from a bucket that edgeward's
// lock does not close says so itself, and -accept-s3-loss is the way out.
func TestWayBackToAClosedBucket(t *testing.T) {
	tests := map[string]struct {
		change func(*session)
		says   string
	}{
		"closed by hand after an unlock": {func(s *session) {
			s.want(s.apply(s.t.Context(), UnlockBucket), OutcomeUnlocked)
			s.w.SetBlock(assets, &providers.PublicAccessBlock{IgnorePublicACLs: true, RestrictPublicBuckets: true})
		}, "not by edgeward"},
		"the tag is lost": {func(s *session) {
			s.w.EditTags(s.w.Distributions()[0].ID, map[string]string{crumbFlags: ""})
		}, "which keeps its old flags, is gone"},
	}
	for what, tc := range tests {
		t.Run(what, func(t *testing.T) {
			inLocked(t, nil, func(t *testing.T, s *session) {
				s.moved()
				s.want(s.apply(t.Context(), Migrate), OutcomeFinished)
				tc.change(s)
				pause1(t, time.Hour)
				a, err := Observe(t.Context(), s.w.Providers(), s.c, s.c.Buckets[0], planned(Rollback))
				if err != nil {
					t.Fatal(err)
				}
				if v := checkUnlock(s.c.Buckets[0], a); v.Status != Failed || !strings.Contains(v.Why, tc.says) || !strings.Contains(v.Why, "-accept-s3-loss -target=") {
					t.Errorf("%s: %s", v.Status, v.Why)
				}
				s.want(s.apply(t.Context(), Rollback), OutcomeBlocked)
				s.o.AcceptS3Loss = true
				s.want(s.apply(t.Context(), Rollback), OutcomeRolled)
				if b := s.w.Block(assets); !closes(b) {
					t.Errorf("the flags, which are not edgeward's, are %+v", b)
				}
			})
		})
	}
}

// TestHoldBeforeTheBucketIsOpened: a way back is written down, with its cause, before
// the flags are touched, else another run would lock the bucket again.
func TestHoldBeforeTheBucketIsOpened(t *testing.T) {
	for _, code := range []string{"", codeErrors5xx} {
		var h hookOf
		inLocked(t, func(l *lab) { l.options.Hook = h.hook }, func(t *testing.T, s *session) {
			s.moved()
			s.want(s.apply(t.Context(), Migrate), OutcomeFinished)
			b := s.c.Buckets[0]
			a, err := Observe(t.Context(), s.w.Providers(), s.c, b, planned(Rollback))
			if err != nil {
				t.Fatal(err)
			}
			w, opened := s.w.Providers(), false
			h.set(func(c sandbox.Call) error {
				if c.Op == "Access.PutBlock" && !c.After {
					opened = true
					_, got, _ := strings.Cut(s.w.Distributions()[0].Tags[crumbHold], "/")
					if want := map[bool]string{true: manualHold, false: code}[code == ""]; got != want {
						t.Errorf("the hold is of %q as the flags are set, want %q", got, want)
					}
				}
				return nil
			})
			// It may come back to wait for S3.
			_ = unlockForRollback(t.Context(), scene{w: w, acc: w.Accounts[b.Account], b: b, a: a, code: code, note: func(string) {}})
			if !opened {
				t.Error("the flags were not set")
			}
		})
	}
}

// TestUnlockOfAFailedLock: whoever unlocks a bucket whose lock was taken back has
// decided, and it is no failure any more.
func TestUnlockOfAFailedLock(t *testing.T) {
	inLocked(t, nil, func(t *testing.T, s *session) {
		s.moved()
		s.w.BreakGrants(assets, true)
		s.want(s.apply(t.Context(), Migrate), OutcomeFailed)
		if m := crumbs(s.w.Distributions()[0].Tags).lock(); m.state != lockFailed {
			t.Errorf("the mark is %q", m)
		}
		pause1(t, time.Minute)
		s.want(s.apply(t.Context(), UnlockBucket), OutcomeUnlocked)
		pause1(t, time.Minute)
		if p := s.plan(t.Context(), Migrate); !s.finding(p, "lock-lifted") || s.finding(p, "lock-failed") {
			t.Errorf("%+v", p.Buckets[0].Findings)
		}
	})
}

// TestLockOfChangedFlags: flags that somebody changes between the look and the block
// are the ones that are given back.
func TestLockOfChangedFlags(t *testing.T) {
	var h hookOf
	inLocked(t, func(l *lab) { l.options.Hook = h.hook }, func(t *testing.T, s *session) {
		s.moved()
		var theirs *providers.PublicAccessBlock
		p := s.plan(t.Context(), Migrate)
		s.run(t.Context(), p, func(x *Executor) {
			said := x.Events
			x.Events = func(e Event) {
				if e.Kind == BucketLock && e.Status == EventStarted && theirs == nil {
					theirs = &providers.PublicAccessBlock{BlockPublicACLs: true}
					s.w.SetBlock(assets, theirs)
				}
				said(e)
			}
		})
		if x := one(t, s.apply(t.Context(), Rollback)); x.Outcome != OutcomeRolled || theirs == nil || !sameBlock(theirs, s.w.Block(assets)) {
			t.Errorf("%+v, the flags are %+v", x, s.w.Block(assets))
		}
		s.served()
	})
}
