package config

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"
)

func limitsShape() shape {
	return shape{
		what:  "a limits block",
		attrs: []string{"max_switches", "max_percent", "allow_apex", "require_approval_above"}, blocks: map[string]int{"freeze": 0},
		order:    []string{"max_switches", "max_percent", "allow_apex", "require_approval_above", "freeze"},
		repeated: []string{"freeze"},
	}
}

// NoLimits is what holds without a limits block.
func NoLimits() Limits {
	return Limits{MaxSwitches: -1, MaxPercent: -1, RequireApprovalAbove: -1, AllowApex: true}
}

func (l *loader) readLimits() Limits {
	v := l.singleBlock("limits")
	out := Limits{
		MaxSwitches:          v.whole("max_switches", 0, -1, "Leave it out for no limit."),
		MaxPercent:           v.percent("max_percent"),
		RequireApprovalAbove: v.whole("require_approval_above", 0, -1, "Leave it out for no limit."),
		AllowApex:            true,
	}
	if apex := v.flag("allow_apex"); apex != nil {
		out.AllowApex = *apex
	}
	if !v.exists() {
		return out
	}
	l.checkShape(v.layers[0].body, limitsShape())
	for _, b := range v.layers[0].body.Blocks {
		if b.Type != "freeze" {
			continue
		}
		l.checkShape(b.Body, shape{what: "a freeze block", attrs: []string{"from", "until"}})
		f := block{l: l, at: b.DefRange(), layers: []layer{{b.Body, l.ctx}}}
		if z, ok := f.freeze(); ok {
			out.Freezes = append(out.Freezes, z)
		}
	}
	return out
}

// percent is a whole number from 0 to 100, or -1 when it is not set.
func (b block) percent(name string) int {
	n := b.whole(name, 0, -1, "Leave it out for no limit.")
	if n > 100 {
		_, at, _ := b.value(name, cty.Number, shown)
		b.l.errorf(at, "Unsupported value", "%q is a percentage of all buckets, from 0 to 100. Leave it out for no limit.", name)
		return -1
	}
	return n
}

func (b block) freeze() (Freeze, bool) {
	from, _ := b.moment("from")
	until, at := b.moment("until")
	for _, name := range []string{"from", "until"} {
		if !anySet(b, name) {
			b.l.errorf(place{rng: b.at}, "Missing argument", "A freeze block says from when until when nothing is switched: %s = \"2026-12-20\", say.", name)
		}
	}
	if from.IsZero() || until.IsZero() {
		return Freeze{}, false
	}
	if !from.Before(until) {
		b.l.errorf(at, "Invalid freeze", "It ends at %s, which is not after its beginning at %s.", until.Format(time.RFC3339), from.Format(time.RFC3339))
		return Freeze{}, false
	}
	return Freeze{From: from, Until: until}, true
}

// moment is a date, which begins at 00:00 UTC, or a time with its zone; the zero
// time when it is not set or wrong.
func (b block) moment(name string) (time.Time, place) {
	v, at, ok := b.value(name, cty.String, shown)
	if !ok {
		return time.Time{}, at
	}
	for _, form := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(form, v.AsString()); err == nil && t.Year() > 2000 {
			return t.UTC(), at
		}
	}
	b.l.errorf(at, "Invalid time", "%q is neither a date, such as \"2026-12-20\" (from 00:00 UTC), nor a time with its zone, such as \"2026-12-20T18:00:00+01:00\".", v.AsString())
	return time.Time{}, at
}

// DefaultLease is for how long a run lock is held after each renewal, where
// run_lock sets nothing.
const DefaultLease = 2 * time.Minute

// readRunLock reads the run_lock block, nil when there is none.
func (l *loader) readRunLock() *RunLock {
	v := l.singleBlock("run_lock")
	if !v.exists() {
		return nil
	}
	l.checkShape(v.layers[0].body, shape{what: "a run_lock block", attrs: []string{"s3", "region", "aws", "lease"}})
	out := &RunLock{Region: deref(v.text("region", region)), Lease: DefaultLease, Range: v.at}
	out.Account, _ = v.accountRef("aws")
	if d, _ := v.duration("lease", leaseRule); d != nil {
		out.Lease = *d
	}
	if !anySet(v, "s3") {
		l.errorf(place{rng: v.at}, "Missing argument", "A run_lock block says where the lock is kept: s3 = \"s3://BUCKET/KEY\".")
	}
	if s := v.text("s3", lockPlace); s != nil {
		out.Bucket, out.Key, _ = strings.Cut(strings.TrimPrefix(*s, "s3://"), "/")
	}
	return out
}

// leaseRule: short enough to be waited for, long enough to be renewed over a
// network that stutters.
func leaseRule(d time.Duration) *flaw {
	if d < 30*time.Second || d > time.Hour || d%time.Second != 0 {
		return flawf("Invalid lease", "A lease is a whole number of seconds from \"30s\" to \"1h\": a run that died holds the lock for so long. Leave it out for \"2m\".")
	}
	return nil
}

// lockPlace judges s3://BUCKET/KEY.
func lockPlace(s string) *flaw {
	const summary = "Invalid place of the lock"
	rest, ok := strings.CutPrefix(s, "s3://")
	bucket, key, _ := strings.Cut(rest, "/")
	switch {
	case !ok || key == "" || strings.HasSuffix(key, "/"):
		return flawf(summary, "%q is not of the form \"s3://BUCKET/KEY\", such as \"s3://our-tools/edgeward/lock.json\".", s)
	case len(key) > 1024:
		return flawf(summary, "The key has %d bytes; S3 keeps at most 1024.", len(key))
	}
	if f := bucketName(bucket); f != nil {
		return flawf(summary, "%s", f.detail)
	}
	return nil
}

var waveName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$`)

// wave judges the name of a wave, which is typed after -wave=.
func wave(s string) *flaw {
	if !waveName.MatchString(s) {
		return flawf("Invalid wave", "%q is no name of a wave. Write up to 64 letters, digits and _ . -, such as \"canary\".", s)
	}
	return nil
}

// Exceeded says which setting forbids to switch so many of all buckets at once,
// and how many it allows; "" when none does.
func (l Limits) Exceeded(switches, all int) (setting string, allowed int) {
	if l.MaxSwitches >= 0 && switches > l.MaxSwitches {
		return fmt.Sprintf("limits { max_switches = %d }", l.MaxSwitches), l.MaxSwitches
	}
	if most := (all*l.MaxPercent + 99) / 100; l.MaxPercent >= 0 && switches > most {
		return fmt.Sprintf("limits { max_percent = %d }", l.MaxPercent), most
	}
	return "", 0
}

// Frozen says whether t is in a freeze, and until when, all that follow without
// a gap included.
func (l Limits) Frozen(t time.Time) (until time.Time, frozen bool) {
	for again := true; again; {
		again = false
		for _, f := range l.Freezes {
			if !t.Before(f.From) && t.Before(f.Until) {
				t, until, frozen, again = f.Until, f.Until, true, true
			}
		}
	}
	return until, frozen
}
