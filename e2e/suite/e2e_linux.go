package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/devtun/devtun/e2e/testbed"
)

const (
	// testTimeout bounds one end-to-end test, soakTimeout one of the soak.
	testTimeout = 5 * time.Minute
	soakTimeout = 10 * time.Minute
	// parallel is how many parts of a test run at a time, where it lets them: such
	// parts wait, mostly.
	parallel = 6
)

// compile makes the binary of the end-to-end tests, those of the soak included.
func (o *options) compile(ctx context.Context, output string) error {
	cmd := exec.CommandContext(ctx, "go", "test", "-trimpath", "-c", "-tags", "soak", "-o", output, ".")
	cmd.Dir = o.e2e()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("compile the end-to-end tests: %w\n%s", err, bytes.TrimSpace(out))
	}
	return nil
}

// runner runs end-to-end tests on a bed.
type runner struct {
	*record
	bed     *testbed.Bed
	dir     string // of the tests' source
	binary  string // of the tests
	scratch string // for machines
}

// run is a run of one test.
type run struct {
	test
	pattern string // for -test.run
}

// all runs tests: those that disturb the cluster, one by one; then, once calm returns, so
// many at a time, those that took long the last time first; and then those that are to
// be alone.
func (e *runner) all(ctx context.Context, runs []run, machines int, calm func()) {
	for _, one := range runs {
		if one.disturbs {
			e.one(ctx, one, 1)
		}
	}
	calm()
	took := loadTimes()
	slices.SortStableFunc(runs, func(a, b run) int { return int(took[b.name] - took[a.name]) })
	queue := make(chan run)
	var workers sync.WaitGroup
	for number := range machines {
		workers.Go(func() {
			for one := range queue {
				e.one(ctx, one, number+1)
			}
		})
	}
	for _, one := range runs {
		if !one.alone && !one.disturbs {
			queue <- one
		}
	}
	close(queue)
	workers.Wait()
	for _, one := range runs {
		if one.alone {
			e.one(ctx, one, 1)
		}
	}
	e.saveTimes(took)
}

// one runs one test in a machine.
func (e *runner) one(ctx context.Context, one run, number int) {
	if ctx.Err() != nil {
		return
	}
	timeout := testTimeout
	if one.soak() {
		timeout = soakTimeout
	}
	var out bytes.Buffer
	cmd := exec.Command(e.binary, "-test.run", one.pattern, "-test.v", "-test.timeout", timeout.String(),
		"-test.parallel", strconv.Itoa(parallel))
	cmd.Dir, cmd.Stdout, cmd.Stderr = e.dir, &out, &out
	cmd.WaitDelay = time.Minute // what the test leaves may hold its output open
	stop := context.AfterFunc(ctx, func() {
		if cmd.Process != nil {
			cmd.Process.Kill()
		}
	})
	defer stop()
	began := time.Now()
	err := e.bed.Run(ctx, testbed.Machine{Home: filepath.Join(e.scratch, fmt.Sprint("m", number)), Number: number,
		Alone: one.alone || one.disturbs}, cmd)
	result := result{test: one.name, took: time.Since(began), output: out.String()}
	ran := bytes.Contains(out.Bytes(), []byte("\n--- PASS: "+one.name)) ||
		bytes.HasPrefix(out.Bytes(), []byte("--- PASS: "+one.name))
	switch {
	case err != nil:
		result.failed, result.output = true, result.output+err.Error()+"\n"
	case !ran || strings.Contains(out.String(), "--- SKIP"):
		result.failed, result.output = true, result.output+"the test was not run, or only in part\n"
	}
	e.add(result, true)
}

// clusterTests are those of the local cluster itself, which bring up another one.
func (o *options) clusterTests(ctx context.Context, r *record) error {
	return r.goTest(ctx, o.e2e(), "-trimpath", "-count=1", "-timeout=20m", "-tags", "e2e", "-skip", "^"+soakPrefix,
		"./cluster")
}

// selected makes runs of the tests that fit a pattern, which may name a part of one,
// as that of 'go test -run' does.
func selected(tests []test, pattern string, times int) (runs []run, err error) {
	top, part, parted := strings.Cut(pattern, "/")
	wanted, err := regexp.Compile(top)
	if err != nil {
		return nil, err
	}
	for range times {
		for _, one := range tests {
			if !wanted.MatchString(one.name) {
				continue
			}
			exact := "^" + one.name + "$"
			if parted {
				exact += "/" + part
			}
			runs = append(runs, run{one, exact})
		}
	}
	if len(runs) == 0 {
		return nil, fmt.Errorf("no test fits %q", pattern)
	}
	return runs, nil
}

// timesFile is where it stands how long each test took the last time on this
// machine: an aid, that may be missing.
func timesFile() string {
	cache, err := os.UserCacheDir()
	if err != nil {
		return os.DevNull
	}
	return filepath.Join(cache, "devtun", "times-of-tests.json")
}

func loadTimes() map[string]time.Duration {
	took := make(map[string]time.Duration)
	if text, err := os.ReadFile(timesFile()); err == nil {
		_ = json.Unmarshal(text, &took)
	}
	return took
}

func (e *runner) saveTimes(took map[string]time.Duration) {
	e.mu.Lock()
	for _, one := range e.results {
		if !one.failed {
			took[one.test] = one.took
		}
	}
	e.mu.Unlock()
	text, err := json.Marshal(took)
	if err == nil {
		err = errors.Join(os.MkdirAll(filepath.Dir(timesFile()), 0o755), os.WriteFile(timesFile(), text, 0o644))
	}
	if err != nil {
		e.say("the times of tests are not kept: %v", err)
	}
}
