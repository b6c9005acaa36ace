package planner

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/providers"
)

// SavedVersion is the format_version of Saved. A file of another major version
// is refused.
const SavedVersion = "1.1"

// savedKind tells a saved plan from other JSON.
const savedKind = "edgeward saved plan"

// Saved is a plan in a file: what was approved, and what it stands on. It has no
// secret: the configuration is in it as a digest alone.
type Saved struct {
	Kind          string `json:"kind"`
	FormatVersion string `json:"format_version"`
	// Edgeward is the version of the program that wrote it.
	Edgeward string `json:"edgeward"`
	// Configuration is the digest of the configuration (config.Digest).
	Configuration string `json:"configuration"`
	// Accounts are the AWS accounts that the plan was made in, by the label of
	// their aws block: the credentials of a run may be of another one.
	Accounts map[string]string `json:"accounts"`
	// Sandbox: it is about a simulated world.
	Sandbox bool `json:"sandbox,omitempty"`
	// Chosen are the options that the plan was made with.
	Chosen SavedOptions `json:"options"`
	Plan   Plan         `json:"plan"`
	// Facts are what was observed, by address.
	Facts map[string][]Fact `json:"facts"`
}

// SavedOptions are the Options that choose what a plan covers.
type SavedOptions struct {
	Targets  []string `json:"targets,omitempty"`
	Excludes []string `json:"excludes,omitempty"`
	Waves    []string `json:"waves,omitempty"`
	Until    Kind     `json:"until,omitempty"`
	Retry    []string `json:"retry,omitempty"`
	// Shard is "I/N", "" for all buckets.
	Shard string `json:"shard,omitempty"`
	// NoEvidence: a lock without evidence was accepted.
	NoEvidence bool `json:"accept_no_evidence,omitempty"`
}

// Save puts p, which was made with o, into its saved form. edgeward is the
// program's version, configuration the digest of the configuration. Accounts are
// left to the caller (AccountIDs).
func Save(p Plan, o Options, edgeward, configuration string) Saved {
	s := Saved{
		Kind: savedKind, FormatVersion: SavedVersion, Edgeward: edgeward, Configuration: configuration,
		Chosen: SavedOptions{Targets: o.Targets, Excludes: o.Excludes, Waves: o.Waves, Until: o.Until, Retry: o.Retry, Shard: o.Shard.String(),
			NoEvidence: o.NoEvidence},
		Plan: p, Accounts: map[string]string{}, Facts: map[string][]Fact{},
	}
	for _, b := range p.Buckets {
		s.Facts[b.Address] = append([]Fact{}, b.Facts...) // never null
	}
	return s
}

// AccountIDs are the numbers of the AWS accounts that the buckets of p and the
// providers of their names are in, by the label of their aws block.
func AccountIDs(ctx context.Context, w providers.World, c *config.Config, p Plan) (map[string]string, error) {
	ids := map[string]string{}
	for _, label := range labels(c, p) {
		acc, ok := w.Accounts[label]
		if !ok {
			continue
		}
		id, err := acc.Identity.AccountID(ctx)
		if err != nil {
			return nil, err
		}
		ids[label] = id
	}
	return ids, nil
}

// labels are those of the aws blocks that p concerns.
func labels(c *config.Config, p Plan) []string {
	var out []string
	for _, b := range c.Buckets {
		if !slices.ContainsFunc(p.Buckets, func(bp BucketPlan) bool { return bp.Address == b.Address }) {
			continue
		}
		out = append(out, b.Account)
		for _, n := range b.CNAMEs {
			for _, d := range c.DNSProviders {
				if d.Address == n.DNSProvider && d.Type == "route53" {
					out = append(out, d.Account)
				}
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// ReadSaved reads the text of a saved plan. The error says why it is none, or
// none that this version can take.
func ReadSaved(text []byte) (Saved, error) {
	var s Saved
	err := json.Unmarshal(bytes.TrimPrefix(text, []byte("\ufeff")), &s)
	switch {
	case err != nil && bytes.Contains(text, []byte(savedKind)):
		return s, fmt.Errorf("it is cut off, or was edited: %w; make a new plan", err)
	case err != nil || s.Kind != savedKind:
		return s, errors.New("it is no saved plan of edgeward; edgeward plan -out=FILE writes one")
	}
	major, _, _ := strings.Cut(SavedVersion, ".")
	if m, _, _ := strings.Cut(s.FormatVersion, "."); m != major {
		return s, fmt.Errorf("its format is version %s, written by edgeward %s, and this edgeward reads version %s.x; make a new plan with this one", s.FormatVersion, s.Edgeward, major)
	}
	if err := s.whole(); err != nil {
		return s, fmt.Errorf("it is not as edgeward wrote it: %w; make a new plan", err)
	}
	s.Plan.Summary = summarize(s.Plan.Buckets, s.Plan.Goal)
	return s, nil
}

// whole says what a plan that edgeward wrote always has and this one has not.
func (s Saved) whole() error {
	if s.Plan.Goal != Migrate && s.Plan.Goal != Rollback {
		return fmt.Errorf("its goal is %q", s.Plan.Goal)
	}
	if _, err := ParseShard(s.Chosen.Shard); err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, b := range s.Plan.Buckets {
		if seen[b.Address] {
			return fmt.Errorf("%s is in it twice", b.Address)
		}
		seen[b.Address] = true
		if (b.Standing == StandBlocked || b.Standing == StandHeld) && len(b.Findings) == 0 {
			return fmt.Errorf("%s is %s for no reason", b.Address, b.Standing)
		}
		if len(b.Steps) > 0 && len(s.Facts[b.Address]) == 0 {
			return fmt.Errorf("%s has steps and no facts", b.Address)
		}
		kinds := map[Kind]bool{}
		for _, step := range b.Steps {
			known := slices.ContainsFunc(table(goalOf(s.Plan.Goal, b.Steps)), func(st stage) bool { return st.kind == step.Kind })
			if !known || kinds[step.Kind] {
				return fmt.Errorf("%s has a step %q too many", b.Address, step.Kind)
			}
			kinds[step.Kind] = true
		}
	}
	return nil
}

// Options are those that the plan was made with; how much is done at the same
// time is the run's own choice.
func (s Saved) Options(parallelism int) Options {
	shard, _ := ParseShard(s.Chosen.Shard) // ReadSaved has read it once
	return Options{Goal: s.Plan.Goal, Shard: shard, Targets: s.Chosen.Targets, Excludes: s.Chosen.Excludes, Waves: s.Chosen.Waves,
		Until: s.Chosen.Until, Retry: s.Chosen.Retry, NoEvidence: s.Chosen.NoEvidence, Parallelism: parallelism}
}

// Empty says that no bucket has a step to run.
func (s Saved) Empty() bool {
	return !slices.ContainsFunc(s.Plan.Buckets, func(b BucketPlan) bool { return len(b.Steps) > 0 })
}

// AccountError says that the credentials are of another AWS account than the one
// that a plan was made in.
type AccountError struct {
	// Label is that of the aws block, "" for the default chain.
	Label    string
	Old, New string
}

func (e *AccountError) Error() string {
	whose := "the credentials"
	if e.Label != "" {
		whose += " of aws." + e.Label
	}
	return fmt.Sprintf("%s are of AWS account %s, but the plan was made in account %s", whose, quoted(e.New), quoted(e.Old))
}

// Hint says what to do.
func (e *AccountError) Hint() string {
	return "apply it with credentials of that account, or make a new plan in this one"
}

// Renew observes again and gives what of the saved plan may run: the approved
// steps of every bucket whose facts stand, or moved only by those steps, with
// the waits and checks that are needed by now. The others are in refused, by
// address, with the error that names the fact. A bucket that has nothing left to
// do, is held or is blocked by now has its fresh plan, which has no step to run.
// The error is for all buckets: an *AccountError, or as Make's.
func (s Saved) Renew(ctx context.Context, w providers.World, c *config.Config, o Options) (Plan, map[string]error, error) {
	ids, err := AccountIDs(ctx, w, c, s.Plan)
	if err != nil {
		return Plan{}, nil, err
	}
	for _, label := range slices.Sorted(maps.Keys(s.Accounts)) {
		if id, used := ids[label]; used && id != s.Accounts[label] {
			return Plan{}, nil, &AccountError{label, s.Accounts[label], id}
		}
	}
	fresh, err := Make(ctx, w, c, o)
	if err != nil {
		return fresh, nil, err
	}
	now := map[string]BucketPlan{}
	for _, b := range fresh.Buckets {
		now[b.Address] = b
	}
	refused := map[string]error{}
	p := s.Plan
	p.Buckets, p.Findings, p.Quotas = nil, fresh.Findings, fresh.Quotas
	for _, old := range s.Plan.Buckets {
		live, there := now[old.Address]
		switch err := s.stands(old, live); {
		case !there:
			refused[old.Address] = errors.New("the bucket is no longer in the configuration")
		case looksFailed(live), len(old.Steps)+len(live.Steps) == 0:
			old = live // a look that failed says nothing of facts, and nothing to run is nothing to refuse
		case err != nil:
			refused[old.Address] = err
		case len(live.Steps) == 0, len(old.Steps) == 0:
			old = live // all that it has left are waits and checks
		default:
			old.Steps = joined(old.Steps, live.Steps, o.table(goalOf(p.Goal, old.Steps)))
		}
		p.Buckets = append(p.Buckets, old)
	}
	p.Summary = summarize(p.Buckets, p.Goal)
	return p, refused, nil
}

// joined are the approved steps and those of live that were done when the plan
// was saved and are not any more, in the order of the table. They change nothing
// (stands), and a switch must not go ahead of a wait.
func joined(approved, live []Step, t []stage) []Step {
	var out []Step
	for _, st := range t {
		for _, steps := range [][]Step{approved, live} {
			if i := slices.IndexFunc(steps, func(s Step) bool { return s.Kind == st.kind }); i >= 0 {
				out = append(out, steps[i])
				break
			}
		}
	}
	return out
}

// looksFailed says that a bucket is blocked because it could not be looked at.
func looksFailed(b BucketPlan) bool { return b.Standing == StandBlocked && b.Fingerprint == "" }

// stands says why a saved plan of a bucket may not run: a fact moved, or
// something would be changed by a step that it does not have.
func (s Saved) stands(old, live BucketPlan) error {
	if err := moved(s.Facts[old.Address], live.Facts, old.Steps); err != nil {
		return err
	}
	planned := map[Kind]bool{}
	for _, step := range old.Steps {
		planned[step.Kind] = true
	}
	for _, step := range live.Steps {
		if len(step.Changes) > 0 && !planned[step.Kind] {
			return &StaleError{Kind: step.Kind, Change: step.Changes[0]}
		}
	}
	return nil
}
