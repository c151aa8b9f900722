//go:build !race

package agent

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/intercept/wire"
	"github.com/devtun/devtun/tunnel/duplex"
)

func init() { children["agent"] = child }

// child is an agent, on loopback, with its real main, that says where it listens.
func child() int {
	at := make(map[string]string)
	listen := func(ctx context.Context, network, address string) (net.Listener, error) {
		listener, err := net.Listen(network, "127.0.0.1:0")
		if err == nil {
			at[address] = listener.Addr().String()
			if len(at) == 3 {
				fmt.Println(at[":8080"], at["127.0.0.1:9999"])
			}
		}
		return listener, err
	}
	return mainWith(nil, os.Environ(), os.Stderr, func(a *Agent) { a.Listen, a.Linger = listen, 0 })
}

const (
	maxIdle = 20 << 20  // bytes resident
	maxBusy = 128 << 20 // with 500 connections
)

func TestTheAgentStaysSmall(t *testing.T) {
	origin := serve(t, greet("origin"))
	program, err := os.Executable()
	require.NoError(t, err)
	agent := exec.Command(program)
	agent.Env = append(os.Environ(), childVariable+"=agent", fmt.Sprintf(
		`%s={"version":3,"name":"service-middle","identity":"4f1c","mode":"divert","grace":"0s","sessionPort":9999,"readyPort":9998,"ports":[{"port":8080,"origin":%q}]}`,
		ConfigVariable, origin.address))
	agent.Stderr = os.Stderr
	output, err := agent.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, agent.Start())
	t.Cleanup(func() { agent.Process.Signal(os.Interrupt); agent.Wait() })
	var at, links string
	_, err = fmt.Fscan(output, &at, &links)
	require.NoError(t, err)
	idle := resident(t, agent.Process.Pid)
	require.Less(t, idle, maxIdle)

	local := serve(t, func(conn duplex.TCP) { io.Copy(conn, conn); conn.CloseWrite() })
	all := everything()
	end := wire.End{Name: "service-middle", Identity: "4f1c", Claim: &all}
	link, err := end.Dial(t.Context(), newPausable(dialTCP(t, links)))
	require.NoError(t, err)
	var running sync.WaitGroup
	developer := wire.Developer{Dial: func(ctx context.Context, _ int) (net.Conn, error) { return to(local)(ctx) }}
	states := make(chan wire.State, 100)
	developer.State = func(s wire.State) { states <- s }
	running.Go(func() { developer.Run(context.Background(), link) })
	t.Cleanup(func() { link.Close(); running.Wait() })
	link.SetPort(port, true)
	for state := range states {
		if state.To == wire.ToDeveloper {
			break
		}
	}
	var clients []duplex.TCP
	for range 500 {
		clients = append(clients, dialTCP(t, at))
	}
	exchange := func() {
		var all sync.WaitGroup
		errs := make(chan error, len(clients))
		for _, client := range clients {
			all.Go(func() {
				const size = 256 << 10
				go io.Copy(struct{ io.Writer }{client}, &pattern{left: size})
				_, err := io.CopyN(io.Discard, client, size)
				errs <- err
			})
		}
		all.Wait()
		close(errs)
		for err := range errs {
			require.NoError(t, err)
		}
	}
	exchange()
	exchange()
	busy := resident(t, agent.Process.Pid)
	require.Less(t, busy, maxBusy)
	require.Zero(t, origin.taken.Load())
	t.Logf("idle %d KiB; after 500 connections, still open, that carried 512 KiB each way: %d KiB", idle>>10, busy>>10)
}

// resident is the most memory, in bytes, that a process has had.
func resident(t *testing.T, pid int) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	require.NoError(t, err)
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, err := strconv.Atoi(strings.Fields(value)[0])
			require.NoError(t, err)
			return kib << 10
		}
	}
	t.Fatal("no VmHWM")
	return 0
}
