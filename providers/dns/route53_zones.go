package dns

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/edgeward/edgeward/providers"
)

// search is one search for hosted zones: under way until done is closed.
type search struct {
	done chan struct{}
	err  error
	at   time.Time
}

// zone is the longest zone that holds name. ErrNotFound: none, or the account
// has no public one; ErrInvalid: it has two.
func (d *route53DNS) zone(ctx context.Context, name string) (*zone, error) {
	if len(d.ids) > 0 {
		pinned := func() bool { return d.pinned }
		if err := d.once(ctx, "zone_ids", pinned, d.pin); err != nil {
			return nil, err
		}
	}
	zoneName := d.longest(name)
	if zoneName == "" {
		return nil, fmt.Errorf("no zone of this provider (%s) holds %s: %w",
			strings.Join(d.zones, ", "), name, providers.ErrNotFound)
	}
	known := func() bool { return d.found[zoneName] != nil }
	err := d.once(ctx, zoneName, known, func(ctx context.Context) error { return d.find(ctx, zoneName) })
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.found[zoneName], nil
}

func (d *route53DNS) longest(name string) string {
	for _, z := range d.zones {
		if holds(z, name) {
			return z
		}
	}
	if len(d.zones) > 0 {
		return ""
	}
	// Without zones, those of zone_ids are meant.
	d.mu.Lock()
	defer d.mu.Unlock()
	best := ""
	for z := range d.found {
		if holds(z, name) && len(z) > len(best) {
			best = z
		}
	}
	return best
}

// once runs f unless have says that it is done. Callers that come meanwhile
// wait for it and share its error; so do those of the next seconds, so that one
// missing zone is not asked for by each of its names. have is called with
// d.mu held.
func (d *route53DNS) once(ctx context.Context, key string, have func() bool, f func(context.Context) error) error {
	for {
		now := d.clock.Now()
		d.mu.Lock()
		if have() {
			d.mu.Unlock()
			return nil
		}
		s := d.searches[key]
		if s == nil {
			s = &search{done: make(chan struct{})}
			d.searches[key] = s
			d.mu.Unlock()
			return d.run(ctx, key, s, f)
		}
		d.mu.Unlock()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.done:
		}
		if s.err != nil && now.Sub(s.at) < fresh {
			return s.err
		}
		d.forget(key, s)
	}
}

func (d *route53DNS) run(ctx context.Context, key string, s *search, f func(context.Context) error) error {
	err := f(ctx)
	if err == nil || ctx.Err() != nil {
		// The end of one caller's context is no answer for the others.
		d.forget(key, s)
		close(s.done)
		return err
	}
	s.err, s.at = err, d.clock.Now()
	close(s.done)
	return err
}

func (d *route53DNS) forget(key string, s *search) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.searches[key] == s {
		delete(d.searches, key)
	}
}

// find finds the public hosted zone of a name. The answer of
// ListHostedZonesByName begins at the name and goes on with later ones; a
// private zone of the same name may come first.
func (d *route53DNS) find(ctx context.Context, name string) error {
	api, err := d.client(ctx)
	if err != nil {
		return err
	}
	var public, private []types.HostedZone
	in := &route53.ListHostedZonesByNameInput{DNSName: aws.String(name + ".")}
	for {
		out, err := api.ListHostedZonesByName(ctx, in)
		if err != nil {
			return fmt.Errorf("find hosted zone of %s: %w", name, classify(err))
		}
		past := false
		for _, hz := range out.HostedZones {
			if unescape(clean(aws.ToString(hz.Name))) != name {
				past = true
			} else if isPrivate(hz) {
				private = append(private, hz)
			} else {
				public = append(public, hz)
			}
		}
		if past || !out.IsTruncated {
			break
		}
		in.DNSName, in.HostedZoneId = out.NextDNSName, out.NextHostedZoneId
	}
	switch {
	case len(public) == 1:
		d.keep(name, public[0])
		return nil
	case len(public) > 1:
		return fmt.Errorf("zone %s is ambiguous: the account has %d public hosted zones of this name (%s); write the one "+
			"that the domain is delegated to, such as zone_ids = [%q]: %w",
			name, len(public), strings.Join(zoneIDs(public), ", "), zoneIDs(public)[0], providers.ErrInvalid)
	case len(private) > 0:
		return privateError(name, zoneIDs(private)...)
	}
	return fmt.Errorf("zone %s: the account has no hosted zone of this name; check the account (aws) and the spelling: %w",
		name, providers.ErrNotFound)
}

// pin reads the hosted zones of zone_ids.
func (d *route53DNS) pin(ctx context.Context) error {
	api, err := d.client(ctx)
	if err != nil {
		return err
	}
	byName := map[string]types.HostedZone{}
	for _, id := range d.ids {
		out, err := api.GetHostedZone(ctx, &route53.GetHostedZoneInput{Id: aws.String(id)})
		if err != nil {
			return fmt.Errorf("read hosted zone %s of zone_ids: %w", id, classify(err))
		}
		if out.HostedZone == nil {
			return fmt.Errorf("read hosted zone %s of zone_ids: %w", id, errors.New("the answer has no zone"))
		}
		name := unescape(clean(aws.ToString(out.HostedZone.Name)))
		switch other, twice := byName[name]; {
		case isPrivate(*out.HostedZone):
			return privateError(name, id)
		case twice:
			return fmt.Errorf("read zone_ids: %s and %s are both zone %s; keep the one that the domain is delegated to: %w",
				zoneID(other), id, name, providers.ErrInvalid)
		case len(d.zones) > 0 && !slices.Contains(d.zones, name):
			return fmt.Errorf("read zone_ids: %s is zone %s, which zones (%s) does not list: %w",
				id, name, strings.Join(d.zones, ", "), providers.ErrInvalid)
		}
		byName[name] = *out.HostedZone
	}
	for name, hz := range byName {
		d.keep(name, hz)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.pinned = true
	return nil
}

func (d *route53DNS) keep(name string, hz types.HostedZone) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.found[name] = newZone(d, name, zoneID(hz), aws.ToInt64(hz.ResourceRecordSetCount))
}

func isPrivate(hz types.HostedZone) bool { return hz.Config != nil && hz.Config.PrivateZone }

func privateError(name string, ids ...string) error {
	return fmt.Errorf("zone %s is private (%s): only its VPCs see it, so a change there moves no visitor; "+
		"give the account that holds the public zone: %w", name, strings.Join(ids, ", "), providers.ErrNotFound)
}

func zoneID(hz types.HostedZone) string {
	return strings.TrimPrefix(aws.ToString(hz.Id), "/hostedzone/")
}

func zoneIDs(zones []types.HostedZone) []string {
	var ids []string
	for _, hz := range zones {
		ids = append(ids, zoneID(hz))
	}
	slices.Sort(ids)
	return ids
}
