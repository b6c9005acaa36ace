package cmd

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

// TestSavedPlanIsStale: a fact of the file that is not the world's any more stops
// the bucket, with exit code 3 and its name.
func TestSavedPlanIsStale(t *testing.T) {
	inFolder(t)
	var out, errs bytes.Buffer
	if code := Main([]string{"plan", "-sandbox", "-out=m.plan"}, strings.NewReader(""), &out, &errs); code != 0 {
		t.Fatal(code, errs.String())
	}
	text, err := os.ReadFile("m.plan")
	if err != nil {
		t.Fatal(err)
	}
	const fact = `amazonaws.com TTL 3600s"`
	i := strings.LastIndex(string(text), fact)
	if i < 0 {
		t.Fatalf("no record among the facts:\n%s", text)
	}
	text = append(text[:i:i], strings.Replace(string(text[i:]), "3600s", "7200s", 1)...)
	if err := os.WriteFile("m.plan", text, 0o600); err != nil {
		t.Fatal(err)
	}
	out.Reset()
	errs.Reset()
	if code := Main([]string{"apply", "-sandbox", "m.plan"}, strings.NewReader(""), &out, &errs); code != 3 {
		t.Errorf("exit code %d, want 3\n%s%s", code, out.String(), errs.String())
	}
	for _, part := range []string{"stale", "record assets.example.com is", "TTL 3600s", "TTL 7200s", "save a new plan"} {
		if !strings.Contains(strings.ReplaceAll(strings.Join(strings.Fields(out.String()), " "), "  ", " "), part) {
			t.Errorf("the report lacks %q:\n%s", part, out.String())
		}
	}
	if info, err := os.Stat("m.plan"); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the mode of the plan's file: %v %v", info.Mode(), err)
	}
}
