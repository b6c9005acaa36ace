package view

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/edgeward/edgeward/planner"
)

var liveStart = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// liveRun is a plan of n buckets in three waves and what an Executor tells of it
// in the first twelve minutes.
type liveRun struct {
	plan   planner.Plan
	events []planner.Event
}

func newLiveRun(n int) *liveRun {
	r := &liveRun{plan: planner.Plan{Goal: planner.Migrate}}
	steps := []planner.Step{
		{Kind: planner.CertificateRequest, Action: planner.Create},
		{Kind: planner.CertificateIssued, Action: planner.Wait, Expect: 300, Needs: []planner.Kind{planner.CertificateRequest}},
		{Kind: planner.DistributionCreate, Action: planner.Create, Needs: []planner.Kind{planner.CertificateIssued}},
		{Kind: planner.DistributionDeployed, Action: planner.Wait, Expect: 300, Needs: []planner.Kind{planner.DistributionCreate}},
		{Kind: planner.TTLLower, Action: planner.Change, Expect: 3600, Needs: []planner.Kind{planner.DistributionCreate}},
		{Kind: planner.DNSSwitch, Action: planner.Change, Needs: []planner.Kind{planner.DistributionDeployed, planner.TTLLower}},
	}
	for i := range n {
		name := fmt.Sprintf("s%03d.example.com", i)
		wave := ""
		switch {
		case n > 1 && i < n/10:
			wave = "canary"
		case n > 1 && i < n/2:
			wave = "early"
		}
		r.plan.Buckets = append(r.plan.Buckets, planner.BucketPlan{Address: fmt.Sprintf("bucket.site[%q]", name), Bucket: name,
			CNAMEs: []string{name}, Wave: wave, Steps: steps, Standing: planner.StandNew})
	}
	if n > 1 {
		r.plan.Waves = []planner.PlanWave{{Name: "canary", Buckets: n / 10}, {Name: "early", Buckets: n/2 - n/10, Soak: 1800}, {Buckets: n - n/2, Soak: 3600}}
	}
	return r
}

func (r *liveRun) tell(minute float64, bucket int, k planner.Kind, st planner.EventStatus, why string) *planner.Event {
	e := planner.Event{Time: liveStart.Add(time.Duration(minute * float64(time.Minute))), Kind: k, Status: st, Why: why}
	if bucket >= 0 {
		e.Address = r.plan.Buckets[bucket].Address
	}
	r.events = append(r.events, e)
	return &r.events[len(r.events)-1]
}

// story is what happened: the first wave is done, in the second one bucket of
// each ten failed, went back, waits for a person, for the TTL, for the edges.
func (r *liveRun) story() *liveRun {
	if len(r.plan.Buckets) == 1 {
		r.tell(0, 0, planner.CertificateRequest, planner.EventStarted, "certificate")
		r.tell(0.1, 0, planner.CertificateRequest, planner.EventDone, "arn")
		r.tell(0.2, 0, planner.CertificateIssued, planner.EventWaiting, "ACM issues the certificate, mostly within minutes of the validation record")
		return r
	}
	r.tell(0, -1, "", planner.EventStarted, "").Wave = "canary"
	r.tell(9, -1, "", planner.EventDone, "").Wave = "canary"
	r.tell(9, -1, "", planner.EventStarted, "").Wave = "early"
	for i, b := range r.plan.Buckets {
		done := map[string]int{"canary": 6, "early": 3}[b.Wave]
		for _, s := range b.Steps[:done] {
			r.tell(1, i, s.Kind, planner.EventDone, "")
		}
		if b.Wave == "early" {
			r.early(i, b)
		}
	}
	return r
}

func (r *liveRun) early(i int, b planner.BucketPlan) {
	until := liveStart.Add(time.Hour + time.Duration(i%10)*time.Minute)
	deployed := "distribution E" + fmt.Sprint(100+i) + " is InProgress: not every edge has it yet"
	switch {
	case i%10 == 1:
		r.tell(11, i, planner.DistributionDeployed, planner.EventFailed, "create "+b.Bucket+": the quota of 200 distributions is reached")
		return
	case i%10 == 2 && i < len(r.plan.Buckets)/10+20:
		r.tell(11, i, planner.TrafficWatch, planner.EventFailed, b.Bucket+": 12 % of the requests failed with 5xx")
		r.tell(11, i, planner.DNSRestore, planner.EventStarted, "")
		r.tell(11, i, planner.DNSRestored, planner.EventDone, "")
		return
	case i%10 == 3 && i < len(r.plan.Buckets)/10+20:
		row := fmt.Sprintf("set %q in place of %q", b.Bucket+". 60 IN CNAME d111111abcdef8.cloudfront.net.", b.Bucket+". 60 IN CNAME "+b.Bucket+".s3.eu-west-1.amazonaws.com.")
		r.tell(11, i, planner.DNSSwitch, planner.EventWaiting, "to be done by hand: "+row).ByHand = []string{row}
		return
	case i%10 == 4:
		r.tell(11, i, planner.DistributionDeployed, planner.EventDone, "")
	default:
		r.tell(10, i, planner.DistributionDeployed, planner.EventWaiting, deployed)
	}
	r.tell(11, i, planner.TTLLower, planner.EventWaiting, "until "+until.Format(time.RFC3339)+": resolvers may hold the old TTL of 1h until then").Until = &until
}

func (r *liveRun) screen(columns, rows int, s Style) []string {
	l := NewLive(r.plan, liveStart, s)
	for _, e := range r.events {
		l.Event(e)
	}
	rates := []LiveRate{{API: "cloudfront writes", PerSecond: 2, Requests: 260, Throttled: 3, Waiting: 12}, {API: "acm", PerSecond: 5, Requests: 90}}
	return l.Lines(liveStart.Add(12*time.Minute), rates, columns, rows)
}

func TestLive(t *testing.T) {
	for _, n := range []int{1, 30, 500} {
		var b strings.Builder
		for _, size := range [][2]int{{40, 10}, {80, 24}, {130, 50}} {
			fmt.Fprintf(&b, "==== %d x %d\n", size[0], size[1])
			b.WriteString(strings.Join(newLiveRun(n).story().screen(size[0], size[1], Style{}), "\n") + "\n")
		}
		golden(t, fmt.Sprintf("live-%d.txt", n), b.String())
	}
}

// Whatever the size, the screen fits, and says first how many failed and what a
// person has to do.
func TestLiveFits(t *testing.T) {
	for _, n := range []int{1, 30, 500} {
		r := newLiveRun(n).story()
		step := map[int]int{1: 5, 30: 9, 500: 40}[n]
		for columns := 1; columns <= 140; columns += step {
			for rows := 1; rows <= 60; rows += step {
				lines := r.screen(columns, rows, Style{Color: true})
				if len(lines) >= max(rows, 1) {
					t.Fatalf("%d buckets, %d x %d: %d lines", n, columns, rows, len(lines))
				}
				for _, l := range lines {
					if Columns(l) >= columns {
						t.Fatalf("%d buckets, %d x %d: a line of %d columns: %q", n, columns, rows, Columns(l), l)
					}
				}
				if all := strings.Join(lines, "\n"); n > 1 && rows >= 10 && columns >= 40 {
					for _, want := range []string{"by hand  bucket", "failed", "done"} {
						if !strings.Contains(all, want) {
							t.Fatalf("%d buckets, %d x %d: no %q in\n%s", n, columns, rows, want, all)
						}
					}
				}
			}
		}
	}
}

// What others wrote moves no cursor and takes the columns that it is drawn in.
func TestLiveIsInert(t *testing.T) {
	r := newLiveRun(1)
	r.tell(1, 0, planner.CertificateRequest, planner.EventFailed, "\x1b[2J\r\n界界界界界界界界界界界界界界界界界界界界界界界界界界界界界界界界界界界界界界")
	for _, l := range r.screen(60, 20, Style{}) {
		if strings.ContainsAny(l, "\x1b\r\n") || Columns(l) >= 60 {
			t.Errorf("%q", l)
		}
	}
}

func TestRemaining(t *testing.T) {
	at := func(minutes int) *time.Time {
		u := liveStart.Add(time.Duration(minutes) * time.Minute)
		return &u
	}
	tests := map[string]struct {
		events func(r *liveRun)
		after  time.Duration
		rates  []LiveRate
		want   string
	}{
		"slower than a chain": {rates: []LiveRate{{API: "acm", Waiting: 3}, {API: "s3"}}, want: "about 1h5m left, 3 calls of acm may not be made yet"},
		"nothing seen":        {want: "about 1h5m left"},
		"a fact": {events: func(r *liveRun) {
			for _, k := range []planner.Kind{planner.CertificateRequest, planner.CertificateIssued, planner.DistributionCreate} {
				r.tell(1, 0, k, planner.EventDone, "")
			}
			r.tell(1, 0, planner.TTLLower, planner.EventWaiting, "").Until = at(40)
		}, after: 10 * time.Minute, want: "about 30m left, at least until 12:40:00"},
		"a person": {events: func(r *liveRun) {
			r.tell(1, 0, planner.CertificateRequest, planner.EventWaiting, "").ByHand = []string{"add x"}
		}, want: "time left unknown: waits for a person"},
		"late": {events: func(r *liveRun) {
			r.tell(0, 0, planner.CertificateRequest, planner.EventDone, "")
			r.tell(0, 0, planner.CertificateIssued, planner.EventWaiting, "")
		}, after: 20 * time.Minute, want: "about 1h left, certificate.issued takes longer than its 5m"},
		"over": {events: func(r *liveRun) {
			for _, s := range r.plan.Buckets[0].Steps {
				r.tell(1, 0, s.Kind, planner.EventDone, "")
			}
		}, want: "time left unknown"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			r := newLiveRun(1)
			if tc.events != nil {
				tc.events(r)
			}
			l := NewLive(r.plan, liveStart, Style{})
			for _, e := range r.events {
				l.Event(e)
			}
			now := liveStart.Add(tc.after)
			if got := l.remaining(now, tc.rates).words(now); got != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
	// Of several that run, one that has not begun makes the chain the least.
	r := newLiveRun(30)
	r.tell(0, 5, planner.CertificateRequest, planner.EventStarted, "")
	l := NewLive(r.plan, liveStart, Style{})
	l.Event(r.events[0])
	if got, want := l.remaining(liveStart, nil).words(liveStart), "about 4h45m left, 11 buckets of those that run have not begun"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// What a stage took for others is what it should take, and no later wave waits for a
// lock.
func TestRemainingLearns(t *testing.T) {
	var p planner.Plan
	for i := range 10 {
		p.Buckets = append(p.Buckets, planner.BucketPlan{Address: fmt.Sprint("bucket.b", i), Wave: []string{"one", "two"}[i/5], Steps: []planner.Step{
			{Kind: planner.DistributionDeployed, Action: planner.Wait, Expect: 1200},
			{Kind: planner.TTLLower, Action: planner.Change, Expect: 600, Needs: []planner.Kind{planner.DistributionDeployed}},
			{Kind: planner.BucketLock, Action: planner.Change, Expect: 7200, Needs: []planner.Kind{planner.TTLLower}},
		}})
	}
	p.Waves = []planner.PlanWave{{Name: "one", Buckets: 5}, {Name: "two", Buckets: 5}}
	l := NewLive(p, liveStart, Style{})
	words := func(minutes int) string {
		now := liveStart.Add(time.Duration(minutes) * time.Minute)
		return l.remaining(now, nil).words(now)
	}
	if got, want := words(0), "about 3h left"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	for i := range 5 {
		for _, x := range []struct {
			minute int
			status planner.EventStatus
		}{{0, planner.EventWaiting}, {5, planner.EventDone}} {
			l.Event(planner.Event{Time: liveStart.Add(time.Duration(x.minute) * time.Minute), Address: fmt.Sprint("bucket.b", i), Kind: planner.DistributionDeployed, Status: x.status})
		}
	}
	// The second wave needs 5 minutes in place of 20.
	if got, want := words(5), "about 2h25m left"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestOneWaitsForItsTurn(t *testing.T) {
	r := newLiveRun(1)
	text := strings.Join(NewLive(r.plan, liveStart, Style{}).Lines(liveStart, []LiveRate{{API: "acm", PerSecond: 5, Requests: 90, Waiting: 1}}, 120, 30), "\n")
	if !strings.Contains(text, "1 waits for its turn") {
		t.Error(text)
	}
}
