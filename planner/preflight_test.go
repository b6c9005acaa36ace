package planner

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/edgeward/edgeward/providers"
	"github.com/edgeward/edgeward/providers/sandbox"
)

// manyBuckets is a lab of n buckets in one zone.
func manyBuckets(n int) *lab {
	l := newLab(1)
	l.config.Buckets, l.options.Buckets = nil, nil
	for i := range n {
		name := fmt.Sprintf("b%03d.example.com", i)
		l.bucket(name, route53, nil, cname(name, "s3.eu-west-1.amazonaws.com", 30*time.Second))
	}
	return l
}

func TestPreflight(t *testing.T) {
	limit := func(k providers.QuotaKind, n int) map[providers.QuotaKind]int {
		return map[providers.QuotaKind]int{k: n}
	}
	tests := map[string]struct {
		quotas map[providers.QuotaKind]int
		change func(*lab, *session)
		want   []string // severity and code of the plan's findings
		rows   map[providers.QuotaKind][3]int
	}{
		"room": {nil, nil, nil, map[providers.QuotaKind][3]int{
			providers.QuotaDistributions: {500, 0, 12}, providers.QuotaCachePolicies: {20, 0, 1}, providers.QuotaCertificates: {2500, 0, 12},
			providers.QuotaCertificatesYear: {5000, 0, 12}, providers.QuotaRecordChanges: {0, 0, 24}}},
		"as many as there may be": {limit(providers.QuotaDistributions, 12), nil, []string{"note quota-distributions"}, nil},
		"one too many":            {limit(providers.QuotaDistributions, 11), nil, []string{"error quota-distributions"}, nil},
		"fewer at once": {limit(providers.QuotaDistributions, 11), func(_ *lab, s *session) { s.o.Targets = []string{"*b00*"} },
			[]string{"note quota-distributions"}, map[providers.QuotaKind][3]int{providers.QuotaDistributions: {11, 0, 10}}},
		"nobody tells":          {limit(providers.QuotaDistributions, 11), func(l *lab, _ *session) { l.options.QuotasDenied = true }, nil, nil},
		"a year's certificates": {limit(providers.QuotaCertificatesYear, 5), nil, []string{"error quota-certificates-a-year"}, nil},
		"shared": {limit(providers.QuotaCertificates, 2), func(l *lab, _ *session) {
			for i := range l.config.Buckets {
				l.config.Buckets[i].ShareCertificate = true
			}
		}, []string{"note quota-certificates"}, map[providers.QuotaKind][3]int{providers.QuotaCertificates: {2, 0, 2}}},
		"several policies of a variant": {limit(providers.QuotaCachePolicies, 1), func(l *lab, _ *session) {
			l.options.Buckets[0].CORS = anyOrigin()
		}, []string{"error quota-cache-policies"}, map[providers.QuotaKind][3]int{providers.QuotaCachePolicies: {1, 0, 2}}},
		"nothing to make": {limit(providers.QuotaDistributions, 1), func(_ *lab, s *session) { s.o.Until = CertificateIssued }, nil, nil},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := manyBuckets(12)
				l.options.Quotas = tc.quotas
				s := &session{t: t, c: l.config, o: Options{brief: true}}
				if tc.change != nil {
					tc.change(l, s)
				}
				s.w = sandbox.New(l.options)
				p := s.plan(t.Context(), Migrate)
				var got []string
				for _, f := range p.Findings {
					got = append(got, string(f.Severity)+" "+f.Code)
				}
				if d := cmp.Diff(tc.want, got); d != "" {
					t.Errorf("findings: %s\n%v", d, p.Findings)
				}
				for _, q := range p.Quotas {
					if want, ok := tc.rows[q.Kind]; ok && want != [3]int{q.Limit, q.Used, q.Plan} {
						t.Errorf("%+v, want %v", q, want)
					}
				}
			})
		})
	}
}

// A default that AWS did not confirm refuses nothing.
func TestPreflightByDefault(t *testing.T) {
	q := QuotaUse{Kind: providers.QuotaDistributions, Limit: 500, Used: 480, Plan: 30, Default: true, Why: "it may not be asked for"}
	fs := q.findings()
	if len(fs) != 1 || fs[0].Severity != Warning || !strings.Contains(fs[0].Summary, "20 are free") {
		t.Errorf("%+v", fs)
	}
	q.Default = false
	if fs = q.findings(); len(fs) != 1 || fs[0].Severity != Error || !strings.Contains(fs[0].Detail, "L-24B04930") || !strings.Contains(fs[0].Detail, "multi-tenant") {
		t.Errorf("%+v", fs)
	}
}

// Who has nothing to make is asked nothing; a count that fails is said, and
// credentials that are none stop the plan.
func TestPreflightAsksOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := manyBuckets(3)

		s := l.start(t)
		s.want(s.apply(t.Context(), Migrate), OutcomeFinished)
		asked := s.w.CallsByOp()["Quotas.Quotas"]
		if p := s.plan(t.Context(), Migrate); asked != 1 || s.w.CallsByOp()["Quotas.Quotas"] != 1 || p.Quotas != nil {
			t.Errorf("asked %d times, then %d: %v", asked, s.w.CallsByOp()["Quotas.Quotas"], p.Quotas)
		}
	})
	for class, want := range map[error]bool{errors.New("hung up"): false, providers.ErrCredentials: true} {
		synctest.Test(t, func(t *testing.T) {
			l := manyBuckets(1)
			l.options.Hook = func(c sandbox.Call) error {
				if c.Op == "Quotas.Quotas" {
					return class
				}
				return nil
			}
			s := l.start(t)
			p, err := Make(t.Context(), s.w.Providers(), s.c, s.o)
			if (err != nil) != want || !want && !hasCode(p.Findings, "quota-unknown") {
				t.Errorf("%v: %v, %v", class, err, p.Findings)
			}
		})
	}
}

// A saved plan is judged again: what was free when it was made may be used by now.
func TestPreflightOfSavedPlan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := manyBuckets(4)
		l.options.Quotas = map[providers.QuotaKind]int{providers.QuotaDistributions: 5}
		s := l.start(t)
		s.o.Targets = []string{"*b000*", "*b001*", "*b002*"}
		o := s.o
		o.Goal = Migrate
		saved := Save(s.plan(t.Context(), Migrate), o, "test", "digest")
		for i := range 3 {
			_, err := s.w.Providers().Accounts[""].Distributions.Create(t.Context(), fmt.Sprint("other", i), providers.Settings{Enabled: true,
				OriginDomain: "x.s3.eu-west-1.amazonaws.com", OriginKind: providers.RESTOrigin, ViewerProtocol: "allow-all", Methods: []string{"GET", "HEAD"},
				PriceClass: "PriceClass_All", HTTPVersion: "http2", CachePolicyID: "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"}, nil)
			if err != nil {
				t.Fatal(err)
			}
		}
		p, _, err := saved.Renew(t.Context(), s.w.Providers(), s.c, o)
		if err != nil || !hasCode(p.Findings, "quota-distributions") || p.Findings[0].Severity != Error {
			t.Errorf("%v, %+v", err, p.Findings)
		}
	})
}
