package cmd

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/edgeward/edgeward/cmd/view"
	"github.com/edgeward/edgeward/planner/proof"
	"github.com/edgeward/edgeward/providers"
)

// recordFormat is the version of the files of -resume.
const recordFormat = "1"

// maxRecordAge is how long after its beginning a comparison can still be gone on
// with: sites change.
const maxRecordAge = 24 * time.Hour

// recordHeader is the first line of a file of -resume: what a run must have in
// common with the one that it goes on with.
type recordHeader struct {
	// Format is recordFormat; a file without it is of something else.
	Format string `json:"edgeward_verify"`
	// Version is the program's: another one may judge otherwise.
	Version string `json:"version"`
	// Of says what is compared.
	Of   string `json:"of"`
	Seed string `json:"seed,omitempty"`
	// Paths is a digest of the paths that were given, Settings of all else.
	Paths    string    `json:"paths,omitempty"`
	Settings string    `json:"settings"`
	Begun    time.Time `json:"begun"`
}

// recordLine is each further line: one path that is finished, or the end.
type recordLine struct {
	Address  string         `json:"address,omitempty"`
	Outcome  *proof.Outcome `json:"outcome,omitempty"`
	Finished bool           `json:"finished,omitempty"`
}

// record is a file of -resume, open for further lines. The zero value keeps
// nothing.
type record struct {
	name  string
	file  *os.File
	found map[string]map[string]proof.Outcome
}

// openRecord opens or begins the file of a run whose header is want; name "" is
// none. A file of something else is refused and left as it is.
func (a *app) openRecord(name string, want recordHeader) (*record, error) {
	if name == "" {
		return &record{}, nil
	}
	clock := providers.RealClock{}
	want.Format, want.Version, want.Begun = recordFormat, buildVersion(), clock.Now().UTC().Truncate(time.Second)
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, bareError(err))
	}
	r := &record{name: name, file: f, found: map[string]map[string]proof.Outcome{}}
	if err := r.begin(a, want); err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

// begin reads what stands in the file and leaves it ready for further lines.
func (r *record) begin(a *app, want recordHeader) error {
	head, end, finished, err := r.read(want)
	if err != nil {
		return err
	}
	paths := 0
	for _, found := range r.found {
		paths += len(found)
	}
	switch {
	case paths > 0 && !finished && want.Begun.Sub(head.Begun) > maxRecordAge:
		return refuse("name another file, or delete this one to begin anew", "%s was begun on %s, and sites change, so this comparison cannot go on with it; it was left as it is",
			r.name, head.Begun.Format("2006-01-02 15:04:05 MST"))
	case finished:
		fmt.Fprintf(a.stderr, "%s: that comparison is finished; it is begun anew\n", r.name)
		r.found, end = map[string]map[string]proof.Outcome{}, 0
	case paths > 0:
		fmt.Fprintf(a.stderr, "%s: goes on; %s compared since %s need not be asked again\n", r.name, view.Count(paths, "path"), head.Begun.Format("2006-01-02 15:04:05 MST"))
	}
	// What a killed run wrote of its last line is cut off.
	if err := r.file.Truncate(end); err != nil {
		return fmt.Errorf("write %s: %w", r.name, bareError(err))
	}
	if _, err := r.file.Seek(end, io.SeekStart); err != nil {
		return fmt.Errorf("write %s: %w", r.name, bareError(err))
	}
	if end > 0 {
		return nil
	}
	return r.line(want)
}

// read takes up the lines of the file; end is where the last whole one ends, 0
// for a new file.
func (r *record) read(want recordHeader) (head recordHeader, end int64, finished bool, err error) {
	in := bufio.NewReader(r.file)
	for n := 1; ; n++ {
		line, err := in.ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return head, 0, false, fmt.Errorf("read %s: %w", r.name, bareError(err))
		}
		torn := err != nil
		switch {
		case torn && len(line) == 0:
			return head, end, finished, nil
		case n == 1:
			if head, err = r.header(line, torn, want); err != nil {
				return head, 0, false, err
			}
		case torn:
			return head, end, finished, nil
		default:
			var l recordLine
			if json.Unmarshal(line, &l) != nil || l.Outcome == nil && !l.Finished {
				return head, 0, false, refuse("delete the file to begin anew", "read %s: line %d is damaged", r.name, n)
			}
			finished = finished || l.Finished
			r.take(l)
		}
		end += int64(len(line))
	}
}

func (r *record) take(l recordLine) {
	if l.Outcome == nil {
		return
	}
	if r.found[l.Address] == nil {
		r.found[l.Address] = map[string]proof.Outcome{}
	}
	r.found[l.Address][l.Outcome.Path] = *l.Outcome
}

// header reads the first line, which must be of the same comparison.
func (r *record) header(line []byte, torn bool, want recordHeader) (recordHeader, error) {
	var head recordHeader
	if torn || json.Unmarshal(line, &head) != nil || head.Format == "" {
		return head, refuse("name a file that does not exist yet", "%s is no file of edgeward verify -resume; it was left as it is", r.name)
	}
	for _, c := range []struct{ what, before, now string }{
		{"was written in another format", head.Format, want.Format},
		{"was written by edgeward " + head.Version, head.Version, want.Version},
		{"is about " + head.Of, head.Of, want.Of},
		{"has another -seed", head.Seed, want.Seed},
		{"is about other paths", head.Paths, want.Paths},
		{"was begun with other settings", head.Settings, want.Settings},
	} {
		if c.before != c.now {
			return head, refuse("name another file, or delete this one to begin anew", "%s %s, so this comparison cannot go on with it; it was left as it is", r.name, c.what)
		}
	}
	return head, nil
}

func (r *record) line(v any) error {
	text, err := view.JSONLine(v)
	if err == nil {
		_, err = r.file.Write(text)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", r.name, bareError(err))
	}
	return nil
}

// keep writes down what was found for one path of a bucket.
func (r *record) keep(address string, o proof.Outcome) error {
	if r.file == nil {
		return nil
	}
	return r.line(recordLine{Address: address, Outcome: &o})
}

// finish writes down that nothing is left to compare.
func (r *record) finish() error {
	if r.file == nil {
		return nil
	}
	return r.line(recordLine{Finished: true})
}

func (r *record) close() {
	if r.file != nil {
		_ = r.file.Close() // every line was written, or its fault said
	}
}

// kept says, after an interruption, how to go on; it returns err.
func (r *record) kept(ctx context.Context, a *app, err error) error {
	switch {
	case ctx.Err() == nil:
	case r.file != nil:
		fmt.Fprintf(a.stderr, "%s has what was compared; the same command goes on from there\n", r.name)
	default:
		fmt.Fprintln(a.stderr, "with -resume=FILE an interrupted comparison can go on")
	}
	return err
}

// shortDigest is 16 hexadecimal digits of texts.
func shortDigest(texts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(texts, "\x00")))
	return hex.EncodeToString(sum[:])[:16]
}
