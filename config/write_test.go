package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// hostileNames are what a bucket, a record or an error could be called to break out
// of a block or a comment.
func hostileNames() []string {
	return []string{
		"a\"b", "${env(\"SECRET\")}", "%{ for x in y }", "a\nbucket \"evil\" {}", "a\r\nevil = 1", "a\u2028bucket \"evil\" {}", "*/ bucket \"evil\" {}",
		"\\", "a\\\"", "\x00", "\x1b[2J", "\xff\xfe", "# x", "EOT", strings.Repeat("x", 5000), "", "$${a}", "a\u202eb",
	}
}

// Whatever a bucket is called and whatever is said of it: a block written as a
// comment is a comment, and one written as a block has the name for its label.
func TestBlocksOfHostileNames(t *testing.T) {
	for _, name := range hostileNames() {
		for _, off := range []bool{true, false} {
			text := Blocks([]Found{{Bucket: name, Region: name, Said: []string{name, "x " + name + " y"}, Off: off}, {Bucket: "last.example.com"}})
			file, diags := hclsyntax.ParseConfig(text, "x.hcl", hcl.InitialPos)
			if diags.HasErrors() {
				t.Fatalf("%q, off %t: %v\n%s", name, off, diags, text)
			}
			body := file.Body.(*hclsyntax.Body)
			want := 2
			if off {
				want = 1
			}
			if len(body.Blocks) != want || len(body.Attributes) > 0 {
				t.Errorf("%q, off %t: %d blocks\n%s", name, off, len(body.Blocks), text)
			}
			for _, b := range body.Blocks {
				if a := b.Body.Attributes["region"]; a != nil {
					if v, diags := a.Expr.Value(nil); diags.HasErrors() || !strings.Contains(name, "\xff") && v.AsString() != name {
						t.Errorf("%q is read back as %#v (%v)", name, v, diags)
					}
				}
			}
			if string(Format(text)) != string(text) {
				t.Errorf("%q, off %t: not as fmt writes it:\n%s", name, off, text)
			}
			if strings.ContainsAny(string(text), "\x00\x1b\r") {
				t.Errorf("%q, off %t: control characters:\n%q", name, off, text)
			}
		}
	}
}

func TestBlocks(t *testing.T) {
	got := string(Blocks([]Found{
		{Bucket: "assets.example.com", Region: "eu-west-1", Account: "shop", DNSProvider: "dns_provider.route53.main", Said: []string{"ready"}},
		{Bucket: "plain.example.com"},
		{Bucket: "off.example.com", Region: "eu-west-1", Said: []string{"by hand: " + strings.Repeat("word ", 25)}, Off: true},
	}))
	want := `# ready
bucket "assets.example.com" {
  region       = "eu-west-1"
  aws          = aws.shop
  dns_provider = dns_provider.route53.main
}

bucket "plain.example.com" {}

# by hand: word word word word word word word word word word word word word word word word word
#   word word word word word word word word
# bucket "off.example.com" {
#   region = "eu-west-1"
# }
`
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestBatch(t *testing.T) {
	blocks, rows, addresses := Batch([]Found{
		{Bucket: "a.example.com", Region: "eu-west-1", Said: []string{"ready: x"}},
		{Bucket: "b.example.com", Said: []string{"needs an answer: x", "ttl-kept: y"}},
		{Bucket: "c.example.com", Region: "eu-west-1", Account: "shop"},
		{Bucket: "d.example.com", Off: true, Said: []string{"by hand"}},
	}, "sites.csv", "site")
	want := `# A row of sites.csv is a bucket.
# b.example.com: ttl-kept: y
bucket "site" {
  for_each = { for s in csvdecode(file("sites.csv")) : s.bucket => s if s.block == "site" }
  name     = each.value.bucket
  region   = each.value.region == "" ? null : each.value.region
  wave     = each.value.wave == "" ? null : each.value.wave
}

# A row of sites.csv is a bucket.
bucket "site_2" {
  for_each = { for s in csvdecode(file("sites.csv")) : s.bucket => s if s.block == "site_2" }
  name     = each.value.bucket
  region   = each.value.region == "" ? null : each.value.region
  wave     = each.value.wave == "" ? null : each.value.wave
  aws      = aws.shop
}

# by hand
# bucket "d.example.com" {}
`
	if d := cmp.Diff(want, string(blocks)); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff("bucket,region,wave,block\na.example.com,eu-west-1,,site\nb.example.com,,,site\nc.example.com,eu-west-1,,site_2\n", string(rows)); d != "" {
		t.Error(d)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{MainFile: "dns_provider \"manual\" \"m\" { zones = [\"example.com\"] }\naws \"shop\" {}\n", "x.edgeward.hcl": string(blocks), "sites.csv": string(rows)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, _, diags := Load(dir, Options{DNSTypes: []DNSType{{Type: "manual"}}})
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	got := map[string]string{}
	for _, b := range c.Buckets {
		got[b.Name] = b.Address
	}
	if d := cmp.Diff(addresses, got); d != "" {
		t.Errorf("addresses said (-) and read (+):\n%s", d)
	}
}

// What a block of discover would break is said of it, and nothing else is lost; a
// folder without a bucket is no finding.
func TestLoadFound(t *testing.T) {
	dir := t.TempDir()
	main := "dns_provider \"manual\" \"m\" { zones = [\"example.com\"] }\ndefaults {\n  verify { sample = 3 }\n}\n"
	if err := os.WriteFile(filepath.Join(dir, MainFile), []byte(main), 0o600); err != nil {
		t.Fatal(err)
	}
	o := Options{DNSTypes: []DNSType{{Type: "manual"}}}
	c, _, diags, _ := LoadFound(dir, o, nil)
	if len(diags) > 0 || len(c.Accounts) != 1 {
		t.Errorf("without a bucket: %v, accounts %v", diags, c.Accounts)
	}
	c, _, diags, wrong := LoadFound(dir, o, []Found{{Bucket: "a.example.com"}, {Bucket: "b_c.example.com"}, {Bucket: "x.example.net"}, {Bucket: "a\nb.example.com"}})
	if len(diags) > 0 || len(c.Buckets) != 1 || c.Buckets[0].Verify.Sample != 3 {
		t.Errorf("%v %+v", diags, c.Buckets)
	}
	if len(wrong) != 3 || !strings.Contains(wrong["b_c.example.com"], "Invalid bucket name") || !strings.Contains(wrong["x.example.net"], "zone") {
		t.Errorf("wrong: %v", wrong)
	}
}

// TestAlikeIsSaidOnce: what is said of many buckets alike stands once, with their
// names.
func TestAlikeIsSaidOnce(t *testing.T) {
	var found []Found
	for _, name := range []string{"a.example.com", "b.example.com", "c.example.com"} {
		found = append(found, Found{Bucket: name, Said: []string{"needs an answer: x", "ttl-kept: " + name + " keeps a TTL"}})
	}
	if text := string(Blocks(found)); strings.Count(text, "keeps a TTL") != 1 || strings.Count(text, "# ttl-kept: as for a.example.com\n") != 2 {
		t.Error(text)
	}
	blocks, _, _ := Batch(found, "sites.csv", "site")
	if text := string(blocks); strings.Count(text, "keeps a TTL") != 1 || !strings.Contains(text, "a.example.com keeps a TTL; alike: b.example.com, c.example.com\n") {
		t.Error(text)
	}
}
