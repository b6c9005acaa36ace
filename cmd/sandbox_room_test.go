package cmd

import (
	"testing"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/providers"
)

// TestSandboxHasRoom: a fleet above the quotas that AWS gives is still played
// through.
func TestSandboxHasRoom(t *testing.T) {
	c := &config.Config{Buckets: make([]config.Bucket, 3000)}
	for kind, n := range roomFor(c) {
		if n < 3000 {
			t.Errorf("%s: room for %d of 3000", kind, n)
		}
	}
	if n := roomFor(&config.Config{})[providers.QuotaDistributions]; n != providers.QuotaDistributions.Documented().Limit {
		t.Errorf("room for %d distributions where none are needed", n)
	}
}

// TestDurationFlags: flags read what the configuration reads.
func TestDurationFlags(t *testing.T) {
	a := newApp(nil, nil, nil, nil)
	c := a.applyCommand()
	if err := c.Flags().Set("wait-timeout", "7d"); err != nil || a.flags.waitTimeout.Hours() != 7*24 {
		t.Errorf("7d is %s, %v", a.flags.waitTimeout, err)
	}
}
