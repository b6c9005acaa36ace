package probe

import (
	"cmp"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
)

// connectTo maps what would be dialled to what is, as curl's --connect-to.
type connectTo []rule

type rule struct {
	// host is lower case; below is true for "*.host", which any name below it
	// matches. ports are "" for every port, and for the port that was asked.
	host, port     string
	below          bool
	toHost, toPort string
}

func newConnectTo(m map[string]string) (connectTo, error) {
	var rules connectTo
	for from, to := range m {
		var r rule
		var err error
		if r.host, r.port, err = splitHost(from); err == nil {
			r.toHost, r.toPort, err = splitHost(to)
		}
		if err != nil {
			return nil, fmt.Errorf("read connect_to %q = %q: %w; write HOST[:PORT] = ADDR[:PORT]", from, to, err)
		}
		r.host, r.below = strings.CutPrefix(r.host, "*.")
		rules = append(rules, r)
	}
	// The most exact rule comes first.
	slices.SortFunc(rules, func(a, b rule) int {
		return cmp.Or(rank(a.below)-rank(b.below), len(b.host)-len(a.host), rank(a.port == "")-rank(b.port == ""),
			cmp.Compare(a.host+a.port, b.host+b.port))
	})
	return rules, nil
}

func rank(last bool) int {
	if last {
		return 1
	}
	return 0
}

// address is where to connect for host and port.
func (c connectTo) address(host, port string) string {
	name := strings.TrimSuffix(strings.ToLower(host), ".")
	for _, r := range c {
		fits := r.host == name
		if r.below {
			fits = strings.HasSuffix(name, "."+r.host)
		}
		if fits && (r.port == "" || r.port == port) {
			return net.JoinHostPort(r.toHost, cmp.Or(r.toPort, port))
		}
	}
	return net.JoinHostPort(host, port)
}

// splitHost reads HOST[:PORT]; an IPv6 address with a port is in brackets.
func splitHost(s string) (host, port string, err error) {
	host = strings.TrimSpace(s)
	if ip := net.ParseIP(strings.Trim(host, "[]")); ip != nil {
		return strings.Trim(host, "[]"), "", nil
	}
	if strings.Contains(host, ":") {
		if host, port, err = net.SplitHostPort(host); err != nil {
			return "", "", fmt.Errorf("%q is no HOST[:PORT]", s)
		}
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
			return "", "", fmt.Errorf("%q has no port between 1 and 65535", s)
		}
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if host == "" || strings.ContainsAny(host, "/ ") {
		return "", "", fmt.Errorf("%q is no HOST[:PORT]", s)
	}
	return host, port, nil
}

// roots are the system's certificates and those of a PEM file; nil, which means
// the system's, without one.
func roots(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read ca_file: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("read ca_file %s: %w", file, errors.New("no PEM certificate in it"))
	}
	return pool, nil
}
