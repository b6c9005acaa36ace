package planner

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/planner/proof"
	"github.com/edgeward/edgeward/providers"
	"github.com/edgeward/edgeward/providers/sandbox"
)

// counted counts calls of a world.
type counted struct {
	mu             sync.Mutex
	writes, wanted int
	fail           func(sandbox.Call) error
}

func (c *counted) hook(x sandbox.Call) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !x.After {
		c.wanted += map[bool]int{true: 1}[x.Op == opFetch]
		c.writes += map[bool]int{true: 1}[x.Write]
	}
	if c.fail != nil {
		return c.fail(x)
	}
	return nil
}

// since gives the fetches and the writes since it was last asked.
func (c *counted) since() (fetches, writes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fetches, writes = c.wanted, c.writes
	c.wanted, c.writes = 0, 0
	return fetches, writes
}

func (s *session) verify(v VerifyOptions) (VerifyReport, BucketProof) {
	s.t.Helper()
	r, err := Verify(s.t.Context(), s.w.Providers(), s.c, s.o, v)
	if err != nil || len(r.Buckets) != 1 {
		s.t.Fatalf("%+v, %v", r, err)
	}
	return r, r.Buckets[0]
}

// TestVerifyAtEveryTime: before, while and after a bucket is moved, S3 is asked
// where it is, and nothing is written.
func TestVerifyAtEveryTime(t *testing.T) {
	var calls counted
	inWorld(t, assets, func(l *lab) { l.options.Hook = calls.hook }, func(t *testing.T, s *session) {
		s.wholly()
		look := func(when string, want BucketProof) BucketProof {
			t.Helper()
			calls.since()
			r, p := s.verify(VerifyOptions{})
			fetches, writes := calls.since()
			if p.Compared != want.Compared || p.Failed || p.Verdict != want.Verdict || p.Standing != want.Standing || r.Verdict != want.Verdict {
				t.Errorf("%s: %+v, %+v", when, p, r.Differences)
			}
			if writes > 0 || fetches != p.Requests || fetches == 0 || p.Requests != r.Requests || p.Readable != 2+1 || p.Refused != 1 || p.NoCacheControl != 2 {
				t.Errorf("%s: %d writes, %d fetches, %+v", when, writes, fetches, p)
			}
			if p.Left != (proof.Site{URL: "http://assets.example.com", Dial: "assets.example.com.s3.eu-west-1.amazonaws.com"}) || len(p.Right) != len(want.Right) {
				t.Errorf("%s: %+v and %+v", when, p.Left, p.Right)
			}
			return p
		}
		two := make([]proof.Site, 2)
		if p := look("before", BucketProof{Verdict: proof.NotCompared, Standing: StandNew}); !strings.Contains(p.Why, "no distribution yet") || p.Hint == "" || len(p.Targets) < 7 {
			t.Errorf("%+v", p)
		}
		s.o.Until = LinksVerify
		s.apply(t.Context(), Migrate)
		p := look("under way", BucketProof{Compared: true, Verdict: proof.Expected, Standing: StandUnderWay, Right: two})
		if crumb := s.w.Distributions()[0].Tags[crumbProof]; !strings.HasSuffix(crumb, "/"+p.Digest) || len(p.Digest) != 12 {
			t.Errorf("the proof is %s, verify's is %s", crumb, p.Digest)
		}
		s.o.Until = ""
		s.want(s.apply(t.Context(), Migrate), OutcomeFinished)
		look("done", BucketProof{Compared: true, Verdict: proof.Expected, Standing: StandDone, Right: two})
		s.w.BreakEdge(s.w.Distributions()[0].ID, "/index.html", []byte("stale"))
		r, p := s.verify(VerifyOptions{})
		if r.Verdict != proof.Broken || !p.Compared || len(r.Differences) == 0 || r.Differences[0].Address != p.Address || r.Differences[0].Path != "/index.html" {
			t.Errorf("%+v", r)
		}
	})
}

func TestVerifyOptions(t *testing.T) {
	inWorld(t, assets, nil, func(t *testing.T, s *session) {
		s.o.Until = DistributionDeployed
		s.apply(t.Context(), Migrate)
		s.o.Until = ""
		kept := map[string]map[string]proof.Outcome{}
		progress := 0
		r, p := s.verify(VerifyOptions{Keep: func(of string, o proof.Outcome) error {
			if kept[of] == nil {
				kept[of] = map[string]proof.Outcome{}
			}
			kept[of][o.Path] = o
			return nil
		}, Progress: func(string, proof.Progress) { progress++ }})
		of := p.Address + " " + s.w.Distributions()[0].ETag
		if len(kept[of]) != len(p.Targets) || progress == 0 || r.Paths != len(p.Targets) {
			t.Errorf("%d of %d kept, %d times progress", len(kept[of]), len(p.Targets), progress)
		}
		before := s.w.CallsByOp()[opFetch]
		again, q := s.verify(VerifyOptions{Resume: kept})
		if sent := s.w.CallsByOp()[opFetch] - before; sent > 0 || again.Verdict != r.Verdict || q.Digest != p.Digest {
			t.Errorf("resumed: %d requests, %+v", sent, again)
		}
		kept[p.Address+" another"] = kept[of]
		delete(kept, of)
		before = s.w.CallsByOp()[opFetch]
		if s.verify(VerifyOptions{Resume: kept}); s.w.CallsByOp()[opFetch] == before {
			t.Error("what was found of another version of the distribution was taken up")
		}
		if _, q := s.verify(VerifyOptions{Seed: "another"}); q.Seed != "another" || cmp.Equal(q.Targets, p.Targets) {
			t.Errorf("%+v", q)
		}
		if r, q := s.verify(VerifyOptions{MaxRequests: 5}); !q.Failed || q.Compared || !strings.Contains(q.Hint, "max_requests") || r.Verdict != proof.NotCompared || q.Verdict != proof.NotCompared {
			t.Errorf("%+v", q)
		}
		if _, err := Verify(t.Context(), s.w.Providers(), s.c, Options{Targets: []string{"bucket.nobody"}}, VerifyOptions{}); err == nil {
			t.Error("a target that matches nothing is no error")
		}
		full := errors.New("disk full")
		if _, err := Verify(t.Context(), s.w.Providers(), s.c, s.o, VerifyOptions{Keep: func(string, proof.Outcome) error { return full }}); !errors.Is(err, full) {
			t.Errorf("%v", err)
		}
	})
}

func TestVerifyWhatCannotBeCompared(t *testing.T) {
	tests := map[string]struct {
		change func(*lab)
		fail   string
		says   string
	}{
		"a listed path is unreadable":    {func(l *lab) { l.config.Buckets[0].Verify.Paths = []string{"/private.txt"} }, "", "S3 answers 403 for /private.txt"},
		"a pattern matches nothing":      {func(l *lab) { l.config.Buckets[0].Verify.Paths = []string{"/css/*"} }, "", "/css/* matches no object"},
		"the bucket cannot be looked at": {nil, "Buckets.Bucket", "no route"},
		"S3 does not answer":             {nil, opFetch, "no route"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			calls := counted{fail: func(c sandbox.Call) error {
				if c.Op == tc.fail {
					return errors.New("no route")
				}
				return nil
			}}
			inWorld(t, assets, func(l *lab) {
				l.options.Hook = calls.hook
				if tc.change != nil {
					tc.change(l)
				}
			}, func(t *testing.T, s *session) {
				_, p := s.verify(VerifyOptions{})
				if !p.Failed || p.Compared || !strings.Contains(p.Why, tc.says) {
					t.Errorf("%+v", p)
				}
			})
		})
	}
}

// TestVerifyNothingReadable: what both sites refuse alike proves nothing, for
// verify as for apply.
func TestVerifyNothingReadable(t *testing.T) {
	inWorld(t, assets, func(l *lab) {
		l.config.Buckets[0].Verify.Paths = nil
		l.options.Buckets[0].Objects = []sandbox.Object{{Key: "x", Private: true}}
	}, func(t *testing.T, s *session) {
		s.o.Until = DistributionDeployed
		s.want(s.apply(t.Context(), Migrate), OutcomeStopped)
		r, p := s.verify(VerifyOptions{})
		if !p.Failed || p.Compared || !strings.Contains(p.Why, "no test link is publicly readable") || r.Verdict != proof.NotCompared || p.Verdict != proof.NotCompared {
			t.Errorf("%+v", r)
		}
	})
}

// TestRule7WhichProofCounts: one that is young and was made for the version of
// now is not made again, by a resumed apply either; any other one is.
func TestRule7WhichProofCounts(t *testing.T) {
	tests := map[string]struct {
		change  func(t *testing.T, s *session)
		fetched bool
	}{
		"fresh":   {func(*testing.T, *session) {}, false},
		"too old": {func(t *testing.T, _ *session) { pause1(t, 16*time.Minute) }, true},
		"of another version": {func(t *testing.T, s *session) {
			s.w.EditTags(s.w.Distributions()[0].ID, map[string]string{crumbProof: writeProof(time.Now(), "EOTHER", askedOf(s.c.Buckets[0].Verify), "abcdef012345")})
		}, true},
		"of other links": {func(t *testing.T, s *session) {
			s.c.Buckets[0].Verify.Paths = append(s.c.Buckets[0].Verify.Paths, "/img/a%20b.png")
		}, true},
		"with more accepted": {func(t *testing.T, s *session) { s.c.Buckets[0].Verify.Accept = []string{"vary"} }, true},
		"of no version": {func(t *testing.T, s *session) {
			s.w.EditTags(s.w.Distributions()[0].ID, map[string]string{crumbProof: ""})
		}, true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			var calls counted
			inWorld(t, "low.example.com", func(l *lab) { l.options.Hook = calls.hook }, func(t *testing.T, s *session) {
				s.o.Until = LinksVerify
				s.want(s.apply(t.Context(), Migrate), OutcomeStopped)
				tc.change(t, s)
				calls.since()
				s.o.Until = DNSSwitch
				s.want(s.apply(t.Context(), Migrate), OutcomeStopped)
				if fetches, _ := calls.since(); (fetches > 0) != tc.fetched {
					t.Errorf("%d links were fetched", fetches)
				}
				s.served()
			})
		})
	}
}

// TestRule7ChangedWhileProven: a distribution that is changed while its links
// are compared, just before the switch, is compared again.
func TestRule7ChangedWhileProven(t *testing.T) {
	var h hooked
	inWorld(t, "low.example.com", func(l *lab) { l.options.Hook = h.hook }, func(t *testing.T, s *session) {
		s.o.Until = LinksVerify
		s.want(s.apply(t.Context(), Migrate), OutcomeStopped)
		pause1(t, 16*time.Minute)
		id, n := s.w.Distributions()[0].ID, 0
		h.set(func(c sandbox.Call) error {
			if strings.HasPrefix(c.Name, "GET http://") {
				if n++; n == 2 {
					s.w.EditDistribution(id, func(x *providers.Settings) { x.Logging.Prefix = "by-hand/" })
				}
			}
			return nil
		})
		s.o.Until = DNSSwitch
		s.want(s.apply(t.Context(), Migrate), OutcomeStopped)
		d := s.w.Distributions()[0]
		if d.Settings.Logging.Prefix == "" || !strings.Contains(d.Tags[crumbProof], "/"+d.ETag+"/") {
			t.Errorf("%d requests; the proof is %s, the distribution's ETag %s", n, d.Tags[crumbProof], d.ETag)
		}
		if s.count(DNSSwitch, EventWaiting, "was changed while its links were compared")+s.count(LinksVerify, EventWaiting, "was changed while its links were compared") != 1 {
			t.Error(s.said())
		}
		s.served()
	})
}

// TestABrokenLinkIsCaught: with a proof that does not look, visitors get what is
// broken, and the world shows it; with the true one the bucket stays at S3.
func TestABrokenLinkIsCaught(t *testing.T) {
	blind := faulty(LinksVerify, func(s *stage) {
		s.do = func(ctx context.Context, sc scene) error {
			return sc.setTags(ctx, map[string]string{crumbProof: writeProof(sc.w.Clock.Now(), sc.a.Dist.ETag, askedOf(sc.b.Verify), "planted")})
		}
	})
	for name, stages := range map[string]func(Goal) []stage{"planted": blind, "true": nil} {
		for _, accept := range [][]string{nil, {"body", "status", "etag"}} {
			inWorld(t, "low.example.com", func(l *lab) { l.config.Buckets[0].Verify.Accept = accept }, func(t *testing.T, s *session) {
				s.o.Until = DistributionDeployed
				s.apply(t.Context(), Migrate)
				s.o.Until = ""
				s.w.BreakEdge(s.w.Distributions()[0].ID, "/index.html", []byte("stale"))
				s.o.stages = stages
				r := one(t, s.apply(t.Context(), Migrate))
				pause1(t, time.Hour)
				failed := s.w.Visitors().Failed
				switch {
				case name == "planted" && (r.Outcome != OutcomeFinished || failed == 0):
					t.Errorf("the planted fault was not seen: %+v, %d visits failed", r, failed)
				case name == "true" && (r.Outcome != OutcomeFailed || failed > 0 || s.count(LinksVerify, EventStarted, "") != 1):
					t.Errorf("%+v, %d visits failed", r, failed)
				}
			})
		}
	}
}

// TestLinksThatSayNothing: S3 that does not answer is waited for; that nothing
// is readable, or that it takes too much, is said at once.
func TestLinksThatSayNothing(t *testing.T) {
	t.Run("S3 does not answer for an hour", func(t *testing.T) {
		var h hooked
		inWorld(t, assets, func(l *lab) { l.options.Hook = h.hook }, func(t *testing.T, s *session) {
			s.o.Until = DistributionDeployed
			s.apply(t.Context(), Migrate)
			s.o.Until = ""
			begin := time.Now()
			h.set(func(c sandbox.Call) error {
				if strings.HasPrefix(c.Name, "GET http://") && time.Since(begin) < time.Hour {
					return errors.New("no route")
				}
				return nil
			})
			s.want(s.apply(t.Context(), Migrate), OutcomeFinished)
			if n, m := s.count(LinksVerify, EventWaiting, "S3 cannot be asked: no route"), s.count(LinksVerify, EventStarted, ""); n != 1 || m != 1 {
				t.Errorf("it was said %d times what is waited for, and %d times what is done", n, m)
			}
			s.served()
		})
	})
	ends := map[string]struct {
		change func(*lab)
		says   string
	}{
		"nothing is readable": {func(l *lab) {
			l.config.Buckets[0].Verify.Paths = nil
			l.options.Buckets[0].Objects = []sandbox.Object{{Key: "x", Private: true}}
		}, "no test link is publicly readable"},
		"the budget": {func(l *lab) { l.config.Buckets[0].Verify.MaxRequests = 5 }, "at most 5 are allowed"},
	}
	for name, tc := range ends {
		t.Run(name, func(t *testing.T) {
			inWorld(t, assets, tc.change, func(t *testing.T, s *session) {
				r := one(t, s.apply(t.Context(), Migrate))
				if r.Outcome != OutcomeFailed || !strings.Contains(r.Why, tc.says) || s.count(LinksVerify, EventStarted, "") != 1 {
					t.Errorf("%+v", r)
				}
			})
		})
	}
}

func TestMismatchError(t *testing.T) {
	diff := func(v proof.Verdict, a proof.Aspect) proof.Difference {
		return proof.Difference{Path: "/x", Request: "GET (https, warm)", Aspect: a, Verdict: v, Left: "1", Right: "2", Means: "It differs.", Mend: "set it"}
	}
	var e *MismatchError
	r := proof.Result{Verdict: proof.Changed, Paths: 9, Differences: []proof.Difference{diff(proof.Changed, proof.CacheControl), diff(proof.Changed, proof.Vary), diff(proof.Changed, proof.Vary), diff(proof.Expected, proof.Body)}}
	if err := mismatch(stageActual(nil), r); !errors.As(err, &e) || len(e.Differences) != 3 {
		t.Fatalf("%v", err)
	}
	if want := "(3 differences over 9 paths):\n  /x: cache-control (GET (https, warm)) is 1 at S3 and 2 through CloudFront: It differs; to mend it: set it\n"; !strings.Contains(e.Error(), want) {
		t.Errorf("%s", e)
	}
	if !strings.HasSuffix(e.Hint(), `verify { accept = ["cache-control", "vary"] }`) || strings.Contains(e.Hint(), "lists all") {
		t.Error(e.Hint())
	}
	for range 5 {
		r.Differences = append(r.Differences[:1:1], append([]proof.Difference{diff(proof.Changed, proof.CacheControl)}, r.Differences[1:]...)...)
	}
	r.Differences = append(r.Differences, diff(proof.Broken, proof.Body))
	r.More = 3
	errors.As(mismatch(stageActual(func(a *Actual) { a.Names[0].Features.ByHand = true }), r), &e)
	for _, says := range []string{"/x: cache-control", "/x: vary", "/x: body"} {
		if !strings.Contains(e.Error(), says) {
			t.Errorf("the first of each cause: %s", e)
		}
	}
	if !strings.HasSuffix(e.Error(), "\n  and 7 more") || !strings.Contains(e.Hint(), "edgeward verify lists all differences") || strings.Contains(e.Hint(), "accept") || !strings.Contains(e.Hint(), "must not do it now") {
		t.Errorf("%s: %s", e, e.Hint())
	}
}

// TestComparisonFacts: what is known of the two sites comes from the settings.
func TestComparisonFacts(t *testing.T) {
	root := "index.html"
	b := stageBucket(func(b *config.Bucket) {
		b.CNAMEs = append([]config.CNAME{{Name: "b.example.com"}}, b.CNAMEs...)
		b.Verify = config.Verify{Accept: []string{"vary"}, MaxRequests: 7, MaxBytes: 8}
		b.Distribution.DefaultRootObject = &root
	})
	cors := []providers.CORSRule{{Origins: []string{"*"}}}
	a := stageActual(func(a *Actual) {
		a.Bucket.CORS = cors
		withDist(a)
		a.Dist.Settings.ViewerProtocol, a.Dist.Settings.Compress, a.Dist.Settings.ResponseHeadersID = "redirect-to-https", true, "id"
		a.Dist.Settings.OriginDomain = "a.example.com.s3.amazonaws.com"
	})
	o := comparison(providers.World{}, b, a, "s")
	want := proof.Options{Left: proof.Site{URL: "http://a.example.com", Dial: s3Name}, Seed: "s", MaxRequests: 7, MaxBytes: 8, Accept: []proof.Aspect{proof.Vary},
		Right: []proof.Site{{URL: "http://a.example.com", Dial: edge}, {URL: "https://a.example.com", Dial: edge}, {URL: "http://b.example.com", Dial: edge}, {URL: "https://b.example.com", Dial: edge}},
		Facts: proof.Facts{CloudFront: true, DefaultRootObject: root, CORS: cors, OriginHosts: []string{s3Name, "a.example.com.s3.amazonaws.com"}}}
	if d := cmp.Diff(want, o); d != "" {
		t.Errorf("what somebody else set is taken for the user's: %s", d)
	}
	b.Distribution.DefaultRootObject = nil
	a.Dist.Settings.DefaultRootObject = root
	b.Distribution.ViewerProtocol, b.Distribution.Compress, b.Distribution.ResponseHeadersPolicy = new("redirect-to-https"), new(true), new("id")
	f := comparison(providers.World{}, b, a, "s").Facts
	if f.ViewerProtocol != "redirect-to-https" || !f.Compress || !f.ResponseHeaders || f.DefaultRootObject != "" {
		t.Errorf("%+v", f)
	}
	b.Distribution.ViewerProtocol, b.Distribution.ResponseHeadersPolicy = new("allow-all"), new("")
	if f := comparison(providers.World{}, b, a, "s").Facts; f.ViewerProtocol != "" || f.ResponseHeaders {
		t.Errorf("%+v", f)
	}
	site := stageActual(func(a *Actual) {
		a.Names[0].Set.Records[0].Value = "s3-website-eu-west-1.amazonaws.com"
		a.Bucket.Website = &providers.Website{IndexDocument: "i"}
	})
	o = comparison(providers.World{}, b, site, "s")
	if !o.Facts.Website || o.Facts.CloudFront || o.Right != nil || o.Left.Dial != "s3-website-eu-west-1.amazonaws.com" || o.Facts.OriginHosts[0] != "a.example.com.s3-website-eu-west-1.amazonaws.com" {
		t.Errorf("%+v", o)
	}
	if q := question(b, site, "s"); q.Website == nil || question(b, a, "s").Website != nil {
		t.Errorf("%+v", q)
	}
}

func TestLinksWhy(t *testing.T) {
	b := stageBucket(func(b *config.Bucket) { b.Verify.Sample, b.Verify.Accept = 1, []string{"cache-control", "vary"} })
	a := stageActual(func(a *Actual) {
		withDist(a)
		for _, k := range numbered("x/%d.png", 30) {
			a.Objects = append(a.Objects, providers.Object{Key: k, Size: 9})
		}
		a.Objects = append(a.Objects, providers.Object{Key: "a.html", Size: 99})
		a.Partial = true
	})
	v := checkLinks(b, a)
	for _, says := range []string{"links through S3", " of 31 objects (seed " + seedOf(b) + ") of a part of the listing", "more than verify.sample",
		"differences in cache-control, vary are accepted by the configuration"} {
		if !strings.Contains(v.Why, says) {
			t.Errorf("%q does not say %q", v.Why, says)
		}
	}
	// What verify.paths name counts as well.
	b.Verify.Sample, b.Verify.Paths = config.SampleAll, []string{"/a.html", "/a.html?x=1", "/x/*.png", "/none"}
	if why := checkLinks(b, a).Why; strings.Contains(why, " of 31 objects") {
		t.Errorf("not all objects: %q", why)
	}
	b.Verify.Sample = 0
	if why := checkLinks(b, a).Why; strings.Contains(why, " of 31 objects") {
		t.Errorf("not all objects: %q", why)
	}
	b.Verify.Paths = b.Verify.Paths[:2]
	if why := checkLinks(b, a).Why; !strings.Contains(why, "; 1 of 31 objects") {
		t.Errorf("not one object: %q", why)
	}
	b.Verify.Sample, b.Verify.Paths = config.SampleAll, nil
	for _, k := range numbered("y/%d.png", 5000) {
		a.Objects = append(a.Objects, providers.Object{Key: k, Size: 9})
	}
	if v := checkLinks(b, a); len(v.Links) != maxLinks || v.Expect <= expectVerify || strings.Contains(v.Why, "seed") {
		t.Errorf("%d links, %s: %s", len(v.Links), v.Expect, v.Why)
	}
}
