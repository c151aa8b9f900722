package cluster

import (
	"context"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/devtun/devtun/e2e/cluster/build"
	"github.com/devtun/devtun/e2e/cluster/debian"
)

// needed maps what the node runs besides our own programs to the Debian package
// that has it. Elsewhere, programs of any origin will do.
var needed = map[string]string{
	"etcd":                    "etcd-server",
	"containerd":              "containerd",
	"ctr":                     "containerd",
	"runc":                    "runc",
	cniDirectory + "/ptp":     "containernetworking-plugins",
	cniDirectory + "/portmap": "containernetworking-plugins",
	"nft":                     "nftables",
	"iptables":                "iptables",
	"conntrack":               "conntrack",
	"ipset":                   "ipset",
	"ip":                      "iproute2",
	"nsenter":                 "util-linux",
	"modprobe":                "kmod",
}

// cniDirectory is where Debian keeps the CNI plugins.
const cniDirectory = "/usr/lib/cni"

// InstallNeeded installs what a cluster needs of Debian, as Up does.
func InstallNeeded(ctx context.Context, progress io.Writer) error {
	if err := debian.Install(ctx, needed, progress); err != nil {
		return fmt.Errorf("%w\nhint: %s", err, wayOut)
	}
	return nil
}

// release is a version of Kubernetes, the file that names it and what it is built with,
// in place of go.mod, and what its kubelet's configuration has besides.
type release struct{ version, modFile, kubelet string }

// releases are those that can be chosen.
var releases = map[string]release{
	"1.35": {"v1.35.4", "", looseKubelet},
	"1.34": {"v1.34.4", "1.34.mod", ""}, // the kubelet does not ask such things by itself
}

// programs are the files that the cluster's own programs were built to. Their paths
// hold a hash of their sources. Policies is "" where none are enforced.
type programs struct{ Kubernetes, CoreDNS, Init, Pause, Policies string }

// buildPrograms builds what a cluster of the shape needs and the cache does not hold.
func buildPrograms(ctx context.Context, module string, shape Shape, progress io.Writer) (programs, error) {
	release := releases[shape.Kubernetes]
	const home = "e2e/cluster"
	const version = "-X k8s.io/component-base/version."
	var p programs
	for _, step := range []struct {
		path    *string
		program build.Program
	}{
		{&p.Init, build.Program{
			Name:      "init",
			Directory: path.Join(home, "node", "init"),
			Sources:   []string{path.Join(home, "node")},
		}},
		{&p.Pause, build.Program{
			Name:      "pause",
			Directory: path.Join(home, "pause"),
		}},
		{&p.CoreDNS, build.Program{
			Name:      "coredns",
			Title:     "CoreDNS",
			Cost:      "about 1 minute",
			Directory: path.Join(home, "coredns"),
		}},
		{&p.Kubernetes, build.Program{
			Name:      "kubernetes",
			Title:     "Kubernetes " + release.version,
			Cost:      "about 6 minutes",
			Directory: path.Join(home, "kubernetes"),
			ModFile:   release.modFile,
			LinkFlags: version + "gitVersion=" + release.version + " " +
				version + "gitMajor=1 " + version + "gitMinor=" + strings.TrimPrefix(shape.Kubernetes, "1."),
		}},
		{&p.Policies, build.Program{
			Name:      "policies",
			Title:     "kube-router's policy controller",
			Cost:      "about 2 minutes",
			Directory: path.Join(home, "policies"),
		}},
	} {
		if step.path == &p.Policies && !shape.Policies {
			continue
		}
		file, err := step.program.Build(ctx, module, progress)
		if err != nil {
			return programs{}, err
		}
		*step.path = file
	}
	return p, nil
}

// inNode maps the names under the node's /run/bin to the files behind them. The
// Kubernetes programs are one file, which knows by its name which one to be.
func (p programs) inNode() map[string]string {
	files := map[string]string{
		"kube-apiserver":          p.Kubernetes,
		"kube-controller-manager": p.Kubernetes,
		"kube-scheduler":          p.Kubernetes,
		"kubelet":                 p.Kubernetes,
		"kube-proxy":              p.Kubernetes,
		"coredns":                 p.CoreDNS,
	}
	if p.Policies != "" {
		files["policies"] = p.Policies
	}
	return files
}
