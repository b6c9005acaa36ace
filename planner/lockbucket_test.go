package planner

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/providers"
	"github.com/edgeward/edgeward/providers/sandbox"
)

// bucketLockLab has one bucket that is locked two hours after its migration, by what
// the resolvers answer.
func bucketLockLab(seed int64) *lab {
	l := newLab(seed).only(assets)
	l.config.Buckets[0].Lock = &config.Lock{After: 2 * time.Hour, Evidence: []string{config.EvidenceProbes}}
	return l
}

// inLocked runs f in a world of bucketLockLab.
func inLocked(t *testing.T, change func(*lab), f func(*testing.T, *session)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := bucketLockLab(3)
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

// moved migrates the bucket and waits until its lock is due.
func (s *session) moved() {
	s.t.Helper()
	s.o.Until = TTLRestore
	s.apply(s.t.Context(), Migrate)
	s.o.Until = ""
	pause1(s.t, 3*time.Hour)
}

// public says whether S3 answers everybody, under the bucket's own name.
func (s *session) public() bool {
	s.t.Helper()
	r, err := s.w.Providers().Web.Fetch(s.t.Context(), providers.Request{URL: "http://" + assets + "/index.html", Dial: "s3.eu-west-1.amazonaws.com"})
	if err != nil {
		s.t.Fatal(err)
	}
	return r.Status == 200
}

func (s *session) finding(p Plan, code string) bool {
	for _, f := range p.Buckets[0].Findings {
		if f.Code == code {
			return true
		}
	}
	return false
}

// TestLockAndUnlock: the whole of it, there and back, and nobody misses anything.
func TestLockAndUnlock(t *testing.T) {
	for what, before := range map[string]*providers.PublicAccessBlock{
		"no flags": nil, "flags": {BlockPublicACLs: true},
	} {
		t.Run(what, func(t *testing.T) {
			inLocked(t, nil, func(t *testing.T, s *session) {
				s.w.SetBlock(assets, before)
				policy := s.w.Policy(assets)
				s.want(s.apply(t.Context(), Migrate), OutcomeFinished)
				if s.public() {
					t.Error("the bucket is still public")
				}
				if d := s.w.Distributions()[0]; crumbs(d.Tags).lock().state != lockDone || d.Settings.OriginAccessID == "" || len(d.Tags) > 12 {
					t.Errorf("%+v", d.Tags)
				}
				if p := s.plan(t.Context(), Migrate); p.Summary.Done != 1 {
					t.Errorf("the plan after the lock is not empty: %+v", p.Buckets[0])
				}
				pause1(t, time.Hour)
				s.served()
				x := one(t, s.apply(t.Context(), UnlockBucket))
				if x.Outcome != OutcomeUnlocked || !s.public() {
					t.Errorf("%+v, public %t", x, s.public())
				}
				if !samePolicy(policy, s.w.Policy(assets)) || !sameBlock(before, s.w.Block(assets)) {
					t.Errorf("policy %s, was %s; flags %+v, were %+v", s.w.Policy(assets), policy, s.w.Block(assets), before)
				}
				if x := one(t, s.apply(t.Context(), UnlockBucket)); x.Outcome != OutcomeNothing {
					t.Errorf("a second time: %+v", x)
				}
				pause1(t, time.Minute) // the index of tags is late
				p := s.plan(t.Context(), Migrate)
				if p.Summary.Done != 1 || !s.finding(p, "lock-lifted") {
					t.Errorf("a later apply would lock again: %+v", p.Buckets[0])
				}
				s.o.Retry = []string{"*"}
				s.want(s.apply(t.Context(), Migrate), OutcomeFinished)
				pause1(t, time.Hour)
				if s.public() {
					t.Error("apply -retry did not lock it")
				}
				s.served()
			})
		})
	}
}

// TestFinishedAndLockedCostsNothing: a look at a locked bucket is the sweeps'.
func TestFinishedAndLockedCostsNothing(t *testing.T) {
	inLocked(t, nil, func(t *testing.T, s *session) {
		s.want(s.apply(t.Context(), Migrate), OutcomeFinished)
		pause1(t, time.Hour)
		before := s.w.CallsByOp()
		s.plan(t.Context(), Migrate)
		for op, n := range s.w.CallsByOp() {
			if n > before[op] && op != "Distributions.Find" && op != "DNS.Look" {
				t.Errorf("%s is asked", op)
			}
		}
		// The look for drift reads all, and finds nothing; then what a person changed.
		s.o.Full = true
		status := func() []Drift {
			r, err := MakeStatus(t.Context(), s.w.Providers(), s.c, s.o)
			if err != nil {
				t.Fatal(err)
			}
			return r.Buckets[0].Drift
		}
		if d := status(); d != nil {
			t.Errorf("drift %+v", d)
		}
		s.w.SetBlock(assets, nil)
		if d := status(); len(d) != 1 || d[0].Path != pathBlock {
			t.Errorf("drift %+v", d)
		}
	})
}

// TestLockWaits: for lock.after, and for its evidence.
func TestLockWaits(t *testing.T) {
	inLocked(t, func(l *lab) {
		l.config.Buckets[0].CNAMEs = l.config.Buckets[0].CNAMEs[:1]
	}, func(t *testing.T, s *session) {
		s.w.SetResolver(1, sandbox.Resolving{Floor: 48 * time.Hour})
		s.o.Until = TTLRestore
		s.apply(t.Context(), Migrate)
		s.o.Until = ""
		p := s.plan(t.Context(), Migrate)
		end, _ := readTime(crumbs(s.w.Distributions()[0].Tags)[crumbFinished])
		x := one(t, s.run(t.Context(), p, func(x *Executor) { x.NoWait = true }))
		if x.Outcome != OutcomeWaiting || x.Stage != AccessGrant || x.Until == nil || !x.Until.Equal(end.Add(2*time.Hour)) {
			t.Errorf("%+v", x)
		}
		pause1(t, 3*time.Hour)
		x = one(t, s.run(t.Context(), s.plan(t.Context(), Migrate), func(x *Executor) { x.WaitTimeout = time.Hour }))
		if x.Outcome != OutcomeWaiting || x.Stage != BucketLock || !s.public() {
			t.Errorf("%+v", x)
		}
		s.served()
	})
}

// TestLockEvidence: none is not enough, one that speaks against it never is.
func TestLockEvidence(t *testing.T) {
	type entry func(now time.Time) providers.LogEntry
	edge := func(age time.Duration) entry {
		return func(now time.Time) providers.LogEntry {
			e := edgeFetch(now.Add(-age))
			e.Signed, e.Signer, e.UserAgent = true, providers.SignerCloudFront, ""
			return e
		}
	}
	by := func(agent string, age time.Duration) entry {
		return func(now time.Time) providers.LogEntry {
			e := edge(age)(now)
			e.Host, e.UserAgent, e.Signed, e.Signer = assets, agent, false, ""
			return e
		}
	}
	theirs := func(now time.Time) providers.LogEntry { // a partner who signs reads by the public statement
		e := by("Boto3/1", time.Hour)(now)
		e.Signed, e.Signer = true, "111122223333"
		return e
	}
	direct, early, own := by("curl/8", time.Hour), by("curl/8", 100*time.Hour), by("edgeward/1.0", time.Hour)
	tests := map[string]struct {
		log    []entry
		accept bool
		want   Outcome
		code   string
	}{
		"no access log":                          {nil, false, OutcomeBlocked, "lock-no-evidence"},
		"no access log, accepted":                {nil, true, OutcomeFinished, "lock-no-evidence"},
		"a log that says nothing":                {[]entry{early}, false, OutcomeBlocked, "lock-no-evidence"},
		"only CloudFront":                        {[]entry{edge(time.Hour), early, own}, false, OutcomeFinished, ""},
		"a direct request":                       {[]entry{edge(time.Hour), direct}, false, OutcomeWaiting, ""},
		"a log that says nothing, and resolvers": {[]entry{early}, false, OutcomeFinished, ""},
		"a direct request, against resolvers":    {[]entry{edge(time.Hour), direct}, false, OutcomeWaiting, ""},
		"a direct request, and accepted":         {[]entry{edge(time.Hour), direct}, true, OutcomeWaiting, ""},
		"another account's request":              {[]entry{edge(time.Hour), theirs}, false, OutcomeWaiting, ""},
	}
	for what, tc := range tests {
		t.Run(what, func(t *testing.T) {
			inLocked(t, func(l *lab) {
				l.config.Buckets[0].Lock.Evidence = []string{config.EvidenceAccessLog}
				if strings.Contains(what, "resolvers") {
					l.config.Buckets[0].Lock.Evidence = []string{config.EvidenceAccessLog, config.EvidenceProbes}
				}
			}, func(t *testing.T, s *session) {
				s.moved()
				var log []providers.LogEntry
				for _, e := range tc.log {
					log = append(log, e(time.Now()))
				}
				if log != nil { // it was on before the migration too
					log = append(log, edge(20*time.Hour)(time.Now()))
					s.w.AddAccessLog(assets, log...)
				}
				s.o.NoEvidence = tc.accept
				p := s.plan(t.Context(), Migrate)
				if tc.code != "" && !s.finding(p, tc.code) {
					t.Errorf("findings %+v", p.Buckets[0].Findings)
				}
				x := one(t, s.run(t.Context(), p, func(x *Executor) { x.WaitTimeout = time.Hour }))
				if x.Outcome != tc.want || s.public() != (tc.want != OutcomeFinished) {
					t.Errorf("%+v, public %t", x, s.public())
				}
				s.served()
			})
		})
	}
}

// TestLockMissesEvidenceEarly: the first plan says that the lock will lack what
// shows that nobody reaches the bucket directly, and not a week later.
func TestLockMissesEvidenceEarly(t *testing.T) {
	tests := map[string]struct {
		evidence []string
		counted  bool
		want     bool
	}{
		"a log that is not there": {[]string{config.EvidenceAccessLog}, false, true},
		"nor are counts":          {[]string{config.EvidenceAccessLog, config.EvidenceMetrics}, false, true},
		"counts":                  {[]string{config.EvidenceAccessLog, config.EvidenceMetrics}, true, false},
		"resolvers":               {[]string{config.EvidenceAccessLog, config.EvidenceProbes}, false, false},
	}
	for what, tc := range tests {
		t.Run(what, func(t *testing.T) {
			inLocked(t, func(l *lab) {
				l.config.Buckets[0].Lock.Evidence, l.config.Buckets[0].Watch.S3Metrics = tc.evidence, tc.counted
			}, func(t *testing.T, s *session) {
				if p := s.plan(t.Context(), Migrate); s.finding(p, "lock-no-evidence") != tc.want {
					t.Errorf("findings %+v", p.Buckets[0].Findings)
				}
			})
		})
	}
}

// TestLockIsTakenBack: what the policy grants is of no effect once public access
// is blocked. Visitors are refused for seconds, and the bucket is as it was.
func TestLockIsTakenBack(t *testing.T) {
	for seed := range int64(6) {
		inLocked(t, func(l *lab) { l.options.Seed = seed }, func(t *testing.T, s *session) {
			s.moved()
			s.w.StartVisitors(t.Context(), time.Second)
			s.w.BreakGrants(assets, true)
			s.w.SetBlock(assets, &providers.PublicAccessBlock{BlockPublicACLs: true})
			before := s.w.Visitors()
			begin := time.Now()
			p := s.plan(t.Context(), Migrate)
			x := one(t, s.run(t.Context(), p, nil))
			took := time.Since(begin)
			if x.Outcome != OutcomeFailed || !strings.Contains(x.Why, "taken back") {
				t.Errorf("%+v", x)
			}
			if b := s.w.Block(assets); b == nil || *b != (providers.PublicAccessBlock{BlockPublicACLs: true}) {
				t.Errorf("the flags are %+v", b)
			}
			pause1(t, time.Minute) // the old flags are in force again within it
			if !s.public() {
				t.Error("the bucket is not public again")
			}
			v := s.w.Visitors()
			// Eight visitors come each second.
			failed := v.Failed - before.Failed
			t.Logf("seed %d: %d of %d visits failed, about %d s of them; the run took %s", seed, failed, v.Requests-before.Requests, failed/8, took)
			if v.Failed == 0 {
				t.Error("nobody noticed: the fault is none")
			}
			if failed > 8*40 {
				t.Errorf("%d visits failed: it took too long to take the lock back", failed)
			}
			at := v.Failed
			s.w.StartVisitors(t.Context(), time.Minute)
			// A schedule does not try again.
			for range 3 {
				if x := one(t, s.apply(t.Context(), Migrate)); x.Outcome != OutcomeBlocked {
					t.Errorf("%+v", x)
				}
				pause1(t, time.Hour)
			}
			if v := s.w.Visitors(); v.Failed != at {
				t.Errorf("%d more visits failed", v.Failed-at)
			}
			s.w.BreakGrants(assets, false)
			s.o.Retry = []string{"*"}
			s.want(s.apply(t.Context(), Migrate), OutcomeFinished)
			pause1(t, time.Hour)
			if v := s.w.Visitors(); v.Failed != at || s.public() {
				t.Errorf("%d more visits failed, public %t", v.Failed-at, s.public())
			}
		})
	}
}

// TestLockRefusals are found by a plan, before anything is changed.
func TestLockRefusals(t *testing.T) {
	const allow = `{"Sid":"a","Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::assets.example.com/*"%s}`
	policy := func(text string) func(*session) {
		return func(s *session) { s.w.SetPolicy(assets, `{"Version":"2012-10-17","Statement":[`+text+`]}`) }
	}
	tests := map[string]struct {
		change func(*session)
		code   string
	}{
		"website": {func(s *session) {
			s.w.EditDistribution(s.w.Distributions()[0].ID, func(x *providers.Settings) { x.OriginKind = providers.WebsiteOrigin })
		}, "lock-website"},
		"ACLs": {func(s *session) { s.w.EditBucket(assets, func(b *sandbox.Bucket) { b.ACLs = true }) }, "lock-acls"},
		"a key of KMS": {func(s *session) {
			s.w.EditBucket(assets, func(b *sandbox.Bucket) { b.Objects[0].Encryption = "aws:kms" })
		}, "lock-encrypted"},
		"the account":        {func(s *session) { s.w.SetAccountBlock("", &providers.PublicAccessBlock{BlockPublicPolicy: true}) }, "lock-blocked"},
		"the bucket's flag":  {func(s *session) { s.w.SetBlock(assets, &providers.PublicAccessBlock{BlockPublicPolicy: true}) }, "lock-blocked"},
		"requester pays":     {func(s *session) { s.w.EditBucket(assets, func(b *sandbox.Bucket) { b.RequesterPays = true }) }, "requester-pays"},
		"another reader":     {func(s *session) { s.w.AddDistribution("", s.w.Distributions()[0].Settings, nil) }, "lock-readers"},
		"conditions":         {policy(fmt.Sprintf(allow, `,"Condition":{"StringEquals":{"aws:UserAgent":"x"}}`)), "lock-policy"},
		"nothing for anyone": {policy(strings.Replace(fmt.Sprintf(allow, ""), `"Principal":"*"`, `"Principal":{"AWS":"111122223333"}`, 1)), "lock-policy"},
		"missing keys":       {policy(fmt.Sprintf(allow, "") + `,{"Sid":"l","Effect":"Allow","Principal":"*","Action":"s3:ListBucket","Resource":"arn:aws:s3:::assets.example.com"}`), "lock-404"},
		"a lock":             {func(*session) {}, "lock-overrides"},
		"the website endpoint": {func(s *session) {
			s.w.EditBucket(assets, func(b *sandbox.Bucket) { b.Website = &providers.Website{IndexDocument: "index.html"} })
		}, "lock-endpoint"},
		"a second origin":           {func(s *session) { s.w.AddOrigin(s.w.Distributions()[0].ID, assets+".s3.amazonaws.com") }, "lock-readers"},
		"S3 by path":                {func(s *session) { s.w.AddOrigin(s.w.Distributions()[0].ID, "s3.eu-west-1.amazonaws.com") }, "lock-readers"},
		"another account":           {policy(fmt.Sprintf(allow, "") + `,{"Effect":"Allow","Principal":{"AWS":["arn:aws:iam::111122223333:root"]},"Action":"s3:PutObject","Resource":"arn:aws:s3:::assets.example.com/up/*"}`), "lock-policy"},
		"an origin access identity": {policy(fmt.Sprintf(allow, "") + `,{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity E1EXAMPLE"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::assets.example.com/*"}`), "lock-policy"},
		"a Deny of who signs":       {policy(fmt.Sprintf(allow, "") + `,{"Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::assets.example.com/*","Condition":{"StringLike":{"aws:SourceArn":"arn:aws:cloudfront*"}}}`), "lock-policy"},
		"a Deny of CloudFront":      {policy(fmt.Sprintf(allow, "") + `,{"Effect":"Deny","Principal":{"Service":"cloudfront.amazonaws.com"},"Action":"s3:*","Resource":"arn:aws:s3:::assets.example.com/*"}`), "lock-policy"},
	}
	for what, tc := range tests {
		t.Run(what, func(t *testing.T) {
			inLocked(t, nil, func(t *testing.T, s *session) {
				s.moved()
				tc.change(s)
				if what == "another reader" {
					s.w.EditDistribution(s.w.Distributions()[1].ID, func(x *providers.Settings) { x.Aliases = nil })
				}
				p := s.plan(t.Context(), Migrate)
				if !s.finding(p, tc.code) {
					t.Fatalf("%+v", p.Buckets[0].Findings)
				}
				block := !slices.Contains([]string{"lock-404", "lock-overrides", "lock-endpoint"}, tc.code)
				before := s.w.Policy(assets)
				if got := p.Buckets[0].Standing == StandBlocked; got != block {
					t.Errorf("blocked: %t", got)
				}
				if block {
					s.want(s.run(t.Context(), p, nil), OutcomeBlocked)
					if s.w.Policy(assets) != before {
						t.Error("the policy was changed")
					}
				}
			})
		})
	}
}

// TestLockKeeps404: what lists today lists afterwards, and only then.
func TestLockKeeps404(t *testing.T) {
	for _, listing := range []bool{true, false} {
		for _, keep := range []bool{true, false} {
			t.Run(fmt.Sprintf("listing %t, keep_404 %t", listing, keep), func(t *testing.T) {
				inLocked(t, func(l *lab) {
					l.options.Buckets[0].Listing = listing
					l.config.Buckets[0].Lock.Keep404 = keep
				}, func(t *testing.T, s *session) {
					missing := func() int {
						r, err := s.w.Providers().Web.Fetch(t.Context(), providers.Request{URL: "https://" + assets + "/nothing-here", Dial: s.w.Distributions()[0].Domain})
						if err != nil {
							t.Fatal(err)
						}
						return r.Status
					}
					s.moved()
					before := missing()
					s.want(s.apply(t.Context(), Migrate), OutcomeFinished)
					pause1(t, time.Hour)
					want := before
					if listing && !keep {
						want = 403
					}
					if got := missing(); got != want || (before == 404) != listing {
						t.Errorf("status %d before, %d after", before, got)
					}
				})
			})
		}
	}
}

// TestLockLetsReadNoMore: the distribution may read what everybody could.
func TestLockLetsReadNoMore(t *testing.T) {
	inLocked(t, func(l *lab) {
		l.options.Buckets[0].Objects = append(l.options.Buckets[0].Objects, sandbox.Object{Key: "internal/plan.txt", Body: []byte("x")})
	}, func(t *testing.T, s *session) {
		s.w.SetPolicy(assets, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":["arn:aws:s3:::assets.example.com/index.html","arn:aws:s3:::assets.example.com/img/*"]}}`)
		s.moved()
		s.want(s.apply(t.Context(), Migrate), OutcomeFinished)
		r, err := s.w.Providers().Web.Fetch(t.Context(), providers.Request{URL: "https://" + assets + "/internal/plan.txt", Dial: s.w.Distributions()[0].Domain})
		if err != nil || r.Status != 403 {
			t.Errorf("status %d, %v: what nobody could read is published", r.Status, err)
		}
	})
}

// TestLockOfAChangedPolicy: somebody else's change between look and write stops
// the bucket, and stays.
func TestLockOfAChangedPolicy(t *testing.T) {
	const theirs = `{"Version":"2012-10-17","Statement":[{"Sid":"theirs","Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::assets.example.com/img/*"}]}`
	var h hooked
	inLocked(t, func(l *lab) { l.options.Hook = h.hook }, func(t *testing.T, s *session) {
		s.moved()
		p := s.plan(t.Context(), Migrate)
		reads := 0
		h.set(func(c sandbox.Call) error {
			if c.Op == "Access.Policy" && c.After {
				if reads++; reads == 1 {
					go s.w.SetPolicy(assets, theirs)
				}
			}
			return nil
		})
		if x := one(t, s.run(t.Context(), p, nil)); x.Outcome != OutcomeStale || !samePolicy(s.w.Policy(assets), theirs) {
			t.Errorf("%+v, %s", x, s.w.Policy(assets))
		}
	})
}

// lockThen has a run die at its nth point after the migration, comes back for
// another goal, and says what is wrong in the end.
func lockThen(t *testing.T, n int, after bool, then Goal) (bad string, over bool) {
	synctest.Test(t, func(t *testing.T) {
		l := bucketLockLab(int64(n))
		opts, arm := killedAt(l, n, after)
		l.options = opts
		s := l.start(t)
		s.early = &bad
		policy, records := s.w.Policy(assets), s.w.Records(assets)
		s.w.StartVisitors(t.Context(), time.Minute)
		s.moved()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		arm(cancel)
		if p, err := Make(ctx, s.w.Providers(), s.c, s.o); err == nil && ctx.Err() == nil {
			s.run(ctx, p, nil)
		}
		over = ctx.Err() == nil
		arm(nil)
		pause1(t, time.Duration(n*37%600)*time.Second)
		x := one(t, s.apply(t.Context(), then))
		pause1(t, time.Hour)
		say := func(format string, args ...any) { bad += fmt.Sprintf(format+"\n", args...) }
		if ok := x.Outcome == OutcomeFinished || x.Outcome == OutcomeRolled || x.Outcome == OutcomeUnlocked || x.Outcome == OutcomeNothing; !ok {
			say("%s at %s: %s", x.Outcome, x.Stage, x.Why)
		}
		if v := s.w.Visitors(); v.Failed > 0 {
			say("%d of %d visits failed: %v", v.Failed, v.Requests, v.Failures)
		}
		switch then {
		case Migrate:
			if p := s.plan(t.Context(), Migrate); p.Summary.Done != 1 || s.public() {
				say("not locked: %+v", p.Buckets[0])
			}
		case Rollback:
			if !providers.SameRecords(records, s.w.Records(assets)) || s.w.Block(assets) != nil || !s.public() {
				say("%v, flags %+v", s.w.Records(assets), s.w.Block(assets))
			}
		case UnlockBucket:
			if !samePolicy(policy, s.w.Policy(assets)) || s.w.Block(assets) != nil || !s.public() {
				say("policy %s, flags %+v", s.w.Policy(assets), s.w.Block(assets))
			}
		}
		if bad != "" {
			bad += s.said()
		}
	})
	return bad, over
}

// TestLockKilledAtEveryCall: whatever call a lock dies at, another run ends it,
// and so do a way back and an unlock.
func TestLockKilledAtEveryCall(t *testing.T) {
	for _, then := range []Goal{Migrate, Rollback, UnlockBucket} {
		t.Run(string(then), func(t *testing.T) {
			t.Parallel()
			runs, step := 0, 18
			if raceDetector {
				step = 36
			}
			for n := 1; ; n++ {
				if !killAll && n%step != map[Goal]int{Migrate: 0, Rollback: 7, UnlockBucket: 13}[then] {
					continue
				}
				runs++
				bad, over := lockThen(t, n, n%2 == 0, then)
				if bad != "" {
					t.Fatalf("killed at point %d, then %s: %s", n, then, bad)
				}
				if over {
					break
				}
			}
			t.Logf("%d runs", runs)
		})
	}
}

// TestBoundDirect: what is missing is not known, and S3 counts CloudFront's
// fetches.
func TestBoundDirect(t *testing.T) {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	values := func(vs ...float64) (out []providers.MetricValue) {
		for i, v := range vs {
			if v >= 0 {
				out = append(out, providers.MetricValue{Time: at.Add(time.Duration(i) * time.Hour), Value: v})
			}
		}
		return out
	}
	for what, tc := range map[string]struct {
		s3, edge []providers.MetricValue
		proves   bool
		direct   int
	}{
		"no values":                     {nil, values(5, 5), false, 0},
		"nobody, in all hours":          {values(0, 0), values(5, 5), true, 0},
		"nobody, in one of two":         {values(0), values(5, 5), false, 0},
		"as many as CloudFront fetched": {values(5, 3), values(5, 5), false, 0},
		"more than CloudFront had":      {values(5, 30), values(5, 10), false, 20},
		"CloudFront's are not known":    {values(5, 30), values(5), false, 0},
	} {
		if e := boundDirect(tc.s3, tc.edge, 2); e.proves != tc.proves || e.direct != tc.direct {
			t.Errorf("%s: %+v", what, e)
		}
	}
}

// TestVerifyOfALockedBucket: S3 is read signed, and what visitors could not read
// counts as refused.
func TestVerifyOfALockedBucket(t *testing.T) {
	for _, keep := range []bool{true, false} {
		t.Run(fmt.Sprintf("keep_404 %t", keep), func(t *testing.T) {
			inLocked(t, func(l *lab) {
				l.options.Buckets[0].Listing, l.config.Buckets[0].Lock.Keep404 = keep, keep
				l.options.Buckets[0].CORS = anyOrigin()
			}, func(t *testing.T, s *session) {
				s.want(s.apply(t.Context(), Migrate), OutcomeFinished)
				pause1(t, time.Hour)
				r, err := Verify(t.Context(), s.w.Providers(), s.c, s.o, VerifyOptions{})
				if err != nil || !r.Verdict.Passes() || r.Buckets[0].Readable < 3 {
					t.Errorf("%v %+v", err, r)
				}
				id := s.w.Distributions()[0].ID
				s.w.BreakEdge(id, "/index.html", []byte("wrong"))
				if r, err := Verify(t.Context(), s.w.Providers(), s.c, s.o, VerifyOptions{}); err != nil || r.Verdict.Passes() {
					t.Errorf("%v: what is wrong passes: %s", err, r.Verdict)
				}
			})
		})
	}
}

// TestLockRefusedFinishesTheMigration: a lock that cannot be keeps no bucket that
// visitors are sent to already from its watch and its end.
func TestLockRefusedFinishesTheMigration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newLab(1).only("www.example.org").start(t)
		s.o.Until = DNSSwitch
		s.want(s.apply(t.Context(), Migrate), OutcomeStopped)
		s.c.Buckets[0].Lock = &config.Lock{After: time.Hour, Evidence: []string{"probes"}}
		s.o.Until = ""
		p := s.plan(t.Context(), Migrate).Buckets[0]
		if p.Standing != StandUnderWay || len(p.Findings) == 0 || !slices.ContainsFunc(p.Findings, func(f Finding) bool { return f.Code == "lock-website" && f.Severity == Warning }) {
			t.Fatalf("%s, %+v", p.Standing, p.Findings)
		}
		s.want(s.apply(t.Context(), Migrate), OutcomeFinished)
		if p := s.plan(t.Context(), Migrate).Buckets[0]; p.Standing != StandBlocked || p.Findings[0].Code != "lock-website" {
			t.Errorf("afterwards it is %s, %+v", p.Standing, p.Findings)
		}
	})
}
