package kube

import (
	"cmp"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"

	"k8s.io/client-go/rest"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// reservedNames are the host names by which this machine reaches the clusters of a
// kubeconfig, config's and the others, and the proxies on the way. No service may get
// one, or devtun and kubectl would be led to devtun instead.
func reservedNames(raw clientcmdapi.Config, config *rest.Config) []string {
	addresses := []string{
		config.Host, os.Getenv("ALL_PROXY"), os.Getenv("all_proxy"),
		cmp.Or(os.Getenv("HTTP_PROXY"), os.Getenv("http_proxy")), cmp.Or(os.Getenv("HTTPS_PROXY"), os.Getenv("https_proxy")),
	}
	for _, cluster := range raw.Clusters {
		addresses = append(addresses, cluster.Server, cluster.ProxyURL)
	}
	if server, err := url.Parse(withScheme(config.Host)); err == nil && config.Proxy != nil {
		if proxy, err := config.Proxy(&http.Request{URL: server}); err == nil && proxy != nil {
			addresses = append(addresses, proxy.String())
		}
	}
	var names []string
	for _, address := range addresses {
		parsed, err := url.Parse(withScheme(address))
		if err != nil || parsed.Hostname() == "" {
			continue // whoever uses it will say so
		}
		names = append(names, strings.ToLower(strings.TrimSuffix(parsed.Hostname(), ".")))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// withScheme is an address as a URL, of which servers and proxies may lack the scheme.
func withScheme(address string) string {
	if strings.Contains(address, "://") {
		return address
	}
	return "https://" + address
}
