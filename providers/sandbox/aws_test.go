package sandbox

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeward/edgeward/providers"
	"github.com/edgeward/edgeward/providers/providertest"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// TestAccountKeepsThePromises runs the conformance suite.
func TestAccountKeepsThePromises(t *testing.T) {
	providertest.Account(t, providertest.AccountSuite{Wrap: synctest.Test, New: func(t *testing.T) providertest.AccountParty {
		w := New(options(3))
		p := providertest.AccountParty{
			Account: w.Providers().Accounts[""], Again: w.Providers().Accounts[""],
			Clock: providers.RealClock{}, Patience: time.Hour,
			Bucket: "www.example.org", Region: "eu-central-1", Sizes: map[string]int64{},
			Foreign: "foreign.example.com",
			Names:   [2]string{"one.example.com", "two.example.com"}, Taken: "three.example.com",
			Log: func(_ *testing.T, entries ...providers.LogEntry) { w.AddAccessLog("www.example.org", entries...) },
			Prove: func(t *testing.T, v providers.Validation) {
				w.SetRecords(route53, v.RecordName, []providers.Record{cname(v.RecordValue, time.Minute)})
			},
		}
		for _, o := range objects() {
			p.Sizes[o.Key] = int64(len(o.Body))
		}
		p.Issued = w.AddCertificate("", providers.Certificate{Names: []string{"one.example.com", "two.example.com", "three.example.com"}})
		w.AddForeignDistribution("somebody else", "three.example.com")
		return p
	}})
}

// refusal is a creation that CloudFront refuses.
type refusal struct {
	world  func(w *World)
	change func(w *World, s *providers.Settings)
	tags   map[string]string
	ref    string
	class  error
	says   string
}

func refusals() map[string]refusal {
	alias := func(names ...string) func(*World, *providers.Settings) {
		return func(_ *World, s *providers.Settings) { s.Aliases = names }
	}
	cert := func(c providers.Certificate) func(*World, *providers.Settings) {
		return func(w *World, s *providers.Settings) { s.CertificateARN = w.AddCertificate("", c) }
	}
	own := []string{"assets.example.com"}
	return map[string]refusal{
		"alias of another account":   {world: func(w *World) { w.AddForeignDistribution("x", own...) }, class: providers.ErrConflict, says: "CNAMEAlreadyExists"},
		"alias of the own account":   {world: func(w *World) { w.AddForeignDistribution("", own...) }, class: providers.ErrConflict, says: "CNAMEAlreadyExists"},
		"upper-case alias":           {change: alias("Assets.example.com"), class: providers.ErrInvalid, says: "alias"},
		"alias twice":                {change: alias("a.example.com", "a.example.com"), class: providers.ErrInvalid, says: "alias"},
		"alias two levels below":     {change: alias("a.b.example.com"), class: providers.ErrInvalid, says: "doesn't cover the alternate domain name a.b.example.com"},
		"alias at the wildcard's":    {change: alias("example.com"), class: providers.ErrInvalid, says: "doesn't cover"},
		"certificate pending":        {change: cert(providers.Certificate{Names: own, Status: providers.CertificatePending}), class: providers.ErrInvalid, says: "PENDING_VALIDATION"},
		"certificate expired":        {change: cert(providers.Certificate{Names: own, NotAfter: time.Unix(0, 0)}), class: providers.ErrInvalid, says: "EXPIRED"},
		"certificate elsewhere":      {change: cert(providers.Certificate{Names: own, ARN: "arn:aws:acm:eu-west-1:123456789012:certificate/1"}), class: providers.ErrInvalid, says: "us-east-1"},
		"no TLS policy":              {change: func(_ *World, s *providers.Settings) { s.MinimumTLS = "" }, class: providers.ErrInvalid, says: "minimum protocol"},
		"no such cache policy":       {change: func(_ *World, s *providers.Settings) { s.CachePolicyID = "x" }, class: providers.ErrInvalid, says: "NoSuchCachePolicy"},
		"S3 origin that is none":     {change: func(_ *World, s *providers.Settings) { s.OriginDomain = "assets.example.com" }, class: providers.ErrInvalid, says: "valid S3 bucket"},
		"website as an S3 origin":    {change: func(_ *World, s *providers.Settings) { s.OriginDomain = "b.s3-website.eu-west-3.amazonaws.com" }, class: providers.ErrInvalid, says: "valid S3 bucket"},
		"viewer protocol":            {change: func(_ *World, s *providers.Settings) { s.ViewerProtocol = "http" }, class: providers.ErrInvalid, says: "viewer protocol"},
		"price class":                {change: func(_ *World, s *providers.Settings) { s.PriceClass = "" }, class: providers.ErrInvalid, says: "price class"},
		"HTTP version":               {change: func(_ *World, s *providers.Settings) { s.HTTPVersion = "http4" }, class: providers.ErrInvalid, says: "HTTP version"},
		"methods":                    {change: func(_ *World, s *providers.Settings) { s.Methods = []string{"GET"} }, class: providers.ErrInvalid, says: "methods"},
		"root object with a slash":   {change: func(_ *World, s *providers.Settings) { s.DefaultRootObject = "/i" }, class: providers.ErrInvalid, says: "DefaultRootObject"},
		"empty caller reference":     {ref: "-", class: providers.ErrInvalid, says: "CallerReference"},
		"caller reference used":      {ref: "used", class: providers.ErrConflict, says: "DistributionAlreadyExists"},
		"policy with all its users":  {ref: "full", class: providers.ErrFull, says: "TooManyDistributionsAssociatedToCachePolicy"},
		"quota of distributions":     {ref: "quota", class: providers.ErrQuota, says: "TooManyDistributions"},
		"tag with a foreign letter":  {tags: map[string]string{"k": "é"}, class: providers.ErrInvalid, says: "InvalidTagging"},
		"tag with a reserved prefix": {tags: map[string]string{"aws:k": "v"}, class: providers.ErrInvalid, says: "InvalidTagging"},
		"tag that is too long":       {tags: map[string]string{"k": strings.Repeat("v", 257)}, class: providers.ErrInvalid, says: "InvalidTagging"},
	}
}

func TestCloudFrontRefuses(t *testing.T) {
	for title, c := range refusals() {
		t.Run(title, func(t *testing.T) {
			inBubble(t, func(o *Options) { o.PolicyUsers, o.MaxDistributions = 2, 3 }, func(t *testing.T, w *World) {
				policy := w.AddCachePolicy("", "edgeward-x-1", providers.CacheSettings{MaxTTL: 60}, false)
				arn := w.AddCertificate("", providers.Certificate{Names: []string{"*.example.com"}})
				s := settings("assets.example.com.s3.eu-west-1.amazonaws.com", providers.RESTOrigin, policy, arn, "assets.example.com")
				ref := "ref"
				d := w.Providers().Accounts[""].Distributions
				fill := func(n int, policy, ref string) {
					for i := range n {
						other := s
						other.Aliases, other.CachePolicyID = []string{fmt.Sprintf("n%d.example.com", i)}, policy
						must[providers.Distribution](t)(d.Create(t.Context(), fmt.Sprint(ref, i), other, nil))
					}
				}
				switch c.ref {
				case "-":
					ref = ""
				case "used":
					ref = "r0"
					fill(1, disabled, "r")
				case "full":
					fill(2, policy, "r")
				case "quota":
					fill(3, disabled, "r")
				}
				if c.world != nil {
					c.world(w)
				}
				if c.change != nil {
					c.change(w, &s)
				}
				before := w.Dump()
				_, err := d.Create(t.Context(), ref, s, c.tags)
				if !errors.Is(err, c.class) || !strings.Contains(err.Error(), c.says) {
					t.Errorf("error is %v, want one that is %q and says %q", err, c.class, c.says)
				}
				if diff := cmp.Diff(before, w.Dump()); diff != "" {
					t.Errorf("the refused creation left:\n%s", diff)
				}
			})
		})
	}
}

// TestUpdatesAreRefusedAlike: an update is checked as a creation is.
func TestUpdatesAreRefusedAlike(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *World) {
		arn := w.AddCertificate("", providers.Certificate{Names: []string{"*.example.com"}})
		w.AddForeignDistribution("x", "taken.example.com")
		d := w.Providers().Accounts[""].Distributions
		made := must[providers.Distribution](t)(d.Create(t.Context(), "r", settings("assets.example.com.s3.eu-west-1.amazonaws.com", providers.RESTOrigin, disabled, arn, "assets.example.com"), nil))
		before := w.Dump()
		for _, c := range []struct {
			class  error
			field  providers.Field
			change func(*providers.Settings)
		}{
			{providers.ErrConflict, providers.FieldAliases, func(s *providers.Settings) { s.Aliases = []string{"taken.example.com"} }},
			{providers.ErrInvalid, providers.FieldAliases, func(s *providers.Settings) { s.Aliases = []string{"a.example.net"} }},
			{providers.ErrInvalid, providers.FieldCertificate, func(s *providers.Settings) { s.CertificateARN = "" }},
			{providers.ErrInvalid, providers.FieldCachePolicy, func(s *providers.Settings) { s.CachePolicyID = "x" }},
			{providers.ErrInvalid, "no-such-field", func(s *providers.Settings) {}},
		} {
			s := made.Settings
			c.change(&s)
			if _, err := d.Update(t.Context(), made.ID, made.ETag, s, []providers.Field{c.field}); !errors.Is(err, c.class) {
				t.Errorf("%s: error is %v, want one that is %q", c.field, err, c.class)
			}
		}
		if diff := cmp.Diff(before, w.Dump()); diff != "" {
			t.Error(diff)
		}
	})
}

// TestLostAnswerOfACreation: the retry of a create whose answer was lost meets
// its own distribution, under either of the two errors.
func TestLostAnswerOfACreation(t *testing.T) {
	seen := map[string]bool{}
	for seed := range int64(16) {
		lost := errors.New("connection reset")
		broken := true
		inBubble(t, func(o *Options) {
			o.Seed = seed
			o.Hook = func(c Call) error {
				if broken && c.Op == "Distributions.Create" && c.After {
					return lost
				}
				return nil
			}
		}, func(t *testing.T, w *World) {
			arn := w.AddCertificate("", providers.Certificate{Names: []string{"*.example.com"}})
			s := settings("assets.example.com.s3.eu-west-1.amazonaws.com", providers.RESTOrigin, disabled, arn, "assets.example.com")
			d := w.Providers().Accounts[""].Distributions
			if _, err := d.Create(t.Context(), "r", s, nil); !errors.Is(err, lost) {
				t.Fatal(err)
			}
			broken = false
			_, err := d.Create(t.Context(), "r", s, nil)
			var exists *providers.ExistsError
			switch {
			case errors.As(err, &exists) && exists.ID == w.Distributions()[0].ID:
				seen["DistributionAlreadyExists"] = true
			case errors.Is(err, providers.ErrConflict):
				seen["CNAMEAlreadyExists"] = true
			default:
				t.Errorf("the retry: %v", err)
			}
			if n := len(w.Distributions()); n != 1 {
				t.Errorf("%d distributions", n)
			}
		})
	}
	if len(seen) != 2 {
		t.Errorf("only %v was seen", seen)
	}
}

func TestWildcardAliases(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *World) {
		w.AddForeignDistribution("", "*.example.com")
		arn := w.AddCertificate("", providers.Certificate{Names: []string{"*.example.com"}})
		d := w.Providers().Accounts[""].Distributions
		made := must[providers.Distribution](t)(d.Create(t.Context(), "r", settings("assets.example.com.s3.eu-west-1.amazonaws.com", providers.RESTOrigin, disabled, arn, "assets.example.com"), nil))
		found := must[[]providers.Distribution](t)(d.Find(t.Context(), "", []string{"assets.example.com"}))
		if len(found) != 2 {
			t.Errorf("found %d distributions, want the own and the wildcard's", len(found))
		}
		fetch := func() string {
			got, err := w.Providers().Web.Fetch(t.Context(), providers.Request{Method: "GET", URL: "http://assets.example.com/index.html", Dial: made.Domain})
			if err != nil {
				return err.Error()
			}
			return fmt.Sprint(got.Status)
		}
		if got := fetch(); !strings.Contains(got, "no such host") {
			t.Errorf("before the deployment: %s", got)
		}
		time.Sleep(time.Hour)
		if got := fetch(); got != "200" {
			t.Errorf("the more specific alias: %s", got)
		}
	})
}

// TestDeploymentServesTheOldConfiguration until it has ended.
func TestDeploymentServesTheOldConfiguration(t *testing.T) {
	inBubble(t, func(o *Options) { o.Deploy = Span{5 * time.Minute, 5 * time.Minute} }, func(t *testing.T, w *World) {
		arn := w.AddCertificate("", providers.Certificate{Names: []string{"*.example.com"}})
		h := w.Providers()
		d := h.Accounts[""].Distributions
		s := settings("assets.example.com.s3.eu-west-1.amazonaws.com", providers.RESTOrigin, disabled, arn, "assets.example.com")
		made := must[providers.Distribution](t)(d.Create(t.Context(), "r", s, nil))
		time.Sleep(6 * time.Minute)
		s.Aliases = []string{"other.example.com"}
		if _, err := d.Update(t.Context(), made.ID, made.ETag, s, []providers.Field{providers.FieldAliases}); err != nil {
			t.Fatal(err)
		}
		status := func(name string) int {
			return must[providers.Response](t)(h.Web.Fetch(t.Context(), providers.Request{Method: "GET", URL: "http://" + name + "/index.html", Dial: made.Domain})).Status
		}
		if a, b := status("assets.example.com"), status("other.example.com"); a != 200 || b != 403 {
			t.Errorf("while it deploys: the old alias %d, the new one %d", a, b)
		}
		time.Sleep(6 * time.Minute)
		if a, b := status("assets.example.com"), status("other.example.com"); a != 403 || b != 200 {
			t.Errorf("deployed: the old alias %d, the new one %d", a, b)
		}
	})
}

func TestTagsShowLateToOthers(t *testing.T) {
	inBubble(t, func(o *Options) { o.TagLag = Span{30 * time.Second, 40 * time.Second} }, func(t *testing.T, w *World) {
		mine, other := w.Providers().Accounts[""].Distributions, w.Providers().Accounts[""].Distributions
		d := w.AddDistribution("", settings("assets.example.com.s3.eu-west-1.amazonaws.com", providers.RESTOrigin, disabled, ""), map[string]string{providers.TagBucket: "assets.example.com"})
		for _, v := range []string{"1", "2"} {
			if err := mine.SetTags(t.Context(), d.ARN, map[string]string{"edgeward:hold": v}); err != nil {
				t.Fatal(err)
			}
		}
		hold := func(of providers.Distributions) string {
			return must[[]providers.Distribution](t)(of.Find(t.Context(), "assets.example.com", nil))[0].Tags["edgeward:hold"]
		}
		if a, b := hold(mine), hold(other); a != "2" || b != "" {
			t.Errorf("the writer sees %q, another process %q", a, b)
		}
		if exact := must[map[string]string](t)(other.Tags(t.Context(), d.ARN)); exact["edgeward:hold"] != "2" {
			t.Errorf("the exact tags are %v", exact)
		}
		time.Sleep(time.Minute)
		if b := hold(other); b != "2" {
			t.Errorf("a minute later another process sees %q", b)
		}
	})
}

func TestACM(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *World) {
		h := w.Providers()
		acm := h.Accounts[""].Certificates
		names := []string{"assets.example.com", "*.assets.example.com"}
		arn := must[string](t)(acm.Request(t.Context(), names, "t", nil))
		c := must[providers.Certificate](t)(acm.Certificate(t.Context(), arn))
		if c.Validation[0].RecordName != "" {
			t.Errorf("at once: %+v", c.Validation)
		}
		time.Sleep(10 * time.Second)
		c = must[providers.Certificate](t)(acm.Certificate(t.Context(), arn))
		v := c.Validation[0]
		if v.RecordName == "" || v.RecordName != c.Validation[1].RecordName {
			t.Errorf("a name and its wildcard have one record: %+v", c.Validation)
		}
		// A record with another value proves nothing.
		w.SetRecords(route53, v.RecordName, []providers.Record{cname("_other.acm-validations.aws", time.Minute)})
		time.Sleep(time.Hour)
		if c = must[providers.Certificate](t)(acm.Certificate(t.Context(), arn)); c.Status != providers.CertificatePending {
			t.Errorf("with a wrong record: %s", c.Status)
		}
		w.SetRecords(route53, v.RecordName, []providers.Record{cname(v.RecordValue, time.Minute)})
		if c = must[providers.Certificate](t)(acm.Certificate(t.Context(), arn)); c.Status != providers.CertificatePending {
			t.Errorf("at once with the right record: %s", c.Status)
		}
		time.Sleep(time.Hour)
		if c = must[providers.Certificate](t)(acm.Certificate(t.Context(), arn)); c.Status != providers.CertificateIssued || c.Validation[1].Status != "SUCCESS" || c.NotAfter.IsZero() {
			t.Errorf("with the right record: %+v", c)
		}
		// The record stands already for a second request of the name.
		second := must[string](t)(acm.Request(t.Context(), names[:1], "t2", nil))
		forgotten := must[string](t)(acm.Request(t.Context(), []string{"x.example.com"}, "t3", nil))
		time.Sleep(80 * time.Hour)
		if c = must[providers.Certificate](t)(acm.Certificate(t.Context(), second)); second == arn || c.Status != providers.CertificateIssued {
			t.Errorf("a second certificate: %+v", c)
		}
		if c = must[providers.Certificate](t)(acm.Certificate(t.Context(), forgotten)); c.Status != "VALIDATION_TIMED_OUT" {
			t.Errorf("after 72 hours: %+v", c)
		}
	})
}

func TestACMRefuses(t *testing.T) {
	many := make([]string, 11)
	for i := range many {
		many[i] = fmt.Sprintf("n%d.example.com", i)
	}
	for title, c := range map[string]struct {
		names []string
		token string
		class error
	}{
		"no name":       {nil, "t", providers.ErrInvalid},
		"eleven names":  {many, "t", providers.ErrQuota},
		"long name":     {[]string{strings.Repeat("n", 60) + ".example.com"}, "t", providers.ErrInvalid},
		"token":         {many[:1], "a-b", providers.ErrInvalid},
		"long token":    {many[:1], strings.Repeat("t", 33), providers.ErrInvalid},
		"name that not": {[]string{"localhost"}, "t", providers.ErrInvalid},
	} {
		t.Run(title, func(t *testing.T) {
			inBubble(t, nil, func(t *testing.T, w *World) {
				if _, err := w.Providers().Accounts[""].Certificates.Request(t.Context(), c.names, c.token, nil); !errors.Is(err, c.class) {
					t.Errorf("error is %v, want one that is %q", err, c.class)
				}
			})
		})
	}
}

func TestCertificatesThatAreNotListed(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *World) {
		names := []string{"assets.example.com"}
		good := []string{
			w.AddCertificate("", providers.Certificate{Names: names}),
			w.AddCertificate("", providers.Certificate{Names: []string{"*.example.com"}, KeyType: "EC_prime256v1"}),
			w.AddCertificate("", providers.Certificate{Names: names, Status: providers.CertificatePending}),
		}
		w.AddCertificate("", providers.Certificate{Names: names, KeyType: "RSA_4096"})
		w.AddCertificate("", providers.Certificate{Names: names, NotAfter: time.Now()})
		w.AddCertificate("", providers.Certificate{Names: names, Status: "FAILED"})
		w.AddCertificate("", providers.Certificate{Names: []string{"example.com", "*.assets.example.com"}})
		w.AddCertificate("", providers.Certificate{Names: names, ARN: "arn:aws:acm:eu-west-1:123456789012:certificate/1"})
		var got []string
		for _, c := range must[[]providers.Certificate](t)(w.Providers().Accounts[""].Certificates.Covering(t.Context(), names)) {
			got = append(got, c.ARN)
		}
		slices.Sort(got)
		slices.Sort(good)
		if diff := cmp.Diff(good, got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestCachePoliciesAreLimited(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *World) {
		p := w.Providers().Accounts[""].CachePolicies
		foreign := w.AddCachePolicy("", "theirs", providers.CacheSettings{}, true)
		for i := range 19 {
			must[providers.CachePolicy](t)(p.CreateCachePolicy(t.Context(), fmt.Sprint("p", i), providers.CacheSettings{MaxTTL: 1}))
		}
		if _, err := p.CreateCachePolicy(t.Context(), "one too many", providers.CacheSettings{MaxTTL: 1}); !errors.Is(err, providers.ErrQuota) {
			t.Errorf("the 21st policy: %v", err)
		}
		all := must[[]providers.CachePolicy](t)(p.CachePolicies(t.Context()))
		if len(all) != 20 || !slices.ContainsFunc(all, func(c providers.CachePolicy) bool { return c.ID == foreign && c.Foreign }) {
			t.Errorf("%+v", all)
		}
		for id, want := range map[string]bool{originControl: true, originControlQuery: true, disabled: false} {
			if c := must[providers.CachePolicy](t)(p.CachePolicy(t.Context(), id)); c.Foreign != want {
				t.Errorf("AWS's policy %s has settings that cannot be said: %t", id, c.Foreign)
			}
		}
		for _, s := range []providers.CacheSettings{{MinTTL: 2, DefaultTTL: 1, MaxTTL: 3}, {QueryStrings: true}} {
			if _, err := w.Providers().Accounts[""].CachePolicies.CreateCachePolicy(t.Context(), "odd", s); !errors.Is(err, providers.ErrQuota) && !errors.Is(err, providers.ErrInvalid) {
				t.Errorf("%+v: %v", s, err)
			}
		}
	})
}

func TestBucketsOfOthers(t *testing.T) {
	inBubble(t, func(o *Options) { o.Accounts = []string{"", "brand"} }, func(t *testing.T, w *World) {
		h := w.Providers()
		if _, err := h.Accounts["brand"].Buckets.Bucket(t.Context(), "example.com", ""); !errors.Is(err, providers.ErrDenied) {
			t.Errorf("another account's bucket: %v", err)
		}
		if _, err := h.Accounts[""].Buckets.Bucket(t.Context(), "example.com", "eu-west-1"); !errors.Is(err, providers.ErrInvalid) || !strings.Contains(err.Error(), "us-east-1") {
			t.Errorf("a wrong region: %v", err)
		}
		b := must[providers.Bucket](t)(h.Accounts[""].Buckets.Bucket(t.Context(), "assets.example.com", ""))
		want := providers.Bucket{Name: "assets.example.com", Region: "eu-west-1", PolicyPublic: true, CORS: []providers.CORSRule{{Origins: []string{"*"}, Methods: []string{"GET", "HEAD"}}}}
		if diff := cmp.Diff(want, b, cmpopts.IgnoreFields(providers.Bucket{}, "Policy")); diff != "" {
			t.Error(diff)
		}
		w.EditBucket("assets.example.com", func(b *Bucket) { b.Private = true })
		b = must[providers.Bucket](t)(h.Accounts[""].Buckets.Bucket(t.Context(), "assets.example.com", ""))
		if b.PolicyPublic || b.Policy != "" || !b.Block.RestrictPublicBuckets {
			t.Errorf("a private bucket: %+v", b)
		}
	})
}
