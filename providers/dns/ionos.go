package dns

import (
	"time"

	"github.com/libdns/ionos"

	"github.com/edgeward/edgeward/providers"
)

// ionosType is IONOS.
//
// Read in libdns/ionos v1.2.0: SetRecords looks for the record by name and type
// and updates it by its id; several are an error; where that look-up fails for
// any reason it creates a record instead, which the API has to refuse beside a
// CNAME. DeleteRecords removes all records of the name and type. TTLs below 60
// seconds are refused. A TXT record of several strings fails the whole list.
func ionosType() Type {
	return libdnsType(libdnsRow{
		name: "ionos", title: "IONOS",
		settings: []Setting{
			{Name: "auth_api_token", Required: true, Sensitive: true, Env: []string{"IONOS_API_KEY", "LIBDNS_IONOS_TOKEN"}, Doc: "the API key, PREFIX.SECRET"},
		},
		features:   providers.Features{InPlace: true, MinTTL: time.Minute},
		notes:      "A name with several A or AAAA records is not changed. A zone that has a TXT record of several strings cannot be read.",
		module:     func() libdnsModule { return new(ionos.Provider) },
		single:     true,
		bare:       true,
		neverEmpty: true,
	})
}
