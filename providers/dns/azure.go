package dns

import (
	"errors"

	"github.com/libdns/azure"

	"github.com/edgeward/edgeward/providers"
)

// azureType is Azure DNS, public zones.
//
// Read in libdns/azure v0.5.0: each record is one CreateOrUpdate of its whole
// record set, so of several values only the last would stand; AppendRecords
// sends If-None-Match: * and never overwrites; the others send no ETag;
// DeleteRecords removes the record set whatever its value. GetRecords drops the
// error of a record type that it does not know and answers with an empty list
// (neverEmpty), and panics at a CNAME that is an alias record set. It prints
// every record that it writes on standard output, which cmd/edgeward closes to
// others.
func azureType() Type {
	return libdnsType(libdnsRow{
		name: "azure", title: "Azure DNS",
		settings: []Setting{
			{Name: "subscription_id", Required: true, Env: []string{"AZURE_SUBSCRIPTION_ID", "ARM_SUBSCRIPTION_ID"}, Doc: "the id of the subscription that holds the zones"},
			{Name: "resource_group_name", Required: true, Env: []string{"AZURE_RESOURCE_GROUP_NAME", "AZURE_RESOURCE_GROUP"}, Doc: "the resource group that holds the zones"},
			{Name: "tenant_id", Env: []string{"AZURE_TENANT_ID", "ARM_TENANT_ID"}, Doc: "the tenant of the application; leave it out for a managed identity"},
			{Name: "client_id", Env: []string{"AZURE_CLIENT_ID", "ARM_CLIENT_ID"}, Doc: "the id of the application; leave it out for a managed identity"},
			{Name: "client_secret", Sensitive: true, Env: []string{"AZURE_CLIENT_SECRET", "ARM_CLIENT_SECRET"}, Doc: "the secret of the application; leave it out for a managed identity"},
		},
		features:   providers.Features{Atomic: true},
		notes:      "A zone with a record type that the module does not know, or with a CNAME that is an alias record set, cannot be read. A name with several A or AAAA records is not changed.",
		module:     func() libdnsModule { return new(azure.Provider) },
		check:      checkAzure,
		single:     true,
		neverEmpty: true,
	})
}

// checkAzure: an application needs all three, a managed identity none.
func checkAzure(settings map[string]any) error {
	n := 0
	for _, name := range []string{"tenant_id", "client_id", "client_secret"} {
		if s, _ := settings[name].(string); s != "" {
			n++
		}
	}
	if n == 1 || n == 2 {
		return errors.New("read tenant_id, client_id and client_secret: an application needs all three; leave all three out " +
			"(AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET too) for a managed identity")
	}
	return nil
}
