package testbed

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/devtun/devtun/e2e/cluster"
	"github.com/devtun/devtun/e2e/cluster/build"
	"github.com/devtun/devtun/e2e/cluster/debian"
	"github.com/devtun/devtun/e2e/image"
)

// Scratch is where folders for machines are made: not in /tmp, of which each has one
// of its own.
const Scratch = "/var/tmp"

// Options say what Prepare does.
type Options struct {
	Module   string    // the directory of the devtun module
	Keep     bool      // leave the local cluster running in the end
	Bare     bool      // no machine is wanted: Run is not called
	Progress io.Writer // hears of what takes long, in lines
}

// clients are the programs that tests use as anybody would, by Debian package:
// those of unit tests, which take no others than these and Go's, and those of
// end-to-end tests.
var clients = map[string]string{
	"bash": "bash", "dash": "dash", "zsh": "zsh", "git": "git", "man": "man-db", "tmux": "tmux",
	"nc": "netcat-openbsd", "curl": "curl", "python3": "python3-minimal", "sudo": "sudo",
	"setcap": "libcap2-bin", "useradd": "passwd",
	"gcc":     "build-essential", // for the race detector
	"nsenter": "util-linux", "setpriv": "util-linux", "ip": "iproute2",
	"qemu-aarch64-static": "qemu-user-static", // for the loader of the other architecture
}

// Install installs what the tests of this project use, and this machine lacks: what
// a local cluster needs only if there is to be one.
func Install(ctx context.Context, local bool, progress io.Writer) error {
	if err := debian.Install(ctx, clients, progress); err != nil || !local {
		return err
	}
	return cluster.InstallNeeded(ctx, progress)
}

// packed are the programs in the images that tests use, by the directory of their
// modules; imageOf names the image. The agent needs none.
var packed = map[string][]string{
	".":   {"./examples/service-front", "./examples/service-middle", "./examples/service-back"},
	"e2e": {"./testserver", "./loader"},
}

func imageOf(program string) string { return "devtun.test/" + program + ":dev" }

// Prepare brings the cluster up (unless DEVTUN_KUBECONFIG names another), builds
// devtun, as 'make build' does, and what else tests run, and loads the images. A
// local cluster that runs is used as it is, and stays; one that was not running is
// taken down by leave, unless it is to be kept.
func Prepare(ctx context.Context, o Options) (bed *Bed, leave func() error, err error) {
	module, err := filepath.Abs(o.Module)
	if err != nil {
		return nil, nil, err
	}
	bed = &Bed{Kubeconfig: os.Getenv("DEVTUN_KUBECONFIG")}
	if !o.Bare {
		if os.Geteuid() != 0 {
			return nil, nil, errors.New("these tests need root, for machines of their own and a local cluster; " +
				"DEVTUN_KUBECONFIG=path spares them the cluster, 'make unit' needs neither")
		}
		if err := Install(ctx, bed.Kubeconfig == "", o.Progress); err != nil {
			return nil, nil, err
		}
	}
	if bed.Programs, err = os.MkdirTemp(Scratch, "devtun-bed-"); err != nil {
		return nil, nil, err
	}
	kept := o.Keep
	leave = func() error {
		var err error
		if !kept && bed.Kubeconfig != "" {
			err = removeNamespaces(context.WithoutCancel(ctx), bed.Kubeconfig, SharedLabel)
		}
		return errors.Join(err, os.RemoveAll(bed.Programs))
	}
	if err := os.Chmod(bed.Programs, 0o755); err != nil { // other users start them too
		return nil, nil, errors.Join(err, leave())
	}
	shape, err := cluster.ShapeFromEnv()
	if err != nil {
		return nil, nil, errors.Join(err, leave())
	}
	group, groupCtx := errgroup.WithContext(ctx)
	var local *cluster.Cluster
	if bed.Kubeconfig != "" {
		if bed.Kubeconfig, err = filepath.Abs(bed.Kubeconfig); err != nil {
			return nil, nil, err
		}
	} else {
		_ = os.Unsetenv("DEVTUN_AGENT_IMAGE") // devtun would take it
		bed.Cluster = filepath.Join(module, ".cluster")
		if _, err := cluster.Open(bed.Cluster); err != nil && !o.Keep {
			leave = func() error {
				return errors.Join(os.RemoveAll(bed.Programs), cluster.Down(context.WithoutCancel(ctx), bed.Cluster))
			}
		}
		stay := leave
		leave = func() error { // of a test that was killed
			return errors.Join(cluster.Down(context.WithoutCancel(ctx), apartIn(module)), stay())
		}
		group.Go(func() error { return cluster.Build(groupCtx, module, apartShape(shape), o.Progress) })
		group.Go(func() (err error) {
			local, err = cluster.Up(groupCtx, cluster.Options{Dir: bed.Cluster, Module: module, Shape: shape,
				Progress: o.Progress})
			return err
		})
	}
	group.Go(func() error { return bed.build(groupCtx, module) })
	err = group.Wait()
	if err == nil && local != nil {
		bed.Kubeconfig = local.Kubeconfig()
		err = errors.Join(
			removeNamespaces(ctx, bed.Kubeconfig, OwnLabel), // of a run that was killed
			bed.load(ctx, module, local, o.Progress))
	}
	if err != nil {
		return nil, nil, errors.Join(err, leave())
	}
	return bed, leave, nil
}

// removeNamespaces removes the namespaces with a label from a cluster that stays.
func removeNamespaces(ctx context.Context, kubeconfig, label string) error {
	config, err := Bed{Kubeconfig: kubeconfig}.Config()
	if err != nil {
		return err
	}
	config.Timeout = time.Minute
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	found, err := client.CoreV1().Namespaces().List(ctx, metav1.ListOptions{LabelSelector: label})
	if err != nil {
		return err
	}
	for _, namespace := range found.Items {
		err = errors.Join(err, client.CoreV1().Namespaces().Delete(ctx, namespace.Name, metav1.DeleteOptions{}))
	}
	return err
}

// outputs is where compiled programs are kept, below the module: what has not
// changed need not be linked again.
const outputs = "bin/e2e"

// examplesFile is the archive with the images of examples and tests, below the module.
const examplesFile = outputs + "/images.tar"

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// build compiles what has changed, and copies what tests start to where every user
// of the machine may start it.
func (b *Bed) build(ctx context.Context, module string) error {
	delve, err := build.Program{Name: "delve", Title: "Delve", Cost: "about 1 minute", Directory: "e2e/delve"}.Build(ctx,
		module, io.Discard)
	if err != nil {
		return err
	}
	out, static := filepath.Join(module, outputs), []string{"CGO_ENABLED=0", "GOFLAGS=-trimpath"}
	if err := command(ctx, module, nil, "make", "-s", "build"); err != nil {
		return err
	}
	for dir, programs := range packed {
		args := append([]string{"build", "-ldflags=-s -w", "-o", out + string(filepath.Separator)}, programs...)
		if dir == "e2e" {
			args = append(args, "./goclient")
		}
		if err := command(ctx, filepath.Join(module, dir), static, "go", args...); err != nil {
			return err
		}
	}
	if err := command(ctx, filepath.Join(module, "packaging"), static, "go", "build", "-o", filepath.Join(out, "dist"),
		"./dist"); err != nil {
		return err
	}
	for name, file := range map[string]string{
		"delve": delve, "devtun": filepath.Join(module, "bin", "devtun"),
		"goclient": filepath.Join(out, "goclient"), "testserver": filepath.Join(out, "testserver"),
		"dist": filepath.Join(out, "dist"),
	} {
		if err := command(ctx, module, nil, "cp", file, b.Program(name)); err != nil {
			return err
		}
	}
	return nil
}

// load packs the images and puts them into the cluster, unless it has them.
func (b *Bed) load(ctx context.Context, module string, local *cluster.Cluster, progress io.Writer) error {
	out := filepath.Join(module, outputs)
	files, err := filepath.Glob(filepath.Join(module, "intercept", "image", "agents", "*.lz4"))
	if err != nil {
		return err
	}
	var specs []image.Spec
	for _, dir := range slices.Sorted(maps.Keys(packed)) {
		for _, pkg := range packed[dir] {
			program := filepath.Base(pkg)
			binary := filepath.Join(out, program)
			files = append(files, binary)
			specs = append(specs, image.Spec{Name: imageOf(program), Binary: binary})
		}
	}
	if b.Images, err = hashOf(files); err != nil {
		return err
	}
	examples := filepath.Join(module, examplesFile)
	// What a cluster has got is noted beside it, and goes with it.
	note, loaded := filepath.Join(local.Dir(), "var", "images-of-tests"),
		fmt.Sprintf("%s in %d", b.Images, local.NodePID())
	if said, err := os.ReadFile(note); err == nil && string(said) == loaded && exists(examples) {
		return nil
	}
	fmt.Fprintln(progress, "loading the images of examples and tests")
	if err := image.Save(ctx, examples, specs...); err != nil {
		return err
	}
	if err := local.Load(ctx, examples); err != nil {
		return err
	}
	return os.WriteFile(note, []byte(loaded), 0o600)
}

func hashOf(files []string) (string, error) {
	hash := sha256.New()
	for _, name := range files {
		file, err := os.Open(name)
		if err != nil {
			return "", err
		}
		_, err = io.Copy(hash, file)
		file.Close()
		if err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(hash.Sum(nil))[:32], nil
}

// command runs a program in a directory; its error has what it said.
func command(ctx context.Context, dir string, env []string, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("run %s %s: %w\n%s", name, strings.Join(args, " "), err, bytes.TrimSpace(out))
	}
	return nil
}
