package planner

import (
	"testing"

	"github.com/edgeward/edgeward/config"
)

// TestChoiceHints: who types the name of a bucket is told its address.
func TestChoiceHints(t *testing.T) {
	c := &config.Config{Buckets: []config.Bucket{
		{Address: `bucket["www.example.com"]`, Name: "www.example.com", CNAMEs: []config.CNAME{{Name: "static.example.com"}}},
		{Address: "bucket.assets"}, {Address: `bucket.site["a"]`}}}
	tests := map[string]struct{ pattern, want string }{
		"a name":         {"www.example.com", `did you mean bucket["www.example.com"]?`},
		"an added name":  {"static.example.com", `did you mean bucket["www.example.com"]?`},
		"misspelt":       {"bucket.asets", "did you mean bucket.assets?"},
		"without quotes": {"bucket.site[a]", `the shell took the quotes away: type 'bucket.site["a"]'`},
		"anything":       {"nobody", `the addresses are bucket["www.example.com"], bucket.assets, bucket.site["a"]`},
	}
	for what, tc := range tests {
		t.Run(what, func(t *testing.T) {
			err := CheckChoice(c, Options{Targets: []string{tc.pattern}})
			hinted, ok := err.(*NoMatchError)
			if !ok || hinted.Hint() != tc.want {
				t.Errorf("%v", err)
			}
		})
	}
	if err := CheckChoice(c, Options{Targets: []string{"bucket.assets"}}); err != nil {
		t.Error(err)
	}
}
