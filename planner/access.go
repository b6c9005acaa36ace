package planner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/providers"
)

// crumbFlags is OLD/STATE/TIME: the bucket's public access block before it was
// locked ("none", or four digits), and how far that has come.
const crumbFlags = providers.TagPrefix + "flags"

// The states of a lock.
const (
	lockReady  = "ready"    // links were right with signed fetches; the bucket is public
	lockBegun  = "locking"  // the block may stand, and the links are looked at
	lockDone   = "locked"   // they were right past the cache
	lockFailed = "failed"   // they were not, and the old flags stand again
	lockLifted = "unlocked" // by edgeward unlock-bucket
	lockCut    = "cut"      // it was opened while a run was locking it, whose block may come late
)

// lockMark is crumbFlags.
type lockMark struct {
	old   *providers.PublicAccessBlock
	state string
	at    time.Time
}

func (m lockMark) String() string {
	old := "none"
	if b := m.old; b != nil {
		digits := []byte("0000")
		for i, set := range []bool{b.BlockPublicACLs, b.IgnorePublicACLs, b.BlockPublicPolicy, b.RestrictPublicBuckets} {
			if set {
				digits[i] = '1'
			}
		}
		old = string(digits)
	}
	return old + "/" + m.state + "/" + writeTime(m.at)
}

// lock reads crumbFlags; the zero mark when there is none.
func (c crumbs) lock() lockMark {
	f := strings.Split(c[crumbFlags], "/")
	if len(f) != 3 {
		return lockMark{}
	}
	m := lockMark{state: f[1]}
	m.at, _ = readTime(f[2])
	if d := f[0]; d != "none" && len(d) == 4 {
		m.old = &providers.PublicAccessBlock{BlockPublicACLs: d[0] == '1', IgnorePublicACLs: d[1] == '1', BlockPublicPolicy: d[2] == '1', RestrictPublicBuckets: d[3] == '1'}
	}
	return m
}

// locked says that public access may be blocked, by edgeward.
func (c crumbs) locked() bool {
	s := c.lock().state
	return s == lockBegun || s == lockDone
}

// The parts of who may read the bucket: its policy and flags, what can forbid a
// lock, the evidence for one; partUnlock is for giving back what a lock took.
const (
	PartAccess Part = 1 << (24 + iota)
	partLockable
	partEvidence
	partUnlock
)

// accessActual is who may read the bucket, and what decides about locking it.
type accessActual struct {
	Policy string
	Block  *providers.PublicAccessBlock
	// Controls are the account's origin access controls.
	Controls []providers.OriginAccess
	// Lockable: what follows was read too. AccountID is the account's number, Account
	// its own block, Readers the distributions that fetch from the bucket, Encrypted
	// the sampled objects that a key of KMS encrypts, and Unread is why the samples
	// could not be read.
	Lockable  bool
	AccountID string
	Account   *providers.PublicAccessBlock
	Readers   []providers.Reader
	Encrypted []string
	Unread    error
	// Evidence is what was looked at of it, nil when it was not time yet.
	Evidence []evidence
}

// lockStages are those of a bucket with a lock block, after the migration.
func lockStages() []stage {
	const access = PartTags | PartAccess
	return []stage{
		{AccessGrant, []Kind{TTLRestore}, access | partLockable, Change, checkGrant, grantAccess, everyAPI},
		{AccessControl, []Kind{AccessGrant}, access, Change, checkControl, attachControl, everyAPI},
		{AccessDeployed, []Kind{AccessControl}, access, Wait, checkAccessDeployed, signing, everyAPI},
		{AccessVerify, []Kind{AccessDeployed}, access, Check, checkAccess, verifyAccess, everyAPI},
		{BucketLock, []Kind{AccessVerify}, access | partLockable | partEvidence, Change, checkLock, lockBucket, everyAPI},
		{LockVerified, []Kind{BucketLock}, access, Check, checkLocked, verifyLock, everyDNS},
	}
}

// isLockStage says that a stage is about locking and no part of the migration.
func isLockStage(k Kind) bool {
	return slices.Contains([]Kind{AccessGrant, AccessControl, AccessDeployed, AccessVerify, BucketLock, LockVerified}, k)
}

// stagesFor are the stages that a bucket has: those of a lock only with one. A
// block that stands is looked at to its end, whatever became of the lock block.
func stagesFor(b config.Bucket, mark lockMark, t []stage) []stage {
	if b.Lock != nil {
		return t
	}
	return slices.DeleteFunc(slices.Clone(t), func(s stage) bool {
		return isLockStage(s.kind) && (s.kind != LockVerified || mark.state != lockBegun)
	})
}

// locking says that stages of a lock are not done.
func (o *observer) locking() bool {
	s := o.a.Crumbs.lock().state
	return s == lockBegun || o.b.Lock != nil && s != lockDone
}

// access reads who may read the bucket. Where the lock is not due, only plans
// need to know.
func (o *observer) access(ctx context.Context, parts Part) error {
	proofs, mark := parts&partProof != 0, o.a.Crumbs.lock()
	if o.b.Lock == nil && mark.state == "" && !o.controlled() {
		return nil
	}
	due, finished := o.a.lockDue(o.b)
	now := finished && !o.a.Now.Before(due)
	switch {
	case mark.state == lockDone && !proofs && parts&partUnlock == 0:
		return nil
	case o.b.Lock != nil && mark.state == "" && !now && parts&partLazy == 0 && parts&partUnlock == 0:
		return nil
	}
	x := &accessActual{}
	var err error
	if x.Policy, err = o.acc.Access.Policy(ctx, o.b.Name, o.region()); err == nil {
		x.Block, err = o.acc.Access.Block(ctx, o.b.Name, o.region())
	}
	if errors.Is(err, providers.ErrNotFound) {
		return nil // the bucket's own finding says it
	}
	if err == nil && parts&partUnlock == 0 {
		x.Controls, err = o.acc.Access.OriginAccess(ctx)
	}
	if err == nil && parts&partLockable != 0 && o.locking() {
		err = o.lockable(ctx, x, parts)
	}
	if err != nil {
		return providers.Doing(err, "read who may read bucket %s", o.b.Name)
	}
	o.a.Access = x
	if parts&partEvidence != 0 && now && o.b.Lock != nil && !o.a.blocking() {
		return o.evidence(ctx, x)
	}
	return nil
}

// controlled says that the distribution signs its fetches.
func (o *observer) controlled() bool {
	return o.a.Dist != nil && o.a.Dist.Settings.OriginAccessID != ""
}

// region is the bucket's, as far as the configuration or the distribution say.
func (o *observer) region() string { return bucketRegion(o.b, o.a) }

func bucketRegion(b config.Bucket, a Actual) string {
	if b.Region == "" && a.Dist != nil {
		if e, ok := parseEndpoint(a.Dist.Settings.OriginDomain); ok {
			return e.region
		}
	}
	return b.Region
}

// maxLockHeads is how many objects' encryption is looked at.
const maxLockHeads = 10

// lockable reads what can forbid a lock.
func (o *observer) lockable(ctx context.Context, x *accessActual, parts Part) (err error) {
	if o.a.Bucket == nil {
		if err := o.bucket(ctx); err != nil || o.a.Bucket == nil {
			return err
		}
	}
	if x.AccountID, err = o.acc.Identity.AccountID(ctx); err != nil {
		return err
	}
	if x.Account, err = o.acc.Access.AccountBlock(ctx); err != nil {
		return err
	}
	if x.Readers, err = o.acc.Access.Readers(ctx, o.b.Name); err != nil {
		return err
	}
	x.Lockable = true
	if parts&partLazy == 0 {
		return nil
	}
	objs := o.a.Objects
	if objs == nil {
		if objs, err = o.acc.Buckets.Objects(ctx, o.b.Name, o.region(), "", 1000); err != nil {
			x.Unread = err
			return nil
		}
	}
	for _, obj := range spread(objs, maxLockHeads) {
		h, err := o.acc.Buckets.Head(ctx, o.b.Name, o.region(), obj.Key)
		switch {
		case errors.Is(err, providers.ErrNotFound):
		case errors.Is(err, providers.ErrDenied):
			x.Unread = err
			return nil
		case err != nil:
			return err
		case strings.HasPrefix(h.Encryption, "aws:kms"):
			x.Encrypted = append(x.Encrypted, obj.Key)
		}
	}
	return nil
}

// lockDue is when the bucket may be locked: lock.after since the end of the
// migration, and not before the old TTL has run out once more; false while it has
// not ended.
func (a Actual) lockDue(b config.Bucket) (time.Time, bool) {
	at, ok := readTime(a.Crumbs[crumbFinished])
	if !ok || !a.finished() || b.Lock == nil {
		return time.Time{}, false
	}
	_, drain, _ := a.Crumbs.wasTTL()
	return at.Add(max(b.Lock.After, drain)), true
}

// before is the verdict that all stages of a lock share: there is none, it is
// done, or it may not go on; ok is false when the stage has to say more.
func (a Actual) beforeLock(b config.Bucket) (v Verdict, ok bool) {
	mark := a.Crumbs.lock()
	switch {
	case b.Lock == nil:
		return done("the bucket stays public"), true
	case mark.state == lockDone:
		return done("the bucket is locked"), true
	case a.lifted() && !a.Retry:
		return done("the bucket was unlocked by hand"), true
	case mark.state == lockFailed && !a.Retry:
		f := lockFailure(b, mark)
		return failed(f.Summary + ": " + f.Detail), true
	}
	for _, f := range lockRefusals(b, a) {
		if f.Severity == Error {
			return failed(f.Summary + ": " + f.Detail), true
		}
	}
	return Verdict{}, false
}

// blocking says that the block of a lock that was begun stands, or may: whoever
// died, or took it back, before it did has to find it all right anew.
func (a Actual) blocking() bool {
	return a.Crumbs.lock().state == lockBegun && (a.Access == nil || closes(a.Access.Block))
}

// whenDue has a step of a lock wait until that is due: a grant or a proof may
// stand of a time before the bucket was rolled back, or before lock.after was
// raised.
func (a Actual) whenDue(b config.Bucket, v Verdict) Verdict {
	due, finished := a.lockDue(b)
	switch {
	case !finished:
		v.Status, v.Why, v.Expect = Waiting, "until the names have been the distribution's for "+shortDuration(b.Lock.After)+"; then "+v.Why, b.Lock.After
	case a.Now.Before(due):
		v.Status, v.Why, v.Until = Waiting, "until "+writeTime(due)+": the bucket is locked "+shortDuration(b.Lock.After)+" after the migration", due
	case a.Access == nil:
		return waiting("the bucket's policy is not known")
	}
	return v
}

// afterGrant is whenDue for a stage after the grant, where that stands already and
// does not wait itself.
func (a Actual) afterGrant(b config.Bucket, v Verdict) Verdict {
	if a.Access != nil && checkGrant(b, a).Status != Done {
		return v
	}
	return a.whenDue(b, v)
}

// keeps404 says whether the distribution is let list the bucket: only where
// everybody may do so today.
func keeps404(b config.Bucket, o opening) bool { return b.Lock != nil && b.Lock.Keep404 && o.lists }

const pathGrant = "bucket policy statement"

// checkGrant: the bucket's policy lets the distribution read what everybody may
// read.
func checkGrant(b config.Bucket, a Actual) Verdict {
	if v, ok := a.beforeLock(b); ok || a.blocking() {
		if !ok {
			v = done("the bucket is being locked")
		}
		return v
	}
	v := todo("a statement of its own beside the others; the bucket stays public")
	v.Undo = "edgeward unlock-bucket '" + b.Address + "'"
	if a.Access != nil {
		o, err := openings(b.Name, a.Access.Policy)
		if err != nil {
			return failed("the bucket policy: " + err.Error())
		}
		want := grantWords(b.Name, o, keeps404(b, o))
		before := ""
		if a.Dist != nil {
			doc, _ := readDocument(a.Access.Policy) // it was read by openings
			have := doc.find(grantSid(*a.Dist))
			if have != nil && sameMeaning(have, grantOf(b.Name, *a.Dist, o, keeps404(b, o))) {
				return done("the bucket policy lets the distribution read")
			}
			if have != nil {
				before = "another one of that name"
			}
		}
		v.Changes = []ValueChange{{pathGrant, before, want}}
	}
	return a.whenDue(b, v)
}

// putPolicy sends a policy made from the one that was observed, if that still
// stands, and reads it back.
func (s scene) putPolicy(ctx context.Context, k Kind, change func(document) document) error {
	port, region := s.acc.Access, bucketRegion(s.b, s.a)
	live, err := port.Policy(ctx, s.b.Name, region)
	if err != nil {
		return providers.Doing(err, "read the policy of bucket %s before it is changed", s.b.Name)
	}
	if !samePolicy(live, s.a.Access.Policy) {
		return &overtakenError{fmt.Errorf("the policy of bucket %s was changed meanwhile: %w", s.b.Name, providers.ErrConflict)}
	}
	doc, err := readDocument(live)
	if err != nil {
		return err
	}
	text, err := change(doc).text()
	if err != nil {
		return err
	}
	if err := port.PutPolicy(ctx, s.b.Name, region, text); err != nil {
		return providers.Doing(err, "change the policy of bucket %s", s.b.Name)
	}
	after, err := port.Policy(ctx, s.b.Name, region)
	if err != nil {
		return providers.Doing(err, "read the policy of bucket %s after it was changed", s.b.Name)
	}
	switch {
	case samePolicy(after, text):
		return nil
	case samePolicy(after, live): // S3 says again for a while what stood before
		return fmt.Errorf("S3 does not show the changed policy of bucket %s yet", s.b.Name)
	}
	return &StaleError{Kind: k, Change: ValueChange{"bucket policy", factDigest(meaning(after)), factDigest(meaning(text))}}
}

func grantAccess(ctx context.Context, s scene) error {
	o, err := openings(s.b.Name, s.a.Access.Policy)
	if err != nil {
		return err
	}
	return s.putPolicy(ctx, AccessGrant, func(d document) document {
		return d.with(grantOf(s.b.Name, *s.a.Dist, o, keeps404(s.b, o)))
	})
}

// maxControlUsers is how many distributions may use one origin access control
// [CloudFront quotas].
const maxControlUsers = 100

// controlStem begins the names of edgeward's origin access controls.
const controlStem = "edgeward-s3-"

// pickControl is the first of edgeward's that has room, nil when there is none,
// and the name that the next one would have.
func pickControl(cs []providers.OriginAccess) (*providers.OriginAccess, string) {
	next, lowest := 1, 0
	var found *providers.OriginAccess
	for i, c := range cs {
		num, ok := strings.CutPrefix(c.Name, controlStem)
		n, err := strconv.Atoi(num)
		if !ok || err != nil {
			continue
		}
		next = max(next, n+1)
		if c.Signs && c.InUse < maxControlUsers && (found == nil || n < lowest) {
			found, lowest = &cs[i], n
		}
	}
	return found, controlStem + strconv.Itoa(next)
}

// checkControl: the distribution signs what it fetches.
func checkControl(b config.Bucket, a Actual) Verdict {
	if v, ok := a.beforeLock(b); ok {
		return v
	}
	live := ""
	if a.Dist != nil {
		live = a.Dist.Settings.OriginAccessID
	}
	if live != "" && a.Access != nil {
		i := slices.IndexFunc(a.Access.Controls, func(c providers.OriginAccess) bool { return c.ID == live })
		if i >= 0 && !a.Access.Controls[i].Signs {
			return failed("origin access control " + live + " of distribution " + a.Dist.ID + " does not sign every request; take it off by hand, and edgeward attaches one that does")
		}
	}
	if live != "" {
		return done("distribution " + a.Dist.ID + " signs what it fetches from the bucket")
	}
	v := todo("the distribution signs what it fetches; one control is shared by up to 100 distributions",
		ValueChange{string(providers.FieldOriginAccess), "", knownAfter(AccessControl)})
	v.Undo = "nothing to undo: a public bucket answers signed requests too"
	return a.afterGrant(b, v)
}

// attachControl shares a control that has room, or makes one, and attaches it.
func attachControl(ctx context.Context, s scene) error {
	c, name := pickControl(s.a.Access.Controls)
	if c == nil {
		made, err := s.acc.Access.CreateOriginAccess(ctx, name)
		if errors.Is(err, providers.ErrConflict) {
			return notYet("another bucket's step made origin access control " + name)
		}
		if err != nil {
			return providers.Doing(err, "create origin access control %s", name)
		}
		c = &made
	}
	return s.setControl(ctx, c.ID)
}

// setControl attaches an origin access control to the distribution; "" takes it
// off.
func (s scene) setControl(ctx context.Context, id string) error {
	d, err := s.acc.Distributions.Distribution(ctx, s.a.Dist.ID)
	if err != nil {
		return providers.Doing(err, "read distribution %s", s.a.Dist.ID)
	}
	switch {
	case d.Settings.OriginAccessID == id:
		return nil
	case d.Settings.OriginAccessID != s.a.Dist.Settings.OriginAccessID:
		return &overtakenError{fmt.Errorf("the origin access control of distribution %s was changed meanwhile: %w", d.ID, providers.ErrConflict)}
	}
	want := d.Settings
	want.OriginAccessID = id
	_, err = s.acc.Distributions.Update(ctx, d.ID, d.ETag, want, []providers.Field{providers.FieldOriginAccess})
	if errors.Is(err, providers.ErrQuota) {
		return notYet("the origin access control is used by as many distributions as it may be; the next one is made")
	}
	if err != nil {
		return providers.Doing(err, "attach an origin access control to distribution %s", d.ID)
	}
	return nil
}

// checkAccessDeployed: every edge signs.
func checkAccessDeployed(b config.Bucket, a Actual) Verdict {
	if v, ok := a.beforeLock(b); ok {
		return v
	}
	if a.Dist == nil || a.Dist.Settings.OriginAccessID == "" {
		v := waiting("until every edge signs")
		v.Expect = expectDeployed
		return v
	}
	v := checkDeployed(b, a)
	if v.Status == Waiting && a.Access != nil {
		v.Status = Todo // look meanwhile
	}
	return v
}
