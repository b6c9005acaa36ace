package planner

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/providers"
	"github.com/edgeward/edgeward/providers/sandbox"
)

// flatLab is a website at a provider that flattens CNAMEs at an apex, and
// proxies what it is told to; name may be the apex.
func flatLab(name string, change func(*sandbox.Provider, *providers.Record)) *lab {
	l := newLab(1)
	l.config.Buckets, l.options.Buckets = nil, nil
	d := &l.options.DNS[1]
	d.Features, d.Records = providers.Features{Provider: "cloudflare", Flatten: true, InPlace: true}, nil
	r := cname(name, "s3-website-eu-west-1.amazonaws.com", 5*time.Minute)
	if change != nil {
		change(d, &r.Record)
	}
	l.bucket(name, swapped, worldSite, r)
	l.config.Buckets[0].CNAMEs[0].Zone = "example.org"
	for _, typ := range []string{"MX", "TXT"} {
		d.Records = append(d.Records, sandbox.NamedRecord{Name: "example.org", Other: typ})
	}
	return l
}

// switchedTo says that a name is the distribution's: what is fetched then is no
// link.
func switchedTo(s *session, name string) bool {
	rs := s.w.Records(name)
	return len(rs) > 0 && strings.HasSuffix(rs[0].Value, ".cloudfront.net")
}

func TestRule9ProofOfWhatLookUpsDoNotShow(t *testing.T) {
	tests := map[string]struct {
		name   string
		change func(*sandbox.Provider, *providers.Record)
		proof  string
		back   string
	}{
		"a flattened apex": {"example.org", nil, "every address answered for the name is an edge of CloudFront with our certificate", "no address answered for the name is an edge of CloudFront"},
		"a provider that flattens all": {"www.example.org", func(p *sandbox.Provider, _ *providers.Record) { p.FlattenAll = true },
			"every address answered for the name is an edge of CloudFront with our certificate", "no address answered for the name is an edge of CloudFront"},
		"a proxied name": {"www.example.org", func(_ *sandbox.Provider, r *providers.Record) { r.Proxied, r.TTL = true, 0 },
			"HTTP under the name answers through its proxy", "HTTP under the name answers through its proxy"},
		"a proxied apex": {"example.org", func(_ *sandbox.Provider, r *providers.Record) { r.Proxied, r.TTL = true, 0 },
			"HTTP under the name answers through its proxy", "HTTP under the name answers through its proxy"},
		"an ordinary name": {"www.example.org", nil, "every authoritative server and most resolvers answer with the distribution", "every authoritative server and most resolvers answer with the old record"},
	}
	for what, tc := range tests {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := flatLab(tc.name, tc.change)
				proxied := l.options.DNS[1].Records[0].Record.Proxied
				var s *session
				l.options.Hook = func(c sandbox.Call) error {
					if proxied && strings.HasPrefix(c.Name, "HEAD https://") && switchedTo(s, tc.name) {
						return errors.New("the proxy's certificate is its own affair")
					}
					return nil
				}
				s = l.start(t)
				s.w.StartVisitors(t.Context(), 20*time.Second)
				before := s.w.Records(tc.name)
				s.want(s.apply(t.Context(), Migrate), OutcomeFinished)
				after := s.w.Records(tc.name)
				if len(after) != 1 || after[0].Type != "CNAME" || !strings.HasSuffix(after[0].Value, ".cloudfront.net") ||
					after[0].Proxied != before[0].Proxied || after[0].TTL != before[0].TTL {
					t.Errorf("the record is %v, was %v", after, before)
				}
				if s.count(DNSPropagated, EventDone, tc.proof) != 1 {
					t.Errorf("the proof was not %q", tc.proof)
				}
				if p := s.plan(t.Context(), Migrate); p.Summary.Done != 1 {
					t.Errorf("the plan after apply is not empty: %+v", p.Buckets[0])
				}
				s.want(s.apply(t.Context(), Rollback), OutcomeRolled)
				if got := s.w.Records(tc.name); !providers.SameRecords(got, before) {
					t.Errorf("the record is %v, was %v", got, before)
				}
				if s.count(DNSRestored, EventDone, tc.back) != 1 {
					t.Errorf("the proof of the way back was not %q", tc.back)
				}
				s.served()
				if t.Failed() {
					t.Log(s.said())
				}
			})
		})
	}
}

// TestRule9ProxyThatFails: what the proxy answers under the name must be right.
func TestRule9ProxyThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := flatLab("www.example.org", func(_ *sandbox.Provider, r *providers.Record) { r.Proxied, r.TTL = true, 0 }).start(t)
		s.o.Until = DNSSwitch
		s.want(s.apply(t.Context(), Migrate), OutcomeStopped)
		s.o.Until = ""
		id := s.w.Distributions()[0].ID
		s.w.EditDistribution(id, func(x *providers.Settings) { x.Enabled = false })
		pause1(t, time.Hour)
		p := s.plan(t.Context(), Migrate)
		var steps []Step
		for _, st := range p.Buckets[0].Steps {
			if st.Kind == DNSPropagated || st.Kind == TTLRestore {
				steps = append(steps, st)
			}
		}
		p.Buckets[0].Steps = steps
		r := one(t, s.run(t.Context(), p, func(x *Executor) { x.WaitTimeout = time.Hour }))
		if r.Outcome != OutcomeWaiting || r.Stage != DNSPropagated || !strings.Contains(r.Why, "the proxy of cloudflare, answers status 403 for /index.html") {
			t.Errorf("%+v", r)
		}
	})
}

// TestRule9FlattenedFaults: without the proof by address a flattened name would
// be waited for for ever, and one that still shows S3 would pass.
func TestRule9FlattenedFaults(t *testing.T) {
	var h hooked
	synctest.Test(t, func(t *testing.T) {
		l := flatLab("example.org", nil)
		l.options.Hook = h.hook
		s := l.start(t)
		h.set(func(c sandbox.Call) error {
			if strings.HasPrefix(c.Name, "HEAD https://example.org/") && switchedTo(s, "example.org") {
				return errors.New("handshake failed")
			}
			return nil
		})
		r := one(t, s.run(t.Context(), s.plan(t.Context(), Migrate), func(x *Executor) { x.WaitTimeout = 3 * time.Hour }))
		if r.Outcome != OutcomeWaiting || r.Stage != DNSPropagated || !strings.Contains(r.Why, "does not answer https for the name") {
			t.Errorf("%+v", r)
		}
	})
}

func TestRule8FloorAboveTheLiveTTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(1).only("www.example.org")
		d := &l.options.DNS[1]
		d.Records[0].Record.TTL, d.Features.MinTTL = 5*time.Minute, 10*time.Minute
		s := l.start(t)
		s.early = new(string) // the record is not lowered: the provider would not keep it
		s.w.StartVisitors(t.Context(), time.Minute)
		b := s.plan(t.Context(), Migrate).Buckets[0]
		for _, st := range b.Steps {
			if st.Kind == TTLLower {
				t.Errorf("a TTL below the floor is lowered: %+v", st)
			}
			if st.Kind == TTLRestore && len(st.Changes) > 0 {
				t.Errorf("a TTL that the provider does not keep is restored: %+v", st)
			}
			if st.Kind == DNSSwitch && !strings.HasSuffix(st.Changes[0].After, "TTL 600s") {
				t.Errorf("the switch asks for a TTL that the provider does not keep: %+v", st.Changes)
			}
		}
		s.want(s.apply(t.Context(), Migrate), OutcomeFinished)
		if p := s.plan(t.Context(), Migrate); p.Summary.Done != 1 {
			t.Errorf("the plan after apply is not empty: %+v", p.Buckets[0])
		}
		s.want(s.apply(t.Context(), Rollback), OutcomeRolled)
		if got := s.w.Records("www.example.org")[0]; got.Value != "www.example.org.s3-website-eu-west-1.amazonaws.com" || got.TTL != 10*time.Minute {
			t.Errorf("the record is %v", got)
		}
		s.served()
		if t.Failed() {
			t.Log(s.said())
		}
	})
}

// TestAnAddedApexThatFlattens: MX and others beside it are no obstacle.
func TestAnAddedApexThatFlattens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := flatLab("www.example.org", nil)
		l.config.Buckets[0].CNAMEs = append(l.config.Buckets[0].CNAMEs, config.CNAME{Name: "example.org", DNSProvider: swapped, Zone: "example.org"})
		s := l.start(t)
		s.w.StartVisitors(t.Context(), time.Minute)
		s.want(s.apply(t.Context(), Migrate), OutcomeFinished)
		if s.count(DNSPropagated, EventDone, "www.example.org: every authoritative server") != 1 ||
			s.count(DNSPropagated, EventDone, "example.org: the provider has the record, and every address") != 1 {
			t.Error("the report does not say which name was proven how")
		}
		s.want(s.apply(t.Context(), Rollback), OutcomeRolled)
		if got := s.w.Records("example.org"); len(got) != 1 || got[0].Value != s.w.Distributions()[0].Domain {
			t.Errorf("the apex, which has no other way, has %v", got)
		}
		s.served()
		if t.Failed() {
			t.Log(s.said())
		}
	})
}

func TestWhatLookUpsDoNotShow(t *testing.T) {
	plain := []providers.Record{{Type: "CNAME", Value: edge, TTL: time.Minute}}
	tests := map[string]struct {
		n    NameActual
		want bool
	}{
		"a CNAME":                    {NameActual{Set: providers.RecordSet{Zone: "example.com", Records: plain}}, false},
		"of a provider that may":     {NameActual{Features: providers.Features{Flatten: true}, Set: providers.RecordSet{Zone: "example.com", Records: plain}}, false},
		"at its apex":                {NameActual{CNAME: config.CNAME{Name: "example.com"}, Features: providers.Features{Flatten: true}, Set: providers.RecordSet{Zone: "example.com", Records: plain}}, true},
		"at its apex, nothing there": {NameActual{CNAME: config.CNAME{Name: "example.com"}, Features: providers.Features{Flatten: true}, Set: providers.RecordSet{Zone: "example.com"}}, false},
		"seen to be flattened":       {NameActual{Flattened: true, Set: providers.RecordSet{Records: plain}}, true},
		"an alias":                   {NameActual{Set: providers.RecordSet{Records: []providers.Record{{Type: "A", Alias: true}}}}, true},
		"proxied":                    {NameActual{Set: providers.RecordSet{Records: []providers.Record{{Type: "CNAME", Proxied: true}}}}, true},
	}
	for name, tc := range tests {
		if got := tc.n.alias(); got != tc.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// TestPlacesAsksEveryAuthoritativeServer: a server without an address is not
// made good by the others.
func TestPlacesAsksEveryAuthoritativeServer(t *testing.T) {
	o := &observer{}
	n := NameActual{Authoritative: answers("NXDOMAIN"), Resolved: []providers.Answer{}}
	if err := o.places(t.Context(), n, true); err == nil || !strings.Contains(err.Error(), "A answers NXDOMAIN") {
		t.Errorf("error %v", err)
	}
}

// TestAPersonsTurnIsSaidFirst: of several waits the one that somebody can end.
func TestAPersonsTurnIsSaidFirst(t *testing.T) {
	br := &bucketRun{errs: []stepError{
		{DistributionDeployed, &waitError{kind: DistributionDeployed, why: "InProgress"}},
		{CertificateIssued, &waitError{kind: CertificateIssued, until: stageNow}},
		{TTLLower, &waitError{kind: TTLLower, why: "to be done by hand", byHand: true}},
	}}
	if err := br.cause(); !strings.Contains(err.Error(), "by hand") {
		t.Errorf("cause %v", err)
	}
}

func TestMixedTime(t *testing.T) {
	tests := map[string]struct {
		actual func(*Actual)
		want   time.Duration
		why    string
	}{
		"lowered":               {withDist, time.Minute, ""},
		"short already":         {func(a *Actual) { a.Names[0].Set.Records[0].TTL = 20 * time.Second }, 20 * time.Second, ""},
		"a floor":               {func(a *Actual) { a.Names[0].Features.MinTTL = 10 * time.Minute }, 10 * time.Minute, "route53 keeps no shorter TTL"},
		"a floor above the TTL": {func(a *Actual) { a.Names[0].Features.MinTTL = 2 * time.Hour }, time.Hour, ""},
		"kept":                  {func(a *Actual) { withDist(a); a.Crumbs[crumbLowSince] = "asked/3600" }, time.Hour, "route53 keeps that TTL"},
		"the way back":          {atEdge(time.Hour), time.Hour, ""},
		"no record":             {func(a *Actual) { a.Names[0].Set.Records = nil }, 0, ""},
		"an alias record": {func(a *Actual) {
			a.Names[0].Set.Records = []providers.Record{{Type: "A", Value: "s3-website-eu-west-1.amazonaws.com", Alias: true}}
		}, time.Minute, "the answers of an alias record live that long"},
		"a proxied record":        {func(a *Actual) { a.Names[0].Set.Records[0].Proxied, a.Names[0].Set.Records[0].TTL = true, 0 }, 0, ""},
		"a proxied one, switched": {func(a *Actual) { atEdge(0)(a); a.Names[0].Set.Records[0].Proxied = true }, 0, ""},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if d, why := mixedTime(stageBucket(nil), stageActual(tc.actual)); d != tc.want || why != tc.why {
				t.Errorf("%s, %q", d, why)
			}
		})
	}
}

func TestDelegationFindings(t *testing.T) {
	const absent, silent = "NXDOMAIN", "timeout"
	says := func(change func(*Actual), targets ...string) func(*Actual) {
		return func(a *Actual) {
			if change != nil {
				change(a)
			}
			a.Names[0].Authoritative = answers(targets...)
		}
	}
	switched := func(a *Actual) { atEdge(time.Minute)(a); a.Crumbs[crumbWas] = "CNAME " + s3Name }
	tests := map[string]struct {
		actual func(*Actual)
		code   string
		sev    Severity
	}{
		"all alike":                       {says(nil, s3Name, s3Name), "", ""},
		"all differ":                      {says(nil, "old.example.net", "old.example.net"), "zone-not-delegated", Error},
		"none has any":                    {says(nil, absent, absent), "zone-not-delegated", Error},
		"one differs":                     {says(nil, s3Name, "old.example.net"), "answers-differ", Warning},
		"nobody answers":                  {says(nil, silent, silent), "", ""},
		"one answers, and right":          {says(nil, silent, s3Name), "", ""},
		"one answers, and not right":      {says(nil, silent, "old.example.net"), "answers-differ", Warning},
		"our switch is on its way":        {says(switched, s3Name, s3Name), "answers-differ", Warning},
		"our creation is on its way":      {says(switched, absent, absent), "answers-differ", Warning},
		"our switch went elsewhere":       {says(switched, "old.example.net", "old.example.net"), "zone-not-delegated", Error},
		"our way back is on its way":      {says(withDist, edge, edge), "answers-differ", Warning},
		"finished":                        {says(func(a *Actual) { switched(a); a.Crumbs[crumbFinished] = "x" }, s3Name), "", ""},
		"no record, no answer":            {says(func(a *Actual) { a.Names[0].Set.Records = nil }, absent), "", ""},
		"no record, a wildcard":           {says(func(a *Actual) { a.Names[0].Set.Records = nil }, "w.example.net"), "answers-differ", Warning},
		"an alias is not compared":        {says(func(a *Actual) { a.Names[0].Set.Records[0].Alias = true }, absent), "", ""},
		"a proxied one is not compared":   {says(func(a *Actual) { a.Names[0].Set.Records[0].Proxied = true }, absent), "", ""},
		"a flattened one is not compared": {says(func(a *Actual) { a.Names[0].Flattened = true }, absent), "", ""},
		"by hand there is nothing else":   {says(func(a *Actual) { a.Names[0].Features.ByHand = true }, absent), "", ""},
		"there are no servers":            {func(a *Actual) { a.Names[0].Unasked = providers.ErrNotFound }, "zone-not-delegated", Error},
		"the servers were not found":      {func(a *Actual) { a.Names[0].Unasked = errors.New("no answer in time") }, "delegation-unknown", Warning},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			a := stageActual(tc.actual)
			fs := delegationFindings(stageBucket(nil), a, a.Names[0])
			switch {
			case tc.code == "" && len(fs) == 0:
			case len(fs) != 1 || fs[0].Code != tc.code || fs[0].Severity != tc.sev || fs[0].Detail == "":
				t.Errorf("%+v", fs)
			}
		})
	}
}

// TestPlanWithoutDNS: a plan can be made where the authoritative servers cannot
// be asked; a zone that has none is an error.
func TestPlanWithoutDNS(t *testing.T) {
	var h hooked
	inWorld(t, assets, func(l *lab) { l.options.Hook = h.hook }, func(t *testing.T, s *session) {
		h.set(func(c sandbox.Call) error {
			if c.Op == "Resolver.Authoritative" {
				return errors.New("no route")
			}
			return nil
		})
		b := s.plan(t.Context(), Migrate).Buckets[0]
		if b.Standing != StandNew || b.Findings[0].Code != "delegation-unknown" {
			t.Errorf("%s %+v", b.Standing, b.Findings)
		}
	})
}

// TestRollbackWithoutDNS: the way back needs no name server, only its proof does.
func TestRollbackWithoutDNS(t *testing.T) {
	var h hooked
	inWorld(t, assets, func(l *lab) { l.options.Hook = h.hook }, func(t *testing.T, s *session) {
		before := s.w.Records(assets)
		s.want(s.apply(t.Context(), Migrate), OutcomeFinished)
		h.set(func(c sandbox.Call) error {
			if c.Op == "Resolver.Authoritative" {
				return errors.New("no route")
			}
			return nil
		})
		r := one(t, s.run(t.Context(), s.plan(t.Context(), Rollback), func(x *Executor) { x.WaitTimeout = 2 * time.Hour }))
		if r.Outcome != OutcomeWaiting || r.Stage != DNSRestored || !r.Switched || !strings.Contains(r.Why, "no route") {
			t.Errorf("%+v", r)
		}
		if got := s.w.Records(assets); !providers.SameRecords(got, before) {
			t.Errorf("the record is %v, was %v", got, before)
		}
		s.served()
	})
}

func TestSwitchIsAfterWhatItNeeds(t *testing.T) {
	inWorld(t, assets, nil, func(t *testing.T, s *session) {
		b := s.plan(t.Context(), Migrate).Buckets[0]
		// Issue, then the old TTL of an hour; the switch itself comes after.
		if want := expectIssued + time.Hour + expectInSync; b.Switch.Duration() != want || b.Expect <= b.Switch {
			t.Errorf("switch after %s of %s, want %s", b.Switch.Duration(), b.Expect.Duration(), want)
		}
	})
}
