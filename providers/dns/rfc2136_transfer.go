package dns

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"

	"github.com/edgeward/edgeward/providers"
)

// transferMost is the number of records after which a transfer is broken off:
// such a zone is asked name by name.
const transferMost = 100_000

// transfers are the listings of a server's zones, by AXFR. One answers for all
// names for some seconds, but for a name only if it began after the last write
// there.
type zoneTransfers struct {
	server *updateServer
	clock  providers.Clock

	// mu guards the fields below; it is never held while waiting.
	mu      sync.Mutex
	count   int
	last    map[string]*zoneTransfer // by zone
	refused map[string]error         // by zone: why
	written map[string]int           // by name: the count after the last write
	// wroteLast is the count after the last write of any name.
	wroteLast int
}

// transfer is one listing: under way until done is closed.
type zoneTransfer struct {
	number int
	began  time.Time
	done   chan struct{}
	names  map[string]rrsAt
	err    error
}

// errNoTransfer: the zone is to be asked name by name.
var errNoTransfer = errors.New("the zone is not transferred")

func newTransfers(server *updateServer, clock providers.Clock) *zoneTransfers {
	return &zoneTransfers{server: server, clock: clock, last: map[string]*zoneTransfer{}, refused: map[string]error{}, written: map[string]int{}}
}

// wrote makes earlier listings useless for a name.
func (t *zoneTransfers) wrote(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.count++
	t.written[name], t.wroteLast = t.count, t.count
}

// find is what a listing has at a name; known is false where there is none to
// be had.
func (t *zoneTransfers) find(ctx context.Context, zone, name string) (at rrsAt, known bool, err error) {
	l, err := t.newest(ctx, zone, func() int { return t.written[name] })
	switch {
	case err == nil:
		at, err = l.at(zone, name)
		return at, err == nil, err
	case ctx.Err() != nil, noConnection(err), errors.Is(err, providers.ErrCredentials):
		return at, false, err // the name's questions would meet the same
	}
	return at, false, nil
}

// all is a listing of the whole zone. errNoTransfer: the server gives none.
func (t *zoneTransfers) all(ctx context.Context, zone string) (*zoneTransfer, error) {
	t.mu.Lock()
	since := t.wroteLast
	t.mu.Unlock()
	return t.newest(ctx, zone, func() int { return since })
}

// newest is the listing that answers for what was last written at the number
// after, which is called with t.mu held; one is read if there is none.
func (t *zoneTransfers) newest(ctx context.Context, zone string, after func() int) (*zoneTransfer, error) {
	for {
		l, mine, err := t.listing(zone, after)
		switch {
		case err != nil:
			return nil, err
		case mine:
			l.names, l.err = t.read(ctx, zone)
			t.settle(zone, l, ctx.Err() != nil)
		default:
			select {
			case <-ctx.Done():
				return nil, ctx.Err()
			case <-l.done:
			}
		}
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case !mine && (errors.Is(l.err, context.Canceled) || errors.Is(l.err, context.DeadlineExceeded)):
			// Another caller's end is no answer for this one.
		default:
			return l, l.err
		}
	}
}

// listing is the one to use; mine says that the caller has to read it. The error is
// why the zone is asked name by name.
func (t *zoneTransfers) listing(zone string, after func() int) (l *zoneTransfer, mine bool, err error) {
	now := t.clock.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.refused[zone]; err != nil {
		return nil, false, err
	}
	if l := t.last[zone]; l != nil && now.Sub(l.began) < fresh && l.number > after() {
		return l, false, nil
	}
	t.count++
	l = &zoneTransfer{number: t.count, began: now, done: make(chan struct{})}
	t.last[zone] = l
	return l, true, nil
}

// settle ends a listing. One that failed is not used again, and where the server
// refused it, none is tried again.
func (t *zoneTransfers) settle(zone string, l *zoneTransfer, ended bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if l.err != nil && t.last[zone] == l {
		delete(t.last, zone)
	}
	if errors.Is(l.err, errNoTransfer) && !ended {
		t.refused[zone] = l.err
	}
	close(l.done)
}

// noConnection says whether there was no connection.
func noConnection(err error) bool {
	var l *lostError
	return errors.As(err, &l) && l.unsent
}

// read transfers a zone.
func (t *zoneTransfers) read(ctx context.Context, zone string) (names map[string]rrsAt, err error) {
	names = map[string]rrsAt{}
	err = t.server.with(ctx, func(s *dnsSession) (err error) {
		n, code, sent := 0, "", t.server.clock.Now()
		defer func() { t.server.noteTransfer(zone, n, code, sent, err) }()
		q := new(dns.Msg)
		q.SetAxfr(zone + ".")
		mac, err := s.send(q)
		if err != nil {
			return err
		}
		for soas := 0; soas < 2; {
			raw, m, err := s.receive(q.Id)
			if err != nil {
				return err
			}
			if code = rcodeName(m.Rcode); m.Rcode != dns.RcodeSuccess {
				return fmt.Errorf("%w: %s", errNoTransfer, code)
			}
			if n > 0 && t.server.key != nil && m.IsTsig() == nil {
				return fmt.Errorf("%w: only some of its messages are signed", errNoTransfer)
			}
			if err := t.server.verify(raw, m, mac, n > 0); err != nil {
				return err
			}
			if sign := m.IsTsig(); sign != nil {
				mac = sign.MAC
			}
			if n += len(m.Answer); n > transferMost || len(m.Answer) == 0 {
				return fmt.Errorf("%w: it has more than %d records, or none", errNoTransfer, transferMost)
			}
			for _, rr := range m.Answer {
				if soas += takeRR(names, zone, rr); soas == 2 {
					break
				}
			}
			if soas == 0 {
				return fmt.Errorf("%w: it does not begin with the SOA", errNoTransfer)
			}
		}
		return nil
	})
	return names, err
}

// takeRR takes in one record of a listing and counts the zone's SOA, which stands
// at its beginning and end.
func takeRR(names map[string]rrsAt, zone string, rr dns.RR) (soa int) {
	name := clean(rr.Header().Name)
	if !holds(zone, name) || rr.Header().Class != dns.ClassINET {
		return 0
	}
	at := names[name]
	at.add(rr)
	names[name] = at
	if rr.Header().Rrtype == dns.TypeSOA && name == zone {
		return 1
	}
	return 0
}

// at is what the listing has at a name.
func (l *zoneTransfer) at(zone, name string) (rrsAt, error) {
	for at := name; at != zone; _, at, _ = strings.Cut(at, ".") {
		other := l.names[at].other
		switch {
		case slices.Contains(other, "NS"):
			return rrsAt{}, childZone(zone, at)
		case slices.Contains(other, "DNAME") && at != name:
			return rrsAt{routing: belowDNAME(name)}, nil
		}
	}
	if name != zone && slices.Contains(l.names[zone].other, "DNAME") {
		return rrsAt{routing: belowDNAME(name)}, nil
	}
	s := l.names[name]
	return rrsAt{rrs: s.rrs, other: slices.Clone(s.other)}, nil
}
