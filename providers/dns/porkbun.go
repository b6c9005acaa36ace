package dns

import (
	"time"

	"github.com/libdns/porkbun"

	"github.com/edgeward/edgeward/providers"
)

// porkbunType is Porkbun.
//
// Read in libdns/porkbun v1.1.0: SetRecords edits all records of the name and
// type in place, each to the same value; a TTL below 600 seconds becomes 600.
// DeleteRecords removes all records of the name and type, and does not look at
// the answer. The list leaves out the types MX, NS, ALIAS and others. No call
// hears the end of its context.
func porkbunType() Type {
	return libdnsType(libdnsRow{
		name: "porkbun", title: "Porkbun",
		settings: []Setting{
			{Name: "api_key", Required: true, Sensitive: true, Env: []string{"PORKBUN_API_KEY"}, Doc: "the API key, pk1_…; API access must be on for the domain"},
			{Name: "api_secret_key", Required: true, Sensitive: true, Env: []string{"PORKBUN_SECRET_API_KEY"}, Doc: "the secret API key, sk1_…"},
		},
		features: providers.Features{InPlace: true, MinTTL: 10 * time.Minute},
		notes:    "A name with several A or AAAA records is not changed. MX, NS and ALIAS records are not seen.",
		module:   func() libdnsModule { return new(porkbun.Provider) },
		single:   true,
	})
}
