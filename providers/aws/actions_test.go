package aws_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/edgeward/edgeward/providers/aws"
	"github.com/edgeward/edgeward/providers/providertest"
)

// The table of permissions has every operation that the source calls, and none
// that it does not.
func TestPermissionsHaveEveryCall(t *testing.T) {
	if d := cmp.Diff(providertest.Calls(t, "."), providertest.PermittedCalls(aws.Permissions())); d != "" {
		t.Errorf("operations in the source (-) and in Permissions (+):\n%s", d)
	}
}
