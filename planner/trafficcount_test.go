package planner

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/providers"
	"github.com/edgeward/edgeward/providers/sandbox"
)

// countedLab is one bucket whose requests edgeward has S3 count.
func countedLab(change func(*config.Bucket)) *lab {
	l := newLab(3).only(assets)
	l.config.Buckets[0].Watch = config.Watch{S3Metrics: true, MinRequests: 20, MaxErrorRate: 1}
	if change != nil {
		change(&l.config.Buckets[0])
	}
	return l
}

// step is a bucket's planned step of a kind, nil when there is none.
func step(p Plan, k Kind) *Step {
	steps := p.Buckets[0].Steps
	if i := slices.IndexFunc(steps, func(s Step) bool { return s.Kind == k }); i >= 0 {
		return &steps[i]
	}
	return nil
}

// removesCount: the plan names what S3 counts on edgeward's account, and its end.
func removesCount(s *Step) bool {
	return s != nil && s.Action == Remove && len(s.Changes) == 1 && s.Changes[0] == ValueChange{pathCounting, countID, ""}
}

// TestCountingIsTakenOff: what S3 counts on edgeward's account ends, whatever call a
// way back died at, with the next run of either kind, which names it.
func TestCountingIsTakenOff(t *testing.T) {
	for _, then := range []Goal{Migrate, Rollback} {
		left := 0
		for n := 1; n <= 24; n++ {
			l := countedLab(nil)
			opts, arm := killedAt(l, n, n%4 < 2)
			l.options = opts
			synctest.Test(t, func(t *testing.T) {
				s := l.start(t)
				s.w.StartVisitors(t.Context(), 5*time.Minute)
				s.o.Until = DNSPropagated
				s.want(s.apply(t.Context(), Migrate), OutcomeStopped)
				s.o.Until = ""
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				p := s.plan(t.Context(), Rollback)
				if !removesCount(step(p, MetricsStop)) {
					t.Fatalf("the plan is %+v", p.Buckets[0].Steps)
				}
				arm(cancel)
				s.run(ctx, p, nil)
				arm(nil)
				back := true
				for _, name := range s.c.Buckets[0].Names() {
					for _, r := range s.w.Records(name) {
						back = back && r.Value != s.w.Distributions()[0].Domain
					}
				}
				if then == Migrate && !back {
					return // a way back by hand that has not ended is nothing that apply ends
				}
				if counts := len(s.w.Counting(assets)) > 0; counts && back {
					left++
					k := map[Goal]Kind{Migrate: MetricsStop, Rollback: MetricsStop}[then]
					if !removesCount(step(s.plan(t.Context(), then), k)) {
						t.Errorf("killed at %d: the plan is %+v", n, s.plan(t.Context(), then).Buckets[0])
					}
				}
				r := one(t, s.apply(t.Context(), then))
				if ok := []Outcome{OutcomeHeld, OutcomeRolled, OutcomeNothing}; !slices.Contains(ok, r.Outcome) || then == Migrate && r.Outcome != OutcomeHeld {
					t.Errorf("killed at %d, then %s: %+v", n, then, r)
				}
				if len(s.w.Counting(assets)) > 0 {
					t.Errorf("killed at %d, then %s: S3 counts under %v", n, then, s.w.Counting(assets))
				}
				s.served()
			})
		}
		if left == 0 {
			t.Errorf("%s: no run died with the count left on", then)
		}
	}
}

// TestCountingThatIsNotWanted: s3_metrics was taken out of the configuration, or the
// need of it has gone; somebody else's count stays, and so does what S3 keeps.
func TestCountingThatIsNotWanted(t *testing.T) {
	unwanted := func(s *session) { s.c.Buckets[0].Watch.S3Metrics = false }
	byMetrics := &config.Lock{After: time.Hour, Evidence: []string{config.EvidenceMetrics}}
	var h hooked
	tests := map[string]struct {
		until  Kind
		lock   *config.Lock
		change func(*session)
		plans  bool
		left   string
	}{
		"before there is a distribution": {CertificateRequest, nil, unwanted, true, ""},
		"before the switch":              {LinksVerify, nil, unwanted, true, ""},
		"after the switch":               {DNSPropagated, nil, unwanted, true, ""},
		"after the end, for a lock": {TTLRestore, byMetrics, func(s *session) {
			s.c.Buckets[0].Watch.S3Metrics, s.c.Buckets[0].Lock = false, nil
		}, true, ""},
		"for a lock that is to come": {TTLRestore, byMetrics, func(*session) {}, false, countID},
		"somebody else's": {LinksVerify, nil, func(s *session) {
			unwanted(s)
			_ = s.w.Providers().Accounts[""].Metrics.StopCounting(s.t.Context(), assets, "eu-west-1", countID)
			s.w.CountRequests(assets, "theirs")
		}, false, "theirs"},
		"without the right to": {LinksVerify, nil, func(s *session) {
			unwanted(s)
			h.set(func(c sandbox.Call) error {
				if c.Op == "Metrics.StopCounting" && !c.After {
					return providers.ErrDenied
				}
				return nil
			})
		}, true, countID},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			h.set(nil)
			synctest.Test(t, func(t *testing.T) {
				l := countedLab(func(b *config.Bucket) { b.Lock = tc.lock })
				l.options.Hook = h.hook
				s := l.start(t)
				s.o.Until = tc.until
				s.apply(t.Context(), Migrate)
				s.o.Until = ""
				if got := s.w.Counting(assets); !slices.Equal(got, []string{countID}) {
					t.Fatalf("S3 counts under %v", got)
				}
				tc.change(s)
				p := s.plan(t.Context(), Migrate)
				if got := removesCount(step(p, MetricsCount)); got != tc.plans {
					t.Errorf("the plan is %+v", p.Buckets[0].Steps)
				}
				if tc.left == countID && tc.plans == false {
					return
				}
				s.want(s.run(t.Context(), p, nil), OutcomeFinished)
				if got := strings.Join(s.w.Counting(assets), " "); got != tc.left {
					t.Errorf("S3 counts under %q, want %q", got, tc.left)
				}
				if said := strings.Contains(s.said(), "stay, and AWS bills them"); said != (tc.left == countID) {
					t.Error(s.said())
				}
				if p := s.plan(t.Context(), Migrate); p.Summary.Done != 1 {
					t.Errorf("the plan afterwards is %+v", p.Buckets[0])
				}
			})
		})
	}
}
