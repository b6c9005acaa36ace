package planner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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

// save makes a plan, and takes it through its file.
func (s *session) save(o Options) Saved {
	s.t.Helper()
	p, err := Make(s.t.Context(), s.w.Providers(), s.c, o)
	if err != nil {
		s.t.Fatalf("plan: %v", err)
	}
	text, err := json.Marshal(Save(p, o, "v1", "digest"))
	if err != nil {
		s.t.Fatal(err)
	}
	saved, err := ReadSaved(text)
	if err != nil {
		s.t.Fatal(err)
	}
	return saved
}

// applySaved is what apply FILE does.
func (s *session) applySaved(ctx context.Context, saved Saved) (Report, error) {
	o := saved.Options(0)
	o.brief = s.o.brief
	p, refused, err := saved.Renew(ctx, s.w.Providers(), s.c, o)
	if err != nil {
		return Report{}, err
	}
	return s.run(ctx, p, func(x *Executor) { x.Options, x.Refused = o, refused }), nil
}

func TestSavedPlanIsWhatRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newLab(1).start(t)
		s.w.StartVisitors(t.Context(), time.Minute)
		saved := s.save(Options{Goal: Migrate, Targets: []string{`bucket["assets.example.com"]`, `bucket["example.com"]`}})
		pause1(t, 3*time.Hour)
		r, err := s.applySaved(t.Context(), saved)
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Results) != 2 || r.ExitCode() != 0 {
			t.Errorf("applied: %+v", r.Results)
		}
		s.want(r, OutcomeFinished)
		again, err := s.applySaved(t.Context(), saved)
		if err != nil {
			t.Fatal(err)
		}
		s.want(again, OutcomeNothing)
		s.served()
	})
}

// TestSavedPlanIsRefusedByFact: each fact that moved stops its own bucket and no
// other, and the message says what it was and is.
func TestSavedPlanIsRefusedByFact(t *testing.T) {
	tests := map[string]struct {
		change func(s *session)
		fact   string
		old    string
		now    string
	}{
		"the record's target": {func(s *session) {
			s.w.SetRecords(route53, assets, []providers.Record{{Type: "CNAME", Value: "s3.amazonaws.com", TTL: time.Hour}})
		}, "record assets.example.com", "CNAME assets.example.com.s3.eu-west-1.amazonaws.com TTL 3600s", "CNAME s3.amazonaws.com TTL 3600s"},
		"the record's TTL": {func(s *session) {
			s.w.SetRecords(route53, assets, []providers.Record{{Type: "CNAME", Value: "assets.example.com.s3.eu-west-1.amazonaws.com", TTL: 2 * time.Hour}})
		}, "record assets.example.com", "TTL 3600s", "TTL 7200s"},
		"an added name's record": {func(s *session) {
			s.w.SetRecords(route53, "static.example.com", []providers.Record{{Type: "CNAME", Value: "elsewhere.example.net", TTL: time.Hour}})
		}, "record static.example.com", "absent", "elsewhere.example.net"},
		"the CORS rules": {func(s *session) {
			s.w.EditBucket(assets, func(b *sandbox.Bucket) { b.CORS = newLab(0).options.Buckets[4].CORS })
		}, "bucket CORS rules", "absent", "sha256:"},
		"the website": {func(s *session) {
			s.w.EditBucket(assets, func(b *sandbox.Bucket) { b.Website = worldSite })
		}, "bucket website", "absent", "sha256:"},
		"the policy": {func(s *session) {
			s.w.EditBucket(assets, func(b *sandbox.Bucket) { b.Listing = true })
		}, "bucket policy", "sha256:", "sha256:"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newLab(1).only(assets, "low.example.com").start(t)
				saved := s.save(Options{Goal: Migrate})
				tt.change(s)
				pause1(t, time.Hour)
				r, err := s.applySaved(t.Context(), saved)
				if err != nil {
					t.Fatal(err)
				}
				bad, good := r.Results[0], r.Results[1]
				if bad.Outcome != OutcomeStale || good.Outcome != OutcomeFinished || r.ExitCode() != 3 {
					t.Fatalf("exit %d, %+v", r.ExitCode(), r.Results)
				}
				for _, part := range []string{tt.fact + " is ", tt.old, tt.now, "when the plan was saved"} {
					if !strings.Contains(bad.Why, part) {
						t.Errorf("%q lacks %q", bad.Why, part)
					}
				}
				if len(s.w.Distributions()) != 1 {
					t.Error("something was made for the refused bucket")
				}
			})
		})
	}
}

// TestSavedPlanAfterSettingsMoved: a managed field of the distribution that a
// person changed after the plan was saved.
func TestSavedPlanAfterSettingsMoved(t *testing.T) {
	inWorld(t, assets, nil, func(t *testing.T, s *session) {
		s.o.Until = LinksVerify
		s.want(s.apply(t.Context(), Migrate), OutcomeStopped)
		saved := s.save(Options{Goal: Migrate})
		s.w.EditDistribution(s.w.Distributions()[0].ID, func(x *providers.Settings) { x.PriceClass = "PriceClass_100" })
		r, err := s.applySaved(t.Context(), saved)
		if err != nil {
			t.Fatal(err)
		}
		if got := one(t, r); got.Outcome != OutcomeStale || !strings.Contains(got.Why, `price_class is "PriceClass_100" now, but was "PriceClass_All"`) {
			t.Errorf("%+v", got)
		}
	})
}

// TestSavedPlanSurvivesItsOwnProgress: whatever write a run of a saved plan dies
// at, before or after its effect, the same file goes on and finishes. Between two
// writes its facts are the same; with killAll it dies at every call.
func TestSavedPlanSurvivesItsOwnProgress(t *testing.T) {
	for i, b := range newLab(0).config.Buckets {
		t.Run(b.Name, func(t *testing.T) {
			t.Parallel()
			one := func() *lab { return newLab(int64(i + 1)).only(b.Name) }
			for _, n := range savedWrites(t, one()) {
				for _, after := range []bool{false, true} {
					if bad := killSaved(t, one(), n, after); bad != "" {
						t.Fatalf("killed at call %d (after its effect: %t): %s", n, after, bad)
					}
				}
			}
		})
	}
}

// savedWrites are the points of a whole run of a saved plan that are writes; all
// points with killAll.
func savedWrites(t *testing.T, l *lab) (points []int) {
	k, armed := &killing{}, false
	l.options.Hook = func(c sandbox.Call) error {
		k.mu.Lock()
		defer k.mu.Unlock()
		if before := k.points; armed && !c.After {
			if k.begins(c); k.points > before && (c.Write || killAll) {
				points = append(points, k.points)
			}
		}
		return nil
	}
	synctest.Test(t, func(t *testing.T) {
		s := l.start(t)
		s.w.StartVisitors(t.Context(), 5*time.Minute)
		saved := s.save(Options{Goal: Migrate})
		k.mu.Lock()
		armed = true
		k.mu.Unlock()
		if r, err := s.applySaved(t.Context(), saved); err != nil || one(t, r).Outcome != OutcomeFinished || points == nil {
			t.Fatalf("%v %+v", err, r)
		}
	})
	return points
}

func killSaved(t *testing.T, l *lab, n int, after bool) (bad string) {
	synctest.Test(t, func(t *testing.T) {
		opts, arm := killedAt(l, n, after)
		l.options = opts
		s := l.start(t)
		s.early = &bad
		s.w.StartVisitors(t.Context(), 5*time.Minute)
		saved := s.save(Options{Goal: Migrate})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		arm(cancel)
		_, _ = s.applySaved(ctx, saved)
		arm(nil)
		pause1(t, time.Duration(n*97%3600)*time.Second)
		r, err := s.applySaved(t.Context(), saved)
		if err != nil {
			bad += err.Error()
			return
		}
		for _, x := range r.Results {
			if x.Outcome != OutcomeFinished && x.Outcome != OutcomeNothing {
				bad += fmt.Sprintf("%s: %s at %s: %s\n", x.Address, x.Outcome, x.Stage, x.Why)
			}
		}
		if v := s.w.Visitors(); v.Failed > 0 {
			bad += fmt.Sprintf("%d of %d visits failed", v.Failed, v.Requests)
		}
	})
	return bad
}

func TestSavedPlanGoesWhereItMay(t *testing.T) {
	inWorld(t, assets, nil, func(t *testing.T, s *session) {
		saved := s.save(Options{Goal: Migrate, Until: DistributionDeployed})
		r, err := s.applySaved(t.Context(), saved)
		if err != nil || one(t, r).Outcome != OutcomeStopped {
			t.Errorf("-until of the plan is not the run's: %v %+v", err, r)
		}
		rolled := s.save(Options{Goal: Migrate})
		if r, err = s.applySaved(t.Context(), rolled); err != nil || one(t, r).Outcome != OutcomeFinished {
			t.Fatalf("%v %+v", err, r)
		}
		s.want(s.apply(t.Context(), Rollback), OutcomeRolled)
		if r, err = s.applySaved(t.Context(), rolled); err != nil || one(t, r).Outcome == OutcomeFinished {
			t.Errorf("a plan from before the rollback switched again: %v %+v", err, r)
		}
		s.c = &config.Config{Buckets: nil, Rollout: s.c.Rollout}
		if r, err = s.applySaved(t.Context(), rolled); err != nil || one(t, r).Outcome != OutcomeStale {
			t.Errorf("a bucket that is not configured: %v %+v", err, r)
		}
	})
}

func TestReadSaved(t *testing.T) {
	tests := map[string]struct{ text, says string }{
		"empty":         {"", "it is no saved plan of edgeward"},
		"other JSON":    {`{"format_version": "1.0"}`, "it is no saved plan of edgeward"},
		"a later major": {`{"kind": "edgeward saved plan", "format_version": "2.1", "edgeward": "v9"}`, "written by edgeward v9, and this edgeward reads version 1.x"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := ReadSaved([]byte(tt.text)); err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v, want %q", err, tt.says)
			}
		})
	}
	inWorld(t, assets, nil, func(t *testing.T, s *session) {
		p := s.plan(t.Context(), Migrate)
		want := Save(p, Options{Goal: Migrate, Retry: []string{"*"}}, "v1", "digest")
		text, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ReadSaved(text)
		for i := range want.Plan.Buckets {
			want.Plan.Buckets[i].Facts = nil
		}
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%v\n%s", err, diff)
		}
	})
}

// TestSavedHalfWayGoesOn: a plan that was saved in the middle of a migration
// survives its own progress as well, wherever a run of it ends.
func TestSavedHalfWayGoesOn(t *testing.T) {
	for i, b := range newLab(0).config.Buckets {
		for _, from := range []Kind{PolicyEnsure, DistributionCreate, TTLLower, DNSSwitch, DNSPropagated} {
			t.Run(b.Name+" from "+string(from), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					s := newLab(int64(i + 1)).only(b.Name).start(t)
					s.o.Until = from
					s.want(s.apply(t.Context(), Migrate), OutcomeStopped)
					saved := s.save(Options{Goal: Migrate})
					for _, until := range []Kind{DistributionDeployed, LinksVerify, TTLLower, DNSSwitch, DNSPropagated} {
						s.o.Until = until
						if r := s.apply(t.Context(), Migrate); r.ExitCode() != 0 {
							t.Fatalf("%+v", r)
						}
						p, refused, err := saved.Renew(t.Context(), s.w.Providers(), s.c, saved.Options(0))
						if err != nil || len(refused) > 0 {
							t.Errorf("after %s: %v %v\n%+v", until, err, refused, p.Buckets)
						}
					}
					if r, err := s.applySaved(t.Context(), saved); err != nil || one(t, r).Outcome != OutcomeFinished {
						t.Errorf("%v %+v", err, r)
					}
				})
			})
		}
	}
}

// TestSavedPlanKeepsItsAccount: a plan made in one AWS account is not applied in
// another, where a second distribution would be made.
func TestSavedPlanKeepsItsAccount(t *testing.T) {
	inWorld(t, assets, nil, func(t *testing.T, s *session) {
		saved := s.save(Options{Goal: Migrate})
		ids, err := AccountIDs(t.Context(), s.w.Providers(), s.c, saved.Plan)
		if err != nil || len(ids) != 1 || len(ids[""]) != 12 {
			t.Fatalf("accounts %v, %v", ids, err)
		}
		saved.Accounts = map[string]string{"": "999999999999"}
		var other *AccountError
		if _, err := s.applySaved(t.Context(), saved); !errors.As(err, &other) || !strings.Contains(err.Error(), `"`+ids[""]+`", but the plan was made in account "999999999999"`) {
			t.Errorf("got %v", err)
		}
		if len(s.w.Distributions()) != 0 {
			t.Error("a distribution was made in another account")
		}
		saved.Accounts = ids
		if r, err := s.applySaved(t.Context(), saved); err != nil || one(t, r).Outcome != OutcomeFinished {
			t.Errorf("%v %+v", err, r)
		}
	})
}

// TestSavedPlanWaitsAnew: a wait that was over when the plan was saved, and is
// not any more, is waited for before the switch.
func TestSavedPlanWaitsAnew(t *testing.T) {
	inWorld(t, assets, nil, func(t *testing.T, s *session) {
		s.o.Until = TTLLower
		s.want(s.apply(t.Context(), Migrate), OutcomeStopped)
		saved := s.save(Options{Goal: Migrate})
		if slices.ContainsFunc(saved.Plan.Buckets[0].Steps, func(x Step) bool { return x.Kind == TTLLower }) {
			t.Fatal("the TTL is not low yet")
		}
		w := s.w.Providers()
		since := w.Clock.Now().UTC().Truncate(time.Second)
		if err := w.Accounts[""].Distributions.SetTags(t.Context(), s.w.Distributions()[0].ARN, map[string]string{crumbLowSince: writeSince(writeTime(since), time.Minute)}); err != nil {
			t.Fatal(err)
		}
		pause1(t, time.Minute)
		r, err := s.applySaved(t.Context(), saved)
		if err != nil || one(t, r).Outcome != OutcomeFinished {
			t.Fatalf("%v %+v", err, r)
		}
		for _, e := range s.events {
			if e.Kind == DNSSwitch && e.Status == EventStarted && e.Time.Before(since.Add(time.Hour)) {
				t.Errorf("switched at %s, while resolvers may hold the old TTL until %s", e.Time, since.Add(time.Hour))
			}
		}
	})
}

// TestSavedRetryLiftsOneHold: a plan saved with -retry lifts the hold that its
// reviewers saw, and not that of a later way back.
func TestSavedRetryLiftsOneHold(t *testing.T) {
	inWorld(t, assets, nil, func(t *testing.T, s *session) {
		s.want(s.apply(t.Context(), Migrate), OutcomeFinished)
		s.want(s.apply(t.Context(), Rollback), OutcomeRolled)
		pause1(t, 2*time.Hour)
		saved := s.save(Options{Goal: Migrate, Retry: []string{"*"}})
		r, err := s.applySaved(t.Context(), saved)
		if err != nil || one(t, r).Outcome != OutcomeFinished {
			t.Fatalf("%v %+v", err, r)
		}
		if r, err = s.applySaved(t.Context(), saved); err != nil || one(t, r).Outcome != OutcomeNothing {
			t.Errorf("its own progress: %v %+v", err, r)
		}
		s.want(s.apply(t.Context(), Rollback), OutcomeRolled)
		pause1(t, 2*time.Hour)
		if r, err = s.applySaved(t.Context(), saved); err != nil || one(t, r).Outcome != OutcomeStale || !strings.Contains(r.Results[0].Why, "hold is ") {
			t.Errorf("after another way back: %v %+v", err, r)
		}
	})
}

// TestSavedNothingIsNotRefused: a bucket for which nothing was planned and
// nothing is to be done is not stale, whatever its owner changed.
func TestSavedNothingIsNotRefused(t *testing.T) {
	const low = "low.example.com"
	inWorld(t, low, nil, func(t *testing.T, s *session) {
		s.want(s.apply(t.Context(), Migrate), OutcomeFinished)
		saved := s.save(Options{Goal: Migrate})
		s.w.SetRecords(route53, low, []providers.Record{{Type: "CNAME", Value: s.w.Distributions()[0].Domain, TTL: time.Hour}})
		if r, err := s.applySaved(t.Context(), saved); err != nil || one(t, r).Outcome != OutcomeNothing {
			t.Errorf("another TTL: %v %+v", err, r)
		}
		s.w.SetRecords(route53, low, []providers.Record{{Type: "CNAME", Value: "s3.eu-west-1.amazonaws.com", TTL: time.Minute}})
		if r, err := s.applySaved(t.Context(), saved); err != nil || one(t, r).Outcome != OutcomeStale {
			t.Errorf("back at S3: %v %+v", err, r)
		}
	})
}

// TestReadSavedEdited: what was edited by hand is refused before anything is
// looked at, and the count of switches is that of the steps.
func TestReadSavedEdited(t *testing.T) {
	inWorld(t, assets, nil, func(t *testing.T, s *session) {
		tests := map[string]struct {
			edit func(x *Saved)
			says string
		}{
			"another goal":       {func(x *Saved) { x.Plan.Goal = "destroy" }, `its goal is "destroy"`},
			"a bucket twice":     {func(x *Saved) { x.Plan.Buckets = append(x.Plan.Buckets, x.Plan.Buckets[0]) }, "is in it twice"},
			"blocked by nothing": {func(x *Saved) { x.Plan.Buckets[0].Standing, x.Plan.Buckets[0].Findings = StandBlocked, nil }, "blocked for no reason"},
			"an unknown step":    {func(x *Saved) { x.Plan.Buckets[0].Steps[1].Kind = DNSRestore }, `has a step "dns.restore" too many`},
			"no facts":           {func(x *Saved) { x.Facts = nil }, "has steps and no facts"},
		}
		for name, tt := range tests {
			x := s.save(Options{Goal: Migrate})
			tt.edit(&x)
			text, err := json.Marshal(x)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := ReadSaved(text); err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%s: %v", name, err)
			}
		}
		x := s.save(Options{Goal: Migrate})
		x.Plan.Summary.Switches = 0
		text, err := json.Marshal(x)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := ReadSaved(append([]byte("\ufeff"), text...)); err != nil || got.Plan.Summary.Switches != 1 {
			t.Errorf("%v, %d switches", err, got.Plan.Summary.Switches)
		}
		if _, err := ReadSaved(text[:len(text)/2]); err == nil || !strings.Contains(err.Error(), "cut off") {
			t.Errorf("half of it: %v", err)
		}
	})
}

// TestSavedGoesOnAnywhere: no kind of record or provider makes a saved plan
// refuse its own progress, at whatever stage a run of it ends.
func TestSavedGoesOnAnywhere(t *testing.T) {
	floored := func(ttl, floor time.Duration, keep bool) func() *lab {
		return func() *lab {
			l := newLab(1).only("www.example.org")
			d := &l.options.DNS[1]
			d.Records[0].Record.TTL, d.Features.MinTTL, d.KeepTTL = ttl, floor, keep
			return l
		}
	}
	tests := map[string]func() *lab{
		"a floor":          floored(time.Hour, 10*time.Minute, false),
		"a floor above":    floored(5*time.Minute, 10*time.Minute, false),
		"a TTL that stays": floored(time.Hour, 0, true),
		"a TTL of 0":       floored(0, 0, false),
		"by hand":          func() *lab { return byHandLab(1, sandbox.Span{Min: time.Hour, Max: 2 * time.Hour}) },
		"proxied": func() *lab {
			return flatLab("www.example.org", func(_ *sandbox.Provider, r *providers.Record) { r.Proxied, r.TTL = true, 0 })
		},
		"flattened": func() *lab {
			return flatLab("www.example.org", func(d *sandbox.Provider, _ *providers.Record) { d.FlattenAll = true })
		},
		"an apex by CNAME": func() *lab { return flatLab("example.org", func(*sandbox.Provider, *providers.Record) {}) },
		"settings in full": func() *lab {
			l := newLab(1).only("low.example.com")
			l.config.Buckets[0].Distribution.DefaultRootObject = new("index.html")
			return l
		},
		"a final TTL":     func() *lab { l := newLab(1).only(assets); l.config.Buckets[0].DNS.TTL = 2 * time.Hour; return l },
		"another low TTL": func() *lab { l := newLab(1).only(assets); l.config.Buckets[0].DNS.LowTTL = 10 * time.Second; return l },
		"a policy of users": func() *lab {
			l := newLab(1).only("low.example.com")
			l.config.Buckets[0].Distribution.CachePolicy = new("4135ea2d-6df8-44a3-9df3-4b5a84be39ad")
			return l
		},
	}
	for name, in := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := in().start(t)
				s.early = new(string) // a TTL that is kept is not waited out
				saved := s.save(Options{Goal: Migrate})
				for _, st := range migrateStages() {
					s.o.Until = st.kind
					if r := s.apply(t.Context(), Migrate); r.ExitCode() != 0 {
						t.Fatalf("%+v", r)
					}
					if _, refused, err := saved.Renew(t.Context(), s.w.Providers(), s.c, saved.Options(0)); err != nil || len(refused) > 0 {
						t.Errorf("after %s: %v %v", st.kind, err, refused)
					}
				}
			})
		})
	}
}
