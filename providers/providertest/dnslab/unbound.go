//go:build peers

package dnslab

import (
	"fmt"
	"maps"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// Unbound runs unbound as a caching resolver and gives its HOST:PORT. zones says
// which authoritative server, HOST:PORT, each zone is asked at; it refuses every
// other name, so nothing is asked outside of the machine.
func Unbound(t testing.TB, zones map[string]string) string {
	t.Helper()
	unbound := program(t, "unbound", "unbound")
	return run(t, func(address string) error {
		q := new(dns.Msg)
		q.SetQuestion("refused.invalid.", dns.TypeA)
		_, _, err := (&dns.Client{Timeout: time.Second}).Exchange(q, address)
		return err
	}, func(dir string, port int) []string {
		var conf strings.Builder
		fmt.Fprintf(&conf, `server:
	verbosity: 1
	num-threads: 1
	interface: 127.0.0.1@%[2]d
	port: %[2]d
	do-ip6: no
	access-control: 127.0.0.0/8 allow
	do-not-query-localhost: no
	do-daemonize: no
	use-syslog: no
	logfile: ""
	username: ""
	chroot: ""
	directory: %[1]q
	pidfile: ""
	module-config: "iterator"
	qname-minimisation: no
	prefetch: no
	serve-expired: no
	minimal-responses: yes
	local-zone: "." refuse
`, dir, port)
		names := slices.Sorted(maps.Keys(zones))
		for _, z := range names {
			fmt.Fprintf(&conf, "\tlocal-zone: %q transparent\n", z+".")
		}
		conf.WriteString("remote-control:\n\tcontrol-enable: no\n")
		for _, z := range names {
			host, port, err := net.SplitHostPort(zones[z])
			if err != nil {
				t.Fatalf("address of zone %s: %v", z, err)
			}
			fmt.Fprintf(&conf, "stub-zone:\n\tname: %q\n\tstub-addr: %s@%s\n\tstub-prime: no\n", z+".", host, port)
		}
		path := filepath.Join(dir, "unbound.conf")
		write(t, path, conf.String())
		return []string{unbound, "-d", "-c", path}
	})
}
