package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"
)

// wrongIPv4 and wrongIPv6 are nobody's (RFC 5737, RFC 3849).
const wrongIPv4, wrongIPv6 = "203.0.113.66", "2001:db8::bad"

// startWildcardDNS makes a name server that knows every name, and always a wrong
// address, the machine's only one.
func startWildcardDNS(t *testing.T) {
	t.Helper()
	const server = "127.0.0.153" // nobody's who may have port 53 here
	conn, err := net.ListenPacket("udp4", server+":53")
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		buffer := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			if answer, err := wildcardAnswer(buffer[:n]); err == nil {
				conn.WriteTo(answer, from)
			}
		}
	}()
	t.Cleanup(func() { conn.Close(); <-done })
	replaceFile(t, "/etc/resolv.conf", "nameserver "+server+"\n")
	replaceFile(t, "/etc/nsswitch.conf", "hosts: files dns\n")
	// The reverse of RFC 6724's default: IPv6 mapped addresses, which IPv4 ones
	// count as here, come last.
	replaceFile(t, "/etc/gai.conf", "precedence ::1/128 50\nprecedence ::/0 40\nprecedence ::ffff:0:0/96 1\n")
}

// replaceFile gives a file of the private /etc another content for the test.
func replaceFile(t *testing.T, path, content string) {
	t.Helper()
	before, readErr := os.ReadFile(path)
	info, err := os.Lstat(path)
	if err == nil && info.Mode()&os.ModeSymlink != 0 {
		require.NoError(t, os.Remove(path))
	}
	require.NoError(t, os.WriteFile(path, []byte(content), 0o644))
	t.Cleanup(func() {
		if readErr != nil {
			require.NoError(t, os.Remove(path))
			return
		}
		require.NoError(t, os.WriteFile(path, before, 0o644))
	})
}

func wildcardAnswer(query []byte) ([]byte, error) {
	var message dnsmessage.Message
	if err := message.Unpack(query); err != nil {
		return nil, err
	}
	message.Response, message.RecursionAvailable, message.Additionals = true, true, nil
	for _, question := range message.Questions {
		header := dnsmessage.ResourceHeader{Name: question.Name, Class: question.Class, TTL: 1}
		switch question.Type {
		case dnsmessage.TypeA:
			message.Answers = append(message.Answers,
				dnsmessage.Resource{Header: header, Body: &dnsmessage.AResource{A: [4]byte(net.ParseIP(wrongIPv4).To4())}})
		case dnsmessage.TypeAAAA:
			message.Answers = append(message.Answers,
				dnsmessage.Resource{Header: header, Body: &dnsmessage.AAAAResource{AAAA: [16]byte(net.ParseIP(wrongIPv6))}})
		}
	}
	return message.Pack()
}

// TestIPv6GetsNoWrongAnswer resolves where every name has an IPv6 address in DNS
// and IPv6 is preferred.
func TestIPv6GetsNoWrongAnswer(t *testing.T) {
	n := sharedExamples(t)
	startWildcardDNS(t)
	lookUp := func(name, family string) string {
		t.Helper()
		out, err := exec.Command("python3", "-c", `import socket, sys
print(sorted({a[4][0] for a in socket.getaddrinfo(sys.argv[1], 80, getattr(socket, sys.argv[2]))}))`, name,
			family).CombinedOutput()
		require.NoError(t, err, string(out))
		return strings.TrimSpace(string(out))
	}
	require.Equal(t, fmt.Sprintf("['%s']", wrongIPv6), lookUp("service-front", "AF_INET6"),
		"the resolver is as wrong as it must be")

	d := startForward(t, "-n", n.name)
	host, _, err := net.SplitHostPort(d.addr("service-front", 80))
	require.NoError(t, err)
	for _, name := range []string{"service-front", "service-front." + n.name,
		"service-front." + n.name + ".svc.cluster.local", "service-front." + n.name + ".svc.cluster.local."} {
		require.Equal(t, fmt.Sprintf("['%s']", host), lookUp(name, "AF_INET"), name)
		require.Equal(t, fmt.Sprintf("['::ffff:%s']", host), lookUp(name, "AF_INET6"), name)
		require.NotContains(t, lookUp(name, "AF_UNSPEC"), "db8", name)
	}
	for _, program := range []string{"curl", "python", "go"} {
		require.Contains(t, get(t, program, "http://service-front/"), "service-front on", program)
	}
	out, err := exec.Command("curl", "-6", "-sS", "--fail", "--max-time", "20", "http://service-front/").CombinedOutput()
	require.NoError(t, err, string(out))
	require.Contains(t, string(out), "service-front on")
	d.stop()
	require.Equal(t, fmt.Sprintf("['%s']", wrongIPv6), lookUp("service-front", "AF_INET6"))
}
