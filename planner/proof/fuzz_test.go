package proof

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// unfit says what of differences cannot be shown as it is.
func unfit(ds []Difference) []string {
	var faults []string
	for _, d := range ds {
		if !slices.Contains(Aspects(), d.Aspect) {
			faults = append(faults, fmt.Sprintf("aspect %q is none", d.Aspect))
		}
		if !slices.Contains([]Verdict{Expected, Changed, Broken}, d.Verdict) {
			faults = append(faults, fmt.Sprintf("verdict %q is none of a difference", d.Verdict))
		}
		if (d.Verdict == Expected) != (d.Source != "") {
			faults = append(faults, fmt.Sprintf("verdict %s has source %q", d.Verdict, d.Source))
		}
		for name, text := range map[string]string{"left": d.Left, "right": d.Right, "means": d.Means, "request": d.Request} {
			if text == "" {
				faults = append(faults, name+" is empty")
			}
		}
		for name, text := range map[string]string{"left": d.Left, "right": d.Right, "means": d.Means, "mend": d.Mend, "source": d.Source, "request": d.Request} {
			if !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }) {
				faults = append(faults, fmt.Sprintf("%s %q has what no terminal should get", name, text))
			}
			if utf8.RuneCountInString(text) > maxMeans {
				faults = append(faults, fmt.Sprintf("%s has %d characters", name, utf8.RuneCountInString(text)))
			}
		}
		if !strings.HasSuffix(d.Means, ".") && !strings.HasSuffix(d.Means, "…") {
			faults = append(faults, fmt.Sprintf("means %q is no sentence", d.Means))
		}
	}
	return faults
}

// TestSameAnswersAreNoDifference judges each answer of the table against itself,
// in every part of the matrix and with all facts.
func TestSameAnswersAreNoDifference(t *testing.T) {
	parts := []part{partPlain, partCold, partRange, partConditional, partCORS, partPreflight, partEncoding, partQuery}
	for name, row := range table() {
		f, target, p := row.pair()
		for _, a := range []answer{row.left, row.right} {
			for _, kind := range parts {
				q := p
				q.left, q.reply, q.shape.part = a, a, kind
				q.base, q.right = Site{URL: "http://assets.example.com"}, Site{URL: "http://assets.example.com"}
				for _, facts := range []Facts{f, {}, {CloudFront: true, Website: true, Compress: true, ResponseHeaders: true, DefaultRootObject: "x", ViewerProtocol: "redirect-to-https"}} {
					if ds := judge(facts, target, q); len(ds) > 0 {
						t.Errorf("%s, %s: the answer differs from itself: %+v", name, kind, ds)
					}
				}
			}
		}
	}
}

// TestNothingIsLetThrough changes one thing of an answer at a time: what a
// visitor could see is told, and not as something to be expected.
func TestNothingIsLetThrough(t *testing.T) {
	changes := map[string]func(a answer) answer{
		"status 404": func(a answer) answer { a.Status = 404; return a },
		"status 500": func(a answer) answer { a.Status = 500; return a },
		"status 204": func(a answer) answer { a.Status = 204; return a },
		"body":       func(a answer) answer { a.SHA256 = digestOf("other"); return a },
		"length":     func(a answer) answer { a.Length++; return a },
		"half":       func(a answer) answer { a.Cut = !a.Cut; return a },
		"silence":    func(answer) answer { return failed(fmt.Errorf("gone")) },
	}
	for _, name := range []string{"Content-Type", "Content-Length", "Content-Encoding", "Content-Language", "Content-Disposition", "Cache-Control", "Expires",
		"Etag", "Last-Modified", "Accept-Ranges", "Vary", "X-Amz-Meta-A", "X-Amz-Version-Id", "Location", "Access-Control-Allow-Origin", "Access-Control-Expose-Headers",
		"Strict-Transport-Security", "Set-Cookie", "X-Robots-Tag", "Content-Security-Policy", "Link", "Refresh", "Nel", "Timing-Allow-Origin", "Content-Md5", "Allow"} {
		changes[name] = func(a answer) answer { return turned(a, name+": another") }
		changes[name+" lost"] = func(a answer) answer { return turned(a, name+": ") }
	}
	full := func() answer {
		return object("Content-Language: de", "Content-Disposition: inline", "Cache-Control: max-age=60", "Expires: 0", "Vary: Accept-Encoding", "X-Amz-Meta-A: 1",
			"X-Amz-Version-Id: 1", "Location: /x", "Access-Control-Allow-Origin: *", "Access-Control-Expose-Headers: a", "Strict-Transport-Security: 1", "Set-Cookie: a=1",
			"X-Robots-Tag: none", "Content-Security-Policy: x", "Link: y", "Refresh: 1", "Nel: {}", "Timing-Allow-Origin: *", "Content-Md5: 1", "Allow: GET", "Content-Encoding: br")
	}
	for name, change := range changes {
		for _, kind := range []part{partPlain, partCold, partCORS, partEncoding, partQuery} {
			for _, cloudFront := range []bool{true, false} {
				row := judged{facts: &Facts{CloudFront: cloudFront}, part: kind, left: full(), right: change(full())}
				worst := Same
				for _, d := range judge(row.pair()) {
					worst = worst.Worst(d.Verdict)
				}
				if worst.Passes() {
					t.Errorf("%s in %s is judged %s", name, kind, worst)
				}
			}
		}
	}
}

// words are what the fuzzed answers are made of.
var words = []string{"", "0", "1", "60", "*", `"abc"`, `W/"abc"`, `"def"`, "gzip", "br", "gzip, gzip", "text/html", "multipart/byteranges; boundary=x",
	"bytes", "bytes 0-0/1", "bytes 2-5/40", "bytes */40", "bytes 9-2/0", "bytes 999999999999999999999-1/2", "Origin", "Accept-Encoding, Origin", "http://assets.example.com/page.html",
	"/page.html", "//x", "http://[::1", "https://b.s3.amazonaws.com/", "max-age=60", "max-age=-1", "no-cache", "s-maxage=99999999999999999999", `private="a,b"`,
	"Thu, 29 Feb 2024 12:00:00 GMT", "Hit from cloudfront", "RefreshHit from cloudfront", "CloudFront", "AmazonS3", app, "true", "\x00\x1b[2J\r\n", "\xff\xfe", "\u202e\u2028", strings.Repeat("long ", 300)}

var names = []string{"Content-Type", "Content-Length", "Content-Encoding", "Content-Range", "Cache-Control", "Expires", "Etag", "ETag", "Last-Modified", "Accept-Ranges", "Vary",
	"X-Amz-Meta-A", "x-amz-version-id", "X-Amz-Website-Redirect-Location", "Location", "Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "Access-Control-Allow-Methods",
	"Access-Control-Allow-Headers", "Strict-Transport-Security", "Set-Cookie", "X-Cache", "Age", "Server", "Date", "Content-Disposition", "Content-Language", "X-\x1b", ""}

// random makes an answer; b are bytes of the fuzzer's.
func random(r *rand.Rand, b string) answer {
	if r.IntN(20) == 0 {
		return failed(fmt.Errorf("gone: %s", b))
	}
	statuses := []int{200, 200, 200, 206, 204, 301, 302, 304, 307, 400, 403, 404, 405, 412, 416, 500, 503, 0, 999, -1, 100}
	bodies := []string{"", page, page[:20], packed(page), packed(packed(page)), b, "<Error><Code>NoSuchKey</Code><RequestId>" + b + "</RequestId></Error>",
		"<li>Code: NoSuchKey</li><li>RequestId: 1</li><li>HostId: " + b + "</li>", "--x\r\n" + b + "\r\n--x--"}
	var headers []string
	for range r.IntN(8) {
		value := words[r.IntN(len(words))]
		if r.IntN(6) == 0 {
			value = b
		}
		headers = append(headers, names[r.IntN(len(names))]+": "+value)
	}
	a := said(statuses[r.IntN(len(statuses))], bodies[r.IntN(len(bodies))], headers...)
	switch r.IntN(10) {
	case 0:
		a = headed(a)
	case 1:
		a = cutAt(a, r.IntN(len(a.Body)+1))
	case 2:
		a.Body = nil
	}
	return a
}

// FuzzJudge judges answers of servers that send what they like: it does not
// panic, an answer never differs from itself, what is told can be shown, and
// what a visitor reads is never another without a word.
func FuzzJudge(f *testing.F) {
	for seed := range uint64(60) {
		f.Add(seed, "text", "/page.html")
	}
	f.Add(uint64(7), "\x00\xff\x1b]0;title\x07", "/%zz?a=b\n")
	f.Fuzz(func(t *testing.T, seed uint64, b, path string) {
		r := rand.New(rand.NewPCG(seed, 1))
		pick := func(of ...string) string { return of[r.IntN(len(of))] }
		facts := Facts{CloudFront: r.IntN(2) == 0, Website: r.IntN(2) == 0, Compress: r.IntN(3) == 0, ResponseHeaders: r.IntN(3) == 0,
			ViewerProtocol: pick("", "", "redirect-to-https", "https-only"), DefaultRootObject: pick("", "", "x"), OriginHosts: []string{b}}
		row := judged{facts: &facts, path: path, method: pick("GET", "GET", "HEAD", "OPTIONS"), query: pick("", b), scheme: pick("http", "https"), left: random(r, b), right: random(r, b),
			part:   part(pick(string(partPlain), string(partRange), string(partConditional), string(partCORS), string(partPreflight), string(partEncoding), string(partQuery))),
			header: map[string]string{"Range": pick("", "bytes=0-0", "bytes=9-2", "bytes=0-0,2-2", b), "Origin": pick("", app, b), "Accept-Encoding": pick("", "gzip", b), "If-Range": pick("", b)}}
		fs, target, p := row.pair()
		got := judge(fs, target, p)
		for _, fault := range unfit(got) {
			t.Error(fault)
		}
		if len(got) == 0 && row.method == "GET" && (row.left.err == nil) != (row.right.err == nil) {
			t.Error("silence is not told")
		}
		if len(got) == 0 && row.left.err == nil && row.right.err == nil {
			if row.left.Status != row.right.Status {
				t.Errorf("status %d and %d are told as the same", row.left.Status, row.right.Status)
			}
			if row.method == "GET" && row.left.Status == 200 && row.left.SHA256 != row.right.SHA256 {
				t.Error("two bodies are told as the same")
			}
		}
		for _, a := range []answer{row.left, row.right} {
			p.left, p.reply, p.base = a, a, p.right
			if ds := judge(fs, target, p); len(ds) > 0 {
				t.Errorf("an answer differs from itself: %+v", ds)
			}
		}
	})
}
