// Package e2e tests devtun against a real cluster, through the real resolver.
//
// The tests run in a mount namespace with an /etc of its own, so that curl,
// Python, Go programs and devtun all see one private hosts file, as on a
// machine that is nobody else's. TestMain brings the cluster up outside of it
// (package cluster), unless DEVTUN_KUBECONFIG names another one, builds devtun
// and the images, and then runs the test binary again inside.
package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/devtun/devtun/e2e/cluster"
	"github.com/devtun/devtun/e2e/image"
	agentimage "github.com/devtun/devtun/intercept/image"
)

// The variables that the outer process hands to the inner one.
const (
	insideVar     = "DEVTUN_E2E_INSIDE"     // a directory for what the tests make
	kubeconfigVar = "DEVTUN_E2E_KUBECONFIG" // of the cluster under test
	clusterVar    = "DEVTUN_E2E_CLUSTER"    // the local cluster's directory, or nothing
)

// setUpTimeout bounds all that happens before the first test: on a new machine
// that includes building Kubernetes.
const setUpTimeout = 30 * time.Minute

func TestMain(m *testing.M) {
	os.Unsetenv("SUDO_UID") // under sudo these tests, and the devtuns they start, are root's all the same
	if os.Getenv(insideVar) != "" {
		if err := moveIn(); err != nil {
			fmt.Fprintln(os.Stderr, "e2e: move into a private /etc:", err)
			os.Exit(1)
		}
		os.Exit(m.Run())
	}
	code, err := outside()
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		os.Exit(1)
	}
	os.Exit(code)
}

// clients are the programs that the tests use as anybody would, by Debian package.
var clients = map[string]string{"curl": "curl", "python3": "python3-minimal", "tmux": "tmux", "sudo": "sudo", "setcap": "libcap2-bin", "useradd": "passwd", "man": "man-db"}

// outside sets everything up, runs the tests inside and returns their exit code.
func outside() (code int, err error) {
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		return 1, errors.New("these tests need Linux and root, for a private /etc and a local cluster; DEVTUN_KUBECONFIG=path spares them the cluster, 'make unit' needs neither")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, setUpTimeout)
	defer cancel()
	if err := cluster.Install(ctx, clients, os.Stderr); err != nil {
		return 1, err
	}
	scratch, err := os.MkdirTemp("", "devtun-e2e-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(scratch)
	if err := os.Chmod(scratch, 0o755); err != nil { // other users start devtun too
		return 1, err
	}
	kubeconfig, directory, leave, err := enterCluster(ctx, scratch)
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, leave()) }()
	if err := build(ctx, scratch); err != nil {
		return 1, err
	}

	self, err := os.Executable()
	if err != nil {
		return 1, err
	}
	inner := exec.Command(self, os.Args[1:]...)
	inner.Env = append(os.Environ(), insideVar+"="+scratch, kubeconfigVar+"="+kubeconfig, clusterVar+"="+directory)
	inner.Stdout, inner.Stderr = os.Stdout, os.Stderr
	inner.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	err = inner.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode(), nil
	}
	return 0, err
}

// enterCluster returns a kubeconfig of a cluster that holds the images, the
// directory of the local one, and what to do in the end: one that was not
// running before is taken down.
func enterCluster(ctx context.Context, scratch string) (kubeconfig, directory string, leave func() error, err error) {
	stay := func() error { return nil }
	if given := os.Getenv("DEVTUN_KUBECONFIG"); given != "" {
		given, err = filepath.Abs(given)
		return given, "", stay, err
	}
	directory, err = filepath.Abs("../.cluster")
	if err != nil {
		return "", "", nil, err
	}
	leave = stay
	if _, err := cluster.Open(directory); err != nil {
		leave = func() error { return cluster.Down(context.Background(), directory) }
	}
	local, err := cluster.Up(ctx, cluster.Options{Dir: directory, Progress: os.Stderr})
	if err != nil {
		return "", "", nil, err
	}
	images := filepath.Join(scratch, "images.tar")
	fmt.Fprintln(os.Stderr, "building the images of examples and tests")
	err = image.Save(ctx, images,
		image.Spec{Name: "devtun.test/service-front:dev", Package: "../examples/service-front"},
		image.Spec{Name: "devtun.test/service-middle:dev", Package: "../examples/service-middle"},
		image.Spec{Name: "devtun.test/service-back:dev", Package: "../examples/service-back"},
		image.Spec{Name: "devtun.test/testserver:dev", Package: "./testserver"},
		image.Spec{Name: "devtun.test/loader:dev", Package: "./loader"},
		image.Spec{Name: agentimage.Default(), Package: "../cmd/devtun-agent"},
	)
	if err == nil {
		err = local.Load(ctx, images)
	}
	return local.Kubeconfig(), directory, leave, err
}

// build compiles devtun and the Go program that stands for all Go programs.
func build(ctx context.Context, scratch string) error {
	for name, source := range map[string]string{"devtun": "../cmd/devtun", "goclient": "./goclient", "testserver": "./testserver"} {
		cmd := exec.CommandContext(ctx, "go", "build", "-o", filepath.Join(scratch, name), source)
		cmd.Stderr = os.Stderr
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("build %s: %w", name, err)
		}
	}
	return nil
}

// moveIn gives this process's mount namespace an /etc of its own: a copy, so
// that the hosts file can be replaced by rename as on any machine.
func moveIn() error {
	copied := filepath.Join(os.Getenv(insideVar), "etc")
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if out, err := exec.Command("cp", "-a", "/etc", copied).CombinedOutput(); err != nil {
		return fmt.Errorf("copy /etc: %w: %s", err, out)
	}
	if err := syscall.Mount(copied, "/etc", "", syscall.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount /etc: %w", err)
	}
	return nil
}
