package providers

import "context"

// Quotas tells how much of what a migration uses an account may have, and has.
type Quotas interface {
	// Quotas reads each quota of QuotaKinds once. Where AWS does not tell a limit, or
	// these credentials may not ask, it is the documented default and Quota.Default
	// says so: that is no error. An error is for usage that could not be counted.
	Quotas(ctx context.Context) ([]Quota, error)
}

// QuotaKind names one quota of an account.
type QuotaKind string

// The quotas that a migration can use up.
const (
	// QuotaDistributions is distributions of the account [CloudFront quotas].
	QuotaDistributions QuotaKind = "distributions"
	// QuotaCachePolicies is custom cache policies of the account.
	QuotaCachePolicies QuotaKind = "cache policies"
	// QuotaOriginAccess is origin access controls of the account.
	QuotaOriginAccess QuotaKind = "origin access controls"
	// QuotaCertificates is ACM certificates in us-east-1, expired ones included.
	QuotaCertificates QuotaKind = "certificates"
	// QuotaCertificatesYear is certificates requested in the last 365 days.
	QuotaCertificatesYear QuotaKind = "certificates a year"
	// QuotaCertificateNames is names in one certificate; Used is 0.
	QuotaCertificateNames QuotaKind = "names in a certificate"
	// QuotaAliases is alternate domain names of one distribution; Used is 0.
	QuotaAliases QuotaKind = "alternate domain names"
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
