package planner

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/providers"
	"github.com/edgeward/edgeward/providers/sandbox"
	"github.com/google/go-cmp/cmp"
)

const discoverHCL = `
aws "shop" { profile = "shop" }
dns_provider "route53" "main" { zones = ["example.com", "known.example.net"] }
dns_provider "cloudflare" "brand" { zones = ["example.org"] }
dns_provider "plain" "flat" { zones = ["example.net"] }
dns_provider "manual" "hand" { zones = ["example.edu"] }
bucket "known.example.com" {}
bucket "shopped.example.com" { aws = aws.shop }
`

// discoverFolder is a folder with a configuration, and what reads it.
func discoverFolder(t *testing.T, hcl string) (string, config.Options) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, config.MainFile), []byte(hcl), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir, config.Options{DNSTypes: []config.DNSType{{Type: "route53", Settings: []config.Setting{{Name: "aws", Account: true}}}, {Type: "cloudflare"}, {Type: "plain"}, {Type: "manual"}}}
}

func mustLoad(t *testing.T, dir string, o config.Options, found []config.Found) (*config.Config, map[string]string, error) {
	c, _, diags, wrong := config.LoadFound(dir, o, found)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return c, wrong, nil
}

func aliasAt(name, target string) sandbox.NamedRecord {
	return sandbox.NamedRecord{Name: name, Record: providers.Record{Type: "A", Alias: true, Value: target, AliasZone: "Z1BKCTXD74EZPE"}}
}

// discoverCase is one name and what is to be said of it.
type discoverCase struct {
	record  sandbox.NamedRecord
	bucket  *sandbox.Bucket
	verdict Readiness
	codes   string
}

func discoverCases() map[string]discoverCase {
	rec := func(value string) sandbox.NamedRecord { return cname("", value, time.Hour) }
	public := func() *sandbox.Bucket { return &sandbox.Bucket{} }
	site := func() *sandbox.Bucket { return &sandbox.Bucket{Website: worldSite} }
	routed := rec("s3-eu-west-1.amazonaws.com")
	routed.Routing = "it is weighted"
	proxied := sandbox.NamedRecord{Record: providers.Record{Type: "CNAME", Value: "proxied.example.org.s3.eu-west-1.amazonaws.com", Proxied: true}}
	return map[string]discoverCase{
		"regional.example.com":    {rec("regional.example.com.s3.eu-west-1.amazonaws.com"), public(), ByHand, "record-chain"},
		"plain.example.com":       {rec("plain.example.com.s3.eu-west-1.amazonaws.com"), public(), Ready, ""},
		"dash.example.com":        {rec("dash.example.com.s3-eu-west-1.amazonaws.com"), public(), Ready, ""},
		"global.example.com":      {rec("global.example.com.s3.amazonaws.com"), public(), Ready, ""},
		"dual.example.com":        {rec("s3.dualstack.eu-west-1.amazonaws.com"), public(), Ready, ""},
		"path.example.com":        {rec("s3-eu-west-1.amazonaws.com"), public(), Ready, ""},
		"www.example.com":         {rec("www.example.com.s3-website-eu-west-1.amazonaws.com"), site(), Ready, ""},
		"dot.example.com":         {rec("dot.example.com.s3-website.eu-central-1.amazonaws.com"), &sandbox.Bucket{Website: worldSite, Region: "eu-central-1"}, Ready, ""},
		"china.example.com":       {rec("china.example.com.s3.cn-north-1.amazonaws.com.cn"), &sandbox.Bucket{Region: "cn-north-1"}, Ready, ""},
		"example.com":             {aliasAt("example.com", "s3-website-eu-west-1.amazonaws.com"), site(), Ready, "alias-ttl"},
		"proxied.example.org":     {proxied, public(), Ready, "proxied"},
		"shop.example.com":        {rec("shop.example.com.s3.eu-west-1.amazonaws.com"), &sandbox.Bucket{Account: "shop"}, Ready, ""},
		"apex-less.example.net":   {rec("apex-less.example.net.s3.eu-west-1.amazonaws.com"), public(), Ready, ""},
		"elsewhere.example.com":   {rec("elsewhere.example.com.s3.us-west-2.amazonaws.com"), public(), NeedsAnswer, "region-differs"},
		"wild.wide.example.com":   {sandbox.NamedRecord{Name: "-"}, public(), ByHand, "record-wildcard"},
		"chain.example.com":       {rec("regional.example.com"), public(), ByHand, "record-chain"},
		"chained.example.com":     {rec("chain.example.com"), nil, ByHand, "takeover record-chain"},
		"towild.example.com":      {rec("x.wide.example.com"), nil, ByHand, "takeover record-chain"},
		"outer.example.com":       {rec("alias.outside.test"), public(), ByHand, "record-chain"},
		"private.example.com":     {rec("private.example.com.s3.eu-west-1.amazonaws.com"), &sandbox.Bucket{Private: true}, ByHand, "bucket-not-public"},
		"foreign.example.com":     {rec("foreign.example.com.s3.eu-west-1.amazonaws.com"), &sandbox.Bucket{Foreign: true}, ByHand, "bucket-foreign"},
		"gone.example.com":        {rec("gone.example.com.s3.eu-west-1.amazonaws.com"), nil, ByHand, "takeover"},
		"other.example.com":       {rec("regional.example.com.s3.eu-west-1.amazonaws.com"), nil, ByHand, "takeover name-differs"},
		"siteless.example.com":    {rec("siteless.example.com.s3-website-eu-west-1.amazonaws.com"), public(), ByHand, "website-missing"},
		"routed.example.com":      {routed, public(), ByHand, "record-routing"},
		"example.net":             {rec("example.net.s3.eu-west-1.amazonaws.com"), public(), ByHand, "apex-without-alias"},
		"payer.example.com":       {rec("payer.example.com.s3.eu-west-1.amazonaws.com"), &sandbox.Bucket{RequesterPays: true}, ByHand, "requester-pays"},
		"caa.example.com":         {rec("caa.example.com.s3.eu-west-1.amazonaws.com"), public(), ByHand, "caa-forbids"},
		"under_score.example.com": {rec("under_score.example.com.s3.eu-west-1.amazonaws.com"), nil, ByHand, "name-invalid"},
		"*.wide.example.com":      {rec("s3-eu-west-1.amazonaws.com"), nil, ByHand, "takeover-wildcard"},
		"hand.example.edu":        {rec("hand.example.edu.s3.eu-west-1.amazonaws.com"), public(), Ready, "by-hand"},
		// None of these leads to S3.
		"fast.example.com":  {rec("d111111abcdef8.cloudfront.net"), nil, "", ""},
		"lost.example.com":  {rec("absent.example.com"), nil, "", ""},
		"loop.example.com":  {rec("pool.example.com"), nil, "", ""},
		"pool.example.com":  {rec("loop.example.com"), nil, "", ""},
		"known.example.com": {rec("known.example.com.s3.eu-west-1.amazonaws.com"), public(), "", ""},
	}
}

// discoverOptions is a world with all cases.
func discoverOptions() sandbox.Options {
	o := sandbox.Options{Clock: providers.RealClock{}, Seed: 7, Accounts: []string{"", "shop"}, DNS: []sandbox.Provider{
		{Address: "dns_provider.route53.main", Zones: []string{"example.com", "known.example.net"}, Features: providers.Features{Provider: "route53", Alias: true, Swap: true}},
		{Address: "dns_provider.cloudflare.brand", Zones: []string{"example.org"}, Features: providers.Features{Provider: "cloudflare", Flatten: true}},
		{Address: "dns_provider.plain.flat", Zones: []string{"example.net"}, Features: providers.Features{Provider: "plain"}},
		{Address: "dns_provider.manual.hand", Zones: []string{"example.edu"}, Features: providers.Features{Provider: "manual", ByHand: true}},
		{Address: "outside", Zones: []string{"outside.test"}, Records: []sandbox.NamedRecord{cname("alias.outside.test", "x.s3.eu-west-1.amazonaws.com", time.Hour)}},
	}}
	at := map[string]int{".com": 0, ".org": 1, ".net": 2, ".edu": 3}
	cases := discoverCases()
	names := slices.Sorted(func(yield func(string) bool) {
		for n := range cases {
			if !yield(n) {
				return
			}
		}
	})
	for _, name := range names {
		c := cases[name]
		if c.record.Name != "-" {
			c.record.Name = name
			p := &o.DNS[at[name[len(name)-4:]]]
			p.Records = append(p.Records, c.record)
		}
		if c.bucket != nil {
			b := *c.bucket
			b.Name, b.Objects = name, worldObjects()
			if b.Region == "" {
				b.Region = "eu-west-1"
			}
			o.Buckets = append(o.Buckets, b)
		}
	}
	o.DNS[0].Records = append(o.DNS[0].Records, sandbox.NamedRecord{Name: "caa.example.com", Other: "CAA", Value: `0 issue "other.example"`})
	for _, name := range []string{"backup", "nowhere.example.info", "norecord.example.com"} {
		o.Buckets = append(o.Buckets, sandbox.Bucket{Name: name, Region: "eu-west-1"})
	}
	return o
}

func discoverIn(t *testing.T, w *sandbox.World, hcl string, change func(*DiscoverOptions)) (Discovery, string, config.Options, error) {
	dir, opts := discoverFolder(t, hcl)
	c, _, _ := mustLoad(t, dir, opts, nil)
	o := DiscoverOptions{Load: func(f []config.Found) (*config.Config, map[string]string, error) { return mustLoad(t, dir, opts, f) }}
	if change != nil {
		change(&o)
	}
	d, err := Discover(t.Context(), w.Providers(), c, o)
	return d, dir, opts, err
}

// Every kind of record and bucket gets its verdict, and what is written down loads
// and plans without an error.
func TestDiscover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := sandbox.New(discoverOptions())
		d, dir, opts, err := discoverIn(t, w, discoverHCL, nil)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for _, n := range d.Names {
			var codes []string
			for _, f := range n.Findings {
				codes = append(codes, f.Code)
			}
			got[n.Name] = fmt.Sprintf("%s: %s", n.Verdict, strings.Join(codes, " "))
			if takeover := strings.Contains(got[n.Name], "takeover"); takeover != n.Takeover {
				t.Errorf("%s: takeover %t: %s", n.Name, n.Takeover, got[n.Name])
			}
		}
		want := map[string]string{}
		for name, c := range discoverCases() {
			if c.verdict != "" {
				want[name] = fmt.Sprintf("%s: %s", c.verdict, c.codes)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("want (-), got (+):\n%s", diff)
		}
		var unnamed []string
		for _, u := range d.Unnamed {
			unnamed = append(unnamed, u.Name)
		}
		if diff := cmp.Diff([]string{"backup", "norecord.example.com", "nowhere.example.info"}, unnamed); diff != "" {
			t.Error(diff)
		}
		if d.Summary.Configured != 1 || !d.Names[0].Takeover || len(d.Incomplete()) > 0 {
			t.Errorf("summary %+v, first %+v, incomplete %v", d.Summary, d.Names[0], d.Incomplete())
		}
		if got := w.CallsByOp()["Buckets.Bucket"]; got > len(d.Names) {
			t.Errorf("settings of %d buckets were read for %d names", got, len(d.Names))
		}
		plansClean(t, w, dir, opts, map[string][]byte{"found.edgeward.hcl": config.Blocks(d.Found())}, d)
		blocks, rows, _ := config.Batch(d.Found(), "sites.csv", "site")
		plansClean(t, w, dir, opts, map[string][]byte{"found.edgeward.hcl": blocks, "sites.csv": rows}, d)
	})
}

// plansClean loads the folder with the files that were written and plans it.
func plansClean(t *testing.T, w *sandbox.World, dir string, opts config.Options, files map[string][]byte, d Discovery) {
	t.Helper()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, ".hcl") && string(config.Format(text)) != string(text) {
			t.Errorf("%s is not formatted:\n%s", name, text)
		}
	}
	c, _, diags := config.Load(dir, opts)
	if len(diags) > 0 {
		t.Fatalf("%v\n%s", diags, files["found.edgeward.hcl"])
	}
	c.Buckets = slices.DeleteFunc(c.Buckets, func(b config.Bucket) bool { return b.Name == "known.example.com" || b.Name == "shopped.example.com" })
	p, err := Make(t.Context(), w.Providers(), c, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Buckets) != d.Summary.Ready+d.Summary.NeedsAnswer {
		t.Errorf("%d buckets were written, want %d and %d", len(p.Buckets), d.Summary.Ready, d.Summary.NeedsAnswer)
	}
	for _, b := range p.Buckets {
		if blocked(b.Findings) || len(b.Steps) == 0 {
			t.Errorf("%s: %s %v", b.Address, b.Standing, b.Findings)
		}
	}
}

// With 800 buckets and 40 zones, the requests grow with the zones and the names that
// lead to S3, not with the buckets.
func TestDiscoverRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := sandbox.Options{Clock: providers.RealClock{}, Seed: 1}
		p := sandbox.Provider{Address: "dns_provider.route53.main", Features: providers.Features{Provider: "route53", Alias: true, Swap: true}}
		var zones []string
		for i := range 40 {
			zone := fmt.Sprintf("zone%d.example", i)
			zones = append(zones, zone)
			name := "assets." + zone
			p.Records = append(p.Records, cname(name, name+".s3.eu-west-1.amazonaws.com", time.Hour))
			o.Buckets = append(o.Buckets, sandbox.Bucket{Name: name, Region: "eu-west-1", Objects: worldObjects()})
			for j := range 19 {
				o.Buckets = append(o.Buckets, sandbox.Bucket{Name: fmt.Sprintf("b%d.%s", j, zone), Region: "eu-west-1"})
			}
		}
		p.Zones = zones
		o.DNS = []sandbox.Provider{p}
		w := sandbox.New(o)
		d, _, _, err := discoverIn(t, w, fmt.Sprintf("dns_provider \"route53\" \"main\" { zones = [\"%s\"] }\n", strings.Join(zones, `", "`)), nil)
		if err != nil {
			t.Fatal(err)
		}
		calls := w.CallsByOp()
		if d.Summary.Ready != 40 || d.Summary.Unnamed != 760 || calls["Buckets.List"] != 1 || calls["DNS.List"] != 40 || calls["Buckets.Bucket"] != 40 || calls["Resolver.Resolve"] > 120 {
			t.Errorf("%+v with %v", d.Summary, calls)
		}
	})
}

// A zone or an account that cannot be read is said; credentials end the search.
func TestDiscoverIncomplete(t *testing.T) {
	run := func(t *testing.T, refused error, op string) (Discovery, error) {
		o := discoverOptions()
		o.Hook = func(c sandbox.Call) error {
			if c.Op == op && c.Name != "example.org" && c.Account != "shop" {
				return refused
			}
			return nil
		}
		d, _, _, err := discoverIn(t, sandbox.New(o), discoverHCL, nil)
		return d, err
	}
	for name, test := range map[string]struct {
		err  error
		op   string
		want string
	}{
		"zone denied":    {providers.ErrDenied, "DNS.List", "zone example.com of dns_provider.route53.main"},
		"account denied": {providers.ErrDenied, "Buckets.List", "the account of the default credentials"},
		"zone unlisted":  {providers.ErrUnlistable, "DNS.List", ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, err := run(t, test.err, test.op)
				if err != nil {
					t.Fatal(err)
				}
				if got := d.Incomplete(); test.want != "" && !slices.Contains(got, test.want) || test.want == "" && len(got) > 0 {
					t.Errorf("%v, want %q", got, test.want)
				}
				i := slices.IndexFunc(d.Names, func(n FoundName) bool { return n.Name == "regional.example.com" })
				if looked := test.err == providers.ErrUnlistable || test.op == "Buckets.List"; looked != (i >= 0) {
					t.Errorf("regional.example.com found: %t", i >= 0)
				}
				if i := slices.IndexFunc(d.Names, func(n FoundName) bool { return n.Name == "foreign.example.com" }); i >= 0 && d.Names[i].Findings[0].Code != "bucket-denied" {
					t.Errorf("whose bucket it is was not known, yet: %v", d.Names[i].Findings)
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		if _, err := run(t, providers.ErrCredentials, "Buckets.List"); !errors.Is(err, providers.ErrCredentials) {
			t.Errorf("without credentials: %v", err)
		}
	})
}

func TestDiscoverTargets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := sandbox.New(discoverOptions())
		d, _, _, err := discoverIn(t, w, discoverHCL, func(o *DiscoverOptions) {
			o.Targets, o.Excludes = []string{"*.example.org", `bucket["dash.example.com"]`, "w*.example.com"}, []string{"www.*"}
		})
		var names []string
		for _, n := range d.Names {
			names = append(names, n.Name)
		}
		if diff := cmp.Diff([]string{"dash.example.com", "proxied.example.org", "wild.wide.example.com"}, names); diff != "" || err != nil {
			t.Errorf("%v %s", err, diff)
		}
		if w.CallsByOp()["Buckets.Bucket"] != 3 {
			t.Errorf("%v", w.CallsByOp())
		}
		_, _, _, err = discoverIn(t, w, discoverHCL, func(o *DiscoverOptions) { o.Targets = []string{"nothing.example.com"} })
		var none *NoNameError
		if !errors.As(err, &none) {
			t.Errorf("a target that matches nothing: %v", err)
		}
	})
}

// The folder's defaults count: a block says its provider where they lead to another,
// and one whose account cannot be said is written by hand.
func TestDiscoverDefaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		only := func(o *DiscoverOptions) { o.Targets = []string{"dash.example.com"} }
		own := strings.ReplaceAll(discoverHCL, "known.example.com\" {}", "known.example.com\" { dns_provider = dns_provider.route53.main }")
		own = strings.ReplaceAll(own, "{ aws = aws.shop }", "{\n aws = aws.shop\n dns_provider = dns_provider.route53.main\n }")
		d, _, _, err := discoverIn(t, sandbox.New(discoverOptions()), own+"defaults { dns_provider = dns_provider.cloudflare.brand }\n", only)
		if err != nil || len(d.Names) != 1 || d.Names[0].Verdict != Ready || d.Found()[0].DNSProvider != "dns_provider.route53.main" {
			t.Errorf("%v %+v %+v", err, d.Names, d.Found())
		}
		d, _, _, err = discoverIn(t, sandbox.New(discoverOptions()), discoverHCL+"defaults { aws = aws.shop }\n", only)
		if err != nil || len(d.Names) != 1 || d.Names[0].Verdict != ByHand || d.Names[0].Findings[0].Code != "name-invalid" {
			t.Errorf("%v %+v", err, d.Names)
		}
	})
}

// Names in an account beyond its quota wait for more room.
func TestDiscoverQuota(t *testing.T) {
	names := []*FoundName{{Name: "a", Verdict: Ready}, {Name: "b", Verdict: Ready}, {Name: "c", Verdict: NeedsAnswer}}
	overQuota(providers.Quota{Kind: providers.QuotaDistributions, Limit: 500, Used: 499}, names)
	if names[0].Verdict != Ready || names[1].Verdict != NeedsAnswer || len(names[2].Findings) != 1 || names[1].Findings[0].Code != "quota-pending" {
		t.Errorf("%+v %+v %+v", names[0], names[1], names[2])
	}
}
