package planner

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/providers"
	"github.com/edgeward/edgeward/providers/sandbox"
)

// lame has one more authoritative server, which never answers.
type lame struct{ providers.Resolver }

func (l lame) Authoritative(ctx context.Context, zone string, servers []string, name, typ string) ([]providers.Answer, error) {
	as, err := l.Resolver.Authoritative(ctx, zone, servers, name, typ)
	return append(as, providers.Answer{Server: "ns9.example.com", Err: "no answer in 5s"}), err
}

func lowLab(seed int64) *lab {
	l := newLab(seed).only("low.example.com")
	l.config.Buckets[0].Watch = config.Watch{For: 10 * time.Minute, MaxErrorRate: 1, MinRequests: 20, Rollback: true}
	return l
}

// switchThen runs an apply in which f is called once, when the names are switched.
func (s *session) switchThen(ctx context.Context, change func(*Executor), f func(id string)) Report {
	var once sync.Once
	return s.run(ctx, s.plan(ctx, Migrate), func(x *Executor) {
		if change != nil {
			change(x)
		}
		said := x.Events
		x.Events = func(e Event) {
			said(e)
			if e.Kind == DNSSwitch && e.Status == EventDone {
				once.Do(func() { f(s.w.Distributions()[0].ID) })
			}
		}
	})
}

func (s *session) atS3(want bool) {
	s.t.Helper()
	if got := strings.HasPrefix(s.w.Records("low.example.com")[0].Value, "s3."); got != want {
		s.t.Errorf("%v", s.w.Records("low.example.com"))
	}
}

// TestWatchedFromTheSwitch: what visitors meet is seen though the world never seems
// to answer with the distribution, and ends in the way back within minutes.
func TestWatchedFromTheSwitch(t *testing.T) {
	sickens := func(s *session, id string) { s.w.Sicken(id, 1, 503) }
	tests := map[string]struct {
		resolver func(providers.Resolver) providers.Resolver
		fault    func(*session, string)
		code     string
		change   func(*config.Watch)
	}{
		"a server that never answers":    {func(r providers.Resolver) providers.Resolver { return lame{r} }, sickens, codeLinks, nil},
		"error rates":                    {func(r providers.Resolver) providers.Resolver { return lame{r} }, func(s *session, id string) { s.w.Sicken(id, 5, 503) }, codeErrors5xx, nil},
		"resolvers refuse the name":      {nil, servfails(4), codeResolvers, nil},
		"most resolvers refuse the name": {nil, servfails(3), codeResolvers, nil},
		"half of them":                   {nil, servfails(2), "", nil},
		"not watched":                    {nil, sickens, "", func(w *config.Watch) { w.For = 0 }},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := lowLab(1)
				if tc.change != nil {
					tc.change(&l.config.Buckets[0].Watch)
				}
				s := l.start(t)
				s.w.StartVisitors(t.Context(), time.Second)
				var fault time.Time
				r := s.switchThen(t.Context(), func(x *Executor) {
					x.WaitTimeout = time.Hour
					if tc.resolver != nil {
						x.World.Resolver = tc.resolver(x.World.Resolver)
					}
				}, func(id string) {
					fault = time.Now()
					tc.fault(s, id)
				})
				x := r.Results[0]
				s.atS3(tc.code != "")
				if tc.code == "" {
					return
				}
				_, hold, _ := strings.Cut(s.w.Distributions()[0].Tags[crumbHold], "/")
				why, at := watchEnd(t, s)
				if x.Outcome != OutcomeRolled || hold != tc.code || x.Stage != "" && x.Stage != TrafficWatch || why == "" || at.Sub(fault) > 12*time.Minute {
					t.Errorf("%+v, hold %q, after %s: %s\n%s", x, hold, at.Sub(fault), why, s.said())
				}
				t.Logf("noticed after %s: %s", at.Sub(fault).Round(time.Second), why)
			})
		})
	}
}

func servfails(n int) func(*session, string) {
	return func(s *session, _ string) {
		for i := range n {
			s.w.SetResolver(i, sandbox.Resolving{RCode: "SERVFAIL"})
		}
	}
}

// TestOneRefusalIsNone: resolvers that refuse for a moment, or did so before the
// switch already, turn nothing back.
func TestOneRefusalIsNone(t *testing.T) {
	tests := map[string]func(*session) func(string){
		"for a moment": func(s *session) func(string) {
			return func(string) {
				servfails(4)(s, "")
				go func() {
					time.Sleep(5 * time.Second)
					for i := range 4 {
						s.w.SetResolver(i, sandbox.Resolving{})
					}
				}()
			}
		},
		"before the switch": func(s *session) func(string) {
			servfails(4)(s, "")
			return func(string) {}
		},
	}
	for name, fault := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := lowLab(1).start(t)
				r := s.switchThen(t.Context(), func(x *Executor) { x.WaitTimeout = time.Hour }, fault(s))
				if r.Results[0].Outcome == OutcomeRolled {
					t.Errorf("%+v", r.Results[0])
				}
				s.atS3(false)
			})
		})
	}
}

// TestNothingIsSwitchedThatIsNotWatched: a run that would end within the watch
// leaves the switch to the next, and says how long that has to be.
func TestNothingIsSwitchedThatIsNotWatched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := lowLab(1).start(t)
		s.w.StartVisitors(t.Context(), 5*time.Second)
		limit := func(d time.Duration) Report {
			return s.run(t.Context(), s.plan(t.Context(), Migrate), func(x *Executor) { x.WaitTimeout = d })
		}
		r := limit(10 * time.Minute)
		x := r.Results[0]
		if r.ExitCode() != 6 || x.Stage != DNSSwitch || !strings.Contains(x.Why, "the watch after it take 10m30s") || !strings.Contains(x.Hint, "at least 10m30s") {
			t.Errorf("exit %d %+v", r.ExitCode(), x)
		}
		s.atS3(true)
		s.c.Buckets[0].Watch.For = 0
		if r = limit(10 * time.Minute); r.Results[0].Stage == DNSSwitch {
			t.Errorf("%+v", r.Results[0])
		}
		s.atS3(false)
		s.served()
	})
}

// TestScheduleWatches: -wait=false does at each run what can be done now, and the
// run after a switch watches: it goes back where that is needed.
func TestScheduleWatches(t *testing.T) {
	for name, broken := range map[string]int{"healthy": 0, "sick": 1} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := lowLab(1).start(t)
				s.w.StartVisitors(t.Context(), 5*time.Second)
				noWait := func(x *Executor) { x.NoWait, x.WaitTimeout = true, 5*time.Minute } // no time to watch in
				switched := false
				var last Outcome
				for range 20 {
					r := s.switchThen(t.Context(), noWait, func(string) { switched = true })
					last = r.Results[0].Outcome
					if last != OutcomeWaiting {
						break
					}
					pause1(t, 2*time.Minute)
					if switched && broken > 0 {
						s.w.Sicken(s.w.Distributions()[0].ID, broken, 503)
					}
					pause1(t, 3*time.Minute)
				}
				if want := map[string]Outcome{"healthy": OutcomeFinished, "sick": OutcomeRolled}[name]; last != want {
					t.Errorf("%s, want %s\n%s", last, want, s.said())
				}
				s.atS3(broken > 0)
				if v := s.w.Visitors(); broken == 0 && v.Failed > 0 || v.Failed > 300 { // three minutes, in which nobody looks, and what goes back
					t.Errorf("%d of %d visits failed", v.Failed, v.Requests)
				}
			})
		})
	}
}

// TestRefusedWhileWatched: resolvers that stop answering when the world has answered
// with the distribution already turn it back, too.
func TestRefusedWhileWatched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := lowLab(1).start(t)
		s.want(s.afterSwitch(t.Context(), func(id string) { servfails(4)(s, id) }), OutcomeRolled)
		if _, hold, _ := strings.Cut(s.w.Distributions()[0].Tags[crumbHold], "/"); hold != codeResolvers {
			t.Errorf("held for %q", hold)
		}
		s.atS3(true)
	})
}

// TestOneResolverIsLookedAtLonger: where nobody else can be asked, three refusals
// are none, and four are.
func TestOneResolverIsLookedAtLonger(t *testing.T) {
	for refusing, want := range map[time.Duration]Outcome{44 * time.Second: OutcomeFinished, 10 * time.Minute: OutcomeRolled} {
		synctest.Test(t, func(t *testing.T) {
			l := lowLab(1)
			l.options.Resolvers = 1
			s := l.start(t)
			s.want(s.afterSwitch(t.Context(), func(string) {
				servfails(1)(s, "")
				go func() {
					time.Sleep(refusing)
					s.w.SetResolver(0, sandbox.Resolving{})
				}()
			}), want)
		})
	}
}
