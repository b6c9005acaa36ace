package dns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/edgeward/edgeward/providers"
	"github.com/edgeward/edgeward/providers/providertest"
)

// quickClock is the time of this machine, on which nobody waits; ahead is how far its
// clock is wrong.
type quickClock struct{ ahead time.Duration }

func (c quickClock) Now() time.Time                                   { return time.Now().Add(c.ahead) }
func (c quickClock) Sleep(ctx context.Context, _ time.Duration) error { return ctx.Err() }

func settings2136(address, key string) map[string]any {
	return map[string]any{"server": address, "key_name": key, "key_secret": labSecret}
}

func newTestRFC2136(t testing.TB, o Options) *rfc2136DNS {
	t.Helper()
	if o.Zones == nil {
		o.Zones = []string{"example.com"}
	}
	if o.Clock == nil {
		o.Clock = quickClock{}
	}
	d, err := newRFC2136(o)
	if err != nil {
		t.Fatal(err)
	}
	return d.(*rfc2136DNS)
}

func TestRFC2136Conforms(t *testing.T) {
	for name, set := range map[string]func(*updateParty){
		"with transfers":                     func(*updateParty) {},
		"name by name":                       func(p *updateParty) { p.noTransfer = true },
		"name by name, and no answer to ANY": func(p *updateParty) { p.noTransfer, p.noANY = true, true },
	} {
		t.Run(name, func(t *testing.T) {
			unfaithful := map[string]string{"look/routing": "a DNS server has no routing policies"}
			if strings.Contains(name, "ANY") {
				unfaithful["look/unknown record type"] = "a type that nobody asks for is not seen where ANY is not answered"
			}
			providertest.DNS(t, providertest.DNSSuite{
				New: func(t *testing.T, zone string, rows []providertest.Row) (providers.DNS, providertest.Zone) {
					p := newUpdateParty(t, zone, zoneLines(rows))
					set(p)
					return newTestRFC2136(t, Options{Zones: []string{zone}, Settings: settings2136(p.address, keyEdgeward)}), partyZone{p}
				},
				Unfaithful: unfaithful,
				Unlistable: strings.HasPrefix(name, "name by name"),
			})
		})
	}
}

func TestRFC2136Settings(t *testing.T) {
	const secret = "bm90IGZvciBhbnlib2R5J3MgZXllcw=="
	for name, c := range map[string]struct {
		settings map[string]any
		address  string
		err      string
	}{
		"host":                 {map[string]any{"server": "ns1.example.com"}, "ns1.example.com:53", ""},
		"host and port":        {map[string]any{"server": "ns1.example.com:5353"}, "ns1.example.com:5353", ""},
		"IPv6":                 {map[string]any{"server": "2001:db8::1"}, "[2001:db8::1]:53", ""},
		"IPv6 in brackets":     {map[string]any{"server": "[2001:db8::1]"}, "[2001:db8::1]:53", ""},
		"IPv6 and port":        {map[string]any{"server": "[2001:db8::1]:5353"}, "[2001:db8::1]:5353", ""},
		"nothing":              {map[string]any{}, "", `read server: "" names no server; write HOST or HOST:PORT`},
		"URL":                  {map[string]any{"server": "https://ns1.example.com"}, "", "is not the name of a server"},
		"port too high":        {map[string]any{"server": "ns1.example.com:99999"}, "", "has no port between 1 and 65535"},
		"key":                  {map[string]any{"server": "ns1", "key_name": "k", "key_secret": secret, "key_algorithm": "HMAC-SHA512."}, "ns1:53", ""},
		"secret without name":  {map[string]any{"server": "ns1", "key_secret": secret}, "", "read key_name: it is missing"},
		"name without secret":  {map[string]any{"server": "ns1", "key_name": "k"}, "", `read key_secret: the secret of key "k" is missing; write key_secret = env("NAME")`},
		"unknown algorithm":    {map[string]any{"server": "ns1", "key_name": "k", "key_secret": secret, "key_algorithm": "hmac-md5"}, "", `read key_algorithm: "hmac-md5" is not known; write one of hmac-sha256,`},
		"secret is not base64": {map[string]any{"server": "ns1", "key_name": "k", "key_secret": secret + "!"}, "", `read key_secret: the secret of key "k" is not base64`},
		"name is no name":      {map[string]any{"server": "ns1", "key_name": "a..b", "key_secret": secret}, "", "cannot be the name of a key"},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := newRFC2136(Options{Settings: c.settings, Clock: quickClock{}})
			switch {
			case c.err == "" && err != nil:
				t.Fatal(err)
			case c.err == "" && d.(*rfc2136DNS).server.address != c.address:
				t.Errorf("server is %s, want %s", d.(*rfc2136DNS).server.address, c.address)
			case c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)):
				t.Errorf("error is %v, want %q in it", err, c.err)
			case err != nil && strings.Contains(err.Error(), secret):
				t.Errorf("the error shows the secret: %v", err)
			}
		})
	}
	if _, err := newRFC2136(Options{Settings: map[string]any{"server": "ns1"}}); err == nil {
		t.Error("a provider without a clock was made")
	}
}

var (
	oldCNAME = []providers.Record{{Type: "CNAME", Value: "old.example.net", TTL: time.Hour}}
	newCNAME = []providers.Record{{Type: "CNAME", Value: "d1.cloudfront.net", TTL: time.Minute}}
)

const (
	rfcName = "assets.example.com"
	rfcLine = "assets.example.com. 3600 IN CNAME old.example.net."
)

// answerCode is a script that answers each UPDATE, or each query, with a code.
func answerCode(opcode, code int) func(dns.ResponseWriter, *dns.Msg) bool {
	return func(w dns.ResponseWriter, q *dns.Msg) bool {
		if q.Opcode != opcode || opcode == dns.OpcodeQuery && q.Question[0].Qtype == dns.TypeAXFR {
			return false
		}
		m := new(dns.Msg)
		m.SetRcode(q, code)
		signedReply(w, q, m)
		return true
	}
}

// Each refusal has its class and says what to do; nothing is changed by it.
func TestRFC2136Refusals(t *testing.T) {
	for name, c := range map[string]struct {
		key    string
		secret string
		script func(dns.ResponseWriter, *dns.Msg) bool
		class  error
		says   []string
	}{
		"unknown key": {key: "stranger", class: providers.ErrCredentials,
			says: []string{"does not know", `key "stranger" (hmac-sha256)`, "check key_name"}},
		"wrong secret": {key: keyEdgeward, secret: "d3Jvbmc=", class: providers.ErrCredentials,
			says: []string{"finds the signature of", `key "edgeward"`, "check key_secret"}},
		"not signed": {class: providers.ErrDenied, says: []string{"answers REFUSED", "not signed", "write key_name and key_secret"}},
		"not allowed": {key: keyEdgeward, script: answerCode(dns.OpcodeUpdate, dns.RcodeRefused), class: providers.ErrDenied,
			says: []string{"answers REFUSED to the update", `key "edgeward"`, "update-policy or allow-update of zone example.com"}},
		"may not ask": {key: keyEdgeward, script: answerCode(dns.OpcodeQuery, dns.RcodeRefused), class: providers.ErrDenied,
			says: []string{"answers REFUSED to the query", "allow-query"}},
		"server failure": {key: keyEdgeward, script: answerCode(dns.OpcodeUpdate, dns.RcodeServerFailure),
			says: []string{"answers SERVFAIL to the update", "its own log says why"}},
		"not the zone": {key: keyEdgeward, script: answerCode(dns.OpcodeUpdate, dns.RcodeNotZone), class: providers.ErrNotFound,
			says: []string{"NOTZONE", "example.com"}},
		"not the primary": {key: keyEdgeward, script: answerCode(dns.OpcodeUpdate, dns.RcodeNotAuth), class: providers.ErrNotFound,
			says: []string{"NOTAUTH", "not the primary of zone example.com"}},
		"no updates": {key: keyEdgeward, script: answerCode(dns.OpcodeUpdate, dns.RcodeNotImplemented), class: providers.ErrInvalid,
			says: []string{"NOTIMP", "primary"}},
		"unsigned refusal of the key": {key: keyEdgeward, class: providers.ErrCredentials, says: []string{"NOTAUTH", "does not accept", `key "edgeward"`},
			script: func(w dns.ResponseWriter, q *dns.Msg) bool {
				m := new(dns.Msg)
				_ = w.WriteMsg(m.SetRcode(q, dns.RcodeNotAuth))
				return true
			}},
		"unsigned answer": {key: keyEdgeward, class: providers.ErrCredentials, says: []string{"not signed, though"},
			script: func(w dns.ResponseWriter, q *dns.Msg) bool {
				m := new(dns.Msg)
				m.SetReply(q)
				m.Authoritative = true
				_ = w.WriteMsg(m)
				return true
			}},
		"clock behind": {key: keyEdgeward, script: badTime(time.Hour), class: providers.ErrCredentials,
			says: []string{"clock skew", "ahead of ours; at most 300 s are allowed"}},
		"clock ahead": {key: keyEdgeward, script: badTime(-10 * time.Minute), class: providers.ErrCredentials,
			says: []string{"clock skew", "behind ours; at most 300 s are allowed"}},
		"no authority": {key: keyEdgeward, class: providers.ErrNotFound, says: []string{"answers without authority", "example.com"},
			script: answerCode(dns.OpcodeQuery, dns.RcodeSuccess)},
		"delegated": {key: keyEdgeward, class: providers.ErrNotFound, says: []string{"assets.example.com is a zone of its own"},
			script: func(w dns.ResponseWriter, q *dns.Msg) bool {
				if q.Opcode != dns.OpcodeQuery {
					return false
				}
				m := new(dns.Msg)
				m.SetReply(q)
				m.Ns = parseRRs(t, []string{"assets.example.com. 60 IN NS ns1.example.net."})
				signedReply(w, q, m)
				return true
			}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newUpdateParty(t, "example.com", []string{rfcLine})
			p.noTransfer, p.script = true, c.script
			before := slices.Clone(p.rrs)
			o := Options{Settings: map[string]any{"server": p.address}}
			if c.key != "" {
				o.Settings = settings2136(p.address, c.key)
			}
			if c.secret != "" {
				o.Settings["key_secret"] = c.secret
			}
			d := newTestRFC2136(t, o)
			err := d.Replace(t.Context(), rfcName, oldCNAME, newCNAME)
			refusedWith(t, err, c.class, append(c.says, rfcName)...)
			for _, secret := range []string{labSecret, "d3Jvbmc="} {
				if err != nil && strings.Contains(err.Error(), secret) {
					t.Errorf("the error shows the secret: %v", err)
				}
			}
			p.mu.Lock()
			defer p.mu.Unlock()
			if !slices.Equal(before, p.rrs) {
				t.Error("the zone was changed")
			}
		})
	}
}

// badTime refuses everything for the time of its signature; the server's clock is
// ahead of ours.
func badTime(ahead time.Duration) func(dns.ResponseWriter, *dns.Msg) bool {
	return func(w dns.ResponseWriter, q *dns.Msg) bool {
		m := new(dns.Msg)
		m.SetRcode(q, dns.RcodeNotAuth)
		t := dns.Copy(q.IsTsig()).(*dns.TSIG)
		t.Error, t.MAC, t.MACSize, t.OrigId = dns.RcodeBadTime, "", 0, q.Id
		t.OtherLen, t.OtherData = 6, fmt.Sprintf("%012x", time.Now().Add(ahead).Unix())
		m.Extra = append(m.Extra, t)
		_ = w.WriteMsg(m)
		return true
	}
}

func refusedWith(t *testing.T, err, class error, says ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	if class != nil && !errors.Is(err, class) {
		t.Errorf("error is %v, want one that is %q", err, class)
	}
	for _, c := range []error{providers.ErrNotFound, providers.ErrConflict, providers.ErrDenied, providers.ErrCredentials, providers.ErrInvalid} {
		if c != class && errors.Is(err, c) {
			t.Errorf("error is %v, which is %q, too", err, c)
		}
	}
	var hint interface{ Hint() string }
	if class == providers.ErrCredentials && (!errors.As(err, &hint) || hint.Hint() == "") {
		t.Errorf("error %q has no hint", err)
	}
	for _, s := range says {
		if !strings.Contains(err.Error(), s) {
			t.Errorf("error is %q, want %q in it", err, s)
		}
	}
}

// serveGarbage answers every connection with the same bytes.
func serveGarbage(t *testing.T, answer string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Read(make([]byte, 512))
			_, _ = conn.Write([]byte(answer))
			_ = conn.Close()
		}
	})
	t.Cleanup(func() { _ = l.Close(); serving.Wait() })
	return l.Addr().String()
}

// What is no answer is an error, not "absent".
func TestRFC2136Garbage(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	for name, c := range map[string]struct {
		address string
		class   error
		says    string
	}{
		"HTTP":         {serveGarbage(t, "HTTP/1.1 400 Bad Request\r\n\r\n"), providers.ErrInvalid, "it speaks HTTP there, not DNS"},
		"HTML":         {serveGarbage(t, "<html><body>no</body></html>"), providers.ErrInvalid, "it speaks HTTP there, not DNS"},
		"no message":   {serveGarbage(t, "\x00\x05hello"), nil, "it is no DNS message"},
		"half":         {serveGarbage(t, "\x00\x80half a message"), nil, "unexpected EOF"},
		"nothing":      {serveGarbage(t, ""), nil, "read answer of server"},
		"another's":    {serveGarbage(t, "\x00\x0c\x00\x01\x84\x00\x00\x00\x00\x00\x00\x00\x00\x00"), nil, "it answers another message"},
		"nobody there": {closed.Addr().String(), nil, "reach server"},
	} {
		t.Run(name, func(t *testing.T) {
			d := newTestRFC2136(t, Options{Settings: settings2136(c.address, keyEdgeward)})
			_, err := d.Look(t.Context(), rfcName)
			refusedWith(t, err, c.class, c.says, rfcName)
			refusedWith(t, d.Replace(t.Context(), rfcName, nil, newCNAME), c.class, c.says, rfcName)
		})
	}
}

// A truncated answer is none.
func TestRFC2136Truncated(t *testing.T) {
	p := newUpdateParty(t, "example.com", []string{rfcLine})
	p.script = func(w dns.ResponseWriter, q *dns.Msg) bool {
		m := new(dns.Msg)
		m.SetReply(q)
		m.Authoritative, m.Truncated = true, true
		signedReply(w, q, m)
		return true
	}
	d := newTestRFC2136(t, Options{Settings: settings2136(p.address, keyEdgeward)})
	_, err := d.Look(t.Context(), rfcName)
	refusedWith(t, err, nil, "truncated")
}

// An UPDATE whose answer is lost is told from what stands: it succeeds if it was
// applied, is sent again if not, and fails as it is when the server is gone.
func TestRFC2136LostAnswer(t *testing.T) {
	for name, c := range map[string]struct {
		lose, apply int // the first updates whose answers are lost; of those, the first that are applied
		fails       bool
		updates     int
	}{
		"applied":            {lose: 1, apply: 1, updates: 1},
		"not applied":        {lose: 1, updates: 2},
		"twice not applied":  {lose: 2, updates: 3},
		"gone":               {lose: 99, fails: true, updates: 3},
		"applied, then gone": {lose: 99, apply: 1, updates: 1},
	} {
		t.Run(name, func(t *testing.T) {
			p := newUpdateParty(t, "example.com", []string{rfcLine})
			n := 0
			p.script = func(w dns.ResponseWriter, q *dns.Msg) bool {
				p.mu.Lock()
				defer p.mu.Unlock()
				if q.Opcode != dns.OpcodeUpdate {
					return false
				}
				if n++; n > c.lose {
					return false
				}
				if n <= c.apply {
					p.update(q)
				}
				_ = w.Close()
				return true
			}
			d := newTestRFC2136(t, Options{Settings: settings2136(p.address, keyEdgeward)})
			err := d.Replace(t.Context(), rfcName, oldCNAME, newCNAME)
			want := newCNAME
			if c.fails {
				refusedWith(t, err, nil, "read answer of server")
				want = oldCNAME
			} else if err != nil {
				t.Fatal(err)
			}
			p.mu.Lock()
			defer p.mu.Unlock()
			if got := (rrsAt{rrs: p.addresses(rfcName)}).set("", "").Records; !providers.SameRecords(got, want) {
				t.Errorf("%v stands, want %v", got, want)
			}
			if n != c.updates {
				t.Errorf("%d updates were sent, want %d", n, c.updates)
			}
		})
	}
}

// Somebody's edit between the read and the write is what the prerequisites are
// for, an edit of another type included: a server would leave the CNAME out and
// say nothing.
func TestRFC2136EditBeforeTheWrite(t *testing.T) {
	address := []providers.Record{{Type: "A", Value: "192.0.2.1", TTL: time.Hour}}
	for name, c := range map[string]struct {
		stands string
		have   []providers.Record
		edit   string
		class  error
	}{
		"another target":       {rfcLine, oldCNAME, "assets.example.com. 3600 IN CNAME elsewhere.example.net.", providers.ErrConflict},
		"an address":           {"assets.example.com. 3600 IN A 192.0.2.1", address, "assets.example.com. 3600 IN A 192.0.2.2", providers.ErrConflict},
		"an address of IPv6":   {"assets.example.com. 3600 IN A 192.0.2.1", address, "assets.example.com. 3600 IN AAAA 2001:db8::1", providers.ErrConflict},
		"a TXT beside":         {"assets.example.com. 3600 IN A 192.0.2.1", address, `assets.example.com. 3600 IN TXT "x"`, providers.ErrInvalid},
		"an MX, before a name": {"", nil, `assets.example.com. 3600 IN MX 10 mx.example.net.`, providers.ErrInvalid},
		"a name":               {"", nil, rfcLine, providers.ErrConflict},
	} {
		t.Run(name, func(t *testing.T) {
			var stand []string
			if c.stands != "" {
				stand = []string{c.stands}
			}
			p := newUpdateParty(t, "example.com", stand)
			edited := false
			p.before = func(q *dns.Msg) {
				p.mu.Lock()
				defer p.mu.Unlock()
				if q.Opcode == dns.OpcodeUpdate && !edited {
					edited = true
					p.change(parseRRs(t, []string{c.edit})[0])
				}
			}
			p.commit = func(string, []providers.Record, []providers.Record) { t.Error("the change was applied") }
			d := newTestRFC2136(t, Options{Settings: settings2136(p.address, keyEdgeward)})
			refusedWith(t, d.Replace(t.Context(), rfcName, c.have, newCNAME), c.class, rfcName)
		})
	}
}

// What a caller may not ask for is refused before anything is sent.
func TestRFC2136Unwritable(t *testing.T) {
	d := newTestRFC2136(t, Options{Settings: map[string]any{"server": "127.0.0.1:1"}})
	for name, c := range map[string]struct {
		name string
		want []providers.Record
		says string
	}{
		"CNAME at the apex": {"example.com", newCNAME, "no CNAME can stand"},
		"alias":             {rfcName, []providers.Record{{Type: "A", Value: "d1.cloudfront.net", Alias: true}}, "ordinary records only"},
		"proxied":           {rfcName, []providers.Record{{Type: "CNAME", Value: "d1.cloudfront.net", Proxied: true}}, "ordinary records only"},
		"MX":                {rfcName, []providers.Record{{Type: "MX", Value: "10 mx"}}, "no address record"},
		"no address":        {rfcName, []providers.Record{{Type: "A", Value: "2001:db8::1"}}, "no such address"},
		"no IPv6 address":   {rfcName, []providers.Record{{Type: "AAAA", Value: "192.0.2.1"}}, "no such address"},
		"no name":           {rfcName, []providers.Record{{Type: "CNAME", Value: "a..b"}}, "no domain name"},
		"negative TTL":      {rfcName, []providers.Record{{Type: "CNAME", Value: "a", TTL: -time.Second}}, "a TTL is between"},
		"two names":         {rfcName, append(slices.Clone(newCNAME), oldCNAME...), "cannot stand together"},
		"a name and more":   {rfcName, []providers.Record{newCNAME[0], {Type: "A", Value: "192.0.2.1"}}, "cannot stand beside"},
		"no owner":          {"a..example.com", newCNAME, "no domain name"},
	} {
		t.Run(name, func(t *testing.T) {
			refusedWith(t, d.Replace(t.Context(), c.name, nil, c.want), providers.ErrInvalid, c.says)
		})
	}
	refusedWith(t, d.Ensure(t.Context(), providers.Record{Type: "A", Value: "192.0.2.1"}, rfcName), providers.ErrInvalid, "only an ordinary CNAME")
}

// Many names of a zone are one transfer; a refused transfer is asked for once.
func TestRFC2136Transfers(t *testing.T) {
	var stand []string
	for i := range 200 {
		stand = append(stand, fmt.Sprintf("n%d.example.com. 60 IN CNAME t%d.example.net.", i, i))
	}
	for name, c := range map[string]struct {
		refused         bool
		transfers, asks int
	}{
		"allowed": {false, 1, 0},
		// The name is a CNAME (one query); a wildcard would be at the apex (one).
		"refused": {true, 1, 400},
	} {
		t.Run(name, func(t *testing.T) {
			p := newUpdateParty(t, "example.com", stand)
			p.noTransfer = c.refused
			d := newTestRFC2136(t, Options{Settings: settings2136(p.address, keyEdgeward)})
			var asking sync.WaitGroup
			for i := range 200 {
				asking.Go(func() {
					set, err := d.Look(t.Context(), fmt.Sprintf("n%d.example.com", i))
					if err != nil || len(set.Records) != 1 || set.Records[0].Value != fmt.Sprintf("t%d.example.net", i) {
						t.Errorf("n%d: %v, %v", i, set, err)
					}
				})
			}
			asking.Wait()
			p.mu.Lock()
			defer p.mu.Unlock()
			if p.counts["AXFR"] != c.transfers || p.counts["QUERY"] != c.asks || p.counts["UPDATE"] > 0 {
				t.Errorf("the server was asked %v, want %d transfers and %d queries", p.counts, c.transfers, c.asks)
			}
		})
	}
}

// A zone below the zone is not the zone's, be it on the same server or not.
func TestRFC2136ChildZones(t *testing.T) {
	for _, noTransfer := range []bool{false, true} {
		p := newUpdateParty(t, "example.com", []string{"sub.example.com. 60 IN NS ns1.example.net.", "below.example.com. 60 IN DNAME example.net.",
			"sub.example.com. 60 IN SOA ns1.example.net. admin.example.net. 1 2 3 4 5"})
		p.noTransfer = noTransfer
		d := newTestRFC2136(t, Options{Settings: settings2136(p.address, keyEdgeward)})
		for _, name := range []string{"sub.example.com", "www.sub.example.com", "a.b.sub.example.com"} {
			_, err := d.Look(t.Context(), name)
			refusedWith(t, err, providers.ErrNotFound, "sub.example.com is a zone of its own", name)
		}
		refusedWith(t, d.Replace(t.Context(), "www.sub.example.com", nil, newCNAME), providers.ErrNotFound, "sub.example.com is a zone of its own")
		if noTransfer {
			continue // the party does not follow a DNAME
		}
		set, err := d.Look(t.Context(), "www.below.example.com")
		if err != nil || set.Routing == "" {
			t.Errorf("a name below a DNAME: %+v, %v", set, err)
		}
	}
}

// An answer whose signature is wrong is none, however good it looks.
func TestRFC2136ForgedAnswer(t *testing.T) {
	p := newUpdateParty(t, "example.com", []string{rfcLine})
	p.script = func(w dns.ResponseWriter, q *dns.Msg) bool {
		m := new(dns.Msg)
		m.SetReply(q)
		m.Authoritative = true
		m.SetTsig(keyEdgeward, dns.HmacSHA256, tsigFudge, time.Now().Unix())
		raw, _, err := dns.TsigGenerate(m, "d3Jvbmc=", q.IsTsig().MAC, false)
		if err == nil {
			_, err = w.Write(raw)
		}
		return err == nil
	}
	d := newTestRFC2136(t, Options{Settings: settings2136(p.address, keyEdgeward)})
	_, err := d.Look(t.Context(), rfcName)
	refusedWith(t, err, providers.ErrCredentials, "its signature with", rfcName)
}

// later is the time of this machine and what was slept.
type later struct {
	mu    sync.Mutex
	slept time.Duration
}

func (c *later) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.slept)
}

func (c *later) Sleep(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.slept += d
	return ctx.Err()
}

// A listing is good for some seconds; then what others have written is seen.
func TestRFC2136ListingAges(t *testing.T) {
	p := newUpdateParty(t, "example.com", []string{rfcLine})
	clock := &later{}
	d := newTestRFC2136(t, Options{Settings: settings2136(p.address, keyEdgeward), Clock: clock})
	look := func() string {
		set, err := d.Look(t.Context(), rfcName)
		if err != nil || len(set.Records) != 1 {
			t.Fatalf("%+v, %v", set, err)
		}
		return set.Records[0].Value
	}
	first := look()
	partyZone{p}.Put(t, providertest.Row{Name: rfcName, Type: "CNAME", TTL: time.Hour, Values: []string{"other.example.net"}})
	second := look()
	_ = clock.Sleep(t.Context(), fresh)
	if third := look(); first != "old.example.net" || second != first || third != "other.example.net" {
		t.Errorf("the looks say %s, %s, %s", first, second, third)
	}
}

// Replace returns when the server answers with the change, which some do a while
// after they have taken it, and fails when it never does.
func TestRFC2136SlowServer(t *testing.T) {
	for name, c := range map[string]struct {
		stale int // answers after the update that are still the old ones
		says  string
	}{
		"for a while": {stale: 3},
		"for ever":    {stale: 1000, says: "took the change of assets.example.com, but goes on to answer CNAME old.example.net"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newUpdateParty(t, "example.com", []string{rfcLine})
			updated, stale := false, 0
			p.script = func(w dns.ResponseWriter, q *dns.Msg) bool {
				p.mu.Lock()
				defer p.mu.Unlock()
				updated = updated || q.Opcode == dns.OpcodeUpdate
				if !updated || q.Opcode == dns.OpcodeUpdate || q.Question[0].Qtype != dns.TypeCNAME || stale == c.stale || clean(q.Question[0].Name) != rfcName {
					return false
				}
				stale++
				m := new(dns.Msg)
				m.SetReply(q)
				m.Authoritative, m.Answer = true, parseRRs(t, []string{rfcLine})
				signedReply(w, q, m)
				return true
			}
			d := newTestRFC2136(t, Options{Settings: settings2136(p.address, keyEdgeward), Clock: &later{}})
			err := d.Replace(t.Context(), rfcName, oldCNAME, newCNAME)
			if c.says != "" {
				refusedWith(t, err, nil, c.says)
				return
			}
			p.mu.Lock()
			defer p.mu.Unlock()
			if err != nil || stale != c.stale {
				t.Errorf("Replace returned after %d old answers: %v", stale, err)
			}
		})
	}
}

// What a switched name costs does not depend on how many there are: a question
// for the name and one for a wildcard, before and after, and one UPDATE, on one
// connection.
func TestRFC2136Messages(t *testing.T) {
	for _, n := range []int{1, 10, 100} {
		var stand []string
		for i := range n {
			stand = append(stand, fmt.Sprintf("n%d.example.com. 3600 IN CNAME old.example.net.", i))
		}
		p := newUpdateParty(t, "example.com", stand)
		d := newTestRFC2136(t, Options{Settings: settings2136(p.address, keyEdgeward)})
		var writing sync.WaitGroup
		for i := range n {
			writing.Go(func() {
				if err := d.Replace(t.Context(), fmt.Sprintf("n%d.example.com", i), oldCNAME, newCNAME); err != nil {
					t.Error(err)
				}
			})
		}
		writing.Wait()
		p.mu.Lock()
		if p.counts["QUERY"] != 4*n || p.counts["UPDATE"] != n || p.counts["AXFR"] > 0 {
			t.Errorf("%d names cost %v, want 4 queries and 1 update each", n, p.counts)
		}
		p.mu.Unlock()
	}
}

// Some servers answer ANY with one record set: then the types are asked singly.
func TestRFC2136PartOfANY(t *testing.T) {
	p := newUpdateParty(t, "example.com", []string{"assets.example.com. 60 IN A 192.0.2.1", `assets.example.com. 60 IN TXT "x"`, "assets.example.com. 60 IN MX 10 mx.example.net."})
	p.noTransfer = true
	p.script = func(w dns.ResponseWriter, q *dns.Msg) bool {
		if q.Question[0].Qtype != dns.TypeANY {
			return false
		}
		m := new(dns.Msg)
		m.SetReply(q)
		m.Authoritative, m.Answer = true, parseRRs(t, []string{`assets.example.com. 60 IN TXT "x"`})
		signedReply(w, q, m)
		return true
	}
	d := newTestRFC2136(t, Options{Settings: settings2136(p.address, keyEdgeward)})
	set, err := d.Look(t.Context(), rfcName)
	if err != nil || !slices.Equal(set.Other, []string{"MX", "TXT"}) || len(set.Records) != 1 {
		t.Errorf("Look: %+v, %v", set, err)
	}
}
