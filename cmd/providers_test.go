package cmd

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/edgeward/edgeward/providers/dns"
	"github.com/google/go-cmp/cmp"
)

// docs/providers.md is made from the table of types.
func TestProvidersDoc(t *testing.T) {
	path := filepath.Join("..", "docs", "providers.md")
	want := providerList(dns.Types(), dns.Refused()).markdown()
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, string(got)); d != "" {
		t.Errorf("%s is stale, run this test with -update (-want +got):\n%s", path, d)
	}
}

func TestDurationText(t *testing.T) {
	for d, want := range map[time.Duration]string{
		30 * time.Second: "30s", time.Minute: "1m", 10 * time.Minute: "10m", time.Hour: "1h", 90 * time.Second: "1m30s",
		90 * time.Minute: "1h30m", 10 * time.Second: "10s",
	} {
		if got := durationText(d); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
}
