package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"strconv"
	"strings"
)

// parts is in how many parts the soak may be run.
const parts = 12

// chosen is the share of the soak that is asked for: one of 1 to parts, or 0 for all.
func (o *options) chosen(ctx context.Context, r *record) (int, error) {
	switch o.part {
	case "":
		return 0, nil
	case "commit":
		cmd := exec.CommandContext(ctx, "git", "rev-parse", "HEAD")
		cmd.Dir = o.root
		out, err := cmd.Output()
		if err != nil {
			return 0, fmt.Errorf("ask for the commit: %w", err)
		}
		commit := strings.TrimSpace(string(out))
		number, err := strconv.ParseUint(commit[:8], 16, 64)
		if err != nil {
			return 0, fmt.Errorf("read the commit: %w", err)
		}
		part := int(number%parts) + 1
		r.say("part %d of %d of the soak, by commit %s; again: make soak PART=%d", part, parts, commit[:8], part)
		return part, nil
	}
	part, err := strconv.Atoi(o.part)
	if err != nil || part < 1 || part > parts {
		return 0, fmt.Errorf("part %q: want 1 to %d, or commit", o.part, parts)
	}
	return part, nil
}

// share is the elements that are part's, dealt out in turn; all for part 0.
func share[T any](all []T, part int) (own []T) {
	for i, one := range all {
		if part == 0 || i%parts == part-1 {
			own = append(own, one)
		}
	}
	return own
}

// soakUnits runs the part of the soak that needs no cluster: the tests with that
// prefix, the race detector over all, and random fuzzing.
func (o *options) soakUnits(ctx context.Context, r *record, part int) {
	base := []string{"-trimpath", "-timeout=30m", "-count=" + strconv.Itoa(o.runs)}
	r.during("long unit tests", func() error {
		all, err := o.unitTests(test.soak)
		if err != nil {
			return err
		}
		of := make(map[string][]string)
		for _, one := range share(all, part) {
			of[one.dir] = append(of[one.dir], one.name)
		}
		for _, dir := range slices.Sorted(maps.Keys(of)) {
			args := append(base, "-tags", "soak,"+embedded, "-run", "^("+strings.Join(of[dir], "|")+")$", ".")
			if err := r.goTest(ctx, dir, args...); err != nil {
				return err
			}
		}
		return nil
	})
	r.during("unit tests under the race detector", func() error {
		for _, module := range o.modules() {
			all, err := o.unitPackages(ctx, module)
			if err != nil {
				return err
			}
			if err := r.goTest(ctx, module, append(append(base, "-race", "-tags", embedded),
				share(all, part)...)...); err != nil {
				return err
			}
		}
		return nil
	})
	r.during("fuzzing", func() error {
		all, err := o.unitTests(func(t test) bool { return strings.HasPrefix(t.name, "Fuzz") })
		if err != nil {
			return err
		}
		for _, one := range share(all, part) {
			if err := r.fuzz(ctx, one); err != nil {
				return err
			}
		}
		return nil
	})
	if part == 0 || part == parts {
		r.during("packages for all systems", func() error {
			cmd := exec.CommandContext(ctx, "make", "-s", "dist")
			cmd.Dir = o.root
			if out, err := cmd.CombinedOutput(); err != nil {
				return fmt.Errorf("make dist: %w\n%s", err, out)
			}
			return nil
		})
	}
}

// fuzzCount is how many inputs each fuzz target gets: a count, since go test may
// fail when a time is over (go.dev/issue/75804).
const fuzzCount = "50000x"

// slowFuzz are targets that start a process or open connections for each input, and get so many.
var slowFuzz = map[string]string{"FuzzLoader": "3000x", "FuzzHTTP2Streams": "15000x"}

// fuzz gives a target random inputs.
func (r *record) fuzz(ctx context.Context, target placed) error {
	count := cmp.Or(slowFuzz[target.name], fuzzCount)
	args := []string{"-trimpath", "-run", "^$", "-fuzz", "^" + target.name + "$", "-fuzztime", count,
		"-fuzzminimizetime", "10x", "-parallel", "2", "."}
	return r.goTest(ctx, target.dir, args...)
}
