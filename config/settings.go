package config

import (
	"crypto/x509"
	"net/url"
	"strings"
)

// defaultResolvers are asked when probe.resolvers is not set: Cloudflare's,
// Google's, Quad9's and OpenDNS' public ones.
func defaultResolvers() []string {
	return []string{"1.1.1.1", "8.8.8.8", "9.9.9.9", "208.67.222.222"}
}

func (l *loader) readProbe() Probe {
	v := l.singleBlock("probe")
	p := Probe{Resolvers: defaultResolvers()}
	if !v.exists() {
		return p
	}
	l.checkShape(v.layers[0].body, shape{what: "a probe block", attrs: []string{"resolvers", "connect_to", "ca_file"}})
	before := len(l.diags)
	if rs, set := v.list("resolvers", shown, resolver); set {
		p.Resolvers = texts(rs)
		if len(rs) == 0 && len(l.diags) == before {
			l.errorf(place{rng: v.at}, "No resolvers", "The list resolvers is empty. Write at least one, such as \"1.1.1.1\", or leave the argument out.")
		}
	}
	p.ConnectTo, _ = v.stringMap("connect_to", connectTo)
	if s := v.text("ca_file", l.caFile); s != nil {
		p.CAFile = l.path(*s)
	}
	return p
}

// resolver judges HOST[:PORT] or an https URL.
func resolver(s string) *flaw {
	const summary = "Invalid resolver"
	example := "\"1.1.1.1\", \"192.0.2.1:5353\" or \"https://dns.example/dns-query\""
	if !strings.Contains(s, "://") {
		return hostPort(s, summary, example, false)
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || strings.ContainsAny(s, " \t\n") {
		return flawf(summary, "%q is not an https URL. Write %s.", s, example)
	}
	return nil
}

// connectTo judges one entry of connect_to.
func connectTo(k, v string) *flaw {
	const summary = "Invalid connect_to"
	if f := hostPort(k, summary, "\"assets.example.com\", \"assets.example.com:443\" or \"*.cloudfront.net:443\"", true); f != nil {
		return f
	}
	return hostPort(v, summary, "\"127.0.0.1:8443\", \"192.0.2.1\" or \"[::1]:8443\"", false)
}

// caFile judges a file of certificates.
func (l *loader) caFile(s string) *flaw {
	const summary = "Invalid ca_file"
	path := l.path(s)
	src, err := readBounded(path)
	if err != nil {
		return flawf(summary, "Cannot read %s: %v. The path is relative to the folder of the configuration.", path, plainCause(err))
	}
	if !x509.NewCertPool().AppendCertsFromPEM(src) {
		return flawf(summary, "%s has no certificate in PEM form, which begins with -----BEGIN CERTIFICATE-----.", path)
	}
	return nil
}
