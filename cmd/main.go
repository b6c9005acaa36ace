// Package cmd is the command line: one file a command, the World built from
// the configuration (wire.go), and the exit codes.
package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/edgeward/edgeward/cmd/view"
	"github.com/edgeward/edgeward/providers"
	"github.com/hashicorp/hcl/v2"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// The exit codes that cmd gives by itself; those of a run are
// planner.Report's.
const (
	exitDone        = 0
	exitRefused     = 1 // nothing was attempted
	exitUndone      = 2 // only with -detailed-exitcode
	exitInterrupted = 130
)

// errInterrupted is the cause of the context's end after ^C.
var errInterrupted = errors.New("interrupted")

// Main runs edgeward with args, without the program's name, and returns the
// exit code. The first SIGINT or SIGTERM ends the command's context, so that
// it ends cleanly; at the second, Main returns at once and leaves the command
// running: the caller must then exit the process.
func Main(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	// A broken pipe is to be an error of the write, not the end of the process.
	pipe := make(chan os.Signal, 1)
	signal.Notify(pipe, syscall.SIGPIPE)
	defer signal.Stop(pipe)

	a := newApp(stdin, stdout, stderr, cancel)
	a.guardLog()
	done := make(chan int, 1)
	go func() { done <- a.run(ctx, args) }()
	for interrupted := false; ; interrupted = true {
		select {
		case code := <-done:
			return code
		case <-signals:
			if s := a.stdout.framed(); s != nil {
				s.leave()
			}
			if interrupted {
				if s := a.stderr.framed(); s != nil {
					s.close()
				}
				return exitInterrupted
			}
			cancel(errInterrupted)
			fmt.Fprintln(a.stderr, "\ninterrupted: ending what is under way; a second ^C exits at once")
		}
	}
}

// app is one run of edgeward: its streams and its flags.
type app struct {
	stdin          io.Reader
	stdout, stderr *output
	env            func(string) (string, bool)
	flags          flags
	// approved is how the plan of this run was approved; nil when nothing was to be.
	approved *view.Approval
	// running is the command, such as "edgeward plan", once the flags are parsed; trace
	// is nil without -trace.
	running string
	trace   *traceFile
	// styles of the two streams, known once the flags are parsed
	out, msg view.Style
}

func newApp(stdin io.Reader, stdout, stderr io.Writer, broken func(error)) *app {
	return &app{
		stdin:  stdin,
		stdout: &output{w: stdout, name: "standard output", broken: broken},
		stderr: &output{w: stderr, name: "standard error", broken: func(error) {}},
		env:    os.LookupEnv,
	}
}

// run executes one command line and says every error that is left.
func (a *app) run(ctx context.Context, args []string) int {
	root := a.root()
	args, dashed := normalise(root, args)
	out := io.Writer(a.stdout)
	if dashed {
		out = &singleDash{w: out}
	}
	root.SetArgs(args)
	root.SetIn(a.stdin)
	root.SetOut(out)
	root.SetErr(a.stderr)
	a.style()
	err := unknownCommand(root, args)
	if err == nil {
		err = execute(ctx, root)
	}
	a.debug(err)
	code := a.code(ctx, err)
	a.endTrace()
	return a.outputs(code)
}

// execute runs the command; a fault of the program is an error as others are.
func execute(ctx context.Context, root *cobra.Command) (err error) {
	defer providers.Recovered(&err)
	return root.ExecuteContext(ctx)
}

// debug prints where the program broke down, for those who asked.
func (a *app) debug(err error) {
	var broken *providers.PanicError
	if asked, _ := a.env("EDGEWARD_DEBUG"); asked != "" && errors.As(err, &broken) {
		fmt.Fprintf(a.stderr, "%s", broken.Stack)
	}
}

// code is the exit code for err, which is said here unless it was before.
func (a *app) code(ctx context.Context, err error) int {
	var exit exitError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &exit):
		return exit.code
	case errors.Is(context.Cause(ctx), errInterrupted):
		fmt.Fprintln(a.stderr, "interrupted; it is safe to run the command again")
		return exitInterrupted
	case ctx.Err() != nil: // the output broke; outputs says it
		return exitRefused
	}
	err = advised(err)
	fmt.Fprintln(a.stderr, view.Error(err, a.msg))
	a.annotate(view.ErrorAnnotation(err))
	return exitRefused
}

// advised adds what to do to an error whose adapter said nothing about it.
func advised(err error) error {
	switch {
	case len(view.Hints(err)) > 0:
		return err
	case errors.Is(err, providers.ErrCredentials):
		return hinted{err, "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or write profile or role_arn in an aws block"}
	case errors.Is(err, providers.ErrThrottled):
		return hinted{err, "run it again; -parallelism=N asks for fewer buckets at the same time"}
	}
	return err
}

// outputs is the exit code once the state of the streams is known: a result
// that could not be written is no success. A reader that has gone away knows
// that by itself; other faults are said.
func (a *app) outputs(code int) int {
	err := a.stdout.fault()
	if err == nil {
		return code
	}
	if !readerGone(err) {
		fmt.Fprintln(a.stderr, view.Error(fmt.Errorf("write %s: %w", a.stdout.name, err), a.msg))
	}
	if code == exitDone {
		return exitRefused
	}
	return code
}

// readerGone says whether err is a broken pipe; Windows has two errors for it
// [ERROR_BROKEN_PIPE, ERROR_NO_DATA].
func readerGone(err error) bool {
	var number syscall.Errno
	return errors.Is(err, syscall.EPIPE) || runtime.GOOS == "windows" && errors.As(err, &number) && (number == 109 || number == 232)
}

// exitError ends a command with a code of its own when all was said.
type exitError struct{ code int }

func (e exitError) Error() string { return fmt.Sprintf("exit code %d", e.code) }

// exit is nil for 0 and an exitError for the others.
func exit(code int) error {
	if code == exitDone {
		return nil
	}
	return exitError{code}
}

// hinted is an error with what to do about it.
type hinted struct {
	err  error
	hint string
}

func (h hinted) Error() string { return h.err.Error() }
func (h hinted) Unwrap() error { return h.err }

// Hint says what to do.
func (h hinted) Hint() string { return h.hint }

// refuse is an error with a hint.
func refuse(hint, format string, args ...any) error {
	return hinted{err: fmt.Errorf(format, args...), hint: hint}
}

// output is a stream that remembers the first fault of a write, says it once
// to broken, and takes no more after it.
type output struct {
	w      io.Writer
	name   string
	broken func(error)
	// inert, where there is one, takes out of a text what the reader of the stream
	// would obey; commands are what it is to obey.
	inert func(string) string

	mu  sync.Mutex
	err error
	// frame is what is drawn below all that is written; mostly nil. A write that
	// hangs does not keep it from being taken away.
	frame atomic.Pointer[screen]
}

// below has the stream end with s, nil for nothing.
func (o *output) below(s *screen) { o.frame.Store(s) }

func (o *output) framed() *screen { return o.frame.Load() }

func (o *output) Write(p []byte) (int, error) {
	text := p
	if o.inert != nil {
		text = []byte(o.inert(string(p)))
	}
	err := error(nil)
	if s := o.framed(); s != nil {
		err = s.above(text)
	} else {
		err = o.write(text)
	}
	if err != nil {
		return 0, err
	}
	return len(p), nil
}

func (o *output) commands(text string) error { return o.write([]byte(text)) }

func (o *output) write(p []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil {
		return o.err
	}
	_, err := o.w.Write(p)
	if err != nil {
		o.err = err
		o.broken(fmt.Errorf("write %s: %w", o.name, err))
	}
	return err
}

func (o *output) fault() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err
}

// diagnostics says findings about files with their source lines; an error
// among them ends the command.
func (a *app) diagnostics(files map[string]*hcl.File, diags hcl.Diagnostics) error {
	if len(diags) > 0 {
		if err := view.Diagnostics(a.stderr, files, diags, a.msg); err != nil {
			return err
		}
		a.annotate(view.DiagnosticAnnotations(diags)...)
	}
	if diags.HasErrors() {
		return exit(exitRefused)
	}
	return nil
}

// style finds out how each stream is to look. -no-color comes on top, once
// the flags are parsed.
func (a *app) style() {
	noColor, _ := a.env("NO_COLOR")
	plain := noColor != "" || !a.understands()
	a.out = view.StyleOf(a.stdout.w, plain)
	a.msg = view.StyleOf(a.stderr.w, plain)
}

// understands says whether a terminal here reads control sequences. A Windows
// console does so only in newer terminals, which say who they are.
func (a *app) understands() bool {
	name, named := a.env("TERM")
	if runtime.GOOS == "windows" && !named {
		_, named = a.env("WT_SESSION")
		return named
	}
	return name != "dumb"
}

// live says whether standard output can show a screen that moves.
func (a *app) live() bool { return view.IsTerminal(a.stdout.w) && a.understands() }

// noArguments refuses positional arguments.
func noArguments(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := ""
	if f := c.Flags().Lookup("target"); f != nil {
		value, _ := pflag.UnquoteUsage(f)
		hint = "to choose: " + c.CommandPath() + " -target=" + value
	}
	return refuse(hint, "%s takes no argument, got %q", c.CommandPath(), args[0])
}
