package config

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
)

const oneProvider = `
dns_provider "route53" "main" {
  zones = ["example.com"]
}
`

// TestVariablePrecedence sets one variable from a random choice of sources;
// the last of default, environment, -var-file in order, -var in order wins.
func TestVariablePrecedence(t *testing.T) {
	const seed = 20261122
	r := rand.New(rand.NewPCG(seed, 1))
	for round := range 200 {
		files := map[string]string{}
		o := Options{DNSTypes: []DNSType{route53}}
		next := func() string { return fmt.Sprintf("v%d-%d.example.com", round, r.IntN(1e9)) }
		last := next()
		source := fmt.Sprintf("variable \"x\" {\n default = %q\n}\n", last)
		if r.IntN(2) == 0 {
			last = next()
			o.Env = environment(map[string]string{"EDGEWARD_VAR_x": last})
		}
		dir := t.TempDir()
		for i := range r.IntN(3) {
			last = next()
			name, content := fmt.Sprintf("f%d.vars", i), fmt.Sprintf("x = %q\n", last)
			if r.IntN(2) == 0 {
				name, content = fmt.Sprintf("f%d.vars.json", i), fmt.Sprintf("{\"x\": %q}", last)
			}
			files[name] = content
			o.VarFiles = append(o.VarFiles, filepath.Join(dir, name))
		}
		for range r.IntN(3) {
			last = next()
			o.Vars = append(o.Vars, "x="+last)
		}
		files["edgeward.hcl"] = source + oneProvider + "bucket \"a\" {\n name = var.x\n}\n"
		for name, content := range files {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		c, fs, diags := Load(dir, o)
		if len(diags) > 0 {
			t.Fatalf("seed %d round %d: %s", seed, round, text(fs, diags))
		}
		if c.Buckets[0].Name != last {
			t.Fatalf("seed %d round %d: got %s, want %s; %+v", seed, round, c.Buckets[0].Name, last, o)
		}
	}
}

func TestVariableText(t *testing.T) {
	tests := map[string]struct {
		typ, text, use, want string
	}{
		"string that looks like a number": {"string", "007", "var.x", "007"},
		"string that looks like a list":   {"string", `["a"]`, "jsondecode(var.x)[0]", "a"},
		"string with an equals sign":      {"string", "a=b", `replace(var.x, "=", "-")`, "a-b"},
		"template stays text":             {"string", "${x}", `replace(replace(replace(var.x, "$", "a"), "{", "b"), "}", "c")`, "abxc"},
		"no type is a string":             {"", "007", "var.x", "007"},
		"number":                          {"number", "7", "tostring(var.x + 1)", "8"},
		"number as an expression":         {"number", "1 + 1", "tostring(var.x + 1)", "3"},
		"bool":                            {"bool", "true", `var.x ? "yes" : "no"`, "yes"},
		"list":                            {"list(string)", `["a", "b"]`, `join("-", var.x)`, "a-b"},
		"any":                             {"any", `{ a = ["z"] }`, "var.x.a[0]", "z"},
		"object with an optional part":    {"object({ a = optional(string, \"d\") })", "{}", "var.x.a", "d"},
		"empty string":                    {"string", "", `"a${var.x}b"`, "ab"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			src := "variable \"x\" {\n"
			if tc.typ != "" {
				src += "  type = " + tc.typ + "\n"
			}
			src += "}\n" + oneProvider + "bucket \"a\" {\n  name = \"n-${" + tc.use + "}.example.com\"\n}\n"
			dir := write(t, map[string]string{"edgeward.hcl": src})
			c, files, diags := Load(dir, Options{DNSTypes: []DNSType{route53}, Vars: []string{"x=" + tc.text}})
			if len(diags) > 0 {
				t.Fatal(text(files, diags))
			}
			if want := "n-" + tc.want + ".example.com"; c.Buckets[0].Name != want {
				t.Errorf("got %s, want %s", c.Buckets[0].Name, want)
			}
		})
	}
}

func TestVarFiles(t *testing.T) {
	declared := "variable \"size\" {\n  type = number\n  default = 1\n}\n" + oneProvider + "bucket \"a.example.com\" {}\n"
	tests := map[string]struct {
		name, content string
		want          []string
	}{
		"missing":          {"", "", []string{"no-such.vars:1 ERROR Cannot read -var-file"}},
		"undeclared":       {"a.vars", "size = 1\nsise = 2\n", []string{"a.vars:2 ERROR Undeclared variable"}},
		"wrong type":       {"a.vars", "\nsize = [1]\n", []string{"a.vars:2 ERROR Wrong type of variable"}},
		"not constant":     {"a.vars", "size = local.x\n", []string{"a.vars:1 ERROR Variables not allowed"}},
		"broken syntax":    {"a.vars", "size = \n", []string{"a.vars:1 ERROR Invalid expression"}},
		"block":            {"a.vars", "size {}\n", []string{"a.vars:1 ERROR Unexpected \"size\" block"}},
		"JSON":             {"a.json", "{\"size\": 3}", []string{}},
		"JSON wrong type":  {"a.json", "{\n\"size\": {}}", []string{"a.json:2 ERROR Wrong type of variable"}},
		"JSON broken":      {"a.json", "{\n\"size\": }", []string{"a.json:2 ERROR Missing JSON value"}},
		"JSON unknown":     {"a.json", "{\"sizes\": 1}", []string{"a.json:1 ERROR Undeclared variable"}},
		"nested too deep":  {"a.vars", "size = " + strings.Repeat("[", 5000), []string{"a.vars:1 ERROR Nested too deeply"}},
		"JSON too deep":    {"a.json", "{\"size\": " + strings.Repeat("[", 5000), []string{"a.json:1 ERROR Nested too deeply"}},
		"value is no text": {"a.vars", "size = \"x\"\n", []string{"a.vars:1 ERROR Wrong type of variable"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			dir := write(t, map[string]string{"edgeward.hcl": declared})
			file := filepath.Join(dir, "no-such.vars")
			if tc.name != "" {
				file = filepath.Join(dir, tc.name)
				if err := os.WriteFile(file, []byte(tc.content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			_, files, diags := Load(dir, Options{DNSTypes: []DNSType{route53}, VarFiles: []string{file}})
			if got := found(dir, diags); !slices.Equal(got, tc.want) {
				t.Errorf("got %q, want %q\n%s", got, tc.want, text(files, diags))
			}
		})
	}
}

const canary = "s3cr3tcanary"

// TestSecretsNeverShown uses a secret wrongly in every way that we could think
// of and looks for it, in any case, in all that a user would read.
func TestSecretsNeverShown(t *testing.T) {
	uses := []string{
		"var.s", "env(\"S\")", "local.s", "local.list[0]", "upper(var.s)", "\"${var.s}x\"",
		"parseint(var.s, 10)", "jsondecode(var.s)", "jsondecode(env(\"S\"))", "csvdecode(var.s)", "yamldecode(\"{${var.s}\")",
		"{ a = 1 }[var.s]", "local.map[var.s]", "[1][var.s]", "1 + var.s", "!var.s", "var.s ? 1 : 2", "var.s.x", "var.s[0]", "var.s[*].y",
		"file(var.s)", "env(var.s)", "var.object.nope", "var.object[var.s]", "regex(\"(\", var.s)", "regex(var.s, \"x\")", "formatdate(var.s, \"2020-01-01T00:00:00Z\")",
		"timeadd(var.s, \"1h\")", "{ for x in [var.s, var.s] : x => 1 }", "[for x in var.s : x]", "{ for k, v in var.object : v => v... }",
		"zipmap([var.s], [])", "try(parseint(var.s, 10))", "try(tonumber(var.s), var.s)", "can(tonumber(var.s)) ? var.s : var.s", "tonumber(var.s)", "tobool(env(\"S\"))",
		"toset([var.s])", "merge(var.s)", "setproduct(var.s)", "range(var.s)", "substr(var.s, \"x\", 1)", "index([1], var.s)", "index(var.s, 1)", "replace(1, \"/${var.s}(/\", 2)", "format(\"%d\", var.s)", "format(var.s, 1)",
		"aws[var.s]", "dns_provider.route53[var.s]", "element([], var.s)", "chunklist([1], var.s)", "slice([1], 0, var.s)", "lookup({}, var.s)",
		"coalesce(null, var.s)", "lower(local.derived)", "parseint(local.derived, 10)", "var.number", "var.object", "-var.s", "tonumber(\"x${env(\"S\")}\")",
		"tomap({ (var.s) = 1 })", "{ (var.s) = 1, (var.s) = 2 }", "\"%{ if var.s }x%{ endif }\"", "\"%{ for x in var.s }x%{ endfor }\"", "timeadd(\"x\", var.s)", "flatten(var.s)...",
		"file(\"/no/${var.s}\")", "var.list[7]", "tolist(var.object)", "sort(var.object)", "join(var.s, [[1]])", "assets_${var.s}",
	}
	places := []string{
		"bucket \"b\" {\n  name = %s\n}\n",
		"bucket \"b\" {\n  for_each = %s\n  name = each.key\n}\n",
		"bucket \"b\" {\n  for_each = { a = %s }\n  name = each.value\n}\n",
		"bucket \"b.example.com\" {\n  verify {\n    sample = %[1]s\n    paths = [%[1]s]\n    accept = [%[1]s]\n    max_requests = %[1]s\n    max_bytes = %[1]s\n    max_age = %[1]s\n  }\n}\n",
		"bucket \"b.example.com\" {\n  aws = %[1]s\n  dns_provider = %[1]s\n  cnames = [%[1]s]\n  origin = %[1]s\n  distribution {\n    tags = { a = %[1]s, (%[1]s) = 1 }\n    ipv6 = %[1]s\n  }\n  dns {\n    ttl = %[1]s\n  }\n}\n",
		"locals {\n  l = %s\n}\n",
		"dns_provider \"secretive\" \"x\" {\n  zones = [\"example.org\", %[1]s]\n  token = %[1]s\n}\n",
		"dns_provider \"secretive\" \"x\" {\n  zones = [\"example.org\"]\n  token = [%[1]s]\n}\n",
		"aws \"x\" {\n  external_id = %[1]s\n  role_arn = %[1]s\n  default_tags = %[1]s\n}\n",
		"probe {\n  resolvers = %[1]s\n  connect_to = { a = %[1]s }\n  ca_file = %[1]s\n}\n",
		"limits {\n  max_switches = %s\n}\n",
		"variable \"v\" {\n  default = \"\"\n  validation {\n    condition = %[1]s\n    error_message = %[1]s\n  }\n  validation {\n    condition = false\n    error_message = %[1]s\n  }\n}\n",
		"bucket \"b.example.com\" {\n  nope = %s\n}\n",
	}
	base := oneProvider + `
variable "s" {
  type      = string
  sensitive = true
}
variable "number" {
  type      = number
  sensitive = true
}
variable "object" {
  type      = map(string)
  sensitive = true
}
variable "list" {
  sensitive = true
  validation {
    condition     = var.list == 1
    error_message = "Not ${var.list}."
  }
}
locals {
  s       = var.s
  list    = [var.s]
  map     = { a = 1 }
  derived = "x${env("S")}"
}
`
	dir := t.TempDir()
	for i, use := range uses {
		for j, p := range places {
			src := base + fmt.Sprintf(p, use)
			if err := os.WriteFile(filepath.Join(dir, MainFile), []byte(src), 0o600); err != nil {
				t.Fatal(err)
			}
			_, files, diags := Load(dir, Options{
				DNSTypes: []DNSType{route53, secretive},
				Vars:     []string{"number=" + canary, "object={ " + canary + " = \"" + canary + "\"", "list=" + canary, "sx=" + canary, canary},
				Env:      environment(map[string]string{"S": canary, "EDGEWARD_VAR_s": canary}),
			})
			if shown := everything(files, diags); strings.Contains(strings.ToLower(shown), canary) {
				t.Errorf("use %d, place %d: the secret is shown\n%s", i, j, shown)
			}
		}
	}
}

// TestSecretsInVarFiles breaks -var-file files that hold secrets.
func TestSecretsInVarFiles(t *testing.T) {
	contents := map[string]string{
		"a.vars": "s = \"" + canary + "\"\nnumber = 1\nnope = \"" + canary + "\"", "b.vars": "s = \"" + canary, "c.vars": "s = " + canary,
		"d.vars": "number = \"" + canary + "\"", "e.vars": "s \"" + canary + "\" {}", "f.json": "{\"s\": " + canary + "}",
		"g.json": "{\"number\": \"" + canary + "\"}", "h.json": "{\"s\": [\"" + canary + "\"]}", "i.vars": "s = upper(\"" + canary + "\")",
		"j.vars": "S = \"" + canary + "\"", "k.json": "\"" + canary + "\"", "l.vars": "s = [\"" + canary + "\", " + strings.Repeat("(", 999),
		"m.json": "{\"s\": \"" + canary + "\", \"s\": \"" + canary + "\"}", "n.vars": canary + " = 1",
	}
	src := oneProvider + `
variable "s" {
  type      = string
  sensitive = true
  default   = "x"
}
variable "number" {
  type      = number
  sensitive = true
  default   = 1
}
`
	for name, content := range contents {
		t.Run(name, func(t *testing.T) {
			dir := write(t, map[string]string{"edgeward.hcl": src, name: content})
			_, files, diags := Load(dir, Options{DNSTypes: []DNSType{route53}, VarFiles: []string{filepath.Join(dir, name)}})
			if !diags.HasErrors() {
				t.Error("no error")
			}
			shown := everything(files, diags)
			if name == "n.vars" {
				// Here the text stands in the place of a name, which is shown.
				return
			}
			if strings.Contains(strings.ToLower(shown), canary) {
				t.Errorf("the secret is shown\n%s", shown)
			}
		})
	}
}

// everything is all that any printer could make of diagnostics.
func everything(files Files, diags hcl.Diagnostics) string {
	s := text(files, diags)
	for _, d := range diags {
		s += fmt.Sprintf("%s %s %v\n", d.Summary, d.Detail, d.Subject)
		if d.Expression != nil && d.EvalContext != nil {
			for _, tr := range d.Expression.Variables() {
				if v, more := tr.TraverseAbs(d.EvalContext); !more.HasErrors() {
					s += v.GoString() + "\n"
				}
			}
		}
	}
	return s
}
