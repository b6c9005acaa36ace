package probe

import (
	"context"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/miekg/dns"

	"github.com/edgeward/edgeward/providers"
)

// serve runs a name server on a loopback port, the same over UDP and TCP, and
// gives its address.
func serve(t *testing.T, ip string, h dns.HandlerFunc) string {
	t.Helper()
	var udp net.PacketConn
	var tcp net.Listener
	for {
		var err error
		if tcp, err = net.Listen("tcp", net.JoinHostPort(ip, "0")); err != nil {
			t.Fatal(err)
		}
		if udp, err = net.ListenPacket("udp", tcp.Addr().String()); err == nil {
			break
		}
		tcp.Close() // another program has the UDP port of this number
	}
	for _, s := range []*dns.Server{{PacketConn: udp, Handler: h}, {Listener: tcp, Handler: h}} {
		started := make(chan struct{})
		s.NotifyStartedFunc = func() { close(started) }
		go func() { _ = s.ActivateAndServe() }()
		<-started
		t.Cleanup(func() { _ = s.Shutdown() })
	}
	return tcp.Addr().String()
}

// says answers with records of a zone file and a code.
func says(code int, aa bool, lines ...string) dns.HandlerFunc {
	return func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg)
		m.SetRcode(q, code)
		m.Authoritative = aa
		for _, l := range lines {
			rr, err := dns.NewRR(l)
			if err != nil {
				panic(err)
			}
			m.Answer = append(m.Answer, rr)
		}
		_ = w.WriteMsg(m)
	}
}

func silent(dns.ResponseWriter, *dns.Msg) {}

func onUDP(w dns.ResponseWriter) bool { return w.RemoteAddr().Network() == "udp" }

func newResolver(t *testing.T, resolvers ...string) *Resolver {
	t.Helper()
	r, err := NewResolver(ResolverOptions{Resolvers: resolvers, Clock: providers.RealClock{}, Timeout: 150 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

const (
	name   = "assets.example.com"
	target = "d111111abcdef8.cloudfront.net"
)

var cname = name + ". 60 IN CNAME " + target + "."

func answerCNAME(v string) []providers.AnswerRecord {
	return []providers.AnswerRecord{{Name: name, Type: "CNAME", Value: v, TTL: 60}}
}

func TestAuthoritativeOfOneServer(t *testing.T) {
	var tries atomic.Int32
	for what, c := range map[string]struct {
		serve dns.HandlerFunc
		want  providers.Answer
	}{
		"the record":     {says(0, true, cname), providers.Answer{RCode: "NOERROR", Records: answerCNAME(target)}},
		"an old value":   {says(0, true, name+". 60 IN CNAME Old.Example.NET."), providers.Answer{RCode: "NOERROR", Records: answerCNAME("old.example.net")}},
		"nothing":        {says(0, true), providers.Answer{RCode: "NOERROR"}},
		"no such name":   {says(dns.RcodeNameError, true), providers.Answer{RCode: "NXDOMAIN"}},
		"SERVFAIL":       {says(dns.RcodeServerFailure, false), providers.Answer{RCode: "SERVFAIL"}},
		"REFUSED":        {says(dns.RcodeRefused, false), providers.Answer{RCode: "REFUSED"}},
		"a code unknown": {says(15, false), providers.Answer{RCode: "RCODE15"}},
		"lame":           {says(0, false, cname), providers.Answer{Err: "not authoritative for zone example.com"}},
		"lame NXDOMAIN":  {says(dns.RcodeNameError, false), providers.Answer{Err: "not authoritative for zone example.com"}},
		"silence":        {silent, providers.Answer{Err: "no answer in time"}},
		"unknown types": {says(0, true, name+`. 60 IN TYPE65400 \# 1 00`, name+`. 60 IN TXT "a b"`), providers.Answer{RCode: "NOERROR",
			Records: []providers.AnswerRecord{{Name: name, Type: "TYPE65400", Value: `\# 1 00`, TTL: 60}, {Name: name, Type: "TXT", Value: `"a b"`, TTL: 60}}}},
		"truncated": {func(w dns.ResponseWriter, q *dns.Msg) {
			if !onUDP(w) {
				says(0, true, cname)(w, q)
				return
			}
			m := new(dns.Msg)
			m.SetReply(q)
			m.Truncated = true
			_ = w.WriteMsg(m)
		}, providers.Answer{RCode: "NOERROR", Records: answerCNAME(target)}},
		"silence over UDP": {func(w dns.ResponseWriter, q *dns.Msg) {
			if !onUDP(w) {
				says(0, true, cname)(w, q)
			}
		}, providers.Answer{RCode: "NOERROR", Records: answerCNAME(target)}},
		"one packet lost": {func(w dns.ResponseWriter, q *dns.Msg) {
			if onUDP(w) && tries.Add(1) == 2 {
				says(0, true, cname)(w, q)
			}
		}, providers.Answer{RCode: "NOERROR", Records: answerCNAME(target)}},
		"no EDNS0": {func(w dns.ResponseWriter, q *dns.Msg) {
			if q.IsEdns0() != nil {
				says(dns.RcodeFormatError, false)(w, q)
				return
			}
			says(0, true, cname)(w, q)
		}, providers.Answer{RCode: "NOERROR", Records: answerCNAME(target)}},
		"another question": {func(w dns.ResponseWriter, q *dns.Msg) {
			q.Question[0].Name = "other.example.com."
			says(0, true, cname)(w, q)
		}, providers.Answer{Err: "it answered another question"}},
		"asks for no recursion": {func(w dns.ResponseWriter, q *dns.Msg) {
			if q.RecursionDesired || q.IsEdns0() == nil {
				says(dns.RcodeNotImplemented, true)(w, q)
				return
			}
			says(0, true, cname)(w, q)
		}, providers.Answer{RCode: "NOERROR", Records: answerCNAME(target)}},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			address := serve(t, "127.0.0.1", c.serve)
			got, err := newResolver(t).Authoritative(t.Context(), "Example.COM.", []string{address}, "Assets.Example.COM.", "CNAME")
			if err != nil {
				t.Fatal(err)
			}
			c.want.Server = address
			if d := cmp.Diff([]providers.Answer{c.want}, got, cmpopts.EquateEmpty()); d != "" {
				t.Errorf("wrong answer (-want +got):\n%s", d)
			}
		})
	}
}

func TestResolveAsksAll(t *testing.T) {
	chain := []string{cname, target + ". 5 IN A 192.0.2.1", target + ". 5 IN A 192.0.2.2", target + ". 5 IN AAAA 2001:db8::1"}
	good, bad, mute := serve(t, "127.0.0.1", func(w dns.ResponseWriter, q *dns.Msg) {
		if !q.RecursionDesired {
			t.Error("recursion was not asked for")
		}
		says(0, false, chain...)(w, q)
	}), serve(t, "127.0.0.1", says(dns.RcodeServerFailure, false)), serve(t, "127.0.0.1", silent)
	closed := serveNothing(t)
	got, err := newResolver(t, good, bad, mute, closed).Resolve(t.Context(), name, "A")
	if err != nil {
		t.Fatal(err)
	}
	want := []providers.Answer{{Server: good, RCode: "NOERROR", Records: []providers.AnswerRecord{
		{Name: name, Type: "CNAME", Value: target, TTL: 60}, {Name: target, Type: "A", Value: "192.0.2.1", TTL: 5},
		{Name: target, Type: "A", Value: "192.0.2.2", TTL: 5}, {Name: target, Type: "AAAA", Value: "2001:db8::1", TTL: 5}}},
		{Server: bad, RCode: "SERVFAIL"}, {Server: mute, Err: "no answer in time"}, {Server: closed, Err: nobody}}
	if d := cmp.Diff(want, got, refusals); d != "" {
		t.Errorf("wrong answers (-want +got):\n%s", d)
	}
}

// nobody stands for what a system says of an address where nothing listens.
const nobody = "nobody"

var refusals = cmp.Comparer(func(a, b string) bool {
	return a == b || a == nobody && strings.HasPrefix(b, "dial: ") || b == nobody && strings.HasPrefix(a, "dial: ")
})

// serveNothing is an address where nothing listens.
func serveNothing(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	return l.Addr().String()
}

func TestContextEndsAQuery(t *testing.T) {
	r, err := NewResolver(ResolverOptions{Resolvers: []string{serve(t, "127.0.0.1", silent)}, Clock: providers.RealClock{}, Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer time.AfterFunc(50*time.Millisecond, cancel).Stop()
	began := time.Now()
	if _, err := r.Resolve(ctx, name, "A"); !errors.Is(err, context.Canceled) || time.Since(began) > 10*time.Second {
		t.Errorf("error %v after %s", err, time.Since(began))
	}
}

// TestDelegation: a resolver knows two name servers of the zone, one of them
// with an address that does not answer, and one server without an address.
func TestDelegation(t *testing.T) {
	address := serve(t, "127.0.0.1", says(0, true, cname))
	_, port, _ := net.SplitHostPort(address)
	var asked atomic.Int32
	resolver := serve(t, "127.0.0.1", func(w dns.ResponseWriter, q *dns.Msg) {
		asked.Add(1)
		switch n := q.Question[0]; dns.TypeToString[n.Qtype] + " " + n.Name {
		case "NS example.com.":
			says(0, false, "example.com. 300 IN NS NS1.example.net.", "example.com. 300 IN NS ns2.example.net.", "example.com. 300 IN NS ns3.example.net.")(w, q)
		case "A ns1.example.net.":
			says(0, false, "ns1.example.net. 300 IN A 127.0.0.1")(w, q)
		case "A ns2.example.net.":
			says(0, false, "ns2.example.net. 300 IN CNAME x.example.net.", "x.example.net. 300 IN A 127.0.0.1", "x.example.net. 300 IN A 127.0.0.9")(w, q)
		default:
			says(dns.RcodeNameError, false)(w, q)
		}
	})
	clock := &handClock{}
	r := newResolver(t, resolver)
	r.clock, r.port = clock, port
	want := []providers.Answer{{Server: "ns1.example.net (127.0.0.1)", RCode: "NOERROR", Records: answerCNAME(target)},
		{Server: "ns2.example.net (127.0.0.1)", RCode: "NOERROR", Records: answerCNAME(target)},
		{Server: "ns2.example.net (127.0.0.9)", Err: nobody},
		{Server: "ns3.example.net", Err: "it has no address: " + resolver + " answers NXDOMAIN; " + resolver + " answers NXDOMAIN"}}
	for range 2 {
		got, err := r.Authoritative(t.Context(), "example.com", nil, name, "CNAME")
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got, refusals); d != "" {
			t.Errorf("wrong answers (-want +got):\n%s", d)
		}
	}
	if n := asked.Load(); n != 7 {
		t.Errorf("the resolver was asked %d times, want 7: the name servers are kept", n)
	}
	clock.now = clock.now.Add(nsAge)
	if _, err := r.Authoritative(t.Context(), "example.com", nil, name, "CNAME"); err != nil || asked.Load() != 14 {
		t.Errorf("after a minute: error %v, asked %d times, want 14", err, asked.Load())
	}
}

// handClock is a clock that is set by hand.
type handClock struct{ now time.Time }

func (c *handClock) Now() time.Time                             { return c.now }
func (c *handClock) Sleep(context.Context, time.Duration) error { return nil }

func TestNoDelegation(t *testing.T) {
	for what, c := range map[string]struct {
		serve dns.HandlerFunc
		want  string
		none  bool // a complete answer: there is none
	}{
		"no such zone":  {says(dns.RcodeNameError, false), "answers NXDOMAIN", true},
		"no NS records": {says(0, false), "has no such record", true},
		"SERVFAIL":      {says(dns.RcodeServerFailure, false), "answers SERVFAIL", false},
		"silence":       {silent, "no answer in time", false},
	} {
		r := newResolver(t, serve(t, "127.0.0.1", c.serve))
		_, err := r.Authoritative(t.Context(), "example.com", nil, name, "CNAME")
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "zone example.com") {
			t.Errorf("%s: error is %v, want one that says %q", what, err, c.want)
		}
		if errors.Is(err, providers.ErrNotFound) != c.none {
			t.Errorf("%s: error is %v; is it a complete answer? %t", what, err, c.none)
		}
	}
}

// TestDNSSECFailuresAreNamed: a resolver that validates, and one that fails for
// another reason.
func TestDNSSECFailuresAreNamed(t *testing.T) {
	bogus := func(w dns.ResponseWriter, q *dns.Msg) {
		if q.CheckingDisabled {
			says(0, false, cname)(w, q)
			return
		}
		says(dns.RcodeServerFailure, false)(w, q)
	}
	for what, c := range map[string]struct {
		serve dns.HandlerFunc
		want  string
	}{
		"bogus":  {bogus, "DNSSEC validation fails there"},
		"broken": {says(dns.RcodeServerFailure, false), ""},
	} {
		got, err := newResolver(t, serve(t, "127.0.0.1", c.serve)).Resolve(t.Context(), name, "CNAME")
		if err != nil || len(got) != 1 || got[0].RCode != "SERVFAIL" || len(got[0].Records) > 0 {
			t.Fatalf("%s: %+v, %v", what, got, err)
		}
		if !strings.Contains(got[0].Err, c.want) || c.want == "" && got[0].Err != "" {
			t.Errorf("%s: %q", what, got[0].Err)
		}
	}
}

func TestCAAProperties(t *testing.T) {
	server := serve(t, "127.0.0.1", says(0, false, cname, target+`. 5 IN CAA 0 issue "letsencrypt.org"`, target+`. 5 IN CAA 128 iodef "mailto:x@example.com"`))
	got, err := newResolver(t, server).Resolve(t.Context(), name, "CAA")
	if err != nil {
		t.Fatal(err)
	}
	want := []providers.AnswerRecord{{Name: name, Type: "CNAME", Value: target, TTL: 60},
		{Name: target, Type: "CAA", Value: `0 issue "letsencrypt.org"`, TTL: 5}, {Name: target, Type: "CAA", Value: `128 iodef "mailto:x@example.com"`, TTL: 5}}
	if d := cmp.Diff(want, got[0].Records); d != "" {
		t.Error(d)
	}
}

func TestUnroutedIPv6(t *testing.T) {
	noRoute := &net.OpError{Op: "dial", Err: syscall.ENETUNREACH}
	v4, v6 := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")
	servers := []asked{{name: "a4", server: "a", address: v4}, {name: "a6", server: "a", address: v6}, {name: "b6", server: "b", address: v6},
		{name: "c4", server: "c", address: v4}}
	answers := []providers.Answer{{Server: "a4"}, {Server: "a6"}, {Server: "b6"}, {Server: "c4"}}
	got := reachable(servers, answers, []error{nil, noRoute, noRoute, noRoute})
	if d := cmp.Diff([]providers.Answer{{Server: "a4"}, {Server: "b6"}, {Server: "c4"}}, got); d != "" {
		t.Errorf("wrong servers (-want +got):\n%s", d)
	}
}

func TestOverHTTPS(t *testing.T) {
	reply := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			wire, _ := io.ReadAll(r.Body)
			q := new(dns.Msg)
			if err := q.Unpack(wire); err != nil || q.Id != 0 || r.Method != http.MethodPost ||
				r.Header.Get("Content-Type") != "application/dns-message" || r.URL.Path != "/dns-query" {
				t.Errorf("request %s %s: %v", r.Method, r.URL, err)
			}
			m := new(dns.Msg)
			m.SetRcode(q, code)
			rr, _ := dns.NewRR(cname)
			m.Answer = []dns.RR{rr}
			out, _ := m.Pack()
			w.Header().Set("Content-Type", "application/dns-message")
			_, _ = w.Write(out)
		}
	}
	for what, c := range map[string]struct {
		serve http.HandlerFunc
		want  providers.Answer
	}{
		"the record":  {reply(0), providers.Answer{RCode: "NOERROR", Records: answerCNAME(target)}},
		"SERVFAIL":    {reply(dns.RcodeServerFailure), providers.Answer{RCode: "SERVFAIL", Records: answerCNAME(target)}},
		"status 500":  {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, providers.Answer{Err: "it answers HTTP status 500"}},
		"a web page":  {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<p>") }, providers.Answer{Err: `it answers "text/html; charset=utf-8", not application/dns-message`}},
		"no redirect": {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/other", http.StatusFound) }, providers.Answer{Err: "it answers HTTP status 302"}},
	} {
		t.Run(what, func(t *testing.T) {
			web, ca := secure(t, c.serve)
			const url = "https://example.com/dns-query"
			r, err := NewResolver(ResolverOptions{Resolvers: []string{url}, Clock: providers.RealClock{}, CAFile: ca,
				ConnectTo: map[string]string{"example.com:443": web.Listener.Addr().String()}})
			if err != nil {
				t.Fatal(err)
			}
			got, err := r.Resolve(t.Context(), name, "CNAME")
			if err != nil {
				t.Fatal(err)
			}
			c.want.Server = url
			if d := cmp.Diff([]providers.Answer{c.want}, got); d != "" {
				t.Errorf("wrong answer (-want +got):\n%s", d)
			}
		})
	}
}

// secure is a TLS server whose certificate is for example.com and *.example.com,
// and the file of the CA to trust.
func secure(t *testing.T, h http.HandlerFunc) (web *httptest.Server, caFile string) {
	t.Helper()
	web = httptest.NewUnstartedServer(h)
	web.EnableHTTP2 = true
	web.Config.ErrorLog = quiet
	web.StartTLS()
	t.Cleanup(web.Close)
	caFile = filepath.Join(t.TempDir(), "ca.pem")
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: web.Certificate().Raw})
	if err := os.WriteFile(caFile, cert, 0o600); err != nil {
		t.Fatal(err)
	}
	return web, caFile
}

func TestBadResolvers(t *testing.T) {
	for s, want := range map[string]string{"http://dns.example/": "https URL", "https://": "https URL", "1.2.3.4:99999": "port",
		"a b": "HOST[:PORT]", "": "HOST[:PORT]", "dns.example:": "port"} {
		_, err := NewResolver(ResolverOptions{Resolvers: []string{s}, Clock: providers.RealClock{}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("resolver %q: error is %v, want one that says %q", s, err, want)
		}
	}
	r := newResolver(t)
	if _, err := r.Resolve(t.Context(), name, "A"); err == nil {
		t.Error("Resolve without resolvers: no error")
	}
	for _, c := range [][2]string{{"a..b", "A"}, {"", "A"}, {name, "NONSENSE"}} {
		if _, err := r.Authoritative(t.Context(), "example.com", []string{"127.0.0.1:1"}, c[0], c[1]); err == nil {
			t.Errorf("ask for %v: no error", c)
		}
	}
}

// TestBothTransports: an authoritative server is asked over UDP and over TCP.
func TestBothTransports(t *testing.T) {
	const old, fresh = "assets.example.com. 60 IN CNAME s3.amazonaws.com.", "assets.example.com. 60 IN CNAME d1.cloudfront.net."
	overTCP := func(tcp dns.HandlerFunc) dns.HandlerFunc {
		udp := says(dns.RcodeSuccess, true, old)
		return func(w dns.ResponseWriter, q *dns.Msg) {
			if _, ok := w.RemoteAddr().(*net.TCPAddr); ok {
				tcp(w, q)
				return
			}
			udp(w, q)
		}
	}
	tests := map[string]struct {
		tcp  dns.HandlerFunc
		want string // of Err
	}{
		"the same":                 {says(dns.RcodeSuccess, true, old), ""},
		"another CNAME":            {says(dns.RcodeSuccess, true, fresh), "otherwise over TCP"},
		"another code":             {says(dns.RcodeNameError, true), "otherwise over TCP"},
		"TCP is not to be reached": {silent, ""},
	}
	for what, tc := range tests {
		t.Run(what, func(t *testing.T) {
			server := serve(t, "127.0.0.1", overTCP(tc.tcp))
			r, err := NewResolver(ResolverOptions{Clock: providers.RealClock{}, Timeout: 100 * time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				as, err := r.Authoritative(t.Context(), "example.com", []string{server}, "assets.example.com", "CNAME")
				if err != nil || len(as) != 1 {
					t.Fatalf("%v, %v", as, err)
				}
				if tc.want == "" && (as[0].Err != "" || len(as[0].Records) != 1) || tc.want != "" && !strings.Contains(as[0].Err, tc.want) {
					t.Errorf("%+v, want error %q", as[0], tc.want)
				}
			}
			if deaf := len(r.deaf) > 0; deaf != (what == "TCP is not to be reached") {
				t.Errorf("deaf: %v", r.deaf)
			}
		})
	}
}
