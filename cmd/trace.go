package cmd

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/edgeward/edgeward/cmd/view"
	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/planner"
	"github.com/edgeward/edgeward/providers"
	"github.com/edgeward/edgeward/providers/dns"
	"github.com/edgeward/edgeward/providers/sandbox"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// traceFlag is that of every command that asks somebody.
func (a *app) traceFlag(c *cobra.Command) {
	c.Flags().StringVar(&a.flags.trace, "trace", "", "write every call to `FILE` as it ends, one a line as JSON, without secrets")
}

// traceable refuses a file that the run uses for something else. It needs no look
// at what the file is.
func (a *app) traceable(c *cobra.Command, args []string) error {
	name := a.flags.trace
	switch {
	case name == "":
		return nil
	case name == "-":
		return refuse("name a file, such as trace.jsonl", "-trace=- is no file")
	case strings.HasSuffix(name, ".hcl"):
		return refuse("name it trace.jsonl, say", "-trace=%s would replace a file of the configuration", name)
	}
	var err error
	c.Flags().Visit(func(f *pflag.Flag) {
		values := []string{f.Value.String()}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			values = list.GetSlice()
		}
		kind, _ := pflag.UnquoteUsage(f)
		if f.Name != "trace" && kind == "FILE" && slices.ContainsFunc(values, func(v string) bool { return samePath(v, name) }) {
			err = refuse("name two files", "-%s and -trace name the same file, %s", f.Name, name)
		}
	})
	if slices.ContainsFunc(args, func(arg string) bool { return samePath(arg, name) }) {
		err = refuse("name another file", "-trace=%s is the file that the command reads", name)
	}
	return err
}

// traceLine is one line of the file. The first one alone says which version of the
// format it is, and of edgeward.
type traceLine struct {
	FormatVersion string `json:"format_version,omitempty"`
	Edgeward      string `json:"edgeward,omitempty"`
	providers.Exchange
	// Note is a sentence about the file, or "".
	Note string `json:"note,omitempty"`
}

// traceFile is what -trace writes; nil writes nothing. Its methods may be called
// from many goroutines.
type traceFile struct {
	name    string
	secrets *strings.Replacer

	mu   sync.Mutex
	file interface {
		io.WriteCloser
		Truncate(size int64) error
	}
	// whole is the length of the lines that were written.
	whole int64
	// lost calls are not in the file, for err.
	lost int
	err  error
}

// openTrace begins the file of -trace, before anything is asked; secrets are what
// it must not have in it.
func (a *app) openTrace(now time.Time, secrets []string) error {
	if a.flags.trace == "" || a.trace != nil {
		return nil
	}
	f, err := createTrace(a.flags.trace)
	if err != nil {
		return err
	}
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"} {
		if v, ok := a.env(name); ok {
			secrets = append(secrets, v)
		}
	}
	t := &traceFile{name: a.flags.trace, file: f, secrets: remover(secrets)}
	first := traceLine{FormatVersion: planner.FormatVersion, Edgeward: buildVersion(), Exchange: providers.Exchange{API: "edgeward", Operation: a.running}}
	first.Timed(time.Time{}, now, now)
	if a.flags.sandbox {
		first.Note = "a simulated world: nothing left the machine"
	}
	if t.write(first); t.err != nil {
		err := bareError(t.err)
		if made, _ := f.Stat(); f.Close() == nil && made != nil && made.Mode().IsRegular() {
			_ = os.Remove(t.name) // it is empty
		}
		return refuse("make room, or name another file", "write -trace=%s: %v", t.name, err)
	}
	a.trace = t
	return nil
}

// traceConfig is openTrace with the secrets of c.
func (a *app) traceConfig(c *config.Config) error {
	return a.openTrace(providers.RealClock{}.Now(), c.Secrets(dnsTypes(dns.Types())))
}

// createTrace makes the file anew, so that nobody else can read it, whatever
// stood there. What is no file, such as a pipe, is written to as it is.
func createTrace(name string) (*os.File, error) {
	info, err := os.Lstat(name)
	switch {
	case err == nil && info.IsDir():
		return nil, refuse("name a file in it", "write -trace=%s: it is a folder", name)
	case err == nil && info.Mode()&fs.ModeSymlink != 0:
		return nil, refuse("name the file that it leads to", "write -trace=%s: it is a link", name)
	case err == nil && info.Mode().IsRegular():
		err = os.Remove(name)
	case err == nil:
		f, err := os.OpenFile(name, os.O_WRONLY, 0)
		if err != nil {
			return nil, refuse("name a file", "write -trace=%s: %v", name, bareError(err))
		}
		return f, nil
	case errors.Is(err, fs.ErrNotExist):
		err = nil
	}
	var f *os.File
	if err == nil {
		f, err = os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	}
	if err != nil {
		return nil, refuse("name a file in a folder that exists and can be written", "write -trace=%s: %v", name, bareError(err))
	}
	return f, nil
}

// of takes notes of the calls of an account or a DNS provider; nil where there is
// no file.
func (t *traceFile) of(account string) providers.Trace {
	if t == nil {
		return nil
	}
	return func(e providers.Exchange) {
		e.Account = account
		t.write(traceLine{Exchange: e})
	}
}

// ofAccount is of for the aws block of that name, "" for the default chain.
func (t *traceFile) ofAccount(name string) providers.Trace {
	if name != "" {
		name = "aws." + name
	}
	return t.of(name)
}

// simulated takes notes of what a sandbox is asked; nil where there is no file.
func (t *traceFile) simulated(clock providers.Clock) func(sandbox.Call) error {
	if t == nil {
		return nil
	}
	return func(c sandbox.Call) error {
		if c.After {
			return nil
		}
		e := providers.Exchange{API: "sandbox", Operation: c.Op, Account: c.Account, About: c.Name}
		now := clock.Now()
		e.Timed(time.Time{}, now, now)
		t.write(traceLine{Exchange: e})
		return nil
	}
}

// write adds a line, whole. After a fault nothing more is written: the file ends
// with its last whole line.
func (t *traceFile) write(line traceLine) {
	clean(reflect.ValueOf(&line).Elem(), t.secrets)
	text, err := view.JSONLine(line)
	t.mu.Lock()
	defer t.mu.Unlock()
	if err == nil && t.err == nil {
		var n int
		if n, err = t.file.Write(text); err == nil {
			t.whole += int64(n)
			return
		}
		if n > 0 {
			_ = t.file.Truncate(t.whole) // a pipe has nothing to take back
		}
	}
	if t.err == nil {
		t.err = err
	}
	t.lost++
}

// mostText is how many bytes of a text a line has at most.
const mostText = 1000

// clean takes the secrets out of every text of a struct.
func clean(v reflect.Value, secrets *strings.Replacer) {
	for i := range v.NumField() {
		switch f := v.Field(i); {
		case f.Type() == reflect.TypeFor[providers.Exchange]():
			clean(f, secrets)
		case f.Kind() == reflect.String:
			text := credentialShapes.ReplaceAllString(secrets.Replace(f.String()), "(removed)")
			text = urlShapes.ReplaceAllString(text, "$1$2")
			if len(text) > mostText {
				text = strings.ToValidUTF8(text[:mostText], "") + "…"
			}
			f.SetString(text)
		}
	}
}

// endTrace closes the file, and says what is missing in it.
func (a *app) endTrace() {
	t := a.trace
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	err := errors.Join(t.err, t.file.Close())
	if err == nil {
		return
	}
	err = fmt.Errorf("write -trace=%s: %w; not in the file: %s at the end", t.name, bareError(err), view.Count(t.lost, "call"))
	fmt.Fprintln(a.stderr, view.Error(hinted{err, "the run itself went on as without a trace"}, a.msg))
}
