//go:build peers

package dnslab

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// Zone is a zone that a server begins with.
type Zone struct {
	// Name is lower case without a trailing dot.
	Name string
	// Rows are lines of a zone file, beside the SOA and NS records that every
	// zone has: "assets 5 IN CNAME target.example.net." and the like.
	Rows []string
	// NoTransfer: nobody may transfer the zone (AXFR).
	NoTransfer bool
	// Policy is BIND's update-policy, "grant edgeward zonesub CNAME;" and the like,
	// in place of all rights for Key.
	Policy string
}

// text is the zone as a zone file. Absence is kept for a second at most.
func (z Zone) text() string {
	return fmt.Sprintf("$ORIGIN %[1]s.\n$TTL 3600\n@ 3600 IN SOA ns1 admin 1 3600 900 604800 1\n"+
		"@ 3600 IN NS ns1\nns1 3600 IN A 127.0.0.1\n%[2]s\n", z.Name, strings.Join(z.Rows, "\n"))
}

// Key is a TSIG key.
type Key struct {
	// Name and Algorithm have no trailing dot; Secret is base64.
	Name, Algorithm, Secret string
}

// NewKey makes a key with a random secret.
func NewKey(name, algorithm string) Key {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // it never fails [crypto/rand]
	return Key{Name: name, Algorithm: algorithm, Secret: base64.StdEncoding.EncodeToString(secret)}
}

// Server is an authoritative server for one test.
type Server struct {
	// Address is its HOST:PORT, over UDP and TCP.
	Address string
	// Key may read, transfer and update every zone.
	Key Key
	// Guest is known, but may only read: it may not transfer or update.
	Guest Key
	// API is the URL of PowerDNS' HTTP API, and APIKey what it wants in the header
	// X-API-Key; "" for BIND.
	API, APIKey string
}

// Bind runs BIND's named with the zones, as their primary.
func Bind(t testing.TB, zones ...Zone) *Server {
	t.Helper()
	named := program(t, "named", "bind9")
	s := &Server{Key: NewKey("edgeward", "hmac-sha256"), Guest: NewKey("guest", "hmac-sha512")}
	s.Address = run(t, func(address string) error {
		for _, z := range zones {
			if err := answers(address, z.Name); err != nil {
				return err
			}
		}
		return nil
	}, func(dir string, port int) []string {
		var conf strings.Builder
		fmt.Fprintf(&conf, `options {
	directory %[1]q;
	pid-file none;
	session-keyfile none;
	lock-file none;
	listen-on port %[2]d { 127.0.0.1; };
	listen-on-v6 { none; };
	tcp-clients 1000;
	recursion no;
	allow-query { any; };
	dnssec-validation no;
	notify no;
	max-ixfr-ratio unlimited;
	empty-zones-enable no;
};
controls { };
`, dir, port)
		for _, k := range []Key{s.Key, s.Guest} {
			fmt.Fprintf(&conf, "key %q { algorithm %s; secret %q; };\n", k.Name, k.Algorithm, k.Secret)
		}
		for _, z := range zones {
			file := filepath.Join(dir, z.Name+".zone")
			write(t, file, z.text())
			transfer := fmt.Sprintf("key %q;", s.Key.Name)
			if z.NoTransfer {
				transfer = "none;"
			}
			update := fmt.Sprintf("allow-update { key %q; };", s.Key.Name)
			if z.Policy != "" {
				update = "update-policy { " + z.Policy + " };"
			}
			fmt.Fprintf(&conf, "zone %q { type primary; file %q; check-names ignore; %s allow-transfer { %s }; };\n",
				z.Name, file, update, transfer)
		}
		path := filepath.Join(dir, "named.conf")
		write(t, path, conf.String())
		return []string{named, "-g", "-n", "1", "-c", path}
	})
	return s
}

// Records are all records of a zone, by a transfer that is signed with Key. The
// SOA is among them once.
func (s *Server) Records(t testing.TB, zone string) []dns.RR {
	t.Helper()
	q := new(dns.Msg)
	q.SetAxfr(dns.Fqdn(zone))
	s.sign(q)
	transfer := &dns.Transfer{TsigSecret: s.secrets()}
	parts, err := transfer.In(q, s.Address)
	if err != nil {
		t.Fatalf("transfer zone %s: %v", zone, err)
	}
	var rrs []dns.RR
	for p := range parts {
		if p.Error != nil {
			t.Fatalf("transfer zone %s: %v", zone, p.Error)
		}
		rrs = append(rrs, p.RR...)
	}
	return rrs[:max(0, len(rrs)-1)] // the SOA ends it, too
}

// Update sends one UPDATE for a zone, filled by fill and signed with Key, and
// gives its response code. It is how a person edits the zone.
func (s *Server) Update(t testing.TB, zone string, fill func(*dns.Msg)) int {
	t.Helper()
	m := new(dns.Msg)
	m.SetUpdate(dns.Fqdn(zone))
	fill(m)
	s.sign(m)
	answer, _, err := (&dns.Client{Net: "tcp", Timeout: 10 * time.Second, TsigSecret: s.secrets()}).Exchange(m, s.Address)
	if err != nil {
		t.Fatalf("update zone %s: %v", zone, err)
	}
	return answer.Rcode
}

func (s *Server) sign(m *dns.Msg) {
	m.SetTsig(dns.Fqdn(s.Key.Name), dns.Fqdn(s.Key.Algorithm), 300, time.Now().Unix())
}

func (s *Server) secrets() map[string]string {
	return map[string]string{dns.Fqdn(s.Key.Name): s.Key.Secret}
}
