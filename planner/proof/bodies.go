package proof

import (
	"bytes"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

// content compares what the two answers, which have one status, contain.
func (j *judging) content() {
	switch status := j.left.Status; {
	case status == http.StatusNotModified || status == http.StatusNoContent || status < 200:
		if !j.sameBytes() {
			j.otherBytes()
		}
	case status == http.StatusRequestedRangeNotSatisfiable:
		j.unmet()
	case status >= 400:
		j.errorBody()
	case redirects(status):
		j.redirectBody()
	case status == http.StatusPartialContent:
		j.partBody()
	case j.encoding():
	case j.head():
		j.headBody()
	default:
		j.wholeBody()
	}
}

// aboutBytes are headers that differ when the bytes do.
var aboutBytes = []string{"content-length", "etag", "last-modified", "content-md5", "content-digest", "repr-digest", "digest",
	"x-amz-version-id", "x-amz-mp-parts-count"}

func (j *judging) tell(names ...string) {
	for _, n := range names {
		j.told[n] = true
	}
}

// tellBytes: the headers about the bytes differ because these do.
func (j *judging) tellBytes() {
	j.tell(aboutBytes...)
	for _, s := range []side{j.left, j.right} {
		for name := range s.headers {
			if strings.HasPrefix(name, "x-amz-checksum-") {
				j.told[name] = true
			}
		}
	}
}

func (j *judging) wholeBody() {
	if !j.sameBytes() {
		j.otherBytes()
		return
	}
	l, r := j.left.get("content-length"), j.right.get("content-length")
	if j.left.Cut && l != "" && r != "" && l != r {
		j.tellBytes()
		j.add(Difference{Aspect: Body, Verdict: Broken, Left: l + " bytes", Right: r + " bytes",
			Means: "The object has another length: it is cut off, or another one.", Mend: mendStale})
	}
}

// headBody judges by the headers of a HEAD whether it tells of another version.
func (j *judging) headBody() {
	if !j.sameBytes() {
		j.otherBytes()
		return
	}
	etag := j.left.has("etag") && j.right.has("etag") && opaque(j.left.get("etag")) != opaque(j.right.get("etag"))
	differs := func(name string) bool {
		return j.left.has(name) && j.right.has(name) && j.left.get(name) != j.right.get(name)
	}
	if etag && (differs("last-modified") || differs("content-length")) {
		j.otherBytes()
	}
}

// opaque is an ETag without its weakness.
func opaque(etag string) string { return strings.TrimPrefix(etag, "W/") }

// otherBytes: what visitors read is not what the left has.
func (j *judging) otherBytes() {
	l, r := j.left, j.right
	d := Difference{Aspect: Body, Verdict: Broken, Left: bodyText(l), Right: bodyText(r), Mend: mendBytes}
	if j.head() && j.sameBytes() {
		d.Left, d.Right = headerText(l, "etag"), headerText(r, "etag")
	}
	if strings.Contains(j.target.Path, "?") {
		d.Mend = mendQuery
	}
	lm, le := http.ParseTime(l.get("last-modified"))
	rm, re := http.ParseTime(r.get("last-modified"))
	dated := le == nil && re == nil && !lm.Equal(rm)
	switch {
	case dated && rm.Before(lm):
		d.Means, d.Mend = "Visitors get an older version of the object, of "+dateText(rm)+".", mendStale
	case dated:
		d.Means, d.Mend = "Visitors get a newer version of the object than the left has, of "+dateText(rm)+".", ""
	case r.Length == 0 && l.Length > 0 && !j.head():
		d.Means = "Visitors get nothing in place of the object."
	case r.Length < l.Length && bytes.HasPrefix(l.Body, r.Body) && len(r.Body) > 0:
		d.Means = "Visitors get the object cut off: " + commas(r.Length) + " bytes of " + commas(l.Length) + "."
	default:
		d.Means = "Visitors get other bytes than today."
	}
	j.other = true
	j.tellBytes()
	if dated { // what was stored with the version differs with it
		j.tell("content-type", "content-language", "content-disposition", "content-encoding", "cache-control", "expires")
		for _, s := range []side{l, r} {
			for name := range s.headers {
				if strings.HasPrefix(name, "x-amz-") {
					j.told[name] = true
				}
			}
		}
	}
	j.add(d)
}

func dateText(t time.Time) string { return t.UTC().Format("2 January 2006 15:04:05 UTC") }

// request ids and times in S3's error documents are each answer's own.
var (
	ownXML  = regexp.MustCompile(`(?is)<(RequestId|HostId|ServerTime)>[^<]*</(RequestId|HostId|ServerTime)>`)
	ownHTML = regexp.MustCompile(`(?is)<li>\s*(RequestId|HostId):[^<]*</li>`)
	codeXML = regexp.MustCompile(`(?is)<Error>.*?<Code>\s*([A-Za-z0-9.]{1,64})\s*</Code>`)
	codeHTM = regexp.MustCompile(`(?is)<li>\s*Code:\s*([A-Za-z0-9.]{1,64})\s*</li>`)
)

// anonymous is an error document without what is each answer's own.
func anonymous(b []byte) []byte {
	return ownHTML.ReplaceAll(ownXML.ReplaceAll(b, nil), nil)
}

// pageOf says whose an error document is.
func pageOf(s side) errorPage {
	if m := codeXML.FindSubmatch(s.Body); m != nil {
		return errorPage{code: string(m[1])}
	}
	if m := codeHTM.FindSubmatch(s.Body); m != nil && bytes.Contains(s.Body, []byte("HostId:")) {
		return errorPage{code: string(m[1]), html: true}
	}
	return errorPage{}
}

// wholeKept: the answer's body is there to be read.
func (s side) wholeKept() bool { return !s.Cut && int64(len(s.Body)) == s.Length }

// sameDocument: the bodies are the same but for what is each answer's own.
func (j *judging) sameDocument() bool {
	if j.sameBytes() {
		return true
	}
	return j.left.wholeKept() && j.right.wholeKept() && bytes.Equal(anonymous(j.left.Body), anonymous(j.right.Body))
}

// errorBody compares error documents.
func (j *judging) errorBody() {
	l, r := pageOf(j.left), pageOf(j.right)
	edge := j.facts.CloudFront && j.right.edgeMade() && !j.left.edgeMade()
	if !edge && j.sameDocument() {
		if !j.sameBytes() {
			j.tell("content-length")
		}
		return
	}
	d := Difference{Aspect: Body, Verdict: Changed, Left: l.text(j.left), Right: r.text(j.right), Mend: mendErrorPage,
		Means: "Visitors see another error page."}
	switch {
	case edge && (l.code != "" || j.left.Length == 0):
		d.Verdict, d.Source, d.Mend = Expected, sourceEdge, ""
		d.Means = "CloudFront refuses in its own words."
		j.tell("*")
	case edge:
		d.Means = "Visitors see CloudFront's own error page in place of the site's."
		j.tell("*")
	case l.code != "" && l.code == r.code && l.html == r.html:
		d.Verdict, d.Source, d.Mend = Expected, sourceS3Error, ""
		d.Means = "The error is the same, in other words."
	case l.code == "" && r.code != "":
		d.Means = "Visitors see S3's error in place of the site's error page."
		if j.facts.Website {
			d.Mend = mendWebsite
		}
	case l.html != r.html && l.code != "" && r.code != "":
		d.Mend = mendWebsite
		if !j.facts.Website {
			d.Mend = mendRest
		}
	}
	j.tellBytes()
	j.tell("content-type", "content-language", "content-encoding", "cache-control", "accept-ranges", "x-amz-error-code", "x-amz-error-message", "x-amz-error-detail-key")
	j.add(d)
}

// unmet: whoever asks for a part that is not there heeds the status, and the
// length of the object; a cache that has the object makes this answer itself.
func (j *judging) unmet() {
	for _, name := range j.names() {
		if name != "content-range" && name != "vary" && !crossOrigin(name) {
			j.told[name] = true
		}
	}
	if l, r := j.left, j.right; !j.sameDocument() {
		j.add(Difference{Aspect: Range, Verdict: Expected, Left: pageOf(l).text(l), Right: pageOf(r).text(r), Source: sourceUnmet,
			Means: "Whoever asks for a part that is not there gets the same error."})
	}
}

// redirectBody: nobody reads it.
func (j *judging) redirectBody() {
	if j.sameBytes() {
		return
	}
	j.tell("content-length")
	if j.sameDocument() {
		return
	}
	j.tell("content-type")
	j.add(Difference{Aspect: Body, Verdict: Expected, Left: bodyText(j.left), Right: bodyText(j.right), Source: sourceRedirect,
		Means: "Visitors are sent on and do not see it."})
}

// encoding compares the encodings of two whole answers; true when that says all
// about their bytes.
func (j *judging) encoding() bool {
	l, r := tokens(j.left.get("content-encoding")), tokens(j.right.get("content-encoding"))
	switch {
	case slices.Equal(l, r):
		return len(l) > 0 && !j.head() && !j.sameBytes() && j.packedAgain(l)
	case len(l) == 0:
		return j.packed(r)
	case len(r) == 0:
		return j.unpacked()
	}
	d := Difference{Aspect: ContentEncoding, Verdict: Broken, Left: headerText(j.left, "content-encoding"), Right: headerText(j.right, "content-encoding"),
		Means: "Browsers unpack the object in another way than it was packed in.", Mend: mendCompress}
	if len(r) > len(l) {
		d.Aspect, d.Means = Compression, "The object, which is packed already, is packed again: visitors see garbled bytes."
	} else if j.takes(r) && !j.sameBytes() {
		d.Verdict, d.Means = Changed, "The object is packed in another way, which cannot be checked here."
	}
	j.tellBytes()
	j.tell("content-encoding", "accept-ranges")
	j.add(d)
	return true
}

// takes: the request asked for each of the encodings.
func (j *judging) takes(encodings []string) bool {
	asked := tokens(strings.ReplaceAll(j.asked("accept-encoding"), ";", ","))
	for _, e := range encodings {
		if !slices.Contains(asked, e) && !slices.Contains(asked, "*") {
			return false
		}
	}
	return true
}

// packedAgain: both say the same encoding, and the bytes differ.
func (j *judging) packedAgain(encodings []string) bool {
	d := Difference{Aspect: Compression, Verdict: Changed, Left: bodyText(j.left), Right: bodyText(j.right), Mend: mendCompress}
	switch {
	case j.left.Plain != "" && j.left.Plain == j.right.Plain:
		d.Means = "Browsers show the same; whoever keeps the packed bytes, or their digest, finds others."
	case j.right.Plain != "" && j.right.Plain == j.left.SHA256:
		d.Verdict, d.Means = Broken, "The object, which is packed already, is packed again: visitors see garbled bytes."
	default:
		return false
	}
	j.tellBytes()
	j.tell("accept-ranges")
	j.add(d)
	return true
}

// packed: only the right's answer is encoded.
func (j *judging) packed(encodings []string) bool {
	l, r := j.left, j.right
	gzip := len(encodings) == 1 && (encodings[0] == "gzip" || encodings[0] == "x-gzip")
	name := strings.Join(encodings, ", ")
	d := Difference{Aspect: Compression, Verdict: Broken, Left: "not encoded", Right: "Content-Encoding: " + name, Mend: mendCompress}
	unchecked := j.head() || r.Cut || l.Cut || !gzip
	switch {
	case !j.head() && j.sameBytes() && l.Length > 0:
		d.Aspect, d.Means = ContentEncoding, "Browsers try to unpack what is not packed, and show nothing."
		d.Mend = mendHeaders
	case !j.takes(encodings):
		d.Means, d.Mend = "Whoever does not ask for "+short(name)+" gets it all the same, and sees garbled bytes.", mendEncodingKey
		if !unchecked && r.Plain != l.SHA256 {
			d.Aspect = ContentEncoding
		}
	case !unchecked && r.Plain != l.SHA256:
		d.Means = "What browsers unpack is not the object."
	case j.facts.Compress && (j.head() || !unchecked):
		d.Verdict, d.Source, d.Means = Expected, sourceCompress, "Visitors who ask for it get the object packed, and unpack the same bytes."
	case unchecked && !j.head():
		d.Verdict, d.Means = Changed, "Visitors get the object packed in a way that cannot be checked here."
	default:
		d.Verdict, d.Means = Changed, "Visitors get the object packed: another ETag, and no length to show how far a download is."
	}
	if d.Verdict == Expected {
		j.packedHeaders()
	}
	j.tellBytes()
	j.tell("content-encoding", "accept-ranges")
	if d.Verdict != Expected {
		j.tell("vary")
	}
	j.add(d)
	return true
}

// packedHeaders checks what must go with an answer that is packed on demand.
func (j *judging) packedHeaders() {
	l, r := j.left.get("etag"), j.right.get("etag")
	zip := ", " + headerText(j.right, "content-encoding")
	if r != "" && strings.HasPrefix(l, `"`) && r != "W/"+l {
		means := "The ETag is not the weak one of the object; browsers that ask again fetch it again."
		if r == l {
			means = "The packed and the plain bytes have one strong ETag: caches and resumed downloads mix them."
		}
		j.add(Difference{Aspect: ETag, Verdict: Changed, Left: headerText(j.left, "etag"), Right: headerText(j.right, "etag") + zip, Means: means, Mend: mendFunction})
	}
	before, after := tokens(j.left.get("vary")), tokens(j.right.get("vary"))
	if slices.Equal(tokens(strings.Join(append(before, "accept-encoding"), ",")), after) {
		j.tell("vary")
	}
	if !slices.Contains(after, "accept-encoding") {
		j.add(Difference{Aspect: Vary, Verdict: Changed, Left: headerText(j.left, "vary"), Right: headerText(j.right, "vary") + zip,
			Means: "Caches on the way give the packed answer to whoever cannot unpack it.", Mend: mendEncodingKey})
		j.tell("vary")
	}
}

// unpacked: the left's object is encoded, the right's answer says nothing of it.
func (j *judging) unpacked() bool {
	l, r := j.left, j.right
	d := Difference{Aspect: ContentEncoding, Verdict: Broken, Left: headerText(l, "content-encoding"), Right: headerText(r, "content-encoding"), Mend: mendFunction,
		Means: "Browsers show the packed bytes: visitors see garbled text."}
	switch {
	case j.head():
		d.Verdict, d.Means = Changed, "Whoever asks for the headers is not told that the object is packed."
	case j.sameBytes():
	case l.Plain != "" && l.Plain == r.SHA256:
		d.Verdict, d.Means = Changed, "Visitors get the object unpacked: the same to read, but longer, with other bytes than were stored."
	default:
		return false
	}
	if !j.head() {
		j.tellBytes()
	}
	j.tell("content-encoding", "accept-ranges")
	j.add(d)
	return true
}
