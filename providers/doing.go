package providers

import (
	"fmt"
	"strings"
)

// Doing says what was done when err came, as verb and object, and keeps err for
// errors.Is and errors.As. Adapters say that of their calls themselves, and who
// called them in mostly the same words: those are said once, by whoever says more.
// It is nil for a nil err.
func Doing(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return &doing{what: fmt.Sprintf(format, args...), err: err}
}

// doing is an error of Doing.
type doing struct {
	what string
	err  error
}

func (d *doing) Unwrap() error { return d.err }

func (d *doing) Error() string {
	inner := d.err.Error()
	said, rest, more := strings.Cut(inner, ": ")
	outer, same := plainWords(d.what), plainWords(said)
	n := min(len(outer), len(same))
	if n < 2 || strings.Join(outer[:n], " ") != strings.Join(same[:n], " ") {
		return d.what + ": " + inner
	}
	switch {
	case len(same) > len(outer):
		return inner
	case more:
		return d.what + ": " + rest
	}
	return d.what
}

// plainWords are the words of a clause without articles, quotes and commas.
func plainWords(clause string) []string {
	var words []string
	for _, w := range strings.Fields(clause) {
		switch w = strings.Trim(w, `",`); w {
		case "", "a", "an", "the":
		default:
			words = append(words, w)
		}
	}
	return words
}
