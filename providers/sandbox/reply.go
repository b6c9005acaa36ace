package sandbox

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// request is a request as a server reads it.
type request struct {
	scheme, method, host string
	// path is escaped as it was sent and begins with a slash; query is raw.
	path, query string
	// header may be nil.
	header http.Header
	// body: the request has one.
	body bool
	// by is who signed it: the ARN of a distribution, byOwner, or "" for nobody.
	by string
}

func (r request) get(k string) string {
	if r.header == nil {
		return ""
	}
	return r.header.Get(k)
}

// field is one header of an answer.
type field struct{ name, value string }

// reply is an answer before it is written out as HTTP. It is a value, and what
// it points at never changes, so a cache may keep it.
type reply struct {
	status   int
	body     *content
	off, n   int64 // the part of the body that is sent
	ctype    string
	location string
	// object has the headers that were stored with it; nil for answers that are
	// no object's.
	object *object
	// more are headers of this answer alone.
	more []field
	// chunked answers tell no length.
	chunked bool
	// code is S3's error code, or CloudFront's own sentence; id is the request's
	// in an error's text.
	code, id string
	from     string
	site     bool
	// region of the S3 endpoint that answered; "" when none did.
	region string
	// weak and coding: CloudFront compressed the object.
	weak   bool
	coding string
	// cache is the first word of X-Cache, at when the origin answered, age since
	// when an edge has it.
	cache string
	at    time.Time
	age   time.Duration
	// alt is Alt-Svc.
	alt string
}

func (out reply) with(name, value string) reply {
	if value != "" {
		out.more = append(slices.Clip(out.more), field{name, value})
	}
	return out
}

// text makes b the body of an answer that is no object's.
func (out reply) text(status int, ctype string, b []byte) reply {
	out.status, out.object, out.ctype, out.weak, out.coding = status, nil, ctype, false, ""
	out.body, out.off, out.n = bytesOf(b), 0, int64(len(b))
	return out
}

func (out reply) serve(o *object) reply {
	out.status, out.object, out.ctype = 200, o, o.ContentType
	out.body, out.off, out.n = o.content, 0, o.content.size
	return out
}

// redirect has no body but for people's sake, which S3 leaves out too.
func (out reply) redirect(status int, to string) reply {
	out = out.text(status, "", nil)
	out.location = to
	return out
}

// header writes out the headers. id is the answer's own.
func (out reply) header(id string, now time.Time) http.Header {
	h := make(http.Header, 20)
	if o := out.object; o != nil {
		maps.Copy(h, o.header)
		if out.site {
			for _, k := range restOnly {
				delete(h, k)
			}
		}
		if out.weak {
			h["Etag"] = []string{"W/" + h.Get("ETag")}
		}
	}
	set := func(k, v string) {
		if v != "" {
			h[k] = []string{v}
		}
	}
	set("Date", out.date(now))
	set("Content-Type", out.ctype)
	set("Content-Encoding", out.coding)
	set("Location", out.location)
	if out.status == http.StatusNotModified {
		delete(h, "Content-Type")
	}
	for _, f := range out.more {
		if f.name == "Vary" && h.Get("Vary") != "" {
			h.Set("Vary", h.Get("Vary")+", "+f.value)
			continue
		}
		h.Set(f.name, f.value)
	}
	if out.region != "" {
		set("Server", "AmazonS3")
	}
	if out.from == fromCloudFront {
		out.stamp(h, id)
	} else if out.region != "" {
		if out.id != "" {
			id = out.id
		}
		set("X-Amz-Request-Id", id)
		set("X-Amz-Id-2", hostID(id))
	}
	if !out.chunked && out.status != http.StatusNotModified {
		set("Content-Length", strconv.FormatInt(out.n, 10))
	}
	return h
}

// date is the moment at which the answer was made: a cache keeps it.
func (out reply) date(now time.Time) string {
	if !out.at.IsZero() {
		now = out.at
	}
	return now.UTC().Format(http.TimeFormat)
}

// stamp adds CloudFront's own headers.
func (out reply) stamp(h http.Header, id string) {
	set := func(k, v string) { h[k] = []string{v} }
	set("Via", "1.1 "+strings.ToLower(code(32, "via", id))+".cloudfront.net (CloudFront)")
	set("X-Amz-Cf-Id", code(56, "cf", id))
	set("X-Amz-Cf-Pop", "FRA56-P1")
	cache := out.cache
	if out.status >= 400 {
		cache = "Error"
	}
	set("X-Cache", cache+" from cloudfront")
	if cache == "Hit" || out.age > 0 {
		set("Age", strconv.FormatInt(int64(out.age/time.Second), 10))
	}
	if out.region == "" {
		set("Server", "CloudFront")
	}
	if out.alt != "" {
		set("Alt-Svc", out.alt)
	}
}

func requestID(n int) string { return code(16, "request", strconv.Itoa(n)) }

func hostID(id string) string { return code(76, "host", id) }
