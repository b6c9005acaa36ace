package planner

import (
	"context"
	"errors"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/planner/proof"
	"github.com/edgeward/edgeward/providers"
)

// VerifyOptions are how verify compares. The zero value compares as an apply
// would.
type VerifyOptions struct {
	// Parallel is how many requests of one bucket are under way at a time, Rate
	// how many begin each second at each host; 0 leaves both to proof.Options.
	Parallel int
	Rate     float64
	// Seed chooses the sample; "" is the one of the bucket, which apply uses too.
	Seed string
	// MaxRequests and MaxBytes bound the comparison of each bucket; 0 is what
	// verify { max_requests, max_bytes } says.
	MaxRequests int
	MaxBytes    int64
	// Resume has what an earlier, interrupted verify with the same seed found: by
	// address, then by path. Keep is called for each target that is finished, one
	// at a time over all buckets; its error ends the bucket. Both may be nil.
	Resume map[string]map[string]proof.Outcome
	Keep   func(address string, o proof.Outcome) error
	// Progress is called one at a time over all buckets, now and then. May be nil.
	Progress func(address string, p proof.Progress)
}

// Verify compares every chosen bucket as visitors reach it at S3 with its
// distribution under the real names, before, during and after a migration.
// Nothing is written to the world, and nothing but the two sites is fetched.
// What concerns one bucket alone stands in the report; the error is for what
// stops the whole run, as in Make: a target that matches nothing, credentials,
// ctx. Then the report is not to be used.
func Verify(ctx context.Context, w providers.World, c *config.Config, o Options, v VerifyOptions) (VerifyReport, error) {
	return VerifyReport{FormatVersion: FormatVersion, Verdict: proof.Same}, errors.New("compare the sites: not there yet")
}
