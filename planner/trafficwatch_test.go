package planner

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/providers"
	"github.com/edgeward/edgeward/providers/sandbox"
)

// watchLab is one bucket that is watched, with visitors enough for windows.
func watchLab(seed int64, change func(*config.Watch)) *lab {
	l := newLab(seed).only("fonts.example.com")
	w := &l.config.Buckets[0].Watch
	*w = config.Watch{For: 10 * time.Minute, MaxErrorRate: 1, MinRequests: 20, Rollback: true}
	if change != nil {
		change(w)
	}
	return l
}

// afterSwitch runs f once, as soon as the world answers with the distribution.
func (s *session) afterSwitch(ctx context.Context, f func(id string)) Report {
	done := false
	p := s.plan(ctx, Migrate)
	return s.run(ctx, p, func(x *Executor) {
		said := x.Events
		x.Events = func(e Event) {
			said(e)
			if e.Kind == DNSPropagated && e.Status == EventDone && !done {
				done = true
				f(s.w.Distributions()[0].ID)
			}
		}
	})
}

func watchEnd(t *testing.T, s *session) (why string, at time.Time) {
	t.Helper()
	for _, e := range s.events {
		if e.Kind == TrafficWatch && e.Status == EventFailed {
			return e.Why, e.Time
		}
	}
	return "", time.Time{}
}

func TestWatchEndsHealthy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := watchLab(1, nil).start(t)
		s.w.StartVisitors(t.Context(), 2*time.Second)
		r := s.apply(t.Context(), Migrate)
		s.want(r, OutcomeFinished)
		s.served()
		var began, ended time.Time
		for _, e := range s.events {
			switch {
			case e.Kind == DNSPropagated && e.Status == EventDone:
				began = e.Time
			case e.Kind == TrafficWatch && e.Status == EventDone:
				ended = e.Time
			}
		}
		if d := ended.Sub(began); d < 10*time.Minute || d > 12*time.Minute {
			t.Errorf("it was watched for %s", d)
		}
		tr := r.Results[0].Traffic
		if tr == nil || tr.CloudFront == nil || *tr.CloudFront == 0 || tr.S3 != nil || tr.Share != nil || len(tr.Curve) == 0 || len(tr.Unknown) == 0 {
			t.Errorf("the report has %+v", tr)
		}
		if p := s.plan(t.Context(), Migrate); p.Summary.Done != 1 {
			t.Errorf("the plan afterwards is %+v", p)
		}
	})
}

// A bad deployment is noticed by its error rate or by the test links; the figure
// is the time from the fault to the verdict.
func TestWatchNoticesABadDeployment(t *testing.T) {
	tests := map[string]struct {
		n, status int
		change    func(*config.Watch)
		base      bool
		code      string
		most      time.Duration
	}{
		"every answer is a 503":     {1, 503, nil, false, codeLinks, 2 * time.Minute},
		"every answer is a 403":     {1, 403, nil, false, codeLinks, 2 * time.Minute},
		"a tenth of 5xx":            {10, 502, nil, false, codeErrors5xx, 9 * time.Minute},
		"a tenth of 4xx above base": {10, 404, func(w *config.Watch) { w.S3Metrics = true }, true, codeErrors4xx, 9 * time.Minute},
		"a tenth of 4xx, no base":   {10, 404, nil, false, "", 0},
		"a tenth allowed":           {10, 502, func(w *config.Watch) { w.MaxErrorRate = 12 }, false, "", 0},
		"too few requests":          {10, 502, func(w *config.Watch) { w.MinRequests = 100000 }, false, "", 0},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := watchLab(3, tc.change).start(t)
				s.w.StartVisitors(t.Context(), time.Second)
				var fault time.Time
				s.afterSwitch(t.Context(), func(id string) {
					fault = time.Now()
					s.w.Sicken(id, tc.n, tc.status)
				})
				why, at := watchEnd(t, s)
				if (why != "") != (tc.code != "") {
					t.Fatalf("it said %q", why)
				}
				if tc.code == "" {
					return
				}
				if d := at.Sub(fault); d > tc.most {
					t.Errorf("noticed after %s", d)
				}
				t.Logf("%s: noticed after %s: %s", name, at.Sub(fault).Round(time.Second), why)
			})
		})
	}
}

// One bad probe, or one bad resolver, is no reason to go back; nor is blindness.
func TestWatchDoesNotGoBackForLittle(t *testing.T) {
	tests := map[string]struct {
		fault func(*session, string)
		says  string
	}{
		"nothing but a moment": {func(s *session, id string) {
			s.w.Sicken(id, 1, 503)
			go func() {
				time.Sleep(8 * time.Second)
				s.w.Sicken(id, 0, 0)
			}()
		}, "right"},
		"no resolver answers": {func(s *session, _ string) {
			for i := range 4 {
				s.w.SetResolver(i, sandbox.Resolving{TimesOut: true})
			}
		}, "blind for test links"},
		"no metrics come": {func(s *session, _ string) { s.w.SetMetering(sandbox.Metering{Lose: 100}) }, "blind for error rates"},
		"S3 is broken too": {func(s *session, id string) {
			s.w.EditBucket("fonts.example.com", func(b *sandbox.Bucket) { b.Private = true })
		}, "blind for test links (S3 serves no test link"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := watchLab(4, func(w *config.Watch) { w.MinRequests = 1000 }).start(t)
				s.w.StartVisitors(t.Context(), 2*time.Second)
				r := s.afterSwitch(t.Context(), func(id string) { tc.fault(s, id) })
				s.want(r, OutcomeFinished)
				if why, _ := watchEnd(t, s); why != "" || !strings.Contains(s.said(), tc.says) {
					t.Errorf("it ended with %q and said\n%s", why, s.said())
				}
			})
		})
	}
}

// A machine whose own https fails says so, and takes no link for broken; one that
// gets https elsewhere does.
func TestWatchKnowsItsOwnHTTPS(t *testing.T) {
	tests := map[string]struct {
		fails func(url string) bool
		code  string
	}{
		"its port 443 is closed": {func(u string) bool { return strings.HasPrefix(u, "https://") }, ""},
		"S3's answer is kept out, not the edge": {func(u string) bool {
			return strings.HasPrefix(u, "https://fonts.") || strings.HasPrefix(u, "https://s3.")
		}, codeLinks},
		"the names' alone": {func(u string) bool { return strings.HasPrefix(u, "https://fonts.") }, codeLinks},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			var h hooked
			synctest.Test(t, func(t *testing.T) {
				l := watchLab(4, nil)
				l.options.Hook = h.hook
				s := l.start(t)
				s.w.StartVisitors(t.Context(), 2*time.Second)
				r := s.afterSwitch(t.Context(), func(string) {
					h.set(func(c sandbox.Call) error {
						if _, url, _ := strings.Cut(c.Name, " "); c.Op == opFetch && !c.After && tc.fails(url) {
							return errors.New("connect: connection timed out")
						}
						return nil
					})
				})
				blind := strings.Contains(s.said(), "blind for https, which this machine does not get from S3 either (no answer over https: ")
				if want := map[bool]Outcome{true: OutcomeFinished, false: OutcomeRolled}[tc.code == ""]; r.Results[0].Outcome != want || blind != (tc.code == "") {
					t.Errorf("%+v\n%s", r.Results[0], s.said())
				}
				s.served()
			})
		})
	}
}

// One resolver is enough when looks repeat: for a minute, at each address it has given.
func TestWatchWithOneResolver(t *testing.T) {
	tests := map[string]struct {
		resolvers int
		fault     func(*session, string)
		most      time.Duration
	}{
		"every answer is a 503":         {1, func(s *session, id string) { s.w.Sicken(id, 1, 503) }, 3 * time.Minute},
		"the others time out meanwhile": {4, func(s *session, id string) { s.w.Sicken(id, 1, 503) }, 3 * time.Minute},
		"for fifty seconds": {1, func(s *session, id string) {
			s.w.Sicken(id, 1, 503)
			time.AfterFunc(50*time.Second, func() { s.w.Sicken(id, 0, 0) })
		}, 0},
		"now and then": {1, func(s *session, id string) { s.w.Sicken(id, 4, 503) }, 0},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := watchLab(4, func(w *config.Watch) { w.MinRequests = 100000 })
				l.options.Resolvers = tc.resolvers
				s := l.start(t)
				s.w.StartVisitors(t.Context(), 2*time.Second)
				var fault time.Time
				r := s.afterSwitch(t.Context(), func(id string) {
					fault = time.Now()
					for i := 1; i < tc.resolvers; i++ {
						s.w.SetResolver(i, sandbox.Resolving{TimesOut: true})
					}
					tc.fault(s, id)
				})
				why, at := watchEnd(t, s)
				switch d := at.Sub(fault); {
				case (tc.most > 0) != (why != ""), (tc.most > 0) != (r.Results[0].Outcome == OutcomeRolled):
					t.Errorf("%q, %+v\n%s", why, r.Results[0], s.said())
				case tc.most > 0 && (d > tc.most || d < time.Minute || !strings.Contains(why, "the only resolver that answers")):
					t.Errorf("after %s: %s", d, why)
				case tc.most > 0:
					t.Logf("%s: noticed after %s", name, d.Round(time.Second))
				}
			})
		})
	}
}

// The watch goes on from the crumb: a later run, on any machine, waits only for
// what is left.
func TestWatchResumes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := watchLab(5, nil).start(t)
		ctx, cancel := context.WithCancel(t.Context())
		r := s.afterSwitch(ctx, func(string) {
			time.AfterFunc(4*time.Minute, cancel)
		})
		s.want(r, OutcomeInterrupted)
		time.Sleep(5 * time.Minute)
		before := time.Now()
		r = s.apply(t.Context(), Migrate)
		s.want(r, OutcomeFinished)
		if d := time.Since(before); d > 3*time.Minute {
			t.Errorf("it was watched for %s more", d)
		}
	})
}

func TestCheckHealth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := watchLab(6, nil).start(t)
		s.w.StartVisitors(t.Context(), time.Second)
		s.want(s.apply(t.Context(), Migrate), OutcomeFinished)
		b := s.c.Buckets[0]
		if err := CheckHealth(t.Context(), s.w.Providers(), s.c, b); err != nil {
			t.Errorf("healthy: %v", err)
		}
		s.w.Sicken(s.w.Distributions()[0].ID, 1, 503)
		var u *UnhealthyError
		if err := CheckHealth(t.Context(), s.w.Providers(), s.c, b); !errors.As(err, &u) || u.Code != codeLinks || u.Hint() == "" {
			t.Errorf("broken: %v", err)
		}
	})
}

// S3 counts for as long as the migration takes, and somebody else's counting is
// not ended.
func TestS3MetricsAreMadeEarlyAndEnded(t *testing.T) {
	for _, had := range []string{"", "EntireBucket"} {
		synctest.Test(t, func(t *testing.T) {
			s := watchLab(7, func(w *config.Watch) { w.S3Metrics = true }).start(t)
			if had != "" {
				s.w.CountRequests("fonts.example.com", had)
			}
			s.w.StartVisitors(t.Context(), 2*time.Second)
			p := s.plan(t.Context(), Migrate)
			if planned := p.Buckets[0].Steps[0].Kind == MetricsCount; planned != (had == "") {
				t.Errorf("with %q the plan begins with %s", had, p.Buckets[0].Steps[0].Kind)
			}
			var during []string
			r := s.run(t.Context(), p, func(x *Executor) {
				said := x.Events
				x.Events = func(e Event) {
					said(e)
					if e.Kind == DNSSwitch && e.Status == EventStarted {
						during = s.w.Counting("fonts.example.com")
					}
				}
			})
			s.want(r, OutcomeFinished)
			want := fmt.Sprint([]string{had})
			if had == "" {
				want = "[edgeward]"
			}
			if fmt.Sprint(during) != want {
				t.Errorf("S3 counted under %v, want %s", during, want)
			}
			if after := s.w.Counting("fonts.example.com"); (len(after) > 0) != (had != "") {
				t.Errorf("afterwards S3 counts under %v", after)
			}
			if tr := r.Results[0].Traffic; tr == nil || tr.Method != ByMetrics || tr.Share == nil {
				t.Errorf("the share is %+v", tr)
			}
		})
	}
}

func TestWindows(t *testing.T) {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	row := func(i int, n, rate float64) minute {
		zero := 0.0
		return minute{at.Add(time.Duration(i) * time.Minute), &n, &rate, &zero}
	}
	gap := minute{at: at.Add(3 * time.Minute)}
	tests := map[string]struct {
		ms   []minute
		bad  bool
		base string
	}{
		"nothing":                      {nil, false, ""},
		"two bad windows":              {[]minute{row(0, 100, 5), row(1, 100, 5)}, true, ""},
		"the newest is good":           {[]minute{row(0, 100, 5), row(1, 100, 0)}, false, ""},
		"only the newest is bad":       {[]minute{row(0, 100, 0), row(1, 100, 5)}, false, ""},
		"one window only":              {[]minute{row(1, 100, 5)}, false, ""},
		"just at the limit":            {[]minute{row(0, 100, 1), row(1, 100, 1)}, false, ""},
		"small minutes together":       {[]minute{row(0, 50, 5), row(1, 50, 5), row(2, 50, 5), row(3, 50, 5)}, true, ""},
		"too thin for five minutes":    {[]minute{row(0, 10, 50), row(1, 10, 50), row(2, 10, 50), row(3, 10, 50), row(4, 10, 50), row(5, 10, 50)}, false, ""},
		"a minute without values":      {[]minute{row(1, 100, 5), row(2, 100, 5), gap}, true, ""},
		"a long way back is no window": {[]minute{row(0, 100, 5), row(9, 10, 5), row(10, 10, 5)}, false, ""},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			b := config.Bucket{Watch: config.Watch{MaxErrorRate: 1, MinRequests: 100}}
			if u := (watched{minutes: tc.ms}).rates(b, Actual{}); (u != nil) != tc.bad {
				t.Errorf("got %v", u)
			}
		})
	}
}

// failingS3 answers every third fetch from S3 with a 503 while on is true.
type failingS3 struct {
	providers.Web
	mu sync.Mutex
	on bool
	n  int
}

func (f *failingS3) Fetch(ctx context.Context, r providers.Request) (providers.Response, error) {
	f.mu.Lock()
	f.n++
	bad := f.on && strings.Contains(r.Dial, "amazonaws.com") && f.n%3 == 0
	f.mu.Unlock()
	if bad {
		return providers.Response{Status: 503}, nil
	}
	return f.Web.Fetch(ctx, r)
}

func (f *failingS3) fails(on bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.on = on
}

// TestWatchKnowsS3sOwnErrors: a 5xx that S3 gives itself is no reason to send
// visitors there, and no proof of health either: the watch ends once it is over.
func TestWatchKnowsS3sOwnErrors(t *testing.T) {
	for name, fails := range map[string]bool{"S3 fails": true, "CloudFront fails": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := watchLab(1, nil).start(t)
				s.w.StartVisitors(t.Context(), 2*time.Second)
				f := &failingS3{}
				began := false
				var wg sync.WaitGroup
				r := s.run(t.Context(), s.plan(t.Context(), Migrate), func(x *Executor) {
					f.Web, x.World.Web = x.World.Web, f
					said := x.Events
					x.Events = func(e Event) {
						said(e)
						if e.Kind != DNSPropagated || e.Status != EventDone || began {
							return
						}
						began = true
						id := s.w.Distributions()[0].ID
						s.w.Sicken(id, 20, 503)
						f.fails(fails)
						wg.Go(func() {
							time.Sleep(30 * time.Minute)
							s.w.Sicken(id, 0, 0)
							f.fails(false)
						})
					}
				})
				wg.Wait()
				want := OutcomeRolled
				if fails {
					want = OutcomeFinished
				}
				s.want(r, want)
				if x := one(t, r); !fails && !strings.Contains(x.Why, "5xx") {
					t.Errorf("%+v", x)
				}
			})
		})
	}
}

// byScheme gives the same answers by scheme.
type byScheme map[string]providers.Response

func (b byScheme) Fetch(_ context.Context, r providers.Request) (providers.Response, error) {
	scheme, _, _ := strings.Cut(r.URL, "://")
	got, ok := b[scheme]
	if !ok {
		return got, errors.New("connection refused")
	}
	return got, nil
}

// TestRedirectsAreFollowedToTheirEnd: a redirect is right only where the same link
// over https is, as visitors find it who follow it.
func TestRedirectsAreFollowedToTheirEnd(t *testing.T) {
	const name, path = "www.example.com", "/a%20b?x=1"
	answer := func(status int, location string) providers.Response {
		h := http.Header{"X-Amz-Cf-Id": {"x"}}
		if location != "" {
			h.Set("Location", location)
		}
		return providers.Response{Status: status, Header: h}
	}
	safe := "https://" + name + path
	tests := map[string]struct {
		web     byScheme
		proxied bool
		left    int
		wrong   string
		blind   bool
	}{
		"served":                      {web: byScheme{"http": answer(200, ""), "https": answer(200, "")}, left: 200},
		"viewer_protocol redirects":   {web: byScheme{"http": answer(301, safe), "https": answer(200, "")}, left: 200},
		"a proxy redirects":           {web: byScheme{"http": answer(301, safe), "https": answer(200, "")}, left: 200, proxied: true},
		"a loop behind a proxy":       {web: byScheme{"http": answer(301, safe), "https": answer(301, safe)}, left: 200, proxied: true, wrong: "status 301"},
		"elsewhere":                   {web: byScheme{"http": answer(302, "https://login.example.com/")}, left: 200, wrong: "status 302 to https://login.example.com/"},
		"the same host, another link": {web: byScheme{"http": answer(302, "https://"+name+"/")}, left: 200, wrong: "status 302"},
		"elsewhere, over https alone": {web: byScheme{"http": answer(200, ""), "https": answer(302, "https://login.example.com/")}, left: 200, wrong: "status 302"},
		"without a place":             {web: byScheme{"http": answer(304, "")}, left: 200, wrong: "status 304"},
		"S3 redirects as well":        {web: byScheme{"http": answer(302, "http://"+name+"/b"), "https": answer(302, "http://"+name+"/b")}, left: 302},
		"no https to follow to":       {web: byScheme{"http": answer(301, safe)}, left: 200, blind: true},
	}
	for what, tc := range tests {
		t.Run(what, func(t *testing.T) {
			n := NameActual{CNAME: config.CNAME{Name: name}}
			n.Set.Records = []providers.Record{{Type: "CNAME", Value: "d1.cloudfront.net", Proxied: tc.proxied}}
			wrong, blind := visit(t.Context(), tc.web, config.Bucket{Name: name}, n, &providers.Distribution{}, path, "192.0.2.1", providers.Response{Status: tc.left})
			if (wrong != "") != (tc.wrong != "") || !strings.Contains(wrong, tc.wrong) || (blind != "") != tc.blind {
				t.Errorf("wrong %q, blind %q", wrong, blind)
			}
		})
	}
}

// TestPlanPromisesNoWayBackThatIsRefused: where visitors will be sent to https, going
// back is refused, and no plan promises it.
func TestPlanPromisesNoWayBackThatIsRefused(t *testing.T) {
	for _, protocol := range []string{"allow-all", "redirect-to-https", "https-only"} {
		synctest.Test(t, func(t *testing.T) {
			l := watchLab(1, nil)
			l.config.Buckets[0].Distribution.ViewerProtocol = &protocol
			refused := protocol != "allow-all"
			for _, st := range l.start(t).plan(t.Context(), Migrate).Buckets[0].Steps {
				if st.Kind == DNSSwitch && strings.Contains(st.Undo, acceptHTTPSLoss) != refused {
					t.Errorf("%s: the way back is %s", protocol, st.Undo)
				}
				if st.Kind == TrafficWatch && strings.HasSuffix(st.Why, "else back to S3") == refused {
					t.Errorf("%s: %s", protocol, st.Why)
				}
			}
		})
	}
}
