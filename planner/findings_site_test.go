package planner

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/planner/proof"
	"github.com/edgeward/edgeward/providers"
	"github.com/edgeward/edgeward/providers/sandbox"
)

// TestAspects: the names of verify.accept are those of the comparison.
func TestAspects(t *testing.T) {
	var got []proof.Aspect
	for _, a := range config.Aspects() {
		got = append(got, proof.Aspect(a.Name))
	}
	if diff := cmp.Diff(proof.Aspects(), got); diff != "" {
		t.Error(diff)
	}
}

// siteCase is what a finding of one site says: SEVERITY CODE of each, and parts
// of the text.
type siteCase struct {
	change func(b *config.Bucket, a *Actual)
	want   []string
	says   []string
}

func (tc siteCase) run(t *testing.T, judge func(config.Bucket, Actual) []Finding) {
	b := config.Bucket{Name: "b.example", Origin: "rest", CNAMEs: []config.CNAME{{Name: "b.example"}}}
	a := Actual{Bucket: &providers.Bucket{Name: "b.example", Region: "eu-west-1", Policy: policyOf(readers("Allow", ""))}}
	if tc.change != nil {
		tc.change(&b, &a)
	}
	var got []string
	all := ""
	for _, f := range judge(b, a) {
		got = append(got, string(f.Severity)+" "+f.Code)
		all += f.Summary + "\n" + f.Detail + "\n"
		if f.Summary == "" || f.Detail == "" || strings.HasSuffix(f.Detail, ".") {
			t.Errorf("%+v", f)
		}
	}
	if diff := cmp.Diff(tc.want, got); diff != "" {
		t.Errorf("%s\n%s", diff, all)
	}
	for _, s := range tc.says {
		if !strings.Contains(all, s) {
			t.Errorf("%swant %q", all, s)
		}
	}
}

const (
	optimized = "658327ea-f89d-4fab-a63d-7e88639e58f6"
	corsS3    = "88a5eaf4-2fd4-4709-b370-b4c650ea3fcf"
	allViewer = "216adef6-5c7f-47e4-b989-5492eafa07d3"
)

// chose has the configuration name a cache policy with these settings.
func chose(s providers.CacheSettings, more ...func(*config.Bucket, *Actual)) func(*config.Bucket, *Actual) {
	return func(b *config.Bucket, a *Actual) {
		b.Distribution.CachePolicy = new(optimized)
		a.Looks.Policy = &providers.CachePolicy{ID: optimized, Name: "Chosen", Settings: s}
		for _, m := range more {
			m(b, a)
		}
	}
}

func TestCacheFindings(t *testing.T) {
	sampled := func(objects, silent, fresh int) func(*config.Bucket, *Actual) {
		return func(_ *config.Bucket, a *Actual) {
			a.Looks.Sampled = sampledHeads{Objects: objects, Silent: silent, Fresh: fresh}
		}
	}
	request := func(id string) func(*config.Bucket, *Actual) {
		return func(b *config.Bucket, _ *Actual) { b.Distribution.OriginRequestPolicy = &id }
	}
	response := func(b *config.Bucket, _ *Actual) { b.Distribution.ResponseHeadersPolicy = new("r") }
	website := func(b *config.Bucket, _ *Actual) { b.Origin = "website" }
	rules := func(_ *config.Bucket, a *Actual) { a.Bucket.CORS = anyOrigin() }
	listing := func(_ *config.Bucket, a *Actual) {
		a.Bucket.Policy = policyOf(readers("Allow", ""), `{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"s3:List*","Resource":["arn:aws:s3:::b.example"]}`)
	}
	marks := func(_ *config.Bucket, a *Actual) { a.Objects = []providers.Object{{Key: "a"}, {Key: "p.php?id=1"}} }
	preserving := cacheSettings(true)
	kept := providers.CacheSettings{MinTTL: 1, DefaultTTL: 86400, MaxTTL: 31536000, QueryStrings: true}
	quiet := providers.CacheSettings{MaxTTL: 31536000, QueryStrings: true}
	dropping := providers.CacheSettings{MaxTTL: 31536000}
	off := providers.CacheSettings{}
	const cached, query, cors = "warning visitors-cached", "warning visitors-query", "error cors-not-in-key"
	tests := map[string]siteCase{
		"edgeward's own":           {},
		"as edgeward's own":        {change: chose(preserving, rules)},
		"one that is not there":    {change: chose(off, func(_ *config.Bucket, a *Actual) { a.Looks = looks{PolicyErr: providers.ErrNotFound} }), want: []string{"error cache-policy-missing"}, says: []string{optimized, "leave it out"}},
		"one that was not read":    {change: chose(off, func(_ *config.Bucket, a *Actual) { a.Looks = looks{} })},
		"one that may not be read": {change: chose(off, func(_ *config.Bucket, a *Actual) { a.Looks = looks{PolicyErr: providers.ErrDenied} }), want: []string{cached}, says: []string{"not known (" + providers.ErrDenied.Error()}},
		"an adopted one's": {change: func(b *config.Bucket, a *Actual) {
			chose(kept)(b, a)
			b.Distribution.CachePolicy, b.Distribution.Adopt = nil, "E1"
			a.Dist = &providers.Distribution{Settings: providers.Settings{CachePolicyID: optimized}}
		}, want: []string{cached}},
		"one of our own's": {change: func(b *config.Bucket, a *Actual) {
			chose(kept)(b, a)
			b.Distribution.CachePolicy = nil
			a.Dist = &providers.Distribution{Settings: providers.Settings{CachePolicyID: optimized}}
		}},
		"a day":                   {change: chose(kept, sampled(20, 17, 0)), want: []string{cached}, says: []string{"17 of 20 sampled objects have no Cache-Control: visitors may see them up to 1d old", `cache policy Chosen (` + optimized + ")", `write verify { accept = ["caching"] }; without it links.verify stops the bucket`}},
		"a second":                {change: chose(providers.CacheSettings{MinTTL: 1, MaxTTL: 9, QueryStrings: true}, sampled(20, 1, 2)), want: []string{cached}, says: []string{"3 of 20 sampled objects want to be asked for each time: visitors may see them up to 1s old"}},
		"all say how long":        {change: chose(kept, sampled(20, 0, 0)), want: []string{"note visitors-cached"}, says: []string{"all 20 sampled objects say"}},
		"nothing sampled":         {change: chose(kept), want: []string{cached}, says: []string{"for longer than they ask for"}},
		"nothing kept":            {change: chose(providers.CacheSettings{QueryStrings: true})},
		"a public listing":        {change: chose(dropping, listing), want: []string{query}, says: []string{"drops query strings", "first page for ever"}},
		"a listing, as a website": {change: chose(dropping, listing, website), want: []string{"note visitors-query"}},
		"keys with a ?":           {change: chose(dropping, marks), want: []string{query}, says: []string{"1 of 2 listed keys"}},
		"a listing for some": {change: chose(dropping, listing, func(_ *config.Bucket, a *Actual) {
			a.Bucket.Policy = strings.Replace(a.Bucket.Policy, `{"AWS":"*"}`, `{"AWS":"111122223333"}`, 1)
		}), want: []string{"note visitors-query"}},
		"nothing kept, none sent":   {change: chose(off, rules), want: []string{cors}},
		"no listing":                {change: chose(dropping), want: []string{"note visitors-query"}, says: []string{"app.js?v=2", `write verify { accept = ["query-string"] }`}},
		"no key, nothing kept":      {change: chose(off)},
		"sent on, nothing kept":     {change: chose(off, listing, request(allViewer))},
		"sent on, kept":             {change: chose(dropping, listing, request(allViewer)), want: []string{query}, says: []string{"does not count every query string"}},
		"not sent on, nothing kept": {change: chose(off, listing, request(corsS3)), want: []string{query}},
		"origin never sent":         {change: chose(quiet, rules), want: []string{cors}, says: []string{"S3 never sees the Origin"}},
		"origin sent, not in key":   {change: chose(kept, rules, request(corsS3)), want: []string{cached, cors}, says: []string{"the first answer is kept for everybody"}},
		"origin sent, little kept":  {change: chose(quiet, rules, request(corsS3)), want: []string{"warning cors-not-in-key"}, says: []string{"concerns objects with Cache-Control"}},
		"origin sent, nothing kept": {change: chose(off, rules, request(corsS3))},
		"perhaps sent":              {change: chose(kept, rules, request("own")), want: []string{cached, cors}, says: []string{"origin request policy own"}},
		"a headers policy":          {change: chose(quiet, rules, response), want: []string{"warning cors-not-in-key"}, says: []string{"Response headers policy r"}},
		"no rules":                  {change: chose(quiet)},
		"the key has it":            {change: chose(providers.CacheSettings{MaxTTL: 9, QueryStrings: true, Headers: []string{"origin"}}, rules)},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) { tc.run(t, cacheFindings) })
	}
	b, a := config.Bucket{Name: "b.example", Origin: "rest"}, Actual{Bucket: &providers.Bucket{Name: "b.example"}}
	chose(kept, sampled(20, 17, 0))(&b, &a)
	b.Verify.Accept = []string{"caching"}
	if fs := cacheFindings(b, a); len(fs) != 1 || strings.Contains(fs[0].Detail, "links.verify") {
		t.Errorf("accepted already: %+v", fs)
	}
}

func TestSiteFindings(t *testing.T) {
	website := func(rs ...providers.RoutingRule) func(*config.Bucket, *Actual) {
		return func(b *config.Bucket, a *Actual) {
			b.Origin, a.Bucket.Website = "website", &providers.Website{IndexDocument: "i", RoutingRules: rs}
		}
	}
	since := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	logged := func(l logLook) func(*config.Bucket, *Actual) {
		l.Since = since
		return func(_ *config.Bucket, a *Actual) { a.Bucket.Log.Bucket, a.Looks.Log = "logs", l }
	}
	gb := int64(1e9)
	tests := map[string]siteCase{
		"nothing":   {},
		"no bucket": {change: func(_ *config.Bucket, a *Actual) { a.Bucket = nil }},
		"redirect all": {change: func(b *config.Bucket, a *Actual) {
			b.Origin, a.Bucket.Website = "website", &providers.Website{RedirectAllTo: "x"}
		}},
		"whole rules": {change: website(providers.RoutingRule{HostName: "b.example"})},
		"a rule leads to S3": {change: website(providers.RoutingRule{HostName: "b.example"}, providers.RoutingRule{ReplaceKey: "x"}), want: []string{"error routing-host"},
			says: []string{"routing rule 2 of the website leads to S3's own host", "b.example.s3-website-eu-west-1.amazonaws.com when CloudFront asks", `"HostName": "b.example", "Protocol": "http"`}},
		"two rules":          {change: website(providers.RoutingRule{}, providers.RoutingRule{Protocol: "https"}), want: []string{"error routing-host"}, says: []string{"rules 1, 2 of the website lead"}},
		"rules nobody meets": {change: func(b *config.Bucket, a *Actual) { website(providers.RoutingRule{})(b, a); b.Origin = "rest" }},
		"a huge object": {change: func(_ *config.Bucket, a *Actual) {
			a.Objects = []providers.Object{{Key: "a", Size: 50 * gb}, {Key: "b", Size: 51 * gb}, {Key: "c", Size: 90 * gb}}
		},
			want: []string{"warning object-too-large"}, says: []string{"2 of 3 listed objects are larger than 50 GB", `"c" (90 GB)`, "asks for ranges"}},
		"an empty log":    {change: logged(logLook{})},
		"only reads":      {change: logged(logLook{Files: 3, Requests: 10, Writes: map[string]int{}})},
		"uploads":         {change: logged(logLook{Files: 3, Requests: 10, Writes: map[string]int{"PUT": 2, "DELETE": 1}}), want: []string{"error log-methods"}, says: []string{"3 of 10 requests by the name are neither GET nor HEAD", "1 DELETE, 2 PUT, of 10 requests by the name since 2026-01-01T12:00:00Z", "3 log files", "b.example.s3.eu-west-1.amazonaws.com", `write verify { accept = ["uses"] }`}},
		"signed links":    {change: logged(logLook{Files: 3, Requests: 10, Signed: 4, Presigned: 3}), want: []string{"error log-signed"}, says: []string{"4 of 10 requests by the name are signed", "3 in the query (presigned links), 1 in a header", "have them made for b.example.s3.eu-west-1.amazonaws.com"}},
		"a log of others": {change: logged(logLook{Err: fmt.Errorf("x: %w", providers.ErrDenied)}), want: []string{"note log-unread"}, says: []string{"it goes to bucket logs", "may not read it"}},
		"a log that left": {change: logged(logLook{Err: providers.ErrNotFound}), want: []string{"note log-unread"}, says: []string{"its bucket does not exist"}},
		"accepted uses": {change: func(b *config.Bucket, a *Actual) {
			logged(logLook{Files: 3, Requests: 10, Signed: 4})(b, a)
			b.Verify.Accept = []string{"uses"}
		}, want: []string{"warning log-signed", "note verify-accepts"}, says: []string{"uses (uploads and signed requests by the name are refused)"}},
		"accepted": {change: func(b *config.Bucket, _ *Actual) { b.Verify.Accept = []string{"vary", "cache-control"} }, want: []string{"note verify-accepts"},
			says: []string{"changes in vary, cache-control are accepted", "cache-control (another Cache-Control); vary (another Vary)"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) { tc.run(t, siteFindings) })
	}
}

// TestBucketFindings: how the objects of a bucket are public.
func TestBucketFindings(t *testing.T) {
	tests := map[string]siteCase{
		"by its policy": {change: func(_ *config.Bucket, a *Actual) { a.Bucket.PolicyPublic = true }},
		"by ACLs alone": {change: func(_ *config.Bucket, a *Actual) { a.Bucket.Policy, a.Bucket.ACLsEnabled = "", true }, want: []string{"note public-by-acl"},
			says: []string{"visitors read only objects that have a public ACL", "refused by both"}},
		"ACLs are ignored": {change: func(_ *config.Bucket, a *Actual) {
			a.Bucket.Policy, a.Bucket.ACLsEnabled, a.Bucket.Block.IgnorePublicACLs = "", true, true
		}, want: []string{"error bucket-not-public"}, says: []string{"make it public first"}},
		"the policy is overridden": {change: func(_ *config.Bucket, a *Actual) {
			a.Bucket.PolicyPublic, a.Bucket.Block.RestrictPublicBuckets = true, true
		},
			want: []string{"error bucket-not-public"}, says: []string{"RestrictPublicBuckets"}},
		"a policy that refuses CloudFront, by order": {change: func(_ *config.Bucket, a *Actual) {
			a.Bucket.PolicyPublic, a.Bucket.Policy = true, policyOf(readers("Allow", `"StringLike":{"aws:Referer":"x"}`))
		}, want: []string{"error policy-denies"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) { tc.run(t, bucketFindings) })
	}
}

// TestLogLook: which requests of an access log count, at S3 as simulated.
func TestLogLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const name = "low.example.com"
		s := newLab(1).only(name).start(t)
		e := func(method, host string, status int) providers.LogEntry {
			return providers.LogEntry{Method: method, Host: host, Status: status, Operation: "REST." + method + ".OBJECT"}
		}
		presigned := e("GET", name, 200)
		presigned.Signed, presigned.Presigned = true, true
		refused := presigned
		refused.Status = 403
		old := e("PUT", name, 200)
		old.Time = time.Now().Add(-25 * time.Hour)
		s.w.AddAccessLog(name, e("GET", name, 200), e("HEAD", name, 304), e("OPTIONS", name, 200), e("PUT", name, 200), e("POST", name, 403),
			e("PUT", name+".s3.eu-west-1.amazonaws.com", 200), e("GET", name, 404), presigned, refused, old, providers.LogEntry{Operation: "S3.EXPIRE.OBJECT"})
		b := s.plan(t.Context(), Migrate).Buckets[0]
		says := map[string]string{}
		for _, f := range b.Findings {
			says[f.Code] = f.Summary
		}
		want := map[string]string{"log-methods": "1 of 5 requests by the name are neither GET nor HEAD", "log-signed": "1 of 5 requests by the name are signed"}
		if diff := cmp.Diff(want, says); diff != "" || b.Standing != StandBlocked {
			t.Error(diff, b.Standing)
		}
	})
}

// TestLooksCost: facts that only findings need are asked for where they matter
// and nowhere else; a finished bucket costs nothing (rule 14).
func TestLooksCost(t *testing.T) {
	const head, policy, log = "Buckets.Head", "CachePolicies.CachePolicy", "Buckets.AccessLog"
	names := []string{"low.example.com", "fonts.example.com", "assets.example.com"}
	withPolicy := func(id string) func(*lab, *sandbox.World) {
		return func(l *lab, _ *sandbox.World) {
			for i := range l.config.Buckets {
				l.config.Buckets[i].Distribution.CachePolicy = &id
			}
		}
	}
	tests := map[string]struct {
		change func(*lab, *sandbox.World)
		want   map[string]int
	}{
		"as usual":               {},
		"a policy that keeps":    {withPolicy(optimized), map[string]int{policy: 1, head: 12}},
		"a policy that does not": {withPolicy("4135ea2d-6df8-44a3-9df3-4b5a84be39ad"), map[string]int{policy: 1}},
		"no such policy":         {withPolicy("nowhere"), map[string]int{policy: 1}},
		"a log":                  {func(_ *lab, w *sandbox.World) { w.AddAccessLog(names[0]) }, map[string]int{log: 1}},
	}
	for what, tc := range tests {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(1).only(names...)
				s := l.start(t)
				if tc.change != nil {
					tc.change(l, s.w)
				}
				s.plan(t.Context(), Migrate)
				got := map[string]int{}
				for _, op := range []string{head, policy, log} {
					if n := s.w.CallsByOp()[op]; n > 0 {
						got[op] = n
					}
				}
				want := tc.want
				if want == nil {
					want = map[string]int{}
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

// TestLooksCostFinished: nothing of the kind is read for a bucket that is
// switched.
func TestLooksCostFinished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(1).only("low.example.com")
		l.config.Buckets[0].Distribution.CachePolicy = new("4135ea2d-6df8-44a3-9df3-4b5a84be39ad")
		s := l.start(t)
		s.want(s.apply(t.Context(), Migrate), OutcomeFinished)
		s.w.AddAccessLog("low.example.com")
		before := s.w.CallsByOp()["CachePolicies.CachePolicy"]
		if p := s.plan(t.Context(), Migrate); p.Summary.Done != 1 {
			t.Errorf("%+v", p)
		}
		if n := s.w.CallsByOp(); n["CachePolicies.CachePolicy"] != before || n["Buckets.AccessLog"]+n["Buckets.Head"] > 0 {
			t.Errorf("%v", n)
		}
	})
}

// TestSampledHeads: which metadata say how long an object may be kept.
func TestSampledHeads(t *testing.T) {
	var got sampledHeads
	for _, h := range []providers.ObjectHead{
		{}, {Metadata: map[string]string{"a": "b"}}, {Expires: "Thu, 01 Jan 2026 00:00:00 GMT"}, {CacheControl: "max-age=60"}, {CacheControl: "public, No-Cache"},
		{CacheControl: "no-store"}, {CacheControl: "private"}, {CacheControl: "max-age=0"},
	} {
		got.add(h)
	}
	if want := (sampledHeads{Objects: 8, Silent: 2, Fresh: 4}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// TestPolicyThrottled: an answer that will pass is not remembered.
func TestPolicyThrottled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(1).only("low.example.com")
		l.config.Buckets[0].Distribution.CachePolicy = new(optimized)
		refused := false
		l.options.Hook = func(c sandbox.Call) error {
			if c.Op == "CachePolicies.CachePolicy" && !refused {
				refused = true
				return providers.ErrThrottled
			}
			return nil
		}
		if b := l.start(t).plan(t.Context(), Migrate).Buckets[0]; b.Standing != StandNew || !refused {
			t.Errorf("%s, %+v", b.Standing, b.Findings)
		}
	})
}

// TestSpread: at most so many, evenly, the first among them.
func TestSpread(t *testing.T) {
	objs := make([]providers.Object, 101)
	for i := range objs {
		objs[i].Key = fmt.Sprint(i)
	}
	got := spread(objs, 20)
	if len(got) != 20 || got[0].Key != "0" || got[19].Key != "95" || len(spread(objs[:3], 20)) != 3 || len(spread(nil, 20)) != 0 {
		t.Errorf("%+v", got)
	}
}

// TestPolicyFails: a cache policy that cannot be read for now is no verdict.
func TestPolicyFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(1).only("low.example.com", "fonts.example.com")
		for i := range l.config.Buckets {
			l.config.Buckets[i].Distribution.CachePolicy = new(optimized)
		}
		broken := errors.New("broken")
		l.options.Hook = func(c sandbox.Call) error {
			if c.Op == "CachePolicies.CachePolicy" {
				return broken
			}
			return nil
		}
		for _, b := range l.start(t).plan(t.Context(), Migrate).Buckets {
			if b.Standing != StandBlocked || b.Findings[0].Code != "look-failed" {
				t.Errorf("%+v", b)
			}
		}
	})
}

// TestRivalOfWildcard: a distribution that holds the exact name is found beside
// an adopted one that has only a wildcard: the more specific alias wins.
func TestRivalOfWildcard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const name = "low.example.com"
		s := newLab(1).only(name).start(t)
		s.c.Buckets[0].Distribution.Adopt = s.w.AddForeignDistribution("", "*.example.com")
		other := s.w.AddForeignDistribution("", name)
		b := s.plan(t.Context(), Migrate).Buckets[0]
		if b.Standing != StandBlocked || b.Findings[0].Code != "alias-taken" || !strings.Contains(b.Findings[0].Summary, other) {
			t.Errorf("%s, %+v", b.Standing, b.Findings)
		}
	})
}
