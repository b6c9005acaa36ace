package sandbox

import (
	"encoding/xml"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxKey is the length of the longest key, in bytes [Amazon S3 User Guide:
// Creating object key names].
const maxKey = 1024

// restOnly are headers that a website endpoint does not give: there the
// redirect is one.
var restOnly = [...]string{"X-Amz-Website-Redirect-Location"}

// messages are S3's sentences for its codes [Amazon S3 API Reference: Error
// responses; Amazon S3 User Guide: Troubleshooting CORS].
func message(code string) string {
	switch code {
	case "AccessDenied":
		return "Access Denied"
	case "NoSuchKey":
		return "The specified key does not exist."
	case "NoSuchBucket":
		return "The specified bucket does not exist"
	case "NoSuchVersion":
		return "The specified version does not exist."
	case "NoSuchWebsiteConfiguration":
		return "The specified bucket does not have a website configuration"
	case "MethodNotAllowed":
		return "The specified method is not allowed against this resource."
	case "InvalidURI":
		return "Couldn't parse the specified URI."
	case "KeyTooLongError":
		return "Your key is too long"
	case "InvalidRange":
		return "The requested range is not satisfiable"
	case "PreconditionFailed":
		return "At least one of the pre-conditions you specified did not hold"
	case "InvalidObjectState":
		return "The operation is not valid for the object's storage class"
	case "PermanentRedirect":
		return "The bucket you are attempting to access must be addressed using the specified endpoint. Please send all future requests to this endpoint."
	case "TemporaryRedirect":
		return "Please re-send this request to the specified temporary endpoint. Continue to use the original request endpoint for future requests."
	case "IncorrectEndpoint":
		return "The specified bucket exists in another region. Please direct requests to the specified endpoint."
	}
	return ""
}

// refuse answers with an error of S3: XML, or HTML at a website endpoint. more
// are further elements, name and value in turn.
func (w *World) refuse(out reply, status int, code, says string, more ...string) reply {
	if says == "" {
		says = message(code)
	}
	w.seq++
	out.code, out.id = code, requestID(w.seq)
	rows := append([]string{"Code", code, "Message", says}, more...)
	rows = append(rows, "RequestId", out.id, "HostId", hostID(out.id))
	if out.site {
		out = out.text(status, "text/html; charset=utf-8", errorPage(status, rows))
		out = out.with("X-Amz-Error-Code", code).with("X-Amz-Error-Message", says)
		for i := 0; i < len(more); i += 2 {
			out = out.with("X-Amz-Error-Detail-"+more[i], more[i+1])
		}
		return out
	}
	var s strings.Builder
	s.WriteString(xml.Header + "<Error>")
	for i := 0; i < len(rows); i += 2 {
		element(&s, rows[i], rows[i+1])
	}
	s.WriteString("</Error>")
	out = out.text(status, "application/xml", []byte(s.String()))
	out.chunked = true
	return out
}

func element(s *strings.Builder, name, value string) {
	s.WriteString("<" + name + ">")
	_ = xml.EscapeText(s, []byte(value)) // a strings.Builder takes everything
	s.WriteString("</" + name + ">")
}

// s3Answer is S3's.
func (w *World) s3Answer(e endpoint, r request, now time.Time) reply {
	name, path := r.host, strings.TrimPrefix(r.path, "/")
	if _, b, ok := s3Host(r.host); ok {
		name = b
		if name == "" && e.kind == restEnd { // path style
			name, path, _ = strings.Cut(path, "/")
		}
	}
	out := reply{from: fromS3, site: e.kind == siteEnd, region: e.region, at: now}
	b := w.buckets[name]
	switch {
	case name == "" && e.kind == siteEnd:
		return out.redirect(301, "https://aws.amazon.com/s3/")
	case b == nil:
		return w.refuse(out, 404, "NoSuchBucket", "", "BucketName", name)
	case b.Region != e.region && e.kind == siteEnd:
		return w.refuse(out, 400, "IncorrectEndpoint", "", "Endpoint", name+".s3-website."+b.Region+".amazonaws.com")
	case b.Region != e.region:
		return w.elsewhere(out, e, b, r, path)
	}
	key, err := url.PathUnescape(path)
	switch {
	case err != nil:
		return w.refuse(out, 400, "InvalidURI", "", "URI", r.path)
	case len(key) > maxKey:
		return w.refuse(out, 400, "KeyTooLongError", "", "MaxSizeAllowed", strconv.Itoa(maxKey), "Size", strconv.Itoa(len(key)))
	case r.method == http.MethodOptions && e.kind == restEnd:
		return w.preflight(out, b, r)
	}
	out = b.allowOrigin(out, r)
	if e.kind == siteEnd {
		return w.site(out, b, r, path, key)
	}
	return w.rest(out, b, r, key)
}

// elsewhere sends a request on to the bucket's own region.
func (w *World) elsewhere(out reply, e endpoint, b *bucket, r request, path string) reply {
	to := b.Name + ".s3." + b.Region + ".amazonaws.com"
	if !e.global {
		return w.refuse(out, 301, "PermanentRedirect", "", "Endpoint", to, "Bucket", b.Name).with("X-Amz-Bucket-Region", b.Region)
	}
	out = w.refuse(out, 307, "TemporaryRedirect", "", "Endpoint", to, "Bucket", b.Name).with("X-Amz-Bucket-Region", b.Region)
	out.location = "http://" + to + "/" + path + asked(r.query)
	return out
}

func asked(query string) string {
	if query == "" {
		return ""
	}
	return "?" + query
}

// subresources are what a query asks for in place of the object or the listing;
// none is for anonymous readers of a bucket whose objects are public [Amazon S3
// API Reference: the operations on buckets and objects].
var subresources = [...]string{"acl", "accelerate", "analytics", "attributes", "cors", "encryption", "intelligent-tiering", "inventory",
	"legal-hold", "lifecycle", "location", "logging", "metrics", "notification", "object-lock", "ownershipControls", "policy",
	"policyStatus", "publicAccessBlock", "replication", "requestPayment", "restore", "retention", "select", "tagging", "torrent",
	"uploadId", "uploads", "versioning", "versions", "website"}

// overrides are the query parameters that set headers of an answer; only signed
// requests may use them [Amazon S3 API Reference: GetObject].
var overrides = [...]string{"response-cache-control", "response-content-disposition", "response-content-encoding",
	"response-content-language", "response-content-type", "response-expires"}

// rest answers as a REST endpoint does.
func (w *World) rest(out reply, b *bucket, r request, key string) reply {
	switch r.method {
	case http.MethodGet, http.MethodHead:
	case http.MethodPut, http.MethodDelete:
		return w.refuse(out, 403, "AccessDenied", "")
	default:
		return w.refuse(out, 405, "MethodNotAllowed", "", "Method", r.method, "ResourceType", "OBJECT")
	}
	may, lists := w.mayRead(b, r, key), w.mayList(b, r)
	if !may && !lists {
		return w.refuse(out, 403, "AccessDenied", "")
	}
	var query url.Values
	if r.query != "" {
		query, _ = url.ParseQuery(r.query) // what cannot be read is left out
		for _, s := range subresources {
			if query.Has(s) {
				return w.refuse(out, 403, "AccessDenied", "")
			}
		}
		if i := slices.IndexFunc(overrides[:], query.Has); i >= 0 && r.by == "" {
			return w.refuse(out, 400, "InvalidRequest", "Request specific response headers cannot be used for anonymous GET requests.")
		}
	}
	if key == "" {
		return w.root(out, b, r, query)
	}
	o := b.objects[key]
	switch {
	case o == nil && lists:
		return w.refuse(out, 404, "NoSuchKey", "", "Key", key)
	case o == nil || !may || o.Private:
		return w.refuse(out, 403, "AccessDenied", "")
	case query.Has("versionId"):
		if refused, ok := w.version(out, o, query.Get("versionId")); !ok {
			return refused
		}
	}
	if r.method == http.MethodGet && (o.StorageClass == "GLACIER" || o.StorageClass == "DEEP_ARCHIVE") {
		return w.refuse(out, 403, "InvalidObjectState", "", "StorageClass", o.StorageClass)
	}
	return w.given(choose(out.serve(o), r), r)
}

// version is whether a versionId names o: its own, or "null" for an object
// that was written without versions [Amazon S3 User Guide: Retrieving object
// versions].
func (w *World) version(out reply, o *object, id string) (reply, bool) {
	switch {
	case id == "":
		return w.refuse(out, 400, "InvalidArgument", "Version id cannot be the empty string", "ArgumentName", "versionId", "ArgumentValue", id), false
	case id == o.VersionID || id == "null" && o.VersionID == "":
		return out, true
	case id == "null" || len(id) == 32:
		return w.refuse(out, 404, "NoSuchVersion", "", "Key", o.Key, "VersionId", id), false
	}
	return w.refuse(out, 400, "InvalidArgument", "Invalid version id specified", "ArgumentName", "versionId", "ArgumentValue", id), false
}

// given writes the text of a precondition that failed and of a range without
// bytes.
func (w *World) given(out reply, r request) reply {
	switch out.status {
	case http.StatusPreconditionFailed:
		name := "If-Match"
		if r.get(name) == "" {
			name = "If-Unmodified-Since"
		}
		return w.refuse(out, out.status, "PreconditionFailed", "", "Condition", name)
	case http.StatusRequestedRangeNotSatisfiable:
		return w.refuse(out, out.status, "InvalidRange", "", "RangeRequested", r.get("Range"), "ActualObjectSize", strconv.FormatInt(out.object.content.size, 10))
	}
	return out
}
