package cmd

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/edgeward/edgeward/cmd/view"
	"github.com/edgeward/edgeward/planner"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

const schemaAddress = "https://edgeward.example/schema.json"

// strictSchema is what `plan -json-schema` prints, with one thing more: no field
// may be there that it does not name. The schema itself leaves room for those of
// later versions.
var strictSchema = sync.OnceValues(func() (*jsonschema.Compiler, error) {
	var stdout, stderr bytes.Buffer
	Main([]string{"plan", "-json-schema"}, strings.NewReader(""), &stdout, &stderr)
	doc, err := jsonschema.UnmarshalJSON(&stdout)
	if err != nil {
		return nil, err
	}
	for _, def := range doc.(map[string]any)["$defs"].(map[string]any) {
		if d := def.(map[string]any); d["properties"] != nil {
			d["additionalProperties"] = false
		}
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	return c, c.AddResource(schemaAddress, doc)
})

var compiling sync.Mutex

// fitsSchema says why text is not one JSON value of the definition.
func fitsSchema(text []byte, definition string) error {
	c, err := strictSchema()
	if err != nil {
		return err
	}
	compiling.Lock() // a compiler is for one at a time
	schema, err := c.Compile(schemaAddress + "#/$defs/" + definition)
	compiling.Unlock()
	if err != nil {
		return err
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return err
	}
	return schema.Validate(value)
}

// definitionOf is the definition of what a command writes as JSON: on standard
// output, and to -json-into. lines: standard output has a value a line.
func definitionOf(args []string) (stdout, file string, lines bool) {
	has := func(prefix string) bool {
		return slices.ContainsFunc(args, func(a string) bool { return strings.HasPrefix("-"+strings.TrimLeft(a, "-"), prefix) })
	}
	for _, word := range args {
		switch word {
		case "plan", "show":
			return "Plan", "Plan", false
		case "apply", "rollback", "unlock-bucket":
			return "Line", "Run", true
		case "status":
			return "StatusReport", "StatusReport", false
		case "verify":
			if has("-left") {
				return "VerifySites", "VerifySites", false
			}
			return "VerifyReport", "VerifyReport", false
		case "discover":
			return "Discovery", "Discovery", false
		case "providers":
			return "Providers", "Providers", false
		case "report":
			return "Record", "Record", false
		}
	}
	return "", "", false
}

// checkJSON holds what a run of edgeward in a script has written as JSON against
// the schema.
func checkJSON(ts *testscript.TestScript, args []string) {
	if len(args) == 0 || args[0] != "edgeward" {
		return
	}
	stdout, file, lines := definitionOf(args)
	for _, arg := range args {
		name, value, _ := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		switch {
		case !strings.HasPrefix(arg, "-") || file == "":
		case name == "json" && value != "false":
			values := []string{ts.ReadFile("stdout")}
			if lines {
				values = strings.SplitAfter(values[0], "\n")
			}
			for _, v := range values {
				if strings.TrimSpace(v) != "" && json.Valid([]byte(v)) {
					ts.Check(fitsSchema([]byte(v), stdout))
				}
			}
		case name == "json-into":
			checkFile(ts, value, file)
		case name == "out":
			checkFile(ts, value, "SavedPlan")
		}
	}
}

func checkFile(ts *testscript.TestScript, name, definition string) {
	text, err := os.ReadFile(ts.MkAbs(name))
	if err == nil && json.Valid(text) { // a run that was refused writes none
		ts.Check(fitsSchema(text, definition))
	}
}

// The golden files fit, and the schema is strict enough to notice what is wrong.
func TestSchema(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("view", "testdata", "plan.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := fitsSchema(text, "Plan"); err != nil {
		t.Error(err)
	}
	for name, edit := range map[string][2]string{
		"a field more":     {`"goal": "migrate"`, `"goal": "migrate", "more": 1`},
		"a field less":     {`"goal": "migrate",`, ``},
		"another type":     {`"expect": 4200`, `"expect": "1h"`},
		"an unknown kind":  {`"kind": "dns.switch"`, `"kind": "dns.swap"`},
		"no status at all": {`"status": "todo"`, `"status": {}`},
	} {
		t.Run(name, func(t *testing.T) {
			wrong := strings.Replace(string(text), edit[0], edit[1], 1)
			if wrong == string(text) {
				t.Fatalf("%s is not there", edit[0])
			}
			if fitsSchema([]byte(wrong), "Plan") == nil {
				t.Error("it fits all the same")
			}
		})
	}
}

// A bucket that could not be looked at has no facts, and fits all the same.
func TestSavedWithoutFactsFits(t *testing.T) {
	text, err := view.JSON(planner.Save(planner.Plan{FormatVersion: planner.FormatVersion, Goal: planner.Migrate, Buckets: []planner.BucketPlan{{
		Address: "bucket.a", CNAMEs: []string{}, Standing: planner.StandBlocked, Steps: []planner.Step{}}}}, planner.Options{}, "v1", "digest"))
	if err != nil {
		t.Fatal(err)
	}
	if err := fitsSchema(text, "SavedPlan"); err != nil {
		t.Error(err)
	}
}

// Every value that a program may read is written by a command here and fits.
func TestWrittenJSONFits(t *testing.T) {
	inFolder(t)
	run := func(code int, args ...string) string {
		t.Helper()
		var stdout, stderr bytes.Buffer
		if got := Main(args, strings.NewReader(""), &stdout, &stderr); got != code {
			t.Fatalf("%q ended with %d: %s", args, got, stderr.String())
		}
		return stdout.String()
	}
	fits := func(text, definition string) {
		t.Helper()
		if err := fitsSchema([]byte(text), definition); err != nil {
			t.Errorf("%s: %v\n%s", definition, err, text)
		}
	}
	fits(run(0, "plan", "-sandbox", "-json", "-out=saved.json"), "Plan")
	saved, err := os.ReadFile("saved.json")
	if err != nil {
		t.Fatal(err)
	}
	fits(string(saved), "SavedPlan")
	for _, command := range []string{"apply", "rollback"} {
		lines := strings.Split(strings.TrimSpace(run(0, command, "-sandbox", "-auto-approve", "-json", "-json-into=run.json")), "\n")
		for _, line := range lines {
			fits(line, "Line")
		}
		text, err := os.ReadFile("run.json")
		if err != nil || len(lines) < 3 {
			t.Fatal(err, len(lines))
		}
		fits(string(text), "Run")
	}
	fits(run(0, "status", "-sandbox", "-json"), "StatusReport")
	fits(run(0, "verify", "-sandbox", "-json"), "VerifyReport")
	fits(run(0, "providers", "-json"), "Providers")
}
