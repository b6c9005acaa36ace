package aws_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/edgeward/edgeward/providers"
)

// quotaValue is an answer of GetServiceQuota and GetAWSDefaultServiceQuota
// [Service Quotas API Reference: ServiceQuota].
func quotaValue(v float64) (*http.Response, error) {
	return respond(200, fmt.Sprintf(`{"Quota":{"ServiceCode":"s","QuotaCode":"L","Value":%f}}`, v))
}

func TestQuotas(t *testing.T) {
	type script func(op, code string) (*http.Response, error)
	told := func(_, code string) (*http.Response, error) {
		return quotaValue(map[string]float64{"L-24B04930": 800, "L-7D134442": 20, "L-F141DD1D": 2500, "L-DA1D8B98": 50, "L-FB94F0B0": 100}[code])
	}
	kind := providers.QuotaDistributions
	tests := map[string]struct {
		script script
		want   providers.Quota
		asked  int
		class  error
	}{
		"told": {told, providers.Quota{Kind: kind, Limit: 800}, 1, nil},
		"no value of the account's own": {func(op, _ string) (*http.Response, error) {
			if op == "GetServiceQuota" {
				return jsonRefusal("NoSuchResourceException", "The request failed because the specified quota does not exist.")
			}
			return quotaValue(300)
		}, providers.Quota{Kind: kind, Limit: 300, Default: true, Why: "default"}, 2, nil},
		"unknown": {func(string, string) (*http.Response, error) { return jsonRefusal("NoSuchResourceException", "no") },
			providers.Quota{Kind: kind, Limit: 500, Default: true, Why: "L-24B04930"}, 2, nil},
		"denied": {func(string, string) (*http.Response, error) { return jsonRefusal("AccessDeniedException", "no") },
			providers.Quota{Kind: kind, Limit: 500, Default: true, Why: "allow servicequotas:GetServiceQuota"}, 1, nil},
		"no credentials": {func(string, string) (*http.Response, error) {
			return jsonRefusal("UnrecognizedClientException", "no")
		}, providers.Quota{}, 1, providers.ErrCredentials},
		"too fast": {func(string, string) (*http.Response, error) { return jsonRefusal("TooManyRequestsException", "slow") },
			providers.Quota{}, 10, providers.ErrThrottled},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			environment(t, nil)
			w, account := connect(func(c call) (*http.Response, error) {
				var in struct{ QuotaCode string }
				if strings.HasPrefix(c.op, "GET ") {
					return respond(200, `<DistributionList xmlns="http://cloudfront.amazonaws.com/doc/2020-05-31/"><IsTruncated>false</IsTruncated><Quantity>0</Quantity></DistributionList>`)
				}
				if err := json.Unmarshal([]byte(c.body), &in); err != nil || c.host != "servicequotas.us-east-1.amazonaws.com" {
					t.Errorf("%s asked %s: %v", c.op, c.host, err)
				}
				return test.script(c.op, in.QuotaCode)
			}, fast())
			for range 3 { // one run asks once
				got, err := account.Quotas.Quotas(t.Context(), kind)
				if test.class != nil {
					if !errors.Is(err, test.class) {
						t.Errorf("%v", err)
					}
					break
				}
				if err != nil || len(got) != 1 || !strings.Contains(got[0].Why, test.want.Why) {
					t.Fatalf("%+v, %v", got, err)
				}
				if d := cmp.Diff(test.want, got[0], cmpopts.IgnoreFields(providers.Quota{}, "Why")); d != "" {
					t.Errorf("-want +got\n%s", d)
				}
			}
			if n := len(w.made("GetServiceQuota")) + len(w.made("GetAWSDefaultServiceQuota")); n != test.asked {
				t.Errorf("asked %d times, want %d", n, test.asked)
			}
		})
	}
}

// Expired certificates and those of every key type count, imported and private
// ones do not; the year is by CreatedAt.
func TestQuotasCountCertificates(t *testing.T) {
	environment(t, nil)
	recent, old := time.Now().AddDate(0, -2, 0).Unix(), time.Now().AddDate(-2, 0, 0).Unix()
	row := func(kind, status string, at int64) string {
		return summary("a", status, fmt.Sprintf(`,"Type":%q,"CreatedAt":%d`, kind, at), "a.example.com")
	}
	w, account := connect(func(c call) (*http.Response, error) {
		switch {
		case c.op == "GetServiceQuota":
			return quotaValue(5000)
		case strings.Contains(c.body, "NextToken"):
			return respond(200, `{"CertificateSummaryList":[`+row("AMAZON_ISSUED", "EXPIRED", recent)+`]}`)
		}
		return respond(200, `{"NextToken":"n","CertificateSummaryList":[`+strings.Join([]string{
			row("AMAZON_ISSUED", "ISSUED", recent), row("AMAZON_ISSUED", "FAILED", old), row("IMPORTED", "ISSUED", recent), row("PRIVATE", "ISSUED", recent),
		}, ",")+`]}`)
	}, fast())
	got, err := account.Quotas.Quotas(t.Context(), providers.QuotaCertificates, providers.QuotaCertificatesYear, providers.QuotaAliases)
	if err != nil || got[0].Used != 3 || got[1].Used != 2 || got[2].Limit != 100 || !got[2].Default {
		t.Errorf("%+v, %v", got, err)
	}
	lists := w.made("ListCertificates")
	if len(lists) != 2 || !strings.Contains(lists[0].body, "EC_secp521r1") || strings.Contains(lists[0].body, "CertificateStatuses") {
		t.Errorf("asked %v", lists)
	}
}
