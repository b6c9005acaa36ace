package proof

import (
	"net/http"
	"slices"
	"strings"
)

// passing says whether a header tells of the way an answer came and not of what
// it is: CloudFront is documented to add, change or remove these, other caches
// do likewise, and no visitor acts on them [domain facts: CloudFront Developer
// Guide, Request and response behavior; RFC 9110, 7.6 and 7.8; RFC 9211].
func passing(name string) bool {
	switch name {
	case "via", "x-cache", "x-cache-hits", "x-cache-status", "x-cache-lookup", "x-proxy-cache", "cache-status", "age", "date", "connection", "keep-alive",
		"proxy-connection", "te", "trailer", "upgrade", "transfer-encoding", "server", "alt-svc", "x-amz-request-id", "x-amz-id-2",
		"cf-ray", "cf-cache-status", "cf-request-id", "cf-apo-via", "x-served-by", "x-timer", "x-fastly-request-id", "x-varnish", "x-azure-ref",
		"x-azure-ref-originshield", "x-edge-request-id", "x-request-id", "x-amzn-requestid", "x-amzn-trace-id":
		return true
	}
	return strings.HasPrefix(name, "x-amz-cf-") || strings.HasPrefix(name, "x-akamai-") || strings.HasPrefix(name, "cdn-")
}

// crossOrigin says whether a header is judged with CORS.
func crossOrigin(name string) bool { return strings.HasPrefix(name, "access-control-") }

// tokens are the words of a list header, in lower case, each once, in order.
func tokens(v string) []string {
	var out []string
	for _, t := range strings.Split(v, ",") {
		if t = strings.ToLower(strings.TrimSpace(t)); t != "" {
			out = append(out, t)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// directives are those of Cache-Control: the names are in lower case, spaces
// and quotes do not matter, nor does the order.
func directives(v string) []string {
	var out []string
	for _, t := range splitQuoted(v) {
		name, value, has := strings.Cut(strings.TrimSpace(t), "=")
		if name = strings.ToLower(strings.TrimSpace(name)); name == "" {
			continue
		}
		if has {
			name += "=" + strings.Trim(strings.TrimSpace(value), `"`)
		}
		out = append(out, name)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// splitQuoted splits at commas outside quotes.
func splitQuoted(v string) []string {
	quoted := false
	return strings.FieldsFunc(v, func(r rune) bool {
		if r == '"' {
			quoted = !quoted
		}
		return r == ',' && !quoted
	})
}

// mediaType is a Content-Type as browsers read it [RFC 9110, 8.3.1].
func mediaType(v string) string {
	parts := strings.Split(v, ";")
	for i, p := range parts {
		name, value, has := strings.Cut(strings.TrimSpace(p), "=")
		p = strings.ToLower(strings.TrimSpace(name))
		if has {
			value = strings.Trim(strings.TrimSpace(value), `"`)
			if p == "charset" {
				value = strings.ToLower(value)
			}
			p += "=" + value
		}
		parts[i] = p
	}
	return strings.Join(parts, ";")
}

// cookies are the names that Set-Cookie sets.
func cookies(s side) []string {
	var out []string
	for _, v := range s.headers["set-cookie"] {
		name, _, _ := strings.Cut(v, "=")
		out = append(out, strings.TrimSpace(name))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// alike says whether both sides mean the same by a header.
func (j *judging) alike(name string) bool {
	l, r := j.left.get(name), j.right.get(name)
	if l == r {
		return j.left.has(name) == j.right.has(name)
	}
	if !j.left.has(name) || !j.right.has(name) {
		return false
	}
	switch name {
	case "vary", "allow", "accept-ranges", "content-language", "content-encoding":
		return slices.Equal(tokens(l), tokens(r))
	case "cache-control":
		return slices.Equal(directives(l), directives(r))
	case "content-type":
		return mediaType(l) == mediaType(r)
	}
	return crossOrigin(name) && slices.Equal(tokens(l), tokens(r))
}

// names are the headers of both sides, in order.
func (j *judging) names() []string {
	var out []string
	for _, s := range []side{j.left, j.right} {
		for name := range s.headers {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// compareHeaders compares what is not told yet: all headers of both sides.
func (j *judging) compareHeaders() {
	if j.told["*"] {
		return
	}
	for _, name := range j.names() {
		if passing(name) || crossOrigin(name) || j.told[name] || j.alike(name) {
			continue
		}
		if j.left.Status == http.StatusNotModified && (!j.left.has(name) || !j.right.has(name)) {
			// A 304 need not say what the copy has [RFC 9110, 15.4.5], except which
			// one it is.
			if name == "etag" && j.left.has(name) {
				j.add(Difference{Aspect: Conditional, Verdict: Changed, Left: headerText(j.left, name), Right: headerText(j.right, name),
					Means: "Browsers are not told which version their copy is.", Mend: mendFunction})
			}
			continue
		}
		j.header(name)
	}
}

// header adds the difference of one header.
func (j *judging) header(name string) {
	d := Difference{Verdict: Changed, Left: headerText(j.left, name), Right: headerText(j.right, name), Mend: mendFunction}
	gone, added := !j.right.has(name), !j.left.has(name)
	switch {
	case name == "vary":
		j.vary()
		return
	case name == "content-length":
		d = j.lengthHeader(d, gone, added)
	case name == "content-range" && j.left.Status == http.StatusRequestedRangeNotSatisfiable && (gone || added):
		d.Aspect, d.Verdict, d.Source, d.Means = Range, Expected, sourceUnmet, "Whoever asks for a part that is not there gets the same error."
	case name == "etag":
		d.Aspect, d.Means = ETag, j.etagMeans(gone, added)
		if j.facts.Compress && j.asked("accept-encoding") != "" && j.right.get(name) == "W/"+j.left.get(name) {
			d.Verdict, d.Source = Expected, sourceCompress
		}
	case name == "set-cookie":
		d = j.cookieHeader(d, gone, added)
	case name == "strict-transport-security":
		d.Aspect, d.Mend = Header, mendHeaders
		d.Means = "Browsers use only https for this name from now on; after a way back to a site without https they get nothing."
		if gone {
			d.Means = "Browsers are no longer told to use only https."
		} else if j.facts.ResponseHeaders {
			d.Verdict, d.Source = Expected, sourceHeaders
		}
	default:
		d = named(d, name, j.left.get(name), j.right.get(name), gone, added)
		if added && j.facts.ResponseHeaders && !ofContent(name) {
			d.Verdict, d.Source = Expected, sourceHeaders
		}
	}
	j.add(d)
}

// ofContent: the header says what the object is; no response headers policy is
// for that.
func ofContent(name string) bool {
	switch name {
	case "content-type", "content-length", "content-encoding", "content-language", "content-range", "content-disposition", "etag", "last-modified",
		"accept-ranges", "location", "set-cookie":
		return true
	}
	return false
}

// aspects of headers that have their own, and what it means when one is lost,
// added or another one.
var ownAspect = map[string]struct {
	aspect             Aspect
	lost, added, other string
}{
	"content-language": {ContentLanguage, "Browsers and search engines are no longer told the language.", "Browsers and search engines are told a language.",
		"Browsers and search engines are told another language."},
	"cache-control": {CacheControl, "Browsers and caches keep the object as long as they see fit.", "Browsers and caches are told how long to keep the object; today nothing is said.",
		"Browsers and caches keep the object in another way than today."},
	"expires": {Expires, "Browsers and caches keep the object as long as they see fit.", "Browsers and caches keep the object until a date; today none is named.",
		"Browsers and caches keep the object until another date."},
	"last-modified": {LastModified, "Browsers cannot ask whether their copy is still good by its date.", "The object is said to have a date that it did not have.",
		"Browsers that ask by the date fetch the object again, or keep an old one."},
	"accept-ranges": {AcceptRanges, "Downloads are not resumed and videos not wound, since browsers are not told that they may.", "Browsers are told that they may ask for parts.",
		"Browsers are told something else about asking for parts."},
	"content-range": {Range, "Whoever asks for a part is not told which one it is.", "Whoever asks is told of a part.", "Whoever asks for a part is told of another one."},
	"content-encoding": {ContentEncoding, "Browsers show the packed bytes.", "Browsers try to unpack what is not packed.",
		"Browsers unpack the object in another way."},
}

// named fills in the aspect of a header and what its difference means.
func named(d Difference, name, left, right string, gone, added bool) Difference {
	if own, ok := ownAspect[name]; ok {
		d.Aspect, d.Means = own.aspect, own.other
		switch {
		case gone:
			d.Means = own.lost
		case added:
			d.Means = own.added
		}
		return d
	}
	how := "has another value"
	switch {
	case gone:
		how = "is lost"
	case added:
		how = "is added"
	}
	title := short(headerName(name))
	switch {
	case name == "content-type":
		d.Aspect, d.Means = ContentType, typeMeans(left, right)
	case name == "content-disposition":
		d.Aspect, d.Means = ContentDisposition, dispositionMeans(left, right)
	case strings.HasPrefix(name, "x-amz-meta-"):
		d.Aspect, d.Means = Metadata, "The object's metadata "+title+" "+how+"; programs that read it are misled."
	case strings.HasPrefix(name, "x-amz-"):
		d.Aspect, d.Means = AmzHeader, "The header "+title+" "+how+"; programs that read it are misled."
	default:
		d.Aspect, d.Means = Header, "The header "+title+" "+how+"; browsers may act on it."
	}
	if added {
		d.Mend = mendHeaders
	}
	return d
}

func typeMeans(left, right string) string {
	l, _, _ := strings.Cut(mediaType(left), ";")
	r, _, _ := strings.Cut(mediaType(right), ";")
	switch {
	case r == "":
		return "Browsers guess what the object is."
	case l == r:
		return "Browsers may read the letters in another way."
	case r == "application/octet-stream" || r == "binary/octet-stream":
		return "Browsers offer the object as a download, and refuse it as a script or style sheet."
	case l == "":
		return "Browsers are told what the object is and no longer guess."
	}
	return "Browsers take the object for something else: they show, run or refuse it otherwise."
}

func dispositionMeans(left, right string) string {
	kind := func(v string) string {
		k, _, _ := strings.Cut(v, ";")
		return strings.ToLower(strings.TrimSpace(k))
	}
	switch l, r := kind(left) == "attachment", kind(right) == "attachment"; {
	case l && !r:
		return "Browsers show the object in place of saving it."
	case r && !l:
		return "Browsers save the object in place of showing it."
	}
	return "Browsers save the object under another name."
}

// lengthHeader: an answer's length may be left unsaid where nobody waits for its
// end.
func (j *judging) lengthHeader(d Difference, gone, added bool) Difference {
	d.Aspect = ContentLength
	switch {
	case added || gone && (j.left.Status >= 300 || j.left.get("content-length") == "0"):
		d.Verdict, d.Source, d.Means = Expected, sourceFraming, "Visitors get the same bytes."
	case gone:
		d.Means = "Browsers cannot show how far a download is, and programs that need the length fail."
	case j.head():
		d.Means = "Whoever asks for the headers is told another length than the object has."
	default:
		d.Means = "The answer tells another length than its bytes have."
	}
	return d
}

func (j *judging) etagMeans(gone, added bool) string {
	l, r := j.left.get("etag"), j.right.get("etag")
	switch {
	case gone:
		return "Browsers cannot ask by the ETag whether their copy is still good, and fetch the object again."
	case added:
		return "The object has an ETag where it had none."
	case opaque(l) == opaque(r) && strings.HasPrefix(r, "W/"):
		return "The ETag is a weak one: downloads are not resumed, and programs that compare it find another."
	case opaque(l) == opaque(r):
		return "The ETag is a strong one where it was weak; programs that compare it find another."
	}
	return "Browsers fetch the object again although theirs is good; programs that compare the ETag find another."
}

func (j *judging) cookieHeader(d Difference, gone, added bool) Difference {
	d.Aspect = Header
	// A cookie's value may be a visitor's own; the name says enough.
	text := func(s side) string {
		if !s.has("set-cookie") {
			return "no Set-Cookie"
		}
		return "Set-Cookie: " + strings.Join(cookies(s), ", ")
	}
	d.Left, d.Right = text(j.left), text(j.right)
	switch {
	case added:
		d.Means, d.Mend = "Visitors are given a cookie, and caches on the way may not keep the answer.", mendHeaders
	case gone:
		d.Means = "Visitors are no longer given the cookie."
	case slices.Equal(cookies(j.left), cookies(j.right)):
		d.Right += ", another value"
		d.Verdict, d.Source, d.Means = Expected, sourceCookie, "Visitors are given the same cookie."
	default:
		d.Means = "Visitors are given another cookie."
	}
	return d
}

// vary compares what an answer depends on. Origin is judged with CORS.
func (j *judging) vary() {
	l, r := tokens(j.left.get("vary")), tokens(j.right.get("vary"))
	var lost, added []string
	for _, t := range l {
		if !slices.Contains(r, t) && t != "origin" {
			lost = append(lost, t)
		}
	}
	for _, t := range r {
		if !slices.Contains(l, t) && t != "origin" {
			added = append(added, t)
		}
	}
	d := Difference{Aspect: Vary, Verdict: Changed, Left: headerText(j.left, "vary"), Right: headerText(j.right, "vary"), Mend: mendFunction}
	removable := func(t string) bool { return t != "accept-encoding" && t != "cookie" && t != "*" }
	switch {
	case len(lost) == 0 && len(added) == 0:
		// Only Origin, or a header that is empty.
		if slices.Contains(l, "origin") != slices.Contains(r, "origin") {
			return
		}
		d.Verdict, d.Source, d.Means = Expected, sourceVary, "The header is empty; it says nothing."
	case len(lost) == 0 && j.facts.Compress && slices.Equal(added, []string{"accept-encoding"}):
		d.Verdict, d.Source, d.Means = Expected, sourceCompress, "Caches on the way keep packed and plain answers apart."
	case len(lost) == 0 && j.facts.ResponseHeaders:
		d.Verdict, d.Source, d.Means = Expected, sourceHeaders, "Caches on the way keep more answers apart."
	case len(added) == 0 && j.facts.CloudFront && !slices.ContainsFunc(lost, func(t string) bool { return !removable(t) }):
		d.Verdict, d.Source, d.Means = Expected, sourceVary, "CloudFront does not pass on names that are not in its cache key."
	case len(lost) == 0 && slices.Contains(added, "*"):
		d.Means = "Browsers and caches on the way do not keep the object."
	case len(lost) == 0:
		d.Means = "Browsers and caches on the way keep the object for fewer requests."
	default:
		d.Means = "Caches on the way give one visitor's answer to another that should get a different one."
	}
	j.add(d)
}
