package cmd

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"html"
	"io"
	"io/fs"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/edgeward/edgeward/providers/dns"
)

// canary is in every secret of these tests. Of letters and digits alone: it is
// the same in a URL, in JSON and in HTML.
const canary = "kQ7canaryZ9xWv4"

// canaryForms are the canary as it could be written: as it is, without case, in
// hexadecimal, and in base64 wherever in a longer text it begins.
func canaryForms() map[string]string {
	forms := map[string]string{
		"as it is": strings.ToLower(canary), "in hexadecimal": hex.EncodeToString([]byte(canary)),
	}
	for i := range 3 {
		for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			text := enc.EncodeToString([]byte(strings.Repeat("\x00", i) + canary))
			// The characters at both ends are made of what stands beside it, too.
			forms[fmt.Sprintf("in base64, %d", i)] = strings.ToLower(text[(i*8+5)/6 : len(text)-1])
		}
	}
	return forms
}

// leaks are the forms of the canary in text, with what stands round the first.
func leaks(text []byte) []string {
	var found []string
	lower := strings.ToLower(string(text))
	for name, form := range canaryForms() {
		if i := strings.Index(lower, form); i >= 0 {
			found = append(found, fmt.Sprintf("%s: …%s…", name, text[max(0, i-80):min(len(text), i+len(form)+40)]))
		}
	}
	return found
}

// TestCanaryIsFound shows that the search bites, whatever form a secret takes.
func TestCanaryIsFound(t *testing.T) {
	for _, before := range []string{"", "a", "ab", "abc"} {
		secret := before + canary + "+/="
		quoted, err := json.Marshal(secret + "\"\n")
		if err != nil {
			t.Fatal(err)
		}
		for name, text := range map[string]string{
			"plain": secret, "JSON": string(quoted), "HTML": html.EscapeString("<" + secret + ">"), "hex": hex.EncodeToString([]byte(secret)),
			"HEX": strings.ToUpper(hex.EncodeToString([]byte(secret))), "base64": base64.StdEncoding.EncodeToString([]byte(secret)),
			"base64 of URLs": base64.RawURLEncoding.EncodeToString([]byte(secret)), "lower case": strings.ToLower(secret),
			"basic authentication": base64.StdEncoding.EncodeToString([]byte("user:" + secret)),
		} {
			if len(leaks([]byte("x "+text+" y"))) == 0 {
				t.Errorf("%s behind %q is not found", name, before)
			}
		}
	}
	if found := leaks([]byte("kQ7canaryZ9")); found != nil {
		t.Error(found)
	}
}

// canaries is a folder with a configuration full of secrets, and a process's
// environment.
type canaries struct {
	dir string
	env []string
	// runs are how many commands were run.
	runs int
	// wrote is how many bytes were searched.
	wrote int
}

func newCanaries(t *testing.T) *canaries {
	c := &canaries{dir: t.TempDir()}
	// Nothing of the user's own; a network that is nowhere but here.
	for _, name := range []string{"PATH", "TMPDIR", "SystemRoot"} {
		if v, ok := os.LookupEnv(name); ok {
			c.env = append(c.env, name+"="+v)
		}
	}
	c.set("GORACE="+atOnce, "HOME="+c.dir, "AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull, "AWS_EC2_METADATA_DISABLED=true",
		"HTTP_PROXY=http://127.0.0.1:9", "HTTPS_PROXY=http://127.0.0.1:9",
		"AWS_ACCESS_KEY_ID=AKIA"+canary, "AWS_SECRET_ACCESS_KEY=s/"+canary+"+x", "AWS_SESSION_TOKEN=t/"+canary+"=")
	return c
}

func (c *canaries) set(vars ...string) { c.env = append(c.env, vars...) }

func (c *canaries) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(c.dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// run runs edgeward as a process and searches all it wrote, to its streams and to
// files that were not there before. It returns both streams.
func (c *canaries) run(t *testing.T, args ...string) string {
	t.Helper()
	before := c.files(t)
	cmd := exec.CommandContext(t.Context(), "edgeward", args...)
	cmd.Dir, cmd.Env = c.dir, c.env
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	_ = cmd.Run() // whatever its exit code
	if cmd.ProcessState == nil || stdout.Len()+stderr.Len() == 0 {
		t.Fatalf("edgeward %s says nothing", strings.Join(args, " "))
	}
	c.runs++
	text := map[string][]byte{"standard output": stdout.Bytes(), "standard error": stderr.Bytes()}
	for name, content := range c.files(t) {
		if !bytes.Equal(before[name], content) {
			text[name] = content
		}
	}
	for name, content := range text {
		c.wrote += len(content)
		for _, l := range leaks(content) {
			t.Errorf("edgeward %s: %s has a secret %s", strings.Join(args, " "), name, l)
		}
	}
	return stdout.String() + stderr.String()
}

func (c *canaries) files(t *testing.T) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	err := filepath.WalkDir(c.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		files[path] = text
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// A way is how a secret comes into the configuration.
type way string

const (
	wayText     way = "as a text"
	wayEnv      way = "by env"
	wayVariable way = "by a sensitive variable"
	waySetting  way = "by the setting's own variable"
)

// secretOf is a secret that has the form its setting asks for.
func secretOf(typ, setting string) string {
	switch typ {
	case "rfc2136": // base64 by its form
		return base64.StdEncoding.EncodeToString([]byte("key " + canary))
	case "ionos":
		return "prefix" + canary + ".secret" + canary
	case "godaddy":
		return "key" + canary + ":secret" + canary
	}
	return setting + "-" + canary + "+/="
}

// configuration has every type of dns_provider with every setting, and a bucket
// for each. The secrets come in one way; api is where providers that have an
// address of their own are asked.
func (c *canaries) configuration(t *testing.T, w way, api string) string {
	t.Helper()
	var b, variables strings.Builder
	c.write(t, "google.json", fmt.Sprintf(`{"type": "service_account", "client_email": "x@example.com", "token_uri": "%s", "private_key": "-----BEGIN PRIVATE KEY-----\n%s\n-----END PRIVATE KEY-----\n", "private_key_id": "%[2]s"}`, api, canary))
	given := map[string]string{
		"server_url": api, "endpoint_url": api, "server": "127.0.0.1:9", "key_name": "k", "account_id": "1", "tenant_id": "x", "client_id": "x", "email": "x@example.com", "username": "x",
		"gcp_application_default": filepath.Join(c.dir, "google.json"), "aws": "aws.main",
	}
	for _, account := range []string{"main", "refused"} {
		fmt.Fprintf(&b, "aws %q {\n  role_arn = \"arn:aws:iam::123456789012:role/%[1]s\"\n  external_id = %s\n}\n", account, c.secret(&variables, w, "aws_"+account, "external_id", nil))
	}
	fmt.Fprint(&b, "probe {\n  resolvers = [\"127.0.0.1:9\"]\n}\n")
	secrets := 0
	for _, typ := range dns.Types() {
		zone := typ.Name + ".example.com"
		fmt.Fprintf(&b, "dns_provider %q \"x\" {\n  zones = [%q]\n  nameservers = [\"127.0.0.1:9\"]\n", typ.Name, zone)
		for _, s := range typ.Settings {
			value, known := given[s.Name]
			switch {
			case s.Sensitive:
				secrets++
				if text := c.secret(&variables, w, typ.Name, s.Name, s.Env); text != "" {
					fmt.Fprintf(&b, "  %s = %s\n", s.Name, text)
				}
			case s.Account:
				fmt.Fprintf(&b, "  %s = %s\n", s.Name, value)
			case known: // a path, an address, or a name that looks as it must
				fmt.Fprintf(&b, "  %s = %q\n", s.Name, value)
			case s.Required:
				fmt.Fprintf(&b, "  %s = \"x\"\n", s.Name)
			}
		}
		account := "main"
		if typ.Name == "powerdns" {
			account = "refused"
		}
		fmt.Fprintf(&b, "}\nbucket %q {\n  name = \"assets.%s\"\n  aws = aws.%s\n}\n", "at_"+typ.Name, zone, account)
	}
	if secrets < 15 {
		t.Errorf("only %d settings are secrets", secrets)
	}
	return variables.String() + b.String()
}

// secret is the expression that gives a setting its secret, "" when the setting
// is left out.
func (c *canaries) secret(variables *strings.Builder, w way, typ, setting string, env []string) string {
	value, name := secretOf(typ, setting), typ+"_"+setting
	switch {
	case w == waySetting && len(env) > 0:
		c.set(env[0] + "=" + value)
		return ""
	case w == wayVariable:
		fmt.Fprintf(variables, "variable %q {\n  type = string\n  sensitive = true\n}\n", name)
		c.set("EDGEWARD_VAR_" + name + "=" + value)
		return "var." + name
	case w == wayText:
		return fmt.Sprintf("%q", value)
	}
	c.set("CANARY_" + name + "=" + value)
	return fmt.Sprintf("env(%q)", "CANARY_"+name)
}

// TestNoSecretIsWritten: however a secret comes in, no command writes it down, in
// a sandbox nor before servers that tell all they are told.
func TestNoSecretIsWritten(t *testing.T) {
	if testing.Short() {
		t.Skip("some seconds")
	}
	api := newEcho(t)
	t.Cleanup(func() {
		var hosts []string
		api.hosts.Range(func(host, _ any) bool { hosts = append(hosts, host.(string)); return true })
		slices.Sort(hosts)
		if want := map[bool]int{true: 7, false: 1}[runtime.GOOS == "linux"]; len(hosts) < want { // where SSL_CERT_FILE counts
			t.Errorf("only %q were told a secret, so that little is proven about their answers", hosts)
		}
		t.Logf("%d requests had a secret and got it back, at %s", api.told.Load(), strings.Join(hosts, ", "))
	})
	for _, w := range []way{wayText, wayEnv, wayVariable, waySetting} {
		t.Run(string(w), func(t *testing.T) {
			t.Parallel()
			c := newCanaries(t)
			c.write(t, "edgeward.hcl", c.configuration(t, w, api.plain))
			into := []string{"-json-into=o.json", "-md-into=o.md", "-html-into=o.html"}
			if said := c.run(t, "validate"); !strings.Contains(said, "The configuration is valid") {
				t.Fatalf("validate: %s", said)
			}
			c.run(t, append([]string{"plan", "-sandbox", "-out=p.plan"}, into...)...)
			c.run(t, append([]string{"apply", "-sandbox", "-wait=false", "p.plan"}, into...)...)
			if w != waySetting {
				return // what the other commands and the servers repeat does not depend on the way in
			}
			c.run(t, "providers")
			c.run(t, "plan", "-sandbox", "-json")
			c.run(t, append([]string{"show", "p.plan"}, into...)...)
			c.run(t, "apply", "-sandbox", "-auto-approve", "-json", "-until=certificate.request")
			c.run(t, append([]string{"status", "-sandbox"}, into...)...)
			c.run(t, append([]string{"rollback", "-sandbox", "-auto-approve", "-target=bucket.at_route53"}, into...)...)
			c.run(t, append([]string{"verify", "-sandbox", "-target=bucket.at_cloudflare"}, into...)...)
			c.run(t, "iam-policy")
			c.set("GITHUB_ACTIONS=true")
			c.set(api.env...)
			// LuaDNS' module obeys no proxy [luadns-go v0.3.0, json_client.go].
			c.run(t, append([]string{"plan", "-out=q.plan", "-parallelism=20", "-exclude=bucket.at_luadns"}, append(into, "-trace=1.jsonl")...)...)
			c.run(t, "plan", "-json", "-parallelism=20", "-target=bucket.at_r*")
			c.run(t, append([]string{"apply", "-auto-approve", "-wait=false", "-target=bucket.at_p*"}, append(into, "-trace=2.jsonl")...)...)
			c.run(t, append([]string{"status", "-target=bucket.at_c*"}, append(into, "-trace=3.jsonl")...)...)
			c.run(t, append([]string{"rollback", "-auto-approve", "-wait=false", "-target=bucket.at_i*"}, append(into, "-trace=4.jsonl")...)...)
			tracedAPIs(t, c.dir)
			t.Logf("%d commands, %d bytes searched", c.runs, c.wrote)
		})
	}
}

// echo is a server and a proxy to every other one: it refuses all it is asked,
// and says in its answers what it was told.
type echo struct {
	plain string   // its address
	env   []string // makes a process use it for everything
	told  atomic.Int64
	asked atomic.Int64
	hosts sync.Map // those that were told
	ca    *x509.Certificate
	key   *ecdsa.PrivateKey
}

func newEcho(t *testing.T) *echo {
	t.Helper()
	e := &echo{}
	var err error
	if e.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	e.ca = &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, e.ca, e.ca, e.key.Public(), e.key)
	if err != nil {
		t.Fatal(err)
	}
	roots := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(roots, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(e)
	t.Cleanup(s.Close)
	e.plain = s.URL
	e.env = []string{"HTTP_PROXY=" + s.URL, "HTTPS_PROXY=" + s.URL, "SSL_CERT_FILE=" + roots}
	return e
}

// certificate is one for any host.
func (e *echo) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), NotBefore: e.ca.NotBefore, NotAfter: e.ca.NotAfter,
		DNSNames: []string{hello.ServerName}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, leaf, e.ca, e.key.Public(), e.key)
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: e.key}, err
}

// oneConn is a listener that has accepted its one connection already.
type oneConn struct {
	net.Conn
	taken atomic.Bool
}

func (o *oneConn) Accept() (net.Conn, error) {
	if o.taken.Swap(true) {
		return nil, net.ErrClosed
	}
	return o.Conn, nil
}

func (o *oneConn) Addr() net.Addr { return o.LocalAddr() }
func (o *oneConn) Close() error   { return nil }

func (e *echo) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodConnect {
		e.answer(w, r)
		return
	}
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n")
	inner := &http.Server{Handler: http.HandlerFunc(e.answer), ErrorLog: log.New(io.Discard, "", 0)}
	_ = inner.Serve(&oneConn{Conn: tls.Server(conn, &tls.Config{GetCertificate: e.certificate})})
}

func (e *echo) answer(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	told := fmt.Sprintf("%s %s %v %s", r.Method, r.URL, r.Header, body)
	for name, values := range r.Header { // without their form, as an API may say them
		told += " " + name + " is " + strings.Join(values, ", ")
		if user, password, ok := r.BasicAuth(); ok {
			told += " " + user + " " + password
		}
	}
	if leaks([]byte(told)) != nil {
		e.told.Add(1)
		e.hosts.Store(r.Host, true)
	}
	if strings.Contains(string(body), "Action=AssumeRole") && strings.Contains(string(body), "main") {
		w.Header().Set("Content-Type", "text/xml")
		fmt.Fprintf(w, `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials><AccessKeyId>ASIA%s</AccessKeyId><SecretAccessKey>%[1]s</SecretAccessKey><SessionToken>%[1]s</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`, canary)
		return
	}
	status := []int{http.StatusForbidden, http.StatusUnauthorized, http.StatusBadRequest}[e.asked.Add(1)%3]
	switch host := r.Host; {
	case strings.HasPrefix(host, "acm."):
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]string{"__type": "AccessDeniedException", "message": told})
	case strings.HasSuffix(host, "amazonaws.com"):
		w.Header().Set("Content-Type", "text/xml")
		w.WriteHeader(status)
		open, shut := "<ErrorResponse><Error>", "</Error></ErrorResponse>"
		if strings.Contains(host, "s3") {
			open, shut = "<Error>", "</Error>"
		}
		fmt.Fprintf(w, "%s<Code>AccessDenied</Code><Message>%s</Message>%s", open, html.EscapeString(told), shut)
	default:
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]any{"message": told, "error": told, "errors": []map[string]string{{"message": told}}, "detail": told,
			"msg": told, "success": false, "status": "ERROR", "code": 1, "error_description": told})
	}
}

// TestBadConfigurationsKeepSecrets: what is wrong is said without the secret that
// it is about, also to GitHub.
func TestBadConfigurationsKeepSecrets(t *testing.T) {
	const good = "bucket \"assets.example.com\" {}\ndns_provider \"route53\" \"main\" {\n  zones = [\"example.com\"]\n}\n"
	const variable = "variable \"s\" {\n  sensitive = true\n}\n"
	provider := func(typ, settings string) string {
		return fmt.Sprintf("dns_provider %q \"x\" {\n  zones = [\"example.org\"]\n%s\n}\n", typ, settings)
	}
	for name, tc := range map[string]struct {
		text string
		args []string
	}{
		"misspelt setting":         {text: good + provider("cloudflare", `api_tokn = "CANARY"`)},
		"list for a text":          {text: good + provider("cloudflare", `api_token = ["CANARY"]`)},
		"unfinished text":          {text: good + provider("cloudflare", `api_token = "CANARY`)},
		"unfinished block":         {text: good + strings.TrimSuffix(provider("cloudflare", `api_token = "CANARY"`), "}\n")},
		"no type":                  {text: good + provider("cloudfare", `api_token = "CANARY"`)},
		"refused type":             {text: good + provider(dns.Refused()[0].Name, `api_token = "CANARY"`)},
		"not base64":               {text: good + provider("rfc2136", "server = \"192.0.2.53\"\nkey_name = \"k\"\nkey_secret = \"CANARY!\"")},
		"not PREFIX.SECRET":        {text: good + provider("ionos", `auth_api_token = "CANARY"`)},
		"not KEY:SECRET":           {text: good + provider("godaddy", `api_token = "CANARY"`)},
		"a line break":             {text: good + provider("desec", `token = "CANARY\n\u0001x"`)},
		"a secret as a name":       {text: variable + good + "bucket \"x\" {\n  name = var.s\n}\n", args: []string{"-var=s=CANARY"}},
		"a secret as a region":     {text: good + "bucket \"x.example.com\" {\n  region = env(\"CANARY\")\n}\n"},
		"a secret as a zone":       {text: good + provider("route53", `zone_ids = [env("CANARY")]`) + "dns_provider \"manual\" \"y\" {\n  zones = [env(\"CANARY\")]\n}\n"},
		"a secret as a path":       {text: good + "bucket \"x.example.com\" {\n  verify {\n    paths = [env(\"CANARY\")]\n  }\n}\n"},
		"a secret as a tag":        {text: good + "bucket \"x.example.com\" {\n  distribution {\n    tags = { k = env(\"CANARY\") }\n  }\n}\n"},
		"a secret as a key":        {text: good + "bucket \"x\" {\n  for_each = { (env(\"CANARY\")) = 1 }\n  name = \"x.example.com\"\n}\n"},
		"a secret as for_each":     {text: good + "bucket \"x\" {\n  for_each = toset([env(\"CANARY\")])\n  name = \"x.example.com\"\n}\n"},
		"a secret as a role":       {text: good + "aws \"x\" {\n  role_arn = env(\"CANARY\")\n}\n"},
		"a secret as a profile":    {text: good + "aws \"x\" {\n  profile = env(\"CANARY\")\n}\n"},
		"a secret as a duration":   {text: good + "defaults {\n  dns {\n    ttl = env(\"CANARY\")\n  }\n}\n"},
		"a secret as a wave":       {text: good + "defaults {\n  wave = env(\"CANARY\")\n}\n"},
		"a secret as a lock":       {text: good + "run_lock {\n  s3 = env(\"CANARY\")\n}\n"},
		"a secret as a freeze":     {text: good + "limits {\n  freeze {\n    from = env(\"CANARY\")\n    until = \"2026-01-01\"\n  }\n}\n"},
		"a secret as a number":     {text: good + "locals {\n  n = tonumber(env(\"CANARY\"))\n}\nbucket \"x.example.com\" {\n  region = local.n\n}\n"},
		"a secret decoded":         {text: good + "locals {\n  n = jsondecode(env(\"CANARY\"))\n}\nbucket \"x.example.com\" {\n  region = local.n\n}\n"},
		"a secret as an index":     {text: good + "locals {\n  n = { a = 1 }[env(\"CANARY\")]\n}\nbucket \"x.example.com\" {\n  region = local.n\n}\n"},
		"a secret as a file":       {text: good + "locals {\n  n = file(env(\"CANARY\"))\n}\nbucket \"x.example.com\" {\n  region = local.n\n}\n"},
		"a secret as a name of":    {text: good + "locals {\n  n = env(env(\"CANARY\"))\n}\nbucket \"x.example.com\" {\n  region = local.n\n}\n"},
		"a sensitive default":      {text: "variable \"s\" {\n  sensitive = true\n  type = number\n  default = \"CANARY\"\n}\n" + good},
		"a validation":             {text: "variable \"s\" {\n  sensitive = true\n  validation {\n    condition = var.s == \"x\"\n    error_message = \"not ${var.s}\"\n  }\n}\n" + good, args: []string{"-var=s=CANARY"}},
		"a wrong type":             {text: "variable \"s\" {\n  sensitive = true\n  type = list(number)\n}\n" + good, args: []string{"-var=s=[\"CANARY\"]"}},
		"a value of no syntax":     {text: "variable \"s\" {\n  sensitive = true\n  type = list(string)\n}\n" + good, args: []string{"-var=s=[CANARY\"]"}},
		"a file of no syntax":      {text: variable + good, args: []string{"-var-file=bad.hcl"}},
		"a file with one too many": {text: variable + good, args: []string{"-var-file=more.hcl"}},
		"an empty external_id":     {text: good + "aws \"x\" {\n  external_id = \"CANARY\"\n}\n"},
		"an unknown argument":      {text: good + "aws \"x\" {\n  secret_key = \"CANARY\"\n}\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCanaries(t)
			c.set("GITHUB_ACTIONS=true", "CANARY="+canary)
			text := strings.NewReplacer(`env("CANARY")`, `env("CANARY")`, "CANARY", canary).Replace(tc.text)
			c.write(t, "edgeward.hcl", text)
			c.write(t, "bad.hcl", "s = \""+canary+"\nx = {\n")
			c.write(t, "more.hcl", "s = \""+canary+"\"\nother = \""+canary+"\"\n")
			args := slices.Clone(tc.args)
			for i := range args {
				args[i] = strings.ReplaceAll(args[i], "CANARY", canary)
			}
			for _, command := range [][]string{{"validate"}, {"plan", "-sandbox"}} {
				c.run(t, append(command, args...)...)
			}
		})
	}
}
