package sandbox

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// choose applies the preconditions and the range of a request to the whole
// representation out, in the order of RFC 9110, 13.2.2, which is S3's too [S3
// API Reference: GetObject, "Overriding response header values" and the
// paragraphs on If-Match with If-Unmodified-Since, If-None-Match with
// If-Modified-Since]. The status is 412 or 416 when the request asks for what
// is not so; the answer's text is then the caller's to write.
func choose(out reply, r request) reply {
	o := out.object
	if r.header == nil || o == nil || out.status != http.StatusOK || r.method != "GET" && r.method != "HEAD" {
		return out
	}
	tag := `"` + o.etag + `"`
	if out.weak {
		tag = "W/" + tag
	}
	if status := precondition(r.header, tag, o.modified); status != 0 {
		out.status, out.n = status, 0
		return out
	}
	spec := r.header.Get("Range")
	if spec == "" || !ifRange(r.header.Get("If-Range"), tag, o.modified) {
		return out
	}
	off, n, ok, fits := oneRange(spec, out.n)
	switch {
	case !ok:
		return out
	case !fits:
		out.status, out.n = http.StatusRequestedRangeNotSatisfiable, 0
		return out
	}
	whole := strconv.FormatInt(out.n, 10)
	out.status, out.off, out.n = http.StatusPartialContent, off, n
	return out.with("Content-Range", "bytes "+strconv.FormatInt(off, 10)+"-"+strconv.FormatInt(off+n-1, 10)+"/"+whole)
}

// precondition is 0, 304 or 412.
func precondition(h http.Header, tag string, modified time.Time) int {
	if v := h.Get("If-Match"); v != "" {
		if !anyTag(v, tag, false) {
			return http.StatusPreconditionFailed
		}
	} else if at, ok := date(h.Get("If-Unmodified-Since")); ok && modified.After(at) {
		return http.StatusPreconditionFailed
	}
	if v := h.Get("If-None-Match"); v != "" {
		if anyTag(v, tag, true) {
			return http.StatusNotModified
		}
	} else if at, ok := date(h.Get("If-Modified-Since")); ok && !modified.After(at) {
		return http.StatusNotModified
	}
	return 0
}

func date(v string) (time.Time, bool) {
	if v == "" {
		return time.Time{}, false
	}
	at, err := http.ParseTime(v)
	return at, err == nil
}

// anyTag is whether one of the entity tags of a list is tag; the strong
// comparison knows no weak ones. S3 takes a tag without its quotes too.
func anyTag(list, tag string, weak bool) bool {
	for t := range strings.SplitSeq(list, ",") {
		if sameTag(strings.TrimSpace(t), tag, weak) {
			return true
		}
	}
	return false
}

func sameTag(given, tag string, weak bool) bool {
	if given == "*" {
		return true
	}
	if weak {
		given, tag = strings.TrimPrefix(given, "W/"), strings.TrimPrefix(tag, "W/")
	} else if strings.HasPrefix(given, "W/") || strings.HasPrefix(tag, "W/") {
		return false
	}
	return given == tag || `"`+given+`"` == tag
}

// ifRange is whether a range may be given [RFC 9110, 13.1.5].
func ifRange(v, tag string, modified time.Time) bool {
	if v == "" {
		return true
	}
	if at, ok := date(v); ok {
		return modified.Equal(at)
	}
	return sameTag(v, tag, false)
}

// oneRange reads a Range header of one range over size bytes. ok is false for
// what S3 ignores: other units, several ranges, what cannot be read. fits is
// false for a range that no byte is in.
func oneRange(spec string, size int64) (off, n int64, ok, fits bool) {
	rest, ok := strings.CutPrefix(spec, "bytes=")
	a, b, dash := strings.Cut(strings.TrimSpace(rest), "-")
	if !ok || !dash || a == "" && b == "" {
		return 0, 0, false, false
	}
	first, bad := position(a)
	last, worse := position(b)
	switch {
	case bad || worse:
		return 0, 0, false, false
	case a == "":
		n = min(last, size)
		return size - n, n, true, n > 0
	case b == "":
		last = size - 1
	case last < first:
		return 0, 0, false, false
	}
	if first >= size {
		return 0, 0, true, false
	}
	return first, min(last, size-1) - first + 1, true, true
}

// position reads a number of digits only; "" is 0 and one too large the largest.
func position(s string) (n int64, bad bool) {
	for _, c := range s {
		if c < '0' || c > '9' {
			return 0, true
		}
	}
	if s == "" {
		return 0, false
	}
	n, _ = strconv.ParseInt(s, 10, 64) // too large ones give the largest
	return n, false
}
