package cli

import (
	"os"
	"path/filepath"
	"runtime"

	"github.com/devtun/devtun/cmd/cli/command"
	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/dns"
	"github.com/devtun/devtun/dns/helper"
)

// Who is to see the names.
const (
	privateHosts = "private" // the command alone
	systemHosts  = "system"  // everybody on this machine
)

// defaultHosts is private where that can be and nothing better is to be had: for a
// user, and for a root who may not write the system's hosts file, since it is read-only
// or root is that of a user namespace.
func defaultHosts() string {
	if runtime.GOOS == "linux" && (os.Geteuid() != 0 || !mayWriteHosts()) {
		return privateHosts
	}
	return systemHosts
}

func mayWriteHosts() bool {
	hosts, err := dns.NewHosts("")
	return err == nil && hosts.Writable() == nil
}

// checkHosts checks a --hosts.
func checkHosts(hosts string) error {
	if hosts != privateHosts && hosts != systemHosts {
		return problem.Usage("one of private, system", "unknown --hosts %q", hosts)
	}
	if hosts == privateHosts && runtime.GOOS != "linux" {
		return problem.Usage("leave it out", "--hosts private is for Linux only")
	}
	return nil
}

// names is where the names of services go: to everybody on this machine, or to one
// command alone.
type names struct {
	private *command.PrivateHosts // nil: the system's file
	start   helper.Start
}

// openNames prepares for --hosts. The caller closes it.
func openNames(hosts string, start helper.Start) (*names, error) {
	n := &names{start: start}
	if hosts == systemHosts {
		return n, nil
	}
	if _, err := command.CleanPrivate(); err != nil { // the next one cleans up
		return nil, err
	}
	var err error
	n.private, err = command.NewPrivateHosts()
	return n, err
}

// file is the hosts file that the command is to see; "" for the system's.
func (n *names) file() string {
	if n.private == nil {
		return ""
	}
	return n.private.Path()
}

// open opens this machine for a session.
func (n *names) open() (*dns.Hosts, *helper.Machine, error) {
	if n.private == nil {
		return openMachine("", n.start)
	}
	hosts, machine, err := openMachine(n.file(), nil)
	if err == nil {
		hosts.InPlace(filepath.Dir(n.file()))
	}
	return hosts, machine, err
}

func (n *names) close() error {
	if n.private == nil {
		return nil
	}
	return n.private.Close()
}
