package sandbox

import (
	"slices"
	"strings"
)

// forwarding is what an origin request policy adds to what the cache key has.
type forwarding struct {
	headers []string
	query   bool
}

// originRequest knows AWS's own origin request policies as far as S3 reads what
// they forward; a custom one is as none [CloudFront Developer Guide: Use managed
// origin request policies].
func originRequest(id string) forwarding {
	switch id {
	case "88a5eaf4-2fd4-4709-b370-b4c650ea3fcf": // CORS-S3Origin
		return forwarding{headers: []string{"Origin", "Access-Control-Request-Headers", "Access-Control-Request-Method"}}
	case "59781a5b-3903-41f3-afcb-af62929ccde1": // CORS-CustomOrigin
		return forwarding{headers: []string{"Origin"}}
	case "216adef6-5c7f-47e4-b989-5492eafa07d3", // AllViewer
		"b689b0a8-53d0-40ab-baf2-68738e2966ac", // AllViewerExceptHostHeader
		"33f36d7e-f396-46d9-90e0-52428a34d9dc": // AllViewerAndCloudFrontHeaders
		return forwarding{headers: []string{"Origin", "Access-Control-Request-Headers", "Access-Control-Request-Method", "Referer", "User-Agent"}, query: true}
	}
	return forwarding{}
}

// decorate adds what AWS's own response headers policies add; a custom one is
// as none [CloudFront Developer Guide: Use managed response headers policies].
// Their CORS headers go to requests with an Origin only.
func decorate(out reply, id string, r request) reply {
	var cors, preflight, security bool
	switch id {
	case "":
		return out
	case "60669652-455b-4ae9-85a4-c4c02393f86c": // SimpleCORS
		cors = true
	case "5cc3b908-e619-4b99-88e5-2cf7f45965bd": // CORS-With-Preflight
		cors, preflight = true, true
	case "67f7725c-6f97-4210-82d7-5512b31e9d03": // SecurityHeadersPolicy
		security = true
	case "e61eb60c-9c35-4d20-a928-2b84e02af89c": // CORS-and-SecurityHeadersPolicy
		cors, security = true, true
	case "eaab4381-ed33-4a86-88ca-d9558dc6cd63": // CORS-with-preflight-and-SecurityHeadersPolicy
		cors, preflight, security = true, true, true
	}
	if cors && r.get("Origin") != "" && !out.says("Access-Control-Allow-Origin") {
		out = out.with("Access-Control-Allow-Origin", "*")
		if preflight {
			out = out.with("Access-Control-Expose-Headers", "*")
			if r.method == "OPTIONS" {
				out = out.with("Access-Control-Allow-Methods", "GET, HEAD, PUT, POST, PATCH, DELETE, OPTIONS")
			}
		}
	}
	if security {
		out = out.with("Referrer-Policy", "strict-origin-when-cross-origin").with("X-Frame-Options", "SAMEORIGIN").
			with("X-Content-Type-Options", "nosniff").with("X-XSS-Protection", "1; mode=block")
		if r.scheme == "https" { // RFC 6797, 7.2: not over http
			out = out.with("Strict-Transport-Security", "max-age=31536000")
		}
	}
	return out
}

func (out reply) says(name string) bool {
	return slices.ContainsFunc(out.more, func(f field) bool { return strings.EqualFold(f.name, name) })
}

// compressed are the types that CloudFront compresses [CloudFront Developer
// Guide: Serve compressed files].
var compressed = [...]string{
	"application/dash+xml", "application/eot", "application/font", "application/font-sfnt", "application/javascript",
	"application/json", "application/opentype", "application/otf", "application/pdf", "application/pkcs7-mime",
	"application/protobuf", "application/rss+xml", "application/truetype", "application/ttf",
	"application/vnd.apple.mpegurl", "application/vnd.mapbox-vector-tile", "application/vnd.ms-fontobject",
	"application/wasm", "application/xhtml+xml", "application/xml", "application/x-font-opentype",
	"application/x-font-truetype", "application/x-font-ttf", "application/x-httpd-cgi", "application/x-javascript",
	"application/x-mpegurl", "application/x-opentype", "application/x-otf", "application/x-perl", "application/x-ttf",
	"font/eot", "font/opentype", "font/otf", "font/ttf", "image/svg+xml", "text/css", "text/csv", "text/html",
	"text/javascript", "text/js", "text/plain", "text/richtext", "text/tab-separated-values", "text/xml",
	"text/x-component", "text/x-java-source", "text/x-script", "vnd.apple.mpegurl",
}

// compress is the answer as CloudFront compresses it, or as it is. It prefers
// Brotli for those who accept it; here it is gzip always, and who accepts only
// Brotli gets the object as it is.
func (out reply) compress() reply {
	o := out.object
	media, _, _ := strings.Cut(out.ctype, ";")
	switch {
	case o == nil || out.status != 200 && out.status != 403 && out.status != 404,
		o.ContentEncoding != "", o.content.size < 1_000 || o.content.size > 10_000_000,
		!slices.Contains(compressed[:], strings.ToLower(strings.TrimSpace(media))):
		return out
	}
	out.body, out.weak, out.coding, out.chunked = o.gzipped(), true, "gzip", true
	out.n = out.body.size
	return out.with("Vary", "Accept-Encoding")
}

// acceptsGzip is whether a viewer takes gzip.
func acceptsGzip(r request) bool {
	for v := range strings.SplitSeq(strings.ToLower(r.get("Accept-Encoding")), ",") {
		name, q, _ := strings.Cut(strings.ReplaceAll(v, " ", ""), ";q=")
		if name == "gzip" {
			return strings.Trim(q, "0.") != "" || q == ""
		}
	}
	return false
}
