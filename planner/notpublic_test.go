package planner

import (
	"strings"
	"testing"
	"time"

	"github.com/edgeward/edgeward/providers/sandbox"
)

// TestNothingReadableIsNeverProven: where nobody may read an object any more, the
// root and missing keys that both sites answer alike prove nothing, and neither does
// a proof from before the names went back.
func TestNothingReadableIsNeverProven(t *testing.T) {
	const lists = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:ListBucket","Resource":"arn:aws:s3:::low.example.com"}]}`
	tests := map[string]struct {
		edit     func(w *sandbox.World, name string)
		standing Standing
		says     string
	}{
		"the policy is gone":         {func(w *sandbox.World, n string) { w.SetPolicy(n, "") }, StandBlocked, "is not public"},
		"only the listing is public": {func(w *sandbox.World, n string) { w.SetPolicy(n, lists) }, StandUnderWay, "no test link is publicly readable"},
		"objects lost their ACL": {func(w *sandbox.World, n string) {
			w.SetPolicy(n, "")
			w.EditBucket(n, func(b *sandbox.Bucket) {
				b.ACLs = true
				for i := range b.Objects {
					b.Objects[i].Private = true
				}
			})
		}, StandUnderWay, "no test link is publicly readable"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			inWorld(t, "low.example.com", func(l *lab) { l.config.Buckets[0].Verify.Paths = nil }, func(t *testing.T, s *session) {
				s.wholly().o.Until = DNSSwitch
				s.want(s.apply(t.Context(), Migrate), OutcomeStopped)
				s.o.Until = ""
				s.want(s.apply(t.Context(), Rollback), OutcomeRolled)
				s.served()
				pause1(t, 48*time.Hour) // the edges keep nothing any more
				tc.edit(s.w, s.c.Buckets[0].Name)
				s.o.Retry = []string{"*"}
				p := s.plan(t.Context(), Migrate)
				r := one(t, s.run(t.Context(), p, nil))
				if p.Buckets[0].Standing != tc.standing || r.Switched || !strings.Contains(r.Why, tc.says) || r.Hint == "" {
					t.Errorf("%s: %+v", p.Buckets[0].Standing, r)
				}
			})
		})
	}
}

// TestProofFromBeforeTheWayBack: what was proven before the names went back does not
// let them be switched again.
func TestProofFromBeforeTheWayBack(t *testing.T) {
	b := stageBucket(nil)
	for hold, want := range map[string]bool{"": true, writeTime(stageNow.Add(-5*time.Minute)) + "/manual": true, writeTime(stageNow.Add(-time.Minute)) + "/manual": false} {
		a := stageActual(func(a *Actual) {
			withDist(a)
			a.Crumbs[crumbProof], a.Crumbs[crumbHold] = writeProof(stageNow.Add(-2*time.Minute), a.Dist.ETag, askedOf(b.Verify), "abcdef012345"), hold
		})
		if got := proven(b, a); got != want {
			t.Errorf("held %q: %t", hold, got)
		}
	}
}
