package aws_test

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/edgeward/edgeward/providers"
	"github.com/edgeward/edgeward/providers/aws"
)

// Secrets that no message may show.
const (
	accessKey = "AKIACANARYACCESSKEY0"
	secretKey = "canary/secret+key"
	session   = "canary.session.token"
)

// wire is the other end of the HTTP client: it answers by the operation's
// name, which is the X-Amz-Target's last part, the Action of a form, or METHOD
// and path with query for the REST APIs.
type wire struct {
	answer func(call) (*http.Response, error)

	mu    sync.Mutex
	calls []call
}

type call struct {
	op, host, body string
	header         http.Header
	at             time.Time
	// n counts the calls of this operation, from 1.
	n int
	// ctx ends when the caller no longer wants the answer.
	req *http.Request
}

func (w *wire) Do(req *http.Request) (*http.Response, error) {
	var body []byte
	if req.Body != nil {
		body, _ = io.ReadAll(req.Body)
	}
	c := call{host: req.URL.Host, body: string(body), header: req.Header, at: time.Now(), req: req}
	path := req.URL.Path
	q := req.URL.Query()
	q.Del("x-id") // the SDK's own mark
	if len(q) > 0 {
		path += "?" + strings.TrimSuffix(q.Encode(), "=")
	}
	c.op = req.Method + " " + strings.TrimPrefix(path, "/2020-05-31")
	if target := req.Header.Get("X-Amz-Target"); target != "" {
		c.op = target[strings.LastIndexByte(target, '.')+1:]
	} else if _, action, ok := strings.Cut(c.body, "Action="); ok && strings.HasPrefix(req.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		c.op, _, _ = strings.Cut(action, "&")
	}
	w.mu.Lock()
	for _, before := range w.calls {
		if before.op == c.op {
			c.n++
		}
	}
	c.n++
	w.calls = append(w.calls, c)
	w.mu.Unlock()
	resp, err := w.answer(c)
	if resp != nil {
		resp.Request = req
	}
	return resp, err
}

// made are the calls of one operation so far.
func (w *wire) made(op string) []call {
	w.mu.Lock()
	defer w.mu.Unlock()
	var some []call
	for _, c := range w.calls {
		if c.op == op {
			some = append(some, c)
		}
	}
	return some
}

func (w *wire) count() map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := map[string]int{}
	for _, c := range w.calls {
		n[c.op]++
	}
	return n
}

// respond makes an answer; headers are "Name: value".
func respond(status int, body string, headers ...string) (*http.Response, error) {
	resp := &http.Response{
		StatusCode: status, Status: fmt.Sprintf("%d %s", status, http.StatusText(status)),
		Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		resp.Header.Set(name, value)
	}
	return resp, nil
}

// refusal is an error answer of CloudFront and STS [CloudFront API Reference:
// Error responses].
func refusal(status int, code, message string) (*http.Response, error) {
	return respond(status, fmt.Sprintf(`<?xml version="1.0"?><ErrorResponse xmlns="http://cloudfront.amazonaws.com/doc/2020-05-31/"><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error><RequestId>req-1</RequestId></ErrorResponse>`, code, message))
}

// s3Refusal is an error answer of S3 [S3 API Reference: Error responses].
func s3Refusal(status int, code string, headers ...string) (*http.Response, error) {
	return respond(status, fmt.Sprintf(`<?xml version="1.0" encoding="UTF-8"?><Error><Code>%s</Code><Message>message of %s</Message><RequestId>req-1</RequestId></Error>`, code, code), headers...)
}

// jsonRefusal is an error answer of ACM and the tagging API [AWS JSON 1.1
// protocol: Operation error serialization].
func jsonRefusal(code, message string) (*http.Response, error) {
	return respond(http.StatusBadRequest, fmt.Sprintf(`{"__type":%q,"message":%q}`, code, message))
}

// environment gives the test credentials of its own and nothing of the user's.
func environment(t *testing.T, also map[string]string) {
	t.Helper()
	for _, e := range os.Environ() {
		if name, _, _ := strings.Cut(e, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "")
		}
	}
	env := map[string]string{
		"AWS_ACCESS_KEY_ID": accessKey, "AWS_SECRET_ACCESS_KEY": secretKey, "AWS_SESSION_TOKEN": session,
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
		"AWS_EC2_METADATA_DISABLED": "true", "HOME": t.TempDir(),
	}
	maps.Copy(env, also)
	for name, value := range env {
		t.Setenv(name, value)
	}
}

// connect makes an account whose other end is answer.
func connect(answer func(call) (*http.Response, error), o aws.Options) (*wire, providers.Account) {
	w := &wire{answer: answer}
	o.Clock, o.HTTPClient = providers.RealClock{}, w
	return w, aws.New(o).Account()
}

// fast has no waits worth mentioning, for tests outside of a bubble.
func fast() aws.Options {
	return aws.Options{Limits: aws.Limits{}.Times(1e4), Backoff: func(int, error) time.Duration { return 0 }}
}

func hint(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}

// clean fails when a secret is in a message or its hint.
func clean(t *testing.T, err error) {
	t.Helper()
	for _, secret := range []string{accessKey, secretKey, session} {
		if strings.Contains(err.Error()+hint(err), secret) {
			t.Errorf("the message shows %q: %v (%s)", secret, err, hint(err))
		}
	}
}

// settings are those of a new REST distribution, every field set.
func settings(certificate, policy string) providers.Settings {
	return providers.Settings{
		Enabled: true, Aliases: []string{"assets.example.com"}, CertificateARN: certificate, MinimumTLS: "TLSv1.2_2021",
		OriginDomain: "assets.example.com.s3.eu-west-1.amazonaws.com", OriginKind: providers.RESTOrigin,
		ViewerProtocol: "allow-all", Methods: []string{"GET", "HEAD", "OPTIONS"}, PriceClass: "PriceClass_All",
		HTTPVersion: "http2", IPv6: true, CachePolicyID: policy, ErrorTTL: 5,
		DefaultRootObject: "index.html", Logging: providers.Logging{Bucket: "logs.s3.amazonaws.com", Prefix: "a/"},
	}
}
