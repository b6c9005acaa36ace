package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseDuration(t *testing.T) {
	good := map[string]time.Duration{
		"60s": time.Minute, "1h30m": 90 * time.Minute, "7d": 7 * 24 * time.Hour, "1.5h": 90 * time.Minute, "1d12h": 36 * time.Hour,
		"0s": 0, "250ms": 250 * time.Millisecond, "2w": 14 * 24 * time.Hour, "1.1h": 66 * time.Minute, "0.1s": 100 * time.Millisecond, "0.29h": 1044 * time.Second,
	}
	for s, want := range good {
		if got, f := parseDuration(s); f != nil || got != want {
			t.Errorf("%q: got %v, %v; want %v", s, got, f, want)
		}
	}
	bad := map[string]string{
		"": "empty", "60": `write "60s"`, "1.5": `write "1.5s"`, "-5m": "negative", "5 m": "not understood", "5min": "not understood",
		"5m3": "not understood", "h": "not understood", "1e3s": "not understood", "99999999999999999999d": "ten years", "4000d": "ten years",
		strings.Repeat("9", 400) + "s": "ten years", "5M": "not understood", "+5m": "not understood", ".5s": "not understood",
	}
	for s, want := range bad {
		got, f := parseDuration(s)
		if f == nil {
			t.Errorf("%q: got %v, want an error", s, got)
		} else if !strings.Contains(f.detail, want) {
			t.Errorf("%q: got %q, want %q in it", s, f.detail, want)
		}
	}
}

func TestDurationWords(t *testing.T) {
	for d, want := range map[time.Duration]string{
		time.Minute: "1m", time.Hour: "1h", 90 * time.Second: "1m30s", 0: "0s", 3*time.Hour + 5*time.Second: "3h0m5s", 10 * time.Second: "10s",
	} {
		if got := durationWords(d); got != want {
			t.Errorf("%d: got %s, want %s", d, got, want)
		}
	}
}

func TestTTLRule(t *testing.T) {
	rule := ttlRule("ttl", "")
	for d, ok := range map[time.Duration]bool{
		0: false, time.Second: true, maxTTL: true, maxTTL + time.Second: false, 1500 * time.Millisecond: false, time.Millisecond: false,
	} {
		if f := rule(d); (f == nil) != ok {
			t.Errorf("%v: got %v", d, f)
		}
	}
}

func TestZones(t *testing.T) {
	tests := map[string]struct {
		name, want string
		zones      []string
	}{
		"the zone itself":      {"example.com", "example.com", []string{"example.com"}},
		"longest":              {"a.deep.example.com", "deep.example.com", []string{"example.com", "deep.example.com", "com"}},
		"no label boundary":    {"notexample.com", "", []string{"example.com"}},
		"a parent of the zone": {"example.com", "", []string{"www.example.com"}},
		"none":                 {"example.com", "", nil},
	}
	for name, tc := range tests {
		if got := longestZone(tc.name, tc.zones); got != tc.want {
			t.Errorf("%s: got %q, want %q", name, got, tc.want)
		}
	}
}

func TestBucketName(t *testing.T) {
	good := []string{"abc", "assets.example.com", "a-b.c", "1.2.3", strings.Repeat("a", 63), "assets.xn--bcher-kva.example"}
	for _, s := range good {
		if f := bucketName(s); f != nil {
			t.Errorf("%q: %s", s, f.detail)
		}
	}
	bad := []string{"", "ab", strings.Repeat("a", 64), "Assets", "a_b", "a..b", ".ab", "ab.", "-ab", "ab-", "1.2.3.4", "xn--a",
		"sthree-x", "amzn-s3-demo-x", "x-s3alias", "x--ol-s3", "x.mrap", "x--x-s3", "x--table-s3", "a b", "ä.example", "arn:aws:s3:::x"}
	for _, s := range bad {
		if bucketName(s) == nil {
			t.Errorf("%q is accepted", s)
		}
	}
}

func TestHostPort(t *testing.T) {
	good := []string{"ns1.example.com", "ns1.example.com:53", "192.0.2.1", "192.0.2.1:53", "2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:53", "localhost:5300"}
	for _, s := range good {
		if f := nameserver(s); f != nil {
			t.Errorf("%q: %s", s, f.detail)
		}
	}
	bad := []string{"", ":53", "ns1.example.com:", "ns1:0", "ns1:65536", "ns1:x", "[192.0.2.1]", "[2001:db8::1", "[2001:db8::1]:", "*.example.com",
		"a b", "https://x", "192.0.2.256", "192.0.2", "NS1.example.com", "ns1.example.com.", "x:1:2"}
	for _, s := range bad {
		if nameserver(s) == nil {
			t.Errorf("%q is accepted", s)
		}
	}
}

func TestDidYouMean(t *testing.T) {
	words := []string{"bucket", "defaults", "name", "region", "var", "local"}
	for given, want := range map[string]string{
		"buckt": "bucket", "bukcet": "bucket", "BUCKET": "bucket", "default": "defaults", "nmae": "name", "wave": "", "lock": "", "vra": "var", "x": "", "": "", "regoin": "region",
	} {
		if got := DidYouMean(given, words); got != want {
			t.Errorf("%q: got %q, want %q", given, got, want)
		}
	}
}

func TestNoConfiguration(t *testing.T) {
	empty := t.TempDir()
	_, files, diags := Load(empty, Options{})
	if out := text(files, diags); len(diags) != 1 || !strings.Contains(out, "edgeward init") || !strings.Contains(out, empty) {
		t.Error(out)
	}
	_, files, diags = Load(filepath.Join(empty, "nowhere"), Options{})
	if out := text(files, diags); len(diags) != 1 || !strings.Contains(out, "no such file") || !strings.Contains(out, "-chdir") {
		t.Error(out)
	}
}

// TestFileNames says which files are read, and how their names are written.
func TestFileNames(t *testing.T) {
	dir := write(t, map[string]string{
		"edgeward.hcl": "", "z.edgeward.hcl": "", "a.edgeward.hcl": "", ".edgeward.hcl": "", "other.hcl": "", "edgeward.hcl~": "", "sub/edgeward.hcl": "",
		"dir.edgeward.hcl/x": "",
	})
	t.Chdir(filepath.Dir(dir))
	for given, prefix := range map[string]string{filepath.Base(dir): filepath.Base(dir) + "/", dir: dir + "/"} {
		got, err := FileNames(given)
		want := []string{prefix + "edgeward.hcl", prefix + "a.edgeward.hcl", prefix + "z.edgeward.hcl"}
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Error(err, diff)
		}
	}
	t.Chdir(dir)
	got, err := FileNames(".")
	if diff := cmp.Diff([]string{"edgeward.hcl", "a.edgeward.hcl", "z.edgeward.hcl"}, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
	if err := os.WriteFile("edgeward.hcl", []byte("x {}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, diags := Load(".", Options{}); diags[0].Subject.Filename != "edgeward.hcl" {
		t.Error(diags[0].Subject.Filename)
	}
}

func TestTooDeep(t *testing.T) {
	for name, src := range map[string]string{
		"brackets":   "locals {\n a = " + strings.Repeat("[", 1e5) + "\n}",
		"not":        "locals {\n a = " + strings.Repeat("!", 1e5) + "true\n}",
		"minus":      "locals {\n a = " + strings.Repeat("-", 1e5) + "1\n}",
		"conditions": "locals {\n a = " + strings.Repeat("true ? 1 : ", 1e4) + "1\n}",
		"templates":  "locals {\n a = " + strings.Repeat("\"${", 1e4) + "\n}",
		"mixed":      "locals {\n a = " + strings.Repeat("[{a=(\"${", 60) + "\n}",
		"blocks":     strings.Repeat("a {\n", 1e4),
	} {
		_, _, diags := Load(write(t, map[string]string{"edgeward.hcl": src}), Options{})
		if len(diags) != 1 || diags[0].Summary != "Nested too deeply" {
			t.Errorf("%s: %d findings, the first %v", name, len(diags), diags[0])
		}
	}
}

func TestHugeNumber(t *testing.T) {
	for _, n := range []string{"1e100000000", "1E+401", "1e-99999999999999999999"} {
		_, _, diags := Load(write(t, map[string]string{"edgeward.hcl": "bucket \"a\" {\n name = " + n + "\n}"}), Options{})
		if len(diags) != 1 || diags[0].Summary != "Number too large" {
			t.Errorf("%s: %v", n, diags)
		}
	}
}

// TestPanicOfFunction wants a sentence where a library function panics.
func TestPanicOfFunction(t *testing.T) {
	src := "locals {\n a = indent(1000000000000000000, \"a\\nb\")\n}"
	_, files, diags := Load(write(t, map[string]string{"edgeward.hcl": src}), Options{})
	if out := text(files, diags); len(diags) != 1 || strings.Contains(out, "goroutine") || strings.Contains(out, "panic") {
		t.Error(out)
	}
}

// TestSecretFromFile: what a file holds is nowhere shown when it goes into a
// setting that may be secret.
func TestSecretFromFile(t *testing.T) {
	for _, use := range []string{"parseint(file(\"t\"), 10)", "jsondecode(file(\"t\"))", "[file(\"t\")]", "{ a = 1 }[file(\"t\")]", "local.t + 1", "parseint(local.t, 10)", "[local.t]"} {
		src := "locals {\n  t = file(\"t\")\n}\ndns_provider \"secretive\" \"x\" {\n  zones = [\"example.com\"]\n  token = " + use + "\n}\n"
		dir := write(t, map[string]string{"edgeward.hcl": src, "t": canary})
		_, files, diags := Load(dir, Options{DNSTypes: []DNSType{secretive}})
		if out := everything(files, diags); len(diags) == 0 || strings.Contains(out, canary) {
			t.Errorf("%s: %s", use, out)
		}
	}
}

func TestDefaultAccount(t *testing.T) {
	base := "aws \"a\" {}\ndns_provider \"route53\" \"main\" {\n zones = [\"example.com\"]\n %s\n}\nbucket \"x.example.com\" {\n %s\n}\n"
	tests := map[string]struct {
		provider, bucket string
		want             []string
	}{
		"both name one":   {"aws = aws.a", "aws = aws.a", []string{"a"}},
		"the bucket not":  {"aws = aws.a", "", []string{"", "a"}},
		"the provider no": {"", "aws = aws.a", []string{"", "a"}},
	}
	for name, tc := range tests {
		src := fmt.Sprintf(base, tc.provider, tc.bucket)
		c, files, diags := Load(write(t, map[string]string{"edgeward.hcl": src}), Options{DNSTypes: []DNSType{route53}})
		var got []string
		for _, a := range c.Accounts {
			got = append(got, a.Name)
		}
		if diff := cmp.Diff(tc.want, got); diff != "" || len(diags) > 0 {
			t.Error(name, diff, text(files, diags))
		}
	}
}

func TestStarter(t *testing.T) {
	for _, name := range []string{"", "assets.example.com", "example.com", "www.shop.example.co.uk"} {
		src := Starter(name)
		c, files, diags := Load(write(t, map[string]string{"edgeward.hcl": string(src)}), Options{DNSTypes: []DNSType{route53}})
		if len(diags) > 0 {
			t.Fatal(text(files, diags))
		}
		if name != "" && c.Buckets[0].Name != name {
			t.Errorf("got %s, want %s", c.Buckets[0].Name, name)
		}
		if string(Format(src)) != string(src) {
			t.Errorf("the starter is not formatted:\n%s", src)
		}
	}
}

func TestFormat(t *testing.T) {
	tests := map[string]struct{ src, want string }{
		"aligned":   {"bucket \"a\" {\nname=\"x\"\n  cnames   = [\"x\"]\n}\n", "bucket \"a\" {\n  name   = \"x\"\n  cnames = [\"x\"]\n}\n"},
		"broken":    {"bucket \"a\" {\nname=\n", "bucket \"a\" {\nname=\n"},
		"empty":     {"", ""},
		"comments":  {"# a\n   # b\n", "# a\n# b\n"},
		"not UTF-8": {"a = \"\xff\"\n", "a = \"\xff\"\n"},
	}
	for name, tc := range tests {
		if got := string(Format([]byte(tc.src))); got != tc.want {
			t.Errorf("%s: got %q, want %q", name, got, tc.want)
		}
	}
}

// BenchmarkLoad reads a table of a thousand buckets.
func BenchmarkLoad(b *testing.B) {
	dir := b.TempDir()
	var csv strings.Builder
	csv.WriteString("host,region\n")
	for i := range 1000 {
		fmt.Fprintf(&csv, "site%d.example.com,eu-west-1\n", i)
	}
	src := `
dns_provider "route53" "main" {
  zones = ["example.com"]
}
defaults {
  distribution {
    price_class = "100"
    tags        = { team = "web" }
  }
}
bucket "site" {
  for_each = { for s in csvdecode(file("sites.csv")) : s.host => s }
  name     = each.value.host
  region   = each.value.region
}
`
	for name, content := range map[string]string{"edgeward.hcl": src, "sites.csv": csv.String()} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		c, _, diags := Load(dir, Options{DNSTypes: []DNSType{route53}})
		if len(diags) > 0 || len(c.Buckets) != 1000 {
			b.Fatal(diags, len(c.Buckets))
		}
	}
}

// TestLongestZoneOverProviders: the longest zone wins, whichever provider's
// address sorts first.
func TestLongestZoneOverProviders(t *testing.T) {
	for _, deep := range []string{"a", "c"} {
		src := fmt.Sprintf("dns_provider \"route53\" %q {\n zones = [\"deep.example.com\"]\n}\n", deep) +
			"dns_provider \"route53\" \"b\" {\n zones = [\"example.com\"]\n}\nbucket \"x.deep.example.com\" {}\n"
		c, files, diags := Load(write(t, map[string]string{"edgeward.hcl": src}), Options{DNSTypes: []DNSType{route53}})
		want := []CNAME{{Name: "x.deep.example.com", DNSProvider: "dns_provider.route53." + deep, Zone: "deep.example.com"}}
		if diff := cmp.Diff(want, c.Buckets[0].CNAMEs); diff != "" || len(diags) > 0 {
			t.Error(diff, text(files, diags))
		}
	}
}

// TestOrder: findings come in the order of files and lines, in each run.
func TestOrder(t *testing.T) {
	in := readInput(t, "testdata/invalid/values.hcl")
	dir := write(t, in.files)
	var first string
	for range 3 {
		_, files, diags := Load(dir, in.o)
		for i := range diags[1:] {
			if a, b := diags[i].Subject, diags[i+1].Subject; a.Filename == b.Filename && a.Start.Byte > b.Start.Byte {
				t.Errorf("%v stands before %v", a, b)
			}
		}
		out := text(files, diags)
		if first == "" {
			first = out
		}
		if out != first {
			t.Error("two runs differ")
		}
	}
}

// TestMessageNearSecret: our own sentences stay readable beside a secret.
func TestMessageNearSecret(t *testing.T) {
	src := `
variable "s" {
  sensitive = true
  validation {
    condition     = length(var.s) > 99
    error_message = "At least 100 characters."
  }
}
`
	_, files, diags := Load(write(t, map[string]string{"edgeward.hcl": src}), Options{Vars: []string{"s=" + canary}})
	if out := everything(files, diags); !strings.Contains(out, "At least 100 characters.") || strings.Contains(out, canary) {
		t.Error(out)
	}
}
