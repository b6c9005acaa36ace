package planner

import (
	"context"
	"errors"
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

func (s *session) export(w providers.World) Export {
	s.t.Helper()
	e, err := MakeExport(s.t.Context(), w, s.c, s.o)
	if err != nil {
		s.t.Fatal(err)
	}
	return e
}

// left is why a bucket is not exported, "" when it is.
func (e Export) left(address string) string {
	for _, l := range e.Left {
		if l.Address == address {
			return l.Why
		}
	}
	return ""
}

// Of buckets that are done all is there: whole settings, exact tags, records with
// the zone's mark, certificates once, policies once. Others are named.
func TestExport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(3)
		l.config.DNSProviders = []config.DNSProvider{
			{Address: route53, Type: "route53", Zones: []string{"example.com"}}, {Address: swapped, Type: "other", Zones: []string{"example.org"}}}
		s := l.start(t)
		if e := s.export(s.w.Providers()); len(e.Buckets) > 0 || len(e.Left) != 5 || e.Left[0].Why != "edgeward made nothing for it yet" || e.Accounts != nil {
			t.Errorf("before the migration: %+v", e)
		}
		s.o.Excludes = []string{`bucket["low.example.com"]`}
		s.apply(t.Context(), Migrate)
		s.o.Excludes = nil
		s.o.Until = DistributionCreate
		s.apply(t.Context(), Migrate)
		s.o.Until = ""
		calls := s.w.Dump()
		e := s.export(s.w.Providers())
		if d := cmp.Diff(calls, s.w.Dump()); d != "" {
			t.Errorf("an export changed the world: %s", d)
		}
		if d := cmp.Diff(e, s.export(s.w.Providers()), cmp.AllowUnexported(Export{})); d != "" {
			t.Errorf("two exports differ: %s", d)
		}
		if why := e.left(`bucket["low.example.com"]`); !strings.HasPrefix(why, "under way: ") || len(e.Left) != 1 || len(e.Unseen()) != 0 {
			t.Errorf("left are %v", e.Left)
		}
		var got []string
		for _, b := range e.Buckets {
			var names []string
			for _, r := range b.Records {
				names = append(names, r.Type+" "+r.Set.Name)
				if (r.Set.ZoneID == "") != (r.Type == "other") {
					t.Errorf("%s: the zone's mark is %q", r.Set.Name, r.Set.ZoneID)
				}
			}
			got = append(got, fmt.Sprintf("%s %s %v %t", b.Address, b.Region, names, b.Distribution.SettingsFull && b.Distribution.Tags[crumbFinished] != ""))
		}
		want := []string{
			`bucket["assets.example.com"] eu-west-1 [route53 assets.example.com route53 static.example.com] true`,
			`bucket["example.com"] eu-west-1 [route53 example.com] true`, `bucket["fonts.example.com"] eu-west-1 [route53 fonts.example.com] true`,
			`bucket["www.example.org"] eu-west-1 [other www.example.org] true`}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("the buckets differ: %s", d)
		}
		if len(e.Certificates) != 4 || len(e.Certificates[0].Records) != 2 || len(e.Policies) != 2 || e.Controls != nil || len(e.Accounts) != 1 || e.Accounts[0].ID == "" {
			t.Errorf("shared: %+v %+v %+v %+v", e.Certificates, e.Policies, e.Controls, e.Accounts)
		}
		for _, c := range e.Certificates {
			if c.Certificate.Tags[providers.TagBucket] == "" || c.Unfound != nil || c.Records[0].Set.Records[0].Type != "CNAME" {
				t.Errorf("certificate %+v", c)
			}
		}
	})
}

// What is not edgeward's own is not written as if it were.
func TestExportOfOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(3).only("assets.example.com", "fonts.example.com")
		l.config.DNSProviders = []config.DNSProvider{{Address: route53, Type: "route53", Zones: []string{"example.org"}}}
		s := l.start(t)
		own := "arn:aws:acm:us-east-1:1:certificate/own"
		s.w.AddCertificate("", providers.Certificate{ARN: own, Status: providers.CertificateIssued, Names: []string{"*.example.com", "example.com"},
			KeyType: "RSA_2048", NotAfter: time.Now().AddDate(1, 0, 0)})
		s.apply(t.Context(), Migrate)
		e := s.export(s.w.Providers())
		if len(e.Buckets) != 2 || len(e.Certificates) > 0 || e.Buckets[0].Distribution.Settings.CertificateARN != own {
			t.Errorf("with somebody else's certificate: %+v", e)
		}
		s.c.Buckets[0].CertificateARN, s.c.Buckets[1].CertificateARN = own, own
		before := s.w.CallsByOp()["Certificates.Certificate"]
		if again := s.export(s.w.Providers()); len(again.Buckets) != 2 || s.w.CallsByOp()["Certificates.Certificate"] != before {
			t.Errorf("a certificate that the configuration names is looked at: %+v", again)
		}
		s.c.Buckets[0].Distribution.Adopt = e.Buckets[0].Distribution.ID
		if why := s.export(s.w.Providers()).left(s.c.Buckets[0].Address); !strings.Contains(why, "was there before edgeward") {
			t.Errorf("of an adopted distribution: %q", why)
		}
		s.c.Buckets[0].Distribution.Adopt = ""
		s.o.Targets = []string{s.c.Buckets[1].Address}
		s.apply(t.Context(), Rollback)
		s.o.Targets = nil
		e = s.export(s.w.Providers())
		if why := e.left(s.c.Buckets[1].Address); !strings.HasPrefix(why, "held") || len(e.Buckets) != 1 {
			t.Errorf("of a bucket that was rolled back: %q", why)
		}
	})
}

// A certificate's record that no provider of the configuration has is named.
func TestExportWithoutValidationRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(3).only("assets.example.com")
		l.config.Buckets[0].CNAMEs = l.config.Buckets[0].CNAMEs[:1]
		l.config.DNSProviders = []config.DNSProvider{{Address: route53, Type: "route53", Zones: []string{"example.com"}}}
		s := l.start(t)
		s.apply(t.Context(), Migrate)
		e := s.export(s.w.Providers())
		name := e.Certificates[0].Records[0].Set.Name
		w := s.w.Providers()
		acc := w.Accounts[""]
		acc.Certificates = wildcarded{acc.Certificates}
		w.Accounts = map[string]providers.Account{"": acc}
		if c := s.export(w).Certificates[0]; len(c.Records) != 1 {
			t.Errorf("the one record of a name and its wildcard is there %d times", len(c.Records))
		}
		s.w.SetRecords(route53, name, nil)
		if c := s.export(s.w.Providers()).Certificates[0]; c.Records != nil || !slices.Equal(c.Unfound, []string{name}) {
			t.Errorf("a record that is gone: %+v", c)
		}
		s.c.DNSProviders = nil
		if c := s.export(s.w.Providers()).Certificates[0]; c.Records != nil || !slices.Equal(c.Unfound, []string{name}) {
			t.Errorf("a zone of nobody's: %+v", c)
		}
	})
}

// wildcarded answers certificates for a wildcard too, whose record is the name's
// own [ACM User Guide, DNS validation].
type wildcarded struct{ providers.Certificates }

func (w wildcarded) Certificate(ctx context.Context, arn string) (providers.Certificate, error) {
	c, err := w.Certificates.Certificate(ctx, arn)
	for _, v := range c.Validation {
		v.Name = "*." + v.Name
		c.Validation = append(c.Validation, v)
	}
	return c, err
}

// Of a locked bucket the policy, the flags and the control are there.
func TestExportOfALockedBucket(t *testing.T) {
	inLocked(t, nil, func(t *testing.T, s *session) {
		s.o.Until = TTLRestore
		s.apply(t.Context(), Migrate)
		s.o.Until = ""
		if e := s.export(s.w.Providers()); len(e.Buckets) > 0 || !strings.Contains(e.left("bucket.assets")+e.left(s.c.Buckets[0].Address), string(AccessGrant)) {
			t.Errorf("a bucket whose lock is to come: %+v", e.Left)
		}
		s.want(s.apply(t.Context(), Migrate), OutcomeFinished)
		e := s.export(s.w.Providers())
		if len(e.Buckets) != 1 || e.Buckets[0].Lock == nil || len(e.Controls) != 1 || e.Controls[0].Control.ID != e.Buckets[0].Distribution.Settings.OriginAccessID {
			t.Fatalf("export %+v", e)
		}
		if l := e.Buckets[0].Lock; !strings.Contains(l.Policy, "cloudfront.amazonaws.com") || !l.Block.RestrictPublicBuckets {
			t.Errorf("lock %+v", l)
		}
	})
}

// blindTags cannot read the tags of one distribution.
type blindTags struct {
	providers.Distributions
	arn string
	err error
}

func (b blindTags) Tags(ctx context.Context, arn string) (map[string]string, error) {
	if arn == b.arn {
		return nil, b.err
	}
	return b.Distributions.Tags(ctx, arn)
}

// One bucket that cannot be looked at is named, and the others are there; wrong
// credentials end it.
func TestExportUnseen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newLab(3).only("assets.example.com", "fonts.example.com").start(t)
		s.apply(t.Context(), Migrate)
		e := s.export(s.w.Providers())
		w := s.w.Providers()
		acc := w.Accounts[""]
		acc.Distributions = blindTags{acc.Distributions, e.Buckets[0].Distribution.ARN, errors.New("broken")}
		w.Accounts = map[string]providers.Account{"": acc}
		blind := s.export(w)
		if len(blind.Buckets) != 1 || !slices.Equal(blind.Unseen(), []string{e.Buckets[0].Address}) || !strings.Contains(blind.Left[0].Why, "broken") {
			t.Errorf("export %+v", blind)
		}
		acc.Distributions = blindTags{w.Accounts[""].Distributions, e.Buckets[0].Distribution.ARN, providers.ErrCredentials}
		w.Accounts = map[string]providers.Account{"": acc}
		if _, err := MakeExport(t.Context(), w, s.c, s.o); !errors.Is(err, providers.ErrCredentials) {
			t.Errorf("error is %v", err)
		}
	})
}
