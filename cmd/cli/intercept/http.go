package intercept

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/intercept/target"
)

// What is spoken on a port, by its service's appProtocol, which is a declaration, or by
// the first word of its name, which is a habit.
var (
	withoutHTTP = []string{"amqp", "cassandra", "dns", "ftp", "kafka", "ldap", "memcached", "mongo", "mongodb", "mqtt",
		"mysql", "nats", "postgres", "postgresql", "redis", "smtp", "ssh", "zookeeper"}
	overTLS = []string{"amqps", "grpcs", "https", "ldaps", "mqtts", "rediss", "smtps", "ssl", "tls", "wss"}
)

// opaque is what says of a port that nobody is to look into what goes over it.
const opaque = "tcp"

// checkHTTP refuses a rule where no port that is intercepted has requests, and tells where
// that looks so, or where they are encrypted.
func (i *Planned) checkHTTP() error {
	if i.options.rule.All() {
		return nil
	}
	var ports, without, encrypted []string
	certain := true
	for _, port := range i.Target.Ports {
		if port.Protocol != corev1.ProtocolTCP || !slices.Contains(i.claim.Ports, port.Target) {
			continue
		}
		word, declared := spoken(port)
		label := portLabel(port)
		if declared {
			label += ", appProtocol " + port.App
		}
		ports = append(ports, label)
		switch {
		case slices.Contains(overTLS, word):
			encrypted = append(encrypted, label)
		case word == opaque || slices.Contains(withoutHTTP, word):
			certain = certain && declared && word != opaque
			without = append(without, label)
		}
	}
	if len(without) > 0 && len(without) == len(ports) {
		hint := "without --header, --path, --method and --personal all connections come here"
		if i.options.Tap != nil {
			hint = "without --header, --path, --method and --personal all connections are shown"
		}
		where := strings.Join(without, "; ")
		if certain {
			return problem.Usage(hint, "a rule matches HTTP requests, and there are none on %s", where)
		}
		i.Events.Note("a rule matches HTTP requests, and there seem to be none on "+where+
			": anything else goes to the cluster", hint)
	}
	if len(encrypted) > 0 && !i.options.TLS && !i.options.Mirror {
		i.Events.Note(fmt.Sprintf("a rule cannot look into TLS: such connections to %s go to the cluster",
			strings.Join(encrypted, "; ")), "--tls brings them here, whole")
	}
	return nil
}

// spoken is what is spoken on a port, as far as it says, and whether that is declared.
func spoken(port target.Port) (word string, declared bool) {
	if port.App != "" {
		word := strings.ToLower(port.App)
		return word[strings.LastIndex(word, "/")+1:], true // kubernetes.io/h2c
	}
	for _, name := range []string{port.Name, port.TargetName} {
		word, _, _ := strings.Cut(strings.ToLower(name), "-")
		if word == opaque || slices.Contains(withoutHTTP, word) || slices.Contains(overTLS, word) {
			return word, false
		}
	}
	return "", false
}
