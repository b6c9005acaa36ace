package providers

import (
	"errors"
	"fmt"
	"testing"
)

// What an adapter and its caller both say is said once, by whoever says more; the
// class stays.
func TestDoing(t *testing.T) {
	cause := fmt.Errorf("AccessDenied: no: %w", ErrDenied)
	for name, tt := range map[string]struct{ outer, inner, want string }{
		"the same":             {"read distribution E1", "read distribution E1", "read distribution E1"},
		"an article":           {"request a certificate for a.example", "request certificate for a.example", "request a certificate for a.example"},
		"quotes":               {"read bucket a", `read bucket "a"`, "read bucket a"},
		"more outside":         {"read distribution E1 before the switch", "read distribution E1", "read distribution E1 before the switch"},
		"more inside":          {"look up records of a", "look up records of a in zone b", "look up records of a in zone b"},
		"another object":       {"read distribution E1", "read distribution E2", "read distribution E1: read distribution E2"},
		"another verb":         {"read distribution E1", "sign in", "read distribution E1: sign in"},
		"one word is no verb":  {"list", "list", "list: list"},
		"a beginning of words": {"read distribution E1", "read distribution E12", "read distribution E1: read distribution E12"},
	} {
		err := Doing(fmt.Errorf("%s: %w", tt.inner, cause), "%s", tt.outer)
		if got := err.Error(); got != tt.want+": AccessDenied: no: "+ErrDenied.Error() || !errors.Is(err, ErrDenied) {
			t.Errorf("%s: %q", name, got)
		}
	}
	if err := Doing(Doing(Doing(errors.New("read bucket a"), "read bucket a"), "read bucket a"), "read bucket a again"); err.Error() != "read bucket a again" {
		t.Errorf("%q", err)
	}
	if err := Doing(nil, "read bucket a"); err != nil {
		t.Error(err)
	}
}
