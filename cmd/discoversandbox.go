package cmd

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/providers"
	"github.com/edgeward/edgeward/providers/sandbox"
)

// discoverWorld is the real world, or a sandbox with something to find: the
// configuration's own names would all be configured already.
func (a *app) discoverWorld(ctx context.Context, c *config.Config) (world, error) {
	if err := a.traceConfig(c); err != nil {
		return world{}, err
	}
	if !a.flags.sandbox {
		return realWorld(c, a.trace)
	}
	return a.simulate(ctx, c, func(o *sandbox.Options) {
		names := 0
		for i := range o.DNS {
			for _, zone := range o.DNS[i].Zones {
				names += invent(o, &o.DNS[i], zone)
			}
		}
		fmt.Fprintf(a.stderr, "sandbox: %d names were invented in the zones, so that there is something to find\n", names)
	}), nil
}

// invented is a name of a sandbox that leads to S3, and the bucket that it finds.
type invented struct {
	label, target string
	bucket        *sandbox.Bucket
}

// invent adds to a zone a name of each kind that discover tells apart, unless the
// configuration has it, and says how many.
func invent(o *sandbox.Options, p *sandbox.Provider, zone string) int {
	public, private, gone := &sandbox.Bucket{}, &sandbox.Bucket{Private: true}, (*sandbox.Bucket)(nil)
	site := &sandbox.Bucket{Website: &providers.Website{IndexDocument: "index.html"}}
	n := 0
	for _, x := range []invented{
		{"assets", "assets." + zone + ".s3." + sandboxRegion + ".amazonaws.com", public},
		{"www", "www." + zone + "." + websiteEndpoint(sandboxRegion), site},
		{"media", "media." + zone + ".s3.us-west-2.amazonaws.com", public},
		{"cdn", "static." + zone, public},
		{"internal", "internal." + zone + ".s3." + sandboxRegion + ".amazonaws.com", private},
		{"partner", "partner." + zone + ".s3.amazonaws.com", &sandbox.Bucket{Foreign: true}},
		{"static", "assets." + zone + ".s3." + sandboxRegion + ".amazonaws.com", gone},
		{"old", "old." + zone + ".s3-" + sandboxRegion + ".amazonaws.com", gone},
	} {
		name := x.label + "." + zone
		if taken(o, name) {
			continue
		}
		n++
		p.Records = append(p.Records, sandbox.NamedRecord{Name: name, Record: providers.Record{Type: "CNAME", Value: x.target, TTL: sandboxTTL}})
		if x.bucket != nil {
			b := inventedBucket(o, name)
			b.Website, b.Private, b.Foreign = x.bucket.Website, x.bucket.Private, x.bucket.Foreign
			o.Buckets = append(o.Buckets, b)
		}
	}
	o.Buckets = append(o.Buckets, inventedBucket(o, "backup."+zone))
	return n
}

func taken(o *sandbox.Options, name string) bool {
	return slices.ContainsFunc(o.Buckets, func(b sandbox.Bucket) bool { return b.Name == name }) ||
		slices.ContainsFunc(o.DNS, func(p sandbox.Provider) bool {
			return slices.ContainsFunc(p.Records, func(r sandbox.NamedRecord) bool { return r.Name == name })
		})
}

func inventedBucket(o *sandbox.Options, name string) sandbox.Bucket {
	account := ""
	if len(o.Accounts) > 0 {
		account = o.Accounts[0]
	}
	return sandbox.Bucket{Account: account, Name: name, Region: sandboxRegion, Objects: []sandbox.Object{
		{Key: "index.html", Body: []byte(name + "\n"), ContentType: "text/html", Modified: time.Time{}},
	}}
}
