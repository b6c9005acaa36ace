package cmd

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/planner"
	"github.com/edgeward/edgeward/providers"
	"github.com/edgeward/edgeward/providers/sandbox"
)

// processWorld is a sandbox that outlives the runs in it, with visitors. hook is
// called within each call of a port, for as long as the runs are to be disturbed.
func processWorld(t *testing.T, seed int64, hook func(sandbox.Call) error) (*sandbox.World, *config.Config) {
	t.Helper()
	cfg := demoConfig()
	o := demoOptions(cfg, 0)
	o.Seed = seed
	o.Clock, o.Hook = providers.RealClock{}, hook // of the bubble
	w := sandbox.New(o)
	w.StartVisitors(t.Context(), 30*time.Second)
	return w, cfg
}

// movedOnce: every name ends at the one distribution of its bucket, and no
// visitor missed anything.
func movedOnce(t *testing.T, w *sandbox.World, cfg *config.Config) {
	t.Helper()
	byAlias := map[string][]string{}
	for _, d := range w.Distributions() {
		for _, a := range d.Settings.Aliases {
			byAlias[a] = append(byAlias[a], d.Domain)
		}
	}
	if n := len(w.Distributions()); n != len(cfg.Buckets) {
		t.Errorf("%d distributions for %d buckets", n, len(cfg.Buckets))
	}
	for _, b := range cfg.Buckets {
		for _, name := range b.Names() {
			rs := w.Records(name)
			if len(byAlias[name]) != 1 || len(rs) == 0 || rs[0].Value != byAlias[name][0] {
				t.Errorf("%s is %v, its distributions are %v", name, rs, byAlias[name])
			}
		}
	}
	if v := w.Visitors(); v.Failed > 0 || v.Requests == 0 {
		t.Errorf("%d of %d visits failed: %v", v.Failed, v.Requests, v.Failures)
	}
}

// applyOnce is one `apply -auto-approve`, from a plan of its own.
func applyOnce(t *testing.T, w *sandbox.World, cfg *config.Config, change func(*planner.Executor)) planner.Report {
	t.Helper()
	p, err := planner.Make(t.Context(), w.Providers(), cfg, planner.Options{Goal: planner.Migrate})
	if err != nil {
		t.Fatal(err)
	}
	x := &planner.Executor{World: w.Providers(), Config: cfg, Options: planner.Options{Goal: planner.Migrate}, WaitTimeout: 100 * time.Hour}
	if change != nil {
		change(x)
	}
	return x.Apply(t.Context(), p)
}

// TestScheduleRunsApplyAgain: `apply -wait=false` every ten minutes, as a job that
// may take no time, ends with 6 until the last one, which ends with 0.
func TestScheduleRunsApplyAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, cfg := processWorld(t, 1, nil)
		runs, took := 0, time.Duration(0)
		for code := 6; code != 0; runs++ {
			if runs > 100 {
				t.Fatal("it does not end")
			}
			began := time.Now()
			r := applyOnce(t, w, cfg, func(x *planner.Executor) { x.NoWait = true })
			took = max(took, time.Since(began))
			if code = r.ExitCode(); code != 0 && code != 6 {
				t.Fatalf("run %d: exit code %d, %+v", runs+1, code, r.Results)
			}
			time.Sleep(10 * time.Minute)
		}
		if runs < 5 || took > 5*time.Minute {
			t.Errorf("%d runs, the longest %s", runs, took)
		}
		movedOnce(t, w, cfg)
		t.Logf("%d runs, the longest %s", runs, took)
	})
}

// TestTwoRunsWithoutALock: two runs that know nothing of each other, each of
// whose calls comes at a moment of its own, make one distribution a bucket and
// one switch; what is worst is a bucket that one of them refuses.
func TestTwoRunsWithoutALock(t *testing.T) {
	refused, worst := 0, map[planner.Outcome]int{}
	// 46: one run wrote down since when the TTL is low while the other looked.
	for _, seed := range []int64{0, 1, 2, 3, 4, 5, 6, 7, 46} {
		synctest.Test(t, func(t *testing.T) {
			delay := func(c sandbox.Call) error {
				if !c.After { // up to 8 s, other for each call and seed
					time.Sleep(time.Duration((int64(c.N)*7919+seed*104729)%8000) * time.Millisecond)
				}
				return nil
			}
			w, cfg := processWorld(t, seed, delay)
			var mu sync.Mutex
			early := ""
			switched := map[string]int{}
			watch := func(x *planner.Executor) {
				x.Events = func(e planner.Event) {
					mu.Lock()
					defer mu.Unlock()
					if e.Kind != planner.DNSSwitch || e.Status != planner.EventStarted {
						return
					}
					switched[e.Address]++
					for _, b := range cfg.Buckets {
						if rs := w.Records(b.Name); b.Address == e.Address && !strings.HasSuffix(rs[0].Value, ".cloudfront.net") && rs[0].TTL > 0 && w.MayHold(b.Name) > b.DNS.LowTTL {
							early += fmt.Sprintf("%s is switched while a resolver may hold its old record for %s\n", b.Name, w.MayHold(b.Name))
						}
					}
				}
			}
			var wg sync.WaitGroup
			reports := make([]planner.Report, 2)
			for i := range reports {
				wg.Go(func() {
					time.Sleep(time.Duration(i) * time.Duration(seed) * 777 * time.Millisecond)
					reports[i] = applyOnce(t, w, cfg, watch)
				})
			}
			wg.Wait()
			for _, r := range reports {
				for _, x := range r.Results {
					worst[x.Outcome]++
					switch x.Outcome {
					case planner.OutcomeFinished, planner.OutcomeNothing:
					case planner.OutcomeStale:
						refused++
					default:
						t.Errorf("seed %d: %s: %s at %s: %s", seed, x.Address, x.Outcome, x.Stage, x.Why)
					}
				}
			}
			if early != "" {
				t.Errorf("seed %d: %s", seed, early)
			}
			if r := applyOnce(t, w, cfg, nil); r.ExitCode() != 0 {
				t.Errorf("seed %d: a third run: %+v", seed, r.Results)
			}
			movedOnce(t, w, cfg)
		})
	}
	t.Logf("how the buckets of both ended: %v; %d refused", worst, refused)
}
