package planner

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestFaultToRolledBack: a bad deployment after the switch is noticed, and the bucket goes back
// by itself within the stated time; visitors fail from the fault until the resolvers
// have the old record again, and at no other time. It prints the figures.
func TestFaultToRolledBack(t *testing.T) {
	tests := map[string]struct {
		n, status int
		code      string
		// most is the stated time from the fault until the world answers with the old
		// record: to notice it, to write, and the low TTL.
		most time.Duration
	}{
		"every answer is a 503": {1, 503, codeLinks, 5 * time.Minute},
		"a tenth is a 502":      {10, 502, codeErrors5xx, 12 * time.Minute},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := watchLab(3, nil).start(t)
				before := s.w.Records("fonts.example.com")
				s.w.StartVisitors(t.Context(), time.Second)
				var fault time.Time
				early := 0
				r := s.afterSwitch(t.Context(), func(id string) {
					fault, early = time.Now(), s.w.Visitors().Failed
					s.w.Sicken(id, tc.n, tc.status)
				})
				s.want(r, OutcomeRolled)
				back := time.Now()
				if bad := wentBack(s, "fonts.example.com", before, tc.code); bad != "" {
					t.Error(bad)
				}
				during := s.w.Visitors()
				pause1(t, 10*time.Minute)
				after := s.w.Visitors()
				if early > 0 || during.Failed == 0 || after.Requests == during.Requests {
					t.Errorf("%d visits failed before the fault, %d from then on, %d of %d in all", early, during.Failed, after.Failed, after.Requests)
				}
				// The record is the old one at every authoritative server and most resolvers;
				// the last resolver has it when the low TTL has run out.
				if late := after.Failed - during.Failed; late > 120 {
					t.Errorf("%d visits failed after the bucket was back", late)
				}
				_, noticed := watchEnd(t, s)
				if d := back.Sub(fault); d > tc.most {
					t.Errorf("it took %s", d)
				}
				t.Logf("%s: noticed after %s, back after %s; %d of %d visits failed, %d of them after that", name,
					noticed.Sub(fault).Round(time.Second), back.Sub(fault).Round(time.Second), after.Failed, after.Requests, after.Failed-during.Failed)
			})
		})
	}
}
