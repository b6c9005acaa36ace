package planner

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/edgeward/edgeward/providers"
	"github.com/edgeward/edgeward/providers/sandbox"
)

// closedByHand has somebody close the bucket to all but its distribution, beside
// edgeward: the distribution signs, and the policy names it alone.
func closedByHand(t *testing.T, s *session) {
	t.Helper()
	d := s.w.Distributions()[0]
	id := s.w.AddOriginAccess("", "by-hand", true)
	s.w.EditDistribution(d.ID, func(x *providers.Settings) { x.OriginAccessID = id })
	pause1(t, 30*time.Minute)
	s.w.SetPolicy(assets, fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Sid":"Theirs","Effect":"Allow","Principal":{"Service":"cloudfront.amazonaws.com"},`+
		`"Action":"s3:GetObject","Resource":"arn:aws:s3:::%s/*","Condition":{"StringEquals":{"AWS:SourceArn":"%s"}}}]}`, assets, d.ARN))
	pause1(t, 10*time.Minute)
	if s.public() {
		t.Fatal("the bucket is not closed")
	}
}

// onlySwitched has the bucket switched and no more.
func onlySwitched(t *testing.T, s *session) {
	t.Helper()
	s.o.Until = DNSPropagated
	s.want(s.apply(t.Context(), Migrate), OutcomeStopped)
	s.o.Until = ""
}

// stayed: the name is the distribution's, nothing was written down, and no visitor
// has missed anything.
func (s *session) stayed() {
	s.t.Helper()
	d := s.w.Distributions()[0]
	if rs := s.w.Records(assets); len(rs) != 1 || rs[0].Value != d.Domain || d.Tags[crumbHold] != "" {
		s.t.Errorf("%v, hold %q", rs, d.Tags[crumbHold])
	}
	s.served()
}

// TestRollbackToAClosedS3: the names do not go back to an S3 that answers
// 403, whoever wants them to; once it serves everybody again they do.
func TestRollbackToAClosedS3(t *testing.T) {
	tests := map[string]func(*testing.T, *session){
		"by hand": func(t *testing.T, s *session) {
			r := one(t, s.apply(t.Context(), Rollback))
			if r.Outcome != OutcomeBlocked || !strings.Contains(r.Hint, "-accept-s3-loss -target=") {
				t.Errorf("%+v", r)
			}
		},
		"closed after the plan": func(t *testing.T, s *session) {
			policy := s.w.Policy(assets)
			s.w.SetPolicy(assets, publicPolicyOf(assets))
			pause1(t, 10*time.Minute)
			p := s.plan(t.Context(), Rollback)
			s.w.SetPolicy(assets, policy)
			pause1(t, 10*time.Minute)
			r := one(t, s.run(t.Context(), p, nil))
			if r.Outcome != OutcomeFailed || r.Stage != DNSRestore || !strings.Contains(r.Why, "403") || !strings.Contains(r.Hint, "-accept-s3-loss") {
				t.Errorf("%+v", r)
			}
		},
		"without its configuration": func(t *testing.T, s *session) {
			own := s.c
			forget(t, s)
			r := one(t, s.apply(t.Context(), Rollback))
			if r.Outcome != OutcomeBlocked || !strings.Contains(r.Hint, "-accept-s3-loss -distribution=") {
				t.Errorf("%+v", r)
			}
			s.c = own
		},
		"by itself": func(t *testing.T, s *session) {
			s.o.stages = sick(TTLRestore, "5xx", assets)
			r := one(t, s.apply(t.Context(), Migrate))
			s.o.stages = nil
			if r.Outcome != OutcomeFailed || !strings.Contains(r.Hint, "the names stay the distribution's") || !strings.Contains(s.said(), "not going back to S3") {
				t.Errorf("%+v", r)
			}
		},
		"begun by itself, and cut off": func(t *testing.T, s *session) {
			id := s.w.Distributions()[0].ID
			s.w.EditTags(id, map[string]string{crumbHold: writeTime(time.Now()) + "/5xx", crumbProof: "", crumbLowSince: ""})
			r := one(t, s.apply(t.Context(), Migrate))
			if r.Outcome != OutcomeBlocked || !strings.Contains(r.Why, "403") {
				t.Errorf("%+v", r)
			}
			s.w.EditTags(id, map[string]string{crumbHold: ""})
		},
	}
	for name, f := range tests {
		t.Run(name, func(t *testing.T) {
			inWorld(t, assets, func(l *lab) { goingBack(l) }, func(t *testing.T, s *session) {
				onlySwitched(t, s)
				closedByHand(t, s)
				f(t, s)
				s.stayed()
				s.w.SetPolicy(assets, publicPolicyOf(assets))
				pause1(t, 10*time.Minute)
				s.want(s.apply(t.Context(), Rollback), OutcomeRolled)
				s.served()
			})
		})
	}
}

func publicPolicyOf(bucket string) string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::` + bucket + `/*"}]}`
}

// TestRollbackToS3Unseen: what S3 does not show, or shows once, and what is accepted.
func TestRollbackToS3Unseen(t *testing.T) {
	lost := func(c sandbox.Call) error {
		if c.Op == opFetch && !c.After && strings.HasPrefix(c.Name, "GET http://"+assets+"/") {
			return errors.New("connect: network is unreachable")
		}
		return nil
	}
	few := 0
	tests := map[string]struct {
		change func(*session, *hooked)
		accept bool
		want   Outcome
		says   string
	}{
		"S3 cannot be reached":           {func(_ *session, h *hooked) { h.set(lost) }, false, OutcomeBlocked, "cannot be asked"},
		"S3 cannot be reached, accepted": {func(_ *session, h *hooked) { h.set(lost) }, true, OutcomeRolled, ""},
		"S3 is closed, accepted": {func(s *session, _ *hooked) {
			s.w.SetBlock(assets, &providers.PublicAccessBlock{IgnorePublicACLs: true, RestrictPublicBuckets: true})
			pause1(s.t, 10*time.Minute)
		}, true, OutcomeRolled, ""},
		"neither serves": {func(s *session, _ *hooked) {
			s.w.Sicken(s.w.Distributions()[0].ID, 1, 503)
			s.w.SetBlock(assets, &providers.PublicAccessBlock{IgnorePublicACLs: true, RestrictPublicBuckets: true})
			pause1(s.t, 10*time.Minute)
		}, false, OutcomeBlocked, "CloudFront does not either"},
		"a few packets are lost": {func(_ *session, h *hooked) {
			h.set(func(c sandbox.Call) error {
				if err := lost(c); err != nil && few < 3 {
					few++
					return err
				}
				return nil
			})
		}, false, OutcomeRolled, ""},
		"CloudFront serves nothing": {func(s *session, _ *hooked) { s.w.Sicken(s.w.Distributions()[0].ID, 1, 503) }, false, OutcomeRolled, ""},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			var h hooked
			inWorld(t, assets, func(l *lab) { l.options.Hook = h.hook }, func(t *testing.T, s *session) {
				onlySwitched(t, s)
				tc.change(s, &h)
				s.o.AcceptS3Loss = tc.accept
				r := one(t, s.apply(t.Context(), Rollback))
				if r.Outcome != tc.want || !strings.Contains(r.Why, tc.says) {
					t.Errorf("%+v", r)
				}
				if at := s.w.Records(assets)[0].Value; (at == s.w.Distributions()[0].Domain) != (tc.want == OutcomeBlocked) {
					t.Errorf("the name is at %s", at)
				}
			})
		})
	}
}

// TestRollbackWithoutDelay: where CloudFront serves nobody, nothing is waited for;
// else S3 is looked at for some seconds.
func TestRollbackWithoutDelay(t *testing.T) {
	for broken, most := range map[bool]time.Duration{true: 3 * time.Second, false: 15 * time.Second} {
		var h hooked
		inWorld(t, assets, func(l *lab) { l.options.Hook = h.hook }, func(t *testing.T, s *session) {
			onlySwitched(t, s)
			if broken {
				s.w.Sicken(s.w.Distributions()[0].ID, 1, 503)
			}
			began, wrote := time.Now(), time.Time{}
			h.set(func(c sandbox.Call) error {
				if c.Op == "DNS.Replace" && wrote.IsZero() {
					wrote = time.Now()
				}
				return nil
			})
			s.want(s.apply(t.Context(), Rollback), OutcomeRolled)
			if d := wrote.Sub(began); d > most || !broken && d < 2*backPause {
				t.Errorf("broken %t: the record was written after %s", broken, d)
			}
		})
	}
}
