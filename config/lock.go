package config

import (
	"slices"
	"time"
)

// DefaultLockAfter is how long the names have been the distribution's before the
// bucket is locked, where lock sets nothing: twice the 72 hours within which a
// change of DNS is said to be everywhere, and a day [CloudFront Developer Guide:
// Adding CloudFront to an existing Amazon S3 bucket].
const DefaultLockAfter = 7 * 24 * time.Hour

// The proofs that nobody reaches the bucket past its distribution any more.
const (
	EvidenceAccessLog = "access-log" // S3's server access log, by the Host of each request
	EvidenceMetrics   = "metrics"    // bounds from the counts of S3 and CloudFront
	EvidenceProbes    = "probes"     // what the resolvers of probe answer
)

// minLockAfter bounds lock.after.
const minLockAfter = time.Hour

func lockShape() shape {
	return shape{what: "a lock block", attrs: []string{"after", "evidence", "keep_404"}}
}

// readLock reads the lock block; without one the bucket stays public.
func (l *loader) readLock(b block, pb *placedBucket) {
	if !b.exists() {
		return
	}
	out := &Lock{After: DefaultLockAfter, Evidence: []string{EvidenceAccessLog, EvidenceMetrics}}
	pb.Lock = out
	if d, _ := b.duration("after", lockAfter); d != nil {
		out.After = *d
	}
	if kinds, set := b.list("evidence", shown, lockEvidence); set {
		out.Evidence = []string{}
		for _, k := range kinds {
			if !slices.Contains(out.Evidence, k.text) {
				out.Evidence = append(out.Evidence, k.text)
			}
		}
		if len(kinds) == 0 && !l.diags.HasErrors() {
			_, at, _ := b.value("evidence", anyType(), shown)
			l.errorf(at, "Unsupported value", "No evidence would be enough, so the bucket could never be locked. Write one or more of %s, or take the lock block out.", quoted(evidences()))
		}
	}
	if keep := b.flag("keep_404"); keep != nil {
		out.Keep404 = *keep
	}
	if pb.Origin == "website" {
		l.errorf(place{rng: b.at}, "Website cannot be locked",
			"CloudFront cannot sign its requests to a website endpoint, so a bucket with origin = \"website\" has to stay public. Take the lock block out of this bucket.")
	}
}

func evidences() []string { return []string{EvidenceAccessLog, EvidenceMetrics, EvidenceProbes} }

// lockAfter: resolvers and clients keep an old address for longer than its TTL.
func lockAfter(d time.Duration) *flaw {
	if d < minLockAfter {
		return flawf("Unsupported value", "\"after\" is %s: visitors who still reach S3 then would be refused. Write at least \"1h\"; \"7d\" is the default.", durationWords(d))
	}
	return nil
}

// lockEvidence judges one element of evidence.
func lockEvidence(s string) *flaw {
	if slices.Contains(evidences(), s) {
		return nil
	}
	f := flawf("Unsupported value", "There is no evidence %q. Write one or more of %s.", s, quoted(evidences()))
	if s == "none" {
		f.detail += " To lock a bucket without any, apply once with -accept-no-evidence."
	}
	return f
}
