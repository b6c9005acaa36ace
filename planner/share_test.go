package planner

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/providers"
	"github.com/edgeward/edgeward/providers/sandbox"
)

func TestShareOf(t *testing.T) {
	from := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	minutes := func(vs ...float64) map[time.Time]float64 { // below 0: missing
		m := map[time.Time]float64{}
		for i, v := range vs {
			if v >= 0 {
				m[from.Add(time.Duration(i)*time.Minute)] = v
			}
		}
		return m
	}
	tests := map[string]struct {
		s       sample
		method  Method
		direct  *Bounds
		share   *Bounds
		drained bool
		says    string
	}{
		"nothing": {sample{}, ByNothing, nil, nil, false, "the share is unknown"},
		"all at S3": {sample{cf: minutes(0, 0, 0, 0, 0), s3: minutes(100, 100, 100, 100, 100)},
			ByMetrics, &Bounds{500, 500}, &Bounds{0, 0}, false, "CloudFront served 0%"},
		"S3's count has CloudFront's fetches in it": {sample{cf: minutes(80, 80, 80, 80, 80), s3: minutes(100, 100, 100, 100, 100)},
			ByMetrics, &Bounds{100, 500}, &Bounds{44.44, 80}, false, "between 44% and 80%"},
		"a policy that keeps nothing": {sample{cf: minutes(80, 80, 80, 80, 80), s3: minutes(100, 100, 100, 100, 100), uncached: true},
			ByMetrics, &Bounds{100, 100}, &Bounds{80, 80}, false, "served 80%"},
		"a missing minute of S3 is not 0": {sample{cf: minutes(100, 100, 100, 100, 100), s3: minutes(100, -1, -1, -1, -1)},
			ByMetrics, &Bounds{0, 100}, &Bounds{50, 100}, false, "between 50% and 100%"},
		"S3 unknown": {sample{cf: minutes(100, 100, 100, 100, 100), resolvers: 4, atCF: 4},
			ByProbes, nil, nil, false, "CloudFront served 500 requests, the share is unknown; 4 of 4 resolvers"},
		"S3 unknown, after the TTL": {sample{cf: minutes(100, 100, 100, 100, 100), resolvers: 4, atCF: 4, dry: from},
			ByProbes, nil, nil, true, "drained"},
		"a resolver is behind": {sample{cf: minutes(100, 100, 100, 100, 100), resolvers: 4, atCF: 3, dry: from},
			ByProbes, nil, nil, false, "3 of 4"},
		"the TTL runs": {sample{cf: minutes(100, 100, 100, 100, 100), resolvers: 4, atCF: 4, dry: from.Add(time.Minute)},
			ByProbes, nil, nil, false, "4 of 4"},
		"more at S3 than CloudFront can have fetched": {sample{cf: minutes(10, 10, 10, 10, 10), s3: minutes(11, 10, 10, 10, 10), dry: from},
			ByMetrics, &Bounds{1, 51}, &Bounds{49.5, 98.04}, false, "between 50% and 98%"},
		"the log is exact": {sample{cf: minutes(90, 0, 0, 0, 0), s3: minutes(100, 0, 0, 0, 0), log: &logSample{direct: minutes(10, 0)}},
			ByAccessLog, &Bounds{10, 10}, &Bounds{90, 90}, false, "served 90% of the requests, by S3's access log"},
		"the log shows none": {sample{cf: minutes(90, 1, 1, 1, 1), log: &logSample{}, dry: from, resolvers: 1, atCF: 1},
			ByAccessLog, &Bounds{0, 0}, &Bounds{100, 100}, true, "drained"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			s := tc.s
			s.since, s.from, s.until = from, from, from.Add(5*time.Minute)
			s.now = s.until.Add(shareLag)
			got := shareOf(s)
			round := cmp.Transformer("round", func(f float64) float64 { return math.Round(100*f) / 100 })
			type answer struct {
				Method        Method
				Direct, Share *Bounds
				Drained       bool
			}
			if d := cmp.Diff(answer{tc.method, tc.direct, tc.share, tc.drained}, answer{got.Method, got.Direct, got.Share, got.Drained},
				cmp.FilterPath(func(p cmp.Path) bool {
					return p.Last().Type().Kind().String() == "float64" && !strings.Contains(p.GoString(), "Transform")
				}, round)); d != "" {
				t.Error(d)
			}
			if !strings.Contains(got.Says, tc.says) {
				t.Errorf("it says %q", got.Says)
			}
		})
	}
}

// What the metrics say is compared with what the visitors met: the truth is
// within the bounds, whatever part of CloudFront's requests is a hit.
func TestShareAgainstTheTruth(t *testing.T) {
	for _, rate := range []float64{-1, 0.5, 0.9, 0.99} {
		synctest.Test(t, func(t *testing.T) {
			s := watchLab(8, func(w *config.Watch) { w.S3Metrics = true; w.For = 30 * time.Minute }).start(t)
			s.w.SetMetering(sandbox.Metering{HitRate: rate, Lag: sandbox.Span{Min: time.Minute, Max: 4 * time.Minute}})
			s.w.SetResolver(0, sandbox.Resolving{Floor: 3 * time.Hour})
			s.w.StartVisitors(t.Context(), time.Second)
			s.o.Until = DNSPropagated
			s.want(s.apply(t.Context(), Migrate), OutcomeStopped)
			time.Sleep(25 * time.Minute)
			r, err := MakeStatus(t.Context(), s.w.Providers(), s.c, Options{})
			if err != nil || r.Buckets[0].Traffic == nil || r.Buckets[0].Traffic.Share == nil {
				t.Fatalf("%v: %+v", err, r.Buckets[0].Traffic)
			}
			got := r.Buckets[0].Traffic
			direct, cf := s.w.Served("fonts.example.com", got.From, got.Until)
			truth := 100 * float64(cf) / float64(cf+direct)
			t.Logf("hit rate %g: truth %.1f%%, bounds %.1f%% to %.1f%%", max(0, rate), truth, got.Share.Least, got.Share.Most)
			if truth < got.Share.Least-1 || truth > got.Share.Most+1 || got.Drained {
				t.Errorf("hit rate %g: CloudFront served %.1f%%, and the bounds are %+v; drained %t", rate, truth, *got.Share, got.Drained)
			}
		})
	}
}

// TestStatusMeasuresTraffic: what the owner has S3 count is read of few finished
// buckets; of many S3 is not asked whether it counts.
func TestStatusMeasuresTraffic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newLab(9).start(t)
		s.w.CountRequests(assets, "EntireBucket")
		counted := s.c.Buckets[slices.IndexFunc(s.c.Buckets, func(b config.Bucket) bool { return b.Name == assets })]
		s.w.StartVisitors(t.Context(), 5*time.Second)
		s.apply(t.Context(), Migrate)
		time.Sleep(20 * time.Minute)
		before := s.w.CallsByOp()
		s.plan(t.Context(), Migrate)
		if n := s.w.CallsByOp()["Metrics.Series"] - before["Metrics.Series"]; n != 0 {
			t.Errorf("a plan with nothing to do asks CloudWatch %d times", n)
		}
		r, err := MakeStatus(t.Context(), s.w.Providers(), s.c, Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range r.Buckets {
			if b.Traffic == nil || b.Traffic.CloudFront == nil || *b.Traffic.CloudFront == 0 || (b.Traffic.S3 != nil) != (b.Address == counted.Address) {
				t.Errorf("%s: %+v", b.Address, b.Traffic)
			}
		}
		before = s.w.CallsByOp()
		a, err := Observe(t.Context(), s.w.Providers(), s.c, counted, partAll)
		if err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		got, err := measureTraffic(t.Context(), s.w.Providers().Accounts[counted.Account], counted, a, now.Add(-time.Hour), now, false, false)
		if err != nil || got.S3 != nil || !strings.Contains(strings.Join(got.Unknown, "\n"), "asked of few buckets only") {
			t.Errorf("one of many: %+v, %v", got, err)
		}
		if n := s.w.CallsByOp()["Metrics.RequestMetrics"] - before["Metrics.RequestMetrics"]; n != 0 {
			t.Errorf("of many finished buckets S3 was asked %d times whether it counts", n)
		}
	})
}

// The access log tells who asked S3 by the visitors' name.
func TestShareByAccessLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := watchLab(10, nil)
		l.options.Buckets = append(l.options.Buckets, sandbox.Bucket{Name: "logs", Region: "eu-west-1", Private: true})
		s := l.start(t)
		s.w.StartVisitors(t.Context(), 5*time.Second)
		s.want(s.apply(t.Context(), Migrate), OutcomeFinished)
		time.Sleep(30 * time.Minute)
		now := time.Now()
		var entries []providers.LogEntry
		for i := range 60 {
			e := providers.LogEntry{Time: now.Add(-time.Duration(i) * 20 * time.Second), Operation: "REST.GET.OBJECT", Method: "GET", Status: 200,
				Host: "fonts.example.com.s3.eu-west-1.amazonaws.com", UserAgent: "Amazon CloudFront", Path: "/index.html"}
			if i%6 == 5 {
				e.Host, e.UserAgent = "fonts.example.com", "curl"
			}
			entries = append(entries, e)
		}
		s.w.AddAccessLog("fonts.example.com", entries...)
		time.Sleep(10 * time.Minute)
		r, err := MakeStatus(t.Context(), s.w.Providers(), s.c, Options{})
		if err != nil {
			t.Fatal(err)
		}
		got := r.Buckets[0].Traffic
		if got.Method != ByAccessLog || got.Direct == nil || got.Direct.Least != got.Direct.Most || got.Direct.Most < 9 || got.Direct.Most > 10 || got.Drained || got.Share == nil {
			t.Errorf("got %+v, direct %+v", got, got.Direct)
		}
		if !strings.Contains(fmt.Sprint(got.Says), "access log") {
			t.Error(got.Says)
		}
	})
}
