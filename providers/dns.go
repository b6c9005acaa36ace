package providers

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// DNS is one DNS provider with the zones it was given.
type DNS interface {
	Features() Features
	// Look reads what stands at name, from the provider's API, not from name
	// servers. Answered from one listing of the zone where that is cheaper.
	// ErrNotFound: the provider has no public zone that holds the name.
	// ErrDenied, ErrCredentials.
	Look(ctx context.Context, name string) (RecordSet, error)
	// List reads all names of one of the provider's zones at which an address record
	// stands, sorted by name; below a delegation nothing is the zone's. ErrNotFound:
	// the provider has no such public zone. ErrUnlistable: its names cannot be listed,
	// only looked at.
	List(ctx context.Context, zone string) ([]RecordSet, error)
	// Replace makes want the only address records (CNAME, A, AAAA, alias) at name
	// if have is what stands there, else ErrConflict. Other types at the name are
	// never compared, written or removed. have and want may be empty: create,
	// remove. Without Features.Swap the comparison is a read just before the
	// write. It returns when the provider says that its name servers have it.
	// One caller's conflict never fails another's change (design, rule 6).
	Replace(ctx context.Context, name string, have, want []Record) error
	// Ensure creates an ordinary CNAME, such as a certificate's validation record.
	// It is done when the very record stands there; ErrConflict when another
	// record does. It never changes or removes one.
	Ensure(ctx context.Context, r Record, name string) error
}

// Features are what a provider can do, as data: a plan prints them and refuses
// by them.
type Features struct {
	// Provider is the type's label, such as "route53".
	Provider string
	// Alias: the provider can point an apex at another name (alias records).
	Alias bool
	// Flatten: a CNAME may stand at an apex, and the provider answers with the
	// addresses of its target.
	Flatten bool
	// Swap: Replace compares and writes atomically, TTLs aside where the provider
	// cannot compare them.
	Swap bool
	// Atomic: a changed record set is replaced by one write of the provider.
	Atomic bool
	// InPlace: a changed record keeps its identity; it is never deleted and made
	// anew.
	InPlace bool
	// WholeZone: every write sends the whole zone, so that an edit of any record
	// meanwhile can be lost.
	WholeZone bool
	// ByHand: a person changes the records; Replace and Ensure answer *ByHandError
	// until that is done.
	ByHand bool
	// MinTTL is the smallest TTL that the provider keeps; 0 means none.
	MinTTL time.Duration
	// Unsafe is the sentence why this provider must not switch a record, or "".
	Unsafe string
}

// ByHandError says which record a person has to set, and what the servers still
// answer. The change has not been made; asking again later is safe.
type ByHandError struct {
	// Record is what to set, add or remove, rows in the form of a zone file (see
	// ByHand).
	Record string
	// Still is what each server answers instead.
	Still string
}

func (e *ByHandError) Error() string {
	return "to be done by hand: " + e.Record + "; " + e.Still
}

// RecordSet is all that stands at one name.
type RecordSet struct {
	Name string
	Zone string
	// Records are the address records: CNAME, A, AAAA and aliases, sorted.
	Records []Record
	// Other are the other types at the name, such as MX, sorted.
	Other []string
	// Routing is the sentence why the set cannot be changed as a whole (a
	// weighted or latency set, say), or "".
	Routing string
	// ZoneID is the provider's own mark of the zone (Route 53, Cloudflare), or "". IDs
	// are those of Records, in their order, where a record has one (Cloudflare), else
	// nil. Other tools ask for them; edgeward does not.
	ZoneID string
	IDs    []string
}

// Record is one address record.
type Record struct {
	// Type is CNAME, A or AAAA; an alias record has the type that it answers.
	Type string
	// Value is the target name or the address.
	Value string
	// Alias is true when the provider answers with the addresses of Value.
	Alias bool
	// AliasZone is the hosted zone of an alias' target (Route 53), or "".
	AliasZone string
	// EvaluateHealth is an alias' EvaluateTargetHealth (Route 53).
	EvaluateHealth bool
	// Proxied records are answered by the provider's own proxy.
	Proxied bool
	// TTL is 0 for alias and proxied records, which have none of their own.
	TTL time.Duration
}

// String is the record as plans print it: "CNAME target TTL 60s",
// "A alias target".
func (r Record) String() string {
	var b strings.Builder
	b.WriteString(r.Type)
	if r.Alias {
		b.WriteString(" alias")
	}
	b.WriteString(" " + r.Value)
	if r.Proxied {
		b.WriteString(" proxied")
	}
	if !r.Alias && !r.Proxied {
		fmt.Fprintf(&b, " TTL %ds", int64(r.TTL/time.Second))
	}
	return b.String()
}

// Row is the record at name as a row of a zone file, TTL in seconds:
// "assets.example.com. 60 IN CNAME d111111abcdef8.cloudfront.net.".
func (r Record) Row(name string) string {
	value := r.Value
	if r.Type == "CNAME" {
		value += "."
	}
	return fmt.Sprintf("%s. %d IN %s %s", name, int64(r.TTL/time.Second), r.Type, value)
}

// ByHand says what a person has to do so that want stands at name in place of
// have: the text of ByHandError.Record.
func ByHand(name string, have, want []Record) string {
	rows := func(rs []Record) string {
		rs = slices.Clone(rs)
		SortRecords(rs)
		var out []string
		for _, r := range rs {
			out = append(out, strconv.Quote(r.Row(name)))
		}
		return strings.Join(out, " and ")
	}
	switch {
	case len(want) == 0:
		return "remove " + rows(have)
	case len(have) == 0:
		return "add " + rows(want)
	}
	return "set " + rows(want) + " in place of " + rows(have)
}

// SortRecords puts records into the order in which they are compared and
// printed.
func SortRecords(rs []Record) {
	slices.SortFunc(rs, func(a, b Record) int { return strings.Compare(a.String(), b.String()) })
}

// SameRecords says whether two lists are the same records, TTLs included, in
// any order.
func SameRecords(a, b []Record) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	SortRecords(a)
	SortRecords(b)
	return slices.Equal(a, b)
}
