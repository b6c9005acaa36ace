package providers

import "context"

// Access is who may read a bucket: what locking one changes.
type Access interface {
	// Policy reads the bucket's policy anew, "" without one. ErrNotFound (no such
	// bucket), ErrDenied.
	Policy(ctx context.Context, bucket, region string) (string, error)
	// PutPolicy replaces the bucket's policy; "" removes it. S3 has no compare and
	// swap for it: read it just before and after. ErrInvalid (MalformedPolicy),
	// ErrDenied, also when BlockPublicPolicy forbids it.
	PutPolicy(ctx context.Context, bucket, region, policy string) error
	// Block reads the bucket's public access block anew, nil when it has none.
	Block(ctx context.Context, bucket, region string) (*PublicAccessBlock, error)
	// PutBlock replaces it; nil removes it.
	PutBlock(ctx context.Context, bucket, region string, b *PublicAccessBlock) error
	// AccountBlock is the account's own public access block, which holds for all its
	// buckets besides theirs; nil when it has none [S3 Control API:
	// GetPublicAccessBlock].
	AccountBlock(ctx context.Context) (*PublicAccessBlock, error)
	// Readers are the account's distributions that fetch from the bucket, or may, in
	// any of their origins, sorted by ID; from a sweep. An origin that is S3 itself and
	// names no bucket may be any.
	Readers(ctx context.Context, bucket string) ([]Reader, error)
	// OriginAccess lists the account's origin access controls, with the number of its
	// distributions that use each, from sweeps.
	OriginAccess(ctx context.Context) ([]OriginAccess, error)
	// CreateOriginAccess makes one for S3 that signs always (sigv4). ErrConflict when
	// the name exists (OriginAccessControlAlreadyExists); ErrQuota at 100 an account.
	CreateOriginAccess(ctx context.Context, name string) (OriginAccess, error)
}

// OriginAccess is an origin access control.
type OriginAccess struct {
	ID, Name string
	// Signs: it is for S3 and signs every request; any other is never used.
	Signs bool
	// InUse is how many distributions of the account use it; one may have 100
	// [CloudFront quotas].
	InUse int
}

// Reader is a distribution that fetches from a bucket.
type Reader struct {
	ID string
	// Origins is how many of its origins are the bucket, by whatever endpoint; each
	// signs, or does not, by itself.
	Origins int
}
