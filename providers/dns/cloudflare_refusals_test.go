package dns

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeward/edgeward/providers"
)

func TestCloudflareZones(t *testing.T) {
	cases := map[string]struct {
		change func(s *cfServer, z *cfZoneState)
		class  error
		says   []string
	}{
		"none": {func(s *cfServer, z *cfZoneState) { z.name = "example.net" }, providers.ErrNotFound,
			[]string{"zone example.com", "no such zone", "Zone:Read"}},
		"pending": {func(s *cfServer, z *cfZoneState) { z.status = "pending" }, providers.ErrNotFound,
			[]string{"not delegated to Cloudflare", `"pending"`, "ada.ns.cloudflare.com"}},
		"moved":                              {func(s *cfServer, z *cfZoneState) { z.status = "moved" }, providers.ErrNotFound, []string{"not delegated", `"moved"`}},
		"partial":                            {func(s *cfServer, z *cfZoneState) { z.typ = "partial" }, providers.ErrNotFound, []string{"CNAME setup"}},
		"secondary":                          {func(s *cfServer, z *cfZoneState) { z.typ = "secondary" }, providers.ErrInvalid, []string{"primary server"}},
		"internal":                           {func(s *cfServer, z *cfZoneState) { z.typ = "internal" }, providers.ErrNotFound, []string{"internal"}},
		"two":                                {func(s *cfServer, z *cfZoneState) { s.add("example.com") }, providers.ErrInvalid, []string{"2 active zones"}},
		"one that was left behind elsewhere": {func(s *cfServer, z *cfZoneState) { s.add("example.com").status = "moved" }, nil, nil},
		"denied":                             {func(s *cfServer, z *cfZoneState) { z.denied = true }, providers.ErrDenied, []string{"may not read zone example.com", "Zone:Read and DNS:Edit", "10000"}},
		"read-only":                          {func(s *cfServer, z *cfZoneState) { z.readOnly = true }, providers.ErrDenied, []string{"may not change zone example.com", "DNS:Edit"}},
		"locked record":                      {func(s *cfServer, z *cfZoneState) { z.records[0]["locked"] = true }, providers.ErrConflict, []string{"locked"}},
		"record of another product":          {func(s *cfServer, z *cfZoneState) { z.records[0]["meta"] = map[string]any{"read_only": true} }, providers.ErrConflict, []string{"read-only"}},
		"flattened does not prevent":         {func(s *cfServer, z *cfZoneState) { z.records[0]["settings"] = map[string]any{"flatten_cname": true} }, nil, nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			inCloudflare(t, func(t *testing.T, s *cfServer, z *cfZoneState, d *cloudflareDNS) {
				s.record(z, cfName, "CNAME", cfOld, 3600, false)
				c.change(s, z)
				err := d.Replace(t.Context(), cfName, cnameOf(cfOld, time.Hour), cnameOf(cfNew, time.Minute))
				if c.class == nil && c.says == nil {
					if err != nil {
						t.Error(err)
					}
					return
				}
				wantError(t, err, c.class, append(c.says, cfName)...)
				if z.records[0]["content"] != cfOld {
					t.Error("the record was changed all the same")
				}
			})
		})
	}
}

func TestCloudflareInvalid(t *testing.T) {
	type rs = []providers.Record
	for what, want := range map[string]rs{
		"Cloudflare has no alias records":        {{Type: "A", Value: cfNew, Alias: true}},
		"is no address record":                   {{Type: "TXT", Value: "x", TTL: time.Minute}},
		"has no value":                           {{Type: "CNAME", TTL: time.Minute}},
		"no address of this type":                {{Type: "AAAA", Value: "192.0.2.1", TTL: time.Minute}},
		"cannot stand beside":                    {{Type: "CNAME", Value: cfNew, TTL: time.Minute}, {Type: "A", Value: "192.0.2.1", TTL: time.Minute}},
		"is given twice":                         {{Type: "A", Value: "192.0.2.1", TTL: time.Minute}, {Type: "A", Value: "192.0.2.1", TTL: time.Minute}},
		"a TTL of 60s":                           cnameOf(cfNew, 5*time.Second),
		"9021 \"Invalid TTL. Must be between 60": cnameOf(cfNew, 30*time.Second),
		"(30s in zones of the Enterprise plan)":  cnameOf(cfNew, 25*time.Hour),
	} {
		t.Run(what, func(t *testing.T) {
			inCloudflare(t, func(t *testing.T, s *cfServer, z *cfZoneState, d *cloudflareDNS) {
				s.record(z, cfName, "CNAME", cfOld, 3600, false)
				wantError(t, d.Replace(t.Context(), cfName, cnameOf(cfOld, time.Hour), want), providers.ErrInvalid, what)
				if z.records[0]["content"] != cfOld {
					t.Error("the record was changed all the same")
				}
			})
		})
	}
}

// cfRefusal scripts one answer to every request of a method.
func cfRefusal(method string, code int, answer any) func(int, *http.Request) (*http.Response, error) {
	return func(_ int, req *http.Request) (*http.Response, error) {
		if req.Method != method || strings.HasSuffix(req.URL.Path, "/dns_settings") {
			return nil, nil
		}
		return cfResponse(code, answer), nil
	}
}

// Every answer that is no success becomes one sentence of the right class,
// without the token, even if the answer quotes it; nothing is changed.
func TestCloudflareRefusals(t *testing.T) {
	says := func(words ...string) []string { return words }
	cases := map[string]struct {
		script func(int, *http.Request) (*http.Response, error)
		class  error
		says   []string
	}{
		"invalid token":     {cfRefusal("GET", 403, cfFail(9109, "Invalid access token")), providers.ErrCredentials, says("api_token is not taken by Cloudflare", "9109")},
		"malformed token":   {cfRefusal("GET", 400, cfFail(6003, "Invalid request headers", 6111, "Invalid format for Authorization header "+cfCanary)), providers.ErrCredentials, says("Global API Key", "6111")},
		"401":               {cfRefusal("GET", 401, cfFail(10000, "Authentication error")), providers.ErrCredentials, says("api_token")},
		"not from here":     {cfRefusal("GET", 403, cfFail(9109, "Cannot use the access token from location: 192.0.2.7")), providers.ErrDenied, says("192.0.2.7", "Zone:Read")},
		"no right":          {cfRefusal("PATCH", 403, cfFail(10000, "Authentication error")), providers.ErrDenied, says("may not change zone example.com", "DNS:Edit")},
		"zone vanished":     {cfRefusal("PATCH", 404, cfFail(7003, "Could not route to /zones/x")), providers.ErrNotFound, says("7003")},
		"record vanished":   {cfRefusal("PATCH", 404, cfFail(81044, "Record does not exist.")), providers.ErrConflict, says("81044")},
		"name taken":        {cfRefusal("PATCH", 400, cfFail(81053, "An A, AAAA, or CNAME record with that host already exists.")), providers.ErrConflict, says("81053")},
		"quota":             {cfRefusal("PATCH", 400, cfFail(81045, "The record quota has been exceeded.")), providers.ErrQuota, says("81045")},
		"unknown code":      {cfRefusal("PATCH", 400, cfFail(99999, "Something new")), providers.ErrInvalid, says("99999", "Something new")},
		"200 and an error":  {cfRefusal("PATCH", 200, cfFail(99999, "Something new")), nil, says("99999")},
		"HTML of a proxy":   {cfRefusal("PATCH", 502, htmlPage), nil, says("status 502", "text/html", "Bad Gateway", "12 times")},
		"HTML as an answer": {cfRefusal("GET", 200, htmlPage), nil, says("no JSON", "status 200")},
		"JSON of another":   {cfRefusal("GET", 200, map[string]any{"hello": cfCanary}), nil, says("not its API's")},
		"a list":            {cfRefusal("GET", 200, []any{1}), nil, says("not its API's")},
		"403 without codes": {cfRefusal("GET", 403, map[string]any{"success": false}), providers.ErrDenied, says("status 403")},
		"too fast":          {cfRefusal("GET", 429, cfFail(10429, "More than 1200 requests per 300 seconds reached. "+cfCanary)), providers.ErrThrottled, says("429", "try again in 20s", "12 times")},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			inCloudflare(t, func(t *testing.T, s *cfServer, z *cfZoneState, d *cloudflareDNS) {
				s.record(z, cfName, "CNAME", cfOld, 3600, false)
				s.script = c.script
				err := d.Replace(t.Context(), cfName, cnameOf(cfOld, time.Hour), cnameOf(cfNew, time.Minute))
				wantError(t, err, c.class, append(c.says, cfName)...)
				if _, err := d.Look(t.Context(), cfName); err != nil {
					wantError(t, err, nil, cfName)
				}
				if z.records[0]["content"] != cfOld || len(z.records) != 1 {
					t.Errorf("%v stands", z.records)
				}
			})
		})
	}
}

func TestCloudflareSettings(t *testing.T) {
	for name, c := range map[string]struct {
		settings map[string]any
		zones    []string
		says     string
	}{
		"none":           {map[string]any{}, []string{"example.com"}, "CLOUDFLARE_API_TOKEN or CF_API_TOKEN"},
		"empty":          {map[string]any{"api_token": " \n"}, []string{"example.com"}, "api_token: it is missing"},
		"bearer":         {map[string]any{"api_token": "Bearer " + cfCanary}, []string{"example.com"}, "write the token alone"},
		"two lines":      {map[string]any{"api_token": cfCanary + "\n" + cfCanary}, []string{"example.com"}, "a line break"},
		"no string":      {map[string]any{"api_token": 5}, []string{"example.com"}, "write a string"},
		"bad zone token": {map[string]any{"api_token": cfCanary, "zone_token": "a b"}, []string{"example.com"}, "zone_token"},
		"no zones":       {map[string]any{"api_token": cfCanary}, nil, `zones = ["example.com"]`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := cloudflareType().New(Options{Zones: c.zones, Clock: providers.RealClock{}, Settings: c.settings})
			wantError(t, err, nil, c.says)
		})
	}
	synctest.Test(t, func(t *testing.T) {
		s := &cfServer{}
		s.record(s.add("example.com"), cfName, "CNAME", cfOld, 1, false)
		tokens := map[string]string{}
		s.script = func(_ int, req *http.Request) (*http.Response, error) {
			tokens[req.URL.Path] = req.Header.Get("Authorization")
			req.Header.Set("Authorization", "Bearer "+cfCanary)
			return nil, nil
		}
		d, err := newCloudflare(Options{Zones: []string{"example.com"}, Clock: providers.RealClock{}, Settings: map[string]any{
			"api_token": "token-of-records\n", "zone_token": "token-of-zones"}}, s)
		if err != nil {
			t.Fatal(err)
		}
		lookup(t, d, cfName)
		for path, token := range tokens {
			want := "Bearer token-of-records"
			if path == cloudflarePath+"/zones" {
				want = "Bearer token-of-zones"
			}
			if token != want {
				t.Errorf("%s was asked with %q, want %q", path, token, want)
			}
		}
	})
}
