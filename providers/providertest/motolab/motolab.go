//go:build peers

package motolab

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/edgeward/edgeward/providers"
)

// Account is the number of the account that the lab's credentials belong to.
const Account = "123456789012"

// Lab is a moto_server and the front before it, for one test.
type Lab struct {
	// URL is the front: what AWS_ENDPOINT_URL is to say.
	URL string
	// MotoURL is moto itself. It serves the objects of public buckets to
	// anonymous requests whose Host is BUCKET.s3.REGION.amazonaws.com; of another
	// Host it takes the first label for the bucket's name.
	MotoURL string

	latency  atomic.Int64
	front    *front
	throttle throttle

	mu     sync.Mutex
	counts map[string]int
	guard  Guard
}

// Start runs moto_server on a free loopback port and the front before it, and
// ends both with the test. Certificates are issued a second after the request
// and distributions deployed a second after a write; SetDeployTime changes the
// latter. A missing moto_server fails the test.
func Start(t testing.TB) *Lab {
	t.Helper()
	moto := startMoto(t)
	target, err := url.Parse(moto)
	if err != nil {
		t.Fatal(err)
	}
	lab := &Lab{MotoURL: moto, counts: map[string]int{}}
	proxy := &httputil.ReverseProxy{
		Rewrite:  func(r *httputil.ProxyRequest) { r.SetURL(target) },
		ErrorLog: log.New(io.Discard, "", 0), // callers go away at times
	}
	lab.front = newFront(moto, proxy)
	server := httptest.NewServer(http.HandlerFunc(lab.serve))
	t.Cleanup(server.Close)
	lab.URL = server.URL
	lab.SetDeployTime(t, time.Second)
	return lab
}

var listening = regexp.MustCompile(`Running on (http://127\.0\.0\.1:\d+)`)

func startMoto(t testing.TB) string {
	t.Helper()
	if _, err := exec.LookPath("moto_server"); err != nil {
		t.Fatalf("%v (pip install 'moto[server]==5.2.1')", err)
	}
	// The shell ends moto when its input ends, which it does with the test's
	// process however that ends.
	cmd := exec.Command("sh", "-c", `moto_server -H 127.0.0.1 -p 0 & exec >/dev/null 2>&1; read _; kill -9 $!; wait $!`)
	// moto reads the settings of AWS too, and fails over those that Setenv made
	// for another lab.
	cmd.Env = slices.DeleteFunc(os.Environ(), func(e string) bool { return strings.HasPrefix(e, "AWS_") })
	cmd.Env = append(cmd.Env, "MOTO_ACM_VALIDATION_WAIT=1", "PYTHONUNBUFFERED=1")
	cmd.Dir = t.TempDir()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = in, in
	if err := cmd.Start(); err != nil {
		t.Fatalf("start moto_server: %v", err)
	}
	_ = in.Close()
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = cmd.Wait()
		_ = out.Close()
	})
	lines := bufio.NewScanner(out)
	var said strings.Builder
	for lines.Scan() {
		if m := listening.FindStringSubmatch(lines.Text()); m != nil {
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return m[1]
		}
		said.WriteString(lines.Text() + "\n")
	}
	t.Fatalf("moto_server ended:\n%s", said.String())
	return ""
}

// SetDeployTime is how long a distribution is InProgress after it is created
// or updated.
func (l *Lab) SetDeployTime(t testing.TB, d time.Duration) {
	t.Helper()
	body, err := json.Marshal(map[string]any{
		"model_name": "cloudfront::distribution",
		"transition": map[string]any{"progression": "time", "seconds": d.Seconds()},
	})
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Post(l.MotoURL+"/moto-api/state-manager/set-transition", "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		t.Fatalf("set moto's transition: %s", resp.Status)
	}
	l.front.deploy.Store(int64(d))
}

// SetLatency delays every request by d.
func (l *Lab) SetLatency(d time.Duration) { l.latency.Store(int64(d)) }

// Requests counts the requests so far by operation, such as
// "ListDistributions".
func (l *Lab) Requests() map[string]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.counts)
}

// ResetRequests starts the count again.
func (l *Lab) ResetRequests() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.counts)
}

// Env are the settings of the environment with which a child process, or the
// SDK, reaches the lab and nothing of the user's. Leave AWS_PROFILE out of what
// they are added to.
func (l *Lab) Env() []string {
	return []string{
		"AWS_ENDPOINT_URL=" + l.URL,
		"AWS_ACCESS_KEY_ID=labaccesskey",
		"AWS_SECRET_ACCESS_KEY=labsecretkey",
		"AWS_SESSION_TOKEN=",
		"AWS_REGION=us-east-1",
		"AWS_DEFAULT_REGION=us-east-1",
		"AWS_CONFIG_FILE=" + os.DevNull,
		"AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull,
		"AWS_EC2_METADATA_DISABLED=true",
	}
}

// Config is the SDK's configuration for a client of the lab in the test's own
// process. It leaves the environment alone, so that tests can run side by side.
func (l *Lab) Config() aws.Config {
	return aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String(l.URL),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "labaccesskey", SecretAccessKey: "labsecretkey"}, nil
		}),
	}
}

// Setenv puts Env into the environment of the test's own process.
func (l *Lab) Setenv(t testing.TB) {
	t.Helper()
	t.Setenv("AWS_PROFILE", "")
	for _, e := range l.Env() {
		name, value, _ := strings.Cut(e, "=")
		t.Setenv(name, value)
	}
}

// AWS runs the AWS command line, a client that we did not write, against the
// lab and returns its standard output.
func (l *Lab) AWS(t testing.TB, args ...string) []byte {
	t.Helper()
	cmd := exec.Command("aws", append([]string{"--endpoint-url", l.URL, "--output", "json"}, args...)...)
	cmd.Env = append(l.Env(), "PATH="+os.Getenv("PATH"), "HOME="+t.TempDir(), "AWS_PAGER=")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("aws %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return out
}

func (l *Lab) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 64<<20))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	op := operation(r, body)
	if r.Header.Get(ownHeader) != "" {
		l.front.serve(w, r, op, body)
		return
	}
	l.mu.Lock()
	l.counts[op]++
	l.mu.Unlock()
	if d := time.Duration(l.latency.Load()); d > 0 {
		if (providers.RealClock{}).Sleep(r.Context(), d) != nil {
			return
		}
	}
	code, done := l.throttle.take(r, op)
	defer done()
	switch {
	case code != "":
		refuseForRate(w, r, code)
	case !l.refused(w, r, op, body):
		l.front.serve(w, r, op, body)
	}
}

// ownHeader marks the requests of OwnConfig.
const ownHeader = "X-Lab-Own"

// OwnConfig is Config for what stands for AWS itself in a test, such as an edge:
// its requests are not counted, have no latency and no rate, and lists of
// distributions do not ask moto, which is slow at them.
func (l *Lab) OwnConfig() aws.Config {
	cfg := l.Config()
	cfg.HTTPClient = ownClient{}
	return cfg
}

type ownClient struct{}

// Do implements aws.HTTPClient.
func (ownClient) Do(r *http.Request) (*http.Response, error) {
	r.Header.Set(ownHeader, "1")
	return http.DefaultClient.Do(r)
}

// operation is AWS' name of a request.
func operation(r *http.Request, body []byte) string {
	if target := r.Header.Get("X-Amz-Target"); target != "" {
		return target[strings.LastIndexByte(target, '.')+1:]
	}
	for prefix, of := range map[string]func(*http.Request, []string) string{
		"/2020-05-31/": cloudFrontOperation, "/2013-04-01/": route53Operation,
	} {
		if rest, ok := strings.CutPrefix(r.URL.Path, prefix); ok {
			return of(r, strings.Split(strings.Trim(rest, "/"), "/"))
		}
	}
	if form, err := url.ParseQuery(string(body)); err == nil && form.Get("Action") != "" {
		return form.Get("Action")
	}
	return s3Operation(r)
}

func cloudFrontOperation(r *http.Request, path []string) string {
	if path[0] == "tagging" {
		return map[string]string{"GET": "ListTagsForResource", "POST": r.URL.Query().Get("Operation") + "Resource"}[r.Method]
	}
	if path[0] == "distribution" && r.URL.Query().Has("WithTags") {
		return "CreateDistributionWithTags"
	}
	verb := map[string]string{"POST": "Create", "PUT": "Update", "DELETE": "Delete", "GET": "Get"}[r.Method]
	noun := map[string]string{"distribution": "Distribution", "cache-policy": "CachePolicy"}[path[0]]
	switch {
	case noun == "":
		return r.Method + " " + path[0]
	case len(path) == 1 && r.Method == http.MethodGet && noun == "CachePolicy":
		return "ListCachePolicies"
	case len(path) == 1 && r.Method == http.MethodGet:
		return "List" + noun + "s"
	case len(path) == 3 && path[2] == "config" && r.Method == http.MethodGet:
		return "Get" + noun + "Config"
	case len(path) == 3 && path[2] != "config":
		return r.Method + " " + path[0] + " " + path[2]
	}
	return verb + noun
}

func route53Operation(r *http.Request, path []string) string {
	switch {
	case path[0] == "change":
		return "GetChange"
	case path[0] == "hostedzonesbyname":
		return "ListHostedZonesByName"
	case len(path) == 3 && path[2] == "rrset" && r.Method == http.MethodPost:
		return "ChangeResourceRecordSets"
	case len(path) == 3 && path[2] == "rrset":
		return "ListResourceRecordSets"
	case path[0] == "hostedzone" && len(path) == 1:
		return map[string]string{"GET": "ListHostedZones", "POST": "CreateHostedZone"}[r.Method]
	case path[0] == "hostedzone" && len(path) == 2:
		return map[string]string{"GET": "GetHostedZone", "DELETE": "DeleteHostedZone"}[r.Method]
	}
	return r.Method + " " + strings.Join(path, "/")
}

// subresources of a bucket, by the query that names them.
var subresources = map[string]string{
	"website": "BucketWebsite", "policy": "BucketPolicy", "policyStatus": "BucketPolicyStatus",
	"publicAccessBlock": "PublicAccessBlock", "cors": "BucketCors", "ownershipControls": "BucketOwnershipControls",
	"requestPayment": "BucketRequestPayment", "location": "BucketLocation", "tagging": "BucketTagging", "acl": "BucketAcl",
	"logging": "BucketLogging", "metrics": "BucketMetricsConfiguration",
}

func s3Operation(r *http.Request) string {
	verb := map[string]string{"GET": "Get", "PUT": "Put", "DELETE": "Delete", "HEAD": "Head"}[r.Method]
	for query, noun := range subresources {
		if r.URL.Query().Has(query) {
			return verb + noun
		}
	}
	bucket, key, _ := strings.Cut(strings.Trim(r.URL.Path, "/"), "/")
	switch {
	case bucket == "":
		return "ListBuckets"
	case key != "":
		return verb + "Object"
	case r.URL.Query().Get("list-type") == "2":
		return "ListObjectsV2"
	case r.Method == http.MethodPut:
		return "CreateBucket"
	}
	return verb + "Bucket"
}

// ask sends a request to moto itself on behalf of service.
func (f *front) ask(ctx context.Context, service, method, path string, header http.Header, body []byte) (*http.Response, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, f.moto+path, bytes.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	maps.Copy(req.Header, header)
	req.Header.Set("Authorization", fmt.Sprintf("AWS4-HMAC-SHA256 Credential=labaccesskey/20260101/us-east-1/%s/aws4_request, SignedHeaders=host, Signature=0", service))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	return resp, answer, err
}
