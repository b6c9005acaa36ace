package view

import (
	"fmt"

	"github.com/edgeward/edgeward/planner"
)

// Checked says how a saved plan stood up to the world as it is now.
func Checked(s planner.Saved, refused map[string]error) string {
	switch n := len(s.Plan.Buckets); {
	case s.Empty():
		return "The saved plan has no steps: there is nothing to do."
	case len(refused) == 0:
		return fmt.Sprintf("The saved plan stands: %s looked at, no fact moved.", Count(n, "bucket"))
	default:
		return fmt.Sprintf("The saved plan stands for %d of %s; a fact moved for %d.", n-len(refused), Count(n, "bucket"), len(refused))
	}
}
