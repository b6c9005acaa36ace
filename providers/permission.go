package providers

// Permission is one right in AWS that the calls of an adapter need: a row of a
// table by which a policy is written and checked. It is about the policy of the
// role that edgeward runs as, never about a bucket's own.
type Permission struct {
	// Action is IAM's name, such as s3:GetBucketCORS.
	Action string
	// Calls are the operations that ask for it, SERVICE.OPERATION as the SDK has
	// them; none where AWS asks for it on behalf of an operation of another
	// service.
	Calls []string
	// Reads: plan, status and verify need it too. Without it, only the commands
	// that change something do.
	Reads bool
	// On is what its resources are, and If what of a configuration makes it
	// needed.
	On PermissionResource
	If PermissionNeed
	// Source is where AWS says so, besides the Service Authorization Reference,
	// which has the action, its resources and its condition keys.
	Source string
}

// PermissionResource is a kind of resource in a policy.
type PermissionResource string

// The kinds of resources. OnAll is for actions that know no resource.
const (
	OnAll          PermissionResource = "*"
	OnBucket       PermissionResource = "bucket"
	OnObjects      PermissionResource = "objects"
	OnDistribution PermissionResource = "distribution"
	OnCachePolicy  PermissionResource = "cache-policy"
	OnCertificate  PermissionResource = "certificate"
	OnWebACL       PermissionResource = "webacl"
	OnZone         PermissionResource = "hostedzone"
	OnChange       PermissionResource = "change"
	OnRole         PermissionResource = "role"
)

// PermissionNeed is what of a configuration makes a right needed.
type PermissionNeed string

// The needs. All but the last eight are about a bucket of the account.
const (
	IfBucket       PermissionNeed = "a bucket"
	IfRegionAsked  PermissionNeed = "a bucket without a region"
	IfListed       PermissionNeed = "a bucket whose objects are listed"
	IfCertificate  PermissionNeed = "a bucket without a certificate of its own"
	IfNamedCert    PermissionNeed = "a bucket with a certificate of its own"
	IfOwnPolicy    PermissionNeed = "a bucket with edgeward's own cache policy"
	IfChosenPolicy PermissionNeed = "a bucket with a cache policy that somebody chose"
	IfLogging      PermissionNeed = "a distribution that logs"
	IfWebACL       PermissionNeed = "a distribution with a web ACL"
	IfAccessLog    PermissionNeed = "an access log that is read"
	IfCounted      PermissionNeed = "a bucket whose requests edgeward has S3 count"
	IfClosed       PermissionNeed = "a bucket that is locked to its distribution"
	IfLock         PermissionNeed = "the run lock"
	IfLockAsked    PermissionNeed = "the run lock, without a region"
	IfZone         PermissionNeed = "a zone"
	IfZoneSearched PermissionNeed = "a zone without an id"
	IfZoneID       PermissionNeed = "a zone with an id"
	IfRole         PermissionNeed = "an account with a role"
	IfDiscover     PermissionNeed = "discover"
	IfNothing      PermissionNeed = "nothing"
)
