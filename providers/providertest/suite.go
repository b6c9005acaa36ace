package providertest

import (
	"maps"
	"slices"
	"testing"
)

// suite is how the cases of a port are run: wrap and unfaithful are the suite's
// Wrap and Unfaithful.
type suite struct {
	name       string
	wrap       func(t *testing.T, f func(t *testing.T))
	unfaithful map[string]string
}

// run runs the cases in the order of their names, each on a party of its own.
func run[P any](t *testing.T, s suite, cases map[string]func(*testing.T, P), party func(*testing.T) P) {
	t.Helper()
	for name := range s.unfaithful {
		if cases[name] == nil {
			t.Errorf("%s.Unfaithful names %q, which is no case", s.name, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(cases)) {
		t.Run(name, func(t *testing.T) {
			if why := s.unfaithful[name]; why != "" {
				t.Skip(why)
			}
			one := func(t *testing.T) { cases[name](t, party(t)) }
			if s.wrap == nil {
				one(t)
				return
			}
			s.wrap(t, one)
		})
	}
}
