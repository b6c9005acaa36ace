package view

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/edgeward/edgeward/planner"
)

// RecordKind tells the JSON of a Record from other JSON.
const RecordKind = "edgeward record"

// Record is several runs as one: shards of one migration, runs that went on where
// others ended. It is made of nothing but their files, so the same files give the
// same record at any time.
type Record struct {
	Kind          string `json:"kind"` // RecordKind
	FormatVersion string `json:"format_version"`
	// Notes are what a reader has to know about the files together: other
	// configurations, buckets that two runs had at the same time.
	Notes []string `json:"notes,omitempty"`
	// Buckets are how it ended for each, in the order of their addresses.
	Buckets []RecordBucket `json:"buckets"`
	// Runs are in the order of time.
	Runs []RecordRun `json:"runs"`
}

// RecordRun is one of its runs, and the file that it stands in.
type RecordRun struct {
	File string `json:"file"`
	Run  Run    `json:"run"`
}

// RecordBucket is one bucket's end of all runs.
type RecordBucket struct {
	// Result is that of the last run that took the bucket up; File is where it stands.
	Result planner.Result `json:"result"`
	File   string         `json:"file"`
	// CNAMEs are the bucket's names.
	CNAMEs []string `json:"cnames"`
	// Switched is when a run pointed the names at the distribution, zero when none
	// did, and Back when one pointed them back later.
	Switched time.Time `json:"switched,omitzero"`
	Back     time.Time `json:"back,omitzero"`
	// Before are the records that stood before the switch.
	Before []planner.ValueChange `json:"before,omitempty"`
}

// ReadRun reads a file that `apply -json-into` wrote. Its errors say what the file
// is instead; ErrNoRun is one that was never meant to be a run.
func ReadRun(text []byte) (Run, error) {
	var r Run
	var head struct{ Kind string }
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	err := json.Unmarshal(text, &head)
	switch {
	case err != nil && bytes.Contains(text, []byte(RunKind)):
		return r, fmt.Errorf("it is cut off, or was edited: %w", err)
	case err != nil || head.Kind != RunKind:
		return r, ErrNoRun
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return r, fmt.Errorf("it is not as edgeward wrote it: %w", err)
	}
	r.Commands.Simulated = r.Sandbox
	major, _, _ := strings.Cut(planner.FormatVersion, ".")
	if m, _, _ := strings.Cut(r.FormatVersion, "."); m != major {
		return r, fmt.Errorf("its format is version %s, written by edgeward %s, and this edgeward reads version %s.x", r.FormatVersion, r.Edgeward, major)
	}
	if g := r.Report.Goal; g != planner.Migrate && g != planner.Rollback && g != planner.UnlockBucket {
		return r, fmt.Errorf("it is not as edgeward wrote it: its goal is %q", g)
	}
	return r, nil
}

// ErrNoRun says that a file is no run of edgeward.
var ErrNoRun = errors.New("it is no run of edgeward")

// NewRecord joins runs, of which the files have different names. A run that stands
// in two files counts once.
func NewRecord(runs []RecordRun) Record {
	rec := Record{Kind: RecordKind, FormatVersion: planner.FormatVersion, Buckets: []RecordBucket{}, Runs: []RecordRun{}}
	runs = slices.Clone(runs)
	slices.SortStableFunc(runs, func(a, b RecordRun) int {
		if d := a.Run.Report.Started.Compare(b.Run.Report.Started); d != 0 {
			return d
		}
		return strings.Compare(a.File, b.File)
	})
	seen := map[string]string{}
	for _, r := range runs {
		text, err := json.Marshal(r.Run)
		if first := seen[string(text)]; err == nil && first != "" {
			rec.Notes = append(rec.Notes, fmt.Sprintf("%s and %s are the same run; it counts once", first, r.File))
			continue
		}
		seen[string(text)] = r.File
		rec.Runs = append(rec.Runs, r)
	}
	rec.configurations()
	rec.shards()
	rec.overlaps()
	rec.buckets()
	return rec
}

// configurations notes the runs of another configuration than the last one's, and
// those of another world.
func (rec *Record) configurations() {
	if len(rec.Runs) == 0 {
		return
	}
	last := rec.Runs[len(rec.Runs)-1]
	var other, unknown, simulated []string
	for _, r := range rec.Runs {
		switch {
		case r.Run.Configuration == "":
			unknown = append(unknown, r.File)
		case last.Run.Configuration != "" && r.Run.Configuration != last.Run.Configuration:
			other = append(other, r.File)
		}
		if r.Run.Sandbox {
			simulated = append(simulated, r.File)
		}
	}
	note := func(files []string, form string, args ...any) {
		if len(files) > 0 {
			rec.Notes = append(rec.Notes, strings.Join(ranges(files), ", ")+": "+fmt.Sprintf(form, args...))
		}
	}
	note(other, "another configuration than that of %s", last.File)
	note(unknown, "of an edgeward that did not write down of which configuration a run was")
	note(simulated, "in a simulated world (-sandbox)")
}

// overlaps notes the buckets that two runs had at the same time.
func (rec *Record) overlaps() {
	for i, a := range rec.Runs {
		for _, b := range rec.Runs[i+1:] {
			if !b.Run.Report.Started.Before(a.Run.Report.Ended) {
				continue
			}
			had := map[string]bool{}
			for _, r := range a.Run.Report.Results {
				had[r.Address] = r.Outcome != planner.OutcomeNothing
			}
			var both []string
			for _, r := range b.Run.Report.Results {
				if had[r.Address] && r.Outcome != planner.OutcomeNothing {
					both = append(both, r.Address)
				}
			}
			if both != nil {
				rec.Notes = append(rec.Notes, fmt.Sprintf("%s and %s ran at the same time, and both had %s", a.File, b.File, someNames(ranges(both), 5)))
			}
		}
	}
}

// buckets finds how it ended for each.
func (rec *Record) buckets() {
	at := map[string]*RecordBucket{}
	var order []string
	for _, r := range rec.Runs {
		names := map[string][]string{}
		for _, bp := range r.Run.Plan.Buckets {
			names[bp.Address] = bp.CNAMEs
		}
		for _, res := range r.Run.Report.Results {
			b := at[res.Address]
			if b == nil {
				b = &RecordBucket{}
				at[res.Address] = b
				order = append(order, res.Address)
			} else if res.Outcome == planner.OutcomeNothing && settled(b.Result.Outcome) {
				continue // it was done before
			}
			b.Result, b.File, b.CNAMEs = res, r.File, names[res.Address]
		}
		for _, c := range changesOf(r.Run) {
			switch b := at[c.Address]; {
			case b == nil:
			case c.Kind == planner.DNSSwitch:
				b.Switched, b.Back, b.Before = c.Time, time.Time{}, c.Changes
			case c.Kind == planner.DNSRestore:
				b.Back = c.Time
			}
		}
	}
	slices.Sort(order)
	for _, address := range order {
		rec.Buckets = append(rec.Buckets, *at[address])
	}
}

// changesOf are what a run changed: each with the time when it was done, and when
// nobody saw that, of its beginning and with a word about it.
func changesOf(r Run) []planner.Event {
	type step struct {
		address string
		kind    planner.Kind
	}
	begun := map[step]int{}
	var out []planner.Event
	for _, e := range r.Events {
		at := step{e.Address, e.Kind}
		switch i, known := begun[at]; {
		case e.Status == planner.EventStarted && e.Kind != "":
			begun[at] = len(out)
			e.Why = "begun; its end was not seen"
			out = append(out, e)
		case known && (e.Status == planner.EventDone || e.Status == planner.EventFailed):
			changes := out[i].Changes
			if e.Changes == nil {
				e.Changes = changes
			}
			out[i] = e
			delete(begun, at)
		}
	}
	slices.SortStableFunc(out, func(a, b planner.Event) int { return a.Time.Compare(b.Time) })
	return out
}

// answersOf are what a run found: what it compared, what servers answered, what it
// noted.
func answersOf(r Run) []planner.Event {
	changed := map[string]bool{}
	for _, e := range changesOf(r) {
		changed[e.Address+" "+string(e.Kind)] = true
	}
	var out []planner.Event
	for _, e := range r.Events {
		switch {
		case e.Address == "" || changed[e.Address+" "+string(e.Kind)]:
		case e.Status == planner.EventDone, e.Status == planner.EventFailed, e.Status == planner.EventNote, e.ByHand != nil:
			out = append(out, e)
		}
	}
	return out
}

// report is the record as the end of one run, for what counts outcomes.
func (rec Record) report() planner.Report {
	var r planner.Report
	for i, x := range rec.Runs {
		if s := x.Run.Report.Started; i == 0 || s.Before(r.Started) {
			r.Started = s
		}
		if e := x.Run.Report.Ended; e.After(r.Ended) {
			r.Ended = e
		}
		r.Goal = x.Run.Report.Goal
	}
	for _, b := range rec.Buckets {
		r.Results = append(r.Results, b.Result)
	}
	return r
}

// outcomes counts the buckets by how it ended.
func (rec Record) outcomes() string {
	r := rec.report()
	r.Started, r.Ended = time.Time{}, time.Time{}
	return strings.TrimSuffix(ReportSummary(r), ".")
}

// times says when the runs were.
func (rec Record) times() string {
	r := rec.report()
	return Run{Report: r}.times()
}

// further are what is left to do and how to go back, each a sentence's beginning
// and a command.
func (rec Record) further() [][2]string {
	var lines [][2]string
	seen := map[[2]string]bool{}
	for _, r := range rec.Runs {
		left := r.Run.Report
		left.Results = slices.DeleteFunc(slices.Clone(left.Results), func(res planner.Result) bool {
			i := slices.IndexFunc(rec.Buckets, func(b RecordBucket) bool { return b.Result.Address == res.Address })
			return i < 0 || rec.Buckets[i].File != r.File
		})
		for _, l := range goOnLines(left, r.Run.Commands) {
			if !seen[l] {
				seen[l] = true
				lines = append(lines, l)
			}
		}
	}
	var switched []string
	for _, b := range rec.Buckets {
		if !b.Switched.IsZero() && b.Back.IsZero() {
			switched = append(switched, Quote(b.Result.Address))
		}
	}
	const back = "which puts the records from before the switch in place"
	switch n := len(switched); {
	case n > namesInLine:
		lines = append(lines, [2]string{"To go back with all that were switched since, " + back, "edgeward rollback -since=" + rec.firstSwitch().UTC().Format(time.RFC3339)})
	case n > 0:
		lines = append(lines, [2]string{"To go back, " + back, "edgeward rollback " + strings.Join(switched, " ")})
	}
	return lines
}

// firstSwitch is a time before the first switch that stands: when the run began that
// made it, since what rollback -since reads was written down before the switch.
func (rec Record) firstSwitch() time.Time {
	var first time.Time
	for _, b := range rec.Buckets {
		if at := b.Switched; !at.IsZero() && b.Back.IsZero() && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	for _, r := range rec.Runs { // the earliest first
		if p := r.Run.Report; !p.Started.After(first) && !p.Ended.Before(first) {
			return p.Started
		}
	}
	return first
}

// shards notes the parts of which no run is there.
func (rec *Record) shards() {
	have := map[int]map[int]bool{}
	for _, r := range rec.Runs {
		if s, err := planner.ParseShard(r.Run.Shard); err == nil && s.Of > 1 {
			if have[s.Of] == nil {
				have[s.Of] = map[int]bool{}
			}
			have[s.Of][s.Index] = true
		}
	}
	for _, of := range slices.Sorted(maps.Keys(have)) {
		var missing []string
		for i := 1; i <= of; i++ {
			if !have[of][i] {
				missing = append(missing, planner.Shard{Index: i, Of: of}.String())
			}
		}
		if missing != nil {
			rec.Notes = append(rec.Notes, fmt.Sprintf("no run of shard %s: what became of its buckets is not in this record", strings.Join(missing, ", ")))
		}
	}
}

// head is what is said of a run before its buckets: pairs of a word and a text.
func (r RecordRun) head() [][2]string {
	run := r.Run
	head := [][2]string{
		{"run", "edgeward " + run.command() + ", edgeward " + run.Edgeward},
		{"time", moment(run.Report.Started) + " to " + moment(run.Report.Ended) + " UTC, " + Duration(run.Report.Ended.Sub(run.Report.Started))},
		{"approved", run.Approval.words()},
		{"planned", Summary(run.Plan)},
		{"ended", upper(ReportSummary(run.Report))},
	}
	if run.Shard != "" {
		head = append(head, [2]string{"part", run.Shard + " of the buckets"})
	}
	if run.Configuration != "" {
		head = append(head, [2]string{"configuration", run.Configuration})
	}
	return head
}

// RecordText is a record as people read it on a screen.
func RecordText(rec Record, s Style) string {
	var b strings.Builder
	for _, r := range rec.Runs {
		b.WriteString(s.paint(bold, r.File) + "\n")
		for _, h := range r.head() {
			s.hang(&b, "  "+pad(h[0], 14), 16, visible(h[1]))
		}
		for _, w := range r.Run.Report.Waves {
			s.hang(&b, "  "+pad(waveTitle(w.Name), 14)+"  ", 18, Count(w.Buckets, "bucket")+", "+waveEnd(w))
		}
		if n := len(changesOf(r.Run)); n > 0 {
			s.hang(&b, "  "+pad("changes", 14), 16, fmt.Sprintf("%d, with %s of servers", n, Count(len(answersOf(r.Run)), "answer")))
		}
		b.WriteByte('\n')
	}
	for _, n := range rec.Notes {
		s.hang(&b, s.paint(yellow, "note: "), 6, visible(n))
	}
	r := rec.report()
	s.results(&b, r)
	b.WriteString(s.paint(bold, "In all: "+rec.outcomes()+".") + "\n")
	for _, l := range rec.further() {
		b.WriteString(strings.TrimSuffix(l[0]+": "+l[1], ": ") + "\n")
	}
	return b.String()
}
