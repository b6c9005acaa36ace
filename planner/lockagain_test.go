package planner

import (
	"context"
	"testing"
	"time"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/providers"
	"github.com/edgeward/edgeward/providers/sandbox"
)

// TestLockAfterGoingForwardAgain: a bucket that was rolled back while its lock was
// under way, or done, and is moved again, is locked only when that is due anew:
// the grant and its proof stand, and resolvers still send visitors to S3.
func TestLockAfterGoingForwardAgain(t *testing.T) {
	for what, until := range map[string]Kind{"ready": AccessVerify, "locked": ""} {
		t.Run(what, func(t *testing.T) {
			inLocked(t, nil, func(t *testing.T, s *session) {
				s.moved()
				s.o.Until = until
				s.apply(t.Context(), Migrate)
				s.o.Until = ""
				s.want(s.apply(t.Context(), Rollback), OutcomeRolled)
				pause1(t, time.Hour)
				s.o.Retry = []string{"*"}
				x := one(t, s.run(t.Context(), s.plan(t.Context(), Migrate), func(x *Executor) { x.WaitTimeout = 90 * time.Minute }))
				if x.Outcome != OutcomeWaiting || x.Until == nil || !s.public() {
					t.Errorf("%+v, public %t", x, s.public())
				}
				pause1(t, 3*time.Hour)
				s.o.Retry = nil
				s.want(s.apply(t.Context(), Migrate), OutcomeFinished)
				if s.public() {
					t.Error("it is not locked when it is due")
				}
				s.served()
			})
		})
	}
}

// TestLockAfterIsRaised: a grant that stands does not make up for the time.
func TestLockAfterIsRaised(t *testing.T) {
	inLocked(t, nil, func(t *testing.T, s *session) {
		s.moved()
		s.o.Until = AccessVerify
		s.apply(t.Context(), Migrate)
		s.o.Until = ""
		s.c.Buckets[0].Lock.After = 48 * time.Hour
		if x := one(t, s.run(t.Context(), s.plan(t.Context(), Migrate), func(x *Executor) { x.NoWait = true })); x.Outcome != OutcomeWaiting || !s.public() {
			t.Errorf("%+v, public %t", x, s.public())
		}
	})
}

// TestLockThatDiedBeforeItsBlock: who comes back later needs the evidence of then.
func TestLockThatDiedBeforeItsBlock(t *testing.T) {
	inLocked(t, nil, func(t *testing.T, s *session) {
		s.moved()
		s.o.Until = AccessVerify
		s.apply(t.Context(), Migrate)
		s.o.Until = ""
		m := lockMark{state: lockBegun, at: time.Now()}
		if err := s.w.Providers().Accounts[""].Distributions.SetTags(context.Background(), s.w.Distributions()[0].ARN, map[string]string{crumbFlags: m.String()}); err != nil {
			t.Fatal(err)
		}
		s.c.Buckets[0].Lock.Evidence = []string{config.EvidenceAccessLog}
		if x := one(t, s.apply(t.Context(), Migrate)); x.Outcome != OutcomeBlocked || !s.public() {
			t.Errorf("%+v, public %t", x, s.public())
		}
	})
}

// TestRollbackOfABucketClosedByHand: edgeward's lock is off, and somebody closed
// the bucket since: visitors are not sent there.
func TestRollbackOfABucketClosedByHand(t *testing.T) {
	inLocked(t, nil, func(t *testing.T, s *session) {
		s.moved()
		s.want(s.apply(t.Context(), Migrate), OutcomeFinished)
		s.want(s.apply(t.Context(), UnlockBucket), OutcomeUnlocked)
		s.w.SetBlock(assets, &providers.PublicAccessBlock{IgnorePublicACLs: true, RestrictPublicBuckets: true})
		pause1(t, time.Hour)
		s.want(s.apply(t.Context(), Rollback), OutcomeBlocked)
		s.w.SetBlock(assets, nil)
		pause1(t, time.Minute)
		s.want(s.apply(t.Context(), Rollback), OutcomeRolled)
	})
}

// TestLockByALogThatHasEnded: a log in which nothing stands of the last day says
// nothing of it.
func TestLockByALogThatHasEnded(t *testing.T) {
	for age, want := range map[time.Duration]Outcome{30 * time.Hour: OutcomeBlocked, 20 * time.Hour: OutcomeFinished} {
		inLocked(t, func(l *lab) {
			l.config.Buckets[0].Lock.Evidence = []string{config.EvidenceAccessLog}
		}, func(t *testing.T, s *session) {
			s.moved()
			pause1(t, 60*time.Hour)
			e := edgeFetch(time.Now().Add(-age))
			e.Signed, e.Signer, e.UserAgent = true, providers.SignerCloudFront, ""
			begun := e
			begun.Time = time.Now().Add(-70 * time.Hour)
			s.w.AddAccessLog(assets, e, begun)
			s.want(s.apply(t.Context(), Migrate), want)
		})
	}
}

// TestRefusedLockLeavesOthersControl: who signed before goes on signing.
func TestRefusedLockLeavesOthersControl(t *testing.T) {
	for name, stays := range map[string]bool{"theirs": true, controlStem + "1": false} {
		inLocked(t, nil, func(t *testing.T, s *session) {
			s.moved()
			c, err := s.w.Providers().Accounts[""].Access.CreateOriginAccess(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			d := s.w.Distributions()[0].ID
			s.w.EditDistribution(d, func(x *providers.Settings) { x.OriginAccessID = c.ID })
			pause1(t, time.Hour)
			p := s.plan(t.Context(), Migrate)
			s.w.BreakEdge(d, "/index.html", []byte("x"))
			if x := one(t, s.run(t.Context(), p, nil)); x.Outcome != OutcomeFailed || x.Stage != AccessVerify {
				t.Errorf("%+v", x)
			}
			if left := s.w.Distributions()[0].Settings.OriginAccessID; (left == c.ID) != stays {
				t.Errorf("%s: %q is left", name, left)
			}
		})
	}
}

// TestLockWithoutItsBlock: who takes the lock block out of the configuration while
// the links are looked at gets the looks all the same.
func TestLockWithoutItsBlock(t *testing.T) {
	inLocked(t, nil, func(t *testing.T, s *session) {
		s.o.Until = BucketLock
		s.apply(t.Context(), Migrate)
		s.o.Until, s.c.Buckets[0].Lock = "", nil
		if m := crumbs(s.w.Distributions()[0].Tags).lock(); m.state != lockBegun {
			t.Fatalf("the lock is %q", m.state)
		}
		pause1(t, 5*time.Minute) // the index of tags is late
		s.want(s.apply(t.Context(), Migrate), OutcomeFinished)
		if m := crumbs(s.w.Distributions()[0].Tags).lock(); m.state != lockDone {
			t.Errorf("the lock is %q: nobody looked at the links any more", m.state)
		}
		s.served()
	})
}

// TestUnlockWaitsForAllOfS3: between the old flags and the end of the grant, and
// before the names go back, S3 is seen to answer for a minute.
func TestUnlockWaitsForAllOfS3(t *testing.T) {
	for goal, then := range map[Goal]string{UnlockBucket: "Access.PutPolicy", Rollback: "DNS.Replace"} {
		t.Run(string(goal), func(t *testing.T) {
			var flags, next time.Time
			inLocked(t, func(l *lab) {
				l.options.Hook = func(c sandbox.Call) error {
					switch {
					case c.After && c.Op == "Access.PutBlock":
						flags, next = time.Now(), time.Time{}
					case !c.After && c.Op == then && next.IsZero():
						next = time.Now()
					}
					return nil
				}
			}, func(t *testing.T, s *session) {
				s.want(s.apply(t.Context(), Migrate), OutcomeFinished)
				s.apply(t.Context(), goal)
				if d := next.Sub(flags); d < time.Minute {
					t.Errorf("%s came %s after the flags", then, d)
				}
				s.served()
			})
		})
	}
}
