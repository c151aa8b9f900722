package hostsfile

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// fingerprint identifies a state of the file's foreign part without its bytes. It fits
// into a file name, see swapFile.
type fingerprint struct {
	size int    // bytes
	sum  string // hexadecimal
}

func fingerprintOf(foreign []byte) fingerprint {
	return fingerprint{size: len(foreign), sum: digest(foreign)}
}

func (f fingerprint) matches(foreign []byte) bool {
	return len(foreign) == f.size && digest(foreign) == f.sum
}

func (f fingerprint) String() string { return fmt.Sprintf("%d-%s", f.size, f.sum) }

// digest is short: it guards against mix-ups, not against root.
func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}

// merge is a three-way merge of foreign parts. Both current, what the hosts
// file holds, and other, what somebody wrote to a version that was on its way
// out, come from the state that base fingerprints. It returns what the hosts file must
// hold, so that nothing written is lost, or false when both were rewritten and
// only a human can tell. Merging the same other a second time changes nothing.
func merge(base fingerprint, current, other []byte) (merged []byte, ok bool) {
	switch {
	case base.matches(other):
		return current, true // nothing new in other
	case base.matches(current):
		return other, true // nothing new in current
	case bytes.HasPrefix(current, other):
		return current, true // merged already
	}
	if len(other) < base.size || !base.matches(other[:base.size]) {
		return current, false
	}
	added := other[base.size:]
	grown := current
	if len(current) >= base.size && base.matches(current[:base.size]) {
		grown = current[base.size:]
	}
	added = added[mergedAlready(grown, added):]
	if len(added) == 0 {
		return current, true
	}
	merged = bytes.Clone(current)
	if n := len(merged); n > 0 && merged[n-1] != '\n' {
		merged = append(merged, '\n') // or two lines would become one
	}
	return append(merged, added...), true
}

// mergedAlready is the length of the longest run of lines at the start of added
// that stands somewhere in grown: an earlier merge has put it there, and since
// then the writer has gone on.
func mergedAlready(grown, added []byte) int {
	grown = append([]byte("\n"), grown...)
	for end := len(added); end > 0; end = bytes.LastIndexByte(added[:end-1], '\n') + 1 {
		if bytes.Contains(grown, append([]byte("\n"), added[:end]...)) {
			return end
		}
	}
	return 0
}
