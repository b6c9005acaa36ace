package planner

import (
	"regexp"
	"slices"
	"strings"

	"github.com/edgeward/edgeward/providers"
)

// endpoint is an S3 endpoint that a record points at. S3 takes the bucket from
// the Host header, so the bucket that a target may begin with says nothing.
type endpoint struct {
	kind providers.OriginKind
	// region is "" for the global endpoint.
	region string
}

// s3Target is every spelling of an S3 endpoint that a record may have [S3 User
// Guide, "Virtual hosting of buckets" and "Website endpoints"]: dot and dash,
// global, dual-stack, FIPS, s3-external-1, and both website forms.
var s3Target = regexp.MustCompile(`^(?:.+\.)?s3(?:` +
	`(-website)[.-]([a-z]{2}(?:-[a-z]+)+-\d)` +
	`|(?:-fips)?(?:\.dualstack)?[.-]([a-z]{2}(?:-[a-z]+)+-\d)` +
	`|(-external-1)` +
	`|)\.amazonaws\.com(?:\.cn)?$`)

// parseEndpoint reads the target of a record; false when it is no S3 endpoint
// that answers to a Host header.
func parseEndpoint(target string) (endpoint, bool) {
	m := s3Target.FindStringSubmatch(strings.ToLower(strings.TrimSuffix(target, ".")))
	switch {
	case m == nil:
		return endpoint{}, false
	case m[1] != "":
		return endpoint{providers.WebsiteOrigin, m[2]}, true
	case m[4] != "":
		return endpoint{providers.RESTOrigin, "us-east-1"}, true
	}
	return endpoint{providers.RESTOrigin, m[3]}, true
}

// dashRegions spell their website endpoint with a dash, all others with a dot
// [Amazon S3 endpoints and quotas, AWS General Reference].
var dashRegions = []string{
	"us-east-1", "us-west-1", "us-west-2", "eu-west-1", "ap-northeast-1",
	"ap-southeast-1", "ap-southeast-2", "sa-east-1", "us-gov-west-1",
}

// originDomain is the regional endpoint that CloudFront fetches from.
func originDomain(bucket, region string, kind providers.OriginKind) string {
	suffix := ".amazonaws.com"
	if strings.HasPrefix(region, "cn-") {
		suffix += ".cn"
	}
	switch {
	case kind == providers.RESTOrigin:
		return bucket + ".s3." + region + suffix
	case slices.Contains(dashRegions, region):
		return bucket + ".s3-website-" + region + suffix
	default:
		return bucket + ".s3-website." + region + suffix
	}
}
