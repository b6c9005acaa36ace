package planner

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/providers"
)

// QuotaUse is what a plan would use of one quota.
type QuotaUse struct {
	// Account is the label of the aws block, "" for the default chain; of a DNS
	// provider's there are its address and the zone instead.
	Account  string              `json:"account"`
	Provider string              `json:"provider,omitempty"`
	Zone     string              `json:"zone,omitempty"`
	Kind     providers.QuotaKind `json:"kind"`
	// Limit is how many there may be, 0 where nobody sets one; Used how many there
	// are, Plan how many the plan would make: of names in one certificate and of one
	// distribution, the most.
	Limit int `json:"limit,omitempty"`
	Used  int `json:"used"`
	Plan  int `json:"plan"`
	// Saved is how many more it would make if nothing were shared.
	Saved int `json:"saved,omitempty"`
	// Default: Limit is the documented default, which AWS did not confirm for this
	// account; Why says why.
	Default bool   `json:"default,omitempty"`
	Why     string `json:"why,omitempty"`
	// Takes is how long the writes take at least, at the documented rate; seconds.
	// Absent where none is documented, and where writes of a zone go out together.
	Takes Seconds `json:"takes,omitempty"`
}

// QuotaKinds are the kinds of QuotaUse, in the order of a plan.
func QuotaKinds() []providers.QuotaKind {
	return []providers.QuotaKind{providers.QuotaDistributions, providers.QuotaCachePolicies, providers.QuotaOriginAccess,
		providers.QuotaCertificates, providers.QuotaCertificatesYear, providers.QuotaCertificateNames, providers.QuotaAliases,
		providers.QuotaZoneRecords, providers.QuotaRecordChanges}
}

// Over says that the plan would use more than there may be.
func (q QuotaUse) Over() bool {
	return q.Limit > 0 && q.Plan > 0 && q.Used+q.Plan > q.Limit
}

// near says that little is left afterwards. What is counted in one certificate or
// distribution leaves nothing to others.
func (q QuotaUse) near() bool {
	return q.Limit > 0 && !q.Over() && q.Kind != providers.QuotaCertificateNames && q.Kind != providers.QuotaAliases &&
		5*(q.Used+q.Plan) >= 4*q.Limit
}

// Notable says that a person should see it: it is beyond a quota or near it, or
// much.
func (q QuotaUse) Notable() bool {
	return q.Over() || q.near() || q.Saved > 0 || q.Plan >= 50 && q.Kind != providers.QuotaAliases
}

// use is what one bucket's plan would make.
type use struct {
	account string
	// distribution: one would be created.
	distribution bool
	// policy are the settings of edgeward's own cache policy that it would use, nil
	// for none; policies are those that the account has.
	policy   *providers.CacheSettings
	policies []providers.CachePolicy
	// certificate are the names of the one that would be requested.
	certificate []string
	aliases     int
	// access: the bucket would need an origin access control.
	access bool
	// records are the names whose records would be made, changes the writes of
	// records, by name, both with the provider that holds them.
	records map[config.CNAME]bool
	changes map[config.CNAME]int
}

// usesOf reads the steps that a plan has of a bucket.
func usesOf(b config.Bucket, a Actual, p BucketPlan) use {
	u := use{account: b.Account, records: map[config.CNAME]bool{}, changes: map[config.CNAME]int{}}
	cname := func(name string) config.CNAME {
		for _, n := range append(slices.Clone(b.CNAMEs), a.Shared...) {
			if n.Name == name {
				return n
			}
		}
		return config.CNAME{}
	}
	for _, s := range p.Steps {
		switch s.Kind {
		case CertificateRequest:
			u.certificate = requested(b, a)
		case DistributionCreate:
			if a.Dist != nil || a.Bucket == nil {
				break
			}
			u.distribution, u.aliases = true, len(wantedAliases(b, a))
			if !hasOwnPolicy(b, a) {
				settings := cacheSettings(len(a.Bucket.CORS) > 0)
				u.policy, u.policies = &settings, a.Policies
			}
		case AccessControl:
			u.access = a.Dist == nil || a.Dist.Settings.OriginAccessID == ""
		}
		for _, c := range s.Changes {
			name, validation := strings.CutPrefix(c.Path, "validation record for ")
			record, ok := strings.CutPrefix(c.Path, recordPath(""))
			if !validation && ok {
				name = record
			}
			n := cname(name)
			if n.Name == "" || !validation && !ok {
				continue
			}
			if validation {
				n.Name = "_." + n.Name // ACM names it later
				u.changes[n] = 1
			} else {
				u.changes[n]++
			}
			if validation || c.Before == "" {
				u.records[n] = true
			}
		}
	}
	return u
}

// preflight compares what the plan would make with the quotas of each account,
// and counts the writes of records. Nothing is asked of an account in which
// nothing would be made. What cannot be counted is a finding.
func preflight(ctx context.Context, w providers.World, uses []use) ([]QuotaUse, []Finding, error) {
	var out []QuotaUse
	var fs []Finding
	accounts := map[string][]use{}
	for _, u := range uses {
		accounts[u.account] = append(accounts[u.account], u)
	}
	for _, label := range slices.Sorted(maps.Keys(accounts)) {
		rows := count(label, accounts[label])
		if acc := w.Accounts[label]; len(rows) > 0 && acc.Quotas != nil {
			if err := limits(ctx, acc, rows); err != nil {
				if stopsAll(ctx, err) {
					return nil, nil, err
				}
				fs = append(fs, Finding{Warning, "quota-unknown", "what " + quotaOwner(label) + " may have could not be compared with what this plan would make",
					err.Error() + "; apply goes on, and a quota that is used up stops the buckets that come to it"})
				rows = nil
			}
		}
		out = append(out, rows...)
	}
	records, err := recordUses(ctx, w, uses)
	out = append(out, records...)
	for _, q := range out {
		fs = append(fs, q.findings()...)
	}
	return out, fs, err
}

// count is what an account's buckets would make, without limits.
func count(label string, uses []use) []QuotaUse {
	var distributions, names, aliases, access, alone int
	certificates := map[string]bool{}
	policies := map[string][]use{}
	for _, u := range uses {
		if u.distribution {
			distributions++
		}
		if u.policy != nil {
			stem := policyStem(*u.policy)
			policies[stem] = append(policies[stem], u)
		}
		if len(u.certificate) > 0 {
			alone++
			certificates[strings.Join(u.certificate, " ")] = true
		}
		if u.access {
			access++
		}
		names, aliases = max(names, len(u.certificate)), max(aliases, u.aliases)
	}
	made := 0
	for _, us := range policies {
		made += newPolicies(us)
	}
	// As many distributions may use one control [CloudFront quotas].
	controls := (access + maxPolicyUsers - 1) / maxPolicyUsers
	var rows []QuotaUse
	for _, r := range []QuotaUse{
		{Kind: providers.QuotaDistributions, Plan: distributions},
		{Kind: providers.QuotaCachePolicies, Plan: made},
		{Kind: providers.QuotaOriginAccess, Plan: controls},
		{Kind: providers.QuotaCertificates, Plan: len(certificates), Saved: alone - len(certificates)},
		{Kind: providers.QuotaCertificatesYear, Plan: len(certificates)},
		{Kind: providers.QuotaCertificateNames, Plan: names},
		{Kind: providers.QuotaAliases, Plan: aliases},
	} {
		// One name, or one below what everybody may have, is not worth a question.
		of := r.Kind == providers.QuotaCertificateNames || r.Kind == providers.QuotaAliases
		if r.Plan > 0 && (!of || r.Plan > r.Kind.Documented().Limit) {
			r.Account = label
			rows = append(rows, r)
		}
	}
	return rows
}

// newPolicies is how many cache policies uses of one variant would make, after
// those that the account has are full.
func newPolicies(uses []use) int {
	room, stem := 0, policyStem(*uses[0].policy)
	for _, p := range uses[0].policies {
		if strings.HasPrefix(p.Name, stem+"-") && !p.Foreign && sameCache(p.Settings, *uses[0].policy) {
			room += max(0, maxPolicyUsers-p.InUse)
		}
	}
	return (max(0, len(uses)-room) + maxPolicyUsers - 1) / maxPolicyUsers
}

// limits fills in what an account may have, and has.
func limits(ctx context.Context, acc providers.Account, rows []QuotaUse) error {
	var kinds []providers.QuotaKind
	for _, r := range rows {
		kinds = append(kinds, r.Kind)
	}
	qs, err := acc.Quotas.Quotas(ctx, kinds...)
	if err != nil {
		return providers.Doing(err, "read the quotas")
	}
	for i, q := range qs {
		rows[i].Limit, rows[i].Used, rows[i].Default, rows[i].Why = q.Limit, q.Used, q.Default, q.Why
	}
	return nil
}

// writes are requests a second that a provider documents, and how many of them a
// change takes [Cloudflare API: Rate limits, 1,200 in five minutes, and a change is
// read back]. At Route 53 the changes of a zone that come together are one request:
// how long all take depends on how they come.
func writes(provider string) (perSecond, each int) {
	if provider == "cloudflare" {
		return 4, 2
	}
	return 0, 1
}

// manyRecords: with fewer new records nobody comes to the quota of a zone unless it
// is all but full, which a listing of it is too much to find out.
const manyRecords = 100

// recordUses are the writes of records by zone, and at Route 53 the records that
// are added.
func recordUses(ctx context.Context, w providers.World, uses []use) ([]QuotaUse, error) {
	type zone struct{ provider, zone string }
	changes, records := map[zone]map[string]int{}, map[zone]map[string]bool{}
	for _, u := range uses {
		for n, many := range u.changes {
			z := zone{n.DNSProvider, n.Zone}
			if changes[z] == nil {
				changes[z], records[z] = map[string]int{}, map[string]bool{}
			}
			changes[z][n.Name] = many // a validation record of several buckets is one
			if u.records[n] {
				records[z][n.Name] = true
			}
		}
	}
	var out []QuotaUse
	zones := slices.SortedFunc(maps.Keys(changes), func(x, y zone) int {
		return strings.Compare(x.provider+" "+x.zone, y.provider+" "+y.zone)
	})
	for _, z := range zones {
		f := w.DNS[z.provider].Features()
		row := QuotaUse{Provider: z.provider, Zone: z.zone, Kind: providers.QuotaRecordChanges}
		for _, n := range changes[z] {
			row.Plan += n
		}
		if rate, each := writes(f.Provider); rate > 0 {
			row.Takes = Seconds((row.Plan*each + rate - 1) / rate)
		}
		out = append(out, row)
		if f.Provider != "route53" || len(records[z]) < manyRecords {
			continue
		}
		all, err := w.DNS[z.provider].List(ctx, z.zone)
		if stopsAll(ctx, err) {
			return nil, err
		}
		if err == nil {
			out = append(out, QuotaUse{Provider: z.provider, Zone: z.zone, Kind: providers.QuotaZoneRecords,
				Limit: providers.QuotaZoneRecords.Documented().Limit, Used: len(all), Plan: len(records[z]),
				Default: true, Why: "AWS' documents name no code by which to ask for it; names with an address record were counted"})
		}
	}
	return out, nil
}

// The codes of findings about quotas.
const codeQuotaDistributions = "quota-distributions"
const codeQuotaCachePolicies = "quota-cache-policies"
const codeQuotaOriginAccess = "quota-origin-access-controls"
const codeQuotaCertificates = "quota-certificates"
const codeQuotaCertificatesYear = "quota-certificates-a-year"
const codeQuotaCertificateNames = "quota-names-in-a-certificate"
const codeQuotaAliases = "quota-alternate-domain-names"
const codeQuotaZoneRecords = "quota-records-in-a-zone"

// quotaCode is the code of findings about a quota.
func quotaCode(k providers.QuotaKind) string {
	switch k {
	case providers.QuotaDistributions:
		return codeQuotaDistributions
	case providers.QuotaCachePolicies:
		return codeQuotaCachePolicies
	case providers.QuotaOriginAccess:
		return codeQuotaOriginAccess
	case providers.QuotaCertificates:
		return codeQuotaCertificates
	case providers.QuotaCertificatesYear:
		return codeQuotaCertificatesYear
	case providers.QuotaCertificateNames:
		return codeQuotaCertificateNames
	case providers.QuotaAliases:
		return codeQuotaAliases
	case providers.QuotaZoneRecords:
		return codeQuotaZoneRecords
	}
	return ""
}

func quotaOwner(label string) string {
	if label == "" {
		return "the AWS account"
	}
	return "aws." + label
}

// findings judge one row: beyond a limit that AWS told apply refuses; beyond a
// default it may still be well.
func (q QuotaUse) findings() []Finding {
	doc, where := q.Kind.Documented(), quotaOwner(q.Account)
	if q.Zone != "" {
		where = "zone " + q.Zone
	}
	what := fmt.Sprintf("%d %s", q.Plan, q.Kind)
	many := fmt.Sprintf("%s may have %d, has %d, and %d are free", where, q.Limit, q.Used, max(0, q.Limit-q.Used))
	if q.Kind == providers.QuotaCertificateNames || q.Kind == providers.QuotaAliases {
		many = fmt.Sprintf("%s may have %d in one", where, q.Limit)
	}
	ask := fmt.Sprintf("Ask AWS for more of %q", doc.Name)
	if doc.Code != "" {
		ask += fmt.Sprintf(" (Service Quotas, us-east-1, %s, %s)", doc.Service, doc.Code)
	}
	ask += ", or do fewer at once: -target=ADDR, -wave=NAME"
	switch q.Kind {
	case providers.QuotaDistributions:
		ask += ". CloudFront's multi-tenant distributions (SaaS Manager) are the way out beyond the quota; edgeward does not make them"
	case providers.QuotaCertificates, providers.QuotaCertificatesYear:
		ask += ". certificate { share = true } puts the names of several buckets into one"
	}
	switch {
	case q.Over() && !q.Default:
		return []Finding{{Error, quotaCode(q.Kind), "apply refuses this plan as a whole: it would make " + what + ", and " + many, ask}}
	case q.Over():
		return []Finding{{Warning, quotaCode(q.Kind), "this plan would make " + what + ", which may be too many: by the documented default " + many,
			"AWS did not tell what holds here: " + q.Why + ". " + ask}}
	case q.near():
		return []Finding{{Note, quotaCode(q.Kind), fmt.Sprintf("after this plan %s has %d of %d %s", where, q.Used+q.Plan, q.Limit, q.Kind), ask}}
	}
	return nil
}
