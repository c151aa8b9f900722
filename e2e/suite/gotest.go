package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// module is the import path of this module, which the names of tests leave out.
const module = "github.com/devtun/devtun"

// goTest runs 'go test -json' in a directory with arguments, and takes the results
// of its tests. Its own error is one of packages that no test explains.
func (r *record) goTest(ctx context.Context, dir string, args ...string) error {
	// End-to-end tests may run beside, in which a sign of life must not be a second late.
	args = append(append(standingBack, "go", "test", "-json"), args...)
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir = dir
	// Race builds otherwise sleep a second at the end of each process.
	cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0")
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // go passes it on to the tests
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	var complaint strings.Builder
	cmd.Stderr = &complaint
	if err := cmd.Start(); err != nil {
		return err
	}
	said, explained := map[string]*strings.Builder{}, map[string]bool{}
	var unexplained []string
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var e struct {
			Action, Package, ImportPath, Test, Output string
			Elapsed                                   float64
		}
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			complaint.Write(append(lines.Bytes(), '\n'))
			continue
		}
		name := strings.TrimPrefix(strings.TrimPrefix(e.Package, module), "/")
		test, _, _ := strings.Cut(e.Test, "/")
		if test != "" {
			name += "." + test
		}
		switch e.Action {
		case "output":
			if said[name] == nil {
				said[name] = new(strings.Builder)
			}
			said[name].WriteString(e.Output)
		case "build-output":
			complaint.WriteString(e.Output)
		case "pass", "fail", "skip":
			if e.Test != test { // a part of one
				continue
			}
			if test == "" {
				if e.Action == "fail" && !explained[e.Package] {
					unexplained = append(unexplained, fmt.Sprintf("%s failed: %s", name, textOf(said[name])))
				}
				continue
			}
			one := result{test: name, took: time.Duration(e.Elapsed * float64(time.Second)), failed: e.Action != "pass"}
			if one.failed {
				explained[e.Package], one.output = true, textOf(said[name])
			}
			r.add(one, false)
			delete(said, name)
		}
	}
	err = errors.Join(lines.Err(), cmd.Wait())
	if err != nil && len(explained) > 0 && len(unexplained) == 0 && complaint.Len() == 0 {
		return nil // the tests have said it
	}
	if err != nil {
		return fmt.Errorf("go test %s: %w\n%s%s", strings.Join(args, " "), err, complaint.String(),
			strings.Join(unexplained, "\n"))
	}
	return nil
}

func textOf(text *strings.Builder) string {
	if text == nil {
		return ""
	}
	return text.String()
}
