package planner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/planner/proof"
	"github.com/edgeward/edgeward/providers"
)

// VerifyOptions are how verify compares. The zero value compares as an apply
// would.
type VerifyOptions struct {
	// Parallel is how many requests of one bucket are under way at a time, Rate
	// how many begin each second at each host; 0 leaves both to proof.Options.
	Parallel int
	Rate     float64
	// Seed chooses the sample; "" is the one of the bucket, which apply uses too.
	Seed string
	// MaxRequests and MaxBytes bound the comparison of each bucket; 0 is what
	// verify { max_requests, max_bytes } says.
	MaxRequests int
	MaxBytes    int64
	// Resume has what an earlier, interrupted verify with the same seed found: by
	// what Keep was told it is of, then by path. Keep is called for each target that
	// is finished, one at a time over all buckets; its error ends the bucket. It is
	// told an address and the ETag of the distribution: what was found of another
	// version of it is not taken up. Both may be nil.
	Resume map[string]map[string]proof.Outcome
	Keep   func(of string, o proof.Outcome) error
	// Progress is called one at a time over all buckets, now and then. May be nil.
	Progress func(address string, p proof.Progress)
}

// Verify compares every chosen bucket as visitors reach it at S3 with its
// distribution under the real names, before, during and after a migration.
// Nothing is written to the world, and nothing but the two sites is fetched.
// What concerns one bucket alone stands in the report; the error is for what
// stops the whole run, as in Make: a target that matches nothing, credentials,
// ctx. Then the report is not to be used.
func Verify(ctx context.Context, w providers.World, c *config.Config, o Options, v VerifyOptions) (VerifyReport, error) {
	r := VerifyReport{FormatVersion: FormatVersion, Verdict: proof.Same, Differences: []VerifyDifference{}}
	chosen, err := choose(c, o)
	if err != nil {
		return r, err
	}
	v = v.oneAtATime()
	proofs, results := make([]BucketProof, len(chosen)), make([]proof.Result, len(chosen))
	err = eachBucket(ctx, c, o, chosen, func(ctx context.Context, i int, b config.Bucket) error {
		a, err := patiently(ctx, w, c, b, PartTags|PartFull|PartBucket|PartObjects|partProof)
		if !stopsAll(ctx, err) {
			proofs[i], results[i], err = verifyBucket(ctx, w, b, a, err, v)
		}
		return err
	})
	if err != nil {
		return r, err
	}
	r.Buckets = proofs
	compared, failed := 0, 0
	for i, p := range proofs {
		switch {
		case p.Compared:
			compared++
		case p.Failed:
			failed++
		}
		if r.Verdict = r.Verdict.Worst(p.Verdict); !p.Compared && p.Verdict.Passes() {
			r.Buckets[i].Verdict = proof.NotCompared
		}
		r.Requests += p.Requests
		r.Bytes += p.Bytes
		r.Paths += results[i].Paths
		r.More += results[i].More
		for _, d := range results[i].Differences {
			r.Differences = append(r.Differences, VerifyDifference{Address: p.Address, Difference: d})
		}
	}
	if r.Verdict.Passes() && (compared == 0 || failed > 0) {
		r.Verdict = proof.NotCompared
	}
	return r, nil
}

// oneAtATime guards what is called for many buckets that are compared together.
func (v VerifyOptions) oneAtATime() VerifyOptions {
	mu := &sync.Mutex{}
	if keep := v.Keep; keep != nil {
		v.Keep = func(of string, o proof.Outcome) error {
			mu.Lock()
			defer mu.Unlock()
			return keep(of, o)
		}
	}
	if progress := v.Progress; progress != nil {
		v.Progress = func(address string, p proof.Progress) {
			mu.Lock()
			defer mu.Unlock()
			progress(address, p)
		}
	}
	return v
}

// verifyBucket is one bucket's part; its error is ctx's, or Keep's.
func verifyBucket(ctx context.Context, w providers.World, b config.Bucket, a Actual, lookErr error, v VerifyOptions) (BucketProof, proof.Result, error) {
	seed := cmp.Or(v.Seed, seedOf(b))
	p := BucketProof{Address: b.Address, Verdict: proof.Same, Seed: seed, Targets: []proof.Target{}}
	if lookErr != nil {
		p.Standing, p.Findings = StandBlocked, []Finding{lookFinding(lookErr)}
		p.fail(lookErr)
		return p, proof.Result{}, nil
	}
	p.Findings = linkFindings(b, a)
	p.Standing = standing(a, p.Findings)
	if i := slices.IndexFunc(p.Findings, func(f Finding) bool { return f.Severity == Error }); i >= 0 || a.Bucket == nil {
		p.Failed, p.Why = true, "the settings of bucket "+b.Name+" are not known"
		if i >= 0 {
			p.Why, p.Hint = p.Findings[i].Summary, p.Findings[i].Detail
		}
		return p, proof.Result{}, nil
	}
	choice := proof.Choose(question(b, a, seed))
	p.Archived = choice.Archived[:min(len(choice.Archived), 20)]
	p.MoreArchived = len(choice.Archived) - len(p.Archived)
	opts := v.comparison(w, b, a, seed)
	p.Left, p.Right, p.Targets = opts.Left, opts.Right, choice.Targets
	if a.Dist == nil {
		return p, proof.Result{}, p.readS3(ctx, opts)
	}
	r, err := p.compare(ctx, opts, choice)
	if err == nil && p.Compared && r.Verdict.Passes() && r.Objects == 0 && !redirectsAll(b, a) {
		p.Compared = false
		p.fail(errNothingReadable())
	}
	return p, r, err
}

// comparison is comparison with what the options of verify change.
func (v VerifyOptions) comparison(w providers.World, b config.Bucket, a Actual, seed string) proof.Options {
	o := comparison(w, b, a, seed)
	o.Parallel, o.Rate = v.Parallel, v.Rate
	o.MaxRequests = cmp.Or(v.MaxRequests, o.MaxRequests)
	o.MaxBytes = cmp.Or(v.MaxBytes, o.MaxBytes)
	of := b.Address
	if a.Dist != nil {
		of += " " + a.Dist.ETag
	}
	o.Resume = v.Resume[of]
	if v.Keep != nil {
		o.Keep = func(x proof.Outcome) error { return v.Keep(of, x) }
	}
	if v.Progress != nil {
		o.Progress = func(x proof.Progress) { v.Progress(b.Address, x) }
	}
	return o
}

// compare asks both sites.
func (p *BucketProof) compare(ctx context.Context, o proof.Options, c proof.Choice) (proof.Result, error) {
	targets, sent, err := proof.Widen(ctx, o, c)
	if err != nil {
		return proof.Result{}, err
	}
	p.Targets = targets
	o.MaxRequests = remaining(o.MaxRequests, sent)
	r, err := proof.Compare(ctx, o, targets)
	p.Requests, p.Bytes = r.Requests+sent, r.Bytes
	p.Readable, p.Refused, p.NoCacheControl, p.Repeated = r.Readable, r.Refused, r.NoCacheControl, r.Repeated
	p.Verdict = proof.Same.Worst(r.Verdict)
	var left *proof.LeftError
	var budget *proof.BudgetError
	switch {
	case errors.As(err, &left), errors.As(err, &budget):
		p.fail(err)
	case err != nil:
		return r, err
	default:
		p.Compared, p.Digest = true, r.Digest
	}
	return r, nil
}

// readS3 asks S3 alone: what the user named must be readable.
func (p *BucketProof) readS3(ctx context.Context, o proof.Options) error {
	p.Why = "there is no distribution yet, so there is nothing to compare S3 with"
	p.Hint = "edgeward apply -until=" + string(LinksVerify) + " makes it and compares; no visitor is sent there before"
	asked := p.Targets
	if o.MaxRequests > 0 {
		asked = asked[:min(len(asked), o.MaxRequests)]
	}
	heads, err := proof.Heads(ctx, o, asked)
	if err != nil {
		return err
	}
	p.Requests = len(asked)
	for i, h := range heads {
		t := asked[i]
		switch {
		case t.Aside && h.Err == nil:
		case h.Err != nil:
			p.fail(&proof.LeftError{Path: t.Path, Err: h.Err})
			return nil
		case t.Listed && h.Status >= 400:
			p.Findings = append(p.Findings, Finding{Error, "path-unreadable", fmt.Sprintf("S3 answers %d for %s", h.Status, t.Path),
				"a path of verify.paths must be readable for everybody; correct it, or take it out"})
		case h.Status >= 400:
			p.Refused++
		case h.Status < 300:
			p.Readable++
			if h.NoCacheControl {
				p.NoCacheControl++
			}
		}
	}
	if i := slices.IndexFunc(p.Findings, func(f Finding) bool { return f.Severity == Error }); i >= 0 {
		p.Failed, p.Why, p.Hint = true, p.Findings[i].Summary, p.Findings[i].Detail
	}
	return nil
}

// fail says that an error kept the bucket from being compared.
func (p *BucketProof) fail(err error) {
	p.Failed, p.Why = true, err.Error()
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		p.Hint = h.Hint()
	}
}

// standing is where a bucket stands as far as the links show.
func standing(a Actual, fs []Finding) Standing {
	switch {
	case a.Crumbs.held():
		return StandHeld
	case blocked(fs):
		return StandBlocked
	case a.Dist == nil:
		return StandNew
	case a.finished():
		return StandDone
	}
	return StandUnderWay
}

// linkFindings are the findings about what links are made of and how they are
// reached: the listing, the bucket, and the origin.
func linkFindings(b config.Bucket, a Actual) []Finding {
	fs := slices.Clone(a.Findings)
	fs = append(fs, bucketFindings(b, a)...)
	fs = append(fs, originFindings(b, a)...)
	fs = append(fs, visitorFindings(b)...)
	if d := a.Dist; d != nil && d.Status != providers.Deployed {
		fs = append(fs, Finding{Warning, "distribution-in-progress", "distribution " + d.ID + " is " + d.Status,
			"an edge may still answer as it did before the last change"})
	}
	rank := map[Severity]int{Error: 0, Warning: 1, Note: 2}
	slices.SortStableFunc(fs, func(x, y Finding) int { return rank[x.Severity] - rank[y.Severity] })
	return fs
}
