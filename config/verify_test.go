package config

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseSize(t *testing.T) {
	good := map[string]int64{
		"20GB": 20e9, "500MB": 500e6, "500000000": 500e6, "1.5GiB": 3 << 29, "1000KB": 1e6, "1TB": 1e12, "2TiB": 2 << 40, "1024KiB": 1 << 20,
		"1000000": 1e6, "1000000B": 1e6, "1000TB": 1e15, "0.5GB": 500e6, "1.25MiB": 1310720,
	}
	for s, want := range good {
		if got, f := parseSize(s); f != nil || got != want {
			t.Errorf("%q: got %d, %v; want %d", s, got, f, want)
		}
	}
	bad := map[string]string{
		"": "empty", "20": "less than 1 MB", "0": "less than 1 MB", "999999": "less than 1 MB", "-5GB": "negative", "20gb": `Did you mean "20GB"?`,
		"20G": `Did you mean "20GB"?`, "20g": `Did you mean "20GB"?`, "20Gi": `Did you mean "20GiB"?`, "20GBytes": "Write one of", "20 GB": "no size",
		"GB": "no size", "1e10": "no size", "1.5": "not a whole number", "1.0000001MB": "not a whole number", "1001TB": "more than 1000 TB",
		strings.Repeat("9", 30) + "TiB": "more than 1000 TB", strings.Repeat("9", 400): "no size", "1.5.5GB": "no size", "20GB ": "no size", "٣GB": "no size",
	}
	for s, want := range bad {
		got, f := parseSize(s)
		if f == nil {
			t.Errorf("%q: got %v, want an error", s, got)
		} else if !strings.Contains(f.detail, want) {
			t.Errorf("%q: got %q, want %q in it", s, f.detail, want)
		}
	}
}

// TestAccept: what may stand in verify.accept, and what a person reads who
// writes something else.
func TestAccept(t *testing.T) {
	for _, a := range Aspects() {
		if a.Means == "" || strings.HasSuffix(a.Means, ".") {
			t.Errorf("%s: %q is no line of meaning", a.Name, a.Means)
		}
		f := acceptable(a.Name)
		if a.Broken != (f != nil) || f != nil && (!strings.Contains(f.detail, a.Means) || !strings.Contains(f.detail, "never accepted")) {
			t.Errorf("%s: %v", a.Name, f)
		}
	}
	for s, want := range map[string]string{
		"cache_control": `Did you mean "cache-control"?`, "Cache-Control": `Did you mean "cache-control"?`, "redirects": `Did you mean "redirect"?`,
		"broken": "never accepted", "*": "nobody has looked at", "all": "nobody has looked at", "colour": `Known here: "status", "body"`, "": "Known here",
	} {
		if f := acceptable(s); f == nil || !strings.Contains(f.detail, want) {
			t.Errorf("%q: %v, want %q", s, f, want)
		}
	}
}

// TestVerify: where the values of a verify block come from, in a bucket, in the
// defaults and in neither.
func TestVerify(t *testing.T) {
	common := Verify{Paths: []string{}, Sample: 20, MaxAge: 15 * 60 * 1e9, MaxRequests: 200_000, MaxBytes: 20e9}
	tests := map[string]struct {
		defaults, bucket string
		want             func(*Verify)
	}{
		"neither":                  {"", "", func(*Verify) {}},
		"all of the defaults":      {`sample = "all"`, "", func(v *Verify) { v.Sample = SampleAll }},
		"the bucket's own":         {`sample = "all"`, "sample = 0", func(v *Verify) { v.Sample = 0 }},
		"a number as text":         {"", `sample = "7"`, func(v *Verify) { v.Sample = 7 }},
		"a choice":                 {"", `sample = true ? "all" : 20`, func(v *Verify) { v.Sample = SampleAll }},
		"null takes the default":   {"sample = 3", "sample = null", func(v *Verify) { v.Sample = 3 }},
		"accepted in the defaults": {`accept = ["vary"]`, "", func(v *Verify) { v.Accept = []string{"vary"} }},
		"accepted by the bucket":   {`accept = ["vary"]`, `accept = ["cors", "cors"]`, func(v *Verify) { v.Accept = []string{"cors"} }},
		"accepted no more":         {`accept = ["vary"]`, "accept = []", func(*Verify) {}},
		"a budget": {"max_requests = 10\nmax_bytes = \"2GB\"", "max_bytes = 3000000", func(v *Verify) {
			v.MaxRequests, v.MaxBytes = 10, 3e6
		}},
		"globs": {"", `paths = ["/*.css", "/**/a[b].js?v=*", "/a[b]"]`, func(v *Verify) { v.Paths = []string{"/*.css", "/**/a[b].js?v=*", "/a[b]"} }},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			src := fmt.Sprintf("%s\ndefaults {\n verify {\n%s\n}\n}\nbucket \"a.example.com\" {\n verify {\n%s\n}\n}\n", oneProvider, tc.defaults, tc.bucket)
			c, files, diags := Load(write(t, map[string]string{"edgeward.hcl": src}), Options{DNSTypes: []DNSType{route53}})
			if len(diags) > 0 {
				t.Fatal(text(files, diags))
			}
			want := common
			want.Paths = slices.Clone(common.Paths)
			tc.want(&want)
			if diff := cmp.Diff(want, c.Buckets[0].Verify); diff != "" {
				t.Error(diff)
			}
		})
	}
}
