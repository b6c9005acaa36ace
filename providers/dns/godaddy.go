package dns

import (
	"time"

	"github.com/libdns/godaddy"

	"github.com/edgeward/edgeward/providers"
)

// godaddyType is GoDaddy.
//
// Read in libdns/godaddy v1.1.0: SetRecords and AppendRecords are the same PUT,
// which replaces all records of a name and type by the one given; a TTL below
// 600 seconds becomes 600. DeleteRecords removes all records of the name and
// type. The list takes a 422 for its end, so that a refused first page is an
// empty list (neverEmpty). No call hears the end of its context. It logs every
// call and record with the standard logger, which cmd/edgeward silences.
func godaddyType() Type {
	return libdnsType(libdnsRow{
		name: "godaddy", title: "GoDaddy",
		settings: []Setting{
			{Name: "api_token", Required: true, Sensitive: true, Env: []string{"GODADDY_TOKEN"}, Doc: "the API key and its secret, KEY:SECRET"},
		},
		features:   providers.Features{Atomic: true, MinTTL: 10 * time.Minute},
		notes:      "A name with several A or AAAA records is not changed. GoDaddy gives API access to accounts of ten and more domains.",
		module:     func() libdnsModule { return new(godaddy.Provider) },
		single:     true,
		bare:       true,
		neverEmpty: true,
	})
}
