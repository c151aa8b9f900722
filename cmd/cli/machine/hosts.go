package machine

import (
	"os"
	"path/filepath"
	"runtime"

	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/cmd/cli/run/command"
	"github.com/devtun/devtun/dns/helper"
	"github.com/devtun/devtun/dns/hostsfile"
)

// Who is to see the names.
const (
	Private = "private" // the command alone
	System  = "system"  // everybody on this machine
)

// DefaultHosts is private where that can be and nothing better is to be had: for a
// user, and for a root who may not write the system's hosts file, since it is read-only
// or root is that of a user namespace.
func DefaultHosts() string {
	if runtime.GOOS == "linux" && (os.Geteuid() != 0 || !mayWriteHosts()) {
		return Private
	}
	return System
}

func mayWriteHosts() bool {
	hosts, err := hostsfile.New("")
	return err == nil && hosts.Writable() == nil
}

// CheckHosts checks a --hosts.
func CheckHosts(hosts string) error {
	if hosts != Private && hosts != System {
		return problem.Usage("one of private, system", "unknown --hosts %q", hosts)
	}
	if hosts == Private && runtime.GOOS != "linux" {
		return problem.Usage("leave it out", "--hosts private is for Linux only")
	}
	return nil
}

// View is where the names of services go: to everybody on this machine, or to one
// command alone.
type View struct {
	private *command.PrivateHosts // nil: the system's file
	start   helper.Start
}

// OpenView prepares for --hosts. The caller closes it.
func OpenView(hosts string, start helper.Start) (*View, error) {
	n := &View{start: start}
	if hosts == System {
		return n, nil
	}
	if _, err := command.CleanPrivate(); err != nil { // the next one cleans up
		return nil, err
	}
	var err error
	n.private, err = command.NewPrivateHosts()
	return n, err
}

// File is the hosts file that the command is to see; "" for the system's.
func (n *View) File() string {
	if n.private == nil {
		return ""
	}
	return n.private.Path()
}

// Open opens this machine for a session.
func (n *View) Open() (*hostsfile.File, *helper.Machine, error) {
	if n.private == nil {
		return Open("", n.start)
	}
	hosts, machine, err := Open(n.File(), nil)
	if err == nil {
		hosts.InPlace(filepath.Dir(n.File()))
	}
	return hosts, machine, err
}

func (n *View) Close() error {
	if n.private == nil {
		return nil
	}
	return n.private.Close()
}
