package dns

import (
	"context"
	"fmt"
	"time"

	"github.com/libdns/libdns"
)

// callLimit is how long one call of a module may take. The modules' HTTP
// clients have no limit of their own.
const callLimit = 2 * time.Minute

// reply is what a call of a module gave.
type reply struct {
	records []libdns.Record
	err     error
}

// take waits for the turn.
func (d *libdnsDNS) take(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case d.turn <- struct{}{}:
		return nil
	}
}

// give lets the next caller have its turn, once a call that was given up has
// ended.
func (d *libdnsDNS) give() {
	left := d.left
	d.left = nil
	if left == nil {
		<-d.turn
		return
	}
	go func() {
		<-left
		<-d.turn
	}()
}

// call runs one call of the module for the one who has the turn. It returns
// when ctx ends or the time is up, even if the module does not hear that, as
// porkbun v1.1.0 and godaddy v1.1.0 do not; the turn is then kept until the
// module is done. A panic in the module is an error: azure v0.5.0 has one for
// CNAME record sets that are aliases.
func (d *libdnsDNS) call(ctx context.Context, write []libdns.RR, f func(context.Context) ([]libdns.Record, error)) ([]libdns.Record, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	given := inner
	if d.row.keepsContext {
		given = context.WithoutCancel(ctx)
	}
	if d.row.context != nil {
		given = d.row.context(given, write)
	}
	done := make(chan reply, 1)
	go func() {
		defer func() {
			if v := recover(); v != nil {
				done <- reply{err: fmt.Errorf("the module for it broke down: %v", v)}
			}
		}()
		records, err := f(given)
		done <- reply{records, err}
	}()
	late := make(chan struct{})
	go func() {
		if d.clock.Sleep(inner, callLimit) == nil {
			close(late)
		}
	}()
	select {
	case r := <-done:
		if r.err != nil && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return r.records, d.classify(r.err)
	case <-ctx.Done():
		d.left = done
		return nil, ctx.Err()
	case <-late:
		d.left = done
		return nil, d.classify(fmt.Errorf("no answer within %v", callLimit))
	}
}

// read lists the zone; the answer is kept. The caller has the turn.
func (d *libdnsDNS) read(ctx context.Context, z *libdnsZone) *zoneList {
	d.mu.Lock()
	d.ticks++
	l := &zoneList{began: d.ticks}
	d.mu.Unlock()
	l.records, l.err = d.call(ctx, nil, func(ctx context.Context) ([]libdns.Record, error) {
		return d.module.GetRecords(ctx, z.name+".")
	})
	if l.err == nil && len(l.records) == 0 && d.row.neverEmpty {
		l.err = d.classify(fmt.Errorf("the list of records of zone %s came back empty, without even its NS records, "+
			"which is how its module reports a list that it could not read", z.name))
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	l.at = d.clock.Now()
	// The end of one caller's context is no answer for the others.
	if z.listing = l; ctx.Err() != nil {
		z.listing = nil
	}
	return l
}

// listing is a fresh listing of the zone, read if there is none.
func (d *libdnsDNS) listing(ctx context.Context, z *libdnsZone) (*zoneList, error) {
	l := d.fresh(z)
	if l == nil {
		if err := d.take(ctx); err != nil {
			return nil, err
		}
		defer d.give()
		// Another caller may have read it meanwhile.
		if l = d.fresh(z); l == nil {
			l = d.read(ctx, z)
		}
	}
	return l, l.err
}

// fresh is the last listing if it is young enough for a look.
func (d *libdnsDNS) fresh(z *libdnsZone) *zoneList {
	d.mu.Lock()
	defer d.mu.Unlock()
	if z.listing == nil || d.clock.Now().Sub(z.listing.at) >= fresh {
		return nil
	}
	return z.listing
}

// since is the last listing if it was begun after a tick: the read-back of the
// change before this one, for callers that waited for their turn.
func (d *libdnsDNS) since(z *libdnsZone, tick int64) *zoneList {
	d.mu.Lock()
	defer d.mu.Unlock()
	if z.listing == nil || z.listing.began <= tick || z.listing.err != nil {
		return nil
	}
	return z.listing
}

// write makes the steps one after the other; what was listed before no longer
// holds. The caller has the turn.
func (d *libdnsDNS) write(ctx context.Context, z *libdnsZone, steps []step) error {
	d.mu.Lock()
	z.listing = nil
	d.mu.Unlock()
	for _, s := range steps {
		call := d.module.SetRecords
		switch s.kind {
		case stepAppend:
			call = d.module.AppendRecords
		case stepDelete:
			call = d.module.DeleteRecords
		}
		var rrs []libdns.RR
		for _, r := range s.records {
			rrs = append(rrs, r.RR())
		}
		if _, err := d.call(ctx, rrs, func(ctx context.Context) ([]libdns.Record, error) {
			return call(ctx, z.name+".", s.records)
		}); err != nil {
			return err
		}
	}
	return nil
}
