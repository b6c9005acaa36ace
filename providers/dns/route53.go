package dns

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/edgeward/edgeward/providers"
)

const (
	// route53Rate is the number of requests that Route 53 takes a second from
	// one account, all operations together [Route 53 Developer Guide, Quotas:
	// Route 53 API requests].
	route53Rate = 5
	// cloudFrontZone is the hosted zone id of every CloudFront distribution as
	// an alias target [Route 53 API Reference, AliasTarget].
	cloudFrontZone = "Z2FDTNDATAQYW2"
	// fresh is how long a listing answers for names that were not written since.
	fresh = 5 * time.Second
	// gather is how long the first change of a zone waits for others to join it.
	gather = 50 * time.Millisecond
)

func route53Features() providers.Features {
	return providers.Features{Provider: "route53", Alias: true, Swap: true}
}

// route53DNS is Amazon Route 53 as a providers.DNS. It speaks to the API
// itself, because libdns has no words for alias records, routing policies,
// private zones and compare-and-set, all of which a switch needs.
type route53DNS struct {
	clock  providers.Clock
	turns  turns53
	config func(context.Context) (aws.Config, error)
	zones  []string
	ids    []string

	// mu guards the fields below; it is never held while waiting.
	mu    sync.Mutex
	api   *route53.Client
	found map[string]*zone
	// pinned is true when the zones of zone_ids are in found.
	pinned   bool
	searches map[string]*search
}

func newRoute53(o Options) (providers.DNS, error) {
	if o.Clock == nil || o.AWS == nil {
		return nil, errors.New("make route53 provider: a clock and an account are needed")
	}
	d := &route53DNS{clock: o.Clock, config: o.AWS, found: map[string]*zone{}, searches: map[string]*search{},
		turns: turns53{clock: o.Clock, limiters: o.limiters(), scope: o.LimitScope}}
	if v, ok := o.Settings["zone_ids"]; ok && v != nil {
		ids, ok := v.([]string)
		if !ok {
			return nil, fmt.Errorf("read zone_ids: it is a %T, write a list of strings", v)
		}
		for _, id := range ids {
			id = strings.TrimPrefix(id, "/hostedzone/")
			if id == "" {
				return nil, errors.New(`read zone_ids: an id is empty, write ids such as "Z0123456789ABCDEFGHIJ"`)
			}
			d.ids = append(d.ids, id)
		}
	}
	for _, z := range o.Zones {
		d.zones = append(d.zones, clean(z))
	}
	// The longest zone comes first.
	slices.SortStableFunc(d.zones, func(a, b string) int { return len(b) - len(a) })
	return d, nil
}

// Features implements providers.DNS.
func (d *route53DNS) Features() providers.Features { return route53Features() }

// Look implements providers.DNS. A zone of up to 300 record sets is one
// request for all names; in a longer one the first names are asked singly.
func (d *route53DNS) Look(ctx context.Context, name string) (providers.RecordSet, error) {
	name = clean(name)
	z, err := d.zone(ctx, name)
	if err != nil {
		return providers.RecordSet{}, fmt.Errorf("look up records of %s: %w", name, err)
	}
	sets, err := z.known.read(ctx, name, false)
	if err != nil {
		return providers.RecordSet{}, fmt.Errorf("look up records of %s in zone %s: %w", name, z.name, err)
	}
	return z.recordSet(name, sets), nil
}

// Replace implements providers.DNS. What stands is read anew, then removed and
// created in one ChangeBatch: Route 53 applies all of it or nothing, and refuses
// a removal whose type, TTL or values are not those that stand
// [Route 53 API Reference, ChangeResourceRecordSets].
//
// Where the API refuses the change and what stands is want already, Replace
// succeeds: that is how a change looks whose answer was lost and which was
// therefore sent twice.
func (d *route53DNS) Replace(ctx context.Context, name string, have, want []providers.Record) error {
	name = clean(name)
	have, want = cleanRecords(have), cleanRecords(want)
	if providers.SameRecords(have, want) {
		return nil
	}
	z, err := d.zone(ctx, name)
	if err != nil {
		return fmt.Errorf("replace records of %s: %w", name, err)
	}
	if err := writable(z.name, name, want); err != nil {
		return fmt.Errorf("replace records of %s in zone %s: %w", name, z.name, err)
	}
	sets, err := z.known.read(ctx, name, true)
	if err == nil {
		err = z.change(ctx, &change{name: name, have: have, want: want}, sets)
	}
	if err != nil {
		return fmt.Errorf("replace records of %s in zone %s: %w", name, z.name, err)
	}
	return nil
}
