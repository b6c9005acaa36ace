package dns

import (
	"time"

	"github.com/libdns/desec"

	"github.com/edgeward/edgeward/providers"
)

// desecType is deSEC.
//
// Read in libdns/desec v1.1.1: SetRecords is one bulk PUT of all record sets
// given, which the API takes whole or not at all; a TTL below 3600 seconds
// becomes 3600. A zone with more than 500 record sets is refused by the API.
// A 429 is waited out inside the module.
func desecType() Type {
	return libdnsType(libdnsRow{
		name: "desec", title: "deSEC",
		settings: []Setting{
			{Name: "token", Required: true, Sensitive: true, Env: []string{"DESEC_TOKEN"}, Doc: "an API token; it need not be able to manage tokens"},
		},
		features:   providers.Features{Atomic: true, MinTTL: time.Hour},
		notes:      "Zones of more than 500 record sets cannot be read. A switch takes an hour to reach everybody, because no TTL can be lower.",
		module:     func() libdnsModule { return new(desec.Provider) },
		neverEmpty: true,
	})
}
