package dns

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/edgeward/edgeward/providers"
	"github.com/edgeward/edgeward/providers/providertest"
)

// apiZone is zone example.com at a provider whose documented API is imitated,
// for the real module to speak to. Nothing leaves the process.
type apiZone struct {
	mu   sync.Mutex
	recs []apiRecord
	next int
	// seen are the requests that write.
	seen []string
}

// apiRecord has a name relative to the zone, "" at its top, and data as the API
// stores it.
type apiRecord struct {
	id               int
	name, typ, value string
	ttl              int
}

func (z *apiZone) add(name, typ, value string, ttl int) apiRecord {
	z.next++
	r := apiRecord{z.next, name, typ, value, ttl}
	z.recs = append(z.recs, r)
	return r
}

func (z *apiZone) drop(match func(apiRecord) bool) { z.recs = slices.DeleteFunc(z.recs, match) }

func (z *apiZone) find(match func(apiRecord) bool) []apiRecord {
	var out []apiRecord
	for _, r := range z.recs {
		if match(r) {
			out = append(out, r)
		}
	}
	return out
}

func same(name, typ string) func(apiRecord) bool {
	return func(r apiRecord) bool { return r.name == name && r.typ == typ }
}

// crowded says whether a record may not stand beside others: the APIs refuse a
// second record where a CNAME is involved.
func (z *apiZone) crowded(name, typ string) bool {
	return len(z.find(func(r apiRecord) bool {
		return r.name == name && (r.typ == "CNAME" || typ == "CNAME") && r.typ != "NS"
	})) > 0
}

// Rows, Put and Remove implement providertest.Zone.
func (z *apiZone) Rows(*testing.T) []providertest.Row {
	z.mu.Lock()
	defer z.mu.Unlock()
	byKey := map[string]providertest.Row{}
	for _, r := range z.recs {
		key := r.name + " " + r.typ
		row := byKey[key]
		row.Name, row.Type, row.TTL = absolute(r.name, "example.com"), r.typ, time.Duration(r.ttl)*time.Second
		value := r.value
		if r.typ == "CNAME" {
			value = clean(value)
		}
		row.Values = append(row.Values, value)
		byKey[key] = row
	}
	var out []providertest.Row
	for _, row := range byKey {
		out = append(out, row)
	}
	return out
}

func (z *apiZone) Put(t *testing.T, row providertest.Row) {
	z.Remove(t, row.Name, row.Type)
	z.mu.Lock()
	defer z.mu.Unlock()
	for _, v := range row.Values {
		z.add(relative(row.Name, "example.com", ""), row.Type, v, int(row.TTL/time.Second))
	}
}

func (z *apiZone) Remove(_ *testing.T, name, typ string) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.drop(same(relative(name, "example.com", ""), typ))
}

// serve lets http.DefaultTransport, which these modules use, answer from h.
func (z *apiZone) serve(t *testing.T, h func(w http.ResponseWriter, r *http.Request, body []byte)) {
	old := http.DefaultTransport
	http.DefaultTransport = roundTrip(func(r *http.Request) (*http.Response, error) {
		z.mu.Lock()
		defer z.mu.Unlock()
		body := readAll(r)
		if r.Method != http.MethodGet && !strings.Contains(r.URL.Path, "retrieve") {
			z.seen = append(z.seen, r.Method+" "+r.URL.Path)
		}
		w := httptest.NewRecorder()
		w.Header().Set("Content-Type", "application/json")
		h(w, r, body)
		res := w.Result()
		res.Request = r
		return res, nil
	})
	t.Cleanup(func() { http.DefaultTransport = old })
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func readAll(r *http.Request) []byte {
	if r.Body == nil {
		return nil
	}
	defer r.Body.Close()
	var b strings.Builder
	buf := make([]byte, 4096)
	for {
		n, err := r.Body.Read(buf)
		b.Write(buf[:n])
		if err != nil {
			return []byte(b.String())
		}
	}
}

func reply200(w http.ResponseWriter, v any) { _ = json.NewEncoder(w).Encode(v) }

// ionos: names are whole and targets have no dot at the end; records are changed
// by id; TTLs below 60 are refused [developer.hosting.ionos.com/docs/dns].
func (z *apiZone) ionos(w http.ResponseWriter, r *http.Request, body []byte) {
	type record struct {
		ID      string `json:"id"`
		Name    string `json:"name"`
		Type    string `json:"type"`
		Content string `json:"content"`
		TTL     int    `json:"ttl"`
	}
	form := func(x apiRecord) record {
		return record{strconv.Itoa(x.id), absolute(x.name, "example.com"), x.typ, x.value, x.ttl}
	}
	rest := strings.TrimPrefix(r.URL.Path, "/dns/v1/zones")
	q := r.URL.Query()
	id, _ := strconv.Atoi(strings.TrimPrefix(rest, "/z1/records/"))
	at := slices.IndexFunc(z.recs, func(x apiRecord) bool { return x.id == id })
	var one record
	var many []record
	_ = json.Unmarshal(body, &one)
	_ = json.Unmarshal(body, &many)
	switch {
	case rest == "":
		reply200(w, []map[string]string{{"name": "example.com", "id": "z1"}})
	case rest == "/z1":
		list := []record{}
		for _, x := range z.recs {
			f := form(x)
			if (q.Get("recordType") == "" || q.Get("recordType") == f.Type) && (q.Get("recordName") == "" || q.Get("recordName") == f.Name) {
				list = append(list, f)
			}
		}
		reply200(w, map[string]any{"id": "z1", "name": "example.com", "records": list})
	case r.Method == http.MethodPost:
		out := []record{}
		for _, g := range many {
			name := relative(g.Name, "example.com", "")
			if g.TTL < 60 || z.crowded(name, g.Type) {
				w.WriteHeader(http.StatusBadRequest)
				return
			}
			out = append(out, form(z.add(name, g.Type, g.Content, g.TTL)))
		}
		reply200(w, out)
	case at < 0:
		w.WriteHeader(http.StatusNotFound)
	case r.Method == http.MethodPut:
		z.recs[at].value, z.recs[at].ttl = one.Content, one.TTL
		reply200(w, map[string]any{})
	case r.Method == http.MethodDelete:
		z.drop(func(x apiRecord) bool { return x.id == id })
		reply200(w, map[string]any{})
	}
}

// The suite through the real module over an imitation of the documented API. Of
// the other modules, some raise TTLs, which the suite has no words for, and some
// bring a transport of their own that leads out of the process.
func TestLibdnsModulesSuite(t *testing.T) {
	for name, tc := range map[string]struct {
		typ      Type
		settings map[string]any
		api      func(*apiZone) func(http.ResponseWriter, *http.Request, []byte)
	}{
		"ionos": {typ: ionosType(), settings: map[string]any{"auth_api_token": "t"},
			api: func(z *apiZone) func(http.ResponseWriter, *http.Request, []byte) { return z.ionos }},
	} {
		t.Run(name, func(t *testing.T) {
			providertest.DNS(t, providertest.DNSSuite{
				New: func(t *testing.T, zone string, rows []providertest.Row) (providers.DNS, providertest.Zone) {
					z := &apiZone{}
					z.Put(t, providertest.Row{Name: zone, Type: "NS", TTL: time.Hour, Values: []string{"ns1.example.net"}})
					for _, r := range rows {
						z.Put(t, r)
					}
					z.serve(t, tc.api(z))
					d, err := tc.typ.New(Options{Zones: []string{zone}, Settings: tc.settings, Clock: providers.RealClock{}})
					if err != nil {
						t.Fatal(err)
					}
					return d, z
				},
				Unfaithful: map[string]string{
					"look/routing":            "libdns has no routing policies",
					"replace/several records": typeChange,
				},
			})
		})
	}
}

// libdns/godaddy takes a 422 for the end of the list: a refused zone must not
// look empty.
func TestGoDaddyRefusedList(t *testing.T) {
	(&apiZone{}).serve(t, func(w http.ResponseWriter, _ *http.Request, _ []byte) { w.WriteHeader(http.StatusUnprocessableEntity) })
	d, err := godaddyType().New(Options{Zones: []string{"example.com"}, Settings: map[string]any{"api_token": "k:s"}, Clock: providers.RealClock{}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Look(t.Context(), libdnsName); err == nil || !strings.Contains(err.Error(), "GoDaddy: the list of records of zone example.com came back empty") {
		t.Errorf("error is %v", err)
	}
}

// What the other modules send to change a CNAME: one request that replaces it,
// and none that deletes.
func TestLibdnsModulesWrite(t *testing.T) {
	for name, tc := range map[string]struct {
		typ      Type
		settings map[string]any
		list     string // with %s for the target and %d for the TTL
		write    string
		body     string
		ttl      int
	}{
		"godaddy": {godaddyType(), map[string]any{"api_token": "k:s"},
			`[{"type":"NS","name":"@","data":"ns1.example.net","ttl":3600},{"type":"CNAME","name":"assets","data":"%s","ttl":%d}]`,
			"PUT /v1/domains/example.com/records/CNAME/assets", `[{"data":"d111111abcdef8.cloudfront.net","ttl":600}]`, 600},
		"porkbun": {porkbunType(), map[string]any{"api_key": "k", "api_secret_key": "s"},
			`{"status":"SUCCESS","records":[{"type":"MX","name":"example.com","content":"mx","ttl":"600"},` +
				`{"type":"CNAME","name":"assets.example.com","content":"%s","ttl":"%d"}]}`,
			"POST /api/json/v3/dns/editByNameType/example.com/CNAME/assets",
			`{"apikey":"k","secretapikey":"s","content":"d111111abcdef8.cloudfront.net.","name":"assets","ttl":"600","type":"CNAME"}`, 600},
		"desec": {desecType(), map[string]any{"token": "t"},
			`[{"subname":"","type":"NS","records":["ns1.example.net."],"ttl":3600},{"subname":"assets","type":"CNAME","records":["%s."],"ttl":%d}]`,
			"PUT /api/v1/domains/example.com/rrsets/",
			`[{"subname":"assets","type":"CNAME","records":["d111111abcdef8.cloudfront.net."],"ttl":3600}]`, 3600},
	} {
		t.Run(name, func(t *testing.T) {
			z, target, ttl := &apiZone{}, oldTarget, 7200
			z.serve(t, func(w http.ResponseWriter, r *http.Request, body []byte) {
				if r.Method != http.MethodGet && !strings.Contains(r.URL.Path, "retrieve") {
					if string(body) != tc.body {
						t.Errorf("the body is\n%s\nwant\n%s", body, tc.body)
					}
					target, ttl = newTarget, tc.ttl
					_, _ = w.Write([]byte(`{"status":"SUCCESS"}`))
					return
				}
				_, _ = w.Write([]byte(strings.NewReplacer("%s", target, "%d", strconv.Itoa(ttl)).Replace(tc.list)))
			})
			d, err := tc.typ.New(Options{Zones: []string{"example.com"}, Settings: tc.settings, Clock: providers.RealClock{}})
			if err != nil {
				t.Fatal(err)
			}
			if err := d.Replace(t.Context(), libdnsName, recs("CNAME", 2*time.Hour, oldTarget), recs("CNAME", time.Minute, newTarget)); err != nil {
				t.Fatal(err)
			}
			if len(z.seen) != 1 || z.seen[0] != tc.write {
				t.Errorf("requests that write are %v, want %s", z.seen, tc.write)
			}
			set, err := d.Look(t.Context(), libdnsName)
			if want := recs("CNAME", time.Duration(tc.ttl)*time.Second, newTarget); err != nil || !providers.SameRecords(set.Records, want) {
				t.Errorf("%v stands (%v), want %v: the floor is seen", set.Records, err, want)
			}
		})
	}
}
