package providers

import (
	"context"
	"time"
)

// LockStore keeps the one small object by which runs of edgeward keep out of
// each other's way. It compares and sets, and knows nothing of what is in the
// object.
type LockStore interface {
	// ReadLock gives the object as it is. ErrNotFound when there is none;
	// ErrDenied.
	ReadLock(ctx context.Context) (LockObject, error)
	// WriteLock makes text the object, if its version is still version; "" means
	// that there is none yet. It gives the new version, which is another one only
	// if text is another one. ErrConflict: somebody wrote meanwhile. Any other
	// error may have come after the write.
	WriteLock(ctx context.Context, text []byte, version string) (string, error)
	// String names the place, such as s3://bucket/key.
	String() string
}

// LockObject is what a LockStore keeps.
type LockObject struct {
	Text    []byte
	Version string
	// Age is how long ago it was written, by the store's own clock: the clocks of
	// two machines are not compared.
	Age time.Duration
}
