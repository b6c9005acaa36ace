package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSheets: what is wrong with the rows of a CSV file is said in its words, and what
// many rows or blocks have in common once.
func TestSheets(t *testing.T) {
	const provider = "dns_provider \"manual\" \"m\" { zones = [\"example.com\"] }\n"
	const site = provider + "bucket \"site\" {\n  for_each = { for s in csvdecode(file(\"sites.csv\")) : s.host => s }\n  name = each.key\n  %s\n}\n"
	rows := func(header, row string, n int) string {
		var b strings.Builder
		b.WriteString(header + "\n")
		for i := range n {
			fmt.Fprintf(&b, row+"\n", i)
		}
		return b.String()
	}
	var blocks strings.Builder
	for i := range 800 {
		fmt.Fprintf(&blocks, "bucket \"b%d.example.org\" {}\n", i)
	}
	tests := map[string]struct {
		hcl, csv string
		// diags is how many findings there are, says what the first one says.
		diags int
		says  []string
	}{
		"a byte order mark":     {fmt.Sprintf(site, ""), "\ufeffhost\na.example.com\n", 0, nil},
		"semicolons":            {fmt.Sprintf(site, ""), "host;wave\na.example.com;x\n", 1, []string{"separate them by commas"}},
		"a blank in the header": {fmt.Sprintf(site, ""), "host, wave\na.example.com,x\n", 1, []string{`the column "wave" has a blank`, "remove the blank in the header"}},
		"a ragged row":          {fmt.Sprintf(site, ""), "host,wave\na.example.com,x\nb.example.com\n", 1, []string{"line 3 has 1 fields, and the header has 2: host, wave"}},
		"a host twice":          {fmt.Sprintf(site, ""), "host\na.example.com\na.example.com\n", 1, []string{`Two rows have the host "a.example.com": remove one.`}},
		"an empty wave":         {fmt.Sprintf(site, "wave = each.value.wave"), "host,wave\na.example.com,\n", 1, []string{`wave = each.value.wave == "" ? null : each.value.wave`}},
		"an empty region":       {fmt.Sprintf(site, "region = each.value.region"), "host,region\na.example.com,\n", 1, []string{`region = each.value.region == "" ? null : each.value.region`}},
		"a typo of a wave": {fmt.Sprintf(site, "wave = each.value.wave") + "rollout {\n  wave \"canary\" {}\n}\n", rows("host,wave", "h%d.example.com,canry", 9), 1,
			[]string{`Did you mean "canary"? It is so for bucket.site["h0.example.com"], bucket.site["h1.example.com"]`, "and 4 more."}},
		"a forgotten zone, rows":   {fmt.Sprintf(site, ""), rows("host", "h%d.example.org", 800), 1, []string{`"h0.example.org" is in no zone`, `It is alike for 799 more: bucket.site["h1.example.org"]`, "and 794 more."}},
		"a forgotten zone, blocks": {provider + blocks.String(), "", 1, []string{`"b0.example.org" is in no zone`, `It is alike for 799 more: bucket["b1.example.org"]`}},
		"a typo of a region":       {provider + "bucket \"a.example.com\" {\n  region = \"eu-wst-1\"\n}\n", "", 1, []string{`edgeward knows no region "eu-wst-1". Did you mean "eu-west-1"?`}},
		"a wave twice":             {provider + "bucket \"a.example.com\" {}\nrollout {\n  wave \"x\" {}\n  wave \"x\" {}\n}\n", "", 1, []string{"edgeward.hcl line 4"}},
		"no row":                   {fmt.Sprintf(site, ""), "host\n", 1, []string{`bucket "site" has no instance`}},
		"upper case and a dot":     {provider + "bucket \"a.example.com\" {\n  cnames = [\"A.example.com.\"]\n}\n", "", 1, []string{`write "a.example.com".`}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for file, text := range map[string]string{MainFile: tc.hcl, "sites.csv": tc.csv} {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			_, _, diags := Load(dir, Options{DNSTypes: []DNSType{{Type: "manual"}}})
			if len(diags) != tc.diags {
				t.Fatalf("%d findings: %.1000v", len(diags), diags)
			}
			for _, s := range tc.says {
				if text := diags[0].Detail; !strings.Contains(text, s) {
					t.Errorf("%q does not say %q", text, s)
				}
			}
			if name == "no row" && diags[0].Subject.Start.Line != 3 {
				t.Errorf("it points at %v", diags[0].Subject)
			}
		})
	}
}
