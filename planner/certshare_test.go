package planner

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/providers"
)

// sharing is the lab with one certificate for its buckets.
func sharing(seed int64) *lab {
	l := newLab(seed)
	for i := range l.config.Buckets {
		l.config.Buckets[i].ShareCertificate = true
	}
	return l
}

// certificates counts those of the account.
func (s *session) certificates() int {
	s.t.Helper()
	q, err := s.w.Providers().Accounts[""].Quotas.Quotas(s.t.Context(), providers.QuotaCertificates)
	if err != nil {
		s.t.Fatal(err)
	}
	return q[0].Used
}

func TestSharedCertificate(t *testing.T) {
	tests := map[string]struct {
		change func(*lab, *session)
		names  int
		want   int
		left   string // the bucket that is blocked
	}{
		"one for all":   {nil, 10, 1, ""},
		"groups of two": {nil, 2, 3, ""},
		"not by default": {func(l *lab, _ *session) {
			for i := range l.config.Buckets {
				l.config.Buckets[i].ShareCertificate = false
			}
		}, 10, 5, ""},
		"one per wave": {func(l *lab, _ *session) {
			l.config.Buckets[0].Wave, l.config.Buckets[1].Wave = "first", "first"
			l.config.Rollout.Waves = []config.Wave{{Name: "first", MaxFailures: -1}}
		}, 10, 2, ""},
		"CAA forbids one": {func(_ *lab, s *session) {
			s.w.SetOther(swapped, "example.org", "CAA", `0 issue "ca.example.net"`)
		}, 10, 1, `bucket["www.example.org"]`},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := sharing(1)
				l.options.Quotas = map[providers.QuotaKind]int{providers.QuotaCertificateNames: tc.names}
				s := l.start(t)
				if tc.change != nil {
					tc.change(l, s)
				}
				s.w.StartVisitors(t.Context(), time.Minute)
				p := s.plan(t.Context(), Migrate)
				for _, r := range s.run(t.Context(), p, nil).Results {
					if want := map[bool]Outcome{true: OutcomeBlocked, false: OutcomeFinished}[r.Address == tc.left]; r.Outcome != want {
						t.Errorf("%s: %s at %s: %s", r.Address, r.Outcome, r.Stage, r.Why)
					}
				}
				for _, b := range p.Buckets {
					if hasCode(b.Findings, "certificate-not-shared") != (b.Address == tc.left) {
						t.Errorf("%s: %v", b.Address, b.Findings)
					}
				}
				s.served()
				if n := s.certificates(); n != tc.want {
					t.Errorf("%d certificates, want %d", n, tc.want)
				}
				if t.Failed() {
					t.Log(s.said())
				}
			})
		})
	}
}

// One bucket drives the certificate of its group alone, and the others use it
// later, whatever the groups are by then.
func TestSharedCertificateAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := sharing(2)
		s := l.start(t)
		s.o.Targets = []string{`bucket["fonts.example.com"]`}
		s.want(s.apply(t.Context(), Migrate), OutcomeFinished)
		l.bucket("new.example.com", route53, nil, cname("new.example.com", "s3.eu-west-1.amazonaws.com", time.Minute))
		l.config.Buckets = l.config.Buckets[:len(l.config.Buckets)-1] // in no world; only the groups move
		l.options.Quotas = map[providers.QuotaKind]int{providers.QuotaCertificateNames: 4}
		slices.Reverse(l.config.Buckets)
		s.o.Targets = nil
		for _, r := range s.apply(t.Context(), Migrate).Results {
			if r.Outcome != OutcomeFinished && r.Outcome != OutcomeNothing {
				t.Errorf("%+v", r)
			}
		}
		if n := s.certificates(); n != 1 {
			t.Errorf("%d certificates\n%s", n, s.said())
		}
		s.o.Retry = nil
		s.want(s.apply(t.Context(), Rollback), OutcomeRolled)
		if n := s.certificates(); n != 1 {
			t.Errorf("%d certificates after the way back", n)
		}
	})
}

func TestGroupsOfNames(t *testing.T) {
	buckets := func(names ...string) []config.Bucket {
		var out []config.Bucket
		for _, n := range names {
			b := config.Bucket{Address: "bucket." + n, Name: n, ShareCertificate: !strings.HasPrefix(n, "x")}
			for i := range 1 + strings.Count(n, "+") {
				b.CNAMEs = append(b.CNAMEs, config.CNAME{Name: fmt.Sprint(n, i)})
			}
			out = append(out, b)
		}
		return out
	}
	tests := map[string]struct {
		all  []config.Bucket
		of   string
		want []string
	}{
		"in order of names":        {buckets("c", "a", "b"), "a", []string{"a", "b", "c"}},
		"full":                     {buckets("a", "b", "c", "d", "e"), "e", []string{"d", "e"}},
		"a bucket is not divided":  {buckets("a", "b", "c+", "d"), "c+", []string{"c+", "d"}},
		"more than fits":           {buckets("a", "b+++", "c"), "b+++", []string{"b+++"}},
		"before more than fits":    {buckets("a", "b+++", "c"), "a", []string{"a"}},
		"after more than fits":     {buckets("a", "b+++", "c"), "c", []string{"c"}},
		"those that do not share":  {buckets("a", "x", "b"), "b", []string{"a", "b"}},
		"one that does not itself": {buckets("a", "x", "b"), "x", nil},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			i := slices.IndexFunc(tc.all, func(b config.Bucket) bool { return b.Name == tc.of })
			o := observer{w: providers.World{DNS: map[string]providers.DNS{"": noHand{}}}, c: &config.Config{Buckets: tc.all}, b: tc.all[i]}
			var got []string
			for _, b := range o.groupOf(3) {
				got = append(got, b.Name)
			}
			if d := cmp.Diff(tc.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

// noHand is a provider that no person is.
type noHand struct{ providers.DNS }

func (noHand) Features() providers.Features { return providers.Features{} }

// TestKilledWhileSharing: two buckets share a certificate, and a run dies at a call
// before or after its effect. Another run, at once or after a while, reaches the
// end, with one certificate and with a distribution for each.
func TestKilledWhileSharing(t *testing.T) {
	one := func(seed int64) *lab { return sharing(seed).only("low.example.com", "fonts.example.com") }
	runs := 0
	for n := 1; n < 90; n += 3 {
		synctest.Test(t, func(t *testing.T) {
			l := one(int64(n))
			opts, arm := killedAt(l, n, n%2 == 0)
			l.options = opts
			s := l.start(t)
			s.w.StartVisitors(t.Context(), 5*time.Minute)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			arm(cancel)
			if p, err := Make(ctx, s.w.Providers(), s.c, s.o); err == nil && ctx.Err() == nil {
				s.run(ctx, p, nil)
			}
			arm(nil)
			_ = providers.RealClock{}.Sleep(t.Context(), time.Duration(n*97%3600)*time.Second)
			s.o.Targets = []string{[]string{"*", `bucket["low.example.com"]`}[n%2]}
			s.apply(t.Context(), Migrate)
			s.o.Targets = nil
			s.apply(t.Context(), Migrate)
			if p := s.plan(t.Context(), Migrate); p.Summary.Done != 2 || len(s.w.Distributions()) != 2 || s.certificates() != 1 {
				t.Errorf("killed at %d: %+v, %d distributions, %d certificates\n%s", n, p.Summary, len(s.w.Distributions()), s.certificates(), s.said())
			}
			s.served()
			runs++
		})
		if t.Failed() {
			break
		}
	}
	t.Logf("%d runs", runs)
}

// A token of each bucket's own makes a certificate for each: what one for all rests
// on is that every bucket of a group asks with the same words.
func TestSharedCertificatesRestOnTheToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := sharing(1)
		s := l.start(t)
		s.o.stages = faulty(CertificateRequest, func(st *stage) {
			st.do = func(ctx context.Context, sc scene) error {
				_, err := sc.acc.Certificates.Request(ctx, requested(sc.b, sc.a), digest(sc.b.Name)[:32], map[string]string{providers.TagBucket: sharedTag + "x"})
				return err
			}
		})
		s.run(t.Context(), s.plan(t.Context(), Migrate), nil)
		if s.certificates() < 2 {
			t.Error("the fault does not show")
		}
	})
}
