package sandbox

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeward/edgeward/providers"
	"github.com/edgeward/edgeward/providers/providertest"
)

func TestLockStore(t *testing.T) {
	providertest.LockStore(t, providertest.LockSuite{Wrap: synctest.Test, New: func(*testing.T) providertest.LockParty {
		w := New(options(3))
		return providertest.LockParty{Store: w.LockStore(), Again: w.LockStore(), Clock: providers.RealClock{}, Wait: time.Minute}
	}})
}
