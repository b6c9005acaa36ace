package aws

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/smithy-go"

	"github.com/edgeward/edgeward/providers"
)

// callError is a refused or failed call: what was done to which object, AWS'
// code and message without secrets, and the class.
type callError struct {
	text  string
	hint  string
	class error
	cause error
}

func (e *callError) Error() string { return e.text }

// Hint says what a person can do about it, or "".
func (e *callError) Hint() string { return e.hint }

// Unwrap gives the class and the cause.
func (e *callError) Unwrap() []error {
	if e.class == nil {
		return []error{e.cause}
	}
	return []error{e.class, e.cause}
}

// classes are the codes whose class the rules of classOf do not tell.
// [CloudFront, ACM, S3, STS and Tagging API References: Errors, Common Errors]
var classes = map[string]error{
	"ExpiredToken": providers.ErrCredentials, "ExpiredTokenException": providers.ErrCredentials,
	"InvalidClientTokenId": providers.ErrCredentials, "UnrecognizedClientException": providers.ErrCredentials,
	"InvalidAccessKeyId": providers.ErrCredentials, "SignatureDoesNotMatch": providers.ErrCredentials,
	"InvalidSignatureException": providers.ErrCredentials, "IncompleteSignature": providers.ErrCredentials,
	"IncompleteSignatureException": providers.ErrCredentials, "InvalidToken": providers.ErrCredentials,
	"MissingAuthenticationToken": providers.ErrCredentials, "MissingAuthenticationTokenException": providers.ErrCredentials,
	"AuthFailure": providers.ErrCredentials, "RequestExpired": providers.ErrCredentials,
	"RequestTimeTooSkewed": providers.ErrCredentials, "TokenRefreshRequired": providers.ErrCredentials,
	"InvalidSecurity": providers.ErrCredentials, "NotSignedUp": providers.ErrCredentials,

	"AccessDenied": providers.ErrDenied, "AccessDeniedException": providers.ErrDenied,
	"AllAccessDisabled": providers.ErrDenied, "AccountProblem": providers.ErrDenied,
	"UnauthorizedOperation": providers.ErrDenied, "NotAuthorized": providers.ErrDenied,
	"OptInRequired": providers.ErrDenied,

	"NoSuchDistribution": providers.ErrNotFound, "NoSuchResource": providers.ErrNotFound,
	"NoSuchBucket": providers.ErrNotFound, "NoSuchKey": providers.ErrNotFound, "ResourceNotFoundException": providers.ErrNotFound,
	"EntityNotFound": providers.ErrNotFound,

	"CNAMEAlreadyExists": providers.ErrConflict, "DistributionAlreadyExists": providers.ErrConflict,
	"PreconditionFailed": providers.ErrConflict, "InvalidIfMatchVersion": providers.ErrConflict,
	"OriginAccessControlAlreadyExists": providers.ErrConflict,
	"CachePolicyAlreadyExists":         providers.ErrConflict, "ResourceInUseException": providers.ErrConflict,
	"ConflictException": providers.ErrConflict, "OperationAborted": providers.ErrConflict,
	"ConcurrentModificationException": providers.ErrConflict,

	"TooManyDistributionsAssociatedToCachePolicy": providers.ErrFull,
	"LimitExceededException":                      providers.ErrQuota,
	"ServiceQuotaExceededException":               providers.ErrQuota,
	"EntityLimitExceeded":                         providers.ErrQuota,

	"ValidationException": providers.ErrInvalid, "ValidationError": providers.ErrInvalid,
	"BatchTooLarge": providers.ErrInvalid, "MalformedXML": providers.ErrInvalid, "MalformedPolicy": providers.ErrInvalid,
	"MalformedInput": providers.ErrInvalid, "InconsistentQuantities": providers.ErrInvalid,
	"UnsupportedOperation": providers.ErrInvalid, "ConstraintViolationException": providers.ErrInvalid,
	"PermanentRedirect": providers.ErrInvalid, "AuthorizationHeaderMalformed": providers.ErrInvalid,
	"IllegalLocationConstraintException": providers.ErrInvalid, "TagPolicyException": providers.ErrInvalid,
}

// classOf is the class of an error, nil for a fault of transport or of the
// remote side. A status alone proves nothing: it may be a proxy's.
func classOf(err error) error {
	var missing *credentialsError
	var unsent smithy.InvalidParamsError
	c := code(err)
	switch {
	case errors.As(err, &unsent):
		return providers.ErrInvalid
	case throttled(err):
		return providers.ErrThrottled
	case errors.As(err, &missing) && classes[c] != providers.ErrDenied:
		return providers.ErrCredentials
	}
	if class, ok := classes[c]; ok {
		return class
	}
	switch {
	case strings.HasPrefix(c, "TooMany"):
		return providers.ErrQuota
	case strings.HasPrefix(c, "Invalid"), strings.HasPrefix(c, "Illegal"), strings.HasPrefix(c, "Missing"),
		strings.HasPrefix(c, "NoSuch"), strings.HasPrefix(c, "TrustedSigner"), strings.HasPrefix(c, "TrustedKeyGroup"):
		return providers.ErrInvalid
	}
	return nil
}

// fail makes the error of a call. op is verb and object; action is the IAM
// action that the call needs.
func (c *Client) fail(op, action string, err error) error {
	var done *callError
	if errors.As(err, &done) {
		return err // the configuration's own
	}
	e := &callError{class: classOf(err), cause: err}
	e.text = op + ": " + c.secrets.remove(say(err))
	e.hint = c.hint(e.class, action, err)
	return e
}

// configError is an error of the configuration files or the environment.
func (c *Client) configError(err error) error {
	e := &callError{class: providers.ErrCredentials, cause: err}
	e.text = "load the AWS configuration: " + c.secrets.remove(short(err.Error()))
	e.hint = "correct the file that is named (AWS_CONFIG_FILE, default ~/.aws/config, and AWS_SHARED_CREDENTIALS_FILE, default ~/.aws/credentials)"
	var profile config.SharedConfigProfileNotExistError
	if errors.As(err, &profile) {
		e.text = fmt.Sprintf("load the AWS configuration: there is no profile %q in the shared configuration files", profile.Profile)
		e.hint = "`aws configure list-profiles` shows those that exist; correct `profile` in the aws block, or AWS_PROFILE"
	}
	return e
}

// say is what AWS answered, in one line.
func say(err error) string {
	var missing *credentialsError
	if errors.As(err, &missing) && code(err) == "" {
		return "no valid credentials: " + short(missing.err.Error())
	}
	var api smithy.APIError
	if !errors.As(err, &api) {
		var op *smithy.OperationError
		if errors.As(err, &op) {
			return short(op.Err.Error())
		}
		return short(err.Error())
	}
	text := api.ErrorCode()
	// The message of a wrong signature repeats the signed headers, the session
	// token among them.
	signature := strings.Contains(text, "Signature")
	if m := strings.TrimSpace(api.ErrorMessage()); m != "" && !signature {
		text += ": " + short(m)
	}
	var answer interface{ ServiceRequestID() string }
	if errors.As(err, &answer) && answer.ServiceRequestID() != "" {
		text += " (request " + answer.ServiceRequestID() + ")"
	}
	if throttled(err) {
		text += ", after all retries"
	}
	return text
}

// short makes one line of at most 400 characters.
func short(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > 400 {
		s = strings.ToValidUTF8(s[:400], "") + "…"
	}
	return s
}

func (c *Client) hint(class error, action string, err error) string {
	switch class {
	case providers.ErrCredentials:
		return c.credentialsHint(code(err))
	case providers.ErrDenied:
		var missing *credentialsError
		if errors.As(err, &missing) && c.opts.RoleARN != "" {
			return "allow sts:AssumeRole on " + c.opts.RoleARN + " to the credentials found, and compare external_id with the role's trust policy"
		}
		if action == "" {
			return ""
		}
		return "allow " + action + " to these credentials"
	case providers.ErrThrottled:
		return "another program is probably using the same API of this account; run the command again, what is done is kept"
	}
	return ""
}

func (c *Client) credentialsHint(code string) string {
	where := "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, for temporary ones, AWS_SESSION_TOKEN"
	if c.opts.Profile != "" {
		where = fmt.Sprintf("the profile %q", c.opts.Profile)
	}
	switch code {
	case "ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired":
		return "the session is over: sign in again (`aws sso login` for single sign-on), or put fresh credentials into " + where
	case "RequestTimeTooSkewed":
		return "set the clock of this machine right"
	case "InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId", "InvalidToken":
		return "AWS does not know this access key: correct " + where
	case "SignatureDoesNotMatch", "InvalidSignatureException", "IncompleteSignature", "IncompleteSignatureException":
		return "the secret key does not belong to the access key, or the clock is wrong: correct " + where
	}
	if c.opts.Profile != "" {
		return "sign in (`aws sso login --profile " + c.opts.Profile + "`) or correct " + where
	}
	return "set AWS_PROFILE, or " + where + ", or write `profile` or `role_arn` in an aws block"
}

// credentialsError marks an error of the chain of credentials, so that it is
// told from one of the call that needed them.
type credentialsError struct{ err error }

func (e *credentialsError) Error() string { return e.err.Error() }
func (e *credentialsError) Unwrap() error { return e.err }

// watched passes credentials on and remembers them, to keep them out of
// messages.
type watched struct {
	inner   sdk.CredentialsProvider
	secrets *secrets
}

// Retrieve implements aws.CredentialsProvider.
func (w *watched) Retrieve(ctx context.Context) (sdk.Credentials, error) {
	if w.inner == nil {
		return sdk.Credentials{}, &credentialsError{errors.New("none are configured")}
	}
	// They may need a call of their own, whose attempts are not those of the call
	// that needs them.
	ctx, _ = counting(ctx)
	creds, err := w.inner.Retrieve(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return creds, err
		}
		return creds, &credentialsError{err}
	}
	w.secrets.add(creds.AccessKeyID, creds.SecretAccessKey, creds.SessionToken)
	return creds, nil
}

// secrets are the strings that no message may show.
type secrets struct {
	mu    sync.Mutex
	words map[string]bool
}

func (s *secrets) add(words ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.words == nil {
		s.words = map[string]bool{}
	}
	for _, w := range words {
		if len(w) >= 4 {
			s.words[w] = true
		}
	}
}

// keyShapes are access keys and signed parameters of whomever [IAM User Guide:
// IAM identifiers, Understanding unique ID prefixes].
var keyShapes = regexp.MustCompile(`\b(?:AKIA|ASIA)[A-Z0-9]{12,}\b|(?i:x-amz-security-token|x-amz-signature|signature)[=:]\s*\S+`)

func (s *secrets) remove(text string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for w := range s.words {
		text = strings.ReplaceAll(text, w, "(removed)")
	}
	return keyShapes.ReplaceAllString(text, "(removed)")
}
