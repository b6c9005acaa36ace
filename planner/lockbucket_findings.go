package planner

import (
	"fmt"
	"slices"
	"strings"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/providers"
)

// lockFailure is what a bucket is told whose lock was taken back.
func lockFailure(b config.Bucket, m lockMark) Finding {
	return Finding{Error, "lock-failed", "the lock of bucket " + b.Name + " was taken back at " + writeTime(m.at),
		"a link was refused. Find out why the bucket refuses its distribution (a Deny of its policy, a key of KMS, another owner); then edgeward apply -retry='" + b.Address + "', or take the lock block out"}
}

// lockFindings are what a reader should know about the lock of a bucket.
func lockFindings(b config.Bucket, a Actual) []Finding {
	mark := a.Crumbs.lock()
	switch {
	case b.Lock == nil && a.Crumbs.locked():
		return []Finding{{Warning, "lock-unasked", "bucket " + b.Name + " is locked, and the configuration does not ask for it",
			"it stays so until: edgeward unlock-bucket '" + b.Address + "'. That and a way back need rights that edgeward iam-policy -unlock=" + b.Name + " prints; without it, it prints those of buckets with a lock block alone"}}
	case b.Lock == nil || mark.state == lockDone:
		return nil
	case mark.state == lockFailed && !a.Retry:
		return []Finding{lockFailure(b, mark)}
	case a.lateBlock() && !a.Retry:
		return []Finding{{Warning, "lock-lifted", "bucket " + b.Name + " is closed by a lock that was given up at " + writeTime(mark.at),
			"the block of a run came late; to open it: edgeward unlock-bucket '" + b.Address + "'"}}
	case a.lifted() && !a.Retry:
		return []Finding{{Note, "lock-lifted", "bucket " + b.Name + " was unlocked by hand at " + writeTime(mark.at),
			"it stays public until: edgeward apply -retry='" + b.Address + "'"}}
	}
	return slices.Concat(lockRefusals(b, a), evidenceFindings(b, a), lockNotes(b, a))
}

// lockRefusals say why a bucket cannot be locked.
func lockRefusals(b config.Bucket, a Actual) []Finding {
	var fs []Finding
	bad := func(code, summary, detail string) { fs = append(fs, Finding{Error, code, summary, detail}) }
	if b.Lock == nil {
		return nil
	}
	kind := originKind(b, a)
	if a.Dist != nil && a.switched() {
		kind = a.Dist.Settings.OriginKind
	}
	if kind == providers.WebsiteOrigin {
		bad("lock-website", "bucket "+b.Name+" is served as a website and cannot be locked",
			"CloudFront cannot sign its requests to a website endpoint; take the lock block out")
		return fs
	}
	x := a.Access
	if x == nil || a.blocking() {
		return fs
	}
	if _, err := openings(b.Name, x.Policy); err != nil {
		bad("lock-policy", "what everybody may read of bucket "+b.Name+" cannot be told from its policy",
			err.Error()+". The distribution would have to be let read exactly that, and no more: give the policy one Allow for everybody without conditions, or take the lock block out")
	}
	if !x.Lockable || a.Bucket == nil {
		return fs
	}
	own := a.Bucket.Block
	switch acc := x.Account; {
	case acc != nil && (acc.BlockPublicPolicy || acc.IgnorePublicACLs || acc.RestrictPublicBuckets):
		bad("lock-blocked", "the account blocks public access to all its buckets ("+blockWords(*acc)+")",
			"these flags hold whatever a bucket's own say, so edgeward can neither lock a bucket nor open it again; take them off the account, or take the lock block out")
	case own.BlockPublicPolicy && !closes(x.Block):
		bad("lock-blocked", "bucket "+b.Name+" refuses public policies (BlockPublicPolicy)",
			"its policy is public, and could not be written again with one statement more; take that flag off, or take the lock block out")
	}
	switch {
	case a.Bucket.ACLsEnabled:
		bad("lock-acls", "objects of bucket "+b.Name+" may be somebody else's",
			"a bucket policy does not cover objects that another account owns, and visitors of those would be refused. Set the bucket's object ownership to BucketOwnerEnforced, or take the lock block out")
	case a.switched() && a.Bucket.RequesterPays:
		bad("requester-pays", "bucket "+b.Name+" makes the requester pay", "CloudFront does not pay for requests; switch requester pays off")
	}
	if len(x.Encrypted) > 0 {
		bad("lock-encrypted", fmt.Sprintf("%q and other objects are encrypted by a key of KMS", x.Encrypted[0]),
			"CloudFront needs a right on the key itself, which edgeward does not give. Encrypt the objects by S3's own keys (SSE-S3), or take the lock block out")
	}
	if x.Unread != nil {
		bad("lock-encrypted", "how the objects of bucket "+b.Name+" are encrypted could not be read", x.Unread.Error())
	}
	return slices.Concat(fs, otherReaders(b, a), policyRefusals(b, a))
}

// otherReaders are origins that fetch as everybody does: of other distributions,
// and those of the bucket's own that its default behaviour does not use.
func otherReaders(b config.Bucket, a Actual) []Finding {
	var fs []Finding
	var others []string
	for _, r := range a.Access.Readers {
		switch {
		case a.Dist == nil || r.ID != a.Dist.ID:
			others = append(others, r.ID)
		case r.Origins > 1:
			fs = append(fs, Finding{Error, "lock-readers", fmt.Sprintf("distribution %s fetches from bucket %s by %d origins", r.ID, b.Name, r.Origins),
				"edgeward has only the origin of its default behaviour sign; what the others fetch would be refused. Have all behaviours use that origin, or take the lock block out"})
		}
	}
	if len(others) > 0 {
		fs = append(fs, Finding{Error, "lock-readers", "distribution " + strings.Join(others, ", ") + " fetches from bucket " + b.Name + " too",
			"it reads as everybody does, and its visitors would be refused. Have it sign with a statement of its own in the policy, or point it elsewhere, or take the lock block out"})
	}
	return fs
}

// lockNotes say what a lock changes for visitors.
func lockNotes(b config.Bucket, a Actual) []Finding {
	if a.Access == nil || !a.Access.Lockable || a.Crumbs.lock().state == lockBegun {
		return nil
	}
	o, err := openings(b.Name, a.Access.Policy)
	if err != nil {
		return nil
	}
	var fs []Finding
	switch {
	case o.lists && !b.Lock.Keep404:
		fs = append(fs, Finding{Warning, "lock-404", "a missing object is a 404 today, and will be a 403",
			"without the right to list, S3 does not say what is missing. lock { keep_404 = true } keeps the 404, and with it the listing at / that everybody has today"})
	case o.lists && asked(b.Distribution.DefaultRootObject) == "":
		fs = append(fs, Finding{Warning, "lock-lists", "/ goes on listing the bucket, through CloudFront",
			"keep_404 lets the distribution list the bucket, as everybody may today; distribution { default_root_object = … } has something else answer at /"})
	case b.Lock.Keep404 && !o.lists:
		fs = append(fs, Finding{Note, "lock-404", "a missing object is a 403 today, and stays one",
			"keep_404 keeps what is there: nobody may list the bucket, so nothing is let list it"})
	}
	if a.Bucket != nil && a.Bucket.Website != nil {
		fs = append(fs, Finding{Warning, "lock-endpoint", "the website endpoint of bucket " + b.Name + " will refuse everybody",
			"the names are served from the REST endpoint, which the distribution signs for; whoever uses the website endpoint under its own address gets 403. An access log tells whether anybody does"})
	}
	return append(fs, Finding{Warning, "lock-overrides", "links may set headers of the answer once CloudFront signs",
		"S3 refuses ?response-content-type=… and its like (400) to those who do not sign; through a distribution that signs they work, unless the cache policy leaves queries out. Keep them out with a web ACL if links of strangers matter"})
}

// lockDrift is what of a lock was changed by hand since.
func lockDrift(b config.Bucket, a Actual) []Drift {
	x := a.Access
	if x == nil || a.Crumbs.lock().state != lockDone {
		return nil
	}
	var out []Drift
	if !closes(x.Block) {
		want := lockedBlock(x.Block)
		out = append(out, Drift{pathBlock, showBlock(&want), showBlock(x.Block),
			"everybody reads the bucket past its distribution: set the two flags again by hand, or edgeward unlock-bucket '" + b.Address + "'"})
	}
	doc, err := readDocument(x.Policy)
	if err != nil || doc.find(grantSid(*a.Dist)) == nil {
		out = append(out, Drift{pathGrant, grantSid(*a.Dist), "", "visitors may be refused now: edgeward unlock-bucket '" + b.Address + "'"})
	}
	if a.Dist.Settings.OriginAccessID == "" {
		out = append(out, Drift{string(providers.FieldOriginAccess), "one that signs", "", "visitors may be refused now: edgeward unlock-bucket '" + b.Address + "'"})
	}
	return out
}

// unlockable leaves the stages of a lock out where nothing but a refusal of the
// lock would stop a bucket whose visitors are on their way already: it is watched
// and finished first. The refusal is a warning then, and an error once nothing
// but the lock is left.
func unlockable(all []judged, fs []Finding) []judged {
	refusal := func(f Finding) bool { return f.Severity == Error && strings.HasPrefix(f.Code, "lock-") }
	rest := slices.DeleteFunc(slices.Clone(all), func(j judged) bool { return isLockStage(j.stage.kind) })
	if len(rest) == 0 || slices.ContainsFunc(fs, func(f Finding) bool { return f.Severity == Error && !refusal(f) }) || !slices.ContainsFunc(fs, refusal) {
		return all
	}
	for i := range fs {
		if refusal(fs[i]) {
			fs[i].Severity = Warning
		}
	}
	return rest
}
