package dns

// Refusal is a provider that libdns has a module for and edgeward does not
// use: with it a name could vanish, or somebody's record be lost.
type Refusal struct {
	// Name is the label that people would write in the configuration.
	Name string
	// Why says what the module does, without a full stop.
	Why string
}

// Sentence is the refusal as a user reads it, with the way out.
func (r Refusal) Sentence() string {
	return "edgeward does not change records at " + r.Name + ": " + r.Why + ". Write dns_provider \"manual\" for its zones: " +
		"edgeward then says which record to set by hand, and waits until the name servers have it."
}

// Refused are the providers that are known and not used, sorted by name. What
// is said was read in the modules' sources at the versions named.
func Refused() []Refusal {
	gap := func(module string) string {
		return "its module (" + module + ") changes a record by deleting it and creating another, and in between the name does not exist"
	}
	old := func(module string) string {
		return "its module (" + module + ") is made for an older libdns and cannot be built in"
	}
	return []Refusal{
		{"alidns", gap("libdns/alidns v1.0.7")},
		{"bunny", gap("libdns/bunny v1.6.1") + "; it also ignores when the deletion fails"},
		{"easydns", old("libdns/easydns v0.2.0")},
		{"gandi", "its module (libdns/gandi v1.1.0) adds the new value to the record set instead of replacing the old one, and a name cannot have two CNAMEs"},
		{"hetzner", "its module (libdns/hetzner v1.0.0) calls dns.hetzner.com, an API that was shut down in May 2026"},
		{"huaweicloud", "its module (libdns/huaweicloud v1.0.1) takes any failed look-up for an absent record and creates a second one"},
		{"infomaniak", gap("libdns/infomaniak v0.2.0")},
		{"linode", gap("libdns/linode v0.5.0")},
		{"namecheap", "its module (libdns/namecheap v1.0.0) writes all records of the zone anew for each change, so that an edit of any of them " +
			"meanwhile is lost, and cuts TTLs above 65535 seconds (a day becomes 20864)"},
		{"namedotcom", old("libdns/namedotcom v0.3.3")},
		{"netlify", old("libdns/netlify v1.1.0")},
		{"ovh", "its module (libdns/ovh v1.1.0) creates the new record before it deletes the old one, which the API refuses for a CNAME"},
		{"scaleway", "its module (libdns/scaleway v0.3.1) looks for the old record by the new record's data and does not find it"},
		{"tencentcloud", "its module (libdns/tencentcloud up to v1.4.2) finds records by their new value and changes the wrong one, and no later one was tried"},
		{"transip", gap("libdns/transip v1.1.2") + "; its other mode writes the whole zone, so that an edit meanwhile is lost"},
		{"vultr", "its module (libdns/vultr v2.0.4) finds records by their data across names, and may overwrite another name's record"},
	}
}
