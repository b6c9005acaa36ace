//go:build peers

package cmd_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// distributionConfig is what the AWS command line reads of a DistributionConfig,
// by CloudFront's own names.
type distributionConfig struct {
	CallerReference, Comment, PriceClass, HttpVersion string
	DefaultRootObject, WebACLId                       string
	Enabled, IsIPV6Enabled                            bool
	Aliases                                           struct{ Items []string }
	Origins                                           struct {
		Items []struct {
			DomainName         string
			S3OriginConfig     *struct{ OriginAccessIdentity string }
			CustomOriginConfig *struct {
				HTTPPort, HTTPSPort  int
				OriginProtocolPolicy string
			}
		}
	}
	DefaultCacheBehavior struct {
		CachePolicyId, ViewerProtocolPolicy string
		Compress                            bool
		AllowedMethods                      struct{ Items []string }
	}
	ViewerCertificate    struct{ ACMCertificateArn, SSLSupportMethod, MinimumProtocolVersion string }
	CustomErrorResponses struct {
		Items []struct{ ErrorCode, ErrorCachingMinTTL int }
	}
	Logging struct{ Enabled bool }
}

// awsJSON reads with the AWS command line, from moto itself when direct is set.
func awsJSON[T any](t *testing.T, w *world, direct bool, args ...string) T {
	t.Helper()
	if direct {
		args = append(args, "--endpoint-url", w.lab.MotoURL)
	}
	var got T
	if err := json.Unmarshal(w.lab.AWS(t, args...), &got); err != nil {
		t.Fatal(err)
	}
	return got
}

type row struct {
	Id, ARN, DomainName, Status string
}

// readBack reads what was created with a client that we did not write: the
// whole of each distribution as it was sent, what moto kept of it, its tags,
// and the records. Then Terraform takes it all over.
func (w *world) readBack(t *testing.T) {
	t.Helper()
	list := awsJSON[struct {
		DistributionList struct {
			Items []struct {
				row
				Aliases struct{ Items []string }
			}
		}
	}](t, w, false, "cloudfront", "list-distributions")
	byName := map[string]row{}
	for _, d := range list.DistributionList.Items {
		byName[strings.Join(d.Aliases.Items, " ")] = d.row
	}
	certificates, policies := w.readCertificates(t), w.readPolicies(t)
	records := w.records(t)
	for _, s := range w.sites {
		d := byName[s.bucket]
		if d.Id == "" || len(byName) != len(w.sites) {
			t.Fatalf("the AWS command line lists %+v", byName)
		}
		c := w.readConfig(t, s, d)
		if name := certificates[c.ViewerCertificate.ACMCertificateArn]; name != s.bucket {
			t.Errorf("%s has certificate %s, which is issued for %q", s.bucket, c.ViewerCertificate.ACMCertificateArn, name)
		}
		want := "TTL 0 0 31536000 query all headers none []"
		if s.cors {
			want = "TTL 0 0 31536000 query all headers whitelist [Access-Control-Request-Headers Access-Control-Request-Method Origin]"
		}
		if got := policies[c.DefaultCacheBehavior.CachePolicyId]; got != want {
			t.Errorf("%s has a cache policy with %s, want %s", s.bucket, got, want)
		}
		w.readTags(t, s, d)
		target := strings.ToLower(d.DomainName) + "."
		should := []string{"CNAME 3 " + target}
		if s.apex {
			should = []string{"A alias Z2FDTNDATAQYW2 " + target, "AAAA alias Z2FDTNDATAQYW2 " + target}
		}
		if diff := cmp.Diff(should, records[s.bucket]); diff != "" {
			t.Errorf("records of %s: -want +got\n%s", s.bucket, diff)
		}
	}
	t.Run("terraform", w.handedOver)
}

// readCertificates has the name of each issued certificate by its ARN.
func (w *world) readCertificates(t *testing.T) map[string]string {
	t.Helper()
	names := map[string]string{}
	for _, c := range awsJSON[struct {
		CertificateSummaryList []struct{ CertificateArn, DomainName, Status string }
	}](t, w, true, "acm", "list-certificates").CertificateSummaryList {
		if c.Status == "ISSUED" {
			names[c.CertificateArn] = c.DomainName
		}
	}
	return names
}

// readPolicies has what each cache policy says by its ID.
func (w *world) readPolicies(t *testing.T) map[string]string {
	t.Helper()
	policies := map[string]string{}
	for _, p := range awsJSON[struct {
		CachePolicyList struct {
			Items []struct {
				CachePolicy struct {
					Id                string
					CachePolicyConfig struct {
						MinTTL, DefaultTTL, MaxTTL               int
						ParametersInCacheKeyAndForwardedToOrigin struct {
							HeadersConfig struct {
								HeaderBehavior string
								Headers        struct{ Items []string }
							}
							QueryStringsConfig struct{ QueryStringBehavior string }
						}
					}
				}
			}
		}
	}](t, w, false, "cloudfront", "list-cache-policies", "--type", "custom").CachePolicyList.Items {
		c := p.CachePolicy.CachePolicyConfig
		key := c.ParametersInCacheKeyAndForwardedToOrigin
		policies[p.CachePolicy.Id] = fmt.Sprintf("TTL %d %d %d query %s headers %s %v", c.MinTTL, c.DefaultTTL, c.MaxTTL,
			key.QueryStringsConfig.QueryStringBehavior, key.HeadersConfig.HeaderBehavior, key.HeadersConfig.Headers.Items)
	}
	return policies
}

func (w *world) readConfig(t *testing.T, s site, d row) distributionConfig {
	t.Helper()
	type answer struct{ DistributionConfig distributionConfig }
	got := awsJSON[answer](t, w, false, "cloudfront", "get-distribution-config", "--id", d.Id).DistributionConfig
	kept := awsJSON[answer](t, w, true, "cloudfront", "get-distribution-config", "--id", d.Id).DistributionConfig

	if ok, _ := regexp.MatchString(`^edgeward-[0-9a-f]{24}-1$`, got.CallerReference); !ok {
		t.Errorf("%s: caller reference %q", s.bucket, got.CallerReference)
	}
	if ok, _ := regexp.MatchString(`^arn:aws:acm:us-east-1:123456789012:certificate/.+$`, got.ViewerCertificate.ACMCertificateArn); !ok {
		t.Errorf("%s: certificate %q", s.bucket, got.ViewerCertificate.ACMCertificateArn)
	}
	// CloudFront's own default is 10 seconds; S3 keeps no error.
	for _, e := range got.CustomErrorResponses.Items {
		if e.ErrorCachingMinTTL > 0 {
			t.Errorf("%s: error %d is kept for %d s", s.bucket, e.ErrorCode, e.ErrorCachingMinTTL)
		}
	}
	if len(got.CustomErrorResponses.Items) == 0 {
		t.Errorf("%s: errors are kept for CloudFront's default time", s.bucket)
	}
	var want distributionConfig
	text := fmt.Sprintf(`{
		"CallerReference": %[1]q, "Comment": "edgeward: %[2]s", "PriceClass": "PriceClass_All", "HttpVersion": "http2",
		"Enabled": true, "IsIPV6Enabled": true, "Aliases": {"Items": [%[2]q]},
		"DefaultCacheBehavior": {"CachePolicyId": %[3]q, "ViewerProtocolPolicy": "allow-all", "AllowedMethods": {"Items": ["GET", "HEAD"]}},
		"Origins": {"Items": [{"DomainName": "%[2]s%[4]s", "S3OriginConfig": {}}]},
		"ViewerCertificate": {"ACMCertificateArn": %[5]q, "SSLSupportMethod": "sni-only", "MinimumProtocolVersion": "TLSv1.2_2021"}
	}`, got.CallerReference, s.bucket, got.DefaultCacheBehavior.CachePolicyId, restSuffix, got.ViewerCertificate.ACMCertificateArn)
	if s.website {
		text = strings.Replace(text, restSuffix+`", "S3OriginConfig": {}`, websiteSuffix+
			`", "CustomOriginConfig": {"HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "http-only"}`, 1)
	}
	if s.cors {
		text = strings.Replace(text, `"HEAD"]`, `"HEAD", "OPTIONS"]`, 1)
	}
	if err := json.Unmarshal([]byte(text), &want); err != nil {
		t.Fatal(err)
	}
	want.CustomErrorResponses = got.CustomErrorResponses
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the distribution of %s: -want +got\n%s", s.bucket, diff)
	}
	// moto drops S3OriginConfig and adds ForwardedValues; the rest it keeps.
	if len(kept.Origins.Items) == 1 && len(got.Origins.Items) == 1 {
		kept.Origins.Items[0].S3OriginConfig = got.Origins.Items[0].S3OriginConfig
	}
	kept.CustomErrorResponses = got.CustomErrorResponses
	slices.Sort(kept.DefaultCacheBehavior.AllowedMethods.Items)
	if diff := cmp.Diff(want, kept); diff != "" {
		t.Errorf("what moto understood of %s: -want +got\n%s", s.bucket, diff)
	}
	return got
}

// readTags checks the crumbs, by which any machine can go on or back.
func (w *world) readTags(t *testing.T, s site, d row) {
	t.Helper()
	got := awsJSON[struct {
		Tags struct{ Items []struct{ Key, Value string } }
	}](t, w, true, "cloudfront", "list-tags-for-resource", "--resource", d.ARN)
	tags := map[string]string{}
	for _, tag := range got.Tags.Items {
		if tag.Value != "" {
			tags[tag.Key] = tag.Value
		}
	}
	for _, k := range []string{"edgeward:finished", "edgeward:proof", "edgeward:served", "edgeward:switched"} {
		if tags[k] == "" {
			t.Errorf("%s has no tag %s", s.bucket, k)
		}
		delete(tags, k)
	}
	want := map[string]string{
		"team": "web", "edgeward:bucket": s.bucket, "edgeward:was": "CNAME " + s.endpoint(), "edgeward:was-ttl": "3",
		"edgeward:was-at": "dns_provider.route53.main/" + s.zone,
	}
	if s.apex {
		want["edgeward:was"] = "A alias/Z1BKCTXD74EZPE/" + s.endpoint() + "/false"
		delete(want, "edgeward:was-ttl")
	}
	if diff := cmp.Diff(want, tags); diff != "" {
		t.Errorf("tags of %s: -want +got\n%s", s.bucket, diff)
	}
}

// records are the address records of the sites' names, by name, as the AWS
// command line lists them in moto.
func (w *world) records(t *testing.T) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	for _, id := range w.zones {
		got := awsJSON[struct {
			ResourceRecordSets []struct {
				Name, Type      string
				TTL             int
				ResourceRecords []struct{ Value string }
				AliasTarget     *struct{ HostedZoneId, DNSName string }
			}
		}](t, w, true, "route53", "list-resource-record-sets", "--hosted-zone-id", id)
		for _, r := range got.ResourceRecordSets {
			name := strings.TrimSuffix(r.Name, ".")
			if !slices.ContainsFunc(w.sites, func(s site) bool { return s.bucket == name }) || r.Type == "NS" || r.Type == "SOA" {
				continue
			}
			if r.AliasTarget != nil {
				all[name] = append(all[name], fmt.Sprintf("%s alias %s %s", r.Type, r.AliasTarget.HostedZoneId, r.AliasTarget.DNSName))
			}
			for _, v := range r.ResourceRecords {
				all[name] = append(all[name], fmt.Sprintf("%s %d %s", r.Type, r.TTL, v.Value))
			}
		}
		for _, records := range all {
			slices.Sort(records)
		}
	}
	return all
}
