// Package content is the bytes that testserver and the tests exchange: pseudo-
// random, so that nothing lost, doubled or out of order goes unnoticed, and
// known to both sides by a seed and a length.
package content

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"io"
	"math/rand/v2"
)

// Reader returns the first n bytes of the content of seed.
func Reader(seed uint64, n int64) io.Reader {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	return io.LimitReader(rand.NewChaCha8(key), n)
}

// Hash returns the SHA-256 of Reader(seed, n) in hex.
func Hash(seed uint64, n int64) string {
	sum := sha256.New()
	_, _ = io.Copy(sum, Reader(seed, n)) // neither end can fail
	return hex.EncodeToString(sum.Sum(nil))
}
