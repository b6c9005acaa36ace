package planner

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/providers"
	"github.com/edgeward/edgeward/providers/sandbox"
)

// waveLab has seven small buckets: two canaries, three of the rest, which soak
// for half an hour, and two of no wave.
func waveLab(seed int64) *lab {
	l := newLab(seed).only()
	l.options.Buckets = nil
	for i, wave := range []string{"", "rest", "canary", "rest", "canary", "rest", ""} {
		name := fmt.Sprintf("w%d.example.com", i)
		l.bucket(name, route53, nil, cname(name, "s3.eu-west-1.amazonaws.com", time.Minute))
		l.config.Buckets[i].Wave, l.config.Buckets[i].Verify.Sample = wave, 1
	}
	l.config.Rollout = config.Rollout{Parallelism: 4, MaxFailures: -1, Waves: []config.Wave{
		{Name: "canary", Parallelism: 1, MaxFailures: -1}, {Name: "rest", Soak: 30 * time.Minute, MaxFailures: -1},
	}}
	return l
}

func waveAddress(i int) string { return fmt.Sprintf(`bucket["w%d.example.com"]`, i) }

// outOfOrder says which bucket was begun before the waves before it were done, or
// before their soak had passed, as far as the world shows it at an event.
func outOfOrder(s *session, c *config.Config, e Event) string {
	if e.Kind == "" || e.Status != EventStarted {
		return ""
	}
	at := slices.IndexFunc(c.Buckets, func(b config.Bucket) bool { return b.Address == e.Address })
	w, _ := waveSettings(c, c.Buckets[at].Wave)
	for _, b := range order(c, Options{}, c.Buckets[at].Wave) {
		var tags map[string]string
		for _, d := range s.w.Distributions() {
			if d.Tags[providers.TagBucket] == b.Name {
				tags = d.Tags
			}
		}
		since, ok := readTime(tags[crumbFinished])
		switch {
		case !ok:
			return fmt.Sprintf("%s %s: begun before %s was finished\n", e.Address, e.Kind, b.Address)
		case e.Time.Before(since.Add(w.Soak)):
			return fmt.Sprintf("%s %s: begun %s after %s was finished, its soak is %s\n", e.Address, e.Kind, e.Time.Sub(since), b.Address, w.Soak)
		}
	}
	return ""
}

// inOrder has a run's events looked at as they come; bad collects what is wrong.
func inOrder(s *session, c *config.Config, bad *string) func(*Executor) {
	return func(x *Executor) {
		events := x.Events
		x.Events = func(e Event) {
			events(e)
			*bad += outOfOrder(s, c, e)
		}
	}
}

func inWaveLab(t *testing.T, change func(*lab), f func(t *testing.T, s *session)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := waveLab(1)
		if change != nil {
			change(l)
		}
		f(t, l.start(t))
	})
}

// TestWavesKeepTheirOrder, in one run and in runs that are interrupted and go on;
// and the property bites when a run has no waves, or no soak.
func TestWavesKeepTheirOrder(t *testing.T) {
	tests := map[string]struct {
		fault func(*config.Rollout)
		shows string
	}{
		"in order":                {},
		"a wave starts too early": {func(r *config.Rollout) { r.Waves = nil }, "was finished"},
		"waves in another order":  {func(r *config.Rollout) { slices.Reverse(r.Waves) }, "was finished"},
		"a soak ignored":          {func(r *config.Rollout) { r.Waves[1].Soak = 29 * time.Minute }, "its soak is"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			inWaveLab(t, nil, func(t *testing.T, s *session) {
				s.w.StartVisitors(t.Context(), time.Minute)
				right := *s.c
				right.Rollout.Waves = slices.Clone(s.c.Rollout.Waves)
				if tc.fault != nil {
					tc.fault(&s.c.Rollout)
				}
				bad := ""
				r := s.run(t.Context(), s.plan(t.Context(), Migrate), inOrder(s, &right, &bad))
				s.want(r, OutcomeFinished)
				s.served()
				if (bad == "") != (tc.shows == "") || !strings.Contains(bad, tc.shows) {
					t.Errorf("%q", bad)
				}
				if tc.fault == nil {
					var got []string
					for _, w := range r.Waves {
						got = append(got, fmt.Sprintf("%s %s %d", w.Name, w.Outcome, w.Buckets))
					}
					if want := []string{"canary finished 2", "rest finished 3", " finished 2"}; !slices.Equal(got, want) {
						t.Errorf("%q", got)
					}
				}
			})
		})
	}
}

// TestWavesInterrupted: a run that is cut off now and then goes on in the order,
// and soaks from when the canaries were finished and not from its own beginning.
func TestWavesInterrupted(t *testing.T) {
	inWaveLab(t, nil, func(t *testing.T, s *session) {
		begin, bad, runs := time.Now(), "", 0
		for ; runs < 200; runs++ {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(200+runs*97%700)*time.Second)
			o := s.o
			p, err := Make(ctx, s.w.Providers(), s.c, o)
			if err == nil && p.Summary.Done == len(p.Buckets) {
				cancel()
				break
			}
			if err == nil {
				s.run(ctx, p, inOrder(s, s.c, &bad))
			}
			cancel()
		}
		if d := time.Since(begin); bad != "" || runs == 200 || d > 4*time.Hour {
			t.Errorf("%d runs in %s: %s", runs, d, bad)
		}
		t.Logf("%d runs in %s", runs, time.Since(begin))
	})
}

func TestWaveWaits(t *testing.T) {
	inWaveLab(t, nil, func(t *testing.T, s *session) {
		s.o.Waves = []string{"rest"}
		if p := s.plan(t.Context(), Migrate); len(p.Findings) != 1 || p.Findings[0].Code != codeWaveOrder || !strings.Contains(p.Findings[0].Summary, waveAddress(2)) {
			t.Errorf("-wave=rest before canary: %+v", p.Findings)
		}
		s.o.Waves = []string{"canary"}
		s.want(s.apply(t.Context(), Migrate), OutcomeFinished)
		since, _ := readTime(s.w.Distributions()[0].Tags[crumbFinished])
		for _, d := range s.w.Distributions() {
			if at, _ := readTime(d.Tags[crumbFinished]); at.After(since) {
				since = at
			}
		}
		pause1(t, 10*time.Minute)
		s.o.Waves = nil
		for name, change := range map[string]func(*Executor){
			"-wait=false": func(x *Executor) { x.NoWait = true }, "-wait-timeout": func(x *Executor) { x.WaitTimeout = time.Minute },
		} {
			r := s.run(t.Context(), s.plan(t.Context(), Migrate), change)
			if x := r.Results[2]; x.Outcome != OutcomeWaiting || x.Until == nil || !x.Until.Equal(since.Add(30*time.Minute)) || r.ExitCode() != 6 {
				t.Errorf("%s: exit %d, %+v", name, r.ExitCode(), x)
			}
			if w := r.Waves; len(w) != 3 || w[0].Outcome != OutcomeNothing || w[1].Outcome != OutcomeWaiting || w[2].Outcome != OutcomeWaiting {
				t.Errorf("%s: %+v", name, w)
			}
		}
		bad := ""
		s.run(t.Context(), s.plan(t.Context(), Migrate), inOrder(s, s.c, &bad))
		if p := s.plan(t.Context(), Migrate); p.Summary.Done != len(p.Buckets) {
			t.Errorf("%+v", p.Summary)
		}
		if i := slices.IndexFunc(s.events, func(e Event) bool { return e.Wave == "rest" && e.Status == EventStarted }); bad != "" || s.events[i].Time.Sub(since.Add(30*time.Minute)).Abs() > 5*time.Second {
			t.Errorf("%s, begun at %s, finished at %s", bad, s.events[i].Time, since)
		}
	})
}

// TestWaveFails: what failed in a wave keeps the next ones from starting, in this
// run and in a later one, until it is mended; -target is the exception.
func TestWaveFails(t *testing.T) {
	inWaveLab(t, nil, func(t *testing.T, s *session) {
		s.o.Waves = []string{"canary"}
		s.want(s.apply(t.Context(), Migrate), OutcomeFinished)
		s.o.Waves = nil
		s.o.Targets = []string{waveAddress(4)}
		s.want(s.apply(t.Context(), Rollback), OutcomeRolled)
		s.o.Targets = nil
		r := s.apply(t.Context(), Migrate)
		for _, x := range r.Results[2:] {
			if x.Outcome != OutcomeSkipped || !strings.Contains(x.Why, waveAddress(4)+" (held)") {
				t.Errorf("%+v", x)
			}
		}
		if r.Waves[1].Outcome != OutcomeSkipped || r.Waves[1].Why == "" {
			t.Errorf("%+v", r.Waves)
		}
		s.c.Rollout.Waves[0].MaxFailures = 1 // one may fail
		s.o.Waves = []string{"rest"}
		s.want(s.apply(t.Context(), Migrate), OutcomeFinished)
		s.c.Rollout.Waves[0].MaxFailures = 0
		s.o.Waves, s.o.Targets = nil, []string{waveAddress(0)}
		s.want(s.apply(t.Context(), Migrate), OutcomeFinished)
		s.o.Targets = nil
		if r := s.apply(t.Context(), Rollback); r.ExitCode() != 0 || r.Waves != nil { // all at once
			t.Errorf("%+v", r)
		}
	})
}

// TestWavesKeepNobodyOnTheWay: a bucket that was switched, or is going back, goes
// on at once, though a wave before is not well any more.
func TestWavesKeepNobodyOnTheWay(t *testing.T) {
	for what, tc := range map[string]struct {
		hold string
		want Outcome
	}{"switched": {"", OutcomeFinished}, "going back": {"2000-01-01T00:00:00Z/5xx", OutcomeRolled}} {
		t.Run(what, func(t *testing.T) {
			inWaveLab(t, nil, func(t *testing.T, s *session) {
				s.o.Targets, s.o.Until = []string{waveAddress(1)}, DNSSwitch
				s.apply(t.Context(), Migrate)
				s.o.Targets, s.o.Until = nil, ""
				if tc.hold != "" {
					tags := map[string]string{crumbHold: tc.hold}
					if err := s.w.Providers().Accounts[""].Distributions.SetTags(t.Context(), s.w.Distributions()[0].ARN, tags); err != nil {
						t.Fatal(err)
					}
				}
				s.w.EditBucket("w2.example.com", func(b *sandbox.Bucket) { b.CORS = anyOrigin() })
				pause1(t, time.Minute)
				p := s.plan(t.Context(), Migrate)
				s.w.EditBucket("w2.example.com", func(b *sandbox.Bucket) { b.CORS = nil }) // canary is stale
				r := s.run(t.Context(), p, nil)
				if r.Waves[0].Outcome != OutcomeFailed || r.Waves[1].Outcome != OutcomeSkipped {
					t.Errorf("%+v", r.Waves)
				}
				for _, x := range r.Results[2:] {
					want := OutcomeSkipped
					if x.Address == waveAddress(1) {
						want = tc.want
					}
					if x.Outcome != want {
						t.Errorf("%+v", x)
					}
				}
			})
		})
	}
}

// TestWaveFailsMidway: buckets of the wave that have begun end as they would, but
// none is switched any more.
func TestWaveFailsMidway(t *testing.T) {
	inWaveLab(t, func(l *lab) { l.config.Rollout.Waves[0].Parallelism = 4 }, func(t *testing.T, s *session) {
		p := s.plan(t.Context(), Migrate)
		s.w.EditBucket("w2.example.com", func(b *sandbox.Bucket) { b.CORS = anyOrigin() }) // stale at once
		r := s.run(t.Context(), p, nil)
		for _, x := range r.Results {
			want := OutcomeSkipped
			if x.Address == waveAddress(2) {
				want = OutcomeStale
			}
			if x.Outcome != want {
				t.Errorf("%+v", x)
			}
		}
		if r.Waves[0].Outcome != OutcomeFailed || r.Waves[0].Failed != 1 {
			t.Errorf("%+v", r.Waves)
		}
		if d := len(s.w.Records("w4.example.com")); d != 1 || s.w.Records("w4.example.com")[0].Value != "s3.eu-west-1.amazonaws.com" {
			t.Errorf("%v", s.w.Records("w4.example.com"))
		}
	})
}

// TestWavesAreNothingBeforeTheSwitch: what no visitor can notice is done for all
// waves in one run.
func TestWavesAreNothingBeforeTheSwitch(t *testing.T) {
	inWaveLab(t, nil, func(t *testing.T, s *session) {
		s.o.Until = LinksVerify
		begin := time.Now()
		s.want(s.apply(t.Context(), Migrate), OutcomeStopped)
		if d := time.Since(begin); d > 90*time.Minute {
			t.Errorf("it took %s", d)
		}
	})
}

// TestWaysBackEndWhateverIsRefused: a plan that is out of order, or beyond limits,
// still ends what is on its way, and nothing else.
func TestWaysBackEndWhateverIsRefused(t *testing.T) {
	for what, tc := range map[string]struct {
		hold string
		want Outcome
	}{"switched": {"", OutcomeFinished}, "going back": {"2000-01-01T00:00:00Z/5xx", OutcomeRolled}} {
		t.Run(what, func(t *testing.T) {
			inWaveLab(t, nil, func(t *testing.T, s *session) {
				before := s.w.Records("w1.example.com")
				s.o.Targets, s.o.Until = []string{waveAddress(1)}, DNSSwitch
				s.apply(t.Context(), Migrate)
				s.o.Targets, s.o.Until, s.o.Waves = nil, "", []string{"rest"}
				if tc.hold != "" {
					s.w.EditTags(s.w.Distributions()[0].ID, map[string]string{crumbHold: tc.hold, crumbProof: "", crumbLowSince: ""})
				}
				p := s.plan(t.Context(), Migrate)
				if len(p.Findings) != 1 || p.Findings[0].Code != codeWaveOrder || !strings.HasPrefix(p.Findings[0].Summary, "apply begins nothing of this plan and only ends what is on its way: ") {
					t.Fatalf("%+v", p.Findings)
				}
				rest, ok := OnTheWay(p, p.Findings[0].Summary, p.Findings[0].Detail)
				if !ok {
					t.Fatal("nothing is on its way")
				}
				began := time.Now()
				r := s.run(t.Context(), rest, nil)
				for _, x := range r.Results {
					want := OutcomeBlocked
					if x.Address == waveAddress(1) {
						want = tc.want
					}
					if x.Outcome != want || want == OutcomeBlocked && !strings.HasPrefix(x.Why, "not begun: wave rest has to wait ") {
						t.Errorf("%+v", x)
					}
				}
				if got := s.w.Records("w1.example.com"); (tc.hold != "") != providers.SameRecords(got, before) {
					t.Errorf("%v", got)
				}
				if d := time.Since(began); d > 45*time.Minute {
					t.Errorf("it took %s", d)
				}
				if n := len(s.w.Distributions()); n != 1 {
					t.Errorf("%d distributions", n)
				}
			})
		})
	}
	inWaveLab(t, nil, func(t *testing.T, s *session) {
		if _, ok := OnTheWay(s.plan(t.Context(), Migrate), "", ""); ok {
			t.Error("nothing was begun, and something is on its way")
		}
	})
}
