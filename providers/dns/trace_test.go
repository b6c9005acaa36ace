package dns

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/libdns/powerdns"

	"github.com/edgeward/edgeward/providers"
)

// noted is a list of exchanges.
type noted struct {
	mu  sync.Mutex
	all []providers.Exchange
}

func (n *noted) note(e providers.Exchange) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.all = append(n.all, e)
}

// has compares what was noted, without its times where those are real.
func (n *noted) has(t *testing.T, want []providers.Exchange, without ...string) {
	t.Helper()
	for _, e := range n.all {
		if e.Time.IsZero() || e.Time.Location() != time.UTC {
			t.Errorf("no time in UTC: %+v", e)
		}
	}
	if d := cmp.Diff(want, n.all, cmpopts.IgnoreFields(providers.Exchange{}, append(without, "Time")...)); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

func (n *noted) keeps(t *testing.T, secrets ...string) {
	t.Helper()
	for _, s := range secrets {
		if text := fmt.Sprintf("%+v", n.all); strings.Contains(text, s) {
			t.Errorf("%q is in %s", s, text)
		}
	}
}

// Cloudflare: every attempt, with what it waited for; ids are in the URL alone, and
// what the API repeats of the token nowhere.
func TestTraceOfCloudflare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, n := &cfServer{}, &noted{}
		z := s.add("example.com")
		s.script = func(i int, req *http.Request) (*http.Response, error) {
			time.Sleep(20 * time.Millisecond)
			if i > 2 {
				return nil, nil
			}
			status, text := http.StatusTooManyRequests, `{"success":false}`
			if i == 2 {
				status, text = http.StatusBadGateway, "<html>"+req.Header.Get("Authorization")+"</html>"
			}
			return &http.Response{StatusCode: status, Header: http.Header{"Cf-Ray": {"ray-" + cfCanary}}, Body: io.NopCloser(strings.NewReader(text))}, nil
		}
		d, err := newCloudflare(Options{Zones: []string{"example.com"}, Clock: providers.RealClock{}, Trace: n.note, Settings: map[string]any{"api_token": cfCanary}}, s)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.Look(t.Context(), "assets.example.com"); err != nil {
			t.Fatal(err)
		}
		n.keeps(t, cfCanary, "Bearer")
		const zones = "https://api.cloudflare.com/client/v4/zones"
		n.has(t, []providers.Exchange{
			{API: "cloudflare", Operation: "GET /zones", URL: zones, Attempt: 1, Duration: 20, Status: 429, RequestID: "ray-(secret)", Throttled: true},
			{API: "cloudflare", Operation: "GET /zones", URL: zones, Attempt: 2, Waited: 500, Duration: 20, Status: 502, RequestID: "ray-(secret)"},
			{API: "cloudflare", Operation: "GET /zones", URL: zones, Attempt: 3, Waited: 1000, Duration: 20, Status: 200},
			{API: "cloudflare", Operation: "GET /zones/{id}/dns_settings", URL: zones + "/" + z.id + "/dns_settings", Attempt: 1, Duration: 20, Status: 403},
			{API: "cloudflare", Operation: "GET /zones/{id}/dns_records", URL: zones + "/" + z.id + "/dns_records", Attempt: 1, Duration: 20, Status: 200},
		}, "Error", "Waited")
		if n.all[0].Waited != 0 || n.all[1].Waited < 500 || n.all[2].Waited < 1000 {
			t.Errorf("waited %d, %d, %d ms", n.all[0].Waited, n.all[1].Waited, n.all[2].Waited)
		}
		if !strings.Contains(n.all[0].Error, "too many requests") || !strings.Contains(n.all[1].Error, "status 502") {
			t.Errorf("%q, %q", n.all[0].Error, n.all[1].Error)
		}
	})
}

// RFC 2136: transfers, questions and updates, by the name of their key.
func TestTraceOfRFC2136(t *testing.T) {
	p, n := newUpdateParty(t, "example.com", []string{"www.example.com. 60 IN CNAME old.example.net.", "txt.example.com. 60 IN TXT \"canary\""}), &noted{}
	d := newTestRFC2136(t, Options{Settings: settings2136(p.address, keyEdgeward), Trace: n.note})
	record := func(to string) []providers.Record {
		return []providers.Record{{Type: "CNAME", Value: to, TTL: time.Minute}}
	}
	if _, err := d.Look(t.Context(), "www.example.com"); err != nil {
		t.Fatal(err)
	}
	if err := d.Replace(t.Context(), "www.example.com", record("old.example.net"), record("new.example.net")); err != nil {
		t.Fatal(err)
	}
	key, server := clean(keyEdgeward), p.address
	of := func(e providers.Exchange) providers.Exchange {
		e.API, e.Server, e.Network, e.Key, e.RCode = "dns", server, "tcp", key, "NOERROR"
		return e
	}
	ask, wild := of(providers.Exchange{Operation: "QUERY", About: "www.example.com CNAME", Sections: "1 answers"}), of(providers.Exchange{Operation: "QUERY", About: "*.example.com CNAME"})
	wild.RCode = "NXDOMAIN"
	n.has(t, []providers.Exchange{
		of(providers.Exchange{Operation: "AXFR", About: "example.com", Sections: "5 records"}), ask, wild,
		of(providers.Exchange{Operation: "UPDATE", About: "www.example.com", Sections: "3 prerequisites, 2 updates"}), ask, wild,
	}, "Duration")
	n.keeps(t, labSecret, "canary", "new.example.net")

	lost := &noted{}
	d = newTestRFC2136(t, Options{Settings: settings2136("127.0.0.1:1", keyEdgeward), Trace: lost.note})
	if _, err := d.Look(t.Context(), "www.example.com"); err == nil || len(lost.all) == 0 || lost.all[0].Operation != "CONNECT" || lost.all[0].Error == "" {
		t.Errorf("%v, %+v", err, lost.all)
	}
}

// A module's call is one line, with how many requests it was; its secrets are in no
// form in it.
func TestTraceOfModules(t *testing.T) {
	const secret = `s3cr+t/"tøken" 0`
	var requests atomic.Int32
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		http.Error(w, "you are not "+r.Header.Get("X-Api-Key"), http.StatusUnauthorized)
	}))
	defer api.Close()
	row := libdnsRow{name: "powerdns", title: "PowerDNS", settings: []Setting{{Name: "api_token", Sensitive: true}}}
	n := &noted{}
	o := Options{Zones: []string{"example.com"}, Clock: providers.RealClock{}, Trace: n.note, Settings: map[string]any{"api_token": secret}}
	d, err := newLibdns(o, &powerdns.Provider{ServerURL: api.URL, APIToken: "plain-token"}, row)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Look(t.Context(), libdnsName); err == nil {
		t.Fatal("there is a record")
	}
	fail := errors.New("status code: 429, token=s3cr%2Bt%2F%22t%C3%B8ken%22+0")
	m := &memoryModule{zone: "example.com", fail: func(string, int) error { return fail }}
	if d, err = newLibdns(o, m, row); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Look(t.Context(), libdnsName); !errors.Is(err, providers.ErrThrottled) {
		t.Error(err)
	}
	n.has(t, []providers.Exchange{
		{API: "powerdns", Operation: "GetRecords", About: "example.com", Requests: int(requests.Load()), Status: 401},
		{API: "powerdns", Operation: "GetRecords", About: "example.com", Status: 429, Throttled: true, Error: "status code: 429, token=(secret)"},
	}, "Duration", "Error")
	if n.all[1].Error != "status code: 429, token=(secret)" || n.all[0].Error == "" {
		t.Errorf("%+v", n.all)
	}
	n.keeps(t, "s3cr")
}
