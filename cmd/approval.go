package cmd

import (
	"fmt"
	"os"
	"os/user"

	"github.com/edgeward/edgeward/cmd/view"
	"github.com/edgeward/edgeward/planner"
	"github.com/edgeward/edgeward/providers/dns"
)

// approves writes down when the plan was approved, and who ran edgeward. In a
// simulated world there is nobody to name.
func (a *app) approves(w world) {
	if a.approved == nil {
		return
	}
	a.approved.At = w.Clock.Now().UTC()
	if w.sandbox == nil {
		a.approved.By = a.who()
	}
}

// who runs edgeward: the name that a CI job gives, with the job's page, else the
// user and the machine. It is a name that helps to ask, and no proof of who it was.
func (a *app) who() string {
	value := func(name string) string { v, _ := a.env(name); return v }
	jobs := []struct{ name, page string }{
		{value("GITHUB_ACTOR"), value("GITHUB_SERVER_URL") + "/" + value("GITHUB_REPOSITORY") + "/actions/runs/" + value("GITHUB_RUN_ID")},
		{value("GITLAB_USER_LOGIN"), value("CI_JOB_URL")},
		{value("BUILDKITE_BUILD_CREATOR"), value("BUILDKITE_BUILD_URL")},
	}
	for _, j := range jobs {
		if j.name != "" {
			return j.name + " in " + j.page
		}
	}
	host, err := os.Hostname()
	if err != nil {
		host = "an unnamed machine"
	}
	u, err := user.Current()
	if err != nil {
		return "somebody at " + host
	}
	return u.Username + "@" + host
}

// ranIn adds to r what tells it from runs of other configurations, worlds and parts.
func (a *app) ranIn(w world, o planner.Options, r view.Run) view.Run {
	r.Configuration = w.config.Digest(dnsTypes(dns.Types()))
	r.Sandbox = w.sandbox != nil
	r.Approval = a.approved
	if o.Shard.Of > 1 {
		r.Shard = fmt.Sprintf("%d/%d", o.Shard.Index, o.Shard.Of)
	}
	return r
}
