package dns

import (
	"errors"
	"fmt"
	"net/url"

	"github.com/libdns/powerdns"

	"github.com/edgeward/edgeward/providers"
)

// powerdnsType is the PowerDNS Authoritative Server over its HTTP API.
//
// Read in libdns/powerdns v0.1.4 and go-powerdns v0.6.6: SetRecords sends one
// PATCH with changetype REPLACE for each name and type, which the server applies
// as one transaction; AppendRecords reads the zone and adds to the set;
// DeleteRecords takes away the values that are equal by text. One record that
// libdns cannot parse fails the list of the whole zone. An address that is no
// URL makes the client panic.
func powerdnsType() Type {
	return libdnsType(libdnsRow{
		name: "powerdns", title: "PowerDNS",
		settings: []Setting{
			{Name: "server_url", Required: true, Env: []string{"PDNS_API_URL", "PDNS_SERVER_URL"}, Doc: "the address of the HTTP API, such as http://127.0.0.1:8081"},
			{Name: "api_token", Required: true, Sensitive: true, Env: []string{"PDNS_API_KEY"}, Doc: "the API key (api-key in pdns.conf)"},
			{Name: "server_id", Env: []string{"PDNS_SERVER_NAME"}, Doc: "the server's id in the API; default: localhost"},
		},
		features:   providers.Features{Atomic: true},
		module:     func() libdnsModule { return new(powerdns.Provider) },
		check:      checkPowerDNS,
		neverEmpty: true,
	})
}

func checkPowerDNS(settings map[string]any) error {
	text, _ := settings["server_url"].(string)
	u, err := url.Parse(text)
	if err == nil && (u.Scheme != "http" && u.Scheme != "https" || u.Host == "") {
		err = errors.New("it is no http or https address")
	}
	if err != nil {
		return fmt.Errorf("read server_url: %w; write one such as \"http://127.0.0.1:8081\"", err)
	}
	return nil
}
