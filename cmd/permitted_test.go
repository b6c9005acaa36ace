package cmd

import (
	"bytes"
	"strings"
	"testing"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/planner"
)

// TestPermitted: whatever refuses a plan as a whole, what is on its way is ended.
func TestPermitted(t *testing.T) {
	begun := planner.BucketPlan{Address: "bucket.begun", Standing: planner.StandUnderWay, Steps: []planner.Step{{Kind: planner.DNSPropagated}, {Kind: planner.TTLRestore}}}
	back := planner.BucketPlan{Address: "bucket.back", Standing: planner.StandUnderWay, Steps: []planner.Step{{Kind: planner.DNSRestore, Changes: []planner.ValueChange{{Path: "record a"}}}}}
	fresh := planner.BucketPlan{Address: "bucket.new", Standing: planner.StandNew, CNAMEs: []string{"a"}, Steps: []planner.Step{{Kind: planner.DistributionCreate}, {Kind: planner.DNSSwitch, Changes: []planner.ValueChange{{Path: "record a"}}}}}
	none := config.Limits{MaxSwitches: 0, MaxPercent: -1, RequireApprovalAbove: -1, AllowApex: true}
	tests := map[string]struct {
		limits  func(*config.Limits)
		finding string
		saved   bool
		refused bool
	}{
		"nothing refuses":                  {nil, "", false, false},
		"too many switches":                {func(l *config.Limits) { *l = none }, "", false, true},
		"too many for -auto-approve":       {func(l *config.Limits) { l.RequireApprovalAbove = 0 }, "", false, true},
		"approved by being saved":          {func(l *config.Limits) { l.RequireApprovalAbove = 0 }, "", true, false},
		"waves out of order":               {nil, "wave-order", false, true},
		"a quota, of a plan that is saved": {nil, "quota-distributions", true, true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			var said bytes.Buffer
			a := &app{}
			a.stderr = &output{w: &said}
			a.flags.autoApprove = true
			cfg := &config.Config{Limits: config.NoLimits()}
			if tc.limits != nil {
				tc.limits(&cfg.Limits)
			}
			make := func(bs ...planner.BucketPlan) planner.Plan {
				p := planner.Plan{Goal: planner.Migrate, Buckets: bs}
				p.Summary.Switches = 1
				if tc.finding != "" {
					p.Findings = []planner.Finding{{Severity: planner.Error, Code: tc.finding, Summary: "no", Detail: "do it otherwise"}}
				}
				return p
			}
			if _, err := a.permitted(cfg, make(fresh), tc.saved); (err != nil) != tc.refused {
				t.Errorf("alone: %v", err)
			}
			p, err := a.permitted(cfg, make(begun, back, fresh), tc.saved)
			if err != nil || len(p.Buckets[0].Steps) != 2 || len(p.Buckets[1].Steps) != 1 {
				t.Fatalf("%v, %+v", err, p.Buckets)
			}
			blocked := p.Buckets[2].Standing == planner.StandBlocked && len(p.Buckets[2].Steps) == 0 && p.Buckets[2].Findings[0].Code == "plan-refused" && p.Buckets[2].Findings[0].Detail != ""
			if blocked != tc.refused || strings.Contains(said.String(), "Nothing new is begun") != tc.refused {
				t.Errorf("%q, %+v", said.String(), p.Buckets[2])
			}
		})
	}
}
