//go:build peers

package aws_test

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/edgeward/edgeward/providers"
	"github.com/edgeward/edgeward/providers/aws"
	"github.com/edgeward/edgeward/providers/providertest/motolab"
)

func lab(t *testing.T) (*motolab.Lab, providers.Account) {
	t.Helper()
	l := motolab.Start(t)
	l.Setenv(t)
	return l, aws.New(aws.Options{
		Clock: providers.RealClock{}, Limits: aws.Limits{}.Times(100), Freshness: 10 * time.Millisecond,
	}).Account()
}

// eventually asks at once and then every 100 ms until ok, for 20 s.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for range 200 {
		if ok() {
			return
		}
		if err := (providers.RealClock{}).Sleep(t.Context(), 100*time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
	t.Fatalf("%s: not within 20 s", what)
}

func TestMotoBuckets(t *testing.T) {
	l, account := lab(t)
	const policy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::site.example.com/*"}]}`
	for _, args := range [][]string{
		{"create-bucket", "--bucket", "site.example.com", "--create-bucket-configuration", "LocationConstraint=eu-west-1"},
		{"put-bucket-website", "--bucket", "site.example.com", "--website-configuration",
			`{"IndexDocument":{"Suffix":"index.html"},"ErrorDocument":{"Key":"error.html"}}`},
		{"put-bucket-policy", "--bucket", "site.example.com", "--policy", policy},
		{"put-bucket-cors", "--bucket", "site.example.com", "--cors-configuration",
			`{"CORSRules":[{"AllowedMethods":["GET"],"AllowedOrigins":["*"]}]}`},
		{"put-public-access-block", "--bucket", "site.example.com", "--public-access-block-configuration", "BlockPublicAcls=true,IgnorePublicAcls=true"},
		{"put-object", "--bucket", "site.example.com", "--key", "b.txt"},
		{"put-object", "--bucket", "site.example.com", "--key", "a.txt"},
		{"create-bucket", "--bucket", "bare"},
	} {
		l.AWS(t, append([]string{"s3api"}, args...)...)
	}
	got, err := account.Buckets.Bucket(t.Context(), "site.example.com", "")
	if err != nil {
		t.Fatal(err)
	}
	got.Policy = "" // the text is S3's own spelling
	want := providers.Bucket{
		Name: "site.example.com", Region: "eu-west-1",
		Website:      &providers.Website{IndexDocument: "index.html", ErrorDocument: "error.html"},
		PolicyPublic: true, CORS: []providers.CORSRule{{Origins: []string{"*"}, Methods: []string{"GET"}}}, ACLsEnabled: true,
		Block: providers.PublicAccessBlock{BlockPublicACLs: true, IgnorePublicACLs: true},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
	got, err = account.Buckets.Bucket(t.Context(), "bare", "")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(providers.Bucket{Name: "bare", Region: "us-east-1", ACLsEnabled: true}, got); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
	list, err := account.Buckets.List(t.Context())
	if err != nil || len(list) != 2 || list[0].Name != "bare" || list[1].Name != "site.example.com" || list[0].Created.IsZero() { // moto says no regions
		t.Errorf("buckets %+v, error %v", list, err)
	}
	objects, err := account.Buckets.Objects(t.Context(), "site.example.com", "", "", 1)
	if err != nil || len(objects) != 1 || objects[0].Key != "a.txt" {
		t.Errorf("objects %v, error %v", objects, err)
	}
	if _, err := account.Buckets.Bucket(t.Context(), "absent.example.com", ""); !errors.Is(err, providers.ErrNotFound) {
		t.Errorf("a bucket that does not exist: %v", err)
	}
	if id, err := account.Identity.AccountID(t.Context()); id != motolab.Account || err != nil {
		t.Errorf("account %q, %v", id, err)
	}
}

func TestMotoCertificates(t *testing.T) {
	_, account := lab(t)
	tags := map[string]string{providers.TagBucket: "assets.example.com"}
	names := []string{"assets.example.com", "www.example.com"}
	arn, err := account.Certificates.Request(t.Context(), names, "token1", tags)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := account.Certificates.Request(t.Context(), names, "token1", tags); again != arn || err != nil {
		t.Errorf("the same token gave %s, %v, want %s", again, err, arn)
	}
	found, err := account.Certificates.Covering(t.Context(), names)
	if err != nil || len(found) != 1 {
		t.Fatalf("covering %v, %v", found, err)
	}
	c := found[0]
	if c.ARN != arn || c.Status != providers.CertificatePending || !cmp.Equal(c.Tags, tags) || len(c.Validation) != 2 ||
		c.Validation[0].RecordName == "" || c.KeyType != "RSA_2048" {
		t.Errorf("pending certificate: %+v", c)
	}
	eventually(t, "issued", func() bool {
		found, err := account.Certificates.Covering(t.Context(), names[:1])
		return err == nil && len(found) == 1 && found[0].Status == providers.CertificateIssued && !found[0].NotAfter.IsZero()
	})
	if _, err := account.Certificates.Certificate(t.Context(), arn[:len(arn)-4]+"0000"); !errors.Is(err, providers.ErrNotFound) {
		t.Errorf("a certificate that does not exist: %v", err)
	}
}

func TestMotoDistributions(t *testing.T) {
	l, account := lab(t)
	policy, err := account.CachePolicies.CreateCachePolicy(t.Context(), "edgeward-1", providers.CacheSettings{
		MaxTTL: 31536000, QueryStrings: true, Headers: []string{"Origin"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := account.CachePolicies.CreateCachePolicy(t.Context(), "edgeward-1", providers.CacheSettings{}); !errors.Is(err, providers.ErrConflict) {
		t.Errorf("a policy of that name: %v", err)
	}
	arn, err := account.Certificates.Request(t.Context(), []string{"assets.example.com"}, "t", nil)
	if err != nil {
		t.Fatal(err)
	}
	s, tags := settings(arn, policy.ID), map[string]string{providers.TagBucket: "assets.example.com", "team": "web"}
	made, err := account.Distributions.Create(t.Context(), "edgeward-ref-1", s, tags)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(s, made.Settings); d != "" {
		t.Errorf("-sent +made\n%s", d)
	}
	readBackWithTheCommandLine(t, l, made, arn, policy.ID)

	found, err := account.Distributions.Find(t.Context(), "assets.example.com", []string{"assets.example.com"})
	if err != nil || len(found) != 1 || found[0].ID != made.ID || !cmp.Equal(found[0].Tags, tags) || found[0].ETag != made.ETag {
		t.Fatalf("found %+v, %v", found, err)
	}
	policies, err := account.CachePolicies.CachePolicies(t.Context())
	if err != nil || len(policies) != 1 || policies[0].InUse != 1 || policies[0].Foreign || !cmp.Equal(policies[0].Settings, policy.Settings) {
		t.Errorf("policies %+v, %v", policies, err)
	}

	var exists *providers.ExistsError
	if _, err := account.Distributions.Create(t.Context(), "edgeward-ref-1", s, tags); !errors.As(err, &exists) || exists.ID != made.ID {
		t.Errorf("the same caller reference: %v", err)
	}
	if _, err := account.Distributions.Create(t.Context(), "edgeward-ref-2", s, tags); !errors.Is(err, providers.ErrConflict) {
		t.Errorf("the same alias: %v", err)
	}

	s.ViewerProtocol = "redirect-to-https"
	changed, err := account.Distributions.Update(t.Context(), made.ID, made.ETag, s, []providers.Field{providers.FieldViewerProtocol})
	if err != nil || changed.ETag == made.ETag || changed.Status != providers.InProgress {
		t.Fatalf("update: %+v, %v", changed, err)
	}
	if d := cmp.Diff(s, changed.Settings); d != "" {
		t.Errorf("-sent +changed\n%s", d)
	}
	if _, err := account.Distributions.Update(t.Context(), made.ID, made.ETag, s, []providers.Field{providers.FieldCompress}); !errors.Is(err, providers.ErrConflict) {
		t.Errorf("a stale version: %v", err)
	}
	if err := account.Distributions.SetTags(t.Context(), made.ARN, map[string]string{"edgeward:proof": "1"}); err != nil {
		t.Fatal(err)
	}
	tags["edgeward:proof"] = "1"
	if got, err := account.Distributions.Tags(t.Context(), made.ARN); err != nil || !cmp.Equal(got, tags) {
		t.Errorf("tags %v, %v", got, err)
	}
	eventually(t, "deployed", func() bool {
		found, err := account.Distributions.Find(t.Context(), "assets.example.com", nil)
		return err == nil && len(found) == 1 && found[0].Status == providers.Deployed
	})
	if _, err := account.Distributions.Distribution(t.Context(), "EABSENT"); !errors.Is(err, providers.ErrNotFound) {
		t.Errorf("a distribution that does not exist: %v", err)
	}
}

func readBackWithTheCommandLine(t *testing.T, l *motolab.Lab, made providers.Distribution, certificate, policy string) {
	t.Helper()
	var got struct {
		Distribution struct {
			Status             string
			DistributionConfig struct {
				CallerReference, Comment, HttpVersion, PriceClass string
				Enabled, IsIPV6Enabled                            bool
				Aliases                                           struct{ Items []string }
				Origins                                           struct {
					Items []struct {
						DomainName     string
						S3OriginConfig *struct{ OriginAccessIdentity string }
					}
				}
				DefaultCacheBehavior struct {
					CachePolicyId, ViewerProtocolPolicy string
					AllowedMethods                      struct{ Items []string }
				}
				ViewerCertificate struct{ ACMCertificateArn, SSLSupportMethod, MinimumProtocolVersion string }
			}
		}
	}
	if err := json.Unmarshal(l.AWS(t, "cloudfront", "get-distribution", "--id", made.ID), &got); err != nil {
		t.Fatal(err)
	}
	c := got.Distribution.DistributionConfig
	if c.CallerReference != "edgeward-ref-1" || c.Comment != "edgeward: assets.example.com" || !c.Enabled || !c.IsIPV6Enabled ||
		!slices.Equal(c.Aliases.Items, []string{"assets.example.com"}) || len(c.Origins.Items) != 1 ||
		c.Origins.Items[0].DomainName != "assets.example.com.s3.eu-west-1.amazonaws.com" || c.Origins.Items[0].S3OriginConfig == nil ||
		c.DefaultCacheBehavior.CachePolicyId != policy || c.DefaultCacheBehavior.ViewerProtocolPolicy != "allow-all" ||
		c.ViewerCertificate.ACMCertificateArn != certificate || c.ViewerCertificate.SSLSupportMethod != "sni-only" ||
		c.ViewerCertificate.MinimumProtocolVersion != "TLSv1.2_2021" || c.HttpVersion != "http2" {
		t.Errorf("the AWS command line reads %+v", got)
	}
	var list struct {
		DistributionList struct {
			Items []struct {
				Id      string
				Aliases struct{ Items []string }
			}
		}
	}
	if err := json.Unmarshal(l.AWS(t, "cloudfront", "list-distributions"), &list); err != nil {
		t.Fatal(err)
	}
	if items := list.DistributionList.Items; len(items) != 1 || items[0].Id != made.ID || !slices.Equal(items[0].Aliases.Items, []string{"assets.example.com"}) {
		t.Errorf("the AWS command line lists %+v", list)
	}
}

// A no-op look at many finished buckets is a handful of requests.
func TestMotoSweepsAreFew(t *testing.T) {
	l, account := lab(t)
	account = aws.New(aws.Options{Clock: providers.RealClock{}, Limits: aws.Limits{}.Times(100), Freshness: time.Minute}).Account()
	var made []string
	for _, name := range []string{"a.example.com", "b.example.com", "c.example.com"} {
		s := settings("arn:aws:acm:us-east-1:123456789012:certificate/x", "658327ea-f89d-4fab-a63d-7e88639e58f6")
		s.Aliases = []string{name}
		d, err := account.Distributions.Create(t.Context(), "edgeward-"+name, s, map[string]string{providers.TagBucket: name})
		if err != nil {
			t.Fatal(err)
		}
		made = append(made, d.ID)
	}
	fresh := aws.New(aws.Options{Clock: providers.RealClock{}, Limits: aws.Limits{}.Times(100), Freshness: time.Minute}).Account()
	l.ResetRequests()
	for i, name := range []string{"a.example.com", "b.example.com", "c.example.com"} {
		found, err := fresh.Distributions.Find(t.Context(), name, []string{name})
		if err != nil || len(found) != 1 || found[0].ID != made[i] || found[0].Tags[providers.TagBucket] != name {
			t.Errorf("found %+v, %v", found, err)
		}
	}
	if d := cmp.Diff(map[string]int{"ListDistributions": 1, "GetResources": 1}, l.Requests()); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
}
