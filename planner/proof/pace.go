package proof

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/edgeward/edgeward/providers"
)

// silences is after how many requests in a row, with never an answer between, a
// site is not asked any more: the answer would be as long in coming each time.
const silences = 24

// pace sends requests: never more at a time, or in a second at one host, or in
// all, than the options allow.
type pace struct {
	web       providers.Web
	clock     providers.Clock
	rate      rate.Limit
	maxCount  int
	maxBytes  int64
	slots     chan struct{}
	mu        sync.Mutex // of what follows; not held while a request is under way
	limiters  map[string]*rate.Limiter
	count     int
	bytes     int64
	silent    map[Site]int // -1: it has answered
	lastWords map[Site]error
}

func newPace(o Options) *pace {
	return &pace{
		web: o.Web, clock: o.Clock, rate: rate.Limit(o.Rate), maxCount: o.MaxRequests, maxBytes: o.MaxBytes,
		slots:    make(chan struct{}, o.Parallel),
		limiters: map[string]*rate.Limiter{}, silent: map[Site]int{}, lastWords: map[Site]error{},
	}
}

// enter waits for a place among those that may ask; leave gives it back. Who has
// one has one request under way at a time.
func (p *pace) enter(ctx context.Context) error {
	select {
	case p.slots <- struct{}{}:
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *pace) leave() { <-p.slots }

// fetch sends one request; spent counts it. That a site does not answer is in
// the answer; the error is ctx's or a *BudgetError.
func (p *pace) fetch(ctx context.Context, at Site, path string, s shape, spent *Outcome) (answer, error) {
	if err := p.quiet(at); err != nil {
		return answer{err: err}, ctx.Err()
	}
	if err := p.wait(ctx, at.host()); err != nil {
		return answer{}, err
	}
	limit, err := p.spend(s.limit)
	if err != nil {
		return answer{}, err
	}
	spent.Requests++
	r := providers.Request{Method: s.method, URL: address(at, path, s.query), Dial: at.Dial, Keep: keepBytes, Limit: limit}
	if len(s.header) > 0 {
		r.Header = http.Header{}
		for name, value := range s.header {
			r.Header.Set(name, value)
		}
	}
	resp, err := p.web.Fetch(ctx, r)
	if err != nil && ctx.Err() != nil {
		return answer{}, ctx.Err()
	}
	spent.Bytes += resp.Length
	return answer{Response: resp, err: err}, p.heard(at, resp.Length, err)
}

// wait lets requests to one host begin one after the other.
func (p *pace) wait(ctx context.Context, host string) error {
	p.mu.Lock()
	l, ok := p.limiters[host]
	if !ok {
		l = rate.NewLimiter(p.rate, 1)
		p.limiters[host] = l
	}
	now := p.clock.Now()
	delay := l.ReserveN(now, 1).DelayFrom(now)
	p.mu.Unlock()
	if err := p.clock.Sleep(ctx, delay); err != nil {
		return err
	}
	return ctx.Err()
}

// spend takes one request from the budget, and says how much of a body may be
// read: a byte more than is left ends the comparison.
func (p *pace) spend(limit int64) (int64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.maxCount > 0 && p.count >= p.maxCount {
		return 0, &BudgetError{What: "requests", Needs: int64(p.count), Max: int64(p.maxCount), Begun: true}
	}
	if p.maxBytes > 0 {
		if p.bytes >= p.maxBytes {
			return 0, p.overBytes()
		}
		limit = min(cmp.Or(limit, bigBody), p.maxBytes-p.bytes+1)
	}
	p.count++
	return limit, nil
}

func (p *pace) overBytes() error {
	return &BudgetError{What: "bytes", Needs: p.bytes, Max: p.maxBytes, Begun: true}
}

// used adds what an earlier, interrupted comparison had used.
func (p *pace) used(o Outcome) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.count += o.Requests
	p.bytes += o.Bytes
}

func (p *pace) usage() (requests int, bytes int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.count, p.bytes
}

// heard counts an answer.
func (p *pace) heard(at Site, length int64, err error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case err == nil:
		p.silent[at] = -1
	case p.silent[at] >= 0:
		p.silent[at]++
		p.lastWords[at] = err
	}
	p.bytes += length
	if p.maxBytes > 0 && p.bytes > p.maxBytes {
		return p.overBytes()
	}
	return nil
}

// quiet is why a site that has never answered is not asked again.
func (p *pace) quiet(at Site) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.silent[at] < silences {
		return nil
	}
	return p.lastWords[at]
}

// left asks the left site. What fails there may be a moment's trouble: it is
// asked again. A *LeftError when that does not help.
func (p *pace) left(ctx context.Context, at Site, path string, s shape, spent *Outcome) (answer, error) {
	var a answer
	for try := range looks {
		if try > 0 {
			spent.Repeated = true
			if err := p.clock.Sleep(ctx, time.Duration(try)*pause); err != nil {
				return a, err
			}
		}
		var err error
		if a, err = p.fetch(ctx, at, path, s, spent); err != nil {
			return a, err
		}
		if !troubled(a, s) {
			return a, nil
		}
	}
	err := a.err
	if err == nil {
		err = fmt.Errorf("it answers status %d %d times", a.Status, looks)
	}
	return a, &LeftError{Path: strings.TrimSpace(path + " " + s.name), Err: err}
}

// troubled: the answer says nothing of what is served. A status 5xx that only a
// special request gets may be what is served, but for 503, S3's "slow down".
func troubled(a answer, s shape) bool {
	switch {
	case a.err != nil:
		return true
	case a.Status == http.StatusServiceUnavailable, a.Status == http.StatusTooManyRequests:
		return true
	}
	return a.Status >= 500 && s.part == partPlain
}
