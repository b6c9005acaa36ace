package planner

import (
	"fmt"

	"github.com/edgeward/edgeward/config"
)

// CodeLimitSwitches is the code of the finding that says that a plan switches more
// than limits allows.
const CodeLimitSwitches = codeLimitSwitches

const codeLimitSwitches = "limit-switches"

// planFindings say which limits that count the switches of many buckets would
// stop an apply of p, so that whoever reviews the plan knows it before the run
// refuses. They stop no plan, and a way back has none.
func planFindings(c *config.Config, p Plan) []Finding {
	if p.Goal != Migrate {
		return nil
	}
	var fs []Finding
	steps := fmt.Sprintf("%d dns.switch steps", p.Summary.Switches)
	if p.Summary.Switches == 1 {
		steps = "1 dns.switch step"
	}
	if setting, allowed := c.Limits.Exceeded(p.Summary.Switches, len(c.Buckets)); setting != "" {
		fs = append(fs, Finding{Error, CodeLimitSwitches, fmt.Sprintf("%sit has %s, and %s allows no more than %d", refusal(p), steps, setting, allowed),
			"plan fewer at once with -target=ADDR or -wave=NAME, or raise it"})
	}
	if most := c.Limits.RequireApprovalAbove; most >= 0 && p.Summary.Switches > most {
		fs = append(fs, Finding{Note, "limit-approval", fmt.Sprintf("-auto-approve alone does not apply this plan: it has %s, more than limits { require_approval_above = %d }", steps, most),
			"apply it as a saved plan (edgeward plan -out=FILE, edgeward apply FILE), or say yes at a terminal"})
	}
	return fs
}
