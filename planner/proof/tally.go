package proof

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

const (
	// unsteadyLeast targets, and more than one in unsteadyShare of all, must have
	// been answered otherwise at a first look before the right is called unsteady;
	// and unsteadyTimes as often for each of its Sites as the left was.
	unsteadyLeast = 3
	unsteadyShare = 50
	unsteadyTimes = 2
)

// tally gathers the outcomes. Of the differences it keeps a bounded number.
type tally struct {
	o       Options
	targets []Target

	mu      sync.Mutex
	sum     Result
	digests [][8]byte               // of each target's differences
	kept    map[string][]Difference // by verdict and aspect
	found   int
	blamed  []int // targets
	failed  int   // of these
	own     int   // targets at which the left was answered otherwise

	talk sync.Mutex // held while Keep or Progress is called
	last time.Time
}

func newTally(o Options, targets []Target) *tally {
	return &tally{o: o, targets: targets, digests: make([][8]byte, len(targets)), kept: map[string][]Difference{}}
}

// finish keeps an outcome for a comparison that goes on later, and adds it.
func (t *tally) finish(i int, out Outcome, p *pace) error {
	if t.o.Keep != nil {
		if err := t.keep(out); err != nil {
			return err
		}
	}
	t.add(i, out)
	t.progress(p, false)
	return nil
}

func (t *tally) keep(out Outcome) error {
	t.talk.Lock()
	defer t.talk.Unlock()
	if err := t.o.Keep(out); err != nil {
		return fmt.Errorf("keep what was found for %s: %w", out.Path, err)
	}
	return nil
}

// add counts an outcome; targets come in any order.
func (t *tally) add(i int, out Outcome) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sum.Paths++
	t.sum.Readable += unit(out.Readable)
	t.sum.Objects += unit(out.Object)
	t.sum.Refused += unit(out.Refused)
	t.sum.NoCacheControl += unit(out.NoCacheControl)
	worst := Same
	digest := sha256.New()
	for _, d := range out.Differences {
		d = t.accepted(d)
		worst = worst.Worst(d.Verdict)
		fmt.Fprintln(digest, d.Path, d.Aspect, d.Verdict)
		t.note(d)
	}
	copy(t.digests[i][:], digest.Sum(nil))
	if out.Repeated && worst.Passes() {
		t.sum.Repeated++
	}
	switch {
	case out.Blamed:
		t.blamed = append(t.blamed, i)
		t.failed += unit(out.Failed)
	case out.Repeated:
		t.own++
	}
}

func unit(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// accepted is a difference as it counts when the user has accepted its aspect.
func (t *tally) accepted(d Difference) Difference {
	if d.Verdict == Changed && slices.Contains(t.o.Accept, d.Aspect) {
		d.Verdict, d.Source = Expected, "verify.accept"
	}
	return d
}

// note keeps a difference if it is among the first of its kind.
func (t *tally) note(d Difference) {
	t.found++
	t.sum.Verdict = cmp.Or(t.sum.Verdict, Same).Worst(d.Verdict)
	key := fmt.Sprint(d.Verdict, " ", d.Aspect)
	list := append(t.kept[key], d)
	if len(list) >= 2*MaxKept {
		list = firsts(list)
	}
	t.kept[key] = list
}

// firsts are the first ones in the order of a Result.
func firsts(list []Difference) []Difference {
	slices.SortFunc(list, order)
	return slices.Clip(list[:min(len(list), MaxKept)])
}

func order(a, b Difference) int {
	return cmp.Or(b.Verdict.rank()-a.Verdict.rank(), cmp.Compare(a.Path, b.Path), cmp.Compare(a.Request, b.Request),
		cmp.Compare(a.Aspect, b.Aspect), cmp.Compare(a.Left, b.Left), cmp.Compare(a.Right, b.Right))
}

// result is what was found; only whole ones have a digest, and tell of a right
// that is unsteady.
func (t *tally) result(p *pace, whole bool) Result {
	t.progress(p, true)
	t.mu.Lock()
	defer t.mu.Unlock()
	if d, ok := t.unsteady(); ok && whole {
		t.note(t.accepted(d))
	}
	r := t.sum
	r.Verdict = cmp.Or(r.Verdict, Same)
	r.Requests, r.Bytes = p.usage()
	for _, key := range slices.Sorted(maps.Keys(t.kept)) {
		r.Differences = append(r.Differences, firsts(t.kept[key])...)
	}
	slices.SortFunc(r.Differences, order)
	r.More = t.found - len(r.Differences)
	if whole {
		r.Digest = t.digest(r)
	}
	return r
}

func (t *tally) digest(r Result) string {
	h := sha256.New()
	fmt.Fprintf(h, "%q %q %s\n", t.o.Left, t.o.Right, r.Verdict)
	for i, target := range t.targets {
		fmt.Fprintf(h, "%q %x\n", target.Path, t.digests[i])
	}
	return hex.EncodeToString(h.Sum(nil))[:12]
}

// unsteady is the difference that many answers of the right went away when they
// were looked at again, and few of the left: visitors do not look again.
func (t *tally) unsteady() (Difference, bool) {
	many := func(n int) bool {
		return n >= unsteadyLeast && n*unsteadyShare > t.sum.Paths && n > unsteadyTimes*len(t.o.Right)*t.own
	}
	if !many(len(t.blamed)) {
		return Difference{}, false
	}
	first := slices.MinFunc(t.blamed, func(a, b int) int { return cmp.Compare(t.targets[a].Path, t.targets[b].Path) })
	d := Difference{
		Path: t.targets[first].Path, Request: "GET, asked again", Aspect: Unsteady, Verdict: Changed, Also: len(t.blamed) - 1,
		Left:  fmt.Sprintf("the same each time, but for %d of %d paths", t.own, t.sum.Paths),
		Right: fmt.Sprintf("different at a further look for %d of %d paths", len(t.blamed), t.sum.Paths),
		Means: "Visitors get different answers from time to time, where they get one today.",
		Mend:  "wait until the distribution is deployed everywhere, then verify again",
	}
	if many(t.failed) {
		d.Verdict = Broken
		d.Right = fmt.Sprintf("failed at one look for %d of %d paths", t.failed, t.sum.Paths)
		d.Means = "Some requests fail that do not fail today."
	}
	return d, true
}

// progress calls Progress, now and then or at the end.
func (t *tally) progress(p *pace, end bool) {
	if t.o.Progress == nil {
		return
	}
	if end {
		t.talk.Lock()
	} else if !t.talk.TryLock() {
		return
	}
	defer t.talk.Unlock()
	now := t.o.Clock.Now()
	if !end && now.Sub(t.last) < told {
		return
	}
	t.last = now
	t.o.Progress(t.state(p))
}

func (t *tally) state(p *pace) Progress {
	requests, bytes := p.usage()
	t.mu.Lock()
	defer t.mu.Unlock()
	return Progress{Done: t.sum.Paths, Targets: len(t.targets), Requests: requests, Differences: t.found, Bytes: bytes}
}
