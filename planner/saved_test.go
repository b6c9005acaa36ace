package planner

import (
	"context"
	"encoding/json"
	"fmt"
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

// TestSavedPlanSurvivesItsOwnProgress: whatever call a run of a saved plan dies
// at, the same file goes on and finishes.
func TestSavedPlanSurvivesItsOwnProgress(t *testing.T) {
	step := 5
	if killAll {
		step = 1
	}
	for i, b := range newLab(0).config.Buckets {
		t.Run(b.Name, func(t *testing.T) {
			t.Parallel()
			one := func() *lab { return newLab(int64(i + 1)).only(b.Name) }
			for n := 1 + i%5; n <= one().calls(t); n += step {
				if bad := killSaved(t, one(), n, n%2 == 0); bad != "" {
					t.Fatalf("killed at call %d: %s", n, bad)
				}
			}
		})
	}
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
