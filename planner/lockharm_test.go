package planner

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/edgeward/edgeward/providers"
	"github.com/edgeward/edgeward/providers/sandbox"
)

// inHooked is inLocked with a hook that can be set later.
func inHooked(t *testing.T, f func(*testing.T, *session, *hooked)) {
	t.Helper()
	var h hooked
	inLocked(t, func(l *lab) { l.options.Hook = h.hook }, func(t *testing.T, s *session) { f(t, s, &h) })
}

// TestPolicyRefusals: whom a lock would refuse by the policy, and whom it lets in.
func TestPolicyRefusals(t *testing.T) {
	const account, read = "123456789012", `"Action":"s3:GetObject","Resource":"arn:aws:s3:::assets.example.com/*"`
	for what, tc := range map[string]struct {
		statement string
		refused   bool
	}{
		"the account":               {`"Effect":"Allow","Principal":{"AWS":["arn:aws:iam::123456789012:root","123456789012"]},` + read, false},
		"a role of the account":     {`"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:role/deploy"},` + read, false},
		"who was deleted":           {`"Effect":"Allow","Principal":{"AWS":"AROAEXAMPLEEXAMPLE"},` + read, false},
		"a service":                 {`"Effect":"Allow","Principal":{"Service":"logging.s3.amazonaws.com"},` + read, false},
		"another account":           {`"Effect":"Allow","Principal":{"AWS":"111122223333"},` + read, true},
		"a canonical user":          {`"Effect":"Allow","Principal":{"CanonicalUser":"79a59df900b949e5"},` + read, true},
		"a federated user":          {`"Effect":"Allow","Principal":{"Federated":"cognito-identity.amazonaws.com"},` + read, true},
		"http":                      {`"Effect":"Deny","Principal":"*",` + read + `,"Condition":{"Bool":{"aws:SecureTransport":"false"}}`, false},
		"uploads":                   {`"Effect":"Deny","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::assets.example.com/*"`, false},
		"other agents":              {`"Effect":"Deny","Principal":"*",` + read + `,"Condition":{"StringNotEquals":{"aws:UserAgent":"Amazon CloudFront"}}`, true},
		"other addresses":           {`"Effect":"Deny","Principal":"*",` + read + `,"Condition":{"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}}`, true},
		"services":                  {`"Effect":"Deny","Principal":"*",` + read + `,"Condition":{"Bool":{"aws:PrincipalIsAWSService":"true"}}`, true},
		"signed by a header":        {`"Effect":"Deny","Principal":"*",` + read + `,"Condition":{"StringEquals":{"s3:authType":"REST-HEADER"}}`, true},
		"of versions, signed":       {`"Effect":"Deny","Principal":"*","Action":"s3:GetObjectVersion","Resource":"arn:aws:s3:::assets.example.com/*","Condition":{"Null":{"aws:SourceArn":"false"}}`, true},
		"all but those unsigned":    {`"Effect":"Deny","NotPrincipal":{"AWS":"*"},` + read, true},
		"CloudFront":                {`"Effect":"Deny","Principal":{"Service":["x.amazonaws.com","cloudfront.amazonaws.com"]},` + read, true},
		"another service":           {`"Effect":"Deny","Principal":{"Service":"config.amazonaws.com"},` + read, false},
		"CloudFront, other objects": {`"Effect":"Deny","Principal":{"Service":"cloudfront.amazonaws.com"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::other.example.com/*"`, false},
	} {
		b := newLab(1).only(assets).config.Buckets[0]
		a := Actual{Bucket: &providers.Bucket{Name: assets, Region: "eu-west-1"}, Access: &accessActual{AccountID: account,
			Policy: `{"Statement":[{"Sid":"all","Effect":"Allow","Principal":"*",` + read + `},{"Sid":"x",` + tc.statement + `}]}`}}
		fs := policyRefusals(b, a)
		if (len(fs) > 0) != tc.refused || tc.refused && (fs[0].Code != "lock-policy" || !strings.Contains(fs[0].Summary, `statement "x"`)) {
			t.Errorf("%s: %+v", what, fs)
		}
	}
}

// TestLockWhileNothingCanBeRead: a grant does not work, and from the block on the
// APIs of AWS refuse to be asked: the looks right after it need none, and the
// bucket is opened as soon as a write gets through.
func TestLockWhileNothingCanBeRead(t *testing.T) {
	inHooked(t, func(t *testing.T, s *session, h *hooked) {
		s.moved()
		s.w.StartVisitors(t.Context(), time.Second)
		s.w.BreakGrants(assets, true)
		p := s.plan(t.Context(), Migrate)
		before := s.w.Visitors().Failed
		var blocked time.Time
		h.set(func(c sandbox.Call) error {
			if c.Op == "Access.PutBlock" && c.After && blocked.IsZero() {
				blocked = time.Now()
			}
			if !blocked.IsZero() && time.Since(blocked) < time.Hour && !c.Write && c.Op != "Web.Fetch" {
				return providers.ErrThrottled
			}
			return nil
		})
		x := one(t, s.run(t.Context(), p, nil))
		if x.Outcome != OutcomeFailed || s.w.Block(assets) != nil {
			t.Errorf("%+v, flags %+v", x, s.w.Block(assets))
		}
		pause1(t, time.Minute)
		if failed := s.w.Visitors().Failed - before; failed == 0 || failed > 8*60 {
			t.Errorf("%d visits failed", failed)
		}
	})
}

// TestLockIsTakenBackAtOnce: where S3 lets a block be in force without delay, no
// pause is made before the first look.
func TestLockIsTakenBackAtOnce(t *testing.T) {
	var puts []time.Time
	inLocked(t, func(l *lab) {
		l.options.AccessLag = sandbox.Span{Min: time.Millisecond, Max: time.Millisecond}
		l.options.Hook = func(c sandbox.Call) error {
			if c.Op == "Access.PutBlock" && c.After {
				puts = append(puts, time.Now())
			}
			return nil
		}
	}, func(t *testing.T, s *session) {
		s.moved()
		s.w.BreakGrants(assets, true)
		s.want(s.apply(t.Context(), Migrate), OutcomeFailed)
	})
	if len(puts) != 2 || puts[1].Sub(puts[0]) >= firstPause {
		t.Errorf("flags were set at %v", puts)
	}
}

// TestLockUnseenIsTakenBack: who comes back to a block and cannot find out which
// links there are opens the bucket: nobody would notice a refusal.
func TestLockUnseenIsTakenBack(t *testing.T) {
	inHooked(t, func(t *testing.T, s *session, h *hooked) {
		s.moved()
		s.o.Until = BucketLock
		s.apply(t.Context(), Migrate)
		s.o.Until = ""
		h.set(func(c sandbox.Call) error {
			if c.Op == "Buckets.Objects" {
				return providers.ErrInvalid
			}
			return nil
		})
		if x := one(t, s.apply(t.Context(), Migrate)); x.Outcome != OutcomeFailed || s.w.Block(assets) != nil || crumbs(s.w.Distributions()[0].Tags).lock().state != lockReady {
			t.Errorf("%+v, flags %+v, %v", x, s.w.Block(assets), s.w.Distributions()[0].Tags)
		}
		pause1(t, time.Minute)
		if !s.public() {
			t.Error("the bucket is closed")
		}
		h.set(nil)
		s.want(s.apply(t.Context(), Migrate), OutcomeFinished)
		s.served()
	})
}

// TestLockStopsSigningAtARefusal: signed fetches go wrong while edges still begin to
// sign, and the first tries to take the control off are refused.
func TestLockStopsSigningAtARefusal(t *testing.T) {
	inHooked(t, func(t *testing.T, s *session, h *hooked) {
		s.moved()
		p := s.plan(t.Context(), Migrate)
		id := s.w.Distributions()[0].ID
		var mu sync.Mutex
		var updates []time.Time
		h.set(func(c sandbox.Call) error {
			mu.Lock()
			defer mu.Unlock()
			if c.Op != "Distributions.Update" {
				return nil
			}
			if !c.After && len(updates) > 0 && len(updates) < 4 {
				updates = append(updates, time.Now())
				return providers.ErrThrottled
			}
			if c.After {
				updates = append(updates, time.Now())
				if len(updates) == 1 {
					go s.w.BreakEdge(id, "/index.html", []byte("x"))
				}
			}
			return nil
		})
		x := one(t, s.run(t.Context(), p, nil))
		if x.Outcome != OutcomeFailed || x.Stage != AccessDeployed || !strings.Contains(x.Why, "does not sign any more") || s.w.Distributions()[0].Settings.OriginAccessID != "" {
			t.Errorf("%+v, control %q", x, s.w.Distributions()[0].Settings.OriginAccessID)
		}
		if len(updates) != 5 || updates[4].Sub(updates[0]) > 30*time.Second {
			t.Errorf("updates at %v", updates)
		}
		if m := crumbs(s.w.Distributions()[0].Tags).lock(); m.state != lockFailed {
			t.Errorf("the lock is %q", m.state)
		}
	})
}

// TestLockLeavesSomebodysControl: who attached one between look and write keeps it.
func TestLockLeavesSomebodysControl(t *testing.T) {
	inHooked(t, func(t *testing.T, s *session, h *hooked) {
		s.moved()
		theirs := s.w.AddOriginAccess("", "theirs", true)
		id := s.w.Distributions()[0].ID
		p := s.plan(t.Context(), Migrate)
		var once sync.Once
		h.set(func(c sandbox.Call) error {
			if c.Op == "Access.CreateOriginAccess" && c.After {
				once.Do(func() {
					go s.w.EditDistribution(id, func(x *providers.Settings) { x.OriginAccessID = theirs })
				})
			}
			return nil
		})
		s.want(s.run(t.Context(), p, nil), OutcomeFinished)
		if got := s.w.Distributions()[0].Settings.OriginAccessID; got != theirs {
			t.Errorf("the control is %q, not %q", got, theirs)
		}
		s.served()
	})
}

// TestLockByAControlThatDoesNotSign: the distribution has somebody's control that
// leaves requests unsigned: it is told, and nothing is locked.
func TestLockByAControlThatDoesNotSign(t *testing.T) {
	inLocked(t, nil, func(t *testing.T, s *session) {
		s.moved()
		theirs := s.w.AddOriginAccess("", "theirs", false)
		s.w.EditDistribution(s.w.Distributions()[0].ID, func(x *providers.Settings) { x.OriginAccessID = theirs })
		x := one(t, s.apply(t.Context(), Migrate))
		if x.Outcome == OutcomeFinished || !strings.Contains(x.Why+x.Hint, "does not sign every request") || !s.public() || s.w.Block(assets) != nil {
			t.Errorf("%+v, flags %+v", x, s.w.Block(assets))
		}
		s.served()
	})
}

// TestLockOfAPolicyThatComesBack: S3 shows the policy from before a write for a
// while: it is written again, and nobody is called a culprit.
func TestLockOfAPolicyThatComesBack(t *testing.T) {
	inHooked(t, func(t *testing.T, s *session, h *hooked) {
		s.moved()
		old := s.w.Policy(assets)
		p := s.plan(t.Context(), Migrate)
		var once sync.Once
		h.set(func(c sandbox.Call) error {
			if c.Op == "Access.PutPolicy" && c.After {
				once.Do(func() { go s.w.SetPolicy(assets, old) })
			}
			return nil
		})
		s.want(s.run(t.Context(), p, nil), OutcomeFinished)
		s.served()
	})
}

// ahead is a clock that is wrong.
type ahead struct {
	providers.Clock
	by time.Duration
}

func (c ahead) Now() time.Time { return c.Clock.Now().Add(c.by) }

// TestLockByAWrongClock: a machine whose clock is ahead would lock too early.
func TestLockByAWrongClock(t *testing.T) {
	for by, want := range map[time.Duration]Outcome{90 * time.Minute: OutcomeFailed, time.Minute: OutcomeFinished} {
		inLocked(t, nil, func(t *testing.T, s *session) {
			s.o.Until = TTLRestore
			s.apply(t.Context(), Migrate)
			s.o.Until = ""
			pause1(t, time.Hour)
			x := one(t, s.run(t.Context(), s.plan(t.Context(), Migrate), func(x *Executor) { x.World.Clock = ahead{x.World.Clock, by} }))
			if x.Outcome != want || s.public() == (want == OutcomeFinished) || want == OutcomeFailed && !strings.Contains(x.Why, "clock") {
				t.Errorf("%s: %+v, public %t", by, x, s.public())
			}
			s.served()
		})
	}
}

// TestLockEndsUnlessSomebodyOpened: another run opened the bucket during the last
// look: it is not called locked.
func TestLockEndsUnlessSomebodyOpened(t *testing.T) {
	inHooked(t, func(t *testing.T, s *session, h *hooked) {
		s.moved()
		p := s.plan(t.Context(), Migrate)
		var blocked time.Time
		var once sync.Once
		h.set(func(c sandbox.Call) error {
			switch {
			case c.Op == "Access.PutBlock" && c.After && blocked.IsZero():
				blocked = time.Now()
			case c.Op == "Web.Fetch" && c.After && !blocked.IsZero() && time.Since(blocked) > lockWatch:
				once.Do(func() { go s.w.SetBlock(assets, nil) })
			}
			return nil
		})
		x := one(t, s.run(t.Context(), p, nil))
		if m := crumbs(s.w.Distributions()[0].Tags).lock(); x.Outcome == OutcomeFinished || m.state == lockDone {
			t.Errorf("%+v, the lock is %q", x, m.state)
		}
		s.served()
	})
}

const publicPolicy = `{"Version":"2012-10-17","Statement":[{"Sid":"theirs","Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::assets.example.com/*"}]}`

// TestLockWhoseGrantIsTaken: somebody takes the grant away between two steps: it is
// read back before the proof, and again before the block, which is not set then.
func TestLockWhoseGrantIsTaken(t *testing.T) {
	for stage, at := range map[Kind]struct {
		op    string
		n     int
		state string
	}{AccessGrant: {"Access.PutPolicy", 1, ""}, AccessVerify: {"Distributions.Update", 1, ""}, BucketLock: {"Distributions.SetTags", 1, lockReady}} {
		t.Run(string(stage), func(t *testing.T) {
			inHooked(t, func(t *testing.T, s *session, h *hooked) {
				s.moved()
				p := s.plan(t.Context(), Migrate)
				n, blocks := 0, 0
				h.set(func(c sandbox.Call) error {
					switch {
					case c.Op == "Access.PutBlock":
						blocks++
					case c.Op == at.op && c.After:
						if n++; n == at.n {
							go s.w.SetPolicy(assets, publicPolicy)
						}
					}
					return nil
				})
				x := one(t, s.run(t.Context(), p, nil))
				if m := crumbs(s.w.Distributions()[0].Tags).lock(); x.Outcome != OutcomeStale || x.Stage != stage || m.state != at.state || blocks > 0 || !samePolicy(s.w.Policy(assets), publicPolicy) {
					t.Errorf("%+v, the lock is %q, %d blocks, %s", x, m.state, blocks, s.w.Policy(assets))
				}
				s.served()
			})
		})
	}
}

// TestLockSetsNoMore: two flags and one statement, also where a statement of that
// name stands already, and beside those of others.
func TestLockSetsNoMore(t *testing.T) {
	for _, old := range []*providers.PublicAccessBlock{nil, {}, {BlockPublicACLs: true}, {IgnorePublicACLs: true}} {
		inLocked(t, nil, func(t *testing.T, s *session) {
			s.moved()
			s.w.SetBlock(assets, old)
			d := s.w.Distributions()[0]
			before, err := readDocument(publicPolicy)
			if err != nil {
				t.Fatal(err)
			}
			stale := grantOf(assets, d, opening{patterns: []string{"arn:aws:s3:::assets.example.com/old/*"}}, false)
			text, err := before.with(stale).text()
			if err != nil {
				t.Fatal(err)
			}
			s.w.SetPolicy(assets, text)
			s.want(s.apply(t.Context(), Migrate), OutcomeFinished)
			want := providers.PublicAccessBlock{IgnorePublicACLs: true, RestrictPublicBuckets: true, BlockPublicACLs: old != nil && old.BlockPublicACLs}
			if b := s.w.Block(assets); b == nil || *b != want {
				t.Errorf("flags %+v, want %+v", b, want)
			}
			after, err := readDocument(s.w.Policy(assets))
			if err != nil || len(after.statements) != 2 || !sameMeaning(after.without(grantSid(d)).statements, before.statements) || sameMeaning(after.find(grantSid(d)), stale) {
				t.Errorf("%v: the policy is %s", err, s.w.Policy(assets))
			}
			s.want(s.apply(t.Context(), UnlockBucket), OutcomeUnlocked)
			if !sameBlock(s.w.Block(assets), old) || !samePolicy(s.w.Policy(assets), publicPolicy) {
				t.Errorf("flags %+v, were %+v; the policy is %s", s.w.Block(assets), old, s.w.Policy(assets))
			}
		})
	}
}

// TestLockBehindACacheThatHidesRefusals: where the cache policy leaves queries out
// of its key, nothing can be fetched past the cache, and nothing is locked.
func TestLockBehindACacheThatHidesRefusals(t *testing.T) {
	inLocked(t, nil, func(t *testing.T, s *session) {
		s.moved()
		s.w.EditDistribution(s.w.Distributions()[0].ID, func(x *providers.Settings) { x.CachePolicyID = "658327ea-f89d-4fab-a63d-7e88639e58f6" })
		x := one(t, s.apply(t.Context(), Migrate))
		if x.Outcome != OutcomeFailed || !strings.Contains(x.Why, "past the cache") || !s.public() || s.w.Block(assets) != nil {
			t.Errorf("%+v, flags %+v", x, s.w.Block(assets))
		}
	})
}

// TestPickControl: one of edgeward's that signs and has room, and no other.
func TestPickControl(t *testing.T) {
	c := func(n int, users int, signs bool) providers.OriginAccess {
		return providers.OriginAccess{ID: fmt.Sprintf("E%d", n), Name: fmt.Sprintf("%s%d", controlStem, n), Signs: signs, InUse: users}
	}
	theirs := providers.OriginAccess{ID: "ETHEIRS", Name: "theirs", Signs: true}
	near := providers.OriginAccess{ID: "ENEAR", Name: controlStem + "x", Signs: true}
	for what, tc := range map[string]struct {
		have       []providers.OriginAccess
		want, next string
	}{
		"none":                             {nil, "", controlStem + "1"},
		"somebody else's":                  {[]providers.OriginAccess{theirs, near}, "", controlStem + "1"},
		"room":                             {[]providers.OriginAccess{theirs, c(1, 99, true)}, "E1", controlStem + "2"},
		"all its users":                    {[]providers.OriginAccess{c(1, 100, true)}, "", controlStem + "2"},
		"the next has room":                {[]providers.OriginAccess{c(1, 100, true), c(3, 5, true), c(2, 7, true)}, "E2", controlStem + "4"},
		"signs no more":                    {[]providers.OriginAccess{c(1, 0, false)}, "", controlStem + "2"},
		"signs no more, and one that does": {[]providers.OriginAccess{c(1, 0, false), c(2, 0, true)}, "E2", controlStem + "3"},
	} {
		got, next := pickControl(tc.have)
		id := ""
		if got != nil {
			id = got.ID
		}
		if id != tc.want || next != tc.next {
			t.Errorf("%s: %q, then %q", what, id, next)
		}
	}
}

// TestLockOfWhatIsCached: each look is past the cache, also where edges keep every
// object for a day.
func TestLockOfWhatIsCached(t *testing.T) {
	inLocked(t, func(l *lab) {
		objs := slices.Clone(l.options.Buckets[0].Objects)
		for i := range objs {
			objs[i].CacheControl = "max-age=86400"
		}
		l.options.Buckets[0].Objects = objs
	}, func(t *testing.T, s *session) {
		s.want(s.apply(t.Context(), Migrate), OutcomeFinished)
		s.served()
	})
}

// TestLockMark: each combination of flags is written down and read exactly.
func TestLockMark(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	marks := []lockMark{{state: lockDone, at: at}}
	for i := range 16 {
		marks = append(marks, lockMark{old: &providers.PublicAccessBlock{BlockPublicACLs: i&1 > 0, IgnorePublicACLs: i&2 > 0, BlockPublicPolicy: i&4 > 0, RestrictPublicBuckets: i&8 > 0}, state: lockReady, at: at})
	}
	for _, m := range marks {
		got := crumbs{crumbFlags: m.String()}.lock()
		if !sameBlock(got.old, m.old) || got.state != m.state || !got.at.Equal(at) || !tagValue.MatchString(m.String()) {
			t.Errorf("%s is read as %+v", m, got)
		}
	}
}

var errLostAnswer = errors.New("connection reset by peer")

// TestLockWhoseAnswerIsLost: the block is in force, and its answer never came.
func TestLockWhoseAnswerIsLost(t *testing.T) {
	for _, broken := range []bool{false, true} {
		inHooked(t, func(t *testing.T, s *session, h *hooked) {
			s.moved()
			s.w.BreakGrants(assets, broken)
			p := s.plan(t.Context(), Migrate)
			var once sync.Once
			h.set(func(c sandbox.Call) (err error) {
				if c.Op == "Access.PutBlock" && c.After {
					once.Do(func() { err = errLostAnswer })
				}
				return err
			})
			want := OutcomeFinished
			if broken {
				want = OutcomeFailed
			}
			s.want(s.run(t.Context(), p, nil), want)
			if closes(s.w.Block(assets)) == broken {
				t.Errorf("flags %+v", s.w.Block(assets))
			}
		})
	}
}
