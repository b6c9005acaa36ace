package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDigest(t *testing.T) {
	types := []DNSType{{Type: "brand", Settings: []Setting{{Name: "api_token", Sensitive: true}, {Name: "server"}}}}
	const lock = "run_lock {\n  s3 = \"s3://our-tools/lock.json\"\n}\n"
	const base = lock + "dns_provider \"brand\" \"x\" {\n  zones = [\"example.com\"]\n  api_token = \"canary\"\n  server = \"one\"\n}\nbucket \"a.example.com\" {}\n"
	digest := func(text string) string {
		t.Helper()
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, MainFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, _, diags := Load(dir, Options{DNSTypes: types})
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		return c.Digest(types)
	}
	tests := map[string]struct {
		text string
		same bool
	}{
		"the same in another folder": {base, true},
		"a comment, other lines":     {"# why\n\n" + base, true},
		"another place of the lock":  {strings.Replace(base, "lock.json", "lock2.json", 1), false},
		"another secret":             {strings.Replace(base, "canary", "other", 1), true},
		"another setting":            {strings.Replace(base, `"one"`, `"two"`, 1), false},
		"another bucket":             {base + "bucket \"b.example.com\" {}\n", false},
		"a setting of a bucket":      {strings.Replace(base, "{}", "{\n  dns {\n    low_ttl = \"30s\"\n  }\n}", 1), false},
		"a limit":                    {base + "limits {\n  max_switches = 3\n}\n", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if same := digest(base) == digest(tt.text); same != tt.same {
				t.Errorf("same digest: %t, want %t", same, tt.same)
			}
		})
	}
}
