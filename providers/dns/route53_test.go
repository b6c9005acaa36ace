package dns

import (
	"testing"
	"testing/synctest"

	"github.com/edgeward/edgeward/providers"
	"github.com/edgeward/edgeward/providers/providertest"
)

func TestRoute53Conforms(t *testing.T) {
	providertest.DNS(t, providertest.DNSSuite{Wrap: synctest.Test,
		New: func(t *testing.T, zone string, rows []providertest.Row) (providers.DNS, providertest.Zone) {
			s := newServer()
			s.add("Z1", zone, false)
			v := view{s, "Z1", zone}
			for _, r := range rows {
				v.Put(t, r)
			}
			return newProvider(t, s.options(zone)), v
		}})
}
