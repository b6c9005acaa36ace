package cmd

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/creack/pty"
	"github.com/edgeward/edgeward/cmd/view"
)

// emulator shows what a terminal would: the control functions that we send
// [ECMA-48], lines that are folded at its width, and no scrolling back into what
// has left the screen.
type emulator struct {
	columns, rows int
	screen        [][]rune // from the first row that is on the screen on
	scrolled      []string
	x, y          int
	escape        string
}

func newEmulator(columns, rows int) *emulator {
	return &emulator{columns: columns, rows: rows, screen: [][]rune{nil}}
}

func (e *emulator) write(text string) {
	for _, r := range text {
		switch {
		case e.escape != "":
			e.escape += string(r)
			if len(e.escape) > 2 && r >= '@' && r <= '~' {
				e.control(e.escape[2:len(e.escape)-1], r)
				e.escape = ""
			}
		case r == '\x1b':
			e.escape = "\x1b"
		case r == '\r':
			e.x = 0
		case r == '\n':
			e.down()
		case r >= ' ':
			if e.x == e.columns {
				e.x = 0
				e.down()
			}
			row := e.screen[e.y]
			for len(row) <= e.x {
				row = append(row, ' ')
			}
			row[e.x] = r
			e.screen[e.y] = row
			e.x++
		}
	}
}

func (e *emulator) down() {
	e.y++
	if e.y == len(e.screen) {
		e.screen = append(e.screen, nil)
	}
	if len(e.screen) > e.rows {
		e.scrolled = append(e.scrolled, string(e.screen[0]))
		e.screen = e.screen[1:]
		e.y--
	}
}

func (e *emulator) control(argument string, f rune) {
	n, _ := strconv.Atoi(argument)
	switch f {
	case 'A':
		e.y = max(e.y-max(n, 1), 0)
	case 'K':
		e.screen[e.y] = e.screen[e.y][:min(e.x, len(e.screen[e.y]))]
	case 'J':
		e.screen = e.screen[:e.y+1]
		e.control("", 'K')
	case 'm':
	default:
		// Any other mode would have to be taken back, also after a panic or a kill.
		if argument == "?2026" && (f == 'h' || f == 'l') {
			return
		}
		panic(fmt.Sprintf("a control function that this terminal does not know: %q %c", argument, f))
	}
}

// text is all that was ever shown and is not painted over.
func (e *emulator) text() string {
	var b strings.Builder
	for _, l := range e.scrolled {
		b.WriteString(strings.TrimRight(l, " ") + "\n")
	}
	for _, l := range e.screen {
		b.WriteString(strings.TrimRight(string(l), " ") + "\n")
	}
	return b.String()
}

// onTerminal runs edgeward with a terminal of that size; during may resize or
// signal once text was seen. It gives what the terminal then shows, all that was
// written to it, and the exit code.
func onTerminal(t *testing.T, columns, rows int, args []string, env []string, during func(*exec.Cmd, *os.File, string)) (shown, raw string, code int) {
	t.Helper()
	name, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(name)
	cmd.Args = append([]string{"edgeward"}, args...)
	cmd.Env = append(append(os.Environ(), "CI=", "TERM=xterm", "NO_COLOR=", atOnce), env...)
	f, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: uint16(rows), Cols: uint16(columns)})
	if errors.Is(err, pty.ErrUnsupported) {
		t.Skip("no pseudo-terminals here")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all strings.Builder
	var wg sync.WaitGroup
	wg.Go(func() {
		for buf := make([]byte, 1<<16); ; {
			n, err := f.Read(buf)
			all.Write(buf[:n])
			if during != nil {
				during(cmd, f, all.String())
			}
			if err != nil { // Linux: EIO once nobody has the other end
				if !errors.Is(err, io.EOF) && !errors.Is(err, syscall.EIO) {
					t.Error(err)
				}
				return
			}
		}
	})
	err = cmd.Wait()
	wg.Wait()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		t.Fatal(err)
	}
	e := newEmulator(columns, rows)
	e.write(all.String())
	return e.text(), all.String(), cmd.ProcessState.ExitCode()
}

// many is a folder with so many buckets.
func many(t *testing.T, n int) (folder string) {
	t.Helper()
	folder = t.TempDir()
	text := fmt.Sprintf(`dns_provider "route53" "main" { zones = ["example.com"] }
locals { names = [for i in range(%d) : format("s%%03d.example.com", i)] }
bucket "site" {
  for_each = toset(local.names)
  name     = each.key
}
`, n)
	if err := os.WriteFile(folder+"/edgeward.hcl", []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return folder
}

// On a terminal a run is a screen that moves; at its end there is the report, and
// nothing of the screen is left, whatever the size.
func TestApplyOnTerminal(t *testing.T) {
	folder := many(t, 12)
	for _, size := range [][2]int{{40, 10}, {100, 30}} {
		shown, raw, code := onTerminal(t, size[0], size[1], []string{"apply", "-sandbox", "-auto-approve", "-chdir=" + folder}, nil, nil)
		if code != 0 {
			t.Fatalf("exit code %d\n%s", code, shown)
		}
		if !strings.Contains(raw, "\x1b[?2026h") || !strings.Contains(raw, "of 12 done") {
			t.Errorf("%v: there was no screen", size)
		}
		for _, left := range []string{"so far", "of 12 done", "certificate.issued: waiting"} {
			if strings.Contains(shown, left) {
				t.Errorf("%v: %q is left on the screen:\n%s", size, left, shown)
			}
		}
		if n := strings.Count(shown, "Apply: 12 finished"); n != 1 {
			t.Errorf("%v: the report stands there %d times:\n%s", size, n, shown)
		}
	}
}

// In a log there is no screen, whatever standard error is.
func TestApplyInALog(t *testing.T) {
	folder := many(t, 2)
	for name, env := range map[string]string{"CI": "CI=true", "dumb": "TERM=dumb"} {
		t.Run(name, func(t *testing.T) {
			shown, raw, code := onTerminal(t, 100, 30, []string{"apply", "-sandbox", "-auto-approve", "-no-color", "-chdir=" + folder}, []string{env}, nil)
			if code != 0 || strings.Contains(raw, "\x1b") || !strings.Contains(shown, "dns.switch: done") {
				t.Errorf("exit code %d\n%q", code, raw)
			}
		})
	}
}

// ^C in the middle leaves the report of what was interrupted, and no screen.
func TestInterruptOnTerminal(t *testing.T) {
	folder := many(t, 150)
	var once sync.Once
	shown, _, code := onTerminal(t, 80, 24, []string{"apply", "-sandbox", "-auto-approve", "-chdir=" + folder}, nil, func(_ *exec.Cmd, f *os.File, all string) {
		if strings.Contains(all, "of 150 done") {
			once.Do(func() {
				_ = pty.Setsize(f, &pty.Winsize{Rows: 24, Cols: 60})
				_, _ = f.Write([]byte{3})
			})
		}
	})
	if code != exitInterrupted {
		t.Fatalf("exit code %d\n%s", code, shown)
	}
	last := shown[max(0, strings.LastIndex(shown, "Apply: ")):]
	if strings.Contains(shown, "so far") || !strings.Contains(shown, "interrupted: ending what is under way") || !strings.Contains(last, "interrupted") {
		t.Errorf("\n%s", shown)
	}
	if w := newTerminalCheck(shown); w != "" {
		t.Error(w)
	}
}

// What is written while there is a screen stands above it, and the screen does not
// go away for that, unless it would no longer fit.
func TestWrittenAboveTheScreen(t *testing.T) {
	e := newEmulator(view.DefaultWidth, 24)
	out := &output{w: writerFunc(func(p []byte) (int, error) { e.write(string(p)); return len(p), nil }), broken: func(error) {}}
	lines := []string{"frame 1"}
	s := newScreen(out, func(int, int) []string { return lines })
	s.draw()
	fmt.Fprint(out, "said\n")
	if got := e.text(); got != "said\nframe 1\n\n" {
		t.Errorf("%q", got)
	}
	lines = []string{"frame 2"}
	s.draw()
	fmt.Fprint(out, "not ended")
	if got := e.text(); got != "said\nnot ended\n" {
		t.Errorf("%q", got)
	}
	fmt.Fprint(out, ", now\n")
	s.close()
	fmt.Fprint(out, "after\n")
	if got := e.text(); got != "said\nnot ended, now\nafter\n\n" {
		t.Errorf("%q", got)
	}
}

// writerFunc is a function that writes.
type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// status -watch is one status, in place, and ^C leaves the last one.
func TestWatchOnTerminal(t *testing.T) {
	folder := many(t, 12)
	var once sync.Once
	shown, raw, code := onTerminal(t, 60, 24, []string{"status", "-sandbox", "-watch=1s", "-chdir=" + folder}, nil, func(_ *exec.Cmd, f *os.File, all string) {
		if strings.Count(all, "Status: ") == 2 {
			once.Do(func() { _, _ = f.Write([]byte{3}) })
		}
	})
	if code != exitInterrupted || strings.Count(raw, "Status: ") != 2 || strings.Count(shown, "Status: 12 to migrate") != 1 {
		t.Errorf("exit code %d\n%s", code, shown)
	}
}

// newTerminalCheck says which line of a screen stands on it although it was of one
// that moves.
func newTerminalCheck(shown string) string {
	for _, l := range strings.Split(shown, "\n") {
		if strings.HasPrefix(l, "api  ") || strings.HasPrefix(l, "stage   ") {
			return "left on the screen: " + l
		}
	}
	return ""
}
