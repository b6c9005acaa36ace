//go:build peers

package dns

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"
	"github.com/edgeward/edgeward/providers"
	"github.com/edgeward/edgeward/providers/providertest"
	"github.com/edgeward/edgeward/providers/providertest/motolab"
	"github.com/google/go-cmp/cmp"
)

// TestRoute53ConformsOnMoto runs the suite against moto_server's Route 53: our
// requests and our reading of answers, checked by a party that we did not
// write. What moto does otherwise than AWS is left out by name; those cases run
// in TestRoute53Conforms.
func TestRoute53ConformsOnMoto(t *testing.T) {
	l := motolab.Start(t)
	l.Setenv(t)
	load := func(ctx context.Context) (aws.Config, error) { return config.LoadDefaultConfig(ctx) }
	cfg, err := load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	api := route53.NewFromConfig(cfg)
	n := 0
	providertest.DNS(t, providertest.DNSSuite{
		New: func(t *testing.T, zone string, rows []providertest.Row) (providers.DNS, providertest.Zone) {
			n++
			out, err := api.CreateHostedZone(t.Context(), &route53.CreateHostedZoneInput{Name: aws.String(zone), CallerReference: aws.String(fmt.Sprint(n))})
			if err != nil {
				t.Fatal(err)
			}
			v := motoZone{api, zoneID(*out.HostedZone)}
			v.put(t, rows...)
			unlimited := providers.NewLimiters(providers.RealClock{})
			unlimited.Get(providers.LimiterOptions{API: "route53"})
			d, err := newRoute53(Options{Zones: []string{zone}, Settings: map[string]any{"zone_ids": []string{v.id}}, AWS: load,
				Clock: providers.RealClock{}, Limiters: unlimited})
			if err != nil {
				t.Fatal(err)
			}
			return d, v
		},
		Unfaithful: map[string]string{
			"replace/one winner": "moto accepts a DELETE with any values that the set ever had",
		},
	})
}

// motoZone is a zone of moto's as the suite sees it.
type motoZone struct {
	api *route53.Client
	id  string
}

func (v motoZone) put(t *testing.T, rows ...providertest.Row) {
	t.Helper()
	for part := range slices.Chunk(rows, 400) {
		var changes []types.Change
		for _, r := range part {
			s := types.ResourceRecordSet{Name: aws.String(r.Name), Type: types.RRType(r.Type), TTL: aws.Int64(int64(r.TTL / time.Second))}
			for _, value := range r.Values {
				s.ResourceRecords = append(s.ResourceRecords, types.ResourceRecord{Value: aws.String(value)})
			}
			if r.Weighted {
				s.Weight, s.SetIdentifier = aws.Int64(1), aws.String("a")
			}
			changes = append(changes, types.Change{Action: types.ChangeActionUpsert, ResourceRecordSet: &s})
		}
		_, err := v.api.ChangeResourceRecordSets(t.Context(), &route53.ChangeResourceRecordSetsInput{HostedZoneId: aws.String(v.id),
			ChangeBatch: &types.ChangeBatch{Changes: changes}})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func (v motoZone) Put(t *testing.T, row providertest.Row) { v.put(t, row) }

func (v motoZone) Remove(t *testing.T, name, typ string) {
	t.Helper()
	for _, s := range v.sets(t) {
		if clean(aws.ToString(s.Name)) == name && string(s.Type) == typ {
			_, err := v.api.ChangeResourceRecordSets(t.Context(), &route53.ChangeResourceRecordSetsInput{HostedZoneId: aws.String(v.id),
				ChangeBatch: &types.ChangeBatch{Changes: []types.Change{{Action: types.ChangeActionDelete, ResourceRecordSet: &s}}}})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}

func (v motoZone) sets(t *testing.T) []types.ResourceRecordSet {
	t.Helper()
	var sets []types.ResourceRecordSet
	pages := route53.NewListResourceRecordSetsPaginator(v.api, &route53.ListResourceRecordSetsInput{HostedZoneId: aws.String(v.id)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		sets = append(sets, page.ResourceRecordSets...)
	}
	return sets
}

func (v motoZone) Rows(t *testing.T) []providertest.Row {
	t.Helper()
	var rows []providertest.Row
	for _, s := range v.sets(t) {
		r := providertest.Row{Name: unescape(clean(aws.ToString(s.Name))), Type: string(s.Type), Weighted: s.Weight != nil}
		if s.AliasTarget != nil {
			// moto gives alias sets a TTL of 0.
			r.AliasTo = clean(aws.ToString(s.AliasTarget.DNSName))
		} else {
			r.TTL = time.Duration(aws.ToInt64(s.TTL)) * time.Second
		}
		for _, value := range s.ResourceRecords {
			r.Values = append(r.Values, clean(aws.ToString(value.Value)))
		}
		rows = append(rows, r)
	}
	return rows
}

// TestRoute53ReadByTheCommandLine: what we write, the AWS command line reads.
func TestRoute53ReadByTheCommandLine(t *testing.T) {
	l := motolab.Start(t)
	l.Setenv(t)
	l.AWS(t, "route53", "create-hosted-zone", "--name", "example.com", "--caller-reference", "1")
	d := newProvider(t, Options{Zones: []string{"example.com"}, Clock: providers.RealClock{},
		AWS: func(ctx context.Context) (aws.Config, error) { return config.LoadDefaultConfig(ctx) }})
	z, err := d.zone(t.Context(), "example.com")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]providers.Record{
		"assets.example.com": {{Type: "CNAME", Value: "d1.cloudfront.net", TTL: time.Minute}},
		"example.com":        {{Type: "A", Value: "d2.cloudfront.net", Alias: true}, {Type: "AAAA", Value: "d2.cloudfront.net", Alias: true}},
	} {
		if err := d.Replace(t.Context(), name, nil, want); err != nil {
			t.Fatal(err)
		}
	}
	var got struct {
		ResourceRecordSets []struct {
			Name, Type      string
			TTL             int
			ResourceRecords []struct{ Value string }
			AliasTarget     struct{ HostedZoneId, DNSName string }
		}
	}
	if err := json.Unmarshal(l.AWS(t, "route53", "list-resource-record-sets", "--hosted-zone-id", z.id), &got); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, s := range got.ResourceRecordSets {
		switch {
		case s.AliasTarget.DNSName != "":
			lines = append(lines, fmt.Sprintf("%s %s alias %s in %s", s.Name, s.Type, s.AliasTarget.DNSName, s.AliasTarget.HostedZoneId))
		case s.Type == "CNAME":
			lines = append(lines, fmt.Sprintf("%s %s %d %s", s.Name, s.Type, s.TTL, s.ResourceRecords[0].Value))
		}
	}
	slices.Sort(lines)
	want := []string{"assets.example.com. CNAME 60 d1.cloudfront.net.", "example.com. A alias d2.cloudfront.net. in Z2FDTNDATAQYW2",
		"example.com. AAAA alias d2.cloudfront.net. in Z2FDTNDATAQYW2"}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("the command line reads (-want +got):\n%s", diff)
	}
}
