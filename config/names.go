package config

import (
	"net/netip"
	"regexp"
	"strconv"
	"strings"
)

var (
	bucketChars = regexp.MustCompile(`^[a-z0-9.-]+$`)
	bucketEdges = regexp.MustCompile(`^[a-z0-9].*[a-z0-9]$`)
	dnsLabel    = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
)

// bucketName judges the name of a general purpose S3 bucket by the rules of
// the S3 User Guide ("General purpose bucket naming rules").
func bucketName(s string) *flaw {
	const summary = "Invalid bucket name"
	switch {
	case s != strings.ToLower(s):
		return flawf(summary, "S3 bucket names are lower case: write %q.", strings.ToLower(s))
	case strings.HasPrefix(s, "s3://") || strings.HasPrefix(s, "arn:"):
		return flawf(summary, "%q is not a bucket's name. Write only the name, such as \"assets.example.com\".", s)
	case len(s) < 3 || len(s) > 63:
		return flawf(summary, "%q has %d characters; an S3 bucket name has 3 to 63.", s, len(s))
	case !bucketChars.MatchString(s):
		return flawf(summary, "%q: an S3 bucket name has only lower-case letters, digits, dots and hyphens. Write the name as S3 lists it.", s)
	case !bucketEdges.MatchString(s):
		return flawf(summary, "%q: an S3 bucket name begins and ends with a letter or a digit.", s)
	case strings.Contains(s, ".."):
		return flawf(summary, "%q: an S3 bucket name has no two dots next to each other.", s)
	}
	if a, err := netip.ParseAddr(s); err == nil && a.Is4() {
		return flawf(summary, "%q: an S3 bucket name cannot look like an IP address.", s)
	}
	for _, p := range []string{"xn--", "sthree-", "amzn-s3-demo-"} {
		if strings.HasPrefix(s, p) {
			return flawf(summary, "%q: S3 reserves bucket names that begin with %q.", s, p)
		}
	}
	for _, p := range []string{"-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"} {
		if strings.HasSuffix(s, p) {
			return flawf(summary, "%q: S3 reserves bucket names that end with %q.", s, p)
		}
	}
	return nil
}

// hostName judges a name that visitors use: a DNS name below a top-level
// domain, of the characters that a certificate can have.
func hostName(s string) *flaw {
	const summary = "Invalid DNS name"
	if f := dnsName(s, summary); f != nil {
		return f
	}
	last := s[strings.LastIndexByte(s, '.')+1:]
	switch {
	case !strings.Contains(s, "."):
		return flawf(summary, "%q is not a full DNS name. Write the name that visitors use, such as \"assets.example.com\", in cnames, or the bucket's name in name.", s)
	case isNumber(last):
		return flawf(summary, "%q is an address or ends with a number; only names can be moved.", s)
	}
	return nil
}

// zoneName judges the name of a DNS zone.
func zoneName(s string) *flaw { return dnsName(s, "Invalid zone name") }

func isNumber(s string) bool {
	_, err := strconv.ParseUint(s, 10, 64)
	return err == nil
}

// dnsName judges the syntax of RFC 1123, lower case and without a trailing dot.
func dnsName(s, summary string) *flaw {
	switch {
	case s == "":
		return flawf(summary, "The name is empty. Write a name such as \"example.com\".")
	case strings.Contains(s, "://") || strings.ContainsAny(s, "/:"):
		return flawf(summary, "%q is a URL or has a port. Write only the host name.", s)
	case !isASCII(s):
		return flawf(summary, "%q has characters outside ASCII. Write its punycode form, which begins with \"xn--\" in each such label.", s)
	case s != strings.ToLower(s):
		return flawf(summary, "Names are written in lower case: write %q.", strings.TrimRight(strings.ToLower(s), "."))
	case strings.HasSuffix(s, "."):
		return flawf(summary, "Names are written without a trailing dot: write %q.", strings.TrimRight(s, "."))
	case strings.Contains(s, "*"):
		return flawf(summary, "%q is a wildcard. S3 serves one name for each bucket; write each name.", s)
	case len(s) > 253:
		return flawf(summary, "The name has %d characters; a DNS name has at most 253.", len(s))
	}
	for l := range strings.SplitSeq(s, ".") {
		switch {
		case l == "":
			return flawf(summary, "%q has an empty label: two dots next to each other, or one at the beginning.", s)
		case len(l) > 63:
			return flawf(summary, "The label %q has %d characters; a label has at most 63.", l, len(l))
		case strings.Contains(l, "_"):
			return flawf(summary, "%q has an underscore, which no certificate can have. Use another name.", s)
		case !dnsLabel.MatchString(l):
			return flawf(summary, "The label %q of %q is not letters, digits and hyphens with a letter or digit at both ends.", l, s)
		}
	}
	return nil
}

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r > 127 }) < 0
}

// inZone says whether name is zone or below it, by whole labels.
func inZone(name, zone string) bool {
	return name == zone || strings.HasSuffix(name, "."+zone)
}

// longestZone is the longest of zones that holds name, or "".
func longestZone(name string, zones []string) string {
	best := ""
	for _, z := range zones {
		if inZone(name, z) && len(z) > len(best) {
			best = z
		}
	}
	return best
}

// hostPort judges HOST[:PORT], where HOST is a DNS name or an address; an IPv6
// address with a port stands in brackets. star allows a leading "*.".
func hostPort(s, summary, example string, star bool) *flaw {
	wrong := flawf(summary, "%q is not HOST[:PORT]. Write %s.", s, example)
	if _, err := netip.ParseAddr(s); err == nil {
		return nil
	}
	if _, err := netip.ParseAddrPort(s); err == nil {
		return nil
	}
	if inner, ok := strings.CutPrefix(s, "["); ok {
		inner, ok = strings.CutSuffix(inner, "]")
		if a, err := netip.ParseAddr(inner); ok && err == nil && a.Is6() {
			return nil
		}
		return wrong
	}
	host, port, has := strings.Cut(s, ":")
	if has {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return wrong
		}
	}
	if star {
		host = strings.TrimPrefix(host, "*.")
	}
	if host != strings.ToLower(host) {
		return flawf(summary, "Names are written in lower case: write %q.", strings.ToLower(s))
	}
	if dnsName(host, summary) != nil {
		return wrong
	}
	if last := host[strings.LastIndexByte(host, '.')+1:]; isNumber(last) {
		return wrong
	}
	return nil
}

func nameserver(s string) *flaw {
	return hostPort(s, "Invalid name server", "\"ns1.example.com\", \"192.0.2.1:5353\" or \"[2001:db8::1]:53\"", false)
}
