package sandbox

import (
	"bytes"
	"compress/gzip"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
)

// content is the bytes of a body: those given, or, for an object of a size
// alone, bytes that its seed decides and that take no memory. It never changes.
type content struct {
	given []byte
	size  int64
	seed  uint64
}

// partSize is that of the parts of an upload in parts, in bytes; it shows in
// the ETag of large objects only.
const partSize = 16 << 20

func bytesOf(b []byte) *content { return &content{given: b, size: int64(len(b))} }

// generated is a body of size bytes that words decide.
func generated(size int64, words ...string) *content {
	return &content{size: size, seed: mix(size, words...) | 1}
}

// ReadAt implements io.ReaderAt.
func (c *content) ReadAt(p []byte, off int64) (int, error) {
	if off >= c.size {
		return 0, io.EOF
	}
	n := int(min(int64(len(p)), c.size-off))
	if c.seed == 0 {
		copy(p[:n], c.given[off:])
	} else {
		for i := 0; i < n; {
			at := off + int64(i)
			h := scramble(c.seed+uint64(at>>3)) >> (8 * (at & 7))
			for k := at & 7; k < 8 && i < n; k++ {
				p[i] = byte(h)
				h >>= 8
				i++
			}
		}
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// part reads n bytes from off, which are within it.
func (c *content) part(off, n int64) io.Reader {
	if c.seed == 0 {
		return bytes.NewReader(c.given[off : off+n])
	}
	return io.NewSectionReader(c, off, n)
}

// etag is S3's, without the quotes: the MD5 of the bytes, or what looks like
// the one of an upload in parts.
func (c *content) etag() string {
	if c.seed == 0 {
		sum := md5.Sum(c.given)
		return hex.EncodeToString(sum[:])
	}
	sum := md5.Sum(fmt.Append(nil, c.seed))
	return fmt.Sprintf("%x-%d", sum, (c.size+partSize-1)/partSize)
}

// gzipped is c compressed.
func (c *content) gzipped() *content {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = io.Copy(z, c.part(0, c.size)) // a bytes.Buffer takes everything
	_ = z.Close()
	return bytesOf(b.Bytes())
}

func sameContent(a, b *content) bool {
	switch {
	case a == b:
		return true
	case a == nil || b == nil:
		return (a == nil || a.size == 0) && (b == nil || b.size == 0)
	}
	return a.size == b.size && a.seed == b.seed && bytes.Equal(a.given, b.given)
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
