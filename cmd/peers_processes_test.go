//go:build peers

package cmd_test

import (
	"fmt"
	"math/rand"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// total is how many requests the lab has had.
func (w *world) total() int {
	n := 0
	for _, k := range w.lab.Requests() {
		n += k
	}
	return n
}

// killed runs edgeward and sends it a signal once the lab has had that many more
// requests, and that time has passed since. ended: it was done before.
func (w *world) killed(t *testing.T, s os.Signal, requests int, later time.Duration, args ...string) (r ran, ended bool) {
	t.Helper()
	from := w.total()
	cmd, wait := w.edgeward.start(t, args...)
	over := make(chan struct{})
	var sent sync.WaitGroup
	sent.Go(func() {
		for pause := time.Millisecond; pause != later+1; {
			if w.total() >= from+requests {
				pause = later + 1 // the last one
			}
			select {
			case <-over:
				return
			case <-time.After(pause):
			}
		}
		_ = cmd.Process.Signal(s)
	})
	r = wait()
	close(over)
	sent.Wait()
	return r, r.code == 0
}

// one says that each bucket has one distribution.
func (w *world) one(t *testing.T) {
	t.Helper()
	type list struct {
		DistributionList struct {
			Items []struct {
				Aliases struct{ Items []string }
			}
		}
	}
	all := awsJSON[list](t, w, false, "cloudfront", "list-distributions")
	byAlias := map[string]int{}
	for _, d := range all.DistributionList.Items {
		for _, a := range d.Aliases.Items {
			byAlias[a]++
		}
	}
	for _, s := range w.sites {
		if byAlias[s.bucket] != 1 || len(all.DistributionList.Items) != len(w.sites) {
			t.Errorf("%d distributions, of which %d have %s", len(all.DistributionList.Items), byAlias[s.bucket], s.bucket)
		}
	}
}

// TestKilledProcess: a process that is ended at any moment, by force or not, the
// next one too, and so on, leaves nothing that a later one cannot take up, on the
// way there and on the way back; no visitor notices.
func TestKilledProcess(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	before := w.records(t)
	seed := time.Now().UnixNano()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewSource(seed))
	signals := []os.Signal{syscall.SIGKILL, syscall.SIGTERM, syscall.SIGKILL, syscall.SIGINT}
	leg := func(most int, args ...string) {
		t.Helper()
		kills := 0
		for i := range 10 { // ever later in a run, whose beginning is looking alone
			s := signals[i%len(signals)]
			r, ended := w.killed(t, s, 1+random.Intn(most*(1+i)), time.Duration(random.Intn(1+500*i))*time.Millisecond, args...)
			if ended {
				break
			}
			kills++
			lines := strings.Split(strings.TrimSpace(r.stderr), "\n")
			t.Logf("%s after: %s", s, lines[max(0, len(lines)-3)])
			if s == syscall.SIGKILL && r.code != -1 || s != syscall.SIGKILL && (r.code != 130 || !strings.Contains(r.stderr, "interrupted")) {
				t.Errorf("%s: exit %d\n%s\n%s", s, r.code, r.stdout, r.stderr)
			}
		}
		if kills == 0 {
			t.Errorf("%v was never killed", args)
		}
		t.Logf("%v: killed %d times", args, kills)
	}
	leg(60, "apply", "-auto-approve", patience)
	w.edgeward.run(t, 0, "Apply: ", "apply", "-auto-approve", patience)
	w.served(t, true)
	w.one(t)
	w.edgeward.run(t, 0, "3 done", "plan", "-detailed-exitcode")

	leg(20, "rollback", "-auto-approve", patience)
	w.edgeward.run(t, 0, "Rollback: ", "rollback", "-auto-approve", patience)
	w.served(t, false)
	w.one(t)
	if d := cmp.Diff(before, w.records(t)); d != "" {
		t.Errorf("rollback left other records: -before +after\n%s", d)
	}
}

// atOnce starts the same command several times at once and waits for all.
func atOnce(t *testing.T, n int, e *binary, args ...string) []ran {
	t.Helper()
	waits := make([]func() ran, n)
	for i := range waits {
		_, waits[i] = e.start(t, args...)
	}
	runs := make([]ran, n)
	for i, wait := range waits {
		runs[i] = wait()
	}
	return runs
}

// noWorse: each of the runs finished its buckets or refused some, and said so.
func noWorse(t *testing.T, runs []ran) {
	t.Helper()
	for i, r := range runs {
		switch r.code {
		case 0, 3, 6:
		case 4, 5: // a write came second: the bucket is refused by compare-and-set
			if !strings.Contains(r.stdout, "changed") && !strings.Contains(r.stdout, "conflict") && !strings.Contains(r.stdout, "exist") {
				t.Errorf("run %d: exit %d\n%s\n%s", i, r.code, r.stdout, r.stderr)
			}
		default:
			t.Errorf("run %d: exit %d\n%s\n%s", i, r.code, r.stdout, r.stderr)
		}
		t.Logf("run %d: exit %d: %s", i, r.code, r.stdout[max(0, strings.LastIndex(r.stdout, "Apply: ")):])
	}
}

// TestTwoProcessesAtOnce: without a lock, on an AWS that we did not write, nothing
// worse than a refused bucket happens; the next run finishes.
func TestTwoProcessesAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	noWorse(t, atOnce(t, 3, w.edgeward, "apply", "-auto-approve", patience))
	w.edgeward.run(t, 0, "Apply: ", "apply", "-auto-approve", patience)
	w.served(t, true)
	w.one(t)
	w.edgeward.run(t, 0, "3 done", "plan", "-detailed-exitcode")
}

// TestTwoProcessesInBIND: likewise with the records in a name server of others.
func TestTwoProcessesInBIND(t *testing.T) {
	t.Parallel()
	w := newBindWorld(t)
	noWorse(t, atOnce(t, 2, w.edgeward, "apply", "-auto-approve", patience))
	w.edgeward.run(t, 0, "Apply: ", "apply", "-auto-approve", patience)
	w.served(t, true)
	w.one(t)
	w.edgeward.run(t, 0, "2 done", "plan", "-detailed-exitcode")
}

// TestTwoProcessesWithALock: the second run is told who holds the lock, or waits
// for it; a process that was killed leaves a lock that runs out or is taken away.
func TestTwoProcessesWithALock(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.lab.AWS(t, "s3api", "create-bucket", "--bucket", "edgeward-locks")
	text, err := os.ReadFile(w.edgeward.dir + "/edgeward.hcl")
	if err != nil {
		t.Fatal(err)
	}
	w.edgeward.configure(t, string(text)+fmt.Sprintf("run_lock {\n  s3 = %q\n  lease = \"1m\"\n}\n", "s3://edgeward-locks/lock.json"))

	// One is killed while it holds the lock: others are told, and unlock it by force.
	if _, ended := w.killed(t, syscall.SIGKILL, 25, 0, "apply", "-auto-approve", patience); ended {
		t.Fatal("the first run was done before it was killed")
	}
	r := w.edgeward.run(t, 1, "", "apply", "-auto-approve", patience)
	if !strings.Contains(r.stderr, "edgeward apply") || !strings.Contains(r.stderr, "lock") {
		t.Errorf("the holder is not named:\n%s", r.stderr)
	}
	w.edgeward.run(t, 1, "", "unlock")
	w.edgeward.run(t, 0, "was taken away", "unlock", "-force")

	// Two at once: one runs; the other is refused, or waits and finds all done.
	runs := atOnce(t, 2, w.edgeward, "apply", "-auto-approve", patience)
	if codes := []int{runs[0].code, runs[1].code}; !cmp.Equal(codes, []int{0, 1}) && !cmp.Equal(codes, []int{1, 0}) {
		t.Errorf("exit %v, want 0 and 1\n%s\n%s", codes, runs[0].stderr, runs[1].stderr)
	}
	w.served(t, true)
	w.edgeward.run(t, 0, "Rollback: 3 rolled back", "rollback", "-auto-approve", patience)
	runs = atOnce(t, 2, w.edgeward, "apply", "-auto-approve", patience, "-retry=bucket*", "-lock-timeout=80s")
	waited := 0
	for _, r := range runs {
		if r.code != 0 {
			t.Errorf("exit %d\n%s\n%s", r.code, r.stdout, r.stderr)
		}
		if strings.Contains(r.stderr, "run lock:") {
			waited++
		}
	}
	if waited != 1 {
		t.Errorf("%d of two runs say that they waited\n%s\n%s", waited, runs[0].stderr, runs[1].stderr)
	}
	w.served(t, true)
	w.one(t)
	w.edgeward.run(t, 0, "Nobody holds the lock", "unlock")
}
