package sandbox

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/edgeward/edgeward/providers"
	"github.com/google/go-cmp/cmp"
)

// handClock stands still but by hand.
type handClock struct{ now time.Time }

func (c *handClock) Now() time.Time                             { return c.now }
func (c *handClock) Sleep(context.Context, time.Duration) error { return nil }

const (
	restHost = "s3.eu-west-1.amazonaws.com"
	siteHost = "s3-website-eu-west-1.amazonaws.com"
	theAlias = "site.example.com"
)

var written = time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)

// shelf are objects of every kind.
func shelf() []Object {
	at := func(o Object) Object {
		o.Modified = written
		return o
	}
	return []Object{
		at(Object{Key: "index.html", Body: []byte("<h1>home</h1>"), ContentType: "text/html"}),
		at(Object{Key: "docs/index.html", Body: []byte("docs"), ContentType: "text/html"}),
		at(Object{Key: "error.html", Body: []byte("sorry"), ContentType: "text/html", CacheControl: "max-age=30"}),
		at(Object{Key: "digits", Body: []byte("0123456789"), ContentType: "text/plain"}),
		at(Object{Key: "empty"}),
		at(Object{Key: "full", Body: []byte("all"), ContentType: "application/x-thing", CacheControl: "public, max-age=60",
			Expires: "Thu, 01 Jan 2032 00:00:00 GMT", ContentEncoding: "br", ContentLanguage: "de", ContentDisposition: `attachment; filename="x"`,
			Metadata: map[string]string{"Colour": "blue"}, StorageClass: "STANDARD_IA", VersionID: "v" + strings.Repeat("1", 31), Encryption: "AES256"}),
		at(Object{Key: "cold", Body: []byte("ice"), StorageClass: "GLACIER"}),
		at(Object{Key: "secret", Body: []byte("s"), Private: true}),
		at(Object{Key: "old", Body: []byte("moved"), Redirect: "/docs/"}),
		at(Object{Key: "away", Redirect: "https://example.net/x"}),
		at(Object{Key: "a b/ö+1.txt", Body: []byte("odd")}),
		at(Object{Key: "a//b", Body: []byte("two slashes")}),
		at(Object{Key: "100%", Body: []byte("percent")}),
		at(Object{Key: "huge", Size: 60 << 30, ContentType: "video/mp4"}),
	}
}

// shop is a world with one bucket of the shelf's objects.
func shop(change func(*Bucket)) (*World, *handClock) {
	clock := &handClock{time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	b := Bucket{Name: theAlias, Region: "eu-west-1", Objects: shelf()}
	if change != nil {
		change(&b)
	}
	return New(Options{Clock: clock, Buckets: []Bucket{b}}), clock
}

// ask sends one request to a place of the world; fields are header names and
// values in turn.
func ask(w *World, dial, method, url string, fields ...string) *http.Response {
	r := httptest.NewRequest(method, url, nil)
	for i := 0; i < len(fields); i += 2 {
		r.Header.Add(fields[i], fields[i+1])
	}
	rec := httptest.NewRecorder()
	w.Handler(dial).ServeHTTP(rec, r)
	return rec.Result()
}

func text(t *testing.T, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// exchange is a request and what must be answered: the headers named in header,
// "" for one that must not be there, and a body with the words of body.
type exchange struct {
	change func(*Bucket)
	method string // GET when ""
	path   string
	fields []string
	status int
	header map[string]string
	body   string
	exact  bool // the body is body and nothing more
}

func (x exchange) run(t *testing.T, w *World, dial string) {
	t.Helper()
	method := x.method
	if method == "" {
		method = "GET"
	}
	got := ask(w, dial, method, "http://"+theAlias+x.path, x.fields...)
	body := text(t, got)
	if got.StatusCode != x.status {
		t.Errorf("status %d, want %d; %v %s", got.StatusCode, x.status, got.Header, body)
	}
	for k, v := range x.header {
		if got.Header.Get(k) != v {
			t.Errorf("%s is %q, want %q", k, got.Header.Get(k), v)
		}
	}
	if x.exact && body != x.body || !strings.Contains(body, x.body) || method == "HEAD" && body != "" {
		t.Errorf("body is %q, want %q", body, x.body)
	}
}

func listable(b *Bucket) { b.Listing = true }

// TestREST follows the Amazon S3 API Reference (GetObject, HeadObject,
// HeadBucket, ListObjects, ListObjectsV2, Error responses), the Amazon S3 User
// Guide (Creating object key names, Retrieving object versions, Storage
// classes) and RFC 9110, 13 and 14.
func TestREST(t *testing.T) {
	tag := `"` + bytesOf([]byte("0123456789")).etag() + `"`
	const date, before, after = "Mon, 06 May 2024 07:08:09 GMT", "Mon, 06 May 2024 07:08:08 GMT", "Tue, 07 May 2024 00:00:00 GMT"
	xml := map[string]string{"Content-Type": "application/xml", "Content-Length": "", "Server": "AmazonS3"}
	for title, x := range map[string]exchange{
		"all headers": {path: "/full", status: 200, body: "all", exact: true, header: map[string]string{
			"Content-Type": "application/x-thing", "Cache-Control": "public, max-age=60", "Expires": "Thu, 01 Jan 2032 00:00:00 GMT",
			"Content-Encoding": "br", "Content-Language": "de", "Content-Disposition": `attachment; filename="x"`,
			"x-amz-meta-colour": "blue", "x-amz-storage-class": "STANDARD_IA", "x-amz-version-id": "v" + strings.Repeat("1", 31),
			"x-amz-server-side-encryption": "AES256", "Last-Modified": date, "Accept-Ranges": "bytes", "Content-Length": "3", "Server": "AmazonS3"}},
		"HEAD":                     {method: "HEAD", path: "/digits", status: 200, header: map[string]string{"Content-Length": "10", "ETag": tag, "x-amz-storage-class": ""}},
		"no type":                  {path: "/empty", status: 200, exact: true, header: map[string]string{"Content-Type": "binary/octet-stream", "Content-Length": "0"}},
		"redirect object":          {path: "/old", status: 200, body: "moved", header: map[string]string{"x-amz-website-redirect-location": "/docs/", "Location": ""}},
		"space, UTF-8 and a plus":  {path: "/a%20b/%C3%B6+1.txt", status: 200, body: "odd"},
		"escaped plus and slash":   {path: "/a%20b%2F%C3%B6%2B1.txt", status: 200, body: "odd"},
		"a plus is no space":       {path: "/a+b/%C3%B6+1.txt", status: 403},
		"escaped percent":          {path: "/100%25", status: 200, body: "percent"},
		"double slash":             {path: "/a//b", status: 200, body: "two slashes"},
		"one slash":                {path: "/a/b", status: 403},
		"folder":                   {path: "/docs/", status: 403},
		"very long key":            {path: "/" + strings.Repeat("k", 1025), status: 400, body: "KeyTooLongError", header: xml},
		"longest key":              {path: "/" + strings.Repeat("k", 1024), status: 403},
		"unreadable":               {path: "/secret", status: 403, body: "<Code>AccessDenied</Code>", header: xml},
		"unreadable in a list":     {change: listable, path: "/secret", status: 403},
		"missing":                  {path: "/none", status: 403, body: "<Code>AccessDenied</Code>", header: xml},
		"missing in a list":        {change: listable, path: "/none", status: 404, body: "<Code>NoSuchKey</Code><Message>The specified key does not exist.</Message><Key>none</Key><RequestId>", header: xml},
		"HEAD of a missing":        {change: listable, method: "HEAD", path: "/none", status: 404, header: map[string]string{"Content-Type": "application/xml"}},
		"archived":                 {path: "/cold", status: 403, body: "InvalidObjectState"},
		"HEAD of an archived":      {method: "HEAD", path: "/cold", status: 200, header: map[string]string{"x-amz-storage-class": "GLACIER", "Content-Length": "3"}},
		"private bucket":           {change: func(b *Bucket) { b.Private = true }, path: "/digits", status: 403},
		"requester pays":           {change: func(b *Bucket) { b.RequesterPays = true }, path: "/digits", status: 403},
		"upload":                   {method: "PUT", path: "/digits", status: 403},
		"other method":             {method: "PATCH", path: "/digits", status: 405, body: "MethodNotAllowed"},
		"unknown query":            {path: "/digits?v=1", status: 200, body: "0123456789", exact: true},
		"subresource":              {path: "/digits?acl", status: 403},
		"versionId null":           {path: "/digits?versionId=null", status: 200, body: "0123456789", exact: true},
		"versionId null, but none": {path: "/full?versionId=null", status: 404, body: "NoSuchVersion"},
		"own versionId":            {path: "/full?versionId=v" + strings.Repeat("1", 31), status: 200, body: "all"},
		"odd versionId":            {path: "/digits?versionId=1", status: 400, body: "Invalid version id specified"},
		"empty versionId":          {path: "/digits?versionId=", status: 400, body: "Version id cannot be the empty string"},
		"response-content-type":    {path: "/digits?response-content-type=a/b", status: 400, body: "<Code>InvalidRequest</Code>"},
		"response-expires":         {path: "/digits?response-expires=0", status: 400, body: "anonymous"},

		"If-None-Match":                      {path: "/digits", fields: []string{"If-None-Match", tag}, status: 304, exact: true, header: map[string]string{"ETag": tag, "Content-Type": "", "Content-Length": "", "Last-Modified": date}},
		"If-None-Match, weak":                {path: "/digits", fields: []string{"If-None-Match", "W/" + tag}, status: 304},
		"If-None-Match, a list":              {path: "/digits", fields: []string{"If-None-Match", `"x", ` + tag}, status: 304},
		"If-None-Match of another":           {path: "/digits", fields: []string{"If-None-Match", `"x"`}, status: 200, body: "0123456789"},
		"If-None-Match *":                    {path: "/digits", fields: []string{"If-None-Match", "*"}, status: 304},
		"If-None-Match keeps Cache-Control":  {path: "/full", fields: []string{"If-None-Match", "*"}, status: 304, header: map[string]string{"Cache-Control": "public, max-age=60"}},
		"If-Modified-Since":                  {path: "/digits", fields: []string{"If-Modified-Since", date}, status: 304},
		"If-Modified-Since before":           {path: "/digits", fields: []string{"If-Modified-Since", before}, status: 200},
		"If-Modified-Since, no date":         {path: "/digits", fields: []string{"If-Modified-Since", "now"}, status: 200},
		"If-None-Match rules":                {path: "/digits", fields: []string{"If-None-Match", `"x"`, "If-Modified-Since", after}, status: 200},
		"If-None-Match and before":           {path: "/digits", fields: []string{"If-None-Match", tag, "If-Modified-Since", before}, status: 304},
		"If-Match":                           {path: "/digits", fields: []string{"If-Match", tag}, status: 200},
		"If-Match, weak":                     {path: "/digits", fields: []string{"If-Match", "W/" + tag}, status: 412},
		"If-Match of another":                {path: "/digits", fields: []string{"If-Match", `"x"`}, status: 412, body: "<Condition>If-Match</Condition>"},
		"If-Match and unmodified before":     {path: "/digits", fields: []string{"If-Match", tag, "If-Unmodified-Since", before}, status: 200},
		"If-Unmodified-Since":                {path: "/digits", fields: []string{"If-Unmodified-Since", date}, status: 200},
		"If-Unmodified-Since before":         {path: "/digits", fields: []string{"If-Unmodified-Since", before}, status: 412, body: "<Condition>If-Unmodified-Since</Condition>"},
		"HEAD with If-None-Match":            {method: "HEAD", path: "/digits", fields: []string{"If-None-Match", tag}, status: 304},
		"range":                              {path: "/digits", fields: []string{"Range", "bytes=2-4"}, status: 206, body: "234", exact: true, header: map[string]string{"Content-Range": "bytes 2-4/10", "Content-Length": "3"}},
		"range to the end":                   {path: "/digits", fields: []string{"Range", "bytes=8-"}, status: 206, body: "89", exact: true},
		"range over the end":                 {path: "/digits", fields: []string{"Range", "bytes=8-99"}, status: 206, body: "89", exact: true, header: map[string]string{"Content-Range": "bytes 8-9/10"}},
		"suffix":                             {path: "/digits", fields: []string{"Range", "bytes=-3"}, status: 206, body: "789", exact: true},
		"suffix larger than all":             {path: "/digits", fields: []string{"Range", "bytes=-99"}, status: 206, body: "0123456789", exact: true, header: map[string]string{"Content-Range": "bytes 0-9/10"}},
		"suffix of nothing":                  {path: "/digits", fields: []string{"Range", "bytes=-0"}, status: 416},
		"beyond":                             {path: "/digits", fields: []string{"Range", "bytes=10-"}, status: 416, body: "<Code>InvalidRange</Code><Message>The requested range is not satisfiable</Message><RangeRequested>bytes=10-</RangeRequested><ActualObjectSize>10</ActualObjectSize>", header: xml},
		"far beyond":                         {path: "/digits", fields: []string{"Range", "bytes=99999999999999999999-"}, status: 416},
		"range of an empty object":           {path: "/empty", fields: []string{"Range", "bytes=0-0"}, status: 416},
		"suffix of an empty object":          {path: "/empty", fields: []string{"Range", "bytes=-1"}, status: 416},
		"several ranges":                     {path: "/digits", fields: []string{"Range", "bytes=0-1,3-4"}, status: 200, body: "0123456789", exact: true},
		"turned range":                       {path: "/digits", fields: []string{"Range", "bytes=4-2"}, status: 200, body: "0123456789", exact: true},
		"negative range":                     {path: "/digits", fields: []string{"Range", "bytes=--1"}, status: 200},
		"other unit":                         {path: "/digits", fields: []string{"Range", "lines=1-2"}, status: 200},
		"no number":                          {path: "/digits", fields: []string{"Range", "bytes=a-b"}, status: 200},
		"nothing":                            {path: "/digits", fields: []string{"Range", "bytes=-"}, status: 200},
		"HEAD of a range":                    {method: "HEAD", path: "/digits", fields: []string{"Range", "bytes=2-4"}, status: 206, header: map[string]string{"Content-Length": "3"}},
		"If-Range":                           {path: "/digits", fields: []string{"Range", "bytes=2-4", "If-Range", tag}, status: 206},
		"If-Range, a date":                   {path: "/digits", fields: []string{"Range", "bytes=2-4", "If-Range", date}, status: 206},
		"If-Range of another":                {path: "/digits", fields: []string{"Range", "bytes=2-4", "If-Range", `"x"`}, status: 200},
		"If-Range, weak":                     {path: "/digits", fields: []string{"Range", "bytes=2-4", "If-Range", "W/" + tag}, status: 200},
		"If-Range, another date":             {path: "/digits", fields: []string{"Range", "bytes=2-4", "If-Range", after}, status: 200},
		"the condition comes before a range": {path: "/digits", fields: []string{"Range", "bytes=99-", "If-None-Match", tag}, status: 304},
		"range of what takes no memory":      {path: "/huge", fields: []string{"Range", "bytes=64424509439-"}, status: 206, header: map[string]string{"Content-Range": "bytes 64424509439-64424509439/64424509440"}},

		"root":                {path: "/", status: 403, body: "AccessDenied"},
		"HEAD of the bucket":  {change: listable, method: "HEAD", path: "/", status: 200, header: map[string]string{"x-amz-bucket-region": "eu-west-1"}},
		"list":                {change: listable, path: "/", status: 200, body: "<MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated><Contents><Key>100%</Key>", header: xml},
		"list v2":             {change: listable, path: "/?list-type=2&prefix=docs/", status: 200, body: "<Prefix>docs/</Prefix><KeyCount>1</KeyCount><MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated><Contents><Key>docs/index.html</Key><LastModified>2024-05-06T07:08:09.000Z</LastModified>"},
		"list, escaped":       {change: listable, path: "/?encoding-type=url", status: 200, body: "<Key>a+b/%C3%B6%2B1.txt</Key>"},
		"list with folders":   {change: listable, path: "/?list-type=2&delimiter=/", status: 200, body: "<CommonPrefixes><Prefix>a b/</Prefix></CommonPrefixes><CommonPrefixes><Prefix>a/</Prefix></CommonPrefixes><CommonPrefixes><Prefix>docs/</Prefix></CommonPrefixes>"},
		"list after a folder": {change: listable, path: "/?delimiter=/&marker=a/", status: 200, body: "<Contents><Key>away</Key>"},
		"list in a folder":    {change: listable, path: "/?list-type=2&delimiter=/&prefix=docs&start-after=docs/", status: 200, body: "<KeyCount>0</KeyCount>"},
		"list, bad max-keys":  {change: listable, path: "/?max-keys=x", status: 400, body: "InvalidArgument"},
		"list, bad token":     {change: listable, path: "/?list-type=2&continuation-token=*", status: 400, body: "continuation token"},
		"list, bad type":      {change: listable, path: "/?list-type=3", status: 400},
		"no list":             {path: "/?list-type=2", status: 403},
		"settings":            {change: listable, path: "/?policy", status: 403},
		"a website's headers": {change: website, path: "/none", status: 403, header: xml},
	} {
		t.Run(title, func(t *testing.T) {
			w, _ := shop(x.change)
			x.run(t, w, restHost)
		})
	}
}

// TestListsPages walks a listing page by page, with and without folders.
func TestListsPages(t *testing.T) {
	w, _ := shop(listable)
	between := func(s, a, b string) []string {
		var out []string
		for {
			_, rest, ok := strings.Cut(s, a)
			if !ok {
				return out
			}
			v, after, _ := strings.Cut(rest, b)
			out, s = append(out, v), after
		}
	}
	var all []string
	for _, o := range shelf() {
		all = append(all, o.Key)
	}
	for query, want := range map[string]int{"": len(all), "&delimiter=/": len(all)} {
		seen := map[string]bool{}
		next := ""
		for page := range 30 {
			s := text(t, ask(w, restHost, "GET", "http://"+theAlias+"/?list-type=2&max-keys=2"+query+next))
			items := append(between(s, "<Key>", "</Key>"), between(s, "<CommonPrefixes><Prefix>", "</Prefix>")...)
			for _, k := range items {
				if seen[k] {
					t.Errorf("%q: %q comes twice", query, k)
				}
				seen[k] = true
			}
			token := between(s, "<NextContinuationToken>", "</NextContinuationToken>")
			if len(token) == 0 {
				break
			}
			if next = "&continuation-token=" + token[0]; page == 29 || len(items) != 2 {
				t.Fatalf("%q: page %d: %s", query, page, s)
			}
		}
		if len(seen) != want {
			t.Errorf("%q: %d of %d: %v", query, len(seen), want, seen)
		}
	}
}

// TestContent: generated bodies are the same from wherever they are read, and
// other fillings are other bytes.
func TestContent(t *testing.T) {
	c := generated(1000, "key")
	whole := must[[]byte](t)(io.ReadAll(c.part(0, c.size)))
	for off := int64(0); off < 30; off++ {
		for _, n := range []int64{1, 7, 8, 9, 100} {
			if got := must[[]byte](t)(io.ReadAll(c.part(off, n))); !bytes.Equal(got, whole[off:off+n]) {
				t.Fatalf("%d bytes from %d differ", n, off)
			}
		}
	}
	if len(whole) != 1000 || sameContent(c, generated(1000, "key", "new")) || !sameContent(c, generated(1000, "key")) || sameContent(c, bytesOf(whole[:1])) {
		t.Error("contents are taken for others")
	}
	if d := generated(17<<20, "key"); !strings.HasSuffix(d.etag(), "-2") || d.etag() == generated(17<<20, "key", "new").etag() {
		t.Errorf("ETag %s", d.etag())
	}
}

// TestObjectsStay: an edit of a bucket writes no object anew that is the same.
func TestObjectsStay(t *testing.T) {
	w, clock := shop(func(b *Bucket) { b.Objects = append(b.Objects, Object{Key: "now", Body: []byte("1")}) })
	first := ask(w, restHost, "GET", "http://"+theAlias+"/now").Header.Get("Last-Modified")
	clock.now = clock.now.Add(time.Hour)
	w.EditBucket(theAlias, func(b *Bucket) { b.CORS = []providers.CORSRule{} })
	if got := ask(w, restHost, "GET", "http://"+theAlias+"/now").Header.Get("Last-Modified"); got != first {
		t.Errorf("%s, then %s", first, got)
	}
	w.EditBucket(theAlias, func(b *Bucket) { b.Objects = []Object{{Key: "now", Body: []byte("2")}} })
	if got := ask(w, restHost, "GET", "http://"+theAlias+"/now").Header.Get("Last-Modified"); got == first {
		t.Error("a new object has the time of the old")
	}
}

// TestPortTellsTheShelf: the API of the account says of objects what visitors
// read of them.
func TestPortTellsTheShelf(t *testing.T) {
	w, _ := shop(func(b *Bucket) {
		b.CORS = []providers.CORSRule{{Origins: []string{"*"}, Methods: []string{"GET"}, MaxAge: 5}}
	})
	s3 := w.Providers().Accounts[""].Buckets
	got := must[providers.ObjectHead](t)(s3.Head(t.Context(), theAlias, "", "full"))
	want := providers.ObjectHead{ContentType: "application/x-thing", ContentEncoding: "br", ContentLanguage: "de", ContentDisposition: `attachment; filename="x"`,
		CacheControl: "public, max-age=60", Expires: "Thu, 01 Jan 2032 00:00:00 GMT", Encryption: "AES256", Metadata: map[string]string{"colour": "blue"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	rows := map[string]string{}
	for _, o := range must[[]providers.Object](t)(s3.Objects(t.Context(), theAlias, "", "", 1000)) {
		rows[o.Key] = fmt.Sprint(o.Size, o.StorageClass)
	}
	if rows["huge"] != fmt.Sprint(int64(60<<30), "STANDARD") || rows["cold"] != "3GLACIER" || rows["full"] != "3STANDARD_IA" {
		t.Errorf("%v", rows)
	}
	b := must[providers.Bucket](t)(s3.Bucket(t.Context(), theAlias, ""))
	if len(b.CORS) != 1 || b.CORS[0].MaxAge != 5 {
		t.Errorf("%+v", b.CORS)
	}
}
