package config

import (
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

func rolloutShape() shape {
	return shape{
		what:     "a rollout block",
		attrs:    []string{"parallelism", "max_failures"},
		blocks:   map[string]int{"wave": 1},
		order:    []string{"wave"},
		repeated: []string{"wave"},
	}
}

func (l *loader) readRollout() Rollout {
	v := l.singleBlock("rollout")
	r := Rollout{
		Parallelism: v.whole("parallelism", 1, 10, "Leave it out for 10."),
		MaxFailures: v.whole("max_failures", 0, -1, "Leave it out for no limit."),
	}
	if !v.exists() {
		return r
	}
	l.checkShape(v.layers[0].body, rolloutShape())
	first := map[string]hcl.Range{}
	for _, b := range v.layers[0].body.Blocks {
		if b.Type != "wave" || len(b.Labels) != 1 {
			continue
		}
		l.checkShape(b.Body, shape{what: "a wave block", attrs: []string{"soak", "parallelism", "max_failures"}})
		name := b.Labels[0]
		if f := wave(name); f != nil {
			l.report(hcl.DiagError, place{rng: b.LabelRanges[0]}, f)
			continue
		}
		if slices.ContainsFunc(r.Waves, func(w Wave) bool { return w.Name == name }) {
			l.errorf(place{rng: b.DefRange()}, "Duplicate wave block", "The wave %q is defined already at %s. Waves run in the order of their blocks, each once.", name, where(first[name]))
			continue
		}
		first[name] = b.DefRange()
		w := block{l: l, at: b.DefRange(), layers: []layer{{b.Body, l.ctx}}}
		soak, _ := w.duration("soak", nil)
		r.Waves = append(r.Waves, Wave{
			Name: name, Soak: deref(soak),
			Parallelism: w.whole("parallelism", 1, 0, "Leave it out for that of rollout."),
			MaxFailures: w.whole("max_failures", 0, -1, "Leave it out for that of rollout, or for 0."),
		})
	}
	return r
}

// waveOf judges the wave of a bucket: one of those that rollout declares, if it
// declares any.
func waveOf(r Rollout) rule {
	return func(name string) *flaw {
		if f := wave(name); f != nil || len(r.Waves) == 0 {
			return f
		}
		var names []string
		for _, w := range r.Waves {
			names = append(names, w.Name)
		}
		if slices.Contains(names, name) {
			return nil
		}
		f := flawf("Unknown wave", "There is no wave %q; rollout has %s.", name, strings.Join(names, ", "))
		if near := DidYouMean(name, names); near != "" {
			f.detail += " Did you mean " + quoted([]string{near}) + "?"
		} else {
			f.detail += " Declare it: wave " + quote(name) + " {} in rollout."
		}
		return f
	}
}
