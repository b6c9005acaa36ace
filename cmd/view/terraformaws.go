package view

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2/hclwrite"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/edgeward/edgeward/planner"
	"github.com/edgeward/edgeward/providers"
)

// madeBy is what edgeward says of what its distributions share.
const madeBy = "made by edgeward; shared by its distributions"

// shared are the resources that several buckets may use.
func (t *terraform) shared() []byte {
	f := hclwrite.NewEmptyFile()
	body := f.Body()
	comment(body, "What several buckets may share: certificates, cache policies, origin access controls.")
	for _, c := range t.e.Certificates {
		t.certificate(body, c)
	}
	for _, p := range t.e.Policies {
		t.policy(body, p)
	}
	for _, c := range t.e.Controls {
		r := imported(body, "aws_cloudfront_origin_access_control", t.controls[[2]string{c.Account, c.Control.ID}], c.Control.ID,
			"aws."+alias(c.Account, globalRegion))
		attr(r, "name", c.Control.Name)
		attr(r, "description", madeBy)
		attr(r, "origin_access_control_origin_type", "s3")
		attr(r, "signing_behavior", "always")
		attr(r, "signing_protocol", "sigv4")
	}
	return hclwrite.Format(f.Bytes())
}

func (t *terraform) certificate(body *hclwrite.Body, c planner.ExportCertificate) {
	label, cert := t.certificates[[2]string{c.Account, c.Certificate.ARN}], c.Certificate
	r := imported(body, "aws_acm_certificate", label, cert.ARN, "aws."+alias(c.Account, globalRegion))
	attr(r, "domain_name", cert.Names[0])
	attr(r, "subject_alternative_names", slices.Sorted(slices.Values(cert.Names)))
	attr(r, "key_algorithm", cert.KeyType)
	attr(r, "validation_method", "DNS")
	tags(r, cert.Tags)
	r.AppendNewline()
	attr(r.AppendNewBlock("lifecycle", nil).Body(), "create_before_destroy", true)
	if len(c.Records) > 0 {
		body.AppendNewline()
		comment(body, "ACM looks at this record each time it renews "+label+": keep it.")
	}
	for _, record := range c.Records {
		t.record(body, record, "", "")
	}
	for _, name := range c.Unfound {
		body.AppendNewline()
		comment(body, "ACM looks at the record "+name+" each time it renews "+label+".",
			"It stands at no DNS provider of edgeward's configuration.")
	}
}

// tags are a resource's, without edgeward's own, which ignore_tags keeps.
func tags(r *hclwrite.Body, all map[string]string) {
	own := maps.Clone(all)
	maps.DeleteFunc(own, func(k, _ string) bool {
		return strings.HasPrefix(k, providers.TagPrefix) || strings.HasPrefix(k, "aws:")
	})
	if len(own) > 0 {
		attr(r, "tags", own)
	}
}

func (t *terraform) policy(body *hclwrite.Body, p planner.ExportPolicy) {
	r := imported(body, "aws_cloudfront_cache_policy", t.policies[[2]string{p.Account, p.Policy.ID}], p.Policy.ID,
		"aws."+alias(p.Account, globalRegion))
	s := p.Policy.Settings
	attr(r, "name", p.Policy.Name)
	attr(r, "comment", madeBy)
	attr(r, "min_ttl", s.MinTTL)
	attr(r, "default_ttl", s.DefaultTTL)
	attr(r, "max_ttl", s.MaxTTL)
	r.AppendNewline()
	key := r.AppendNewBlock("parameters_in_cache_key_and_forwarded_to_origin", nil).Body()
	attr(key, "enable_accept_encoding_gzip", s.Gzip)
	attr(key, "enable_accept_encoding_brotli", s.Brotli)
	key.AppendNewline()
	attr(key.AppendNewBlock("cookies_config", nil).Body(), "cookie_behavior", "none")
	headers := key.AppendNewBlock("headers_config", nil).Body()
	attr(headers, "header_behavior", "none")
	if len(s.Headers) > 0 {
		attr(headers, "header_behavior", "whitelist")
		attr(headers.AppendNewBlock("headers", nil).Body(), "items", slices.Sorted(slices.Values(s.Headers)))
	}
	query := "none"
	if s.QueryStrings {
		query = "all"
	}
	attr(key.AppendNewBlock("query_strings_config", nil).Body(), "query_string_behavior", query)
}

// bucket are the resources of one bucket.
func (t *terraform) bucket(b planner.ExportBucket) []byte {
	f := hclwrite.NewEmptyFile()
	comment(f.Body(), b.Address+": bucket "+b.Bucket+" in "+b.Region)
	t.distribution(f.Body(), b)
	label := t.labels[b.Address]
	for _, r := range b.Records {
		t.record(f.Body(), r, "aws_cloudfront_distribution."+label, b.Distribution.Domain)
	}
	if b.Lock != nil {
		t.lock(f.Body(), b)
	}
	return hclwrite.Format(f.Bytes())
}

func (t *terraform) distribution(body *hclwrite.Body, b planner.ExportBucket) {
	s := b.Distribution.Settings
	r := imported(body, "aws_cloudfront_distribution", t.labels[b.Address], b.Distribution.ID, "aws."+alias(b.Account, globalRegion))
	attr(r, "enabled", s.Enabled)
	attr(r, "aliases", slices.Sorted(slices.Values(s.Aliases)))
	if b.Distribution.Comment != "" {
		attr(r, "comment", b.Distribution.Comment)
	}
	attr(r, "price_class", s.PriceClass)
	attr(r, "http_version", s.HTTPVersion)
	attr(r, "is_ipv6_enabled", s.IPv6)
	if s.DefaultRootObject != "" {
		attr(r, "default_root_object", s.DefaultRootObject)
	}
	if s.WebACL != "" {
		attr(r, "web_acl_id", s.WebACL)
	}
	tags(r, b.Distribution.Tags)
	r.AppendNewline()
	t.origin(r.AppendNewBlock("origin", nil).Body(), b)
	r.AppendNewline()
	t.behavior(r.AppendNewBlock("default_cache_behavior", nil).Body(), b)
	if len(b.Distribution.ErrorCodes) > 0 {
		r.AppendNewline()
		d := r.AppendNewBlock("dynamic", []string{"custom_error_response"}).Body()
		raw(d, "for_each", strings.ReplaceAll(fmt.Sprint(b.Distribution.ErrorCodes), " ", ", "))
		c := d.AppendNewBlock("content", nil).Body()
		raw(c, "error_code", "custom_error_response.value")
		attr(c, "error_caching_min_ttl", s.ErrorTTL)
	}
	if s.Logging.Bucket != "" {
		r.AppendNewline()
		l := r.AppendNewBlock("logging_config", nil).Body()
		attr(l, "bucket", s.Logging.Bucket)
		if s.Logging.Prefix != "" {
			attr(l, "prefix", s.Logging.Prefix)
		}
	}
	r.AppendNewline()
	attr(r.AppendNewBlock("restrictions", nil).Body().AppendNewBlock("geo_restriction", nil).Body(), "restriction_type", "none")
	r.AppendNewline()
	v := r.AppendNewBlock("viewer_certificate", nil).Body()
	link(v, "acm_certificate_arn", "aws_acm_certificate", t.certificates[[2]string{b.Account, s.CertificateARN}], "arn", s.CertificateARN)
	attr(v, "minimum_protocol_version", s.MinimumTLS)
	attr(v, "ssl_support_method", "sni-only")
	r.AppendNewline()
	comment(r, "Visitors are served by it.")
	attr(r.AppendNewBlock("lifecycle", nil).Body(), "prevent_destroy", true)
}

// link sets an attribute to that of another resource, or, where label is "", to
// the value itself.
func link(body *hclwrite.Body, name, kind, label, of, value string) {
	if label == "" {
		attr(body, name, value)
		return
	}
	raw(body, name, kind+"."+label+"."+of)
}

// originID is what edgeward calls the one origin of its distributions.
const originID = "edgeward"

func (t *terraform) origin(o *hclwrite.Body, b planner.ExportBucket) {
	s := b.Distribution.Settings
	attr(o, "domain_name", s.OriginDomain)
	attr(o, "origin_id", originID)
	if s.OriginAccessID != "" {
		link(o, "origin_access_control_id", "aws_cloudfront_origin_access_control", t.controls[[2]string{b.Account, s.OriginAccessID}], "id", s.OriginAccessID)
	}
	if s.OriginKind == providers.WebsiteOrigin {
		o.AppendNewline()
		c := o.AppendNewBlock("custom_origin_config", nil).Body()
		attr(c, "http_port", int64(80))
		attr(c, "https_port", int64(443))
		attr(c, "origin_protocol_policy", "http-only")
		attr(c, "origin_ssl_protocols", []string{"TLSv1.2"})
	}
}

func (t *terraform) behavior(d *hclwrite.Body, b planner.ExportBucket) {
	s := b.Distribution.Settings
	attr(d, "target_origin_id", originID)
	attr(d, "viewer_protocol_policy", s.ViewerProtocol)
	attr(d, "allowed_methods", s.Methods)
	attr(d, "cached_methods", s.Methods)
	attr(d, "compress", s.Compress)
	link(d, "cache_policy_id", "aws_cloudfront_cache_policy", t.policies[[2]string{b.Account, s.CachePolicyID}], "id", s.CachePolicyID)
	if s.OriginRequestID != "" {
		attr(d, "origin_request_policy_id", s.OriginRequestID)
	}
	if s.ResponseHeadersID != "" {
		attr(d, "response_headers_policy_id", s.ResponseHeadersID)
	}
}

// lock is who may read a locked bucket.
func (t *terraform) lock(body *hclwrite.Body, b planner.ExportBucket) {
	label, provider := t.labels[b.Address], "aws."+alias(b.Account, b.Region)
	if b.Lock.Policy != "" {
		r := imported(body, "aws_s3_bucket_policy", label, b.Bucket, provider)
		attr(r, "bucket", b.Bucket)
		policy(r, b.Lock.Policy)
	}
	r := imported(body, "aws_s3_bucket_public_access_block", label, b.Bucket, provider)
	attr(r, "bucket", b.Bucket)
	attr(r, "block_public_acls", b.Lock.Block.BlockPublicACLs)
	attr(r, "ignore_public_acls", b.Lock.Block.IgnorePublicACLs)
	attr(r, "block_public_policy", b.Lock.Block.BlockPublicPolicy)
	attr(r, "restrict_public_buckets", b.Lock.Block.RestrictPublicBuckets)
}

// policy writes a policy's text as a value that people can edit; a text that is no
// JSON stays a text.
func policy(r *hclwrite.Body, text string) {
	var simple ctyjson.SimpleJSONValue
	if err := json.Unmarshal([]byte(text), &simple); err != nil {
		attr(r, "policy", text)
		return
	}
	r.SetAttributeRaw("policy", hclwrite.TokensForFunctionCall("jsonencode", hclwrite.TokensForValue(simple.Value)))
}

// record is one DNS record set; a target that is the distribution's domain is
// written as a reference to it.
func (t *terraform) record(body *hclwrite.Body, r planner.ExportRecord, distribution, domain string) {
	switch r.Type {
	case "route53":
		t.route53(body, r, distribution, domain)
	case "cloudflare":
		t.flare(body, r, distribution, domain)
	default:
		body.AppendNewline()
		for _, one := range r.Set.Records {
			comment(body, fmt.Sprintf("At %s stands: %s %s", r.Provider, r.Set.Name, one))
		}
		comment(body, fmt.Sprintf("edgeward knows no Terraform resource for records of %q, so it is left as it stands.", r.Type))
	}
}
