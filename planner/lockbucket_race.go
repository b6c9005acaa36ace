package planner

import (
	"context"
	"errors"
	"fmt"

	"github.com/edgeward/edgeward/providers"
)

// A lock and a way back may run at the same time, on two machines. Each writes its
// mark first and then looks for the other's: the lock its state and then for a hold,
// the way back its hold and then for that state. So at least one of them sees the
// other, and gives way: the lock takes its block back, the way back opens the bucket
// before it sends visitors there. A block that was sent before that may come late,
// which lockCut remembers.

// lifted says that a person has unlocked the bucket since it was migrated.
func (a Actual) lifted() bool {
	m := a.Crumbs.lock()
	at, finished := readTime(a.Crumbs[crumbFinished])
	return m.state == lockLifted || m.state == lockCut && finished && m.at.After(at)
}

// lateBlock says that the bucket has the flags of a lock of edgeward's whose mark
// another run has replaced: it was opened, or seen to be public, and the block came
// after that.
func (a Actual) lateBlock() bool {
	m := a.Crumbs.lock()
	if a.Access == nil || closes(m.old) || m.state != lockCut && m.state != lockReady {
		return false
	}
	want := lockedBlock(m.old)
	return sameBlock(a.Access.Block, &want)
}

// maybeLocked says that the block of a lock may stand, whatever the mark says.
func (c crumbs) maybeLocked() bool { return c.locked() || c.lock().state == lockCut }

// leftLocked says that a bucket that is held is closed by a lock, or was about to be:
// visitors of S3 would be refused, so every apply opens it.
func (a Actual) leftLocked() bool {
	return a.Crumbs.held() && !a.Retry && (a.Crumbs.locked() || a.lateBlock())
}

// cutError: another run has opened the bucket while this one was locking it.
type cutError struct{ error }

func (e *cutError) Unwrap() []error { return []error{e.error, providers.ErrConflict} }

// stillLocking looks whether a lock that has written its mark may go on: nobody goes
// back, and nobody has opened the bucket or found it wrong.
func (s scene) stillLocking(ctx context.Context) error {
	tags, err := s.freeTags(ctx)
	var held *heldError
	switch {
	case errors.As(err, &held):
		return &cutError{err}
	case err != nil:
		return err
	case !tags.locked():
		return &cutError{errors.New("the lock of bucket " + s.b.Name + " was taken back by another run meanwhile")}
	}
	return nil
}

// giveWay ends a lock that another run is against, or of which nobody can tell: the
// old flags stand again. put says that the block was sent.
func (s scene) giveWay(ctx context.Context, why error, old *providers.PublicAccessBlock, put bool) error {
	ctx = providers.WithUrgency(context.WithoutCancel(ctx))
	if put {
		if back := s.putFlags(ctx, old); back != nil { // the next apply, or the way back, sees the mark
			return fmt.Errorf("%w; and the bucket's old flags (%s) could not be set again, so visitors of S3 are refused: set them by hand now: %w",
				why, showBlock(old), errors.Join(back, s.setMark(ctx, lockMark{old: old, state: lockBegun})))
		}
	}
	tags, err := s.acc.Distributions.Tags(ctx, s.a.Dist.ARN)
	if err == nil && !crumbs(tags).locked() { // the other run has written its own
		return why
	}
	return errors.Join(why, s.setMark(ctx, lockMark{old: old, state: lockCut}))
}

// openAgain is what a way back does between its hold and the records: a lock that
// was begun since it looked is undone first.
func (s scene) openAgain(ctx context.Context) error {
	tags, err := s.acc.Distributions.Tags(ctx, s.a.Dist.ARN)
	switch {
	case err != nil && ctx.Err() == nil && s.b.Lock == nil && s.a.Crumbs[crumbFlags] == "":
		return nil // nobody locks it
	case err != nil:
		return providers.Doing(err, "read the tags of distribution %s after the hold", s.a.Dist.ID)
	case !crumbs(tags).locked():
		return nil
	}
	s.note("another run locks the bucket: it is opened before the names go back")
	s.a.Crumbs = tags
	policy, err := s.acc.Access.Policy(ctx, s.b.Name, bucketRegion(s.b, s.a))
	if err != nil {
		return providers.Doing(err, "read the policy of bucket %s", s.b.Name)
	}
	s.a.Access = &accessActual{Policy: policy}
	if err := s.open(ctx); err != nil {
		return err
	}
	return s.forget(ctx)
}

// forget takes the mark of a lock that a way back has undone, or keeps the flags of
// one that may come late.
func (s scene) forget(ctx context.Context) error {
	if m := s.a.Crumbs.lock(); m.state != lockDone {
		return s.setMark(ctx, lockMark{old: m.old, state: lockCut})
	}
	return s.setTags(ctx, map[string]string{crumbFlags: ""})
}
