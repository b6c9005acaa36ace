package cmd

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	yaml "github.com/zclconf/go-cty-yaml"
	ctyjson "github.com/zclconf/go-cty/cty/json"
)

// ciFiles are the files of the examples for CI.
func ciFiles(t *testing.T) map[string]any {
	t.Helper()
	var names []string
	for _, pattern := range []string{"github-actions/.github/workflows/*.yml", "gitlab-ci/.gitlab-ci.yml", "atlantis/*.yaml"} {
		found, err := filepath.Glob("../examples/" + pattern)
		if err != nil || len(found) == 0 {
			t.Fatal("no files ", pattern, err)
		}
		names = append(names, found...)
	}
	files := map[string]any{}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		kind, err := yaml.ImpliedType(text)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		value, err := yaml.Unmarshal(text, kind)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		plain, err := ctyjson.Marshal(value, kind)
		if err != nil {
			t.Fatal(err)
		}
		var got any
		if err := json.Unmarshal(plain, &got); err != nil {
			t.Fatal(err)
		}
		files[strings.TrimPrefix(filepath.ToSlash(name), "../examples/")] = got
	}
	return files
}

// at walks into maps.
func at(v any, keys ...string) any {
	for _, k := range keys {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[k]
	}
	return v
}

func keysOf(v any) []string {
	var out []string
	if m, ok := v.(map[string]any); ok {
		for k := range m {
			out = append(out, k)
		}
	}
	slices.Sort(out)
	return out
}

func textsOf(v any) []string {
	var out []string
	list, _ := v.([]any)
	for _, e := range list {
		s, _ := e.(string)
		out = append(out, s)
	}
	return out
}

// unknownKeys are the keys of v that are not in allowed.
func unknownKeys(v any, allowed string) []string {
	return slices.DeleteFunc(keysOf(v), func(k string) bool { return slices.Contains(strings.Fields(allowed), k) })
}

// The workflows ask for no more rights than each job needs, name every action by
// its commit, end by themselves, and never run beside each other's apply. What
// else a workflow must be, .ci/run asks actionlint.
func TestGitHubExample(t *testing.T) {
	pinned := regexp.MustCompile(`uses: \S+@[0-9a-f]{40} # v\d+\.\d+\.\d+$`)
	for name, file := range ciFiles(t) {
		if !strings.HasPrefix(name, "github-actions/") {
			continue
		}
		if p := at(file, "permissions"); len(keysOf(p)) != 1 || at(p, "contents") != "read" {
			t.Errorf("%s: permissions %v", name, p)
		}
		if at(file, "concurrency", "group") == nil {
			t.Errorf("%s: no concurrency group", name)
		}
		if cancel := at(file, "concurrency", "cancel-in-progress"); strings.HasSuffix(name, "apply.yml") && cancel != false {
			t.Errorf("%s: an apply is cancelled by another: %v", name, cancel)
		}
		for _, job := range keysOf(at(file, "jobs")) {
			token := any(nil) // of a job that takes on no role
			steps, _ := at(file, "jobs", job, "steps").([]any)
			for _, s := range steps {
				if uses, _ := at(s, "uses").(string); strings.HasPrefix(uses, "aws-actions/configure-aws-credentials@") {
					token = "write"
				}
			}
			if at(file, "jobs", job, "timeout-minutes") == nil || at(file, "jobs", job, "permissions", "contents") != "read" ||
				at(file, "jobs", job, "permissions", "id-token") != token {
				t.Errorf("%s: job %s: %v", name, job, at(file, "jobs", job, "permissions"))
			}
		}
		text, err := os.ReadFile("../examples/" + name)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range strings.Split(string(text), "\n") {
			if strings.Contains(line, "uses:") && !pinned.MatchString(line) {
				t.Errorf("%s: %s is not named by a commit with its version", name, strings.TrimSpace(line))
			}
		}
	}
}

// The jobs are of keywords that GitLab has [GitLab: CI/CD YAML syntax reference],
// and name stages, templates and jobs that are there.
func TestGitLabExample(t *testing.T) {
	file := ciFiles(t)["gitlab-ci/.gitlab-ci.yml"]
	stages := textsOf(at(file, "stages"))
	jobs := 0
	for _, name := range keysOf(file) {
		if name == "stages" || name == "variables" {
			continue
		}
		job := at(file, name)
		if bad := unknownKeys(job, "extends stage variables rules script before_script artifacts needs environment resource_group timeout allow_failure image id_tokens cache"); len(bad) > 0 {
			t.Errorf("%s has %v", name, bad)
		}
		if bad := unknownKeys(at(job, "artifacts"), "paths expose_as expire_in when"); len(bad) > 0 {
			t.Errorf("%s: artifacts have %v", name, bad)
		}
		if strings.HasPrefix(name, ".") {
			continue
		}
		jobs++
		stage, _ := at(job, "stage").(string)
		extends, _ := at(job, "extends").(string)
		if !slices.Contains(stages, stage) || at(file, extends) == nil || len(textsOf(at(job, "script"))) == 0 || at(job, "rules") == nil {
			t.Errorf("job %s: %v", name, job)
		}
		for _, other := range textsOf(at(job, "needs")) {
			if at(file, other) == nil {
				t.Errorf("job %s needs %s, which is no job", name, other)
			}
		}
		if changes := at(job, "variables", "ROLE") == "$EDGEWARD_APPLY_ROLE"; changes != (at(job, "resource_group") == "edgeward") {
			t.Errorf("job %s: role %v, resource group %v", name, at(job, "variables", "ROLE"), at(job, "resource_group"))
		}
	}
	if jobs != 4 {
		t.Errorf("%d jobs", jobs)
	}
}

// The project names a workflow that the server has [Atlantis: Repo Level
// atlantis.yaml Config, Server Side Repo Config, Custom Workflows].
func TestAtlantisExample(t *testing.T) {
	files := ciFiles(t)
	repo, server := files["atlantis/atlantis.yaml"], files["atlantis/repos.yaml"]
	if at(repo, "version") != float64(3) || len(unknownKeys(repo, "version projects")) > 0 || len(unknownKeys(server, "repos workflows")) > 0 {
		t.Errorf("keys %v, %v", keysOf(repo), keysOf(server))
	}
	projects, _ := at(repo, "projects").([]any)
	for _, p := range projects {
		workflow, _ := at(p, "workflow").(string)
		if len(unknownKeys(p, "name dir workflow autoplan")) > 0 || len(unknownKeys(at(p, "autoplan"), "enabled when_modified")) > 0 ||
			at(server, "workflows", workflow, "plan", "steps") == nil || at(server, "workflows", workflow, "apply", "steps") == nil {
			t.Errorf("project %v", p)
		}
	}
	repos, _ := at(server, "repos").([]any)
	for _, r := range repos {
		if len(unknownKeys(r, "id allowed_overrides plan_requirements apply_requirements")) > 0 || !slices.Contains(textsOf(at(r, "allowed_overrides")), "workflow") {
			t.Errorf("repository %v", r)
		}
		for _, need := range append(textsOf(at(r, "apply_requirements")), textsOf(at(r, "plan_requirements"))...) {
			if !slices.Contains([]string{"approved", "mergeable", "undiverged"}, need) {
				t.Errorf("no requirement %q", need)
			}
		}
	}
	if len(projects) != 1 || len(repos) != 1 {
		t.Errorf("%d projects, %d repositories", len(projects), len(repos))
	}
}

// shellCommands are the lines of shell in a value that run edgeward, as arguments.
func shellCommands(v any) [][]string {
	var out [][]string
	switch v := v.(type) {
	case map[string]any:
		for _, k := range keysOf(v) {
			if _, text := v[k].(string); !text || k == "run" || k == "command" {
				out = append(out, shellCommands(v[k])...)
			}
		}
	case []any:
		for _, e := range v {
			out = append(out, shellCommands(e)...)
		}
	case string:
		for _, m := range regexp.MustCompile(`(?m)^\s*edgeward ([a-z].*)$`).FindAllStringSubmatch(v, -1) {
			line, _, _ := strings.Cut(m[1], " || ")
			line, _, _ = strings.Cut(line, " > ")
			line, _, _ = strings.Cut(line, " #")
			out = append(out, strings.Fields(strings.ReplaceAll(line, `"`, "")))
		}
	}
	return out
}

// Every command of the examples, their READMEs included, has the flags that it
// is given.
func TestCICommands(t *testing.T) {
	sources := ciFiles(t)
	for _, dir := range []string{"github-actions", "gitlab-ci", "atlantis"} {
		text, err := os.ReadFile("../examples/" + dir + "/README.md")
		if err != nil {
			t.Fatal(err)
		}
		sources[dir+"/README.md"] = string(text)
	}
	n := 0
	for name, source := range sources {
		for _, args := range shellCommands(source) {
			n++
			root := testApp(new(bytes.Buffer), new(bytes.Buffer)).root()
			args, _ := normalise(root, args)
			c, rest, err := root.Find(args)
			if err == nil && c == root {
				err = os.ErrNotExist
			}
			if err == nil {
				err = c.ParseFlags(rest)
			}
			if err != nil {
				t.Errorf("%s: edgeward %s: %v", name, strings.Join(args, " "), err)
			}
		}
	}
	if n < 12 {
		t.Errorf("only %d commands found", n)
	}
}

// The commands of each example, one after the other in a simulated world: the
// plan that the first saves is the one that the last does.
func TestCIFlow(t *testing.T) {
	for dir, files := range map[string][]string{
		"github-actions": {".github/workflows/plan.yml", ".github/workflows/apply.yml", ".github/workflows/drift.yml"},
		"gitlab-ci":      {".gitlab-ci.yml"}, "atlantis": {"repos.yaml"},
	} {
		t.Run(dir, func(t *testing.T) {
			all := ciFiles(t)
			config, err := os.ReadFile("../examples/" + dir + "/edgeward.hcl")
			if err != nil {
				t.Fatal(err)
			}
			var run [][]string
			for _, name := range files {
				run = append(run, shellCommands(all[dir+"/"+name])...)
			}
			order := []string{"plan", "show", "apply", "status"}
			slices.SortStableFunc(run, func(a, b []string) int { return slices.Index(order, a[0]) - slices.Index(order, b[0]) })
			t.Chdir(t.TempDir())
			if err := os.WriteFile("edgeward.hcl", config, 0o600); err != nil {
				t.Fatal(err)
			}
			applied := 0
			for _, args := range run {
				for i, arg := range args {
					for _, plan := range []string{"$PLANFILE", "$PLAN", "approved/edgeward.plan"} {
						arg = strings.ReplaceAll(arg, plan, "edgeward.plan")
					}
					args[i] = arg
				}
				if args[0] != "show" {
					args = append(args, "-sandbox")
				}
				if args[0] == "apply" { // the old TTL outlasts the job: the same file again
					runFlow(t, 6, "1 waiting", args)
					runFlow(t, 0, "1 finished", append(args, "-wait-timeout=3h"))
					applied++
					continue
				}
				runFlow(t, 0, "", args)
			}
			if applied == 0 {
				t.Errorf("nothing was applied by %v", run)
			}
			plan, err := os.ReadFile("plan.md")
			if dir != "atlantis" && (err != nil || !strings.HasPrefix(string(plan), "<!-- ")) {
				t.Errorf("the comment begins with %.30q, %v", plan, err)
			}
		})
	}
}

func runFlow(t *testing.T, want int, says string, args []string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if code := Main(args, strings.NewReader(""), &stdout, &stderr); code != want || !strings.Contains(stdout.String(), says) {
		t.Fatalf("edgeward %s: exit %d\n%s%s", strings.Join(args, " "), code, stdout.String(), stderr.String())
	}
}
