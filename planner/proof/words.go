package proof

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"unicode"
	"unicode/utf8"
)

// Where expected differences come from.
const (
	sourceViewer   = "distribution { viewer_protocol = %q }"
	sourceRoot     = "distribution { default_root_object = %q }"
	sourceCompress = "distribution { compress = true }"
	sourceHeaders  = "distribution { response_headers_policy }"

	sourceRanges  = "CloudFront Developer Guide, How CloudFront processes partial requests for an object (range GETs)"
	sourceVary    = "CloudFront Developer Guide, HTTP response headers that CloudFront removes or replaces (Vary)"
	sourceMethods = "CloudFront Developer Guide, Allowed HTTP methods"
	sourceLong    = "CloudFront Developer Guide, Maximum length of a request and maximum length of a URL"
	sourceEdge    = "CloudFront Developer Guide, HTTP status codes of errors that CloudFront itself makes"
	sourceS3Error = "Amazon S3 API Reference, Error responses: the code is for programs, the message for people"
	sourceRule    = "Amazon S3 User Guide, Configuring a webpage redirect: a rule's host name and protocol are everybody's"

	sourceLocation  = "RFC 9110, 10.2.2 Location: a relative reference is resolved against the request"
	sourceRedirect  = "RFC 9110, 15.4 Redirection: the body is a note for whoever does not follow"
	sourceIgnored   = "RFC 9110, 14.2 Range: a server may ignore the field, or heed it"
	sourceMultipart = "RFC 9110, 14.6 Media type multipart/byteranges: the boundary is the server's"
	sourceUnmet     = "RFC 9110, 15.5.17 Range not satisfiable: Content-Range should be sent"
	sourceFraming   = "RFC 9112, 6 Message body: how a body's end is marked is between the two ends of a connection"
	sourcePreflight = "Fetch standard, CORS-preflight fetch: any status from 200 to 299 is a yes"
	sourceFresh     = "RFC 9111, 4.2 Freshness: the object's own Cache-Control says how long a copy may be given"
	sourceCookie    = "RFC 6265, 4.1 Set-Cookie: a server gives each visitor a value of their own"
)

// Settings that would mend a difference at CloudFront.
const (
	mendCertificate = "certificate { arn }: a certificate that covers the name"
	mendViewer      = `distribution { viewer_protocol = "allow-all" }`
	mendCompress    = "distribution { compress = false }"
	mendEncodingKey = "distribution.cache_policy: leave it out, or take one that has Accept-Encoding in the cache key"
	mendHeaders     = "distribution.response_headers_policy: leave it out, or take one without this header"
	mendQuery       = "distribution.cache_policy: leave it out, or take one that has all query strings in the cache key"
	mendOrigin      = "distribution.cache_policy: leave it out, or take one that has Origin in the cache key"
	mendPreflight   = "allowed methods of the distribution with OPTIONS, and a cache policy that has Origin and Access-Control-Request-* in the cache key"
	mendTTL         = "distribution.cache_policy: leave it out (minimum and default TTL 0), or give the objects a Cache-Control"
	mendMinTTL      = "distribution.cache_policy: leave it out, or take one whose minimum TTL is 0"
	mendStale       = "a CloudFront invalidation of the path; distribution.cache_policy with a default TTL of 0"
	mendErrorTTL    = "error caching minimum TTL of the distribution: 10 seconds or less"
	mendRead        = "the bucket policy: its conditions must let CloudFront read what everybody may read"
	mendList        = "the bucket policy: s3:ListBucket decides whether a missing key is 404 or 403, so CloudFront needs what everybody has"
	mendGrant       = "the bucket policy: CloudFront must not be granted what visitors are not"
	mendErrorPage   = "custom error responses of the distribution: take them out"
	mendWebsite     = `origin = "website": only the website endpoint has index documents, error documents and redirects`
	mendRest        = `origin = "rest": the names point at the REST endpoint today, which sends nobody on`
	mendRule        = "the bucket's routing rules: give the rule a HostName (the site's name) and a Protocol"
	mendRegion      = "the distribution's origin: the bucket's endpoint in its own region"
	mendFunction    = "a function, web ACL or response headers policy of the distribution that changes answers: take it out"
	mendBytes       = "the distribution's origin: this bucket, without an origin path; if it is, a CloudFront invalidation of the path"
)

// The most characters of the texts of a Difference.
const (
	maxShown = 160
	maxMeans = 300
)

// clean is text of a server's as it may be shown: valid, without control
// characters or line breaks, at most n characters.
func clean(s string, n int) string {
	var b strings.Builder
	count, most := 0, n
	if utf8.RuneCountInString(s) > n {
		most = n - 1
	}
	for _, r := range s {
		if count == most {
			b.WriteRune('…')
			break
		}
		if r == utf8.RuneError || unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Cs, unicode.Co) {
			r = '?'
		}
		b.WriteRune(r)
		count++
	}
	return b.String()
}

// short is clean for a part of a sentence.
func short(s string) string { return clean(s, 80) }

// statusText is a status with its reason.
func statusText(code int) string {
	return strings.TrimSpace(strconv.Itoa(code) + " " + http.StatusText(code))
}

// commas writes a number with commas.
func commas(n int64) string {
	s := strings.TrimPrefix(strconv.FormatInt(n, 10), "-")
	start := len(s) % 3
	var b strings.Builder
	if n < 0 {
		b.WriteByte('-')
	}
	b.WriteString(s[:start])
	for i := start; i < len(s); i += 3 {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(s[i : i+3])
	}
	return b.String()
}

// bodyText is how much of a body came, and its digest.
func bodyText(s side) string {
	if s.Length == 0 {
		return "an empty body"
	}
	text := commas(s.Length) + " bytes"
	if s.Cut {
		text = "first " + text
	}
	if sum := s.SHA256; sum != "" {
		text += " sha256 " + sum[:min(len(sum), 8)] + "…"
	}
	return text
}

// headerText is a header as it was sent.
func headerText(s side, name string) string {
	if !s.has(name) {
		return "no " + headerName(name)
	}
	return headerName(name) + ": " + s.get(name)
}

// headerName is a header's name as it is written in documents.
func headerName(lower string) string {
	switch {
	case lower == "etag":
		return "ETag"
	case strings.HasPrefix(lower, "x-amz-"):
		return lower
	}
	return http.CanonicalHeaderKey(lower)
}

// silence is why a site did not answer: a few words, and what they mean for a
// visitor.
type silence struct {
	words, means string
	// half: the answer began and did not end.
	half        bool
	certificate bool
}

func silent(err error) silence {
	var host x509.HostnameError
	var authority x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var verify *tls.CertificateVerificationError
	var alert tls.AlertError
	var record tls.RecordHeaderError
	var dns *net.DNSError
	var late net.Error
	said := err.Error()
	if cause := errors.Unwrap(err); cause != nil && strings.HasPrefix(said, "fetch ") {
		said = cause.Error() // whom it was asked of is told besides
	}
	switch {
	case errors.As(err, &host):
		return silence{words: "the certificate does not cover the name", means: "Browsers warn visitors over https and do not show the site.", certificate: true}
	case errors.As(err, &authority), errors.As(err, &invalid), errors.As(err, &verify):
		return silence{words: "the certificate is not valid: " + said, means: "Browsers warn visitors over https and do not show the site.", certificate: true}
	case errors.As(err, &alert), errors.As(err, &record), strings.Contains(said, "tls: "):
		return silence{words: "no https connection: " + said, means: "Visitors over https get no answer.", certificate: true}
	case strings.Contains(said, "read body after"), errors.Is(err, io.ErrUnexpectedEOF):
		return silence{words: "the answer breaks off: " + said, means: "Visitors get a part of the object and an error.", half: true}
	case errors.Is(err, syscall.ECONNREFUSED):
		return silence{words: "connection refused", means: "Visitors get no answer."}
	case errors.As(err, &dns):
		return silence{words: "its name has no address", means: "Visitors get no answer."}
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &late) && late.Timeout():
		return silence{words: "no answer in time", means: "Visitors wait and get no answer."}
	}
	return silence{words: "no answer: " + said, means: "Visitors get no answer."}
}

// errorPage is whose an error answer is.
type errorPage struct {
	// code is S3's, such as NoSuchKey; "" when the page is not S3's.
	code string
	html bool
}

// text is an error answer in a few words.
func (e errorPage) text(s side) string {
	switch {
	case e.code != "" && e.html:
		return fmt.Sprintf("%s, S3's page %s", statusText(s.Status), e.code)
	case e.code != "":
		return fmt.Sprintf("%s, S3's XML %s", statusText(s.Status), e.code)
	case s.edgeMade():
		return statusText(s.Status) + ", CloudFront's own page"
	}
	return statusText(s.Status) + ", " + bodyText(s)
}
