package e2e

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"

	"github.com/devtun/devtun/e2e/testserver/echo"
)

// namedProcess is a developer's process in this one, which answers its name over HTTP/1,
// HTTP/2 without TLS, and gRPC.
type namedProcess struct{ web, rpc net.Listener }

// newNamedProcess listens until the test ends.
func newNamedProcess(t *testing.T, name string) *namedProcess {
	t.Helper()
	listen := func() net.Listener {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		return listener
	}
	p := &namedProcess{listen(), listen()}
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	web := &http.Server{Protocols: &protocols, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		fmt.Fprintln(w, name)
	})}
	rpc := grpc.NewServer()
	echo.Register(rpc, name)
	go web.Serve(p.web)
	go rpc.Serve(p.rpc)
	t.Cleanup(func() {
		web.Close()
		rpc.Stop()
	})
	return p
}

// flags have service web's ports go to the process.
func (p *namedProcess) flags() []string {
	to := func(listener net.Listener, port int) string {
		return "--port=" + strconv.Itoa(listener.Addr().(*net.TCPAddr).Port) + ":" + strconv.Itoa(port)
	}
	return []string{to(p.web, 80), to(p.rpc, rpcPort)}
}

// colleague is one of the developers of service web: a devtun, and a process that answers
// with the key of its requests. Its methods may be called by any goroutine: they return
// what is wrong.
type colleague struct {
	*devtun
	key   string
	flags []string // of devtun, beside those that all have
	user  *user    // who runs it; nil is root
	history
}

// expects makes a colleague who is to get the requests with a key, and no devtun yet.
func expects(key string, flags ...string) *colleague {
	return &colleague{key: key, flags: append(flags, "--personal="+key)}
}

// begins starts devtun.
func (c *colleague) begins(n *namespace) {
	n.t.Helper()
	args := append([]string{"intercept", "web", "-n", n.name, "-o", "json", "--no-forward"},
		append(newNamedProcess(n.t, c.key).flags(), c.flags...)...)
	cmd := exec.Command(devtunPath(), append(args, "--kubeconfig", kubeconfig())...)
	if c.user != nil {
		cmd = c.user.command(devtunPath(), args...)
	}
	c.from(time.Now(), eithers)
	c.devtun = launch(n.t, cmd)
}

// standing is the word that the traffic comes.
func standing(e event) bool { return e.Type == "intercept" && e.State == "standing" }

// joins starts devtun, and returns once it stands.
func (c *colleague) joins(n *namespace) error {
	c.begins(n)
	return c.arrives()
}

// arrives waits until it stands.
func (c *colleague) arrives() error {
	if _, err := c.hears(0, standTimeout, standing); err != nil {
		return fmt.Errorf("%s joins: %w", c.key, err)
	}
	c.from(time.Now(), theirs)
	return nil
}

// leaves ends it as Ctrl-C does.
func (c *colleague) leaves() error {
	c.from(time.Now(), eithers)
	if err := c.cmd.Process.Signal(os.Interrupt); err != nil {
		return fmt.Errorf("%s leaves: %w", c.key, err)
	}
	select {
	case <-c.exited:
	case <-time.After(backTimeout):
		return fmt.Errorf("%s leaves: it goes on", c.key)
	}
	c.from(time.Now(), origins)
	if c.err != nil {
		return fmt.Errorf("%s leaves: %w", c.key, c.err)
	}
	return nil
}

// crashes ends it so that it can do nothing about it: requests that are on their way to
// it may be lost, and those that come soonEnough later may not.
func (c *colleague) crashes() error {
	c.from(time.Now(), anyones)
	if err := c.cmd.Process.Kill(); err != nil {
		return fmt.Errorf("%s is killed: %w", c.key, err)
	}
	<-c.exited
	c.from(time.Now().Add(soonEnough), origins)
	return nil
}

// freezes stops it: whoever sends it something hears nothing any more.
func (c *colleague) freezes() error {
	c.t.Cleanup(func() { c.cmd.Process.Signal(syscall.SIGCONT) }) // the test's end asks it to end
	c.from(time.Now(), anyones)
	err := c.cmd.Process.Signal(syscall.SIGSTOP)
	c.from(time.Now().Add(soonEnough), origins)
	return err
}

// thaws has it go on. It is for who asks to say since when requests are theirs again.
func (c *colleague) thaws() error {
	c.from(time.Now(), eithers)
	return c.cmd.Process.Signal(syscall.SIGCONT)
}

// together does all at the same time.
func together(acts ...func() error) error {
	results := make(chan error, len(acts))
	for _, act := range acts {
		go func() { results <- act() }()
	}
	var all error
	for range acts {
		all = errors.Join(all, <-results)
	}
	return all
}
