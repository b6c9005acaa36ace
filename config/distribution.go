package config

import (
	"regexp"
	"strings"

	"github.com/zclconf/go-cty/cty"
)

func anyType() cty.Type { return cty.DynamicPseudoType }

// readDistribution reads the distribution block; what is not set stays nil.
func (l *loader) readDistribution(b block, pb *placedBucket, c *Config) {
	d := &pb.Distribution
	d.PriceClass = priceClass(b)
	d.HTTPVersion = b.enum("http_version", []string{"http1.1", "http2", "http3", "http2and3"})
	d.IPv6 = b.flag("ipv6")
	d.Compress = b.flag("compress")
	d.ViewerProtocol = b.enum("viewer_protocol", []string{"allow-all", "redirect-to-https", "https-only"})
	// SSLv3 is left out: names served by SNI need TLSv1 at least.
	d.MinimumTLS = b.enum("minimum_tls", []string{"TLSv1", "TLSv1_2016", "TLSv1.1_2016",
		"TLSv1.2_2018", "TLSv1.2_2019", "TLSv1.2_2021", "TLSv1.2_2025", "TLSv1.3_2025"})
	d.DefaultRootObject = b.text("default_root_object", rootObject)
	d.CachePolicy = b.text("cache_policy", policyID("cache_policy"))
	d.OriginRequestPolicy = b.text("origin_request_policy", policyID("origin_request_policy"))
	d.ResponseHeadersPolicy = b.text("response_headers_policy", policyID("response_headers_policy"))
	d.WebACLARN = b.text("web_acl_arn", webACL)
	d.Logging = l.readLogging(b.sub("logging"))
	own, at := b.stringMap("tags", tagFlaw)
	d.Tags = mergedTags(c, pb.Account, own)
	if len(d.Tags) > maxTags {
		l.errorf(at, "Too many tags",
			"The bucket has %d tags, the account's default_tags included; a distribution can have %d, because CloudFront allows 50 and edgeward keeps 12 for its own.", len(d.Tags), maxTags)
	}
}

// priceClass is CloudFront's spelling of "all", "200" and "100", or of itself.
func priceClass(b block) *string {
	s := b.enum("price_class", []string{"all", "200", "100", "PriceClass_All", "PriceClass_200", "PriceClass_100"})
	if s == nil {
		return nil
	}
	name := *s
	switch {
	case name == "all":
		name = "PriceClass_All"
	case !strings.HasPrefix(name, "PriceClass_"):
		name = "PriceClass_" + name
	}
	return &name
}

func (l *loader) readLogging(b block) *Logging {
	if !b.exists() {
		return nil
	}
	bucket := b.text("bucket", logBucket)
	if bucket == nil {
		if !anySet(b, "bucket") {
			l.errorf(place{rng: b.at}, "Missing argument", "A logging block says where logs go: bucket = \"my-logs\".")
		}
		return nil
	}
	name := *bucket
	if !strings.HasSuffix(name, ".amazonaws.com") {
		name += ".s3.amazonaws.com"
	}
	return &Logging{Bucket: name, Prefix: deref(b.text("prefix", logPrefix))}
}

func logBucket(s string) *flaw {
	name := s
	if base, ok := strings.CutSuffix(s, ".amazonaws.com"); ok {
		name, _, ok = strings.Cut(base, ".s3")
		if !ok {
			return flawf("Invalid logging bucket", "%q is no S3 bucket. Write its name, such as \"my-logs\".", s)
		}
	}
	return bucketName(name)
}

func logPrefix(s string) *flaw {
	if strings.HasPrefix(s, "/") || len(s) > 256 {
		return flawf("Invalid prefix", "%q: a prefix has at most 256 characters and no slash at the beginning. Write \"assets/\", say.", s)
	}
	return nil
}

// readAdopt reads distribution.adopt, which only a bucket itself can have.
func readAdopt(own block) (string, place) {
	b := own.sub("distribution")
	v, at, ok := b.value("adopt", cty.String, shown)
	if !ok || v.IsNull() {
		return "", at
	}
	return deref(b.text("adopt", distributionID)), at
}

var (
	distributionForm = regexp.MustCompile(`^[A-Z0-9]{6,32}$`)
	policyForm       = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	certificateForm  = regexp.MustCompile(`^arn:aws[a-z-]*:acm:([a-z0-9-]+):[0-9]{12}:certificate/[A-Za-z0-9-]+$`)
	webACLForm       = regexp.MustCompile(`^arn:aws[a-z-]*:wafv2:us-east-1:[0-9]{12}:global/webacl/[\w-]{1,128}/[0-9a-fA-F-]+$`)
)

func distributionID(s string) *flaw {
	if distributionForm.MatchString(s) {
		return nil
	}
	return flawf("Invalid distribution ID", "%q is not the ID of a distribution. Write the ID, such as \"E2QWRUHEXAMPLE\", not its domain or ARN.", s)
}

func policyID(name string) rule {
	return func(s string) *flaw {
		if policyForm.MatchString(s) {
			return nil
		}
		return flawf("Invalid policy ID", "%q is not the ID of a policy. Write its ID, such as %s = \"658327ea-f89d-4fab-a63d-7e88639e58f6\", not its name.", s, name)
	}
}

func rootObject(s string) *flaw {
	switch {
	case s == "" || len(s) > 255:
		return flawf("Invalid default_root_object", "The name of an object has 1 to 255 characters. Write \"index.html\", or leave it out.")
	case strings.HasPrefix(s, "/"):
		return flawf("Invalid default_root_object", "CloudFront wants no slash at the beginning: write %q.", strings.TrimLeft(s, "/"))
	}
	return nil
}

// certificateARN judges the ARN of an ACM certificate, which CloudFront takes
// from us-east-1 only [CloudFront API Reference: ViewerCertificate].
func certificateARN(s string) *flaw {
	const summary = "Invalid certificate ARN"
	form := "Write \"arn:aws:acm:us-east-1:123456789012:certificate/…\"."
	m := certificateForm.FindStringSubmatch(s)
	switch {
	case m == nil:
		return flawf(summary, "%q is not the ARN of an ACM certificate. %s", s, form)
	case m[1] != "us-east-1":
		return flawf(summary, "The certificate is in %s; CloudFront takes certificates of us-east-1 only. Request or import it there, and write that ARN; or leave the block out.", m[1])
	}
	return nil
}

func webACL(s string) *flaw {
	if webACLForm.MatchString(s) {
		return nil
	}
	return flawf("Invalid web ACL", "%q is not the ARN of a web ACL for CloudFront. Write \"arn:aws:wafv2:us-east-1:123456789012:global/webacl/NAME/ID\".", s)
}
