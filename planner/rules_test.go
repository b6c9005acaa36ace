package planner

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/providers"
	"github.com/edgeward/edgeward/providers/sandbox"
)

// The tests are named after the rules for the hard cases in the design.

const assets = "assets.example.com"

// inWorld runs f in a bubble on the lab of one bucket.
func inWorld(t *testing.T, name string, change func(*lab), f func(t *testing.T, s *session)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := newLab(1).only(name)
		l.config.Buckets[0].CNAMEs = l.config.Buckets[0].CNAMEs[:1]
		if change != nil {
			change(l)
		}
		s := l.start(t)
		s.w.StartVisitors(t.Context(), time.Minute)
		f(t, s)
		if t.Failed() {
			t.Log(s.said())
		}
	})
}

// hooked is a hook that can be set once the world stands.
type hooked struct {
	mu sync.Mutex
	f  func(sandbox.Call) error
}

func (h *hooked) hook(c sandbox.Call) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.f == nil {
		return nil
	}
	return h.f(c)
}

func (h *hooked) set(f func(sandbox.Call) error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.f = f
}

func pause1(t *testing.T, d time.Duration) {
	t.Helper()
	if err := (providers.RealClock{}).Sleep(t.Context(), d); err != nil {
		t.Fatal(err)
	}
}

func one(t *testing.T, r Report) Result {
	t.Helper()
	if len(r.Results) != 1 {
		t.Fatalf("%d results", len(r.Results))
	}
	return r.Results[0]
}

func TestRule1FailedLooksGiveNoVerdict(t *testing.T) {
	var h hooked
	inWorld(t, assets, func(l *lab) { l.options.Hook = h.hook }, func(t *testing.T, s *session) {
		p := s.plan(t.Context(), Migrate)
		begin := time.Now()
		writes := 0
		h.set(func(c sandbox.Call) error {
			switch {
			case time.Since(begin) > time.Hour:
			case c.Op == "Certificates.Covering" || c.Op == "CachePolicies.CachePolicies" || c.Op == "Distributions.Find":
				return errors.New("half a page")
			case c.Write:
				writes++
			}
			return nil
		})
		if r := one(t, s.run(t.Context(), p, nil)); r.Outcome != OutcomeFinished {
			t.Errorf("%+v", r)
		}
		if writes > 0 {
			t.Errorf("%d writes while the looks failed", writes)
		}
		s.served()
	})
}

func TestRule1NoAnswerIsNotAnAbsence(t *testing.T) {
	inWorld(t, assets, nil, func(t *testing.T, s *session) {
		for i := range 4 {
			s.w.SetResolver(i, sandbox.Resolving{RCode: "SERVFAIL"})
		}
		r := one(t, s.run(t.Context(), s.plan(t.Context(), Migrate), func(x *Executor) { x.WaitTimeout = 5 * time.Hour }))
		if r.Outcome != OutcomeWaiting || r.Stage != DNSPropagated || !strings.Contains(r.Why, "SERVFAIL") {
			t.Errorf("%+v", r)
		}
	})
}

func TestRule2AChangeByHandAfterTheApprovalIsRefused(t *testing.T) {
	byHand := map[string]struct {
		change func(s *session)
		says   string
	}{
		"the record": {func(s *session) {
			s.w.SetRecords(route53, assets, []providers.Record{{Type: "CNAME", Value: "assets.example.com.s3.amazonaws.com", TTL: time.Hour}})
		}, "assets.example.com.s3.amazonaws.com"},
		"the TTL": {func(s *session) {
			s.w.SetRecords(route53, assets, []providers.Record{{Type: "CNAME", Value: "assets.example.com.s3.eu-west-1.amazonaws.com", TTL: 2 * time.Hour}})
		}, "TTL 7200s"},
		"the CORS rules": {func(s *session) { s.w.EditBucket(assets, func(b *sandbox.Bucket) { b.CORS = anyOrigin() }) }, "cache policy"},
	}
	for what, tc := range byHand {
		t.Run(what, func(t *testing.T) {
			inWorld(t, assets, nil, func(t *testing.T, s *session) {
				p := s.plan(t.Context(), Migrate)
				tc.change(s)
				before := s.w.Records(assets)
				r := s.run(t.Context(), p, nil)
				if x := one(t, r); x.Outcome != OutcomeStale || !strings.Contains(x.Why, tc.says) || x.Hint == "" || r.ExitCode() != 3 {
					t.Errorf("exit %d, %+v", r.ExitCode(), x)
				}
				if got := s.w.Records(assets); !providers.SameRecords(got, before) {
					t.Errorf("the record is %v, a person had made it %v", got, before)
				}
				s.served()
			})
		})
	}
}

// TestRule2AForeignRecordIsNotTakenForOurs: the plan does not know the
// distribution's domain yet, and somebody's record with the low TTL is not it.
func TestRule2AForeignRecordIsNotTakenForOurs(t *testing.T) {
	inWorld(t, assets, nil, func(t *testing.T, s *session) {
		p := s.plan(t.Context(), Migrate)
		done := make(chan Report)
		go func() { done <- s.run(t.Context(), p, nil) }()
		pause1(t, 40*time.Minute) // it waits for the old TTL
		theirs := []providers.Record{{Type: "CNAME", Value: "example.net", TTL: time.Minute}}
		s.w.SetRecords(route53, assets, theirs)
		if r := one(t, <-done); r.Outcome != OutcomeStale || !strings.Contains(r.Why, "example.net") {
			t.Errorf("%+v", r)
		}
		if got := s.w.Records(assets); !providers.SameRecords(got, theirs) {
			t.Errorf("the record is %v, a person had made it %v", got, theirs)
		}
	})
}

func TestRule2OurOwnProgressIsNeverStale(t *testing.T) {
	for _, until := range []Kind{CertificateRequest, DistributionCreate, TTLLower, DNSSwitch, DNSPropagated} {
		inWorld(t, assets, nil, func(t *testing.T, s *session) {
			old := s.plan(t.Context(), Migrate)
			s.o.Until = until
			if r := one(t, s.apply(t.Context(), Migrate)); r.Outcome != OutcomeStopped {
				t.Errorf("until %s: %+v", until, r)
			}
			s.o.Until = ""
			if r := one(t, s.run(t.Context(), old, nil)); r.Outcome != OutcomeFinished {
				t.Errorf("the old plan after -until=%s: %+v", until, r)
			}
			s.served()
		})
	}
}

func TestRule3FingerprintIsOfFacts(t *testing.T) {
	inWorld(t, assets, nil, func(t *testing.T, s *session) {
		s.o.Until = DistributionCreate
		s.apply(t.Context(), Migrate)
		s.o.Until = ""
		first := s.plan(t.Context(), Migrate)
		pause1(t, 20*time.Minute) // it deploys meanwhile
		second := s.plan(t.Context(), Migrate)
		if a, b := first.Buckets[0].Fingerprint, second.Buckets[0].Fingerprint; a != b || a == "" {
			t.Errorf("fingerprint %s, then %s though no fact moved", a, b)
		}
		s.w.SetRecords(route53, assets, []providers.Record{{Type: "CNAME", Value: "s3.amazonaws.com", TTL: time.Hour}})
		if third := s.plan(t.Context(), Migrate); third.Buckets[0].Fingerprint == first.Buckets[0].Fingerprint {
			t.Error("the fingerprint is the same though the record moved")
		}
	})
}

func TestRule4Crumbs(t *testing.T) {
	s3 := func(ttl int) []providers.Record {
		return []providers.Record{{Type: "CNAME", Value: "s3.amazonaws.com", TTL: time.Duration(ttl) * time.Second}}
	}
	alias := []providers.Record{{Type: "A", Value: "s3-website-eu-west-1.amazonaws.com", Alias: true, AliasZone: "Z1BKCTXD74EZPE", EvaluateHealth: true}}
	tests := map[string]struct {
		crumbs crumbs
		live   []providers.Record
		serves serving
		want   map[string]string
	}{
		"nothing yet": {nil, s3(3600), servesS3, map[string]string{crumbWas: "CNAME s3.amazonaws.com", crumbWasAt: "p/example.com", crumbWasTTL: "3600"}},
		"written down already, lowered since": {crumbs{crumbWas: "CNAME s3.amazonaws.com", crumbWasAt: "p/example.com", crumbWasTTL: "3600"},
			s3(60), servesS3, map[string]string{}},
		"the live value is ours": {crumbs{crumbWas: "CNAME s3.amazonaws.com", crumbWasTTL: "3600"}, s3(60), servesOurs, nil},
		"another value since": {crumbs{crumbWas: "CNAME s3-eu-west-1.amazonaws.com", crumbWasAt: "p/example.com", crumbWasTTL: "3600"},
			s3(300), servesS3, map[string]string{crumbWas: "CNAME s3.amazonaws.com", crumbWasAt: "p/example.com", crumbWasTTL: "300/3600"}},
		"an alias has no TTL": {nil, alias, servesS3, map[string]string{crumbWas: "A alias/Z1BKCTXD74EZPE/s3-website-eu-west-1.amazonaws.com/true", crumbWasAt: "p/example.com"}},
		"absent":              {nil, nil, servesNobody, map[string]string{crumbWas: "absent", crumbWasAt: "p/example.com"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			n := NameActual{CNAME: config.CNAME{DNSProvider: "p", Zone: "example.com"}, Set: providers.RecordSet{Records: tc.live}, Serves: tc.serves}
			if d := cmp.Diff(tc.want, tc.crumbs.saveRecord(n, time.Minute)); d != "" {
				t.Error(d)
			}
		})
	}
	for _, rs := range [][]providers.Record{s3(60), alias, append(alias, providers.Record{Type: "AAAA", Value: "x", Alias: true}), nil,
		{{Type: "CNAME", Value: "s3.amazonaws.com", Proxied: true}}} {
		back, err := decodeRecords(encodeRecords(rs), time.Minute)
		if err != nil || !providers.SameRecords(rs, back) {
			t.Errorf("%v came back as %v, %v", rs, back, err)
		}
		if !tagValue.MatchString(encodeRecords(rs)) {
			t.Errorf("%q is no tag value", encodeRecords(rs))
		}
	}
}

func TestRule4TagWritesMerge(t *testing.T) {
	inWorld(t, assets, func(l *lab) { l.config.Buckets[0].Distribution.Tags = map[string]string{"team": "web"} }, func(t *testing.T, s *session) {
		s.o.Until = DistributionCreate
		s.apply(t.Context(), Migrate)
		s.o.Until = ""
		s.w.EditTags(s.w.Distributions()[0].ID, map[string]string{"cost": "42"})
		s.want(s.apply(t.Context(), Migrate), OutcomeFinished)
		tags := s.w.Distributions()[0].Tags
		ours := 0
		for k := range tags {
			if strings.HasPrefix(k, providers.TagPrefix) {
				ours++
			}
		}
		if tags["team"] != "web" || tags["cost"] != "42" || ours > 12 {
			t.Errorf("tags are %v", tags)
		}
	})
}

func TestRule5AnEditWithinTheSwitchIsNotOverwritten(t *testing.T) {
	var h hooked
	inWorld(t, "low.example.com", func(l *lab) { l.options.Hook = h.hook }, func(t *testing.T, s *session) {
		theirs := []providers.Record{{Type: "CNAME", Value: "s3.eu-west-1.amazonaws.com", TTL: 30 * time.Second}}
		h.set(func(c sandbox.Call) error {
			if c.Op == "DNS.Replace" && !c.After {
				s.w.SetRecords(route53, "low.example.com", theirs)
			}
			return nil
		})
		r := one(t, s.apply(t.Context(), Migrate))
		if r.Outcome != OutcomeStale || r.Stage != DNSSwitch {
			t.Errorf("%+v", r)
		}
		if got := s.w.Records("low.example.com"); !providers.SameRecords(got, theirs) {
			t.Errorf("the record is %v, a person had made it %v", got, theirs)
		}
		s.served()
	})
}

func TestRule5OtherTypesStay(t *testing.T) {
	inWorld(t, "example.com", func(l *lab) {
		for _, typ := range []string{"MX", "TXT", "CAA"} {
			l.options.DNS[0].Records = append(l.options.DNS[0].Records, sandbox.NamedRecord{Name: "example.com", Other: typ})
		}
	}, func(t *testing.T, s *session) {
		other := func() string {
			for line := range strings.Lines(s.w.Dump()) {
				if strings.HasPrefix(line, "record "+route53+" example.com other=") {
					return line
				}
			}
			return ""
		}
		before := other()
		s.want(s.apply(t.Context(), Migrate), OutcomeFinished)
		if after := other(); after != before || !strings.Contains(before, "MX") {
			t.Errorf("beside the alias stood %q, now %q", before, after)
		}
		if got := s.w.Records("example.com"); len(got) != 2 {
			t.Errorf("want A and AAAA alias records: %v", got)
		}
	})
}

func TestRule6OneBucketsConflictFailsNoOther(t *testing.T) {
	var h hooked
	synctest.Test(t, func(t *testing.T) {
		l := newLab(5)
		l.options.Hook = h.hook
		s := l.start(t)
		s.w.StartVisitors(t.Context(), time.Minute)
		p := s.plan(t.Context(), Migrate)
		s.w.SetRecords(route53, "fonts.example.com", []providers.Record{{Type: "CNAME", Value: "s3.eu-west-1.amazonaws.com", TTL: 300 * time.Second}})
		r := s.run(t.Context(), p, nil)
		for _, x := range r.Results {
			want := OutcomeFinished
			if strings.Contains(x.Address, "fonts") {
				want = OutcomeStale
			}
			if x.Outcome != want {
				t.Errorf("%+v, want %s", x, want)
			}
		}
		if r.ExitCode() != 3 {
			t.Errorf("exit %d", r.ExitCode())
		}
		s.served()
	})
}

func TestRule7TheGateFetchesAgainAnOldProof(t *testing.T) {
	var h hooked
	inWorld(t, assets, func(l *lab) { l.options.Hook = h.hook }, func(t *testing.T, s *session) {
		var last time.Time
		h.set(func(c sandbox.Call) error {
			if c.Op == "Web.Fetch" {
				last = time.Now()
			}
			if c.Op == "DNS.Replace" && !c.After && time.Since(last) > time.Minute && len(s.w.Records(assets)) > 0 && s.w.Records(assets)[0].TTL == time.Minute &&
				strings.Contains(s.w.Records(assets)[0].Value, "s3") {
				t.Errorf("the names are switched %s after the last fetch of a link", time.Since(last))
			}
			return nil
		})
		s.want(s.apply(t.Context(), Migrate), OutcomeFinished)
	})
}

func TestRule7WhatBreaksDuringTheWaitStopsTheSwitch(t *testing.T) {
	inWorld(t, assets, nil, func(t *testing.T, s *session) {
		s.o.Until = TTLLower
		s.apply(t.Context(), Migrate)
		s.o.Until = ""
		s.w.BreakEdge(s.w.Distributions()[0].ID, "/index.html", []byte("stale"))
		r := one(t, s.apply(t.Context(), Migrate))
		if r.Outcome != OutcomeFailed || !strings.Contains(r.Why, "/index.html: body") || !strings.Contains(r.Hint, "nobody was sent to CloudFront") {
			t.Errorf("%+v", r)
		}
		if v := s.w.Records(assets)[0].Value; !strings.Contains(v, "s3") {
			t.Errorf("the record is %s", v)
		}
		s.served()
	})
}

func TestRule7AChangedDistributionIsProvenAgain(t *testing.T) {
	inWorld(t, assets, nil, func(t *testing.T, s *session) {
		s.o.Until = TTLLower
		s.apply(t.Context(), Migrate)
		s.o.Until = ""
		id := s.w.Distributions()[0].ID
		s.w.EditDistribution(id, func(x *providers.Settings) { x.OriginDomain = "low.example.com.s3.eu-west-1.amazonaws.com" })
		pause1(t, 20*time.Minute)
		b := s.plan(t.Context(), Migrate).Buckets[0]
		if b.Standing != StandBlocked || b.Findings[0].Code != "origin-differs" {
			t.Errorf("%s %+v", b.Standing, b.Findings)
		}
		s.w.EditDistribution(id, func(x *providers.Settings) {
			x.OriginDomain, x.PriceClass = "assets.example.com.s3.eu-west-1.amazonaws.com", "PriceClass_100"
		})
		p := s.plan(t.Context(), Migrate)
		var kinds []Kind
		for _, st := range p.Buckets[0].Steps {
			kinds = append(kinds, st.Kind)
		}
		if d := cmp.Diff([]Kind{DistributionCreate, DistributionDeployed, LinksVerify, DNSSwitch, DNSPropagated, TTLRestore}, kinds); d != "" {
			t.Error(d)
		}
		if d := cmp.Diff([]ValueChange{{"price_class", "PriceClass_100", "PriceClass_All"}}, p.Buckets[0].Steps[0].Changes); d != "" {
			t.Error(d)
		}
		s.want(s.run(t.Context(), p, nil), OutcomeFinished)
		s.served()
	})
}

func TestRule8TTL(t *testing.T) {
	tests := map[string]struct {
		ttl, floor time.Duration
		keep       bool
		low        time.Duration // while switching
	}{
		"lowered":                  {time.Hour, 0, false, time.Minute},
		"never raised":             {20 * time.Second, 0, false, 20 * time.Second},
		"a floor of the provider":  {time.Hour, 10 * time.Minute, false, 10 * time.Minute},
		"at the floor already":     {10 * time.Minute, 10 * time.Minute, false, 10 * time.Minute},
		"a provider that keeps it": {time.Hour, 0, true, time.Hour},
		"a TTL of a day":           {24 * time.Hour, 0, false, time.Minute},
		"a TTL of 0":               {0, 0, false, 0},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(1).only("www.example.org")
				d := &l.options.DNS[1]
				d.Records[0].Record.TTL, d.Features.MinTTL, d.KeepTTL = tc.ttl, tc.floor, tc.keep
				s := l.start(t)
				s.w.StartVisitors(t.Context(), 10*time.Minute)
				var seen time.Duration = -1
				x := s.run(t.Context(), s.plan(t.Context(), Migrate), func(x *Executor) {
					x.Events = func(e Event) {
						if e.Kind == DNSSwitch && e.Status == EventDone {
							seen = s.w.Records("www.example.org")[0].TTL
						}
						s.events = append(s.events, e)
					}
				})
				s.want(x, OutcomeFinished)
				if seen != tc.low {
					t.Errorf("switched at a TTL of %s, want %s", seen, tc.low)
				}
				if got := s.w.Records("www.example.org")[0].TTL; got != tc.ttl {
					t.Errorf("the TTL is %s, was %s", got, tc.ttl)
				}
				if tc.keep && !strings.Contains(s.said(), "was asked for a TTL of 60s and has 1h") {
					t.Error("nobody said that the provider keeps the TTL")
				}
				s.served()
				if t.Failed() {
					t.Log(s.said())
				}
			})
		})
	}
}

func TestRule8FinalTTLOfTheConfiguration(t *testing.T) {
	inWorld(t, assets, func(l *lab) { l.config.Buckets[0].DNS.TTL = 2 * time.Hour }, func(t *testing.T, s *session) {
		s.want(s.apply(t.Context(), Migrate), OutcomeFinished)
		if got := s.w.Records(assets)[0].TTL; got != 2*time.Hour {
			t.Errorf("the TTL is %s", got)
		}
		s.c.Buckets[0].DNS.TTL = 0
		s.w.SetRecords(route53, assets, []providers.Record{{Type: "CNAME", Value: s.w.Records(assets)[0].Value, TTL: time.Minute}})
		if p := s.plan(t.Context(), Migrate); p.Summary.Done != 1 {
			t.Errorf("a TTL that its owner changed after the end is work: %+v", p.Buckets[0].Steps)
		}
	})
}

func TestRule9Quorum(t *testing.T) {
	tests := map[string]struct {
		broken int
		want   Outcome
	}{"one of four resolvers fails": {1, OutcomeFinished}, "two of four fail": {2, OutcomeWaiting}}
	for name, tc := range tests {
		for _, bucket := range []string{"low.example.com", "example.com"} {
			t.Run(name+" "+bucket, func(t *testing.T) {
				inWorld(t, bucket, nil, func(t *testing.T, s *session) {
					for i := range tc.broken {
						s.w.SetResolver(i, sandbox.Resolving{TimesOut: true})
					}
					r := one(t, s.run(t.Context(), s.plan(t.Context(), Migrate), func(x *Executor) { x.WaitTimeout = 2 * time.Hour }))
					if r.Outcome != tc.want {
						t.Errorf("%+v", r)
					}
				})
			})
		}
	}
}

func TestRule10AHoldStopsARunThatIsUnderWay(t *testing.T) {
	inWorld(t, assets, nil, func(t *testing.T, s *session) {
		other := &session{t: t, w: s.w, c: s.c}
		p := s.plan(t.Context(), Migrate)
		done := make(chan Report)
		go func() { done <- s.run(t.Context(), p, nil) }()
		pause1(t, 40*time.Minute) // it waits for the old TTL
		other.want(other.apply(t.Context(), Rollback), OutcomeRolled)
		r := one(t, <-done)
		if r.Outcome != OutcomeHeld || !strings.Contains(r.Hint, "-retry") {
			t.Errorf("%+v", r)
		}
		if got := s.w.Records(assets); got[0].Value != "assets.example.com.s3.eu-west-1.amazonaws.com" || got[0].TTL != time.Hour {
			t.Errorf("the record is %v", got)
		}
		if p := other.plan(t.Context(), Migrate); p.Summary.Held != 1 {
			t.Errorf("%+v", p.Summary)
		}
		s.served()
	})
}

func TestRule11LostAnswers(t *testing.T) {
	lost := map[string]Outcome{
		"Distributions.Create": OutcomeFinished, "Certificates.Request": OutcomeFinished, "CachePolicies.CreateCachePolicy": OutcomeFinished,
		"DNS.Replace": OutcomeFinished, "Distributions.SetTags": OutcomeFinished, "DNS.Ensure": OutcomeFinished,
	}
	for op, want := range lost {
		t.Run(op, func(t *testing.T) {
			var h hooked
			inWorld(t, assets, func(l *lab) { l.options.Hook = h.hook }, func(t *testing.T, s *session) {
				fired := false
				h.set(func(c sandbox.Call) error {
					if c.Op == op && c.After && !fired {
						fired = true
						return errors.New("connection reset by peer")
					}
					return nil
				})
				if r := one(t, s.apply(t.Context(), Migrate)); r.Outcome != want || !fired {
					t.Errorf("%+v, lost: %t", r, fired)
				}
				if ds := s.w.Distributions(); len(ds) != 1 {
					t.Errorf("%d distributions", len(ds))
				}
				s.served()
			})
		})
	}
}

func TestRule11GenerationsAndRivals(t *testing.T) {
	t.Run("the distribution was deleted by hand", func(t *testing.T) {
		inWorld(t, assets, nil, func(t *testing.T, s *session) {
			s.o.Until = DistributionCreate
			s.apply(t.Context(), Migrate)
			s.o.Until = ""
			s.w.DeleteDistribution(s.w.Distributions()[0].ID)
			s.want(s.apply(t.Context(), Migrate), OutcomeFinished)
			s.served()
		})
	})
	t.Run("its tag was removed by hand", func(t *testing.T) {
		inWorld(t, assets, nil, func(t *testing.T, s *session) {
			s.o.Until = DistributionCreate
			s.apply(t.Context(), Migrate)
			s.o.Until = ""
			id := s.w.Distributions()[0].ID
			s.w.EditTags(id, map[string]string{providers.TagBucket: ""})
			pause1(t, time.Hour)
			b := s.plan(t.Context(), Migrate).Buckets[0]
			if b.Standing != StandBlocked || b.Findings[0].Code != "alias-taken" {
				t.Errorf("%s %+v", b.Standing, b.Findings)
			}
			s.c.Buckets[0].Distribution.Adopt = id
			s.want(s.apply(t.Context(), Migrate), OutcomeFinished)
		})
	})
	t.Run("another account holds the alias", func(t *testing.T) {
		inWorld(t, assets, nil, func(t *testing.T, s *session) {
			s.w.AddForeignDistribution("somebody", assets)
			r := one(t, s.apply(t.Context(), Migrate))
			if r.Outcome != OutcomeFailed || r.Stage != DistributionCreate || !strings.Contains(r.Why, "_assets.example.com") {
				t.Errorf("%+v", r)
			}
			s.served()
		})
	})
}

// usedReferences is an account in which the caller references of generations 1
// and 2 were used by distributions that are gone.
type usedReferences struct {
	providers.Distributions
	tried []string
}

func (d *usedReferences) Create(ctx context.Context, ref string, s providers.Settings, tags map[string]string) (providers.Distribution, error) {
	d.tried = append(d.tried, ref)
	if !strings.HasSuffix(ref, "-3") {
		return providers.Distribution{}, &providers.ExistsError{ID: "EGONE", Err: errors.New("DistributionAlreadyExists")}
	}
	return d.Distributions.Create(ctx, ref, s, tags)
}

func TestRule11TheGenerationRisesOverTheDeleted(t *testing.T) {
	inWorld(t, assets, nil, func(t *testing.T, s *session) {
		p := s.plan(t.Context(), Migrate)
		var d *usedReferences
		s.want(s.run(t.Context(), p, func(x *Executor) {
			acc := x.World.Accounts[""]
			d = &usedReferences{Distributions: acc.Distributions}
			acc.Distributions = d
			x.World.Accounts[""] = acc
		}), OutcomeFinished)
		if len(d.tried) != 3 || s.w.Distributions()[0].CallerReference != d.tried[2] {
			t.Errorf("tried %v", d.tried)
		}
	})
}

func TestRule12ChooseCertificate(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	cert := func(arn, status string, days int, tag string, names ...string) providers.Certificate {
		return providers.Certificate{ARN: arn, Status: status, NotAfter: now.AddDate(0, 0, days), Names: names, Tags: map[string]string{providers.TagBucket: tag}}
	}
	tests := map[string]struct {
		certs []providers.Certificate
		want  string
	}{
		"none":                    {nil, ""},
		"the latest expiry":       {[]providers.Certificate{cert("a", "ISSUED", 10, "", assets), cert("b", "ISSUED", 20, "", "*.example.com")}, "b"},
		"then the ARN":            {[]providers.Certificate{cert("b", "ISSUED", 10, "", assets), cert("a", "ISSUED", 10, "", assets)}, "a"},
		"an expired one is none":  {[]providers.Certificate{cert("a", "ISSUED", -1, "", assets)}, ""},
		"a foreign pending one":   {[]providers.Certificate{cert("a", "PENDING_VALIDATION", 0, "", assets)}, ""},
		"our pending one":         {[]providers.Certificate{cert("a", "PENDING_VALIDATION", 0, assets, assets)}, "a"},
		"ours for other names":    {[]providers.Certificate{cert("a", "PENDING_VALIDATION", 0, assets, assets, "x.example.com")}, ""},
		"issued before pending":   {[]providers.Certificate{cert("a", "PENDING_VALIDATION", 0, assets, assets), cert("b", "ISSUED", 8, "", assets)}, "b"},
		"pending before a week":   {[]providers.Certificate{cert("a", "PENDING_VALIDATION", 0, assets, assets), cert("b", "ISSUED", 6, "", assets)}, "a"},
		"one that does not cover": {[]providers.Certificate{cert("a", "ISSUED", 10, "", "example.com", "*.other.com")}, ""},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got := ""
			if c := chooseCertificate(config.Bucket{Name: assets}, []string{assets}, nil, tc.certs, now); c != nil {
				got = c.ARN
			}
			if got != tc.want {
				t.Errorf("chose %q, want %q", got, tc.want)
			}
		})
	}
}

func TestRule12ACertificateThatFails(t *testing.T) {
	inWorld(t, assets, nil, func(t *testing.T, s *session) {
		arn := ""
		x := s.run(t.Context(), s.plan(t.Context(), Migrate), func(x *Executor) {
			x.Events = func(e Event) {
				s.events = append(s.events, e)
				if _, rest, ok := strings.Cut(e.Why, "certificate arn:"); ok && arn == "" {
					arn = "arn:" + strings.Fields(rest)[0]
					s.w.EditCertificate(arn, func(c *providers.Certificate) { c.Status, c.FailureReason = "FAILED", "CAA_ERROR" })
				}
			}
		})
		r := one(t, x)
		if r.Outcome != OutcomeFailed || !strings.Contains(r.Why, "CAA") || !strings.Contains(r.Why, "amazon.com") {
			t.Errorf("%+v", r)
		}
		s.served()
	})
}

func TestRule13CachePolicies(t *testing.T) {
	v := cacheSettings(false)
	stem := policyStem(v)
	policy := func(name string, s providers.CacheSettings, users int) providers.CachePolicy {
		return providers.CachePolicy{ID: name, Name: name, Settings: s, InUse: users}
	}
	tests := map[string]struct {
		have       []providers.CachePolicy
		want, next string
	}{
		"none":                 {nil, "", stem + "-1"},
		"one with room":        {[]providers.CachePolicy{policy(stem+"-1", v, 99)}, stem + "-1", stem + "-2"},
		"full":                 {[]providers.CachePolicy{policy(stem+"-1", v, 100)}, "", stem + "-2"},
		"the newest with room": {[]providers.CachePolicy{policy(stem+"-1", v, 5), policy(stem+"-12", v, 5)}, stem + "-12", stem + "-13"},
		"changed by hand":      {[]providers.CachePolicy{policy(stem+"-1", cacheSettings(true), 0)}, "", stem + "-2"},
		"somebody else's":      {[]providers.CachePolicy{policy("mine", v, 0), policy(stem+"-x", v, 0)}, "", stem + "-1"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got, next := pickPolicy(tc.have, v)
			if id := ""; got != nil && got.ID != tc.want || got == nil && tc.want != id || next != tc.next {
				t.Errorf("%+v, next %s", got, next)
			}
		})
	}
	if policyStem(cacheSettings(true)) == stem {
		t.Error("two variants have one name")
	}
}

func TestRule13AFullPolicyGetsASuccessor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(1).only("low.example.com", assets, "www.example.org")
		l.options.PolicyUsers = 1
		s := l.start(t)
		s.want(s.apply(t.Context(), Migrate), OutcomeFinished)
		used := map[string]bool{}
		for _, d := range s.w.Distributions() {
			used[d.Settings.CachePolicyID] = true
		}
		if len(used) != 3 {
			t.Errorf("policies in use: %v", used)
		}
		if t.Failed() {
			t.Log(s.said())
		}
	})
}

func TestRule14AFinishedBucketCostsSweepsOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newLab(1).start(t)
		s.want(s.apply(t.Context(), Migrate), OutcomeFinished)
		pause1(t, time.Hour) // the tagging index has caught up
		before := s.w.CallsByOp()
		if p := s.plan(t.Context(), Migrate); p.Summary.Done != 5 {
			t.Errorf("%+v", p.Summary)
		}
		spent := map[string]int{}
		for op, n := range s.w.CallsByOp() {
			if n > before[op] {
				spent[op] = n - before[op]
			}
		}
		if d := cmp.Diff(map[string]int{"Distributions.Find": 5, "DNS.Look": 6}, spent); d != "" {
			t.Error(d)
		}
	})
}

func TestRule14SettingsOutsideTheSummary(t *testing.T) {
	root := "index.html"
	inWorld(t, assets, func(l *lab) {
		l.config.Buckets[0].Distribution.DefaultRootObject = &root
		l.config.Buckets[0].Verify.Paths = []string{"/index.html"}
	}, func(t *testing.T, s *session) {
		s.o.Until = DistributionDeployed
		s.apply(t.Context(), Migrate)
		s.o.Until = ""
		id := s.w.Distributions()[0].ID
		s.w.EditDistribution(id, func(x *providers.Settings) { x.DefaultRootObject = "other.html" })
		pause1(t, time.Hour)
		b := s.plan(t.Context(), Migrate).Buckets[0]
		if d := cmp.Diff([]ValueChange{{"default_root_object", "other.html", "index.html"}}, b.Steps[0].Changes); d != "" {
			t.Error(d)
		}
	})
}
