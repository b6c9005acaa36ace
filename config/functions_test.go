package config

import (
	"strings"
	"testing"
)

// TestTerraformsFunctions: what has Terraform's name does what Terraform does.
func TestTerraformsFunctions(t *testing.T) {
	tests := map[string]struct{ expression, want, refused string }{
		"index":               {expression: `["xxx", "yyy"][index(["a", "b"], "b")]`, want: "yyy"},
		"index of a tuple":    {expression: `["xxx", "yyy"][index([1, "b"], "b")]`, want: "yyy"},
		"index of nothing":    {expression: `index(["a"], "b")`, refused: "the list does not have this value"},
		"index of no list":    {expression: `index({ a = 1 }, 1)`, refused: "a list or a tuple is needed"},
		"replace":             {expression: `replace("a.b.c", ".", "-")`, want: "a-b-c"},
		"replace by pattern":  {expression: `replace("a.b.c", "/[.]/", "-")`, want: "a-b-c"},
		"replace with groups": {expression: `replace("a.b", "/(.)[.](.)/", "$2.$1")`, want: "b.a"},
		"replace one slash":   {expression: `replace("a/b", "/", "-")`, want: "a-b"},
		"replace by no one":   {expression: `replace("a", "/(/", "-")`, refused: "replace"},
	}
	for what, tc := range tests {
		t.Run(what, func(t *testing.T) {
			dir := write(t, map[string]string{"edgeward.hcl": oneProvider + "bucket \"b\" {\n  name = " + tc.expression + "\n  cnames = [\"b.example.com\"]\n}\n"})
			c, _, diags := Load(dir, Options{DNSTypes: []DNSType{route53}})
			switch {
			case tc.refused == "" && (diags.HasErrors() || len(c.Buckets) != 1 || c.Buckets[0].Name != tc.want):
				t.Errorf("%v, want %s", diags, tc.want)
			case tc.refused != "" && !strings.Contains(diags.Error(), tc.refused):
				t.Errorf("%v, want %q", diags, tc.refused)
			}
		})
	}
}
