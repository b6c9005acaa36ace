package planner

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/edgeward/edgeward/providers"
	"github.com/edgeward/edgeward/providers/sandbox"
)

var errHung = errors.New("hung up")

func TestInterruptedRunsSayWhereTheyStand(t *testing.T) {
	inWorld(t, assets, nil, func(t *testing.T, s *session) {
		ctx, cancel := context.WithCancelCause(t.Context())
		p := s.plan(ctx, Migrate)
		go func() {
			pause1(t, 3*time.Minute)
			cancel(errHung)
		}()
		r := s.run(ctx, p, nil)
		if x := one(t, r); x.Outcome != OutcomeInterrupted || x.Stage == "" || r.ExitCode() != 130 {
			t.Errorf("exit %d, %+v", r.ExitCode(), x)
		}
		s.want(s.apply(t.Context(), Migrate), OutcomeFinished)
		s.served()
	})
}

func TestWaits(t *testing.T) {
	tests := map[string]struct {
		change func(*Executor)
		until  bool
	}{
		"-wait=false":                          {func(x *Executor) { x.NoWait = true }, false},
		"a TTL that outlasts -wait-timeout":    {func(x *Executor) { x.WaitTimeout = 30 * time.Minute }, true},
		"-wait-timeout ends before deployment": {func(x *Executor) { x.WaitTimeout = time.Minute }, false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			inWorld(t, assets, nil, func(t *testing.T, s *session) {
				begin := time.Now()
				r := s.run(t.Context(), s.plan(t.Context(), Migrate), tc.change)
				x := one(t, r)
				if x.Outcome != OutcomeWaiting || r.ExitCode() != 6 || x.Why == "" || (x.Until != nil) != tc.until {
					t.Errorf("exit %d, %+v", r.ExitCode(), x)
				}
				if d := time.Since(begin); d > 31*time.Minute {
					t.Errorf("it took %s", d)
				}
				s.want(s.apply(t.Context(), Migrate), OutcomeFinished)
				s.served()
			})
		})
	}
}

func TestParallelismIsNeverExceeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(1)
		for i := range 12 {
			name := fmt.Sprintf("b%d.example.com", i)
			l.bucket(name, route53, nil, cname(name, "s3.eu-west-1.amazonaws.com", time.Minute))
			l.config.Buckets[len(l.config.Buckets)-1].Verify.Sample = 1
		}
		var active, most, writes atomic.Int64
		l.options.Hook = func(c sandbox.Call) error {
			if strings.HasPrefix(c.Op, "Web.") || strings.HasPrefix(c.Op, "DNS.Look") || strings.HasPrefix(c.Op, "Distributions.Find") {
				return nil // several at the same time within one look
			}
			if c.Write && c.After {
				writes.Add(1)
			}
			n := active.Add(map[bool]int64{false: 1, true: -1}[c.After])
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			return nil
		}
		s := l.start(t)
		s.o.Parallelism = 3
		s.want(s.apply(t.Context(), Migrate), OutcomeFinished)
		if most.Load() > 3 || writes.Load() == 0 {
			t.Errorf("%d at the same time, %d writes", most.Load(), writes.Load())
		}
	})
}

func TestMaxFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(1)
		l.config.Rollout.MaxFailures = 0
		l.config.Rollout.Parallelism = 1
		s := l.start(t)
		p := s.plan(t.Context(), Migrate)
		for _, b := range l.config.Buckets { // every plan is stale
			s.w.EditBucket(b.Name, func(x *sandbox.Bucket) {
				if x.CORS == nil {
					x.CORS = anyOrigin()
				} else {
					x.CORS = nil
				}
			})
		}
		r := s.run(t.Context(), p, nil)
		skipped := 0
		for _, x := range r.Results {
			if x.Outcome == OutcomeSkipped {
				skipped++
			}
		}
		if skipped == 0 {
			t.Errorf("all buckets were started: %+v", r.Results)
		}
	})
}

func TestTargets(t *testing.T) {
	tests := map[string]struct {
		o    Options
		want int
		err  string
	}{
		"all":       {Options{}, 5, ""},
		"one":       {Options{Targets: []string{`bucket["example.com"]`}}, 1, ""},
		"a pattern": {Options{Targets: []string{`*example.com*`}}, 4, ""},
		"excluded":  {Options{Excludes: []string{`*example.org*`}}, 4, ""},
		"none":      {Options{Targets: []string{"bucket.nobody"}}, 0, "-target=bucket.nobody matches no bucket"},
		"no retry":  {Options{Retry: []string{"bucket.nobody"}}, 0, "-retry=bucket.nobody matches no bucket"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := choose(newLab(1).config, tc.o)
			if len(got) != tc.want || (err != nil) != (tc.err != "") || err != nil && !strings.Contains(err.Error(), tc.err) {
				t.Errorf("%d buckets, %v", len(got), err)
			}
		})
	}
	if !matches("bucket.site", `bucket.site["x"]`) || matches("bucket.site", "bucket.site2") || matches("bucket.s.te", "bucket.site") {
		t.Error("a pattern means all instances of a block, and no other block")
	}
}

func TestCredentialsStopThePlan(t *testing.T) {
	inWorld(t, assets, nil, func(t *testing.T, s *session) {
		s.w.Fail("", providers.ErrCredentials)
		if _, err := Make(t.Context(), s.w.Providers(), s.c, s.o); !errors.Is(err, providers.ErrCredentials) {
			t.Errorf("%v", err)
		}
	})
}

// A plan is the same for the same world, whatever the time and whoever makes it.
func TestPlanIsStable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newLab(4).start(t)
		first := s.plan(t.Context(), Migrate)
		pause1(t, 7*time.Minute)
		for range 5 {
			if d := cmp.Diff(first, s.plan(t.Context(), Migrate), cmp.AllowUnexported(Options{})); d != "" {
				t.Fatal(d)
			}
		}
	})
}
