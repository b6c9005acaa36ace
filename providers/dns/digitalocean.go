package dns

import (
	"time"

	"github.com/libdns/digitalocean"
	"github.com/libdns/libdns"

	"github.com/edgeward/edgeward/providers"
)

// digitaloceanType is DigitalOcean.
//
// Read in libdns/digitalocean v0.0.0-20250606071607-dfa7af5c2e31: SetRecords and
// DeleteRecords find a record by the ID in the module's own record type, which
// GetRecords gives; an update is a PUT of that one record. A record of another
// type has no ID and is an error.
func digitaloceanType() Type {
	return libdnsType(libdnsRow{
		name: "digitalocean", title: "DigitalOcean",
		settings: []Setting{
			{Name: "auth_token", Required: true, Sensitive: true, Env: []string{"DO_AUTH_TOKEN", "DIGITALOCEAN_TOKEN", "DIGITALOCEAN_ACCESS_TOKEN"}, Doc: "a personal access token that may read and write domains"},
		},
		features:   providers.Features{InPlace: true, MinTTL: 30 * time.Second},
		module:     func() libdnsModule { return new(digitalocean.Provider) },
		neverEmpty: true,
		update: func(old libdns.Record, to libdns.RR) libdns.Record {
			own, _ := old.(digitalocean.DNS)
			return digitalocean.DNS{Record: to, ID: own.ID}
		},
	})
}
