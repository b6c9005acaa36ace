package planner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/providers"
	"github.com/edgeward/edgeward/providers/sandbox"
)

// questions counts the names that CloudFront was asked for, and refuses with fail;
// and the certificates that were read.
type questions struct {
	mu    sync.Mutex
	names []string
	certs int
	fail  error
}

func (q *questions) hook(c sandbox.Call) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if c.Op == "Certificates.Certificate" && !c.After {
		q.certs++
	}
	if c.Op != "Distributions.Conflicts" || c.After {
		return nil
	}
	q.names = append(q.names, c.Name)
	return q.fail
}

// adopted adds the distribution that the only bucket is to adopt, with a certificate
// of those names, or with none.
func (s *session) adopted(names, aliases []string) string {
	b := s.c.Buckets[0].Name
	set := providers.Settings{Enabled: true, Aliases: aliases, OriginDomain: b + ".s3.eu-west-1.amazonaws.com", OriginKind: providers.RESTOrigin,
		Methods: []string{"GET", "HEAD"}, ViewerProtocol: "allow-all", CachePolicyID: "4135ea2d-6df8-44a3-9df3-4b5a84be39ad", PriceClass: "PriceClass_100", HTTPVersion: "http2", MinimumTLS: "TLSv1.2_2021"}
	if names != nil {
		set.CertificateARN = s.w.AddCertificate("", providers.Certificate{Names: names})
	}
	id := s.w.AddDistribution("", set, nil).ID
	s.c.Buckets[0].Distribution = config.Distribution{Adopt: id}
	return id
}

// Rule 11: who else has a name is asked where a distribution with a certificate that
// covers it is to get it, and nowhere else; no answer stops nothing.
func TestWhoElseHasTheName(t *testing.T) {
	const low = "low.example.com"
	wild := []string{"*.example.com"}
	tests := map[string]struct {
		world func(*session)
		fail  error
		asked int
		certs int
		code  string // "" is no finding about aliases
		sev   Severity
		says  []string
	}{
		"nobody": {world: func(s *session) { s.adopted(wild, nil) }, asked: 1},
		"another account": {world: func(s *session) {
			s.adopted(wild, nil)
			s.w.AddForeignDistribution("somebody", low)
		}, asked: 1, code: "alias-taken", sev: Error, says: []string{"of another AWS account holds low.example.com already", "*******", "Ask its owner", "_low.example.com TXT", "UpdateDomainAssociation"}},
		"another account, a wildcard": {world: func(s *session) {
			s.adopted(wild, nil)
			s.w.AddForeignDistribution("somebody", "*.example.com")
		}, asked: 1, code: "alias-wildcard", sev: Note, says: []string{"of another AWS account", "more specific alias wins"}},
		"this account": {world: func(s *session) {
			s.adopted(wild, nil)
			s.w.AddForeignDistribution("", low)
		}, code: "alias-taken", sev: Error, says: []string{"distribution { adopt = "}},
		"this account, a wildcard": {world: func(s *session) {
			s.adopted(wild, nil)
			s.w.AddForeignDistribution("", "*.example.com")
		}, asked: 1, code: "alias-wildcard", sev: Note, says: []string{"covers the name"}},
		"its own wildcard": {world: func(s *session) { s.adopted(wild, wild) }, asked: 1},
		"it may not be asked": {world: func(s *session) { s.adopted(wild, nil) }, fail: fmt.Errorf("AccessDenied: %w", providers.ErrDenied),
			asked: 1, code: "alias-unknown", sev: Note, says: []string{"allow cloudfront:ListDomainConflicts"}},
		"too many requests": {world: func(s *session) { s.adopted(wild, nil) }, fail: fmt.Errorf("Throttling: %w", providers.ErrThrottled),
			asked: 1, code: "alias-unknown", sev: Note, says: []string{"gave no answer"}},
		"nobody knows the call": {world: func(s *session) { s.adopted(wild, nil) }, fail: errors.New("NotImplemented (request 7)"),
			asked: 1, code: "alias-unknown", sev: Note, says: []string{"gave no answer"}},
		"a certificate that does not cover": {world: func(s *session) {
			s.adopted([]string{"old.example.net"}, []string{"old.example.net"})
			s.w.AddForeignDistribution("somebody", low)
		}, certs: 1},
		"a certificate that is over": {world: func(s *session) {
			id := s.adopted(wild, nil)
			arn := s.w.Distributions()[slices.IndexFunc(s.w.Distributions(), func(d providers.Distribution) bool { return d.ID == id })].Settings.CertificateARN
			s.w.EditCertificate(arn, func(c *providers.Certificate) { c.Status = "EXPIRED" })
		}, certs: 1},
		"no certificate":  {world: func(s *session) { s.adopted(nil, nil) }},
		"it has the name": {world: func(s *session) { s.adopted(wild, []string{low}) }},
		"no distribution": {world: func(s *session) {
			s.w.AddCertificate("", providers.Certificate{Names: wild})
			s.w.AddForeignDistribution("somebody", low)
		}},
	}
	for what, tc := range tests {
		t.Run(what, func(t *testing.T) {
			q := &questions{fail: tc.fail}
			inWorld(t, low, func(l *lab) { l.options.Hook = q.hook }, func(t *testing.T, s *session) {
				tc.world(s)
				b := s.plan(t.Context(), Migrate).Buckets[0]
				if len(q.names) != tc.asked || q.certs != tc.certs {
					t.Errorf("asked for %v and %d certificates, want %d questions and %d certificates", q.names, q.certs, tc.asked, tc.certs)
				}
				var fs []Finding
				for _, f := range b.Findings {
					if strings.HasPrefix(f.Code, "alias-") {
						fs = append(fs, f)
					}
				}
				if tc.code == "" {
					if fs != nil || b.Standing == StandBlocked {
						t.Fatalf("%s %+v", b.Standing, b.Findings)
					}
					return
				}
				if len(fs) != 1 || fs[0].Code != tc.code || fs[0].Severity != tc.sev || (b.Standing == StandBlocked) != (tc.sev == Error) {
					t.Fatalf("%s %+v, want one %s %s", b.Standing, fs, tc.sev, tc.code)
				}
				for _, says := range tc.says {
					if text := fs[0].Summary + " " + fs[0].Detail; !strings.Contains(text, says) || strings.Contains(text, "request 7") {
						t.Errorf("%q is not in %q", says, text)
					}
				}
			})
		})
	}
}

// tenants answers as CloudFront does where a distribution tenant has the name.
type tenants struct {
	providers.Distributions
	by providers.Holder
}

func (d tenants) Conflicts(context.Context, string, string) ([]providers.Holder, error) {
	return []providers.Holder{d.by}, nil
}

// A tenant is in no list of distributions, so one of this account is told too.
func TestATenantHasTheName(t *testing.T) {
	const low = "low.example.com"
	inWorld(t, low, nil, func(t *testing.T, s *session) {
		s.adopted([]string{low}, nil)
		w := s.w.Providers()
		acc := w.Accounts[""]
		number, err := acc.Identity.AccountID(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for account, whose := range map[string]string{"******" + number[6:]: "this AWS account", "******112233": "another AWS account"} {
			acc.Distributions = tenants{w.Accounts[""].Distributions, providers.Holder{Alias: low, ID: "***************ohWzv1b9It8JABC", Account: account, Tenant: true}}
			p, err := Make(t.Context(), providers.World{Accounts: map[string]providers.Account{"": acc}, DNS: w.DNS, Resolver: w.Resolver, Web: w.Web, Clock: w.Clock}, s.c, Options{Goal: Migrate})
			if err != nil {
				t.Fatal(err)
			}
			f := s.found(p, "alias-taken")
			if p.Buckets[0].Standing != StandBlocked || !strings.Contains(f.Summary, "a distribution tenant of "+whose) || !strings.Contains(f.Detail, "ohWzv1b9It8JABC of account "+account) {
				t.Errorf("%+v", f)
			}
		}
	})
}

// A finished bucket is not asked about; a name that it gets later is, alone.
func TestWhoElseHasALaterName(t *testing.T) {
	q := &questions{}
	inWorld(t, assets, func(l *lab) { l.options.Hook = q.hook }, func(t *testing.T, s *session) {
		s.w.AddCertificate("", providers.Certificate{Names: []string{"*.example.com"}})
		s.want(s.apply(t.Context(), Migrate), OutcomeFinished)
		s.plan(t.Context(), Migrate)
		if q.names != nil {
			t.Errorf("asked for %v", q.names)
		}
		const later = "static.example.com"
		s.w.AddForeignDistribution("somebody", later)
		s.c.Buckets[0].CNAMEs = append(s.c.Buckets[0].CNAMEs, config.CNAME{Name: later, DNSProvider: route53, Zone: "example.com"})
		p := s.plan(t.Context(), Migrate)
		if f := s.found(p, "alias-taken"); p.Buckets[0].Standing != StandBlocked || !strings.Contains(f.Summary, later) || !slices.Equal(q.names, []string{later}) {
			t.Errorf("asked for %v: %+v", q.names, f)
		}
		s.served()
	})
}

func TestShownAs(t *testing.T) {
	tests := map[string]struct {
		masked, full string
		want         bool
	}{
		"masked":          {"*******EXAMPLE", "EDFDVBD6EXAMPLE", true},
		"whole":           {"123456789012", "123456789012", true},
		"another":         {"*******EXAMPLE", "EDFDVBD6EXAMPLF", false},
		"nothing shown":   {"************", "123456789012", false},
		"nothing at all":  {"", "123456789012", false},
		"of unknown name": {"******789012", "", false},
	}
	for what, tc := range tests {
		if got := shownAs(tc.masked, tc.full); got != tc.want {
			t.Errorf("%s: %t", what, got)
		}
	}
}
