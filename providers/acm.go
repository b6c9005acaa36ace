package providers

import (
	"context"
	"time"
)

// Certificates is AWS Certificate Manager in us-east-1, the only region whose
// certificates CloudFront takes [ViewerCertificate, CloudFront API].
type Certificates interface {
	// Covering returns every certificate, ISSUED or PENDING_VALIDATION, of a key
	// type CloudFront can use (RSA_2048, EC_prime256v1), whose names cover all of
	// names; a wildcard covers one label. Answered from a sweep
	// (ListCertificates), described where the summary is truncated and always
	// for those that are pending, so that Tags and Validation are filled there.
	// Those that were requested through this adapter are in the answer whatever
	// became of them, with their Tags. The order is not defined.
	Covering(ctx context.Context, names []string) ([]Certificate, error)
	// Certificate describes one, whatever its status. ErrNotFound.
	Certificate(ctx context.Context, arn string) (Certificate, error)
	// Tags reads the tags of one. ErrNotFound.
	Tags(ctx context.Context, arn string) (map[string]string, error)
	// Request asks for a DNS-validated RSA_2048 certificate and tags it. token
	// is ACM's idempotency token (at most 32 word characters): the same token
	// and names within an hour give the same certificate. ErrQuota, ErrInvalid.
	Request(ctx context.Context, names []string, token string, tags map[string]string) (arn string, err error)
}

// The statuses of an ACM certificate that edgeward tells apart; others are
// passed on as ACM spells them.
const (
	CertificateIssued  = "ISSUED"
	CertificatePending = "PENDING_VALIDATION"
)

// Certificate is an ACM certificate.
type Certificate struct {
	ARN    string
	Status string
	// FailureReason is ACM's code, such as CAA_ERROR, when Status is FAILED.
	FailureReason string
	// Names are all subject alternative names; in what Certificate answers, the
	// certificate's own domain name first.
	Names    []string
	NotAfter time.Time
	KeyType  string
	// Imported: somebody else issued it, so ACM does not renew it.
	Imported bool
	// Tags is nil when the answer did not ask for them.
	Tags map[string]string
	// Validation has one entry a name; Record is empty for some seconds after
	// the request [ACM API Reference: DomainValidation].
	Validation []Validation
}

// Validation is the proof of ownership that ACM wants for one name.
type Validation struct {
	Name   string
	Status string
	// RecordName and RecordValue are the CNAME to create, "" while ACM has not
	// made it yet.
	RecordName, RecordValue string
}
