package dns

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/edgeward/edgeward/providers"
)

const (
	// rfc2136Slots is how many connections are open to one server at a time: BIND
	// takes 150 in all by its defaults [BIND 9 ARM, tcp-clients].
	rfc2136Slots = 16
	// rfc2136Tries is how often a message is sent whose answer did not come.
	rfc2136Tries = 3
	// rfc2136Settle is how long a server that has taken an update may go on to
	// answer with what stood before.
	rfc2136Settle = 10 * time.Second
)

func rfc2136Features() providers.Features {
	return providers.Features{Provider: "rfc2136", Swap: true, Atomic: true}
}

func rfc2136Type() Type {
	return Type{
		Name: "rfc2136",
		Settings: []Setting{
			{Name: "server", Required: true, Env: []string{"RFC2136_NAMESERVER", "DNS_UPDATE_SERVER"},
				Doc: "the primary server, which takes the updates: HOST[:PORT], port 53 if left out"},
			{Name: "key_name", Env: []string{"RFC2136_TSIG_KEY", "DNS_UPDATE_KEYNAME"},
				Doc: "name of the TSIG key; without a key, messages are not signed"},
			{Name: "key_algorithm", Env: []string{"RFC2136_TSIG_ALGORITHM", "DNS_UPDATE_KEYALGORITHM"},
				Doc: `algorithm of the key: "hmac-sha256" (default), "hmac-sha512", "hmac-sha384", "hmac-sha224" or "hmac-sha1"`},
			{Name: "key_secret", Sensitive: true, Env: []string{"RFC2136_TSIG_SECRET", "DNS_UPDATE_KEYSECRET"},
				Doc: "secret of the key in base64, as tsig-keygen prints it"},
		},
		Features: rfc2136Features(),
		New:      newRFC2136,
	}
}

// rfc2136DNS is a DNS server with dynamic updates (RFC 2136) as a
// providers.DNS. It speaks to the server itself, because libdns has no words for
// prerequisites, which make a change a compare-and-set.
//
// Values are compared by the server, in the message that changes them. A
// prerequisite cannot name a TTL [RFC 2136, 2.4.2]: TTLs are compared by a read
// on the same connection just before, so that somebody's edit of nothing but a
// TTL can be lost if it falls between the two.
type rfc2136DNS struct {
	server    *updateServer
	clock     providers.Clock
	zones     []string
	transfers *zoneTransfers
}

func newRFC2136(o Options) (providers.DNS, error) {
	if o.Clock == nil {
		return nil, errors.New("make rfc2136 provider: a clock is needed")
	}
	text := func(name string) string {
		s, _ := o.Settings[name].(string)
		return strings.TrimSpace(s)
	}
	address, err := serverAddress(text("server"))
	if err != nil {
		return nil, err
	}
	key, err := newTSIGKey(text("key_name"), text("key_algorithm"), text("key_secret"))
	if err != nil {
		return nil, err
	}
	server := &updateServer{address: address, key: key, clock: o.Clock, slots: make(chan struct{}, rfc2136Slots), trace: o.Trace}
	d := &rfc2136DNS{server: server, clock: o.Clock, transfers: newTransfers(server, o.Clock)}
	for _, z := range o.Zones {
		d.zones = append(d.zones, clean(z))
	}
	// The longest zone comes first.
	slices.SortStableFunc(d.zones, func(a, b string) int { return len(b) - len(a) })
	return d, nil
}

// serverAddress is the HOST:PORT of a setting HOST[:PORT].
func serverAddress(s string) (string, error) {
	wrong := func(why string) (string, error) {
		return "", fmt.Errorf(`read server: %q %s; write HOST or HOST:PORT, such as "ns1.example.com:53"`, s, why)
	}
	if s == "" {
		return wrong("names no server")
	}
	if strings.ContainsAny(s, "/ @?") {
		return wrong("is not the name of a server")
	}
	if a, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return net.JoinHostPort(a.String(), "53"), nil
	}
	if !strings.Contains(s, ":") {
		return net.JoinHostPort(s, "53"), nil
	}
	host, port, err := net.SplitHostPort(s)
	if err != nil || host == "" {
		return wrong("is not the name of a server")
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return wrong("has no port between 1 and 65535")
	}
	return s, nil
}

// tsigKey is a shared secret that signs messages [RFC 8945]; nil signs nothing.
type tsigKey struct {
	// name and algorithm are as the wire has them, with a trailing dot.
	name, algorithm, secret string
}

func newTSIGKey(name, algorithm, secret string) (*tsigKey, error) {
	switch {
	case name == "" && secret == "" && algorithm == "":
		return nil, nil
	case name == "":
		return nil, errors.New("read key_name: it is missing, but the key has other settings; write the name that the server knows the key by")
	case secret == "":
		return nil, fmt.Errorf("read key_secret: the secret of key %q is missing; write key_secret = env(\"NAME\") or file(\"PATH\")", name)
	}
	if _, ok := dns.IsDomainName(name); !ok {
		return nil, fmt.Errorf("read key_name: %q cannot be the name of a key; keys have names like domain names", name)
	}
	known := []string{"hmac-sha256", "hmac-sha512", "hmac-sha384", "hmac-sha224", "hmac-sha1"}
	if algorithm = clean(algorithm); algorithm == "" {
		algorithm = known[0]
	}
	if !slices.Contains(known, algorithm) {
		return nil, fmt.Errorf("read key_algorithm: %q is not known; write one of %s", algorithm, strings.Join(known, ", "))
	}
	// The secret itself is never in an error.
	if _, err := base64.StdEncoding.DecodeString(secret); err != nil {
		return nil, fmt.Errorf("read key_secret: the secret of key %q is not base64; write what stands between the quotes after \"secret\" in the server's key file", name)
	}
	return &tsigKey{name: dns.CanonicalName(name), algorithm: algorithm + ".", secret: secret}, nil
}

// String is the key as errors name it.
func (k *tsigKey) String() string {
	return fmt.Sprintf("key %q (%s)", clean(k.name), clean(k.algorithm))
}

// Features implements providers.DNS.
func (d *rfc2136DNS) Features() providers.Features { return rfc2136Features() }

// zone is the longest zone that holds name. ErrNotFound.
func (d *rfc2136DNS) zone(name string) (string, error) {
	if _, ok := dns.IsDomainName(name); !ok || name == "" {
		return "", fmt.Errorf("%q is no domain name: %w", name, providers.ErrInvalid)
	}
	if z := d.longest(name); z != "" {
		return z, nil
	}
	return "", fmt.Errorf("no zone of this provider (%s) holds %s: %w", strings.Join(d.zones, ", "), name, providers.ErrNotFound)
}

func (d *rfc2136DNS) longest(name string) string {
	for _, z := range d.zones {
		if holds(z, name) {
			return z
		}
	}
	return ""
}

// Look implements providers.DNS: from one transfer of the zone (AXFR) for all
// names of the next seconds where the server allows it, else by single queries
// over TCP.
func (d *rfc2136DNS) Look(ctx context.Context, name string) (providers.RecordSet, error) {
	name = clean(name)
	zone, err := d.zone(name)
	if err != nil {
		return providers.RecordSet{}, fmt.Errorf("look up records of %s: %w", name, err)
	}
	var at rrsAt
	err = d.again(ctx, func() error {
		known := false
		if at, known, err = d.transfers.find(ctx, zone, name); known || err != nil {
			return err
		}
		return d.server.with(ctx, func(s *dnsSession) (err error) {
			at, err = s.ask(zone, name)
			return err
		})
	})
	if err != nil {
		return providers.RecordSet{}, fmt.Errorf("look up records of %s in zone %s: %w", name, zone, err)
	}
	return at.set(zone, name), nil
}

// again does f until it ends otherwise than for want of an answer.
func (d *rfc2136DNS) again(ctx context.Context, f func() error) error {
	for n := 1; ; n++ {
		err := f()
		if !isLost(err) || n == rfc2136Tries || ctx.Err() != nil {
			return err
		}
		if err := d.clock.Sleep(ctx, time.Duration(n)*time.Second); err != nil {
			return err
		}
	}
}
