//go:build peers

package cmd_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// page is what a visitor must get.
type page struct {
	path   string
	status int
	body   string
}

// visitors resolve names through a caching resolver and fetch from where the
// answer leads, all the time.
type visitors struct {
	// connect leads HOST:PORT to the fronts.
	connect   map[string]string
	everybody sync.WaitGroup

	mu       sync.Mutex
	s3, edge int
	// failures is what was not served rightly.
	failures []string
	change   chan struct{} // closed at the next request
}

// Each visitor's pace, and how many requests are the most it makes.
const (
	visitEvery = 100 * time.Millisecond
	visitsMost = 5000
)

// startVisitors sends one visitor to each name, through each resolver, until the
// test's end. It fails for each visitor who was not served.
func startVisitors(t *testing.T, connect map[string]string, resolvers []string, names map[string][]page) *visitors {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	v := &visitors{connect: connect, change: make(chan struct{})}
	for name, pages := range names {
		for _, r := range resolvers {
			v.everybody.Go(func() { v.visit(ctx, name, pages, r) })
		}
	}
	t.Cleanup(func() { cancel(); v.everybody.Wait(); v.report(t) })
	return v
}

func (v *visitors) report(t *testing.T) {
	t.Helper()
	t.Logf("visitors: %d requests, %d failed, S3 %d, edge %d", v.s3+v.edge+len(v.failures), len(v.failures), v.s3, v.edge)
	for _, f := range v.failures[:min(len(v.failures), 10)] {
		t.Errorf("a visitor failed: %s", f)
	}
}

func (v *visitors) visit(ctx context.Context, name string, pages []page, resolver string) {
	tick := time.NewTicker(visitEvery)
	defer tick.Stop()
	for i := range visitsMost {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		edge, err := v.fetch(ctx, name, pages[i%len(pages)], resolver)
		if ctx.Err() != nil {
			return
		}
		v.count(edge, err)
	}
	v.count(false, errors.New("the test takes too long: a visitor has made all its requests"))
}

func (v *visitors) count(edge bool, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case err != nil:
		v.failures = append(v.failures, time.Now().Format("15:04:05.000 ")+err.Error())
	case edge:
		v.edge++
	default:
		v.s3++
	}
	close(v.change)
	v.change = make(chan struct{})
}

// fetch is one visit: a look-up, and a request to the address that it gave.
func (v *visitors) fetch(ctx context.Context, name string, p page, resolver string) (edge bool, err error) {
	address, err := lookUp(ctx, name, resolver)
	if err != nil {
		return false, fmt.Errorf("look up %s: %w", name, err)
	}
	transport := &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, v.connect[address+":80"])
		},
		DisableKeepAlives: true, DisableCompression: true,
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+name+p.path, nil)
	if err != nil {
		return false, err
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return false, fmt.Errorf("fetch %s%s from %s: %w", name, p.path, address, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	edge = resp.Header.Get("X-Amz-Cf-Id") != ""
	if err != nil || resp.StatusCode != p.status || string(body) != p.body {
		return edge, fmt.Errorf("fetch %s%s from %s: status %d, %d bytes, edge %t, error %v", name, p.path, address, resp.StatusCode, len(body), edge, err)
	}
	return edge, nil
}

// lookUp is the first address that a resolver has for a name.
func lookUp(ctx context.Context, name, resolver string) (string, error) {
	q := new(dns.Msg)
	q.SetQuestion(dns.Fqdn(name), dns.TypeA)
	m, _, err := (&dns.Client{Timeout: 10 * time.Second}).ExchangeContext(ctx, q, resolver)
	if err != nil {
		return "", err
	}
	for _, rr := range m.Answer {
		if a, ok := rr.(*dns.A); ok {
			return a.A.String(), nil
		}
	}
	return "", fmt.Errorf("%s, no address", dns.RcodeToString[m.Rcode])
}

// share waits for the next n requests, which begin after those under way have
// ended, and says how many of them S3 and how many an edge answered.
func (v *visitors) share(t *testing.T, n int) (s3, edge int) {
	t.Helper()
	v.await(t, 6) // those under way: one a visitor
	v.mu.Lock()
	fromS3, fromEdge := v.s3, v.edge
	v.mu.Unlock()
	v.await(t, n)
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.s3 - fromS3, v.edge - fromEdge
}

func (v *visitors) await(t *testing.T, n int) {
	t.Helper()
	limit := time.After(30 * time.Second)
	for range n {
		v.mu.Lock()
		next := v.change
		v.mu.Unlock()
		select {
		case <-next:
		case <-limit:
			t.Fatal("the visitors stand still")
		}
	}
}
