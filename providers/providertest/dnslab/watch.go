//go:build peers

package dnslab

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// Seen is what a Watcher saw.
type Seen struct {
	// Queries were answered; Failed were not, or with another code than NOERROR
	// and NXDOMAIN.
	Queries, Failed int
	// Absent answers had no address record at the name.
	Absent int
	// Double answers had two CNAMEs at the name, or a CNAME beside an address.
	Double int
	// Longest is the longest time without a record: from the first absent answer
	// to the next that had one.
	Longest time.Duration
	// Values are the answers in the order in which they were seen first.
	Values []string
}

// String is one line for a log.
func (s Seen) String() string {
	return fmt.Sprintf("%d queries, %d failed, %d absent (longest %s), %d double, values %v",
		s.Queries, s.Failed, s.Absent, s.Longest, s.Double, s.Values)
}

// Watcher asks one server about one name, many times a second.
type Watcher struct {
	cancel context.CancelFunc
	begun  chan struct{} // closed when the first question was asked
	done   chan struct{}
	seen   Seen
}

// The bounds of a Watcher: its pace, and how long it goes on at most.
const (
	watchEvery = time.Millisecond
	watchMost  = 5 * time.Minute
)

// Watch begins to ask an authoritative server, HOST:PORT, for the A records of a
// name over UDP, up to a thousand times a second, until Stop or the test's end.
// It returns when the first question has been asked.
// A name with AAAA records alone counts as absent.
func Watch(t testing.TB, server, name string) *Watcher {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), watchMost)
	w := &Watcher{cancel: cancel, begun: make(chan struct{}), done: make(chan struct{})}
	conn, err := dns.Dial("udp", server)
	if err != nil {
		t.Fatalf("watch %s: %v", name, err)
	}
	go func() {
		defer close(w.done)
		defer conn.Close()
		w.watch(ctx, conn, dns.Fqdn(name))
	}()
	t.Cleanup(func() { w.Stop() })
	select {
	case <-w.begun:
	case <-w.done:
	}
	return w
}

// Stop ends the watch and says what was seen.
func (w *Watcher) Stop() Seen {
	w.cancel()
	<-w.done
	return w.seen
}

func (w *Watcher) watch(ctx context.Context, conn *dns.Conn, name string) {
	client := &dns.Client{Timeout: 2 * time.Second}
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	known := map[string]bool{}
	var since time.Time // of the absence under way
	for first := true; ; first = false {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		q := new(dns.Msg)
		q.SetQuestion(name, dns.TypeA)
		m, _, err := client.ExchangeWithConn(q, conn)
		if first {
			close(w.begun)
		}
		if err != nil || m.Rcode != dns.RcodeSuccess && m.Rcode != dns.RcodeNameError {
			w.seen.Failed++
			continue
		}
		w.seen.Queries++
		value := w.count(m, name)
		if !known[value] {
			known[value] = true
			w.seen.Values = append(w.seen.Values, value)
		}
		now := time.Now()
		if value == "" && since.IsZero() {
			since = now
		}
		if !since.IsZero() {
			w.seen.Longest = max(w.seen.Longest, now.Sub(since))
		}
		if value != "" {
			since = time.Time{}
		}
	}
}

// count looks at one answer and gives what stands at the name, "" for nothing.
func (w *Watcher) count(m *dns.Msg, name string) string {
	cnames, value := 0, ""
	for _, rr := range m.Answer {
		if dns.CanonicalName(rr.Header().Name) != dns.CanonicalName(name) {
			continue
		}
		switch rr := rr.(type) {
		case *dns.CNAME:
			cnames++
			value = rr.Target
		case *dns.A:
			if cnames > 0 {
				cnames++
			}
			value = rr.A.String()
		}
	}
	if cnames > 1 {
		w.seen.Double++
	}
	if value == "" {
		w.seen.Absent++
	}
	return value
}
