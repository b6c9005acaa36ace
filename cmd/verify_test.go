package cmd

import (
	"bytes"
	"crypto/md5"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/planner"
	"github.com/edgeward/edgeward/planner/proof"
	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"
)

// page is what the sites of these tests have at a path.
type page struct {
	body, contentType string
	header            map[string]string
	redirect          string
}

// pages are those of the left site.
func pages() map[string]page {
	return map[string]page{
		"/index.html": {body: "<p>hello</p>\n", contentType: "text/html"},
		"/style.css":  {body: "p { color: teal }\n", contentType: "text/css"},
		"/cached.js":  {body: "let x = 1\n", contentType: "text/javascript"},
		"/a b.txt":    {body: "a name with a space\n", contentType: "text/plain"},
		"/old":        {redirect: "/index.html"},
	}
}

// differing are the same with what the tests plant.
func differing() map[string]page {
	p := pages()
	css := p["/style.css"]
	css.contentType = "text/plain"
	p["/style.css"] = css
	js := p["/cached.js"]
	js.header = map[string]string{"Cache-Control": "max-age=60"}
	p["/cached.js"] = js
	p["/old"] = page{body: "not moved\n", contentType: "text/html"}
	return p
}

// site serves pages as S3 does; an edge says that it is one.
func site(pages map[string]page, prefix string, edge bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		if edge {
			h.Set("Via", "1.1 0123456789abcdef.cloudfront.net (CloudFront)")
			h.Set("X-Cache", "Miss from cloudfront")
			h.Set("X-Amz-Cf-Id", "dGVzdA==")
		}
		h.Set("Server", "AmazonS3")
		refuse := func(status int, code string) {
			h.Set("Content-Type", "application/xml")
			w.WriteHeader(status)
			_, _ = fmt.Fprintf(w, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>%s</Code></Error>", code)
		}
		if strings.Contains(r.Header.Get("Range"), ",") {
			r.Header.Del("Range") // S3 answers several ranges with the whole
		}
		p, ok := pages[strings.TrimPrefix(r.URL.Path, prefix)]
		switch {
		case r.Method == http.MethodOptions:
			refuse(http.StatusForbidden, "AccessForbidden")
		case !ok:
			refuse(http.StatusNotFound, "NoSuchKey")
		case p.redirect != "":
			h.Set("Location", prefix+p.redirect)
			w.WriteHeader(http.StatusMovedPermanently)
		default:
			h.Set("Content-Type", p.contentType)
			h.Set("ETag", fmt.Sprintf("%q", fmt.Sprintf("%x", md5.Sum([]byte(p.body)))))
			for k, v := range p.header {
				h.Set(k, v)
			}
			http.ServeContent(w, r, "", time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), strings.NewReader(p.body))
		}
	}
}

// sites starts the servers of a script: $LEFT with its address $LEFT_AT, $SAME,
// $DIFFERS, $BASE (the same below a path), $SECURE_AT (the same over https, for
// example.com); $NOBODY answers nothing. ca.pem has the certificate.
func sites(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: sites")
	}
	quiet := log.New(io.Discard, "", 0)
	start := func(h http.Handler, tls bool) *httptest.Server {
		s := httptest.NewUnstartedServer(h)
		s.Config.ErrorLog = quiet
		if tls {
			s.StartTLS()
		} else {
			s.Start()
		}
		ts.Defer(s.Close)
		return s
	}
	left := start(site(pages(), "", false), false)
	ts.Setenv("LEFT", left.URL)
	ts.Setenv("LEFT_AT", left.Listener.Addr().String())
	ts.Setenv("SAME", start(site(pages(), "", true), false).URL)
	ts.Setenv("DIFFERS", start(site(differing(), "", true), false).URL)
	ts.Setenv("BASE", start(site(pages(), "/base", true), false).URL+"/base")
	secure := start(site(pages(), "", true), true)
	ts.Setenv("SECURE_AT", secure.Listener.Addr().String())
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw})
	ts.Check(os.WriteFile(ts.MkAbs("ca.pem"), ca, 0o600))
	nobody := httptest.NewServer(nil)
	ts.Setenv("NOBODY", nobody.URL)
	nobody.Close()
}

// alike FILE WANT compares two files, stdout allowed, in which $NAME stands for a
// variable and # for a count of requests or bytes, which may change with what is
// asked, and for what is not the same in each run.
func alike(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: alike FILE WANT")
	}
	got, want := ts.ReadFile(args[0]), ts.ReadFile(args[1])
	for _, name := range []string{"LEFT", "SAME", "DIFFERS", "BASE", "SECURE_AT", "NOBODY"} {
		if v := ts.Getenv(name); v != "" {
			got = strings.ReplaceAll(got, v, "$"+name)
		}
	}
	for _, r := range [][2]string{
		{`\b[0-9]+(\s+)requests?\b`, "#${1}requests"}, {`\b[0-9.]+(\s+)(B|kB|MB)\b`, "#${1}B"}, {`"(requests|bytes)": [0-9]+`, `"$1": #`},
		{`"digest": "[a-z0-9]+"`, `"digest": "#"`}, {`(data-label="requests">)[0-9]+`, "$1#"}, {`(?m)\| [0-9]+ \|$`, "| # |"},
		{`(?s)<style>.*</style>`, "<style>#</style>"},
	} {
		got = regexp.MustCompile(r[0]).ReplaceAllString(got, r[1])
	}
	if d := cmp.Diff(strings.Split(want, "\n"), strings.Split(got, "\n")); d != "" {
		ts.Logf("%s", got)
		ts.Fatalf("%s is not like %s (-want +got):\n%s", args[0], args[1], d)
	}
}

func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// numbered are n pages that every site has, and how often each site was asked.
func numbered(n int) (map[string]page, []string) {
	p := map[string]page{}
	var args []string
	for i := range n {
		path := fmt.Sprintf("/%02d.html", i)
		p[path] = page{body: path, contentType: "text/html"}
		args = append(args, "-path="+path)
	}
	return p, args
}

// An interrupted comparison says so, keeps what it found, and goes on with the
// rest; a finished one is begun anew.
func TestVerifyResume(t *testing.T) {
	t.Chdir(t.TempDir())
	p, args := numbered(40)
	var asked, interruptAt atomic.Int64
	interruptAt.Store(2500)
	once := interrupt(t)
	count := func(h http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if asked.Add(1) == interruptAt.Load() {
				once()
			}
			h(w, r)
		}
	}
	left, right := serve(t, count(site(p, "", false))), serve(t, count(site(p, "", true)))
	args = append([]string{"verify", "-left=" + left, "-right=" + right, "-resume=r.jsonl", "-json", "-rate=10000", "-parallelism=2"}, args...)

	var stdout, stderr bytes.Buffer
	if code := Main(args, strings.NewReader(""), &stdout, &stderr); code != exitInterrupted || stdout.Len() > 0 {
		t.Fatalf("exit code %d:\n%s%s", code, stdout.String(), stderr.String())
	}
	if want := "r.jsonl has what was compared; the same command goes on from there\n"; !strings.Contains(stderr.String(), want) {
		t.Errorf("standard error is %q", stderr.String())
	}
	before, err := os.ReadFile("r.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	kept := strings.Count(string(before), "\n") - 1
	if kept < 1 || kept > 39 {
		t.Fatalf("%d paths are kept:\n%s", kept, before)
	}
	// The run was killed within a line.
	if err := os.WriteFile("r.jsonl", append(before, []byte(`{"outcome":{"path":"/0`)...), 0o600); err != nil {
		t.Fatal(err)
	}

	first := asked.Swap(0)
	interruptAt.Store(-1)
	stderr.Reset()
	if code := Main(args, strings.NewReader(""), &stdout, &stderr); code != 0 {
		t.Fatalf("exit code %d: %s", code, stderr.String())
	}
	if want := fmt.Sprintf("r.jsonl: goes on; %d paths compared since ", kept); kept > 1 && !strings.Contains(stderr.String(), want) {
		t.Errorf("standard error is %q, want %q", stderr.String(), want)
	}
	var r planner.VerifyReport
	if err := json.Unmarshal(stdout.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	if r.Verdict != proof.Same || r.Paths != 40 || r.Differences == nil {
		t.Errorf("%+v", r)
	}
	second := asked.Swap(0)

	stdout.Reset()
	stderr.Reset()
	if code := Main(args, strings.NewReader(""), &stdout, &stderr); code != 0 || !strings.Contains(stderr.String(), "r.jsonl: that comparison is finished; it is begun anew\n") {
		t.Fatalf("exit code %d: %s", code, stderr.String())
	}
	if whole := asked.Load(); second >= whole || first+second < whole {
		t.Errorf("%d requests at once; with an interruption %d and then %d", whole, first, second)
	}
}

// A file of -resume that is of something else is refused and stays as it is.
func TestVerifyResumeRefused(t *testing.T) {
	t.Chdir(t.TempDir())
	p, _ := numbered(2)
	left, right, other := serve(t, site(p, "", false)), serve(t, site(p, "", true)), serve(t, site(p, "", true))
	if code := Main([]string{"verify", "-left=" + left, "-right=" + right, "-path=/00.html", "-resume=r.jsonl"}, strings.NewReader(""), io.Discard, io.Discard); code != 0 {
		t.Fatal(code)
	}
	good, err := os.ReadFile("r.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	head, rest, _ := strings.Cut(string(good), "\n")
	for name, tc := range map[string]struct {
		contents string
		args     []string
		want     string
	}{
		"another site":     {string(good), []string{"-right=" + other, "-path=/00.html"}, "r.jsonl is about " + left + " and " + right + ", so this comparison cannot go on with it"},
		"other paths":      {string(good), []string{"-right=" + right, "-path=/01.html"}, "r.jsonl is about other paths"},
		"another seed":     {string(good), []string{"-right=" + right, "-path=/00.html", "-seed=7"}, "r.jsonl has another -seed"},
		"other acceptance": {string(good), []string{"-right=" + right, "-path=/00.html", "-accept=etag"}, "r.jsonl was begun with other settings"},
		"another version": {strings.Replace(string(good), `"version":"`, `"version":"v0.`, 1), []string{"-right=" + right, "-path=/00.html"},
			"r.jsonl was written by edgeward v0."},
		"too long ago": {regexp.MustCompile(`"begun":"[^"]*"`).ReplaceAllString(strings.Replace(string(good), `{"finished":true}`+"\n", "", 1), `"begun":"2026-01-02T03:04:05Z"`),
			[]string{"-right=" + right, "-path=/00.html"}, "r.jsonl was begun on 2026-01-02 03:04:05 UTC, and sites change"},
		"somebody's notes": {"dear diary\n", []string{"-right=" + right, "-path=/00.html"}, "r.jsonl is no file of edgeward verify -resume; it was left as it is"},
		"no newline":       {"x", []string{"-right=" + right, "-path=/00.html"}, "r.jsonl is no file of edgeward verify -resume"},
		"a damaged line":   {head + "\n{}\n" + rest, []string{"-right=" + right, "-path=/00.html"}, "read r.jsonl: line 2 is damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile("r.jsonl", []byte(tc.contents), 0o600); err != nil {
				t.Fatal(err)
			}
			var stdout, stderr bytes.Buffer
			code := Main(append([]string{"verify", "-left=" + left, "-resume=r.jsonl"}, tc.args...), strings.NewReader(""), &stdout, &stderr)
			if code != 1 || stdout.Len() > 0 || !strings.Contains(stderr.String(), tc.want) || strings.Count(stderr.String(), "hint: ") != 1 {
				t.Errorf("exit code %d, want %q:\n%s%s", code, tc.want, stdout.String(), stderr.String())
			}
			if after, err := os.ReadFile("r.jsonl"); err != nil || string(after) != tc.contents {
				t.Errorf("the file was changed: %q, %v", after, err)
			}
		})
	}
}

// Every wrong flag is answered once, with what to type instead, before anything
// is asked.
func TestVerifyFlags(t *testing.T) {
	t.Chdir(t.TempDir())
	two := func(more ...string) []string {
		return append([]string{"-left=http://a.example", "-right=http://b.example", "-path=/x"}, more...)
	}
	for name, tc := range map[string]struct {
		args       []string
		want, hint string
	}{
		"left alone":       {[]string{"-left=http://a.example", "-path=/x"}, "-left is given and -right is not", "type -right=URL, the site as it will be"},
		"right alone":      {[]string{"-right=http://a.example", "-path=/x"}, "-right is given and -left is not", "type -left=URL, the site as it is"},
		"empty right":      {[]string{"-left=http://a.example", "-right=", "-path=/x"}, "-left is given and -right is not", "type -right=URL"},
		"no path":          {[]string{"-left=http://a.example", "-right=http://b.example"}, "no path is given to compare", "-paths-from=FILE"},
		"path alone":       {[]string{"-path=/x"}, "-path is for two sites", "verify { paths = [...] }"},
		"paths-from alone": {[]string{"-paths-from=x"}, "-paths-from is for two sites", "type -left=URL -right=URL too"},
		"accept alone":     {[]string{"-accept=etag"}, "-accept is for two sites", "verify { accept = [...] }"},
		"ca-file alone":    {[]string{"-ca-file=x"}, "-ca-file is for two sites", "probe { ca_file"},
		"connect alone":    {[]string{"-left-connect=x"}, "-left-connect is for two sites", "probe { connect_to"},
		"target":           {two("-target=bucket.x"), "-target is about a configuration", "leave -target out"},
		"sandbox":          {two("-sandbox"), "-sandbox is about a configuration", "leave -sandbox out"},
		"var":              {two("-var=x=1"), "-var is about a configuration", "leave -var out"},
		"chdir":            {two("-chdir=/"), "-chdir is about a configuration", "leave -chdir out"},
		"no slash":         {two("-path=x"), `the path "x" does not begin with a slash`, "write /x"},
		"fragment":         {two("-path=/x#y"), `the path "/x#y" has a fragment`, "%23"},
		"percent":          {two("-path=/100%"), "has a % without two hexadecimal digits", "write %25"},
		"no scheme":        {[]string{"-left=a.example", "-right=http://b.example", "-path=/x"}, "-left=a.example has no http:// or https:// with a host", "did you mean -left=https://a.example"},
		"other scheme":     {[]string{"-left=http://a.example", "-right=ftp://b.example", "-path=/x"}, "-right=ftp://b.example has no http://", "type it as -right=https://HOST"},
		"query":            {[]string{"-left=http://a.example/?x", "-right=http://b.example", "-path=/x"}, "has a query or a fragment", "behind the path"},
		"password":         {[]string{"-left=http://u:secret@a.example", "-right=http://b.example", "-path=/x"}, "-left has a user or a password", "leave them out"},
		"port":             {[]string{"-left=http://a.example:99999", "-right=http://b.example", "-path=/x"}, "-left=http://a.example:99999 has no host, or no such port", "HOST"},
		"twice":            {two("-right=http://b.example/"), "-right=http://b.example/ is given twice", "leave one out"},
		"connect":          {two("-right-connect=http://x"), "-right-connect=http://x is no HOST[:PORT]", "d111111abcdef8.cloudfront.net"},
		"connect port":     {two("-left-connect=x:0"), "-left-connect=x:0 is no HOST[:PORT]", "127.0.0.1:8080"},
		"aspect":           {two("-accept=cache-contrl"), "-accept=cache-contrl is no aspect", "did you mean -accept=cache-control?"},
		"aspect of broken": {two("-accept=answer"), "-accept=answer cannot be: it means that there is no HTTP answer", "never accepted"},
		"rate":             {two("-rate=0"), "-rate is 0, which is not more than 0", "leave it out"},
		"rate word":        {two("-rate=fast"), `invalid value "fast" for -rate`, "-rate is a number such as 20"},
		"max-requests":     {two("-max-requests=-1"), "-max-requests is -1, which is less than 1", "leave it out"},
		"no requests":      {two("-max-requests=0"), "-max-requests is 0, which is less than 1", "leave it out"},
		"all aspects":      {two("-accept=all"), "-accept=all would accept what nobody has looked at", "-accept=cache-control"},
		"broken":           {two("-accept=broken"), "-accept=broken cannot be", "-accept=cache-control"},
		"origin of a page": {two("-origin=https://a.example/x"), "-origin=https://a.example/x is more than an origin", "type -origin=https://a.example"},
		"origin slash":     {two("-origin=https://a.example/"), "is more than an origin", "type -origin=https://a.example"},
		"no origin":        {two("-origin=app"), "-origin=app is no origin", "-origin=https://app.example.com"},
		"no such CA":       {two("-ca-file=none.pem"), "read -ca-file=none.pem: ", "in PEM"},
		"the same site":    {[]string{"-left=http://a.example", "-right=http://a.example/", "-path=/x"}, "-left and -right are the same site, http://a.example", "-right-connect=HOST"},
		"the same place":   {two("-right=http://a.example", "-left-connect=x", "-right-connect=x"), "-left and -right are the same site, http://a.example at x", "-right-connect=HOST"},
		"nothing in stdin": {[]string{"-left=http://a.example", "-right=http://b.example", "-paths-from=-"}, "-paths-from=- has no path", "a path a line"},
		"max-bytes":        {two("-max-bytes=2XB"), `invalid value "2XB" for -max-bytes`, "500MB"},
		"parallelism":      {two("-parallelism=0"), "-parallelism is 0, which is less than 1", "leave it out"},
		"argument":         {[]string{"http://a.example"}, `verify takes no argument "http://a.example"`, "-left=URL"},
		"folder missing":   {two("-html-into=no/such/x.html"), "write no/such/x.html", "folder"},
		"a folder":         {two("-md-into=."), "write .: it is a folder", "name a file"},
		"one file twice":   {two("-md-into=x", "-json-into=./x"), "-json-into and -md-into name the same file", "two files"},
		"report as record": {two("-md-into=x", "-resume=x"), "-md-into and -resume name the same file", "two files"},
		"dash":             {two("-json-into=-"), "-json-into=- is no file", "-json"},
		"no such paths":    {[]string{"-left=http://a.example", "-right=http://b.example", "-paths-from=none.txt"}, "read -paths-from=none.txt: ", "a path a line"},
		"unknown":          {two("-pathz=x"), "unknown flag -pathz", "did you mean -path?"},
	} {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			code := Main(append([]string{"verify"}, tc.args...), strings.NewReader(""), &stdout, &stderr)
			said := stderr.String()
			if code != 1 || stdout.Len() > 0 || strings.Count(said, "error: ") != 1 || strings.Count(said, "hint: ") != 1 ||
				!strings.Contains(said, tc.want) || !strings.Contains(said, tc.hint) {
				t.Errorf("exit code %d, want %q and %q:\n%s%s", code, tc.want, tc.hint, stdout.String(), said)
			}
			if strings.Contains(said, "secret") {
				t.Error("a password is said")
			}
		})
	}
	if left, err := filepath.Glob("*"); err != nil || len(left) > 0 {
		t.Errorf("files were left behind: %q, %v", left, err)
	}
}

// Paths are sent as they are given, but for what cannot be in a URL.
func TestVerifyPaths(t *testing.T) {
	t.Chdir(t.TempDir())
	src := "\ufeff/a\r\n\n  # a comment\n/a b.txt \n/caf\u00e9?x=1\nhttps://b.example/base/x%2Fy\nHTTP://other.example?q\nhttp://other.example\n/a\n/%7e+%2B?a=%20&b=c+d\n/last"
	if err := os.WriteFile("paths.txt", []byte(src), 0o600); err != nil {
		t.Fatal(err)
	}
	want := []string{"/first", "/a", "/a%20b.txt", "/caf%C3%A9?x=1", "/x%2Fy", "/?q", "/", "/%7e+%2B?a=%20&b=c+d", "/last"}
	for name, from := range map[string]string{"file": "paths.txt", "stdin": "-"} {
		a := newApp(strings.NewReader(src), io.Discard, io.Discard, func(error) {})
		targets, err := a.targets(&siteFlags{paths: []string{"/first"}, pathsFrom: from}, proof.Site{URL: "https://b.example/base"})
		if err != nil {
			t.Fatal(name, err)
		}
		var got []string
		for _, x := range targets {
			got = append(got, x.Path)
			if !x.Aside || x.Listed || !x.Whole || x.Size != -1 {
				t.Errorf("%s: %+v", name, x)
			}
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
	for text, at := range map[string]string{"/a\nno slash\n": "paths.txt:2: ", "/%\n": "paths.txt:1: ", "# nothing\n": "paths.txt has no path"} {
		if err := os.WriteFile("paths.txt", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		a := newApp(nil, io.Discard, io.Discard, func(error) {})
		if _, err := a.targets(&siteFlags{pathsFrom: "paths.txt"}); err == nil || !strings.Contains(err.Error(), at) {
			t.Errorf("%q: %v, want %q", text, err, at)
		}
	}
}

// Of many paths, each kind of name is met by the whole matrix, and the rest of it
// is spread evenly.
func TestManyPaths(t *testing.T) {
	var targets []proof.Target
	for i := range 10_000 {
		kind := "html"
		if i == 7_777 {
			kind = "odd"
		}
		targets = append(targets, proof.Target{Path: fmt.Sprintf("/%d/%d.%s", i%7, i, kind)})
	}
	markWhole(targets)
	whole, later := 0, 0
	for i, x := range targets {
		if x.Whole {
			whole++
			if i >= 5_000 {
				later++
			}
		}
	}
	if whole < someWhole-5 || whole > someWhole || later < whole/3 || !targets[7_777].Whole || !targets[0].Whole {
		t.Errorf("%d of 10,000 get the whole matrix, %d of the second half; the odd one: %v", whole, later, targets[7_777].Whole)
	}
}

func TestByteSize(t *testing.T) {
	for text, want := range map[string]int64{"1": 1, "1500": 1500, "10B": 10, "2GB": 2e9, "1.5GiB": 3 << 29, "1KiB": 1024, "500MB": 5e8, "3TB": 3e12,
		"": -1, "x": -1, "-1": -1, "0": -1, "2gb": -1, "2G": -1, "GB": -1, "2XB": -1, "1e3": 1000, "NaN": -1, "Inf": -1, "9999999TB": -1} {
		var b byteSize
		err := b.Set(text)
		if (err != nil) != (want < 0) || err == nil && int64(b) != want {
			t.Errorf("%q is %d, %v; want %d", text, b, err, want)
		}
	}
}

// docs/verify.md names every aspect, in their order, and no other.
func TestVerifyDoc(t *testing.T) {
	text, err := os.ReadFile("../docs/verify.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "\n| aspect |")
	table, _, _ = strings.Cut(table, "\n\n")
	var got []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\|").FindAllStringSubmatch(table, -1) {
		got = append(got, m[1])
	}
	var want []string
	for _, a := range proof.Aspects() {
		want = append(want, string(a))
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("the aspects (-) and docs/verify.md (+):\n%s", d)
	}
}

// README's screen of verify is what the program prints for README's first
// configuration; how many requests it takes is not compared.
func TestVerifyScreenInREADME(t *testing.T) {
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, src, _ := strings.Cut(string(text), "\n```hcl\n")
	src, _, _ = strings.Cut(src, "```")
	_, want, _ := strings.Cut(string(text), "\n$ edgeward verify -sandbox\n")
	want, _, _ = strings.Cut(want, "```")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, config.MainFile), []byte(src), 0o600); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	if code := Main([]string{"verify", "-sandbox", "-chdir=" + dir}, strings.NewReader(""), &stdout, &stderr); code != 0 {
		t.Fatalf("exit code %d: %s", code, stderr.String())
	}
	words := func(text string) []string {
		return strings.Fields(regexp.MustCompile(`\b[0-9.]+(\s+(requests?|B|kB|MB)\b)`).ReplaceAllString(text, "#$1"))
	}
	if d := cmp.Diff(words(want), words(stdout.String())); d != "" {
		t.Errorf("README.md (-) and the program (+):\n%s", d)
	}
}
