// Package dns holds the DNS providers of edgeward: adapters of providers.DNS,
// and the one table of their types. A further provider is one row of the table
// and a test that runs providertest.DNS.
package dns

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/edgeward/edgeward/providers"
)

// Type is one row of the table: a type of dns_provider that users may write.
type Type struct {
	// Name is the label in the configuration, such as "route53".
	Name string
	// Title is how people call the provider; "" is Name.
	Title string
	// Notes are whole sentences for the documentation, or "".
	Notes string
	// Settings are the attributes of its own, beside zones and nameservers.
	Settings []Setting
	// Features are what every provider of this type can do.
	Features providers.Features
	// New makes a provider; it does no I/O. An error says which setting is wrong.
	New func(Options) (providers.DNS, error)
}

// Setting is one attribute of a dns_provider block: a string, unless one of List,
// Account, Duration and Bool says something else.
type Setting struct {
	Name string
	// List: the value is a list of strings.
	List bool
	// Account: the value is a reference to an aws block.
	Account bool
	// Duration: the value is a duration such as "60s".
	Duration bool
	// Bool: the value is true or false.
	Bool bool
	// Required: a missing value is an error of the configuration.
	Required bool
	// Env are the environment variables that give the value when the attribute is
	// left out; the first one that is set and not empty counts. A list is
	// separated by commas there.
	Env []string
	// Sensitive values are secrets; this is for the documentation only, for no
	// setting is ever printed.
	Sensitive bool
	// Doc is one line for the documentation.
	Doc string
}

// Options are what a provider is made from.
type Options struct {
	// Zones are the zones of the dns_provider block, lower case without a
	// trailing dot. No other zone of the account is read or changed.
	Zones []string
	// Settings are the type's own attributes: string, []string for a list,
	// time.Duration or bool. What the user left out is not in the map.
	Settings map[string]any
	// AWS gives the configuration of the account that the block refers to. It is
	// called at the first request, and again after it failed.
	AWS func(ctx context.Context) (aws.Config, error)
	// Resolver asks the authoritative servers where there is no API, Nameservers
	// in place of the delegated ones when there are any.
	Resolver    providers.Resolver
	Nameservers []string
	// Clock is all waiting; required.
	Clock providers.Clock
	// Limiters are shared with whoever is counted together with this provider; nil
	// are its own, at the rate that its API documents. LimitScope tells the account
	// that Route 53 counts by, "" or nil where there is only one.
	Limiters   *providers.Limiters
	LimitScope func(ctx context.Context) string
	// Trace takes note of what is sent; nil takes none. Route 53's calls are told by
	// whoever made the configuration that AWS gives.
	Trace providers.Trace
}

func (o Options) limiters() *providers.Limiters {
	if o.Limiters == nil {
		return providers.NewLimiters(o.Clock)
	}
	return o.Limiters
}

// Types is the table, sorted by name.
func Types() []Type {
	types := []Type{
		azureType(),
		titled("Cloudflare", cloudflareType()),
		desecType(),
		digitaloceanType(),
		dnsimpleType(),
		godaddyType(),
		googleclouddnsType(),
		inwxType(),
		ionosType(),
		luadnsType(),
		titled("a person", manualType()),
		porkbunType(),
		powerdnsType(),
		titled("a name server with dynamic updates", rfc2136Type()),
		route53Type(),
	}
	slices.SortFunc(types, func(a, b Type) int { return strings.Compare(a.Name, b.Name) })
	return types
}

// titled names a type that does not say its title itself.
func titled(title string, t Type) Type {
	if t.Title == "" {
		t.Title = title
	}
	return t
}

func route53Type() Type {
	return Type{
		Name: "route53", Title: "Amazon Route 53",
		Settings: []Setting{
			{Name: "aws", Account: true, Doc: "the aws block of the account that holds the zones; default: the SDK's chain"},
			{Name: "zone_ids", List: true, Doc: "hosted zone ids, needed where an account has two public zones of one name"},
		},
		Features: route53Features(),
		New:      newRoute53,
	}
}

// clean is a DNS name as the ports have it: lower case, no trailing dot.
func clean(name string) string {
	return strings.TrimSuffix(strings.ToLower(name), ".")
}

// holds says whether name is zone itself or below it, by whole labels.
func holds(zone, name string) bool {
	return name == zone || strings.HasSuffix(name, "."+zone)
}
