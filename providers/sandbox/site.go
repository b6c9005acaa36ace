package sandbox

import (
	"fmt"
	"html"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/edgeward/edgeward/providers"
)

// site answers as a website endpoint does: index documents, redirects, the
// error document [Amazon S3 User Guide: Website endpoints, Configuring an index
// document, Configuring a custom error document, Configuring a webpage
// redirect]. path is key as it was escaped.
func (w *World) site(out reply, b *bucket, r request, path, key string) reply {
	switch {
	case b.Website == nil:
		return w.refuse(out, 404, "NoSuchWebsiteConfiguration", "", "BucketName", b.Name)
	case r.method != http.MethodGet && r.method != http.MethodHead:
		return w.refuse(out, 405, "MethodNotAllowed", "", "Method", r.method, "ResourceType", "OBJECT").with("Allow", "GET, HEAD")
	}
	s := b.Website
	if s.RedirectAllTo != "" {
		return out.redirect(301, protocol(s.RedirectAllProtocol)+s.RedirectAllTo+"/"+path+asked(r.query))
	}
	for i := range s.RoutingRules {
		if rule := &s.RoutingRules[i]; rule.ErrorCode == "" && strings.HasPrefix(key, rule.KeyPrefix) {
			return out.route(rule, r.host, key)
		}
	}
	if !w.mayRead(b, r, key) {
		return w.siteError(out, b, r, key, 403, "AccessDenied")
	}
	full := key
	if full == "" || strings.HasSuffix(full, "/") {
		full += s.IndexDocument
	}
	o := b.objects[full]
	switch {
	case o != nil && (o.Private || !w.mayRead(b, r, full)):
		return w.siteError(out, b, r, key, 403, "AccessDenied")
	case o != nil && o.Redirect != "":
		return out.redirect(301, o.Redirect)
	case o != nil && (o.StorageClass == "GLACIER" || o.StorageClass == "DEEP_ARCHIVE"):
		return w.siteError(out, b, r, key, 403, "InvalidObjectState")
	case o != nil:
		return w.given(choose(out.serve(o), r), r)
	case b.objects[key+"/"+s.IndexDocument] != nil:
		return out.redirect(302, "/"+path+"/")
	}
	return w.siteError(out, b, r, key, 404, "NoSuchKey", "Key", key)
}

func protocol(p string) string {
	if p == "https" {
		return "https://"
	}
	return "http://" // a website endpoint has no TLS, so every request is http
}

// route is the redirect of a rule.
func (out reply) route(rule *providers.RoutingRule, host, key string) reply {
	switch {
	case rule.ReplaceKey != "":
		key = rule.ReplaceKey
	case rule.ReplaceKeyPrefix != nil:
		key = *rule.ReplaceKeyPrefix + strings.TrimPrefix(key, rule.KeyPrefix)
	}
	if rule.HostName != "" {
		host = rule.HostName
	}
	status, err := strconv.Atoi(rule.Code)
	if err != nil {
		status = http.StatusMovedPermanently
	}
	return out.redirect(status, protocol(rule.Protocol)+host+"/"+(&url.URL{Path: key}).EscapedPath())
}

// siteError answers with a rule for the error, the error document, or S3's own
// page; only a 4xx has an error document.
func (w *World) siteError(out reply, b *bucket, r request, key string, status int, code string, more ...string) reply {
	for i := range b.Website.RoutingRules {
		rule := &b.Website.RoutingRules[i]
		if rule.ErrorCode == strconv.Itoa(status) && strings.HasPrefix(key, rule.KeyPrefix) {
			return out.route(rule, r.host, key)
		}
	}
	doc := b.Website.ErrorDocument
	o := b.objects[doc]
	if doc == "" || o == nil || o.Private || !w.mayRead(b, r, doc) {
		return w.refuse(out, status, code, "", more...)
	}
	out = out.serve(o).with("X-Amz-Error-Code", code).with("X-Amz-Error-Message", message(code))
	for i := 0; i < len(more); i += 2 {
		out = out.with("X-Amz-Error-Detail-"+more[i], more[i+1])
	}
	out.status, out.code = status, code
	return out
}

// errorPage is the HTML of an error at a website endpoint.
func errorPage(status int, rows []string) []byte {
	title := fmt.Sprintf("%d %s", status, http.StatusText(status))
	var s strings.Builder
	fmt.Fprintf(&s, "<html>\n<head><title>%s</title></head>\n<body>\n<h1>%s</h1>\n<ul>\n", title, title)
	for i := 0; i < len(rows); i += 2 {
		fmt.Fprintf(&s, "<li>%s: %s</li>\n", rows[i], html.EscapeString(rows[i+1]))
	}
	s.WriteString("</ul>\n<hr/>\n</body>\n</html>\n")
	return []byte(s.String())
}
