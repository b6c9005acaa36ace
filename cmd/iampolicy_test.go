package cmd

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/edgeward/edgeward/providers"
	"github.com/edgeward/edgeward/providers/aws"
	"github.com/edgeward/edgeward/providers/dns"
	"github.com/google/go-cmp/cmp"
)

// Every policy that the examples need is one that IAM takes: Sids are letters and
// digits and in it once, no statement is without an action or a resource, no
// action is in two statements for the same resource, and no action is a pattern.
func TestPoliciesAreWellFormed(t *testing.T) {
	known, reads := map[string]bool{}, map[string]bool{}
	for _, p := range slices.Concat(aws.Permissions(), dns.Permissions()) {
		known[p.Action] = true
		reads[p.Action] = reads[p.Action] || p.Reads
	}
	sid := regexp.MustCompile(`^[A-Za-z0-9]+$`)
	for _, args := range [][]string{
		{"-chdir=../examples/single"}, {"-chdir=../examples/batch"}, {"-chdir=../examples/website", "-log-bucket=logs"},
		{"-chdir=../examples/accounts", "-account=shop"}, {"-chdir=../examples/accounts", "-account=brand"}, {"-chdir=../examples/accounts", "-account=dns"},
	} {
		for _, role := range []string{"apply", "plan"} {
			var stdout, stderr bytes.Buffer
			code := Main(append([]string{"iam-policy", "-role=" + role}, args...), strings.NewReader(""), &stdout, &stderr)
			if code != 0 {
				t.Fatalf("%v: exit %d: %s", args, code, stderr.String())
			}
			var document policyDocument
			d := json.NewDecoder(&stdout)
			d.DisallowUnknownFields()
			if err := d.Decode(&document); err != nil {
				t.Fatal(err)
			}
			sids, pairs := map[string]bool{}, map[string]bool{}
			for _, s := range document.Statement {
				if !sid.MatchString(s.Sid) || sids[s.Sid] || s.Effect != "Allow" || len(s.Action) == 0 || len(s.Resource) == 0 {
					t.Errorf("%v %s: statement %+v", args, role, s)
				}
				sids[s.Sid] = true
				for _, action := range s.Action {
					if !known[action] || role == "plan" && !reads[action] {
						t.Errorf("%v %s: action %s", args, role, action)
					}
					for _, r := range s.Resource {
						if pairs[action+" "+r] && s.Condition == nil {
							t.Errorf("%v %s: %s on %s twice", args, role, action, r)
						}
						pairs[action+" "+r] = true
					}
				}
			}
		}
	}
}

// The table of docs/iam.md is that of the adapters; -update writes it.
func TestPermissionsInDocumentation(t *testing.T) {
	const name, begin, end = "../docs/iam.md", "<!-- table -->\n", "<!-- /table -->\n"
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	table.WriteString("| right | on | for | call | role | source |\n|---|---|---|---|---|---|\n")
	for _, p := range slices.Concat(aws.Permissions(), dns.Permissions()) {
		role, calls := "apply", "`"+strings.Join(p.Calls, "`, `")+"`"
		if p.Reads {
			role = "plan"
		}
		if p.Calls == nil {
			calls = "made by CloudFront"
		}
		switch p.If {
		case providers.IfNothing:
			continue
		case providers.IfRole:
			role = "runner"
		}
		fmt.Fprintf(&table, "| `%s` | %s | %s | %s | %s | %s |\n", p.Action, p.On, p.If, calls, role, p.Source)
	}
	before, rest, ok := strings.Cut(string(text), begin)
	_, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatal("docs/iam.md has no place for the table")
	}
	want := before + begin + table.String() + end + after
	if *update {
		if err := os.WriteFile(name, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
	} else if d := cmp.Diff(want, string(text)); d != "" {
		t.Errorf("run with -update; want (-) and docs/iam.md (+):\n%s", d)
	}
}

// Every action of the tables is in some policy of the script iampolicy, and no
// other is: no need is forgotten by needs.
func TestPoliciesHaveEveryAction(t *testing.T) {
	text, err := os.ReadFile("testdata/iampolicy.txtar")
	if err != nil {
		t.Fatal(err)
	}
	want, got := map[string]bool{}, map[string]bool{}
	for _, p := range slices.Concat(aws.Permissions(), dns.Permissions()) {
		if p.If != providers.IfNothing {
			want[p.Action] = true
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^ {8}"([a-z0-9]+:[A-Za-z]+)",?$`).FindAllStringSubmatch(string(text), -1) {
		got[m[1]] = true
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("actions of the tables (-) and of the policies (+):\n%s", d)
	}
}
