package view

import (
	"strings"
	"testing"
	"time"

	"github.com/edgeward/edgeward/planner"
)

// TestWaitsOfDaysHaveADate: "until 00:00:00" says nothing about a freeze of days.
func TestWaitsOfDaysHaveADate(t *testing.T) {
	now := time.Date(2026, 1, 1, 10, 0, 0, 0, time.UTC)
	for until, want := range map[time.Time]string{
		now.Add(time.Hour):   "until 11:00:00",
		now.AddDate(0, 0, 3): "until 2026-01-04 10:00:00",
	} {
		p := NewProgress(planner.Plan{Buckets: []planner.BucketPlan{{Address: "bucket.a"}}}, Style{})
		got := p.Event(planner.Event{Time: now, Address: "bucket.a", Kind: planner.DNSSwitch, Status: planner.EventWaiting, Why: "it is frozen", Until: &until})
		if !strings.Contains(got, want) {
			t.Errorf("%q lacks %q", got, want)
		}
	}
}
