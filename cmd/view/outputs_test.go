package view

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/edgeward/edgeward/planner"
	"github.com/google/go-cmp/cmp"
)

// everyStep is a step of each kind, with values, rows for a person, links.
func everyStep() []planner.Step {
	record := func(before, after string) []planner.ValueChange {
		return []planner.ValueChange{{Path: "record assets.example.com", Before: before, After: after}}
	}
	const live, low = "CNAME " + s3Target + " TTL 86400s", "CNAME " + s3Target + " TTL 60s"
	steps := []planner.Step{
		{Kind: planner.CertificateRequest, Action: planner.Create, Status: planner.Todo, Why: "ACM in us-east-1 has no usable certificate",
			Changes: []planner.ValueChange{{Path: "certificate", After: "assets.example.com"}}, Undo: "nothing to undo"},
		{Kind: planner.CertificateValidate, Action: planner.Create, Status: planner.Todo, Needs: []planner.Kind{planner.CertificateRequest},
			Why: "ACM looks for the validation record", ByHand: []string{`add "_x1.assets.example.com. 300 IN CNAME _y2.acm-validations.aws."`},
			Changes: []planner.ValueChange{{Path: "validation record", After: "(known after certificate.request)"}}},
		{Kind: planner.CertificateIssued, Action: planner.Wait, Status: planner.Waiting, Needs: []planner.Kind{planner.CertificateValidate},
			Why: "ACM issues the certificate", Expect: 300},
		{Kind: planner.PolicyEnsure, Action: planner.Create, Status: planner.Todo, Why: "a cache policy",
			Changes: []planner.ValueChange{{Path: "cache policy", After: "edgeward-56cb4541a833"}}},
		{Kind: planner.DistributionCreate, Action: planner.Change, Status: planner.Todo, Why: "the settings differ",
			Needs: []planner.Kind{planner.CertificateIssued, planner.PolicyEnsure}, Changes: []planner.ValueChange{
				{Path: "viewer_protocol", Before: "allow-all", After: "redirect-to-https"},
				{Path: "logging", Before: "logs.example.com/cdn/"},
				{Path: "aliases", After: "assets.example.com, www.assets.example.com, " + strings.Repeat("a-very-long-label.", 12) + "example.com"},
				{Path: "tag owner", Before: "a | `b` <b>@team</b> [x](http://evil.example)", After: ""},
				{Path: "comment"},
			}},
		{Kind: planner.DistributionDeployed, Action: planner.Wait, Status: planner.Waiting, Needs: []planner.Kind{planner.DistributionCreate}, Why: "at all edges", Expect: 300},
		{Kind: planner.LinksVerify, Action: planner.Check, Status: planner.Todo, Needs: []planner.Kind{planner.DistributionDeployed}, Why: "11 links", Expect: 30,
			Links: []string{"/", "/index.html", "/a b.png", "/|pipe", "/`tick", "/<img src=x>", "/@user", "/#1", "/ü", "/10", "/11"}},
		{Kind: planner.TTLLower, Action: planner.Change, Status: planner.Todo, Needs: []planner.Kind{planner.DistributionCreate},
			Why: "then wait until the old TTL of 1d has run out everywhere", Expect: 86_460, Changes: record(live, low), Undo: "edgeward rollback sets the old TTL again"},
		{Kind: planner.DNSSwitch, Action: planner.Change, Status: planner.Todo, Needs: []planner.Kind{planner.LinksVerify, planner.TTLLower}, Why: "one write a name",
			Expect: 60, Changes: record(live, "CNAME "+afterMaker+" TTL 60s"), Undo: "have the row of today put back by hand",
			ByHand: []string{"remove \"assets.example.com. 60 IN CNAME " + s3Target + ".\"", "add \"assets.example.com. 60 IN CNAME (known after distribution.create).\""}},
		{Kind: planner.DNSPropagated, Action: planner.Wait, Status: planner.Waiting, Needs: []planner.Kind{planner.DNSSwitch}, Why: "the world answers with it", Expect: 600},
		{Kind: planner.TrafficWatch, Action: planner.Wait, Status: planner.Waiting, Needs: []planner.Kind{planner.DNSPropagated}, Why: "healthy for 10m", Expect: 600},
		{Kind: planner.TTLRestore, Action: planner.Remove, Status: planner.Todo, Needs: []planner.Kind{planner.DNSPropagated}, Why: "the old TTL again", Changes: record(low, live)},
		{Kind: planner.DNSRestore, Action: planner.Change, Status: planner.Todo, Why: "the old record of every name", Changes: record("CNAME d1.cloudfront.net TTL 60s", live)},
		{Kind: planner.DNSRestored, Action: planner.Wait, Status: planner.Waiting, Needs: []planner.Kind{planner.DNSRestore}, Why: "the world answers with it", Expect: 60},
	}
	for _, k := range kindOrder() {
		if !slices.ContainsFunc(steps, func(s planner.Step) bool { return s.Kind == k }) {
			steps = slices.Insert(steps, len(steps)-2, planner.Step{Kind: k, Action: planner.Change, Status: planner.Todo, Why: "the stage " + string(k)})
		}
	}
	return steps
}

// everyPlan has every kind of step, action, standing and severity, a hold, rows
// by hand, a long mixed time with its reason, and wide and hostile names.
func everyPlan() planner.Plan {
	bad := `bucket.site["</code></details><script>alert(1)</script> | @everyone ` + "`x`" + `"]`
	steps := everyStep()
	last := len(steps) - 2
	like := func(n string) planner.BucketPlan {
		return planner.BucketPlan{Address: `bucket.site["` + n + `"]`, Bucket: n, CNAMEs: []string{n}, Standing: planner.StandUnderWay, Stage: planner.DNSPropagated,
			Expect: 60, Steps: []planner.Step{{Kind: planner.DNSPropagated, Action: planner.Wait, Status: planner.Waiting, Why: n + ": 1 of 3 resolvers has the record", Expect: 60}}}
	}
	return planner.Plan{
		FormatVersion: planner.FormatVersion, Goal: planner.Migrate,
		Waves: []planner.PlanWave{{Name: "<b>canary", Buckets: 1, Switches: 1, Parallelism: 2, MaxFailures: ptr(1)}, {Buckets: 4, Soak: 1800, Parallelism: 10}},
		Quotas: []planner.QuotaUse{{Kind: planner.QuotaKinds()[0], Limit: 200, Used: 198, Plan: 5}, {Account: "x", Kind: planner.QuotaKinds()[3], Limit: 2500, Used: 1, Plan: 2, Default: true, Why: "<b>denied"},
			{Provider: "dns_provider.route53.main", Zone: "example.com", Kind: planner.QuotaKinds()[8], Plan: 12, Takes: 60}},
		Summary: planner.Summary{ToMigrate: 2, UnderWay: 3, Done: 1, Blocked: 2, Held: 1, Switches: 1},
		Findings: []planner.Finding{{Severity: planner.Error, Code: "limit-switches",
			Summary: "apply refuses this plan as a whole: it has 1 dns.switch step, and limits { max_switches = 0 } allows no more than 0", Detail: "plan fewer at once"}},
		Buckets: []planner.BucketPlan{
			{Address: "bucket.assets", Bucket: "assets.example.com", Region: "eu-west-1",
				CNAMEs:   []string{"assets.example.com", "www.assets.example.com", "c.example.com", "d.example.com"},
				Standing: planner.StandNew, Stage: planner.CertificateRequest, Fingerprint: "f1", Expect: 88_000, Switch: 86_800, Mixed: 7200,
				NotBefore: time.Date(2026, 1, 4, 0, 0, 0, 0, time.UTC),
				MixedWhy:  "desec keeps no TTL below 1h", Steps: steps[:last], Findings: []planner.Finding{
					{Severity: planner.Note, Code: "https-new", Summary: "https starts to work", Detail: "Nothing is redirected."},
					{Severity: planner.Warning, Code: "ttl-floor", Summary: "the provider keeps no TTL below 1h", Detail: "The mixed time is longer."}}},
			like("a.example.com"), like("b.example.com"), like("c.example.com"),
			{Address: "bucket.done", Bucket: "done.example.com", CNAMEs: []string{"done.example.com"}, Standing: planner.StandDone},
			{Address: "bucket.private", Bucket: "private.example.com", CNAMEs: []string{"private.example.com"}, Standing: planner.StandBlocked,
				Findings: []planner.Finding{{Severity: planner.Error, Code: "bucket-not-public", Summary: "bucket private.example.com is not public", Detail: "Make it public."}}},
			{Address: "bucket.held", Bucket: "held.example.com", CNAMEs: []string{"held.example.com"}, Standing: planner.StandHeld,
				Findings: []planner.Finding{{Severity: planner.Note, Code: "held", Summary: "the bucket was rolled back by hand and is held", Detail: "edgeward apply -retry='bucket.held'"}}},
			{Address: bad, Bucket: "bücher-" + strings.Repeat("漢字", 40), CNAMEs: []string{"xn--bcher-kva.example", "| a |\n</summary>"}, Standing: planner.StandBlocked,
				Findings: []planner.Finding{{Severity: planner.Error, Code: "look-failed", Summary: "TXT \"<!-- --> </details> ```\" at\nx",
					Detail: "see https://evil.example/?a=b&c=d, #12, @org/team, **bold**, _it_, ~~no~~, ![i](x.png)"}}},
			{Address: "bucket.back", Bucket: "back.example.com", CNAMEs: []string{"back.example.com"}, Standing: planner.StandNew, Stage: planner.DNSRestore,
				Expect: 120, Mixed: 60, Steps: steps[last:]},
		},
	}
}

// everyRun is a run of everyPlan, with every outcome.
func everyRun() Run {
	p := everyPlan()
	start := time.Date(2026, 1, 2, 23, 50, 0, 0, time.UTC)
	until := start.Add(26 * time.Hour)
	r := planner.Report{FormatVersion: planner.FormatVersion, Goal: planner.Migrate, Started: start, Ended: start.Add(20 * time.Minute)}
	outcomes := outcomeOrder()
	for i, o := range outcomes {
		if i >= len(p.Buckets) {
			n := fmt.Sprintf("x%d.example.com", i)
			p.Buckets = append(p.Buckets, planner.BucketPlan{Address: "bucket.x" + fmt.Sprint(i), Bucket: n, CNAMEs: []string{n}, Standing: planner.StandNew})
		}
		res := planner.Result{Address: p.Buckets[i].Address, Outcome: o, Switched: o == planner.OutcomeFinished}
		if !settled(o) {
			res.Stage, res.Why, res.Hint = planner.LinksVerify, "</details> | /index.html: S3 answers 200, CloudFront 403", "let CloudFront read it; ask @team"
		}
		if o == planner.OutcomeWaiting {
			res.Until = &until
		}
		r.Results = append(r.Results, res)
	}
	at := func(minutes int, k planner.Kind, s planner.EventStatus, why string) planner.Event {
		return planner.Event{Time: start.Add(time.Duration(minutes) * time.Minute), Address: "bucket.assets", Kind: k, Status: s, Why: why}
	}
	wait := at(5, planner.TTLLower, planner.EventWaiting, "the old TTL of 1d runs out")
	wait.Until = &until
	hand := at(6, planner.DNSSwitch, planner.EventWaiting, "to be done by hand")
	hand.ByHand = []string{"add \"x. 60 IN CNAME y.\""}
	begun := at(0, planner.CertificateRequest, planner.EventStarted, "no certificate")
	begun.Changes = []planner.ValueChange{{Path: "certificate", After: "assets.example.com"}}
	events := []planner.Event{begun, at(1, planner.CertificateRequest, planner.EventDone, "requested"), at(2, planner.TTLLower, planner.EventStarted, ""),
		wait, hand, at(12, planner.LinksVerify, planner.EventFailed, "/a|b: <b>403</b>"), at(19, "", planner.EventNote, "the bucket is held")}
	x := NewRun("v1.2.3", p, events, r, Commands{GoOn: "edgeward apply -chdir='a`b'", Retry: "edgeward apply", Further: "edgeward apply -further"})
	x.Configuration, x.Shard = "c0ffee", "1/4"
	x.Approval = &Approval{How: ApprovedByFlag, By: "@ann <b> in https://ci.example/1", At: start}
	return x
}

func everyStatus() planner.StatusReport {
	r := sampleStatus()
	r.Buckets = append(r.Buckets, planner.BucketStatus{Address: "bucket.drifted", Standing: planner.StandDone, Distribution: "d2.cloudfront.net",
		Names: []planner.NameStatus{{Name: "drifted.example.com", Serves: "nobody"}}, Ask: []string{"owner=@team | <b>"},
		Steps: []planner.Step{{Kind: planner.DNSSwitch}},
		Drift: []planner.Drift{{Path: "record drifted.example.com", Expected: "CNAME d2.cloudfront.net TTL 60s", Mend: "edgeward apply"},
			{Path: "viewer_protocol", Expected: "allow-all", Live: "https-only", Mend: "edgeward apply"}}})
	return r
}

// kindsOfPlanner are the constants of type Kind, as the source has them.
func kindsOfPlanner(t *testing.T) []string {
	t.Helper()
	src, err := os.ReadFile("../../planner/types.go")
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, m := range regexp.MustCompile(`(?m)^\t\w+ +Kind = "([a-z.]+)"`).FindAllStringSubmatch(string(src), -1) {
		kinds = append(kinds, m[1])
	}
	return kinds
}

func TestOutputFiles(t *testing.T) {
	kinds := kindsOfPlanner(t)
	if len(kinds) < 13 {
		t.Fatalf("only the kinds %q were found", kinds)
	}
	page := func(s string, err error) string {
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	back := planner.Plan{Goal: planner.Rollback, Summary: planner.Summary{ToMigrate: 1}, Buckets: everyPlan().Buckets[8:]}
	for name, got := range map[string]string{
		"plan-every.md": PlanMarkdown(everyPlan()), "plan-every.html": page(PlanHTML(everyPlan())),
		"run-every.md": RunMarkdown(everyRun()), "run-every.html": page(RunHTML(everyRun())),
		"status-every.md": StatusMarkdown(everyStatus()), "status-every.html": page(StatusHTML(everyStatus())),
		"plan-back.md": PlanMarkdown(back), "plan-back.html": page(PlanHTML(back)),
		"plan-none.md": PlanMarkdown(planner.Plan{}), "plan-none.html": page(PlanHTML(planner.Plan{})),
	} {
		t.Run(name, func(t *testing.T) {
			golden(t, name, got)
			if strings.HasPrefix(name, "plan-every") {
				for _, k := range kinds {
					if !strings.Contains(got, k) {
						t.Errorf("no step %s", k)
					}
				}
			}
		})
	}
}

// filled is a value of which every string is text, every list has n elements and
// every other field is set.
func filled[T any](text string, n int) T {
	var v T
	fill(reflect.ValueOf(&v).Elem(), text, n)
	return v
}

func fill(v reflect.Value, text string, n int) {
	if _, ok := v.Interface().(time.Time); ok {
		v.Set(reflect.ValueOf(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Int, reflect.Int64:
		v.SetInt(90)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), text, n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			fill(v.Index(i), text, n)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), text, n)
		}
	}
}

// What is looked for in pages and in Markdown.
var (
	tagWhole       = regexp.MustCompile(`<[^>]*>`)
	attributeValue = regexp.MustCompile(`"[^"]*"`)
	codeBegins     = regexp.MustCompile("^`+[a-z]+$")
	codeSpan       = regexp.MustCompile("`[^`]*`")
	tagBegun       = regexp.MustCompile(`<[^>]*>?`)
	markupLeft     = regexp.MustCompile(`[\[\]~!@]|://|www\.`)
)

// skeleton is what a reader's browser makes of a page beside its words: the
// elements, with their attributes' names.
func skeleton(page string) string {
	var b strings.Builder
	_, page, _ = strings.Cut(page, "</style>")
	for _, tag := range tagWhole.FindAllString(page, -1) {
		b.WriteString(attributeValue.ReplaceAllString(tag, `""`))
	}
	return b.String()
}

// blocksOf checks that Markdown has no markup but ours, and gives its lines
// without their words.
func blocksOf(t *testing.T, md string) (lines []string) {
	t.Helper()
	inside := ""
	for i, line := range strings.Split(md, "\n") {
		bare := strings.TrimLeft(line, " ")
		marks := bare[:len(bare)-len(strings.TrimLeft(bare, "`"))]
		switch {
		case inside != "":
			if bare == inside {
				inside = ""
				lines = append(lines, "end")
			} else if len(marks) >= len(inside) && bare == marks {
				t.Errorf("line %d ends a block of code too early: %q", i+1, line)
			}
			continue
		case len(marks) >= 3 && codeBegins.MatchString(bare):
			inside = marks
			lines = append(lines, "code")
			continue
		}
		rest := codeSpan.ReplaceAllString(line, "CODE")
		tags := tagBegun.FindAllString(rest, -1)
		for _, tag := range tags {
			if !slices.Contains([]string{"<details>", "</details>", "<summary>", "</summary>", "<code>", "</code>", "<!-- -->"}, tag) && i > 0 {
				t.Errorf("line %d has the tag %q: %q", i+1, tag, line)
			}
		}
		summary := strings.HasPrefix(rest, "<details>")
		rest = strings.ReplaceAll(rest, "<!-- -->", "")
		if bad := markupLeft.FindString(rest); bad != "" && !summary && i > 0 {
			t.Errorf("line %d has %q: %q", i+1, bad, line)
		}
		pipes := strings.Count(rest, "|")
		if summary {
			pipes = 0
		}
		lines = append(lines, fmt.Sprint(pipes, strings.HasPrefix(rest, "|"), summary, rest == "</details>", rest == ""))
	}
	if inside != "" {
		t.Error("a block of code is not ended")
	}
	return lines
}

func checkHostile(t *testing.T, text string) {
	t.Helper()
	const plain = "words"
	run, plan, status := filled[Run](text, 2), filled[planner.Plan](text, 2), filled[planner.StatusReport](text, 2)
	plainRun, plainPlan, plainStatus := filled[Run](plain, 2), filled[planner.Plan](plain, 2), filled[planner.StatusReport](plain, 2)
	for name, md := range map[string][2]string{
		"plan": {PlanMarkdown(plan), PlanMarkdown(plainPlan)}, "run": {RunMarkdown(run), RunMarkdown(plainRun)}, "status": {StatusMarkdown(status), StatusMarkdown(plainStatus)},
	} {
		if len(md[0]) > MarkdownLimit || !utf8.ValidString(md[0]) {
			t.Errorf("%s: %d bytes, UTF-8 %v", name, len(md[0]), utf8.ValidString(md[0]))
		}
		if strings.Contains(md[0], "Left out here") || strings.Contains(md[0], "Without a part") {
			blocksOf(t, md[0])
			continue // it is shorter than the plain one
		}
		if diff := cmp.Diff(blocksOf(t, md[1]), blocksOf(t, md[0])); diff != "" && text != "" {
			t.Errorf("%s: %q changes the Markdown (-plain +hostile):\n%s", name, text, diff)
		}
	}
	for name, f := range map[string][2]func() (string, error){
		"plan":   {func() (string, error) { return PlanHTML(plan) }, func() (string, error) { return PlanHTML(plainPlan) }},
		"run":    {func() (string, error) { return RunHTML(run) }, func() (string, error) { return RunHTML(plainRun) }},
		"status": {func() (string, error) { return StatusHTML(status) }, func() (string, error) { return StatusHTML(plainStatus) }},
	} {
		got, err := f[0]()
		want, errPlain := f[1]()
		if err != nil || errPlain != nil {
			t.Fatal(err, errPlain)
		}
		if diff := cmp.Diff(skeleton(want), skeleton(got)); diff != "" && text != "" {
			t.Errorf("%s: %q changes the page (-plain +hostile):\n%s", name, text, diff)
		}
	}
}

// Whatever a name, a tag, a record, a reason contains: no part is closed, no
// table broken, no tag brought in, nobody called, nothing linked.
func TestHostilePlans(t *testing.T) {
	for _, text := range hostile() {
		checkHostile(t, text)
	}
}

func FuzzHostilePlans(f *testing.F) {
	for _, text := range hostile() {
		f.Add(text)
	}
	f.Fuzz(checkHostile)
}

// A comment has its limit whatever a plan has, counted in the most cautious way.
func TestPlanMarkdownLimit(t *testing.T) {
	texts := hostile()
	for seed := range uint64(6) {
		r := rand.New(rand.NewPCG(seed, 7))
		p := planner.Plan{FormatVersion: planner.FormatVersion, Goal: planner.Migrate}
		run := Run{Report: planner.Report{Goal: planner.Migrate}, Commands: Commands{GoOn: strings.Repeat("x", r.IntN(80_000)), Retry: "edgeward apply"}}
		for i := range r.IntN(600) {
			bp := everyPlan().Buckets[r.IntN(9)]
			x := texts[r.IntN(len(texts))]
			bp.Address = fmt.Sprintf(`bucket.site["%d %s"]`, i, x)
			bp.CNAMEs = []string{x, texts[r.IntN(len(texts))]}
			bp.Findings = append(slices.Clone(bp.Findings), planner.Finding{Severity: planner.Note, Summary: x, Detail: strings.Repeat(x, r.IntN(20))})
			p.Buckets = append(p.Buckets, bp)
			run.Report.Results = append(run.Report.Results, planner.Result{Address: bp.Address, Outcome: outcomeOrder()[r.IntN(11)], Why: x, Hint: x})
			run.Events = append(run.Events, planner.Event{Address: bp.Address, Kind: planner.DNSSwitch, Status: planner.EventFailed, Why: x})
		}
		run.Plan = p
		for name, md := range map[string]string{"plan": PlanMarkdown(p), "run": RunMarkdown(run)} {
			if n := len(md); n > MarkdownLimit {
				t.Errorf("seed %d, %s: %d bytes", seed, name, n)
			}
			if n := len(utf16.Encode([]rune(md))); n > MarkdownLimit {
				t.Errorf("seed %d, %s: %d characters", seed, name, n)
			}
			if a, b := strings.Count(md, "\n<details>"), strings.Count(md, "\n</details>\n"); a != b {
				t.Errorf("seed %d, %s: %d parts opened, %d closed", seed, name, a, b)
			}
			blocksOf(t, md)
		}
	}
}

// manyPlan has n buckets that differ in more than their names; the last is
// blocked.
func manyPlan(n int) planner.Plan {
	p := planner.Plan{FormatVersion: planner.FormatVersion, Goal: planner.Migrate}
	for i := range n {
		name := fmt.Sprintf("s%03d.example.com", i)
		bp := newBucket()
		bp.Address, bp.Bucket, bp.CNAMEs = `bucket.site["`+name+`"]`, name, []string{name}
		bp.Steps[0].Why = fmt.Sprintf("certificate number %d", i)
		if i == n-1 {
			bp.Standing, bp.Steps = planner.StandBlocked, nil
			bp.Findings = []planner.Finding{{Severity: planner.Error, Code: "bucket-not-public", Summary: "the last one is not public", Detail: "Make it public."}}
		}
		p.Buckets = append(p.Buckets, bp)
	}
	return p
}

// What is cut is counted and named, and what blocks is not cut.
func TestPlanMarkdownCut(t *testing.T) {
	md := PlanMarkdown(manyPlan(500))
	if !strings.Contains(md, "the last one is not public") {
		t.Error("the blocked bucket was cut")
	}
	parts := strings.Count(md, "<details>")
	m := regexp.MustCompile("Without a part of their own here, ([0-9]+) buckets: `bucket.site").FindStringSubmatch(md)
	if m == nil || fmt.Sprint(500-parts) != m[1] {
		t.Errorf("%d of 500 buckets have a part, and the page says that others have none: %q", parts, m)
	}
	rows := strings.Count(md, "\n| `bucket.site")
	m = regexp.MustCompile(`And ([0-9]+) more buckets: `).FindStringSubmatch(md)
	if m == nil || fmt.Sprint(500-rows) != m[1] {
		t.Errorf("%d of 500 buckets have a row, and the page says that there are more: %q", rows, m)
	}
}

// expanded is text with the names of its ranges behind it.
func expanded(text string) string {
	for _, m := range regexp.MustCompile(`(bucket\.site\["s)(\d{3})(\.example\.com"\]) … bucket\.site\["s(\d{3})\.example\.com"\] \((\d+)\)`).FindAllStringSubmatch(text, -1) {
		from, _ := strconv.Atoi(m[2])
		to, _ := strconv.Atoi(m[4])
		if fmt.Sprint(to-from+1) != m[5] {
			text += "a wrong count: " + m[0]
		}
		for i := from; i <= to; i++ {
			text += fmt.Sprintf(" `%s%03d%s`", m[1], i, m[3])
		}
	}
	return text
}

// Names share an entry only when they count up by one, in one place, and are four.
func TestRanges(t *testing.T) {
	for in, want := range map[string]string{
		"a1 a2 a3 a4 b":       "a1 … a4 (4)|b",
		"a1 a2 a3":            "a1|a2|a3",
		"a08 a09 a10 a11 a12": "a08 … a12 (5)",
		"a1 a2 a4 a5 a6 a7":   "a1|a2|a4 … a7 (4)",
		"1-1 1-2 1-3 2-3":     "1-1|1-2|1-3|2-3",
		"a1x a2y a3x a4y":     "a1x|a2y|a3x|a4y",
		"a a a a":             "a|a|a|a",
		"":                    "",
	} {
		if got := strings.Join(ranges(strings.Fields(in)), "|"); got != want {
			t.Errorf("ranges(%s) = %s, want %s", in, got, want)
		}
	}
}

// Buckets that differ in nothing but their names are said once, all by name; one
// that differs in anything else is said by itself.
func TestAlikeIsSaidOnce(t *testing.T) {
	p := manyPlan(500)
	for i := range p.Buckets {
		name := p.Buckets[i].Bucket
		p.Buckets[i].Standing, p.Buckets[i].Findings = planner.StandNew, nil
		p.Buckets[i].Steps = []planner.Step{{Kind: planner.DNSSwitch, Action: planner.Change, Why: "one write a name", Links: []string{name},
			Changes: []planner.ValueChange{{Path: "record " + name, Before: "CNAME " + name + ".s3.eu-west-1.amazonaws.com TTL 60s", After: "CNAME d.cloudfront.net TTL 60s"}}}}
	}
	p.Buckets[7].Steps[0].Changes[0].Before = "CNAME s008.example.com.s3.eu-west-1.amazonaws.com TTL 60s"
	p.Buckets[9].Steps[0].Changes[0].Before = "CNAME s009.example.com.s3.eu-west-1.amazonaws.com TTL 61s"
	md := PlanMarkdown(p)
	if n := strings.Count(md, "<details>"); n != 3 {
		t.Errorf("%d parts, want 3", n)
	}
	spread := expanded(md)
	for _, b := range p.Buckets {
		if !strings.Contains(spread, markdownCode(b.Address)) && !strings.Contains(md, htmlCode(b.Address)) {
			t.Errorf("%s is not named", b.Address)
		}
	}
	text := Plan(p, Style{})
	spread = expanded(text)
	if n := strings.Count(text, "\n"); n > 60 {
		t.Errorf("the plan has %d lines", n)
	}
	for _, b := range p.Buckets {
		if !strings.Contains(spread, b.Address) {
			t.Errorf("%s is not named on the screen", b.Address)
		}
	}
	if !strings.Contains(md, "and 497 alike") {
		t.Error("the alike are not counted")
	}
}

// A name is one only where it stands by itself: TTLs are no names.
func TestAlikeKnowsNames(t *testing.T) {
	var p planner.Plan
	for _, name := range []string{"300", "600"} {
		p.Buckets = append(p.Buckets, planner.BucketPlan{Address: "bucket.x" + name, Bucket: name, CNAMEs: []string{name}, Standing: planner.StandNew,
			Steps: []planner.Step{{Kind: planner.TTLLower, Why: "the TTL is " + name + "s"}}})
	}
	if n := strings.Count(PlanMarkdown(p), "\n<details>"); n != 2 {
		t.Errorf("%d parts, want 2", n)
	}
}

// The bars stand where the needs of the steps put them, and the mixed time
// behind the switch.
func TestExpectedTimeline(t *testing.T) {
	bp := planner.BucketPlan{Mixed: 100, Steps: []planner.Step{
		{Kind: "a", Action: planner.Wait, Expect: 100}, {Kind: "b", Action: planner.Create, Expect: 300},
		{Kind: planner.DNSSwitch, Action: planner.Change, Needs: []planner.Kind{"a", "b"}, Expect: 100}, {Kind: "d", Action: planner.Wait, Needs: []planner.Kind{planner.DNSSwitch}, Expect: 100},
		{Kind: "e", Action: planner.Change, Needs: []planner.Kind{"d"}}}}
	want := []timeline{{Title: "Expected", Length: "8m20s", Bars: []bar{
		{"a", "1m40s, from 0s to 1m40s", "wait", 0, 20}, {"b", "5m, from 0s to 5m", "create", 0, 60}, {"dns.switch", "1m40s, from 5m to 6m40s", "change", 60, 20},
		{"mixed time", "some visitors reach S3, some CloudFront: 1m40s, from 5m to 6m40s", "mixed", 60, 20},
		{"d", "1m40s, from 6m40s to 8m20s", "wait", 80, 20}, {"e", "at 8m20s", "change", 100, 0}}}}
	if diff := cmp.Diff(want, expected(bp)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := expected(planner.BucketPlan{Steps: []planner.Step{{Kind: "a"}}}); got != nil {
		t.Errorf("a plan that takes no time has %v", got)
	}
}

func TestRunSurvivesJSON(t *testing.T) { roundTrip(t, everyRun(), JSON) }

// The schema has every value of every typed string, as the source has them.
func TestSchemaHasEveryValue(t *testing.T) {
	source := map[string][]string{}
	for _, dir := range []string{"../../planner/*.go", "../../planner/proof/*.go", "../../providers/quotas.go", "*.go"} {
		files, err := filepath.Glob(dir)
		if err != nil || len(files) == 0 {
			t.Fatal(dir, err)
		}
		for _, name := range files {
			src, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range regexp.MustCompile(`(?m)^\t[A-Z]\w* +([A-Z]\w*) += "([^"]*)"`).FindAllStringSubmatch(string(src), -1) {
				source[m[1]] = append(source[m[1]], m[2])
			}
		}
	}
	for of, values := range schemaEnums() {
		var got []string
		for _, v := range values {
			if s := fmt.Sprint(v); s != "" {
				got = append(got, s)
			}
		}
		want := source[of.Name()]
		slices.Sort(got)
		slices.Sort(want)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-source +schema):\n%s", of, diff)
		}
	}
}
