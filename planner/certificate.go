package planner

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/providers"
)

// wantedAliases are the names that the distribution must hold: those of the
// configuration, and those it has, which visitors may use.
func wantedAliases(b config.Bucket, a Actual) []string {
	names := slices.Clone(b.Names())
	if a.Dist != nil {
		names = append(names, a.Dist.Settings.Aliases...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// missing are the names that are not in have.
func missing(have, names []string) []string {
	var out []string
	for _, n := range names {
		if !slices.Contains(have, n) {
			out = append(out, n)
		}
	}
	return out
}

// uncovered are the names that a certificate's names do not cover; a wildcard
// covers one label [CloudFront Developer Guide, "Using custom URLs"].
func uncovered(c providers.Certificate, names []string) []string {
	var out []string
	for _, n := range names {
		if !slices.ContainsFunc(c.Names, func(s string) bool { return s == n || coversAny(s, []string{n}) }) {
			out = append(out, n)
		}
	}
	return out
}

// chooseCertificate follows rule 12: a usable issued one of the latest expiry,
// then the ARN; else our own pending one, known by tag and exact names. A
// foreign pending one is never waited for.
//
// One that buckets share is ours as long as all its names are among sharing: a
// name that left would keep it from being issued.
func chooseCertificate(b config.Bucket, names, sharing []string, certs []providers.Certificate, now time.Time) *providers.Certificate {
	var usable, ours, shared []providers.Certificate
	for _, c := range certs {
		switch {
		case len(uncovered(c, names)) > 0:
		case c.Status == providers.CertificateIssued:
			if c.NotAfter.After(now.Add(tooOld)) {
				usable = append(usable, c)
			}
		case c.Tags[providers.TagBucket] == b.Name && sameNames(c.Names, names):
			ours = append(ours, c)
		case strings.HasPrefix(c.Tags[providers.TagBucket], sharedTag) && missing(sharing, c.Names) == nil:
			shared = append(shared, c)
		}
	}
	slices.SortFunc(shared, func(x, y providers.Certificate) int { return strings.Compare(x.ARN, y.ARN) })
	ours = append(ours, shared...)
	best := func(cs []providers.Certificate) *providers.Certificate {
		slices.SortFunc(cs, func(x, y providers.Certificate) int {
			if d := y.NotAfter.Compare(x.NotAfter); d != 0 {
				return d
			}
			return strings.Compare(x.ARN, y.ARN)
		})
		return &cs[0]
	}
	if len(usable) > 0 {
		return best(usable)
	}
	slices.SortStableFunc(ours, func(x, y providers.Certificate) int { return rankStatus(x) - rankStatus(y) })
	if len(ours) > 0 {
		return &ours[0]
	}
	return nil
}

// A certificate that expires within tooOld is not chosen: ACM renews its own 60 days
// before, so that one will not be [ACM User Guide, "Managed certificate renewal"].
// Within expiresSoon it is told.
const (
	tooOld      = 7 * 24 * time.Hour
	expiresSoon = 30 * 24 * time.Hour
)

// expiring says that an issued certificate expires soon.
func expiring(c providers.Certificate, now time.Time) bool {
	return c.Status == providers.CertificateIssued && !c.NotAfter.IsZero() && !c.NotAfter.After(now.Add(expiresSoon))
}

// renewWords say what becomes of an expiring certificate.
func renewWords(c providers.Certificate) string {
	if c.Imported {
		return "it was imported, and ACM renews no such certificate: import its successor under the same ARN"
	}
	return "ACM renews a certificate that is in use 60 days before, so something keeps it from that: look whether its validation record stands"
}

func expiryFinding(c providers.Certificate) Finding {
	return Finding{Warning, "certificate-expires", "the certificate expires on " + c.NotAfter.UTC().Format(time.DateOnly),
		c.ARN + ": " + renewWords(c) + ". From that day on visitors of https get an error"}
}

// rankStatus prefers a pending certificate of ours to one that failed.
func rankStatus(c providers.Certificate) int {
	if c.Status == providers.CertificatePending {
		return 0
	}
	return 1
}

func sameNames(x, y []string) bool {
	x, y = slices.Clone(x), slices.Clone(y)
	slices.Sort(x)
	slices.Sort(y)
	return slices.Equal(slices.Compact(x), slices.Compact(y))
}

// checkCertificateRequest: a certificate in us-east-1 covers every name.
func checkCertificateRequest(b config.Bucket, a Actual) Verdict {
	switch {
	case a.switched() || !a.has(PartCertificate):
		return done("the distribution has a certificate that covers its names")
	case a.Chosen != nil && a.Chosen.Status == providers.CertificateIssued:
		return done("certificate " + a.Chosen.ARN + " covers the names")
	case a.Chosen != nil:
		return done("certificate " + a.Chosen.ARN + " is requested")
	case b.CertificateARN != "":
		return failed("certificate " + b.CertificateARN + " does not exist")
	case forbidden(b, a) != "":
		return failed(forbidden(b, a))
	}
	names := requested(b, a)
	why := "ACM in us-east-1 has no usable certificate for " + strings.Join(wantedAliases(b, a), ", ")
	if a.Shared != nil {
		why += fmt.Sprintf("; one for %d names is shared", len(names))
	}
	v := todo(why, ValueChange{Path: "certificate", After: strings.Join(names, ", ")})
	v.Undo = "nothing to undo: an unused certificate costs nothing"
	return v
}

func requestCertificate(ctx context.Context, s scene) error {
	names := requested(s.b, s.a)
	account, err := s.acc.Identity.AccountID(ctx)
	if err != nil {
		return err
	}
	// The same token and names within an hour give the same certificate, so a
	// request whose answer was lost makes no second one [ACM API:
	// RequestCertificate, IdempotencyToken].
	whose := s.b.Name
	if s.a.Shared != nil {
		whose = sharedTag + digest(names...)[:12]
	}
	token := digest("certificate", account, whose, strings.Join(names, " "))[:32]
	tags := map[string]string{providers.TagBucket: whose}
	if _, err := s.acc.Certificates.Request(ctx, names, token, tags); err != nil {
		return providers.Doing(err, "request a certificate for %s", strings.Join(names, ", "))
	}
	return nil
}

// checkCertificateValidate: every authoritative server answers with the
// validation records.
func checkCertificateValidate(b config.Bucket, a Actual) Verdict {
	c := a.Chosen
	switch {
	case a.switched() || !a.has(PartCertificate) || c != nil && c.Status == providers.CertificateIssued || b.CertificateARN != "":
		return done("the certificate is issued")
	case c == nil:
		v := todo("ACM issues the certificate once it finds its validation record", unnamedValidations(b, a)...)
		v.Undo = undoValidation
		v.ByHand = validationsByHand(a)
		return v
	case len(c.Validation) == 0:
		v := waiting("ACM has not named the validation records yet")
		v.Changes = unnamedValidations(b, a)
		return v
	}
	v := done("the validation records answer")
	for _, val := range a.Validations {
		if next, bad := judgeValidation(val); bad {
			if v.Status != Todo {
				v.Status, v.Why = next.Status, next.Why
			}
			v.Changes = append(v.Changes, next.Changes...)
		}
	}
	v.Undo = undoValidation
	if v.Status == Todo {
		v.ByHand = validationsByHand(a)
	}
	return v
}

const undoValidation = "leave the record: renewals of the certificate use it"

// unnamedValidations are the records that ACM will name.
func unnamedValidations(b config.Bucket, a Actual) []ValueChange {
	names := a.Shared
	if c := a.Chosen; c != nil {
		for _, v := range a.Validations {
			names = append(names, config.CNAME{Name: v.Name, Zone: v.zone, DNSProvider: v.provider})
		}
	}
	if names == nil {
		names = b.CNAMEs
	}
	var out []ValueChange
	for _, n := range names {
		out = append(out, validationChange(n.Name, n.Zone, n.DNSProvider, knownAfter(CertificateRequest)))
	}
	return out
}

func validationChange(name, zone, provider, record string) ValueChange {
	return ValueChange{Path: "validation record for " + name, After: fmt.Sprintf("CNAME in zone %s at %s %s", zone, provider, record)}
}

// judgeValidation says what one validation record lacks; false when nothing.
func judgeValidation(v validationActual) (Verdict, bool) {
	switch {
	case v.Status == "SUCCESS":
		return Verdict{}, false
	case v.provider == "":
		return failed("the distribution's name " + v.Name + " is in no bucket block, so its validation record has no DNS provider; add it to cnames, or set certificate { arn }"), true
	case v.RecordName == "":
		w := waiting("ACM has not named the validation record for " + v.Name + " yet")
		w.Changes = []ValueChange{validationChange(v.Name, v.zone, v.provider, knownAfter(CertificateRequest))}
		return w, true
	}
	var lacks []string
	for _, a := range v.answers {
		if !answersWith(a, v.RecordValue) {
			lacks = append(lacks, a.Server+" answers "+says(a))
		}
	}
	switch {
	case lacks == nil && (!v.others || v.stands || v.unseen != nil):
		return Verdict{}, false
	case v.unseen != nil:
		w := waiting(v.unseen.Error())
		w.Changes = []ValueChange{validationChange(v.Name, v.zone, v.provider, v.RecordName+" "+v.RecordValue)}
		return w, true
	case !v.stands:
		return todo("the validation record "+v.RecordName+" does not stand yet",
			validationChange(v.Name, v.zone, v.provider, v.RecordName+" "+v.RecordValue)), true
	}
	return waiting("validation record " + v.RecordName + ": " + strings.Join(lacks, "; ")), true
}

func validateCertificate(ctx context.Context, s scene) error {
	// Of a shared certificate each bucket makes its own names' records first: by
	// then the others have mostly made theirs.
	own := slices.ContainsFunc(s.a.Validations, func(v validationActual) bool { return !v.others && v.missing() })
	var asked []error
	for _, v := range s.a.Validations {
		if !v.missing() || own && v.others {
			continue
		}
		err := s.w.DNS[v.provider].Ensure(ctx, v.record(), v.RecordName)
		var hand *providers.ByHandError
		switch {
		case errors.As(err, &hand):
			asked = append(asked, hand)
		case err != nil:
			return providers.Doing(err, "create the validation record %s", v.RecordName)
		}
	}
	return allByHand(asked)
}

// missing: it is named, and does not stand at its provider.
func (v validationActual) missing() bool {
	return v.Status != "SUCCESS" && v.RecordName != "" && v.provider != "" && !v.stands
}

// record is the validation record itself.
func (v validationActual) record() providers.Record {
	return providers.Record{Type: "CNAME", Value: v.RecordValue, TTL: validationTTL}
}

// validationsByHand are the rows that a person has to add for a certificate.
func validationsByHand(a Actual) []string {
	var rows []string
	for _, n := range a.Names {
		if !n.Features.ByHand {
			continue
		}
		i := slices.IndexFunc(a.Validations, func(v validationActual) bool { return v.Name == n.CNAME.Name })
		switch {
		case i < 0 || a.Validations[i].RecordName == "":
			rows = append(rows, "add the validation record of "+n.CNAME.Name+" "+knownAfter(CertificateRequest))
		case !a.Validations[i].stands:
			v := a.Validations[i]
			rows = append(rows, providers.ByHand(v.RecordName, nil, []providers.Record{v.record()}))
		}
	}
	return rows
}

// validationTTL is what ACM's own "create records in Route 53" uses.
const validationTTL = 300 * time.Second

// checkCertificateIssued: ACM says ISSUED.
func checkCertificateIssued(b config.Bucket, a Actual) Verdict {
	if a.switched() || !a.has(PartCertificate) {
		return done("the distribution has a certificate that covers its names")
	}
	c := a.Chosen
	if c == nil {
		v := waiting("ACM issues the certificate, mostly within minutes of the validation record")
		v.Expect = expectIssued
		return v
	}
	switch c.Status {
	case providers.CertificateIssued:
		return done("certificate " + c.ARN + " is issued")
	case providers.CertificatePending:
		v := waiting("ACM has not validated " + strings.Join(unvalidated(*c), ", ") + " yet")
		v.Expect = expectIssued
		return v
	}
	why := "certificate " + c.ARN + " is " + c.Status
	if c.FailureReason != "" {
		why += " (" + c.FailureReason + ")"
	}
	if c.FailureReason == "CAA_ERROR" {
		why += ": a CAA record forbids Amazon to issue; add one with the value 0 issue \"amazon.com\""
	}
	return failed(why)
}

func unvalidated(c providers.Certificate) []string {
	var out []string
	for _, v := range c.Validation {
		if v.Status != "SUCCESS" {
			n := v.Name
			if v.RecordName != "" {
				n += " (by " + v.RecordName + ")"
			}
			out = append(out, n)
		}
	}
	if out == nil {
		out = c.Names
	}
	return out
}

// certificateFindings are what a reader should know of the certificates before
// anything is done.
func certificateFindings(b config.Bucket, a Actual) []Finding {
	fs := sharedFindings(b, a)
	names := wantedAliases(b, a)
	if b.CertificateARN != "" && a.Chosen != nil {
		return configuredCertificate(*a.Chosen, names, a.Now)
	}
	if a.Chosen != nil && expiring(*a.Chosen, a.Now) {
		fs = append(fs, expiryFinding(*a.Chosen))
	}
	for _, c := range a.Certs {
		if c.Status == providers.CertificatePending && c.Tags[providers.TagBucket] != b.Name && a.Chosen == nil {
			fs = append(fs, Finding{Note, "certificate-pending", "a pending certificate covers the names and is not used",
				c.ARN + " is not edgeward's and may never be issued; edgeward requests its own. Once it is issued, a later plan uses it"})
		}
	}
	return fs
}

// configuredCertificate judges the one that certificate { arn } names.
func configuredCertificate(c providers.Certificate, names []string, now time.Time) []Finding {
	bad := func(code, summary, detail string) []Finding {
		return []Finding{{Error, code, summary, detail}}
	}
	switch un := uncovered(c, names); {
	case len(un) > 0:
		return bad("certificate-does-not-cover", "the certificate does not cover "+strings.Join(un, ", "),
			fmt.Sprintf("%s covers %s; CloudFront refuses an alternate domain name that the certificate does not cover. Name another in certificate { arn }, or leave it out and edgeward requests one", c.ARN, strings.Join(c.Names, ", ")))
	case c.Status == providers.CertificatePending:
		return bad("certificate-pending", "the certificate is not issued yet",
			c.ARN+" is PENDING_VALIDATION: it waits for "+strings.Join(unvalidated(c), ", ")+". edgeward does not touch a certificate it did not request; create those records, or leave certificate { arn } out")
	case c.Status == "EXPIRED" || !c.NotAfter.IsZero() && !c.NotAfter.After(now):
		return bad("certificate-expired", "the certificate is expired",
			c.ARN+" expired on "+c.NotAfter.UTC().Format(time.DateOnly)+"; name another in certificate { arn }, or leave it out and edgeward requests one")
	case c.Status != providers.CertificateIssued:
		return bad("certificate-unusable", "the certificate is "+c.Status,
			c.ARN+" cannot be used; name an ISSUED one in certificate { arn }, or leave it out and edgeward requests one")
	case expiring(c, now):
		return []Finding{expiryFinding(c)}
	}
	return nil
}

// digest is a stable short name for parts.
func digest(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// bucketUnread is the finding about a bucket that could not be read.
func bucketUnread(b config.Bucket, err error) Finding {
	if errors.Is(err, providers.ErrNotFound) {
		return Finding{Error, "bucket-missing", "bucket " + b.Name + " does not exist",
			"S3 knows no bucket of this name; correct name, or remove the block. A record that points at a bucket that is gone can be taken over by anybody who creates it"}
	}
	return Finding{Error, "bucket-denied", "bucket " + b.Name + " may not be read",
		fmt.Sprintf("it exists, but S3 refuses: %v. It may be in another account: name that account with aws = aws.NAME; or the role lacks the right", err)}
}
