package planner

import (
	"context"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/providers"
)

// Make observes every chosen bucket and plans what is not done. What concerns
// one bucket alone is a finding of that bucket; the error is for what stops
// the whole run: a target that matches nothing, credentials, ctx.
func Make(ctx context.Context, w providers.World, c *config.Config, o Options) (Plan, error) {
	return Plan{}, nil
}

// Apply executes p: each bucket's steps as their needs allow, many buckets at
// the same time. The report is always complete; buckets that ctx's end cut
// off are in it as interrupted.
func (x *Executor) Apply(ctx context.Context, p Plan) Report { return Report{} }

// ExitCode is the report's, by the table in the design (0, 4, 5, 3, 6, 130).
func (r Report) ExitCode() int { return 0 }

// MakeStatus observes every chosen bucket, asks the authoritative servers and
// the resolvers, and says where each stands.
func MakeStatus(ctx context.Context, w providers.World, c *config.Config, o Options) (StatusReport, error) {
	return StatusReport{}, nil
}
