package kube

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

func TestReservedNames(t *testing.T) {
	variables := []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"}
	for _, variable := range variables {
		t.Setenv(variable, "")
	}
	raw := clientcmdapi.Config{Clusters: map[string]*clientcmdapi.Cluster{
		"staging": {Server: "https://API.staging.:6443/path", ProxyURL: "socks5://jump:1080"},
		"other":   {Server: "https://10.0.0.1:6443"},
		"broken":  {Server: "https://%zz"},
		"empty":   {},
	}}
	config := &rest.Config{Host: "web.shop:6443", Proxy: func(r *http.Request) (*url.URL, error) {
		return url.Parse("http://for-" + r.URL.Hostname() + ":3128")
	}}
	require.Equal(t, []string{"10.0.0.1", "api.staging", "for-web.shop", "jump", "web.shop"}, reservedNames(raw, config))

	t.Setenv("HTTPS_PROXY", "proxy:3128") // without a scheme
	t.Setenv("http_proxy", "http://user:secret@plain.corp:8080/")
	t.Setenv("ALL_PROXY", "socks5h://all")
	require.Equal(t, []string{"all", "it", "plain.corp", "proxy"},
		reservedNames(clientcmdapi.Config{}, &rest.Config{Host: "https://it"}))
}
