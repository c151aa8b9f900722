package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/devtun/devtun/e2e/cluster/build"
	"github.com/devtun/devtun/e2e/cluster/debian"
	"github.com/devtun/devtun/e2e/testbed"
	"github.com/devtun/devtun/e2e/vscode"
)

func main() {
	var o options
	flag.StringVar(&o.pattern, "run", "", "only end-to-end tests that fit this pattern, as 'go test -run' takes it")
	flag.IntVar(&o.runs, "runs", 1, "run each end-to-end test, and each of the soak, so often")
	flag.IntVar(&o.machines, "machines", 2*runtime.NumCPU()+1, "end-to-end tests at a time")
	flag.BoolVar(&o.keep, "keep", false, "leave the cluster running in the end")
	flag.StringVar(&o.part, "part", "",
		"one part of the soak: 1 to 4, or commit, which chooses one by the commit; all by default")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	do := o.run
	if os.Getenv(insideVar) == "" && !o.keep {
		do = leaveNothing
	}
	ok, err := do(ctx, flag.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, "suite:", err)
		os.Exit(2)
	}
	if !ok {
		os.Exit(1)
	}
}

// run runs what is named, and reports that all is well.
func (o *options) run(ctx context.Context, what []string) (ok bool, err error) {
	if o.root, err = build.Module(ctx); err != nil {
		return false, err
	}
	_ = os.Unsetenv("KUBECONFIG") // nobody's own
	_ = os.Unsetenv("GOFLAGS")    // nor make's: tests compile programs, with paths for debuggers
	if len(what) != 1 {
		return false, errors.New("name one of test, unit, e2e, soak")
	}
	failed := filepath.Join(o.root, "bin", "failed")
	if err := os.RemoveAll(failed); err != nil {
		return false, err
	}
	r := newRecord(os.Stdout, failed)
	switch what[0] {
	case "unit":
		o.unit(ctx, r)
	case "test", "e2e", "soak":
		if err := o.onBed(ctx, r, what[0]); err != nil {
			return false, err
		}
	default:
		return false, fmt.Errorf("%s: name one of test, unit, e2e, soak", what[0])
	}
	if ctx.Err() != nil {
		r.fail(context.Cause(ctx))
	}
	return r.close(), nil
}

// onBed runs what needs a cluster. Unit tests run while it starts, and is disturbed.
func (o *options) onBed(ctx context.Context, r *record, what string) (err error) {
	scratch, err := os.MkdirTemp(testbed.Scratch, "devtun-e2e-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	if err := os.Chmod(scratch, 0o755); err != nil { // other users start devtun too
		return err
	}
	e := &runner{record: r, dir: o.e2e(), scratch: scratch, binary: filepath.Join(scratch, "e2e.test")}
	part, err := o.chosen(ctx, r)
	if err != nil {
		return err
	}
	var leave func() error
	var both, units sync.WaitGroup
	if what == "test" {
		units.Go(func() { o.unit(ctx, r) })
	}
	defer units.Wait()
	both.Go(func() {
		r.during("cluster and programs", func() (err error) {
			setUp, cancel := context.WithTimeout(ctx, setUpTimeout)
			defer cancel()
			e.bed, leave, err = testbed.Prepare(setUp, testbed.Options{Module: o.root, Keep: o.keep, Progress: r})
			return err
		})
	})
	both.Go(func() { r.fail(o.compile(ctx, e.binary)) })
	both.Wait()
	standing := e.bed != nil && !r.broken()
	if what == "soak" { // its end-to-end tests wait, mostly
		both.Go(func() { o.soakUnits(ctx, r, part) })
	}
	if standing {
		r.during("end-to-end tests", func() error { return o.endToEnd(ctx, e, what, part, units.Wait) })
	}
	both.Wait()
	units.Wait()
	if leave != nil {
		r.during("clean up", leave)
	}
	return nil
}

// setUpTimeout bounds all that happens before the first end-to-end test: on a new
// machine that includes building Kubernetes.
const setUpTimeout = 30 * time.Minute

// servers are the programs of //e2e:servers, by Debian package.
var servers = map[string]string{"redis-server": "redis-server", "redis-cli": "redis-tools",
	"nats-server": "nats-server"}

// endToEnd runs the end-to-end tests of the soak, or the others, and beside them
// those of the cluster itself; calm returns when nothing else runs any more.
func (o *options) endToEnd(ctx context.Context, e *runner, what string, part int, calm func()) error {
	tests, err := testsIn(o.e2e())
	if err != nil {
		return err
	}
	tests = slices.DeleteFunc(tests, func(t test) bool {
		return t.soak() != (what == "soak") && !strings.Contains(o.pattern, soakPrefix) // unless such are named
	})
	if what == "soak" {
		tests = share(tests, part)
	}
	runs, err := selected(tests, o.pattern, o.runs)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(runs, func(one run) bool { return one.vscode }) {
		if err := vscode.Install(ctx, e.record); err != nil {
			return err
		}
	}
	if slices.ContainsFunc(runs, func(one run) bool { return one.servers }) {
		if err := debian.Install(ctx, servers, e.record); err != nil {
			return err
		}
	}
	var beside sync.WaitGroup
	defer beside.Wait()
	then := func() {
		calm()
		if what != "soak" && o.pattern == "" && e.bed.Cluster != "" {
			beside.Go(func() { e.fail(o.clusterTests(ctx, e.record)) })
		}
	}
	machines := o.machines
	if e.bed.Cluster == "" {
		machines = 1 // which has this machine's network
	}
	e.all(ctx, runs, machines, then)
	return nil
}
