package apiserver

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"os"
	"strings"
	"time"
)

// expired says what of the kubeconfig's credentials has expired, as far as they tell.
func (o *Options) expired() (found []string) {
	config, now := o.Cluster.Config, time.Now()
	if until, ok := certificateEnd(read(config.CertData, config.CertFile)); ok && until.Before(now) {
		found = append(found, "the client certificate has expired on "+until.Local().Format(time.DateTime))
	}
	if until, ok := tokenEnd(string(read([]byte(config.BearerToken), config.BearerTokenFile))); ok && until.Before(now) {
		found = append(found, "the token has expired on "+until.Local().Format(time.DateTime))
	}
	return found
}

// read is data, or what a file holds; nil for neither.
func read(data []byte, file string) []byte {
	if len(data) == 0 && file != "" {
		data, _ = os.ReadFile(file) // whoever uses it has said so
	}
	return data
}

// certificateEnd is when the certificate in a PEM text ends.
func certificateEnd(text []byte) (until time.Time, ok bool) {
	block, _ := pem.Decode(text)
	if block == nil {
		return until, false
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return until, false
	}
	return certificate.NotAfter, true
}

// tokenEnd is when a JSON Web Token ends (RFC 7519, section 4.1.4).
func tokenEnd(token string) (until time.Time, ok bool) {
	parts := strings.Split(strings.TrimSpace(token), ".")
	if len(parts) != 3 {
		return until, false
	}
	claims, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return until, false
	}
	var said struct {
		Exp float64 `json:"exp"` // seconds since 1970
	}
	if json.Unmarshal(claims, &said) != nil || said.Exp == 0 {
		return until, false
	}
	return time.Unix(int64(said.Exp), 0), true
}
