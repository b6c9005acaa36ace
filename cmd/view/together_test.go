package view

import (
	"fmt"
	"html"
	"strings"
	"testing"
	"time"

	"github.com/edgeward/edgeward/planner"
)

// fleet is a plan of n buckets of two waves that are alike, each with its own
// distribution, and a run of it in which the last bucket failed.
func fleet(n int) Run {
	start := time.Date(2026, 1, 2, 23, 30, 0, 0, time.UTC)
	r := Run{Plan: planner.Plan{Goal: planner.Migrate, Waves: []planner.PlanWave{{Name: "canary", Buckets: n / 10}, {Buckets: n - n/10}}},
		Report: planner.Report{Goal: planner.Migrate, Started: start, Ended: start.Add(2 * time.Hour)}}
	for i := range n {
		name := fmt.Sprintf("s%03d.example.com", i)
		address := fmt.Sprintf("bucket.site[%q]", name)
		id, domain := fmt.Sprintf("E2QWRUH%06d", i), fmt.Sprintf("d%012dx.cloudfront.net", i)
		record := []planner.ValueChange{{Path: "record " + name, Before: "CNAME " + name + ".s3.eu-west-1.amazonaws.com TTL 60s", After: "CNAME " + domain + " TTL 60s"}}
		bp := planner.BucketPlan{Address: address, Bucket: name, CNAMEs: []string{name, "www." + name}, Region: "eu-west-1", Standing: planner.StandUnderWay, Stage: planner.DistributionDeployed,
			Expect: planner.Seconds(4000 + i%5), Steps: []planner.Step{
				{Kind: planner.DistributionDeployed, Action: planner.Wait, Why: "distribution " + id + " is InProgress", Expect: 300},
				{Kind: planner.DNSSwitch, Action: planner.Change, Why: "one write a name", Links: []string{"/" + name}, Changes: record}}}
		if i < n/10 {
			bp.Wave = "canary"
		}
		r.Plan.Buckets = append(r.Plan.Buckets, bp)
		tell := func(minute int, k planner.Kind, s planner.EventStatus, why string, changes []planner.ValueChange) {
			r.Events = append(r.Events, planner.Event{Time: start.Add(time.Duration(minute)*time.Minute + time.Duration(i)*time.Second), Address: address, Kind: k, Status: s, Why: why, Changes: changes})
		}
		tell(1, planner.DistributionDeployed, planner.EventWaiting, "distribution "+id+" is InProgress: not every edge has it yet", nil)
		tell(11, planner.DistributionDeployed, planner.EventDone, "distribution "+id+" is deployed", nil)
		res := planner.Result{Address: address, Outcome: planner.OutcomeFinished, Switched: true}
		if i == n-1 {
			tell(12, planner.DNSSwitch, planner.EventFailed, "there stands something else at "+name, nil)
			res = planner.Result{Address: address, Outcome: planner.OutcomeFailed, Stage: planner.DNSSwitch, Why: "there stands something else at " + name}
		} else {
			tell(40, planner.DNSSwitch, planner.EventStarted, "one write a name", record)
			tell(41, planner.DNSSwitch, planner.EventDone, "the names are the distribution's", nil)
		}
		r.Report.Results = append(r.Report.Results, res)
	}
	return r
}

// fleetStatus is the status of the buckets of a plan, all done, of which the last
// was changed by hand.
func fleetStatus(p planner.Plan) (r planner.StatusReport) {
	for i, bp := range p.Buckets {
		domain := fmt.Sprintf("d%012dx.cloudfront.net", i)
		var says []planner.ServerSays
		for s := range 4 {
			says = append(says, planner.ServerSays{Server: fmt.Sprintf("resolver %d (198.51.100.%d)", s, s), Answer: fmt.Sprintf("CNAME %s TTL %ds", domain, i), Serves: "CloudFront"})
		}
		r.Buckets = append(r.Buckets, planner.BucketStatus{Address: bp.Address, Standing: planner.StandDone, Distribution: domain,
			Names: []planner.NameStatus{{Name: bp.Bucket, Record: "CNAME " + domain + " TTL 60s", Serves: "CloudFront", Resolvers: says}}})
	}
	r.Buckets[len(r.Buckets)-1].Drift = []planner.Drift{{Path: "price_class", Mend: "edgeward apply"}}
	return r
}

// A page of 500 buckets says once what is alike, has every name, and of a run and
// a record each change of each bucket with its time and the values that are its
// own; one that ended otherwise is said by itself.
func TestPagesOfMany(t *testing.T) {
	const n = 500
	run := fleet(n)
	status := fleetStatus(run.Plan)
	page := func(text string, err error) string {
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	for name, tt := range map[string]struct {
		page  string
		parts string
		n     int
		most  int
		own   []string
	}{
		"plan":   {page(PlanHTML(run.Plan)), `<details class="part"`, 2, 120_000, nil},
		"run":    {page(RunHTML(run)), `<details class="part"`, 3, 250_000, []string{"E2QWRUH000007", "dns.switch 2026-01-03 00:11:07"}},
		"record": {page(RecordHTML(NewRecord([]RecordRun{{File: "run.json", Run: run}}))), `<details class="part"`, 3, 300_000, []string{"d000000000007x.cloudfront.net", "dns.switch 2026-01-03 00:11:07"}},
		"status": {page(StatusHTML(status)), "<h2>", 2, 200_000, []string{"CNAME d000000000007x.cloudfront.net TTL 60s, 4 resolvers → CloudFront"}},
	} {
		t.Run(name, func(t *testing.T) {
			if len(tt.page) > tt.most {
				t.Errorf("%d bytes for %d buckets, more than %d", len(tt.page), n, tt.most)
			}
			if got := strings.Count(tt.page, tt.parts); got != tt.n {
				t.Errorf("%d parts, want %d", got, tt.n)
			}
			for _, bp := range run.Plan.Buckets {
				if !strings.Contains(tt.page, html.EscapeString(bp.Address)) && !strings.Contains(tt.page, htmlCode(bp.Address)) {
					t.Fatalf("%s is not named", bp.Address)
				}
			}
			for _, own := range tt.own {
				if !strings.Contains(tt.page, own) {
					t.Errorf("there is no %q", own)
				}
			}
		})
	}
	if text := page(RunHTML(run)); !strings.Contains(text, "there stands something else at s499.example.com") || !strings.Contains(text, "2026-01-02 23:41:50 to 23:49:18") {
		t.Error("the failed bucket has no cause, or the others no times")
	}
	small := run
	small.Plan.Buckets, small.Report.Results = run.Plan.Buckets[:5], run.Report.Results[:5]
	if text := page(RunHTML(small)); strings.Count(text, `<details class="part"`) != 5 {
		t.Error("few buckets do not have a part each")
	}
}

// The end of a run of many says once what is alike, with every name; of few each
// bucket has its own line.
func TestReportOfMany(t *testing.T) {
	for n, want := range map[int]string{
		2: "bucket.site[\"s000.example.com\"]: interrupted, at ttl.lower\nbucket.site[\"s001.example.com\"]: failed, at dns.switch: there stands something\n  else at s001.example.com\n",
		40: "39 buckets: interrupted, at ttl.lower\n    bucket.site[\"s000.example.com\"] … bucket.site[\"s038.example.com\"] (39)\n" +
			"bucket.site[\"s039.example.com\"]: failed, at dns.switch: there stands something\n  else at s039.example.com\n",
	} {
		run := fleet(n)
		for i := range run.Report.Results[:n-1] {
			run.Report.Results[i] = planner.Result{Address: run.Plan.Buckets[i].Address, Outcome: planner.OutcomeInterrupted, Stage: planner.TTLLower, Why: "interrupted"}
		}
		if got := Report(run.Report, Commands{GoOn: "edgeward apply"}, Style{}); !strings.HasPrefix(got, want) {
			t.Errorf("%d buckets:\n%s\nwant\n%s", n, got, want)
		}
	}
}
