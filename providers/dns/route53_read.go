package dns

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

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

	// known is what was read of the zone.
	known *reads[types.ResourceRecordSet]

	// mu guards the fields below; it is never held while waiting.
	mu      sync.Mutex
	queue   []*change
	sending bool
}

func newZone(d *route53DNS, name, id string, size int64) *zone {
	z := &zone{d: d, name: name, id: id}
	z.known = &reads[types.ResourceRecordSet]{
		clock: d.clock, page: pageSize, size: int(size),
		one: func(ctx context.Context, name string) ([]types.ResourceRecordSet, error) {
			sets, err := z.list(ctx, name)
			return sets[name], err
		},
		all: func(ctx context.Context) (map[string][]types.ResourceRecordSet, error) { return z.list(ctx, "") },
	}
	return z
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
