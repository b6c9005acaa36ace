package dns

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/edgeward/edgeward/providers"
)

const (
	// tsigFudge is how many seconds the clocks of client and server may differ
	// [RFC 8945, 10: 300 is recommended].
	tsigFudge = 300
	// answerTime bounds one message and its answer.
	answerTime = 10 * time.Second
)

// lostError says that a message was perhaps sent, and no usable answer came.
type lostError struct {
	err error
	// unsent: there was not even a connection.
	unsent bool
}

func (e *lostError) Error() string { return e.err.Error() }
func (e *lostError) Unwrap() error { return e.err }

// lost says whether asking again may help.
func isLost(err error) bool {
	var l *lostError
	return errors.As(err, &l)
}

// keyError is a refusal of the key, with what to do about it.
type keyError struct {
	err  error
	hint string
}

func (e *keyError) Error() string { return e.err.Error() }
func (e *keyError) Unwrap() error { return e.err }

// Hint says what to do.
func (e *keyError) Hint() string { return e.hint }

// What to do about a key that does not fit, and about clocks that differ.
const (
	keyHint   = "write key_name, key_algorithm and key_secret as they stand in the server's configuration; in BIND, in its key statement"
	clockHint = "set the clock of this machine, or the server's, from a time server"
)

// updateServer is one primary server.
type updateServer struct {
	address string
	key     *tsigKey // nil: unsigned
	clock   providers.Clock
	slots   chan struct{}
	trace   providers.Trace // nil takes no notes
}

// dnsSession is one TCP connection to the server, for one caller.
type dnsSession struct {
	server *updateServer
	conn   net.Conn
}

// with calls f with a connection, which ends with it and with ctx.
func (u *updateServer) with(ctx context.Context, f func(*dnsSession) error) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case u.slots <- struct{}{}:
	}
	defer func() { <-u.slots }()
	if err := ctx.Err(); err != nil {
		return err
	}
	began := u.clock.Now()
	dialer := net.Dialer{Deadline: began.Add(answerTime)}
	conn, err := dialer.DialContext(ctx, "tcp", u.address)
	if err != nil {
		u.note(providers.Exchange{Operation: "CONNECT"}, began, err)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return &lostError{fmt.Errorf("reach server %s over TCP: %w", u.address, err), true}
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	err = f(&dnsSession{server: u, conn: conn})
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// exchange sends m, signed, and gives the answer, whose signature is right. An
// answer of any code but those about the signature is no error.
func (s *dnsSession) exchange(m *dns.Msg) (*dns.Msg, error) {
	sent := s.server.clock.Now()
	answer, err := s.signed(m)
	s.server.noteMessage(m, answer, sent, err)
	return answer, err
}

// signed is exchange without a note of it.
func (s *dnsSession) signed(m *dns.Msg) (*dns.Msg, error) {
	mac, err := s.send(m)
	if err != nil {
		return nil, err
	}
	raw, answer, err := s.receive(m.Id)
	if err == nil {
		err = s.server.verify(raw, answer, mac, false)
	}
	return answer, err
}

// send gives the message's signature, which that of the answer depends on.
func (s *dnsSession) send(m *dns.Msg) (mac string, err error) {
	var wire []byte
	if k := s.server.key; k != nil {
		m.SetTsig(k.name, k.algorithm, tsigFudge, s.server.clock.Now().Unix())
		wire, mac, err = dns.TsigGenerate(m, k.secret, "", false)
	} else {
		wire, err = m.Pack()
	}
	if err != nil {
		return "", fmt.Errorf("write message to server %s: %w", s.server.address, err)
	}
	if len(wire) > dns.MaxMsgSize {
		return "", fmt.Errorf("write message to server %s: it has %d bytes, more than %d: %w", s.server.address, len(wire), dns.MaxMsgSize, providers.ErrInvalid)
	}
	if err := s.conn.SetDeadline(s.server.clock.Now().Add(answerTime)); err != nil {
		return "", &lostError{err: err}
	}
	framed := append(binary.BigEndian.AppendUint16(nil, uint16(len(wire))), wire...)
	if _, err := s.conn.Write(framed); err != nil {
		return "", &lostError{err: fmt.Errorf("send message to server %s: %w", s.server.address, err)}
	}
	return mac, nil
}

// receive reads one message of the answer to the message id.
func (s *dnsSession) receive(id uint16) ([]byte, *dns.Msg, error) {
	gone := func(err error) error {
		return &lostError{err: fmt.Errorf("read answer of server %s: %w", s.server.address, err)}
	}
	var length [2]byte
	if _, err := io.ReadFull(s.conn, length[:]); err != nil {
		return nil, nil, gone(err)
	}
	raw := make([]byte, binary.BigEndian.Uint16(length[:]))
	if _, err := io.ReadFull(s.conn, raw); err != nil {
		// "HTTP/1.1 400" and "<html>" read as lengths that are never reached.
		if start := string(length[:]); start == "HT" || start[0] == '<' {
			return nil, nil, fmt.Errorf("read answer of server %s: it speaks HTTP there, not DNS; check the port of server: %w", s.server.address, providers.ErrInvalid)
		}
		return nil, nil, gone(err)
	}
	m := new(dns.Msg)
	if err := m.Unpack(raw); err != nil {
		return nil, nil, gone(fmt.Errorf("it is no DNS message: %w", err))
	}
	switch {
	case m.Id != id || !m.Response:
		return nil, nil, gone(errors.New("it answers another message"))
	case m.Truncated:
		return nil, nil, gone(errors.New("it is truncated"))
	}
	return raw, m, nil
}

// verify checks the signature of an answer. timersOnly is for the messages of a
// transfer after the first one [RFC 8945, 5.3.1].
func (u *updateServer) verify(raw []byte, m *dns.Msg, mac string, timersOnly bool) error {
	if u.key == nil {
		return nil
	}
	t := m.IsTsig()
	if t == nil {
		// Who does not know the key cannot sign the refusal.
		switch m.Rcode {
		case dns.RcodeNotAuth, dns.RcodeRefused, dns.RcodeServerFailure, dns.RcodeFormatError, dns.RcodeNotImplemented:
			return nil
		}
		return keyFault("read answer of server %s: it is not signed, though the question was signed with %s: %w",
			u.address, u.key, providers.ErrCredentials)
	}
	switch int(t.Error) {
	case dns.RcodeBadKey:
		return keyFault("server %s does not know %s; check key_name and key_algorithm: %w", u.address, u.key, providers.ErrCredentials)
	case dns.RcodeBadSig:
		return keyFault("server %s finds the signature of %s wrong; check key_secret: %w", u.address, u.key, providers.ErrCredentials)
	case dns.RcodeBadTime:
		return u.skew(t.OtherData)
	case dns.RcodeBadTrunc:
		return keyFault("server %s wants a longer signature than %s makes: %w", u.address, u.key, providers.ErrCredentials)
	}
	if m.Rcode == dns.RcodeNotAuth {
		return nil // miekg/dns verifies no signature of a NOTAUTH; it is a refusal anyway
	}
	err := dns.TsigVerify(raw, u.key.secret, mac, timersOnly)
	switch {
	case errors.Is(err, dns.ErrTime):
		return u.skew("")
	case err != nil:
		return keyFault("read answer of server %s: its signature with %s is wrong (%w): %w", u.address, u.key, err, providers.ErrCredentials)
	}
	return nil
}

// skew is the error of clocks that differ; other is the server's time as a
// refusal has it: 48 bits of seconds, in hex [RFC 8945, 5.2.3].
func (u *updateServer) skew(other string) error {
	apart := fmt.Sprintf("by more than %d seconds", tsigFudge)
	if b, err := hex.DecodeString(other); err == nil && len(b) == 6 {
		theirs := time.Unix(int64(binary.BigEndian.Uint64(append([]byte{0, 0}, b...))), 0)
		d := theirs.Sub(u.clock.Now()).Round(time.Second)
		way := "ahead of"
		if d < 0 {
			d, way = -d, "behind"
		}
		apart = fmt.Sprintf("(the server's is %s %s ours; at most %d s are allowed)", d, way, tsigFudge)
	}
	return &keyError{fmt.Errorf("server %s refuses the signature of %s for clock skew: the clocks of this machine and of the server differ %s; set the wrong one: %w",
		u.address, u.key, apart, providers.ErrCredentials), clockHint}
}

// keyFault is an error whose hint is keyHint.
func keyFault(form string, args ...any) error {
	return &keyError{fmt.Errorf(form, args...), keyHint}
}

// refusal is the error of an answer's code; what is "update" or "query". The
// codes of failed prerequisites are ErrConflict.
func (u *updateServer) refusal(what, zone string, m *dns.Msg) error {
	said := fmt.Sprintf("server %s answers %s", u.address, rcodeName(m.Rcode))
	switch m.Rcode {
	case dns.RcodeSuccess:
		return nil
	case dns.RcodeYXDomain, dns.RcodeYXRrset, dns.RcodeNXRrset, dns.RcodeNameError:
		return fmt.Errorf("%s: %w", said, providers.ErrConflict)
	case dns.RcodeNotZone:
		return fmt.Errorf("%s: the name is not in zone %s there: %w", said, zone, providers.ErrNotFound)
	case dns.RcodeNotAuth:
		if u.key != nil && m.IsTsig() == nil {
			return keyFault("%s: it does not accept %s; check key_name, key_algorithm and key_secret: %w", said, u.key, providers.ErrCredentials)
		}
		return fmt.Errorf("%s: it is not the primary of zone %s; check server and zones: %w", said, zone, providers.ErrNotFound)
	case dns.RcodeRefused:
		return fmt.Errorf("%s to the %s: %s: %w", said, what, u.rights(what, zone), providers.ErrDenied)
	case dns.RcodeFormatError, dns.RcodeNotImplemented:
		return fmt.Errorf("%s to the %s: it takes none; check that server is the primary of zone %s: %w", said, what, zone, providers.ErrInvalid)
	case dns.RcodeServerFailure:
		return fmt.Errorf("%s to the %s: its own log says why", said, what)
	}
	return fmt.Errorf("%s to the %s", said, what)
}

// rights says what a refused message may lack.
func (u *updateServer) rights(what, zone string) string {
	allow := "allow-query"
	if what == "update" {
		allow = "update-policy or allow-update"
	}
	if u.key == nil {
		return fmt.Sprintf("it was not signed; write key_name and key_secret, or allow this machine (%s of zone %s in BIND)", allow, zone)
	}
	if what == "update" {
		return fmt.Sprintf("%s may not change it; allow the key (%s of zone %s in BIND)", u.key, allow, zone)
	}
	return fmt.Sprintf("%s may not ask it, or zone %s is not there; allow the key (%s in BIND), or check server and zones", u.key, zone, allow)
}

func rcodeName(code int) string {
	if s, ok := dns.RcodeToString[code]; ok {
		return s
	}
	return fmt.Sprintf("RCODE %d", code)
}

// rrsOf are the records of one owner and type (TypeANY: any type) among rrs.
func rrsOf(rrs []dns.RR, name string, typ uint16) []dns.RR {
	var out []dns.RR
	for _, rr := range rrs {
		h := rr.Header()
		if h.Class == dns.ClassINET && (typ == dns.TypeANY || h.Rrtype == typ) && strings.EqualFold(clean(h.Name), name) {
			out = append(out, rr)
		}
	}
	return out
}
