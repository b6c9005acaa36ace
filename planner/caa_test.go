package planner

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/providers"
	"github.com/edgeward/edgeward/providers/sandbox"
)

// caaRecord is an answer of one resolver with CAA properties at a name.
func caaAnswer(at string, properties ...string) providers.Answer {
	a := providers.Answer{Server: "r", RCode: "NOERROR"}
	for _, p := range properties {
		a.Records = append(a.Records, providers.AnswerRecord{Name: at, Type: "CAA", Value: p})
	}
	return a
}

func TestAllowsAmazon(t *testing.T) {
	tests := map[string]struct {
		set       string // properties, separated by |
		name      string
		forbidden bool
	}{
		"Amazon":                         {`0 issue "amazon.com"`, "a.example.com", false},
		"Amazon among others":            {`0 issue "letsencrypt.org"|0 issue "awstrust.com"`, "a.example.com", false},
		"another spelling":               {`0 ISSUE " Amazon.com ; policy=ev"`, "a.example.com", false},
		"others":                         {`0 issue "letsencrypt.org"`, "a.example.com", true},
		"nobody":                         {`0 issue ";"`, "a.example.com", true},
		"only a contact":                 {`0 iodef "mailto:x@example.com"`, "a.example.com", false},
		"a wildcard property alone":      {`0 issuewild "letsencrypt.org"`, "a.example.com", false},
		"a wildcard, forbidden":          {`0 issue "amazon.com"|0 issuewild ";"`, "*.example.com", true},
		"a wildcard, by issue":           {`0 issue "amazon.com"`, "*.example.com", false},
		"a wildcard's own":               {`0 issue ";"|0 issuewild "amazon.com"`, "*.example.com", false},
		"a critical one that is unknown": {`0 issue "amazon.com"|128 future "x"`, "a.example.com", true},
		"an uncritical one":              {`0 issue "amazon.com"|0 future "x"`, "a.example.com", false},
		"a name that only looks like it": {`0 issue "notamazon.com"`, "a.example.com", true},
	}
	for what, tc := range tests {
		t.Run(what, func(t *testing.T) {
			c := caaActual{name: tc.name}
			c.take("example.com", []providers.Answer{caaAnswer("example.com", strings.Split(tc.set, "|")...)})
			if c.forbids() != tc.forbidden {
				t.Errorf("forbids: %t", c.forbids())
			}
		})
	}
}

func TestCAATakesWhatResolversSay(t *testing.T) {
	broken := providers.Answer{Server: "b", RCode: "SERVFAIL"}
	others := caaAnswer("example.com", `0 issue "letsencrypt.org"`)
	tests := map[string]struct {
		answers []providers.Answer
		forbids bool
		unknown bool
	}{
		"all alike":                   {[]providers.Answer{others, others}, true, false},
		"one has the new set already": {[]providers.Answer{others, caaAnswer("example.com", `0 issue "amazon.com"`)}, false, false},
		"one is broken":               {[]providers.Answer{broken, others}, true, false},
		"none answers":                {[]providers.Answer{broken, {Server: "c", Err: "no answer in time"}}, false, true},
		"none has a set":              {[]providers.Answer{caaAnswer("example.com"), {Server: "c", RCode: "NXDOMAIN"}}, false, false},
		"nobody was asked":            {nil, false, true},
	}
	for what, tc := range tests {
		t.Run(what, func(t *testing.T) {
			c := caaActual{name: "a.example.com"}
			c.take("example.com", tc.answers)
			if c.forbids() != tc.forbids || (c.unknown != "") != tc.unknown {
				t.Errorf("forbids %t, unknown %q", c.forbids(), c.unknown)
			}
		})
	}
}

func TestStageCertificateWithCAA(t *testing.T) {
	set := func(p string) func(*Actual) {
		return func(a *Actual) {
			a.CAA = []caaActual{{name: "a.example.com", at: "example.com", sets: [][]string{{p}}}}
		}
	}
	runStage(t, CertificateRequest, Migrate, map[string]stageCase{
		"Amazon may":       {actual: set(`0 issue "amazon.com"`), want: Todo},
		"Amazon may not":   {actual: set(`0 issue "letsencrypt.org"`), want: Failed, why: `Add to zone example.com the record example.com. IN CAA 0 issue "amazon.com"`},
		"nobody knows":     {actual: func(a *Actual) { a.CAA = []caaActual{{name: "a.example.com", unknown: "r answers SERVFAIL"}} }, want: Todo},
		"one is there":     {actual: func(a *Actual) { set(`0 issue ";"`)(a); pending(providers.CertificatePending)(a) }, want: Done},
		"one is named":     {bucket: func(b *config.Bucket) { b.CertificateARN = "arn:x" }, want: Failed, why: "does not exist"},
		"already switched": {actual: func(a *Actual) { set(`0 issue ";"`)(a); atEdge(0)(a) }, want: Done},
	})
}

// TestCAAIsWalkedLive: the nearest set counts, and a CNAME is followed.
func TestCAAIsWalkedLive(t *testing.T) {
	const others, amazon = `0 issue "letsencrypt.org"`, `0 issue "amazontrust.com"`
	tests := map[string]struct {
		at, value, at2, value2 string
		blocked                bool
	}{
		"nothing anywhere":         {},
		"at the top of the zone":   {at: "example.com", value: others, blocked: true},
		"the nearest one counts":   {at: "example.com", value: others, at2: "b.example.com", value2: amazon},
		"the nearest one forbids":  {at: "example.com", value: amazon, at2: "b.example.com", value2: others, blocked: true},
		"beside the name no other": {at: "c.example.com", value: others},
	}
	for what, tc := range tests {
		t.Run(what, func(t *testing.T) {
			inWorld(t, assets, func(l *lab) {
				const name = "assets.b.example.com"
				l.config.Buckets = nil
				l.bucket(name, route53, nil, cname(name, name+".s3.eu-west-1.amazonaws.com", 0))
				l.config.Buckets[0].CNAMEs[0].Zone = "example.com"
				for _, r := range [][2]string{{tc.at, tc.value}, {tc.at2, tc.value2}} {
					if r[0] != "" {
						l.options.DNS[0].Records = append(l.options.DNS[0].Records, sandbox.NamedRecord{Name: r[0], Other: "CAA", Value: r[1]})
					}
				}
			}, func(t *testing.T, s *session) {
				p := s.plan(t.Context(), Migrate)
				if blocked := p.Buckets[0].Standing == StandBlocked; blocked != tc.blocked {
					t.Fatalf("%s: %+v", p.Buckets[0].Standing, p.Buckets[0].Findings)
				}
				if !tc.blocked {
					s.want(s.run(t.Context(), p, nil), OutcomeFinished)
				}
			})
		})
	}
}

// TestCAASetAfterThePlan: nothing is requested that must fail; and what ACM
// refuses hurts no visitor.
func TestCAASetAfterThePlan(t *testing.T) {
	var h hooked
	inWorld(t, assets, func(l *lab) { l.options.Hook = h.hook }, func(t *testing.T, s *session) {
		p := s.plan(t.Context(), Migrate)
		s.w.SetOther(route53, "example.com", "CAA", `0 issue ";"`)
		pause1(t, 6*time.Minute) // caches forget that there was none
		r := one(t, s.run(t.Context(), p, nil))
		if r.Outcome != OutcomeFailed || r.Stage != CertificateRequest || !strings.Contains(r.Why, "CAA_ERROR") {
			t.Errorf("%+v", r)
		}
		if n := s.w.CallsByOp()["Certificates.Request"]; n > 0 {
			t.Errorf("%d certificates were requested", n)
		}
		// The look fails: ACM finds it out.
		h.set(func(c sandbox.Call) error {
			if c.Op == "Resolver.Resolve" && strings.HasSuffix(c.Name, " CAA") {
				return errors.New("no route")
			}
			return nil
		})
		p = s.plan(t.Context(), Migrate)
		if f := p.Buckets[0].Findings; len(f) == 0 || f[0].Code != "caa-unknown" || f[0].Severity != Warning {
			t.Errorf("%+v", f)
		}
		r = one(t, s.run(t.Context(), p, nil))
		if r.Outcome != OutcomeFailed || r.Stage != CertificateIssued || !strings.Contains(r.Why, "CAA_ERROR") {
			t.Errorf("%+v", r)
		}
		s.served()
	})
}

// TestCAACostsNothingWithACertificate: it is asked for only where a certificate
// has to be requested.
func TestCAACostsNothingWithACertificate(t *testing.T) {
	var h hooked
	inWorld(t, assets, func(l *lab) { l.options.Hook = h.hook }, func(t *testing.T, s *session) {
		s.w.AddCertificate("", providers.Certificate{Names: []string{"*.example.com"}})
		h.set(func(c sandbox.Call) error {
			if strings.HasSuffix(c.Name, " CAA") {
				t.Errorf("%s %s", c.Op, c.Name)
			}
			return nil
		})
		s.want(s.apply(t.Context(), Migrate), OutcomeFinished)
	})
}
