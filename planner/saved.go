package planner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/providers"
)

// SavedVersion is the format_version of Saved. A file of another major version
// is refused.
const SavedVersion = "1.0"

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
}

// Save puts p, which was made with o, into its saved form. edgeward is the
// program's version, configuration the digest of the configuration.
func Save(p Plan, o Options, edgeward, configuration string) Saved {
	s := Saved{
		Kind: savedKind, FormatVersion: SavedVersion, Edgeward: edgeward, Configuration: configuration,
		Chosen: SavedOptions{Targets: o.Targets, Excludes: o.Excludes, Waves: o.Waves, Until: o.Until, Retry: o.Retry},
		Plan:   p, Facts: map[string][]Fact{},
	}
	for _, b := range p.Buckets {
		s.Facts[b.Address] = append([]Fact{}, b.Facts...) // never null
	}
	return s
}

// ReadSaved reads the text of a saved plan. The error says why it is none, or
// none that this version can take.
func ReadSaved(text []byte) (Saved, error) {
	var s Saved
	if err := json.Unmarshal(text, &s); err != nil || s.Kind != savedKind {
		return s, errors.New("it is no saved plan of edgeward; edgeward plan -out=FILE writes one")
	}
	major, _, _ := strings.Cut(SavedVersion, ".")
	if m, _, _ := strings.Cut(s.FormatVersion, "."); m != major {
		return s, fmt.Errorf("its format is version %s, written by edgeward %s, and this edgeward reads version %s.x; make a new plan with this one", s.FormatVersion, s.Edgeward, major)
	}
	return s, nil
}

// Options are those that the plan was made with; how much is done at the same
// time is the run's own choice.
func (s Saved) Options(parallelism int) Options {
	return Options{Goal: s.Plan.Goal, Targets: s.Chosen.Targets, Excludes: s.Chosen.Excludes, Waves: s.Chosen.Waves,
		Until: s.Chosen.Until, Retry: s.Chosen.Retry, Parallelism: parallelism}
}

// Empty says that no bucket has a step to run.
func (s Saved) Empty() bool {
	return !slices.ContainsFunc(s.Plan.Buckets, func(b BucketPlan) bool { return len(b.Steps) > 0 })
}

// Renew observes again and gives what of the saved plan may run: the approved
// steps of every bucket whose facts stand, or moved only by those steps. The
// others are in refused, by address, with the error that names the fact. A
// bucket that has nothing left to do, is held or is blocked by now has its fresh
// plan, which has no step to run.
func (s Saved) Renew(ctx context.Context, w providers.World, c *config.Config, o Options) (Plan, map[string]error, error) {
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
	p.Buckets = nil
	for _, old := range s.Plan.Buckets {
		live, there := now[old.Address]
		switch err := s.stands(old, live); {
		case !there:
			refused[old.Address] = errors.New("the bucket is no longer in the configuration")
		case looksFailed(live):
			old = live // a look that failed says nothing of facts
		case err != nil:
			refused[old.Address] = err
		case len(live.Steps) == 0:
			old = live
		}
		p.Buckets = append(p.Buckets, old)
	}
	p.Summary = summarize(p.Buckets)
	return p, refused, nil
}

// looksFailed says that a bucket is blocked because it could not be looked at.
func looksFailed(b BucketPlan) bool { return b.Standing == StandBlocked && b.Fingerprint == "" }

// stands says why a saved plan of a bucket may not run.
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
