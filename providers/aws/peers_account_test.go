//go:build peers

package aws_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/google/go-cmp/cmp"

	"github.com/edgeward/edgeward/providers"
	"github.com/edgeward/edgeward/providers/aws"
	"github.com/edgeward/edgeward/providers/providertest"
	"github.com/edgeward/edgeward/providers/providertest/motolab"
)

const (
	suiteBucket = "www.example.org"
	suiteRegion = "eu-central-1"
)

// client is the SDK's own of S3, for what a test sets up; each of the AWS command
// line's calls takes a second.
func client(l *motolab.Lab) *s3.Client {
	return s3.New(s3.Options{BaseEndpoint: &l.URL, UsePathStyle: true, Region: suiteRegion, Credentials: credentials.NewStaticCredentialsProvider("labaccesskey", "labsecretkey", "")})
}

func put(t *testing.T, l *motolab.Lab, bucket, key, body string) {
	t.Helper()
	if _, err := client(l).PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: strings.NewReader(body)}); err != nil {
		t.Fatal(err)
	}
}

// logTo turns the access log of a bucket on; the place has to let S3 write.
func logTo(t *testing.T, l *motolab.Lab, bucket, place, prefix string) {
	t.Helper()
	for _, args := range [][]string{
		{"create-bucket", "--bucket", place, "--create-bucket-configuration", "LocationConstraint=" + suiteRegion, "--object-ownership", "ObjectWriter"},
		{"put-bucket-acl", "--bucket", place, "--grant-write", "uri=http://acs.amazonaws.com/groups/s3/LogDelivery", "--grant-read-acp", "uri=http://acs.amazonaws.com/groups/s3/LogDelivery"},
		{"put-bucket-logging", "--bucket", bucket, "--bucket-logging-status", `{"LoggingEnabled":{"TargetBucket":"` + place + `","TargetPrefix":"` + prefix + `"}}`},
	} {
		l.AWS(t, append([]string{"s3api"}, args...)...)
	}
}

func suiteParty(t *testing.T) providertest.AccountParty {
	l, account := lab(t)
	sizes := map[string]int64{"index.html": 12, "a b+c.txt": 7, "café/%2F&.png": 3, "d//e": 1, "d/": 0}
	c, name := client(l), suiteBucket
	_, err := c.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &name, CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: suiteRegion}})
	if err == nil {
		_, err = c.PutBucketWebsite(t.Context(), &s3.PutBucketWebsiteInput{Bucket: &name, WebsiteConfiguration: &types.WebsiteConfiguration{IndexDocument: &types.IndexDocument{Suffix: sdk.String("index.html")}}})
	}
	if err == nil {
		_, err = c.PutBucketPolicy(t.Context(), &s3.PutBucketPolicyInput{Bucket: &name, Policy: sdk.String(
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::` + suiteBucket + `/*"}]}`)})
	}
	if err != nil {
		t.Fatal(err)
	}
	for key, size := range sizes {
		put(t, l, suiteBucket, key, fmt.Sprintf("%0*d", size, 0)[:size])
	}
	again := aws.New(aws.Options{Clock: providers.RealClock{}, Limits: aws.Limits{}.Times(100), Freshness: 10 * time.Millisecond}).Account()
	p := providertest.AccountParty{
		Account: account, Again: again, Clock: providers.RealClock{}, Patience: 20 * time.Second,
		Bucket: suiteBucket, Region: suiteRegion, Sizes: sizes, Names: [2]string{"one.example.com", "two.example.com"}, Taken: "three.example.com",
	}
	return p
}

// moto delivers a log of its own beside ours, an object for each request, whose
// lines are not as AWS documents them: they are passed over.
func TestMotoAccessLog(t *testing.T) {
	l, account := lab(t)
	if _, err := client(l).CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: sdk.String(suiteBucket),
		CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: suiteRegion}}); err != nil {
		t.Fatal(err)
	}
	logTo(t, l, suiteBucket, "logs.example.org", "w w/")
	now := providers.RealClock{}.Now().UTC().Truncate(time.Second)
	var want []providers.LogEntry
	for i := range 3 {
		at := now.Add(-time.Duration(i) * 10 * time.Hour)
		path := fmt.Sprintf("/%d%%20x", i)
		put(t, l, "logs.example.org", "w w/"+at.Format("2006-01-02-15-04-05-")+"E568B2907131C0C0", line(suiteBucket, path, at)+line(suiteBucket, "/old", now.Add(-80*time.Hour)))
		want = append(want, providers.LogEntry{Time: at, Operation: "REST.GET.OBJECT", Method: "GET", Path: path, Status: 200, Host: suiteBucket, UserAgent: "curl"})
	}
	b, err := account.Buckets.Bucket(t.Context(), suiteBucket, "")
	if err != nil {
		t.Fatal(err)
	}
	l.ResetRequests()
	var got []providers.LogEntry
	read, err := account.Buckets.AccessLog(t.Context(), b, now.Add(-72*time.Hour), 20, func(e providers.LogEntry) { got = append(got, e) })
	if err != nil || read != 3 {
		t.Errorf("read %d, %v", read, err)
	}
	slices.SortFunc(got, func(a, b providers.LogEntry) int { return b.Time.Compare(a.Time) })
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
	if n := l.Requests(); n["ListObjectsV2"] != 5 {
		t.Errorf("requests: %v", n)
	}
	b.Log.Bucket = "absent.example.org"
	if _, err := account.Buckets.AccessLog(t.Context(), b, now, 20, func(providers.LogEntry) {}); !errors.Is(err, providers.ErrNotFound) {
		t.Errorf("a log's bucket that is gone: %v", err)
	}
}

// The rows of the suite about buckets and policies, on moto. What it does
// otherwise than AWS about certificates and distributions is in TestMoto….
func TestMotoKeepsThePromises(t *testing.T) {
	const certificates = "moto issues by a timer, whatever DNS says, and knows no certificate of a distribution"
	unfaithful := map[string]string{
		"bucket/access log":            "moto delivers objects of its own, in no documented format: TestMotoAccessLog",
		"bucket/foreign":               "moto lets every credential read every bucket",
		"distribution/alias taken":     "moto has one account",
		"distribution/conflicts":       "moto does not know ListDomainConflicts: TestConflicts",
		"access/malformed policy":      "moto takes any text for a policy",
		"access/control taken":         "moto lets two origin access controls have one name",
		"access/account block":         "the number of the account comes before the host, and moto's is an address: TestAccountBlock",
		"access/public policy refused": "moto does not enforce BlockPublicPolicy",
		"access/readers":               "moto lists distributions without their origins: TestReaders",
		"access/control users":         "moto lists distributions without their origins: TestOriginAccess",
	}
	for _, name := range []string{"certificate/covering", "certificate/absent", "certificate/request", "certificate/same token", "certificate/issued",
		"distribution/create", "distribution/deployed", "distribution/caller reference", "distribution/own alias taken", "distribution/certificate",
		"distribution/absent", "distribution/update", "distribution/stale ETag", "distribution/update deploys", "distribution/find",
		"distribution/find after a write", "distribution/find by tag", "distribution/tags", "distribution/bad tags", "policy/in use", "ended context"} {
		unfaithful[name] = certificates
	}
	providertest.Account(t, providertest.AccountSuite{New: suiteParty, Unfaithful: unfaithful})
}

// What the AWS command line writes is what is read: metadata, routing rules,
// CORS rules, the access log.
func TestMotoSettings(t *testing.T) {
	l, account := lab(t)
	l.AWS(t, "s3api", "create-bucket", "--bucket", "site.example.com", "--create-bucket-configuration", "LocationConstraint="+suiteRegion)
	text := ""
	want := providers.Bucket{
		Name: "site.example.com", Region: suiteRegion, ACLsEnabled: true,
		Website: &providers.Website{IndexDocument: "i.html", RoutingRules: []providers.RoutingRule{
			{KeyPrefix: "docs/", ReplaceKeyPrefix: &text},
			{KeyPrefix: "a", ErrorCode: "404", HostName: "h.example", Protocol: "https", ReplaceKey: "e.html", Code: "302"},
		}},
		CORS: []providers.CORSRule{
			{Origins: []string{"https://*.example.com"}, Methods: []string{"GET", "HEAD"}, Headers: []string{"x-*"}, Expose: []string{"ETag"}, MaxAge: 3000},
			{Origins: []string{"*"}, Methods: []string{"GET"}},
		},
		Log: providers.BucketLog{Bucket: "logs.example.org", Prefix: "site/"},
	}
	website, err := json.Marshal(map[string]any{
		"IndexDocument": map[string]string{"Suffix": "i.html"},
		"RoutingRules": []any{
			map[string]any{"Condition": map[string]string{"KeyPrefixEquals": "docs/"}, "Redirect": map[string]string{"ReplaceKeyPrefixWith": ""}},
			map[string]any{"Condition": map[string]string{"KeyPrefixEquals": "a", "HttpErrorCodeReturnedEquals": "404"},
				"Redirect": map[string]string{"HostName": "h.example", "Protocol": "https", "ReplaceKeyWith": "e.html", "HttpRedirectCode": "302"}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	l.AWS(t, "s3api", "put-bucket-website", "--bucket", "site.example.com", "--website-configuration", string(website))
	l.AWS(t, "s3api", "put-bucket-cors", "--bucket", "site.example.com", "--cors-configuration",
		`{"CORSRules":[{"AllowedOrigins":["https://*.example.com"],"AllowedMethods":["GET","HEAD"],"AllowedHeaders":["x-*"],"ExposeHeaders":["ETag"],"MaxAgeSeconds":3000},{"AllowedOrigins":["*"],"AllowedMethods":["GET"]}]}`)
	logTo(t, l, "site.example.com", "logs.example.org", "site/")
	l.ResetRequests()
	got, err := account.Buckets.Bucket(t.Context(), "site.example.com", suiteRegion)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
	if d := cmp.Diff(map[string]int{"GetBucketWebsite": 1, "GetBucketPolicy": 1, "GetBucketPolicyStatus": 1, "GetPublicAccessBlock": 1, "GetBucketCors": 1,
		"GetBucketOwnershipControls": 1, "GetBucketRequestPayment": 1, "GetBucketLogging": 1}, l.Requests()); d != "" {
		t.Errorf("requests (-want +got):\n%s", d)
	}
	l.AWS(t, "s3api", "put-object", "--bucket", "site.example.com", "--key", "a b+ü/%2F.css", "--content-type", "text/css", "--content-encoding", "gzip", "--content-language", "de",
		"--content-disposition", `attachment; filename="x"`, "--cache-control", "max-age=60", "--expires", "2030-01-01T00:00:00Z",
		"--metadata", "Team=web", "--website-redirect-location", "/other")
	head, err := account.Buckets.Head(t.Context(), "site.example.com", suiteRegion, "a b+ü/%2F.css")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(providers.ObjectHead{
		ContentType: "text/css", ContentEncoding: "gzip", ContentLanguage: "de", ContentDisposition: `attachment; filename="x"`, CacheControl: "max-age=60",
		Expires: head.Expires, Redirect: "/other", Metadata: map[string]string{"team": "web"},
	}, head); d != "" || head.Expires == "" {
		t.Errorf("-want +got\n%s", d)
	}
}
