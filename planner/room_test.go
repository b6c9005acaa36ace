package planner

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/providers"
	"github.com/edgeward/edgeward/providers/sandbox"
)

// foreign are n tags of another tool.
func foreign(n int) map[string]string {
	tags := map[string]string{}
	for i := range n {
		tags[fmt.Sprintf("corp:%d", i)] = "x"
	}
	return tags
}

func newDistribution(name string) providers.Settings {
	return providers.Settings{Enabled: true, OriginDomain: name + ".s3.eu-west-1.amazonaws.com", OriginKind: providers.RESTOrigin,
		Methods: []string{"GET", "HEAD"}, ViewerProtocol: "allow-all", CachePolicyID: cachingDisabled, PriceClass: "PriceClass_100", HTTPVersion: "http2", MinimumTLS: "TLSv1.2_2021"}
}

// TestKeysAreWrittenWithTheFirstTag: whoever fills a distribution up with tags of
// their own takes no way back away, for all keys that edgeward writes stand from
// the beginning, and are no more than it says it needs.
func TestKeysAreWrittenWithTheFirstTag(t *testing.T) {
	if n := len(ownKeys()); n != maxTags-maxUserTags {
		t.Fatalf("%d keys", n)
	}
	const low = "low.example.com"
	for name, adopt := range map[string]bool{"created": false, "adopted": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newLab(1).only(low).start(t)
				if adopt {
					s.c.Buckets[0].Distribution.Adopt = s.w.AddDistribution("", newDistribution(low), foreign(2)).ID
				}
				s.w.StartVisitors(t.Context(), 20*time.Second)
				if p := s.plan(t.Context(), Migrate); adopt != slices.ContainsFunc(p.Buckets[0].Findings, func(f Finding) bool { return f.Code == "adopt-tags" && f.Severity == Note }) {
					t.Errorf("%+v", p.Buckets[0].Findings)
				}
				s.o.Until = DistributionCreate
				s.want(s.apply(t.Context(), Migrate), OutcomeStopped)
				s.o.Until = ""
				d := s.w.Distributions()[0]
				for _, k := range ownKeys() {
					if _, ok := d.Tags[k]; !ok {
						t.Errorf("no tag %s: %v", k, d.Tags)
					}
				}
				s.w.EditTags(d.ID, foreign(maxTags-len(ownKeys())))
				s.want(s.apply(t.Context(), Migrate), OutcomeFinished)
				s.want(s.apply(t.Context(), Rollback), OutcomeRolled)
				if d = s.w.Distributions()[0]; len(d.Tags) != maxTags || d.Tags[crumbHold] == "" || d.Tags[crumbSwitched] != "" {
					t.Errorf("%d tags: %v", len(d.Tags), d.Tags)
				}
				s.want(s.apply(t.Context(), Migrate), OutcomeHeld)
				s.served()
			})
		})
	}
}

// TestTagsOfOthersCount: more of them than fit are an error before the switch, on a
// distribution without edgeward's keys, and a warning after it.
func TestTagsOfOthersCount(t *testing.T) {
	all := map[string]string{}
	crumbs(nil).reserve(all)
	with := func(n int, others ...map[string]string) crumbs {
		c := crumbs(foreign(n))
		for _, o := range others {
			maps.Copy(c, o)
		}
		return c
	}
	tests := map[string]struct {
		c     crumbs
		own   int
		begun bool
		want  Severity
	}{
		"room":                            {c: with(38)},
		"one too many":                    {c: with(39), want: Error},
		"too many with the configuration": {c: with(30), own: 9, want: Error},
		"the same ones":                   {c: with(38), own: -38},
		"of AWS":                          {c: with(38, map[string]string{"aws:cloudformation:stack-id": "x"})},
		"every key stands":                {c: with(38, all)},
		"every key stands, and no room":   {c: with(39, all), want: Error},
		"switched":                        {c: with(43), begun: true, want: Warning},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			b := config.Bucket{Distribution: config.Distribution{Tags: map[string]string{}}}
			for i := range tc.own {
				b.Distribution.Tags[fmt.Sprintf("team:%d", i)] = "x"
			}
			if tc.own < 0 {
				b.Distribution.Tags = foreign(-tc.own)
			}
			a := Actual{Crumbs: tc.c, Dist: &providers.Distribution{}, Names: []NameActual{{Serves: servesS3}}}
			if tc.begun {
				a.Names[0].Serves = servesOurs
			}
			var got Severity
			for _, f := range checkCrumbs(b, a) {
				if f.Code == "too-many-tags" {
					got = f.Severity
				}
			}
			if got != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}

// unheld is a bucket that is switched, whose distribution has lost its keys and
// has no room for another.
func unheld(t *testing.T, f func(t *testing.T, s *session, before []providers.Record)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := watchLab(1, nil).start(t)
		const name = "fonts.example.com"
		before := s.w.Records(name)
		s.w.StartVisitors(t.Context(), 5*time.Second)
		s.want(s.apply(t.Context(), Migrate), OutcomeFinished)
		d := s.w.Distributions()[0]
		s.w.EditTags(d.ID, map[string]string{crumbHold: "", crumbCounting: "", crumbFlags: ""})
		s.w.EditTags(d.ID, foreign(maxTags-len(s.w.Distributions()[0].Tags)))
		f(t, s, before)
	})
}

// TestGoesBackWithoutHold: visitors come before what is written down. The bucket is
// called failed, and no later apply switches it while the hold does not fit.
func TestGoesBackWithoutHold(t *testing.T) {
	unheld(t, func(t *testing.T, s *session, before []providers.Record) {
		name := s.c.Buckets[0].Name
		r := s.apply(t.Context(), Rollback)
		x := r.Results[0]
		if x.Outcome != OutcomeFailed || !strings.Contains(x.Why, "old records again, but the bucket is not held") || !strings.Contains(x.Hint, "stop scheduled runs") {
			t.Errorf("%+v", x)
		}
		if got := s.w.Records(name); !providers.SameRecords(got, before) {
			t.Fatalf("%v", got)
		}
		if r = s.apply(t.Context(), Migrate); r.Results[0].Outcome == OutcomeFinished || !providers.SameRecords(s.w.Records(name), before) {
			t.Errorf("%+v", r.Results[0])
		}
		gone := foreign(5)
		for k := range gone {
			gone[k] = ""
		}
		s.w.EditTags(s.w.Distributions()[0].ID, gone)
		s.want(s.apply(t.Context(), Rollback), OutcomeRolled)
		s.want(s.apply(t.Context(), Migrate), OutcomeHeld)
		s.served()
	})
}

// A way back that a run begins by itself does the same.
func TestGoesBackByItselfWithoutHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h hooked
		l := watchLab(1, nil)
		l.options.Hook = h.hook
		s := l.start(t)
		before := s.w.Records("fonts.example.com")
		s.w.StartVisitors(t.Context(), 5*time.Second)
		r := s.afterSwitch(t.Context(), func(id string) {
			s.w.Sicken(id, 1, 503)
			h.set(func(c sandbox.Call) error {
				if c.Op == "Distributions.SetTags" && !c.After {
					return fmt.Errorf("no: %w", providers.ErrDenied)
				}
				return nil
			})
		})
		x := r.Results[0]
		if x.Outcome != OutcomeFailed || !strings.Contains(x.Hint, "not held") || !providers.SameRecords(s.w.Records("fonts.example.com"), before) {
			t.Errorf("%+v %v", x, s.w.Records("fonts.example.com"))
		}
	})
}

// TestCountThatStaysHurtsNobody: S3 that does not end its count at the end of a
// migration turns no healthy bucket back, and the next apply ends it.
func TestCountThatStaysHurtsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h hooked
		l := watchLab(1, func(w *config.Watch) { w.S3Metrics = true })
		l.options.Hook = h.hook
		s := l.start(t)
		s.w.StartVisitors(t.Context(), 5*time.Second)
		h.set(func(c sandbox.Call) error {
			if c.Op == "Metrics.StopCounting" && !c.After {
				return fmt.Errorf("try later: %w", providers.ErrConflict)
			}
			return nil
		})
		s.want(s.apply(t.Context(), Migrate), OutcomeFinished)
		if !strings.Contains(s.said(), "the next apply tries again") {
			t.Error(s.said())
		}
		h.set(nil)
		s.want(s.apply(t.Context(), Migrate), OutcomeFinished)
		if p := s.plan(t.Context(), Migrate); p.Summary.Done != 1 {
			t.Errorf("%+v", p.Buckets[0].Steps)
		}
		s.served()
	})
}

// TestHoldKeepsItsRoom: a key that another tool has taken away since stands again
// before the switch.
func TestHoldKeepsItsRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newLab(1).only("low.example.com").start(t)
		s.o.Until = LinksVerify
		s.want(s.apply(t.Context(), Migrate), OutcomeStopped)
		id := s.w.Distributions()[0].ID
		s.w.EditTags(id, map[string]string{crumbHold: ""})
		s.o.Until = ""
		s.want(s.apply(t.Context(), Migrate), OutcomeFinished)
		if tags := s.w.Distributions()[0].Tags; !crumbs(tags).reserved() {
			t.Errorf("%v", tags)
		}
	})
}
