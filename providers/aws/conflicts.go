package aws

import (
	"context"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront/types"

	"github.com/edgeward/edgeward/providers"
)

// Conflicts implements providers.Distributions.
func (d *distributions) Conflicts(ctx context.Context, id, name string) ([]providers.Holder, error) {
	op := "ask who else has the alias " + name
	client, err := d.c.cloudFront(ctx)
	if err != nil {
		return nil, err
	}
	var found []providers.Holder
	in := &cloudfront.ListDomainConflictsInput{
		Domain: &name, DomainControlValidationResource: &types.DistributionResourceId{DistributionId: &id},
	}
	for {
		out, err := client.ListDomainConflicts(ctx, in)
		if err != nil {
			return nil, d.c.fail(op, "cloudfront:ListDomainConflicts and cloudfront:GetDistribution", err)
		}
		for _, c := range out.DomainConflicts {
			h := providers.Holder{
				Alias: sdk.ToString(c.Domain), ID: sdk.ToString(c.ResourceId), Account: sdk.ToString(c.AccountId),
				Tenant: c.ResourceType == types.DistributionResourceTypeDistributionTenant,
			}
			if h.Alias == "" {
				return nil, d.c.fail(op, "", errPartial)
			}
			found = append(found, h)
		}
		next := sdk.ToString(out.NextMarker)
		if next == "" {
			return found, nil
		}
		if next == sdk.ToString(in.Marker) {
			return nil, d.c.fail(op, "", errRepeats)
		}
		in.Marker = &next
	}
}
