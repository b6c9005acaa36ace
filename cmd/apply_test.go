package cmd

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/edgeward/edgeward/cmd/view"
	"github.com/edgeward/edgeward/planner"
	"github.com/edgeward/edgeward/providers"
	"github.com/edgeward/edgeward/providers/sandbox"
)

// 3: what was approved is not what stands there any more. The bucket is
// stopped, and its record is left as somebody else made it.
func TestStaleExitCode(t *testing.T) {
	ctx := context.Background()
	var stdout, stderr bytes.Buffer
	a := testApp(&stdout, &stderr)
	c := a.applyCommand()
	cfg := demoConfig()
	cfg.Buckets = cfg.Buckets[1:2]
	s := sandbox.New(demoOptions(cfg, 0))
	w := world{World: s.Providers(), sandbox: s, config: cfg}
	o := planner.Options{Goal: planner.Migrate}
	p, err := planner.Make(ctx, w.World, cfg, o)
	if err != nil {
		t.Fatal(err)
	}
	name := cfg.Buckets[0].Name
	theirs := []providers.Record{{Type: "CNAME", Value: "elsewhere.example.net", TTL: demoTTL}}
	s.SetRecords(cfg.DNSProviders[0].Address, name, theirs)
	var end exitError
	if err := a.execute(ctx, c, w, &planner.Executor{Options: o}, p, view.Commands{GoOn: "edgeward apply"}); !errors.As(err, &end) || end.code != 3 {
		t.Errorf("execute: %v, want exit code 3\n%s", err, stdout.String())
	}
	if got := s.Records(name); !providers.SameRecords(got, theirs) {
		t.Errorf("the record is %v", got)
	}
	if !strings.Contains(stdout.String(), "1 stale") || !strings.Contains(stdout.String(), name) {
		t.Errorf("the report names neither bucket nor fact:\n%s", stdout.String())
	}
}

func TestBuildOf(t *testing.T) {
	if got := buildOf(nil); got.version != "devel" {
		t.Errorf("without information: %+v", got)
	}
}
