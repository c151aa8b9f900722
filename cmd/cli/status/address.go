package status

import (
	"fmt"
	"net"
	"slices"
	"strings"
)

// Addresses are what is typed to reach a service, one for each of its ports: a URL where
// that speaks HTTP, else host:port. Three and more ports in a row that do not are one, as
// host:8000-8249. Without an address or a port there are none.
func (s Service) Addresses() []string {
	return Addresses(Host(s.Names, s.Address), s.Ports)
}

// Host is by what a service is reached: its first name, or its address if it has none.
func Host(names []string, address string) string {
	if len(names) == 0 {
		return address
	}
	return names[0]
}

// Addresses are those of a host's ports.
func Addresses(host string, ports []Port) (all []string) {
	if host == "" {
		return nil
	}
	for len(ports) > 0 {
		port, n := ports[0], run(ports)
		if port.scheme() != "" || n < 3 {
			n = 1
		}
		all = append(all, port.address(host, span(port.Local, ports[n-1].Local)))
		ports = ports[n:]
	}
	return all
}

// Address is what is typed to reach a host's port.
func Address(host string, port Port) string { return port.address(host, fmt.Sprint(port.Local)) }

func (p Port) address(host, local string) string {
	switch scheme := p.scheme(); {
	case scheme == "":
		return net.JoinHostPort(host, local) + p.suffix()
	case scheme == "http" && p.Local == 80, scheme == "https" && p.Local == 443:
		return scheme + "://" + host + "/"
	default:
		return scheme + "://" + net.JoinHostPort(host, local) + "/"
	}
}

// What is HTTP, by a port's appProtocol or the first word of its name, as Istio reads them,
// and by its number where neither says anything.
var (
	plainHTTP = []string{"http", "http2", "h2c", "ws", "web"}
	overTLS   = []string{"https", "wss"}
	other     = []string{"tcp", "tls", "grpc", "grpcs", "amqp", "kafka", "ldap", "mongo", "mongodb", "mqtt", "mysql",
		"nats", "postgres", "postgresql", "redis", "smtp", "ssh"}
	numbers = map[int]string{80: "http", 443: "https", 3000: "http", 5000: "http", 8000: "http", 8008: "http",
		8080: "http", 8081: "http", 8443: "https", 8888: "http"}
)

// scheme is that of the URLs that lead to the port, "" where it is not known to speak HTTP.
func (p Port) scheme() string {
	if p.Protocol == udp {
		return ""
	}
	word, _, _ := strings.Cut(strings.ToLower(p.Name), "-")
	if p.App != "" {
		word = strings.ToLower(p.App[strings.LastIndex(p.App, "/")+1:]) // kubernetes.io/h2c
	}
	switch {
	case slices.Contains(plainHTTP, word):
		return "http"
	case slices.Contains(overTLS, word):
		return "https"
	case p.App != "" || slices.Contains(other, word):
		return ""
	}
	return numbers[p.Port]
}
