package dns

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/edgeward/edgeward/providers"
)

const (
	// maxRecords and maxCharacters bound one ChangeBatch [Route 53 API
	// Reference, ChangeResourceRecordSets: limits].
	maxRecords    = 1000
	maxCharacters = 32000
	// maxTries bounds how often one name is sent whose values keep changing
	// their spelling.
	maxTries = 3
)

// change is the change of one name. Its removals and creations are always sent
// together.
type change struct {
	name       string
	have, want []providers.Record
	// anyTTL: a standing record that differs from want in its TTL only is fine.
	anyTTL bool

	ctx   context.Context
	parts []types.Change
	tries int
	err   error
	done  chan struct{}
}

// errApplied says that what is wanted stands.
var errApplied = errors.New("what is wanted stands already")

// prepare compares what stands with what the caller said, and makes the
// removals and creations from the sets as Route 53 spells them.
func (c *change) prepare(zone string, sets []types.ResourceRecordSet) error {
	stands := recordSet(zone, c.name, sets)
	if c.applied(stands) && c.tries > 0 {
		return errApplied
	}
	if stands.Routing != "" {
		return fmt.Errorf("%s: %w", stands.Routing, providers.ErrConflict)
	}
	if !sameRecords(stands.Records, c.have) {
		return fmt.Errorf("%s stands at %s, where the change expects %s: %w", describe(providers.RecordSet{Records: stands.Records}),
			c.name, describe(providers.RecordSet{Records: c.have}), providers.ErrConflict)
	}
	if len(c.want) == 1 && c.want[0].Type == "CNAME" && len(stands.Other) > 0 {
		class := providers.ErrInvalid
		if c.anyTTL {
			class = providers.ErrConflict
		}
		return fmt.Errorf("a CNAME of %s cannot stand beside its %s: %w", c.name, strings.Join(stands.Other, ", "), class)
	}
	c.parts = nil
	for _, s := range sets {
		if addressType(s.Type) {
			c.parts = append(c.parts, types.Change{Action: types.ChangeActionDelete, ResourceRecordSet: &s})
		}
	}
	for _, s := range wanted(c.name, c.want) {
		c.parts = append(c.parts, types.Change{Action: types.ChangeActionCreate, ResourceRecordSet: &s})
	}
	return nil
}

func (c *change) applied(stands providers.RecordSet) bool {
	if stands.Routing != "" {
		return false
	}
	if c.anyTTL {
		ok, err := ensured(stands, c.want[0])
		return ok && err == nil
	}
	return sameRecords(stands.Records, c.want)
}

// size is what the change takes of the limits of a batch; an alias counts as
// one record.
func (c *change) size() (records, characters int) {
	for _, p := range c.parts {
		records += max(1, len(p.ResourceRecordSet.ResourceRecords))
		for _, r := range p.ResourceRecordSet.ResourceRecords {
			characters += len(aws.ToString(r.Value))
		}
	}
	return records, characters
}

func (c *change) settle(err error) {
	if errors.Is(err, errApplied) {
		err = nil
	}
	c.err = err
	close(c.done)
}

// change writes c, together with other changes of the zone that come within a
// moment or while one is being sent, and waits until Route 53 says that its
// name servers have it (INSYNC). sets are what stands at the name.
func (z *zone) change(ctx context.Context, c *change, sets []types.ResourceRecordSet) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := c.prepare(z.name, sets); err != nil {
		return err
	}
	c.ctx, c.done = ctx, make(chan struct{})
	z.mu.Lock()
	z.queue = append(z.queue, c)
	start := !z.sending
	z.sending = true
	z.mu.Unlock()
	if start {
		// The batch belongs to all its callers; see joined.
		go z.send(providers.WithIdle(context.WithoutCancel(ctx), nil))
	}
	defer providers.Idle(ctx)()
	select {
	case <-c.done:
		return c.err
	case <-ctx.Done():
		z.mu.Lock()
		z.queue = slices.DeleteFunc(z.queue, func(o *change) bool { return o == c })
		z.mu.Unlock()
		return ctx.Err()
	}
}

// send sends batches until the queue is empty.
func (z *zone) send(ctx context.Context) {
	for {
		z.mu.Lock()
		if len(z.queue) == 0 {
			z.sending = false
			z.mu.Unlock()
			return
		}
		z.mu.Unlock()
		// It cannot end early: ctx has no end.
		_ = z.d.clock.Sleep(ctx, gather)
		if batch := z.batch(); len(batch) > 0 {
			z.apply(ctx, batch)
		}
	}
}

// batch takes changes of different names from the queue, as many as one
// ChangeBatch can have. Those whose callers have gone are dropped.
func (z *zone) batch() []*change {
	z.mu.Lock()
	defer z.mu.Unlock()
	var batch, rest []*change
	names := map[string]bool{}
	records, characters := 0, 0
	for _, c := range z.queue {
		r, n := c.size()
		switch {
		case c.ctx.Err() != nil:
			c.settle(c.ctx.Err())
		case names[c.name], len(batch) > 0 && (records+r > maxRecords || characters+n > maxCharacters):
			rest = append(rest, c)
		default:
			batch, names[c.name] = append(batch, c), true
			records, characters = records+r, characters+n
		}
	}
	z.queue = rest
	return batch
}

// apply sends a batch and settles each of its changes, by smaller batches
// where Route 53 refuses it: all of a batch is refused for one bad change.
func (z *zone) apply(ctx context.Context, batch []*change) {
	info, err := z.put(ctx, batch)
	switch {
	case err == nil:
		go z.await(ctx, info, batch)
	case errors.Is(err, providers.ErrConflict):
		z.sift(ctx, batch, err)
	case len(batch) > 1 && (errors.Is(err, providers.ErrInvalid) || errors.Is(err, providers.ErrDenied)):
		// A policy may allow some names only [Route 53 Developer Guide, condition
		// key route53:ChangeResourceRecordSetsNormalizedRecordNames].
		z.halve(ctx, batch)
	default:
		for _, c := range batch {
			c.settle(err)
		}
	}
}

func (z *zone) halve(ctx context.Context, batch []*change) {
	half := len(batch) / 2
	z.apply(ctx, batch[:half])
	z.apply(ctx, batch[half:])
}

// sift reads the names of a refused batch anew, settles those that what stands
// decides, and sends the others again; in halves, if nothing was decided.
func (z *zone) sift(ctx context.Context, batch []*change, refusal error) {
	reading, stop := joined(ctx, batch)
	defer stop()
	sets := make([][]types.ResourceRecordSet, len(batch))
	errs := make([]error, len(batch))
	var wg sync.WaitGroup
	for i, c := range batch {
		wg.Go(func() { sets[i], errs[i] = z.known.read(reading, c.name, true) })
	}
	wg.Wait()
	var rest []*change
	respelled := false
	for i, c := range batch {
		sent := c.parts
		err := errs[i]
		if err == nil {
			err = c.prepare(z.name, sets[i])
		}
		switch {
		case err != nil && errors.Is(err, providers.ErrConflict):
			c.settle(fmt.Errorf("%w (%w)", err, refusal))
		case err != nil:
			c.settle(err)
		default:
			respelled = respelled || !reflect.DeepEqual(sent, c.parts)
			rest = append(rest, c)
		}
	}
	switch {
	case len(rest) == 0:
	case len(rest) < len(batch), respelled && rest[0].tries < maxTries:
		z.apply(ctx, rest)
	case len(rest) > 1:
		z.halve(ctx, rest)
	default:
		rest[0].settle(refusal)
	}
}

// put sends one ChangeBatch.
func (z *zone) put(ctx context.Context, batch []*change) (*types.ChangeInfo, error) {
	sending, stop := joined(ctx, batch)
	defer stop()
	if slices.ContainsFunc(batch, func(c *change) bool { return providers.Urgent(c.ctx) }) {
		sending = providers.WithUrgency(sending)
	}
	api, err := z.d.client(sending)
	if err != nil {
		return nil, err
	}
	var parts []types.Change
	for _, c := range batch {
		c.tries++
		parts = append(parts, c.parts...)
	}
	z.mark(batch)
	out, err := api.ChangeResourceRecordSets(sending, &route53.ChangeResourceRecordSetsInput{
		HostedZoneId: aws.String(z.id), ChangeBatch: &types.ChangeBatch{Changes: parts}})
	z.mark(batch)
	if err != nil {
		return nil, classify(err)
	}
	if out.ChangeInfo == nil || aws.ToString(out.ChangeInfo.Id) == "" {
		return nil, errors.New("the change was sent, but the answer does not name it")
	}
	return out.ChangeInfo, nil
}

// mark makes earlier reads of the names of a batch useless.
func (z *zone) mark(batch []*change) {
	var names []string
	for _, c := range batch {
		names = append(names, c.name)
	}
	z.known.mark(names...)
}

// await waits until a change is INSYNC: on all of Route 53's name servers
// [Route 53 API Reference, GetChange], mostly within a minute.
func (z *zone) await(ctx context.Context, info *types.ChangeInfo, batch []*change) {
	ctx, stop := joined(ctx, batch)
	defer stop()
	id, status := aws.ToString(info.Id), info.Status
	var err error
	for delay := time.Duration(0); status != types.ChangeStatusInsync && err == nil; delay = min(max(time.Second, 2*delay), 10*time.Second) {
		if err = z.d.clock.Sleep(ctx, delay); err == nil {
			status, err = z.status(ctx, id)
		}
	}
	for _, c := range batch {
		c.settle(err)
	}
}

func (z *zone) status(ctx context.Context, id string) (types.ChangeStatus, error) {
	api, err := z.d.client(ctx)
	if err != nil {
		return "", err
	}
	out, err := api.GetChange(ctx, &route53.GetChangeInput{Id: aws.String(id)})
	if err != nil {
		return "", fmt.Errorf("the change was made, but whether the name servers have it could not be asked (GetChange %s): %w",
			strings.TrimPrefix(id, "/change/"), classify(err))
	}
	if out.ChangeInfo == nil {
		return "", fmt.Errorf("the change was made, but the answer of GetChange %s is empty", strings.TrimPrefix(id, "/change/"))
	}
	return out.ChangeInfo.Status, nil
}

// joined is a context that ends when the contexts of all changes of a batch
// have ended: one caller who goes away does not end the others' change.
func joined(ctx context.Context, batch []*change) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	var left atomic.Int64
	left.Store(int64(len(batch)))
	stops := []func() bool{}
	for _, c := range batch {
		stops = append(stops, context.AfterFunc(c.ctx, func() {
			if left.Add(-1) == 0 {
				cancel()
			}
		}))
	}
	return ctx, func() {
		for _, stop := range stops {
			stop()
		}
		cancel()
	}
}
