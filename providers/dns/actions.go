package dns

import "github.com/edgeward/edgeward/providers"

// Permissions are the rights in AWS that the calls of this package need: those
// of Route 53. Every operation that the package's source has is in the table and
// no other (TestPermissionsHaveEveryCall). Actions, resources and condition keys
// are those of the Service Authorization Reference of September 2026.
func Permissions() []providers.Permission {
	return []providers.Permission{
		{Action: "route53:ListHostedZonesByName", Calls: []string{"route53.ListHostedZonesByName"}, Reads: true, On: providers.OnAll, If: providers.IfZoneSearched},
		{Action: "route53:GetHostedZone", Calls: []string{"route53.GetHostedZone"}, Reads: true, On: providers.OnZone, If: providers.IfZoneID},
		{Action: "route53:ListResourceRecordSets", Calls: []string{"route53.ListResourceRecordSets"}, Reads: true, On: providers.OnZone, If: providers.IfZone},
		{Action: "route53:ChangeResourceRecordSets", Calls: []string{"route53.ChangeResourceRecordSets"}, On: providers.OnZone, If: providers.IfZone,
			Source: "Route 53 Developer Guide: Using IAM policy conditions for fine-grained access control"},
		{Action: "route53:GetChange", Calls: []string{"route53.GetChange"}, On: providers.OnChange, If: providers.IfZone},
	}
}
