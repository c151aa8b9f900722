package dns

import (
	"crypto/rand"
	"encoding/hex"
)

// newSession is a random name for a session, of sessionLen digits.
func newSession() string {
	var b [sessionLen / 2]byte
	rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
