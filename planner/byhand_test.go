package planner

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/providers"
	"github.com/edgeward/edgeward/providers/sandbox"
)

const (
	handSite = "www.example.org"
	handS3   = "www.example.org.s3-website-eu-west-1.amazonaws.com"
)

// byHandLab is the website of the lab, in a zone that only a person changes. A
// person of the zero Span is nobody: the test is the person.
func byHandLab(seed int64, person sandbox.Span) *lab {
	l := newLab(seed).only(handSite)
	d := &l.options.DNS[1]
	d.Features, d.Person = providers.Features{Provider: "manual", ByHand: true}, person
	l.config.Buckets[0].CNAMEs = append(l.config.Buckets[0].CNAMEs, config.CNAME{Name: "static.example.org", DNSProvider: swapped, Zone: "example.org"})
	return l
}

func (s *session) count(k Kind, st EventStatus, says string) (n int) {
	for _, e := range s.events {
		if e.Kind == k && e.Status == st && strings.Contains(e.Why, says) {
			n++
		}
	}
	return n
}

func TestByHandMigratesAndGoesBack(t *testing.T) {
	for seed := range int64(5) {
		synctest.Test(t, func(t *testing.T) {
			person := sandbox.Span{Min: 10 * time.Minute, Max: time.Hour} // about the old TTL of 30 minutes
			if seed == 0 {
				person = sandbox.Span{Min: 2 * time.Hour, Max: 9 * time.Hour}
			}
			s := byHandLab(seed, person).start(t)
			s.w.StartVisitors(t.Context(), time.Minute)
			before := s.w.Records(handSite)
			s.want(s.apply(t.Context(), Migrate), OutcomeFinished)
			for _, k := range []Kind{CertificateValidate, TTLLower, DNSSwitch, TTLRestore} {
				if n := s.count(k, EventWaiting, "to be done by hand: "); n == 0 || n > 8 {
					t.Errorf("%s: a person was asked in %d events", k, n)
				}
				if n := s.count(k, EventStarted, ""); n == 0 || n > 2 {
					t.Errorf("%s was started %d times", k, n)
				}
			}
			for _, k := range []Kind{CertificateValidate, DNSSwitch, TTLRestore} {
				for _, e := range s.events {
					if e.Kind == k && e.ByHand != nil {
						if !strings.Contains(e.Why, "static.example.org. ") || !strings.Contains(e.Why, "www.example.org. ") {
							t.Errorf("%s: a person was first asked for one name only: %s", k, e.Why)
						}
						break
					}
				}
			}
			if p := s.plan(t.Context(), Migrate); p.Summary.Done != 1 {
				t.Errorf("the plan after apply is not empty: %+v", p.Buckets[0])
			}
			s.want(s.apply(t.Context(), Rollback), OutcomeRolled)
			if got := s.w.Records(handSite); !providers.SameRecords(got, before) || len(s.w.Records("static.example.org")) == 0 {
				t.Errorf("the record is %v, was %v", got, before)
			}
			s.served()
			if t.Failed() {
				t.Log(s.said())
			}
		})
	}
}

func TestByHandPlanShowsTheRows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := byHandLab(1, sandbox.Span{}).start(t)
		b := s.plan(t.Context(), Migrate).Buckets[0]
		want := map[Kind]string{
			CertificateValidate: "add the validation record of www.example.org (known after certificate.request)|add the validation record of static.example.org (known after certificate.request)",
			TTLLower:            `set "www.example.org. 60 IN CNAME ` + handS3 + `." in place of "www.example.org. 1800 IN CNAME ` + handS3 + `."`,
			DNSSwitch:           `set "www.example.org. 60 IN CNAME (known after distribution.create)" in place of "www.example.org. 1800 IN CNAME ` + handS3 + `."|add "static.example.org. 60 IN CNAME (known after distribution.create)"`,
			TTLRestore:          `set "www.example.org. 1800 IN CNAME (known after distribution.create)" in place of "www.example.org. 60 IN CNAME (known after distribution.create)"|set "static.example.org. 1800 IN CNAME (known after distribution.create)" in place of "static.example.org. 60 IN CNAME (known after distribution.create)"`,
		}
		for _, st := range b.Steps {
			if got := strings.Join(st.ByHand, "|"); got != want[st.Kind] {
				t.Errorf("%s: %s\nwant %s", st.Kind, got, want[st.Kind])
			}
		}
	})
}

// TestByHandWeeksLater ends every run at its first wait; a person does what the
// last one said, two weeks later.
func TestByHandWeeksLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := byHandLab(1, sandbox.Span{Min: 10 * 24 * time.Hour, Max: 14 * 24 * time.Hour}).start(t)
		s.w.StartVisitors(t.Context(), time.Hour)
		asked := map[Kind]bool{}
		for range 60 {
			r := s.run(t.Context(), s.plan(t.Context(), Migrate), func(x *Executor) { x.NoWait = true })
			x := one(t, r)
			if x.Outcome == OutcomeFinished {
				break
			}
			if x.Outcome != OutcomeWaiting || r.ExitCode() != 6 {
				t.Fatalf("exit %d, %+v", r.ExitCode(), x)
			}
			after := time.Hour
			if strings.Contains(x.Why, "to be done by hand") {
				if !strings.Contains(x.Why, " IN CNAME ") || !strings.Contains(x.Hint, "weeks later") {
					t.Errorf("%q, %q", x.Why, x.Hint)
				}
				kind, _, _ := strings.Cut(x.Why, ":")
				asked[Kind(kind)] = true
				after = 15 * 24 * time.Hour
			}
			pause1(t, after)
		}
		if p := s.plan(t.Context(), Migrate); p.Summary.Done != 1 || len(asked) != 4 {
			t.Errorf("a person was asked at %v: %+v", asked, p.Buckets[0])
		}
		s.served()
		if t.Failed() {
			t.Log(s.said())
		}
	})
}

// TestByHandTheAskIsTakenBack: the links are fetched again while a person is
// waited for, and what breaks meanwhile is said to be no longer wanted.
func TestByHandTheAskIsTakenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := byHandLab(1, sandbox.Span{}).start(t)
		s.person(t, func(k Kind, name string, want []providers.Record) []providers.Record {
			if k == DNSSwitch {
				s.w.BreakEdge(s.w.Distributions()[0].ID, "/index.html", []byte("stale"))
				return s.w.Records(name)
			}
			return want
		})
		r := one(t, s.apply(t.Context(), Migrate))
		if r.Outcome != OutcomeFailed || r.Stage != DNSSwitch || !strings.Contains(r.Hint, "must not do it now") {
			t.Errorf("%+v", r)
			t.Log(s.said())
		}
	})
}

// TestByHandNobodyComes: the run ends at its limit and says who has to do what.
func TestByHandNobodyComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := byHandLab(1, sandbox.Span{}).start(t)
		s.w.AddCertificate("", providers.Certificate{Names: []string{"*.example.org"}})
		r := s.run(t.Context(), s.plan(t.Context(), Migrate), func(x *Executor) { x.WaitTimeout = time.Hour })
		x := one(t, r)
		if x.Outcome != OutcomeWaiting || r.ExitCode() != 6 || !strings.Contains(x.Why, `set "www.example.org. 60 IN CNAME `+handS3+`."`) || x.Hint == "" {
			t.Errorf("exit %d, %+v", r.ExitCode(), x)
		}
		if n := s.count(TTLLower, EventWaiting, "by hand"); n != 1 {
			t.Errorf("it was said %d times", n)
		}
	})
}

// TestByHandWrong: what a person sets is not what was asked for.
func TestByHandWrong(t *testing.T) {
	set := func(value string, ttl time.Duration) []providers.Record {
		return []providers.Record{{Type: "CNAME", Value: value, TTL: ttl}}
	}
	tests := map[string]struct {
		at   Kind // where the person is asked
		rs   []providers.Record
		want Outcome
		says string
	}{
		"another target at the switch":        {DNSSwitch, set("example.net", time.Minute), OutcomeStale, "CNAME example.net TTL 60s"},
		"only another TTL at the switch":      {DNSSwitch, set(handS3, 20*time.Second), OutcomeStale, "TTL 20s"},
		"removed at the switch":               {DNSSwitch, nil, OutcomeStale, `record www.example.org is "" now`},
		"the TTL lowered too little":          {TTLLower, set(handS3, 5*time.Minute), OutcomeStale, "TTL 300s"},
		"the TTL lowered more than asked for": {TTLLower, set(handS3, 20*time.Second), OutcomeStale, "TTL 20s"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := byHandLab(1, sandbox.Span{})
				l.config.Buckets[0].CNAMEs = l.config.Buckets[0].CNAMEs[:1]
				s := l.start(t)
				s.w.StartVisitors(t.Context(), time.Hour)
				s.person(t, func(k Kind, name string, want []providers.Record) []providers.Record {
					if k == tc.at && name == handSite {
						return tc.rs
					}
					return want
				})
				r := s.apply(t.Context(), Migrate)
				if x := one(t, r); x.Outcome != tc.want || !strings.Contains(x.Why, tc.says) || x.Hint == "" {
					t.Errorf("%+v", x)
				}
				if strings.Contains(fmt.Sprint(s.w.Records(handSite)), "cloudfront") {
					t.Error("the name was switched")
				}
				if t.Failed() {
					t.Log(s.said())
				}
			})
		})
	}
}

// person does what apply asks for, as do makes it, two hours after.
func (s *session) person(t *testing.T, do func(k Kind, name string, want []providers.Record) []providers.Record) {
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(stop)
	done := map[string]bool{}
	go func() {
		for providers.Clock(providers.RealClock{}).Sleep(ctx, 2*time.Hour) == nil {
			s.mu.Lock()
			events := append([]Event(nil), s.events...)
			s.mu.Unlock()
			for _, e := range events {
				_, row, ok := strings.Cut(e.Why, `by hand: set "`)
				if !ok {
					_, row, ok = strings.Cut(e.Why, `by hand: add "`)
				}
				row, _, _ = strings.Cut(row, `"`)
				f := strings.Fields(row)
				if !ok || len(f) != 5 || done[row] {
					continue
				}
				done[row] = true
				ttl, err := time.ParseDuration(f[1] + "s")
				if err != nil {
					t.Error(err)
				}
				name := strings.TrimSuffix(f[0], ".")
				s.w.SetRecords(swapped, name, do(e.Kind, name, []providers.Record{{Type: f[3], Value: strings.TrimSuffix(f[4], "."), TTL: ttl}}))
			}
		}
	}()
}

// TestByHandKilled: as TestKilledAtEveryCall, where a person takes some minutes.
func TestByHandKilled(t *testing.T) {
	lab := func() *lab {
		l := byHandLab(2, sandbox.Span{Min: time.Minute, Max: 4 * time.Minute})
		l.config.Buckets[0].CNAMEs = l.config.Buckets[0].CNAMEs[:1]
		return l
	}
	total, runs := lab().calls(t), 0
	step := max(1, total/30)
	if killAll {
		step = 1
	}
	for n := 1; n <= total; n += step {
		for k, then := range []Goal{Migrate, Rollback} {
			runs++
			if bad := killThen(t, lab(), n, (n+k)%2 == 0, then, nil); bad != "" {
				t.Fatalf("killed at call %d of %d, then %s: %s", n, total, then, bad)
			}
		}
	}
	t.Logf("%d runs", runs)
}

// TestByHandAnAskIsNoAct plants a fault: a person who is asked is told at every
// look that nothing came of it.
func TestByHandFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := byHandLab(1, sandbox.Span{Min: 2 * time.Hour, Max: 3 * time.Hour}).start(t)
		s.o.stages = faulty(DNSSwitch, func(st *stage) {
			right := st.do
			st.do = func(ctx context.Context, sc scene) error {
				err := right(ctx, sc)
				if err != nil {
					return nil // planted: the ask counts as an act
				}
				return err
			}
		})
		if r := one(t, s.apply(t.Context(), Migrate)); r.Outcome != OutcomeFailed || !strings.Contains(r.Why, "still not in effect") {
			t.Errorf("%+v", r)
		}
	})
}
