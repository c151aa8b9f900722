package main

import (
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// result is one run of one test.
type result struct {
	test   string // with its package, but for end-to-end tests
	took   time.Duration
	failed bool
	output string // of a failed one
}

// phase is a part of the whole, with the time it took.
type phase struct {
	name string
	took time.Duration
	work time.Duration // of all processors, for whatever ran meanwhile
}

// record collects results and phases, and says them as they come.
type record struct {
	out    io.Writer
	failed string // the directory for what failed runs said

	mu      sync.Mutex
	began   time.Time
	results []result
	phases  []phase
	errs    []error
}

func newRecord(out io.Writer, failed string) *record {
	return &record{out: out, failed: failed, began: time.Now()}
}

// say prints a line with the time since the beginning.
func (r *record) say(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.print(format, args...)
}

func (r *record) print(format string, args ...any) {
	since := time.Since(r.began).Round(time.Second)
	fmt.Fprintf(r.out, "%3d:%02d %s\n", int(since.Minutes()), int(since.Seconds())%60, fmt.Sprintf(format, args...))
}

// Write passes on what others say, in lines.
func (r *record) Write(text []byte) (int, error) {
	for line := range strings.Lines(string(text)) {
		r.say("%s", strings.TrimRight(line, "\n"))
	}
	return len(text), nil
}

// add takes a result. What a failed run said is printed, and kept in a file.
func (r *record) add(one result, loud bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.results = append(r.results, one)
	took := one.took.Seconds()
	switch {
	case one.failed:
		name := r.keep(one)
		r.print("FAIL %6.1fs %s: %s\n%s", took, one.test, name, one.output)
	case loud:
		r.print("ok   %6.1fs %s", took, one.test)
	}
}

// keep writes what a failed run said to a file and returns its name.
func (r *record) keep(one result) string {
	runs := 0
	for _, other := range r.results {
		if other.test == one.test {
			runs++
		}
	}
	name := filepath.Join(r.failed, fmt.Sprintf("%s.%d.log", strings.NewReplacer("/", "_", " ", "_").Replace(one.test),
		runs))
	err := os.MkdirAll(r.failed, 0o755)
	if err == nil {
		err = os.WriteFile(name, []byte(one.output), 0o644)
	}
	if err != nil {
		return err.Error()
	}
	return name
}

// fail takes an error that is no test's.
func (r *record) fail(err error) {
	if err == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.errs = append(r.errs, err)
	r.print("FAIL %v", err)
}

// broken reports that there was one.
func (r *record) broken() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.errs) > 0
}

// during runs a phase.
func (r *record) during(name string, do func() error) {
	r.say("%s", name)
	began, worked := time.Now(), processorTime()
	err := do()
	r.mu.Lock()
	r.phases = append(r.phases, phase{name, time.Since(began), processorTime() - worked})
	r.mu.Unlock()
	if err != nil {
		r.fail(fmt.Errorf("%s: %w", name, err))
	}
}

// slowest is how many tests are named for the time they take.
const slowest = 10

// close says what took how long, and what failed how often. It reports that all
// is well.
func (r *record) close() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	fmt.Fprintln(r.out, "\nphases:")
	for _, p := range r.phases {
		fmt.Fprintf(r.out, "  %7.1fs %s (%.0f s of processors)\n", p.took.Seconds(), p.name, p.work.Seconds())
	}
	fmt.Fprintf(r.out, "  %7.1fs in all\n", time.Since(r.began).Seconds())

	slices.SortStableFunc(r.results, func(a, b result) int { return int(b.took - a.took) })
	fmt.Fprintln(r.out, "slowest tests:")
	for _, one := range r.results[:min(slowest, len(r.results))] {
		fmt.Fprintf(r.out, "  %7.1fs %s\n", one.took.Seconds(), one.test)
	}

	runs, failures, passed, failed := map[string]int{}, map[string]int{}, 0, 0
	for _, one := range r.results {
		runs[one.test]++
		if one.failed {
			failures[one.test]++
			failed++
		} else {
			passed++
		}
	}
	for _, test := range slices.Sorted(maps.Keys(failures)) {
		fmt.Fprintf(r.out, "failed %d of %d: %s\n", failures[test], runs[test], test)
	}
	for _, err := range r.errs {
		fmt.Fprintf(r.out, "failed: %v\n", err)
	}
	fmt.Fprintf(r.out, "%d passed, %d failed\n", passed, failed)
	return failed == 0 && len(r.errs) == 0 && passed > 0
}
