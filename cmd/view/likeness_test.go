package view

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/edgeward/edgeward/planner"
	"github.com/edgeward/edgeward/providers"
	"github.com/google/go-cmp/cmp"
)

// zonesFleet is a plan of n buckets in ten zones of two providers and in three
// regions; each second shares a certificate with nine others. The last has another
// TTL.
func zonesFleet(n int) planner.Plan {
	p := planner.Plan{Goal: planner.Migrate}
	name := func(i int) string { return fmt.Sprintf("%c%d.zone%d.com", 'a'+i*7%26, i, i/2%10) }
	validation := func(i int) planner.ValueChange {
		return planner.ValueChange{Path: "validation record for " + name(i),
			After: fmt.Sprintf("CNAME in zone zone%d.com at dns_provider.route53.p%d (known after certificate.request)", i/2%10, i/2%2)}
	}
	for i := range n {
		region, ttl := []string{"us-east-1", "eu-west-1", "sa-east-1"}[i%3], 3600
		if i == n-1 {
			ttl = 300
		}
		names, request := []string{name(i)}, "ACM in us-east-1 has no usable certificate for "+name(i)
		records := []planner.ValueChange{validation(i)}
		if i%2 == 0 {
			names, records = nil, nil
			for j := i / 20 * 20; j < min(i/20*20+20, n); j += 2 {
				names, records = append(names, name(j)), append(records, validation(j))
			}
			request += fmt.Sprintf("; one for %d names is shared", len(names))
		}
		here := fmt.Sprintf("CNAME %s.s3.%s.amazonaws.com TTL ", name(i), region)
		record := func(before, after string) []planner.ValueChange {
			return []planner.ValueChange{{Path: "record " + name(i), Before: before, After: after}}
		}
		p.Buckets = append(p.Buckets, planner.BucketPlan{Address: fmt.Sprintf("bucket[%q]", name(i)), Bucket: name(i), CNAMEs: []string{name(i)},
			Region: region, Standing: planner.StandNew, Steps: []planner.Step{
				{Kind: planner.CertificateRequest, Action: planner.Create, Why: request, Changes: []planner.ValueChange{{Path: "certificate", After: strings.Join(names, ", ")}}},
				{Kind: planner.CertificateValidate, Action: planner.Create, Why: "ACM issues it then", Changes: records},
				{Kind: planner.LinksVerify, Action: planner.Check, Why: fmt.Sprintf("%d links through S3 and through CloudFront", 7+i%5)},
				{Kind: planner.DNSSwitch, Action: planner.Change, Why: "one write a name",
					Changes: record(here+fmt.Sprint(ttl)+"s", "CNAME (known after distribution.create) TTL 60s")},
			}})
	}
	return p
}

// A plan of many buckets says once what is alike although their zones, regions and
// certificates differ, and says of each name where it is; a record that differs
// otherwise is said by itself.
func TestPlanOfManyZones(t *testing.T) {
	const n = 101
	p := zonesFleet(n)
	text := Plan(p, Style{})
	if blocks := strings.Count(text, "Way back:"); blocks != 3 {
		t.Errorf("%d blocks, want 3: shared, not shared, and one with another TTL", blocks)
	}
	for _, want := range []string{
		"dns.switch: NAME CNAME NAME.s3.REGION.amazonaws.com TTL 3600s → CNAME",
		"TTL 300s", "7–11 links through", "one for 10 names is shared",
		"    eu-west-1, dns_provider.route53.p1 (8):\n", "  5 shared certificates, each with its names:\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("there is no %q in\n%s", want, text)
		}
	}
	html, err := PlanHTML(p)
	if err != nil {
		t.Fatal(err)
	}
	for form, page := range map[string]string{"text": text, "markdown": PlanMarkdown(p), "html": html} {
		for _, bp := range p.Buckets {
			if !strings.Contains(page, bp.Bucket) {
				t.Fatalf("%s: %s is not named", form, bp.Bucket)
			}
		}
		if !strings.Contains(page, "NAME.s3.REGION.amazonaws.com") || !strings.Contains(strings.ReplaceAll(page, "&#95;", "_"), "eu-west-1, dns_provider.route53.p1") {
			t.Errorf("%s does not say what differs", form)
		}
	}
	if lines := strings.Count(text, "\n"); lines > 250 {
		t.Errorf("%d lines", lines)
	}
}

// The validation record of a name that no bucket of the plan speaks of is not left
// out: somebody else's record is said, wherever the certificate is.
func TestPlanOfManyNamesStrangers(t *testing.T) {
	p := zonesFleet(101)
	stranger := planner.ValueChange{Path: "validation record for elsewhere.example.org", After: "CNAME in zone example.org at dns_provider.route53.p0 (known after certificate.request)"}
	p.Buckets[4].Steps[1].Changes = append(slices.Clone(p.Buckets[4].Steps[1].Changes), stranger)
	text := Plan(p, Style{})
	if !strings.Contains(text, "validation record for elsewhere.example.org") || strings.Count(text, "Way back:") != 4 {
		t.Errorf("the record of a name of no bucket is not said by itself:\n%s", text)
	}
}

// The writes of records are one line a provider, however many zones it has, with a
// time only where one is known; the quotas of accounts stay as they are.
func TestQuotasOfManyZones(t *testing.T) {
	p := planner.Plan{Goal: planner.Migrate, Quotas: []planner.QuotaUse{{Account: "shop", Kind: providers.QuotaDistributions, Plan: 80, Limit: 200}}}
	for z := range 40 {
		q := planner.QuotaUse{Provider: "dns_provider.route53.main", Zone: fmt.Sprintf("zone%02d.com", z), Kind: providers.QuotaRecordChanges, Plan: 80}
		if z >= 20 {
			q.Provider, q.Takes = "dns_provider.cloudflare.brand", 40
		}
		p.Quotas = append(p.Quotas, q)
	}
	p.Quotas = append(p.Quotas, planner.QuotaUse{Provider: "dns_provider.luadns.x", Zone: "example.org", Kind: providers.QuotaRecordChanges, Plan: 4})
	var b strings.Builder
	Style{}.quotas(&b, p)
	want := `Quotas, and what this plan would use of them:
    distributions           80 of 200
  dns_provider.route53.main: 1600 record changes in 20 zones
  dns_provider.cloudflare.brand: 1600 record changes in 20 zones, at least 13m20s
  dns_provider.luadns.x: 4 record changes in zone example.org

`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Error(diff)
	}
	if _, rows := quotaTable(p); len(rows) != 4 {
		t.Errorf("%d rows in a table, want 4", len(rows))
	}
	if table := htmlQuotas(p); len(table.Rows) != 4 {
		t.Errorf("%d rows in a page, want 4", len(table.Rows))
	}
}
