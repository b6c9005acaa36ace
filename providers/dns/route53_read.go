package dns

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"
)

const (
	// pageSize is the most record sets that one request lists
	// [Route 53 API Reference, ListResourceRecordSets: MaxItems].
	pageSize = 300
	// onePage is for the sets of one name: a type each, or some weighted ones.
	onePage = 20
)

// zone is one hosted zone: what was read of it and what is to be written.
type zone struct {
	d        *route53DNS
	name, id string

	// mu guards the fields below; it is never held while waiting.
	mu sync.Mutex
	// size is how many record sets the zone has, as far as known.
	size int64
	// writes counts beginnings and ends of writes; written has the count of the
	// last one by name. A read is later than a name's last write if it began at
	// a count not below that.
	writes  uint64
	written map[string]uint64
	// reads numbers the listings as they begin.
	reads  uint64
	last   *listing
	flight *listing
	// singles counts names read singly since singlesFrom.
	singles     int64
	singlesFrom time.Time

	queue   []*change
	sending bool
}

// listing is all record sets of a zone by name, complete when done is closed
// and err is nil.
type listing struct {
	number, writes uint64
	// ended, and not its beginning, is what a listing's age is counted from: a
	// zone may take longer to list than a listing is used.
	ended time.Time
	done  chan struct{}
	sets  map[string][]types.ResourceRecordSet
	err   error
}

func newZone(d *route53DNS, name, id string, size int64) *zone {
	return &zone{d: d, name: name, id: id, size: size, written: map[string]uint64{}}
}

// read gives the record sets at name. They are from a listing that ended at
// most some seconds ago and began after the last write to the name; with anew, from
// a read that begins after the call.
func (z *zone) read(ctx context.Context, name string, anew bool) ([]types.ResourceRecordSet, error) {
	var after uint64
	if anew {
		z.mu.Lock()
		after = z.reads
		z.mu.Unlock()
		// Those who come within a moment share one read, then one batch.
		if err := z.d.clock.Sleep(ctx, gather); err != nil {
			return nil, err
		}
	}
	for {
		now := z.d.clock.Now()
		z.mu.Lock()
		if l := z.last; l != nil && l.number > after && z.written[name] <= l.writes && (anew || now.Sub(l.ended) < fresh) {
			z.mu.Unlock()
			return l.sets[name], nil
		}
		if l := z.flight; l != nil {
			z.mu.Unlock()
			select {
			case <-ctx.Done():
				return nil, ctx.Err()
			case <-l.done:
			}
			if l.err != nil && l.number > after {
				return nil, l.err
			}
			continue
		}
		if z.cheaperSingly(now) {
			writes := z.writes
			z.mu.Unlock()
			sets, err := z.list(ctx, name)
			if err != nil || z.unwritten(name, writes) {
				return sets[name], err
			}
			continue
		}
		l := z.begin()
		z.mu.Unlock()
		if err := z.sweep(ctx, l); err != nil {
			return nil, err
		}
	}
}

// cheaperSingly says, with z.mu held, whether to read one name rather than the
// whole zone: until as many names were read singly as the zone has pages, so
// that it never costs more than twice the better of the two.
func (z *zone) cheaperSingly(now time.Time) bool {
	pages := (z.size + pageSize - 1) / pageSize
	if pages <= 1 {
		return false
	}
	if now.Sub(z.singlesFrom) > fresh {
		z.singles, z.singlesFrom = 0, now
	}
	z.singles++
	return z.singles <= pages
}

func (z *zone) unwritten(name string, since uint64) bool {
	z.mu.Lock()
	defer z.mu.Unlock()
	return z.written[name] <= since
}

// begin makes the next listing, with z.mu held.
func (z *zone) begin() *listing {
	z.reads++
	z.flight = &listing{number: z.reads, writes: z.writes, done: make(chan struct{})}
	return z.flight
}

// sweep lists the zone. A write between its pages may show in some and not in
// others [Route 53 API Reference, ListResourceRecordSets]; that is why written
// is kept by name.
func (z *zone) sweep(ctx context.Context, l *listing) error {
	sets, err := z.list(ctx, "")
	l.ended = z.d.clock.Now()
	z.mu.Lock()
	defer z.mu.Unlock()
	z.flight = nil
	if err == nil {
		z.size = 0
		for _, s := range sets {
			z.size += int64(len(s))
		}
		l.sets, z.last = sets, l
	} else if ctx.Err() == nil {
		l.err = err
	}
	close(l.done)
	return err
}

// list asks for the sets of one name, or for all with "".
func (z *zone) list(ctx context.Context, name string) (map[string][]types.ResourceRecordSet, error) {
	api, err := z.d.client(ctx)
	if err != nil {
		return nil, err
	}
	in := &route53.ListResourceRecordSetsInput{HostedZoneId: aws.String(z.id), MaxItems: aws.Int32(pageSize)}
	if name != "" {
		in.StartRecordName, in.MaxItems = aws.String(name+"."), aws.Int32(onePage)
	}
	sets := map[string][]types.ResourceRecordSet{}
	for {
		out, err := api.ListResourceRecordSets(ctx, in)
		if err != nil {
			return nil, fmt.Errorf("list record sets of zone %s (%s): %w", z.name, z.id, classify(err))
		}
		for _, s := range out.ResourceRecordSets {
			n := unescape(clean(aws.ToString(s.Name)))
			if name == "" || n == name {
				sets[n] = append(sets[n], s)
			}
		}
		if !out.IsTruncated || name != "" && unescape(clean(aws.ToString(out.NextRecordName))) != name {
			return sets, nil
		}
		if aws.ToString(out.NextRecordName) == "" {
			return nil, fmt.Errorf("list record sets of zone %s (%s): the answer is cut off and names no next record", z.name, z.id)
		}
		in.StartRecordName, in.StartRecordType = out.NextRecordName, out.NextRecordType
		in.StartRecordIdentifier = out.NextRecordIdentifier
	}
}

// unescape turns the three-digit octal escapes, in which Route 53 answers every
// byte but a-z, 0-9, "-", "_" and ".", into the bytes [Route 53 Developer Guide,
// DNS domain name format]: "\052.example.com" is "*.example.com".
func unescape(name string) string {
	if !strings.Contains(name, `\`) {
		return name
	}
	var b strings.Builder
	for i := 0; i < len(name); i++ {
		if name[i] == '\\' && i+3 < len(name) && octal(name[i+1:i+4]) {
			b.WriteByte((name[i+1]-'0')<<6 | (name[i+2]-'0')<<3 | (name[i+3] - '0'))
			i += 3
			continue
		}
		b.WriteByte(name[i])
	}
	return strings.ToLower(b.String())
}

func octal(s string) bool {
	return s[0] >= '0' && s[0] <= '3' && s[1] >= '0' && s[1] <= '7' && s[2] >= '0' && s[2] <= '7'
}

// otherTypes are the types of sets that are no address records, sorted.
func otherTypes(sets []types.ResourceRecordSet) []string {
	var other []string
	for _, s := range sets {
		if !addressType(s.Type) {
			other = append(other, string(s.Type))
		}
	}
	slices.Sort(other)
	return slices.Compact(other)
}

func addressType(t types.RRType) bool {
	return t == types.RRTypeCname || t == types.RRTypeA || t == types.RRTypeAaaa
}
