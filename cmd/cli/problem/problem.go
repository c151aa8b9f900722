package problem

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/devtun/devtun/cmd/cli/credential"
	"github.com/devtun/devtun/cmd/cli/forwards"
	"github.com/devtun/devtun/cmd/cli/run/command"
	"github.com/devtun/devtun/dns"
	"github.com/devtun/devtun/dns/helper"
	"github.com/devtun/devtun/internal/disk"
)

// ExitCode is what devtun's process ends with.
type ExitCode int

const (
	ExitOK          ExitCode = 0
	ExitFailure     ExitCode = 1
	ExitUsage       ExitCode = 2
	ExitCluster     ExitCode = 3
	ExitCredentials ExitCode = 4
	ExitRights      ExitCode = 5
	ExitNotFound    ExitCode = 6
	ExitInUse       ExitCode = 7
	ExitMachine     ExitCode = 8
	ExitRefused     ExitCode = 9
	ExitConflict    ExitCode = 10
	ExitNoSession   ExitCode = 11

	// Of `devtun run`, as shells have them. StartError.Code gives them.
	ExitNotExecutable ExitCode = 126
	ExitNoCommand     ExitCode = 127

	// As if SIGPIPE had killed it.
	ExitNoReader ExitCode = 141
)

// ExitCodes documents each code, in order.
var ExitCodes = []struct {
	Code    ExitCode
	Meaning string
}{
	{ExitOK, "done, or ended by SIGINT or SIGTERM"},
	{ExitFailure, "any other failure"},
	{ExitUsage, "wrong flags or arguments"},
	{ExitCluster, "no kubeconfig, or the API server cannot be reached"},
	{ExitCredentials, "the API server does not accept the credentials"},
	{ExitRights, "rights are missing in the cluster"},
	{ExitNotFound, "no such namespace or service, or one that cannot be forwarded"},
	{ExitInUse, "an address, a port or a session's name is in use on this machine"},
	{ExitMachine, "the hosts file or handed-over files cannot be written, or a port needs more rights"},
	{ExitRefused, "what was named cannot be intercepted, or its agent does not start"},
	{ExitConflict, "restored, but for what others have changed meanwhile; or not, as others hold it"},
	{ExitNoSession, "status, logs, down: no session is running, or none of that name"},
	{ExitNotExecutable, "run, intercept: the command cannot be executed"},
	{ExitNoCommand, "run, intercept: there is no such command"},
	{ExitNoReader, "whoever read the output has gone: ended as by SIGPIPE, but in order"},
}

// Problem is an error as the user is told of it.
type Problem struct {
	Err  error
	Hint string // what to do about it, with a command where there is one
	Code ExitCode
}

func (p *Problem) Error() string { return p.Err.Error() }
func (p *Problem) Unwrap() error { return p.Err }

// Usage is an error in what the user typed.
func Usage(hint, format string, args ...any) error {
	return &Problem{Err: fmt.Errorf(format, args...), Code: ExitUsage, Hint: hint}
}

// Print writes a problem the way all are written: one line each for the error, also
// where several errors are joined in it, and for the hint.
func (p *Problem) Print(out io.Writer) {
	fmt.Fprintf(out, "devtun: error: %s\n", strings.ReplaceAll(p.Error(), "\n", "; "))
	if p.Hint != "" {
		fmt.Fprintf(out, "hint: %s\n", p.Hint)
	}
}

// advised is an error of a package above this one, which knows itself what to do
// about it.
type advised interface {
	error
	Advice() (hint string, code ExitCode)
}

// Of turns any error into a Problem.
func Of(err error) *Problem {
	var problem *Problem
	var listen *dns.ListenError
	var lock *disk.LockError
	var sudo *helper.SudoError
	var start *command.StartError
	var forbidden *command.ForbiddenError
	var left *command.LeftError
	var path *fs.PathError
	var unforwardable *forwards.UnforwardableError
	var names *forwards.NamesLeftError
	var status apierrors.APIStatus
	var login *credential.Error
	var advised advised
	switch {
	case errors.As(err, &problem):
		return problem
	case errors.As(err, &advised):
		hint, code := advised.Advice()
		return &Problem{Err: err, Code: code, Hint: hint}
	case errors.As(err, &login):
		return diagnoseLogin(err, login)
	case errors.As(err, &start):
		return &Problem{Err: err, Code: ExitCode(start.Code()),
			Hint: "what follows -- is run as it is, without a shell; is it in PATH?"}
	case errors.As(err, &forbidden):
		return &Problem{Err: err, Code: ExitMachine,
			Hint: "add --hosts system, which asks sudo for devtun's helper; or run 'devtun forward' beside the command"}
	case errors.As(err, &left):
		return &Problem{Err: err, Code: ExitFailure, Hint: "end them by hand, as their user"}
	case errors.Is(err, helper.ErrGone), errors.As(err, &names):
		return &Problem{Err: err, Code: ExitMachine,
			Hint: "the names stay in the hosts file until the next devtun, or 'devtun clean', removes them"}
	case sessions(err) != nil:
		return sessions(err)
	case intercepts(err) != nil:
		return intercepts(err)
	case errors.As(err, &sudo):
		return diagnoseSudo(err, sudo)
	case errors.As(err, &listen):
		return diagnoseListen(err, listen)
	case errors.As(err, &unforwardable):
		return &Problem{Err: err, Code: ExitNotFound,
			Hint: "'devtun forward' without arguments forwards what can be forwarded"}
	case errors.As(err, &lock):
		return &Problem{Err: err, Code: ExitMachine, Hint: "wait for the other program to finish, or pass --hosts-file"}
	case errors.As(err, &status):
		return diagnoseStatus(err)
	case errors.Is(err, syscall.ENOSPC):
		return &Problem{Err: err, Code: ExitMachine,
			Hint: "make room on the disk; or pass --hosts-file with a file on another"}
	case errors.As(err, &path) && (errors.Is(err, os.ErrPermission) || errors.Is(err, syscall.EROFS)):
		return &Problem{Err: err, Code: ExitMachine, Hint: "pass --hosts-file with a file you may write; " + withoutRights}
	case errors.As(err, &path) && errors.Is(err, os.ErrNotExist):
		return &Problem{Err: err, Code: ExitMachine, Hint: createHint(path.Path)}
	case errors.As(err, &path):
		return &Problem{Err: err, Code: ExitMachine, Hint: "pass --hosts-file with a file that can be written"}
	case Unreachable(err):
		return diagnoseUnreachable(err)
	}
	return &Problem{Err: err, Code: ExitFailure}
}

// createHint is what brings about a file that is not there.
func createHint(path string) string {
	folder := filepath.Dir(path)
	if _, err := os.Stat(folder); err != nil {
		return "create the folder: mkdir -p " + folder
	}
	return "create it: touch " + path
}

// withoutRights is the way out for who may not write the system's hosts file.
const withoutRights = "'devtun run -- COMMAND' needs no rights"

// diagnoseSudo tells of a helper that could not be had, and of ways without it.
func diagnoseSudo(err error, sudo *helper.SudoError) *Problem {
	hint := "may you use sudo here ('sudo -v')? " + withoutRights
	switch {
	case errors.Is(err, exec.ErrNotFound):
		hint = "run devtun as root; " + withoutRights
	case sudo.NoTerminal:
		hint = "there is no terminal to ask for a password on: run 'sudo -v' first, or allow 'devtun helper' without one " +
			"(docs/security.md, the sudoers rule); " + withoutRights
	}
	return &Problem{Err: err, Code: ExitMachine, Hint: hint}
}

func diagnoseListen(err error, listen *dns.ListenError) *Problem {
	number := int(listen.Addr.Port())
	service, remote := "SERVICE", number
	var port *forwards.PortError
	if errors.As(err, &port) {
		service, remote = port.Service.Name+"."+port.Service.Namespace, port.Port.Remote
	}
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		hint := fmt.Sprintf("free port %d, or move it with --port %s:LOCAL:%d", number, service, remote)
		if listen.Holder.PID != 0 {
			hint = fmt.Sprintf("stop %s (pid %d), or move the port with --port %s:LOCAL:%d", listen.Holder.Name,
				listen.Holder.PID, service, remote)
		}
		return &Problem{Err: err, Code: ExitInUse, Hint: hint}
	case errors.Is(err, os.ErrPermission):
		return &Problem{Err: err, Code: ExitMachine,
			Hint: fmt.Sprintf(
				"ports below 1024 need root: 'devtun run' wants --hosts system for them; or move it with --port %s:%d:%d", service,
				forwards.HighPort(number, nil), remote)}
	}
	return &Problem{Err: err, Code: ExitInUse}
}

// diagnoseLogin tells of a credential plugin that gives nothing. What the kubeconfig
// says of how to get it comes with it, as one line.
func diagnoseLogin(err error, login *credential.Error) *Problem {
	hint := "the credential plugin failed: run it by hand, or log in again"
	if login.Install != "" {
		hint = "the credential plugin is not there: " + strings.Join(strings.Fields(login.Install), " ")
	}
	return &Problem{Err: err, Code: ExitCredentials, Hint: hint}
}

func diagnoseStatus(err error) *Problem {
	switch {
	case apierrors.IsUnauthorized(err):
		return &Problem{Err: fmt.Errorf("the API server does not accept the credentials: %w", err), Code: ExitCredentials,
			Hint: "log in again; 'kubectl auth whoami' shows who the cluster takes you for"}
	case apierrors.IsForbidden(err):
		return &Problem{Err: err, Code: ExitRights,
			Hint: "ask for the right; 'kubectl auth can-i --list' shows what you have"}
	case apierrors.IsNotFound(err):
		return &Problem{Err: err, Code: ExitNotFound}
	}
	return &Problem{Err: err, Code: ExitCluster}
}

// Unreachable reports that err comes from the way to the API server. A bare number of the
// system's has the methods of a network's error, and is none: a file's, more likely.
func Unreachable(err error) bool {
	var request *url.Error
	var network net.Error
	if errors.As(err, &request) || !errors.As(err, &network) {
		return request != nil
	}
	_, number := network.(syscall.Errno)
	return !number
}

func diagnoseUnreachable(err error) *Problem {
	hint := "is it running, and the way there open (VPN)? 'kubectl config view --minify' shows where it should be"
	if strings.Contains(err.Error(), "x509:") || strings.Contains(err.Error(), "tls:") {
		hint = "the certificate does not fit: check certificate-authority and server in 'kubectl config view --minify'"
	}
	return &Problem{Err: fmt.Errorf("reach the API server: %w", err), Code: ExitCluster, Hint: hint}
}
