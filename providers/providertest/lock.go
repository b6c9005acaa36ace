package providertest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/edgeward/edgeward/providers"
)

// LockParty is a place for a lock, which is empty.
type LockParty struct {
	Store providers.LockStore
	// Again is the same place for another run.
	Again providers.LockStore
	Clock providers.Clock
	// Wait is a time after which an object is seen to be older.
	Wait time.Duration
}

// LockSuite makes a party for each case.
type LockSuite struct {
	New func(*testing.T) LockParty
	// Wrap runs a case, in a bubble say; nil runs it as it is.
	Wrap func(*testing.T, func(*testing.T))
}

// LockStore checks that an implementation keeps the promises of
// providers.LockStore.
func LockStore(t *testing.T, s LockSuite) {
	run(t, suite{"LockSuite", s.Wrap, nil}, map[string]func(*testing.T, LockParty){
		"absent": lockAbsent, "life": lockLife, "stale version": lockStale, "age": lockAge, "race": lockRace,
	}, s.New)
}

func lockAbsent(t *testing.T, p LockParty) {
	_, err := p.Store.ReadLock(t.Context())
	class(t, err, providers.ErrNotFound)
	// What is not there cannot be replaced.
	_, err = p.Store.WriteLock(t.Context(), []byte("x"), `"0123456789abcdef0123456789abcdef"`)
	class(t, err, providers.ErrConflict)
	if p.Store.String() == "" || p.Store.String() != p.Again.String() {
		t.Errorf("the places are %q and %q", p.Store, p.Again)
	}
}

func (p LockParty) write(t *testing.T, text, version string) string {
	t.Helper()
	made, err := p.Store.WriteLock(t.Context(), []byte(text), version)
	if err != nil || made == "" {
		t.Fatalf("write %q over version %q: version %q, %v", text, version, made, err)
	}
	return made
}

func (p LockParty) stands(t *testing.T, text, version string) providers.LockObject {
	t.Helper()
	got, err := p.Again.ReadLock(t.Context())
	if err != nil || string(got.Text) != text || got.Version != version {
		t.Fatalf("read %q, version %q, %v; want %q, version %q", got.Text, got.Version, err, text, version)
	}
	return got
}

func lockLife(t *testing.T, p LockParty) {
	first := p.write(t, "one", "")
	p.stands(t, "one", first)
	second := p.write(t, "two", first)
	p.stands(t, "two", second)
	if first == second {
		t.Error("another text has the same version")
	}
}

// What somebody else wrote is left alone.
func lockStale(t *testing.T, p LockParty) {
	first := p.write(t, "one", "")
	_, err := p.Again.WriteLock(t.Context(), []byte("other"), "")
	class(t, err, providers.ErrConflict)
	second := p.write(t, "two", first)
	_, err = p.Again.WriteLock(t.Context(), []byte("other"), first)
	class(t, err, providers.ErrConflict)
	p.stands(t, "two", second)
}

// The age begins with each write.
func lockAge(t *testing.T, p LockParty) {
	first := p.write(t, "one", "")
	if got := p.stands(t, "one", first); got.Age < 0 || got.Age > p.Wait {
		t.Errorf("a new lock is %s old", got.Age)
	}
	// Stores may count whole seconds.
	if err := p.Clock.Sleep(t.Context(), p.Wait+2*time.Second); err != nil {
		t.Fatal(err)
	}
	if got := p.stands(t, "one", first); got.Age < p.Wait || got.Age > time.Hour {
		t.Errorf("after %s a lock is %s old", p.Wait+2*time.Second, got.Age)
	}
	if got := p.stands(t, "two", p.write(t, "two", first)); got.Age > p.Wait {
		t.Errorf("a lock that was renewed is %s old", got.Age)
	}
}

// Of many who write at the same time, one wins each time.
func lockRace(t *testing.T, p LockParty) {
	version := ""
	for round := range 10 {
		var mu sync.Mutex
		var won []string
		errs := together(8, func(i int) error {
			store := p.Store
			if i%2 == 1 {
				store = p.Again
			}
			made, err := store.WriteLock(t.Context(), fmt.Appendf(nil, "round %d run %d", round, i), version)
			if err == nil {
				mu.Lock()
				defer mu.Unlock()
				won = append(won, made)
			}
			return err
		})
		if len(won) != 1 {
			t.Fatalf("round %d: %d winners: %v", round, len(won), errs)
		}
		for _, err := range errs {
			if err != nil {
				class(t, err, providers.ErrConflict)
			}
		}
		version = won[0]
	}
}
