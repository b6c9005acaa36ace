package dns

import (
	"time"

	"github.com/libdns/inwx"

	"github.com/edgeward/edgeward/providers"
)

// inwxType is INWX.
//
// Read in libdns/inwx v0.3.1: SetRecords looks for the record by name and type
// and updates it by its id; several are an error. A TTL below 300 seconds
// becomes 300. Each call logs in and out, and drops the client that another
// call may be using. The API takes no dot at the end of a target.
func inwxType() Type {
	return libdnsType(libdnsRow{
		name: "inwx", title: "INWX",
		settings: []Setting{
			{Name: "username", Required: true, Env: []string{"INWX_USERNAME"}, Doc: "the user of the account"},
			{Name: "password", Required: true, Sensitive: true, Env: []string{"INWX_PASSWORD"}, Doc: "its password"},
			{Name: "shared_secret", Sensitive: true, Env: []string{"INWX_SHARED_SECRET"}, Doc: "the secret of the second factor, where the account has one"},
			{Name: "endpoint_url", Doc: "another address of the API, such as the test system's"},
		},
		features:   providers.Features{InPlace: true, MinTTL: 5 * time.Minute},
		notes:      "A name with several A or AAAA records is not changed.",
		module:     func() libdnsModule { return new(inwx.Provider) },
		single:     true,
		bare:       true,
		neverEmpty: true,
	})
}
