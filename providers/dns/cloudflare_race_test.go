package dns

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeward/edgeward/providers"
)

// Two edgewards and a person change one name at the same time, a thousand times
// with random delays. Cloudflare has no compare-and-set, so an edit can be lost,
// but only one that comes between a comparison and its write; every other one
// ends the change as a conflict. The name always has exactly one record.
func TestCloudflareInterleavings(t *testing.T) {
	const rounds = 1000
	rnd := rand.New(rand.NewPCG(20261122, 1))
	var lostPerson, lostEdgeward, won, refused int
	var window time.Duration
	for range rounds {
		r := cfInterleave(t, rnd)
		lostPerson, lostEdgeward = lostPerson+r.lostPerson, lostEdgeward+r.lostEdgeward
		won, refused, window = won+r.won, refused+r.refused, max(window, r.window)
	}
	t.Logf("%d rounds: %d changes made, %d refused as conflicts; lost: %d edits of the person, %d of the other edgeward; "+
		"longest time from comparison to write %s", rounds, won, refused, lostPerson, lostEdgeward, window)
	if refused == 0 || lostPerson == 0 {
		t.Error("the rounds did not meet both outcomes, so that they prove nothing")
	}
}

type cfInterleaving struct {
	lostPerson, lostEdgeward, won, refused int
	window                                 time.Duration
}

// cfParty is one edgeward's way to the server: it knows when it compared.
type cfParty struct {
	s        *cfServer
	compared time.Time
}

func (p *cfParty) RoundTrip(req *http.Request) (*http.Response, error) {
	return p.s.RoundTrip(req.WithContext(context.WithValue(req.Context(), cfPartyKey{}, p)))
}

type cfPartyKey struct{}

// cfRound is one round: its delays, and what it came to.
type cfRound struct {
	s   *cfServer
	z   *cfZoneState
	out cfInterleaving

	mu  sync.Mutex
	rnd *rand.Rand
	// set is when the standing value came.
	set time.Time
}

const cfPerson = "person.example.net"

func (r *cfRound) delay() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return time.Duration(r.rnd.IntN(50)) * time.Millisecond
}

// before notes when a party compared, and what its write then overwrites.
func (r *cfRound) before(t *testing.T, req *http.Request) {
	time.Sleep(r.delay())
	p := req.Context().Value(cfPartyKey{}).(*cfParty)
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case req.Method == http.MethodGet && req.URL.Query().Get("name") == cfName && p.compared.IsZero():
		p.compared = time.Now()
	case req.Method == http.MethodPatch:
		r.out.window = max(r.out.window, time.Since(p.compared))
		stands := r.z.records[0]["content"].(string)
		if stands != cfOld && r.set.Before(p.compared) {
			t.Errorf("%s was overwritten, which came before the comparison", stands)
		}
		if stands == cfPerson {
			r.out.lostPerson++
		} else if stands != cfOld {
			r.out.lostEdgeward++
		}
		r.set = time.Now()
	}
}

func (r *cfRound) change(t *testing.T, d *cloudflareDNS, value string) {
	err := d.Replace(t.Context(), cfName, cnameOf(cfOld, time.Hour), cnameOf(value, time.Hour))
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case err == nil:
		r.out.won++
	case errors.Is(err, providers.ErrConflict):
		r.out.refused++
	default:
		t.Error(err)
	}
}

func (r *cfRound) edit() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	r.z.records = slices.Clone(r.z.records)
	r.z.records[0], r.set = with(r.z.records[0], "content", cfPerson), time.Now()
}

func cfInterleave(t *testing.T, rnd *rand.Rand) cfInterleaving {
	r := &cfRound{s: &cfServer{}, rnd: rnd}
	synctest.Test(t, func(t *testing.T) {
		r.z, r.set = r.s.add("example.com"), time.Now()
		r.s.record(r.z, cfName, "CNAME", cfOld, 3600, false)
		watched(t, r.s, cfName)
		r.s.before = func(req *http.Request) { r.before(t, req) }
		r.s.after = func(*http.Request) { time.Sleep(r.delay()) }
		var wg sync.WaitGroup
		for _, value := range []string{"d1.cloudfront.net", "d2.cloudfront.net"} {
			d := cfProvider(t, &cfParty{s: r.s}, "example.com")
			lookup(t, d, cfName)
			wait := r.delay()
			wg.Go(func() {
				time.Sleep(wait)
				r.change(t, d, value)
			})
		}
		wait := 4 * r.delay()
		wg.Go(func() {
			time.Sleep(wait)
			r.edit()
		})
		wg.Wait()
		if len(r.z.records) != 1 {
			t.Errorf("%v stands", r.z.records)
		}
	})
	return r.out
}
