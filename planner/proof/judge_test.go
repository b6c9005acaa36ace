package proof

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/edgeward/edgeward/providers"
)

var update = flag.Bool("update", false, "rewrite the golden files of testdata")

// said is an answer of status with a body and headers, "Name: value" each. It
// has a Content-Length unless "Content-Length: " is among them.
func said(status int, body string, headers ...string) answer {
	h := http.Header{}
	for _, line := range append([]string{"Content-Length: " + strconv.Itoa(len(body))}, headers...) {
		name, value, _ := strings.Cut(line, ": ")
		if name = http.CanonicalHeaderKey(name); name == "Content-Length" {
			h.Del(name)
		}
		if value != "" {
			h.Add(name, value)
		}
	}
	a := answer{Response: providers.Response{Status: status, Header: h, Length: int64(len(body)), Body: []byte(body), SHA256: digestOf(body)}}
	if h.Get("Content-Encoding") == "gzip" {
		if r, err := gzip.NewReader(strings.NewReader(body)); err == nil {
			if plain, err := io.ReadAll(r); err == nil {
				a.Plain = digestOf(string(plain))
			}
		}
	}
	return a
}

func digestOf(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

func packed(s string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = io.WriteString(z, s)
	_ = z.Close()
	return b.String()
}

// headed is an answer to HEAD: the headers of a body that does not come.
func headed(a answer) answer {
	a.Length, a.Body, a.SHA256, a.Plain = 0, nil, digestOf(""), ""
	return a
}

// cutAt is an answer of which only the first n bytes were read.
func cutAt(a answer, n int) answer {
	a.Body, a.Length, a.SHA256, a.Plain, a.Cut = a.Body[:n], int64(n), digestOf(string(a.Body[:n])), "", true
	return a
}

// turned is a with headers set, or taken away where the value is empty.
func turned(a answer, headers ...string) answer {
	a.Header = a.Header.Clone()
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		if value == "" {
			a.Header.Del(strings.TrimSuffix(name, ":"))
			continue
		}
		a.Header.Set(name, value)
	}
	return a
}

func failed(err error) answer { return answer{err: err} }

const (
	page     = "<html>the page that visitors read</html>"
	modified = "Last-Modified: Thu, 29 Feb 2024 12:00:00 GMT"
	pageHost = "assets.example.com"
)

// object is what S3 answers for an object.
func object(headers ...string) answer {
	return turned(said(200, page, "Content-Type: text/html", `ETag: "abc"`, modified, "Accept-Ranges: bytes", "Server: AmazonS3",
		"X-Amz-Request-Id: 1", "X-Amz-Id-2: 2", "Date: Sun, 22 Nov 2026 10:00:00 GMT"), headers...)
}

// edge is an answer of S3 as CloudFront hands it on.
func edge(a answer) answer {
	return turned(a, "Via: 1.1 x.cloudfront.net (CloudFront)", "X-Cache: Miss from cloudfront", "X-Amz-Cf-Id: z", "X-Amz-Cf-Pop: FRA1",
		"X-Amz-Request-Id: 7", "X-Amz-Id-2: 8", "Date: Sun, 22 Nov 2026 10:00:05 GMT", "Alt-Svc: h3")
}

// part is S3's answer to a request for bytes from to to of the page.
func partOf(from, to int, headers ...string) answer {
	return turned(said(206, page[from:to+1], "Content-Type: text/html", `ETag: "abc"`, modified, "Accept-Ranges: bytes",
		fmt.Sprintf("Content-Range: bytes %d-%d/%d", from, to, len(page))), headers...)
}

func xmlError(status int, code, id string) answer {
	return said(status, "<?xml version=\"1.0\"?>\n<Error><Code>"+code+"</Code><Message>m</Message><RequestId>"+id+"</RequestId><HostId>h"+id+"</HostId></Error>",
		"Content-Type: application/xml", "Server: AmazonS3")
}

func htmlError(status int, code, id string) answer {
	return said(status, "<html><ul><li>Code: "+code+"</li><li>RequestId: "+id+"</li><li>HostId: h"+id+"</li></ul></html>",
		"Content-Type: text/html; charset=utf-8", "Server: AmazonS3")
}

// edgeError is an error that CloudFront makes itself.
func edgeError(status int) answer {
	return said(status, "<html>The request could not be satisfied.</html>", "Content-Type: text/html", "Server: CloudFront", "X-Cache: Error from cloudfront")
}

func leads(status int, to string, headers ...string) answer {
	return said(status, "", append([]string{"Location: " + to}, headers...)...)
}

// judged is a row of the table: two answers and what is said of them.
type judged struct {
	facts       *Facts // CloudFront before a REST endpoint when nil
	path        string // "/page.html" when empty
	method      string
	part        part
	header      map[string]string
	query       string
	scheme      string // of the right: http when empty
	base        string // of the left
	left, right answer
	// want is "aspect verdict" of each difference.
	want string
}

func (r judged) pair() (Facts, Target, pair) {
	f := Facts{CloudFront: true}
	if r.facts != nil {
		f = *r.facts
	}
	p := pair{shape: shape{method: "GET", part: partPlain, header: r.header, query: r.query}, left: r.left, reply: r.right,
		base: Site{URL: "http://" + pageHost}, right: Site{URL: "http://" + pageHost}}
	if r.method != "" {
		p.shape.method = r.method
	}
	if r.part != "" {
		p.shape.part = r.part
	}
	if r.scheme != "" {
		p.right.URL = r.scheme + "://" + pageHost
	}
	if r.base != "" {
		p.base.URL = r.base
	}
	t := Target{Path: r.path, Size: -1}
	if t.Path == "" {
		t.Path = "/page.html"
	}
	return f, t, p
}

func website() *Facts {
	return &Facts{CloudFront: true, Website: true, OriginHosts: []string{"assets.example.com.s3-website-eu-west-1.amazonaws.com"}}
}

func anywhere() *Facts { return &Facts{} }

func sends(name, value string) map[string]string { return map[string]string{name: value} }

const app = "https://app.example.com"

// allowed is what S3 answers to a page of app that its rules allow.
func allowed(headers ...string) answer {
	return turned(object("Access-Control-Allow-Origin: "+app, "Access-Control-Allow-Credentials: true", "Access-Control-Allow-Methods: GET, HEAD",
		"Access-Control-Expose-Headers: ETag", "Vary: Origin, Access-Control-Request-Headers, Access-Control-Request-Method"), headers...)
}

func zipAsked(r judged) judged {
	r.part, r.header = partEncoding, sends("Accept-Encoding", "gzip")
	return r
}

// TestJudge has a row for each aspect and verdict; testdata/words.txt has what
// is said of it, word for word.
func TestJudge(t *testing.T) {
	var golden strings.Builder
	cases := table()
	if len(cases) < 150 {
		t.Errorf("%d cases", len(cases))
	}
	for _, name := range slices.Sorted(maps.Keys(cases)) {
		c := cases[name]
		got := judge(c.pair())
		var names []string
		for _, d := range got {
			names = append(names, fmt.Sprintf("%s %s", d.Aspect, d.Verdict))
			fmt.Fprintf(&golden, "%s: %s %s\n  %s | %s -> %s\n  %s\n", name, d.Aspect, d.Verdict, d.Request, d.Left, d.Right, d.Means)
			if d.Mend != "" {
				fmt.Fprintf(&golden, "  mend: %s\n", d.Mend)
			}
			if d.Source != "" {
				fmt.Fprintf(&golden, "  source: %s\n", d.Source)
			}
		}
		if s := strings.Join(names, ", "); s != c.want {
			t.Errorf("%s: judged %q, want %q\n%v", name, s, c.want, got)
		}
		for _, fault := range unfit(got) {
			t.Errorf("%s: %s", name, fault)
		}
	}
	path := filepath.Join("testdata", "words.txt")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(golden.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), golden.String()); d != "" {
		t.Errorf("%s differs (-want +got; -update rewrites):\n%s", path, d)
	}
}

// table joins the parts of the table.
func table() map[string]judged {
	out := map[string]judged{}
	for _, part := range []map[string]judged{sameRows(), silenceRows(), statusRows(), bodyRows(), headerRows(), errorRows(), redirectRows(),
		rangeRows(), conditionalRows(), encodingRows(), corsRows(), preflightRows(), cachingRows(), queryRows(), settingRows()} {
		for name, row := range part {
			if _, twice := out[name]; twice {
				panic("two rows are called " + name)
			}
			out[name] = row
		}
	}
	return out
}

// sameRows are what S3 and CloudFront, or two servers, are documented to answer
// otherwise without a visitor noticing: nothing is said of them.
func sameRows() map[string]judged {
	cached := turned(edge(object("Cache-Control: max-age=300")), "X-Cache: Hit from cloudfront", "Age: 299")
	return map[string]judged{
		"same object":                  {left: object(), right: edge(object())},
		"same HEAD":                    {method: "HEAD", left: headed(object()), right: headed(edge(object()))},
		"same hit within max-age":      {left: object("Cache-Control: max-age=300"), right: cached},
		"same hit within s-maxage":     {left: object("Cache-Control: max-age=5, s-maxage=300"), right: turned(cached, "Cache-Control: max-age=5, s-maxage=300")},
		"same hit while revalidating":  {left: object("Cache-Control: max-age=200, stale-while-revalidate=100"), right: turned(cached, "Cache-Control: max-age=200, stale-while-revalidate=100")},
		"same hit before Expires":      {left: object("Expires: Thu, 01 Jan 2032 00:00:00 GMT"), right: turned(edge(object("Expires: Thu, 01 Jan 2032 00:00:00 GMT")), "X-Cache: Hit from cloudfront", "Age: 5")},
		"same refresh hit":             {left: object(), right: turned(edge(object()), "X-Cache: RefreshHit from cloudfront", "Age: 3")},
		"same error kept for 10 s":     {left: xmlError(404, "NoSuchKey", "1"), right: turned(xmlError(404, "NoSuchKey", "2"), "Age: 9", "X-Cache: Error from cloudfront")},
		"same both behind a cache":     {facts: anywhere(), left: object("Age: 70", "X-Cache: HIT"), right: object("Age: 90", "X-Cache: HIT")},
		"same tokens in another order": {left: object("Cache-Control: public, max-age=60", "Vary: A, B"), right: object("Cache-Control: Max-Age=60,public", "Vary: b,a")},
		"same Vary in two lines":       {left: said(200, "", "Vary: A, B"), right: said(200, "", "Vary: A", "Vary: B")},
		"same media type":              {left: object("Content-Type: text/html; charset=UTF-8"), right: object("Content-Type: text/html;charset=utf-8")},
		"same S3 error":                {left: xmlError(403, "AccessDenied", "1"), right: edge(xmlError(403, "AccessDenied", "23"))},
		"same website error":           {facts: website(), left: htmlError(404, "NoSuchKey", "1"), right: edge(htmlError(404, "NoSuchKey", "23"))},
		"same error document":          {facts: website(), left: said(404, "gone"), right: edge(said(404, "gone"))},
		"same 304 with fewer headers":  {part: partConditional, left: said(304, "", `ETag: "abc"`, "Content-Length: ", modified, "Cache-Control: max-age=60"), right: said(304, "", `ETag: "abc"`, "Content-Length: ")},
		"same 304 with more headers":   {part: partConditional, left: said(304, "", `ETag: "abc"`, "Content-Length: "), right: said(304, "", `ETag: "abc"`, "Vary: Origin", modified)},
		"same part":                    {part: partRange, header: sends("Range", "bytes=2-5"), left: partOf(2, 5), right: edge(partOf(2, 5))},
		"same 416 of a kept object": {part: partRange, header: sends("Range", "bytes=99-"), left: turned(xmlError(416, "InvalidRange", "1"), "Cache-Control:"),
			right: turned(edge(xmlError(416, "InvalidRange", "2")), "X-Cache: Hit from cloudfront", "Age: 50", "Cache-Control: max-age=60", `ETag: "abc"`)},
		"same 416":                          {part: partRange, header: sends("Range", "bytes=99-"), left: xmlError(416, "InvalidRange", "1"), right: edge(xmlError(416, "InvalidRange", "2"))},
		"same redirect":                     {facts: website(), left: leads(302, "/docs/"), right: edge(leads(302, "/docs/"))},
		"same redirect body but for ids":    {facts: website(), left: turned(htmlError(302, "Found", "1"), "Location: /x"), right: turned(htmlError(302, "Found", "22"), "Location: /x")},
		"same redirect to the own host":     {base: "http://old.example", left: leads(301, "http://old.example/x"), right: leads(301, "http://assets.example.com/x")},
		"same redirect elsewhere":           {left: leads(301, "https://www.example.org/x?a=b#c"), right: leads(301, "https://www.example.org/x?a=b#c")},
		"same unreadable Location":          {left: leads(301, "ht tp://%zz"), right: leads(301, "ht tp://%zz")},
		"same CORS":                         {part: partCORS, header: sends("Origin", app), left: allowed(), right: edge(allowed())},
		"same CORS headers in another case": {part: partCORS, header: sends("Origin", app), left: allowed(), right: allowed("Access-Control-Expose-Headers: etag")},
		"same preflight":                    {part: partPreflight, method: "OPTIONS", header: preflighted(), left: agreed(), right: edge(agreed())},
		"same preflight refusal":            {part: partPreflight, method: "OPTIONS", header: preflighted(), left: xmlError(403, "AccessForbidden", "1"), right: xmlError(403, "AccessForbidden", "2")},
		"same packed object":                {left: said(200, packed(page), "Content-Encoding: gzip"), right: said(200, packed(page), "Content-Encoding: GZIP")},
		"same empty object":                 {left: said(200, ""), right: edge(said(200, ""))},
		"same first bytes":                  {left: cutAt(object(), 10), right: cutAt(object(), 10)},
		"same silence":                      {left: failed(io.EOF), right: failed(io.EOF)},
		"same other cache":                  {facts: anywhere(), left: object(), right: turned(object(), "Cf-Ray: 1", "Cf-Cache-Status: MISS", "X-Served-By: cache-fra", "X-Timer: S1", "Server: cloudflare")},
	}
}

func silenceRows() map[string]judged {
	row := func(err error, want string) judged {
		return judged{scheme: "https", left: object(), right: failed(fmt.Errorf("fetch GET https://assets.example.com/page.html from 192.0.2.1:443: %w", err)), want: want}
	}
	return map[string]judged{
		"certificate of another name":     row(&tls.CertificateVerificationError{Err: x509.HostnameError{Certificate: &x509.Certificate{}, Host: pageHost}}, "answer broken"),
		"certificate of nobody":           row(x509.UnknownAuthorityError{}, "answer broken"),
		"TLS alert":                       row(errors.New("remote error: tls: unrecognized name"), "answer broken"),
		"refused connection":              row(&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, "answer broken"),
		"no address":                      row(&net.DNSError{Err: "no such host", Name: "edge.test"}, "answer broken"),
		"timeout":                         row(context.DeadlineExceeded, "answer broken"),
		"closed connection":               row(io.EOF, "answer broken"),
		"answer breaks off":               row(fmt.Errorf("read body after 17 bytes of an answer with status 200: %w", io.ErrUnexpectedEOF), "body broken"),
		"answer breaks off over HTTP/2":   row(errors.New("read body after 17 bytes of an answer with status 200: stream error"), "body broken"),
		"left silent":                     {left: failed(io.EOF), right: object(), want: "answer changed"},
		"message with control characters": row(errors.New("bad\x1b[31m\r\n\x00answer "+strings.Repeat("x", 500)), "answer broken"),
	}
}

func statusRows() map[string]judged {
	list := func(left, right answer, want string) judged { return judged{left: left, right: right, want: want} }
	return map[string]judged{
		"object refused":              list(object(), xmlError(403, "AccessDenied", "1"), "status broken"),
		"object refused by the edge":  list(object(), edgeError(403), "status broken"),
		"object not found":            list(object(), xmlError(404, "NoSuchKey", "1"), "status broken"),
		"object unavailable":          list(object(), edgeError(502), "status broken"),
		"missing key unavailable":     list(xmlError(404, "NoSuchKey", "1"), edgeError(504), "status broken"),
		"index document missing":      {facts: website(), path: "/docs/", left: object(), right: htmlError(404, "NoSuchKey", "1"), want: "status broken"},
		"method not allowed":          {method: "HEAD", left: headed(object()), right: headed(edgeError(405)), want: "status broken"},
		"URL too long":                list(object(), edgeError(414), "status broken"),
		"unreadable object readable":  list(xmlError(403, "AccessDenied", "1"), object(), "status broken"),
		"missing key found":           list(xmlError(404, "NoSuchKey", "1"), object(), "status changed"),
		"404 becomes 403":             list(xmlError(404, "NoSuchKey", "1"), xmlError(403, "AccessDenied", "1"), "status changed"),
		"403 becomes 404":             list(xmlError(403, "AccessDenied", "1"), xmlError(404, "NoSuchKey", "1"), "status changed"),
		"404 becomes the edge's 403":  list(xmlError(404, "NoSuchKey", "1"), edgeError(403), "status changed"),
		"400 becomes 404":             list(xmlError(400, "InvalidRequest", "1"), xmlError(404, "NoSuchKey", "1"), "status changed"),
		"400 becomes 200":             list(xmlError(400, "InvalidRequest", "1"), object(), "status changed"),
		"412 becomes 200":             list(xmlError(412, "PreconditionFailed", "1"), object(), "status changed"),
		"left failed":                 list(xmlError(503, "SlowDown", "1"), object(), "status changed"),
		"200 becomes 204":             list(said(200, ""), said(204, "", "Content-Length: "), "status changed"),
		"200 becomes 206":             list(object(), partOf(0, 9), "range broken"),
		"200 becomes 304":             list(object(), said(304, ""), "conditional broken"),
		"405 becomes the edge's 403":  {method: "HEAD", left: headed(xmlError(405, "MethodNotAllowed", "1")), right: headed(edgeError(403)), want: "status expected"},
		"short URL called too long":   list(xmlError(400, "InvalidRequest", "1"), edgeError(414), "status changed"),
		"root's query refused":        {facts: &Facts{CloudFront: true, DefaultRootObject: "x"}, path: "/", part: partQuery, query: "a=b", left: object(), right: edgeError(502), want: "status broken"},
		"long URL refused either way": {path: "/" + strings.Repeat("x", 8192), left: xmlError(400, "KeyTooLongError", "1"), right: edgeError(414), want: "status expected"},
	}
}

func bodyRows() map[string]judged {
	list := func(left, right answer, want string) judged { return judged{left: left, right: right, want: want} }
	other := said(200, strings.ToUpper(page), "Content-Type: text/html", `ETag: "def"`, modified, "Accept-Ranges: bytes")
	return map[string]judged{
		"other bytes":             list(object(), other, "body broken"),
		"other bytes, no account": {facts: anywhere(), left: object(), right: other, want: "body broken"},
		"other bytes of a query":  {path: "/page.html?v=1", left: object(), right: other, want: "body broken"},
		"older version": list(object("Cache-Control: max-age=60"), turned(other, "Last-Modified: Wed, 28 Feb 2024 12:00:00 GMT", "X-Cache: Hit from cloudfront"),
			"body broken"),
		"newer version":                list(object(), turned(other, "Last-Modified: Fri, 01 Mar 2024 12:00:00 GMT"), "body broken"),
		"cut off":                      list(object(), said(200, page[:20], "Content-Type: text/html", `ETag: "abc"`, modified, "Accept-Ranges: bytes"), "body broken"),
		"nothing in its place":         list(object(), said(200, "", "Content-Type: text/html", `ETag: "abc"`, modified, "Accept-Ranges: bytes"), "body broken"),
		"large object of other length": list(cutAt(object(), 10), turned(cutAt(object(), 10), "Content-Length: 30"), "body broken"),
		"HEAD of another version": {method: "HEAD", left: headed(object()), right: turned(headed(object()), `ETag: "def"`, "Last-Modified: Wed, 28 Feb 2024 12:00:00 GMT"),
			want: "body broken"},
		"HEAD of another length and ETag": {method: "HEAD", left: headed(object()), right: turned(headed(object()), `ETag: "def"`, "Content-Length: 3"), want: "body broken"},
		"body and type":                   list(object(), turned(other, "Content-Type: text/plain"), "body broken, content-type changed"),
	}
}

func headerRows() map[string]judged {
	list := func(left, right, want string) judged {
		row := judged{left: object(), right: object(), want: want}
		if left != "" {
			row.left = turned(row.left, left)
		}
		if right != "" {
			row.right = turned(row.right, right)
		}
		return row
	}
	rows := map[string]judged{
		"type of another kind":     list("", "Content-Type: application/pdf", "content-type changed"),
		"type of a download":       list("", "Content-Type: application/octet-stream", "content-type changed"),
		"type lost":                list("", "Content-Type: ", "content-type changed"),
		"type added":               list("Content-Type: ", "", "content-type changed"),
		"charset":                  list("", "Content-Type: text/html; charset=utf-8", "content-type changed"),
		"length lost":              list("", "Content-Length: ", "content-length changed"),
		"length added":             list("Content-Length: ", "", "content-length expected"),
		"language lost":            list("Content-Language: de", "", "content-language changed"),
		"language added":           list("", "Content-Language: de", "content-language changed"),
		"language":                 list("Content-Language: de", "Content-Language: en", "content-language changed"),
		"disposition lost":         list("Content-Disposition: attachment; filename=a", "", "content-disposition changed"),
		"disposition added":        list("", "Content-Disposition: attachment", "content-disposition changed"),
		"disposition":              list("Content-Disposition: attachment; filename=a", "Content-Disposition: attachment; filename=b", "content-disposition changed"),
		"cache-control lost":       list("Cache-Control: max-age=60", "", "cache-control changed"),
		"cache-control added":      list("", "Cache-Control: max-age=60", "cache-control changed"),
		"cache-control":            list("Cache-Control: max-age=60", "Cache-Control: no-store", "cache-control changed"),
		"expires lost":             list("Expires: Thu, 01 Jan 2032 00:00:00 GMT", "", "expires changed"),
		"expires added":            list("", "Expires: Thu, 01 Jan 2032 00:00:00 GMT", "expires changed"),
		"expires":                  list("Expires: 0", "Expires: -1", "expires changed"),
		"etag lost":                list("", "ETag: ", "etag changed"),
		"etag added":               list("ETag: ", "", "etag changed"),
		"etag weak":                list("", `ETag: W/"abc"`, "etag changed"),
		"etag strong":              list(`ETag: W/"abc"`, "", "etag changed"),
		"etag of another kind":     list("", `ETag: "1-2"`, "etag changed"),
		"last-modified lost":       list("", "Last-Modified: ", "last-modified changed"),
		"last-modified added":      list("Last-Modified: ", "", "last-modified changed"),
		"last-modified":            list("", "Last-Modified: Wed, 28 Feb 2024 12:00:00 GMT", "last-modified changed"),
		"accept-ranges lost":       list("", "Accept-Ranges: ", "accept-ranges changed"),
		"accept-ranges none":       list("", "Accept-Ranges: none", "accept-ranges changed"),
		"vary on the agent":        list("", "Vary: User-Agent", "vary changed"),
		"vary on everything":       list("", "Vary: *", "vary changed"),
		"vary lost":                list("Vary: Accept-Encoding", "", "vary changed"),
		"vary not passed on":       list("Vary: Accept-Language", "", "vary expected"),
		"vary empty":               list("", "Vary: ,", "vary expected"),
		"metadata lost":            list("X-Amz-Meta-Team: web", "", "metadata changed"),
		"metadata added":           list("", "X-Amz-Meta-Team: web", "metadata changed"),
		"metadata":                 list("X-Amz-Meta-Team: web", "X-Amz-Meta-Team: app", "metadata changed"),
		"version lost":             list("X-Amz-Version-Id: 1", "", "amz-header changed"),
		"object's redirect":        list("X-Amz-Website-Redirect-Location: /x", "", "amz-header changed"),
		"https only from now on":   list("", "Strict-Transport-Security: max-age=60", "header changed"),
		"https only no longer":     list("Strict-Transport-Security: max-age=60", "", "header changed"),
		"cookie added":             list("", "Set-Cookie: id=secret; Path=/", "header changed"),
		"cookie lost":              list("Set-Cookie: id=1", "", "header changed"),
		"cookie of another name":   list("Set-Cookie: id=1", "Set-Cookie: sid=1", "header changed"),
		"cookie of another value":  list("Set-Cookie: id=1", "Set-Cookie: id=2", "header expected"),
		"header added":             list("", "X-Frame-Options: DENY", "header changed"),
		"header lost":              list("Link: </x>; rel=preload", "", "header changed"),
		"header of another value":  list("Link: </x>", "Link: </y>", "header changed"),
		"header with odd letters":  list("", "X-Odd: \x1b[31m\u202ered\u2028"+strings.Repeat("y", 400), "header changed"),
		"location of an object":    list("", "Location: https://elsewhere.example/", "redirect changed"),
		"content-range of a whole": list("", "Content-Range: bytes 0-39/40", "range changed"),
	}
	rows["HEAD of another length"] = judged{method: "HEAD", left: headed(object()), right: turned(headed(object()), "Content-Length: 0"), want: "content-length changed"}
	rows["length that is not its own"] = judged{left: object(), right: turned(object(), "Content-Length: 7"), want: "content-length changed"}
	rows["vary lost, no account"] = judged{facts: anywhere(), left: object("Vary: Accept-Language"), right: object(), want: "vary changed"}
	return rows
}

func errorRows() map[string]judged {
	own := said(404, "<h1>our own page</h1>", "Content-Type: text/html")
	list := func(f *Facts, left, right answer, want string) judged {
		return judged{facts: f, left: left, right: right, want: want}
	}
	return map[string]judged{
		"error of the edge":                    list(nil, xmlError(403, "AccessDenied", "1"), edgeError(403), "body expected"),
		"error of the edge for the site's own": list(website(), own, edgeError(404), "body changed"),
		"error of S3 for the site's own":       list(website(), own, htmlError(404, "NoSuchKey", "1"), "body changed"),
		"error of another code":                list(nil, xmlError(403, "AccessDenied", "1"), xmlError(403, "AllAccessDisabled", "1"), "body changed"),
		"error in XML in place of a page":      list(website(), htmlError(404, "NoSuchKey", "1"), xmlError(404, "NoSuchKey", "1"), "body changed"),
		"error as a page in place of XML":      list(nil, xmlError(404, "NoSuchKey", "1"), htmlError(404, "NoSuchKey", "1"), "body changed"),
		"error in other words": list(nil, xmlError(404, "NoSuchKey", "1"),
			said(404, "<Error><Code>NoSuchKey</Code><Message>other</Message></Error>", "Content-Type: application/xml"), "body expected"),
		"error page of another server": list(anywhere(), said(404, "<h1>nginx</h1>"), said(404, "<h1>apache</h1>"), "body changed"),
		"error with another type":      list(anywhere(), own, turned(own, "Content-Type: text/plain"), "content-type changed"),
	}
}

func redirectRows() map[string]judged {
	const leak = "http://assets.example.com.s3-website-eu-west-1.amazonaws.com/docs/"
	list := func(left, right answer, want string) judged {
		return judged{facts: website(), path: "/docs", left: left, right: right, want: want}
	}
	https := func(r judged) judged { r.scheme = "https"; return r }
	plain := func(r judged) judged { r.facts = anywhere(); return r }
	home := "http://assets.example.com"
	return map[string]judged{
		"redirect lost":                         list(leads(302, "/docs/"), htmlError(404, "NoSuchKey", "1"), "redirect broken"),
		"redirect lost to the object":           plain(list(leads(301, "/docs/"), object(), "redirect broken")),
		"redirect lost to an error of the edge": list(leads(302, "/docs/"), edgeError(502), "status broken"),
		"redirect leaks":                        list(leads(302, home+"/docs/"), leads(302, leak), "redirect broken"),
		"redirect leaks under another status":   list(leads(302, home+"/docs/"), leads(301, leak), "redirect broken"),
		"redirect leaks a named origin": {facts: &Facts{OriginHosts: []string{"Origin.example.net"}}, left: leads(302, "/docs/"),
			right: leads(302, "http://origin.example.net/docs/"), want: "redirect broken"},
		"redirect to the regional endpoint":     {left: object(), right: leads(307, "https://b.s3.eu-west-1.amazonaws.com/page.html"), want: "redirect broken"},
		"redirect elsewhere":                    list(leads(302, "/docs/"), leads(302, "/other/"), "redirect broken"),
		"redirect elsewhere, another status":    list(leads(302, "/docs/"), leads(301, "/other/"), "redirect broken"),
		"redirect of another status":            list(leads(302, "/docs/"), leads(301, "/docs/"), "redirect changed"),
		"redirect without a place":              list(leads(302, "/docs/"), said(302, ""), "redirect broken"),
		"redirect with a place added":           list(said(302, ""), leads(302, "/docs/"), "redirect changed"),
		"redirect written in full":              list(leads(302, "/docs/"), leads(302, home+"/docs/"), "redirect expected"),
		"redirect over http for https":          https(list(leads(302, home+"/docs/"), leads(302, home+"/docs/"), "redirect expected")),
		"redirect over http for https, plain":   https(plain(list(leads(302, home+"/docs/"), leads(302, home+"/docs/"), "redirect changed"))),
		"redirect down to http":                 https(list(leads(302, "/docs/"), leads(302, home+"/docs/"), "redirect changed")),
		"redirect up to https":                  list(leads(302, "/docs/"), leads(302, "https://assets.example.com/docs/"), "redirect changed"),
		"redirect back to the left's host":      {facts: anywhere(), base: "http://old.example", left: leads(301, "http://old.example/x"), right: leads(301, "http://old.example/x"), want: "redirect broken"},
		"redirect to the moved name":            {base: "http://b.example.com", left: leads(301, "http://b.example.com/x"), right: leads(301, "http://b.example.com/x"), want: "redirect expected"},
		"redirect in circles":                   list(leads(302, "/docs/"), leads(302, "/docs"), "redirect broken"),
		"redirect in circles over https":        https(list(leads(301, "https://assets.example.com/docs"), leads(301, "https://assets.example.com/docs"), "redirect broken")),
		"redirect added":                        {left: object(), right: leads(302, "/other"), want: "redirect changed"},
		"redirect added in circles":             {left: object(), right: leads(302, "http://assets.example.com/page.html"), want: "redirect broken"},
		"redirect added to nowhere":             {left: object(), right: said(302, ""), want: "redirect broken"},
		"redirect added for an error":           {left: xmlError(404, "NoSuchKey", "1"), right: leads(302, "/"), want: "redirect changed"},
		"redirect of an object followed":        {left: object("X-Amz-Website-Redirect-Location: /x"), right: leads(301, "/x"), want: "redirect changed"},
		"redirect to https that nobody asked":   {left: object(), right: leads(301, "https://assets.example.com/page.html"), want: "redirect changed"},
		"redirect with another note":            {left: said(301, "go there", "Location: /x"), right: said(301, "gone there", "Location: /x"), want: "body expected"},
		"redirect kept for less time":           list(leads(302, "/docs/", "Cache-Control: max-age=60"), leads(302, "/docs/"), "cache-control changed"),
		"redirect to a place with a trap in it": list(leads(302, "/docs/"), leads(302, "\\\\evil.example/x"), "redirect broken"),
	}
}

func rangeRows() map[string]judged {
	list := func(value string, left, right answer, want string) judged {
		return judged{part: partRange, header: sends("Range", value), left: left, right: right, want: want}
	}
	plain := func(r judged) judged { r.facts = anywhere(); return r }
	several := func(mark, body string) answer {
		return said(206, "--"+mark+"\r\n"+body+"\r\n--"+mark+"--", "Content-Type: multipart/byteranges; boundary="+mark, `ETag: "abc"`)
	}
	typed := func(mark, kind, body string) answer {
		return several(mark, "Content-Range: bytes 0-0/40\r\nContent-Type: "+kind+"\r\n\r\n"+body)
	}
	whole := object()
	refused := turned(xmlError(416, "InvalidRange", "1"), "Content-Range: bytes */40")
	return map[string]judged{
		"range ignored":                        list("bytes=2-5", partOf(2, 5), whole, "range changed"),
		"range of many ignored":                list("bytes=0-0,2-2", partOf(0, 0), whole, "range expected"),
		"range out of order ignored":           list("bytes=9-12,2-5", partOf(2, 5), whole, "range expected"),
		"range that is invalid ignored":        list("bytes=5-2", refused, whole, "range expected"),
		"range of many ignored, no account":    plain(list("bytes=0-0,2-2", partOf(0, 0), whole, "range changed")),
		"range past the end ignored":           list("bytes=99-", refused, whole, "range changed"),
		"range past the end answered":          list("bytes=99-", refused, partOf(0, 3), "range broken"),
		"range refused":                        list("bytes=2-5", partOf(2, 5), refused, "range broken"),
		"range heeded":                         list("bytes=2-5", whole, partOf(2, 5), "range expected"),
		"range heeded, no account":             plain(list("bytes=2-5", whole, partOf(2, 5), "range expected")),
		"range heeded wrongly":                 list("bytes=2-5", whole, turned(partOf(3, 6), "Content-Range: bytes 2-5/40"), "range broken"),
		"range heeded without a place":         list("bytes=2-5", whole, turned(partOf(2, 5), "Content-Range: "), "range broken"),
		"range of many heeded":                 list("bytes=0-0,2-2", whole, several("x", "a"), "range expected"),
		"range of a shorter object":            list("bytes=2-5", partOf(2, 5), turned(partOf(2, 5), "Content-Range: bytes 2-5/20"), "range broken"),
		"range of a shorter object, ignored":   list("bytes=2-5", partOf(2, 5), said(200, page[:20]), "range broken"),
		"range of other bytes":                 list("bytes=2-5", partOf(2, 5), turned(partOf(3, 6), "Content-Range: bytes 2-5/40"), "range broken"),
		"range of another place":               list("bytes=2-5", partOf(2, 5), partOf(3, 6), "range broken"),
		"range without a place":                list("bytes=2-5", partOf(2, 5), turned(partOf(2, 5), "Content-Range: "), "range broken"),
		"range without the length":             list("bytes=2-5", partOf(2, 5), turned(partOf(2, 5), "Content-Range: bytes 2-5/*"), "range changed"),
		"range of several, other marks":        list("bytes=0-0,2-2", several("x", "a"), several("yy", "a"), "range expected"),
		"range of several, other bytes":        list("bytes=0-0,2-2", several("x", "a"), several("yy", "b"), "range broken"),
		"range of several, another type":       list("bytes=0-0,2-2", typed("x", "text/css", "a"), typed("yy", "text/plain", "a"), "content-type changed"),
		"range of several, type and bytes":     list("bytes=0-0,2-2", typed("x", "text/css", "a"), typed("yy", "text/plain", "b"), "range broken"),
		"range of several, type last":          list("bytes=0-0,2-2", several("x", "Content-Type: a/b\r\nContent-Range: bytes 0-0/9\r\n\r\na"), several("yy", "Content-Range: bytes 0-0/9\r\nContent-Type: a/b\r\n\r\na"), "range expected"),
		"range error in other words":           list("bytes=99-", refused, turned(said(416, "<html>416</html>", "Content-Type: text/html"), "Content-Range: bytes */40"), "range expected"),
		"range error that names no length":     list("bytes=99-", refused, turned(refused, "Content-Range: "), "range expected"),
		"range error of another length":        list("bytes=99-", refused, turned(refused, "Content-Range: bytes */41"), "range changed"),
		"range of what is unpacked":            list("bytes=0-3", turned(partOf(0, 3), "Content-Encoding: gzip"), turned(partOf(4, 7), "Content-Encoding: ", "Content-Range: bytes 0-3/99"), "content-encoding changed"),
		"range of an object that is forbidden": list("bytes=2-5", partOf(2, 5), xmlError(403, "AccessDenied", "1"), "status broken"),
		"range with another type":              list("bytes=2-5", partOf(2, 5), partOf(2, 5, "Content-Type: text/plain"), "content-type changed"),
	}
}

func conditionalRows() map[string]judged {
	same := said(304, "", `ETag: "abc"`, "Content-Length: ", modified)
	list := func(left, right answer, want string) judged {
		return judged{part: partConditional, header: sends("If-None-Match", `"abc"`), left: left, right: right, want: want}
	}
	resumed := func(r judged) judged {
		r.header = map[string]string{"If-Range": `"abc"`, "Range": "bytes=0-0"}
		return r
	}
	return map[string]judged{
		"304 lost":                     list(same, object(), "conditional changed"),
		"304 for another version":      list(object(), same, "conditional broken"),
		"304 without the version":      list(same, turned(same, "ETag: "), "conditional changed"),
		"304 of another version":       list(same, turned(same, `ETag: "def"`), "etag changed"),
		"412 lost":                     list(xmlError(412, "PreconditionFailed", "1"), object(), "conditional changed"),
		"412 added":                    list(object(), xmlError(412, "PreconditionFailed", "1"), "conditional broken"),
		"304 becomes an error":         list(same, xmlError(403, "AccessDenied", "1"), "status broken"),
		"resumed with another version": resumed(list(object(), partOf(0, 0), "conditional broken")),
		"resumed from the start":       resumed(list(partOf(0, 0), object(), "range changed")),
	}
}

func encodingRows() map[string]judged {
	zip := func(body string, headers ...string) answer {
		return said(200, packed(body), append([]string{"Content-Type: text/html", "Content-Encoding: gzip", `ETag: W/"abc"`, modified, "Vary: Accept-Encoding",
			"Content-Length: ", "Server: AmazonS3"}, headers...)...)
	}
	stored := said(200, packed(page), "Content-Encoding: gzip", `ETag: "abc"`)
	again := said(200, packed(packed(page)), "Content-Encoding: gzip", `ETag: W/"abc"`)
	wanted := &Facts{CloudFront: true, Compress: true}
	list := func(f *Facts, left, right answer, want string) judged {
		return judged{facts: f, left: left, right: right, want: want}
	}
	var b bytes.Buffer
	z, _ := gzip.NewWriterLevel(&b, gzip.NoCompression)
	_, _ = io.WriteString(z, page)
	_ = z.Close()
	slower := said(200, b.String(), "Content-Encoding: gzip", `ETag: "abc"`)
	head := func(a answer) answer { return headed(a) }
	return map[string]judged{
		"packed as asked":              zipAsked(list(wanted, object(), zip(page), "compression expected")),
		"packed as asked, HEAD":        {facts: wanted, method: "HEAD", part: partEncoding, header: sends("Accept-Encoding", "gzip, br"), left: head(object()), right: head(zip(page)), want: "compression expected"},
		"packed without Vary":          zipAsked(list(wanted, object(), turned(zip(page), "Vary: "), "vary changed, compression expected")),
		"packed with the strong ETag":  zipAsked(list(wanted, object(), turned(zip(page), `ETag: "abc"`), "etag changed, compression expected")),
		"packed with another ETag":     zipAsked(list(wanted, object(), turned(zip(page), `ETag: W/"x"`), "etag changed, compression expected")),
		"packed though not wanted":     zipAsked(list(nil, object(), zip(page), "compression changed")),
		"packed to something else":     zipAsked(list(wanted, object(), zip("other"), "compression broken")),
		"packed and not asked for":     list(nil, object(), zip(page), "compression broken"),
		"packed and kept for others":   {part: partEncoding, left: object(), right: zip(page), want: "compression broken"},
		"packed in brotli":             {part: partEncoding, header: sends("Accept-Encoding", "br"), left: object(), right: turned(zip(page), "Content-Encoding: br"), want: "compression changed"},
		"packed in what was not asked": zipAsked(list(nil, object(), turned(zip(page), "Content-Encoding: br"), "compression broken")),
		"packed in words only":         zipAsked(list(nil, object(), object("Content-Encoding: gzip"), "content-encoding broken")),
		"packed badly, not asked for":  list(nil, object(), zip("other"), "content-encoding broken"),
		"packed twice":                 zipAsked(list(nil, stored, again, "compression broken")),
		"packed twice, as it says":     zipAsked(list(nil, stored, turned(again, "Content-Encoding: gzip, gzip"), "compression broken")),
		"packed anew":                  list(nil, stored, slower, "compression changed"),
		"packed otherwise":             list(nil, stored, turned(stored, "Content-Encoding: br"), "content-encoding broken"),
		"packing not said":             list(nil, stored, turned(stored, "Content-Encoding: "), "content-encoding broken"),
		"packing not said, HEAD":       {method: "HEAD", left: head(stored), right: head(turned(stored, "Content-Encoding: ")), want: "content-encoding changed"},
		"packing undone":               list(nil, stored, said(200, page, `ETag: "def"`), "content-encoding changed"),
		"packing undone to other":      list(nil, stored, said(200, "other", `ETag: "abc"`), "body broken, content-encoding changed"),
		"vary for packing as wanted":   list(wanted, object(), object("Vary: Accept-Encoding"), "vary expected"),
		"etag weak as wanted":          zipAsked(list(wanted, object(), object(`ETag: W/"abc"`), "etag expected")),
	}
}

func corsRows() map[string]judged {
	many := &Facts{CloudFront: true, CORS: []providers.CORSRule{{Origins: []string{app, "https://*.shop.example.com"}}}}
	list := func(left, right answer, want string) judged {
		return judged{part: partCORS, header: sends("Origin", app), left: left, right: right, want: want}
	}
	star := object("Access-Control-Allow-Origin: *")
	return map[string]judged{
		"CORS lost":                      list(allowed(), object(), "cors broken"),
		"CORS for all lost":              list(star, object(), "cors broken"),
		"CORS for another page":          list(allowed(), allowed("Access-Control-Allow-Origin: https://other.example.com"), "cors broken"),
		"CORS twice":                     list(allowed(), said(200, page, "Content-Type: text/html", `ETag: "abc"`, modified, "Accept-Ranges: bytes", "Access-Control-Allow-Origin: *", "Access-Control-Allow-Origin: "+app), "cors broken"),
		"CORS cookies lost":              list(allowed(), allowed("Access-Control-Allow-Credentials: "), "cors broken"),
		"CORS opened to all, no cookies": list(allowed("Access-Control-Allow-Credentials: "), allowed("Access-Control-Allow-Origin: *", "Access-Control-Allow-Credentials: "), "cors changed"),
		"CORS opened to all":             list(allowed(), allowed("Access-Control-Allow-Origin: *", "Access-Control-Allow-Credentials: true"), "cors broken"),
		"CORS for one in place of all":   list(star, object("Access-Control-Allow-Origin: "+app), "cors changed"),
		"CORS given":                     list(object(), object("Access-Control-Allow-Origin: "+app), "cors changed"),
		"CORS given by the policy":       {facts: &Facts{CloudFront: true, ResponseHeaders: true}, part: partCORS, header: sends("Origin", app), left: object(), right: star, want: "cors expected"},
		"CORS of another page kept":      list(object(), object("Access-Control-Allow-Origin: https://shop.example.com"), "cors changed"),
		"CORS of another page kept, of many": {facts: many, part: partCORS, header: sends("Origin", "https://stranger.example"), left: object(),
			right: object("Access-Control-Allow-Origin: " + app), want: "cors broken"},
		"CORS without being asked":     {part: partCORS, left: object(), right: allowed(), want: "cors changed"},
		"CORS exposes less":            list(allowed(), allowed("Access-Control-Expose-Headers: "), "cors changed"),
		"CORS without Vary":            list(allowed(), allowed("Vary: Access-Control-Request-Headers, Access-Control-Request-Method"), "cors changed"),
		"CORS without any Vary":        list(allowed(), allowed("Vary: "), "cors changed"),
		"CORS with Vary added":         list(object(), object("Vary: Origin"), "cors changed"),
		"CORS with Vary of the policy": {facts: &Facts{CloudFront: true, ResponseHeaders: true}, left: object(), right: object("Vary: Origin"), want: "cors expected"},
		"CORS credentials added":       list(star, turned(star, "Access-Control-Allow-Credentials: true"), "cors changed"),
	}
}

func preflightRows() map[string]judged {
	list := func(left, right answer, want string) judged {
		return judged{part: partPreflight, method: "OPTIONS", header: preflighted(), left: left, right: right, want: want}
	}
	no := xmlError(403, "AccessForbidden", "1")
	policy := func(r judged) judged { r.facts = &Facts{CloudFront: true, ResponseHeaders: true}; return r }
	return map[string]judged{
		"preflight refused":             list(agreed(), edgeError(403), "preflight broken"),
		"preflight without the origin":  list(agreed(), said(200, ""), "preflight broken"),
		"preflight for another page":    list(agreed(), agreed("Access-Control-Allow-Origin: https://other.example.com"), "cors broken"),
		"preflight without the method":  list(agreed(), agreed("Access-Control-Allow-Methods: HEAD"), "preflight broken"),
		"preflight without the header":  list(agreed(), agreed("Access-Control-Allow-Headers: "), "preflight broken"),
		"preflight sent on":             list(agreed(), leads(301, "https://assets.example.com/page.html"), "preflight broken"),
		"preflight refused and sent on": list(no, leads(301, "https://assets.example.com/page.html"), "preflight expected"),
		"preflight agreed to":           list(no, agreed(), "preflight changed"),
		"preflight agreed to by policy": policy(list(no, agreed(), "preflight expected")),
		"preflight refused by the edge": list(no, edgeError(403), "preflight expected"),
		"preflight refused otherwise":   list(xmlError(405, "MethodNotAllowed", "1"), edgeError(403), "preflight expected"),
		"preflight refused in other words": {facts: anywhere(), part: partPreflight, method: "OPTIONS", header: preflighted(), left: said(405, "no"), right: said(405, "never"),
			want: "preflight expected"},
		"preflight refused with another type": {facts: anywhere(), part: partPreflight, method: "OPTIONS", header: preflighted(), left: said(405, "no"), right: said(405, "no", "Content-Type: text/plain"),
			want: "preflight expected"},
		"preflight refused, with methods":     list(no, turned(no, "Access-Control-Allow-Methods: HEAD"), "preflight expected"),
		"preflight refused, for all":          list(no, turned(no, "Access-Control-Allow-Origin: *"), "preflight expected"),
		"preflight refused, for another page": list(said(200, "", "Access-Control-Allow-Origin: https://a.example"), said(200, "", "Access-Control-Allow-Origin: https://b.example"), "cors changed"),
		"preflight with 204":                  list(agreed(), turned(said(204, "", "Content-Length: "), slices.Concat(headersOf(agreed()))...), "preflight expected"),
		"preflight with a body":               list(agreed(), turned(said(200, "ok"), append(headersOf(agreed()), "Content-Length: 2")...), "preflight expected"),
		"preflight kept for less time":        list(agreed(), agreed("Access-Control-Max-Age: 5"), "preflight changed"),
		"preflight with more methods":         list(agreed(), agreed("Access-Control-Allow-Methods: GET, HEAD, PUT"), "preflight changed"),
		"preflight without cookies":           list(agreed(), agreed("Access-Control-Allow-Credentials: "), "cors broken"),
		"preflight without Vary":              list(agreed(), agreed("Vary: "), "cors changed"),
		"preflight with less Vary":            list(agreed(), agreed("Vary: Origin"), "cors expected"),
		"preflight for all, no cookies":       list(agreed("Access-Control-Allow-Credentials: "), agreed("Access-Control-Allow-Credentials: ", "Access-Control-Allow-Origin: *"), "cors changed"),
		"preflight that lets all headers":     signed(list(agreed("Access-Control-Allow-Headers: authorization"), agreed("Access-Control-Allow-Headers: *"), "preflight broken")),
		"preflight for all":                   list(agreed(), agreed("Access-Control-Allow-Origin: *"), "cors broken"),
		"preflight exposes more":              list(agreed(), agreed("Access-Control-Expose-Headers: ETag"), "cors changed"),
		"preflight exposes by policy":         policy(list(agreed(), agreed("Access-Control-Expose-Headers: ETag"), "cors expected")),
		"preflight with https from then":      list(agreed(), agreed("Strict-Transport-Security: max-age=60"), "header changed"),
	}
}

// headersOf are the headers of an answer.
func headersOf(a answer) []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(a.Header)) {
		if name != "Content-Length" {
			out = append(out, name+": "+a.Header.Get(name))
		}
	}
	return out
}

func cachingRows() map[string]judged {
	list := func(control string, headers []string, want string) judged {
		row := judged{left: object(), right: edge(object()), want: want}
		if control != "" {
			row.left, row.right = turned(row.left, control), turned(row.right, control)
		}
		row.right = turned(row.right, headers...)
		return row
	}
	hit := []string{"X-Cache: Hit from cloudfront", "Age: 61"}
	return map[string]judged{
		"kept though nothing is said":  list("", hit, "caching changed"),
		"kept by its age":              list("", []string{"X-Cache: ", "Age: 1"}, "caching changed"),
		"kept by another cache":        {facts: anywhere(), left: object(), right: turned(object(), "Cf-Cache-Status: HIT"), want: "caching changed"},
		"kept by its Cache-Status":     {facts: anywhere(), left: object(), right: turned(object(), "Cache-Status: edge; hit; ttl=5"), want: "caching changed"},
		"kept though no-cache":         list("Cache-Control: no-cache", hit, "caching changed"),
		"kept though no-store":         list("Cache-Control: no-store", hit, "caching changed"),
		"kept though private":          list("Cache-Control: private, max-age=99", hit, "caching changed"),
		"kept though max-age is 0":     list("Cache-Control: max-age=0", hit, "caching changed"),
		"kept though s-maxage is 0":    list("Cache-Control: max-age=99, s-maxage=0", hit, "caching changed"),
		"kept longer than max-age":     list("Cache-Control: max-age=60", hit, "caching changed"),
		"kept longer than s-maxage":    list("Cache-Control: max-age=600, s-maxage=60", hit, "caching changed"),
		"kept after it expired":        list("Expires: Thu, 01 Jan 2015 00:00:00 GMT", hit, "caching changed"),
		"kept though Expires is odd":   list("Expires: 0", hit, "caching changed"),
		"kept error":                   {left: xmlError(404, "NoSuchKey", "1"), right: turned(xmlError(404, "NoSuchKey", "2"), "Age: 3600"), want: "caching changed"},
		"kept redirect":                {facts: website(), left: leads(301, "/x"), right: turned(leads(301, "/x"), hit...), want: "caching changed"},
		"kept object that is gone":     {left: xmlError(404, "NoSuchKey", "1"), right: turned(object(), hit...), want: "caching changed"},
		"kept and told to be for long": {left: object(), right: turned(object("Cache-Control: max-age=86400"), hit...), want: "cache-control changed, caching changed"},
	}
}

func queryRows() map[string]judged {
	list := func(query string, left, right answer, want string) judged {
		return judged{part: partQuery, query: query, left: left, right: right, want: want}
	}
	return map[string]judged{
		"query dropped, an error before":     list("versionId=x", xmlError(400, "InvalidArgument", "1"), object(), "query-string changed"),
		"query dropped, another version":     list("versionId=x", object(), said(200, "other", "Content-Type: text/html", `ETag: "abc"`, modified, "Accept-Ranges: bytes"), "query-string broken"),
		"query refused":                      list("list-type=2", object(), xmlError(403, "AccessDenied", "1"), "query-string broken"),
		"query of a header dropped":          list("response-content-type=text%2Fplain", object("Content-Type: text/plain"), object(), "query-string changed"),
		"query with another header":          list("versionId=null", object("Cache-Control: max-age=60"), object(), "cache-control changed"),
		"query fails":                        list("list-type=2", object(), edgeError(502), "status broken"),
		"query breaks off":                   list("list-type=2", object(), failed(io.ErrUnexpectedEOF), "body broken"),
		"query answered in other words":      list("versionId=x", xmlError(400, "InvalidArgument", "1"), xmlError(400, "InvalidArgument", "2"), ""),
		"query that tells another length":    list("versionId=x", object("Content-Length: "), object(), "content-length expected"),
		"query dropped, no account":          {facts: anywhere(), part: partQuery, query: "v=1", left: xmlError(404, "NoSuchKey", "1"), right: turned(object(), "X-Cache: HIT"), want: "query-string changed"},
		"query sent on":                      list("versionId=x", object(), leads(302, "/"), "redirect changed"),
		"query of what must not be readable": list("versionId=x", xmlError(403, "AccessDenied", "1"), object(), "query-string broken"),
	}
}

func settingRows() map[string]judged {
	redirect := &Facts{CloudFront: true, ViewerProtocol: "redirect-to-https"}
	only := &Facts{CloudFront: true, ViewerProtocol: "https-only"}
	root := &Facts{CloudFront: true, DefaultRootObject: "index.html"}
	policy := &Facts{CloudFront: true, ResponseHeaders: true}
	to := "https://assets.example.com/page.html"
	start := said(200, "<h1>start</h1>", `ETag: "start"`)
	return map[string]judged{
		"http sent to https":                {facts: redirect, left: object(), right: leads(301, to), want: "redirect expected"},
		"http sent to https, missing key":   {facts: redirect, left: xmlError(404, "NoSuchKey", "1"), right: leads(301, to), want: "redirect expected"},
		"http sent to https, as a redirect": {facts: redirect, left: leads(301, "/x"), right: leads(301, to), want: "redirect expected"},
		"http sent to https, OPTIONS":       {facts: redirect, method: "OPTIONS", part: partPreflight, header: preflighted(), left: agreed(), right: leads(307, to), want: "redirect expected"},
		"http sent to https with its query": {facts: redirect, path: "/page.html?a=b", query: "edgeward=1", left: object(), right: leads(301, to+"?a=b&edgeward=1"), want: "redirect expected"},
		"http sent to https without query":  {facts: redirect, path: "/page.html?a=b", left: object(), right: leads(301, to), want: "redirect changed"},
		"http sent to https, elsewhere":     {facts: redirect, left: object(), right: leads(301, "https://assets.example.com/"), want: "redirect changed"},
		"http sent to https, over https":    {facts: redirect, scheme: "https", left: object(), right: leads(301, to), want: "redirect broken"},
		"http refused":                      {facts: only, left: object(), right: edgeError(403), want: "status expected"},
		"http refused, missing key":         {facts: only, left: xmlError(404, "NoSuchKey", "1"), right: edgeError(403), want: "status expected"},
		"http refused, over https":          {facts: only, scheme: "https", left: object(), right: edgeError(403), want: "status broken"},
		"root object for a refusal":         {facts: root, path: "/", left: xmlError(403, "AccessDenied", "1"), right: start, want: "body expected"},
		"root object for a listing":         {facts: root, path: "/", left: said(200, "<ListBucketResult/>"), right: start, want: "body expected"},
		"root object by HEAD":               {facts: root, path: "/", method: "HEAD", left: headed(said(200, "<ListBucketResult/>")), right: headed(start), want: "body expected"},
		"root object by a range past it":    {facts: root, path: "/", part: partRange, header: sends("Range", "bytes=50-"), left: said(200, "<ListBucketResult/>"), right: xmlError(416, "InvalidRange", "1"), want: "body expected"},
		"root object that is there today":   {facts: root, path: "/", left: start, right: turned(start, "X-New: 1"), want: "header changed"},
		"root object missing":               {facts: root, path: "/", left: said(200, "<ListBucketResult/>"), right: xmlError(403, "AccessDenied", "1"), want: "status broken"},
		"root object at another path":       {facts: root, path: "/dir/", left: xmlError(403, "AccessDenied", "1"), right: start, want: "status broken"},
		"policy adds a header":              {facts: policy, left: object(), right: object("X-Frame-Options: DENY"), want: "header expected"},
		"policy adds https only":            {facts: policy, left: object(), right: object("Strict-Transport-Security: max-age=60"), want: "header expected"},
		"policy adds Cache-Control":         {facts: policy, left: object(), right: object("Cache-Control: max-age=60"), want: "cache-control expected"},
		"policy adds Vary":                  {facts: policy, left: object(), right: object("Vary: User-Agent"), want: "vary expected"},
		"policy is not for the type":        {facts: policy, left: object("Content-Type: "), right: object(), want: "content-type changed"},
		"policy is not for another value":   {facts: policy, left: object("Cache-Control: no-store"), right: object("Cache-Control: max-age=60"), want: "cache-control changed"},
		"policy is not for cookies":         {facts: policy, left: object(), right: object("Set-Cookie: a=b"), want: "header changed"},
		"policy is not for refusing a page": {facts: policy, part: partCORS, header: sends("Origin", app), left: allowed(), right: allowed("Access-Control-Allow-Origin: https://x.example"), want: "cors broken"},
	}
}
