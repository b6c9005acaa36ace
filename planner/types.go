// Package planner is the engine: it observes the world, judges the stages of
// a fixed table, plans what is not done, executes a plan and reports. It knows
// no SDK and prints nothing: it speaks in values (Plan, Event, Report).
package planner

import (
	"time"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/planner/proof"
	"github.com/edgeward/edgeward/providers"
)

// Goal is which table of stages a plan walks.
type Goal string

// Migrate moves buckets behind CloudFront; Rollback is the way back; UnlockBucket opens
// locked buckets to everybody again.
const (
	Migrate      Goal = "migrate"
	Rollback     Goal = "rollback"
	UnlockBucket Goal = "unlock"
)

// Kind names a stage.
type Kind string

// The stages, in the order of the tables.
const (
	MetricsCount         Kind = "metrics.count"
	CertificateRequest   Kind = "certificate.request"
	CertificateValidate  Kind = "certificate.validate"
	CertificateIssued    Kind = "certificate.issued"
	PolicyEnsure         Kind = "policy.ensure"
	DistributionCreate   Kind = "distribution.create"
	DistributionDeployed Kind = "distribution.deployed"
	LinksVerify          Kind = "links.verify"
	TTLLower             Kind = "ttl.lower"
	DNSSwitch            Kind = "dns.switch"
	DNSPropagated        Kind = "dns.propagated"
	TrafficWatch         Kind = "traffic.watch"
	TTLRestore           Kind = "ttl.restore"
	AccessGrant          Kind = "access.grant"
	AccessControl        Kind = "access.control"
	AccessDeployed       Kind = "access.deployed"
	AccessVerify         Kind = "access.verify"
	BucketLock           Kind = "bucket.lock"
	LockVerified         Kind = "lock.verified"

	BucketUnlock Kind = "bucket.unlock"
	AccessRevoke Kind = "access.revoke"
	DNSRestore   Kind = "dns.restore"
	MetricsStop  Kind = "metrics.stop"
	DNSRestored  Kind = "dns.restored"
)

// Status is the verdict of a stage about what was observed.
type Status string

// The verdicts. Todo has an act; Waiting needs time or somebody.
const (
	Done    Status = "done"
	Todo    Status = "todo"
	Waiting Status = "waiting"
	Failed  Status = "failed"
)

// Standing is where a whole bucket stands.
type Standing string

// The standings, as the last line of a plan counts them.
const (
	StandNew      Standing = "to migrate" // no step is done that edgeward makes
	StandUnderWay Standing = "under way"
	StandDone     Standing = "done"
	StandBlocked  Standing = "blocked" // an error finding, or a look that failed
	StandHeld     Standing = "held"    // rolled back; waits for apply -retry
)

// Plan is what one run would do. It is plain data: no funcs, no clients, no
// secrets, and the same for the same world.
type Plan struct {
	FormatVersion string       `json:"format_version"` // FormatVersion
	Goal          Goal         `json:"goal"`
	Summary       Summary      `json:"summary"`
	Buckets       []BucketPlan `json:"buckets"`
	// Waves are those of the configuration that have buckets here, in the order in
	// which they run; none without a rollout { wave }.
	Waves []PlanWave `json:"waves,omitempty"`
	// Quotas are what the plan would use of those of each account, and the writes of
	// records; none where it would make nothing.
	Quotas []QuotaUse `json:"quotas,omitempty"`
	// Findings are about the plan as a whole: limits that count many buckets.
	Findings []Finding `json:"findings,omitempty"`
}

// PlanWave is one wave of a plan.
type PlanWave struct {
	// Name is "" for the last one, of buckets that name none.
	Name string `json:"name"`
	// Buckets counts those with steps; Switches their dns.switch steps.
	Buckets  int `json:"buckets"`
	Switches int `json:"switches"`
	// Soak is how long the waves before have to have been healthy; seconds.
	Soak Seconds `json:"soak,omitempty"`
	// Parallelism is how many of its buckets are looked at or changed at the same
	// time.
	Parallelism int `json:"parallelism,omitempty"`
	// MaxFailures: with more failed buckets of it than this, none is begun or
	// switched any more; absent: any number may fail.
	MaxFailures *int `json:"max_failures,omitempty"`
}

// FormatVersion of the JSON of Plan, Event, Report, StatusReport and of all other
// JSON but Saved. The minor number rises with an added field or value, the major
// one with a changed meaning. 1.1 has added waves, quotas, traffic and locks.
const FormatVersion = "1.1"

// Summary counts buckets by standing, and the switches a plan would make.
type Summary struct {
	ToMigrate int `json:"to_migrate"`
	UnderWay  int `json:"under_way"`
	Done      int `json:"done"`
	Blocked   int `json:"blocked"`
	Held      int `json:"held"`
	// Switches is how many dns.switch (or dns.restore) steps there are.
	Switches int `json:"switches"`
}

// BucketPlan is one bucket's part of a plan.
type BucketPlan struct {
	Address string   `json:"address"`
	Bucket  string   `json:"bucket"`
	Region  string   `json:"region,omitempty"`
	CNAMEs  []string `json:"cnames"`
	// Wave is the bucket's wave, "" for none.
	Wave string `json:"wave,omitempty"`
	// Standing is the bucket as a whole, Stage the first stage not done ("" when
	// all are).
	Standing Standing `json:"standing"`
	Stage    Kind     `json:"stage,omitempty"`
	// Fingerprint is a digest of the facts of rule 3.
	Fingerprint string `json:"fingerprint"`
	// Facts are those; a saved plan has them beside the plan.
	Facts    []Fact    `json:"-"`
	Steps    []Step    `json:"steps"`
	Findings []Finding `json:"findings,omitempty"`
	// Expect is how long all steps should take from now, at least; seconds.
	Expect Seconds `json:"expect,omitempty"`
	// Switch is how long it takes, at least, until the names can be switched:
	// what is made and proven first, and the old TTL; seconds.
	Switch Seconds `json:"switch,omitempty"`
	// NotBefore is the end of the limits { freeze } that this plan was made in,
	// in UTC: no name is switched before; zero without one.
	NotBefore time.Time `json:"not_before,omitzero"`
	// Mixed is how long some visitors reach S3 and some CloudFront after the
	// switch; seconds. MixedWhy says why it is longer than low_ttl, or "".
	Mixed    Seconds `json:"mixed,omitempty"`
	MixedWhy string  `json:"mixed_why,omitempty"`
}

// Seconds is a duration that JSON shows as a whole number of seconds.
type Seconds int64

// Duration is s as a time.Duration.
func (s Seconds) Duration() time.Duration { return time.Duration(s) * time.Second }

// Action is the sign of a step.
type Action string

// The actions: + ~ - ? and … on the screen.
const (
	Create Action = "create"
	Change Action = "change"
	Remove Action = "remove"
	Check  Action = "check"
	Wait   Action = "wait"
)

// Step is one stage that is not done.
type Step struct {
	Kind   Kind   `json:"kind"`
	Action Action `json:"action"`
	Needs  []Kind `json:"needs,omitempty"`
	// Status is todo or waiting at the time of the plan.
	Status  Status        `json:"status"`
	Why     string        `json:"why"`
	Changes []ValueChange `json:"changes,omitempty"`
	// Undo is the way back, a sentence; "" when there is nothing to undo.
	Undo string `json:"undo,omitempty"`
	// Expect is how long it should take; seconds.
	Expect Seconds `json:"expect,omitempty"`
	// Links are the paths that links.verify would fetch, the first 1,000.
	Links []string `json:"links,omitempty"`
	// ByHand is what a person has to do for this step, rows in the form of a zone
	// file: apply asks for it and waits. Empty: edgeward does it.
	ByHand []string `json:"by_hand,omitempty"`
}

// ValueChange is one value before and after; "" is absent. After may hold
// "(known after KIND)".
type ValueChange struct {
	Path   string `json:"path"`
	Before string `json:"before"`
	After  string `json:"after"`
}

// Severity of a finding. An error blocks the bucket.
type Severity string

// The severities.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
	Note    Severity = "note"
)

// Finding is something a reader of the plan should know.
type Finding struct {
	Severity Severity `json:"severity"`
	// Code is stable, such as "bucket-not-public".
	Code    string `json:"code"`
	Summary string `json:"summary"`
	// Detail says why and what to type instead.
	Detail string `json:"detail"`
}

// EventStatus is what happened to a step or a bucket.
type EventStatus string

// The event statuses of a step, then of a bucket as a whole.
const (
	EventStarted EventStatus = "started" // the act begins
	EventWaiting EventStatus = "waiting" // Why says for what; sent when Why changes
	EventDone    EventStatus = "done"
	EventFailed  EventStatus = "failed"
	EventNote    EventStatus = "note" // something to know that changes nothing
)

// Event is one thing that happened during an apply. Kind is "" for events
// about the whole bucket; Address is "" for those about a wave.
type Event struct {
	Time    time.Time `json:"time"`
	Address string    `json:"address"`
	// Wave is the wave that began (started), waits (its soak, the waves before), was
	// finished (done) or stopped (failed).
	Wave    string        `json:"wave,omitempty"`
	Kind    Kind          `json:"kind,omitempty"`
	Status  EventStatus   `json:"status"`
	Why     string        `json:"why,omitempty"`
	Changes []ValueChange `json:"changes,omitempty"`
	// Until is when a wait should be over, if that is known.
	Until *time.Time `json:"until,omitempty"`
	// ByHand is what a person has to do for the wait to end.
	ByHand []string `json:"by_hand,omitempty"`
}

// Outcome is how a run ended for one bucket.
type Outcome string

// The outcomes.
const (
	OutcomeFinished    Outcome = "finished" // all stages done by this run
	OutcomeNothing     Outcome = "nothing"  // there was nothing to do
	OutcomeStopped     Outcome = "stopped"  // -until or -target asked for no more
	OutcomeWaiting     Outcome = "waiting"  // unfinished, for time or somebody
	OutcomeHeld        Outcome = "held"
	OutcomeBlocked     Outcome = "blocked" // an error finding: not started
	OutcomeFailed      Outcome = "failed"
	OutcomeStale       Outcome = "stale"       // the world differs from what was approved
	OutcomeSkipped     Outcome = "not started" // max_failures
	OutcomeRolled      Outcome = "rolled back" // of a rollback: finished; of an apply: failed, and went back by itself
	OutcomeUnlocked    Outcome = "unlocked"    // by an unlock plan: finished
	OutcomeInterrupted Outcome = "interrupted"
)

// Result is one bucket's end of a run.
type Result struct {
	Address string  `json:"address"`
	Outcome Outcome `json:"outcome"`
	// Stage is the first stage not done, "" when all are.
	Stage Kind `json:"stage,omitempty"`
	// Switched: this run pointed the names at the distribution (or back).
	Switched bool   `json:"switched,omitempty"`
	Why      string `json:"why,omitempty"`
	// Hint says what to do about Why.
	Hint string `json:"hint,omitempty"`
	// Until is when a wait should be over, if that is known.
	Until *time.Time `json:"until,omitempty"`
	// Traffic is what each path served when the watch of this run ended.
	Traffic *Traffic `json:"traffic,omitempty"`
}

// Report is the end of a run: a result a bucket, in the plan's order.
type Report struct {
	FormatVersion string    `json:"format_version"`
	Goal          Goal      `json:"goal"`
	Started       time.Time `json:"started"`
	Ended         time.Time `json:"ended"`
	Results       []Result  `json:"results"`
	// Waves are those that were to run, in order.
	Waves []WaveResult `json:"waves,omitempty"`
}

// WaveResult is how a run ended for one wave.
type WaveResult struct {
	Name string `json:"name"`
	// Outcome is finished, nothing, stopped (-until), waiting, failed (more failures
	// than allowed), not started or interrupted.
	Outcome Outcome `json:"outcome"`
	Why     string  `json:"why,omitempty"`
	// Buckets counts those of the plan, Failed those that failed or were rolled back.
	Buckets int `json:"buckets"`
	Failed  int `json:"failed"`
	// Started and Ended are zero when the wave was not started.
	Started time.Time `json:"started,omitzero"`
	Ended   time.Time `json:"ended,omitzero"`
}

// StatusReport is what `status` shows.
type StatusReport struct {
	FormatVersion string         `json:"format_version"`
	Buckets       []BucketStatus `json:"buckets"`
}

// BucketStatus is where one bucket stands, and what the world answers.
type BucketStatus struct {
	Address string `json:"address"`
	// Wave is the bucket's wave, "" for none.
	Wave         string       `json:"wave,omitempty"`
	Standing     Standing     `json:"standing"`
	Stage        Kind         `json:"stage,omitempty"`
	Why          string       `json:"why,omitempty"`
	Distribution string       `json:"distribution,omitempty"` // its domain
	Names        []NameStatus `json:"names"`
	Findings     []Finding    `json:"findings,omitempty"`
	// Traffic is what each path serves, of a bucket of which a name is the
	// distribution's.
	Traffic *Traffic `json:"traffic,omitempty"`
	// Drift is what was changed by hand after the migration, where it was looked
	// for; Ask are the distribution's tags that say who may know, Steps the plan
	// that would mend it.
	Drift []Drift  `json:"drift,omitempty"`
	Ask   []string `json:"ask,omitempty"`
	Steps []Step   `json:"steps,omitempty"`
}

// NameStatus is one name as its servers and resolvers answer it.
type NameStatus struct {
	Name string `json:"name"`
	// Record is what the provider has.
	Record string `json:"record"`
	// Serves is who a visitor reaches by the provider's record: "S3",
	// "CloudFront", "nobody" or "somewhere else".
	Serves        string       `json:"serves"`
	Authoritative []ServerSays `json:"authoritative,omitempty"`
	Resolvers     []ServerSays `json:"resolvers,omitempty"`
}

// ServerSays is one server's answer, as a sentence's object.
type ServerSays struct {
	Server string `json:"server"`
	// Answer is "CNAME target 60s", "A 192.0.2.1 60s, …", or why there is none.
	Answer string `json:"answer"`
	// Serves as in NameStatus; "unknown" without an answer.
	Serves string `json:"serves"`
}

// VerifyReport is what verify found: of all buckets together, then of each.
type VerifyReport struct {
	FormatVersion string `json:"format_version"`
	// Verdict is the worst of all. It is proof.NotCompared when nothing was compared, and
	// when an error kept a bucket from it while the others pass.
	Verdict  proof.Verdict `json:"verdict"`
	Requests int           `json:"requests"`
	Bytes    int64         `json:"bytes"`
	Paths    int           `json:"paths"`
	// Differences of all buckets, in their order; Address tells which.
	Differences []VerifyDifference `json:"differences"`
	More        int                `json:"more,omitempty"`
	Buckets     []BucketProof      `json:"buckets,omitempty"`
}

// VerifyDifference is a difference of one bucket; Address is "" when two sites
// were compared without a configuration.
type VerifyDifference struct {
	Address string `json:"address,omitempty"`
	proof.Difference
}

// BucketProof is one bucket's part of a VerifyReport. The differences stand in
// the report.
type BucketProof struct {
	Address  string   `json:"address"`
	Standing Standing `json:"standing"`
	// Verdict is proof.NotCompared without Compared, unless what was found before the
	// error stops the bucket already.
	Verdict proof.Verdict `json:"verdict"`
	// Left is how S3 was reached, Right how the distribution was; Right is empty
	// while there is none, and then only S3 was asked.
	Left  proof.Site   `json:"left"`
	Right []proof.Site `json:"right,omitempty"`
	// Seed chose the targets; the same listing and seed choose the same.
	Seed           string         `json:"seed"`
	Targets        []proof.Target `json:"targets"`
	Requests       int            `json:"requests"`
	Bytes          int64          `json:"bytes"`
	Readable       int            `json:"readable"`
	Refused        int            `json:"refused,omitempty"`
	NoCacheControl int            `json:"no_cache_control,omitempty"`
	Repeated       int            `json:"repeated,omitempty"`
	// Archived are keys that S3 cannot serve before they are restored, at most
	// 20; MoreArchived counts the others.
	Archived     []string `json:"archived,omitempty"`
	MoreArchived int      `json:"more_archived,omitempty"`
	// Digest is the proof's, as it stands among the distribution's tags after an
	// apply.
	Digest   string    `json:"digest,omitempty"`
	Findings []Finding `json:"findings,omitempty"`
	// Why says why there is no verdict: an error, or that there is nothing to
	// compare yet; then Compared is false.
	Why      string `json:"why,omitempty"`
	Hint     string `json:"hint,omitempty"`
	Compared bool   `json:"compared"`
	// Failed: it is an error that kept the bucket from being compared.
	Failed bool `json:"failed,omitempty"`
}

// Shard is part Index (from 1) of Of parts of all buckets. An address is in one
// part, always the same for the same Of.
type Shard struct{ Index, Of int }

// Options choose what a plan covers.
type Options struct {
	Goal Goal
	// Targets and Excludes are addresses, "*" allowed; empty means all, none.
	Targets, Excludes []string
	// Waves are names of waves: only their buckets; empty means all.
	Waves []string
	// Shard is the part of the buckets that this run is about; the zero value is all.
	Shard Shard
	// Until is the last stage (in the table's order) that is planned.
	Until Kind
	// Retry are the addresses whose hold is lifted.
	Retry []string
	// NoEvidence locks buckets of which nothing shows that nobody reaches them
	// directly; those of which something shows the contrary are never locked.
	NoEvidence bool
	// Parallelism is how many buckets are looked at or changed at the same time;
	// 0 means the configuration's.
	Parallelism int
	// AcceptHTTPSLoss: a way back is planned also where browsers would go on asking by
	// https, which S3 cannot answer.
	AcceptHTTPSLoss bool
	// AcceptS3Loss: a way back is made also where the old record's place was not seen to
	// serve visitors.
	AcceptS3Loss bool
	// Since, of a way back: only buckets that were switched since then; zero is all.
	Since time.Time

	// Full: status reads everything, of finished buckets too, and looks for drift.
	Full bool

	// stages stands in for the table, in tests that plant a fault.
	stages func(Goal) []stage
	// brief compares three links without the whole matrix of requests, in tests
	// that are about what goes on around the links.
	brief bool
	// leads are the records of the zones, where the caller has listed them already.
	leads *chains
}

// Executor applies a plan.
type Executor struct {
	World  providers.World
	Config *config.Config
	// Options must be those that the plan was made with.
	Options Options
	// Refused are buckets of a saved plan, by address, that may not run, each with
	// the reason: they end as stale.
	Refused map[string]error
	// NoWait ends a bucket as unfinished at its first wait. WaitTimeout bounds
	// all waits of the run; 0 means an hour.
	NoWait      bool
	WaitTimeout time.Duration
	// Events receives every event, one at a time, in the order of time.
	Events func(Event)
}
