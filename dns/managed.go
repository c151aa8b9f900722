package dns

import (
	"fmt"
	"strings"

	"github.com/devtun/devtun/dns/hostsfile"
	"github.com/devtun/devtun/dns/loopback"
)

// CheckManaged refuses entries that no session of devtun has a use for, however
// well formed: it is what stands between a helper with root's rights and a
// program that only says it is devtun. Addresses are those that Address gives,
// and the names of each are those that Naming gives one service, but for some that
// are taken.
func CheckManaged(entries []hostsfile.Entry) error {
	if err := hostsfile.Check(entries); err != nil {
		return err
	}
	for _, e := range entries {
		if err := loopback.CheckManaged(e.Addr); err != nil {
			return err
		}
		if !managedNames(e.Names) {
			return fmt.Errorf("names %.300q are not those of one service", e.Names)
		}
	}
	return nil
}

// managedNames reports whether names are what Naming makes for some service, or some
// of them in order. The last and longest says for which:
// pod.service.namespace.svc.domain, or without the domain if that one is left out. One
// name alone may be a host's, and NAME with NAME.NAMESPACE an object's.
func managedNames(names []string) bool {
	if len(names) < 2 {
		return len(names) == 1
	}
	labels := strings.Split(names[len(names)-1], ".")
	if len(names) == 2 && len(labels) == 2 && names[0] == labels[0] {
		return true
	}
	for at := 2; at <= 3 && at < len(labels); at++ { // labels before "svc", which a service may be called too
		service := Service{Namespace: labels[at-1], Name: labels[at-2]}
		if at == 3 {
			service.Pod = labels[0]
		}
		naming := Naming{Domain: strings.Join(labels[at+1:], ".")}
		for _, naming.Default = range []string{"", service.Namespace} {
			all, err := naming.Names(service)
			if labels[at] == "svc" && err == nil && isPart(names, all) {
				return true
			}
		}
	}
	return false
}

// isPart reports whether all of names are among all, in the same order.
func isPart(names, all []string) bool {
	for _, name := range all {
		if len(names) > 0 && names[0] == name {
			names = names[1:]
		}
	}
	return len(names) == 0
}
