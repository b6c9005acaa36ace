package dns

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/libdns/azure"
	"github.com/libdns/desec"
	"github.com/libdns/digitalocean"
	"github.com/libdns/dnsimple"
	"github.com/libdns/godaddy"
	"github.com/libdns/googleclouddns"
	"github.com/libdns/inwx"
	"github.com/libdns/ionos"
	"github.com/libdns/libdns"
	"github.com/libdns/luadns"
	"github.com/libdns/porkbun"
	"github.com/libdns/powerdns"

	"github.com/edgeward/edgeward/providers"
)

// Every setting of a row reaches the module's field.
func TestLibdnsRows(t *testing.T) {
	for name, tc := range map[string]struct {
		typ      Type
		settings map[string]any
		want     func(libdnsModule) bool
		features providers.Features
	}{
		"azure": {azureType(), map[string]any{"subscription_id": "s", "resource_group_name": "r", "tenant_id": "t", "client_id": "c", "client_secret": "x"},
			func(m libdnsModule) bool {
				p := m.(*azure.Provider)
				return p.SubscriptionId == "s" && p.ResourceGroupName == "r" && p.TenantId == "t" && p.ClientId == "c" && p.ClientSecret == "x"
			}, providers.Features{Atomic: true}},
		"desec": {desecType(), map[string]any{"token": "t"},
			func(m libdnsModule) bool { return m.(*desec.Provider).Token == "t" }, providers.Features{Atomic: true, MinTTL: time.Hour}},
		"digitalocean": {digitaloceanType(), map[string]any{"auth_token": "t"},
			func(m libdnsModule) bool { return m.(*digitalocean.Provider).APIToken == "t" }, providers.Features{InPlace: true, MinTTL: 30 * time.Second}},
		"dnsimple": {dnsimpleType(), map[string]any{"api_access_token": "t", "account_id": "1", "api_url": "http://x"},
			func(m libdnsModule) bool {
				p := m.(*dnsimple.Provider)
				return p.APIAccessToken == "t" && p.AccountID == "1" && p.APIURL == "http://x"
			}, providers.Features{InPlace: true}},
		"godaddy": {godaddyType(), map[string]any{"api_token": "k:s"},
			func(m libdnsModule) bool { return m.(*godaddy.Provider).APIToken == "k:s" }, providers.Features{Atomic: true, MinTTL: 10 * time.Minute}},
		"googleclouddns": {googleclouddnsType(), map[string]any{"gcp_project": "p", "gcp_application_default": "f.json"},
			func(m libdnsModule) bool {
				p := m.(*googleclouddns.Provider)
				return p.Project == "p" && p.ServiceAccountJSON == "f.json"
			}, providers.Features{Atomic: true}},
		"inwx": {inwxType(), map[string]any{"username": "u", "password": "p", "shared_secret": "s", "endpoint_url": "http://x"},
			func(m libdnsModule) bool {
				p := m.(*inwx.Provider)
				return p.Username == "u" && p.Password == "p" && p.SharedSecret == "s" && p.EndpointURL == "http://x"
			}, providers.Features{InPlace: true, MinTTL: 5 * time.Minute}},
		"ionos": {ionosType(), map[string]any{"auth_api_token": "t"},
			func(m libdnsModule) bool { return m.(*ionos.Provider).AuthAPIToken == "t" }, providers.Features{InPlace: true, MinTTL: time.Minute}},
		"luadns": {luadnsType(), map[string]any{"email": "e", "api_key": "k"},
			func(m libdnsModule) bool { p := m.(*luadns.Provider); return p.Email == "e" && p.APIKey == "k" }, providers.Features{Atomic: true}},
		"porkbun": {porkbunType(), map[string]any{"api_key": "k", "api_secret_key": "s"},
			func(m libdnsModule) bool { p := m.(*porkbun.Provider); return p.APIKey == "k" && p.APISecretKey == "s" },
			providers.Features{InPlace: true, MinTTL: 10 * time.Minute}},
		"powerdns": {powerdnsType(), map[string]any{"server_url": "http://x", "api_token": "t", "server_id": "i"},
			func(m libdnsModule) bool {
				p := m.(*powerdns.Provider)
				return p.ServerURL == "http://x" && p.APIToken == "t" && p.ServerID == "i"
			}, providers.Features{Atomic: true}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, s := range tc.typ.Settings {
				if tc.settings[s.Name] == nil {
					t.Errorf("setting %s is not tried", s.Name)
				}
			}
			made, err := tc.typ.New(Options{Zones: []string{"Example.com."}, Settings: tc.settings, Clock: providers.RealClock{}})
			if err != nil {
				t.Fatal(err)
			}
			d := made.(*libdnsDNS)
			if !tc.want(d.module) {
				t.Errorf("the module is %+v", d.module)
			}
			tc.features.Provider = name
			if d := cmp.Diff(tc.features, made.Features()); d != "" {
				t.Errorf("features (-want +got):\n%s", d)
			}
			if d.zones[0].name != "example.com" {
				t.Errorf("zone is %q", d.zones[0].name)
			}
			for _, s := range tc.typ.Settings {
				if v, _ := tc.settings[s.Name].(string); s.Sensitive != slices.Contains(d.secrets, v) {
					t.Errorf("setting %s: sensitive is %v, secrets are %d", s.Name, s.Sensitive, len(d.secrets))
				}
			}
		})
	}
}

// TestTableOfTypes is what the table promises: sorted, whole, named once, with words for people, and
// every capability that a switch needs.
func TestTableOfTypes(t *testing.T) {
	types := Types()
	if !slices.IsSortedFunc(types, func(a, b Type) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("the table is not sorted by name")
	}
	seen := map[string]bool{}
	for _, typ := range types {
		f := typ.Features
		switch {
		case seen[typ.Name]:
			t.Errorf("%s stands there twice", typ.Name)
		case f.Provider != typ.Name:
			t.Errorf("%s: Features.Provider is %q", typ.Name, f.Provider)
		case typ.Title == "" || typ.New == nil:
			t.Errorf("%s has no title or no maker", typ.Name)
		case !f.Swap && !f.Atomic && !f.InPlace && !f.ByHand:
			t.Errorf("%s can neither replace a record set nor change a record in place", typ.Name)
		}
		seen[typ.Name] = true
		for _, s := range typ.Settings {
			if s.Doc == "" || strings.HasSuffix(s.Doc, ".") || s.Name == "zones" || s.Name == "nameservers" {
				t.Errorf("%s: setting %+v", typ.Name, s)
			}
			if s.Sensitive && (s.List || s.Duration || s.Bool || s.Account) {
				t.Errorf("%s: secret %s is no string", typ.Name, s.Name)
			}
		}
	}
	for _, want := range strings.Fields("route53 rfc2136 cloudflare powerdns googleclouddns azure desec luadns dnsimple ionos inwx porkbun godaddy digitalocean manual") {
		if !seen[want] {
			t.Errorf("%s is not in the table", want)
		}
	}
	var names []string
	for _, r := range Refused() {
		names = append(names, r.Name)
		if seen[r.Name] || r.Why == "" || strings.HasSuffix(r.Why, ".") || !strings.Contains(r.Sentence(), `dns_provider "manual"`) {
			t.Errorf("refusal %+v", r)
		}
	}
	if !slices.IsSorted(names) {
		t.Errorf("refusals are not sorted: %v", names)
	}
}

func TestLibdnsSettings(t *testing.T) {
	for what, tc := range map[string]struct {
		typ      Type
		settings map[string]any
		says     string
	}{
		"powerdns, no scheme":     {powerdnsType(), map[string]any{"server_url": "localhost:8081"}, `read server_url: it is no http or https address; write one such as "http://127.0.0.1:8081"`},
		"powerdns, nothing":       {powerdnsType(), nil, "read server_url"},
		"azure, half a principal": {azureType(), map[string]any{"client_id": "c", "tenant_id": "t"}, "an application needs all three"},
		"an unknown setting":      {desecType(), map[string]any{"tokem": "x"}, `read settings of desec: json: unknown field "tokem"`},
	} {
		t.Run(what, func(t *testing.T) {
			_, err := tc.typ.New(Options{Zones: []string{"example.com"}, Settings: tc.settings, Clock: providers.RealClock{}})
			if err == nil || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("error is %v, want %q", err, tc.says)
			}
		})
	}
	if _, err := azureType().New(Options{Clock: providers.RealClock{}, Settings: map[string]any{"subscription_id": "s", "resource_group_name": "r"}}); err != nil {
		t.Errorf("a managed identity: %v", err)
	}
	if _, err := desecType().New(Options{}); err == nil {
		t.Error("a provider without a clock was made")
	}
}

// What a row's module is given: names, dots and identities as it wants them.
func TestLibdnsWireForms(t *testing.T) {
	target := providers.Record{Type: "CNAME", Value: "d111111abcdef8.cloudfront.net", TTL: time.Minute}
	address := providers.Record{Type: "A", Value: "192.0.2.1", TTL: time.Minute}
	for typ, want := range map[string]string{
		"powerdns": "assets CNAME d111111abcdef8.cloudfront.net. 1m0s, @ A 192.0.2.1 1m0s",
		"desec":    "assets CNAME d111111abcdef8.cloudfront.net. 1h0m0s, @ A 192.0.2.1 1h0m0s",
		"inwx":     "assets CNAME d111111abcdef8.cloudfront.net 5m0s, @ A 192.0.2.1 5m0s",
		"godaddy":  "assets CNAME d111111abcdef8.cloudfront.net 10m0s, @ A 192.0.2.1 10m0s",
		"ionos":    "assets CNAME d111111abcdef8.cloudfront.net 1m0s, @ A 192.0.2.1 1m0s",
		"porkbun":  "assets CNAME d111111abcdef8.cloudfront.net. 10m0s, @ A 192.0.2.1 10m0s",
		"dnsimple": "assets CNAME d111111abcdef8.cloudfront.net. 1m0s,  A 192.0.2.1 1m0s",
	} {
		types := Types()
		i := slices.IndexFunc(types, func(x Type) bool { return x.Name == typ })
		d, err := types[i].New(Options{Zones: []string{"example.com"}, Clock: providers.RealClock{}, Settings: map[string]any{}})
		if typ == "powerdns" {
			d, err = types[i].New(Options{Zones: []string{"example.com"}, Clock: providers.RealClock{}, Settings: map[string]any{"server_url": "http://x"}})
		}
		if err != nil {
			t.Fatal(err)
		}
		l := d.(*libdnsDNS)
		var got []string
		for _, rr := range []libdns.RR{l.rr(l.zones[0], "assets.example.com", target), l.rr(l.zones[0], "example.com", address)} {
			got = append(got, strings.Join([]string{rr.Name, rr.Type, rr.Data, rr.TTL.String()}, " "))
		}
		if text := strings.Join(got, ", "); text != want {
			t.Errorf("%s: %q, want %q", typ, text, want)
		}
	}
	row := digitaloceanType()
	d, err := row.New(Options{Zones: []string{"example.com"}, Clock: providers.RealClock{}, Settings: map[string]any{"auth_token": "t"}})
	if err != nil {
		t.Fatal(err)
	}
	l := d.(*libdnsDNS)
	old := digitalocean.DNS{Record: libdns.RR{Name: "assets", Type: "CNAME", Data: "old.example.net", TTL: time.Hour}, ID: "42"}
	steps := l.steps(l.zones[0], "assets.example.com", []libdns.Record{old}, []providers.Record{target})
	want := []step{{stepSet, []libdns.Record{digitalocean.DNS{ID: "42",
		Record: libdns.RR{Name: "assets", Type: "CNAME", Data: "d111111abcdef8.cloudfront.net.", TTL: time.Minute}}}}}
	if !reflect.DeepEqual(steps, want) {
		t.Errorf("DigitalOcean: steps are %+v, want %+v", steps, want)
	}
	removal := l.steps(l.zones[0], "assets.example.com", []libdns.Record{old}, nil)
	if !reflect.DeepEqual(removal, []step{{stepDelete, []libdns.Record{old}}}) {
		t.Errorf("DigitalOcean: removal is %+v, want the very record", removal)
	}
}
