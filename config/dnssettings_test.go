package config

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// worldly is a type with every kind of setting, all of which may come from the
// environment.
var worldly = DNSType{Type: "worldly", Settings: []Setting{
	{Name: "token", Required: true, Sensitive: true, Env: []string{"WORLDLY_TOKEN", "WLY_TOKEN"}, Doc: "the API token"},
	{Name: "ids", List: true, Env: []string{"WORLDLY_IDS"}, Doc: "ids"},
	{Name: "wait", Duration: true, Env: []string{"WORLDLY_WAIT"}, Doc: "how long to wait"},
	{Name: "strict", Bool: true, Env: []string{"WORLDLY_STRICT"}, Doc: "be strict"},
	{Name: "server", Doc: "the server"},
}}

func loadWorldly(t *testing.T, block string, env map[string]string) (map[string]any, string) {
	t.Helper()
	dir := write(t, map[string]string{"edgeward.hcl": "dns_provider \"worldly\" \"main\" {\n  zones = [\"example.com\"]\n" + block +
		"\n}\nbucket \"assets.example.com\" {}\n"})
	c, _, diags := Load(dir, Options{DNSTypes: []DNSType{worldly}, Env: environment(env)})
	var text []string
	for _, d := range diags {
		text = append(text, d.Summary+": "+d.Detail)
	}
	return c.DNSProviders[0].Settings, strings.Join(text, "\n")
}

func TestSettings(t *testing.T) {
	for what, tc := range map[string]struct {
		block string
		env   map[string]string
		want  map[string]any
	}{
		"the block": {
			block: "token = \" a\\n\"\n ids = [\"x \"]\n wait = \"90s\"\n strict = true\n server = \"s\"",
			want:  map[string]any{"token": "a", "ids": []string{"x"}, "wait": 90 * time.Second, "strict": true, "server": "s"},
		},
		"the environment": {
			env:  map[string]string{"WORLDLY_TOKEN": "a\n", "WORLDLY_IDS": "x, y,", "WORLDLY_WAIT": "2m", "WORLDLY_STRICT": "false"},
			want: map[string]any{"token": "a", "ids": []string{"x", "y"}, "wait": 2 * time.Minute, "strict": false},
		},
		"the block before the environment": {
			block: `token = "a"`, env: map[string]string{"WORLDLY_TOKEN": "b"}, want: map[string]any{"token": "a"},
		},
		"the first variable before the second": {
			env: map[string]string{"WORLDLY_TOKEN": "b", "WLY_TOKEN": "c"}, want: map[string]any{"token": "b"},
		},
		"an empty variable counts as none": {
			env: map[string]string{"WORLDLY_TOKEN": " ", "WLY_TOKEN": "c"}, want: map[string]any{"token": "c"},
		},
		"null in the block is left out": {
			block: "token = null", env: map[string]string{"WORLDLY_TOKEN": "b"}, want: map[string]any{"token": "b"},
		},
	} {
		t.Run(what, func(t *testing.T) {
			got, diags := loadWorldly(t, tc.block, tc.env)
			if diags != "" {
				t.Errorf("diagnostics:\n%s", diags)
			}
			if d := cmp.Diff(tc.want, got); d != "" {
				t.Errorf("settings (-want +got):\n%s", d)
			}
		})
	}
}

func TestSettingsFindings(t *testing.T) {
	for what, tc := range map[string]struct {
		block string
		env   map[string]string
		want  string
	}{
		"missing": {want: `Missing argument: A dns_provider "worldly" needs token: the API token. ` +
			`Write it in the block, or set the environment variable WORLDLY_TOKEN or WLY_TOKEN.`},
		"wrong duration in the environment": {env: map[string]string{"WORLDLY_TOKEN": "a", "WORLDLY_WAIT": "soon"},
			want: `Wrong environment variable: wait of dns_provider.worldly.main is taken from the environment variable WORLDLY_WAIT, ` +
				`whose value is not a duration such as 60s. Correct it, or write wait in the block.`},
		"wrong bool in the environment": {env: map[string]string{"WORLDLY_TOKEN": "a", "WORLDLY_STRICT": "maybe"},
			want: `Wrong environment variable: strict of dns_provider.worldly.main is taken from the environment variable WORLDLY_STRICT, ` +
				`whose value is not true or false. Correct it, or write strict in the block.`},
		"wrong in the block, with a variable set": {block: `token = ""`, env: map[string]string{"WORLDLY_TOKEN": "a"},
			want: `Empty value: "token" is empty. Write its value, or leave it out.`},
		"wrong duration": {block: "token = \"a\"\n wait = \"90\"",
			want: `Invalid duration: "90" has no unit: write "90s" for seconds, or "90m" for minutes.`},
	} {
		t.Run(what, func(t *testing.T) {
			if _, got := loadWorldly(t, tc.block, tc.env); got != tc.want {
				t.Errorf("diagnostics are\n%s\nwant\n%s", got, tc.want)
			}
		})
	}
}

func TestRefusedType(t *testing.T) {
	dir := write(t, map[string]string{"edgeward.hcl": "dns_provider \"gapful\" \"a\" {\n  zones = [\"example.com\"]\n  token = \"x\"\n}\n" +
		"dns_provider \"gapfull\" \"b\" {\n  zones = [\"example.net\"]\n}\nbucket \"assets.example.com\" {}\n"})
	_, _, diags := Load(dir, Options{DNSTypes: []DNSType{worldly, {Type: "gapful", Refused: "It leaves gaps."}}})
	var got []string
	for _, d := range diags {
		got = append(got, d.Summary+": "+d.Detail)
	}
	want := []string{"Refused DNS provider: It leaves gaps.",
		`Unknown type of DNS provider: There is no DNS provider "gapfull". Known are "worldly". Did you mean "gapful"?`}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("diagnostics (-want +got):\n%s", d)
	}
}
