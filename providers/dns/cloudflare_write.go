package dns

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/libdns/cloudflare"
	"github.com/libdns/libdns"

	"github.com/edgeward/edgeward/providers"
)

const (
	// cloudflareLooks is how often a write is read back that does not show yet.
	cloudflareLooks = 5
	// cloudflareMaxTTL is the most of an ordinary record [Cloudflare, Time to
	// Live].
	cloudflareMaxTTL = 24 * time.Hour
	// cloudflareTTLFloor is the least that any plan takes [same].
	cloudflareTTLFloor = 30 * time.Second
)

// cloudflareStep is one request of a change: PATCH and DELETE have what stands,
// PATCH and POST what is wanted.
type cloudflareStep struct {
	method string
	stands cloudflareRecord
	want   providers.Record
}

// turn waits until nobody else of this process changes name. The function ends
// the turn.
func (z *cloudflareZone) turn(ctx context.Context, name string) (func(), error) {
	for {
		z.mu.Lock()
		other := z.busy[name]
		if other == nil {
			mine := make(chan struct{})
			z.busy[name] = mine
			z.mu.Unlock()
			return func() {
				z.mu.Lock()
				defer z.mu.Unlock()
				delete(z.busy, name)
				close(mine)
			}, nil
		}
		z.mu.Unlock()
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-other:
		}
	}
}

// replace reads, compares, writes and reads back.
func (z *cloudflareZone) replace(ctx context.Context, name string, have, want []providers.Record) error {
	if err := cloudflareWritable(want); err != nil {
		return err
	}
	end, err := z.turn(ctx, name)
	if err != nil {
		return err
	}
	defer end()
	// The read and the write take their turns of the limiter at once: what
	// somebody else writes between the two is lost.
	paid, err := z.d.api.together(ctx, 2)
	if err != nil {
		return err
	}
	raw, err := z.readName(paid, name)
	if err != nil {
		return err
	}
	stands := z.recordSet(name, raw)
	if err := cloudflareFits(z.name, stands, raw, have, want); err != nil {
		return err
	}
	steps, final, err := cloudflareSteps(name, raw, want)
	if err != nil || len(steps) == 0 {
		return err
	}
	z.known.mark(name)
	err = z.write(paid, name, steps)
	z.known.mark(name)
	_, err = z.confirm(ctx, name, have, final, err)
	return err
}

// cloudflareFits says whether what stands is what the caller said, and may be changed.
func cloudflareFits(zone string, stands providers.RecordSet, raw []cloudflareRecord, have, want []providers.Record) error {
	if !providers.SameRecords(stands.Records, have) {
		return fmt.Errorf("%s stands at %s, where the change expects %s: %w", describe(providers.RecordSet{Records: stands.Records}),
			stands.Name, describe(providers.RecordSet{Records: have}), providers.ErrConflict)
	}
	for _, r := range raw {
		if cloudflareAddress(r) && (r.Locked || r.Meta.ReadOnly) {
			return fmt.Errorf("%s: %w", stands.Routing, providers.ErrConflict)
		}
	}
	isCNAME := func(r providers.Record) bool { return r.Type == "CNAME" }
	if !slices.ContainsFunc(want, isCNAME) || slices.ContainsFunc(have, isCNAME) || len(stands.Other) == 0 {
		return nil
	}
	// At the top of a zone a CNAME stands beside others, for it is flattened; an
	// NS set stands alone everywhere else [Cloudflare API, Create DNS Record].
	if stands.Name != zone {
		return fmt.Errorf("a CNAME of %s cannot stand beside its %s: %w", stands.Name, strings.Join(stands.Other, ", "), providers.ErrInvalid)
	}
	return nil
}

// cloudflareWritable says whether Cloudflare can hold want. ErrInvalid.
func cloudflareWritable(want []providers.Record) error {
	for i, r := range want {
		addr, err := netip.ParseAddr(r.Value)
		switch {
		case r.Type != "CNAME" && r.Type != "A" && r.Type != "AAAA":
			return fmt.Errorf("%s is no address record: %w", r, providers.ErrInvalid)
		case r.Alias:
			return fmt.Errorf("%s cannot be: Cloudflare has no alias records; write a CNAME, which it flattens at the top of a zone: %w",
				r, providers.ErrInvalid)
		case r.Value == "":
			return fmt.Errorf("%s has no value: %w", r, providers.ErrInvalid)
		case r.Type == "A" && (err != nil || !addr.Is4()), r.Type == "AAAA" && (err != nil || !addr.Is6()):
			return fmt.Errorf("%s cannot be: that is no address of this type: %w", r, providers.ErrInvalid)
		case r.Type == "CNAME" && len(want) > 1:
			return fmt.Errorf("a CNAME (%s) cannot stand beside other records: %w", r, providers.ErrInvalid)
		}
		for _, o := range want[:i] {
			if o.Type == r.Type && o.Value == r.Value {
				return fmt.Errorf("%s is given twice: %w", r, providers.ErrInvalid)
			}
		}
	}
	return nil
}

// cloudflareSteps are the requests that make want of the records that stand,
// and what stands afterwards. Records that stand are changed in place as far as
// they go; one may change its type, which PATCH does for a given id (merged into
// Cloudflare's own client in cloudflare/cloudflare-go#400).
func cloudflareSteps(name string, raw []cloudflareRecord, want []providers.Record) (steps []cloudflareStep, final []providers.Record, err error) {
	left := slices.DeleteFunc(slices.Clone(raw), func(r cloudflareRecord) bool { return !cloudflareAddress(r) })
	rest := slices.Clone(want)
	n, proxied := len(left), slices.ContainsFunc(left, func(r cloudflareRecord) bool { return r.Proxied })
	pair := func(same func(s, w providers.Record) bool) {
		for i := 0; i < len(left); i++ {
			j := slices.IndexFunc(rest, func(w providers.Record) bool { return same(left[i].record(), w) })
			if j < 0 || err != nil {
				continue
			}
			var step cloudflareStep
			step, err = cloudflarePatch(left[i], rest[j])
			if final = append(final, step.want); step.method != "" {
				steps = append(steps, step)
			}
			left, rest = slices.Delete(left, i, i+1), slices.Delete(rest, j, j+1)
			i--
		}
	}
	pair(func(s, w providers.Record) bool { return s.Type == w.Type && s.Value == w.Value })
	pair(func(s, w providers.Record) bool { return s.Type == w.Type })
	cname := slices.ContainsFunc(left, func(r cloudflareRecord) bool { return r.Type == "CNAME" }) ||
		slices.ContainsFunc(rest, func(r providers.Record) bool { return r.Type == "CNAME" })
	if cname && n > 0 && len(want) > 0 && (n > 1 || len(want) > 1) {
		return nil, nil, fmt.Errorf("the %d address records of %s cannot become %d (%s) without a moment in which the name is empty: "+
			"Cloudflare changes the type of one record in place, but not of several; leave one record and plan again: %w",
			n, name, len(want), describe(providers.RecordSet{Records: want}), providers.ErrInvalid)
	}
	pair(func(_, _ providers.Record) bool { return true })
	if err != nil {
		return nil, nil, err
	}
	for _, s := range left {
		steps = append(steps, cloudflareStep{method: http.MethodDelete, stands: s})
	}
	for _, w := range rest {
		if w.Proxied = w.Proxied || proxied; w.Proxied {
			w.TTL = 0
		} else if err := cloudflareTTL(w); err != nil {
			return nil, nil, err
		}
		steps, final = append(steps, cloudflareStep{method: http.MethodPost, want: w}), append(final, w)
	}
	return steps, final, nil
}

// cloudflarePatch makes want of one record; the step has no method if it is that already.
func cloudflarePatch(s cloudflareRecord, want providers.Record) (cloudflareStep, error) {
	stands := s.record()
	if want.Proxied && !stands.Proxied {
		return cloudflareStep{}, fmt.Errorf("%s stands without proxy, and edgeward never changes that; "+
			"switch its proxy on by hand and plan again: %w", stands, providers.ErrInvalid)
	}
	if want.Proxied = stands.Proxied; want.Proxied {
		want.TTL = 0
	}
	step := cloudflareStep{stands: s, want: want}
	if stands == want {
		return step, nil
	}
	if step.method = http.MethodPatch; stands.TTL != want.TTL {
		return step, cloudflareTTL(want)
	}
	return step, nil
}

func cloudflareTTL(r providers.Record) error {
	if r.TTL < cloudflareTTLFloor || r.TTL > cloudflareMaxTTL || r.TTL%time.Second != 0 {
		return fmt.Errorf("%s cannot be: Cloudflare takes a TTL of 60s (30s in zones of the Enterprise plan) to 1d: %w",
			r, providers.ErrInvalid)
	}
	return nil
}

// write sends the steps: one through libdns, several as one batch, which is one
// transaction of Cloudflare's database [Cloudflare API, Batch DNS Records].
func (z *cloudflareZone) write(ctx context.Context, name string, steps []cloudflareStep) error {
	var err error
	switch {
	case len(steps) > 1:
		err = z.batch(ctx, name, steps)
	case z.sayable(name, steps[0]):
		err = z.viaLibdns(ctx, name, steps[0])
	default:
		err = z.own(ctx, name, steps[0])
	}
	return z.d.explain(z.name, true, err)
}

// sayable says whether libdns/cloudflare can say a step. It cannot create a
// proxied record; it makes every target at cfargotunnel.com proxied; and it
// sends names without the zone, so that example.com.example.com would become
// example.com, for the API takes both forms.
func (z *cloudflareZone) sayable(name string, s cloudflareStep) bool {
	relative := libdns.RelativeName(name, z.name)
	return !(s.method == http.MethodPost && s.want.Proxied) && !strings.HasSuffix(s.want.Value, ".cfargotunnel.com") &&
		!holds(z.name, relative)
}

// own sends one step without libdns.
func (z *cloudflareZone) own(ctx context.Context, name string, s cloudflareStep) error {
	var done json.RawMessage
	path := z.path()
	if s.method != http.MethodPost {
		path += "/" + url.PathEscape(s.stands.ID)
	}
	var send any
	if s.method != http.MethodDelete {
		send = s.body(name)
	}
	_, err := z.d.call(ctx, s.method, path, nil, send, &done)
	return err
}

// body is what PATCH and POST send. What is not to change is left out.
func (s cloudflareStep) body(name string) cloudflareRecord {
	r := cloudflareRecord{Type: s.want.Type, Name: name, Content: s.want.Value, TTL: int(s.ttl() / time.Second)}
	r.Proxied = s.want.Proxied && s.method == http.MethodPost
	return r
}

// ttl is the TTL to send, 0 for none: an unchanged one stays as it is, which
// keeps "automatic" automatic.
func (s cloudflareStep) ttl() time.Duration {
	if s.want.Proxied || s.method == http.MethodPatch && s.stands.record().TTL == s.want.TTL && !s.stands.Proxied {
		return 0
	}
	return s.want.TTL
}

func (z *cloudflareZone) batch(ctx context.Context, name string, steps []cloudflareStep) error {
	var body struct {
		Deletes []cloudflareRecord `json:"deletes,omitempty"`
		Patches []cloudflareRecord `json:"patches,omitempty"`
		Posts   []cloudflareRecord `json:"posts,omitempty"`
	}
	for _, s := range steps {
		switch s.method {
		case http.MethodDelete:
			body.Deletes = append(body.Deletes, cloudflareRecord{ID: s.stands.ID})
		case http.MethodPatch:
			r := s.body(name)
			r.ID = s.stands.ID
			body.Patches = append(body.Patches, r)
		case http.MethodPost:
			body.Posts = append(body.Posts, s.body(name))
		}
	}
	var done json.RawMessage
	_, err := z.d.call(ctx, http.MethodPost, z.path()+"/batch", nil, body, &done)
	return err
}

// viaLibdns lets libdns/cloudflare send one step. It looks for the record by
// type and name once more and takes whatever it finds; so its reads are answered
// with the very record that was compared, and of its writes only the one for this
// record's id is sent. GetRecords, which panics on an answer without
// result_info, is not used.
func (z *cloudflareZone) viaLibdns(ctx context.Context, name string, s cloudflareStep) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("libdns/cloudflare panicked: %s", z.d.api.safe(fmt.Sprint(p)))
		}
	}()
	only := &cloudflareOnly{z: z, step: s}
	p := &cloudflare.Provider{APIToken: z.d.token, HTTPClient: only}
	record := func(r providers.Record, ttl time.Duration) []libdns.Record {
		return []libdns.Record{libdns.RR{Name: libdns.RelativeName(name, z.name), Type: r.Type, Data: r.Value, TTL: ttl}}
	}
	switch s.method {
	case http.MethodPatch:
		_, err = p.SetRecords(ctx, z.name, record(s.want, s.ttl()))
	case http.MethodPost:
		_, err = p.AppendRecords(ctx, z.name, record(s.want, s.ttl()))
	case http.MethodDelete:
		_, err = p.DeleteRecords(ctx, z.name, record(s.stands.record(), 0))
	}
	if err == nil && !only.sent {
		return fmt.Errorf("libdns/cloudflare sent no %s", s.method)
	}
	return err
}

// cloudflareOnly is the HTTP client of libdns for one step.
type cloudflareOnly struct {
	z    *cloudflareZone
	step cloudflareStep
	sent bool
}

// Do implements cloudflare.HTTPClient.
func (o *cloudflareOnly) Do(req *http.Request) (*http.Response, error) {
	records := cloudflarePath + o.z.path()
	target := records
	if o.step.method != http.MethodPost {
		target += "/" + o.step.stands.ID
	}
	switch {
	case req.Method == http.MethodGet && req.URL.Path == cloudflarePath+"/zones":
		return fabricated([]cloudflareZoneInfo{{ID: o.z.id, Name: o.z.name}})
	case req.Method == http.MethodGet && req.URL.Path == records:
		return fabricated([]cloudflareRecord{o.step.stands})
	case req.Method == o.step.method && req.URL.Path == target && !o.sent:
		o.sent = true
		return o.z.d.api.Do(req)
	}
	return nil, fmt.Errorf("libdns/cloudflare would send %s %s, which is not what is to be done", req.Method, req.URL.Path)
}

// fabricated is an answer with a result that is known already.
func fabricated(result any) (*http.Response, error) {
	body, err := json.Marshal(map[string]any{"success": true, "result": result})
	if err != nil {
		return nil, fmt.Errorf("encode answer: %w", err)
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(body))}, nil
}

// confirm reads back what a write did, and gives what stands; sent is the
// write's error. A write whose answer was lost, or that was sent twice, may have
// been carried out.
func (z *cloudflareZone) confirm(ctx context.Context, name string, have, final []providers.Record, sent error) ([]cloudflareRecord, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	for _, class := range []error{providers.ErrDenied, providers.ErrCredentials, providers.ErrThrottled, providers.ErrInvalid, providers.ErrQuota} {
		if errors.Is(sent, class) {
			return nil, sent
		}
	}
	wait := time.Second
	for look := 1; ; look++ {
		raw, err := z.readBack(ctx, name)
		if err != nil {
			if sent != nil {
				return nil, fmt.Errorf("%w; what stands now could not be read: %w", sent, err)
			}
			return nil, fmt.Errorf("the change was sent, but what stands now could not be read: %w", err)
		}
		stands := z.recordSet(name, raw).Records
		asBefore, last := providers.SameRecords(stands, have), look == cloudflareLooks
		switch {
		case providers.SameRecords(stands, final):
			return raw, nil
		case sent != nil && asBefore:
			return raw, sent
		case sent != nil:
			return raw, fmt.Errorf("%s stands at %s now: %w", describe(providers.RecordSet{Records: stands}), name, sent)
		case sameButTTL(stands, final) && (last || !asBefore):
			// The TTL was kept or rounded; the next look shows it.
			return raw, nil
		case !asBefore:
			return raw, fmt.Errorf("%s stands at %s after the change to %s, so somebody else changed it meanwhile: %w",
				describe(providers.RecordSet{Records: stands}), name, describe(providers.RecordSet{Records: final}), providers.ErrConflict)
		case last:
			return raw, fmt.Errorf("the change of %s was taken, but Cloudflare still shows %s", name, describe(providers.RecordSet{Records: stands}))
		}
		if err := z.d.clock.Sleep(ctx, wait); err != nil {
			return raw, err
		}
		wait *= 2
	}
}

// readBack reads name after a write: singly, or with others who write, by one
// listing for all.
func (z *cloudflareZone) readBack(ctx context.Context, name string) ([]cloudflareRecord, error) {
	z.mu.Lock()
	alone := len(z.busy) <= 1
	z.mu.Unlock()
	if alone {
		return z.readName(ctx, name)
	}
	return z.known.read(ctx, name, true)
}

// sameButTTL compares records but for their TTLs.
func sameButTTL(a, b []providers.Record) bool {
	without := func(rs []providers.Record) []providers.Record {
		rs = slices.Clone(rs)
		for i := range rs {
			rs[i].TTL = 0
		}
		return rs
	}
	return providers.SameRecords(without(a), without(b))
}

// ensure creates a CNAME where nothing stands.
func (z *cloudflareZone) ensure(ctx context.Context, name string, r providers.Record) error {
	switch {
	case r.Type != "CNAME" || r.Alias || r.Proxied || r.Value == "":
		return fmt.Errorf("only an ordinary CNAME can be ensured: %w", providers.ErrInvalid)
	case name == z.name:
		return fmt.Errorf("%s is the top of its zone, where Cloudflare flattens a CNAME: %w", name, providers.ErrInvalid)
	case z.flattenAll:
		return fmt.Errorf("zone %s flattens every CNAME, so that nobody could see this one; "+
			"turn \"CNAME flattening for all CNAME records\" off in its DNS settings: %w", z.name, providers.ErrInvalid)
	}
	end, err := z.turn(ctx, name)
	if err != nil {
		return err
	}
	defer end()
	raw, err := z.known.read(ctx, name, false)
	if err != nil {
		return err
	}
	if done, err := z.visible(name, r, raw); done || err != nil {
		return err
	}
	step := cloudflareStep{method: http.MethodPost, want: r}
	if r.TTL != 0 {
		if err := cloudflareTTL(r); err != nil {
			return err
		}
	}
	z.known.mark(name)
	sent := z.write(ctx, name, []cloudflareStep{step})
	z.known.mark(name)
	raw, err = z.confirm(ctx, name, nil, []providers.Record{r}, sent)
	// What stands decides: a conflict may be the same record, made by somebody
	// else, and the record created may have been given a proxy.
	if done, hidden := z.visible(name, r, raw); done || hidden != nil {
		return hidden
	}
	return err
}

// visible says whether r stands in raw, whatever its TTL, as everybody sees it;
// the error is ErrConflict when another record is in its way.
func (z *cloudflareZone) visible(name string, r providers.Record, raw []cloudflareRecord) (bool, error) {
	if len(raw) == 0 {
		return false, nil
	}
	set := z.recordSet(name, raw)
	stands := set.Records
	if len(stands) != 1 || stands[0].Type != r.Type || stands[0].Value != r.Value {
		return false, fmt.Errorf("%s stands there; remove it if nothing needs it: %w", describe(set), providers.ErrConflict)
	}
	if stands[0].Proxied {
		return false, fmt.Errorf("it stands there, but proxied, so that a certificate authority cannot see it; "+
			"switch its proxy status to \"DNS only\": %w", providers.ErrConflict)
	}
	if set.Routing != "" && strings.Contains(set.Routing, "flatten") {
		return false, fmt.Errorf("it stands there, but %s: %w", set.Routing, providers.ErrConflict)
	}
	return true, nil
}
