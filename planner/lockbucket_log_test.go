package planner

import (
	"strings"
	"testing"
	"time"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/providers"
)

// edgeFetch is what CloudFront fetches from the bucket without a signature.
func edgeFetch(at time.Time) providers.LogEntry {
	return providers.LogEntry{Time: at, Operation: "REST.GET.OBJECT", Method: "GET", Path: "/index.html", Status: 200,
		Host: assets + ".s3.eu-west-1.amazonaws.com", UserAgent: cloudFrontAgent}
}

// TestLogReader: what a lock would refuse counts as direct, and so does what is not
// known.
func TestLogReader(t *testing.T) {
	ready := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	r := logReader{origin: assets + ".s3.eu-west-1.amazonaws.com", account: "123456789012", signs: ready}
	edge := func(change func(*providers.LogEntry)) providers.LogEntry {
		e := edgeFetch(ready.Add(-time.Hour))
		change(&e)
		return e
	}
	visitor := func(change func(*providers.LogEntry)) providers.LogEntry {
		return edge(func(e *providers.LogEntry) {
			e.Host, e.UserAgent = assets, "Mozilla/5.0"
			change(e)
		})
	}
	signed := func(by string) providers.LogEntry {
		return visitor(func(e *providers.LogEntry) { e.Signed, e.Signer, e.UserAgent = true, by, "Boto3/1" })
	}
	status := func(code int) providers.LogEntry { return visitor(func(e *providers.LogEntry) { e.Status = code }) }
	for what, tc := range map[string]struct {
		e    providers.LogEntry
		want reader
	}{
		"CloudFront with a control":      {signed(providers.SignerCloudFront), signedFetch},
		"CloudFront before it signed":    {edge(func(*providers.LogEntry) {}), plainFetch},
		"CloudFront since it signs":      {edge(func(e *providers.LogEntry) { e.Time = ready.Add(time.Second) }), directRequest},
		"CloudFront, another endpoint":   {edge(func(e *providers.LogEntry) { e.Host = assets + ".s3.amazonaws.com" }), directRequest},
		"CloudFront, the website":        {edge(func(e *providers.LogEntry) { e.Operation = "WEBSITE.GET.OBJECT" }), directRequest},
		"CloudFront, no host":            {edge(func(e *providers.LogEntry) { e.Host = "" }), directRequest},
		"like CloudFront":                {edge(func(e *providers.LogEntry) { e.UserAgent = "Amazon CloudFront 2" }), directRequest},
		"a visitor":                      {visitor(func(*providers.LogEntry) {}), directRequest},
		"a visitor of the website":       {visitor(func(e *providers.LogEntry) { e.Operation = "WEBSITE.GET.OBJECT" }), directRequest},
		"HEAD":                           {visitor(func(e *providers.LogEntry) { e.Operation, e.Method = "REST.HEAD.OBJECT", "HEAD" }), directRequest},
		"a listing":                      {visitor(func(e *providers.LogEntry) { e.Operation = "REST.GET.BUCKET" }), directRequest},
		"an upload of nobody's":          {visitor(func(e *providers.LogEntry) { e.Operation, e.Method = "REST.PUT.OBJECT", "PUT" }), directRequest},
		"a deletion of nobody's":         {visitor(func(e *providers.LogEntry) { e.Operation, e.Method = "BATCH.DELETE.OBJECT", "" }), directRequest},
		"a part":                         {status(206), directRequest},
		"not modified":                   {status(304), directRequest},
		"a precondition":                 {status(412), directRequest},
		"a range that is not":            {status(416), directRequest},
		"S3 was busy":                    {status(503), directRequest},
		"no status":                      {status(0), directRequest},
		"refused":                        {status(403), unharmed},
		"missing":                        {status(404), unharmed},
		"a preflight":                    {visitor(func(e *providers.LogEntry) { e.Operation, e.Method = "REST.OPTIONS.PREFLIGHT", "OPTIONS" }), unharmed},
		"a lifecycle rule":               {providers.LogEntry{Time: ready, Operation: "S3.EXPIRE.OBJECT", Signed: true, Signer: providers.SignerUnknown}, unharmed},
		"our own look":                   {visitor(func(e *providers.LogEntry) { e.UserAgent = "edgeward/1.0" }), unharmed},
		"the owner":                      {signed(providers.SignerOwner), unharmed},
		"the account":                    {signed("123456789012"), unharmed},
		"a service":                      {signed("config.amazonaws.com"), unharmed},
		"another account":                {signed("111122223333"), directRequest},
		"a canonical ID, or an identity": {signed(providers.SignerUnknown), directRequest},
		"signed, the log says not whose": {signed(""), directRequest},
		"presigned by another account": {visitor(func(e *providers.LogEntry) {
			e.Signed, e.Presigned, e.Signer = true, true, "111122223333"
		}), directRequest},
		"CloudFront's name, signed elsewhere": {edge(func(e *providers.LogEntry) { e.Signed, e.Signer = true, "111122223333" }), directRequest},
		"a line that nobody can read":         {providers.LogEntry{Time: ready}, oddLine},
	} {
		if got := r.of(tc.e); got != tc.want {
			t.Errorf("%s: %d, want %d", what, got, tc.want)
		}
	}
	r.account = ""
	if got := r.of(signed("")); got != directRequest {
		t.Errorf("without the account's number: %d", got)
	}
}

// TestLogJudged: a log proves only what it can show.
func TestLogJudged(t *testing.T) {
	now := time.Date(2026, 1, 9, 12, 0, 0, 0, time.UTC)
	ready := now.Add(-30 * time.Hour)
	fetches := logLooked{signed: 3, plain: 4, first: now.Add(-73 * time.Hour), newest: now.Add(-time.Hour)}
	with := func(change func(*logLooked)) logLooked {
		l := fetches
		change(&l)
		return l
	}
	for what, tc := range map[string]struct {
		l      logLooked
		files  int
		signs  time.Time
		proves bool
		until  time.Time
		says   string
	}{
		"a day of signed fetches alone": {fetches, 5, ready, true, time.Time{}, "7 fetches of CloudFront's and no direct request"},
		"nothing signs yet":             {fetches, 5, time.Time{}, true, time.Time{}, "no direct request"},
		"an hour of them":               {fetches, 5, now.Add(-2 * time.Hour), false, now.Add(22 * time.Hour), "another account's distribution"},
		"the log lags":                  {fetches, 5, now.Add(-24*time.Hour - 30*time.Minute), false, now.Add(logPause), "another account's distribution"},
		"only ever signed":              {with(func(l *logLooked) { l.plain = 0 }), 5, now.Add(-time.Minute), true, time.Time{}, "3 fetches"},
		"no fetch":                      {logLooked{newest: now}, 5, ready, false, time.Time{}, "says nothing"},
		"switched on an hour ago":       {with(func(l *logLooked) { l.first = now.Add(-time.Hour) }), 5, ready, false, now.Add(71 * time.Hour), "says nothing of the time before"},
		"an odd line":                   {with(func(l *logLooked) { l.odd = 1 }), 5, ready, false, time.Time{}, "1 line of the access log"},
		"ended":                         {with(func(l *logLooked) { l.newest = now.Add(-25 * time.Hour) }), 5, ready, false, time.Time{}, "ends at"},
		"too long":                      {fetches, maxEvidenceFiles, ready, false, time.Time{}, "too long"},
		"direct":                        {with(func(l *logLooked) { l.direct = 2 }), 5, ready, false, time.Time{}, "2 direct requests"},
	} {
		e := tc.l.judge(now.Add(-72*time.Hour), now, tc.files, tc.signs, signedWindow)
		if e.proves != tc.proves || !e.until.Equal(tc.until) || !strings.Contains(e.why, tc.says) || e.direct != tc.l.direct {
			t.Errorf("%s: %+v", what, e)
		}
	}
}

// TestLockWaitsForASignedLog: what CloudFront fetches without a signature may be
// another account's distribution, whose visitors a lock would refuse. Only a log
// in which nothing but signed fetches is left shows that it is none.
func TestLockWaitsForASignedLog(t *testing.T) {
	for what, others := range map[string]bool{"nobody else": false, "another account's distribution": true} {
		t.Run(what, func(t *testing.T) {
			inLocked(t, func(l *lab) {
				l.config.Buckets[0].Lock.Evidence = []string{config.EvidenceAccessLog}
			}, func(t *testing.T, s *session) {
				s.moved()
				s.w.AddAccessLog(assets, edgeFetch(time.Now().Add(-time.Hour)), edgeFetch(time.Now().Add(-9*time.Hour)))
				short := func(x *Executor) { x.WaitTimeout = time.Hour }
				x := one(t, s.run(t.Context(), s.plan(t.Context(), Migrate), short))
				ready := crumbs(s.w.Distributions()[0].Tags).lock()
				if x.Outcome != OutcomeWaiting || x.Stage != BucketLock || ready.state != lockReady || x.Until == nil || !x.Until.Equal(ready.at.Add(2*time.Hour)) || !s.public() {
					t.Fatalf("%+v, the lock is %q, public %t", x, ready, s.public())
				}
				pause1(t, 4*time.Hour)
				signed := edgeFetch(time.Now().Add(-time.Hour))
				signed.Signed, signed.Signer, signed.UserAgent = true, providers.SignerCloudFront, ""
				log := []providers.LogEntry{signed}
				if others {
					log = append(log, edgeFetch(time.Now().Add(-90*time.Minute)))
				}
				s.w.AddAccessLog(assets, log...)
				want := OutcomeFinished
				if others {
					want = OutcomeWaiting
				}
				x = one(t, s.run(t.Context(), s.plan(t.Context(), Migrate), short))
				if x.Outcome != want || s.public() != others {
					t.Errorf("%+v, public %t", x, s.public())
				}
				s.served()
			})
		})
	}
}

// TestLockWaitsForAYoungLog: a log shows nothing of the time before it was switched
// on, so it has to be as long as what it is to prove.
func TestLockWaitsForAYoungLog(t *testing.T) {
	inLocked(t, func(l *lab) {
		l.config.Buckets[0].Lock.Evidence = []string{config.EvidenceAccessLog}
		l.config.Buckets[0].Lock.After = 7 * 24 * time.Hour
	}, func(t *testing.T, s *session) {
		s.moved()
		pause1(t, 8*24*time.Hour)
		fetch := func(at time.Time) {
			e := edgeFetch(at)
			e.Signed, e.Signer, e.UserAgent = true, providers.SignerCloudFront, ""
			s.w.AddAccessLog(assets, e)
		}
		first := time.Now().Add(-30 * time.Minute).Truncate(time.Second)
		fetch(first)
		lock := func() Result {
			return one(t, s.run(t.Context(), s.plan(t.Context(), Migrate), func(x *Executor) { x.WaitTimeout = time.Hour }))
		}
		if x := lock(); x.Outcome != OutcomeWaiting || x.Stage != BucketLock || x.Until == nil || !x.Until.Equal(first.Add(evidenceWindow)) || !s.public() {
			t.Fatalf("%+v, public %t", x, s.public())
		}
		for range 3 { // one a day is enough to show that it goes on
			pause1(t, 24*time.Hour)
			fetch(time.Now().Add(-time.Hour))
		}
		if x := lock(); x.Outcome != OutcomeFinished || s.public() {
			t.Errorf("%+v, public %t", x, s.public())
		}
		s.served()
	})
}
