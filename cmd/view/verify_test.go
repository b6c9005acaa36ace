package view

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/edgeward/edgeward/planner"
	"github.com/edgeward/edgeward/planner/proof"
	"github.com/google/go-cmp/cmp"
)

const distDomain = "d111111abcdef8.cloudfront.net"

func difference(address string, v proof.Verdict, a proof.Aspect, path, left, right string) planner.VerifyDifference {
	return planner.VerifyDifference{Address: address, Difference: proof.Difference{
		Path: path, Request: "GET (https, warm)", Aspect: a, Verdict: v, Left: left, Right: right,
		Means: "Visitors see " + string(a) + " otherwise."}}
}

// sampleProof is a report of every kind of bucket.
func sampleProof() planner.VerifyReport {
	const broken, changed = "bucket.assets", `bucket.site["www.example.com"]`
	sites := func(name string) (proof.Site, []proof.Site) {
		return proof.Site{URL: "http://" + name, Dial: name + ".s3.eu-west-1.amazonaws.com"},
			[]proof.Site{{URL: "http://" + name, Dial: distDomain}, {URL: "https://" + name, Dial: distDomain}}
	}
	proofOf := func(address, name string, v proof.Verdict) planner.BucketProof {
		left, right := sites(name)
		return planner.BucketProof{Address: address, Standing: planner.StandUnderWay, Verdict: v, Left: left, Right: right, Seed: "k3x9",
			Targets: []proof.Target{{Path: "/index.html", Why: "listed", Listed: true, Size: 2048}, {Path: "/", Why: "the root", Aside: true, Size: -1},
				{Path: "/img/logo.png", Why: "type image/png", Size: 48_000}},
			Requests: 120, Bytes: 3_200_000, Readable: 2, Digest: "ab12cd34ef56", Compared: true}
	}
	r := planner.VerifyReport{FormatVersion: planner.FormatVersion, Verdict: proof.Broken, Requests: 480, Bytes: 9_600_000, Paths: 9}
	b := proofOf(broken, "assets.example.com", proof.Broken)
	b.NoCacheControl, b.Refused, b.Repeated = 2, 1, 1
	b.Archived, b.MoreArchived = []string{"old/2019.zip", "old/2020.zip"}, 3
	b.Findings = []planner.Finding{{Severity: planner.Warning, Code: "policy-condition", Summary: "the bucket's policy looks at the Referer",
		Detail: "CloudFront sends none, so what the policy refuses without one is refused to everybody."}}
	later := planner.BucketProof{Address: "bucket.later", Standing: planner.StandNew, Verdict: proof.Same,
		Left: proof.Site{URL: "http://later.example.com"}, Why: "there is no distribution yet, so only S3 was asked"}
	failed := planner.BucketProof{Address: "bucket.down", Verdict: proof.Same, Why: "fetch / from the left site: connection refused",
		Hint: "run it again", Failed: true}
	r.Buckets = []planner.BucketProof{proofOf("bucket.good", "good.example.com", proof.Same), b, proofOf(changed, "www.example.com", proof.Changed), later, failed}
	d := difference(broken, proof.Broken, proof.Redirect, "/old", "301 to /new", "200")
	d.Mend, d.Also = `origin = "website"`, 3
	r.Differences = []planner.VerifyDifference{d, difference(broken, proof.Changed, proof.ContentType, "/img/logo.png", "image/png", "")}
	for i := range 3 {
		d := difference(broken, proof.Expected, proof.ContentEncoding, fmt.Sprintf("/css/%d.css", i), "", "gzip")
		d.Source = "distribution { compress = true }"
		r.Differences = append(r.Differences, d)
	}
	for i := range differencesShown + 2 {
		r.Differences = append(r.Differences, difference(changed, proof.Changed, proof.CacheControl, fmt.Sprintf("/page-%02d.html", i), "max-age=60", ""))
	}
	d = difference(changed, proof.Expected, proof.ETag, "/a.html", `"x"`, `W/"x"`)
	d.Source = `verify { accept = ["etag"] }`
	r.Differences = append(r.Differences, d)
	r.More = 7
	return r
}

// twoSites is the report of two sites without a configuration.
func twoSites() planner.VerifyReport {
	return planner.VerifyReport{FormatVersion: planner.FormatVersion, Verdict: proof.Same, Requests: 81, Bytes: 5120, Paths: 2,
		Differences: []planner.VerifyDifference{}, Buckets: []planner.BucketProof{{
			Verdict: proof.Same, Left: proof.Site{URL: "http://a.example"}, Right: []proof.Site{{URL: "https://b.example", Dial: "192.0.2.1:8443"}},
			Seed: "1", Targets: []proof.Target{{Path: "/", Aside: true, Size: -1}, {Path: "/x", Aside: true, Size: -1}},
			Requests: 81, Bytes: 5120, Readable: 2, Compared: true}}}
}

func TestVerifyGolden(t *testing.T) {
	for name, r := range map[string]planner.VerifyReport{"verify": sampleProof(), "verify-sites": twoSites(), "verify-none": {
		FormatVersion: planner.FormatVersion, Verdict: proof.Same, Buckets: sampleProof().Buckets[3:]}} {
		t.Run(name, func(t *testing.T) {
			golden(t, name+".txt", Verify(r, Style{}))
			golden(t, name+".md", VerifyMarkdown(r))
			page, err := VerifyHTML(r)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, name+".html", page)
		})
	}
	golden(t, "verify-color.txt", Verify(sampleProof(), Style{Color: true, Width: 100}))
}

// What was not compared is never called the same.
func TestVerifySummary(t *testing.T) {
	same, failed := planner.BucketProof{Verdict: proof.Same, Compared: true}, planner.BucketProof{Verdict: proof.NotCompared, Failed: true}
	for name, tc := range map[string]struct {
		r    planner.VerifyReport
		want string
	}{
		"no bucket":   {planner.VerifyReport{Verdict: proof.NotCompared}, "Verify: nothing compared."},
		"all":         {planner.VerifyReport{Verdict: proof.Same, Buckets: []planner.BucketProof{same}}, "Verify: same: 0 paths, 0 requests, 0 B, no differences."},
		"none":        {planner.VerifyReport{Verdict: proof.NotCompared, Buckets: []planner.BucketProof{failed}}, "Verify: nothing compared: 1 bucket not compared because of an error."},
		"not all":     {planner.VerifyReport{Verdict: proof.NotCompared, Buckets: []planner.BucketProof{failed, same}}, "Verify: not all compared: 0 paths, 0 requests, 0 B, no differences, 1 bucket not compared because of an error."},
		"not all, or": {planner.VerifyReport{Verdict: proof.Broken, Buckets: []planner.BucketProof{failed, same}}, "Verify: broken: 0 paths, 0 requests, 0 B, no differences, 1 bucket not compared because of an error."},
	} {
		if got := VerifySummary(tc.r); got != tc.want {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
}

func TestVerifyJSON(t *testing.T) {
	text, err := JSON(sampleProof())
	if err != nil {
		t.Fatal(err)
	}
	var back planner.VerifyReport
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(sampleProof(), back); d != "" {
		t.Errorf("a report does not survive JSON:\n%s", d)
	}
	var top map[string]any
	if err := json.Unmarshal(text, &top); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"format_version", "verdict", "requests", "paths", "differences", "buckets"} {
		if _, ok := top[key]; !ok {
			t.Errorf("no %s", key)
		}
	}
}

// hostile are texts that somebody could name an object or a bucket by, or
// answer a request with.
func hostile() []string {
	return []string{
		"</code></summary><script>alert(1)</script>", "a|b", "`x`", "``", "\\|", "*bold* _it_ ~~no~~", "[l](http://evil.example)", "![i](http://evil.example/x.png)",
		"@everyone", "#1 GH-1", "<!-- ", "-->", "&lt;&amp;", "\x1b[2J\x1b]0;title\x07", "line\nbreak\r\nend", "\u202egnp.exe", "\x00\xff\xfe", "  ", "",
		"http://evil.example/ www.evil.example", "</details>", strings.Repeat("`", 300), strings.Repeat("é", 5000), "${x} $y$", `"'><img src=x onerror=alert(1)>`,
	}
}

func hostileReport(n int) planner.VerifyReport {
	r := planner.VerifyReport{FormatVersion: planner.FormatVersion, Verdict: proof.Broken}
	texts := hostile()
	for i := range n {
		x := texts[i%len(texts)]
		address := fmt.Sprintf(`bucket.site["%d %s"]`, i, x)
		r.Buckets = append(r.Buckets, planner.BucketProof{Address: address, Verdict: proof.Broken, Compared: i%5 != 4, Failed: true, Why: x, Hint: x, Seed: x,
			Left: proof.Site{URL: x, Dial: x}, Right: []proof.Site{{URL: x, Dial: x}}, Archived: []string{x}, Targets: []proof.Target{{Path: x, Why: x}},
			Findings: []planner.Finding{{Severity: planner.Note, Summary: x, Detail: x}}})
		for _, v := range []proof.Verdict{proof.Broken, proof.Changed, proof.Expected} {
			d := difference(address, v, proof.Header, x, x, x)
			d.Means, d.Mend, d.Request, d.Source = x, x, x, x
			r.Differences = append(r.Differences, d)
		}
	}
	return r
}

// Whatever names and answers contain, nothing moves a cursor, nobody is called,
// nothing is linked, and no element is opened or closed but ours.
func TestHostileTexts(t *testing.T) {
	r := hostileReport(len(hostile()))
	page, err := VerifyHTML(r)
	if err != nil {
		t.Fatal(err)
	}
	text, md := Verify(r, Style{}), VerifyMarkdown(r)
	for name, out := range map[string]string{"text": text, "markdown": md, "html": page} {
		if !utf8.ValidString(out) {
			t.Errorf("%s is no UTF-8", name)
		}
		if i := strings.IndexFunc(out, func(c rune) bool { return c != '\n' && (c < ' ' || c == 0x7f || c == '\u202e') }); i >= 0 {
			t.Errorf("%s has a control character: %q", name, out[max(i-20, 0):min(i+20, len(out))])
		}
	}
	for _, bad := range []string{"<script", "<img", "onerror=alert(1)>"} {
		if strings.Contains(page, bad) || strings.Contains(md, bad) {
			t.Errorf("%q stands in a page", bad)
		}
	}
	for _, tag := range []string{"details", "summary"} {
		opened, closed := strings.Count(md, "<"+tag+">"), strings.Count(md, "</"+tag+">")
		if opened != closed || opened == 0 {
			t.Errorf("%d of <%s> are opened, %d closed", opened, tag, closed)
		}
	}
}

// Outside of code nothing in the Markdown of a foreign text is left that could
// be markup, a link or a mention.
func TestMarkdownEscapes(t *testing.T) {
	for _, x := range hostile() {
		text := markdownText(x)
		if i := strings.IndexAny(strings.NewReplacer("&#64;<!-- -->", "", "&#35;<!-- -->", "").Replace(text), "<>|\\`*_[]@~!"); i >= 0 {
			t.Errorf("%q leaves %q", x, text[i:])
		}
		if strings.Contains(text, "://") || strings.Contains(text, "www.") || strings.Contains(text, "\n") {
			t.Errorf("%q links itself: %q", x, text)
		}
		code := markdownCode(x)
		if inner, ok := strings.CutPrefix(code, "`"); ok && strings.ContainsAny(strings.TrimSuffix(inner, "`"), "`|\\\n") {
			t.Errorf("%q ends its code: %q", x, code)
		}
	}
	if got, want := markdownCode("a|`b`"), "<code>a&#124;&#96;b&#96;</code>"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got, want := markdownCode("/a b/c_d*.png"), "`/a b/c_d*.png`"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// A comment has its limit whatever there is to say; what is cut is counted and
// named, and what is open is closed.
func TestMarkdownLimit(t *testing.T) {
	many := sampleProof()
	for i := range 2000 {
		d := difference("bucket.assets", proof.Broken, proof.Body, fmt.Sprintf("/%d/%s", i, strings.Repeat("x", 100)), "200", "404")
		many.Differences = append(many.Differences, d)
	}
	for name, r := range map[string]planner.VerifyReport{"differences": many, "buckets": hostileReport(1500)} {
		md := VerifyMarkdown(r)
		if n := utf8.RuneCountInString(md); n > MarkdownLimit {
			t.Errorf("%s: %d characters", name, n)
		}
		if n := utf8.RuneCountInString(md); n < MarkdownLimit*3/4 {
			t.Errorf("%s: only %d characters are used", name, n)
		}
		if strings.Count(md, "<details>") != strings.Count(md, "</details>") {
			t.Errorf("%s: a part is not closed", name)
		}
		if !strings.Contains(md, "Left out here") && !strings.Contains(md, "Without a part") {
			t.Errorf("%s: nothing says what was cut:\n%s", name, md[len(md)-500:])
		}
	}
	listed := strings.Count(VerifyMarkdown(many), "xxx`, GET")
	if want := fmt.Sprintf("%d broken", 2000-listed); listed == 0 || !strings.Contains(VerifyMarkdown(many), want) {
		t.Errorf("%d are listed, and %q is not said", listed, want)
	}
}

func TestVerifyHTMLIsSelfContained(t *testing.T) {
	page, err := VerifyHTML(sampleProof())
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"<script", " src=", "<link", "@import", "url(", "javascript:"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page has %q", bad)
		}
	}
	for _, want := range []string{`name="viewport"`, "prefers-color-scheme: dark", "@media print", "<title>edgeward verify: broken</title>", `lang="en"`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %q", want)
		}
	}
}

// The worst stand first, bucket by bucket and within one.
func TestWorstFirst(t *testing.T) {
	var got []string
	for _, b := range worstFirst(proofBlocks(sampleProof())) {
		got = append(got, b.Address)
	}
	want := []string{"bucket.assets", "bucket.down", `bucket.site["www.example.com"]`, "bucket.later", "bucket.good"}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func TestBytes(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1.0 kB", 9_949: "9.9 kB", 9_960: "10 kB", 999_400: "999 kB", 999_600: "1.0 MB",
		3_200_000: "3.2 MB", 20_000_000_000: "20 GB", 1 << 60: "1153 PB"} {
		if got := Bytes(n); got != want {
			t.Errorf("%d is %q, want %q", n, got, want)
		}
	}
}

func TestVerifyProgress(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	p := proof.Progress{Done: 5, Targets: 20, Requests: 210, Bytes: 1_200_000, Differences: 1}
	t.Run("terminal", func(t *testing.T) {
		v := NewVerifyProgress(Style{Width: 80}, true, now)
		if got, want := v.Update(now, "", p), "\r\x1b[K  █████░░░░░░░░░░░░░░░  5 of 20 paths, 1 difference, 210 requests, 1.2 MB"; got != want {
			t.Errorf("%q, want %q", got, want)
		}
		if got := v.Update(now.Add(barEvery/2), "", p); got != "" {
			t.Errorf("drawn too often: %q", got)
		}
		if got := v.Update(now.Add(barEvery), "", p); got == "" {
			t.Error("not drawn")
		}
		if got := v.Clear(); got != "\r\x1b[K" {
			t.Errorf("cleared with %q", got)
		}
		if got := v.Clear(); got != "" {
			t.Errorf("cleared again with %q", got)
		}
	})
	t.Run("pipe", func(t *testing.T) {
		v := NewVerifyProgress(Style{}, false, now)
		if got := v.Update(now.Add(countEvery-1), "", p); got != "" {
			t.Errorf("said too often: %q", got)
		}
		v.Update(now, "bucket.a", p)
		if got, want := v.Update(now.Add(countEvery), "", p), "03:05:05 10 of 40 paths compared, 420 requests, 2.4 MB, 2 differences\n"; got != want {
			t.Errorf("%q, want %q", got, want)
		}
		if v.Clear() != "" {
			t.Error("a pipe is cleared")
		}
	})
	t.Run("width", func(t *testing.T) {
		many := proof.Progress{Done: 99_999, Targets: 100_000, Requests: 9_000_000, Bytes: 1 << 50, Differences: 1000}
		for _, width := range []int{0, 1, 20, 30, 40, 60, 80, 120} {
			v := NewVerifyProgress(Style{Width: width}, true, now)
			line := strings.TrimPrefix(v.Update(now, "", many), "\r\x1b[K")
			limit := width
			if width == 0 {
				limit = DefaultWidth
			}
			if n := utf8.RuneCountInString(line); n >= limit && width != 1 {
				t.Errorf("width %d: %d columns: %q", width, n, line)
			}
		}
	})
}
