package view

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/edgeward/edgeward/planner"
	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got; -update rewrites):\n%s", path, diff)
	}
}

const (
	s3Target   = "assets.example.com.s3.eu-west-1.amazonaws.com"
	afterMaker = "(known after distribution.create)"
)

func newBucket() planner.BucketPlan {
	return planner.BucketPlan{
		Address: "bucket.assets", Bucket: "assets.example.com", Region: "eu-west-1",
		CNAMEs: []string{"assets.example.com"}, Standing: planner.StandNew, Stage: planner.CertificateRequest,
		Fingerprint: "f1", Expect: 4200, Mixed: 60,
		Steps: []planner.Step{
			{Kind: planner.CertificateRequest, Action: planner.Create, Status: planner.Todo,
				Why: "certificate for assets.example.com in us-east-1"},
			{Kind: planner.CertificateValidate, Action: planner.Create, Status: planner.Todo,
				Why: "validation record in zone example.com", Needs: []planner.Kind{planner.CertificateRequest}},
			{Kind: planner.CertificateIssued, Action: planner.Wait, Status: planner.Waiting, Why: "ACM issues it", Expect: 300},
			{Kind: planner.DistributionCreate, Action: planner.Create, Status: planner.Todo,
				Why: "distribution for assets.example.com", Changes: []planner.ValueChange{
					{Path: "aliases", After: "assets.example.com"},
					{Path: "origin", After: s3Target},
					{Path: "certificate", After: "(known after certificate.request)"},
					{Path: "viewer_protocol", After: "allow-all"},
				}},
			{Kind: planner.DistributionDeployed, Action: planner.Wait, Status: planner.Waiting, Why: "at all edges", Expect: 300},
			{Kind: planner.LinksVerify, Action: planner.Check, Status: planner.Todo,
				Why: "2 paths and 20 objects through S3 and CloudFront, http and https, under the real name"},
			{Kind: planner.TTLLower, Action: planner.Change, Status: planner.Todo, Why: "assets.example.com",
				Changes: []planner.ValueChange{{Path: "assets.example.com",
					Before: "CNAME " + s3Target + " TTL 3600s", After: "CNAME " + s3Target + " TTL 60s"}}},
			{Kind: planner.DNSSwitch, Action: planner.Change, Status: planner.Todo, Why: "assets.example.com",
				Undo: "puts back the record that stands today",
				Changes: []planner.ValueChange{{Path: "assets.example.com",
					Before: "CNAME " + s3Target + " TTL 60s", After: "CNAME " + afterMaker + " TTL 60s"}}},
			{Kind: planner.DNSPropagated, Action: planner.Wait, Status: planner.Waiting, Why: "the world answers with it", Expect: 60},
		},
		Findings: []planner.Finding{{Severity: planner.Note, Code: "https-new", Summary: "https starts to work",
			Detail: "The name was reached by http only; from the switch on it answers https as well. Nothing is redirected."}},
	}
}

func samplePlan() planner.Plan {
	return planner.Plan{
		FormatVersion: planner.FormatVersion, Goal: planner.Migrate,
		Summary: planner.Summary{ToMigrate: 1, UnderWay: 1, Done: 2, Blocked: 1, Held: 1, Switches: 2},
		Buckets: []planner.BucketPlan{
			newBucket(),
			{Address: `bucket.site["a"]`, Bucket: "a.example.com", CNAMEs: []string{"a.example.com"}, Standing: planner.StandDone, Steps: []planner.Step{}},
			{Address: `bucket.site["b"]`, Bucket: "b.example.com", CNAMEs: []string{"b.example.com"}, Standing: planner.StandDone, Steps: []planner.Step{}},
			{Address: `bucket.site["c"]`, Bucket: "c.example.com", CNAMEs: []string{"c.example.com", "www.c.example.com"},
				Standing: planner.StandBlocked, Steps: []planner.Step{}, Findings: []planner.Finding{{Severity: planner.Error, Code: "bucket-not-public",
					Summary: "bucket c.example.com is not public",
					Detail:  "An anonymous visitor gets 403 from S3 today. Make the objects public, or take the bucket out of the configuration."}}},
			{Address: `bucket.site["d"]`, Bucket: "d.example.com", CNAMEs: []string{"d.example.com"}, Standing: planner.StandUnderWay,
				Stage: planner.DNSPropagated, Expect: 30, Steps: []planner.Step{{Kind: planner.DNSPropagated, Action: planner.Wait,
					Status: planner.Waiting, Why: "1 of 3 resolvers still answers S3", Expect: 30}}},
			{Address: `bucket.site["e"]`, Bucket: "e.example.com", CNAMEs: []string{"e.example.com"}, Standing: planner.StandHeld,
				Steps: []planner.Step{}, Findings: []planner.Finding{{Severity: planner.Warning, Code: "held", Summary: "rolled back, and held since",
					Detail: `Type edgeward apply '-retry=bucket.site["e"]' to try again.`}}},
		},
	}
}

func TestPlan(t *testing.T) {
	rollback := planner.Plan{Goal: planner.Rollback, Summary: planner.Summary{ToMigrate: 1, Switches: 1},
		Buckets: []planner.BucketPlan{{Address: "bucket.assets", Bucket: "assets.example.com", CNAMEs: []string{"assets.example.com"},
			Standing: planner.StandNew, Expect: 60, Mixed: 60, Steps: []planner.Step{
				{Kind: planner.DNSRestore, Action: planner.Change, Why: "assets.example.com", Changes: []planner.ValueChange{{
					Path: "assets.example.com", Before: "CNAME d1.cloudfront.net TTL 60s", After: "CNAME " + s3Target + " TTL 60s"}}},
				{Kind: planner.DNSRestored, Action: planner.Wait, Why: "the world answers with it", Expect: 60}}}}}
	many := planner.Plan{Goal: planner.Migrate, Summary: planner.Summary{Done: 12}}
	for i := range 12 {
		name := fmt.Sprintf("s%02d.example.com", i)
		many.Buckets = append(many.Buckets, planner.BucketPlan{Address: "bucket[\"" + name + "\"]", Bucket: name,
			CNAMEs: []string{name}, Standing: planner.StandDone})
	}
	waves := planner.Plan{Goal: planner.Migrate, Summary: planner.Summary{ToMigrate: 30, Switches: 30},
		Waves: []planner.PlanWave{{Name: "done"}, {Name: "canary", Buckets: 2, Switches: 2, Parallelism: 1, MaxFailures: new(int)},
			{Name: "early", Buckets: 8, Switches: 8, Soak: 1800, Parallelism: 20, MaxFailures: ptr(3)}, {Buckets: 20, Switches: 20, Parallelism: 10}}}
	for i := range 30 {
		name := fmt.Sprintf("s%02d.example.com", i)
		wave := map[bool]string{true: "canary"}[i < 2]
		if i >= 2 && i < 10 {
			wave = "early"
		}
		waves.Buckets = append(waves.Buckets, planner.BucketPlan{Address: fmt.Sprintf("bucket.site[%q]", name), Bucket: name, CNAMEs: []string{name},
			Wave: wave, Standing: planner.StandNew, Steps: []planner.Step{{Kind: planner.DNSSwitch, Action: planner.Change, Why: name}}})
	}
	waves.Buckets[15].Steps[0].Why = "otherwise"
	tests := map[string]struct {
		plan  planner.Plan
		style Style
	}{
		"plan-waves.txt":    {plan: waves},
		"plan.txt":          {plan: samplePlan()},
		"plan-color.txt":    {plan: samplePlan(), style: Style{Color: true, Width: 120}},
		"plan-rollback.txt": {plan: rollback},
		"plan-many.txt":     {plan: many},
		"plan-empty.txt":    {plan: planner.Plan{Goal: planner.Migrate}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { golden(t, name, Plan(test.plan, test.style)) })
	}
}

// A plan is readable in 80 columns: only what cannot be broken may be longer.
func TestPlanFits(t *testing.T) {
	for _, line := range strings.Split(Plan(samplePlan(), Style{}), "\n") {
		if n := utf8.RuneCountInString(line); n > 80 && len(strings.Fields(line)) > 6 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

func TestPlanColorIsOnlyColor(t *testing.T) {
	colored := Plan(samplePlan(), Style{Color: true})
	for _, code := range []string{bold, dim, red, green, yellow, cyan, "0"} {
		colored = strings.ReplaceAll(colored, "\x1b["+code+"m", "")
	}
	if diff := cmp.Diff(Plan(samplePlan(), Style{}), colored); diff != "" {
		t.Errorf("colour changes the text (-plain +coloured):\n%s", diff)
	}
}

func TestJSONRoundTrip(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	event := planner.Event{Time: now, Address: "bucket.a", Kind: planner.DNSSwitch, Status: planner.EventDone, Why: "a < b & c",
		Changes: []planner.ValueChange{{Path: "p", Before: "x", After: "y"}}, Until: &now}
	roundTrip(t, samplePlan(), JSON)
	roundTrip(t, event, JSONLine)
	roundTrip(t, ReportLine{sampleReport()}, JSONLine)
	roundTrip(t, sampleStatus(), JSON)
	line, err := JSONLine(event)
	if err != nil || strings.Count(string(line), "\n") != 1 || !strings.Contains(string(line), "a < b & c") {
		t.Errorf("JSONLine = %q, %v", line, err)
	}
	text, err := JSON(samplePlan())
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "plan.json", string(text))
}

func roundTrip[T any](t *testing.T, v T, encode func(any) ([]byte, error)) {
	t.Helper()
	text, err := encode(v)
	if err != nil {
		t.Fatal(err)
	}
	var back T
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(v, back); diff != "" {
		t.Errorf("%T does not survive JSON (-before +after):\n%s", v, diff)
	}
}

func TestProgress(t *testing.T) {
	start := time.Date(2026, 1, 2, 12, 3, 4, 0, time.UTC)
	p := samplePlan()
	pr := NewProgress(p, Style{})
	var b strings.Builder
	send := func(after time.Duration, address string, k planner.Kind, st planner.EventStatus, why string) {
		b.WriteString(pr.Event(planner.Event{Time: start.Add(after), Address: address, Kind: k, Status: st, Why: why}))
	}
	send(0, "bucket.assets", planner.CertificateRequest, planner.EventStarted, "")
	send(time.Second, "bucket.assets", planner.CertificateRequest, planner.EventDone, "arn:aws:acm:us-east-1:1:certificate/x")
	send(2*time.Second, "bucket.assets", planner.CertificateIssued, planner.EventWaiting, "PENDING_VALIDATION")
	send(12*time.Second, "bucket.assets", planner.CertificateIssued, planner.EventWaiting, "PENDING_VALIDATION, 10s")
	send(40*time.Second, "bucket.assets", planner.CertificateIssued, planner.EventWaiting, "PENDING_VALIDATION, 38s")
	send(61*time.Second, `bucket.site["d"]`, planner.DNSPropagated, planner.EventDone, "3 of 3 resolvers")
	send(70*time.Second, "bucket.assets", planner.DNSSwitch, planner.EventFailed, "the record was changed")
	send(121*time.Second, "bucket.assets", "", planner.EventNote, "held")
	golden(t, "progress.txt", b.String())
}

func sampleReport() planner.Report {
	start := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	until, tomorrow := start.Add(time.Hour), start.Add(20*time.Hour)
	return planner.Report{FormatVersion: planner.FormatVersion, Goal: planner.Migrate, Started: start, Ended: start.Add(12 * time.Minute),
		Results: []planner.Result{
			{Address: "bucket.a", Outcome: planner.OutcomeFinished, Switched: true},
			{Address: "bucket.b", Outcome: planner.OutcomeWaiting, Stage: planner.TTLLower, Why: "the old TTL of 3600s runs out", Until: &until},
			{Address: "bucket.c", Outcome: planner.OutcomeWaiting, Stage: planner.TTLLower, Why: "the old TTL of 1d runs out", Until: &tomorrow},
			{Address: `bucket.site["d"]`, Outcome: planner.OutcomeFailed, Stage: planner.LinksVerify,
				Why:  "/index.html: S3 answers 200, CloudFront 403",
				Hint: "the bucket policy allows only some addresses; let CloudFront read it"},
			{Address: "bucket.e", Outcome: planner.OutcomeHeld},
			{Address: "bucket.f", Outcome: planner.OutcomeNothing},
		}}
}

func TestReport(t *testing.T) {
	c := Commands{GoOn: "edgeward apply -chdir=prod", Retry: "edgeward apply -chdir=prod"}
	golden(t, "report.txt", Report(sampleReport(), c, Style{}))
	inWaves := sampleReport()
	inWaves.Waves = []planner.WaveResult{
		{Name: "canary", Outcome: planner.OutcomeFinished, Buckets: 2, Started: inWaves.Started, Ended: inWaves.Ended},
		{Name: "early", Outcome: planner.OutcomeFailed, Buckets: 8, Failed: 1, Why: "more failed than max_failures = 0 allows"},
		{Outcome: planner.OutcomeSkipped, Buckets: 20},
	}
	golden(t, "report-waves.txt", Report(inWaves, c, Style{}))
	long := planner.Report{Results: []planner.Result{{Address: "bucket.a", Outcome: planner.OutcomeFailed, Why: strings.Repeat("every word of it ", 30)}}}
	for line := range strings.Lines(Report(long, c, Style{})) {
		if n := len(strings.TrimRight(line, "\n")); n > DefaultWidth {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	done := planner.Report{Goal: planner.Rollback, Results: []planner.Result{{Address: "bucket.a", Outcome: planner.OutcomeRolled}}}
	if diff := cmp.Diff("Rollback: 1 rolled back.\n", Report(done, c, Style{})); diff != "" {
		t.Error(diff)
	}
}

func sampleStatus() planner.StatusReport {
	return planner.StatusReport{FormatVersion: planner.FormatVersion, Buckets: []planner.BucketStatus{
		{Address: "bucket.assets", Standing: planner.StandUnderWay, Stage: planner.DNSPropagated, Why: "1 of 2 resolvers still answers S3",
			Distribution: "d1.cloudfront.net", Names: []planner.NameStatus{{Name: "assets.example.com",
				Record: "CNAME d1.cloudfront.net TTL 60s", Serves: "CloudFront",
				Authoritative: []planner.ServerSays{{Server: "ns1.example.com (192.0.2.1)", Answer: "CNAME d1.cloudfront.net 60s", Serves: "CloudFront"}},
				Resolvers: []planner.ServerSays{{Server: "192.0.2.53:53", Answer: "CNAME " + s3Target + " 41s", Serves: "S3"},
					{Server: "192.0.2.54:53", Answer: "no answer: timeout", Serves: "unknown"}}}}},
		{Address: "bucket.done", Standing: planner.StandDone},
		{Address: "bucket.private", Standing: planner.StandBlocked, Findings: []planner.Finding{{Severity: planner.Error,
			Code: "bucket-not-public", Summary: "bucket private.example.com is not public", Detail: "Make it public."}}},
	}}
}

func TestStatus(t *testing.T) { golden(t, "status.txt", Status(sampleStatus(), Style{})) }

func TestDuration(t *testing.T) {
	tests := map[string]struct {
		d    time.Duration
		want string
	}{
		"zero": {0, "0s"}, "negative": {-time.Second, "0s"}, "rounded up": {1500 * time.Millisecond, "2s"},
		"minute": {time.Minute, "1m"}, "both": {70 * time.Minute, "1h10m"}, "day": {24 * time.Hour, "1d"},
		"two units only": {25*time.Hour + 59*time.Second, "1d1h"}, "skips": {24*time.Hour + 5*time.Second, "1d"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := Duration(test.d); got != test.want {
				t.Errorf("Duration(%v) = %q, want %q", test.d, got, test.want)
			}
		})
	}
}

func TestQuote(t *testing.T) {
	for arg, want := range map[string]string{
		"": "''", "bucket.a": "bucket.a", `bucket.site["x"]`: `'bucket.site["x"]'`, "it's": `'it'\''s'`, "a*": "'a*'",
	} {
		if got := Quote(arg); got != want {
			t.Errorf("Quote(%q) = %s, want %s", arg, got, want)
		}
	}
}

// What a person has to do is said each time it changes, however soon, and a
// plan shows the rows.
func TestByHandIsSaid(t *testing.T) {
	start := time.Date(2026, 1, 2, 12, 3, 4, 0, time.UTC)
	pr := NewProgress(samplePlan(), Style{})
	for i, row := range []string{`add "x. 60 IN CNAME y."`, `remove "x. 60 IN CNAME y."`} {
		got := pr.Event(planner.Event{Time: start.Add(time.Duration(i) * time.Second), Address: "bucket.assets", Kind: planner.DNSSwitch,
			Status: planner.EventWaiting, Why: "to be done by hand: " + row, ByHand: []string{row}})
		if !strings.Contains(got, row) {
			t.Errorf("%q does not say %s", got, row)
		}
	}
	p := planner.Plan{Goal: planner.Migrate, Buckets: []planner.BucketPlan{{Address: "bucket.a", Bucket: "a", CNAMEs: []string{"a"}, Standing: planner.StandNew,
		Expect: 120, Switch: 60, Mixed: 600, MixedWhy: "desec keeps no shorter TTL",
		Steps: []planner.Step{{Kind: planner.DNSSwitch, Action: planner.Change, Why: "by hand", ByHand: []string{`add "x. 60 IN CNAME y."`}}}}}}
	got := Plan(p, Style{})
	words := strings.Join(strings.Fields(got), " ")
	for _, want := range []string{`by hand add "x. 60 IN CNAME y."`,
		"Takes about 2m, and as long as people take for what is done by hand. The switch can be after 1m. For 10m after the switch some visitors reach S3 and some CloudFront: desec keeps no shorter TTL."} {
		if !strings.Contains(words, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

// A row of a zone file stays on one line, so that it can be copied; all other
// text is parted at its spaces, as if there were no quotes.
func TestWrapKeepsRows(t *testing.T) {
	row := `"a.example.com. 60 IN CNAME d111111abcdef8.cloudfront.net."`
	for name, tc := range map[string]struct {
		text string
		want []string
	}{
		"row":         {"set " + row + " in place", []string{"set", row, "in place"}},
		"two rows":    {"set " + row + " in place of " + row + "; then", []string{"set", row, "in place of", row + ";", "then"}},
		"behind text": {"x=" + row + "y z", []string{"x=" + row + "y", "z"}},
		"other quote": {`it is "A 192.0.2.1 TTL 60s", no`, []string{`it is "A`, `192.0.2.1`, `TTL 60s",`, "no"}},
		"one quote":   {`a "b IN c d e f g h`, []string{`a "b IN c d`, `e f g h`}},
		"empty quote": {`a "" b`, []string{`a "" b`}},
		"only row":    {row, []string{row}},
	} {
		t.Run(name, func(t *testing.T) {
			if d := cmp.Diff(tc.want, Wrap(tc.text, 11)); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

// TestDoing: a plan in a table does not hide that it closes a bucket.
func TestDoing(t *testing.T) {
	bp := planner.BucketPlan{Steps: []planner.Step{{Kind: planner.DNSSwitch}, {Kind: planner.AccessGrant}, {Kind: planner.BucketLock}}}
	if got, want := doing(bp), "DNS switched to CloudFront, bucket locked"; got != want {
		t.Errorf("%s, not %s", got, want)
	}
	if got, want := doing(planner.BucketPlan{Steps: []planner.Step{{Kind: planner.BucketUnlock}, {Kind: planner.AccessRevoke}}}), "bucket unlocked"; got != want {
		t.Errorf("%s, not %s", got, want)
	}
}

func ptr[T any](v T) *T { return &v }
