//go:build peers

package motolab

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/edgeward/edgeward/providers"
)

// defaultQuota answers GetAWSDefaultServiceQuota, which moto does not know, with
// what the documents say [Service Quotas API Reference: GetAWSDefaultServiceQuota].
func (f *front) defaultQuota(w http.ResponseWriter, body []byte) {
	var in struct{ ServiceCode, QuotaCode string }
	_ = json.Unmarshal(body, &in)
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	for _, k := range []providers.QuotaKind{providers.QuotaDistributions, providers.QuotaCachePolicies, providers.QuotaCertificates,
		providers.QuotaCertificatesYear, providers.QuotaCertificateNames} {
		if d := k.Documented(); d.Service == in.ServiceCode && d.Code == in.QuotaCode {
			_, _ = fmt.Fprintf(w, `{"Quota":{"ServiceCode":%q,"QuotaCode":%q,"QuotaName":%q,"Value":%d}}`, d.Service, d.Code, d.Name, d.Limit)
			return
		}
	}
	w.WriteHeader(http.StatusBadRequest)
	_, _ = fmt.Fprint(w, `{"__type":"NoSuchResourceException","message":"The request failed because the specified quota does not exist."}`)
}
