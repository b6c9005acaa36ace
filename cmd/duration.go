package cmd

import (
	"time"

	"github.com/spf13/pflag"

	"github.com/edgeward/edgeward/config"
)

// duration is a flag's value as the configuration writes durations: "90s", "7d".
type duration struct{ d *time.Duration }

// durationFlag registers a flag whose value is a duration.
func durationFlag(f *pflag.FlagSet, d *time.Duration, name string, otherwise time.Duration, usage string) {
	*d = otherwise
	f.Var(duration{d}, name, usage)
}

func (v duration) String() string { return v.d.String() }

func (v duration) Type() string { return "duration" }

func (v duration) Set(text string) (err error) {
	*v.d, err = config.ParseDuration(text)
	return err
}
