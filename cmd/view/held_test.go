package view

import (
	"fmt"
	"strings"
	"testing"

	"github.com/edgeward/edgeward/planner"
	"github.com/google/go-cmp/cmp"
)

// The pattern of -retry fits the held buckets and no other; where there is none they
// are named.
func TestRetryPatterns(t *testing.T) {
	named := func(format string, n int) (all []string) {
		for i := range n {
			all = append(all, fmt.Sprintf(format, i))
		}
		return all
	}
	sites, shop := named(`bucket.site["s%d.example.com"]`, 6), named("bucket.shop%d", 5)
	for name, tt := range map[string]struct{ held, all, want []string }{
		"few":           {sites[:3], sites, sites[:3]},
		"all":           {sites, sites, []string{"*"}},
		"all of a kind": {sites, append(shop, sites...), []string{`bucket.site["s*.example.com"]`}},
		"by prefix":     {shop, append(sites, shop...), []string{"bucket.shop*"}},
		"no pattern":    {sites[:5], sites, sites[:5]},
		"an instance":   {shop[:4], append(shop[:4:4], `bucket.shop7["x"]`), shop[:4]},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, retryPatterns(tt.held, tt.all)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Held buckets are said together, by no stage, in a plan, a status and a report.
func TestHeldTogether(t *testing.T) {
	p := zonesFleet(40)
	r := planner.Report{Goal: planner.Migrate}
	var st planner.StatusReport
	for i := range p.Buckets {
		bp := &p.Buckets[i]
		f := planner.Finding{Severity: planner.Note, Code: "held",
			Summary: fmt.Sprintf("the bucket was rolled back by edgeward, because of links, at 2026-01-02T12:%02d:00Z and is held", i),
			Detail:  "nothing is done about it until: edgeward apply -retry='" + bp.Address + "'"}
		bp.Standing, bp.Steps, bp.Findings = planner.StandHeld, nil, []planner.Finding{f}
		bp.Stage = []planner.Kind{planner.LinksVerify, planner.DNSSwitch}[i%2]
		r.Results = append(r.Results, planner.Result{Address: bp.Address, Outcome: planner.OutcomeHeld, Stage: bp.Stage, Why: f.Summary, Hint: f.Detail})
		st.Buckets = append(st.Buckets, planner.BucketStatus{Address: bp.Address, Standing: planner.StandHeld, Stage: bp.Stage, Why: f.Summary})
	}
	report := Report(r, Commands{Retry: "edgeward apply"}, Style{})
	for form, text := range map[string]string{"plan": Plan(p, Style{}), "status": Status(st, Style{}), "report": report} {
		if n := strings.Count(strings.Join(strings.Fields(text), " "), "because of links"); n != 1 {
			t.Errorf("%s: the reason is said %d times:\n%s", form, n, text)
		}
		if strings.Contains(text, string(planner.LinksVerify)) {
			t.Errorf("%s: held by a stage:\n%s", form, text)
		}
	}
	if want := "To try the held again: edgeward apply '-retry=*'\n"; !strings.HasSuffix(report, want) {
		t.Errorf("%s\nwant %s", report, want)
	}
}
