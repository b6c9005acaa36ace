package cmd

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/edgeward/edgeward/cmd/view"
	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/planner"
	"github.com/edgeward/edgeward/planner/proof"
	"github.com/edgeward/edgeward/providers"
	"github.com/edgeward/edgeward/providers/probe"
	"github.com/spf13/cobra"
)

const (
	// allWhole is up to how many paths each gets the whole matrix of requests;
	// of more, someWhole do, and the others are compared by plain requests.
	allWhole  = 200
	someWhole = 100
)

// siteFlags are the flags that compare two sites without a configuration.
type siteFlags struct {
	left                      string
	right                     []string
	leftConnect, rightConnect string
	caFile                    string
	paths                     []string
	pathsFrom                 string
	origins, accept           []string
}

func (s *siteFlags) register(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&s.left, "left", "", "two sites: `URL` of the one as it is")
	f.StringArrayVar(&s.right, "right", nil, "two sites: `URL` of the one as it will be; may be repeated, once for http and once for https")
	f.StringVar(&s.leftConnect, "left-connect", "", "two sites: connect to `HOST[:PORT]` for -left; Host and SNI stay the URL's")
	f.StringVar(&s.rightConnect, "right-connect", "", "two sites: connect to `HOST[:PORT]` for -right, such as a distribution's domain")
	f.StringArrayVar(&s.paths, "path", nil, "two sites: compare `PATH`, as it is sent, such as /img/logo.png; may be repeated")
	f.StringVar(&s.pathsFrom, "paths-from", "", "two sites: compare the paths in `FILE`, one a line; - is standard input")
	f.StringVar(&s.caFile, "ca-file", "", "two sites: trust the certificates in `FILE` (PEM) besides the system's")
	f.StringArrayVar(&s.origins, "origin", nil, "two sites: an `ORIGIN` that the left allows (CORS), such as https://app.example.com; may be repeated")
	f.StringArrayVar(&s.accept, "accept", nil, "two sites: accept changed differences of `ASPECT`, such as cache-control; may be repeated")
}

// wanted says that two sites are compared.
func (s *siteFlags) wanted() bool { return s.left != "" || len(s.right) > 0 }

// check refuses flags that do not go together. folder are those that need a
// configuration.
func (s *siteFlags) check(c *cobra.Command, folder []string) error {
	changed := c.Flags().Changed
	if !changed("left") && !changed("right") {
		for _, f := range [][2]string{
			{"path", "the paths of a bucket stand in its verify { paths = [...] }"}, {"paths-from", "the paths of a bucket stand in its verify { paths = [...] }"},
			{"accept", "for a bucket write verify { accept = [...] }"}, {"ca-file", "with a configuration write probe { ca_file = ... }"},
			{"origin", "the origins of a bucket are read from its CORS rules"},
			{"left-connect", "with a configuration write probe { connect_to = ... }"}, {"right-connect", "with a configuration write probe { connect_to = ... }"},
		} {
			if changed(f[0]) {
				return refuse("type -left=URL -right=URL too; "+f[1], "-%s is for two sites, and neither -left nor -right is given", f[0])
			}
		}
		return nil
	}
	for _, name := range folder {
		if changed(name) {
			return refuse("leave -"+name+" out, or -left and -right to compare the buckets of the configuration",
				"-%s is about a configuration, and -left and -right read none", name)
		}
	}
	switch {
	case s.left == "":
		return refuse("type -left=URL, the site as it is", "-right is given and -left is not")
	case len(s.right) == 0 || slices.Contains(s.right, ""):
		return refuse("type -right=URL, the site as it will be", "-left is given and -right is not")
	case len(s.paths) == 0 && s.pathsFrom == "":
		return refuse("type -path=/index.html, or -paths-from=FILE with a path a line", "no path is given to compare")
	}
	for _, name := range s.accept {
		if err := acceptable(name); err != nil {
			return err
		}
	}
	for _, o := range s.origins {
		if err := originOf(o); err != nil {
			return err
		}
	}
	return nil
}

// originOf judges one -origin: a scheme and a host, as browsers send it.
func originOf(text string) error {
	u, err := url.Parse(text)
	switch {
	case text == "*" || text == "null":
		return nil
	case err == nil && u.Scheme != "" && u.Host != "" && validPort(u.Port()) && u.Scheme+"://"+u.Host == text:
		return nil
	case err == nil && u.Scheme != "" && u.Host != "":
		return refuse("type -origin="+u.Scheme+"://"+u.Host, "-origin=%s is more than an origin", text)
	}
	return refuse("type it as browsers send it: -origin=https://app.example.com", "-origin=%s is no origin", text)
}

// acceptable judges one -accept, as config does verify { accept }.
func acceptable(name string) error {
	names := acceptNames()
	if slices.Contains(names, name) {
		return nil
	}
	switch name {
	case "broken":
		return refuse("type the aspects whose changes visitors may see, such as -accept=cache-control",
			"-accept=broken cannot be: a visitor does not get what the left gives")
	case "*", "all", "changed":
		return refuse("type each aspect whose changes visitors may see, such as -accept=cache-control; they are "+strings.Join(names, ", "),
			"-accept=%s would accept what nobody has looked at", name)
	}
	for _, a := range config.Aspects() {
		if a.Name == name {
			return refuse("what is broken is never accepted", "-accept=%s cannot be: it means that %s", name, a.Means)
		}
	}
	hint := "the aspects are " + strings.Join(names, ", ")
	if near := nearest(name, names); near != "" {
		hint = "did you mean -accept=" + near + "? " + hint
	}
	return refuse(hint, "-accept=%s is no aspect", name)
}

// acceptNames are the values of -accept.
func acceptNames() []string {
	var names []string
	for _, a := range config.Aspects() {
		if !a.Broken {
			names = append(names, a.Name)
		}
	}
	return names
}

// siteURL reads the URL of a site: scheme, host and maybe a path to put before
// every other.
func siteURL(flag, raw string) (string, error) {
	u, err := url.Parse(raw)
	hint := "type it as -" + flag + "=https://HOST, with a path behind it when every path begins so"
	switch {
	case err != nil:
		return "", refuse(hint, "-%s=%s is no URL", flag, raw)
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		if !strings.Contains(raw, "://") && raw != "" && !strings.HasPrefix(raw, "/") {
			hint = "did you mean -" + flag + "=https://" + raw + ", or http://?"
		}
		return "", refuse(hint, "-%s=%s has no http:// or https:// with a host", flag, raw)
	case u.User != nil:
		return "", refuse("leave them out: only what everybody can read is compared", "-%s has a user or a password in its URL", flag)
	case u.RawQuery != "" || u.ForceQuery || strings.Contains(raw, "#"):
		return "", refuse("put a query behind the path: -path='/index.html?v=1'", "-%s=%s has a query or a fragment", flag, raw)
	case u.Hostname() == "" || !validPort(u.Port()):
		return "", refuse(hint, "-%s=%s has no host, or no such port", flag, raw)
	}
	base, err := sentPath("-"+flag, u.EscapedPath())
	if err != nil && u.EscapedPath() != "" {
		return "", err
	}
	return u.Scheme + "://" + u.Host + strings.TrimRight(base, "/"), nil
}

func validPort(port string) bool {
	n, err := strconv.Atoi(port)
	return port == "" || err == nil && n > 0 && n < 65536
}

// place reads HOST[:PORT].
func place(flag, text string) error {
	if text == "" {
		return nil
	}
	host, port := strings.Trim(text, "[]"), ""
	if net.ParseIP(host) == nil {
		host = text
		if strings.Contains(text, ":") {
			var err error
			if host, port, err = net.SplitHostPort(text); err != nil {
				host = ""
			}
		}
	}
	if host == "" || strings.ContainsAny(host, "/ \t@?#") || strings.HasSuffix(text, ":") || !validPort(port) {
		return refuse("type it as -"+flag+"=d111111abcdef8.cloudfront.net or -"+flag+"=127.0.0.1:8080", "-%s=%s is no HOST[:PORT]", flag, text)
	}
	return nil
}

// read makes the sites of the flags.
func (s *siteFlags) read() (left proof.Site, right []proof.Site, err error) {
	if left.URL, err = siteURL("left", s.left); err != nil {
		return left, nil, err
	}
	if err := errors.Join(place("left-connect", s.leftConnect), place("right-connect", s.rightConnect)); err != nil {
		return left, nil, err
	}
	left.Dial = s.leftConnect
	seen := map[string]bool{}
	for _, raw := range s.right {
		u, err := siteURL("right", raw)
		if err != nil {
			return left, nil, err
		}
		if seen[u] {
			return left, nil, refuse("leave one out", "-right=%s is given twice", raw)
		}
		seen[u] = true
		right = append(right, proof.Site{URL: u, Dial: s.rightConnect})
	}
	if slices.Contains(right, left) {
		return left, nil, refuse("type what differs; the same URL at another place is -right-connect=HOST, such as a distribution's domain",
			"-left and -right are the same site, %s", siteName(left))
	}
	return left, right, nil
}

// targets are the paths of the flags, each once, in their order.
func (a *app) targets(s *siteFlags, sites ...proof.Site) ([]proof.Target, error) {
	var paths []string
	for _, raw := range s.paths {
		path, err := sentPath("-path", raw)
		if err != nil {
			return nil, err
		}
		paths = append(paths, path)
	}
	if s.pathsFrom != "" {
		more, err := a.readPaths(s.pathsFrom, sites)
		if err != nil {
			return nil, err
		}
		paths = append(paths, more...)
	}
	seen := map[string]bool{}
	var targets []proof.Target
	for _, path := range paths {
		if !seen[path] {
			seen[path] = true
			// What counts is the same answer: a path that the left refuses or does not
			// have may be wanted as well.
			targets = append(targets, proof.Target{Path: path, Why: "given", Aside: true, Size: -1})
		}
	}
	if len(targets) == 0 {
		return nil, refuse("write a path a line, such as /index.html", "-paths-from=%s has no path", s.pathsFrom)
	}
	markWhole(targets)
	return targets, nil
}

// markWhole chooses what gets the whole matrix: everything, or, of many, the
// first of each kind of name and the rest evenly.
func markWhole(targets []proof.Target) {
	n := len(targets)
	if n <= allWhole {
		for i := range targets {
			targets[i].Whole = true
		}
		return
	}
	left := someWhole
	kinds := map[string]bool{}
	for i := range targets {
		path, query, _ := strings.Cut(targets[i].Path, "?")
		kind := path[strings.LastIndexByte(path, '/')+1:]
		if dot := strings.LastIndexByte(kind, '.'); dot >= 0 {
			kind = kind[dot:]
		} else if kind != "" {
			kind = "name"
		}
		if query != "" {
			kind += "?"
		}
		if !kinds[kind] && len(kinds) < someWhole/2 {
			kinds[kind] = true
			targets[i].Whole = true
			left--
		}
	}
	for i := range left {
		targets[i*n/left].Whole = true
	}
}

// readPaths reads the paths of a file, one a line. Empty lines and those that
// begin with # are left out; of a URL the path counts, behind a site's own.
func (a *app) readPaths(name string, sites []proof.Site) ([]string, error) {
	in := io.Reader(a.stdin)
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, refuse("write a path a line into it, such as /index.html", "read -paths-from=%s: %v", name, bareError(err))
		}
		defer f.Close()
		in = f
	}
	var paths []string
	lines := bufio.NewReader(in)
	for n := 1; ; n++ {
		line, err := lines.ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("read -paths-from=%s: %w", name, bareError(err))
		}
		if n == 1 {
			line = strings.TrimPrefix(line, "\ufeff")
		}
		if text := strings.TrimSpace(line); text != "" && text[0] != '#' {
			path, fault := sentPath(fmt.Sprintf("%s:%d", name, n), withoutSite(text, sites))
			if fault != nil {
				return nil, fault
			}
			paths = append(paths, path)
		}
		if err != nil {
			return paths, nil
		}
	}
}

// withoutSite is the path of a URL, or text itself.
func withoutSite(text string, sites []proof.Site) string {
	lower := strings.ToLower(text)
	if !strings.HasPrefix(lower, "http://") && !strings.HasPrefix(lower, "https://") {
		return text
	}
	for _, s := range sites {
		if rest, ok := strings.CutPrefix(text, s.URL); ok && strings.HasPrefix(rest, "/") {
			return rest
		}
	}
	_, rest, _ := strings.Cut(text, "://")
	i := strings.IndexAny(rest, "/?#")
	switch {
	case i < 0:
		return "/"
	case rest[i] != '/':
		return "/" + rest[i:]
	}
	return rest[i:]
}

// sentPath is a path as it is sent: what may not stand in a URL is escaped, and
// what is escaped stays so. where says who gave it.
func sentPath(where, raw string) (string, error) {
	if !strings.HasPrefix(raw, "/") {
		return "", refuse("write /"+raw, "%s: the path %q does not begin with a slash", where, raw)
	}
	if strings.Contains(raw, "#") {
		return "", refuse("leave out what is behind #, which no browser sends; a # in a name is %23", "%s: the path %q has a fragment", where, raw)
	}
	var b strings.Builder
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		switch {
		case c == '%' && (i+2 >= len(raw) || !isHex(raw[i+1]) || !isHex(raw[i+2])):
			return "", refuse("write %25 for a percent sign", "%s: the path %q has a %% without two hexadecimal digits behind it", where, raw)
		case c <= ' ' || c >= 0x7f || strings.IndexByte("\"<>\\^`{|}", c) >= 0:
			fmt.Fprintf(&b, "%%%02X", c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), nil
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

// sitesReport is the JSON of a comparison of two sites.
type sitesReport struct {
	planner.VerifyReport
	Left  proof.Site   `json:"left"`
	Right []proof.Site `json:"right"`
	// Readable is how many paths the left serves, NoCacheControl how many of
	// those have neither Cache-Control nor Expires, Repeated how many paths were
	// looked at again and then were the same.
	Readable       int `json:"readable"`
	NoCacheControl int `json:"no_cache_control,omitempty"`
	Repeated       int `json:"repeated,omitempty"`
}

// verifySites compares two sites.
func (a *app) verifySites(c *cobra.Command, v *verifyFlags) error {
	left, right, err := v.sites.read()
	if err != nil {
		return err
	}
	targets, err := a.targets(&v.sites, append(slices.Clone(right), left)...)
	if err != nil {
		return err
	}
	if err := v.into.check([2]string{"resume", v.resume}); err != nil {
		return err
	}
	if err := a.openTrace(providers.RealClock{}.Now(), nil); err != nil {
		return err
	}
	web, err := probe.NewWeb(probe.WebOptions{CAFile: v.sites.caFile, Version: buildVersion(), Trace: a.trace.of("")})
	if err != nil {
		return caFault(v.sites.caFile, err)
	}
	record, err := a.openRecord(v.resume, sitesRecord(left, right, targets, v))
	if err != nil {
		return err
	}
	defer record.close()
	clock := providers.RealClock{}
	bar := a.newBar(clock)
	seed := v.seed
	if seed == "" {
		// A query that no cache has seen: the seed chooses nothing here.
		seed = shortDigest(clock.Now().String(), strconv.Itoa(os.Getpid()))[:8]
	}
	ctx := c.Context()
	o := proof.Options{
		Web: web, Clock: clock, Left: left, Right: right, Facts: siteFacts(left, right, &v.sites), Seed: seed,
		Parallel: a.flags.parallelism, Rate: v.rate, MaxRequests: v.maxRequests, MaxBytes: int64(v.maxBytes),
		Resume:   record.found[""],
		Keep:     func(o proof.Outcome) error { return record.keep("", o) },
		Progress: func(p proof.Progress) { bar.update("", p) },
	}
	for _, name := range v.sites.accept {
		o.Accept = append(o.Accept, proof.Aspect(name))
	}
	o.Facts.CloudFront = isCloudFront(ctx, web, right[0], targets[0].Path, seed)
	found, err := proof.Compare(ctx, o, targets)
	bar.clear()
	if err != nil {
		return a.notCompared(ctx, record, err)
	}
	r := sitesProof(found, o, targets)
	js := sitesReport{VerifyReport: r, Left: left, Right: right, Readable: found.Readable, NoCacheControl: found.NoCacheControl, Repeated: found.Repeated}
	js.Buckets = nil
	return a.verifyEnd(r, js, v, record)
}

// caFault says what is wrong with the file of -ca-file.
func caFault(name string, err error) error {
	const hint = "name a file of certificates in PEM, which begin with -----BEGIN CERTIFICATE-----"
	var file *fs.PathError
	if errors.As(err, &file) {
		return refuse(hint, "read -ca-file=%s: %v", name, file.Err)
	}
	return refuse(hint, "-ca-file=%s has no certificate in it", name)
}

// notCompared says why there is no verdict. Nothing was attempted when the
// budget was too small from the first; else something was, and is not known to
// be the same.
func (a *app) notCompared(ctx context.Context, record *record, err error) error {
	var budget *proof.BudgetError
	switch {
	case ctx.Err() != nil:
		return record.kept(ctx, a, err)
	case errors.As(err, &budget):
		err = refuse(fmt.Sprintf("type -max-%s=N with more, or compare fewer paths", budget.What), "%v", err)
		if !budget.Begun {
			return err
		}
	}
	var left *proof.LeftError
	if errors.As(err, &left) && len(view.Hints(err)) == 0 {
		hint := "look at -left and -left-connect: the site as it is must answer"
		var certificate *tls.CertificateVerificationError
		if errors.As(err, &certificate) {
			hint += "; -ca-file=FILE trusts a certificate authority of your own"
		}
		err = hinted{err, hint}
	}
	fmt.Fprintln(a.stderr, view.Error(err, a.msg))
	return exit(exitDiffers)
}

// sitesProof is what was found as a report with one part.
func sitesProof(found proof.Result, o proof.Options, targets []proof.Target) planner.VerifyReport {
	r := planner.VerifyReport{
		FormatVersion: planner.FormatVersion, Verdict: found.Verdict, Requests: found.Requests, Bytes: found.Bytes, Paths: found.Paths,
		Differences: []planner.VerifyDifference{}, More: found.More,
	}
	for _, d := range found.Differences {
		if slices.Contains(o.Accept, d.Aspect) && d.Source == "verify.accept" {
			d.Source = "-accept=" + string(d.Aspect)
		}
		r.Differences = append(r.Differences, planner.VerifyDifference{Difference: d})
	}
	r.Buckets = []planner.BucketProof{{
		Verdict: found.Verdict, Left: o.Left, Right: o.Right, Seed: o.Seed, Targets: targets, Requests: found.Requests, Bytes: found.Bytes,
		Readable: found.Readable, NoCacheControl: found.NoCacheControl, Repeated: found.Repeated, Compared: true,
	}}
	return r
}

// siteFacts are what the flags say of the two sites.
func siteFacts(left proof.Site, right []proof.Site, s *siteFlags) proof.Facts {
	origins := s.origins
	if len(origins) == 0 {
		origins = []string{"*"}
	}
	f := proof.Facts{CORS: []providers.CORSRule{{Origins: origins, Methods: []string{"GET", "HEAD"}}}}
	own := map[string]bool{}
	for _, site := range right {
		own[hostOf(site.URL)] = true
	}
	for _, host := range []string{hostOf(left.URL), hostOf("//" + left.Dial)} {
		if host != "" && !own[host] && !slices.Contains(f.OriginHosts, host) {
			f.OriginHosts = append(f.OriginHosts, host)
		}
	}
	f.Website = slices.ContainsFunc([]string{left.URL, left.Dial}, func(t string) bool { return strings.Contains(t, ".s3-website") })
	return f
}

// hostOf is the host of a URL, in lower case and without its port.
func hostOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Hostname())
}

// isCloudFront asks the right, past its caches, whether it is a distribution,
// which says so in each of its answers. No answer says nothing.
func isCloudFront(ctx context.Context, web providers.Web, site proof.Site, path, seed string) bool {
	join := "?"
	if strings.Contains(path, "?") {
		join = "&"
	}
	a, err := web.Fetch(ctx, providers.Request{Method: "HEAD", URL: site.URL + path + join + "edgeward=" + url.QueryEscape(seed), Dial: site.Dial})
	return err == nil && (a.Header.Get("X-Amz-Cf-Id") != "" || strings.Contains(a.Header.Get("Via"), "(CloudFront)"))
}

// sitesRecord is what a resumed comparison must have in common with the one
// before.
func sitesRecord(left proof.Site, right []proof.Site, targets []proof.Target, v *verifyFlags) recordHeader {
	of := siteName(left)
	for _, s := range right {
		of += " and " + siteName(s)
	}
	var paths []string
	for _, t := range targets {
		paths = append(paths, t.Path)
	}
	settings := slices.Concat(v.sites.accept, []string{"origins"}, v.sites.origins)
	return recordHeader{Of: of, Seed: v.seed, Paths: shortDigest(paths...), Settings: shortDigest(settings...)}
}

func siteName(s proof.Site) string {
	if s.Dial == "" {
		return s.URL
	}
	return s.URL + " at " + s.Dial
}
