package planner

import (
	"context"
	"slices"
	"time"

	"github.com/edgeward/edgeward/config"
)

// stage is one row of a table. check is pure; do acts on the observation that
// check judged, never on the plan, and may die before or after any of its
// calls.
type stage struct {
	kind   Kind
	needs  []Kind
	reads  Part
	action Action
	check  func(config.Bucket, Actual) Verdict
	do     func(context.Context, scene) error // nil: a pure wait
	// every bounds the pause between two looks.
	every time.Duration
}

// urgent says that a stage's acts send visitors somewhere: limiters serve them
// first.
func (s stage) urgent() bool {
	return s.kind == DNSSwitch || s.kind == DNSRestore || s.kind == BucketUnlock
}

// Waits look at once, then after a second, then ever less often, up to these.
const (
	everyAPI = 20 * time.Second
	everyDNS = 5 * time.Second
	// A person takes hours: what they set may wait half a minute to be seen.
	everyHand = 30 * time.Second
)

// table is the stages of a goal, in order.
func (o Options) table(g Goal) []stage {
	if o.stages != nil {
		return o.stages(g)
	}
	return table(g)
}

func table(g Goal) []stage {
	switch g {
	case Rollback:
		return append([]stage{unlockFirst()}, rollbackStages()...)
	case UnlockBucket:
		return unlockStages()
	}
	return append(migrateStages(), lockStages()...)
}

func migrateStages() []stage {
	const certificate = PartCertificate | PartValidation
	return []stage{
		{MetricsCount, nil, PartTags | partShape | partCount | partLeft, Create, checkCount, changeCount, everyAPI},
		{CertificateRequest, nil, PartCertificate, Create, checkCertificateRequest, requestCertificate, everyAPI},
		{CertificateValidate, []Kind{CertificateRequest}, certificate, Create, checkCertificateValidate, validateCertificate, everyDNS},
		{CertificateIssued, []Kind{CertificateValidate}, PartCertificate, Wait, checkCertificateIssued, nil, everyAPI},
		{PolicyEnsure, nil, partShape | PartPolicy, Create, checkPolicy, ensurePolicy, everyAPI},
		{DistributionCreate, []Kind{CertificateIssued, PolicyEnsure}, PartTags | PartFull | partShape | PartCertificate | PartPolicy, Create, checkDistribution, putDistribution, everyAPI},
		{DistributionDeployed, []Kind{DistributionCreate}, PartNames, Wait, checkDeployed, nil, everyAPI},
		{LinksVerify, []Kind{DistributionDeployed}, PartTags | partLinks, Check, checkLinks, verifyLinks, everyAPI},
		{TTLLower, []Kind{DistributionCreate}, PartTags | PartAuthoritative, Change, checkTTLLower, lowerTTL, everyDNS},
		{DNSSwitch, []Kind{LinksVerify, TTLLower}, PartTags | partLinks, Change, checkSwitch, switchNames, everyAPI},
		{DNSPropagated, []Kind{DNSSwitch}, PartTags | PartAuthoritative | PartResolvers, Wait, checkPropagated, nil, everyDNS},
		{TrafficWatch, []Kind{DNSPropagated}, PartTags | partTraffic, Check, checkWatch, watchTraffic, everyWatch},
		{TTLRestore, []Kind{TrafficWatch}, PartTags, Change, checkTTLRestore, restoreTTL, everyDNS},
	}
}

func rollbackStages() []stage {
	return []stage{
		{DNSRestore, []Kind{BucketUnlock}, PartTags, Change, checkRestore, restoreRecords, everyAPI},
		{MetricsStop, []Kind{DNSRestore}, PartTags | partCount | partLeft, Remove, checkCountEnded, changeCount, everyAPI},
		{DNSRestored, []Kind{DNSRestore}, PartTags | PartAuthoritative | PartResolvers | partFinished, Wait, checkRestored, nil, everyDNS},
	}
}

// Kinds are the stages of a goal, in order: what -until takes.
func Kinds(g Goal) []Kind {
	var ks []Kind
	for _, s := range table(g) {
		ks = append(ks, s.kind)
	}
	return ks
}

// upTo are the stages up to Until (in the table's order, inclusive); all when
// it is "".
func (o Options) upTo(g Goal) []stage {
	t := o.table(g)
	if i := slices.IndexFunc(t, func(s stage) bool { return s.kind == o.Until }); i >= 0 {
		return t[:i+1]
	}
	return t
}
