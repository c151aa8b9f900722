package command

import (
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"
)

// role is another process that the test binary can be, by its first argument
// "role:NAME". It returns the exit code.
type role func(args []string) int

func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		if os.Args[1] == Keeper {
			if err := Keep(os.Args[2:]); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			os.Exit(0)
		}
		if name, ok := strings.CutPrefix(os.Args[1], "role:"); ok {
			os.Exit(roles[name](os.Args[2:]))
		}
	}
	// Where a shell has started the tests in the background, the keyboard's signals
	// are ignored, and whatever is executed inherits that; not so what is handled.
	for _, s := range []os.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT} {
		if signal.Ignored(s) {
			signal.Notify(make(chan os.Signal, 1), s)
		}
	}
	goleak.VerifyTestMain(m)
}
