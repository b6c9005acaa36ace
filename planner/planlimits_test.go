package planner

import (
	"testing"
	"time"

	"github.com/edgeward/edgeward/config"
	"github.com/google/go-cmp/cmp"
)

// TestPlansSayWhatLimitsWouldStop: who reviews a plan reads there what apply would
// refuse it for, and from when a freeze lets a name be switched.
func TestPlansSayWhatLimitsWouldStop(t *testing.T) {
	none := config.Limits{MaxSwitches: -1, MaxPercent: -1, RequireApprovalAbove: -1, AllowApex: true}
	with := func(change func(*config.Limits)) config.Limits {
		l := none
		change(&l)
		return l
	}
	cases := map[string]struct {
		limits   config.Limits
		goal     Goal
		switches int
		want     []string
	}{
		"none":              {none, Migrate, 3, nil},
		"as many as may be": {with(func(l *config.Limits) { l.MaxSwitches, l.RequireApprovalAbove = 3, 3 }), Migrate, 3, nil},
		"one too many":      {with(func(l *config.Limits) { l.MaxSwitches = 2 }), Migrate, 3, []string{"error limit-switches"}},
		"percent":           {with(func(l *config.Limits) { l.MaxPercent = 50 }), Migrate, 3, []string{"error limit-switches"}},
		"approval":          {with(func(l *config.Limits) { l.RequireApprovalAbove = 0 }), Migrate, 1, []string{"note limit-approval"}},
		"both":              {with(func(l *config.Limits) { l.MaxSwitches, l.RequireApprovalAbove = 0, 0 }), Migrate, 1, []string{"error limit-switches", "note limit-approval"}},
		"a way back":        {with(func(l *config.Limits) { l.MaxSwitches, l.RequireApprovalAbove = 0, 0 }), Rollback, 3, nil},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c := &config.Config{Limits: tc.limits, Buckets: make([]config.Bucket, 4)}
			var got []string
			for _, f := range planFindings(c, Plan{Goal: tc.goal, Summary: Summary{Switches: tc.switches}}) {
				got = append(got, string(f.Severity)+" "+f.Code)
			}
			if d := cmp.Diff(tc.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

// TestFrozenPlansSayFromWhen: the time until the switch is none that a freeze
// leaves unsaid.
func TestFrozenPlansSayFromWhen(t *testing.T) {
	inWorld(t, "low.example.com", nil, func(t *testing.T, s *session) {
		if at := s.plan(t.Context(), Migrate).Buckets[0].NotBefore; !at.IsZero() {
			t.Errorf("without a freeze: %s", at)
		}
		until := s.w.Providers().Clock.Now().Add(48 * time.Hour)
		s.c.Limits.Freezes = []config.Freeze{{From: until.Add(-100 * time.Hour), Until: until}}
		if at := s.plan(t.Context(), Migrate).Buckets[0].NotBefore; !at.Equal(until) {
			t.Errorf("%s, not %s", at, until)
		}
		s.c.Limits.MaxSwitches = 0
		if p := s.plan(t.Context(), Migrate); !hasCode(p.Findings, "limit-switches") {
			t.Errorf("%+v", p.Findings)
		}
	})
}
