package planner

import (
	"context"
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeward/edgeward/providers"
	"github.com/edgeward/edgeward/providers/sandbox"
)

// paced puts the limiters of the adapters before a sandbox, by its hook, and
// counts what they let through. What an adapter answers from one listing, or
// sends together, is one request here too: sweeps are used for sweepAge.
type paced struct {
	set *providers.Limiters
	n   int // buckets

	mu    sync.Mutex
	swept map[string]time.Time
	ops   map[string]int
}

const sweepAge = 5 * time.Second

// pace is the limiter of an operation, with how many buckets are on one page of a
// sweep; 0 says that each call is a request.
func pace(op string) (o providers.LimiterOptions, page int) {
	switch {
	case op == "Distributions.Find":
		return providers.LimiterOptions{API: "cloudfront reads", PerSecond: 5, Burst: 5}, 100
	case op == "CachePolicies.CachePolicies": // 20 are the quota, so there is one page
		return providers.LimiterOptions{API: "cloudfront reads", PerSecond: 5, Burst: 5}, 1 << 30
	case op == "Certificates.Covering":
		return providers.LimiterOptions{API: "acm", PerSecond: 5, Burst: 5}, 1000
	case op == "Distributions.Create", op == "Distributions.Update", op == "Distributions.SetTags", op == "CachePolicies.CreateCachePolicy":
		return providers.LimiterOptions{API: "cloudfront writes", PerSecond: 1, Burst: 2}, 0
	case strings.HasPrefix(op, "Distributions."), strings.HasPrefix(op, "CachePolicies."):
		return providers.LimiterOptions{API: "cloudfront reads", PerSecond: 5, Burst: 5}, 0
	case strings.HasPrefix(op, "Certificates.Request"):
		return providers.LimiterOptions{API: "acm", PerSecond: 5, Burst: 5}, 0
	case strings.HasPrefix(op, "Certificates."):
		return providers.LimiterOptions{API: "acm reads", PerSecond: 10, Burst: 10}, 0
	case strings.HasPrefix(op, "DNS."): // of 300 records, a name and its validation record
		return providers.LimiterOptions{API: "route53", PerSecond: 5, Burst: 1}, 150
	case strings.HasPrefix(op, "Buckets."):
		return providers.LimiterOptions{API: "s3", PerSecond: 100, Burst: 50}, 0
	}
	return providers.LimiterOptions{}, 0
}

func (p *paced) hook(c sandbox.Call) error {
	o, page := pace(c.Op)
	if c.After || o.API == "" {
		return nil
	}
	requests := 1
	if c.Op == "Buckets.Bucket" {
		requests = 8 // a setting each
	}
	if page > 0 {
		requests = (p.n + page - 1) / page
		if c.Write {
			requests = 1 // changes of one zone go out together
		}
		p.mu.Lock()
		if last, ok := p.swept[c.Op]; ok && time.Since(last) < sweepAge {
			requests = 0
		} else {
			p.swept[c.Op] = time.Now()
		}
		p.mu.Unlock()
	}
	p.mu.Lock()
	p.ops[c.Op] += requests
	p.mu.Unlock()
	for range requests {
		if err := p.set.Get(o).Wait(c.Context, 1); err != nil {
			return err
		}
	}
	return nil
}

// bound is how long the requests that were made take at the allowed rates, and
// which API's they are.
func (p *paced) bound() (most time.Duration, api string) {
	for _, r := range p.set.Rates() {
		if d := time.Duration(float64(r.Requests) / r.PerSecond * float64(time.Second)); d > most {
			most, api = d, r.API
		}
	}
	return most, api
}

// applyPaced migrates n buckets and tells how long plan and apply took, and what
// was asked.
func applyPaced(t *testing.T, n int, rates bool) (took time.Duration, p *paced) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(1)
		l.config.Buckets, l.config.Rollout.Parallelism = nil, 10
		l.options.Unvisited = n > 1000
		l.options.Buckets = nil
		for i := range n {
			name := fmt.Sprintf("b%04d.example.com", i)
			l.bucket(name, route53, nil, cname(name, "s3.eu-west-1.amazonaws.com", 5*time.Minute))
			l.config.Buckets[i].Verify.Sample = 1
		}
		p = &paced{set: providers.NewLimiters(providers.RealClock{}), n: n, swept: map[string]time.Time{}, ops: map[string]int{}}
		if l.options.Hook = p.hook; !rates {
			l.options.Hook, l.config.Rollout.Parallelism = nil, n
		}
		l.options.MaxDistributions = 2 * n
		l.options.Quotas = map[providers.QuotaKind]int{providers.QuotaDistributions: 2 * n, providers.QuotaCertificates: 4 * n, providers.QuotaCertificatesYear: 4 * n,
			providers.QuotaCachePolicies: 2 * n}
		w := sandbox.New(l.options)
		began := time.Now()
		o := Options{Goal: Migrate}
		plan, err := Make(t.Context(), w.Providers(), l.config, o)
		if err != nil {
			t.Fatal(err)
		}
		x := &Executor{World: w.Providers(), Config: l.config, Options: o, WaitTimeout: 100 * time.Hour}
		r := x.Apply(t.Context(), plan)
		took = time.Since(began)
		for _, res := range r.Results {
			if res.Outcome != OutcomeFinished {
				t.Fatalf("%s: %s at %s: %s", res.Address, res.Outcome, res.Stage, res.Why)
			}
		}
	})
	return took, p
}

// An apply takes little more than its bound: the larger of the requests that
// were made at the allowed rates, and the longest chain of waits of one bucket,
// which is what the same buckets take where nothing has a rate. EDGEWARD_FIGURES
// says for how many buckets instead, such as 200,1000.
func TestApplyIsNearItsBound(t *testing.T) {
	sizes := []int{1, 50}
	if raceDetector {
		sizes = []int{1, 10}
	}
	for _, n := range figureSizes(sizes) {
		began := time.Now()
		chain, _ := applyPaced(t, min(n, 200), false)
		took, p := applyPaced(t, n, true)
		bound, api := p.bound()
		if chain > bound {
			bound, api = chain, "one bucket's waits"
		}
		ratio := float64(took) / float64(bound)
		var memory runtime.MemStats
		runtime.ReadMemStats(&memory)
		t.Logf("%d buckets: %s; bound %s (%s), ratio %.2f; %s; in %s and %d MiB, the world and all", n, took.Round(time.Second), bound.Round(time.Second), api, ratio,
			counts(p.ops), time.Since(began).Round(time.Second), memory.Sys>>20)
		// The plan reads all settings of a bucket. Its steps ask how it is served: twice
		// while the cache policy is made, before the distribution, before the links.
		if all, site := p.ops["Buckets.Bucket"], p.ops["Buckets.Site"]; all > 8*n || site > 4*n {
			t.Errorf("%d buckets: %d requests for their settings and %d for how they are served, want at most 8 and 4 for each", n, all, site)
		}
		if ratio > aimRatio {
			t.Errorf("%d buckets take %.2f times their bound, at most %.2f", n, ratio, aimRatio)
		}
	}
}

const aimRatio = 1.15

func figureSizes(sizes []int) []int {
	text := os.Getenv("EDGEWARD_FIGURES")
	if text == "" {
		return sizes
	}
	sizes = nil
	for part := range strings.SplitSeq(text, ",") {
		n, _ := strconv.Atoi(part)
		sizes = append(sizes, n)
	}
	return sizes
}

func counts(ops map[string]int) string {
	var parts []string
	for _, op := range slices.Sorted(maps.Keys(ops)) {
		parts = append(parts, fmt.Sprintf("%s %d", op, ops[op]))
	}
	return strings.Join(parts, ", ")
}

// instant is a clock on which a wait takes no time.
type instant struct{ offset *atomic.Int64 }

func (c instant) Now() time.Time {
	return time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(c.offset.Load()))
}

func (c instant) Sleep(ctx context.Context, d time.Duration) error {
	c.offset.Add(int64(max(0, d)))
	return ctx.Err()
}

// benchWorld has n buckets that nothing was done for.
func benchWorld(n int) (providers.World, *lab) {
	l := newLab(1)
	l.config.Buckets, l.options.Buckets, l.options.DNS[0].Records = nil, nil, nil
	for i := range n {
		name := fmt.Sprintf("b%05d.example.com", i)
		l.bucket(name, route53, nil, cname(name, "s3.eu-west-1.amazonaws.com", 5*time.Minute))
	}
	l.options.Clock = instant{new(atomic.Int64)}
	return sandbox.New(l.options).Providers(), l
}

// perBucket runs f over n buckets and reports time and memory a bucket.
func perBucket(b *testing.B, n int, f func()) {
	b.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for b.Loop() {
		f()
	}
	runtime.ReadMemStats(&after)
	each := float64(b.N * n)
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/each, "ns/bucket")
	b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/each, "B/bucket")
}

// Benchmarks of looking at buckets that nothing was done for, and of planning
// them: what one costs should not grow with how many there are.
func BenchmarkObserve(b *testing.B) {
	for _, n := range []int{100, 1000, 10000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			w, l := benchWorld(n)
			perBucket(b, n, func() {
				for _, bucket := range l.config.Buckets {
					if _, err := Observe(b.Context(), w, l.config, bucket, partAll|partLazy); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}

func BenchmarkPlan(b *testing.B) {
	for _, n := range []int{100, 1000, 10000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			w, l := benchWorld(n)
			perBucket(b, n, func() {
				if p, err := Make(b.Context(), w, l.config, Options{Goal: Migrate}); err != nil || p.Summary.ToMigrate != n {
					b.Fatalf("%v, %+v", err, p.Summary)
				}
			})
		})
	}
}
