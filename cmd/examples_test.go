package cmd

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/edgeward/edgeward/config"
	"github.com/google/go-cmp/cmp"
)

// Every example is a whole configuration: in the sandbox its plan has no
// blocked bucket, and applying it moves every bucket with no visitor missing
// an object. The sandbox needs no credentials for that; anything else does.
func TestExamples(t *testing.T) {
	t.Setenv("CLOUDFLARE_API_TOKEN", "")
	t.Setenv("CF_API_TOKEN", "")
	dirs, err := filepath.Glob("../examples/*")
	if err != nil || len(dirs) == 0 {
		t.Fatal("no examples", err)
	}
	served := regexp.MustCompile(`(?m)^visitors: [1-9]\d* requests, 0 failed, S3 0%, CloudFront 100%$`)
	for _, dir := range dirs {
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			continue
		}
		t.Run(filepath.Base(dir), func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			if code := Main([]string{"plan", "-sandbox", "-chdir=" + dir}, strings.NewReader(""), &stdout, &stderr); code != 0 {
				t.Fatalf("plan exits with %d:\n%s%s", code, stdout.String(), stderr.String())
			}
			if !strings.Contains(stdout.String(), " 0 blocked.") {
				t.Errorf("a bucket is blocked:\n%s", stdout.String())
			}
			stdout.Reset()
			if code := Main([]string{"apply", "-sandbox", "-auto-approve", "-chdir=" + dir}, strings.NewReader(""), &stdout, &stderr); code != 0 {
				t.Fatalf("apply exits with %d:\n%s%s", code, stdout.String(), stderr.String())
			}
			if !served.MatchString(stdout.String()) {
				t.Errorf("not every visitor is served by CloudFront:\n%s%s", stdout.String(), stderr.String())
			}
		})
	}
}

// The real world is not asked without the credentials that its provider needs.
func TestExampleWithoutToken(t *testing.T) {
	t.Setenv("CLOUDFLARE_API_TOKEN", "")
	t.Setenv("CF_API_TOKEN", "")
	for _, command := range []string{"validate", "plan"} {
		var stdout, stderr bytes.Buffer
		code := Main([]string{command, "-chdir=../examples/cloudflare"}, strings.NewReader(""), &stdout, &stderr)
		if code != 1 || stdout.Len() > 0 || !strings.Contains(stderr.String(), "CLOUDFLARE_API_TOKEN") {
			t.Errorf("%s exits with %d:\n%s%s", command, code, stdout.String(), stderr.String())
		}
	}
}

// The configurations in the documentation are formatted, and valid once the
// secrets that they name are in the environment.
func TestDocumentedConfigurations(t *testing.T) {
	t.Setenv("RFC2136_TSIG_SECRET", "aGVsbG8=")
	t.Setenv("CLOUDFLARE_API_TOKEN", "token")
	docs, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, doc := range append(docs, "../README.md") {
		text, err := os.ReadFile(doc)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile("(?s)\n```hcl\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
			n++
			src := m[1]
			if want := string(config.Format([]byte(src))); src != want {
				t.Errorf("%s has a configuration that is not formatted:\n%s", doc, src)
			}
			dir := t.TempDir()
			for block, least := range map[string]string{"bucket": `"assets.example.com" {}`, "dns_provider": `"manual" "x" { zones = ["example.com"] }`} {
				if !strings.Contains("\n"+src, "\n"+block+" ") {
					src += "\n" + block + " " + least + "\n"
				}
			}
			if err := os.WriteFile(filepath.Join(dir, config.MainFile), []byte(src), 0o600); err != nil {
				t.Fatal(err)
			}
			var stdout, stderr bytes.Buffer
			if code := Main([]string{"validate", "-chdir=" + dir}, strings.NewReader(""), &stdout, &stderr); code != 0 {
				t.Errorf("%s: validate exits with %d:\n%s\n%s", doc, code, src, stderr.String())
			}
		}
	}
	if n < 2 {
		t.Errorf("only %d configurations found", n)
	}
}

// The screens of plan and rollback in README are what the program prints for
// README's first configuration. How long the sandbox then takes is not compared.
func TestScreensInREADME(t *testing.T) {
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	readme := string(text)
	_, src, _ := strings.Cut(readme, "\n```hcl\n")
	src, _, _ = strings.Cut(src, "```")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, config.MainFile), []byte(src), 0o600); err != nil {
		t.Fatal(err)
	}
	for command, args := range map[string][]string{
		"plan -sandbox": {"plan", "-sandbox"},
		`rollback -sandbox -auto-approve 'bucket["assets.example.com"]'`: {"rollback", "-sandbox", "-auto-approve", `bucket["assets.example.com"]`},
	} {
		_, want, _ := strings.Cut(readme, "\n$ edgeward "+command+"\n")
		want, _, _ = strings.Cut(want, "```")
		var stdout, stderr bytes.Buffer
		if code := Main(append(args, "-chdir="+dir), strings.NewReader(""), &stdout, &stderr); code != 0 {
			t.Fatalf("%s exits with %d: %s", command, code, stderr.String())
		}
		want, _, _ = strings.Cut(want, "\nRollback: ")
		got, _, _ := strings.Cut(stdout.String(), "\nRollback: ")
		if d := cmp.Diff(strings.Split(want, "\n"), strings.Split(got, "\n")); d != "" {
			t.Errorf("%s: README.md (-) and the program (+):\n%s", command, d)
		}
	}
}
