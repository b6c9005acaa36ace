package providers

import (
	"errors"
	"strings"
	"testing"
)

func TestRecovered(t *testing.T) {
	var none map[string]int
	err := func() (err error) {
		defer Recovered(&err)
		none["x"] = 1
		return nil
	}()
	var p *PanicError
	if !errors.As(err, &p) || !strings.Contains(err.Error(), "internal error: assignment to entry in nil map at providers/panic_test.go:") || !strings.Contains(string(p.Stack), "TestRecovered") {
		t.Errorf("%v", err)
	}
	cause := errors.New("cause")
	err = func() (err error) {
		defer Recovered(&err)
		panic(cause)
	}()
	if !errors.Is(err, cause) {
		t.Errorf("%v", err)
	}
	if err := func() (err error) { defer Recovered(&err); return cause }(); err != cause {
		t.Errorf("what is no panic was changed: %v", err)
	}
}
