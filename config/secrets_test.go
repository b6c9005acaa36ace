package config

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Secrets are what is marked, wherever it stands, what a setting's type says, and
// external IDs; not what anybody may see.
func TestSecrets(t *testing.T) {
	dir := t.TempDir()
	text := `
variable "external" {
  sensitive = true
}
aws "a" {
  role_arn    = "arn:aws:iam::123456789012:role/x"
  external_id = "plain-${var.external}"
}
dns_provider "powerdns" "x" {
  zones      = ["example.com"]
  server_url = env("ADDRESS")
  api_token  = "written-down"
}
dns_provider "route53" "y" {
  zones    = ["example.org"]
  zone_ids = [env("ZONE"), "Z-shown-with-it"]
}
dns_provider "powerdns" "z" {
  zones      = ["example.net"]
  server_url = "http://shown.example:8081"
}
bucket "assets.example.com" {}
`
	if err := os.WriteFile(filepath.Join(dir, MainFile), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"ADDRESS": "https://u:p@hidden.example:8081/api", "ZONE": "Z0", "EDGEWARD_VAR_external": "id", "TOKEN": "from-its-own-variable"}
	types := []DNSType{
		{Type: "powerdns", Settings: []Setting{{Name: "server_url"}, {Name: "api_token", Required: true, Sensitive: true, Env: []string{"TOKEN"}}}},
		{Type: "route53", Settings: []Setting{{Name: "zone_ids", List: true}}},
	}
	c, _, diags := Load(dir, Options{DNSTypes: types, Env: func(name string) (string, bool) { v, ok := env[name]; return v, ok }})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	want := []string{"https://u:p@hidden.example:8081/api", "from-its-own-variable", "hidden.example:8081", "Z-shown-with-it", "hidden.example", "written-down", "plain-id", "Z0"}
	if d := cmp.Diff(want, c.Secrets(types)); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}
