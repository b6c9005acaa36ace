package planner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/planner/proof"
	"github.com/edgeward/edgeward/providers"
)

const pathBlock = "bucket public access block"

// How links are looked at around the lock: how many, how much of each, and for
// how long after the block, which S3 lets be in force within some seconds.
const (
	maxLockLinks  = 8
	lockLinkBytes = 64 << 10
	lockWatch     = 2 * time.Minute
)

// showBlock is a public access block as plans print it; "" is none.
func showBlock(b *providers.PublicAccessBlock) string {
	if b == nil {
		return "none"
	}
	return blockWords(*b)
}

// lockedBlock is a block with the two flags that close a bucket to everybody,
// whatever its policy and ACLs say. The other two only refuse new policies and
// ACLs, which neither edgeward's own change nor anybody's uploads would survive.
func lockedBlock(old *providers.PublicAccessBlock) providers.PublicAccessBlock {
	var b providers.PublicAccessBlock
	if old != nil {
		b = *old
	}
	b.IgnorePublicACLs, b.RestrictPublicBuckets = true, true
	return b
}

func sameBlock(x, y *providers.PublicAccessBlock) bool {
	return x == nil && y == nil || x != nil && y != nil && *x == *y
}

// closes says that a block keeps everybody out but the distribution.
func closes(b *providers.PublicAccessBlock) bool {
	return b != nil && b.IgnorePublicACLs && b.RestrictPublicBuckets
}

// lockLink is one link that has to be the same past the cache.
type lockLink struct{ path, sum string }

// lockLinks are some links that everybody may read, with what S3 answers to the
// account; whether the bucket is locked does not matter to it.
func (s scene) lockLinks(ctx context.Context) ([]lockLink, error) {
	o, err := openings(s.b.Name, s.a.Access.Policy)
	if err != nil {
		return nil, providers.Doing(err, "the policy of bucket %s", s.b.Name)
	}
	region := bucketRegion(s.b, s.a)
	objs, err := s.acc.Buckets.Objects(ctx, s.b.Name, region, "", 1000)
	if err != nil && !errors.Is(err, providers.ErrDenied) {
		return nil, providers.Doing(err, "list bucket %s", s.b.Name)
	}
	var paths []string
	for _, p := range s.b.Verify.Paths {
		if key, err := url.PathUnescape(strings.TrimPrefix(p, "/")); err == nil && !proof.IsPattern(p) && !strings.Contains(p, "?") && o.covers(s.b.Name, key) {
			paths = append(paths, p)
		}
	}
	objs = slices.DeleteFunc(objs, func(x providers.Object) bool {
		return !o.covers(s.b.Name, x.Key) || x.StorageClass == "GLACIER" || x.StorageClass == "DEEP_ARCHIVE"
	})
	for _, x := range spread(objs, maxLockLinks) {
		if p := "/" + strings.TrimPrefix((&url.URL{Path: "/" + x.Key}).EscapedPath(), "/"); !slices.Contains(paths, p) {
			paths = append(paths, p)
		}
	}
	var out []lockLink
	for _, p := range paths[:min(len(paths), 2*maxLockLinks)] {
		r, err := s.acc.Signed.Fetch(ctx, providers.Request{URL: "https://" + originDomain(s.b.Name, region, providers.RESTOrigin) + p, Limit: lockLinkBytes})
		switch {
		case err != nil:
			return nil, providers.Doing(err, "fetch %s from bucket %s with the account's credentials", p, s.b.Name)
		case r.Status == 200 && len(out) < maxLockLinks:
			out = append(out, lockLink{p, r.SHA256})
		}
	}
	if out == nil {
		return nil, &unprovenError{fmt.Errorf("no link of bucket %s can be read, so nothing shows whether a lock does harm; name some in verify { paths = [\"/…\"] }", s.b.Name)}
	}
	return out, nil
}

// refusedError says which link was not served while the distribution's signed
// fetches were all that the bucket answers to, or past the cache at all.
type refusedError struct{ url, why string }

func (e *refusedError) Error() string { return e.url + " past the cache: " + e.why }

// pastCache fetches links through the distribution under the real names, with a
// query of this moment, so that no edge has the answer. It gives how many were
// answered by the bucket itself.
func (s scene) pastCache(ctx context.Context, links []lockLink) (fresh int, err error) {
	nonce := digest("past the cache", s.b.Name, s.w.Clock.Now().String())[:12]
	for _, l := range links {
		for _, name := range s.b.Names() {
			for _, scheme := range []string{"https", "http"} {
				u := scheme + "://" + name + l.path
				r, err := s.fetchTwice(ctx, providers.Request{URL: u + "?edgeward=" + nonce, Dial: s.a.Dist.Domain, Limit: lockLinkBytes})
				switch redirected := scheme == "http" && r.Status >= 300 && r.Status < 400; {
				case ctx.Err() != nil:
					return fresh, ctx.Err()
				case err != nil:
					return fresh, &refusedError{u, err.Error()}
				case redirected || scheme == "http" && asked(s.b.Distribution.ViewerProtocol) == "https-only":
					continue
				case r.Status != 200:
					return fresh, &refusedError{u, fmt.Sprintf("status %d", r.Status)}
				case r.SHA256 != l.sum && r.Plain != l.sum && !asked(s.b.Distribution.Compress):
					return fresh, &refusedError{u, "other bytes than S3's"}
				case !strings.HasPrefix(strings.ToLower(r.Header.Get("X-Cache")), "hit"):
					fresh++
				}
			}
		}
	}
	return fresh, nil
}

// fetchTwice asks again when there was no answer at all: a lost packet is no
// refusal.
func (s scene) fetchTwice(ctx context.Context, r providers.Request) (providers.Response, error) {
	got, err := s.w.Web.Fetch(ctx, r)
	if err != nil && ctx.Err() == nil {
		return s.w.Web.Fetch(ctx, r)
	}
	return got, err
}

// errBlind: every edge answers from its cache, so nothing would show a refusal.
func errBlind() error {
	return &unprovenError{errors.New("no link can be fetched past the cache: the cache policy leaves queries out of its key, so after a lock refusals would stay hidden until objects expire; use edgeward's own cache policy, or leave the bucket public")}
}

// setMark writes how far the lock has come.
func (s scene) setMark(ctx context.Context, m lockMark) error {
	m.at = s.w.Clock.Now()
	return s.setTags(ctx, map[string]string{crumbFlags: m.String()})
}

// checkAccess: links were right with signed fetches.
func checkAccess(b config.Bucket, a Actual) Verdict {
	if v, ok := a.beforeLock(b); ok {
		return v
	}
	if s := a.Crumbs.lock().state; s == lockReady || s == lockBegun {
		return done("links are right with signed fetches")
	}
	v := todo("links past the cache with signed fetches; what the bucket lets the distribution do is read back")
	v.Expect = expectVerify
	return a.afterGrant(b, v)
}

// verifyAccess reads the grant back, for a public bucket answers whatever it says,
// and looks whether signed fetches are refused where others were not.
func verifyAccess(ctx context.Context, s scene) error {
	if err := s.readGrantBack(ctx); err != nil {
		return err
	}
	links, err := s.lockLinks(ctx)
	if err != nil {
		return err
	}
	fresh, err := s.pastCache(ctx, links)
	var refused *refusedError
	switch {
	case errors.As(err, &refused):
		return s.signNoMore(ctx, refused)
	case err != nil:
		return err
	case fresh == 0:
		return errBlind()
	}
	return s.setMark(ctx, lockMark{old: s.a.Access.Block, state: lockReady})
}

// signNoMore takes the control off again, and says why.
func (s scene) signNoMore(ctx context.Context, refused *refusedError) error {
	ctx = providers.WithUrgency(context.WithoutCancel(ctx))
	now, off := "nothing was locked; the distribution does not sign any more", error(nil)
	if ours := func(c providers.OriginAccess) bool {
		return c.ID == s.a.Dist.Settings.OriginAccessID && strings.HasPrefix(c.Name, controlStem)
	}; slices.ContainsFunc(s.a.Access.Controls, ours) {
		if off = s.insist(ctx, func() error { return s.setControl(ctx, "") }); off != nil {
			now = "nothing was locked, and the distribution goes on signing, so visitors are refused: take its origin access control off by hand now"
		}
	} else {
		now = "nothing was locked; the distribution goes on signing, which somebody else has set"
	}
	return errors.Join(&lockRefusedError{s.b.Address, refused, now}, off, s.setMark(ctx, lockMark{old: s.a.Access.Block, state: lockFailed}))
}

// signing looks at links while edge after edge begins to sign: a refusal is not
// left to stand until all of them do.
func signing(ctx context.Context, s scene) error {
	links, err := s.lockLinks(ctx)
	if err != nil {
		return notYet("until every edge signs; links could not be looked at meanwhile: " + err.Error())
	}
	var refused *refusedError
	if _, err := s.pastCache(ctx, links); errors.As(err, &refused) {
		return s.signNoMore(ctx, refused)
	}
	return notYet("until every edge signs; links are right meanwhile")
}

// readGrantBack: the statement stands as it was sent.
func (s scene) readGrantBack(ctx context.Context) error {
	live, err := s.acc.Access.Policy(ctx, s.b.Name, bucketRegion(s.b, s.a))
	if err != nil {
		return providers.Doing(err, "read the policy of bucket %s back", s.b.Name)
	}
	o, err := openings(s.b.Name, live)
	if err != nil {
		return providers.Doing(err, "the policy of bucket %s", s.b.Name)
	}
	doc, err := readDocument(live)
	if err != nil {
		return err
	}
	if have := doc.find(grantSid(*s.a.Dist)); have == nil || !sameMeaning(have, grantOf(s.b.Name, *s.a.Dist, o, keeps404(s.b, o))) {
		return &StaleError{Kind: AccessVerify, Change: ValueChange{pathGrant, "absent, or another one", grantWords(s.b.Name, o, keeps404(s.b, o))}}
	}
	return nil
}

// checkLock: public access is blocked.
func checkLock(b config.Bucket, a Actual) Verdict {
	v, ok := a.beforeLock(b)
	mark := a.Crumbs.lock()
	switch {
	case ok:
		return v
	case mark.state == lockBegun && a.Access != nil && closes(a.Access.Block):
		return done("public access is blocked")
	}
	v = todo("the bucket answers the distribution alone; links are looked at past the cache at once, and the first refusal takes it back")
	v.Undo = "edgeward unlock-bucket '" + b.Address + "'"
	if a.Access == nil {
		return a.whenDue(b, v)
	}
	want := lockedBlock(a.Access.Block)
	v.Changes = []ValueChange{{pathBlock, showBlock(a.Access.Block), showBlock(&want)}}
	if a.Access.Evidence == nil {
		return a.afterGrant(b, v)
	}
	switch e := judgeEvidence(b, a); {
	case e.direct, e.soon:
		v.Status, v.Why, v.Until = Waiting, e.why, e.until
	case !e.enough && !a.NoEvidence:
		return failed(e.why)
	default:
		v.Why += "; " + e.why
	}
	return v
}

// lockBucket writes the old flags down, blocks public access, and looks at once.
// Whatever is not right then, or cannot be seen, opens the bucket again.
func lockBucket(ctx context.Context, s scene) error {
	links, err := s.lockLinks(ctx)
	if err != nil {
		return err
	}
	if fresh, err := s.pastCache(ctx, links); err != nil {
		return err
	} else if fresh == 0 {
		return errBlind()
	}
	if err := s.clockRight(ctx, links[0]); err != nil {
		return err
	}
	if err := s.readGrantBack(ctx); err != nil {
		return err
	}
	old := s.a.Access.Block
	live, err := s.acc.Access.Block(ctx, s.b.Name, bucketRegion(s.b, s.a))
	switch {
	case err != nil:
		return providers.Doing(err, "read the public access block of bucket %s before it is changed", s.b.Name)
	case !sameBlock(live, s.a.Access.Block):
		return &overtakenError{fmt.Errorf("the public access block of bucket %s was changed meanwhile: %w", s.b.Name, providers.ErrConflict)}
	}
	// Another run's mark stands before its block, so a block that is none of the
	// bucket's old flags is not taken for them.
	if tags, err := s.freeTags(ctx); err != nil {
		return err
	} else if tags[crumbFlags] != s.a.Crumbs[crumbFlags] {
		return &overtakenError{fmt.Errorf("another run is locking bucket %s: %w", s.b.Name, providers.ErrConflict)}
	}
	if err := s.setMark(ctx, lockMark{old: old, state: lockBegun}); err != nil {
		return err
	}
	var cut *cutError
	if err := s.stillLocking(ctx); errors.As(err, &cut) {
		return s.giveWay(ctx, err, old, false)
	} else if err != nil {
		return err
	}
	var stale *StaleError // an unlock may have taken the statement, and its mark was overwritten
	if err := s.readGrantBack(ctx); errors.As(err, &stale) {
		return s.giveWay(ctx, err, old, false)
	} else if err != nil {
		return err
	}
	return s.block(ctx, links, old)
}

// block sets the two flags, and looks at once: first for another run, which may be
// about to send visitors to S3, and then at the links.
func (s scene) block(ctx context.Context, links []lockLink, old *providers.PublicAccessBlock) error {
	want := lockedBlock(old)
	put := s.acc.Access.PutBlock(ctx, s.b.Name, bucketRegion(s.b, s.a), &want)
	if put != nil && classified(put) && ctx.Err() == nil {
		return providers.Doing(put, "block public access of bucket %s", s.b.Name)
	}
	// With another error an answer was lost, and the flags may be in force.
	var cut *cutError
	alone := s.stillLocking(providers.WithUrgency(ctx))
	if errors.As(alone, &cut) {
		return s.giveWay(ctx, alone, old, true)
	}
	if err := s.lookOrOpen(ctx, links, old); err != nil {
		return err
	}
	if put != nil {
		return providers.Doing(put, "block public access of bucket %s", s.b.Name)
	}
	for range firstLooks {
		back := providers.Idle(ctx)
		_ = s.w.Clock.Sleep(ctx, firstPause) // an ended run shows at the look, which opens the bucket
		back()
		if err := s.lookOrOpen(ctx, links, old); err != nil {
			return err
		}
		if alone != nil {
			if alone = s.stillLocking(ctx); errors.As(alone, &cut) {
				return s.giveWay(ctx, alone, old, true)
			}
		}
	}
	if alone != nil { // nobody can tell
		return s.giveWay(ctx, alone, old, true)
	}
	return nil
}

// The first looks after a block need nothing of AWS' APIs, which may refuse to be
// asked just then: they are as long as S3 takes to let a block be in force.
const (
	firstLooks = 12
	firstPause = 2 * time.Second
)

// maxSkew is how far this machine's clock may be from S3's: lock.after and the
// window of the evidence are told by it.
const maxSkew = 10 * time.Minute

// clockRight compares this machine's clock with S3's.
func (s scene) clockRight(ctx context.Context, l lockLink) error {
	r, err := s.acc.Signed.Fetch(ctx, providers.Request{Method: http.MethodHead, URL: "https://" + originDomain(s.b.Name, bucketRegion(s.b, s.a), providers.RESTOrigin) + l.path})
	if err != nil {
		return providers.Doing(err, "ask S3 for the time")
	}
	at, err := http.ParseTime(r.Header.Get("Date"))
	if d := s.w.Clock.Now().Sub(at); err == nil && d.Abs() > maxSkew {
		return &unprovenError{fmt.Errorf("this machine's clock is %s off S3's, so it cannot tell how long the names have been the distribution's; set it right", d.Abs().Round(time.Second))}
	}
	return nil
}

// lookOrOpen looks at the links, and gives the bucket its old flags back when one
// of them is not right, or the run ends before that is known.
func (s scene) lookOrOpen(ctx context.Context, links []lockLink, old *providers.PublicAccessBlock) error {
	fresh, err := s.pastCache(ctx, links)
	if err == nil && fresh == 0 {
		err = errBlind()
	}
	if err == nil {
		return nil
	}
	return s.takeBack(ctx, err, old)
}

// takeBack gives the bucket its old flags back, and says why.
func (s scene) takeBack(ctx context.Context, err error, old *providers.PublicAccessBlock) error {
	ctx = providers.WithUrgency(context.WithoutCancel(ctx))
	if back := s.putFlags(ctx, old); back != nil {
		return fmt.Errorf("%w; and the bucket's old flags (%s) could not be set again, so visitors are refused: set them by hand now: %w", err, showBlock(old), back)
	}
	var refused *refusedError
	if !errors.As(err, &refused) { // the run was ended, or nothing was seen
		return errors.Join(err, s.setMark(ctx, lockMark{old: old, state: lockReady}))
	}
	return errors.Join(&lockRefusedError{s.b.Address, refused, "the bucket has its old flags again (" + showBlock(old) + ") and is public"}, s.setMark(ctx, lockMark{old: old, state: lockFailed}))
}

// triesOpen is how often what lets visitors in again is tried, a second apart.
const triesOpen = 10

func (s scene) putFlags(ctx context.Context, old *providers.PublicAccessBlock) error {
	return s.insist(ctx, func() error { return s.acc.Access.PutBlock(ctx, s.b.Name, bucketRegion(s.b, s.a), old) })
}

// insist tries until it is done, for triesOpen times.
func (s scene) insist(ctx context.Context, do func() error) error {
	for try := 1; ; try++ {
		err := do()
		if err == nil || try == triesOpen {
			return err
		}
		if err := s.w.Clock.Sleep(ctx, time.Second); err != nil {
			return err
		}
	}
}

// lockRefusedError says that a lock was taken back.
type lockRefusedError struct {
	address string
	cause   error
	now     string
}

func (e *lockRefusedError) Error() string {
	return "the lock was taken back, since a link was refused: " + e.cause.Error() + "; " + e.now
}

// Unwrap makes it one of the errors that another try does not mend.
func (e *lockRefusedError) Unwrap() []error { return []error{e.cause, providers.ErrConflict} }

// Hint says what to do.
func (e *lockRefusedError) Hint() string {
	return "find out why the bucket refuses its distribution (a Deny of its policy, a key of KMS, another owner); then edgeward apply -retry='" + e.address + "'"
}

// checkLocked: links were right past the cache, at once and for a while.
func checkLocked(b config.Bucket, a Actual) Verdict {
	if a.Crumbs.lock().state == lockBegun {
		v := todo("links past the cache again, for " + shortDuration(lockWatch))
		v.Expect = lockWatch
		return v
	}
	if v, ok := a.beforeLock(b); ok {
		return v
	}
	v := todo("links past the cache at once and again, for " + shortDuration(lockWatch))
	v.Expect = lockWatch
	return v
}

// verifyLock looks once more; the step comes back until the time is over.
func verifyLock(ctx context.Context, s scene) error {
	mark := s.a.Crumbs.lock()
	if s.a.Access == nil {
		return notYet("the bucket's policy and flags are not known")
	}
	opened := &StaleError{Kind: LockVerified, Change: ValueChange{pathBlock, showBlock(s.a.Access.Block), "IgnorePublicAcls, RestrictPublicBuckets"}}
	if mark.state != lockBegun {
		return opened
	}
	var links []lockLink
	if err := s.insist(ctx, func() (err error) { links, err = s.lockLinks(ctx); return err }); err != nil {
		return s.takeBack(ctx, &unprovenError{err}, mark.old)
	}
	if err := s.lookOrOpen(ctx, links, mark.old); err != nil {
		return err
	}
	switch end := mark.at.Add(lockWatch); {
	case s.w.Clock.Now().Before(end):
		return notYet("links are right past the cache so far; they are looked at until " + writeTime(end))
	case !closes(s.a.Access.Block):
		return opened
	}
	if err := stopCounting(ctx, s); err != nil {
		return err
	}
	return s.lockEnds(ctx, mark)
}

// lockEnds writes that the bucket is locked, unless another run has opened it
// meanwhile.
func (s scene) lockEnds(ctx context.Context, mark lockMark) error {
	if err := stillFree(ctx, s); err != nil {
		return err
	}
	live, err := s.acc.Access.Block(ctx, s.b.Name, bucketRegion(s.b, s.a))
	switch {
	case err != nil:
		return providers.Doing(err, "read the public access block of bucket %s back", s.b.Name)
	case !closes(live):
		return &overtakenError{fmt.Errorf("the public access block of bucket %s was changed meanwhile: %w", s.b.Name, providers.ErrConflict)}
	}
	if err := s.setMark(ctx, lockMark{old: mark.old, state: lockDone}); err != nil {
		return err
	}
	live, err = s.acc.Access.Block(ctx, s.b.Name, bucketRegion(s.b, s.a))
	if err == nil && !closes(live) { // and its mark was overwritten
		return errors.Join(&overtakenError{fmt.Errorf("bucket %s was opened meanwhile: %w", s.b.Name, providers.ErrConflict)},
			s.setMark(ctx, lockMark{old: mark.old, state: lockCut}))
	}
	return nil
}

// unlockStages give the bucket back what the lock took, for edgeward
// unlock-bucket; a way back of the names begins with the first of them.
func unlockStages() []stage {
	return []stage{
		{BucketUnlock, nil, PartTags | PartAccess | partUnlock, Change, checkUnlock, unlockAlone, everyDNS},
		{AccessRevoke, []Kind{BucketUnlock}, PartTags | PartAccess | partUnlock, Remove, checkRevoke, revokeAccess, everyAPI},
	}
}

// unlockFirst is the first stage of a way back.
func unlockFirst() stage {
	return stage{BucketUnlock, nil, PartTags | PartAccess | partUnlock, Change, checkUnlock, unlockForRollback, everyDNS}
}

// checkUnlock: the bucket has its old flags, and everybody reads it.
func checkUnlock(b config.Bucket, a Actual) Verdict {
	mark, late := a.Crumbs.lock(), a.lateBlock()
	anyway := "; or go back all the same, knowing what visitors will meet: " + goBackBy(b, "-accept-s3-loss")
	switch {
	case a.Dist == nil:
		return done("edgeward has changed nothing")
	case !a.Crumbs.locked() && !late && a.S3Loss:
		return done("the bucket is not locked by edgeward; -accept-s3-loss accepts what S3 answers")
	case !a.Crumbs.locked() && a.Access != nil && a.Dist.Settings.OriginAccessID != "" && mark.state == "" && closes(a.Access.Block):
		return failed(fmt.Sprintf("bucket %s is closed to everybody but its distribution, and the tag %s, which keeps its old flags, is gone: visitors of S3 would be refused. Set the bucket's public access block by hand (edgeward's locks set IgnorePublicAcls and RestrictPublicBuckets), then run this again%s", b.Name, crumbFlags, anyway))
	case !a.Crumbs.locked() && !late && mark.state != "" && a.Access != nil && closes(a.Access.Block):
		return failed(fmt.Sprintf("bucket %s is closed to everybody but its distribution, and not by edgeward, whose own lock is off: visitors of S3 would be refused. Take IgnorePublicAcls and RestrictPublicBuckets off its public access block by hand, then run this again%s", b.Name, anyway))
	case !a.Crumbs.locked() && !late:
		return done("the bucket is not locked")
	case a.Access == nil:
		return waiting("the bucket's flags are not known")
	}
	v := todo("the flags exactly as they were; then until S3 answers everybody again")
	v.Expect = expectInSync
	v.Undo = "edgeward apply -retry='" + b.Address + "'"
	if !sameBlock(a.Access.Block, mark.old) {
		v.Changes = []ValueChange{{pathBlock, showBlock(a.Access.Block), showBlock(mark.old)}}
	}
	return v
}

// unlockForRollback holds the bucket first, so that no other run locks it again.
func unlockForRollback(ctx context.Context, s scene) error {
	if !s.a.Crumbs.held() {
		if err := s.setTags(ctx, map[string]string{crumbHold: writeTime(s.w.Clock.Now()) + "/" + cmp.Or(s.code, manualHold)}); err != nil {
			if ctx.Err() != nil {
				return err
			}
			s.note("the hold could not be written, and the bucket is opened all the same: " + err.Error()) // dns.restore tries again
		}
	}
	if err := s.open(ctx); err != nil {
		return err
	}
	return s.forget(ctx)
}

func unlockAlone(ctx context.Context, s scene) error {
	if err := s.open(ctx); err != nil {
		return err
	}
	m := lockMark{old: s.a.Crumbs.lock().old, state: lockLifted}
	if s.a.Crumbs.lock().state != lockDone {
		m.state = lockCut
	}
	return s.setMark(ctx, m)
}

// open sets the old flags, and looks whether S3 answers everybody.
func (s scene) open(ctx context.Context) error {
	ctx = providers.WithUrgency(ctx)
	old := s.a.Crumbs.lock().old
	region := bucketRegion(s.b, s.a)
	live, err := s.acc.Access.Block(ctx, s.b.Name, region)
	if err != nil {
		return providers.Doing(err, "read the public access block of bucket %s", s.b.Name)
	}
	if s.a.lateBlock() { // it is not called open before S3 was seen to answer
		if err := s.setMark(ctx, lockMark{old: old, state: lockBegun}); err != nil {
			return err
		}
	}
	if !sameBlock(live, old) {
		if err := s.acc.Access.PutBlock(ctx, s.b.Name, region, old); err != nil {
			return providers.Doing(err, "set the old flags of bucket %s again", s.b.Name)
		}
	}
	links, err := s.lockLinks(ctx)
	var unproven *unprovenError
	if errors.As(err, &unproven) {
		s.note("no link of the bucket can be read, so that S3 answers everybody was not seen")
		links, err = nil, nil
	}
	if err != nil {
		return err
	}
	return s.answersAll(ctx, links, old)
}

// answersAll looks for a minute whether S3 answers everybody, and whether the flags
// stay: another run's block may be under way.
func (s scene) answersAll(ctx context.Context, links []lockLink, old *providers.PublicAccessBlock) error {
	region := bucketRegion(s.b, s.a)
	for look := range openLooks {
		if look > 0 {
			back := providers.Idle(ctx)
			err := s.w.Clock.Sleep(ctx, openPause)
			back()
			if err != nil {
				return err
			}
		}
		if s.a.S3Loss {
			break
		}
		if err := s.public(ctx, links, region); err != nil {
			return err
		}
	}
	switch live, err := s.acc.Access.Block(ctx, s.b.Name, region); {
	case err != nil:
		return providers.Doing(err, "read the public access block of bucket %s back", s.b.Name)
	case closes(live) && !closes(old):
		return notYet("another run has closed the bucket again")
	}
	return nil
}

// S3's servers learn of old flags one after the other: for a minute visitors are
// to be answered each time before anything relies on it.
const (
	openLooks = 4
	openPause = 20 * time.Second
)

// public looks whether S3 answers everybody who asks for links.
func (s scene) public(ctx context.Context, links []lockLink, region string) error {
	for _, l := range links {
		r, err := s.fetchTwice(ctx, providers.Request{URL: "http://" + s.b.Name + l.path, Dial: originDomain(s.b.Name, region, providers.RESTOrigin), Limit: lockLinkBytes})
		switch {
		case err != nil:
			return notYet("S3 could not be asked as visitors do: " + err.Error())
		case r.Status != 200:
			return notYet(fmt.Sprintf("S3 still answers %d to visitors of %s: the flags are not in force everywhere", r.Status, l.path))
		}
	}
	return nil
}

// checkRevoke: the bucket policy has no statement of edgeward's for the
// distribution.
func checkRevoke(b config.Bucket, a Actual) Verdict {
	if a.Dist == nil || a.Access == nil {
		return done("edgeward has changed nothing")
	}
	doc, err := readDocument(a.Access.Policy)
	if err != nil {
		return failed(err.Error())
	}
	if doc.find(grantSid(*a.Dist)) == nil {
		return done("the bucket policy has no statement of edgeward's")
	}
	v := todo("edgeward's statement alone; the others stay. The distribution goes on signing, which a public bucket does not mind",
		ValueChange{pathGrant, grantSid(*a.Dist), ""})
	v.Undo = "edgeward apply -retry='" + b.Address + "'"
	// Visitors of the distribution need the statement if the block of a lock that was
	// cut off comes late.
	if m := a.Crumbs.lock(); m.state == lockCut && a.Now.Before(m.at.Add(lockWatch)) {
		v.Status, v.Until, v.Why = Waiting, m.at.Add(lockWatch), "until "+writeTime(m.at.Add(lockWatch))+": the bucket was opened while it was being locked, and a block may come late"
	}
	return v
}

func revokeAccess(ctx context.Context, s scene) error {
	m := s.a.Crumbs.lock()
	if s.a.Crumbs.locked() || s.a.lateBlock() {
		if err := unlockAlone(ctx, s); err != nil {
			return err
		}
		return notYet("a block came late and was taken off again")
	}
	switch m.state {
	case "", lockLifted, lockCut:
	case lockReady: // a run may be about to lock it
		if err := s.setMark(ctx, lockMark{old: m.old, state: lockCut}); err != nil {
			return err
		}
		return notYet("a run that locks the bucket may be under way")
	default:
		if err := s.setMark(ctx, lockMark{old: m.old, state: lockLifted}); err != nil {
			return err
		}
	}
	return s.putPolicy(ctx, AccessRevoke, func(d document) document { return d.without(grantSid(*s.a.Dist)) })
}
