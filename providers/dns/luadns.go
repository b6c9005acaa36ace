package dns

import (
	"github.com/libdns/luadns"

	"github.com/edgeward/edgeward/providers"
)

// luadnsType is LuaDNS.
//
// Read in libdns/luadns v0.2.0 and luadns-go v0.3.0: SetRecords is one PATCH
// that replaces the record sets given, all or none (libdns.AtomicErr);
// AppendRecords and DeleteRecords are one request each; a deletion must match
// name, type, value and TTL. The list asks for no page, and so has what the API
// gives by default. Each call makes an HTTP transport of its own, so that a
// connection stays open after each until the server closes it.
func luadnsType() Type {
	return libdnsType(libdnsRow{
		name: "luadns", title: "LuaDNS",
		settings: []Setting{
			{Name: "email", Required: true, Env: []string{"LUADNS_API_USERNAME"}, Doc: "the e-mail address of the account"},
			{Name: "api_key", Required: true, Sensitive: true, Env: []string{"LUADNS_API_TOKEN"}, Doc: "the API key"},
		},
		features:   providers.Features{Atomic: true},
		module:     func() libdnsModule { return new(luadns.Provider) },
		neverEmpty: true,
	})
}
