//go:build peers

package dnslab

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// powerDNSSchema is where Debian's package pdns-backend-sqlite3 has the tables.
const powerDNSSchema = "/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql"

// PowerDNS runs PowerDNS' authoritative server with the zones in an SQLite
// database, with its HTTP API, and with dynamic updates signed with Key. It
// never asks the internet for security advice.
func PowerDNS(t testing.TB, zones ...Zone) *Server {
	t.Helper()
	server, util := program(t, "pdns_server", "pdns-server"), program(t, "pdnsutil", "pdns-server")
	sqlite := program(t, "sqlite3", "sqlite3")
	if _, err := os.Stat(powerDNSSchema); err != nil {
		t.Fatalf("find the tables of PowerDNS: %v (apt-get install pdns-backend-sqlite3)", err)
	}
	s := &Server{Key: NewKey("edgeward", "hmac-sha256"), Guest: NewKey("guest", "hmac-sha512"), APIKey: NewKey("", "").Secret}
	s.Address = run(t, func(address string) error { return s.ready(address, zones) }, func(dir string, port int) []string {
		api, database := freePort(t), filepath.Join(dir, "pdns.db")
		s.API = "http://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(api))
		write(t, filepath.Join(dir, "pdns.conf"), fmt.Sprintf(`launch=gsqlite3
gsqlite3-database=%[1]s
gsqlite3-dnssec=yes
gsqlite3-pragma-synchronous=0
socket-dir=%[2]s
local-address=127.0.0.1
local-port=%[3]d
security-poll-suffix=
webserver=yes
webserver-address=127.0.0.1
webserver-port=%[4]d
webserver-allow-from=127.0.0.1
webserver-loglevel=none
api=yes
api-key=%[5]s
dnsupdate=yes
allow-dnsupdate-from=127.0.0.0/8
disable-axfr=no
allow-axfr-ips=
zone-cache-refresh-interval=0
`, database, dir, port, api, s.APIKey))
		command(t, dir, sqlite, database, ".read "+powerDNSSchema)
		config := "--config-dir=" + dir
		for _, k := range []Key{s.Key, s.Guest} {
			command(t, dir, util, config, "import-tsig-key", k.Name, k.Algorithm, k.Secret)
		}
		for _, z := range zones {
			file := filepath.Join(dir, z.Name+".zone")
			write(t, file, z.text())
			command(t, dir, util, config, "load-zone", z.Name, file)
			command(t, dir, util, config, "set-meta", z.Name, "TSIG-ALLOW-DNSUPDATE", s.Key.Name)
			if !z.NoTransfer {
				command(t, dir, util, config, "set-meta", z.Name, "TSIG-ALLOW-AXFR", s.Key.Name)
			}
		}
		return []string{server, config, "--daemon=no", "--guardian=no", "--disable-syslog=yes"}
	})
	return s
}

// ready says whether DNS and the API answer.
func (s *Server) ready(address string, zones []Zone) error {
	for _, z := range zones {
		if err := answers(address, z.Name); err != nil {
			return err
		}
	}
	r, err := http.NewRequest(http.MethodGet, s.API+"/api/v1/servers/localhost", nil)
	if err != nil {
		return err
	}
	r.Header.Set("X-API-Key", s.APIKey)
	resp, err := (&http.Client{Timeout: 5 * time.Second}).Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the API answers %s", resp.Status)
	}
	return nil
}

// command runs a program that ends by itself.
func command(t testing.TB, dir, path string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v\n%s", path, args[:min(2, len(args))], err, out)
	}
}
