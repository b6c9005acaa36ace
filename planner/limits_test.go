package planner

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/providers"
)

// TestFreezeStopsNewSwitchesOnly: what comes before the switch is done, the
// switch waits for the freeze's end, a bucket that is switched half-way goes on,
// and the way back is open.
func TestFreezeStopsNewSwitchesOnly(t *testing.T) {
	const low = "low.example.com"
	inWorld(t, low, nil, func(t *testing.T, s *session) {
		until := s.w.Providers().Clock.Now().Add(48 * time.Hour)
		s.c.Limits.Freezes = []config.Freeze{{From: until.Add(-100 * time.Hour), Until: until}}
		before := s.w.Records(low)
		p := s.plan(t.Context(), Migrate)
		if fs := p.Buckets[0].Findings; !hasCode(fs, "limit-freeze") || p.Summary.Switches != 1 {
			t.Errorf("the plan does not say it, or leaves the switch out: %+v", fs)
		}
		r := one(t, s.run(t.Context(), p, func(x *Executor) { x.WaitTimeout = 2 * time.Hour }))
		if r.Outcome != OutcomeWaiting || r.Stage != DNSSwitch || r.Until == nil || !r.Until.Equal(until) || !strings.Contains(r.Why, "limits { freeze }") {
			t.Errorf("%+v", r)
		}
		if !providers.SameRecords(before, s.w.Records(low)) {
			t.Error("switched in a freeze")
		}
		s.want(s.apply(t.Context(), Migrate), OutcomeFinished) // which waits for the end
		if now := s.w.Providers().Clock.Now(); now.Before(until) {
			t.Error("finished before the end of the freeze")
		}
		s.c.Limits.Freezes = []config.Freeze{{From: until, Until: until.Add(1000 * time.Hour)}}
		s.want(s.apply(t.Context(), Rollback), OutcomeRolled)
		if !providers.SameRecords(before, s.w.Records(low)) {
			t.Error("a freeze stopped the way back")
		}
		s.served()
	})
}

func hasCode(fs []Finding, code string) bool {
	return slices.ContainsFunc(fs, func(f Finding) bool { return f.Code == code })
}

func TestFreezeLetsABegunBucketEnd(t *testing.T) {
	two := func(l *lab) { l.config.Buckets[0].CNAMEs = newLab(1).config.Buckets[0].CNAMEs }
	inWorld(t, assets, two, func(t *testing.T, s *session) {
		s.o.Until = TTLLower
		s.apply(t.Context(), Migrate)
		s.o.Until = ""
		d := s.w.Distributions()[0]
		s.w.SetRecords(route53, "static.example.com", []providers.Record{{Type: "CNAME", Value: d.Domain, TTL: time.Minute}})
		now := s.w.Providers().Clock.Now()
		s.c.Limits.Freezes = []config.Freeze{{From: now.Add(-time.Hour), Until: now.Add(10000 * time.Hour)}}
		s.want(s.apply(t.Context(), Migrate), OutcomeFinished)
	})
}

func TestApexMayBeForbidden(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newLab(1).only("example.com", "low.example.com").start(t)
		s.c.Limits.AllowApex = false
		r := s.apply(t.Context(), Migrate)
		if r.Results[0].Outcome != OutcomeBlocked || r.Results[1].Outcome != OutcomeFinished ||
			!strings.Contains(r.Results[0].Why, "example.com is the top of its zone, and limits { allow_apex = false } forbids to switch it") {
			t.Errorf("%+v", r.Results)
		}
		s.c.Limits.AllowApex = true
		if again := s.apply(t.Context(), Migrate); again.Results[0].Outcome != OutcomeFinished || again.Results[1].Outcome != OutcomeNothing {
			t.Errorf("%+v", again.Results)
		}
	})
}

func TestWaves(t *testing.T) {
	l := newLab(1)
	l.config.Buckets[1].Wave, l.config.Buckets[3].Wave = "canary", "rest"
	tests := map[string]struct {
		o    Options
		want int
		says string
	}{
		"all":               {Options{}, 5, ""},
		"one":               {Options{Waves: []string{"canary"}}, 1, ""},
		"two":               {Options{Waves: []string{"canary", "rest"}}, 2, ""},
		"with an exclusion": {Options{Waves: []string{"canary"}, Excludes: []string{l.config.Buckets[1].Address}}, 0, ""},
		"unknown":           {Options{Waves: []string{"kanary"}}, 0, "-wave=kanary: no bucket is of that wave"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := choose(l.config, tt.o)
			if len(got) != tt.want || (err != nil) != (tt.says != "") || err != nil && err.Error() != tt.says {
				t.Errorf("%d buckets, %v", len(got), err)
			}
		})
	}
}

// TestFreezeBegunDuringTheProof: a freeze that begins after the look, while the
// links are fetched, stops the switch as well.
func TestFreezeBegunDuringTheProof(t *testing.T) {
	const low = "low.example.com"
	inWorld(t, low, nil, func(t *testing.T, s *session) {
		s.o.Until = TTLLower
		s.want(s.apply(t.Context(), Migrate), OutcomeStopped)
		w := s.w.Providers()
		from := w.Clock.Now().Add(time.Second)
		s.c.Limits.Freezes = []config.Freeze{{From: from, Until: from.Add(time.Hour)}}
		a, err := Observe(t.Context(), w, s.c, s.c.Buckets[0], partAll)
		if err != nil || checkSwitch(s.c.Buckets[0], a).Status != Todo {
			t.Fatal(err, "the freeze has begun")
		}
		pause1(t, time.Minute)
		before := s.w.Records(low)
		err = switchNames(t.Context(), scene{w: w, acc: w.Accounts[""], b: s.c.Buckets[0], a: a, brief: true, note: func(string) {}})
		var yet notYet
		if !errors.As(err, &yet) || !strings.Contains(err.Error(), "freeze") || !providers.SameRecords(before, s.w.Records(low)) {
			t.Errorf("%v; the record is %v", err, s.w.Records(low))
		}
	})
}
