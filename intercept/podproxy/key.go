package podproxy

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"time"
)

// identity is one end's for one link: a key, with the certificate in which TLS shows it.
type identity struct {
	public      ed25519.PublicKey
	certificate tls.Certificate
}

func newIdentity() (identity, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return identity{}, fmt.Errorf("make key: %w", err)
	}
	// Nobody looks at more than the key: it has no name, and no expiry (RFC 5280, section 4.1.2.5).
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Unix(0, 0), NotAfter: time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	if err != nil {
		return identity{}, fmt.Errorf("make certificate: %w", err)
	}
	return identity{public, tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private}}, nil
}

// config is for a connection to whoever has the far side's key, and to nobody else.
func (i identity) config(far ed25519.PublicKey) *tls.Config {
	return &tls.Config{
		MinVersion:   tls.VersionTLS13,
		Certificates: []tls.Certificate{i.certificate},
		// The agent's end asks for a certificate, the session's checks none by its name: both
		// compare the key, and TLS has the far side prove that it has it.
		ClientAuth:             tls.RequireAnyClientCert,
		InsecureSkipVerify:     true,
		VerifyConnection:       func(s tls.ConnectionState) error { return isOf(s, far) },
		SessionTicketsDisabled: true, // each connection proves it anew
		// What is written is large, or it is not worth waiting for more.
		DynamicRecordSizingDisabled: true,
	}
}

// errKey means that the far side has another key than the one agreed on.
var errKey = errors.New("the key is not the one agreed on")

// isOf reports with nil that the far side has shown a key; that it also has it, TLS sees to.
func isOf(s tls.ConnectionState, key ed25519.PublicKey) error {
	if len(s.PeerCertificates) == 0 {
		return errKey
	}
	shown, ok := s.PeerCertificates[0].PublicKey.(ed25519.PublicKey)
	if !ok || !shown.Equal(key) {
		return errKey
	}
	return nil
}

// serverName is what a session asks for, so that the agent knows with which key to answer. It
// is no secret.
func serverName(session ed25519.PublicKey) string {
	sum := sha256.Sum256(session)
	return hex.EncodeToString(sum[:16])
}

// asKey checks what the far side says is its key.
func asKey(raw []byte) (ed25519.PublicKey, error) {
	if len(raw) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("a key has %d bytes, not %d", ed25519.PublicKeySize, len(raw))
	}
	return raw, nil
}
