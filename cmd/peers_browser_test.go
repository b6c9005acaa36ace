//go:build peers

package cmd

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// browser is headless Chromium, spoken to over its debugging pipe: JSON values
// ended by a zero byte, on file descriptors 3 and 4.
type browser struct {
	t      *testing.T
	to     io.Writer
	from   *bufio.Reader
	id     int
	events []message
}

// message is a call's answer, or an event.
type message struct {
	ID     int             `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
	Result json.RawMessage `json:"result"`
	Error  *struct {
		Message string `json:"message"`
	} `json:"error"`
}

func newBrowser(t *testing.T) *browser {
	t.Helper()
	inRead, inWrite, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	outRead, outWrite, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	// The pages are our own files, so Chromium needs no sandbox, which root cannot
	// have.
	cmd := exec.Command("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-dev-shm-usage", "--hide-scrollbars", "--remote-debugging-pipe", "--user-data-dir="+t.TempDir(), "about:blank")
	cmd.ExtraFiles = []*os.File{inRead, outWrite}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatalf("start chromium, which the peers' tests need: %v", err)
	}
	inRead.Close()
	outWrite.Close()
	// A browser that hangs ends the test rather than the whole run. Its group is
	// what it has started besides.
	kill := func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	watch := time.AfterFunc(3*time.Minute, kill)
	b := &browser{t: t, to: inWrite, from: bufio.NewReader(outRead)}
	t.Cleanup(func() {
		b.t = t
		// Chromium ends by itself, so that nothing writes to its folder any more.
		_, _ = inWrite.Write([]byte("{\"id\":1,\"method\":\"Browser.close\"}\x00"))
		_, _ = io.Copy(io.Discard, b.from)
		_ = cmd.Wait()
		watch.Stop()
		kill()
		inWrite.Close()
		outRead.Close()
	})
	return b
}

// call sends a command and gives its result; events that come before it are kept.
func (b *browser) call(session, method string, params map[string]any) json.RawMessage {
	b.t.Helper()
	b.id++
	text, err := json.Marshal(map[string]any{"id": b.id, "method": method, "params": params, "sessionId": session})
	if session == "" {
		text, err = json.Marshal(map[string]any{"id": b.id, "method": method, "params": params})
	}
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.to.Write(append(text, 0)); err != nil {
		b.t.Fatalf("%s: %v", method, err)
	}
	for {
		m := b.read()
		if m.ID != b.id {
			continue
		}
		if m.Error != nil {
			b.t.Fatalf("%s: %s", method, m.Error.Message)
		}
		return m.Result
	}
}

func (b *browser) read() message {
	b.t.Helper()
	text, err := b.from.ReadBytes(0)
	if err != nil {
		b.t.Fatalf("read from chromium: %v", err)
	}
	var m message
	if err := json.Unmarshal(text[:len(text)-1], &m); err != nil {
		b.t.Fatal(err)
	}
	if m.Method != "" {
		b.events = append(b.events, m)
	}
	return m
}

// look is how a page is looked at.
type look struct {
	name          string
	width, height int
	mobile        bool
	scheme, media string
}

func looks() []look {
	return []look{
		{"phone", 360, 740, true, "light", ""},
		{"phone-dark", 360, 740, true, "dark", ""},
		{"tablet", 768, 1024, true, "light", ""},
		{"desktop", 1280, 900, false, "light", ""},
		{"desktop-dark", 1280, 900, false, "dark", ""},
		{"print", 794, 1123, false, "light", "print"},
	}
}

// open loads a file as it is looked at, and gives the session of its page.
func (b *browser) open(file string, l look) string {
	b.t.Helper()
	var target struct {
		TargetID  string `json:"targetId"`
		SessionID string `json:"sessionId"`
	}
	decode(b.t, b.call("", "Target.createTarget", map[string]any{"url": "about:blank"}), &target)
	decode(b.t, b.call("", "Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}), &target)
	s := target.SessionID
	for _, domain := range []string{"Page", "Runtime", "Log", "Network"} {
		b.call(s, domain+".enable", nil)
	}
	b.call(s, "Emulation.setDeviceMetricsOverride", map[string]any{"width": l.width, "height": l.height, "deviceScaleFactor": 1, "mobile": l.mobile})
	b.call(s, "Emulation.setEmulatedMedia", map[string]any{"media": l.media,
		"features": []map[string]string{{"name": "prefers-color-scheme", "value": l.scheme}}})
	b.events = nil
	b.call(s, "Page.navigate", map[string]any{"url": "file://" + filepath.ToSlash(file)})
	for !b.happened("Page.loadEventFired") {
		b.read()
	}
	return s
}

func (b *browser) happened(method string) bool {
	for _, e := range b.events {
		if e.Method == method {
			return true
		}
	}
	return false
}

// quiet checks that the page asked for nothing but itself and that the browser had
// nothing to say about it.
func (b *browser) quiet() {
	b.t.Helper()
	for _, e := range b.events {
		switch e.Method {
		case "Network.requestWillBeSent":
			var p struct {
				Type    string `json:"type"`
				Request struct {
					URL string `json:"url"`
				} `json:"request"`
			}
			decode(b.t, e.Params, &p)
			if p.Type != "Document" || !strings.HasPrefix(p.Request.URL, "file://") {
				b.t.Errorf("the page asks for %s %s", p.Type, p.Request.URL)
			}
		case "Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded":
			b.t.Errorf("%s: %s", e.Method, e.Params)
		}
	}
}

// measured is what a page is, as the browser lays it out.
type measured struct {
	Scripts    int      `json:"scripts"`
	Handlers   int      `json:"handlers"`
	Wide       int      `json:"wide"`    // how far it can be scrolled to the side
	Outside    []string `json:"outside"` // texts that stick out
	H1         []string `json:"h1"`
	H2         int      `json:"h2"`
	Rows       int      `json:"rows"` // of the first table
	Bars       int      `json:"bars"`
	Hidden     int      `json:"hidden"`     // parts that are folded
	Background int      `json:"background"` // 0 black to 255 white
	Contrast   float64  `json:"contrast"`   // the least of any text
	Lang       string   `json:"lang"`
}

// measure is run in the page by the browser; the page has no script of its own.
const measure = `(() => {
  const all = [...document.querySelectorAll('body *')];
  const rgb = c => { const n = c.match(/[\d.]+/g).map(Number); return n.length > 3 && n[3] === 0 ? null : n.slice(0, 3); };
  const light = c => { const [r, g, b] = c.map(x => { x /= 255; return x <= .04045 ? x / 12.92 : ((x + .055) / 1.055) ** 2.4; }); return .2126 * r + .7152 * g + .0722 * b; };
  const ground = e => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor); if (c) return c; } return [255, 255, 255]; };
  const said = e => [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
  const shown = all.filter(e => e.checkVisibility() && said(e));
  let contrast = 21;
  for (const e of shown) {
    const a = light(rgb(getComputedStyle(e).color)), b = light(ground(e));
    contrast = Math.min(contrast, (Math.max(a, b) + .05) / (Math.min(a, b) + .05));
  }
  const scrolls = e => { for (; e; e = e.parentElement) if (getComputedStyle(e).overflowX === 'auto') return true; return false; };
  return JSON.stringify({
    scripts: document.scripts.length, handlers: all.filter(e => [...e.attributes].some(a => a.name.startsWith('on'))).length,
    wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    outside: shown.filter(e => !scrolls(e) && (e.getBoundingClientRect().right > innerWidth + 1 || e.getBoundingClientRect().left < -1)).map(e => e.textContent.slice(0, 60)),
    h1: [...document.querySelectorAll('h1')].map(e => e.textContent), h2: document.querySelectorAll('h2').length,
    rows: document.querySelector('tbody')?.rows.length ?? 0, bars: document.querySelectorAll('.bar').length,
    hidden: [...document.querySelectorAll('details > :not(summary)')].filter(e => !e.checkVisibility({contentVisibilityAuto: true, opacityProperty: true}) || e.getBoundingClientRect().height === 0).length,
    background: ground(document.body)[0], contrast, lang: document.documentElement.lang,
  });
})()`

func (b *browser) measure(session string) measured {
	b.t.Helper()
	var r struct {
		Result struct {
			Value string `json:"value"`
		} `json:"result"`
		Exception json.RawMessage `json:"exceptionDetails"`
	}
	decode(b.t, b.call(session, "Runtime.evaluate", map[string]any{"expression": measure}), &r)
	if r.Exception != nil {
		b.t.Fatalf("measure: %s", r.Exception)
	}
	var m measured
	decode(b.t, json.RawMessage(r.Result.Value), &m)
	return m
}

// picture keeps a screenshot of the whole page where go test -artifacts puts it.
func (b *browser) picture(session, name string) {
	b.t.Helper()
	var shot struct {
		Data string `json:"data"`
	}
	decode(b.t, b.call(session, "Page.captureScreenshot", map[string]any{"captureBeyondViewport": true}), &shot)
	png, err := base64.StdEncoding.DecodeString(shot.Data)
	if err == nil {
		err = os.WriteFile(filepath.Join(b.t.ArtifactDir(), name+".png"), png, 0o644)
	}
	if err != nil || len(png) < 1000 {
		b.t.Fatalf("the picture has %d bytes: %v", len(png), err)
	}
}

func decode(t *testing.T, text json.RawMessage, v any) {
	t.Helper()
	if err := json.Unmarshal(text, v); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
}

// browsed is a page and what must be found in it.
type browsed struct {
	file, h1       string
	h2, rows, bars int
}

// browsedPages are the pages of plan, apply, status and verify as commands write
// them here, and the golden ones, which have every kind of step, finding and
// outcome, and hostile names.
// The first table of the golden ones is that of the waves.
func browsedPages(t *testing.T) []browsed {
	t.Helper()
	testdata, err := filepath.Abs(filepath.Join("view", "testdata"))
	if err != nil {
		t.Fatal(err)
	}
	const buckets = 6 // and one that is blocked
	dir := t.TempDir()
	config := "dns_provider \"route53\" \"main\" {\n  zones = [\"example.com\"]\n}\n"
	for i := range buckets {
		config += fmt.Sprintf("bucket \"s%d.example.com\" {}\n", i)
	}
	config += "bucket \"apex\" {\n  name = \"example.com\"\n  origin = \"rest\"\n}\n"
	if err := os.WriteFile(filepath.Join(dir, "edgeward.hcl"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, code := range map[string]int{"plan": 0, "apply": 5, "status": 0, "verify": 4} {
		args := []string{name, "-sandbox", "-chdir=" + dir, "-html-into=" + filepath.Join(dir, name+".html")}
		if name == "apply" {
			args = append(args, "-auto-approve")
		}
		var stderr strings.Builder
		if got := Main(args, strings.NewReader(""), io.Discard, &stderr); got != code {
			t.Fatalf("%q ended with %d: %s", args, got, stderr.String())
		}
	}
	const fleet = 500 // of which the pages say once what is alike
	text := fmt.Sprintf("dns_provider \"route53\" \"main\" {\n  zones = [\"example.com\"]\n}\nlocals {\n  names = [for i in range(%d) : format(\"s%%03d.example.com\", i)]\n}\n"+
		"bucket \"site\" {\n  for_each = toset(local.names)\n  name     = each.key\n}\n", fleet)
	many := t.TempDir()
	if err := os.WriteFile(filepath.Join(many, "edgeward.hcl"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"plan", "status"} {
		var stderr strings.Builder
		file := filepath.Join(many, name+"-many.html")
		if code := Main([]string{name, "-sandbox", "-chdir=" + many, "-html-into=" + file}, strings.NewReader(""), io.Discard, &stderr); code != 0 {
			t.Fatalf("%s ended with %d: %s", name, code, stderr.String())
		}
	}
	return []browsed{
		{filepath.Join(many, "plan-many.html"), "edgeward plan", 1, 0, 13},
		{filepath.Join(many, "status-many.html"), "edgeward status", 1, 1, 0},
		{filepath.Join(dir, "plan.html"), "edgeward plan", buckets + 1, buckets + 1, buckets * 13},
		{filepath.Join(dir, "apply.html"), "edgeward apply", buckets + 1, buckets + 1, buckets * 12},
		{filepath.Join(dir, "status.html"), "edgeward status", buckets + 1, buckets + 1, 0},
		{filepath.Join(dir, "verify.html"), "edgeward verify", buckets + 1, buckets + 1, 0},
		{filepath.Join(testdata, "plan-every.html"), "edgeward plan", 8, 2, 0},
		{filepath.Join(testdata, "run-every.html"), "edgeward apply", 0, 2, 0},
		{filepath.Join(testdata, "status-every.html"), "edgeward status", 4, 4, 0},
		{filepath.Join(testdata, "verify.html"), "edgeward verify", 0, 0, 0},
	}
}

// Chromium opens each page as a file: nothing is run, nothing fetched, nothing to
// complain about; it fits a phone, can be read in the light, in the dark and on
// paper, and says all there is.
func TestPagesInBrowser(t *testing.T) {
	pages := browsedPages(t)
	b := newBrowser(t)
	for _, page := range pages {
		name := strings.TrimSuffix(filepath.Base(page.file), ".html")
		for _, l := range looks() {
			t.Run(name+"/"+l.name, func(t *testing.T) {
				b.t = t
				s := b.open(page.file, l)
				m := b.measure(s)
				b.quiet()
				checkPage(t, page, l, m)
				if strings.HasSuffix(name, "-many") {
					b.findable(s, page.file, l)
				}
				b.picture(s, name+"-"+l.name)
				if l.media == "print" {
					b.call(s, "Page.printToPDF", map[string]any{})
				}
			})
		}
	}
}

// findable checks that a page of 500 buckets is small, and that every name is one of
// its texts: the browser's search finds it, and opens the part that it stands in.
// On paper nothing is hidden in a box that scrolls.
func (b *browser) findable(session, file string, l look) {
	b.t.Helper()
	if info, err := os.Stat(file); err != nil || info.Size() > 200_000 {
		b.t.Errorf("%d bytes, %v", info.Size(), err)
	}
	var r struct {
		Result struct {
			Value int `json:"value"`
		} `json:"result"`
	}
	const named = `(() => { let n = 0; for (const c of document.querySelectorAll('li code')) if (/^bucket\.site\["s\d{3}\.example\.com"\]$/.test(c.textContent)) n++; return n; })()`
	decode(b.t, b.call(session, "Runtime.evaluate", map[string]any{"expression": named}), &r)
	if r.Result.Value < 499 {
		b.t.Errorf("%d names can be found", r.Result.Value)
	}
	const boxes = `[...document.querySelectorAll('.names')].filter(e => e.scrollHeight > e.clientHeight + 1).length`
	decode(b.t, b.call(session, "Runtime.evaluate", map[string]any{"expression": boxes}), &r)
	if l.media == "print" && r.Result.Value > 0 {
		b.t.Errorf("%d boxes hide names on paper", r.Result.Value)
	}
}

func checkPage(t *testing.T, page browsed, l look, m measured) {
	t.Helper()
	if m.Scripts+m.Handlers > 0 {
		t.Errorf("%d scripts, %d handlers", m.Scripts, m.Handlers)
	}
	if m.Wide > 0 || len(m.Outside) > 0 {
		t.Errorf("at %d px it sticks out by %d px: %q", l.width, m.Wide, m.Outside)
	}
	if len(m.H1) != 1 || !strings.HasPrefix(m.H1[0], page.h1) || m.Lang != "en" {
		t.Errorf("headings %q, language %q", m.H1, m.Lang)
	}
	for what, n := range map[string][2]int{"buckets": {page.h2, m.H2}, "rows": {page.rows, m.Rows}, "bars": {page.bars, m.Bars}} {
		if n[0] > 0 && n[0] != n[1] {
			t.Errorf("%d %s, want %d", n[1], what, n[0])
		}
	}
	if dark := m.Background < 128; dark != (l.scheme == "dark") {
		t.Errorf("the ground is %d of 255 in the %s", m.Background, l.scheme)
	}
	// WCAG 2.2, success criterion 1.4.3.
	if m.Contrast < 4.5 {
		t.Errorf("a text has the contrast %.1f", m.Contrast)
	}
	if l.media == "print" && m.Hidden > 0 {
		t.Errorf("%d parts are folded on paper", m.Hidden)
	}
}
