package dns

import (
	"github.com/libdns/googleclouddns"

	"github.com/edgeward/edgeward/providers"
)

// googleclouddnsType is Google Cloud DNS.
//
// Read in libdns/googleclouddns v1.2.0: SetRecords creates each record set and,
// where it exists (409), replaces it in one call; no call sends what was there
// before. The client is made at the first call with that call's context, which
// its tokens are then fetched with for ever; all calls are under one lock. Of
// several public zones of one name it takes the last. A record set with a
// routing policy has no plain values and is not in the list.
func googleclouddnsType() Type {
	return libdnsType(libdnsRow{
		name: "googleclouddns", title: "Google Cloud DNS",
		settings: []Setting{
			{Name: "gcp_project", Required: true, Env: []string{"GCP_PROJECT", "GCE_PROJECT", "GOOGLE_CLOUD_PROJECT", "GOOGLE_PROJECT"}, Doc: "the id of the project that holds the zones"},
			{Name: "gcp_application_default", Env: []string{"GCE_SERVICE_ACCOUNT_FILE"}, Doc: "the path of a service account's JSON file; default: the application default credentials"},
		},
		features:     providers.Features{Atomic: true},
		notes:        "Record sets with a routing policy are not seen. The application default credentials are those of gcloud, of GOOGLE_APPLICATION_CREDENTIALS and of the machine.",
		module:       func() libdnsModule { return new(googleclouddns.Provider) },
		keepsContext: true,
		neverEmpty:   true,
	})
}
