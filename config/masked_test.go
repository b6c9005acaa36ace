package config

import (
	"strings"
	"testing"
)

// A secret that was written down is in no source line that a finding shows,
// whatever is wrong with it.
func TestSecretsAreMasked(t *testing.T) {
	const tail = "\nbucket \"assets.example.com\" {}\n"
	cloudflare := DNSType{Type: "cloudflare", Settings: []Setting{{Name: "api_token", Required: true, Sensitive: true}, {Name: "account"}}}
	for name, tc := range map[string]struct{ body, shows string }{
		"misspelt":       {"zones = [\"example.com\"]\napi_tokn = \"hunter2 hunter2\"", `api_tokn = "******* *******"`},
		"wrong type":     {"zones = [\"example.com\"]\napi_token = [\"hunter2\"]", `api_token = ["*******"]`},
		"in a call":      {"zones = [\"example.com\"]\napi_token = upper(\"hunter2\", 1)", `api_token = upper("*******", *)`},
		"two on a line":  {"zones = [\"example.com\"] api_token = \"hunter2\"", `api_token = "*******"`},
		"quote missing":  {"zones = [\"example.com\"]\napi_token = \"hunter2", `api_token = "*******`},
		"quote before":   {"zones = [\"example.com]\napi_token = \"hunter2\"", `zones = ["example.com]`},
		"interpolation":  {"zones = [\"example.com\"]\napi_token = \"${local.x}hunter2\"", `api_token = "${local.x}*******"`},
		"heredoc":        {"zones = [\"example.com\"]\napi_tokn = <<E\nhunter2\nE", "api_tokn = <<E"},
		"plain setting":  {"zones = [\"example.com\"]\napi_token = \"hunter2\"\naccount = [\"acme\"]", `account = ["acme"]`},
		"zone":           {"zones = \"example.com\"\napi_token = \"hunter2\"", `zones = "example.com"`},
		"env is a name":  {"zones = [\"example.com\"]\napi_token = env(\"NO_SUCH_TOKEN\")", `env("NO_SUCH_TOKEN")`},
		"file is a name": {"zones = [\"example.com\"]\napi_token = file(\"no-such.key\")", `file("no-such.key")`},
	} {
		t.Run(name, func(t *testing.T) {
			dir := write(t, map[string]string{MainFile: "dns_provider \"cloudflare\" \"x\" {\n" + tc.body + "\n}\n" + tail})
			_, files, diags := Load(dir, Options{DNSTypes: []DNSType{cloudflare}})
			got := text(files, diags)
			if !diags.HasErrors() || strings.Contains(got, "hunter2") || !strings.Contains(got, tc.shows) {
				t.Errorf("want %s and no secret:\n%s", tc.shows, got)
			}
		})
	}
	for name, body := range map[string]string{
		"not a setting of it": "role_arn = \"arn:aws:iam::123456789012:role/x\"\nsecret_key = \"hunter2\"",
		"without a role":      "external_id = \"hunter2\"",
	} {
		t.Run("aws "+name, func(t *testing.T) {
			dir := write(t, map[string]string{MainFile: "aws \"x\" {\n" + body + "\n}\n" + tail})
			_, files, diags := Load(dir, Options{})
			if got := text(files, diags); !diags.HasErrors() || strings.Contains(got, "hunter2") || !strings.Contains(got, `= "*******"`) {
				t.Errorf("a secret is shown:\n%s", got)
			}
		})
	}
	t.Run("sensitive variable", func(t *testing.T) {
		dir := write(t, map[string]string{MainFile: "variable \"t\" {\n  type = number\n  default = \"hunter2\"\n  sensitive = true\n}\n" +
			"dns_provider \"cloudflare\" \"x\" {\nzones = [\"example.com\"]\napi_token = var.t\n}\n" + tail})
		_, files, diags := Load(dir, Options{DNSTypes: []DNSType{cloudflare}})
		if got := text(files, diags); !diags.HasErrors() || strings.Contains(got, "hunter2") {
			t.Errorf("a secret is shown:\n%s", got)
		}
	})
}
