package problem

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/devtun/devtun/cmd/cli/credential"
	"github.com/devtun/devtun/cmd/cli/forwards"
	"github.com/devtun/devtun/cmd/cli/run/command"
	"github.com/devtun/devtun/dns"
	"github.com/devtun/devtun/dns/helper"
	"github.com/devtun/devtun/intercept/handover"
	"github.com/devtun/devtun/internal/disk"
	"github.com/devtun/devtun/internal/proc"
	"github.com/devtun/devtun/tunnel/discovery"
)

func TestDiagnose(t *testing.T) {
	services := schema.GroupResource{Resource: "services"}
	listen := func(err error, holder proc.Process) error {
		return &dns.ListenError{Addr: netip.MustParseAddrPort("127.1.2.3:80"), Holder: holder, Err: err}
	}
	path := func(err error) error { return &fs.PathError{Op: "open", Path: "/etc/hosts", Err: err} }
	sudo := func(err error, noTerminal bool) error {
		return fmt.Errorf("write names: %w: %w", path(syscall.EACCES), &helper.SudoError{Err: err, NoTerminal: noTerminal})
	}
	request := func(err error) error { return &url.Error{Op: "Get", URL: "https://it:6443", Err: err} }
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	for _, c := range []struct {
		about string
		err   error
		code  ExitCode
		hint  string // its beginning
	}{
		{"a problem is one already", &Problem{Err: errors.New("x"), Code: ExitRights, Hint: "y"}, ExitRights, "y"},
		{"port in use", listen(syscall.EADDRINUSE, proc.Process{}), ExitInUse,
			"free port 80, or move it with --port SERVICE:LOCAL:80"},
		{"port in use by a program", listen(syscall.EADDRINUSE, proc.Process{PID: 7, Name: "nginx"}), ExitInUse,
			"stop nginx (pid 7), or move the port with --port SERVICE:LOCAL:80"},
		{"low port", listen(syscall.EACCES, proc.Process{}), ExitMachine,
			"ports below 1024 need root: 'devtun run' wants --hosts system for them; or move it with --port SERVICE:8080:80"},
		{"port in use of a service",
			&forwards.PortError{Service: discovery.Key{Namespace: "demo", Name: "web"},
				Port: forwards.PortEvent{Local: 80, Remote: 81}, Err: listen(syscall.EADDRINUSE, proc.Process{})}, ExitInUse,
			"free port 80, or move it with --port web.demo:LOCAL:81"},
		{"low port of a service",
			&forwards.PortError{Service: discovery.Key{Namespace: "demo", Name: "web"},
				Port: forwards.PortEvent{Local: 80, Remote: 81}, Err: listen(syscall.EACCES, proc.Process{})}, ExitMachine,
			"ports below 1024 need root: 'devtun run' wants --hosts system for them; or move it with --port web.demo:8080:81"},
		{"unforwardable",
			&forwards.UnforwardableError{Service: discovery.Key{Namespace: "demo", Name: "dns"}, Reason: "UDP"}, ExitNotFound,
			"'devtun forward' without arguments"},
		{"no such command", &command.StartError{Name: "x", Err: exec.ErrNotFound}, 127, "what follows -- is run as it is"},
		{"a command that is none", &command.StartError{Name: "x", Err: os.ErrPermission}, 126,
			"what follows -- is run as it is"},
		{"namespaces forbidden", &command.ForbiddenError{By: "x", Err: syscall.EPERM}, ExitMachine, "add --hosts system"},
		{"something left", &command.LeftError{PIDs: []int{7}}, ExitFailure, "end them by hand"},
		{"the ledger's disk",
			&handover.LedgerError{Doing: "write ledger",
				Err: &os.LinkError{Op: "rename", Old: "a", New: "b", Err: syscall.ENOSPC}}, ExitMachine,
			"devtun notes there what it hands over"},
		{"an env file's folder", &handover.DiskError{Doing: "open env file", Err: path(syscall.EACCES)}, ExitMachine,
			"have --env-file, --env-json and --files name"},
		{"any other file", &os.LinkError{Op: "rename", Old: "a", New: "b", Err: syscall.EIO}, ExitFailure, ""},
		{"lock held", &disk.LockError{Path: "/etc", Err: os.ErrDeadlineExceeded}, ExitMachine,
			"wait for the other program to finish, or pass --hosts-file"},
		{"hosts file not writable", path(syscall.EACCES), ExitMachine,
			"pass --hosts-file with a file you may write; 'devtun run"},
		{"the helper gone", fmt.Errorf("remove names: %w: %w", path(syscall.EACCES), helper.ErrGone), ExitMachine,
			"the names stay in the hosts file until"},
		{"no sudo", sudo(exec.ErrNotFound, false), ExitMachine, "run devtun as root; 'devtun run"},
		{"no terminal for sudo", sudo(errors.New("sudo: a password is required"), true), ExitMachine,
			"there is no terminal to ask for a password on: run 'sudo -v' first"},
		{"no rule of sudo", sudo(errors.New("dev is not in the sudoers file."), false), ExitMachine,
			"may you use sudo here"},
		{"hosts file read-only", fmt.Errorf("%w: %w", os.ErrPermission, path(syscall.EROFS)), ExitMachine,
			"pass --hosts-file with a file you may write; 'devtun run"},
		{"hosts file missing", path(syscall.ENOENT), ExitMachine, "create it: touch /etc/hosts"},
		{"hosts file a directory", path(syscall.EISDIR), ExitMachine, "pass --hosts-file"},
		{"disk full", fmt.Errorf("write: %w", syscall.ENOSPC), ExitMachine, "make room on the disk; or pass --hosts-file"},
		{"names that stay", &forwards.NamesLeftError{Err: path(syscall.ENOSPC)}, ExitMachine,
			"the names stay in the hosts file until the next devtun"},
		{"credentials", apierrors.NewUnauthorized("no"), ExitCredentials, "log in again; 'kubectl auth whoami'"},
		{"rights", apierrors.NewForbidden(services, "", errors.New("no")), ExitRights,
			"ask for the right; 'kubectl auth can-i --list'"},
		{"not found", apierrors.NewNotFound(services, "web"), ExitNotFound, ""},
		{"API server trouble", apierrors.NewInternalError(errors.New("oops")), ExitCluster, ""},
		{"connection refused", request(refused), ExitCluster, "is it running, and the way there open (VPN)?"},
		{"no answer", fmt.Errorf("list services: %w", context.DeadlineExceeded), ExitCluster,
			"is it running, and the way there open (VPN)?"},
		{"another certificate", request(errors.New("tls: failed to verify certificate: x509: unknown authority")),
			ExitCluster, "the certificate does not fit"},
		{"plain HTTP", request(errors.New("tls: first record does not look like a TLS handshake")), ExitCluster,
			"the certificate does not fit"},
		{"credential plugin", request(&credential.Error{Err: errors.New("exec: executable aws failed with exit code 1")}),
			ExitCredentials, "the credential plugin failed"},
		{"anything else", errors.New("x"), ExitFailure, ""},
	} {
		t.Run(c.about, func(t *testing.T) {
			for _, err := range []error{c.err, fmt.Errorf(
				"forward: %w", c.err), errors.Join(c.err, errors.New("remove names: x"))} {
				problem := Of(err)
				require.Equal(t, c.code, problem.Code)
				if c.hint == "" {
					require.Empty(t, problem.Hint)
				}
				require.Truef(t, len(problem.Hint) >= len(c.hint) && problem.Hint[:len(c.hint)] == c.hint, "hint is %q",
					problem.Hint)
				complaint, _, _ := strings.Cut(c.err.Error(), "\n")
				require.Contains(t, problem.Error(), complaint, "the cause is never lost")
			}
		})
	}
}

func TestExitCodesAreDocumented(t *testing.T) {
	for i, exit := range ExitCodes {
		if exit.Code < ExitNotExecutable {
			require.EqualValues(t, i, exit.Code, "in order, without gaps")
		}
		require.NotEmpty(t, exit.Meaning)
	}
}

func TestFail(t *testing.T) {
	var out bytes.Buffer
	(&Problem{Err: errors.Join(errors.New("one"), errors.New("two")), Hint: "do this"}).Print(&out)
	require.Equal(t, "devtun: error: one; two\nhint: do this\n", out.String())
	out.Reset()
	(&Problem{Err: errors.New("one")}).Print(&out)
	require.Equal(t, "devtun: error: one\n", out.String())
}
