package proof

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

func ofRange(status int) bool { return status == 200 || status == 206 || status == 416 }

// spans are what a Range header asks for.
type spans struct {
	// many: more than one range. odd: CloudFront's documentation says that it
	// answers with the whole object.
	many, odd bool
}

var oneSpan = regexp.MustCompile(`^(\d{1,18})?-(\d{1,18})?$`)

// spansOf reads a Range header.
func spansOf(value string) spans {
	rest, ok := strings.CutPrefix(strings.ReplaceAll(value, " ", ""), "bytes=")
	if !ok {
		return spans{odd: true}
	}
	parts := strings.Split(rest, ",")
	out := spans{many: len(parts) > 1}
	last := int64(-1)
	for i, p := range parts {
		m := oneSpan.FindStringSubmatch(p)
		if m == nil || m[1] == "" && m[2] == "" {
			out.odd = true
			break
		}
		from, to := int64(1<<62), int64(1<<62)
		if m[1] != "" {
			from, _ = strconv.ParseInt(m[1], 10, 64)
			if m[2] != "" {
				to, _ = strconv.ParseInt(m[2], 10, 64)
			}
		}
		if to < from || i > 0 && from <= last {
			out.odd = true
			break
		}
		last = to
	}
	return out
}

// contentRange is a Content-Range of bytes; total is -1 for *.
type contentRange struct{ from, to, total int64 }

var rangeForm = regexp.MustCompile(`^(?i:bytes) (?:(\d{1,18})-(\d{1,18})|\*)/(?:(\d{1,18})|\*)$`)

func contentRangeOf(s side) (contentRange, bool) {
	m := rangeForm.FindStringSubmatch(s.get("content-range"))
	if m == nil {
		return contentRange{}, false
	}
	number := func(t string) int64 {
		if n, err := strconv.ParseInt(t, 10, 64); err == nil {
			return n
		}
		return -1
	}
	return contentRange{number(m[1]), number(m[2]), number(m[3])}, true
}

// rangeText is a status with what part it has.
func rangeText(s side) string {
	if v := s.get("content-range"); v != "" {
		return statusText(s.Status) + ", " + v
	}
	return statusText(s.Status)
}

// whole is the length of the object that an answer tells of, -1 if it does not.
func (s side) whole(head bool) int64 {
	if r, ok := contentRangeOf(s); ok {
		return r.total
	}
	if s.Status == 200 {
		if n, err := strconv.ParseInt(s.get("content-length"), 10, 64); err == nil && n >= 0 {
			return n
		}
		if !s.Cut && !head {
			return s.Length
		}
	}
	return -1
}

// rangeStatus: the answers to a range request differ in 200, 206 and 416.
func (j *judging) rangeStatus() {
	l, r := j.left.Status, j.right.Status
	asked := spansOf(j.asked("range"))
	d := Difference{Aspect: Range, Verdict: Changed, Left: rangeText(j.left), Right: rangeText(j.right), Mend: mendFunction}
	size, other := j.left.whole(j.head()), j.right.whole(j.head())
	switch {
	case j.otherEncoding():
		return
	case size >= 0 && other >= 0 && size != other:
		d.Verdict, d.Mend = Broken, mendStale
		d.Means = fmt.Sprintf("The object has %s bytes in place of %s: it is cut off, or another one.", commas(other), commas(size))
	case r == 200 && j.facts.CloudFront && (asked.many || asked.odd):
		d.Verdict, d.Source = Expected, sourceRanges
		d.Means = "Whoever asks for parts in this way gets the whole object."
	case r == 206 && l == 200 && j.rightPart():
		d.Verdict, d.Source = Expected, sourceIgnored
		if j.facts.CloudFront {
			d.Source = sourceRanges
		}
		d.Means = "Whoever asks for a part gets that part in place of the whole object."
	case r == 206 && l == 200:
		d.Verdict, d.Means = Broken, "Whoever asks for a part gets a wrong one; downloads that are resumed are spoilt."
	case r == 200 && l == 206:
		d.Means = "Whoever asks for a part gets the whole object: videos cannot be wound, downloads not resumed."
	case r == 200:
		d.Means = "Whoever asks for a part that is not there gets the whole object in place of an error."
	case r == 416:
		d.Verdict, d.Means = Broken, "Whoever asks for a part of the object gets an error."
	default:
		d.Verdict, d.Means = Broken, "Whoever asks for a part that is not there gets one."
	}
	j.add(d)
}

// otherEncoding: the parts are of the object packed and unpacked, which is told
// of the object.
func (j *judging) otherEncoding() bool {
	if j.right.Status == 416 || j.left.Status == 416 || j.alike("content-encoding") || j.sameBytes() {
		return false
	}
	j.add(Difference{Aspect: ContentEncoding, Verdict: Changed, Left: headerText(j.left, "content-encoding"), Right: headerText(j.right, "content-encoding"),
		Means: "Whoever asks for a part gets one of the object packed in another way; downloads that are resumed are spoilt.", Mend: mendCompress})
	j.tellBytes()
	j.tell("content-encoding", "accept-ranges")
	return true
}

// rightPart: the part that the right gave is one of the object that the left has.
func (j *judging) rightPart() bool {
	if strings.HasPrefix(strings.ToLower(j.right.get("content-type")), "multipart/byteranges") {
		return spansOf(j.asked("range")).many
	}
	part, ok := contentRangeOf(j.right)
	if !ok || part.from < 0 || part.to < part.from {
		return false
	}
	if j.head() || j.right.Cut {
		return true
	}
	if j.right.Length != part.to-part.from+1 {
		return false
	}
	if part.to < int64(len(j.left.Body)) && j.right.wholeKept() {
		return bytes.Equal(j.left.Body[part.from:part.to+1], j.right.Body)
	}
	return true
}

// partBody compares two parts.
func (j *judging) partBody() {
	j.tell("content-range")
	if j.multipart() || j.otherEncoding() {
		return
	}
	l, lok := contentRangeOf(j.left)
	r, rok := contentRangeOf(j.right)
	d := Difference{Aspect: Range, Verdict: Broken, Left: rangeText(j.left), Right: rangeText(j.right), Mend: mendFunction}
	switch {
	case j.left.get("content-range") == j.right.get("content-range") && j.sameBytes():
		return
	case lok && !rok:
		d.Means = "Whoever asks for a part is not told which one it is; downloads that are resumed are spoilt."
	case lok && rok && l.total >= 0 && r.total >= 0 && l.total != r.total:
		d.Mend = mendStale
		d.Means = fmt.Sprintf("The object has %s bytes in place of %s: it is cut off, or another one.", commas(r.total), commas(l.total))
	case lok && (l.from != r.from || l.to != r.to):
		d.Means = "Whoever asks for a part gets another one; downloads that are resumed are spoilt."
	case !j.sameBytes():
		d.Left, d.Right = rangeText(j.left)+", "+bodyText(j.left), rangeText(j.right)+", "+bodyText(j.right)
		d.Means, d.Mend = "Whoever asks for a part gets other bytes.", mendStale
	default:
		d.Verdict, d.Means = Changed, "Whoever asks for a part is told otherwise how long the object is."
	}
	j.tellBytes()
	j.add(d)
}

// multipart compares two answers with several parts, whose boundaries are each
// server's own; true when they are such.
func (j *judging) multipart() bool {
	l, r := boundary(j.left), boundary(j.right)
	if l == "" || r == "" {
		return false
	}
	j.tell("content-type", "content-length")
	if j.sameBytes() && l == r {
		return true
	}
	const several = ", several parts"
	d := Difference{Aspect: Range, Verdict: Expected, Left: statusText(206) + several, Right: statusText(206) + several, Source: sourceMultipart,
		Means: "Whoever asks for several parts gets them, between other marks."}
	if j.left.wholeKept() && j.right.wholeKept() {
		left, leftType := partsOf(j.left.Body, l)
		right, rightType := partsOf(j.right.Body, r)
		switch {
		case left != right:
			d.Left, d.Right = rangeText(j.left)+several+", "+bodyText(j.left), rangeText(j.right)+several+", "+bodyText(j.right)
			d.Verdict, d.Means, d.Mend = Broken, "Whoever asks for several parts gets other bytes.", mendStale
		case mediaType(leftType) != mediaType(rightType):
			// Each part has the type of the object.
			d = Difference{Aspect: ContentType, Verdict: Changed, Left: typeText(leftType), Right: typeText(rightType), Mend: mendFunction,
				Means: "Whoever asks for several parts is told another type of the object."}
		}
	}
	j.add(d)
	return true
}

var typeLine = regexp.MustCompile(`(?im)^content-type:([^\r\n]*)\r?\n`)

// partsOf is a body of several parts without its marks and without the types
// that its parts say they have, and the first of these.
func partsOf(body []byte, mark string) (parts, kind string) {
	var out strings.Builder
	for i, part := range bytes.Split(body, []byte("--"+mark)) {
		head, content, ok := bytes.Cut(part, []byte("\r\n\r\n"))
		if ok {
			head = append(bytes.Clone(head), "\r\n"...)
		}
		if m := typeLine.FindSubmatch(head); ok && m != nil {
			if kind == "" {
				kind = strings.TrimSpace(string(m[1]))
			}
			head = typeLine.ReplaceAll(head, nil)
		}
		fmt.Fprintf(&out, "%d %s\x00%s", i, head, content)
	}
	return out.String(), kind
}

func typeText(kind string) string {
	if kind == "" {
		return "no Content-Type"
	}
	return "Content-Type: " + kind
}

// boundary is that of an answer with several parts, or "".
func boundary(s side) string {
	kind, rest, _ := strings.Cut(s.get("content-type"), ";")
	if !strings.EqualFold(strings.TrimSpace(kind), "multipart/byteranges") {
		return ""
	}
	_, mark, _ := strings.Cut(rest, "boundary=")
	return strings.Trim(mark, `" `)
}
