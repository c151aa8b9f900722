// Command bench measures `devtun forward`, `devtun intercept` and the intercept's agent
// on a real cluster, in turn with `kubectl port-forward`, or for the agent with a pipe,
// and with connections straight to the pod.
//
//	go run -C e2e ./bench                     # less than half an hour
//	go run -C e2e ./bench relay               # one of the four
//	go run -C e2e ./bench -only upload relay  # the trials whose name has that in it
//	go run -C e2e ./bench -quick              # four minutes, to try changes of the bench itself
//
// It prints tables and writes .bench/forward.json, relay.json, intercept.json and
// agent.json. The cluster is the local one, which it brings up if need be, or that of
// DEVTUN_KUBECONFIG.
//
//	site        the cluster, and devtun and the images built (package testbed)
//	lab         what is measured there: namespaces, a pod, kubeconfigs
//	contender   one way to the pod: devtun, relay, kubectl, plain, prepared, pipe, direct
//	workload    the pod as an intercept needs it, with a deployment
//	local       the process on this machine that an intercept leads to
//	team        an intercept that several share, none of whom wants what is asked
//	mirror      an intercept that gets copies, whose process here is stopped
//	trial       one measurement of one contender, which gives values of figures
//	figure      what is told: the values of all rounds, medians, ratio, goal
//
// Every trial runs in rounds, and in each round all contenders have their turn,
// so that what disturbs the machine disturbs them alike. A trial runs once
// before it counts. A ratio is the median of those of each round.
//
// A goal that is missed is no failure, and the exit code is 0. A wrong hash, a
// short answer or a refused connection is one: there is nothing to tell then.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/devtun/devtun/e2e/cluster/build"
)

// runTimeout bounds a run, the building of the cluster's programs excepted.
const runTimeout = 30 * time.Minute

// subject is what of devtun is measured, with a report of its own.
type subject struct {
	name    string
	measure func(context.Context, *lab, *series) error
}

var subjects = []subject{
	{"relay", measureRelay}, {"intercept", measureIntercept}, {"agent", measureAgent},
	{"forward", measureForward}, // with its many services, which the cluster has to digest
}

// choose picks the subject of that name; without a name, all.
func choose(args []string) ([]subject, error) {
	switch len(args) {
	case 0:
		return subjects, nil
	case 1:
		if i := slices.IndexFunc(subjects, func(s subject) bool { return s.name == args[0] }); i >= 0 {
			return subjects[i : i+1], nil
		}
	}
	return nil, fmt.Errorf("measure %s: want relay, intercept, agent or forward, or nothing for all",
		strings.Join(args, " "))
}

func main() {
	_ = os.Unsetenv("SUDO_UID") // under sudo devtun would measure its own and the helper's time
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	quick := flags.Bool("quick", false, "few rounds with little data: the figures mean nothing")
	only := flags.String("only", "", "run only the trials whose name contains this")
	if err := flags.Parse(args); err != nil {
		return fmt.Errorf("read flags: %w", err)
	}
	chosen, err := choose(flags.Args())
	if err != nil {
		return err
	}
	module, err := build.Module(ctx)
	if err != nil {
		return err
	}
	effort := fullEffort
	if *quick {
		effort = quickEffort
	}
	progress := newProgress(stderr)

	progress.step("build devtun and the images")
	site, err := openSite(ctx, module, stderr)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, site.leave()) }()
	ctx, cancel := context.WithTimeoutCause(ctx, runTimeout, fmt.Errorf("not done after %v", runTimeout))
	defer cancel()
	lab, err := openLab(ctx, site, progress)
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := lab.close(context.WithoutCancel(ctx)); err == nil {
			err = closeErr
		}
	}()
	for _, subject := range chosen {
		series := &series{effort: effort, only: *only, progress: progress}
		err := subject.measure(ctx, lab, series)
		if ctx.Err() != nil {
			return context.Cause(ctx) // whatever it made fail
		}
		if err != nil {
			return fmt.Errorf("measure devtun %s: %w", subject.name, err)
		}
		if len(series.figures) == 0 {
			continue // what was measured before stays in the file
		}
		report := report{Machine: describeMachine(lab, effort), Figures: series.figures}
		if err := report.save(filepath.Join(module, ".bench", subject.name+".json")); err != nil {
			return err
		}
		fmt.Fprintf(stdout, "devtun %s, ", subject.name)
		if err := report.print(stdout); err != nil {
			return err
		}
	}
	return nil
}
