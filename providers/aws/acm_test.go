package aws_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/edgeward/edgeward/providers"
)

// summary is a row of ListCertificates [ACM API Reference: CertificateSummary].
func summary(arn, status, more string, names ...string) string {
	list, _ := json.Marshal(names)
	return fmt.Sprintf(`{"CertificateArn":%q,"DomainName":%q,"SubjectAlternativeNameSummaries":%s,"HasAdditionalSubjectAlternativeNames":false,"Status":%q,"KeyAlgorithm":"RSA-2048","NotAfter":1900000000%s}`,
		arn, names[0], list, status, more)
}

// described is DescribeCertificate's answer [ACM API Reference:
// CertificateDetail, DomainValidation].
func described(arn, status string, names ...string) (*http.Response, error) {
	list, _ := json.Marshal(names)
	var options []string
	for _, n := range names {
		options = append(options, fmt.Sprintf(`{"DomainName":%q,"ValidationStatus":"PENDING_VALIDATION","ValidationMethod":"DNS","ResourceRecord":{"Name":"_Abc.%s.","Type":"CNAME","Value":"_def.acm-validations.aws."}}`, n, n))
	}
	return respond(200, fmt.Sprintf(`{"Certificate":{"CertificateArn":%q,"DomainName":%q,"SubjectAlternativeNames":%s,"Status":%q,"KeyAlgorithm":"RSA_2048","NotAfter":1900000000,"DomainValidationOptions":[%s]}}`,
		arn, names[0], list, status, strings.Join(options, ",")))
}

func covering(t *testing.T, account providers.Account, names ...string) []string {
	t.Helper()
	found, err := account.Certificates.Covering(t.Context(), names)
	if err != nil {
		t.Fatal(err)
	}
	var arns []string
	for _, c := range found {
		arns = append(arns, c.ARN)
	}
	slices.Sort(arns)
	return arns
}

func TestCovering(t *testing.T) {
	environment(t, map[string]string{"AWS_REGION": "eu-central-1"})
	w, account := connect(func(c call) (*http.Response, error) {
		var in struct{ NextToken, CertificateArn string }
		if err := json.Unmarshal([]byte(c.body), &in); err != nil {
			t.Error(err)
		}
		switch {
		case c.op == "ListCertificates" && in.NextToken == "":
			return respond(200, `{"NextToken":"n","CertificateSummaryList":[`+strings.Join([]string{
				summary("exact", "ISSUED", "", "assets.example.com"),
				summary("wild", "ISSUED", "", "*.example.com"),
				summary("pending", "PENDING_VALIDATION", "", "assets.example.com"),
				strings.Replace(summary("truncated", "ISSUED", "", "x.example.org"), "Names\":false", "Names\":true", 1),
			}, ",")+`]}`)
		case c.op == "ListCertificates":
			return respond(200, `{"CertificateSummaryList":[`+summary("second page", "ISSUED", "", "example.com", "ASSETS.example.com")+`]}`)
		case c.op == "DescribeCertificate" && in.CertificateArn == "truncated":
			return described("truncated", "ISSUED", "x.example.org", "assets.example.com", "deep.assets.example.com")
		case c.op == "DescribeCertificate":
			return described(in.CertificateArn, "PENDING_VALIDATION", "assets.example.com")
		case c.op == "ListTagsForCertificate":
			return respond(200, `{"Tags":[{"Key":"edgeward:bucket","Value":"b"},{"Key":"flag"}]}`)
		}
		return jsonRefusal("UnknownOperationException", c.op)
	}, fast())

	tests := map[string]struct{ names, want []string }{
		"one name":           {[]string{"assets.example.com"}, []string{"exact", "pending", "second page", "truncated", "wild"}},
		"apex":               {[]string{"example.com"}, []string{"second page"}},
		"apex and a label":   {[]string{"example.com", "assets.example.com"}, []string{"second page"}},
		"two labels":         {[]string{"deep.assets.example.com"}, []string{"truncated"}},
		"a wildcard":         {[]string{"*.example.com"}, []string{"wild"}},
		"nobody":             {[]string{"example.net"}, nil},
		"one of two missing": {[]string{"assets.example.com", "example.net"}, nil},
	}
	for name, test := range tests {
		if d := cmp.Diff(test.want, covering(t, account, test.names...)); d != "" {
			t.Errorf("%s: -want +got\n%s", name, d)
		}
	}
	lists := w.made("ListCertificates")
	if len(lists) != 2 || len(w.made("DescribeCertificate")) != 2 || len(w.made("ListTagsForCertificate")) != 1 {
		t.Errorf("asked %v", w.count())
	}
	if lists[0].host != "acm.us-east-1.amazonaws.com" {
		t.Errorf("asked %s", lists[0].host)
	}
	var asked struct {
		CertificateStatuses []string
		Includes            struct {
			KeyTypes []string `json:"keyTypes"`
		}
	}
	if err := json.Unmarshal([]byte(lists[0].body), &asked); err != nil ||
		!slices.Equal(asked.CertificateStatuses, []string{"ISSUED", "PENDING_VALIDATION"}) ||
		!slices.Equal(asked.Includes.KeyTypes, []string{"RSA_2048", "EC_prime256v1"}) {
		t.Errorf("asked for %s", lists[0].body)
	}

	found, err := account.Certificates.Covering(t.Context(), []string{"assets.example.com"})
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(found, func(c providers.Certificate) bool { return c.ARN == "pending" })
	want := providers.Certificate{
		ARN: "pending", Status: providers.CertificatePending, Names: []string{"assets.example.com"},
		NotAfter: time.Unix(1900000000, 0), KeyType: "RSA_2048", Tags: map[string]string{"edgeward:bucket": "b", "flag": ""},
		Validation: []providers.Validation{{
			Name: "assets.example.com", Status: "PENDING_VALIDATION",
			RecordName: "_abc.assets.example.com", RecordValue: "_def.acm-validations.aws",
		}},
	}
	if d := cmp.Diff(want, found[i]); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
}

// A second page that fails makes the whole list fail, and the next question
// begins it anew.
func TestCoveringNeedsAllPages(t *testing.T) {
	environment(t, nil)
	_, account := connect(func(c call) (*http.Response, error) {
		if c.n == 2 {
			return jsonRefusal("AccessDeniedException", "no")
		}
		if c.n == 1 {
			return respond(200, `{"NextToken":"n","CertificateSummaryList":[`+summary("a", "ISSUED", "", "a.example.com")+`]}`)
		}
		return respond(200, `{"CertificateSummaryList":[`+summary("b", "ISSUED", "", "a.example.com")+`]}`)
	}, fast())
	found, err := account.Certificates.Covering(t.Context(), []string{"a.example.com"})
	if !errors.Is(err, providers.ErrDenied) || found != nil || !strings.Contains(hint(err), "acm:ListCertificates") {
		t.Errorf("found %v, %v, hint %q", found, err, hint(err))
	}
	if d := cmp.Diff([]string{"b"}, covering(t, account, "a.example.com")); d != "" {
		t.Error(d)
	}
}

// A certificate that this process requested is found while the list does not
// show it, and no more once it is deleted.
func TestRequestedIsCovered(t *testing.T) {
	environment(t, nil)
	deleted := false
	o := fast()
	o.Freshness = time.Nanosecond
	w, account := connect(func(c call) (*http.Response, error) {
		switch {
		case c.op == "ListCertificates":
			return respond(200, `{"CertificateSummaryList":[]}`)
		case c.op == "RequestCertificate":
			return respond(200, `{"CertificateArn":"new"}`)
		case c.op == "DescribeCertificate" && deleted:
			return jsonRefusal("ResourceNotFoundException", "m")
		case c.op == "DescribeCertificate":
			return described("new", "PENDING_VALIDATION", "a.example.com", "b.example.com")
		}
		return respond(200, `{"Tags":[]}`)
	}, o)
	if got := covering(t, account, "a.example.com"); got != nil {
		t.Errorf("found %v", got)
	}
	tags := map[string]string{"edgeward:bucket": "a.example.com", "a": "b"}
	arn, err := account.Certificates.Request(t.Context(), []string{"a.example.com", "b.example.com"}, "token", tags)
	if err != nil || arn != "new" {
		t.Fatal(arn, err)
	}
	if d := cmp.Diff([]string{"new"}, covering(t, account, "b.example.com")); d != "" {
		t.Error(d)
	}
	if got := covering(t, account, "c.example.com"); got != nil {
		t.Errorf("found %v for another name", got)
	}
	deleted = true
	if got := covering(t, account, "b.example.com"); got != nil {
		t.Errorf("found %v after it was deleted", got)
	}
	want := `{"DomainName":"a.example.com","IdempotencyToken":"token","KeyAlgorithm":"RSA_2048","SubjectAlternativeNames":["b.example.com"],"Tags":[{"Key":"a","Value":"b"},{"Key":"edgeward:bucket","Value":"a.example.com"}],"ValidationMethod":"DNS"}`
	var a, b any
	if json.Unmarshal([]byte(want), &a) != nil || json.Unmarshal([]byte(w.made("RequestCertificate")[0].body), &b) != nil {
		t.Fatal("not JSON")
	}
	if d := cmp.Diff(a, b); d != "" {
		t.Errorf("-want +sent\n%s", d)
	}
}

func TestRequestErrors(t *testing.T) {
	long := strings.Repeat("a", 60) + ".example.com"
	tests := map[string]struct {
		code  string
		names []string
		class error
		text  string
		asked int
	}{
		// ACM's LimitExceededException is a quota [RequestCertificate, Errors]; it
		// is not tried again.
		"quota":        {"LimitExceededException", []string{"a.example.com"}, providers.ErrQuota, "LimitExceededException", 1},
		"invalid":      {"InvalidParameterException", []string{"a.example.com"}, providers.ErrInvalid, "request a certificate for a.example.com", 1},
		"all too long": {"", []string{long}, providers.ErrInvalid, "longer than 64 octets", 0},
		"throttled":    {"ThrottlingException", []string{"a.example.com"}, providers.ErrThrottled, "ThrottlingException", 10},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			environment(t, nil)
			w, account := connect(func(call) (*http.Response, error) { return jsonRefusal(test.code, "m") }, fast())
			_, err := account.Certificates.Request(t.Context(), test.names, "t", nil)
			if !errors.Is(err, test.class) || !strings.Contains(err.Error(), test.text) {
				t.Errorf("%v", err)
			}
			if n := len(w.made("RequestCertificate")); n != test.asked {
				t.Errorf("asked %d times, want %d", n, test.asked)
			}
		})
	}
}

// A name that is too long for the common name is no obstacle beside a short
// one.
func TestLongNameBesideAShortOne(t *testing.T) {
	environment(t, nil)
	long := strings.Repeat("a", 60) + ".example.com"
	w, account := connect(func(call) (*http.Response, error) { return respond(200, `{"CertificateArn":"new"}`) }, fast())
	if _, err := account.Certificates.Request(t.Context(), []string{long, "a.example.com"}, "t", nil); err != nil {
		t.Fatal(err)
	}
	body := w.made("RequestCertificate")[0].body
	if !strings.Contains(body, `"DomainName":"a.example.com"`) || !strings.Contains(body, `"SubjectAlternativeNames":["`+long+`"]`) {
		t.Errorf("sent %s", body)
	}
}

// What Terraform and others ask for: the domain name first, and the tags.
func TestCertificateDomainAndTags(t *testing.T) {
	environment(t, nil)
	_, account := connect(func(c call) (*http.Response, error) {
		if c.op == "ListTagsForCertificate" {
			return respond(200, `{"Tags":[{"Key":"Team","Value":"web"}]}`)
		}
		return respond(200, `{"Certificate":{"CertificateArn":"arn","DomainName":"b.example.com","SubjectAlternativeNames":["a.example.com","b.example.com","c.example.com"],"Status":"ISSUED"}}`)
	}, fast())
	got, err := account.Certificates.Certificate(t.Context(), "arn")
	if want := []string{"b.example.com", "a.example.com", "c.example.com"}; err != nil || !slices.Equal(got.Names, want) {
		t.Errorf("names %v, %v", got.Names, err)
	}
	if tags, err := account.Certificates.Tags(t.Context(), "arn"); err != nil || len(tags) != 1 || tags["Team"] != "web" {
		t.Errorf("tags %v, %v", tags, err)
	}
}
