package planner

import (
	"net/netip"
	"slices"
	"strings"
)

// trait is one value that the conditions of a policy can see of a request.
type trait struct {
	// known is false when it can be anything, or be missing.
	known bool
	// value is "" when the key is not in the request.
	value string
}

// asker is who asks S3 for an object, without a signature unless signs says so.
type asker struct {
	referer, agent trait
	// edge: the address is CloudFront's, else it can be any. signs: it signs, as a
	// service, with what a condition sees of that.
	edge, signs bool
	// vpc stands for all keys about virtual private clouds.
	vpc trait
	// secure is aws:SecureTransport, version s3:TlsVersion.
	secure, version trait
}

// aVisitor is somebody who reaches S3 under the name today: over http, for S3
// has no certificate for it.
func aVisitor() asker { return asker{secure: trait{true, "false"}, version: trait{known: true}} }

// cloudFrontAgent is the User-Agent of CloudFront's own requests [CloudFront
// Developer Guide, "Request and response behavior for Amazon S3 origins"].
const cloudFrontAgent = "Amazon CloudFront"

// telling are the keys of which CloudFront's requests have other values than
// visitors'.
func telling(key string) bool {
	return slices.Contains([]string{"aws:referer", "aws:useragent", "aws:sourceip", "aws:vpcsourceip", "aws:securetransport", "s3:tlsversion"}, key) ||
		strings.HasPrefix(key, "aws:sourcevpc") || strings.HasPrefix(key, "aws:vpce")
}

// trait is what a condition sees under a key, in lower case. Keys about the
// signer are missing in requests without a signature [IAM User Guide, "AWS
// global condition context keys": Availability].
func (k asker) trait(key string) trait {
	switch {
	case key == "aws:referer":
		return k.referer
	case key == "aws:useragent":
		return k.agent
	case key == "aws:securetransport":
		return k.secure
	case key == "s3:tlsversion":
		return k.version
	case telling(key):
		return k.vpc // aws:SourceIp has been dealt with
	case k.signs && signedKey(key):
		return trait{} // whatever is asked of a signer
	case key == "aws:principaltype":
		return trait{true, "Anonymous"}
	case key == "aws:viaawsservice":
		return trait{true, "false"}
	case signedKey(key):
		return trait{known: true}
	}
	return trait{}
}

// signedKey says that a key is about who has signed.
func signedKey(key string) bool {
	return slices.ContainsFunc([]string{"aws:principal", "aws:user", "aws:source", "aws:calledvia", "aws:viaawsservice", "aws:multifactorauth", "aws:tokenissuetime",
		"aws:federatedprovider", "s3:authtype", "s3:signature", "s3:dataaccesspoint", "s3:accessgrants"},
		func(p string) bool { return strings.HasPrefix(key, p) })
}

// meets says whether a request of k fulfils all conditions of a statement.
func (s statement) meets(k asker) tri {
	out := always
	for op, keys := range s.Condition {
		for key, values := range keys {
			out = min(out, k.holds(op, strings.ToLower(key), values))
		}
	}
	return out
}

// operator is a condition operator taken apart: ForAnyValue:StringNotLikeIfExists
// is any, not, ifExists and "stringlike".
type operator struct {
	all, any, not, ifExists bool
	base                    string
}

func parseOperator(s string) operator {
	var o operator
	s = strings.ToLower(s)
	s, o.all = strings.CutPrefix(s, "forallvalues:")
	s, o.any = strings.CutPrefix(s, "foranyvalue:")
	s, o.ifExists = strings.CutSuffix(s, "ifexists")
	o.not = strings.Contains(s, "not")
	o.base = strings.Replace(s, "not", "", 1)
	return o
}

// holds says whether one condition is fulfilled [IAM User Guide, "IAM JSON
// policy elements: Condition operators", with what it says of keys that are not
// there].
func (k asker) holds(op, key string, values words) tri {
	o := parseOperator(op)
	if key == "aws:sourceip" && o.base != "null" {
		return k.address(o, values)
	}
	t := k.trait(key)
	missing := t.known && t.value == ""
	switch {
	case key == "aws:sourceip":
		return triOf(slices.Contains(values, "false")) // every request has an address
	case o.base == "null" && !t.known:
		return maybe
	case o.base == "null":
		return triOf(slices.Contains(values, "true") == missing)
	case missing:
		return triOf(o.ifExists || o.all || o.not && !o.any)
	case !t.known || slices.ContainsFunc(values, func(v string) bool { return strings.Contains(v, "${") }):
		return maybe
	}
	is := never
	for _, v := range values {
		is = max(is, o.compare(v, t.value))
	}
	return o.turned(is)
}

// turned is the answer of the operator, when that of its positive form is t.
func (o operator) turned(t tri) tri {
	if o.not {
		return always - t
	}
	return t
}

// compare says whether a value of the policy is met by one of the request.
func (o operator) compare(want, got string) tri {
	switch o.base {
	case "stringequals", "arnequals", "stringlike", "arnlike":
		if o.base == "stringequals" {
			return triOf(want == got)
		}
		return triOf(wildcard(want, got))
	case "stringequalsignorecase", "bool":
		return triOf(strings.EqualFold(want, got))
	}
	return maybe
}

// edgeRanges are some of the addresses from which CloudFront fetches, of the
// prefix list com.amazonaws.global.cloudfront.origin-facing; whoever lets it in
// by address has them in the list.
func edgeRanges() []netip.Prefix {
	return []netip.Prefix{netip.MustParsePrefix("130.176.0.0/17"), netip.MustParsePrefix("15.158.0.0/16"), netip.MustParsePrefix("64.252.64.0/18")}
}

// address is holds for aws:SourceIp.
func (k asker) address(o operator, values words) tri {
	is := never
	for _, v := range values {
		p, err := netip.ParsePrefix(v)
		if a, aerr := netip.ParseAddr(v); aerr == nil {
			p, err = netip.PrefixFrom(a, a.BitLen()), nil
		}
		switch {
		case err != nil || o.base != "ipaddress":
			is = max(is, maybe)
		case p.Addr().Is4() && p.Bits() == 0:
			is = always
		case !k.edge || slices.ContainsFunc(edgeRanges(), p.Overlaps):
			is = max(is, maybe)
		}
	}
	return o.turned(is)
}
