package dns

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/edgeward/edgeward/providers"
)

// cloudflareFind is one search for a zone: under way until done is closed.
type cloudflareFind struct {
	done chan struct{}
	err  error
	at   time.Time
}

// zone is the longest zone that holds name. Callers that come while it is being
// looked for share the search, and its error for some seconds.
func (d *cloudflareDNS) zone(ctx context.Context, name string) (*cloudflareZone, error) {
	zone := d.longest(name)
	if zone == "" {
		return nil, fmt.Errorf("no zone of this provider (%s) holds %s: %w", strings.Join(d.zones, ", "), name, providers.ErrNotFound)
	}
	for {
		now := d.clock.Now()
		d.mu.Lock()
		if z := d.found[zone]; z != nil {
			d.mu.Unlock()
			return z, nil
		}
		f := d.finds[zone]
		if f == nil {
			f = &cloudflareFind{done: make(chan struct{})}
			d.finds[zone] = f
			d.mu.Unlock()
			return d.search(ctx, zone, f)
		}
		d.mu.Unlock()
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-f.done:
		}
		if f.err != nil && now.Sub(f.at) < fresh {
			return nil, f.err
		}
		d.forget(zone, f)
	}
}

func (d *cloudflareDNS) longest(name string) string {
	for _, z := range d.zones {
		if holds(z, name) {
			return z
		}
	}
	return ""
}

func (d *cloudflareDNS) search(ctx context.Context, zone string, f *cloudflareFind) (*cloudflareZone, error) {
	z, err := d.find(ctx, zone)
	switch {
	case err == nil:
		d.mu.Lock()
		d.found[zone] = z
		d.mu.Unlock()
	case ctx.Err() != nil:
		// The end of one caller's context is no answer for the others, who search
		// anew.
	default:
		f.err, f.at = err, d.clock.Now()
	}
	close(f.done)
	return z, err
}

func (d *cloudflareDNS) forget(zone string, f *cloudflareFind) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.finds[zone] == f {
		delete(d.finds, zone)
	}
}

// find asks for the zone of a name. Accounts may each have one of that name;
// only one of them can be active.
func (d *cloudflareDNS) find(ctx context.Context, name string) (*cloudflareZone, error) {
	var zones []cloudflareZoneInfo
	if _, err := d.call(ctx, http.MethodGet, "/zones", url.Values{"name": {name}}, nil, &zones); err != nil {
		return nil, fmt.Errorf("find zone %s: %w", name, d.explain(name, false, err))
	}
	var active []cloudflareZoneInfo
	var idle cloudflareZoneInfo
	for _, z := range zones {
		switch {
		case clean(z.Name) != name || z.ID == "":
		case z.Status == "active":
			active = append(active, z)
		default:
			idle = z
		}
	}
	switch {
	case len(active) == 1:
		if err := inForce(active[0]); err != nil {
			return nil, err
		}
		z := newCloudflareZone(d, name, active[0].ID)
		return z, z.settings(ctx)
	case len(active) > 1:
		return nil, fmt.Errorf("zone %s is ambiguous: the token reads %d active zones of this name; "+
			"use a token of the one account whose name servers the domain is delegated to: %w", name, len(active), providers.ErrInvalid)
	case idle.ID != "":
		return nil, inForce(idle)
	}
	return nil, fmt.Errorf("zone %s: Cloudflare shows none of this name to the token; either the account has no such zone, "+
		"or the token lacks the permission Zone:Read for it (the answer is the same): %w", name, providers.ErrNotFound)
}

// inForce says why what stands in a zone is not what the world sees
// [Cloudflare, Zone status; Cloudflare API, Zone: type]. A paused zone is in
// force: its names are still answered, only not proxied.
func inForce(z cloudflareZoneInfo) error {
	servers := ""
	if len(z.NameServers) > 0 {
		servers = " to " + strings.Join(z.NameServers, ", ")
	}
	name := clean(z.Name)
	switch {
	case z.Status != "active":
		return fmt.Errorf("zone %s is not delegated to Cloudflare (its status is %q): no visitor sees a change there; "+
			"delegate the domain%s, or use the provider that it is delegated to: %w", name, z.Status, servers, providers.ErrNotFound)
	case z.Type == "partial":
		return fmt.Errorf("zone %s is not delegated to Cloudflare (it is a partial zone, a CNAME setup): "+
			"use the provider that the domain is delegated to: %w", name, providers.ErrNotFound)
	case z.Type == "secondary":
		return fmt.Errorf("zone %s is secondary: Cloudflare copies its records from a primary server; "+
			"change them there: %w", name, providers.ErrInvalid)
	case z.Type == "internal":
		return fmt.Errorf("zone %s is internal: no visitor sees it: %w", name, providers.ErrNotFound)
	}
	return nil
}

// settings reads whether every CNAME of the zone is flattened. A token that may
// not know does not matter; the error is ctx's.
func (z *cloudflareZone) settings(ctx context.Context) error {
	var s struct {
		FlattenAll bool `json:"flatten_all_cnames"`
	}
	if _, err := z.d.call(ctx, http.MethodGet, "/zones/"+url.PathEscape(z.id)+"/dns_settings", nil, nil, &s); err != nil {
		return ctx.Err()
	}
	z.flattenAll = s.FlattenAll
	return nil
}
