package dns

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/edgeward/edgeward/providers"
)

// messageTurns lets one message of several actors through at a time, chosen at random:
// an actor's next message waits until its turn comes.
type messageTurns struct {
	mu      sync.Mutex
	rng     *rand.Rand
	live    int
	waiting map[string]chan struct{}
}

func newMessageTurns(seed uint64, actors int) *messageTurns {
	return &messageTurns{rng: rand.New(rand.NewPCG(seed, 1)), live: actors, waiting: map[string]chan struct{}{}}
}

// arrive waits for the turn of a message of actor.
func (t *messageTurns) arrive(actor string) {
	turn := make(chan struct{})
	t.mu.Lock()
	t.waiting[actor] = turn
	t.next()
	t.mu.Unlock()
	<-turn
}

// leave says that an actor sends no more.
func (t *messageTurns) leave() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.live--
	t.next()
}

// next gives the turn when all that live wait for it.
func (t *messageTurns) next() {
	if len(t.waiting) == 0 || len(t.waiting) < t.live {
		return
	}
	var names []string
	for name := range t.waiting {
		names = append(names, name)
	}
	slices.Sort(names)
	chosen := names[t.rng.IntN(len(names))]
	close(t.waiting[chosen])
	delete(t.waiting, chosen)
}

// attempt is one Replace of an edgeward.
type attempt struct {
	have, want []providers.Record
	err        error
}

// writer is an edgeward that changes one name some times, each time from what it
// has just seen, to a target that nobody else writes.
func writer(ctx context.Context, d *rfc2136DNS, who string, times int, rng *rand.Rand) ([]attempt, error) {
	var out []attempt
	for i := range times {
		set, err := d.Look(ctx, rfcName)
		if err != nil {
			return out, err
		}
		a := attempt{have: set.Records, want: []providers.Record{
			{Type: "CNAME", Value: fmt.Sprintf("%s%d.cloudfront.net", who, i), TTL: time.Duration(1+rng.IntN(3)) * time.Minute}}}
		a.err = d.Replace(ctx, rfcName, a.have, a.want)
		out = append(out, a)
	}
	return out, nil
}

// personEdits is somebody with another program, who does not ask what stands. One
// edit in three changes the TTL alone.
func personEdits(address string, times int, rng *rand.Rand) error {
	client := &dns.Client{Net: "tcp", Timeout: 10 * time.Second, TsigSecret: map[string]string{keyPerson: labSecret}}
	send := func(m *dns.Msg) (*dns.Msg, error) {
		m.SetTsig(keyPerson, dns.HmacSHA256, tsigFudge, time.Now().Unix())
		answer, _, err := client.Exchange(m, address)
		return answer, err
	}
	for i := range times {
		rr := &dns.CNAME{Hdr: dns.RR_Header{Name: rfcName + ".", Rrtype: dns.TypeCNAME, Class: dns.ClassINET, Ttl: uint32(rng.IntN(1000))},
			Target: fmt.Sprintf("person%d.example.net.", i)}
		m := new(dns.Msg)
		m.SetUpdate("example.com.")
		if rng.IntN(3) == 0 {
			q := new(dns.Msg)
			answer, err := send(q.SetQuestion(rr.Hdr.Name, dns.TypeCNAME))
			if err != nil {
				return err
			}
			if len(answer.Answer) == 1 {
				rr.Target = answer.Answer[0].(*dns.CNAME).Target
				m.Used([]dns.RR{dns.Copy(rr)})
			}
		}
		m.RemoveRRset([]dns.RR{rr})
		m.Insert([]dns.RR{rr})
		if _, err := send(m); err != nil {
			return err
		}
	}
	return nil
}

// commit is one change as the server made it.
type commit struct {
	key           string
	before, after []providers.Record
}

// losses checks what two edgewards did against what the server says happened: a
// Replace that succeeded was made once, one that failed was not made, and none
// took the place of other values than those its caller had seen. It gives the
// number of such values lost, and of TTLs lost.
func losses(attempts []attempt, log []commit) (values, ttls int, err error) {
	for _, a := range attempts {
		i := slices.IndexFunc(log, func(c commit) bool { return c.after[0].Value == a.want[0].Value })
		switch {
		case a.err != nil && !errors.Is(a.err, providers.ErrConflict):
			return 0, 0, a.err
		case a.err != nil && i >= 0:
			return 0, 0, fmt.Errorf("%s was refused (%w), and made", a.want, a.err)
		case a.err == nil && i < 0:
			return 0, 0, fmt.Errorf("%s succeeded, and was not made", a.want)
		case a.err != nil:
		case !slices.Equal(bareValues(log[i].before), bareValues(a.have)):
			values++
		case !providers.SameRecords(log[i].before, a.have):
			ttls++
		}
	}
	return values, ttls, nil
}

// interleave is one run of two edgewards and a person on the party.
func interleave(t *testing.T, p *updateParty, seed uint64, deaf bool) (values, ttls int) {
	t.Helper()
	const actors = 3
	sequence := newMessageTurns(seed, actors)
	var log []commit
	p.mu.Lock()
	p.rrs = append(rrsOf(p.rrs, "example.com", dns.TypeANY), parseRRs(t, []string{rfcLine})...)
	p.before = func(q *dns.Msg) {
		sequence.arrive(q.IsTsig().Hdr.Name)
		if deaf && q.Opcode == dns.OpcodeUpdate {
			q.Answer = nil // a server that knows no prerequisites
		}
	}
	p.commit = func(key string, before, after []providers.Record) { log = append(log, commit{key, before, after}) }
	p.mu.Unlock()
	var attempts [2][]attempt
	var errs [actors]error
	var all sync.WaitGroup
	for i, key := range []string{keyEdgeward, keySecond} {
		d := newTestRFC2136(t, Options{Settings: settings2136(p.address, key)})
		all.Go(func() {
			defer sequence.leave()
			attempts[i], errs[i] = writer(t.Context(), d, key[:1], 2, rand.New(rand.NewPCG(seed, uint64(2+i))))
		})
	}
	all.Go(func() {
		defer sequence.leave()
		errs[2] = personEdits(p.address, 2, rand.New(rand.NewPCG(seed, 4)))
	})
	all.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	values, ttls, err := losses(slices.Concat(attempts[0], attempts[1]), log)
	if err := errors.Join(err, errors.Join(errs[:]...)); err != nil && !deaf {
		t.Fatalf("seed %d: %v", seed, err)
	}
	return values, ttls
}

// Two edgewards and a person change one name at the same time, message by message
// in random order: no value that somebody set is lost. TTLs can be, where nothing
// else was changed between the read and the write; the log says how often.
func TestRFC2136LosesNobodysChange(t *testing.T) {
	const runs = 1000
	p := newUpdateParty(t, "example.com", nil)
	allTTLs := 0
	for seed := range uint64(runs) {
		values, ttls := interleave(t, p, seed, false)
		if values > 0 {
			t.Errorf("seed %d: %d values were lost", seed, values)
		}
		allTTLs += ttls
	}
	t.Logf("%d interleavings: no value lost, %d TTLs", runs, allTTLs)
	lost := 0
	for seed := range uint64(50) {
		values, _ := interleave(t, p, seed, true)
		lost += values
	}
	if lost == 0 {
		t.Error("a server that ignores prerequisites loses nothing, so that the test proves nothing")
	}
	t.Logf("50 interleavings without prerequisites: %d values lost", lost)
}
