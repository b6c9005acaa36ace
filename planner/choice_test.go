package planner

import (
	"testing"

	"github.com/edgeward/edgeward/config"
)

// TestChoiceHints: who types the name of a bucket is told its address.
func TestChoiceHints(t *testing.T) {
	c := &config.Config{Buckets: []config.Bucket{{Address: `bucket["www.example.com"]`}, {Address: "bucket.a"}}}
	tests := map[string]struct{ pattern, want string }{
		"a name":   {"www.example.com", `did you mean bucket["www.example.com"]?`},
		"anything": {"nobody", `the addresses are bucket["www.example.com"], bucket.a`},
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
	if err := CheckChoice(c, Options{Targets: []string{"bucket.a"}}); err != nil {
		t.Error(err)
	}
}
