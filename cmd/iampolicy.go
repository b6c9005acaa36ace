package cmd

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/planner/proof"
	"github.com/edgeward/edgeward/providers"
	"github.com/edgeward/edgeward/providers/aws"
	"github.com/edgeward/edgeward/providers/dns"
	"github.com/spf13/cobra"
)

// The roles that a policy is written for.
const (
	roleApply    = "apply"
	rolePlan     = "plan"
	roleDiscover = "discover"
	roleRunner   = "runner"
)

// managedPolicy is how many characters a managed policy can have, white space
// not counted; the inline policies of a role have inlinePolicies together [IAM
// User Guide: IAM and AWS STS quotas].
const (
	managedPolicy  = 6144
	inlinePolicies = 10240
)

func (a *app) iamPolicyCommand() *cobra.Command {
	var role, account string
	var logs, unlock []string
	c := &cobra.Command{
		Use: "iam-policy [FLAGS]", GroupID: groupConfig,
		Short: "Print the least AWS policy for this configuration; no network",
		Long: `iam-policy prints the IAM policy that this configuration needs in one AWS account,
as JSON: no action, bucket, zone or name that edgeward would not use. It asks no
network. Notes are on stderr.

-role says whose policy it is:
  apply     the role that apply, rollback and unlock run as; it may do all that
            the role plan may
  plan      a role that can only read: for plan, status and verify
  discover  a role that can only read, but all buckets of the account: for discover
  runner    the credentials that edgeward is started with, where aws blocks have a
            role_arn: they may take on those roles, and nothing else

Exit codes:
  0  the policy was printed
  1  it was not: the configuration is not valid, or several accounts are in it`,
		Example: `  edgeward iam-policy > apply.json
  edgeward iam-policy -role=plan > plan.json
  edgeward iam-policy -account=shop
  edgeward iam-policy -log-bucket=example-logs
  edgeward iam-policy -unlock=static.example.com`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			if !slices.Contains(policyRoles(), role) {
				return refuse("write -role=apply, -role=plan, -role=discover or -role=runner", "unknown role %q", role)
			}
			cfg, err := a.policyConfig(role)
			if err != nil {
				return err
			}
			if role == roleRunner {
				return a.runnerPolicy(cfg)
			}
			use, err := usedAccount(cfg, account, c.Flags().Changed("account"))
			if err != nil {
				return err
			}
			use.logs, use.unlock, use.discover = logs, unlock, role == roleDiscover
			return a.accountPolicy(use, role)
		},
	}
	a.folderFlags(c)
	c.Flags().StringVar(&role, "role", roleApply, "whose policy: `ROLE` is apply, plan, discover or runner")
	c.Flags().StringVar(&account, "account", "", "the account of aws \"`NAME`\"; default is the SDK's own chain")
	c.Flags().StringArrayVar(&logs, "log-bucket", nil, "let the access logs in the bucket `NAME` be read; may be repeated")
	c.Flags().StringArrayVar(&unlock, "unlock", nil, "let the bucket `NAME` be unlocked, which is locked yet though it has no lock block any more; may be repeated")
	a.complete(c, "role", func(*cobra.Command) []string { return policyRoles() })
	a.complete(c, "account", func(*cobra.Command) []string {
		cfg, _, _ := config.Load(a.dir(), a.loadOptions())
		return accountNames(cfg)
	})
	return c
}

func policyRoles() []string { return []string{roleApply, rolePlan, roleDiscover, roleRunner} }

// policyConfig is the configuration that a policy is for. discover may read every
// bucket of every account, so those stand in for the configuration's.
func (a *app) policyConfig(role string) (*config.Config, error) {
	if role != roleDiscover {
		return a.load()
	}
	cfg, _, err := a.loadFound(nil)
	if err != nil {
		return nil, err
	}
	cfg.Buckets = nil
	for _, account := range cfg.Accounts {
		cfg.Buckets = append(cfg.Buckets, config.Bucket{Account: account.Name, Name: "*", Verify: config.Verify{Sample: 1}})
	}
	return cfg, nil
}

// accountUse is what of a configuration is in one AWS account.
type accountUse struct {
	account config.Account
	buckets []config.Bucket
	zones   []config.DNSProvider
	// names are those whose records are in these zones; certified are the ones
	// among them that may get a validation record.
	names, certified []string
	lock             *config.RunLock
	// logs are buckets with access logs.
	logs []string
	// unlock are buckets that may be locked yet, without a lock block.
	unlock []string
	// wide: patterns of the zones stand for the names.
	wide    bool
	domains []string
	// discover: all buckets are listed.
	discover bool
}

func (u accountUse) empty() bool { return len(u.buckets) == 0 && len(u.zones) == 0 && u.lock == nil }

// knowsUnlocked: a bucket that is to be unlocked is one of these.
func (u accountUse) knowsUnlocked() error {
	names := bucketNames(u.buckets)
	for _, name := range u.unlock {
		if slices.Contains(names, name) {
			continue
		}
		hint := "write the name of a bucket of this account as its block has it"
		if near := nearest(name, names); near != "" {
			hint = "did you mean -unlock=" + near + "?"
		}
		return refuse(hint, "the configuration has no bucket %q", name)
	}
	return nil
}

// unlocks says that a permission of locked buckets is needed for one that is only
// to be unlocked: all but what makes new origin access controls.
func (u accountUse) unlocks(b config.Bucket, p providers.Permission) bool {
	return p.If == providers.IfClosed && slices.Contains(u.unlock, b.Name) && (p.Reads || p.On != providers.OnAll)
}

func useOf(c *config.Config, account config.Account) accountUse {
	u := accountUse{account: account}
	ours := map[string]bool{}
	for _, p := range c.DNSProviders {
		if p.Type == "route53" && p.Account == account.Name {
			u.zones, ours[p.Address] = append(u.zones, p), true
		}
	}
	for _, b := range c.Buckets {
		if b.Account == account.Name {
			u.buckets = append(u.buckets, b)
		}
		for _, n := range b.CNAMEs {
			if b.Account == account.Name || ours[n.DNSProvider] {
				u.domains = append(u.domains, n.Zone)
			}
			if ours[n.DNSProvider] {
				u.names = append(u.names, n.Name)
				if b.CertificateARN == "" {
					u.certified = append(u.certified, n.Name)
				}
			}
		}
	}
	if c.RunLock != nil && c.RunLock.Account == account.Name {
		u.lock = c.RunLock
	}
	return u
}

// chainName is how -account names the account of the SDK's default chain.
const chainName = "default"

func accountNames(c *config.Config) []string {
	var names []string
	for _, account := range c.Accounts {
		if u := useOf(c, account); !u.empty() {
			name := account.Name
			if name == "" {
				name = chainName
			}
			names = append(names, name)
		}
	}
	return names
}

// usedAccount is the account that is asked for, or the only one that is used.
func usedAccount(c *config.Config, asked string, isAsked bool) (accountUse, error) {
	names := accountNames(c)
	if !isAsked && len(names) > 1 {
		return accountUse{}, refuse("a policy is for one account: type -account="+strings.Join(names, ", or -account="),
			"the configuration uses %d AWS accounts", len(names))
	}
	asked = strings.TrimPrefix(asked, "aws.")
	find := func(name string) (accountUse, bool) {
		i := slices.IndexFunc(c.Accounts, func(a config.Account) bool { return a.Name == name })
		if i < 0 {
			return accountUse{}, false
		}
		return useOf(c, c.Accounts[i]), true
	}
	if !isAsked {
		asked = names[0]
	}
	use, ok := find(asked)
	if !ok && asked == chainName {
		use, ok = find("")
	}
	switch {
	case !ok:
		hint := "write -account=" + strings.Join(names, ", or -account=")
		if near := nearest(asked, names); near != "" {
			hint = "did you mean -account=" + near + "?"
		}
		return use, refuse(hint, "the configuration has no account %q", asked)
	case use.empty():
		return use, refuse("it needs no policy; write -account="+strings.Join(names, ", or -account="), "nothing uses the account %q", asked)
	}
	return use, nil
}

// policyDocument is an IAM policy [IAM User Guide: Grammar of the IAM JSON policy
// language].
type policyDocument struct {
	Version   string
	Statement []policyStatement
}

type policyStatement struct {
	Sid       string
	Effect    string
	Action    []string
	Resource  []string
	Condition map[string]map[string][]string `json:",omitempty"`
}

// accountPolicy prints the policy of one account.
func (a *app) accountPolicy(u accountUse, role string) error {
	if err := u.knowsUnlocked(); err != nil {
		return err
	}
	document := u.document(role)
	note := func(form string, args ...any) { fmt.Fprintf(a.stderr, "note: "+form+"\n", args...) }
	switch role {
	case rolePlan:
		note("for plan, status and verify; it changes nothing")
	case roleDiscover:
		note("for discover; it changes nothing")
	default:
		note("for apply, rollback and unlock, and all that the role plan may")
	}
	if length(document) > managedPolicy {
		u.wide = true
		if wide := u.document(role); length(wide) < length(document) {
			document = wide
			note("the names do not fit into one policy: patterns of their zones stand for them")
		}
	}
	if n := length(document); n > managedPolicy {
		note("it has %d characters; IAM takes %d in a managed policy and %d in the inline policies of a role", n, managedPolicy, inlinePolicies)
	}
	if u.number() == "*" && len(u.buckets) > 0 {
		note("the account's number is not in the configuration: * stands for it, and a role reaches its own account only")
	}
	if u.account.RoleARN != "" {
		note("whoever takes on %s needs another: edgeward iam-policy -role=runner", u.account.RoleARN)
	}
	if len(u.logs) == 0 && len(u.buckets) > 0 {
		note("access logs of the buckets are looked at where they may be read: -log-bucket=NAME adds the bucket that has them")
	}
	return a.printPolicy(document)
}

// runnerPolicy prints the policy of whoever takes on the roles.
func (a *app) runnerPolicy(c *config.Config) error {
	var arns []string
	for _, account := range c.Accounts {
		if u := useOf(c, account); !u.empty() && account.RoleARN != "" {
			arns = append(arns, account.RoleARN)
		}
	}
	if arns == nil {
		return refuse("the credentials that edgeward finds are used as they are: they need the policy of -role=apply or -role=plan", "no aws block that is used has a role_arn")
	}
	for _, p := range aws.Permissions() {
		if p.If == providers.IfRole {
			fmt.Fprintln(a.stderr, "note: the trust policies of the roles must let these credentials in as well")
			return a.printPolicy(policyDocument{"2012-10-17", []policyStatement{{Sid: "TakeOnRoles", Effect: "Allow", Action: []string{p.Action}, Resource: sorted(arns)}}})
		}
	}
	return nil
}

func (a *app) printPolicy(document policyDocument) error {
	e := json.NewEncoder(a.stdout)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(document)
}

// length counts the characters of a policy as IAM does: without white space.
func length(document policyDocument) int {
	text, err := json.Marshal(document)
	if err != nil {
		return 0
	}
	return len(text)
}

// document is the policy of a role.
func (u accountUse) document(role string) policyDocument {
	out := policyDocument{Version: "2012-10-17"}
	at := map[string]int{}
	for _, p := range slices.Concat(aws.Permissions(), dns.Permissions()) {
		if role != roleApply && !p.Reads {
			continue
		}
		for _, g := range u.grants(p) {
			// What reads a whole account and what changes it are told apart.
			key := fmt.Sprint(g.Resource, g.Condition, p.Reads || p.On != providers.OnAll, p.If == providers.IfClosed && !p.Reads)
			i, ok := at[key]
			if !ok {
				i = len(out.Statement)
				at[key] = i
				g.Effect = "Allow"
				out.Statement = append(out.Statement, g)
			}
			s := &out.Statement[i]
			s.Action = sorted(append(s.Action, p.Action))
		}
	}
	out.Statement = unite(out.Statement)
	return out
}

// unite makes one statement of those that differ in their resources only, and
// gives every other a Sid of its own, as IAM wants it.
func unite(statements []policyStatement) []policyStatement {
	var out []policyStatement
	at, sids := map[string]int{}, map[string]int{}
	for _, s := range statements {
		key := fmt.Sprint(s.Action, s.Condition)
		if i, ok := at[key]; ok {
			out[i].Resource = sorted(append(out[i].Resource, s.Resource...))
			continue
		}
		at[key] = len(out)
		if sids[s.Sid]++; sids[s.Sid] > 1 {
			s.Sid += strconv.Itoa(sids[s.Sid])
		}
		out = append(out, s)
	}
	return out
}

// grants are the statements that a permission needs here, without Effect and
// Action; none when nothing needs it.
func (u accountUse) grants(p providers.Permission) []policyStatement {
	if p.If == providers.IfZone || p.If == providers.IfZoneID || p.If == providers.IfZoneSearched {
		return u.zoneGrants(p)
	}
	if p.If == providers.IfLock || p.If == providers.IfLockAsked {
		return u.lockGrants(p)
	}
	if p.If == providers.IfAccessLog {
		return grant("ReadAccessLogs"+map[providers.PermissionResource]string{providers.OnObjects: "Objects"}[p.On],
			u.bucketARNs(u.logs, p.On, false), nil)
	}
	if p.If == providers.IfDiscover && u.discover {
		return grant("ReadAccount", []string{"*"}, nil)
	}
	var of []config.Bucket
	for _, b := range u.buckets {
		if needs(b, p.If) || u.unlocks(b, p) {
			of = append(of, b)
		}
	}
	// A certificate that is named is among all those that are looked through for
	// the other buckets.
	if of == nil || p.If == providers.IfNamedCert && len(of) < len(u.buckets) {
		return nil
	}
	switch p.Action {
	case "cloudfront:CreateDistribution":
		return grant("CreateDistributions", []string{"*"}, condition("StringLike", "aws:RequestTag/"+providers.TagBucket, u.patterns(bucketNames(of))))
	case "cloudfront:TagResource":
		return grant("TagDistributions", []string{u.distribution("*")}, condition("ForAllValues:StringLike", "aws:TagKeys", tagKeys(of)))
	case "cloudfront:UpdateDistribution":
		return u.updateGrants(of)
	case "acm:RequestCertificate":
		return grant("RequestCertificates", []string{"*"}, u.certificateCondition(of))
	case "acm:AddTagsToCertificate":
		return grant("TagCertificates", []string{u.certificate("*")}, condition("ForAllValues:StringEquals", "aws:TagKeys", []string{providers.TagBucket}))
	}
	return grant(sid(p), u.resources(p, of), nil)
}

// sid names the statement of a permission about buckets; statements with the
// same resources become one and keep the first name.
func sid(p providers.Permission) string {
	switch {
	case p.If == providers.IfLogging:
		return "LetDistributionsLog"
	case p.If == providers.IfWebACL:
		return "ReadWebACLs"
	}
	if p.If == providers.IfClosed && !p.Reads {
		return map[bool]string{true: "CreateOriginAccessControls", false: "LockBuckets"}[p.On == providers.OnAll]
	}
	access := "Read"
	if p.If == providers.IfRegionAsked {
		access = "Locate"
	}
	if p.If == providers.IfListed {
		access = "List"
	}
	if !p.Reads && p.On == providers.OnAll {
		return "CreateCachePolicies"
	}
	switch p.On {
	case providers.OnAll:
		return "ReadAccount"
	case providers.OnBucket:
		return access + "Buckets"
	case providers.OnObjects:
		return access + "Objects"
	case providers.OnDistribution:
		return access + "Distributions"
	case providers.OnCachePolicy:
		return access + "CachePolicies"
	}
	return access + "Certificates"
}

func grant(sid string, resources []string, when map[string]map[string][]string) []policyStatement {
	if len(resources) == 0 {
		return nil
	}
	return []policyStatement{{Sid: sid, Resource: resources, Condition: when}}
}

func condition(operator, key string, values []string) map[string]map[string][]string {
	return map[string]map[string][]string{operator: {key: values}}
}

// needs says whether a bucket makes a right needed.
func needs(b config.Bucket, need providers.PermissionNeed) bool {
	d := b.Distribution
	switch need {
	case providers.IfBucket:
		return true
	case providers.IfRegionAsked:
		return b.Region == ""
	case providers.IfListed:
		return b.Verify.Sample != 0 || slices.ContainsFunc(b.Verify.Paths, proof.IsPattern)
	case providers.IfCertificate:
		return b.CertificateARN == ""
	case providers.IfNamedCert:
		return b.CertificateARN != ""
	case providers.IfOwnPolicy:
		return d.CachePolicy == nil
	case providers.IfChosenPolicy: // one that is adopted comes with a policy
		return d.CachePolicy != nil || d.Adopt != ""
	case providers.IfLogging:
		return d.Logging != nil
	case providers.IfWebACL:
		return d.WebACLARN != nil
	case providers.IfClosed:
		return b.Lock != nil
	case providers.IfCounted:
		return b.Watch.S3Metrics
	}
	return false
}

// resources are what a permission about some buckets is for.
func (u accountUse) resources(p providers.Permission, of []config.Bucket) []string {
	var out []string
	switch p.On {
	case providers.OnAll:
		return []string{"*"}
	case providers.OnBucket, providers.OnObjects:
		if p.If == providers.IfLogging {
			for _, b := range of {
				name, _, _ := strings.Cut(b.Distribution.Logging.Bucket, ".s3.")
				out = append(out, name)
			}
			return u.bucketARNs(out, p.On, false)
		}
		return u.bucketARNs(bucketNames(of), p.On, true)
	case providers.OnDistribution:
		return []string{u.distribution("*")}
	case providers.OnCachePolicy:
		for _, b := range of {
			if b.Distribution.CachePolicy == nil {
				return []string{u.cachePolicy("*")}
			}
			out = append(out, u.cachePolicy(*b.Distribution.CachePolicy))
		}
	case providers.OnCertificate:
		for _, b := range of {
			if b.CertificateARN == "" {
				return []string{u.certificate("*")}
			}
			out = append(out, b.CertificateARN)
		}
	case providers.OnWebACL:
		for _, b := range of {
			out = append(out, *b.Distribution.WebACLARN)
		}
	}
	return sorted(out)
}

// updateGrants: a distribution of ours is known by its tag, one that is adopted
// by its ID.
func (u accountUse) updateGrants(of []config.Bucket) []policyStatement {
	var adopted []string
	for _, b := range of {
		if id := b.Distribution.Adopt; id != "" {
			adopted = append(adopted, u.distribution(id))
		}
	}
	ours := grant("UpdateDistributions", []string{u.distribution("*")}, condition("StringLike", "aws:ResourceTag/"+providers.TagBucket, u.patterns(bucketNames(of))))
	return append(ours, grant("UpdateAdopted", sorted(adopted), nil)...)
}

// certificateCondition: only certificates for these names, proven by DNS. An
// adopted distribution may have more names.
func (u accountUse) certificateCondition(of []config.Bucket) map[string]map[string][]string {
	when := condition("StringEquals", "acm:ValidationMethod", []string{"DNS"})
	var names []string
	for _, b := range of {
		if b.Distribution.Adopt != "" {
			return when
		}
		names = append(names, b.Names()...)
	}
	when["ForAllValues:StringLike"] = map[string][]string{"acm:DomainNames": u.patterns(names)}
	return when
}

func (u accountUse) lockGrants(p providers.Permission) []policyStatement {
	switch {
	case u.lock == nil, p.If == providers.IfLockAsked && u.lock.Region != "":
		return nil
	case p.On == providers.OnObjects:
		return grant("KeepLock", []string{u.arn("s3", "", "", u.lock.Bucket+"/"+literal(u.lock.Key))}, nil)
	}
	return grant("FindLock", u.bucketARNs([]string{u.lock.Bucket}, p.On, false), nil)
}

func (u accountUse) zoneGrants(p providers.Permission) []policyStatement {
	var ids []string
	searched := false
	for _, z := range u.zones {
		some, _ := z.Settings["zone_ids"].([]string)
		ids = append(ids, some...)
		searched = searched || len(some) < len(z.Zones)
	}
	var zones []string
	for _, id := range ids {
		zones = append(zones, u.arn("route53", "", "", "hostedzone/"+strings.TrimPrefix(id, "/hostedzone/")))
	}
	if p.If == providers.IfZoneID {
		return grant("ReadZonesByID", sorted(zones), nil)
	}
	if searched {
		zones = []string{u.arn("route53", "", "", "hostedzone/*")}
	}
	switch {
	case len(u.zones) == 0, p.If == providers.IfZoneSearched && !searched:
		return nil
	case p.On == providers.OnAll:
		return grant("FindZones", []string{"*"}, nil)
	case p.On == providers.OnChange:
		return grant("AwaitChanges", []string{u.arn("route53", "", "", "change/*")}, nil)
	case p.Reads:
		return grant("ReadZones", sorted(zones), nil)
	}
	return u.recordGrant(sorted(zones))
}

// recordGrant: address records of the names, and the records by which ACM
// validates certificates for them. A name is compared in lower case and without
// the dot at its end [Route 53 Developer Guide: Using IAM policy conditions for
// fine-grained access control].
func (u accountUse) recordGrant(zones []string) []policyStatement {
	names := slices.Clone(u.names)
	for _, n := range u.certified {
		names = append(names, "_*."+n)
	}
	if len(names) == 0 {
		return nil
	}
	when := condition("ForAllValues:StringLike", "route53:ChangeResourceRecordSetsNormalizedRecordNames", u.patterns(names))
	when["ForAllValues:StringEquals"] = map[string][]string{
		"route53:ChangeResourceRecordSetsActions":     {"CREATE", "DELETE"},
		"route53:ChangeResourceRecordSetsRecordTypes": {"A", "AAAA", "CNAME"},
	}
	return grant("ChangeRecords", zones, when)
}

// patterns are names as they are, or patterns of their zones where u is wide.
func (u accountUse) patterns(names []string) []string {
	if !u.wide {
		return sorted(names)
	}
	var out []string
	for _, n := range names {
		of := n
		for _, zone := range u.domains {
			if n == zone || strings.HasSuffix(n, "."+zone) {
				of = zone
				break
			}
		}
		if of == n {
			out = append(out, n)
		} else {
			out = append(out, "*."+of)
		}
	}
	return sorted(out)
}

func (u accountUse) bucketARNs(names []string, on providers.PermissionResource, moved bool) []string {
	if moved {
		names = u.patterns(names)
	}
	var out []string
	for _, n := range names {
		if on == providers.OnObjects {
			n += "/*"
		}
		out = append(out, u.arn("s3", "", "", n))
	}
	return sorted(out)
}

func (u accountUse) distribution(id string) string {
	return u.arn("cloudfront", "", u.number(), "distribution/"+id)
}

// cachePolicy: those that AWS manages belong to no account of the user's.
func (u accountUse) cachePolicy(id string) string {
	return u.arn("cloudfront", "", "*", "cache-policy/"+id)
}

func (u accountUse) certificate(id string) string {
	return u.arn("acm", "us-east-1", u.number(), "certificate/"+id)
}

func (u accountUse) arn(service, region, account, resource string) string {
	return strings.Join([]string{"arn", u.partition(), service, region, account, resource}, ":")
}

// number is the account's, from the ARNs that the configuration has, or "*".
func (u accountUse) number() string {
	arns := []string{u.account.RoleARN}
	for _, b := range u.buckets {
		arns = append(arns, b.CertificateARN)
		if b.Distribution.WebACLARN != nil {
			arns = append(arns, *b.Distribution.WebACLARN)
		}
	}
	for _, arn := range arns {
		if parts := strings.Split(arn, ":"); len(parts) > 4 {
			return parts[4]
		}
	}
	return "*"
}

// partition is that of the role, else that of the regions [IAM User Guide:
// Amazon Resource Names].
func (u accountUse) partition() string {
	if parts := strings.Split(u.account.RoleARN, ":"); len(parts) > 1 {
		return parts[1]
	}
	regions := []string{u.account.Region}
	for _, b := range u.buckets {
		regions = append(regions, b.Region)
	}
	switch {
	case slices.ContainsFunc(regions, func(r string) bool { return strings.HasPrefix(r, "cn-") }):
		return "aws-cn"
	case slices.ContainsFunc(regions, func(r string) bool { return strings.HasPrefix(r, "us-gov-") }):
		return "aws-us-gov"
	}
	return "aws"
}

// literal writes what a policy would take for a pattern or a variable as itself
// [IAM User Guide: IAM policy elements: Variables and tags].
func literal(s string) string {
	return strings.NewReplacer("*", "${*}", "?", "${?}", "$", "${$}").Replace(s)
}

func bucketNames(of []config.Bucket) []string {
	var names []string
	for _, b := range of {
		names = append(names, b.Name)
	}
	return names
}

// tagKeys are the keys of the tags that distributions of these buckets get.
func tagKeys(of []config.Bucket) []string {
	keys := []string{providers.TagPrefix + "*"}
	for _, b := range of {
		for k := range b.Distribution.Tags {
			keys = append(keys, literal(k))
		}
	}
	return sorted(keys)
}

// sorted is a copy in order, without repetitions.
func sorted(list []string) []string {
	out := slices.Sorted(slices.Values(list))
	return slices.Compact(out)
}
