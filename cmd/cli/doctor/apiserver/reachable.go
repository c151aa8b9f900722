package apiserver

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/devtun/devtun/cmd/cli/doctor/check"
)

// reachable says whether something answers where the API server should be.
func (m *Meeting) reachable() check.Result {
	r := check.Result{Area: check.APIServer, Check: "reachable", Status: check.Fault}
	if m.Err == nil && m.Status < http.StatusInternalServerError {
		r.Status, r.Message = check.OK, m.Server.String()+" answers"
		if m.Proxy != nil {
			r.Message += ", through the proxy " + m.Proxy.Redacted()
		}
		return r
	}
	if m.Err == nil {
		r.Message = fmt.Sprintf("%s answers %d %s", m.Server, m.Status, http.StatusText(m.Status))
		r.Hint = "something stands before the API server, which is away or not well: try again, or ask whoever runs it"
		return r
	}
	r.Message, r.Hint = m.unreachable()
	r.Evidence = []string{m.Err.Error()}
	if m.Proxy != nil {
		r.Evidence = append(r.Evidence, "the way there leads through the proxy "+m.Proxy.Redacted())
	}
	return r
}

// whereHint shows where the API server should be.
const whereHint = "'kubectl config view --minify' shows where it should be"

// unreachable says why nothing answers, and what to do.
func (m *Meeting) unreachable() (message, hint string) {
	if m.Server == nil {
		return "the kubeconfig names no API server: " + m.Err.Error(), whereHint
	}
	host, at := m.Server.Hostname(), address(m.Server)
	if m.Proxy != nil {
		host, at = m.Proxy.Hostname(), "the proxy "+address(m.Proxy)
	}
	var name *net.DNSError
	var proxy *net.OpError
	switch {
	case errors.As(m.Err, &name) && !timedOut(m.Err):
		return fmt.Sprintf("the name %s does not resolve", host), "is the VPN up? " + whereHint
	case errors.Is(m.Err, syscall.ECONNREFUSED):
		return at + " refuses connections", "is it running? " + whereHint
	case errors.As(m.Err, &proxy) && proxy.Op == "proxyconnect", m.Proxy != nil && !timedOut(m.Err) &&
		m.stage < handshaking:
		return at + " does not lead to " + address(m.Server), "set NO_PROXY=" + m.Server.Hostname() +
			" if no proxy is needed for it"
	case timedOut(m.Err) && m.stage == resolving:
		return fmt.Sprintf("the name %s does not resolve in time", host), "is the name server in reach, and the VPN up?"
	case timedOut(m.Err) && m.stage == connecting:
		return at + " does not answer to connections", "is the VPN up, and no firewall between? " + whereHint
	case timedOut(m.Err) && m.stage == handshaking:
		return at + " accepts connections, and does not answer to TLS", "is it the API server, and well? " + whereHint
	case timedOut(m.Err):
		return at + " accepts requests, and does not answer", "the API server hangs, or what stands before it: ask " +
			"whoever runs it"
	case m.stage == handshaking:
		return at + " does not speak TLS as an API server does", whereHint
	}
	return at + " does not answer", "is it running, and the way there open (VPN)? " + whereHint
}

// address is where a URL leads, with its port.
func address(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "socks5": "1080", "socks5h": "1080"}[u.Scheme]
	}
	if port == "" {
		port = "443"
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// certificate says whether the server's is to be trusted.
func (m *Meeting) certificate() check.Result {
	r := check.Result{Area: check.APIServer, Check: "certificate", Status: check.Fault}
	var authority x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	switch {
	case m.ValidUntil.IsZero():
		r.Status, r.Message = check.OK, "no TLS is used"
		return r
	case m.Untrusted == nil:
		r.Status, r.Message = check.OK, "valid until "+m.ValidUntil.Local().Format(time.DateTime)
		return r
	case errors.As(m.Untrusted, &authority):
		r.Message = "the API server's certificate is of an authority that the kubeconfig does not know"
		r.Hint = "the cluster was made anew, or this is another server: get its kubeconfig again " +
			"(certificate-authority-data in 'kubectl config view --minify --raw')"
	case errors.As(m.Untrusted, &name):
		r.Message = fmt.Sprintf("the API server's certificate is not for %s", name.Host)
		r.Hint = "use a name that it is for in the kubeconfig's server, or set tls-server-name there"
	case errors.As(m.Untrusted, &invalid) && invalid.Reason == x509.Expired:
		r.Message = fmt.Sprintf("the API server's certificate is not valid now: only from %s until %s",
			m.ValidFrom.Local().Format(time.DateTime), m.ValidUntil.Local().Format(time.DateTime))
		r.Hint = "ask whoever runs the cluster to renew it ('kubeadm certs check-expiration')"
	default:
		r.Message = "the API server's certificate is not trusted"
		r.Hint = whereHint
	}
	r.Evidence = []string{strings.ReplaceAll(m.Untrusted.Error(), "\n", " ")}
	return r
}
