package dns

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/edgeward/edgeward/providers"
)

// nameServer is an authoritative server of the tests: "TYPE VALUE TTL" rows at
// the one name, or "SERVFAIL", or "silent".
type nameServer struct {
	name string
	rows []string
}

type nameServers struct {
	servers []nameServer
	err     error

	mu    sync.Mutex
	asked []string
}

func (n *nameServers) Resolve(context.Context, string, string) ([]providers.Answer, error) {
	return nil, errors.New("a resolver is not what is asked for records")
}

func (n *nameServers) Authoritative(_ context.Context, zone string, servers []string, name, typ string) ([]providers.Answer, error) {
	if n.err != nil {
		return nil, n.err
	}
	n.mu.Lock()
	n.asked = servers
	n.mu.Unlock()
	var out []providers.Answer
	for _, s := range n.servers {
		a := providers.Answer{Server: s.name, RCode: "NOERROR"}
		for _, row := range s.rows {
			f := strings.Fields(row)
			switch {
			case row == "silent":
				a.RCode, a.Err = "", "no answer in time"
			case row == "SERVFAIL":
				a.RCode = row
			case f[0] == typ || f[0] == "CNAME" && typ != "CNAME":
				ttl, err := time.ParseDuration(f[2])
				if err != nil {
					return nil, err
				}
				a.Records = append(a.Records, providers.AnswerRecord{Name: name, Type: f[0], Value: f[1], TTL: uint32(ttl / time.Second)})
				if f[0] == "CNAME" {
					// What a server that holds the target's zone adds.
					a.Records = append(a.Records, providers.AnswerRecord{Name: f[1], Type: "A", Value: "192.0.2.77", TTL: 5})
				}
			}
		}
		out = append(out, a)
	}
	return out, nil
}

func manualOf(t *testing.T, n *nameServers) providers.DNS {
	t.Helper()
	d, err := newManual(Options{Zones: []string{"com", "example.com"}, Resolver: n, Nameservers: []string{"192.0.2.1:5353"}})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

const (
	handName = "assets.example.com"
	handOld  = "CNAME s3.amazonaws.com 1h"
	handNew  = "CNAME d111.cloudfront.net 60s"
)

func handRecord(row string) providers.Record {
	f := strings.Fields(row)
	ttl, _ := time.ParseDuration(f[2])
	return providers.Record{Type: f[0], Value: f[1], TTL: ttl}
}

func handServers(rows ...string) *nameServers {
	n := &nameServers{}
	for i, r := range rows {
		s := nameServer{name: "ns" + string(rune('1'+i))}
		if r != "" {
			s.rows = strings.Split(r, ",")
		}
		n.servers = append(n.servers, s)
	}
	return n
}

func TestManualLooksAtEveryServer(t *testing.T) {
	tests := map[string]struct {
		servers []string
		want    []providers.Record
		other   []string
		err     string
	}{
		"all alike":                {[]string{handOld, handOld}, []providers.Record{handRecord(handOld)}, nil, ""},
		"absent":                   {[]string{"", ""}, nil, nil, ""},
		"addresses of a flattener": {[]string{"A 192.0.2.1 60s,AAAA 2001:db8::1 60s"}, []providers.Record{{Type: "A", Value: "192.0.2.1", TTL: time.Minute}, {Type: "AAAA", Value: "2001:db8::1", TTL: time.Minute}}, nil, ""},
		"other types":              {[]string{"MX mail.example.com 60s,TXT x 60s"}, nil, []string{"MX", "TXT"}, ""},
		"they differ":              {[]string{handOld, handNew}, nil, nil, "do not answer alike: ns1 answers CNAME s3.amazonaws.com TTL 3600s; ns2 answers CNAME d111.cloudfront.net TTL 60s"},
		"their TTLs differ":        {[]string{handOld, "CNAME s3.amazonaws.com 60s"}, nil, nil, "ns2 answers CNAME s3.amazonaws.com TTL 60s"},
		"one is absent":            {[]string{handOld, ""}, nil, nil, "ns2 answers that there is no such record"},
		"one is silent":            {[]string{handOld, "silent"}, nil, nil, "ns2 does not answer (no answer in time)"},
		"one fails":                {[]string{handOld, "SERVFAIL"}, nil, nil, "ns2 does not answer (SERVFAIL)"},
		"there is none":            {nil, nil, nil, "no authoritative server of example.com was found"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			n := handServers(tc.servers...)
			set, err := manualOf(t, n).Look(t.Context(), "Assets.Example.com.")
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) || errors.Is(err, providers.ErrNotFound) {
					t.Errorf("error %v, want …%s…", err, tc.err)
				}
				return
			}
			want := providers.RecordSet{Name: handName, Zone: "example.com", Records: tc.want, Other: tc.other}
			if d := cmp.Diff(want, set); d != "" || err != nil {
				t.Error(err, d)
			}
			if d := cmp.Diff([]string{"192.0.2.1:5353"}, n.asked); d != "" {
				t.Errorf("the nameservers of the block are not the ones asked: %s", d)
			}
		})
	}
}

func TestManualApexHasItsOwnRecords(t *testing.T) {
	set, err := manualOf(t, handServers("MX mail.example.com 60s")).Look(t.Context(), "example.com")
	if d := cmp.Diff([]string{"MX", "NS", "SOA"}, set.Other); d != "" || err != nil {
		t.Error(err, d)
	}
}

func TestManualOtherZoneIsNotFound(t *testing.T) {
	if _, err := manualOf(t, handServers(handOld)).Look(t.Context(), "assets.example.org"); !errors.Is(err, providers.ErrNotFound) {
		t.Errorf("error %v", err)
	}
}

func TestManualReplaceAsksAPerson(t *testing.T) {
	const (
		oldRow = `"assets.example.com. 3600 IN CNAME s3.amazonaws.com."`
		newRow = `"assets.example.com. 60 IN CNAME d111.cloudfront.net."`
	)
	tests := map[string]struct {
		have, want string // rows, "" for none
		servers    []string
		record     string // of the ByHandError
		still      string
		conflict   string
	}{
		"nothing done yet":     {have: handOld, want: handNew, servers: []string{handOld, handOld}, record: "set " + newRow + " in place of " + oldRow, still: "every authoritative server still answers CNAME s3.amazonaws.com TTL 3600s"},
		"done":                 {have: handOld, want: handNew, servers: []string{handNew, handNew}},
		"at one server only":   {have: handOld, want: handNew, servers: []string{handNew, handOld}, record: "set " + newRow + " in place of " + oldRow, still: "ns2 answers CNAME s3.amazonaws.com TTL 3600s"},
		"one server is silent": {have: handOld, want: handNew, servers: []string{handNew, "silent"}, record: "set " + newRow + " in place of " + oldRow, still: "ns2 does not answer (no answer in time)"},
		"to be added":          {want: handNew, servers: []string{""}, record: "add " + newRow, still: "that there is no such record"},
		"to be removed":        {have: handOld, servers: []string{handOld}, record: "remove " + oldRow, still: "CNAME s3"},
		"removed":              {have: handOld, servers: []string{""}},
		"something else":       {have: handOld, want: handNew, servers: []string{handOld, "CNAME example.net 60s"}, conflict: "ns2 answers CNAME example.net TTL 60s"},
		"only the TTL moved":   {have: handOld, want: handNew, servers: []string{"CNAME s3.amazonaws.com 5m"}, conflict: "TTL 300s"},
		"removed by somebody":  {have: handOld, want: handNew, servers: []string{""}, conflict: "no such record"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			rows := func(s string) []providers.Record {
				if s == "" {
					return nil
				}
				return []providers.Record{handRecord(s)}
			}
			err := manualOf(t, handServers(tc.servers...)).Replace(t.Context(), handName, rows(tc.have), rows(tc.want))
			var hand *providers.ByHandError
			switch {
			case tc.conflict != "":
				if !errors.Is(err, providers.ErrConflict) || !strings.Contains(err.Error(), tc.conflict) {
					t.Errorf("error %v, want a conflict that says %q", err, tc.conflict)
				}
			case tc.record == "":
				if err != nil {
					t.Error(err)
				}
			case !errors.As(err, &hand):
				t.Errorf("error %v", err)
			case hand.Record != tc.record || !strings.Contains(hand.Still, tc.still):
				t.Errorf("%q, %q", hand.Record, hand.Still)
			}
		})
	}
}

func TestManualEnsure(t *testing.T) {
	r := providers.Record{Type: "CNAME", Value: "_y.acm-validations.aws", TTL: 5 * time.Minute}
	tests := map[string]struct {
		server string
		hand   bool
		err    error
	}{
		"absent":          {server: "", hand: true},
		"stands":          {server: "CNAME _y.acm-validations.aws 300s"},
		"with its TTL":    {server: "CNAME _y.acm-validations.aws 24h"},
		"another record":  {server: "CNAME example.net 300s", err: providers.ErrConflict},
		"no answer":       {server: "silent", hand: true},
		"another address": {server: "A 192.0.2.1 300s", err: providers.ErrConflict},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			err := manualOf(t, handServers(tc.server)).Ensure(t.Context(), r, "_x.assets.example.com")
			var hand *providers.ByHandError
			if errors.As(err, &hand) != tc.hand || !tc.hand && !errors.Is(err, tc.err) {
				t.Fatalf("error %v", err)
			}
			if tc.hand && hand.Record != `add "_x.assets.example.com. 300 IN CNAME _y.acm-validations.aws."` {
				t.Error(hand.Record)
			}
		})
	}
}

func TestManualRefusesWhatIsNoRecord(t *testing.T) {
	d := manualOf(t, handServers(handOld))
	err := d.Replace(t.Context(), handName, nil, []providers.Record{{Type: "A", Value: "d111.cloudfront.net", Alias: true}})
	if !errors.Is(err, providers.ErrInvalid) {
		t.Errorf("error %v", err)
	}
	if _, err := newManual(Options{}); err == nil {
		t.Error("it was made without a resolver")
	}
	failed := errors.New("no route")
	if _, err := manualOf(t, &nameServers{err: failed}).Look(t.Context(), handName); !errors.Is(err, failed) {
		t.Errorf("error %v", err)
	}
	if f := d.Features(); !f.ByHand || f.Swap || f.MinTTL != 0 || f.Unsafe != "" {
		t.Errorf("%+v", f)
	}
}
