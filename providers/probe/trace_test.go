package probe

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/miekg/dns"

	"github.com/edgeward/edgeward/providers"
)

// noted is a list of exchanges, without their times.
type noted struct {
	mu  sync.Mutex
	all []providers.Exchange
}

func (n *noted) note(e providers.Exchange) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if e.Time.IsZero() || e.Time.Location() != time.UTC {
		e.Error += " no time in UTC"
	}
	e.Time, e.Duration = time.Time{}, 0
	n.all = append(n.all, e)
}

// A fetch is told with where it went and what caches say, and neither with its
// query nor with a header of the request.
func TestTraceOfFetches(t *testing.T) {
	var n noted
	address := strings.TrimPrefix(plain(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/broken" {
			panic(http.ErrAbortHandler)
		}
		for k, v := range map[string]string{"X-Cache": "Hit from cloudfront", "Via": "1.1 edge (CloudFront)", "Age": "7", "X-Amz-Cf-Id": "id"} {
			w.Header().Set(k, v)
		}
	}), "http://")
	_, port, _ := strings.Cut(address, ":")
	w := newWeb(t, WebOptions{Trace: n.note})
	for _, path := range []string{"/a%20b?X-Amz-Signature=canary", "/broken"} {
		_, _ = w.Fetch(t.Context(), providers.Request{Method: "GET", URL: "http://canary@assets.example.com" + path, Dial: "localhost:" + port,
			Header: http.Header{"Authorization": {"canary"}, "Cookie": {"canary"}}})
	}
	at := providers.Exchange{API: "http", Operation: "GET", Server: "localhost:" + port, Peer: address}
	good, bad := at, at
	good.URL, good.Status, good.RequestID, good.XCache, good.Via, good.Age = "http://assets.example.com/a%20b", 200, "id", "Hit from cloudfront", "1.1 edge (CloudFront)", "7"
	bad.URL = "http://assets.example.com/broken"
	if d := cmp.Diff([]providers.Exchange{good, bad}, n.all, cmpopts.IgnoreFields(providers.Exchange{}, "Error")); d != "" || n.all[0].Error != "" || n.all[1].Error == "" {
		t.Errorf("-want +got:\n%s\n%+v", d, n.all)
	}
}

// Every message to a name server is told, those without an answer too.
func TestTraceOfQuestions(t *testing.T) {
	var n noted
	long := make([]string, 0, 10)
	for i := range 10 {
		long = append(long, "assets.example.com. 5 IN A 192.0.2."+string(rune('0'+i)))
	}
	good := serve(t, "127.0.0.1", says(0, true, cname, name+`. 60 IN TXT "canary"`))
	many := serve(t, "127.0.0.1", says(0, false, long...))
	mute := serve(t, "127.0.0.1", silent)
	for _, server := range []string{good, many, mute} {
		r, err := NewResolver(ResolverOptions{Resolvers: []string{server}, Clock: providers.RealClock{}, Timeout: 100 * time.Millisecond, Trace: n.note})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Resolve(t.Context(), name, "CNAME"); err != nil {
			t.Fatal(err)
		}
	}
	of := func(server, network string, e providers.Exchange) providers.Exchange {
		e.API, e.Operation, e.About, e.Server, e.Network = "dns", "QUERY", name+" CNAME", server, network
		return e
	}
	late := providers.Exchange{Error: "no answer in time"}
	want := []providers.Exchange{
		of(good, "udp", providers.Exchange{RCode: "NOERROR", Sections: "authoritative, answer CNAME d111111abcdef8.cloudfront.net TTL 60, answer TXT TTL 60"}),
		of(many, "udp", providers.Exchange{RCode: "NOERROR", Sections: "10 answers"}),
		of(mute, "udp", late), of(mute, "tcp", late), of(mute, "udp", late), of(mute, "tcp", late),
	}
	if d := cmp.Diff(want, n.all); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

// Over HTTPS, too: the resolver's URL without what may be a secret in it.
func TestTraceOverHTTPS(t *testing.T) {
	var n noted
	server, ca := secure(t, func(w http.ResponseWriter, r *http.Request) { http.Error(w, "no", http.StatusForbidden) })
	r, err := NewResolver(ResolverOptions{Resolvers: []string{"https://user:canary@example.com/dns-query?token=canary"}, Clock: providers.RealClock{},
		CAFile: ca, ConnectTo: map[string]string{"example.com": server.Listener.Addr().String()}, Trace: n.note})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Resolve(t.Context(), name, "A"); err != nil {
		t.Fatal(err)
	}
	one := providers.Exchange{API: "dns", Operation: "QUERY", About: name + " " + dns.TypeToString[dns.TypeA], URL: "https://example.com/dns-query",
		Server: server.Listener.Addr().String(), Network: "https", Error: "it answers HTTP status 403"}
	if d := cmp.Diff([]providers.Exchange{one, one}, n.all); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}
