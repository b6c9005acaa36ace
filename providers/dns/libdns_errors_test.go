package dns

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/edgeward/edgeward/providers"
)

// TestLibdnsErrors takes texts as the modules make them, each with the place in their
// source that does.
func TestLibdnsErrors(t *testing.T) {
	for what, tc := range map[string]struct {
		text  string
		class error
		says  string
	}{
		"go-powerdns v0.6.6 pdnshttp/errors.go": {"unexpected status code 401: http://127.0.0.1:8081/api/v1/servers/localhost/zones Unauthorized",
			providers.ErrCredentials, "status code 401"},
		"go-powerdns, a refused record": {"unexpected status code 422: http://x/api RRset assets.example.com. IN A: Conflicts with pre-existing RRset",
			providers.ErrInvalid, "Conflicts with pre-existing RRset"},
		"libdns/powerdns v0.1.4 client.go": {"zone not found", providers.ErrNotFound, "zone not found"},
		"go-powerdns, a wrong server id":   {"not found: http://127.0.0.1/api/v1/servers/x/zones", providers.ErrNotFound, ""},
		"libdns/desec v1.1.1 provider.go":  {`unexpected status code 403: {"detail":"You do not have permission to perform this action."}`, providers.ErrDenied, "permission"},
		"libdns/desec, throttled":          {`parsing Retry-After header "": strconv.Atoi: too many requests`, providers.ErrThrottled, ""},
		"google-api-go-client googleapi.go": {"googleapi: Error 403: The caller does not have permission, forbidden",
			providers.ErrDenied, "does not have permission"},
		"google, no project": {"googleapi: Error 404: The 'parameters.project' resource named 'x' does not exist., notFound", providers.ErrNotFound, ""},
		"google, throttled":  {"googleapi: Error 429: Quota exceeded for quota metric 'Queries'", providers.ErrThrottled, "Quota exceeded"},
		"google, no credentials": {"google: could not find default credentials. See https://cloud.google.com/docs/authentication",
			providers.ErrCredentials, "default credentials"},
		"libdns/googleclouddns v1.2.0 client.go": {"unable to find Google managaged zone for domain example.com.", providers.ErrNotFound, ""},
		"azcore v1.18.0 ResponseError": {"GET https://management.azure.com/subscriptions/x/dnsZones/example.com/recordsets\n" +
			strings.Repeat("-", 80) + "\nRESPONSE 404: 404 Not Found\nERROR CODE: ParentResourceNotFound\n" + strings.Repeat("-", 80) +
			"\n{\n  \"error\": {\n    \"code\": \"ParentResourceNotFound\",\n    \"message\": \"Failed to perform 'read' on resource(s) of type 'dnszones'\"\n  }\n}\n",
			providers.ErrNotFound, "ERROR CODE: ParentResourceNotFound"},
		"azidentity": {"ClientSecretCredential authentication failed.\nPOST https://login.microsoftonline.com/x/oauth2/v2.0/token\n" + strings.Repeat("-", 80) +
			"\nRESPONSE 401: 401 Unauthorized\n" + strings.Repeat("-", 80) + "\n{\"error\": \"invalid_client\"}", providers.ErrCredentials, "authentication failed"},
		"azure, somebody created it": {"PUT https://management.azure.com/x\n" + strings.Repeat("-", 80) + "\nRESPONSE 412: 412 Precondition Failed\nERROR CODE: PreconditionFailed\n",
			providers.ErrConflict, "PreconditionFailed"},
		"luadns-go v0.3.0 client_error.go": {"Server returned bad status code (401)", providers.ErrCredentials, ""},
		"luadns-go, throttled":             {"Too many requests, retry after 1700000000 unix time", providers.ErrThrottled, "retry after"},
		"luadns-go, a page":                {"Server returned bad content type (text/html; charset=utf-8)", nil, "it answered with a web page instead of data"},
		"libdns/luadns v0.2.0":             {"zone example.com. not found", providers.ErrNotFound, ""},
		"dnsimple-go v8 dnsimple.go":       {"GET https://api.dnsimple.com/v2/1/zones/example.com/records: 401 Authentication failed", providers.ErrCredentials, "Authentication failed"},
		"dnsimple, no zone":                {"GET https://api.dnsimple.com/v2/1/zones/example.com/records: 404 Zone `example.com` not found", providers.ErrNotFound, ""},
		"godo v1.148.0 godo.go":            {`GET https://api.digitalocean.com/v2/domains/example.com/records: 401 (request "abc") Unable to authenticate you`, providers.ErrCredentials, ""},
		"godo, no zone":                    {`GET https://api.digitalocean.com/v2/domains/example.com/records: 404 (request "abc") The resource you were accessing could not be found.`, providers.ErrNotFound, ""},
		"libdns/ionos v1.2.0 client.go":    {"find zone: get all zones: Unauthorized (401)", providers.ErrCredentials, ""},
		"ionos, throttled":                 {"get zone records: Too Many Requests (429)", providers.ErrThrottled, ""},
		"ionos, no zone":                   {"find zone: zone named not found (example.com.)", providers.ErrNotFound, ""},
		"libdns/inwx v0.3.1 client.go":     {"(2200) Authentication error", providers.ErrCredentials, ""},
		"inwx, no zone":                    {"(2303) Object does not exist", providers.ErrNotFound, ""},
		"inwx, a page":                     {"invalid character '<' looking for beginning of value", nil, "it answered with a web page instead of data"},
		"libdns/porkbun v1.1.0 client.go": {`Invalid http response status, {"status":"ERROR","message":"Invalid API key. (002)"} for endpoint /dns/retrieve/example.com`,
			providers.ErrCredentials, "Invalid API key"},
		"porkbun, no zone": {`Invalid http response status, {"status":"ERROR","message":"Invalid domain."} for endpoint /dns/retrieve/example.com`, providers.ErrNotFound, ""},
		"porkbun, not opted in": {`Invalid http response status, {"status":"ERROR","message":"Domain is not opted in to API access."} for endpoint /dns/retrieve/example.com`,
			providers.ErrDenied, "not opted in"},
		"porkbun, a page": {"Invalid http response status, <!DOCTYPE html>\n<html><head><title>\n 503 Backend\nfetch failed</title></head></html> for endpoint /dns/retrieve/x",
			nil, `it answered with a web page ("503 Backend fetch failed") instead of data; a wrong address, or a proxy in between`},
		"libdns/godaddy v1.1.0 provider.go": {`could not get records: Domain: example.com; Status: 403; Body: {"code":"ACCESS_DENIED"}`, providers.ErrDenied, "ACCESS_DENIED"},
		"godaddy, unknown":                  {`could not get records: Domain: example.com; Status: 404; Body: {"code":"UNKNOWN_DOMAIN"}`, providers.ErrNotFound, ""},
		"a page with a status":              {"could not get records: Domain: x; Status: 502; Body: <html><title>502 Bad Gateway</title></html>", nil, `("502 Bad Gateway") with status 502`},
		"transport":                         {"dial tcp 192.0.2.1:443: connect: connection refused", nil, "connection refused"},
		"no status at all":                  {"port 4030 of 404 servers", nil, "port 4030"},
	} {
		t.Run(what, func(t *testing.T) {
			m := &memoryModule{zone: "example.com", fail: func(string, int) error { return errors.New(tc.text) }}
			_, err := memoryProvider(t, m, libdnsRow{}).Look(t.Context(), libdnsName)
			var found error
			for _, class := range []error{providers.ErrCredentials, providers.ErrDenied, providers.ErrNotFound, providers.ErrConflict,
				providers.ErrThrottled, providers.ErrInvalid, providers.ErrQuota} {
				if errors.Is(err, class) {
					found = class
				}
			}
			if found != tc.class {
				t.Errorf("class is %v, want %v: %v", found, tc.class, err)
			}
			if !strings.Contains(err.Error(), tc.says) || strings.ContainsAny(err.Error(), "\n\r") || len(err.Error()) > 600 {
				t.Errorf("error is %q, want one line that says %q", err, tc.says)
			}
		})
	}
}

// No error has a secret in it, in any form, and none leads to one.
func TestLibdnsSecrets(t *testing.T) {
	const secret = `s3cr+t/"tøken" 0`
	row := libdnsRow{name: "memory", title: "Memory DNS", settings: []Setting{
		{Name: "user"}, {Name: "token", Sensitive: true, Env: []string{"MEMORY_TOKEN"}}}}
	for _, form := range []string{secret, "s3cr%2Bt%2F%22t%C3%B8ken%22+0", `s3cr+t/\"tøken\" 0`} {
		cause := errors.New("unexpected status code 401: https://api/?token=" + form + " by somebody")
		m := &memoryModule{zone: "example.com", fail: func(string, int) error { return cause }}
		d, err := newLibdns(Options{Zones: []string{"example.com"}, Clock: providers.RealClock{},
			Settings: map[string]any{"token": secret, "user": "somebody"}}, m, row)
		if err != nil {
			t.Fatal(err)
		}
		_, err = d.Look(t.Context(), libdnsName)
		if !errors.Is(err, providers.ErrCredentials) || errors.Is(err, cause) || strings.Contains(err.Error(), "s3cr") ||
			!strings.Contains(err.Error(), "token=(secret) by somebody") {
			t.Errorf("error is %v", err)
		}
		var hint interface{ Hint() string }
		if !errors.As(err, &hint) || hint.Hint() != "check token or MEMORY_TOKEN, and what it may do" {
			t.Errorf("no hint of the setting in %v", err)
		}
	}
}

// A class is kept, and the cause where it has no secret.
func TestLibdnsCause(t *testing.T) {
	cause := errors.New("unexpected status code 404: no such zone")
	m := &memoryModule{zone: "example.com", fail: func(string, int) error { return cause }}
	_, err := memoryProvider(t, m, libdnsRow{}).Look(t.Context(), libdnsName)
	if !errors.Is(err, providers.ErrNotFound) || !errors.Is(err, cause) {
		t.Errorf("error is %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	m.fail = nil
	d := memoryProvider(t, m, libdnsRow{})
	for _, err := range []error{
		func() error { _, err := d.Look(ctx, libdnsName); return err }(),
		d.Ensure(ctx, providers.Record{Type: "CNAME", Value: "x.example.net"}, libdnsName),
	} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error is %v, want the context's", err)
		}
	}
}
