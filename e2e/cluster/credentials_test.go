package cluster

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/tools/clientcmd"
)

func TestCredentials(t *testing.T) {
	n := network{netip.MustParsePrefix("10.200.48.0/20")}
	files, err := credentials(n)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(files["pki/ca.crt"]))

	for path, subject := range clients {
		t.Run(path, func(t *testing.T) {
			config, err := clientcmd.RESTConfigFromKubeConfig(files[path])
			require.NoError(t, err)
			require.Equal(t, "https://10.200.48.2:6443", config.Host)
			require.Equal(t, files["pki/ca.crt"], config.CAData)
			certificate := parse(t, config.CertData, config.KeyData)
			_, err = certificate.Verify(x509.VerifyOptions{
				Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
			require.NoError(t, err)
			require.Equal(t, subject.Name, certificate.Subject.CommonName)
			require.Equal(t, subject.Groups, certificate.Subject.Organization)
		})
	}
	for name, host := range map[string]string{
		"apiserver": "10.200.56.1", // what pods use
		"kubelet":   "10.200.48.2", // what the API server uses
	} {
		t.Run(name, func(t *testing.T) {
			certificate := parse(t, files["pki/"+name+".crt"], files["pki/"+name+".key"])
			_, err := certificate.Verify(x509.VerifyOptions{
				Roots: roots, DNSName: host, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
			require.NoError(t, err)
		})
	}
	block, rest := pem.Decode(files["pki/service-account.pub"])
	require.NotNil(t, block)
	require.Empty(t, rest)
	_, err = x509.ParsePKIXPublicKey(block.Bytes)
	require.NoError(t, err)
}

// parse also checks that the key is that of the certificate.
func parse(t *testing.T, certificate, key []byte) *x509.Certificate {
	t.Helper()
	pair, err := tls.X509KeyPair(certificate, key)
	require.NoError(t, err)
	return pair.Leaf
}
