package dns

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/libdns/libdns"

	"github.com/edgeward/edgeward/providers/providertest"
)

// memoryModule is a libdns module over a zone in memory, with the habits that
// real ones have. It is told to misbehave by its fields.
type memoryModule struct {
	mu   sync.Mutex
	zone string
	rows []memoryRow
	next int
	// calls are the methods that were called, in order.
	calls []string

	// ids: records carry an identity and are updated by it.
	ids bool
	// inPlace: SetRecords changes single records and creates the others.
	inPlace bool
	// dotless: targets are given without the dot at the end; pointers: records
	// are given as pointers; keepTTL: an update keeps the TTL; floor raises TTLs.
	dotless, pointers, keepTTL bool
	floor                      time.Duration
	// fail is asked before each call is done, and again after each record was
	// written.
	fail func(call string, written int) error
	// between runs after a record was written.
	between func()
	// behind is how many listings after a write still show the old zone.
	behind int
	old    []memoryRow
	// deaf calls block until it is closed, whatever their context says.
	deaf chan struct{}
}

type memoryRow struct {
	rr libdns.RR
	id int
}

// ownRecord is a record with the module's identity.
type ownRecord struct {
	rr libdns.RR
	id int
}

func (r ownRecord) RR() libdns.RR { return r.rr }

func (m *memoryModule) enter(ctx context.Context, call, zone string) error {
	m.mu.Lock()
	m.calls = append(m.calls, call)
	deaf, fail := m.deaf, m.fail
	m.mu.Unlock()
	if deaf != nil {
		<-deaf
	} else if err := ctx.Err(); err != nil {
		return err
	}
	if zone != m.zone+"." {
		return fmt.Errorf("zone %s not found", zone)
	}
	if fail != nil {
		return fail(call, 0)
	}
	return nil
}

func (m *memoryModule) GetRecords(ctx context.Context, zone string) ([]libdns.Record, error) {
	if err := m.enter(ctx, "get", zone); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	rows := m.rows
	if m.behind > 0 && m.old != nil {
		m.behind--
		rows = m.old
	}
	recs := []libdns.Record{nil, libdns.RR{Name: "@", Type: "SOA", TTL: time.Hour, Data: "ns. host. 1 2 3 4 5"},
		libdns.NS{Name: "@", TTL: time.Hour, Target: "ns.example.net."}}
	for _, r := range rows {
		rr := r.rr
		if m.dotless {
			rr.Data = strings.TrimSuffix(rr.Data, ".")
		}
		var rec libdns.Record = rr
		switch parsed, err := rr.Parse(); {
		case m.ids:
			rec = ownRecord{rr, r.id}
		case m.pointers:
			rec = &rr
		case err == nil:
			rec = parsed
		}
		recs = append(recs, rec)
	}
	return recs, nil
}

// put writes one record; the caller has the lock.
func (m *memoryModule) put(at int, rr libdns.RR) {
	rr.TTL = max(rr.TTL, m.floor)
	if at >= 0 {
		if m.keepTTL {
			rr.TTL = m.rows[at].rr.TTL
		}
		m.rows[at].rr = rr
		return
	}
	m.next++
	m.rows = append(m.rows, memoryRow{rr, m.next})
}

func (m *memoryModule) wrote(call string, n int) error {
	if m.between != nil {
		m.between()
	}
	if m.fail != nil {
		return m.fail(call, n)
	}
	return nil
}

func (m *memoryModule) AppendRecords(ctx context.Context, zone string, recs []libdns.Record) ([]libdns.Record, error) {
	if err := m.enter(ctx, "append", zone); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.old = slices.Clone(m.rows)
	for i, r := range recs {
		for _, have := range m.rows {
			if strings.EqualFold(have.rr.Name, r.RR().Name) && (have.rr.Type == "CNAME" || r.RR().Type == "CNAME") {
				return nil, fmt.Errorf("unexpected status code 422: a CNAME stands alone")
			}
		}
		m.put(-1, r.RR())
		if err := m.wrote("append", i+1); err != nil {
			return nil, err
		}
	}
	return recs, nil
}

func (m *memoryModule) SetRecords(ctx context.Context, zone string, recs []libdns.Record) ([]libdns.Record, error) {
	if err := m.enter(ctx, "set", zone); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.old = slices.Clone(m.rows)
	if !m.inPlace && !m.ids {
		for _, r := range recs {
			m.rows = slices.DeleteFunc(m.rows, func(have memoryRow) bool {
				return strings.EqualFold(have.rr.Name, r.RR().Name) && have.rr.Type == r.RR().Type
			})
		}
	}
	for i, r := range recs {
		at := -1
		if own, ok := r.(ownRecord); ok {
			at = slices.IndexFunc(m.rows, func(have memoryRow) bool { return have.id == own.id })
		} else if m.ids {
			return nil, errors.New("strconv.Atoi: the record has no ID")
		} else if m.inPlace {
			at = slices.IndexFunc(m.rows, func(have memoryRow) bool {
				return strings.EqualFold(have.rr.Name, r.RR().Name) && have.rr.Type == r.RR().Type
			})
		}
		m.put(at, r.RR())
		if err := m.wrote("set", i+1); err != nil {
			return nil, err
		}
	}
	return recs, nil
}

func (m *memoryModule) DeleteRecords(ctx context.Context, zone string, recs []libdns.Record) ([]libdns.Record, error) {
	if err := m.enter(ctx, "delete", zone); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.old = slices.Clone(m.rows)
	for i, r := range recs {
		own, ok := r.(ownRecord)
		m.rows = slices.DeleteFunc(m.rows, func(have memoryRow) bool {
			if m.ids {
				return ok && have.id == own.id
			}
			rr := have.rr
			if m.dotless {
				rr.Data = strings.TrimSuffix(rr.Data, ".")
			}
			return rr == r.RR()
		})
		if err := m.wrote("delete", i+1); err != nil {
			return nil, err
		}
	}
	return recs, nil
}

// memoryZone is the zone of a memoryModule as the suite sees it.
type memoryZone struct{ m *memoryModule }

func (z memoryZone) Rows(*testing.T) []providertest.Row {
	z.m.mu.Lock()
	defer z.m.mu.Unlock()
	byKey := map[string]*providertest.Row{}
	var order []string
	for _, r := range z.m.rows {
		value := r.rr.Data
		if r.rr.Type == "CNAME" {
			value = clean(value)
		}
		name := absolute(r.rr.Name, z.m.zone)
		key := name + " " + r.rr.Type
		if byKey[key] == nil {
			byKey[key] = &providertest.Row{Name: name, Type: r.rr.Type, TTL: r.rr.TTL}
			order = append(order, key)
		}
		byKey[key].Values = append(byKey[key].Values, value)
	}
	var out []providertest.Row
	for _, key := range order {
		out = append(out, *byKey[key])
	}
	return out
}

func (z memoryZone) Put(t *testing.T, row providertest.Row) {
	z.Remove(t, row.Name, row.Type)
	z.m.mu.Lock()
	defer z.m.mu.Unlock()
	z.m.set(row)
}

func (z memoryZone) Remove(_ *testing.T, name, typ string) {
	z.m.mu.Lock()
	defer z.m.mu.Unlock()
	z.m.rows = slices.DeleteFunc(z.m.rows, func(r memoryRow) bool {
		return absolute(r.rr.Name, z.m.zone) == name && r.rr.Type == typ
	})
}

// set adds a row's records; the caller has the lock.
func (m *memoryModule) set(row providertest.Row) {
	for _, v := range row.Values {
		if row.Type == "CNAME" {
			v = strings.TrimSuffix(v, ".") + "."
		}
		m.next++
		m.rows = append(m.rows, memoryRow{libdns.RR{Name: relative(row.Name, m.zone, "@"), Type: row.Type, TTL: row.TTL, Data: v}, m.next})
	}
}
