package sandbox

import (
	"context"
	"errors"
	"fmt"
	"math/rand"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestClockWakesInOrder(t *testing.T) {
	c := NewClock(time.Time{}, 0)
	var mu sync.Mutex
	var got []int
	var wg sync.WaitGroup
	order := rand.New(rand.NewSource(1)).Perm(100)
	for _, n := range order {
		wg.Go(func() {
			if err := c.Sleep(t.Context(), time.Duration(n+1)*time.Hour); err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			got = append(got, n)
			if now := c.Now(); !now.Equal(Epoch().Add(time.Duration(n+1) * time.Hour)) {
				t.Errorf("sleeper %d woke at %s", n, now)
			}
		})
	}
	wg.Wait()
	if !slices.IsSorted(got) || len(got) != 100 {
		t.Errorf("woken in the order %v", got)
	}
}

// TestClockStandsStillWhileSomethingRuns: the time does not jump to the long
// sleeper while another goroutine computes between short sleeps.
func TestClockStandsStillWhileSomethingRuns(t *testing.T) {
	c := NewClock(time.Time{}, 0)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := c.Sleep(ctx, 1000*time.Hour); !errors.Is(err, context.Canceled) {
			t.Errorf("the long sleep ended with %v at %s", err, c.Now())
		}
	})
	var sum atomic.Uint64
	for i := range 20 {
		for k := range uint64(500_000) { // some milliseconds
			sum.Store(k)
		}
		if got := c.Now().Sub(Epoch()); got != time.Duration(i)*time.Second {
			t.Fatalf("step %d: %s have passed", i, got)
		}
		if err := c.Sleep(ctx, time.Second); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	wg.Wait()
}

func TestClockProducerAndConsumer(t *testing.T) {
	c := NewClock(time.Time{}, 0)
	ch := make(chan time.Time)
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(ch)
		for range 50 {
			c.Sleep(t.Context(), 10*time.Second)
			ch <- c.Now()
		}
	})
	n := 0
	for at := range ch {
		n++
		if want := Epoch().Add(time.Duration(n) * 10 * time.Second); !at.Equal(want) || c.Now().Before(at) {
			t.Fatalf("item %d at %s, not %s", n, at, want)
		}
	}
	wg.Wait()
	if n != 50 {
		t.Errorf("%d items", n)
	}
}

func TestClockSleepEndsWithContext(t *testing.T) {
	c := NewClock(time.Time{}, 0)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Sleep(ended, time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("a sleep whose context has ended: %v", err)
	}
	if err := c.Sleep(t.Context(), 0); err != nil {
		t.Errorf("a sleep of nothing: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if err := c.Sleep(ctx, 10*time.Hour); !errors.Is(err, context.Canceled) {
				t.Errorf("a cancelled sleep: %v", err)
			}
		})
	}
	c.Sleep(t.Context(), time.Hour)
	cancel()
	wg.Wait()
	if got := c.Now().Sub(Epoch()); got != time.Hour {
		t.Errorf("%s have passed", got)
	}
	if err := c.Sleep(t.Context(), time.Minute); err != nil || c.Now().Sub(Epoch()) != 61*time.Minute {
		t.Errorf("after the cancelled sleeps: %v at %s", err, c.Now())
	}
}

// TestClockWithBlockedReader: a goroutine that is in a read of the operating
// system for good, as a terminal's reader is, holds nothing up.
func TestClockWithBlockedReader(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Fd() // puts the pipe into blocking mode, as standard input is
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.Read(make([]byte, 1))
	}()
	c := NewClock(time.Time{}, 0)
	for range 100 {
		c.Sleep(t.Context(), time.Hour)
	}
	w.Close()
	<-done
	r.Close()
}

// TestClockIsDeterministic runs one program of several goroutines many times.
func TestClockIsDeterministic(t *testing.T) {
	run := func() string {
		c := NewClock(time.Time{}, 0)
		var mu sync.Mutex
		var log strings.Builder
		var wg sync.WaitGroup
		for g := range 8 {
			wg.Go(func() {
				for i := range 20 {
					c.Sleep(t.Context(), within(Span{time.Millisecond, time.Second}, mix(int64(g), fmt.Sprint(i))))
					mu.Lock()
					fmt.Fprintln(&log, c.Now().Sub(Epoch()), g, i)
					mu.Unlock()
					if i == 10 {
						wg.Go(func() { c.Sleep(t.Context(), time.Duration(g)*time.Minute+time.Microsecond) })
					}
				}
			})
		}
		wg.Wait()
		fmt.Fprintln(&log, c.Now())
		return log.String()
	}
	want := run()
	for i := range 50 {
		if diff := cmp.Diff(want, run()); diff != "" {
			t.Fatalf("run %d differs:\n%s", i, diff)
		}
	}
}

func TestClockWithPace(t *testing.T) {
	c := NewClock(time.Time{}, 3600) // an hour a second
	began := time.Now()
	c.Sleep(t.Context(), 3*time.Minute)
	if took := time.Since(began); took < 40*time.Millisecond || took > 5*time.Second {
		t.Errorf("three minutes took %s of real time", took)
	}
	if got := c.Now().Sub(Epoch()); got != 3*time.Minute {
		t.Errorf("%s have passed", got)
	}
	// Many short sleeps keep the pace as well.
	began = time.Now()
	for range 3600 {
		c.Sleep(t.Context(), time.Second/10)
	}
	if took := time.Since(began); took < 80*time.Millisecond || took > 5*time.Second {
		t.Errorf("six minutes took %s of real time", took)
	}
	if got := c.Now().Sub(Epoch()); got != 9*time.Minute {
		t.Errorf("%s have passed", got)
	}
}

// TestClockWithPaceShowsItsWay: who looks meanwhile sees the time go on.
func TestClockWithPaceShowsItsWay(t *testing.T) {
	c := NewClock(time.Time{}, 3600)
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.Sleep(t.Context(), 10*time.Minute)
	}()
	seen := map[time.Time]bool{}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			seen[c.Now()] = true
			continue
		case <-done:
		}
		break
	}
	if len(seen) < 3 || c.Now().Sub(Epoch()) != 10*time.Minute {
		t.Errorf("%d moments were seen, it is %s", len(seen), c.Now())
	}
}

func BenchmarkClockSleep(b *testing.B) {
	c := NewClock(time.Time{}, 0)
	for b.Loop() {
		c.Sleep(b.Context(), time.Second)
	}
}
