package cluster

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"maps"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/tools/clientcmd"
)

func TestCredentials(t *testing.T) {
	n := network{netip.MustParsePrefix("10.200.64.0/19")}
	files, err := credentials(n, 2)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(files["pki/ca.crt"]))

	require.Equal(t, files["pki/ca.crt"], files["nodes/2/pki/ca.crt"])

	calling := maps.Clone(clients)
	maps.Copy(calling, agents(1))
	for path, subject := range agents(2) {
		calling["nodes/2/"+path] = subject
	}
	for path, subject := range calling {
		t.Run(path, func(t *testing.T) {
			config, err := clientcmd.RESTConfigFromKubeConfig(files[path])
			require.NoError(t, err)
			require.Equal(t, "https://10.200.64.2:6443", config.Host)
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
		"pki/apiserver":       "10.200.72.1", // what pods use
		"pki/kubelet":         "10.200.64.2", // what the API server uses
		"nodes/2/pki/kubelet": "10.200.64.6",
	} {
		t.Run(name, func(t *testing.T) {
			certificate := parse(t, files[name+".crt"], files[name+".key"])
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
