package probe

import (
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"
)

// intake takes a body in, once: it counts, hashes and keeps what is wanted.
type intake struct {
	body   io.Reader
	watch  *watch
	length int64 // that was announced, -1 when none was
	digest hash.Hash
	keep   int
	limit  int64 // 0: none

	n    int64
	kept []byte
	cut  bool
	err  error // how it ended
}

// Read implements io.Reader; it ends at the limit.
func (in *intake) Read(p []byte) (int, error) {
	if in.err != nil || len(p) == 0 {
		return 0, in.err
	}
	if in.limit > 0 {
		if in.n == in.limit {
			in.cut = in.more()
			in.err = io.EOF
			return 0, in.err
		}
		p = p[:min(int64(len(p)), in.limit-in.n)]
	}
	n, err := in.body.Read(p)
	in.n += int64(n)
	in.digest.Write(p[:n])
	in.kept = append(in.kept, p[:min(n, max(0, in.keep-len(in.kept)))]...)
	if n > 0 {
		in.watch.saw(in.n)
	}
	in.err = err
	return n, err
}

// more says whether the body goes on behind the limit.
func (in *intake) more() bool {
	if in.length >= 0 {
		return in.length > in.limit
	}
	n, err := io.ReadFull(in.body, make([]byte, 1))
	return n > 0 || !errors.Is(err, io.EOF)
}

// plain reads the body and gives the digest of what its gzip stands for; "" when
// it is not gzip, or is cut off, or stands for more than most bytes. What is
// left of the body then is for rest.
func (in *intake) plain(most int64) string {
	z, err := gzip.NewReader(in)
	if err != nil {
		return ""
	}
	digest := sha256.New()
	n, err := io.Copy(digest, io.LimitReader(z, most+1))
	if err != nil || n > most || in.cut || !errors.Is(in.err, io.EOF) {
		return ""
	}
	return hex.EncodeToString(digest.Sum(nil))
}

// rest reads what nobody has read yet.
func (in *intake) rest() error {
	size := int64(32 << 10)
	if in.length >= 0 {
		size = min(size, in.length+1)
	}
	for buf := make([]byte, size); in.err == nil; {
		_, _ = in.Read(buf)
	}
	if errors.Is(in.err, io.EOF) {
		return nil
	}
	return in.err
}

// failure says how far the body was read and why no further. A body that broke
// off is an io.ErrUnexpectedEOF, whatever broke it.
func (in *intake) failure(status int, err error) error {
	far := fmt.Sprintf("read body after %d bytes", in.n)
	if in.length >= 0 {
		far += fmt.Sprintf(", of %d that were announced,", in.length)
	}
	far += fmt.Sprintf(" of an answer with status %d", status)
	switch {
	case in.watch.ctx.Err() != nil:
		return fmt.Errorf("%s: %w", far, in.watch.cause(err))
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%s: it is cut off: %w", far, err)
	}
	return fmt.Errorf("%s: it is cut off: %w: %w", far, io.ErrUnexpectedEOF, err)
}

// watch ends a request whose answer does not come, or not on.
type watch struct {
	ctx            context.Context
	cancel         context.CancelCauseFunc
	began          time.Time
	timeout, stall time.Duration
	timer          *time.Timer
}

func newWatch(ctx context.Context, timeout, stall time.Duration) (context.Context, *watch) {
	w := &watch{began: time.Now(), timeout: timeout, stall: stall}
	w.ctx, w.cancel = context.WithCancelCause(ctx)
	w.timer = time.AfterFunc(timeout, func() {
		w.cancel(fmt.Errorf("the answer did not come, or not on, in time: %w", context.DeadlineExceeded))
	})
	return w.ctx, w
}

// saw gives the body more time after n bytes of it.
func (w *watch) saw(n int64) {
	slow := w.timeout + time.Duration(min(n/slowestBytes, 1e6))*time.Second - time.Since(w.began)
	w.timer.Reset(min(w.stall, slow))
}

// cause is why the request ended, where err says only that it was cancelled.
func (w *watch) cause(err error) error {
	if w.ctx.Err() != nil {
		return context.Cause(w.ctx)
	}
	return err
}

func (w *watch) end() {
	w.timer.Stop()
	w.cancel(nil)
}
