package credential

import (
	"crypto/tls"
	"time"
)

// credentials are what a plugin has given.
type credentials struct {
	token       string           // "" for none
	certificate *tls.Certificate // nil for none
	expires     time.Time        // zero: never
	since       time.Time

	// By the API server, under gate.mu:
	accepted, refused bool
}

func (c *credentials) valid(now time.Time) bool {
	return c != nil && !c.refused && (c.expires.IsZero() || now.Before(c.expires))
}

func sameCertificate(a, b *tls.Certificate) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Leaf.Equal(b.Leaf)
}
