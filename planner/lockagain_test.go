package planner

import (
	"context"
	"testing"
	"time"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/providers"
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
			s.w.AddAccessLog(assets, providers.LogEntry{Time: time.Now().Add(-age), Operation: "REST.GET.OBJECT", Method: "GET", Path: "/index.html", Status: 200, UserAgent: cloudFrontAgent})
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
