package config

import (
	"path/filepath"
	"testing"
)

func TestExamples(t *testing.T) {
	for _, dir := range inputs(t, "../examples/*") {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			c, files, diags := Load(dir, Options{DNSTypes: []DNSType{
				route53, {Type: "cloudflare"}, {Type: "manual"},
				{Type: "rfc2136", Settings: []Setting{{Name: "server", Required: true}, {Name: "key_name"}, {Name: "key_algorithm"}}},
			}})
			if len(diags) > 0 {
				t.Fatal(text(files, diags))
			}
			if len(c.Buckets) == 0 {
				t.Fatal("no bucket")
			}
			names, err := FileNames(dir)
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range names {
				src := string(files[name].Bytes)
				if got := string(Format([]byte(src))); got != src {
					t.Errorf("%s is not formatted:\n%s", name, got)
				}
			}
		})
	}
}
