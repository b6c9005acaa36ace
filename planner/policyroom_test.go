package planner

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeward/edgeward/providers"
	"github.com/edgeward/edgeward/providers/sandbox"
)

// tallied counts calls by operation, and those that failed by "OP failed".
type tallied struct {
	mu  sync.Mutex
	ops map[string]int
}

func (c *tallied) hook(call sandbox.Call) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ops == nil {
		c.ops = map[string]int{}
	}
	if call.After {
		c.ops[call.Op+" after"]++
	} else {
		c.ops[call.Op]++
	}
	return nil
}

// Buckets of one variant make as many cache policies as they need, which the plan
// says before, and hardly one create is refused: a policy takes 100 distributions.
func TestPoliciesForManyBuckets(t *testing.T) {
	tests := map[string]struct{ buckets, full, made int }{
		"three":         {250, 0, 3},
		"room in one":   {60, 50, 1},
		"room in all":   {50, 50, 0},
		"a hundred":     {100, 0, 1},
		"one is enough": {3, 0, 1},
	}
	if raceDetector {
		delete(tests, "three") // as many buckets take half a minute
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, calls := manyBuckets(tc.buckets), &tallied{}
				l.options.Hook = func(c sandbox.Call) error {
					if c.Op == "Distributions.Create" && !c.After {
						time.Sleep(time.Minute) // as a limiter would, while others look
					}
					return calls.hook(c)
				}
				l.config.Rollout.Parallelism = 40
				s := l.start(t)
				fillPolicy(s.w, tc.full)
				s.o.Until = DistributionCreate
				p := s.plan(t.Context(), Migrate)
				planned := 0
				for _, q := range p.Quotas {
					if q.Kind == providers.QuotaCachePolicies {
						planned = q.Plan
					}
				}
				s.want(s.run(t.Context(), p, nil), OutcomeStopped)
				made := calls.ops["CachePolicies.CreateCachePolicy"]
				if made != tc.made || planned != tc.made {
					t.Errorf("%d policies were asked for, the plan said %d, want %d", made, planned, tc.made)
				}
				refused := calls.ops["Distributions.Create"] - tc.buckets
				if n := len(s.w.Distributions()); n != tc.buckets+tc.full || refused > 2 {
					t.Errorf("%d distributions, %d creates refused", n, refused)
				}
			})
		})
	}
}

// fillPolicy adds a policy of the first variant with n distributions.
func fillPolicy(w *sandbox.World, n int) {
	if n == 0 {
		return
	}
	settings := cacheSettings(false)
	id := w.AddCachePolicy("", policyStem(settings)+"-1", settings, false)
	for i := range n {
		w.AddDistribution("", providers.Settings{Enabled: true, OriginDomain: "x.s3.eu-west-1.amazonaws.com", OriginKind: providers.RESTOrigin,
			ViewerProtocol: "allow-all", Methods: []string{"GET", "HEAD"}, PriceClass: "PriceClass_All", HTTPVersion: "http2", CachePolicyID: id},
			map[string]string{"n": fmt.Sprint(i)})
	}
}

// A bucket that saw room, and finds the policy full when its turn has come, makes
// the next; it does not wait for room that nobody will leave.
func TestAPolicyThatFillsMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, calls := manyBuckets(1), &tallied{}
		var w *sandbox.World
		var once sync.Once
		l.options.Hook = func(c sandbox.Call) error {
			if strings.HasPrefix(c.Op, "Certificates.Request") && c.After {
				once.Do(func() { go fillRest(w) })
			}
			return calls.hook(c)
		}
		s := l.start(t)
		w = s.w
		fillPolicy(w, 99)
		began := time.Now()
		s.want(s.apply(t.Context(), Migrate), OutcomeFinished)
		if took := time.Since(began); took > time.Hour || calls.ops["CachePolicies.CreateCachePolicy"] != 1 {
			t.Errorf("took %s, %d policies were asked for", took, calls.ops["CachePolicies.CreateCachePolicy"])
		}
	})
}

// fillRest takes the last place of the first policy, as another run would.
func fillRest(w *sandbox.World) {
	for _, d := range w.Distributions()[:1] {
		w.AddDistribution("", d.Settings, map[string]string{"n": "last"})
	}
}

// Two machines that need the next policy at the same time make one: the name
// decides, and the other waits until it sees it.
func TestTwoRunsMakeOnePolicy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, calls := manyBuckets(30), &tallied{}
		l.options.Hook = calls.hook
		s := l.start(t)
		s.o.Until = DistributionCreate
		other := &session{t: t, w: s.w, c: s.c, o: s.o}
		s.o.Shard, other.o.Shard = Shard{1, 2}, Shard{2, 2}
		mine, theirs := s.plan(t.Context(), Migrate), other.plan(t.Context(), Migrate)
		var wg sync.WaitGroup
		wg.Go(func() { s.want(s.run(t.Context(), mine, nil), OutcomeStopped) })
		wg.Go(func() { other.want(other.run(t.Context(), theirs, nil), OutcomeStopped) })
		wg.Wait()
		used := map[string]bool{}
		for _, d := range s.w.Distributions() {
			used[d.Settings.CachePolicyID] = true
		}
		if made := calls.ops["CachePolicies.CreateCachePolicy"]; made > 2 || len(used) != 1 {
			t.Errorf("asked for %d, in use %d", made, len(used))
		}
	})
}
