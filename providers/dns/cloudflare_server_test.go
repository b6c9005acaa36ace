package dns

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/edgeward/edgeward/providers/providertest"
)

// cfCanary is the token of every test; it stands in no error.
const cfCanary = "canary-v1.0-CLOUDFLARE-TOKEN"

// cfServer is Cloudflare's API as an http.RoundTripper, in memory, made from its
// documentation (developers.cloudflare.com, API: "Zones", "DNS Records for a
// Zone", "DNS Settings") and, where that is silent about codes, from answers
// of the API that issues quote. Each rule names its source.
type cfServer struct {
	mu    sync.Mutex
	zones []*cfZoneState
	next  int
	// log has the method and path of every request, bodies what was sent.
	log    []string
	bodies []string
	// script may answer a request instead, the nth of all, counted from 1.
	script func(n int, req *http.Request) (*http.Response, error)
	// before and after are called round each request that is carried out.
	before, after func(req *http.Request)
	// watch is called after each single change of a record, those inside a batch
	// too: their propagation is not atomic [Batch DNS Records].
	watch func(z *cfZoneState)
}

type cfZoneState struct {
	id, name, status, typ string
	// denied: the token may find the zone and not read it.
	denied, readOnly bool
	flattenAll       any
	records          []map[string]any
	// stale is how many reads still show the records as they were.
	stale  int
	before []map[string]any
}

func (s *cfServer) add(name string) *cfZoneState {
	s.mu.Lock()
	defer s.mu.Unlock()
	z := &cfZoneState{id: fmt.Sprintf("%032x", len(s.zones)+1), name: name, status: "active", typ: "full"}
	s.zones = append(s.zones, z)
	return z
}

// record is a record as it stands, with everything a PATCH must not lose.
func (s *cfServer) record(z *cfZoneState, name, typ, content string, ttl int, proxied bool) map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.put(z, map[string]any{"name": name, "type": typ, "content": content, "ttl": ttl, "proxied": proxied})
}

func (s *cfServer) put(z *cfZoneState, r map[string]any) map[string]any {
	s.next++
	full := map[string]any{"id": fmt.Sprintf("rec%029d", s.next), "comment": "", "tags": []any{}, "settings": map[string]any{},
		"meta": map[string]any{}, "proxiable": true, "created_on": "2024-01-01T00:00:00Z"}
	maps.Copy(full, r)
	z.records = append(z.records, full)
	return full
}

// RoundTrip implements http.RoundTripper.
func (s *cfServer) RoundTrip(req *http.Request) (*http.Response, error) {
	var body []byte
	if req.Body != nil {
		body, _ = io.ReadAll(req.Body)
	}
	s.mu.Lock()
	s.log = append(s.log, req.Method+" "+strings.TrimPrefix(req.URL.Path, cloudflarePath))
	s.bodies = append(s.bodies, string(body))
	n, script, before, after := len(s.log), s.script, s.before, s.after
	s.mu.Unlock()
	if script != nil {
		if resp, err := script(n, req); resp != nil || err != nil {
			return resp, err
		}
	}
	if before != nil {
		before(req)
	}
	status, answer := s.answer(req, body)
	if after != nil {
		after(req)
	}
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	return cfResponse(status, answer), nil
}

func cfResponse(status int, answer any) *http.Response {
	text, ok := answer.(string)
	kind := "text/html; charset=UTF-8"
	if !ok {
		b, _ := json.Marshal(answer)
		text, kind = string(b), "application/json"
	}
	return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {kind}}, Body: io.NopCloser(strings.NewReader(text))}
}

func cfFail(code int, message string, chain ...any) map[string]any {
	e := map[string]any{"code": code, "message": message}
	if len(chain) > 0 {
		e["error_chain"] = []any{map[string]any{"code": chain[0], "message": chain[1]}}
	}
	return map[string]any{"success": false, "errors": []any{e}, "messages": []any{}, "result": nil}
}

func cfOK(result any) map[string]any {
	return map[string]any{"success": true, "errors": []any{}, "messages": []any{}, "result": result}
}

func (s *cfServer) answer(req *http.Request, body []byte) (int, any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	path := strings.TrimPrefix(req.URL.Path, cloudflarePath)
	if req.URL.Host != cloudflareHost || path == req.URL.Path {
		return 404, cfFail(7000, "No route for that URI")
	}
	token, ok := strings.CutPrefix(req.Header.Get("Authorization"), "Bearer ")
	switch {
	case !ok || strings.ContainsAny(token, " \n"):
		// [libdns/cloudflare#9, ddns-go#1296]
		return 400, cfFail(6003, "Invalid request headers", 6111, "Invalid format for Authorization header")
	case token != cfCanary:
		return 403, cfFail(9109, "Invalid access token")
	case path == "/zones":
		return s.listZones(req.URL.Query())
	}
	parts := strings.Split(strings.Trim(path, "/"), "/")
	i := slices.IndexFunc(s.zones, func(z *cfZoneState) bool { return len(parts) > 1 && z.id == parts[1] })
	if i < 0 {
		return 404, cfFail(7003, "Could not route to "+path+", perhaps your object identifier is invalid?")
	}
	z := s.zones[i]
	switch {
	case z.denied:
		return 403, cfFail(10000, "Authentication error")
	case len(parts) == 3 && parts[2] == "dns_settings" && z.flattenAll == nil:
		return 403, cfFail(10000, "Authentication error")
	case len(parts) == 3 && parts[2] == "dns_settings":
		return 200, cfOK(map[string]any{"flatten_all_cnames": z.flattenAll})
	case len(parts) == 3 && req.Method == http.MethodGet:
		return s.list(z, req.URL.Query())
	case z.readOnly:
		return 403, cfFail(10000, "Authentication error")
	case len(parts) == 4 && parts[3] == "batch":
		return s.batch(z, body)
	}
	id := ""
	if len(parts) == 4 {
		id = parts[3]
	}
	before := slices.Clone(z.records)
	result, status, fail := s.change(z, req.Method, id, body)
	if fail != nil {
		return status, fail
	}
	z.before = before
	return 200, cfOK(result)
}

func (s *cfServer) listZones(q url.Values) (int, any) {
	var found []any
	for _, z := range s.zones {
		if n := q.Get("name"); n == "" || n == z.name {
			found = append(found, map[string]any{"id": z.id, "name": z.name, "status": z.status, "type": z.typ,
				"paused": false, "name_servers": []string{"ada.ns.cloudflare.com", "bob.ns.cloudflare.com"}})
		}
	}
	answer := cfOK(found)
	answer["result_info"] = map[string]any{"page": 1, "per_page": 20, "count": len(found), "total_count": len(found), "total_pages": 1}
	return 200, answer
}

// list [List DNS Records: name, type, content.exact, page, per_page (default
// 100)].
func (s *cfServer) list(z *cfZoneState, q url.Values) (int, any) {
	per, page := 100, 1
	if v, err := strconv.Atoi(q.Get("per_page")); err == nil {
		per = v
	}
	if v, err := strconv.Atoi(q.Get("page")); err == nil {
		page = v
	}
	records := z.records
	if z.stale > 0 && z.before != nil {
		z.stale--
		records = z.before
	}
	found := []map[string]any{}
	for _, r := range records {
		if n := q.Get("name"); n != "" && !strings.EqualFold(n, r["name"].(string)) {
			continue
		}
		if t := q.Get("type"); t == "" || t == r["type"] {
			found = append(found, maps.Clone(r))
		}
	}
	total := len(found)
	found = found[min((page-1)*per, total):min(page*per, total)]
	answer := cfOK(found)
	answer["result_info"] = map[string]any{"page": page, "per_page": per, "count": len(found), "total_count": total,
		"total_pages": (total + per - 1) / per}
	return 200, answer
}

// change carries out one POST, PATCH or DELETE.
func (s *cfServer) change(z *cfZoneState, method, id string, body []byte) (any, int, any) {
	var in map[string]any
	if len(bytes.TrimSpace(body)) > 0 {
		if err := json.Unmarshal(body, &in); err != nil {
			return nil, 400, cfFail(9207, "Failed to parse request body")
		}
	}
	i := slices.IndexFunc(z.records, func(r map[string]any) bool { return r["id"] == id })
	if method != http.MethodPost && i < 0 {
		return nil, 404, cfFail(81044, "Record does not exist.")
	}
	if method == http.MethodDelete {
		z.records = slices.Delete(slices.Clone(z.records), i, i+1)
		s.changed(z)
		return map[string]any{"id": id}, 0, nil
	}
	want := map[string]any{"ttl": 1.0, "proxied": false}
	if method == http.MethodPatch {
		want = maps.Clone(z.records[i])
	}
	for _, key := range []string{"type", "name", "content", "ttl", "proxied", "comment", "tags", "settings"} {
		if v, ok := in[key]; ok {
			want[key] = v
		}
	}
	if status, fail := s.valid(z, want); fail != nil {
		return nil, status, fail
	}
	if method == http.MethodPost {
		r := s.put(z, want)
		s.changed(z)
		return maps.Clone(r), 0, nil
	}
	z.records = slices.Clone(z.records)
	z.records[i] = want
	s.changed(z)
	return maps.Clone(want), 0, nil
}

// valid completes a record and says what the API has against it.
func (s *cfServer) valid(z *cfZoneState, r map[string]any) (int, any) {
	// The API completes a name without the zone, and takes "@".
	name := strings.ToLower(strings.TrimSuffix(fmt.Sprint(r["name"]), "."))
	switch {
	case name == "@":
		name = z.name
	case name != z.name && !strings.HasSuffix(name, "."+z.name):
		name += "." + z.name
	}
	r["name"] = name
	ttl, _ := strconv.Atoi(fmt.Sprint(r["ttl"]))
	if r["proxied"] == true {
		// A proxied record's TTL is automatic [Time to Live].
		ttl = 1
	}
	r["ttl"] = ttl
	if ttl != 1 && (ttl < 60 || ttl > 86400) {
		// [Time to Live; the code and text are those that issues quote]
		return 400, cfFail(1004, "DNS Validation Error", 9021, "Invalid TTL. Must be between 60 and 86,400 seconds, or 1 for Automatic.")
	}
	for _, o := range z.records {
		if o["id"] == r["id"] || o["name"] != name {
			continue
		}
		isC, oC := r["type"] == "CNAME", o["type"] == "CNAME"
		isA, oA := r["type"] == "A" || r["type"] == "AAAA", o["type"] == "A" || o["type"] == "AAAA"
		switch {
		case o["type"] == r["type"] && o["content"] == r["content"]:
			return 400, cfFail(81058, "An identical record already exists.")
		case isC && (oA || oC):
			// [DNS records with same name; terraform-provider-cloudflare#1247]
			return 400, cfFail(81053, "An A, AAAA, or CNAME record with that host already exists.")
		case isA && oC:
			// [cloudflare-ddns#990]
			return 400, cfFail(81054, "A CNAME record with that host already exists.")
		case o["type"] == "NS" && r["type"] != "NS":
			// [Create DNS Record: NS records cannot exist on the same name as others]
			return 400, cfFail(81056, "NS records with that host already exist.")
		}
	}
	return 0, nil
}

func (s *cfServer) changed(z *cfZoneState) {
	if s.watch != nil {
		s.watch(z)
	}
}

// batch: deletes, patches, posts, in this order, in one transaction
// [Batch DNS Records].
func (s *cfServer) batch(z *cfZoneState, body []byte) (int, any) {
	var in struct{ Deletes, Patches, Posts []json.RawMessage }
	if err := json.Unmarshal(body, &in); err != nil {
		return 400, cfFail(9207, "Failed to parse request body")
	}
	before := slices.Clone(z.records)
	for _, part := range []struct {
		method string
		list   []json.RawMessage
	}{{http.MethodDelete, in.Deletes}, {http.MethodPatch, in.Patches}, {http.MethodPost, in.Posts}} {
		for _, one := range part.list {
			var id struct{ ID string }
			_ = json.Unmarshal(one, &id)
			if _, status, fail := s.change(z, part.method, id.ID, one); fail != nil {
				z.records = before
				return status, fail
			}
		}
	}
	z.before = before
	return 200, cfOK(map[string]any{})
}

// count is how many requests began with prefix.
func (s *cfServer) count(prefix string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, l := range s.log {
		if strings.HasPrefix(l, prefix) {
			n++
		}
	}
	return n
}

// writes are the methods of the requests that write.
func (s *cfServer) writes() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var methods []string
	for _, l := range s.log {
		if method, _, _ := strings.Cut(l, " "); method != http.MethodGet {
			methods = append(methods, method)
		}
	}
	return methods
}

// cfView is a server's zone as the conformance suite sees it. A weighted row is
// a record of another product, which is read-only.
type cfView struct {
	s *cfServer
	z *cfZoneState
}

func (v cfView) Rows(t *testing.T) []providertest.Row {
	v.s.mu.Lock()
	defer v.s.mu.Unlock()
	var rows []providertest.Row
	for _, r := range v.z.records {
		ttl, _ := strconv.Atoi(fmt.Sprint(r["ttl"]))
		row := providertest.Row{Name: r["name"].(string), Type: r["type"].(string), TTL: time.Duration(ttl) * time.Second,
			Values: []string{r["content"].(string)}, Weighted: r["meta"].(map[string]any)["read_only"] == true}
		i := slices.IndexFunc(rows, func(o providertest.Row) bool { return o.Name == row.Name && o.Type == row.Type })
		if i >= 0 {
			rows[i].Values = append(rows[i].Values, row.Values...)
			continue
		}
		rows = append(rows, row)
	}
	return rows
}

func (v cfView) Put(t *testing.T, row providertest.Row) {
	v.Remove(t, row.Name, row.Type)
	v.s.mu.Lock()
	defer v.s.mu.Unlock()
	for _, value := range row.Values {
		r := v.s.put(v.z, map[string]any{"name": row.Name, "type": row.Type, "content": value, "ttl": int(row.TTL / time.Second), "proxied": false})
		if row.Weighted {
			r["meta"] = map[string]any{"read_only": true}
		}
	}
}

func (v cfView) Remove(t *testing.T, name, typ string) {
	v.s.mu.Lock()
	defer v.s.mu.Unlock()
	v.z.records = slices.DeleteFunc(slices.Clone(v.z.records), func(r map[string]any) bool { return r["name"] == name && r["type"] == typ })
}
