package cmd

import (
	"fmt"
	"path/filepath"
	"reflect"

	"github.com/edgeward/edgeward/cmd/view"
	"github.com/edgeward/edgeward/planner"
)

// intoPlan says at once what would keep the files of this run from being written.
// plan is the saved plan that the run reads, which they must not overwrite; "" is
// none.
func (a *app) intoPlan(plan string) error {
	for _, f := range a.flags.into.files() {
		if plan != "" && samePath(f[1], plan) {
			return refuse("name another file", "-%s=%s is the saved plan itself", f[0], f[1])
		}
	}
	return a.flags.into.check([2]string{"out", a.flags.out})
}

// jsonSchema is the schema of all JSON that the commands write: of a plan, with
// the others among its definitions.
func jsonSchema() map[string]any {
	return view.Schema(map[string]reflect.Type{
		"VerifySites": reflect.TypeFor[sitesReport](), "Providers": reflect.TypeFor[providersList](),
		"Discovery": reflect.TypeFor[planner.Discovery](),
		"Trace":     reflect.TypeFor[traceLine](),
	})
}

func samePath(a, b string) bool {
	x, errX := filepath.Abs(a)
	y, errY := filepath.Abs(b)
	return errX == nil && errY == nil && x == y
}

// writePlan writes p to the files that were asked for.
func (a *app) writePlan(p planner.Plan) error {
	return a.flags.into.write(p, func() string { return view.PlanMarkdown(p) }, func() (string, error) { return view.PlanHTML(p) })
}

// writeStatus writes r to the files that were asked for.
func (a *app) writeStatus(r planner.StatusReport) error {
	return a.flags.into.write(r, func() string { return view.StatusMarkdown(r) }, func() (string, error) { return view.StatusHTML(r) })
}

// writeRun writes a run that has ended, however it did.
func (a *app) writeRun(r view.Run) error {
	return a.flags.into.write(r, func() string { return view.RunMarkdown(r) }, func() (string, error) { return view.RunHTML(r) })
}

// ended is the end of a run whose files could not be written for err: the run's
// own exit code says more than the file's.
func (a *app) ended(code int, err error) error {
	if err == nil || code == 0 {
		if err == nil {
			err = exit(code)
		}
		return err
	}
	fmt.Fprintln(a.stderr, view.Error(err, a.msg))
	return exit(code)
}
