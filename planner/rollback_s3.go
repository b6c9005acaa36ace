package planner

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/providers"
)

// How the place of the old record is looked at before a name goes back to it:
// with so many links that somebody serves, and in so many looks in a row. As many
// that show it wrong are needed before that counts.
const (
	backLinks = 4
	backLooks = 3
	backPause = 5 * time.Second
	backBytes = 1 << 10
)

// backLook is one look at both places: how many links each serves, of those that
// one of them does.
type backLook struct {
	old, now int
	// lost is a link that the old place does not serve, and what it answers.
	lost string
	// unseen is why the old place has given no answer at all, "" when it has.
	unseen string
}

// worse: visitors would get less there than they get now.
func (l backLook) worse() bool { return l.old == 0 || l.old < l.now }

// oldPlace is where visitors of the moved name are sent by its old record, to be
// dialled; false where no visitor is sent anywhere by this way back.
func oldPlace(b config.Bucket, a Actual) (dial string, ok bool) {
	n := a.moved(b)
	if n == nil || n.Serves != servesOurs || a.Dist == nil {
		return "", false
	}
	old, err := oldRecords(b, a, *n)
	if err != nil {
		return "", false // the stage says it
	}
	for _, r := range old {
		if dial == "" || r.Type != "AAAA" {
			dial = r.Value
		}
		if e, ok := parseEndpoint(r.Value); ok && r.Alias && regionOf(b, a) != "" { // of all buckets of a region
			dial = originDomain(b.Name, regionOf(b, a), e.kind)
		}
	}
	return dial, dial != ""
}

// seesOld looks whether the place of the old record serves visitors, as they will
// ask it, no less than the distribution does. right is how many looks in a row
// have to show that; one is enough where the distribution serves nothing. It gives
// the finding that keeps the names where they are, nil for none. The error is ctx's
// alone.
func seesOld(ctx context.Context, w providers.World, b config.Bucket, a Actual, right int) (*Finding, error) {
	dial, ok := oldPlace(b, a)
	if !ok {
		return nil, ctx.Err()
	}
	paths := watchPaths(ctx, w.Accounts[b.Account], b, a)
	if len(paths) == 0 {
		paths = []string{"/"}
	}
	for good, bad := 0, 0; ; {
		l := lookBoth(ctx, w.Web, b, a, dial, paths)
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case l.worse():
			good, bad = 0, bad+1
		default:
			good++
		}
		switch {
		case bad == backLooks:
			f := lostFinding(b, dial, l)
			return &f, nil
		case good > 0 && l.now == 0, good >= right:
			return nil, nil
		}
		back := providers.Idle(ctx)
		err := w.Clock.Sleep(ctx, backPause)
		back()
		if err != nil {
			return nil, err
		}
	}
}

// lookBoth fetches links from both places.
func lookBoth(ctx context.Context, web providers.Web, b config.Bucket, a Actual, dial string, paths []string) backLook {
	var l backLook
	now := "http://"
	if a.Dist.Settings.ViewerProtocol != "allow-all" { // else a redirect would say nothing
		now = "https://"
	}
	answered, links := false, 0
	for _, p := range paths {
		get := func(scheme, dial string) (providers.Response, error) {
			r := providers.Request{Method: http.MethodGet, URL: scheme + b.Name + p, Dial: dial, Limit: backBytes}
			got, err := web.Fetch(ctx, r)
			if err != nil && ctx.Err() == nil { // a lost packet is no refusal
				return web.Fetch(ctx, r)
			}
			return got, err
		}
		old, err := get("http://", dial)
		answered = answered || err == nil
		serves := err == nil && old.Status < 400
		live, liveErr := get(now, a.Dist.Domain)
		if liveErr == nil && live.Status < 400 {
			l.now++
		}
		switch {
		case serves:
			l.old++
		case err != nil:
			l.unseen, l.lost = err.Error(), "no answer for "+p
		default:
			l.lost = fmt.Sprintf("%d for %s", old.Status, p)
		}
		if serves || liveErr == nil && live.Status < 400 {
			links++
		}
		if links == backLinks || ctx.Err() != nil {
			break
		}
	}
	if answered {
		l.unseen = ""
	}
	return l
}

// codeS3Lost is the code of the finding that visitors would not be served where
// their names go back to.
const codeS3Lost = "s3-lost"

// lostFinding says what visitors would meet at dial, and what to do.
func lostFinding(b config.Bucket, dial string, l backLook) Finding {
	at := "S3"
	if _, ok := parseEndpoint(dial); !ok {
		at = dial + ", to which the old record points,"
	}
	f := Finding{Severity: Error, Code: codeS3Lost}
	anyway := goBackBy(b, "-accept-s3-loss")
	switch {
	case l.unseen != "":
		f.Summary = fmt.Sprintf("%s cannot be asked as visitors of %s would ask it: %s", at, b.Name, l.unseen)
		f.Detail = "the names stay the distribution's, for nothing shows that visitors would be served there. Go back from a machine that reaches it over http; or, if you know that it answers: " + anyway
		return f
	case l.now == 0:
		f.Summary = fmt.Sprintf("%s serves visitors of %s no test link (%s), and CloudFront does not either", at, b.Name, l.lost)
	default:
		f.Summary = fmt.Sprintf("%s serves visitors of %s %d of the test links and CloudFront %d: it answers %s", at, b.Name, l.old, l.now, l.lost)
	}
	f.Detail = "the names stay the distribution's. Have everybody read the bucket again (its public access block, its policy), then run this again; to go back all the same, knowing what visitors will meet: " + anyway
	return f
}

// goBackBy is the command that goes back with the bucket by a flag.
func goBackBy(b config.Bucket, flag string) string {
	if id, ok := strings.CutPrefix(b.Address, orphanAddress); ok {
		return "edgeward rollback " + flag + " -distribution=" + id
	}
	return "edgeward rollback " + flag + " -target='" + b.Address + "'"
}

// lostError ends a way back before anything was written: visitors would lose by
// it.
type lostError struct{ f Finding }

func (e *lostError) Error() string { return e.f.Summary }

// Hint says what to do.
func (e *lostError) Hint() string { return e.f.Detail }

// Unwrap makes it one of the errors that another try at once does not mend.
func (e *lostError) Unwrap() error { return providers.ErrConflict }
