package aws

import (
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/edgeward/edgeward/providers"
)

const (
	logOwner = "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"
	logHost  = "s9lzHYrFp76ZVxRcpX9+5cjAnEH2ROuNkd2BHfIa6UkFVdtjf5mKR3/eTPFvsiP/XV/VLi31234="
	logBegin = logOwner + " assets.example.com [06/Feb/2019:00:00:38 +0000] 192.0.2.3 "
)

func at(h, m, s int) time.Time { return time.Date(2019, 2, 6, h, m, s, 0, time.UTC) }

// Lines as the S3 User Guide has them (Amazon S3 server access log format), of
// other times and shapes, and what clients make of them.
func TestParseLog(t *testing.T) {
	get := func(agent string) providers.LogEntry {
		return providers.LogEntry{Time: at(0, 0, 38), Operation: "REST.GET.OBJECT", Method: "GET", Path: "/logo.png", Status: 200,
			Host: "assets.example.com", UserAgent: agent}
	}
	begin := logBegin + `- 3E57427F3EXAMPLE REST.GET.OBJECT logo.png `
	end := ` - ` + logHost + ` - - - assets.example.com -`
	tests := map[string]struct {
		line string
		want providers.LogEntry
	}{
		"the guide's first, of today": {
			logBegin + logOwner + ` 3E57427F3EXAMPLE REST.GET.VERSIONING - "GET /assets.example.com?versioning HTTP/1.1" 200 - 113 - 7 - "-" "S3Console/0.4" - ` +
				logHost + ` SigV4 ECDHE-RSA-AES128-GCM-SHA256 AuthHeader assets.example.com.s3.us-west-1.amazonaws.com TLSV1.2 arn:aws:s3:us-west-1:123456789012:accesspoint/example-AP Yes us-east-1`,
			providers.LogEntry{Time: at(0, 0, 38), Operation: "REST.GET.VERSIONING", Method: "GET", Path: "/assets.example.com", Query: []string{"versioning"},
				Status: 200, Host: "assets.example.com.s3.us-west-1.amazonaws.com", UserAgent: "S3Console/0.4", Signed: true, Signer: providers.SignerOwner, TLS: true},
		},
		"an upload": {
			logBegin + logOwner + ` DD6CC733AEXAMPLE REST.PUT.OBJECT s3-dg.pdf "PUT /assets.example.com/s3-dg.pdf HTTP/1.1" 200 - - 4406583 41754 28 "-" "S3Console/0.4" - ` +
				logHost + ` SigV4 ECDHE-RSA-AES128-SHA AuthHeader assets.example.com.s3.us-west-1.amazonaws.com TLSV1.1`,
			providers.LogEntry{Time: at(0, 0, 38), Operation: "REST.PUT.OBJECT", Method: "PUT", Path: "/assets.example.com/s3-dg.pdf", Status: 200,
				Host: "assets.example.com.s3.us-west-1.amazonaws.com", UserAgent: "S3Console/0.4", Signed: true, Signer: providers.SignerOwner, TLS: true},
		},
		"a visitor": {begin + `"GET /logo.png HTTP/1.1" 200 - 10 10 9 8 "http://example.com/" "Mozilla/5.0 (X11; Linux)"` + end, get("Mozilla/5.0 (X11; Linux)")},
		"before 2018, without the later fields": {begin + `"GET /logo.png HTTP/1.1" 200 - 10 10 9 8 "-" "curl/7.15.1" -`,
			func() providers.LogEntry { e := get("curl/7.15.1"); e.Host = ""; return e }()},
		"before 2018, of an account": {strings.Replace(begin, " - ", " "+logOwner+" ", 1) + `"GET /logo.png HTTP/1.1" 200 - 10 10 9 8 "-" "curl" -`,
			func() providers.LogEntry {
				e := get("curl")
				e.Host, e.Signed, e.Signer = "", true, providers.SignerOwner
				return e
			}()},
		"fields of times to come": {begin + `"GET /logo.png HTTP/1.1" 200 - 10 10 9 8 "-" "curl"` + end + ` - - eu-west-1 x y z`, get("curl")},
		"no agent":                {begin + `"GET /logo.png HTTP/1.1" 200 - 10 10 9 8 "-" "-"` + end, get("")},
		"no agent, no quotes":     {begin + `"GET /logo.png HTTP/1.1" 200 - 10 10 9 8 - -` + end, get("")},
		"no referer, no quotes":   {begin + `"GET /logo.png HTTP/1.1" 200 - 10 10 9 8 - "curl"` + end, get("curl")},
		"only a referer":          {begin + `"GET /logo.png HTTP/1.1" 200 - 10 10 9 8 "http://example.com/" -` + end, get("")},
		"an empty agent":          {begin + `"GET /logo.png HTTP/1.1" 200 - 10 10 9 8 "-" ""` + end, get("")},
		"a quote behind the agent": {begin + `"GET /logo.png HTTP/1.1" 200 - 10 10 9 8 "https://example,com/some/url" "Mozilla/5.0 (iPad)""` + end,
			get(`Mozilla/5.0 (iPad)"`)},
		"quotes in the referer":    {begin + `"GET /logo.png HTTP/1.1" 200 - 10 10 9 8 "a "b" c" "curl"` + end, get("curl")},
		"an agent that pretends":   {begin + `"GET /logo.png HTTP/1.1" 200 - 10 10 9 8 "-" "x" - h SigV4 - AuthHeader evil.example -"` + end, get(`x" - h SigV4 - AuthHeader evil.example -`)},
		"control characters":       {begin + "\"GET /logo.png HTTP/1.1\" 200 - 10 10 9 8 \"-\" \"a\x1b[31mb\x7f\xff\"" + end, get("a[31mb")},
		"the host with its port":   {begin + `"GET /logo.png HTTP/1.1" 200 - 10 10 9 8 "-" "c" - h - - - Assets.Example.com:80 -`, get("c")},
		"an absolute request line": {begin + `"GET http://assets.example.com/logo.png HTTP/1.1" 200 - 10 10 9 8 "-" "c"` + end, get("c")},
		"no version in the line":   {begin + `"GET /logo.png" 200 - 10 10 9 8 "-" "c"` + end, get("c")},
		"a quote in the request": {
			begin + `"GET /a"b"%20c HTTP/1.1" 403 AccessDenied 243 - 8 - "-" "c"` + end,
			func() providers.LogEntry {
				e := get("c")
				e.Path, e.Status, e.Error = `/a"b"%20c`, 403, "AccessDenied"
				return e
			}(),
		},
		"presigned, by its fields": {
			begin + `"GET /logo.png?response-content-type=a%2Fb&X-Amz-Signature=0123&x=1&x=2 HTTP/1.1" 200 - 10 10 9 8 "-" "c" - h SigV4 - QueryString assets.example.com -`,
			func() providers.LogEntry {
				e := get("c")
				e.Query, e.Signed, e.Presigned, e.Signer = []string{"X-Amz-Signature", "response-content-type", "x"}, true, true, providers.SignerUnknown
				return e
			}(),
		},
		"presigned and refused": {
			begin + `"GET /logo.png?AWSAccessKeyId=A&Signature=b%3D&Expires=1 HTTP/1.1" 403 SignatureDoesNotMatch 10 10 9 8 "-" "c"` + end,
			func() providers.LogEntry {
				e := get("c")
				e.Signer = providers.SignerUnknown
				e.Query, e.Signed, e.Presigned, e.Status, e.Error = []string{"AWSAccessKeyId", "Expires", "Signature"}, true, true, 403, "SignatureDoesNotMatch"
				return e
			}(),
		},
		"of S3 itself": {logBegin + `AmazonS3 3E57 S3.EXPIRE.OBJECT old.txt - - - - 1234 - - "-" "-" - - - - - - -`,
			providers.LogEntry{Time: at(0, 0, 38), Operation: "S3.EXPIRE.OBJECT", Signed: true, Signer: providers.SignerUnknown}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, bucket, ok := parseLog(test.line)
			if !ok || bucket != "assets.example.com" {
				t.Fatalf("bucket %q, %t", bucket, ok)
			}
			if d := cmp.Diff(test.want, got); d != "" {
				t.Errorf("-want +got\n%s", d)
			}
		})
	}
	for name, line := range map[string]string{
		"empty": "", "text": "hello world", "cut off": begin + `"GET /logo.png HTTP/1.1" 200 - 10`, "no status": begin + `"GET / HTTP/1.1" abc - 1 1 1 1 "-" "-" -`,
		"bad time": strings.Replace(begin, "Feb", "Feb.", 1) + `"GET / HTTP/1.1" 200 - 1 1 1 1 "-" "-" -`, "an open quote": begin + `"GET /`,
		"JSON": `{"bucket":"assets.example.com"}`,
	} {
		if e, _, ok := parseLog(line); ok {
			t.Errorf("%s is read as %+v", name, e)
		}
	}
}

// Who signed, as the log spells it: the S3 User Guide (Amazon S3 server access log
// format, Requester) has canonical IDs and ARNs; CloudFront with an origin access
// control is svc:cloudfront.amazonaws.com in logs that people show, without an
// address and a User-Agent.
func TestParseLogSigner(t *testing.T) {
	tests := map[string]struct{ requester, auth, want string }{
		"nobody":                    {"-", "-", ""},
		"the owner":                 {logOwner, "AuthHeader", providers.SignerOwner},
		"another account's root":    {strings.Repeat("0a", 32), "AuthHeader", providers.SignerUnknown},
		"a user":                    {"arn:aws:iam::111122223333:user/alice", "AuthHeader", "111122223333"},
		"a role":                    {"arn:aws:sts::123456789012:assumed-role/deploy/run@1", "AuthHeader", "123456789012"},
		"a role of China":           {"arn:aws-cn:sts::123456789012:assumed-role/deploy/x", "QueryString", "123456789012"},
		"a federated user":          {"arn:aws:sts::111122223333:federated-user/bob", "AuthHeader", "111122223333"},
		"CloudFront":                {"svc:cloudfront.amazonaws.com", "AuthHeader", providers.SignerCloudFront},
		"a service":                 {"svc:config.amazonaws.com", "AuthHeader", "config.amazonaws.com"},
		"no service":                {"svc:cloudfront.amazonaws.com.evil.example", "AuthHeader", providers.SignerUnknown},
		"an origin access identity": {"arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity E1EXAMPLE", "AuthHeader", providers.SignerUnknown},
		"an account that is none":   {"arn:aws:iam::1234:user/x", "AuthHeader", providers.SignerUnknown},
		"signed by nobody":          {"-", "AuthHeader", providers.SignerUnknown},
	}
	for name, test := range tests {
		line := logBegin + test.requester + ` 3E57427F3EXAMPLE REST.GET.OBJECT logo.png "GET /logo.png HTTP/1.1" 200 - 10 10 9 8 "-" "-" - ` + logHost + ` SigV4 ECDHE-RSA-AES128-GCM-SHA256 ` +
			test.auth + ` assets.example.com.s3.eu-west-1.amazonaws.com TLSv1.2 - -`
		if test.want == "" {
			line = strings.Replace(line, " SigV4 ", " - ", 1)
		}
		e, bucket, ok := parseLog(line)
		if !ok || bucket != "assets.example.com" || e.Signer != test.want || e.Signed != (test.want != "") || e.Operation != "REST.GET.OBJECT" || e.Path != "/logo.png" || e.Status != 200 {
			t.Errorf("%s: %t, %+v", name, ok, e)
		}
	}
}

// Whatever stands in a line: no panic, nothing that a terminal obeys, no value of
// a query, and what the client says does not move the fields that S3 writes.
func FuzzParseLog(f *testing.F) {
	f.Add(`GET /logo.png?a=b HTTP/1.1`, "http://example.com/", "curl/8", "")
	f.Add(`GET /"x" 200 - 1 1 1 1 "-" "-" - HTTP/1.1`, `a" "b`, `c" - - SigV4`, `" - h SigV4`)
	f.Fuzz(func(t *testing.T, request, referer, agent, raw string) {
		for _, line := range []string{raw, logBegin + `- id REST.GET.OBJECT k "` + request + `" 200 - 1 1 1 1 "` + referer + `" "` + agent + `" - ` + logHost + ` - - - assets.example.com -`} {
			e, _, ok := parseLog(line)
			if !ok {
				continue
			}
			for _, s := range append([]string{e.Operation, e.Method, e.Path, e.Error, e.Host, e.UserAgent}, e.Query...) {
				if strings.ContainsFunc(s, unicode.IsControl) {
					t.Errorf("%q of %q has control characters", s, line)
				}
			}
			if strings.Contains(e.Path, "?") || e.Status < 0 || e.Status > 999 || e.Time.IsZero() && line != raw {
				t.Errorf("%q is read as %+v", line, e)
			}
			// With a request line as clients can send it, the end is S3's.
			if line != raw && !strings.ContainsAny(request+referer+agent, "\r\n") && !strings.Contains(request, " ") {
				if e.Status != 200 || e.Host != "assets.example.com" || e.TLS {
					t.Errorf("%q is read as %+v", line, e)
				}
			}
		}
	})
}
