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

// In a log of many buckets what changed has a line, what began or is waited for
// has none: that stands with the counts, alike ones together.
func TestProgressOfMany(t *testing.T) {
	r := newLiveRun(500)
	p := NewProgress(r.plan, Style{})
	var b strings.Builder
	for i := range r.plan.Buckets {
		r.tell(0, i, planner.CertificateRequest, planner.EventStarted, "certificate")
	}
	for i := range r.plan.Buckets {
		r.tell(0.1, i, planner.CertificateIssued, planner.EventWaiting, "ACM issues the certificate, mostly within minutes of the validation record")
	}
	r.tell(0.2, 3, planner.CertificateRequest, planner.EventDone, "arn:aws:acm:x")
	r.tell(0.3, 3, planner.CertificateIssued, planner.EventDone, "")
	r.tell(0.4, 4, planner.DNSSwitch, planner.EventWaiting, `to be done by hand: add "x. 60 IN CNAME y."`).ByHand = []string{`add "x. 60 IN CNAME y."`}
	r.tell(0.5, 5, planner.DNSSwitch, planner.EventFailed, "the record was changed")
	r.tell(0.6, -1, "", planner.EventWaiting, "the waves before are healthy for 30m").Wave = "early"
	for _, e := range r.events {
		b.WriteString(p.Event(e))
	}
	b.WriteString(p.Tick(liveStart.Add(61 * time.Second)))
	golden(t, "progress-500.txt", b.String())
}

// TestProgressOfDays: a line of another day than the first has its date.
func TestProgressOfDays(t *testing.T) {
	p := NewProgress(planner.Plan{Buckets: []planner.BucketPlan{{Address: "bucket.a"}}}, Style{})
	e := planner.Event{Time: liveStart, Address: "bucket.a", Kind: planner.DNSSwitch, Status: planner.EventDone}
	if got := p.Event(e); strings.Contains(got, liveStart.Format(time.DateOnly)) {
		t.Error(got)
	}
	e.Time = liveStart.AddDate(0, 0, 2)
	if got := p.Event(e); !strings.Contains(got, e.Time.Format("2006-01-02 15:04:05")+" bucket.a") {
		t.Error(got)
	}
}

// TestFoundAlike: what is found of many names alike is said once, with their names.
func TestFoundAlike(t *testing.T) {
	var d planner.Discovery
	for _, name := range []string{"a.example.com", "b.example.com", "c.example.com"} {
		d.Names = append(d.Names, planner.FoundName{Name: name, Verdict: planner.NeedsAnswer,
			Findings: []planner.Finding{{Severity: planner.Warning, Code: "ttl-kept", Summary: name + " keeps a TTL", Detail: "of an hour"}}})
	}
	text := Discovery(d, Style{})
	if strings.Count(text, "keeps a TTL") != 1 || !strings.Contains(text, "  alike    b.example.com, c.example.com\n") {
		t.Error(text)
	}
}
