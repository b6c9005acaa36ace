//go:build peers

package dnslab

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"
)

const (
	// patience bounds the start of a server.
	patience = 20 * time.Second
	// tries is how often a server is started anew when its port was taken.
	tries = 5
)

// process is a server under way.
type process struct {
	cmd   *exec.Cmd
	log   *output
	ended chan struct{}
}

// output keeps the last of what a server says.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.text.Len() > 1<<16 {
		o.text.Reset()
	}
	return o.text.Write(p)
}

// String is what was said.
func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// program is the path of a program of a Debian package.
func program(t testing.TB, name, pkg string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		// Debian has servers in a folder that not every PATH names.
		if path, err = exec.LookPath("/usr/sbin/" + name); err != nil {
			t.Fatalf("find %s: %v (apt-get install %s)", name, err, pkg)
		}
	}
	return path
}

// run starts a server and waits until it answers. setup writes its files for a
// port and gives the command; a start that fails is tried on other ports.
func run(t testing.TB, ready func(address string) error, setup func(dir string, port int) []string) string {
	t.Helper()
	var last error
	for range tries {
		dir, port := t.TempDir(), freePort(t)
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		args := setup(dir, port)
		p, err := start(dir, args)
		if err != nil {
			t.Fatalf("start %s: %v", args[0], err)
		}
		t.Cleanup(p.end)
		if last = p.await(func() error { return ready(address) }); last == nil {
			return address
		}
		p.end()
	}
	t.Fatal(last)
	return ""
}

func start(dir string, args []string) (*process, error) {
	p := &process{cmd: exec.Command(args[0], args[1:]...), log: &output{}, ended: make(chan struct{})}
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = dir, p.log, p.log
	p.cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "LC_ALL=C"}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(p.ended)
		_ = p.cmd.Wait()
	}()
	return p, nil
}

// await asks until a server is ready.
func (p *process) await(ready func() error) error {
	limit := time.After(patience)
	for {
		err := ready()
		if err == nil {
			return nil
		}
		select {
		case <-p.ended:
			return fmt.Errorf("%s ended:\n%s", p.cmd.Path, p.log)
		case <-limit:
			return fmt.Errorf("%s does not answer: %w\n%s", p.cmd.Path, err, p.log)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// end ends the server: it is asked to, and killed when it does not.
func (p *process) end() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(5 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
}

// freePort is a port that is free over UDP and TCP at this moment.
func freePort(t testing.TB) int {
	t.Helper()
	for range 50 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := l.Addr().(*net.TCPAddr).Port
		u, err := net.ListenPacket("udp", l.Addr().String())
		_ = l.Close()
		if err == nil {
			_ = u.Close()
			return port
		}
	}
	t.Fatal("no port is free over UDP and TCP")
	return 0
}

// answers says whether a server answers with authority about a zone.
func answers(address, zone string) error {
	q := new(dns.Msg)
	q.SetQuestion(dns.Fqdn(zone), dns.TypeSOA)
	m, _, err := (&dns.Client{Timeout: time.Second}).Exchange(q, address)
	switch {
	case err != nil:
		return err
	case m.Rcode != dns.RcodeSuccess || !m.Authoritative || len(m.Answer) == 0:
		return errors.New("zone " + zone + ": " + dns.RcodeToString[m.Rcode])
	}
	return nil
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
