package cluster

import (
	"errors"
	"fmt"
	"os"
	"runtime"
)

// ErrUnsupported is Up's and Down's answer where no cluster can run.
var ErrUnsupported = errors.New("the local cluster needs Linux and root")

// wayOut is what to do instead.
const wayOut = "set DEVTUN_KUBECONFIG=path to use any existing cluster"

func supported() error {
	if runtime.GOOS != "linux" {
		return fmt.Errorf("%w (this is %s): %s", ErrUnsupported, runtime.GOOS, wayOut)
	}
	if uid := os.Geteuid(); uid != 0 {
		return fmt.Errorf("%w (this is user %d): %s", ErrUnsupported, uid, wayOut)
	}
	return nil
}
