package aws

import (
	"slices"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront/types"

	"github.com/edgeward/edgeward/providers"
)

// originID names the one origin of a distribution that edgeward creates.
const originID = "edgeward"

// errorCodes are those for which CloudFront lets one set how long an error is
// kept [CloudFront Developer Guide: HTTP 4xx and 5xx status codes that are
// cached; CustomErrorResponse.ErrorCode].
var errorCodes = []int32{400, 403, 404, 405, 414, 416, 500, 501, 502, 503, 504}

// newConfig is the whole configuration of a new distribution.
func newConfig(callerReference, name string, s providers.Settings) *types.DistributionConfig {
	comment := "edgeward: " + name
	cfg := &types.DistributionConfig{
		CallerReference: &callerReference,
		Comment:         sdk.String(comment[:min(len(comment), 128)]),
		Origins:         &types.Origins{Quantity: sdk.Int32(1), Items: []types.Origin{{Id: sdk.String(originID)}}},
		DefaultCacheBehavior: &types.DefaultCacheBehavior{
			TargetOriginId: sdk.String(originID),
		},
		CustomErrorResponses: errorResponses(s.ErrorTTL),
	}
	for _, f := range allFields {
		setField(cfg, f, s)
	}
	return cfg
}

// allFields are the managed fields, in the order in which they are set: the
// certificate before its minimum TLS version.
var allFields = []providers.Field{
	providers.FieldEnabled, providers.FieldAliases, providers.FieldCertificate, providers.FieldMinimumTLS,
	providers.FieldOrigin, providers.FieldViewerProtocol, providers.FieldMethods, providers.FieldPriceClass,
	providers.FieldHTTPVersion, providers.FieldIPv6, providers.FieldCompress, providers.FieldCachePolicy,
	providers.FieldOriginRequest, providers.FieldResponseHeaders, providers.FieldWebACL,
	providers.FieldDefaultRootObject, providers.FieldLogging,
}

// setField writes one managed field into a configuration and touches nothing
// else. It says whether it knows the field.
func setField(cfg *types.DistributionConfig, f providers.Field, s providers.Settings) bool {
	switch f {
	case providers.FieldEnabled:
		cfg.Enabled = sdk.Bool(s.Enabled)
	case providers.FieldAliases:
		cfg.Aliases = &types.Aliases{Quantity: sdk.Int32(int32(len(s.Aliases))), Items: slices.Sorted(slices.Values(s.Aliases))}
	case providers.FieldCertificate:
		setCertificate(cfg, s)
	case providers.FieldMinimumTLS:
		if cfg.ViewerCertificate == nil {
			cfg.ViewerCertificate = &types.ViewerCertificate{}
		}
		cfg.ViewerCertificate.MinimumProtocolVersion = types.MinimumProtocolVersion(s.MinimumTLS)
	case providers.FieldOrigin:
		setOrigin(cfg, s)
	case providers.FieldPriceClass:
		cfg.PriceClass = types.PriceClass(s.PriceClass)
	case providers.FieldHTTPVersion:
		cfg.HttpVersion = types.HttpVersion(s.HTTPVersion)
	case providers.FieldIPv6:
		cfg.IsIPV6Enabled = sdk.Bool(s.IPv6)
	case providers.FieldWebACL:
		cfg.WebACLId = sdk.String(s.WebACL)
	case providers.FieldDefaultRootObject:
		cfg.DefaultRootObject = sdk.String(s.DefaultRootObject)
	case providers.FieldLogging:
		setLogging(cfg, s.Logging)
	case providers.FieldOriginAccess:
		setOriginAccess(cfg, s.OriginAccessID)
	default:
		return setBehavior(cfg.DefaultCacheBehavior, f, s)
	}
	return true
}

// setBehavior writes a field of the default cache behaviour.
func setBehavior(b *types.DefaultCacheBehavior, f providers.Field, s providers.Settings) bool {
	switch f {
	case providers.FieldViewerProtocol:
		b.ViewerProtocolPolicy = types.ViewerProtocolPolicy(s.ViewerProtocol)
	case providers.FieldMethods:
		b.AllowedMethods = methods(s.Methods)
	case providers.FieldCompress:
		b.Compress = sdk.Bool(s.Compress)
	case providers.FieldCachePolicy:
		b.CachePolicyId = optional(s.CachePolicyID)
		if s.CachePolicyID != "" {
			// The legacy settings exclude a cache policy [CloudFront API Reference:
			// DefaultCacheBehavior].
			//lint:ignore SA1019 an adopted distribution may have them, and they have to go
			b.ForwardedValues, b.MinTTL, b.DefaultTTL, b.MaxTTL = nil, nil, nil, nil
		}
	case providers.FieldOriginRequest:
		b.OriginRequestPolicyId = optional(s.OriginRequestID)
	case providers.FieldResponseHeaders:
		b.ResponseHeadersPolicyId = optional(s.ResponseHeadersID)
	default:
		return false
	}
	return true
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// methods are the allowed methods; all of them, which are GET, HEAD and
// OPTIONS at most, are cached as well.
func methods(names []string) *types.AllowedMethods {
	var items []types.Method
	for _, m := range names {
		items = append(items, types.Method(m))
	}
	n := sdk.Int32(int32(len(items)))
	return &types.AllowedMethods{
		Quantity: n, Items: items,
		CachedMethods: &types.CachedMethods{Quantity: n, Items: slices.Clone(items)},
	}
}

// setCertificate puts the ACM certificate in the place of whatever certificate
// there was. The method by which clients choose it (SNI) and the minimum TLS
// version stay when an own certificate was there before.
func setCertificate(cfg *types.DistributionConfig, s providers.Settings) {
	v := &types.ViewerCertificate{
		ACMCertificateArn:            sdk.String(s.CertificateARN),
		CloudFrontDefaultCertificate: sdk.Bool(false),
		SSLSupportMethod:             types.SSLSupportMethodSniOnly,
		MinimumProtocolVersion:       types.MinimumProtocolVersion(s.MinimumTLS),
	}
	if old := cfg.ViewerCertificate; old != nil && !sdk.ToBool(old.CloudFrontDefaultCertificate) {
		if old.SSLSupportMethod != "" {
			v.SSLSupportMethod = old.SSLSupportMethod
		}
		if old.MinimumProtocolVersion != "" {
			v.MinimumProtocolVersion = old.MinimumProtocolVersion
		}
	}
	cfg.ViewerCertificate = v
}

// setOrigin points the origin of the default cache behaviour at the bucket.
func setOrigin(cfg *types.DistributionConfig, s providers.Settings) {
	o := defaultOrigin(cfg.Origins, cfg.DefaultCacheBehavior)
	if o == nil {
		return
	}
	o.DomainName = sdk.String(s.OriginDomain)
	switch {
	case s.OriginKind == providers.WebsiteOrigin && originKind(o) != providers.WebsiteOrigin:
		// A website endpoint speaks http only and takes no signature; CloudFront
		// wants the https port and the protocols all the same.
		o.S3OriginConfig, o.OriginAccessControlId, o.VpcOriginConfig = nil, nil, nil
		o.CustomOriginConfig = &types.CustomOriginConfig{
			HTTPPort: sdk.Int32(80), HTTPSPort: sdk.Int32(443),
			OriginProtocolPolicy: types.OriginProtocolPolicyHttpOnly,
			OriginSslProtocols: &types.OriginSslProtocols{
				Quantity: sdk.Int32(1), Items: []types.SslProtocol{types.SslProtocolTLSv12},
			},
		}
	case s.OriginKind == providers.RESTOrigin && o.S3OriginConfig == nil:
		o.CustomOriginConfig, o.VpcOriginConfig = nil, nil
		o.S3OriginConfig = &types.S3OriginConfig{OriginAccessIdentity: sdk.String("")}
	}
}

// setOriginAccess has the origin of the default cache behaviour signed for, or no
// longer with "". A legacy origin access identity excludes it [CloudFront API
// Reference: Origin].
func setOriginAccess(cfg *types.DistributionConfig, id string) {
	o := defaultOrigin(cfg.Origins, cfg.DefaultCacheBehavior)
	if o == nil {
		return
	}
	o.OriginAccessControlId = sdk.String(id)
	if id != "" && o.S3OriginConfig != nil {
		o.S3OriginConfig.OriginAccessIdentity = sdk.String("")
	}
}

func setLogging(cfg *types.DistributionConfig, l providers.Logging) {
	cookies := sdk.Bool(false)
	if cfg.Logging != nil && cfg.Logging.IncludeCookies != nil {
		cookies = cfg.Logging.IncludeCookies
	}
	cfg.Logging = &types.LoggingConfig{
		Enabled: sdk.Bool(l.Bucket != ""), Bucket: sdk.String(l.Bucket), Prefix: sdk.String(l.Prefix),
		IncludeCookies: cookies,
	}
}

func errorResponses(ttl int64) *types.CustomErrorResponses {
	out := &types.CustomErrorResponses{Quantity: sdk.Int32(int32(len(errorCodes)))}
	for _, code := range errorCodes {
		out.Items = append(out.Items, types.CustomErrorResponse{
			ErrorCode: sdk.Int32(code), ErrorCachingMinTTL: sdk.Int64(ttl),
			ResponseCode: sdk.String(""), ResponsePagePath: sdk.String(""),
		})
	}
	return out
}

// defaultOrigin is the origin that the default cache behaviour uses, or nil
// (an origin group, say).
func defaultOrigin(all *types.Origins, b *types.DefaultCacheBehavior) *types.Origin {
	if all == nil || b == nil {
		return nil
	}
	for i := range all.Items {
		if sdk.ToString(all.Items[i].Id) == sdk.ToString(b.TargetOriginId) {
			return &all.Items[i]
		}
	}
	return nil
}

// originKind is "" for a custom origin that is no website endpoint.
func originKind(o *types.Origin) providers.OriginKind {
	switch {
	case o.S3OriginConfig != nil:
		return providers.RESTOrigin
	case o.CustomOriginConfig != nil && strings.Contains(sdk.ToString(o.DomainName), ".s3-website"):
		return providers.WebsiteOrigin
	}
	return ""
}

// settingsOf reads the managed fields of a configuration.
func settingsOf(cfg *types.DistributionConfig) providers.Settings {
	s := summarySettings(&types.DistributionSummary{
		Aliases: cfg.Aliases, DefaultCacheBehavior: cfg.DefaultCacheBehavior, Origins: cfg.Origins,
		Enabled: cfg.Enabled, HttpVersion: cfg.HttpVersion, IsIPV6Enabled: cfg.IsIPV6Enabled,
		PriceClass: cfg.PriceClass, ViewerCertificate: cfg.ViewerCertificate, WebACLId: cfg.WebACLId,
		CustomErrorResponses: cfg.CustomErrorResponses,
	})
	s.DefaultRootObject = sdk.ToString(cfg.DefaultRootObject)
	if l := cfg.Logging; l != nil && sdk.ToBool(l.Enabled) {
		s.Logging = providers.Logging{Bucket: sdk.ToString(l.Bucket), Prefix: sdk.ToString(l.Prefix)}
	}
	return s
}

// summarySettings reads those that a row of ListDistributions has.
func summarySettings(d *types.DistributionSummary) providers.Settings {
	s := providers.Settings{
		Enabled:     sdk.ToBool(d.Enabled),
		PriceClass:  string(d.PriceClass),
		HTTPVersion: strings.ToLower(string(d.HttpVersion)),
		IPv6:        sdk.ToBool(d.IsIPV6Enabled),
		WebACL:      sdk.ToString(d.WebACLId),
		ErrorTTL:    errorTTL(d.CustomErrorResponses),
	}
	if d.Aliases != nil {
		s.Aliases = slices.Sorted(slices.Values(d.Aliases.Items))
	}
	if v := d.ViewerCertificate; v != nil {
		s.CertificateARN = sdk.ToString(v.ACMCertificateArn)
		s.MinimumTLS = string(v.MinimumProtocolVersion)
	}
	if o := defaultOrigin(d.Origins, d.DefaultCacheBehavior); o != nil {
		s.OriginDomain, s.OriginKind, s.OriginAccessID = sdk.ToString(o.DomainName), originKind(o), sdk.ToString(o.OriginAccessControlId)
	}
	if b := d.DefaultCacheBehavior; b != nil {
		s.ViewerProtocol = string(b.ViewerProtocolPolicy)
		s.Compress = sdk.ToBool(b.Compress)
		s.CachePolicyID = sdk.ToString(b.CachePolicyId)
		s.OriginRequestID = sdk.ToString(b.OriginRequestPolicyId)
		s.ResponseHeadersID = sdk.ToString(b.ResponseHeadersPolicyId)
		s.Methods = methodNames(b.AllowedMethods)
	}
	return s
}

// methodNames are in the order GET, HEAD, OPTIONS, then the others; without an
// answer they are CloudFront's default.
func methodNames(m *types.AllowedMethods) []string {
	names := []string{"GET", "HEAD"}
	if m == nil || len(m.Items) == 0 {
		return names
	}
	names = nil
	for _, one := range m.Items {
		names = append(names, string(one))
	}
	order := []string{"GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"}
	slices.SortFunc(names, func(a, b string) int {
		return slices.Index(order, a) - slices.Index(order, b)
	})
	return names
}

// sharedErrors are the codes of the entries that share one TTL and have no page.
func sharedErrors(c *types.CustomErrorResponses) []int64 {
	if c == nil || len(c.Items) == 0 {
		return nil
	}
	var codes []int64
	for _, one := range c.Items {
		if sdk.ToInt64(one.ErrorCachingMinTTL) != sdk.ToInt64(c.Items[0].ErrorCachingMinTTL) || sdk.ToString(one.ResponsePagePath) != "" {
			return nil
		}
		codes = append(codes, int64(sdk.ToInt32(one.ErrorCode)))
	}
	slices.Sort(codes)
	return codes
}

// errorTTL is the TTL that all entries without a page of their own share, or
// 0 when they differ.
func errorTTL(c *types.CustomErrorResponses) int64 {
	if c == nil || len(c.Items) == 0 {
		return 0
	}
	ttl := sdk.ToInt64(c.Items[0].ErrorCachingMinTTL)
	for _, one := range c.Items {
		if sdk.ToInt64(one.ErrorCachingMinTTL) != ttl || sdk.ToString(one.ResponsePagePath) != "" {
			return 0
		}
	}
	return ttl
}
