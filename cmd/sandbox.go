package cmd

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/planner/proof"
	"github.com/edgeward/edgeward/providers"
	"github.com/edgeward/edgeward/providers/dns"
	"github.com/edgeward/edgeward/providers/sandbox"
)

const (
	// sandboxSeed decides all that is random in a sandbox, so that two runs are
	// the same.
	sandboxSeed = 1
	// sandboxTTL is what the simulated records have: an hour, as many do.
	sandboxTTL = time.Hour
	// sandboxRegion is that of buckets whose region S3 is to be asked for.
	sandboxRegion = "eu-west-1"
	// visitEvery is how often the visitors of a sandbox come; of more names than
	// visitNames less often, but each visitAtLeast: traffic.watch counts their requests.
	visitEvery   = 10 * time.Second
	visitNames   = 50
	visitAtLeast = 30 * time.Second
	// visitAfter is how many come after each event, in turn: those of visitNames.
	visitAfter = 8 * visitNames
	// sandboxPatience bounds the waits of a run there, whose time costs nothing.
	sandboxPatience = 30 * 24 * time.Hour
)

// simulate makes the world that c describes as it is before any migration:
// public buckets with some objects, and the names pointing at S3. What c says
// about things that exist already (a distribution to adopt) is not there;
// that is said and left out. change may add to it; nil changes nothing.
func (a *app) simulate(ctx context.Context, c *config.Config, change func(*sandbox.Options)) world {
	fmt.Fprintf(a.stderr, "sandbox: a simulated world made from the configuration, seed %d, from %s; nothing leaves this machine\n",
		sandboxSeed, sandbox.Epoch().Format("2006-01-02 15:04:05 MST"))
	c = a.withoutAdoption(c)
	o := sandboxOptions(c)
	if change != nil {
		change(&o)
	}
	o.Clock, o.Seed = sandbox.NewClock(time.Time{}, 0), sandboxSeed
	o.Hook = a.trace.simulated(o.Clock)
	o.EventVisits = visitAfter
	s := sandbox.New(o)
	for arn, names := range certificates(c) {
		s.AddCertificate(names.account, providers.Certificate{ARN: arn, Names: names.names})
	}
	s.StartVisitors(ctx, visitsEvery(len(c.Buckets)))
	return world{World: s.Providers(), sandbox: s, config: c}
}

// visitsEvery is how often visitors come where there are so many buckets: as many
// visits as of visitNames buckets, as far as the shares are still counted.
func visitsEvery(buckets int) time.Duration {
	return min(max(visitEvery*time.Duration(buckets)/visitNames, visitEvery), visitAtLeast)
}

func (a *app) withoutAdoption(c *config.Config) *config.Config {
	copied := *c
	copied.Buckets = slices.Clone(c.Buckets)
	for i, b := range copied.Buckets {
		if b.Distribution.Adopt != "" {
			fmt.Fprintf(a.stderr, "sandbox: %s: distribution %s is not there; a new one is made\n", b.Address, b.Distribution.Adopt)
			copied.Buckets[i].Distribution.Adopt = ""
		}
	}
	return &copied
}

// sandboxOptions are the buckets and zones of c.
func sandboxOptions(c *config.Config) sandbox.Options {
	var o sandbox.Options
	for _, account := range c.Accounts {
		o.Accounts = append(o.Accounts, account.Name)
	}
	features := map[string]providers.Features{}
	for _, t := range dns.Types() {
		features[t.Name] = t.Features
	}
	at := map[string]int{}
	for i, p := range c.DNSProviders {
		at[p.Address] = i
		o.DNS = append(o.DNS, sandbox.Provider{Address: p.Address, Zones: p.Zones, Features: features[p.Type],
			Person: sandbox.Span{Min: time.Hour, Max: 4 * time.Hour}})
	}
	made := map[string]bool{}
	o.Quotas = roomFor(c)
	for _, b := range c.Buckets {
		website := b.Origin == "website"
		for _, name := range b.CNAMEs {
			apex := name.Name == name.Zone
			website = website || apex && b.Moved(name)
			if !b.Moved(name) {
				continue
			}
			p := &o.DNS[at[name.DNSProvider]]
			p.Records = append(p.Records, sandbox.NamedRecord{Name: name.Name, Record: todaysRecord(b, apex && !p.Features.Flatten, website)})
		}
		if !made[b.Name] {
			made[b.Name] = true
			o.Buckets = append(o.Buckets, sandboxBucket(b, website))
		}
	}
	return o
}

// roomFor are the quotas of a simulated account, which are never in the way: what
// a real one may have, a plan asks AWS.
func roomFor(c *config.Config) map[providers.QuotaKind]int {
	room := map[providers.QuotaKind]int{}
	for _, kind := range []providers.QuotaKind{providers.QuotaDistributions, providers.QuotaCertificates, providers.QuotaCertificatesYear} {
		room[kind] = max(kind.Documented().Limit, len(c.Buckets))
	}
	return room
}

func regionOf(b config.Bucket) string {
	if b.Region == "" {
		return sandboxRegion
	}
	return b.Region
}

// todaysRecord is what points a bucket's own name at S3: a CNAME, or, at the
// apex of a zone, where no CNAME can be, an alias of the website endpoint.
func todaysRecord(b config.Bucket, apex, website bool) providers.Record {
	region := regionOf(b)
	if apex {
		return providers.Record{Type: "A", Alias: true, Value: websiteEndpoint(region), AliasZone: websiteZone(region)}
	}
	target := b.Name + ".s3." + region + ".amazonaws.com"
	if website {
		target = b.Name + "." + websiteEndpoint(region)
	}
	return providers.Record{Type: "CNAME", Value: target, TTL: sandboxTTL}
}

// websiteEndpoint has a dash in the older regions and a dot in the others
// [AWS General Reference: Amazon S3 website endpoints].
func websiteEndpoint(region string) string {
	switch region {
	case "us-east-1", "us-west-1", "us-west-2", "eu-west-1", "ap-northeast-1", "ap-southeast-1", "ap-southeast-2", "sa-east-1", "us-gov-west-1":
		return "s3-website-" + region + ".amazonaws.com"
	}
	return "s3-website." + region + ".amazonaws.com"
}

// websiteZone is the hosted zone of the website endpoints [as before]; of the
// two that are told apart here, because nothing in a sandbox depends on it.
func websiteZone(region string) string {
	if region == "us-east-1" {
		return "Z3AQBSTGFYJSTF"
	}
	return "Z1BKCTXD74EZPE"
}

// sandboxBucket is a public bucket with the objects that the test links ask
// for, and some more.
func sandboxBucket(b config.Bucket, website bool) sandbox.Bucket {
	s := sandbox.Bucket{Account: b.Account, Name: b.Name, Region: regionOf(b)}
	keys := []string{"index.html", "css/site.css", "img/logo.svg", "docs/index.html"}
	if website {
		s.Website = &providers.Website{IndexDocument: "index.html", ErrorDocument: "error.html"}
		keys = append(keys, "error.html")
	}
	for _, path := range b.Verify.Paths {
		if proof.IsPattern(path) {
			// A key that fits it.
			path = strings.ReplaceAll(strings.ReplaceAll(path, "**", "any/one"), "*", "one")
		}
		path, _, _ = strings.Cut(path, "?")
		key, err := url.PathUnescape(strings.TrimPrefix(path, "/"))
		if err != nil || key == "" {
			continue
		}
		if website && strings.HasSuffix(key, "/") {
			key += "index.html"
		}
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range slices.Compact(keys) {
		s.Objects = append(s.Objects, sandbox.Object{Key: key, Body: []byte(b.Name + "/" + key + "\n"), ContentType: contentType(key)})
	}
	return s
}

func contentType(key string) string {
	switch key[strings.LastIndexByte(key, '.')+1:] {
	case "html":
		return "text/html"
	case "css":
		return "text/css"
	case "svg":
		return "image/svg+xml"
	}
	return "binary/octet-stream"
}

// covered are the names that a certificate of the configuration must cover.
type covered struct {
	account string
	names   []string
}

// certificates are those that c names by ARN, issued for all buckets that use
// them.
func certificates(c *config.Config) map[string]covered {
	found := map[string]covered{}
	for _, b := range c.Buckets {
		if b.CertificateARN == "" {
			continue
		}
		x := found[b.CertificateARN]
		x.account = b.Account
		x.names = append(x.names, b.Names()...)
		found[b.CertificateARN] = x
	}
	return found
}
