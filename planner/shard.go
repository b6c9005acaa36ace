package planner

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
)

// has says whether an address is of the part. It hangs on the address and on the
// number of parts alone, so that every run finds the same, whatever other
// buckets there are; the instances of a for_each spread over all parts.
func (s Shard) has(address string) bool {
	if s.Of <= 1 {
		return true
	}
	sum := sha256.Sum256([]byte(address))
	return binary.BigEndian.Uint64(sum[:8])%uint64(s.Of) == uint64(s.Index-1)
}

// maxShards bounds the number of parts.
const maxShards = 1000

// ParseShard reads "2/5"; "" is all. The error says what to write.
func ParseShard(text string) (Shard, error) {
	if text == "" {
		return Shard{}, nil
	}
	i, n, ok := strings.Cut(text, "/")
	index, err1 := strconv.Atoi(i)
	of, err2 := strconv.Atoi(n)
	if !ok || err1 != nil || err2 != nil || index < 1 || of < index || of > maxShards {
		return Shard{}, fmt.Errorf("%q is no part of the buckets: write -shard=I/N, from 1/N to N/N, N at most %d", text, maxShards)
	}
	return Shard{index, of}, nil
}

// String is the form that ParseShard reads.
func (s Shard) String() string {
	if s.Of == 0 {
		return ""
	}
	return fmt.Sprintf("%d/%d", s.Index, s.Of)
}
