package dns

import (
	"testing"
	"testing/synctest"

	"github.com/edgeward/edgeward/providers"
	"github.com/edgeward/edgeward/providers/providertest"
)

func TestCloudflareConforms(t *testing.T) {
	providertest.DNS(t, providertest.DNSSuite{Wrap: synctest.Test,
		New: func(t *testing.T, zone string, rows []providertest.Row) (providers.DNS, providertest.Zone) {
			s := &cfServer{}
			v := cfView{s, s.add(zone)}
			for _, r := range rows {
				v.Put(t, r)
			}
			return cfProvider(t, s, zone), v
		},
		Unfaithful: map[string]string{
			"replace/several records": "three records cannot become one CNAME in place; TestCloudflareTypes shows the refusal",
		}})
}

func cfProvider(t *testing.T, s *cfServer, zones ...string) *cloudflareDNS {
	t.Helper()
	d, err := newCloudflare(Options{Zones: zones, Clock: providers.RealClock{}, Settings: map[string]any{"api_token": cfCanary}}, s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
