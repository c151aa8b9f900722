package agent

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/devtun/devtun/intercept/claim"
	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/intercept/relay"
)

// memoryLimit, in bytes, is where the garbage collector stops to be idle: below
// what 500 busy connections may cost.
const memoryLimit = 96 << 20

// gcPercent is how much the heap grows between two collections. It is small, and at the usual
// 100 new connections would have it collected many times a second.
const gcPercent = 300

// shareOfProcessors is which part of its node's processors an agent uses: one of so many, and one
// at least. It is a guest there. What it does for a connection is done before another processor
// has woken up for a part of it: with two of two, new connections cost an eighth more of the
// machine. One carries about a GB/s.
const shareOfProcessors = 4

// stopSignals end the agent. It runs in an image that may name any of them as its
// STOPSIGNAL, which is what the kubelet then sends in SIGTERM's place: nginx's QUIT,
// PostgreSQL's INT, httpd's WINCH, systemd's RTMIN+3. The numbers are Linux's.
var stopSignals = []os.Signal{
	syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGHUP,
	syscall.Signal(10), // USR1
	syscall.Signal(12), // USR2
	syscall.Signal(28), // WINCH
	syscall.Signal(37), // RTMIN+3
}

const usage = `usage: devtun-agent

Stand in for a workload, as DEVTUN_AGENT_CONFIG says, until SIGTERM.
`

// Main runs the agent's command line and returns the exit code: 0 if all went
// well, 1 if not, 2 if it was called wrongly.
func Main(args, environ []string, stderr io.Writer) int {
	return mainWith(args, environ, stderr, func(*Agent) {})
}

// mainWith is Main with an agent that set may change before it runs.
func mainWith(args, environ []string, stderr io.Writer, set func(*Agent)) int {
	flags := flag.NewFlagSet("devtun-agent", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() { fmt.Fprint(stderr, usage) }
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if flags.NArg() > 0 {
		flags.Usage()
		return 2
	}
	config, err := ParseConfig(lookUp(environ, ConfigVariable))
	if err == nil {
		err = run(config, environ, stderr, set)
	}
	if err != nil {
		fmt.Fprintln(stderr, "devtun-agent:", err)
		return 1
	}
	return 0
}

func run(config Config, environ []string, stderr io.Writer, set func(*Agent)) error {
	runtime.GOMAXPROCS(max(1, runtime.GOMAXPROCS(0)/shareOfProcessors))
	debug.SetGCPercent(gcPercent)
	debug.SetMemoryLimit(memoryLimit)
	ctx, stop := signal.NotifyContext(context.Background(), stopSignals...)
	defer stop()
	a := New(config, slog.New(slog.NewTextHandler(stderr, nil)))
	a.Environ = environ
	if err := a.restoreFromPod(); err != nil {
		return err
	}
	set(a)
	return a.Run(ctx)
}

// restoreFromPod has the agent restore with its pod's rights, if it is to.
func (a *Agent) restoreFromPod() error {
	if a.Config.Grace == 0 {
		return nil
	}
	client, namespace, err := plan.InPod()
	if err != nil {
		return fmt.Errorf("prepare to restore: %w", err)
	}
	if a.Config.Undo == nil {
		return errors.New("prepare to restore: there is no undo")
	}
	undo, err := plan.Parse(a.Config.Undo)
	if err != nil {
		return fmt.Errorf("prepare to restore: %w", err)
	}
	ref := plan.Ref{Namespace: namespace, Name: a.Config.Name, Identity: a.Config.Identity}
	a.Plan = storedPlan{client, ref, undo}
	if a.Config.Relay {
		claims := func(ctx context.Context) ([]claim.Claim, error) {
			found, err := a.Plan.Claims(ctx)
			return found.Claims, err
		}
		a.Relay = &relay.Relay{Policy: relay.NewPolicy(client, namespace, claims), Dial: new(net.Dialer).DialContext,
			Log: a.Log}
	}
	a.Restore = func(ctx context.Context, undone func()) error {
		report, err := plan.Restorer{Client: client, Undone: undone, Inside: true}.RestoreAny(ctx, undo)
		if report != nil {
			for _, conflict := range report.Conflicts {
				a.Log.Warn(conflict.String())
			}
		}
		return err
	}
	return nil
}

// storedPlan is the plan in the cluster, with the pod's rights.
type storedPlan struct {
	client *plan.Client
	ref    plan.Ref
	undo   *plan.Plan
}

func (p storedPlan) Claims(ctx context.Context) (Standing, error) {
	claims, _, touched, err := plan.Claims(ctx, p.client, p.ref)
	return Standing{claims, touched}, err
}

func (p storedPlan) Leave(ctx context.Context, id string) (last bool, err error) {
	return plan.Leave(ctx, p.client, p.ref, id)
}

func (p storedPlan) AgentsStand(ctx context.Context) (bool, error) {
	return plan.AgentsStand(ctx, p.client, p.undo)
}

// lookUp returns the value of key in environ, the last one if there are several.
func lookUp(environ []string, key string) (value string) {
	for _, pair := range environ {
		if v, ok := strings.CutPrefix(pair, key+"="); ok {
			value = v
		}
	}
	return value
}
