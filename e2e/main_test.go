// Package e2e tests devtun against a real cluster, through the real resolver.
//
// A process of these tests runs in a machine of its own on the test bed (package
// testbed): curl, Python, Go programs and devtun all see one private hosts file and
// loopback, as on a machine that is nobody else's. Who runs many tests prepares
// the bed once, and has a process for each (command suite, which 'make e2e' calls);
// a 'go test' by hand prepares it in TestMain, and has one process for all.
package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/devtun/devtun/e2e/testbed"
)

// bed is what the tests run on, home a directory for what they make.
var bed, home, _ = testbed.Here()

// setUpTimeout bounds all that happens before the first test: on a new machine
// that includes building Kubernetes.
const setUpTimeout = 30 * time.Minute

func TestMain(m *testing.M) {
	os.Unsetenv("SUDO_UID") // under sudo these tests, and the devtuns they start, are root's all the same
	if _, _, inside := testbed.Here(); inside {
		if err := testbed.Enter(); err != nil {
			fmt.Fprintln(os.Stderr, "e2e: enter the machine:", err)
			os.Exit(1)
		}
		os.Exit(m.Run())
	}
	code, err := byHand()
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		os.Exit(1)
	}
	os.Exit(code)
}

// byHand sets everything up, runs the tests in one machine and returns their exit
// code.
func byHand() (code int, err error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	setUp, cancel := context.WithTimeout(ctx, setUpTimeout)
	defer cancel()
	bed, leave, err := testbed.Prepare(setUp, testbed.Options{Module: "..", Progress: os.Stderr})
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, leave()) }()
	scratch, err := os.MkdirTemp(testbed.Scratch, "devtun-e2e-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(scratch)
	if err := os.Chmod(scratch, 0o755); err != nil { // other users start devtun too
		return 1, err
	}
	self, err := os.Executable()
	if err != nil {
		return 1, err
	}
	inner := exec.Command(self, os.Args[1:]...)
	inner.Stdout, inner.Stderr = os.Stdout, os.Stderr
	err = bed.Run(ctx, testbed.Machine{Home: filepath.Join(scratch, "machine"), Number: byHandNumber, Alone: true}, inner)
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode(), nil
	}
	return 0, err
}

// byHandNumber is the number of a machine that no suite uses.
const byHandNumber = 63
