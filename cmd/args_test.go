package cmd

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func TestNormalise(t *testing.T) {
	tests := map[string]struct {
		in, want string // words are parted by |
		dashed   bool
	}{
		"one dash":              {in: "plan|-json", want: "plan|--json"},
		"two dashes":            {in: "plan|--json", want: "plan|--json"},
		"value with equals":     {in: `plan|-target=bucket.site["x"]`, want: `plan|--target=bucket.site["x"]`},
		"value with a dash":     {in: "plan|-target|-odd", want: "plan|--target|-odd"},
		"value of var":          {in: "plan|-var|x=-json", want: "plan|--var|x=-json"},
		"negative number":       {in: "plan|-parallelism|-3", want: "plan|--parallelism|-3"},
		"negative inline":       {in: "plan|-parallelism=-3", want: "plan|--parallelism=-3"},
		"bool takes no next":    {in: "apply|-auto-approve|-json", want: "apply|--auto-approve|--json"},
		"before the command":    {in: "-chdir=x|plan", want: "--chdir=x|plan"},
		"separate chdir":        {in: "-chdir|-x|plan|-json", want: "--chdir|-x|plan|--json"},
		"behind --":             {in: "rollback|--|-json", want: "rollback|--|-json"},
		"short help":            {in: "plan|-h", want: "plan|-h"},
		"unknown":               {in: "plan|-jsn", want: "plan|--jsn"},
		"number alone":          {in: "plan|-5", want: "plan|-5"},
		"stdin":                 {in: "fmt|-", want: "fmt|-"},
		"empty":                 {in: "plan||-json", want: "plan||--json"},
		"completion":            {in: "__complete|plan|-js", want: "__complete|plan|--js", dashed: true},
		"completion two dashes": {in: "__complete|plan|--js", want: "__complete|plan|--js"},
		"completion of a dash":  {in: "__complete|plan|-", want: "__complete|plan|--", dashed: true},
		"completion of value":   {in: "__complete|plan|-until=", want: "__complete|plan|--until=", dashed: true},
		"completion of next":    {in: "__complete|plan|-until|", want: "__complete|plan|--until|"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			a := newApp(nil, nil, nil, nil)
			got, dashed := normalise(a.root(), strings.Split(test.in, "|"))
			if want := strings.Split(test.want, "|"); !slices.Equal(got, want) || dashed != test.dashed {
				t.Errorf("normalise(%s) = %s, %t; want %s, %t", test.in, strings.Join(got, "|"), dashed, test.want, test.dashed)
			}
		})
	}
}

func TestNearest(t *testing.T) {
	names := []string{"plan", "apply", "rollback", "links.verify", "json"}
	for word, want := range map[string]string{
		"plna": "plan", "aply": "apply", "rolback": "rollback", "links.verfy": "links.verify", "jsno": "json",
		"xyzzy": "", "rol": "rollback", "": "", "destroy": "",
	} {
		if got := nearest(word, names); got != want {
			t.Errorf("nearest(%q) = %q, want %q", word, got, want)
		}
	}
}

// A flag means the same in every command: normalise reads the values by name.
func TestFlagsAgree(t *testing.T) {
	a := newApp(nil, nil, nil, nil)
	root := a.root()
	types := map[string]string{}
	for _, c := range root.Commands() {
		for name, f := range flagsOf(c) {
			if old, ok := types[name]; ok && old != f {
				t.Errorf("-%s of %s is a %s, elsewhere a %s", name, c.Name(), f, old)
			}
			types[name] = f
		}
	}
}

func TestSingleDash(t *testing.T) {
	var b bytes.Buffer
	w := &singleDash{w: &b}
	if _, err := w.Write([]byte("--json\twrite JSON\nbucket.a--b\n:4\n")); err != nil {
		t.Fatal(err)
	}
	if want := "-json\twrite JSON\nbucket.a--b\n:4\n"; b.String() != want {
		t.Errorf("%q, want %q", b.String(), want)
	}
}

func flagsOf(c *cobra.Command) map[string]string {
	found := map[string]string{}
	c.Flags().VisitAll(func(f *pflag.Flag) { found[f.Name] = f.Value.Type() + f.NoOptDefVal })
	return found
}
