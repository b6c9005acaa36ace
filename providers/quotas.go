package providers

import "context"

// Quotas tells how much of what a migration uses an account may have, and has.
type Quotas interface {
	// Quotas reads each of kinds once, in their order; one run asks for each only
	// once. Where AWS does not tell a limit, or these credentials may not ask, it is
	// the documented one and Quota.Default says so: that is no error. An error is
	// for usage that could not be counted, or an answer that did not come.
	Quotas(ctx context.Context, kinds ...QuotaKind) ([]Quota, error)
}

// QuotaKind names one quota.
type QuotaKind string

// The quotas that a migration can use up. All but the last two are asked of an
// account.
const (
	// QuotaDistributions is distributions of the account.
	QuotaDistributions QuotaKind = "distributions"
	// QuotaCachePolicies is custom cache policies of the account.
	QuotaCachePolicies QuotaKind = "cache policies"
	// QuotaOriginAccess is origin access controls of the account.
	QuotaOriginAccess QuotaKind = "origin access controls"
	// QuotaCertificates is ACM's certificates in us-east-1, expired ones included.
	QuotaCertificates QuotaKind = "certificates"
	// QuotaCertificatesYear is certificates requested in the last 365 days. Used
	// leaves out those that were deleted since, which count all the same.
	QuotaCertificatesYear QuotaKind = "certificates a year"
	// QuotaCertificateNames is names in one certificate; Used is 0.
	QuotaCertificateNames QuotaKind = "names in a certificate"
	// QuotaAliases is alternate domain names of one distribution; Used is 0.
	QuotaAliases QuotaKind = "alternate domain names"

	// QuotaZoneRecords is records of a hosted zone at Route 53.
	QuotaZoneRecords QuotaKind = "records in a zone"
	// QuotaRecordChanges is writes of records at one provider: no limit, but a time
	// that they take.
	QuotaRecordChanges QuotaKind = "record changes"
)

// Quota is one quota of an account.
type Quota struct {
	Kind QuotaKind
	// Limit is how many there may be, Used how many there are.
	Limit, Used int
	// Default: Limit is the documented default, since AWS did not tell; Why says
	// why.
	Default bool
	Why     string
}

// DocumentedQuota is what AWS' documents say of a quota.
type DocumentedQuota struct {
	// Limit is the default.
	Limit int
	// Service and Code find it in Service Quotas, in us-east-1; "" where the
	// documents name none. Name is how AWS calls it.
	Service, Code, Name string
}

// Documented is what AWS' documents say of the quota [CloudFront Developer Guide:
// Quotas; AWS General Reference: CloudFront, ACM and Route 53 endpoints and
// quotas; ACM User Guide: Quotas; Route 53 Developer Guide: Quotas].
func (k QuotaKind) Documented() DocumentedQuota {
	switch k {
	case QuotaDistributions:
		return DocumentedQuota{500, "cloudfront", "L-24B04930", "Web distributions per AWS account"}
	case QuotaCachePolicies:
		return DocumentedQuota{20, "cloudfront", "L-7D134442", "Cache policies per AWS account"}
	case QuotaOriginAccess:
		return DocumentedQuota{100, "", "", "Origin access controls per AWS account"}
	case QuotaCertificates:
		return DocumentedQuota{2500, "acm", "L-F141DD1D", "ACM certificates"}
	case QuotaCertificatesYear:
		return DocumentedQuota{5000, "acm", "L-DA1D8B98", "ACM certificates created in last 365 days"}
	case QuotaCertificateNames:
		return DocumentedQuota{10, "acm", "L-FB94F0B0", "Domain names per ACM certificate"}
	case QuotaAliases:
		return DocumentedQuota{100, "", "", "Alternate domain names (CNAMEs) per distribution"}
	case QuotaZoneRecords:
		return DocumentedQuota{10000, "", "", "Records per hosted zone"}
	}
	return DocumentedQuota{}
}
