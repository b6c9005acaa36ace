package dns

import (
	"encoding/json"
	"errors"
	"fmt"
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

// dnsimpleServer answers as DNSimple's API v2 documents it: lists in pages of
// 30, at most 100; the filters name, name_like and type; an update of the fields
// that are given [developer.dnsimple.com/v2/zones/records].
type dnsimpleServer struct {
	mu      sync.Mutex
	records []dnsimpleRecord
	next    int
	seen    []string
}

type dnsimpleRecord struct {
	ID      int    `json:"id"`
	Name    string `json:"name"`
	Type    string `json:"type"`
	Content string `json:"content"`
	TTL     int    `json:"ttl"`
}

func (s *dnsimpleServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = append(s.seen, r.Method+" "+r.URL.RequestURI())
	answer := func(code int, v any) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		_ = json.NewEncoder(w).Encode(v)
	}
	if r.Header.Get("Authorization") != "Bearer right" {
		answer(http.StatusUnauthorized, map[string]string{"message": "Authentication failed"})
		return
	}
	path, ok := strings.CutPrefix(r.URL.Path, "/v2/7/zones/")
	zone, rest, _ := strings.Cut(path, "/")
	if !ok || zone != "example.com" && zone != "99" {
		answer(http.StatusNotFound, map[string]string{"message": "Zone `" + zone + "` not found"})
		return
	}
	var given dnsimpleRecord
	if r.Body != nil {
		_ = json.NewDecoder(r.Body).Decode(&given)
	}
	id, _ := strconv.Atoi(strings.TrimPrefix(rest, "records/"))
	at := slices.IndexFunc(s.records, func(x dnsimpleRecord) bool { return x.ID == id })
	switch {
	case rest == "":
		answer(http.StatusOK, map[string]any{"data": map[string]any{"id": 99, "name": "example.com"}})
	case rest == "records" && r.Method == http.MethodGet:
		answer(http.StatusOK, s.list(r))
	case rest == "records" && r.Method == http.MethodPost:
		given.ID = s.put(given)
		answer(http.StatusCreated, map[string]any{"data": given})
	case at < 0:
		answer(http.StatusNotFound, map[string]string{"message": "Record not found"})
	case r.Method == http.MethodPatch:
		s.records[at].Content = strings.TrimSuffix(given.Content, ".")
		if given.TTL != 0 {
			s.records[at].TTL = given.TTL
		}
		answer(http.StatusOK, map[string]any{"data": s.records[at]})
	case r.Method == http.MethodDelete:
		s.records = slices.Delete(s.records, at, at+1)
		w.WriteHeader(http.StatusNoContent)
	}
}

func (s *dnsimpleServer) put(r dnsimpleRecord) int {
	s.next++
	r.ID, r.Content = s.next, strings.TrimSuffix(r.Content, ".")
	s.records = append(s.records, r)
	return r.ID
}

func (s *dnsimpleServer) list(r *http.Request) map[string]any {
	q := r.URL.Query()
	found := []dnsimpleRecord{}
	for _, x := range s.records {
		if q.Has("type") && x.Type != q.Get("type") || q.Get("name") != "" && x.Name != q.Get("name") ||
			!strings.Contains(x.Name, q.Get("name_like")) {
			continue
		}
		found = append(found, x)
	}
	per, page := 30, 1
	if n, err := strconv.Atoi(q.Get("per_page")); err == nil {
		per = min(n, 100)
	}
	if n, err := strconv.Atoi(q.Get("page")); err == nil {
		page = n
	}
	pages := max(1, (len(found)+per-1)/per)
	part := found[min(len(found), (page-1)*per):min(len(found), page*per)]
	return map[string]any{"data": part, "pagination": map[string]int{"current_page": page, "per_page": per, "total_entries": len(found), "total_pages": pages}}
}

func (s *dnsimpleServer) Rows(*testing.T) []providertest.Row {
	s.mu.Lock()
	defer s.mu.Unlock()
	byKey := map[string]providertest.Row{}
	for _, r := range s.records {
		name := "example.com"
		if r.Name != "" {
			name = r.Name + ".example.com"
		}
		row := byKey[name+" "+r.Type]
		row.Name, row.Type, row.TTL = name, r.Type, time.Duration(r.TTL)*time.Second
		row.Values = append(row.Values, strings.ToLower(r.Content))
		byKey[name+" "+r.Type] = row
	}
	var out []providertest.Row
	for _, row := range byKey {
		out = append(out, row)
	}
	return out
}

func (s *dnsimpleServer) Put(t *testing.T, row providertest.Row) {
	s.Remove(t, row.Name, row.Type)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range row.Values {
		s.put(dnsimpleRecord{Name: relative(row.Name, "example.com", ""), Type: row.Type, Content: v, TTL: int(row.TTL / time.Second)})
	}
}

func (s *dnsimpleServer) Remove(_ *testing.T, name, typ string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records = slices.DeleteFunc(s.records, func(r dnsimpleRecord) bool {
		return r.Name == relative(name, "example.com", "") && r.Type == typ
	})
}

func dnsimpleProvider(t *testing.T, s *dnsimpleServer, token string, zones ...string) providers.DNS {
	t.Helper()
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	d, err := dnsimpleType().New(Options{Zones: zones, Clock: providers.RealClock{}, Settings: map[string]any{
		"api_access_token": token, "account_id": "7", "api_url": server.URL}})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// The suite over a server of the documented API, through the real module.
func TestDNSimpleSuite(t *testing.T) {
	providertest.DNS(t, providertest.DNSSuite{
		New: func(t *testing.T, zone string, rows []providertest.Row) (providers.DNS, providertest.Zone) {
			s := &dnsimpleServer{}
			s.Put(t, providertest.Row{Name: zone, Type: "NS", TTL: time.Hour, Values: []string{"ns1.dnsimple.com"}})
			for _, r := range rows {
				s.Put(t, r)
			}
			return dnsimpleProvider(t, s, "right", zone), s
		},
		Unfaithful: map[string]string{
			"look/routing":            "libdns has no routing policies",
			"replace/several records": typeChange,
		},
	})
}

// The module would take the first record whose name contains the one asked for,
// read 30 records and keep the TTL.
func TestDNSimpleNamesAlike(t *testing.T) {
	s := &dnsimpleServer{}
	for i := range 120 {
		s.Put(t, providertest.Row{Name: fmt.Sprintf("assets%d.example.com", i), Type: "CNAME", TTL: time.Hour, Values: []string{"other.example.net"}})
	}
	s.Put(t, providertest.Row{Name: libdnsName, Type: "CNAME", TTL: time.Hour, Values: []string{oldTarget}})
	// A server that takes an empty name for no filter gives this one first.
	s.Put(t, providertest.Row{Name: "a.example.com", Type: "A", TTL: time.Hour, Values: []string{"192.0.2.77"}})
	s.Put(t, providertest.Row{Name: "example.com", Type: "A", TTL: time.Hour, Values: []string{"192.0.2.1"}})
	d := dnsimpleProvider(t, s, "right", "example.com")
	if err := d.Replace(t.Context(), libdnsName, recs("CNAME", time.Hour, oldTarget), recs("CNAME", time.Minute, newTarget)); err != nil {
		t.Fatal(err)
	}
	if err := d.Replace(t.Context(), "example.com", recs("A", time.Hour, "192.0.2.1"), recs("A", time.Minute, "192.0.2.2")); err != nil {
		t.Fatal(err)
	}
	if err := d.Replace(t.Context(), libdnsName, recs("CNAME", time.Minute, newTarget), nil); err != nil {
		t.Fatal(err)
	}
	for _, row := range s.Rows(t) {
		switch {
		case row.Name == "example.com":
			if row.TTL != time.Minute || !slices.Equal(row.Values, []string{"192.0.2.2"}) {
				t.Errorf("the apex is %+v", row)
			}
		case row.Name == "a.example.com" && row.TTL == time.Hour && slices.Equal(row.Values, []string{"192.0.2.77"}):
		case row.Name == libdnsName, row.TTL != time.Hour, !slices.Equal(row.Values, []string{"other.example.net"}):
			t.Errorf("another name's record was changed: %+v", row)
		}
	}
	for _, request := range s.seen {
		if strings.Contains(request, "name_like") {
			t.Errorf("%s asks for names that contain the name", request)
		}
	}
}

func TestDNSimpleErrors(t *testing.T) {
	for what, tc := range map[string]struct {
		token, zone string
		class       error
		says        string
	}{
		"wrong token":  {"wr0ng-token", "example.com", providers.ErrCredentials, "401 Authentication failed"},
		"unknown zone": {"right", "example.org", providers.ErrNotFound, "404 Zone `example.org` not found"},
	} {
		_, err := dnsimpleProvider(t, &dnsimpleServer{}, tc.token, tc.zone).Look(t.Context(), "www."+tc.zone)
		if !errors.Is(err, tc.class) || !strings.Contains(err.Error(), tc.says) || strings.Contains(err.Error(), "wr0ng") {
			t.Errorf("%s: error is %v", what, err)
		}
	}
}
