package providertest

import (
	"testing"

	"github.com/edgeward/edgeward/providers"
)

// accountQuotas: each kind is answered once, in order, with a limit, and what is
// made counts.
func accountQuotas(t *testing.T, p AccountParty) {
	kinds := []providers.QuotaKind{providers.QuotaCachePolicies, providers.QuotaCertificateNames, providers.QuotaCertificates,
		providers.QuotaDistributions, providers.QuotaCertificatesYear, providers.QuotaAliases}
	ask := func(a providers.Account) map[providers.QuotaKind]int {
		t.Helper()
		got, err := a.Quotas.Quotas(t.Context(), kinds...)
		if err != nil || len(got) != len(kinds) {
			t.Fatalf("Quotas: %+v, %v", got, err)
		}
		used := map[providers.QuotaKind]int{}
		for i, q := range got {
			if q.Kind != kinds[i] || q.Limit <= 0 || q.Default != (q.Why != "") {
				t.Errorf("Quotas: %+v at the place of %q", q, kinds[i])
			}
			used[q.Kind] = q.Used
		}
		return used
	}
	before := ask(p.Account)
	if before[providers.QuotaCertificateNames] != 0 || before[providers.QuotaAliases] != 0 {
		t.Errorf("used before: %v", before)
	}
	if _, err := p.Account.Certificates.Request(t.Context(), []string{"quotas." + p.Names[0]}, "quotas", nil); err != nil {
		t.Fatal(err)
	}
	p.create(t, "ref-quotas", map[string]string{providers.TagBucket: p.Bucket}, p.Names[0])
	after := ask(p.Again)
	for _, k := range []providers.QuotaKind{providers.QuotaDistributions, providers.QuotaCertificates, providers.QuotaCertificatesYear} {
		if after[k] != before[k]+1 {
			t.Errorf("%d %s after one was made, %d before", after[k], k, before[k])
		}
	}
	if got, err := p.Account.Quotas.Quotas(t.Context()); err != nil || len(got) != 0 {
		t.Errorf("Quotas of no kind: %+v, %v", got, err)
	}
}
