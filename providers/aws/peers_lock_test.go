//go:build peers

package aws_test

import (
	"testing"
	"time"

	"github.com/edgeward/edgeward/providers"
	"github.com/edgeward/edgeward/providers/aws"
	"github.com/edgeward/edgeward/providers/providertest"
	"github.com/edgeward/edgeward/providers/providertest/motolab"
)

// S3's conditional writes as moto has them, between two clients.
func TestMotoLockStore(t *testing.T) {
	providertest.LockStore(t, providertest.LockSuite{New: func(t *testing.T) providertest.LockParty {
		l := motolab.Start(t)
		l.Setenv(t)
		l.AWS(t, "s3api", "create-bucket", "--bucket", "our-tools", "--create-bucket-configuration", "LocationConstraint=eu-west-1")
		store := func(region string) providers.LockStore {
			return aws.New(aws.Options{Clock: providers.RealClock{}, Limits: aws.Limits{}.Times(100)}).LockStore("our-tools", "edgeward/lock+ä.json", region)
		}
		return providertest.LockParty{Store: store(""), Again: store("eu-west-1"), Clock: providers.RealClock{}, Wait: time.Second}
	}})
}
