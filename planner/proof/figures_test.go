package proof_test

import (
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/edgeward/edgeward/planner/proof"
	"github.com/edgeward/edgeward/providers"
	"github.com/edgeward/edgeward/providers/sandbox"
)

// manyBucket has n small objects of some types.
func manyBucket(n int) sandbox.Bucket {
	var b sandbox.Bucket
	for i := range n {
		o := stored(manyKey(i), []string{"text/html", "image/png", "text/css"}[i%3], fmt.Appendf(nil, "object %d %s", i, text(200)))
		if i%3 == 0 {
			o.CacheControl = "max-age=300"
		}
		b.Objects = append(b.Objects, o)
	}
	return b
}

func manyKey(i int) string { return fmt.Sprintf("%02d/%02d/%d.html", i/1000, i/100%10, i) }

// many are the sites with n objects and what to compare: the objects, the whole
// matrix for the first 50, and a few other paths.
func many(n int, schemes ...string) (sites, []proof.Target) {
	s := sites{left: manyBucket(n), right: manyBucket(n), schemes: schemes}
	var paths []string
	for _, o := range s.left.Objects {
		paths = append(paths, escaped(o.Key))
	}
	targets := targets(s.left, append(paths, "/", "/missing", "/00", "/00/"))
	for i := range targets {
		targets[i].Whole = i < 50 || targets[i].Aside
	}
	return s, targets
}

// TestOneBadObjectAmongMany finds the one object of 10,000 that is not the same.
func TestOneBadObjectAmongMany(t *testing.T) {
	n := 10000
	if raceDetector {
		n = 1000
	}
	s, targets := many(n, "http")
	for i := range targets {
		targets[i].Whole = i < 5
	}
	s.right.Objects[n*7/10].Body = []byte("object of another site")
	got, err := proof.Compare(t.Context(), newLab(t).options(s), targets)
	if err != nil {
		t.Fatal(err)
	}
	where := "/" + manyKey(n*7/10)
	for _, fault := range (planted{want: "body broken", with: []proof.Aspect{proof.ETag, proof.ContentLength}, on: []string{where}}).check(got) {
		t.Error(fault)
	}
	t.Logf("one bad object among %d: %d requests", n, got.Requests)
}

// TestFigures prints what was found of what was planted, and alarms at clean
// sites; the figures are no promise and are not checked here.
func TestFigures(t *testing.T) {
	if !testing.Verbose() {
		t.Skip("it only prints; run it with -v")
	}
	l := newLab(t)
	found, cases, spent := 0, corpus(), 0
	began := time.Now()
	for name, p := range cases {
		got := p.outcome(t, l)
		spent += got.Requests
		if faults := p.check(got); len(faults) == 0 {
			found++
		} else {
			t.Logf("%s: %s", name, faults[0])
		}
	}
	t.Logf("differences: %d found and named right out of %d planted, %d requests in %s", found, len(cases), spent, time.Since(began).Round(time.Millisecond))
	alarmed, spent := 0, 0
	began = time.Now()
	for seed := range uint64(cleanSites) {
		c := generate(seed)
		got, err := c.compare(t, l)
		if err != nil {
			t.Fatal(err)
		}
		alarmed += len(c.alarms(got))
		spent += got.Requests
	}
	t.Logf("clean sites: %d alarms in %d sites, %d requests in %s", alarmed, cleanSites, spent, time.Since(began).Round(time.Millisecond))
}

// BenchmarkCompare tells what a comparison takes: requests, time, and the heap
// at its largest, both servers and their objects included.
func BenchmarkCompare(b *testing.B) {
	l := newLab(b)
	for _, n := range []int{20, 10000} {
		for _, rate := range []float64{1e6, 0} {
			name := fmt.Sprintf("objects=%d/parallel=8/rate=unlimited", n)
			if rate == 0 {
				name = fmt.Sprintf("objects=%d/parallel=8/rate=default", n)
			}
			b.Run(name, func(b *testing.B) {
				for b.Loop() {
					s, targets := many(n, "http", "https")
					o := l.options(s)
					o.Rate, o.Parallel, o.Clock = rate, 8, providers.RealClock{}
					heap := watchHeap()
					got, err := proof.Compare(b.Context(), o, targets)
					peak := heap()
					if err != nil || !got.Verdict.Passes() {
						b.Fatal(err, got.Verdict, got.Differences[:min(len(got.Differences), 3)])
					}
					b.ReportMetric(float64(got.Requests), "requests")
					b.ReportMetric(float64(peak)/(1<<20), "peak-MiB")
				}
			})
		}
	}
}

// watchHeap samples the heap until it is called; it gives the growth.
func watchHeap() func() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	before, peak := m.HeapAlloc, m.HeapAlloc
	stop := make(chan struct{})
	var done sync.WaitGroup
	done.Go(func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				runtime.ReadMemStats(&m)
				peak = max(peak, m.HeapAlloc)
			}
		}
	})
	return func() uint64 { close(stop); done.Wait(); return peak - before }
}
