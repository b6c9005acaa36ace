package cmd

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	"github.com/edgeward/edgeward/planner"
	"github.com/edgeward/edgeward/providers"
	"github.com/spf13/cobra"
)

// traceLines are the lines of a trace, each held against the schema.
func traceLines(t *testing.T, name string) []traceLine {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasSuffix(text, []byte("\n")) {
		t.Error("the last line is not whole")
	}
	var lines []traceLine
	for _, l := range bytes.Split(bytes.TrimSpace(text), []byte("\n")) {
		if err := fitsSchema(l, "Trace"); err != nil {
			t.Errorf("%s: %v", l, err)
		}
		var line traceLine
		if err := json.Unmarshal(l, &line); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, line)
	}
	return lines
}

// tracedAPIs: the traces of runs that all whom they asked have refused have calls to
// many of those. Which is left to chance: a run ends with its first refusal.
func tracedAPIs(t *testing.T, dir string) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.jsonl"))
	if err != nil || len(names) != 4 {
		t.Errorf("%v, %v", names, err)
	}
	asked := map[string]int{}
	for _, name := range names {
		for _, l := range traceLines(t, name)[1:] {
			if l.Error != "" || l.Code != "" {
				asked[l.API]++
			}
		}
	}
	t.Logf("refused: %v", asked)
	if asked["dns"] == 0 || asked["powerdns"] == 0 || runtime.GOOS == "linux" && len(asked) < 7 { // where SSL_CERT_FILE counts
		t.Errorf("so few are in the traces that little is proven: %v", asked)
	}
}

// Every command that asks somebody has the flag, and in a sandbox a file that says
// that nothing left the machine.
func TestTraceFlag(t *testing.T) {
	a := newApp(nil, io.Discard, io.Discard, nil)
	asks := map[string]bool{"edgeward unlock": true}
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		if f := c.Flags(); (f.Lookup("sandbox") != nil || asks[c.CommandPath()]) != (f.Lookup("trace") != nil) {
			t.Errorf("%s: has -trace: %v", c.CommandPath(), f.Lookup("trace") != nil)
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(a.root())

	inFolder(t)
	if err := os.WriteFile("trace.jsonl", []byte("from an earlier run"), 0o644); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	if code := Main([]string{"apply", "-sandbox", "-auto-approve", "-until=certificate.request", "-trace=trace.jsonl"}, nil, &stdout, &stderr); code != 0 {
		t.Fatalf("exit code %d: %s", code, stderr.String())
	}
	if strings.Contains(stdout.String(), "-trace") {
		t.Errorf("the command to go on has the flag: %s", stdout.String())
	}
	info, err := os.Stat("trace.jsonl")
	if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	lines := traceLines(t, "trace.jsonl")
	if first := lines[0]; first.FormatVersion == "" || first.Edgeward == "" || first.Operation != "edgeward apply" || !strings.Contains(first.Note, "nothing left the machine") {
		t.Errorf("%+v", first)
	}
	seen := map[string]int{}
	for _, l := range lines[1:] {
		seen[l.API+" "+l.Operation+" "+l.About]++
	}
	if seen["sandbox Certificates.Request assets.example.com"] != 1 || len(seen) < 5 {
		t.Errorf("%v", seen)
	}
}

// The lines that the documentation shows are such lines.
func TestTraceInDocumentation(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "docs", "trace.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, sample, _ := strings.Cut(string(text), "```text\n")
	sample, _, _ = strings.Cut(sample, "```")
	name := filepath.Join(t.TempDir(), "t")
	if err := os.WriteFile(name, []byte(sample), 0o600); err != nil {
		t.Fatal(err)
	}
	if lines := traceLines(t, name); len(lines) < 5 || lines[0].FormatVersion != planner.FormatVersion {
		t.Errorf("%+v", lines)
	}
}

// What cannot be written is said before anything is asked, and nothing is lost by
// it; /dev/full stands for a full disk.
func TestTraceIsRefused(t *testing.T) {
	inFolder(t)
	before, err := os.ReadFile("edgeward.hcl")
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{os.Mkdir("folder", 0o700), os.WriteFile("p.plan", nil, 0o600), os.Symlink("p.plan", "link")} {
		if err != nil {
			t.Fatal(err)
		}
	}
	cases := map[string][]string{
		"no such file or directory":             {"plan", "-sandbox", "-trace=" + filepath.Join("none", "t.jsonl")},
		"it is a folder":                        {"plan", "-sandbox", "-trace=folder"},
		"it is a link":                          {"status", "-sandbox", "-trace=link"},
		"-trace=- is no file":                   {"plan", "-sandbox", "-trace=-"},
		"would replace a file of the":           {"plan", "-sandbox", "-trace=edgeward.hcl"},
		"-json-into and -trace name the same":   {"plan", "-sandbox", "-trace=a", "-json-into=./a"},
		"-var-file and -trace name the same":    {"plan", "-sandbox", "-var-file=b", "-var-file=a", "-trace=a"},
		"-paths-from and -trace name the same":  {"verify", "-left=http://127.0.0.1:9", "-right=http://127.0.0.1:9", "-paths-from=a", "-trace=a"},
		"is the file that the command reads":    {"apply", "-sandbox", "-trace=p.plan", "p.plan"},
		"-generate-config-out and -trace name ": {"discover", "-sandbox", "-trace=a", "-generate-config-out=a"},
	}
	if runtime.GOOS == "linux" {
		cases["no space left on device"] = []string{"plan", "-sandbox", "-trace=/dev/full"}
	}
	for want, args := range cases {
		var stdout, stderr bytes.Buffer
		if code := Main(args, strings.NewReader(""), &stdout, &stderr); code != exitRefused || stdout.Len() > 0 ||
			!strings.Contains(stderr.String(), want) || strings.Count(stderr.String(), "error:") != 1 || strings.Contains(stderr.String(), "sandbox: ") {
			t.Errorf("%v: exit code %d, %s%s", args, code, stdout.String(), stderr.String())
		}
	}
	if after, _ := os.ReadFile("edgeward.hcl"); !bytes.Equal(before, after) {
		t.Error("the configuration was replaced")
	}
	if _, err := os.Stat("/dev/full"); runtime.GOOS == "linux" && err != nil {
		t.Error(err)
	}
}

// A disk that becomes full stops no run: its end says what is missing.
func TestTraceBreaks(t *testing.T) {
	inFolder(t)
	f, err := os.Create("trace.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	f.Close() // each write to it fails
	var stdout, stderr bytes.Buffer
	a := newApp(strings.NewReader(""), &stdout, &stderr, func(error) {})
	a.trace = &traceFile{name: "trace.jsonl", file: f, secrets: remover(nil)}
	if code := a.run(t.Context(), []string{"apply", "-sandbox", "-auto-approve", "-until=certificate.request"}); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if said := stderr.String(); !strings.Contains(said, "error: write -trace=trace.jsonl: ") || !strings.Contains(said, "not in the file: ") || strings.Count(said, "-trace") != 1 {
		t.Errorf("%s", said)
	}
	a.trace.write(traceLine{}) // a call that ends too late is nobody's business
}

// almostFull takes so many bytes and no more.
type almostFull struct {
	*os.File
	left int
}

func (f *almostFull) Write(p []byte) (int, error) {
	n, err := f.File.Write(p[:min(len(p), f.left)])
	f.left -= n
	if err == nil && n < len(p) {
		err = syscall.ENOSPC
	}
	return n, err
}

// The file ends with its last whole line, and none is written after it.
func TestTraceEndsWhole(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "t"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	full := &almostFull{f, 300}
	trace := &traceFile{file: full, secrets: remover(nil)}
	for i := range 9 {
		trace.of("")(providers.Exchange{API: "http", Operation: "GET", Status: i})
		if i == 6 {
			full.left = 1000 // somebody has made room
		}
	}
	lines := traceLines(t, f.Name())
	if n := len(lines); n < 2 || n > 5 || lines[n-1].Status != n-1 || trace.lost != 9-n {
		t.Errorf("%d calls are lost, and %+v are in the file", trace.lost, lines)
	}
}

// Two sites are compared with a trace, too: what was fetched, from where.
func TestTraceOfTwoSites(t *testing.T) {
	inFolder(t)
	site := httptest.NewServer(http.FileServerFS(fstest.MapFS{"a": {Data: []byte("a\n")}}))
	defer site.Close()
	var out bytes.Buffer
	if code := Main([]string{"verify", "-left=" + site.URL, "-right=" + strings.Replace(site.URL, "127.0.0.1", "localhost", 1),
		"-path=/a?X-Amz-Signature=" + canary, "-trace=trace.jsonl"}, nil, &out, &out); code != 0 {
		t.Errorf("exit code %d", code)
	}
	lines := traceLines(t, "trace.jsonl")
	left := slices.IndexFunc(lines, func(l traceLine) bool { return l.URL == site.URL+"/a" })
	if left < 1 || lines[left].API != "http" || "http://"+lines[left].Server != site.URL || lines[left].Status == 0 {
		t.Errorf("%+v\n%s", lines, out.String())
	}
	if text, _ := os.ReadFile("trace.jsonl"); leaks(text) != nil || len(text) == 0 {
		t.Errorf("%v", leaks(text))
	}
}

// TestTraceHasNoSecret: whatever field it comes in, and in whatever form.
func TestTraceHasNoSecret(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "t"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	secret := "s/" + canary + "+\"x\" ="
	quoted, _ := json.Marshal(secret)
	trace := (&traceFile{file: f, secrets: remover([]string{secret, "abc"})}).of("dns_provider.cloudflare.x")
	forms := []string{
		secret, string(quoted), url.QueryEscape(secret), url.PathEscape(secret), hex.EncodeToString([]byte(secret)), strings.ToUpper(hex.EncodeToString([]byte(secret))),
		"Basic " + base64.StdEncoding.EncodeToString([]byte("user:"+secret)), base64.RawURLEncoding.EncodeToString([]byte("a" + secret)), base64.StdEncoding.EncodeToString([]byte("ab" + secret)),
		// Of nobody that we know, by their shape.
		"map[Authorization:[Bearer " + canary + "]]", `"authorization": "sso-key ` + canary + `:x"`, "Cookie: " + canary, "X-Api-Key=" + canary,
		"x-amz-security-token=" + canary + "&x", "http://user:" + canary + "@host/path", "at https://host/a?X-Amz-Signature=" + canary + " it failed", "bearer 1" + canary,
	}
	for _, form := range forms {
		trace(providers.Exchange{API: "http", Operation: form, About: form, URL: form, Server: form, Peer: form, Key: form, Sections: form,
			RCode: form, RequestID: form, XCache: form, Via: form, Age: form, Code: form, Error: "before " + form + " abc"})
	}
	text, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	if found := leaks(text); found != nil {
		t.Errorf("%v", found)
	}
	if got := remover([]string{"long", "longer"}).Replace("longer"); got != "(removed)" {
		t.Errorf("a secret that begins as another one leaves %q", got)
	}
	if n := bytes.Count(text, []byte("\n")); n != len(forms) || bytes.Count(text, []byte(`"error":"before `)) != n || bytes.Count(text, []byte("abc\"")) < n-2 {
		t.Errorf("%s", text)
	}
	trace(providers.Exchange{Error: "authorization failed: basic authentication is not allowed", URL: "https://s3.amazonaws.com/a/b", About: strings.Repeat("é", mostText)})
	lines := traceLines(t, f.Name())
	last := lines[len(lines)-1]
	if last.Error != "authorization failed: basic authentication is not allowed" || last.URL != "https://s3.amazonaws.com/a/b" || len(last.About) > mostText+4 {
		t.Errorf("%+v", last)
	}
}

// TestTraceKnowsTheKeysOfAWS: those of the environment are taken out wherever they
// come, and nothing of another shape.
func TestTraceKnowsTheKeysOfAWS(t *testing.T) {
	t.Chdir(t.TempDir())
	for name, v := range map[string]string{"AWS_ACCESS_KEY_ID": "key-one", "AWS_SECRET_ACCESS_KEY": "key-two", "AWS_SESSION_TOKEN": "key-three"} {
		t.Setenv(name, v)
	}
	a := newApp(nil, io.Discard, io.Discard, nil)
	a.flags.trace = "trace.jsonl"
	if err := a.openTrace(providers.RealClock{}.Now(), []string{"of the configuration"}); err != nil {
		t.Fatal(err)
	}
	a.trace.of("")(providers.Exchange{Error: "key-one key-two key-three of the configuration key-four"})
	a.endTrace()
	if got := traceLines(t, "trace.jsonl")[1].Error; got != "(removed) (removed) (removed) (removed) key-four" {
		t.Error(got)
	}
}
