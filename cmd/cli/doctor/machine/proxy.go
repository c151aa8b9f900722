package machine

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"strings"

	"golang.org/x/net/http/httpproxy"

	"github.com/devtun/devtun/cmd/cli/doctor/check"
)

// proxy says whether programs here would send requests for services to a proxy, which does
// not know them.
func (o *Options) proxy(context.Context) []check.Result {
	service, namespace := o.Service, o.Namespace
	if service == "" {
		service = "service"
	}
	if namespace == "" {
		namespace = "default"
	}
	return []check.Result{judgeProxy(httpproxy.FromEnvironment(), service, namespace)}
}

// judgeProxy looks for a name of a service that a proxy would get.
func judgeProxy(settings *httpproxy.Config, service, namespace string) check.Result {
	const name = "proxy"
	if settings.HTTPProxy == "" && settings.HTTPSProxy == "" {
		return result(name, check.OK, "no HTTP_PROXY or HTTPS_PROXY is set")
	}
	through := settings.ProxyFunc()
	var caught []string
	var by string
	for _, host := range []string{service, service + "." + namespace, service + "." + namespace + ".svc",
		service + "." + namespace + ".svc.cluster.local"} {
		for _, scheme := range []string{"http", "https"} {
			proxy, err := through(&url.URL{Scheme: scheme, Host: host})
			if err == nil && proxy != nil {
				caught, by = append(caught, scheme+"://"+host+"/"), proxy.Redacted()
				break
			}
		}
	}
	if caught == nil {
		return result(name, check.OK, "NO_PROXY has the names of services")
	}
	r := result(name, check.Warning, fmt.Sprintf("programs here send requests for services to the proxy %s", by))
	r.Evidence = []string{"by HTTP_PROXY, HTTPS_PROXY and NO_PROXY: " + strings.Join(caught, ", ")}
	r.Hint = fmt.Sprintf("export NO_PROXY=%s", joined(os.Getenv("NO_PROXY"), service, "."+namespace, ".svc",
		".cluster.local"))
	return r
}

// joined is a list with more in it.
func joined(list string, more ...string) string {
	if list != "" {
		more = append([]string{list}, more...)
	}
	return strings.Join(more, ",")
}
