package planner

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/edgeward/edgeward/providers"
)

// maxEvidenceFiles bounds how much of an access log is read.
const maxEvidenceFiles = 2000

// longestDelivery is how far behind an access log may be: S3 delivers most of it
// within a few hours, and one that has ended says nothing of now.
const longestDelivery = 24 * time.Hour

// signedWindow is how long an access log has to show that CloudFront fetches with
// a signature alone, if lock.after is not shorter: what it fetches without one may
// be another account's distribution, and nothing but its absence tells.
const signedWindow = 24 * time.Hour

// logLead is how long before the window the log is read too: it has to have begun
// by then, for one that was switched on within the window says nothing of the time
// before.
const logLead = 24 * time.Hour

// logPause is how long a log that has to go on is left alone.
const logPause = 10 * time.Minute

// reader is who made a request, by what a lock would do to it.
type reader int

const (
	unharmed    reader = iota // a lock refuses it no more than S3 does today
	signedFetch               // CloudFront's
	plainFetch                // CloudFront's, without a signature
	directRequest
	oddLine // nothing is known of it
)

// logReader tells who made the requests of an access log.
type logReader struct {
	// origin is what the bucket's own distribution fetches from.
	origin string
	// account is the bucket's account by its number.
	account string
	// signs is since when every edge signs, zero while they do not.
	signs time.Time
}

// of judges one request. Whatever is not known to be let in by a locked bucket is
// direct: the own account and AWS' services are [S3 User Guide: Blocking public
// access, RestrictPublicBuckets], and other accounts are not, whatever the policy
// grants them. A preflight is answered without any right, and S3 itself asks for
// none.
func (r logReader) of(e providers.LogEntry) reader {
	refused := e.Status >= 400 && e.Status < 500 && e.Status != http.StatusPreconditionFailed && e.Status != http.StatusRequestedRangeNotSatisfiable
	own := e.Host == r.origin && strings.HasPrefix(e.Operation, "REST.") && e.UserAgent == cloudFrontAgent
	switch {
	case e.Operation == "":
		return oddLine
	case strings.HasPrefix(e.Operation, "S3."), strings.Contains(e.Operation, ".OPTIONS."), refused:
		return unharmed
	case e.Signer == providers.SignerCloudFront:
		return signedFetch
	case e.Signer == providers.SignerOwner, e.Signer == r.account && r.account != "", strings.HasSuffix(e.Signer, ".amazonaws.com"):
		return unharmed
	case e.Signed:
		return directRequest
	case strings.HasPrefix(e.UserAgent, "edgeward"): // our own looks
		return unharmed
	case own && (r.signs.IsZero() || !e.Time.After(r.signs)):
		return plainFetch
	}
	return directRequest
}

// logLooked is what an access log has of the window.
type logLooked struct {
	signed, plain, direct, odd int
	last, newest               time.Time
	// first is the oldest request, also of the lead.
	first time.Time
	// by is whom the last direct request was for, or by.
	by string
}

func (l *logLooked) add(e providers.LogEntry, r reader) {
	l.seen(e)
	if e.Operation != "" && e.Time.After(l.newest) {
		l.newest = e.Time
	}
	switch r {
	case signedFetch:
		l.signed++
	case plainFetch:
		l.plain++
	case oddLine:
		l.odd++
	case directRequest:
		l.direct++
		if !e.Time.Before(l.last) {
			l.last, l.by = e.Time, askedBy(e)
		}
	}
}

// seen counts a request for when the log began alone.
func (l *logLooked) seen(e providers.LogEntry) {
	if e.Operation != "" && (l.first.IsZero() || e.Time.Before(l.first)) {
		l.first = e.Time
	}
}

// askedBy says whose a direct request was.
func askedBy(e providers.LogEntry) string {
	host := fmt.Sprintf("for host %q", e.Host)
	switch {
	case e.Signed && len(e.Signer) == 12:
		return host + ", signed by account " + e.Signer
	case e.Signed:
		return host + ", signed by somebody outside the account"
	case e.UserAgent == cloudFrontAgent:
		return host + ", by another distribution of CloudFront's"
	}
	return host
}

// logEvidence reads the access log by who made each request. CloudFront's own
// fetches are the control: a log without them says nothing.
func (o *observer) logEvidence(ctx context.Context, x *accessActual) (evidence, error) {
	if o.a.Bucket == nil || o.a.Bucket.Log.Bucket == "" {
		return evidence{why: "the bucket has no access log"}, nil
	}
	since := o.window()
	r := logReader{origin: strings.ToLower(o.a.Dist.Settings.OriginDomain), account: x.AccountID}
	if m := o.a.Crumbs.lock(); m.state == lockReady || m.state == lockBegun {
		r.signs = m.at
	}
	var l logLooked
	files, err := o.acc.Buckets.AccessLog(ctx, *o.a.Bucket, since.Add(-logLead), maxEvidenceFiles, func(e providers.LogEntry) {
		if !e.Time.Before(since) {
			l.add(e, r.of(e))
		} else {
			l.seen(e)
		}
	})
	switch {
	case errors.Is(err, providers.ErrNotFound), errors.Is(err, providers.ErrDenied):
		return evidence{why: "the access log could not be read: " + err.Error()}, nil
	case err != nil:
		return evidence{}, providers.Doing(err, "read the access log of %s", o.b.Name)
	}
	return l.judge(since, o.a.Now, files, r.signs, min(signedWindow, o.b.Lock.After)), nil
}

// judge says what the requests since a time show, of files log objects; signs is
// since when every edge signs, and for as long as alone the log has to have no
// other fetch.
func (l logLooked) judge(since, now time.Time, files int, signs time.Time, alone time.Duration) evidence {
	e := evidence{direct: l.direct, last: l.last}
	span, signed := "since "+writeTime(since), signs.Add(alone)
	switch {
	case l.direct > 0:
		e.why = fmt.Sprintf("the access log has %s %s, the last at %s %s", plural(l.direct, "direct request", "direct requests"), span, writeTime(l.last), l.by)
	case l.signed+l.plain == 0:
		e.why = fmt.Sprintf("the access log says nothing %s, not even of CloudFront's own fetches", span)
	case l.odd > 0:
		e.why = fmt.Sprintf("%s of the access log %s could not be read", plural(l.odd, "line", "lines"), span)
	case l.newest.Before(now.Add(-longestDelivery)):
		e.why = "the access log ends at " + writeTime(l.newest)
	case files >= maxEvidenceFiles:
		e.why = "the access log is too long to be read back to " + writeTime(since)
	case l.first.After(since):
		full := l.first.Add(evidenceWindow)
		e.why, e.until = fmt.Sprintf("the access log begins at %s and says nothing of the time before; it shows %s at %s", writeTime(l.first), shortDuration(evidenceWindow), writeTime(full)), later(full, now.Add(logPause))
	case !signs.IsZero() && l.plain > 0 && l.newest.Before(signed):
		e.why = fmt.Sprintf("the access log ends at %s, and until it reaches %s, what CloudFront fetched without a signature could be another account's distribution", writeTime(l.newest), writeTime(signed))
		if now.Before(signed.Add(longestDelivery)) {
			e.until = later(signed, now.Add(logPause))
		}
	default:
		e.proves, e.why = true, fmt.Sprintf("the access log has %s and no direct request %s", plural(l.signed+l.plain, "fetch of CloudFront's", "fetches of CloudFront's"), span)
	}
	return e
}

func later(x, y time.Time) time.Time {
	if x.After(y) {
		return x
	}
	return y
}
