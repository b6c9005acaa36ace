package sandbox

import (
	"testing"

	"github.com/edgeward/edgeward/providers"
)

func website(b *Bucket) {
	b.Website = &providers.Website{IndexDocument: "index.html", ErrorDocument: "error.html"}
}

func routed(rules ...providers.RoutingRule) func(*Bucket) {
	return func(b *Bucket) {
		website(b)
		b.Website.RoutingRules = rules
	}
}

// TestWebsite follows the Amazon S3 User Guide: Website endpoints, Configuring
// an index document, Configuring a custom error document, Configuring a webpage
// redirect, Setting permissions for website access.
func TestWebsite(t *testing.T) {
	html := map[string]string{"Content-Type": "text/html; charset=utf-8"}
	to := func(l string) map[string]string { return map[string]string{"Location": l} }
	empty := ""
	documents := "documents/"
	all := func(protocol string) func(*Bucket) {
		return func(b *Bucket) {
			b.Website = &providers.Website{RedirectAllTo: "example.net", RedirectAllProtocol: protocol}
		}
	}
	noDocument := func(b *Bucket) { b.Website = &providers.Website{IndexDocument: "index.html"} }
	for title, x := range map[string]exchange{
		"index":                          {change: website, path: "/", status: 200, body: "<h1>home</h1>", exact: true, header: map[string]string{"Content-Type": "text/html"}},
		"index of a folder":              {change: website, path: "/docs/", status: 200, body: "docs", exact: true},
		"folder without its slash":       {change: website, path: "/docs", status: 302, header: to("/docs/")},
		"no folder":                      {change: website, path: "/nodocs", status: 404, body: "sorry", exact: true},
		"folder without an index":        {change: website, path: "/a/", status: 404},
		"HEAD":                           {change: website, method: "HEAD", path: "/", status: 200, header: map[string]string{"Content-Length": "13"}},
		"missing":                        {change: website, path: "/none", status: 404, body: "sorry", exact: true, header: map[string]string{"Content-Type": "text/html", "x-amz-error-code": "NoSuchKey", "Cache-Control": "max-age=30"}},
		"unreadable":                     {change: website, path: "/secret", status: 403, body: "sorry", exact: true},
		"missing, no error document":     {change: noDocument, path: "/none", status: 404, body: "<li>Code: NoSuchKey</li>\n<li>Message: The specified key does not exist.</li>\n<li>Key: none</li>", header: html},
		"unreadable, no error document":  {change: noDocument, path: "/secret", status: 403, body: "<li>Code: AccessDenied</li>", header: html},
		"archived":                       {change: website, path: "/cold", status: 403},
		"private bucket":                 {change: func(b *Bucket) { website(b); b.Private = true }, path: "/", status: 403, header: html},
		"requester pays":                 {change: func(b *Bucket) { website(b); b.RequesterPays = true }, path: "/", status: 403},
		"no website":                     {path: "/", status: 404, body: "NoSuchWebsiteConfiguration", header: html},
		"POST":                           {change: website, method: "POST", path: "/", status: 405, body: "MethodNotAllowed", header: html},
		"OPTIONS":                        {change: website, method: "OPTIONS", path: "/", fields: []string{"Origin", "http://o", "Access-Control-Request-Method", "GET"}, status: 405},
		"list":                           {change: func(b *Bucket) { website(b); b.Listing = true }, path: "/?list-type=2", status: 200, body: "<h1>home</h1>", exact: true},
		"response-content-type":          {change: website, path: "/digits?response-content-type=a/b", status: 200, body: "0123456789", header: map[string]string{"Content-Type": "text/plain"}},
		"range":                          {change: website, path: "/digits", fields: []string{"Range", "bytes=1-2"}, status: 206, body: "12", exact: true},
		"range beyond":                   {change: website, path: "/digits", fields: []string{"Range", "bytes=10-"}, status: 416, body: "InvalidRange", header: html},
		"If-Modified-Since":              {change: website, path: "/digits", fields: []string{"If-Modified-Since", "Mon, 06 May 2024 07:08:09 GMT"}, status: 304},
		"object's redirect":              {change: website, path: "/old", status: 301, exact: true, header: to("/docs/")},
		"object's redirect away":         {change: website, path: "/away", status: 301, header: map[string]string{"Location": "https://example.net/x", "x-amz-website-redirect-location": ""}},
		"odd key":                        {change: website, path: "/a%20b/%C3%B6+1.txt", status: 200, body: "odd", exact: true},
		"all":                            {change: all(""), path: "/a/b?c=d", status: 301, header: to("http://example.net/a/b?c=d")},
		"all to https":                   {change: all("https"), path: "/a%20b", status: 301, header: to("https://example.net/a%20b")},
		"all, the root":                  {change: all("http"), path: "/", status: 301, header: to("http://example.net/")},
		"rule: prefix":                   {change: routed(providers.RoutingRule{KeyPrefix: "docs/", ReplaceKeyPrefix: &documents}), path: "/docs/article1.html", status: 301, header: to("http://" + theAlias + "/documents/article1.html")},
		"rule: prefix to nothing":        {change: routed(providers.RoutingRule{KeyPrefix: "docs/", ReplaceKeyPrefix: &empty}), path: "/docs/a%20b", status: 301, header: to("http://" + theAlias + "/a%20b")},
		"rule: key, code, protocol":      {change: routed(providers.RoutingRule{KeyPrefix: "img/", ReplaceKey: "gone.html", Code: "307", Protocol: "https"}), path: "/img/x", status: 307, header: to("https://" + theAlias + "/gone.html")},
		"rule: host":                     {change: routed(providers.RoutingRule{KeyPrefix: "img/", HostName: "cdn.example.net"}), path: "/img/x", status: 301, header: to("http://cdn.example.net/img/x")},
		"rule: before the object":        {change: routed(providers.RoutingRule{KeyPrefix: "digits", HostName: "cdn.example.net"}), path: "/digits", status: 301},
		"rule: other prefix":             {change: routed(providers.RoutingRule{KeyPrefix: "img/", HostName: "cdn.example.net"}), path: "/digits", status: 200},
		"rule: error":                    {change: routed(providers.RoutingRule{ErrorCode: "404", HostName: "h", ReplaceKeyPrefix: &documents}), path: "/page", status: 301, header: to("http://h/documents/page")},
		"rule: error that is not":        {change: routed(providers.RoutingRule{ErrorCode: "404", HostName: "h"}), path: "/digits", status: 200},
		"rule: other error":              {change: routed(providers.RoutingRule{ErrorCode: "404", HostName: "h"}), path: "/secret", status: 403, body: "sorry"},
		"rule: error and prefix":         {change: routed(providers.RoutingRule{ErrorCode: "404", KeyPrefix: "x/", HostName: "h"}), path: "/y/1", status: 404},
		"rule: error under a prefix":     {change: routed(providers.RoutingRule{ErrorCode: "404", KeyPrefix: "x/", HostName: "h"}), path: "/x/1", status: 301, header: to("http://h/x/1")},
		"rule: the first one that holds": {change: routed(providers.RoutingRule{KeyPrefix: "x", HostName: "1"}, providers.RoutingRule{KeyPrefix: "x", HostName: "2"}), path: "/x", status: 301, header: to("http://1/x")},
	} {
		t.Run(title, func(t *testing.T) {
			w, _ := shop(x.change)
			x.run(t, w, siteHost)
		})
	}
	w, _ := shop(website)
	if got := ask(w, siteHost, "GET", "http://"+siteHost+"/"); got.StatusCode != 301 || got.Header.Get("Location") != "https://aws.amazon.com/s3/" {
		t.Errorf("the endpoint itself: %d %v", got.StatusCode, got.Header)
	}
}
