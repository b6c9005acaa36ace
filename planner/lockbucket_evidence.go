package planner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/providers"
)

// evidenceWindow is how long nobody may have reached the bucket directly: as long
// as a change of DNS is said to take everywhere, if it is not shorter since the
// migration.
const evidenceWindow = 72 * time.Hour

// evidence is what one kind of it says of direct requests.
type evidence struct {
	kind string
	// proves: nobody reached the bucket directly. direct is how many did, where some
	// were seen, and last when; with neither nothing is known.
	proves bool
	direct int
	last   time.Time
	// until is when it may prove what it does not yet; zero when nothing will come.
	until time.Time
	// why is a clause.
	why string
}

// evidence looks at what the configuration counts as enough.
func (o *observer) evidence(ctx context.Context, x *accessActual) error {
	x.Evidence = []evidence{}
	for _, kind := range o.b.Lock.Evidence {
		var e evidence
		var err error
		switch kind {
		case config.EvidenceAccessLog:
			e, err = o.logEvidence(ctx, x)
		case config.EvidenceMetrics:
			e, err = o.metricEvidence(ctx)
		default:
			e, err = o.probeEvidence(ctx)
		}
		if err != nil {
			return err
		}
		e.kind = kind
		x.Evidence = append(x.Evidence, e)
	}
	return nil
}

// window is the time that evidence is about.
func (o *observer) window() time.Time {
	since := o.a.Now.Add(-evidenceWindow)
	if at, ok := readTime(o.a.Crumbs[crumbFinished]); ok && at.After(since) {
		return at
	}
	return since
}

// metricEvidence computes bounds, for S3 counts CloudFront's fetches too: direct
// requests are at most all that S3 counted, and at least what it counted beyond
// CloudFront's requests. A period without a value is not known.
func (o *observer) metricEvidence(ctx context.Context) (evidence, error) {
	region := o.region()
	if o.acc.Metrics == nil {
		return evidence{why: "there are no metrics"}, nil
	}
	id, err := o.acc.Metrics.RequestMetrics(ctx, o.b.Name, region)
	switch {
	case errors.Is(err, providers.ErrDenied):
		return evidence{why: "the metrics could not be read: " + err.Error()}, nil
	case err != nil:
		return evidence{}, providers.Doing(err, "read which requests of bucket %s are counted", o.b.Name)
	case id == "":
		return evidence{why: "S3 does not count the bucket's requests"}, nil
	}
	until := o.a.Now.Add(-10 * time.Minute).Truncate(time.Hour)
	q := providers.MetricQuery{Region: region, Namespace: "AWS/S3", Name: "AllRequests", Statistic: "Sum", Period: time.Hour, Until: until,
		From: o.window().Add(time.Hour - 1).Truncate(time.Hour), Dimensions: [][2]string{{"BucketName", o.b.Name}, {"FilterId", id}}}
	if !q.From.Before(q.Until) {
		return evidence{why: "the window is too short for metrics"}, nil
	}
	s3, err := o.acc.Metrics.Series(ctx, q)
	if err == nil {
		q.Region, q.Namespace, q.Name = "us-east-1", "AWS/CloudFront", "Requests"
		q.Dimensions = [][2]string{{"DistributionId", o.a.Dist.ID}, {"Region", "Global"}}
		var edge []providers.MetricValue
		if edge, err = o.acc.Metrics.Series(ctx, q); err == nil {
			return boundDirect(s3, edge, int(q.Until.Sub(q.From)/time.Hour)), nil
		}
	}
	if errors.Is(err, providers.ErrDenied) {
		return evidence{why: "the metrics could not be read: " + err.Error()}, nil
	}
	return evidence{}, providers.Doing(err, "read the metrics of bucket %s", o.b.Name)
}

// boundDirect judges the values of periods hours.
func boundDirect(s3, edge []providers.MetricValue, periods int) evidence {
	served := map[int64]float64{}
	for _, v := range edge {
		served[v.Time.Unix()] = v.Value
	}
	var e evidence
	low, high := 0.0, 0.0
	for _, v := range s3 {
		high += v.Value
		if fetched, known := served[v.Time.Unix()]; known && v.Value > fetched {
			low += v.Value - fetched
			e.last = v.Time.Add(time.Hour)
		}
	}
	switch {
	case low > 0:
		e.direct, e.why = int(low+0.5), fmt.Sprintf("S3 counted at least %.0f requests more than CloudFront had, which were direct", low)
	case len(s3) == 0:
		e.why = "the metrics have no value, which is not 0"
	case high == 0 && len(s3) == periods:
		e.proves, e.why = true, "S3 counted no request at all"
	default:
		e.why = fmt.Sprintf("of %.0f requests that S3 counted in %d of %d hours some may be CloudFront's fetches and some direct: between 0 and %.0f", high, len(s3), periods, high)
	}
	return e
}

// probeEvidence asks every resolver. It is about these, and about nobody who keeps
// an address of his own.
func (o *observer) probeEvidence(ctx context.Context) (evidence, error) {
	asked := 0
	for i := range o.a.Names {
		n := &o.a.Names[i]
		as, err := o.w.Resolver.Resolve(ctx, n.CNAME.Name, n.question())
		if err != nil {
			return evidence{}, providers.Doing(err, "ask the resolvers for %s", n.CNAME.Name)
		}
		for _, a := range as {
			asked++
			right := answersWith(a, o.a.Dist.Domain) || n.alias() && hasAddress(a)
			if !right && a.Err == "" && len(a.Records) > 0 {
				return evidence{direct: 1, last: o.a.Now, why: a.Server + " still answers " + says(a)}, nil
			}
			if !right {
				return evidence{why: a.Server + " answers " + says(a)}, nil
			}
		}
	}
	if asked == 0 {
		return evidence{why: "no resolver was asked"}, nil
	}
	return evidence{proves: true, why: "every resolver answers with the distribution"}, nil
}

// ruling is what all evidence together says; soon: it may be enough later, by
// itself.
type ruling struct {
	enough, direct, soon bool
	why                  string
	until                time.Time
}

// judgeEvidence: one kind that the configuration names is enough, and none may
// speak against it.
func judgeEvidence(b config.Bucket, a Actual) ruling {
	var r ruling
	var whys []string
	var soon time.Time
	for _, e := range a.Access.Evidence {
		whys = append(whys, e.why)
		r.enough, soon = r.enough || e.proves, later(soon, e.until)
		if e.direct > 0 {
			r.direct, r.why = true, e.why
			if until := e.last.Add(evidenceWindow); e.kind != config.EvidenceProbes && until.After(r.until) && until.After(a.Now) {
				r.until = until
			}
		}
	}
	switch {
	case r.direct:
		r.why += "; until nobody does, they would be refused"
	case r.enough:
		r.why = strings.Join(whys, "; ")
	case a.NoEvidence:
		r.why = "accepted without evidence: " + strings.Join(whys, "; ")
	case !soon.IsZero():
		r.soon, r.until, r.why = true, soon, strings.Join(whys, "; ")
	default:
		r.why = "nothing shows that nobody reaches the bucket directly: " + strings.Join(whys, "; ") + ". " + needsEvidence(b, a)
	}
	return r
}

func needsEvidence(b config.Bucket, a Actual) string {
	return "Let S3 write an access log of the bucket, or count its requests, or name what is enough in lock { evidence }; or edgeward apply -accept-no-evidence -target='" + b.Address + "'"
}

// withoutEvidence says long before the lock is due that it will lack what shows
// that nobody reaches the bucket directly.
func withoutEvidence(b config.Bucket, a Actual) []Finding {
	wants := func(kind string) bool { return slices.Contains(b.Lock.Evidence, kind) }
	metrics := wants(config.EvidenceMetrics)
	if a.Bucket == nil || a.Bucket.Log.Bucket != "" || wants(config.EvidenceProbes) || metrics && b.Watch.S3Metrics {
		return nil
	}
	title, text := "nothing will show that nobody reaches bucket "+b.Name+" directly", "lock { evidence } wants its access log, and it has none. "
	if metrics {
		title = "it may be that nothing will show that nobody reaches bucket " + b.Name + " directly"
		text = "the bucket has no access log, and watch { s3_metrics = true }, which has S3 count its requests, is not set. "
	}
	return []Finding{{Warning, "lock-no-evidence", title, text + needsEvidence(b, a)}}
}

// evidenceFindings say what the lock lacks, or what stands in for it.
func evidenceFindings(b config.Bucket, a Actual) []Finding {
	x := a.Access
	switch {
	case x == nil || a.blocking():
		return nil
	case x.Evidence == nil:
		return withoutEvidence(b, a)
	}
	switch r := judgeEvidence(b, a); {
	case r.direct, r.soon:
		return nil // the step waits and says so
	case !r.enough && a.NoEvidence:
		return []Finding{{Warning, "lock-no-evidence", "bucket " + b.Name + " is locked without evidence", r.why + ". Whoever still reaches S3 directly will be refused (403)"}}
	case !r.enough:
		return []Finding{{Error, "lock-no-evidence", "bucket " + b.Name + " is not locked without evidence", r.why}}
	}
	return nil
}
