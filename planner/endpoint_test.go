package planner

import (
	"testing"

	"github.com/edgeward/edgeward/providers"
)

// Every spelling of the S3 User Guide, "Virtual hosting of buckets" and
// "Website endpoints".
func TestParseEndpoint(t *testing.T) {
	rest, site := providers.RESTOrigin, providers.WebsiteOrigin
	tests := map[string]struct {
		want endpoint
		ok   bool
	}{
		"a.example.com.s3.eu-west-1.amazonaws.com":            {endpoint{rest, "eu-west-1"}, true},
		"A.Example.com.S3.EU-West-1.amazonaws.com.":           {endpoint{rest, "eu-west-1"}, true},
		"a.example.com.s3-eu-west-1.amazonaws.com":            {endpoint{rest, "eu-west-1"}, true},
		"a.example.com.s3.amazonaws.com":                      {endpoint{rest, ""}, true},
		"s3.amazonaws.com":                                    {endpoint{rest, ""}, true},
		"s3.ap-southeast-1.amazonaws.com":                     {endpoint{rest, "ap-southeast-1"}, true},
		"s3-us-gov-west-1.amazonaws.com":                      {endpoint{rest, "us-gov-west-1"}, true},
		"a.s3.dualstack.eu-central-1.amazonaws.com":           {endpoint{rest, "eu-central-1"}, true},
		"a.s3-fips.us-east-2.amazonaws.com":                   {endpoint{rest, "us-east-2"}, true},
		"s3-external-1.amazonaws.com":                         {endpoint{rest, "us-east-1"}, true},
		"a.s3.cn-north-1.amazonaws.com.cn":                    {endpoint{rest, "cn-north-1"}, true},
		"a.example.com.s3-website-eu-west-1.amazonaws.com":    {endpoint{site, "eu-west-1"}, true},
		"a.example.com.s3-website.eu-central-1.amazonaws.com": {endpoint{site, "eu-central-1"}, true},
		"s3-website-us-east-1.amazonaws.com":                  {endpoint{site, "us-east-1"}, true},
		"a.s3-accelerate.amazonaws.com":                       {},
		"d111111abcdef8.cloudfront.net":                       {},
		"nots3.eu-west-1.amazonaws.com":                       {},
		"s3.eu-west-1.amazonaws.com.evil.example":             {},
		"elb.eu-west-1.amazonaws.com":                         {},
		"":                                                    {},
	}
	for target, tc := range tests {
		if got, ok := parseEndpoint(target); got != tc.want || ok != tc.ok {
			t.Errorf("%s: %+v %t, want %+v %t", target, got, ok, tc.want, tc.ok)
		}
	}
}

func TestOriginDomain(t *testing.T) {
	tests := map[string]string{
		originDomain("a.b", "eu-west-1", providers.RESTOrigin):       "a.b.s3.eu-west-1.amazonaws.com",
		originDomain("a.b", "eu-west-1", providers.WebsiteOrigin):    "a.b.s3-website-eu-west-1.amazonaws.com",
		originDomain("a.b", "eu-central-1", providers.WebsiteOrigin): "a.b.s3-website.eu-central-1.amazonaws.com",
		originDomain("a.b", "cn-north-1", providers.RESTOrigin):      "a.b.s3.cn-north-1.amazonaws.com.cn",
	}
	for got, want := range tests {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
		if _, ok := parseEndpoint(got); !ok {
			t.Errorf("%s is not read back as an endpoint", got)
		}
	}
}
