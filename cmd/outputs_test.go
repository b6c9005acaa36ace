package cmd

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/edgeward/edgeward/cmd/view"
	"github.com/edgeward/edgeward/planner"
)

// A run that was interrupted is written all the same, with what happened until
// then and how to go on, which in a sandbox is to begin anew.
func TestInterruptedRunIsWritten(t *testing.T) {
	inFolder(t)
	var stdout bytes.Buffer
	stderr := &onWord{word: "distribution.create: done", f: interrupt(t)}
	code := Main([]string{"apply", "-sandbox", "-auto-approve", "-json-into=run.json", "-md-into=run.md", "-html-into=run.html"}, strings.NewReader(""), &stdout, stderr)
	if code != exitInterrupted {
		t.Errorf("exit code %d", code)
	}
	text, err := os.ReadFile("run.json")
	if err != nil {
		t.Fatal(err)
	}
	var run view.Run
	if err := json.Unmarshal(text, &run); err != nil {
		t.Fatal(err)
	}
	if len(run.Events) == 0 || len(run.Plan.Buckets) != 1 || run.Report.Results[0].Outcome != planner.OutcomeInterrupted || run.Commands.GoOn == "" {
		t.Errorf("the run is %s", text)
	}
	for _, name := range []string{"run.md", "run.html"} {
		text, err := os.ReadFile(name)
		if err != nil || !strings.Contains(string(text), "made anew") {
			t.Errorf("%s does not say how to go on: %v", name, err)
		}
	}
}

// A run whose output is broken is written all the same.
func TestRunIsWrittenBeforeItIsPrinted(t *testing.T) {
	inFolder(t)
	var stderr bytes.Buffer
	if code := Main([]string{"apply", "-sandbox", "-auto-approve", "-json", "-json-into=run.json"}, strings.NewReader(""), fullDisk{}, &stderr); code == 0 {
		t.Error("exit code 0")
	}
	if _, err := os.Stat("run.json"); err != nil {
		t.Error(err)
	}
}
