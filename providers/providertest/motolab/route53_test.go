//go:build peers

package motolab_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"
	"github.com/google/go-cmp/cmp"

	"github.com/edgeward/edgeward/providers/providertest/motolab"
)

// change is "ACTION NAME VALUE", VALUE the target of a CNAME, or "alias TARGET".
func change(s string) types.Change {
	f := strings.SplitN(s, " ", 3)
	set := &types.ResourceRecordSet{Name: aws.String(f[1] + ".example.com."), Type: types.RRTypeCname, TTL: aws.Int64(60)}
	if target, ok := strings.CutPrefix(f[2], "alias "); ok {
		set.Type, set.TTL = types.RRTypeA, nil
		set.AliasTarget = &types.AliasTarget{DNSName: aws.String(target), HostedZoneId: aws.String("Z2FDTNDATAQYW2")}
	} else {
		set.ResourceRecords = []types.ResourceRecord{{Value: aws.String(f[2])}}
	}
	return types.Change{Action: types.ChangeAction(f[0]), ResourceRecordSet: set}
}

// With AtomicChanges, a batch is applied whole or not at all, by what stands
// and not by what stood once.
func TestAtomicChanges(t *testing.T) {
	l := motolab.Start(t)
	l.Setenv(t)
	l.AtomicChanges()
	cfg, err := config.LoadDefaultConfig(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	api := route53.NewFromConfig(cfg)
	made, err := api.CreateHostedZone(t.Context(), &route53.CreateHostedZoneInput{Name: aws.String("example.com"), CallerReference: aws.String("1")})
	if err != nil {
		t.Fatal(err)
	}
	stands := func() (all []string) {
		out, err := api.ListResourceRecordSets(t.Context(), &route53.ListResourceRecordSetsInput{HostedZoneId: made.HostedZone.Id})
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range out.ResourceRecordSets {
			switch {
			case s.AliasTarget != nil:
				all = append(all, aws.ToString(s.Name)+" alias "+aws.ToString(s.AliasTarget.DNSName))
			case s.Type == types.RRTypeCname:
				all = append(all, aws.ToString(s.Name)+" "+aws.ToString(s.ResourceRecords[0].Value))
			}
		}
		return all
	}
	for i, step := range []struct {
		batch  []string
		refuse string
		want   []string
	}{
		{[]string{"CREATE a old.", "CREATE b alias d1.cloudfront.net."}, "", []string{"a.example.com. old.", "b.example.com. alias d1.cloudfront.net."}},
		{[]string{"DELETE a other."}, "do not match", nil},
		{[]string{"DELETE b alias d2.cloudfront.net."}, "do not match", nil},
		{[]string{"CREATE a old."}, "already exists", nil},
		{[]string{"CREATE a alias d1.cloudfront.net."}, "conflicting", nil},
		{[]string{"CREATE c new.", "DELETE gone old."}, "not found", nil},
		{[]string{"DELETE a old.", "CREATE a new."}, "", []string{"a.example.com. new.", "b.example.com. alias d1.cloudfront.net."}},
		{[]string{"DELETE a old."}, "do not match", nil}, // it stood once
		{[]string{"DELETE a new.", "CREATE a old."}, "", []string{"a.example.com. old.", "b.example.com. alias d1.cloudfront.net."}},
		{[]string{"DELETE a old.", "CREATE a new."}, "", []string{"a.example.com. new.", "b.example.com. alias d1.cloudfront.net."}}, // again
		{[]string{"DELETE a new.", "DELETE b alias d1.cloudfront.net."}, "", nil},
	} {
		before := stands()
		var changes []types.Change
		for _, c := range step.batch {
			changes = append(changes, change(c))
		}
		_, err := api.ChangeResourceRecordSets(t.Context(), &route53.ChangeResourceRecordSetsInput{
			HostedZoneId: made.HostedZone.Id, ChangeBatch: &types.ChangeBatch{Changes: changes}})
		want := step.want
		if step.refuse != "" {
			want = before
		}
		if said := fmt.Sprint(err); (step.refuse == "") != (err == nil) || !strings.Contains(said, step.refuse) || err != nil && !strings.Contains(said, "InvalidChangeBatch") {
			t.Errorf("step %d, %q: %v", i, step.batch, err)
		}
		if d := cmp.Diff(want, stands()); d != "" {
			t.Errorf("step %d, %q: -want +got\n%s", i, step.batch, d)
		}
	}
}
