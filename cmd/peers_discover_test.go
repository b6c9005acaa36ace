//go:build peers

package cmd_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	r53 "github.com/aws/aws-sdk-go-v2/service/route53/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/edgeward/edgeward/planner"
)

// In a folder that names only the zones, discover finds the three sites (REST,
// website, an alias at an apex), a name whose bucket is gone and a bucket without a
// name, and what it writes plans without an edit. The lab answers no CAA of com, which
// is a question.
func TestDiscoverFindsAndWrites(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cfg := w.lab.Config()
	lonely := site{bucket: "lonely", objects: map[string]string{}}
	lonely.make(t, s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true }))
	gone := site{bucket: "gone.example.com", zone: "example.com"}
	if _, err := route53.NewFromConfig(cfg).ChangeResourceRecordSets(t.Context(), &route53.ChangeResourceRecordSetsInput{
		HostedZoneId: aws.String(w.zones[gone.zone]), ChangeBatch: &r53.ChangeBatch{Changes: []r53.Change{{Action: r53.ChangeActionCreate, ResourceRecordSet: gone.record()}}},
	}); err != nil {
		t.Fatal(err)
	}
	e := w.edgeward
	name := filepath.Join(e.dir, "edgeward.hcl")
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	before, _, _ := strings.Cut(string(text), "\nbucket ")
	_, probe, _ := strings.Cut(string(text), "\nprobe ")
	e.configure(t, before+"\nprobe "+probe)
	w.lab.ResetRequests()
	r := e.run(t, 0, "", "discover", "-json", "-generate-config-out="+e.dir+"/found.edgeward.hcl")
	t.Logf("requests: %v", w.lab.Requests())
	var d planner.Discovery
	if err := json.Unmarshal([]byte(r.stdout), &d); err != nil {
		t.Fatal(err)
	}
	if d.Summary.Ready+d.Summary.NeedsAnswer != 3 || d.Summary.Takeovers != 1 || d.Names[0].Name != gone.bucket || len(d.Unnamed) != 1 || d.Unnamed[0].Name != lonely.bucket {
		t.Errorf("%+v\n%s", d.Summary, r.stdout)
	}
	e.run(t, 0, "Plan: 3 to migrate, 0 under way, 0 done, 0 blocked.", "plan")
	if r := e.run(t, 1, "", "discover", "-generate-config-out="+e.dir+"/found.edgeward.hcl"); !strings.Contains(r.stderr, "overwrites nothing") {
		t.Errorf("the file was there already: %s", r.stderr)
	}
	if r := e.run(t, 0, "3 already configured", "discover"); strings.Contains(r.stdout, "Ready") {
		t.Errorf("what is configured is found again:\n%s", r.stdout)
	}
}
