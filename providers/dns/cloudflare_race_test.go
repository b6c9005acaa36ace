package dns

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
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

func cfInterleave(t *testing.T, rnd *rand.Rand) (out cfInterleaving) {
	const person = "person.example.net"
	synctest.Test(t, func(t *testing.T) {
		s := &cfServer{}
		z := s.add("example.com")
		s.record(z, cfName, "CNAME", cfOld, 3600, false)
		watched(t, s, cfName)
		set := time.Now() // when the standing value came
		var mu sync.Mutex
		delay := func() time.Duration {
			mu.Lock()
			defer mu.Unlock()
			return time.Duration(rnd.IntN(50)) * time.Millisecond
		}
		s.after = func(*http.Request) { time.Sleep(delay()) }
		s.before = func(req *http.Request) {
			time.Sleep(delay())
			p := req.Context().Value(cfPartyKey{}).(*cfParty)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case req.Method == "GET" && req.URL.Query().Get("name") == cfName && p.compared.IsZero():
				p.compared = time.Now()
			case req.Method == "PATCH":
				out.window = max(out.window, time.Since(p.compared))
				stands := z.records[0]["content"].(string)
				if stands != cfOld && set.Before(p.compared) {
					t.Errorf("%s was overwritten, which came before the comparison", stands)
				}
				if stands == person {
					out.lostPerson++
				} else if stands != cfOld {
					out.lostEdgeward++
				}
				set = time.Now()
			}
		}
		var wg sync.WaitGroup
		for _, value := range []string{"d1.cloudfront.net", "d2.cloudfront.net"} {
			p := &cfParty{s: s}
			d := cfProvider(t, p, "example.com")
			lookup(t, d, cfName)
			wait := delay()
			wg.Go(func() {
				time.Sleep(wait)
				err := d.Replace(t.Context(), cfName, cnameOf(cfOld, time.Hour), cnameOf(value, time.Hour))
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					out.won++
				case errors.Is(err, providers.ErrConflict):
					out.refused++
				default:
					t.Error(err)
				}
			})
		}
		wait := 4 * delay()
		wg.Go(func() {
			time.Sleep(wait)
			mu.Lock()
			defer mu.Unlock()
			s.mu.Lock()
			defer s.mu.Unlock()
			z.records = slices.Clone(z.records)
			z.records[0], set = with(z.records[0], "content", person), time.Now()
		})
		wg.Wait()
		if len(z.records) != 1 || strings.Count(z.records[0]["content"].(string), ".") < 2 {
			t.Errorf("%v stands", z.records)
		}
	})
	return out
}
