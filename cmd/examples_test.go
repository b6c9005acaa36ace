package cmd

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
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
