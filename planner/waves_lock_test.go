package planner

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/edgeward/edgeward/config"
)

// TestLocksHoldNoWaveBack: the waves after it begin once a bucket is moved and well,
// though its lock waits for its time, has no evidence or is refused.
func TestLocksHoldNoWaveBack(t *testing.T) {
	evidence := []string{config.EvidenceAccessLog}
	tests := map[string]struct {
		lock  config.Lock
		check func(config.Bucket, Actual) Verdict // of bucket.lock
		want  Outcome
	}{
		"its time is yet to come": {config.Lock{After: 50 * time.Minute, Evidence: evidence}, nil, OutcomeFailed},
		"no evidence":             {config.Lock{Evidence: evidence}, nil, OutcomeFailed},
		"it fails": {config.Lock{Evidence: evidence}, func(_ config.Bucket, a Actual) Verdict {
			if !a.finished() {
				return waiting("until it is moved")
			}
			return failed("planted")
		}, OutcomeFailed},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			var late config.Bucket
			inWaveLab(t, func(l *lab) {
				l.config.Rollout.MaxFailures, l.config.Rollout.Waves[0].MaxFailures = 0, 0
				l.bucket("late.example.com", route53, nil, cname("late.example.com", "s3.eu-west-1.amazonaws.com", time.Minute))
				late, l.config.Buckets = l.config.Buckets[7], l.config.Buckets[:7]
				late.Wave = "rest"
			}, func(t *testing.T, s *session) {
				s.w.StartVisitors(t.Context(), time.Minute)
				for _, i := range []int{2, 4} {
					lock := tc.lock
					s.c.Buckets[i].Lock = &lock
				}
				if tc.check != nil {
					s.o.stages = faulty(BucketLock, func(st *stage) { st.check = tc.check })
				}
				r := s.apply(t.Context(), Migrate)
				finished := map[string]time.Time{}
				for _, x := range r.Results {
					want := OutcomeFinished
					if slices.Contains([]string{waveAddress(2), waveAddress(4)}, x.Address) {
						want = tc.want
					}
					if x.Outcome != want {
						t.Errorf("%s: %s at %s: %s", x.Address, x.Outcome, x.Stage, x.Why)
					}
				}
				for _, e := range s.events {
					if e.Kind == TTLRestore && e.Status == EventDone {
						finished[e.Address] = e.Time
					}
				}
				canary, rest := finished[waveAddress(4)], finished[waveAddress(1)]
				if d := rest.Sub(canary); canary.IsZero() || d < 30*time.Minute || d > 45*time.Minute {
					t.Errorf("%s after the canaries were finished", d)
				}
				var got []string
				for _, w := range r.Waves {
					got = append(got, fmt.Sprintf("%s %s %d", w.Name, w.Outcome, w.Failed))
				}
				if want := []string{"canary waiting 0", "rest finished 0", " finished 0"}; !slices.Equal(got, want) {
					t.Errorf("%q", got)
				}
				s.served()
				s.c.Buckets = append(s.c.Buckets, late)
				r = s.apply(t.Context(), Migrate)
				if x := r.Results[slices.IndexFunc(r.Results, func(x Result) bool { return x.Address == late.Address })]; x.Outcome != OutcomeFinished {
					t.Errorf("in another run: %+v", x)
				}
				if t.Failed() {
					t.Log(s.said())
				}
			})
		})
	}
}
