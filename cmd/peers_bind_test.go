//go:build peers

package cmd_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/miekg/dns"

	"github.com/edgeward/edgeward/planner"
	"github.com/edgeward/edgeward/providers/providertest/dnslab"
	"github.com/edgeward/edgeward/providers/providertest/motolab"
)

// bindTTL is the TTL of the names' records, which is low already.
const bindTTL = 5

// bindWorld is the lab with the records in BIND, which visitors and edgeward see
// through Unbound.
type bindWorld struct {
	world
	bind      *dnslab.Server
	resolvers []string
}

// newBindWorld has a bucket behind the REST endpoint and one behind the website
// endpoint.
func newBindWorld(t *testing.T) *bindWorld {
	t.Helper()
	w := &bindWorld{world: world{lab: motolab.Start(t), sites: slices.DeleteFunc(sites(), func(s site) bool { return s.apex })}}
	w.lab.SetDeployTime(t, 3*time.Second)
	cfg := w.lab.Config()
	api := s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true })
	names, rows := map[string][]page{}, []string{}
	for _, s := range w.sites {
		s.make(t, api)
		names[s.bucket] = s.visits
		rows = append(rows, fmt.Sprintf("%s. %d IN CNAME %s.", s.bucket, bindTTL, s.endpoint()))
	}
	w.bind = dnslab.Bind(t, dnslab.Zone{Name: "com"}, dnslab.Zone{Name: "example.com", Rows: rows},
		dnslab.Zone{Name: "amazonaws.com", Rows: []string{"*" + strings.TrimSuffix(restSuffix, ".amazonaws.com") + " 60 IN A " + restAddress,
			"*" + strings.TrimSuffix(websiteSuffix, ".amazonaws.com") + " 60 IN A " + websiteAddress}},
		dnslab.Zone{Name: "cloudfront.net", Rows: []string{"* 60 IN A " + edgeAddress}},
		dnslab.Zone{Name: "acm-validations.aws"})
	served := map[string]string{}
	for _, z := range []string{"com", "example.com", "amazonaws.com", "cloudfront.net", "acm-validations.aws"} {
		served[z] = w.bind.Address
	}
	w.resolvers = []string{dnslab.Unbound(t, served), dnslab.Unbound(t, served)}
	w.fronts = startFronts(t, cfg, w.lab.MotoURL)
	w.visitors = startVisitors(t, w.fronts.connectTo(), w.resolvers, names)
	w.edgeward = build(t, append(w.lab.Env(), "RFC2136_TSIG_SECRET="+w.bind.Key.Secret))
	w.edgeward.configure(t, w.configuration())
	return w
}

func (w *bindWorld) configuration() string {
	var b strings.Builder
	fmt.Fprintf(&b, "dns_provider \"rfc2136\" \"bind\" {\n  zones = [\"example.com\"]\n  nameservers = [%q]\n  server = %q\n  key_name = %q\n}\n",
		w.bind.Address, w.bind.Address, w.bind.Key.Name)
	for _, s := range w.sites {
		fmt.Fprintf(&b, "bucket %q {\n  watch {\n    for = \"0s\"\n  }\n  verify {\n    paths = [%q]\n    sample = 2\n  }\n}\n", s.bucket, s.visits[0].path)
	}
	fmt.Fprintf(&b, "probe {\n  resolvers = [%q, %q]\n  ca_file = %q\n  connect_to = {\n", w.resolvers[0], w.resolvers[1], w.fronts.ca.File)
	connect := w.fronts.connectTo()
	for _, from := range slices.Sorted(maps.Keys(connect)) {
		fmt.Fprintf(&b, "    %q = %q\n", from, connect[from])
	}
	b.WriteString("  }\n}\n")
	return b.String()
}

// target is the CNAME that a server has for a name.
func target(server, name string) (string, error) {
	q := new(dns.Msg)
	q.SetQuestion(dns.Fqdn(name), dns.TypeCNAME)
	m, _, err := (&dns.Client{Timeout: 5 * time.Second}).Exchange(q, server)
	if err != nil {
		return "", err
	}
	for _, rr := range m.Answer {
		if c, ok := rr.(*dns.CNAME); ok {
			return strings.TrimSuffix(c.Target, "."), nil
		}
	}
	return "", errors.New(dns.RcodeToString[m.Rcode] + ", no CNAME")
}

// follow runs edgeward and hands on each line of its standard error as it comes.
func (b *binary) follow(t *testing.T, line func(string), args ...string) ran {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, b.path, args...)
	cmd.Dir, cmd.Env = b.dir, b.env
	var stdout, stderr strings.Builder
	cmd.Stdout = &stdout
	pipe, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(io.TeeReader(pipe, &stderr))
	for lines.Scan() {
		line(lines.Text())
	}
	var ended *exec.ExitError
	if err := cmd.Wait(); err != nil && !errors.As(err, &ended) {
		t.Fatal(err)
	}
	t.Logf("edgeward %s: exit %d", strings.Join(args, " "), cmd.ProcessState.ExitCode())
	return ran{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// move runs a command that changes the records, watched at BIND all the time. At
// each line that says that the world answers with the new record, stage, both
// resolvers must have forgotten the old one.
func (w *bindWorld) move(t *testing.T, want, stage, suffix string, args ...string) {
	t.Helper()
	var watchers []*dnslab.Watcher
	for _, s := range w.sites {
		watchers = append(watchers, dnslab.Watch(t, w.bind.Address, s.bucket))
	}
	said := 0
	r := w.edgeward.follow(t, func(line string) {
		if !strings.Contains(line, stage+": done") {
			return
		}
		said++
		for _, s := range w.sites {
			if !strings.Contains(line, s.bucket) {
				continue
			}
			for _, server := range append([]string{w.bind.Address}, w.resolvers...) {
				if got, err := target(server, s.bucket); err != nil || !strings.HasSuffix(got, suffix) {
					t.Errorf("%q, but %s answers %q, %v", line, server, got, err)
				}
			}
		}
	}, args...)
	if r.code != 0 || !strings.Contains(r.stdout, want) || said != len(w.sites) {
		t.Fatalf("edgeward %v: exit %d, %s said %d times\n%s\n%s", args, r.code, stage, said, r.stdout, r.stderr)
	}
	if strings.Contains(r.stdout+r.stderr, w.bind.Key.Secret) {
		t.Error("the secret of the key is on the screen")
	}
	for i, watcher := range watchers {
		seen := watcher.Stop()
		t.Logf("%s at BIND: %s", w.sites[i].bucket, seen)
		if seen.Queries < 100 || seen.Absent+seen.Double+seen.Failed > 0 || len(seen.Values) != 2 {
			t.Errorf("%s at BIND: %s", w.sites[i].bucket, seen)
		}
	}
}

// Two buckets with their records in BIND are moved and moved back, with Unbound
// as the resolver of the visitors and of edgeward: no visitor misses an object,
// no name is absent for a single query, and when edgeward says that the world
// answers with the new record, the resolvers have forgotten the old one.
func TestRecordsInBIND(t *testing.T) {
	t.Parallel()
	w := newBindWorld(t)
	w.served(t, false)
	before := w.bind.Records(t, "example.com")
	w.edgeward.run(t, 2, "Plan: 2 to migrate", "plan", "-detailed-exitcode")
	if after := w.bind.Records(t, "example.com"); !slices.EqualFunc(before, after, func(a, b dns.RR) bool { return a.String() == b.String() }) {
		t.Errorf("plan has changed the zone:\n%v\n%v", before, after)
	}
	w.wrongKey(t)
	w.move(t, "Apply: 2 finished", "dns.propagated", ".cloudfront.net", "apply", "-auto-approve")
	w.served(t, true)
	w.edgeward.run(t, 0, "2 done", "plan", "-detailed-exitcode")
	w.status(t, planner.StandDone, "CloudFront")
	w.move(t, "Rollback: 2 rolled back", "dns.restored", ".amazonaws.com", "rollback", "-auto-approve")
	w.served(t, false)
	w.sameButSerial(t, before)
}

// wrongKey: a key whose secret is wrong is named, and nothing is planned.
func (w *bindWorld) wrongKey(t *testing.T) {
	t.Helper()
	wrong := dnslab.NewKey(w.bind.Key.Name, w.bind.Key.Algorithm)
	e := *w.edgeward
	e.env = append(slices.Clone(e.env), "RFC2136_TSIG_SECRET="+wrong.Secret)
	r := e.run(t, 1, "", "plan")
	for _, want := range []string{"dns_provider.rfc2136.bind", `finds the signature of key "edgeward" (hmac-sha256) wrong`, "check key_secret", "hint: write key_name, key_algorithm and key_secret"} {
		if !strings.Contains(r.stdout+r.stderr, want) {
			t.Errorf("plan with a wrong key does not say %q", want)
		}
	}
	if strings.Contains(r.stdout+r.stderr, wrong.Secret) {
		t.Error("the secret of the key is on the screen")
	}
	t.Logf("plan with a wrong key:\n%s%s", r.stdout, r.stderr)
}

// sameButSerial: the zone is as it was, but for the SOA's serial and ACM's
// records, which stay for its renewals.
func (w *bindWorld) sameButSerial(t *testing.T, before []dns.RR) {
	t.Helper()
	text := func(rrs []dns.RR) (out []string) {
		for _, rr := range rrs {
			if rr.Header().Rrtype != dns.TypeSOA && !strings.HasPrefix(rr.Header().Name, "_") {
				out = append(out, rr.String())
			}
		}
		slices.Sort(out)
		return out
	}
	if was, is := text(before), text(w.bind.Records(t, "example.com")); !slices.Equal(was, is) {
		t.Errorf("the zone is not as it was:\n%s\n%s", strings.Join(was, "\n"), strings.Join(is, "\n"))
	}
}

// A person changes a record after the plan was approved: that bucket stops, the
// person's record stays, the other bucket goes on.
func TestPersonEditsInBIND(t *testing.T) {
	t.Parallel()
	w := newBindWorld(t)
	edited, kept := w.sites[0].bucket, "elsewhere.cloudfront.net"
	var once sync.Once
	r := w.edgeward.follow(t, func(line string) {
		if !strings.Contains(line, edited) || !strings.Contains(line, "distribution.deployed: done") {
			return
		}
		once.Do(func() {
			rr := &dns.CNAME{Hdr: dns.RR_Header{Name: edited + ".", Rrtype: dns.TypeCNAME, Class: dns.ClassINET, Ttl: bindTTL}, Target: kept + "."}
			w.bind.Update(t, "example.com", func(m *dns.Msg) {
				m.RemoveRRset([]dns.RR{rr})
				m.Insert([]dns.RR{rr})
			})
		})
	}, "apply", "-auto-approve")
	if got, err := target(w.bind.Address, edited); err != nil || got != kept {
		t.Errorf("the person's record is %q, %v", got, err)
	}
	// Stale when the next look sees it, failed when only the write does.
	if r.code != 3 && r.code != 5 || !strings.Contains(r.stdout+r.stderr, kept) {
		t.Errorf("exit %d, want 3 or 5 and the person's record named\n%s\n%s", r.code, r.stdout, r.stderr)
	}
}
