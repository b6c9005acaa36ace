package cmd

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

var update = flag.Bool("update", false, "rewrite the expected output in the scripts")

// atOnce keeps a process under the race detector from sleeping for a second
// before it exits.
const atOnce = "atexit_sleep_ms=0"

func TestMain(m *testing.M) {
	os.Setenv("GORACE", atOnce)
	if !strings.HasPrefix(filepath.Base(os.Args[0]), "edgeward") { // a test, which may itself be a step of a job
		for _, name := range []string{"GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"} {
			_ = os.Unsetenv(name)
		}
	}
	testscript.Main(m, map[string]func(){
		"edgeward": func() { os.Exit(Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) },
	})
}

// The scripts run the real Main as a process; each compares whole outputs.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata", UpdateScripts: *update, RequireUniqueNames: true,
		Setup: func(env *testscript.Env) error {
			// Nothing of the user's own, and nowhere to go by mistake.
			env.Setenv("GORACE", atOnce)
			env.Setenv("AWS_CONFIG_FILE", os.DevNull)
			env.Setenv("AWS_SHARED_CREDENTIALS_FILE", os.DevNull)
			env.Setenv("AWS_EC2_METADATA_DISABLED", "true")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "sites": sites, "alike": alike},
	})
}

// exits CODE PROGRAM ARG…: runs the program, which must end with the code; JSON
// that it wrote must fit the schema.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARG…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	var ended *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &ended) {
		got = ended.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
	if got != exitRefused { // then nothing was written
		checkJSON(ts, args[1:])
	}
}

// inFolder makes a folder with a configuration the current one.
func inFolder(t *testing.T) {
	t.Helper()
	t.Chdir(t.TempDir())
	if code := Main([]string{"init"}, strings.NewReader(""), io.Discard, io.Discard); code != 0 {
		t.Fatal("init:", code)
	}
}

func TestBrokenPipe(t *testing.T) {
	inFolder(t)
	for name, args := range map[string][]string{
		"plan":     {"plan", "-sandbox"},
		"json":     {"plan", "-sandbox", "-json"},
		"apply":    {"apply", "-sandbox", "-auto-approve"},
		"events":   {"apply", "-sandbox", "-auto-approve", "-json"},
		"validate": {"validate"},
		"help":     {"-help"},
		"version":  {"version"},
	} {
		t.Run(name, func(t *testing.T) {
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			r.Close()
			defer w.Close()
			var stderr bytes.Buffer
			if code := Main(args, strings.NewReader(""), w, &stderr); code == 0 {
				t.Error("exit code 0")
			}
			for _, word := range []string{"error", "goroutine", "panic", "broken"} {
				if strings.Contains(stderr.String(), word) {
					t.Errorf("a broken pipe is not quiet:\n%s", stderr.String())
				}
			}
		})
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, syscall.ENOSPC }

func TestUnwritableOutput(t *testing.T) {
	inFolder(t)
	for name, args := range map[string][]string{
		"plan":   {"plan", "-sandbox"},
		"events": {"apply", "-sandbox", "-auto-approve", "-json"},
		"help":   {"plan", "-help"},
	} {
		t.Run(name, func(t *testing.T) {
			var stderr bytes.Buffer
			if code := Main(args, strings.NewReader(""), fullDisk{}, &stderr); code != 1 && code != 130 {
				t.Errorf("exit code %d", code)
			}
			if want := "error: write standard output: no space left on device\n"; !strings.HasSuffix(stderr.String(), want) {
				t.Errorf("standard error is %q, want it to end with %q", stderr.String(), want)
			}
		})
	}
}

// onWord calls f once, when word has been written.
type onWord struct {
	bytes.Buffer
	word string
	f    func()
}

func (w *onWord) Write(p []byte) (int, error) {
	n, err := w.Buffer.Write(p)
	if w.f != nil && strings.Contains(w.String(), w.word) {
		f := w.f
		w.f = nil
		f()
	}
	return n, err
}

// interrupt sends this process an interrupt and returns when it has arrived, so
// that simulated time does not run on meanwhile.
func interrupt(t *testing.T) func() {
	return func() {
		arrived := make(chan os.Signal, 1)
		signal.Notify(arrived, os.Interrupt)
		defer signal.Stop(arrived)
		p, err := os.FindProcess(os.Getpid())
		if err == nil {
			err = p.Signal(os.Interrupt)
		}
		if err != nil {
			t.Error(err)
			return
		}
		<-arrived
	}
}

func TestFirstInterruptEndsCleanly(t *testing.T) {
	inFolder(t)
	stdout := &onWord{word: "visitors:", f: interrupt(t)}
	var stderr bytes.Buffer
	if code := Main([]string{"demo"}, strings.NewReader(""), stdout, &stderr); code != exitInterrupted {
		t.Errorf("exit code %d", code)
	}
	if got := stderr.String(); !strings.Contains(got, "interrupted: ending") || !strings.Contains(got, "safe to run") {
		t.Errorf("standard error is %q", got)
	}
}

// An interrupted apply says what to run to go on.
func TestInterruptedApplyReports(t *testing.T) {
	inFolder(t)
	var stdout bytes.Buffer
	stderr := &onWord{word: "distribution.create: done", f: interrupt(t)}
	code := Main([]string{"apply", "-sandbox", "-auto-approve"}, strings.NewReader(""), &stdout, stderr)
	if code != exitInterrupted {
		t.Errorf("exit code %d", code)
	}
	if want := "A sandbox is made anew each run"; !strings.Contains(stdout.String(), want) {
		t.Errorf("the report does not say %q:\n%s", want, stdout.String())
	}
}

// The second interrupt ends Main although the command is stuck in a write.
func TestSecondInterruptEndsAtOnce(t *testing.T) {
	inFolder(t)
	r, w := io.Pipe() // nobody reads
	defer r.Close()
	stderr := &onWord{word: "a second ^C exits at once", f: interrupt(t)}
	done := make(chan int, 1)
	go func() { done <- Main([]string{"version"}, strings.NewReader(""), w, stderr) }()
	go func() {
		_, _ = r.Read(make([]byte, 1)) // the command is within its write now
		interrupt(t)()
	}()
	if code := <-done; code != exitInterrupted {
		t.Errorf("exit code %d", code)
	}
}

// What is wrong is said before anything is looked at: in a flag, and in a
// provider's settings, which validate gives to the provider's own adapter.
func TestWrongValuesAreSaid(t *testing.T) {
	for name, tc := range map[string]struct {
		args     []string
		settings string
		want     string
	}{
		"no parallelism": {[]string{"plan", "-sandbox", "-parallelism=0"}, `server = "192.0.2.53"`, "-parallelism is 0, which is less than 1"},
		"less than none": {[]string{"status", "-sandbox", "-parallelism", "-3"}, `server = "192.0.2.53"`, "-parallelism is -3, which is less than 1"},
		"port":           {[]string{"validate"}, `server = "192.0.2.53:99999"`, `read server: "192.0.2.53:99999" has no port`},
		"algorithm":      {[]string{"validate"}, "server = \"192.0.2.53\"\nkey_name = \"k\"\nkey_secret = \"aGVsbG8=\"\nkey_algorithm = \"md5\"", "make dns_provider.rfc2136.x: read key_algorithm"},
		"variable":       {[]string{"validate", "-var=x=1"}, `server = "192.0.2.53"`, `No variable "x" is declared. Declare it`},
	} {
		t.Run(name, func(t *testing.T) {
			inFolder(t)
			src := "dns_provider \"rfc2136\" \"x\" {\nzones = [\"example.com\"]\n" + tc.settings + "\n}\nbucket \"assets.example.com\" {}\n"
			if err := os.WriteFile("edgeward.hcl", []byte(src), 0o600); err != nil {
				t.Fatal(err)
			}
			var stdout, stderr bytes.Buffer
			code := Main(tc.args, strings.NewReader(""), &stdout, &stderr)
			if code != 1 || stdout.Len() > 0 || !strings.Contains(stderr.String(), tc.want) {
				t.Errorf("exit code %d, want %q:\n%s%s", code, tc.want, stdout.String(), stderr.String())
			}
		})
	}
}
