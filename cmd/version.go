package cmd

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

// What the release writes here at link time; "" in other builds.
var version, commit, date string

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Long: `version prints the version of edgeward, the commit it was built from and the Go
that built it.`,
		Args:        noArguments,
		Annotations: map[string]string{noFolder: "yes"},
		RunE:        func(*cobra.Command, []string) error { return a.printVersion() },
	}
}

func (a *app) printVersion() error {
	info, _ := debug.ReadBuildInfo()
	b := buildOf(info)
	line := "edgeward " + b.version
	if about := strings.Join(b.about, ", "); about != "" {
		line += " (" + about + ")"
	}
	_, err := fmt.Fprintf(a.stdout, "%s %s %s/%s\n", line, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}

// buildVersion is the version alone, for the User-Agent header.
func buildVersion() string {
	info, _ := debug.ReadBuildInfo()
	return buildOf(info).version
}

// build is what is known of this binary.
type build struct {
	version string
	about   []string
}

// buildOf prefers what the release stamped; else info, which go install and go
// build fill and which may be nil.
func buildOf(info *debug.BuildInfo) build {
	b := build{version: "v" + strings.TrimPrefix(version, "v")}
	if version != "" {
		for _, s := range []string{short(commit), date} {
			if s != "" {
				b.about = append(b.about, s)
			}
		}
		return b
	}
	b.version = "devel"
	if info == nil {
		return b
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		b.version = v
	}
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	for _, s := range []string{short(settings["vcs.revision"]), settings["vcs.time"]} {
		if s != "" {
			b.about = append(b.about, s)
		}
	}
	if settings["vcs.modified"] == "true" {
		b.about = append(b.about, "modified")
	}
	return b
}

func short(commit string) string { return commit[:min(len(commit), 12)] }
