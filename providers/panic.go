package providers

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
)

// PanicError is a fault of the program itself, which Recovered caught. It says
// nothing about the world: another try meets it again.
type PanicError struct {
	// Value is what the program broke down with; At is the line of ours where, or "".
	Value any
	At    string
	// Stack is for those who mend the program. It may hold what no report should.
	Stack []byte
}

func (e *PanicError) Error() string {
	if e.At == "" {
		return fmt.Sprintf("internal error: %v", e.Value)
	}
	return fmt.Sprintf("internal error: %v at %s", e.Value, e.At)
}

// Hint says what to do.
func (e *PanicError) Hint() string {
	return "this is a fault of edgeward: report this line, the version and what EDGEWARD_DEBUG=1 prints besides. No name is left half-way: run it again, it goes on from what it finds"
}

// Unwrap is what the program broke down with, where that is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// Recovered turns a panic into a *PanicError in *err. A panic ends the process,
// with an exit code that means something else here, unless its own goroutine
// stops it: so this is the first that every goroutine with an error defers.
func Recovered(err *error) {
	if v := recover(); v != nil {
		*err = &PanicError{Value: v, At: ours(), Stack: debug.Stack()}
	}
}

// ours is the line of this module that panicked.
func ours() string {
	pcs := make([]uintptr, 64)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs)]) // behind the one that defers
	for panicked := false; ; {
		f, more := frames.Next()
		if strings.HasPrefix(f.Function, "runtime.") {
			panicked = true
		} else if _, path, ok := strings.Cut(f.Function, "edgeward/edgeward/"); ok && panicked {
			folder := ""
			if i := strings.LastIndexByte(path, '/'); i >= 0 {
				folder = path[:i+1]
			}
			name, _, _ := strings.Cut(path[len(folder):], ".")
			return fmt.Sprintf("%s%s/%s:%d", folder, name, f.File[strings.LastIndexByte(f.File, '/')+1:], f.Line)
		}
		if !more {
			return ""
		}
	}
}
