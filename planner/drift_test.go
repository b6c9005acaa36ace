package planner

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/providers"
	"github.com/edgeward/edgeward/providers/sandbox"
)

// TestDriftIsNamed: each change by hand after a migration is named with what it
// was, who to ask and what would mend it; and what is no drift is none.
func TestDriftIsNamed(t *testing.T) {
	const low = "low.example.com"
	edit := func(f func(*providers.Settings)) func(s *session) {
		return func(s *session) { s.w.EditDistribution(s.w.Distributions()[0].ID, f) }
	}
	expires := func(status string, in time.Duration) func(s *session) {
		return func(s *session) {
			s.w.EditCertificate(s.w.Distributions()[0].Settings.CertificateARN, func(c *providers.Certificate) { c.Status, c.NotAfter = status, time.Now().Add(in) })
		}
	}
	point := func(to string, ttl time.Duration) func(s *session) {
		return func(s *session) {
			s.w.SetRecords(route53, low, []providers.Record{{Type: "CNAME", Value: to, TTL: ttl}})
		}
	}
	tests := map[string]struct {
		setup  func(l *lab)
		change func(s *session)
		path   string // "" is no drift
		says   []string
	}{
		"nothing":                       {nil, func(*session) {}, "", nil},
		"the record back at S3":         {nil, point("s3.eu-west-1.amazonaws.com", time.Minute), "record low.example.com", []string{".cloudfront.net", "s3.eu-west-1.amazonaws.com", "edgeward rollback", "edgeward apply"}},
		"the record somewhere else":     {nil, point("other.example.net", time.Minute), "record low.example.com", []string{"other.example.net", "set it back by hand"}},
		"a setting":                     {nil, edit(func(s *providers.Settings) { s.PriceClass = "PriceClass_100" }), "price_class", []string{"PriceClass_All", "PriceClass_100", "edgeward apply -target='bucket[\"low.example.com\"]'"}},
		"disabled":                      {nil, edit(func(s *providers.Settings) { s.Enabled = false }), "enabled", []string{"true", "false"}},
		"an alias removed":              {nil, edit(func(s *providers.Settings) { s.Aliases = nil }), "aliases", []string{low}},
		"a setting that only full has":  {func(l *lab) { l.config.Buckets[0].Distribution.DefaultRootObject = new("index.html") }, edit(func(s *providers.Settings) { s.DefaultRootObject = "other.html" }), "default_root_object", []string{"index.html", "other.html"}},
		"not ours to say":               {nil, edit(func(s *providers.Settings) { s.DefaultRootObject = "other.html" }), "", nil},
		"the distribution is gone":      {nil, func(s *session) { s.w.DeleteDistribution(s.w.Distributions()[0].ID) }, "distribution", []string{"gone", "visitors get errors now"}},
		"the bucket is private":         {nil, func(s *session) { s.w.EditBucket(low, func(b *sandbox.Bucket) { b.Private = true }) }, "bucket policy", []string{"everybody may read"}},
		"the distribution lost its tag": {nil, func(s *session) { s.w.EditTags(s.w.Distributions()[0].ID, map[string]string{providers.TagBucket: ""}) }, "tag edgeward:bucket", []string{"low.example.com", "visitors are served", "adopt = "}},
		"the bucket is gone":            {nil, func(s *session) { s.w.DeleteBucket(low) }, "bucket low.example.com", []string{"gone", "taken over by anybody"}},
		"the TTL is the owner's":        {nil, func(s *session) { point(s.w.Distributions()[0].Domain, time.Hour)(s) }, "", nil},
		"a TTL that is configured": {func(l *lab) { l.config.Buckets[0].DNS.TTL = 10 * time.Minute },
			func(s *session) { point(s.w.Distributions()[0].Domain, time.Hour)(s) }, "record low.example.com", []string{"TTL 600s", "TTL 3600s"}},
		"another bucket":       {nil, edit(func(s *providers.Settings) { s.OriginDomain = "fonts.example.com.s3.eu-west-1.amazonaws.com" }), "origin", []string{"low.example.com.s3.eu-west-1", "fonts.example.com.s3", "by hand"}},
		"another kind of it":   {nil, edit(func(s *providers.Settings) { s.OriginKind = providers.WebsiteOrigin }), "origin", []string{"by hand"}},
		"fewer methods":        {nil, edit(func(s *providers.Settings) { s.Methods = []string{"GET"} }), "allowed_methods", []string{"GET, HEAD"}},
		"another policy":       {nil, edit(func(s *providers.Settings) { s.CachePolicyID = "658327ea-f89d-4fab-a63d-7e88639e58f6" }), "cache_policy", []string{"edgeward-", "658327ea"}},
		"CORS, another policy": {func(l *lab) { l.options.Buckets[indexOf(l, low)].CORS = anyOrigin() }, edit(func(s *providers.Settings) { s.CachePolicyID = "658327ea-f89d-4fab-a63d-7e88639e58f6" }), "cache_policy", []string{policyStem(cacheSettings(true))}},
		"no OPTIONS":           {func(l *lab) { l.options.Buckets[indexOf(l, low)].CORS = anyOrigin() }, edit(func(s *providers.Settings) { s.Methods = []string{"GET", "HEAD"} }), "CORS rules of bucket low.example.com", []string{"methods GET, HEAD"}},
		"OPTIONS, and a key without Origin": {nil, func(s *session) {
			edit(func(x *providers.Settings) { x.Methods = []string{"GET", "HEAD", "OPTIONS"} })(s)
			s.w.EditBucket(low, func(b *sandbox.Bucket) { b.CORS = anyOrigin() })
		}, "CORS rules of bucket low.example.com", []string{policyStem(cacheSettings(false))}},
		"another endpoint": {nil, edit(func(s *providers.Settings) {
			s.OriginKind, s.OriginDomain = providers.WebsiteOrigin, low+".s3-website-eu-west-1.amazonaws.com"
		}), "origin", []string{"website", "by hand"}},
		"a named policy": {func(l *lab) {
			l.config.Buckets[0].Distribution.CachePolicy = new("658327ea-f89d-4fab-a63d-7e88639e58f6")
			l.config.Buckets[0].Verify.Accept = []string{"caching", "query-string"}
		}, func(*session) {}, "", nil},
		"CORS rules later":   {nil, func(s *session) { s.w.EditBucket(low, func(b *sandbox.Bucket) { b.CORS = anyOrigin() }) }, "CORS rules of bucket low.example.com", []string{"Origin in the cache key", "OPTIONS"}},
		"CORS rules gone":    {func(l *lab) { l.options.Buckets[indexOf(l, low)].CORS = anyOrigin() }, func(s *session) { s.w.EditBucket(low, func(b *sandbox.Bucket) { b.CORS = nil }) }, "", nil},
		"expired":            {nil, expires("EXPIRED", -time.Hour), "certificate ", []string{"expired on", "visitors of https"}},
		"revoked":            {nil, expires("REVOKED", 90*24*time.Hour), "certificate ", []string{"REVOKED"}},
		"expires in 3 weeks": {nil, expires("ISSUED", 21*24*time.Hour), "certificate ", []string{"expires on", "validation record"}},
		"rolled back":        {nil, func(s *session) { s.want(s.apply(s.t.Context(), Rollback), OutcomeRolled) }, "", nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			inWorld(t, low, func(l *lab) {
				l.config.Buckets[0].Distribution = config.Distribution{Tags: map[string]string{"team": "web", "x": "y"}}
				if tt.setup != nil {
					tt.setup(l)
				}
			}, func(t *testing.T, s *session) {
				s.want(s.apply(t.Context(), Migrate), OutcomeFinished)
				tt.change(s)
				pause1(t, 2*time.Hour)
				r, err := MakeStatus(t.Context(), s.w.Providers(), s.c, Options{Full: true})
				if err != nil {
					t.Fatal(err)
				}
				got := r.Buckets[0]
				if tt.path == "" {
					if r.Drifted() {
						t.Errorf("%+v", got.Drift)
					}
					return
				}
				if len(got.Drift) != 1 || !strings.HasPrefix(got.Drift[0].Path, tt.path) {
					t.Fatalf("%+v, want %s", got.Drift, tt.path)
				}
				d := got.Drift[0]
				for _, part := range tt.says {
					if !strings.Contains(d.Expected+"|"+d.Live+"|"+d.Mend, part) {
						t.Errorf("%+v lacks %q", d, part)
					}
				}
				if tt.path != "distribution" && tt.path != "tag edgeward:bucket" && strings.Join(got.Ask, ",") != "team = web" {
					t.Errorf("ask %q", got.Ask)
				}
				if strings.Contains(d.Mend, "edgeward apply") && tt.path != "distribution" && len(got.Steps) == 0 {
					t.Error("no plan that would mend it")
				}
			})
		})
	}
}

func indexOf(l *lab, bucket string) int {
	return slices.IndexFunc(l.options.Buckets, func(b sandbox.Bucket) bool { return b.Name == bucket })
}

// TestCachePolicyDrift: a cache policy of ours that a person changed.
func TestCachePolicyDrift(t *testing.T) {
	a := Actual{Dist: &providers.Distribution{ID: "E1", Settings: providers.Settings{CachePolicyID: "p1"}}, Crumbs: crumbs{crumbFinished: "x"}}
	right := providers.CachePolicy{ID: "p1", Name: policyStem(cacheSettings(false)) + "-1", Settings: cacheSettings(false), InUse: 7}
	a.Policies = []providers.CachePolicy{right}
	if got := policyDrift(config.Bucket{}, a); got != nil {
		t.Errorf("%+v", got)
	}
	right.Settings.DefaultTTL = 86400
	a.Policies = []providers.CachePolicy{right}
	got := policyDrift(config.Bucket{}, a)
	if len(got) != 1 || !strings.Contains(got[0].Live, "default 86400s") || !strings.Contains(got[0].Mend, "7 distributions") {
		t.Errorf("%+v", got)
	}
}

// TestNoDriftOfAnAdopted: an adopted distribution has not drifted when the
// migration has just ended, with settings that no sweep has as well; a change of
// what the configuration sets is drift, of what it leaves out none.
func TestNoDriftOfAnAdopted(t *testing.T) {
	const low = "low.example.com"
	inWorld(t, low, nil, func(t *testing.T, s *session) {
		old := s.w.AddDistribution("", providers.Settings{Enabled: true, OriginDomain: low + ".s3.eu-west-1.amazonaws.com", OriginKind: providers.RESTOrigin,
			Methods: []string{"GET", "HEAD"}, ViewerProtocol: "allow-all", CachePolicyID: "4135ea2d-6df8-44a3-9df3-4b5a84be39ad", PriceClass: "PriceClass_100", HTTPVersion: "http2", MinimumTLS: "TLSv1.2_2021"}, nil)
		s.c.Buckets[0].Distribution = config.Distribution{Adopt: old.ID, DefaultRootObject: new("index.html")}
		s.want(s.apply(t.Context(), Migrate), OutcomeFinished)
		status := func() StatusReport {
			r, err := MakeStatus(t.Context(), s.w.Providers(), s.c, Options{Full: true})
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		if r := status(); r.Drifted() || r.Unseen() != nil {
			t.Errorf("%+v", r.Buckets[0])
		}
		s.w.EditDistribution(old.ID, func(x *providers.Settings) { x.PriceClass = "PriceClass_All" })
		if r := status(); r.Drifted() {
			t.Errorf("not ours to say: %+v", r.Buckets[0].Drift)
		}
		s.w.EditDistribution(old.ID, func(x *providers.Settings) { x.DefaultRootObject = "" })
		if r := status(); !r.Drifted() {
			t.Error("the default root object is not missed")
		}
	})
}

// TestUnseenIsNoDrift: a bucket that could not be looked at is named as such.
func TestUnseenIsNoDrift(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(1).only("low.example.com", "fonts.example.com")
		failing := false
		l.options.Hook = func(c sandbox.Call) error {
			if failing && strings.Contains(c.Op, "Look") && c.Name == "fonts.example.com" {
				return errors.New("connection reset")
			}
			return nil
		}
		s := l.start(t)
		s.want(s.apply(t.Context(), Migrate), OutcomeFinished)
		failing = true
		r, err := MakeStatus(t.Context(), s.w.Providers(), s.c, Options{Full: true})
		if err != nil || r.Drifted() || !slices.Equal(r.Unseen(), []string{`bucket["fonts.example.com"]`}) {
			t.Errorf("%v, drifted %t, unseen %q", err, r.Drifted(), r.Unseen())
		}
	})
}
