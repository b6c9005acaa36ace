package view

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/edgeward/edgeward/planner"
	"github.com/google/go-cmp/cmp"
)

// sampleRuns are two shards, and a later run that went on where one had failed.
func sampleRuns() []RecordRun {
	at := func(minute int) time.Time { return liveStart.Add(time.Duration(minute) * time.Minute) }
	run := func(minute int, shard string, results ...planner.Result) Run {
		p := planner.Plan{Goal: planner.Migrate, Summary: planner.Summary{ToMigrate: len(results), Switches: len(results)}}
		var events []planner.Event
		for _, r := range results {
			name := strings.TrimPrefix(r.Address, "bucket.") + ".example.com"
			change := []planner.ValueChange{{Path: "record " + name, Before: "CNAME " + name + ".s3.eu-west-1.amazonaws.com TTL 60s", After: "CNAME d1.cloudfront.net TTL 60s"}}
			p.Buckets = append(p.Buckets, planner.BucketPlan{Address: r.Address, Bucket: name, CNAMEs: []string{name}, Standing: planner.StandNew,
				Steps:    []planner.Step{{Kind: planner.LinksVerify, Action: planner.Check, Why: "12 links"}, {Kind: planner.DNSSwitch, Action: planner.Change, Why: name, Changes: change}},
				Findings: []planner.Finding{{Severity: planner.Note, Code: "https-new", Summary: "https starts to work", Detail: "Nothing is redirected"}}})
			events = append(events, planner.Event{Time: at(minute), Address: r.Address, Kind: planner.LinksVerify, Status: planner.EventDone, Why: "12 links alike"})
			if r.Switched {
				events = append(events, planner.Event{Time: at(minute + 1), Address: r.Address, Kind: planner.DNSSwitch, Status: planner.EventStarted, Changes: change},
					planner.Event{Time: at(minute + 2), Address: r.Address, Kind: planner.DNSSwitch, Status: planner.EventDone, Why: "the record is the distribution's"})
			}
		}
		x := NewRun("v1.2.3", p, events, planner.Report{FormatVersion: planner.FormatVersion, Goal: planner.Migrate, Started: at(minute), Ended: at(minute + 10), Results: results},
			Commands{GoOn: "edgeward apply", Retry: "edgeward apply"})
		x.Configuration, x.Shard = "c0ffee", shard
		x.Approval = &Approval{How: ApprovedSaved, By: "ann in https://ci.example/1", At: at(minute), Plan: "migration.plan"}
		return x
	}
	finished := func(a string) planner.Result {
		return planner.Result{Address: a, Outcome: planner.OutcomeFinished, Switched: true, Traffic: sampleTraffic()}
	}
	other := run(60, "", planner.Result{Address: "bucket.b", Outcome: planner.OutcomeFinished, Switched: true}, planner.Result{Address: "bucket.a", Outcome: planner.OutcomeNothing})
	other.Configuration = "decaf"
	other.Approval.How, other.Approval.Plan = ApprovedByYes, ""
	return []RecordRun{
		{"runs/again.json", other},
		{"runs/shard-2.json", run(5, "2/2", finished("bucket.c"), planner.Result{Address: "bucket.d", Outcome: planner.OutcomeWaiting, Stage: planner.DNSSwitch, Why: "frozen <b>"})},
		{"runs/shard-1.json", run(0, "1/2", finished("bucket.a"), planner.Result{Address: "bucket.b", Outcome: planner.OutcomeFailed, Stage: planner.LinksVerify, Why: "/: S3 answers 200, CloudFront 403"})},
	}
}

func TestRecordFiles(t *testing.T) {
	rec := NewRecord(sampleRuns())
	page, err := RecordHTML(rec)
	if err != nil {
		t.Fatal(err)
	}
	_, body, _ := strings.Cut(page, "<body>")
	golden(t, "record.txt", RecordText(rec, Style{}))
	golden(t, "record.md", RecordMarkdown(rec))
	golden(t, "record.html", body)
	roundTrip(t, rec, JSON)
	if strings.Contains(page, "frozen <b>") || strings.Contains(RecordMarkdown(rec), "frozen <b>") {
		t.Error("a text is markup")
	}
}

// The record is the same whatever the order of the files, the last run of a bucket
// counts, and one that had nothing to do takes nothing back.
func TestRecordJoins(t *testing.T) {
	runs := sampleRuns()
	rec := NewRecord(runs)
	if d := cmp.Diff(rec, NewRecord([]RecordRun{runs[2], runs[1], runs[0]})); d != "" {
		t.Error(d)
	}
	got := map[string]string{}
	for _, b := range rec.Buckets {
		got[b.Result.Address] = string(b.Result.Outcome) + " in " + b.File
		if b.Result.Switched == b.Switched.IsZero() || b.Result.Switched && b.Before[0].Before == "" {
			t.Errorf("%s was switched at %v, before: %v", b.Result.Address, b.Switched, b.Before)
		}
	}
	want := map[string]string{"bucket.a": "finished in runs/shard-1.json", "bucket.b": "finished in runs/again.json",
		"bucket.c": "finished in runs/shard-2.json", "bucket.d": "waiting in runs/shard-2.json"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if len(rec.Notes) != 1 || !strings.Contains(rec.Notes[0], "runs/shard-1.json, runs/shard-2.json: another configuration than that of runs/again.json") {
		t.Errorf("notes: %q", rec.Notes)
	}
	twice := NewRecord(append(runs, RecordRun{"copy.json", runs[0].Run}))
	if len(twice.Runs) != 3 || !strings.Contains(strings.Join(twice.Notes, "\n"), "are the same run") {
		t.Errorf("a copy counts: %q", twice.Notes)
	}
	both := runs[1]
	both.File, both.Run.Report.Results = "third.json", runs[2].Run.Report.Results
	if notes := strings.Join(NewRecord(append(runs, both)).Notes, "\n"); !strings.Contains(notes, "runs/shard-1.json and third.json ran at the same time, and both had bucket.a, bucket.b") {
		t.Errorf("notes: %q", notes)
	}
}

// Every change of a run stands in its record: also one whose end nobody saw.
func TestChangesOf(t *testing.T) {
	r := Run{Events: []planner.Event{
		{Time: liveStart, Address: "bucket.a", Kind: planner.TTLLower, Status: planner.EventStarted, Changes: []planner.ValueChange{{Path: "ttl", Before: "3600", After: "60"}}},
		{Time: liveStart, Address: "bucket.a", Kind: planner.DNSSwitch, Status: planner.EventStarted},
		{Time: liveStart.Add(1), Address: "bucket.a", Kind: planner.TTLLower, Status: planner.EventWaiting},
		{Time: liveStart.Add(2), Address: "bucket.a", Kind: planner.TTLLower, Status: planner.EventDone},
	}}
	got := changesOf(r)
	if len(got) != 2 || got[0].Kind != planner.DNSSwitch || !strings.Contains(got[0].Why, "its end was not seen") || got[1].Changes[0].Before != "3600" || got[1].Status != planner.EventDone {
		t.Errorf("%+v", got)
	}
}

func TestReadRun(t *testing.T) {
	text, err := JSON(sampleRuns()[0].Run)
	if err != nil {
		t.Fatal(err)
	}
	edited := func(f func(map[string]any)) []byte {
		var v map[string]any
		if err := json.Unmarshal(text, &v); err != nil {
			t.Fatal(err)
		}
		f(v)
		out, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	tests := map[string]struct {
		text []byte
		want string // "": it is read
		none bool
	}{
		"whole":             {text: text},
		"byte order mark":   {text: append([]byte("\ufeff"), text...)},
		"of before":         {text: edited(func(v map[string]any) { delete(v, "approval"); delete(v, "configuration"); delete(v, "shard") })},
		"of a later 1.x":    {text: edited(func(v map[string]any) { v["format_version"] = "1.99"; v["more"] = 1 })},
		"of a later major":  {text: edited(func(v map[string]any) { v["format_version"] = "2.0" }), want: "version 2.0"},
		"a plan":            {text: []byte(`{"format_version": "1.0", "goal": "migrate"}`), none: true, want: "no run"},
		"no JSON":           {text: []byte("bucket"), none: true, want: "no run"},
		"cut off":           {text: text[:len(text)/2], want: "cut off"},
		"without an end":    {text: edited(func(v map[string]any) { delete(v, "report") }), want: "not as edgeward wrote it"},
		"with other values": {text: edited(func(v map[string]any) { v["events"] = 1 }), want: "not as edgeward wrote it"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := ReadRun(tc.text)
			if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) || errors.Is(err, ErrNoRun) != tc.none {
				t.Errorf("%v, want %q", err, tc.want)
			}
		})
	}
}

// The Markdown of a record of many runs is no longer than a comment may be, and
// says what it left out.
func TestRecordMarkdownIsBounded(t *testing.T) {
	var runs []RecordRun
	for i := range 60 {
		for _, r := range sampleRuns() {
			r.File = strings.Repeat("x", i) + r.File
			r.Run.Report.Started = r.Run.Report.Started.Add(time.Duration(i) * time.Hour)
			for j := range r.Run.Report.Results {
				r.Run.Report.Results[j].Address += strings.Repeat("y", i)
			}
			runs = append(runs, r)
		}
	}
	md := RecordMarkdown(NewRecord(runs))
	if len(md) > MarkdownLimit || !strings.Contains(md, "Without a part of their own here") || strings.Count(md, "<details>") != strings.Count(md, "</details>") {
		t.Errorf("%d characters\n%s", len(md), md[len(md)-500:])
	}
}

// TestRecordOfShards: parts without a run are named, and so is the way back where
// there are too many addresses for one command.
func TestRecordOfShards(t *testing.T) {
	runs := sampleRuns()[1:]
	for i := range runs {
		runs[i].Run.Shard = strings.Replace(runs[i].Run.Shard, "/2", "/4", 1)
	}
	if rec := NewRecord(runs); !strings.Contains(strings.Join(rec.Notes, "\n"), "no run of shard 3/4, 4/4: what became of its buckets is not in this record") {
		t.Errorf("%q", rec.Notes)
	}
	rec := NewRecord(sampleRuns())
	if len(rec.Notes) > 0 && strings.Contains(strings.Join(rec.Notes, "\n"), "no run of shard") {
		t.Errorf("%q", rec.Notes)
	}
	for len(rec.Buckets) <= 2*namesInLine {
		rec.Buckets = append(rec.Buckets, rec.Buckets[0])
	}
	lines := rec.further()
	last := lines[len(lines)-1]
	if want := "edgeward rollback -since=" + rec.Runs[0].Run.Report.Started.UTC().Format(time.RFC3339); last[1] != want || !strings.Contains(last[0], "all that were switched since") {
		t.Errorf("%q, want %s", last, want)
	}
}
