package dns

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/edgeward/edgeward/providers"
)

const (
	// cloudflarePageSize is how many records one request lists. The API takes up
	// to 5,000,000 and gives 100 without it [Cloudflare API, List DNS Records:
	// per_page]; external-dns documents 5000 as the most that works.
	cloudflarePageSize = 5000
	// cloudflareRelists is how often a listing is begun anew whose pages do not
	// fit together.
	cloudflareRelists = 3
)

// cloudflareZone is one zone: what was read of it, and who writes.
type cloudflareZone struct {
	d        *cloudflareDNS
	name, id string
	// flattenAll: the zone flattens every CNAME, as far as the token may know.
	flattenAll bool

	// known is what was read of the zone.
	known *reads[cloudflareRecord]

	// mu guards busy; it is never held while waiting.
	mu sync.Mutex
	// busy has the names that are being changed.
	busy map[string]chan struct{}
}

func newCloudflareZone(d *cloudflareDNS, name, id string) *cloudflareZone {
	z := &cloudflareZone{d: d, name: name, id: id, busy: map[string]chan struct{}{}}
	// One record created and one removed between two pages hide a third one.
	z.known = &reads[cloudflareRecord]{clock: d.clock, page: cloudflarePageSize, one: z.readName, all: z.readAll, doubtful: true}
	return z
}

// readAll lists the zone. Pages are counted from the beginning, so that a record
// created or removed meanwhile moves the others; then it begins anew.
func (z *cloudflareZone) readAll(ctx context.Context) (map[string][]cloudflareRecord, error) {
	var all []cloudflareRecord
	err := errMoved
	for range cloudflareRelists {
		if all, err = z.list(ctx); !errors.Is(err, errMoved) {
			break
		}
	}
	if err != nil {
		return nil, fmt.Errorf("list records of zone %s: %w", z.name, z.d.explain(z.name, false, err))
	}
	byName := map[string][]cloudflareRecord{}
	for _, r := range all {
		n := clean(r.Name)
		byName[n] = append(byName[n], r)
	}
	return byName, nil
}

// listAll lists the zone so that no row is missing. One of several pages can hide a
// row while another is created and a third removed; then the zone is listed twice,
// and the names that differ are asked for singly.
func (z *cloudflareZone) listAll(ctx context.Context) (map[string][]cloudflareRecord, error) {
	rows, err := z.known.list(ctx)
	size := 0
	for _, r := range rows {
		size += len(r)
	}
	if err != nil || size <= cloudflarePageSize {
		return rows, err
	}
	second, err := z.readAll(ctx)
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(rows)) {
		if _, ok := second[name]; !ok {
			second[name] = nil
		}
	}
	for _, name := range slices.Sorted(maps.Keys(second)) {
		if slices.Equal(cloudflareIDs(rows[name]), cloudflareIDs(second[name])) {
			continue
		}
		if second[name], err = z.readName(ctx, name); err != nil {
			return nil, err
		}
	}
	return second, nil
}

func cloudflareIDs(records []cloudflareRecord) []string {
	var ids []string
	for _, r := range records {
		ids = append(ids, r.ID)
	}
	slices.Sort(ids)
	return ids
}

// errMoved says that the pages of a listing do not fit together.
var errMoved = errors.New("records were created or removed while the zone was listed; try again")

// list asks for all records.
func (z *cloudflareZone) list(ctx context.Context) ([]cloudflareRecord, error) {
	var all []cloudflareRecord
	ids := map[string]bool{}
	for page, total := 1, 0; ; page++ {
		q := url.Values{"per_page": {strconv.Itoa(cloudflarePageSize)}, "page": {strconv.Itoa(page)}}
		records, info, err := z.page(ctx, q)
		if err != nil {
			return nil, err
		}
		if page == 1 {
			total = info.TotalCount
		}
		for _, r := range records {
			ids[r.ID] = true
		}
		all = append(all, records...)
		switch {
		case info.TotalCount != total, len(ids) != len(all), len(all) > total, len(all) < total && len(records) == 0:
			return nil, errMoved
		case len(all) == total:
			return all, nil
		}
	}
}

// readName asks for the records of one name, of all types.
func (z *cloudflareZone) readName(ctx context.Context, name string) ([]cloudflareRecord, error) {
	records, info, err := z.page(ctx, url.Values{"name": {name}, "per_page": {strconv.Itoa(cloudflarePageSize)}})
	if err != nil {
		return nil, fmt.Errorf("read records of %s: %w", name, z.d.explain(z.name, false, err))
	}
	if len(records) != info.TotalCount {
		return nil, fmt.Errorf("read records of %s: the answer has %d of %d records", name, len(records), info.TotalCount)
	}
	return slices.DeleteFunc(records, func(r cloudflareRecord) bool { return clean(r.Name) != name }), nil
}

func (z *cloudflareZone) page(ctx context.Context, q url.Values) ([]cloudflareRecord, *cloudflarePage, error) {
	var records []cloudflareRecord
	info, err := z.d.call(ctx, http.MethodGet, z.path(), q, nil, &records)
	if err != nil {
		return nil, nil, err
	}
	if info == nil {
		return nil, nil, errors.New("the answer does not say how many records there are (result_info is missing)")
	}
	return records, info, nil
}

func (z *cloudflareZone) path() string { return "/zones/" + url.PathEscape(z.id) + "/dns_records" }

// recordSet turns the API's records at one name into the port's.
func (z *cloudflareZone) recordSet(name string, raw []cloudflareRecord) providers.RecordSet {
	out := providers.RecordSet{Name: name, Zone: z.name, ZoneID: z.id}
	ids := map[providers.Record][]string{}
	for _, r := range raw {
		if !cloudflareAddress(r) {
			out.Other = append(out.Other, r.Type)
			continue
		}
		out.Records = append(out.Records, r.record())
		ids[r.record()] = append(ids[r.record()], r.ID)
		switch {
		case r.Meta.ReadOnly:
			out.Routing = fmt.Sprintf("%s %s is read-only: another Cloudflare product made it and keeps it", r.Type, name)
		case r.Locked:
			out.Routing = fmt.Sprintf("%s %s is locked at Cloudflare", r.Type, name)
		case r.Type == "CNAME" && !r.Proxied && r.Settings.Flatten && name != z.name:
			out.Routing = fmt.Sprintf("CNAME %s is flattened, so that no look-up can show its target; turn its setting \"Flatten\" off", name)
		}
	}
	if z.flattenAll && name != z.name && out.Routing == "" && !slices.ContainsFunc(out.Records, func(r providers.Record) bool { return r.Proxied }) {
		out.Routing = "zone " + z.name + " flattens every CNAME, so that no look-up can show a target; " +
			"turn \"CNAME flattening for all CNAME records\" off in its DNS settings"
	}
	slices.Sort(out.Other)
	out.Other = slices.Compact(out.Other)
	providers.SortRecords(out.Records)
	for _, r := range out.Records {
		out.IDs, ids[r] = append(out.IDs, ids[r][0]), ids[r][1:]
	}
	return out
}

func cloudflareAddress(r cloudflareRecord) bool {
	return r.Type == "CNAME" || r.Type == "A" || r.Type == "AAAA"
}

// record is r as the port has it. TTL 1 is "automatic" [Cloudflare API, DNS
// record: ttl].
func (r cloudflareRecord) record() providers.Record {
	out := providers.Record{Type: r.Type, Value: r.Content, Proxied: r.Proxied}
	switch {
	case r.Proxied:
	case r.TTL <= 1:
		out.TTL = cloudflareAuto
	default:
		out.TTL = time.Duration(r.TTL) * time.Second
	}
	return cleanRecord(out)
}
