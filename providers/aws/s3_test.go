package aws_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/edgeward/edgeward/providers"
	"github.com/edgeward/edgeward/providers/aws"
)

const s3NS = `xmlns="http://s3.amazonaws.com/doc/2006-03-01/"`

// everything is a bucket with all settings [S3 API Reference: the sample
// responses of the eight operations].
var everything = map[string]string{
	"?website":           `<WebsiteConfiguration ` + s3NS + `><IndexDocument><Suffix>index.html</Suffix></IndexDocument><ErrorDocument><Key>404.html</Key></ErrorDocument><RoutingRules><RoutingRule><Redirect><HostName>example.com</HostName></Redirect></RoutingRule></RoutingRules></WebsiteConfiguration>`,
	"?policy":            `{"Version":"2012-10-17","Statement":[]}`,
	"?policyStatus":      `<PolicyStatus ` + s3NS + `><IsPublic>true</IsPublic></PolicyStatus>`,
	"?publicAccessBlock": `<PublicAccessBlockConfiguration ` + s3NS + `><BlockPublicAcls>true</BlockPublicAcls><IgnorePublicAcls>false</IgnorePublicAcls><BlockPublicPolicy>true</BlockPublicPolicy><RestrictPublicBuckets>false</RestrictPublicBuckets></PublicAccessBlockConfiguration>`,
	"?cors":              `<CORSConfiguration ` + s3NS + `><CORSRule><AllowedMethod>GET</AllowedMethod><AllowedOrigin>*</AllowedOrigin></CORSRule></CORSConfiguration>`,
	"?ownershipControls": `<OwnershipControls ` + s3NS + `><Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule></OwnershipControls>`,
	"?requestPayment":    `<RequestPaymentConfiguration ` + s3NS + `><Payer>Requester</Payer></RequestPaymentConfiguration>`,
	"?logging":           `<BucketLoggingStatus ` + s3NS + `><LoggingEnabled><TargetBucket>logs.example.com</TargetBucket><TargetPrefix>assets/</TargetPrefix></LoggingEnabled></BucketLoggingStatus>`,
}

// none are the codes for what is not there [S3 API Reference: List of error
// codes].
var none = map[string]string{
	"?website": "NoSuchWebsiteConfiguration", "?policy": "NoSuchBucketPolicy", "?policyStatus": "NoSuchBucketPolicy",
	"?publicAccessBlock": "NoSuchPublicAccessBlockConfiguration", "?cors": "NoSuchCORSConfiguration",
	"?ownershipControls": "OwnershipControlsNotFoundError",
}

func subresource(c call) string {
	_, query, ok := strings.Cut(c.op, "?")
	if !ok {
		return ""
	}
	return "?" + query
}

func whole(c call) (*http.Response, error) { return respond(200, everything[subresource(c)]) }

func bare(c call) (*http.Response, error) {
	if code := none[subresource(c)]; code != "" {
		return s3Refusal(404, code)
	}
	if subresource(c) == "?logging" { // GetBucketLogging: an empty element
		return respond(200, `<BucketLoggingStatus `+s3NS+`/>`)
	}
	return respond(200, strings.ReplaceAll(everything[subresource(c)], "Requester", "BucketOwner"))
}

func TestBucket(t *testing.T) {
	environment(t, nil)
	w, account := connect(whole, fast())
	got, err := account.Buckets.Bucket(t.Context(), "assets.example.com", "eu-west-1")
	if err != nil {
		t.Fatal(err)
	}
	want := providers.Bucket{
		Name: "assets.example.com", Region: "eu-west-1",
		Website:      &providers.Website{IndexDocument: "index.html", ErrorDocument: "404.html", RoutingRules: []providers.RoutingRule{{HostName: "example.com"}}},
		PolicyPublic: true, Policy: everything["?policy"],
		Block: providers.PublicAccessBlock{BlockPublicACLs: true, BlockPublicPolicy: true},
		CORS:  []providers.CORSRule{{Origins: []string{"*"}, Methods: []string{"GET"}}}, RequesterPays: true,
		Log: providers.BucketLog{Bucket: "logs.example.com", Prefix: "assets/"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
	for _, c := range w.calls {
		if c.host != "s3.eu-west-1.amazonaws.com" {
			t.Errorf("asked %s", c.host)
		}
	}
	if len(w.calls) != 8 {
		t.Errorf("asked %v", w.count())
	}
}

func TestBucketWithoutSettings(t *testing.T) {
	environment(t, nil)
	_, account := connect(bare, fast())
	got, err := account.Buckets.Bucket(t.Context(), "plain", "us-east-1")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(providers.Bucket{Name: "plain", Region: "us-east-1", ACLsEnabled: true}, got); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
}

// The eight questions are asked at the same time.
func TestBucketIsReadInParallel(t *testing.T) {
	environment(t, nil)
	synctest.Test(t, func(t *testing.T) {
		_, account := connect(func(c call) (*http.Response, error) {
			_ = providers.RealClock{}.Sleep(t.Context(), 80*time.Millisecond)
			return whole(c)
		}, aws.Options{})
		began := time.Now()
		if _, err := account.Buckets.Bucket(t.Context(), "assets.example.com", "eu-west-1"); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took != 80*time.Millisecond {
			t.Errorf("took %s", took)
		}
	})
}

// HeadBucket's answer has x-amz-bucket-region whatever its status is [S3 API
// Reference: HeadBucket]; GetBucketLocation says nothing for us-east-1 and EU
// for eu-west-1 [GetBucketLocation].
func TestBucketRegion(t *testing.T) {
	location := func(l string) string {
		return `<LocationConstraint ` + s3NS + `>` + l + `</LocationConstraint>`
	}
	header := "x-amz-bucket-region: ap-south-1"
	tests := map[string]struct {
		status   int
		headers  []string
		location string
		want     string
	}{
		"here":                   {200, []string{header}, "", "ap-south-1"},
		"elsewhere":              {301, []string{header}, "", "ap-south-1"},
		"not ours to head":       {403, []string{header}, "", "ap-south-1"},
		"wrong signature region": {400, []string{header}, "", "ap-south-1"},
		"no header, classic":     {200, nil, "", "us-east-1"},
		"no header, EU":          {403, nil, "EU", "eu-west-1"},
		"no header, named":       {301, nil, "eu-north-1", "eu-north-1"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			environment(t, map[string]string{"AWS_REGION": "eu-central-1"})
			w, account := connect(func(c call) (*http.Response, error) {
				switch {
				case strings.HasPrefix(c.op, "HEAD "):
					return respond(test.status, "", test.headers...)
				case subresource(c) == "?location":
					return respond(200, location(test.location))
				}
				return bare(c)
			}, fast())
			for range 2 {
				got, err := account.Buckets.Bucket(t.Context(), "assets.example.com", "")
				if err != nil || got.Region != test.want {
					t.Fatalf("region %q, %v", got.Region, err)
				}
			}
			heads := w.made("HEAD /assets.example.com")
			if len(heads) != 1 || heads[0].host != "s3.eu-central-1.amazonaws.com" {
				t.Errorf("HeadBucket: %d times", len(heads))
			}
			if n := len(w.made("GET /assets.example.com?location")); (n == 1) != (test.headers == nil) {
				t.Errorf("GetBucketLocation: %d times", n)
			}
			if at := w.made("GET /assets.example.com?policy")[0].host; at != "s3."+test.want+".amazonaws.com" {
				t.Errorf("the policy was asked of %s", at)
			}
		})
	}
}

func TestBucketErrors(t *testing.T) {
	tests := map[string]struct {
		region string
		answer func(call) (*http.Response, error)
		class  error
		text   string
		hint   string
	}{
		"no such bucket": {"", func(c call) (*http.Response, error) {
			if strings.HasPrefix(c.op, "HEAD ") {
				return respond(404, "")
			}
			return s3Refusal(404, "NoSuchBucket")
		}, providers.ErrNotFound, `find the region of bucket "assets.example.com": NoSuchBucket`, ""},
		"no such bucket, region given": {"eu-west-1", func(call) (*http.Response, error) {
			return s3Refusal(404, "NoSuchBucket")
		}, providers.ErrNotFound, `read the website configuration of bucket "assets.example.com": NoSuchBucket`, ""},
		"one right is missing": {"eu-west-1", func(c call) (*http.Response, error) {
			if subresource(c) == "?cors" {
				return s3Refusal(403, "AccessDenied")
			}
			return whole(c)
		}, providers.ErrDenied, `read the CORS configuration of bucket "assets.example.com": AccessDenied`, "allow s3:GetBucketCORS to these credentials"},
		"another account's": {"", func(c call) (*http.Response, error) {
			if strings.HasPrefix(c.op, "HEAD ") {
				return respond(403, "", "x-amz-bucket-region: eu-west-1")
			}
			return s3Refusal(403, "AccessDenied", "x-amz-bucket-region: eu-west-1")
		}, providers.ErrDenied, `read the website configuration`, "if the bucket is another account's"},
		"wrong region": {"us-west-2", func(call) (*http.Response, error) {
			return s3Refusal(301, "PermanentRedirect", "x-amz-bucket-region: eu-west-1")
		}, providers.ErrInvalid, `it is in eu-west-1, not in us-west-2`, `write region = "eu-west-1"`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			environment(t, nil)
			_, account := connect(test.answer, fast())
			_, err := account.Buckets.Bucket(t.Context(), "assets.example.com", test.region)
			if !errors.Is(err, test.class) || !strings.Contains(err.Error(), test.text) || !strings.Contains(hint(err), test.hint) {
				t.Errorf("%v, hint %q", err, hint(err))
			}
		})
	}
}

func TestObjects(t *testing.T) {
	environment(t, nil)
	w, account := connect(func(c call) (*http.Response, error) {
		// S3 API Reference: ListObjectsV2, sample response.
		return respond(200, `<ListBucketResult `+s3NS+`><Name>b</Name><KeyCount>2</KeyCount><IsTruncated>true</IsTruncated><NextContinuationToken>x</NextContinuationToken>
<Contents><Key>a b+c.txt</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified><ETag>"abc"</ETag><Size>7</Size><StorageClass>STANDARD</StorageClass></Contents>
<Contents><Key>d</Key><Size>0</Size></Contents></ListBucketResult>`)
	}, fast())
	got, err := account.Buckets.Objects(t.Context(), "b", "eu-west-1", "", 20)
	if err != nil {
		t.Fatal(err)
	}
	want := []providers.Object{
		{Key: "a b+c.txt", Size: 7, ETag: "abc", StorageClass: "STANDARD", LastModified: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)},
		{Key: "d"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
	if len(w.calls) != 1 || !strings.Contains(w.calls[0].op, "max-keys=20") {
		t.Errorf("asked %v", w.count())
	}
}

// With an endpoint of one's own the bucket is in the path; the per-service
// form wins for its service.
func TestEndpointURL(t *testing.T) {
	environment(t, map[string]string{"AWS_ENDPOINT_URL": "http://lab.test:5000", "AWS_ENDPOINT_URL_CLOUDFRONT": "http://cf.test:6000"})
	w, account := connect(func(c call) (*http.Response, error) {
		if c.host == "cf.test:6000" {
			return refusal(404, "NoSuchDistribution", "m")
		}
		return bare(c)
	}, fast())
	if _, err := account.Buckets.Bucket(t.Context(), "plain", "eu-west-1"); err != nil {
		t.Fatal(err)
	}
	if got := w.made("GET /plain?website"); len(got) != 1 || got[0].host != "lab.test:5000" {
		t.Errorf("asked %v", w.count())
	}
	if _, err := account.Distributions.Distribution(t.Context(), "E1"); !errors.Is(err, providers.ErrNotFound) {
		t.Errorf("CloudFront was asked elsewhere: %v", err)
	}
}
