package planner

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/providers"
	"github.com/edgeward/edgeward/providers/sandbox"
)

// sick has a stage fail once the names are switched, for the buckets named.
func sick(k Kind, code string, names ...string) func(Goal) []stage {
	return faulty(k, func(s *stage) {
		right := s.check
		s.check = func(b config.Bucket, a Actual) Verdict {
			switch {
			case !a.begun() || !slices.Contains(names, b.Name):
				return right(b, a)
			case code == "":
				return failed("too many of its answers are errors")
			}
			return todo("looking again")
		}
		if code != "" {
			s.do = func(context.Context, scene) error {
				return &UnhealthyError{code, "too many of its answers are errors"}
			}
		}
	})
}

// goingBack has all buckets of a lab go back by themselves.
func goingBack(l *lab) *lab {
	for i := range l.config.Buckets {
		l.config.Buckets[i].Watch.Rollback = true
	}
	return l
}

// wentBack says what is missing of a bucket that went back by itself.
func wentBack(s *session, name string, before []providers.Record, code string) string {
	if got := s.w.Records(name); !providers.SameRecords(got, before) {
		return "its record is not the old one"
	}
	for _, d := range s.w.Distributions() {
		if d.Tags[providers.TagBucket] == name {
			at, c, _ := strings.Cut(d.Tags[crumbHold], "/")
			if _, ok := readTime(at); !ok || c != code || d.Tags[crumbSwitched] != "" {
				return "its hold is " + d.Tags[crumbHold]
			}
			return ""
		}
	}
	return "it has no distribution"
}

func TestGoesBackByItself(t *testing.T) {
	none := func(*session) {}
	tests := map[string]struct {
		stages func(Goal) []stage
		change func(*session)
		want   Outcome
		exit   int
		code   string
		hint   string
	}{
		"unhealthy":      {sick(DNSPropagated, "5xx", assets), none, OutcomeRolled, 5, "5xx", "apply -retry="},
		"a stage failed": {sick(TTLRestore, "", assets), none, OutcomeRolled, 5, "ttl.restore", "apply -retry="},
		"failed before the switch": {faulty(LinksVerify, func(st *stage) {
			right := st.check
			st.check = func(b config.Bucket, a Actual) Verdict {
				if b.Name == assets && a.Dist != nil {
					return failed("planted")
				}
				return right(b, a)
			}
		}), none, OutcomeFailed, 5, "", ""},
		"watch { rollback = false }": {sick(DNSPropagated, "", assets), func(s *session) { s.c.Buckets[0].Watch.Rollback = false }, OutcomeFailed, 5, "", ""},
		"redirected to https": {sick(DNSPropagated, "", assets), func(s *session) {
			to := "redirect-to-https"
			s.c.Buckets[0].Distribution.ViewerProtocol = &to
		}, OutcomeFailed, 5, "", "-accept-https-loss"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := goingBack(newLab(1).only(assets, "www.example.org")).start(t)
				s.o.stages = tc.stages
				tc.change(s)
				before := s.w.Records(assets)
				s.w.StartVisitors(t.Context(), 20*time.Second)
				r := s.apply(t.Context(), Migrate)
				x := r.Results[0]
				if x.Outcome != tc.want || r.ExitCode() != tc.exit || !strings.Contains(x.Hint, tc.hint) || x.Stage == "" || x.Why == "" {
					t.Errorf("exit %d, %+v", r.ExitCode(), x)
				}
				if r.Results[1].Outcome != OutcomeFinished {
					t.Errorf("%+v", r.Results[1])
				}
				bad := wentBack(s, assets, before, tc.code)
				if (bad == "") != (tc.want == OutcomeRolled) && tc.code != "" {
					t.Error(bad)
				}
				if tc.hint != "-accept-https-loss" { // there, visitors who were redirected ask S3 by https
					s.served()
				}
				if tc.want != OutcomeRolled {
					return
				}
				s.o.stages = nil
				if r := s.apply(t.Context(), Migrate); r.Results[0].Outcome != OutcomeHeld {
					t.Errorf("%+v", r.Results[0])
				}
				s.o.Retry = []string{"*"}
				if r := s.apply(t.Context(), Migrate); r.Results[0].Outcome != OutcomeFinished {
					t.Errorf("%+v", r.Results[0])
				}
				s.served()
			})
		})
	}
}

// TestGoesBackOnlyOnTheWay: a bucket that was finished stays, whatever fails later.
func TestGoesBackOnlyOnTheWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := goingBack(newLab(1).only(assets)).start(t)
		s.want(s.apply(t.Context(), Migrate), OutcomeFinished)
		h3 := "http2and3"
		s.c.Buckets[0].Distribution.HTTPVersion = &h3
		s.o.stages = sick(DistributionDeployed, "", assets)
		p := s.plan(t.Context(), Migrate)
		p.Buckets[0].Standing = StandUnderWay
		p.Buckets[0].Findings = nil
		p.Buckets[0].Steps = []Step{{Kind: DistributionDeployed}}
		if x := one(t, s.run(t.Context(), p, nil)); x.Outcome != OutcomeFailed || s.w.Records(assets)[0].Value != s.w.Distributions()[0].Domain {
			t.Errorf("%+v", x)
		}
	})
}

// TestStaysForAFailureBeforeTheSwitch: a bucket that an earlier run, or another, has
// switched does not go back because something fails that comes before.
func TestStaysForAFailureBeforeTheSwitch(t *testing.T) {
	var h hooked
	synctest.Test(t, func(t *testing.T) {
		l := goingBack(newLab(1).only(assets))
		l.options.Hook = h.hook
		s := l.start(t)
		s.o.Until = DNSPropagated
		s.apply(t.Context(), Migrate)
		s.o.Until = ""
		h3 := "http2and3"
		s.c.Buckets[0].Distribution.HTTPVersion = &h3
		h.set(func(c sandbox.Call) error {
			if c.Op == "Distributions.Update" && !c.After {
				return providers.ErrDenied
			}
			return nil
		})
		x := one(t, s.apply(t.Context(), Migrate))
		if d := s.w.Distributions()[0]; x.Outcome != OutcomeFailed || s.w.Records(assets)[0].Value != d.Domain || d.Tags[crumbHold] != "" {
			t.Errorf("%+v, %v", x, s.w.Records(assets))
		}
	})
}

// TestGoingBackKilled: whatever call an automatic way back dies at, the next apply
// ends it, and so does a rollback; no visitor misses anything.
func TestGoingBackKilled(t *testing.T) {
	for _, then := range []Goal{Migrate, Rollback} {
		for n := 1; n <= 24; n++ {
			if !killAll && (n+len(then))%2 != 0 {
				continue
			}
			l := goingBack(newLab(3).only(assets))
			opts, arm := killedAt(l, n, n%4 < 2)
			l.options = opts
			synctest.Test(t, func(t *testing.T) {
				s := l.start(t)
				before := s.w.Records(assets)
				s.w.StartVisitors(t.Context(), 5*time.Minute)
				s.o.Until = DNSSwitch
				s.apply(t.Context(), Migrate)
				s.o.Until, s.o.stages = "", sick(DNSPropagated, "5xx", assets)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				p := s.plan(t.Context(), Migrate)
				p.Buckets[0].Standing, p.Buckets[0].Findings = StandUnderWay, nil
				p.Buckets[0].Steps = []Step{{Kind: DNSPropagated}, {Kind: TTLRestore}}
				arm(cancel)
				s.run(ctx, p, nil)
				arm(nil)
				if then == Migrate && s.w.Distributions()[0].Tags[crumbHold] == "" {
					// It died before it had begun to go back: the next run meets the same.
					p = s.plan(t.Context(), Migrate)
					p.Buckets[0].Standing, p.Buckets[0].Findings = StandUnderWay, nil
					p.Buckets[0].Steps = []Step{{Kind: DNSPropagated}, {Kind: TTLRestore}}
					s.run(t.Context(), p, nil)
				}
				x := one(t, s.apply(t.Context(), then))
				if ok := []Outcome{OutcomeRolled, OutcomeHeld, OutcomeNothing}; !slices.Contains(ok, x.Outcome) {
					t.Errorf("killed at %d, then %s: %+v", n, then, x)
				}
				code := "5xx"
				if then == Rollback && wentBack(s, assets, before, code) != "" {
					code = manualHold
				}
				if bad := wentBack(s, assets, before, code); bad != "" {
					t.Errorf("killed at %d, then %s: %s, %+v", n, then, bad, s.w.Records(assets))
				}
				s.served()
				if t.Failed() {
					t.Log(s.said())
				}
			})
		}
	}
}

// TestGoingBackBites: what the tests above would miss if a promise were broken.
func TestGoingBackBites(t *testing.T) {
	noHold := func(g Goal) []stage {
		t := sick(DNSPropagated, "", assets)(g)
		for i := range t {
			if t[i].kind == DNSRestore {
				t[i].do = func(ctx context.Context, s scene) error {
					old, err := oldRecords(s.b, s.a, s.a.Names[0])
					if err != nil {
						return err
					}
					return s.replace(ctx, "restore", []replacement{{s.a.Names[0], old}})
				}
				t[i].check = func(b config.Bucket, a Actual) Verdict {
					if !a.begun() {
						return done("planted")
					}
					return checkRestore(b, a)
				}
			}
		}
		return t
	}
	for name, tc := range map[string]struct {
		stages   func(Goal) []stage
		rollback bool
		shows    string
	}{
		"the hold is missing":              {noHold, true, "its hold is "},
		"a failed bucket does not go back": {sick(DNSPropagated, "", assets), false, "is not the old one"},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newLab(1).only(assets).start(t)
			s.c.Buckets[0].CNAMEs = s.c.Buckets[0].CNAMEs[:1]
			s.c.Buckets[0].Watch.Rollback = tc.rollback
			before := s.w.Records(assets)
			s.o.stages = tc.stages
			s.apply(t.Context(), Migrate)
			if bad := wentBack(s, assets, before, string(DNSPropagated)); !strings.Contains(bad, tc.shows) {
				t.Errorf("%s: %q", name, bad)
			}
		})
	}
}

// TestGoesBackAfterRetry: a way back that a person began, and that -retry lifted
// before its first record, does not keep an unhealthy bucket from going back.
func TestGoesBackAfterRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := goingBack(newLab(1).only(assets)).start(t)
		before := s.w.Records(assets)
		s.o.Until = DNSSwitch
		s.want(s.apply(t.Context(), Migrate), OutcomeStopped)
		s.w.EditTags(s.w.Distributions()[0].ID, map[string]string{crumbHold: writeTime(time.Now()) + "/manual", crumbProof: "", crumbLowSince: ""})
		s.o.Until, s.o.Retry, s.o.stages = "", []string{"*"}, sick(DNSPropagated, "5xx", assets)
		p := s.plan(t.Context(), Migrate)
		p.Buckets[0].Standing, p.Buckets[0].Findings = StandUnderWay, nil
		p.Buckets[0].Steps = []Step{{Kind: DNSPropagated}, {Kind: TTLRestore}}
		x := one(t, s.run(t.Context(), p, nil))
		if bad := wentBack(s, assets, before, "5xx"); bad != "" || x.Outcome != OutcomeRolled {
			t.Errorf("%s, %+v", bad, x)
		}
	})
}

// TestGoingBackStopsTheWaves: a bucket that went back counts as one that failed.
func TestGoingBackStopsTheWaves(t *testing.T) {
	inWaveLab(t, func(l *lab) { goingBack(l) }, func(t *testing.T, s *session) {
		s.o.stages = sick(DNSPropagated, "", "w4.example.com")
		r := s.apply(t.Context(), Migrate)
		if r.Results[1].Outcome != OutcomeRolled || r.Waves[0].Outcome != OutcomeFailed || r.ExitCode() != 5 {
			t.Errorf("exit %d, %+v", r.ExitCode(), r)
		}
		for _, x := range r.Results[2:] {
			if x.Outcome != OutcomeSkipped || !strings.Contains(x.Why, waveAddress(4)+" (rolled back)") {
				t.Errorf("%+v", x)
			}
		}
	})
}
