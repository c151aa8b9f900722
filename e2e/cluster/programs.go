package cluster

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"path"

	"github.com/devtun/devtun/e2e/cluster/build"
)

// kubernetesVersion is that of the nested module's k8s.io/kubernetes.
const kubernetesVersion = "v1.35.4"

// programs are the files that the cluster's own programs were built to.
type programs struct{ kubernetes, coredns, init, pause string }

// buildPrograms builds what the cache does not hold.
func buildPrograms(ctx context.Context, module string, progress io.Writer) (programs, error) {
	const home = "e2e/cluster"
	const version = "-X k8s.io/component-base/version."
	var p programs
	for _, step := range []struct {
		path    *string
		program build.Program
	}{
		{&p.init, build.Program{
			Name:      "init",
			Directory: path.Join(home, "node", "init"),
			Sources:   []string{path.Join(home, "node")},
		}},
		{&p.pause, build.Program{
			Name:      "pause",
			Directory: path.Join(home, "pause"),
		}},
		{&p.coredns, build.Program{
			Name:      "coredns",
			Title:     "CoreDNS",
			Cost:      "about 1 minute",
			Directory: path.Join(home, "coredns"),
		}},
		{&p.kubernetes, build.Program{
			Name:      "kubernetes",
			Title:     "Kubernetes " + kubernetesVersion,
			Cost:      "about 6 minutes",
			Directory: path.Join(home, "kubernetes"),
			LinkFlags: version + "gitVersion=" + kubernetesVersion + " " +
				version + "gitMajor=1 " + version + "gitMinor=35",
		}},
	} {
		file, err := step.program.Build(ctx, module, progress)
		if err != nil {
			return programs{}, err
		}
		*step.path = file
	}
	return p, nil
}

// key changes when any of the programs does: their paths hold a hash of their
// sources.
func (p programs) key() string {
	sum := sha256.Sum256([]byte(p.kubernetes + "\n" + p.coredns + "\n" + p.init + "\n" + p.pause))
	return hex.EncodeToString(sum[:8])
}

// inNode maps the names under the node's /run/bin to the files behind them. The
// Kubernetes programs are one file, which knows by its name which one to be.
func (p programs) inNode() map[string]string {
	return map[string]string{
		"kube-apiserver":          p.kubernetes,
		"kube-controller-manager": p.kubernetes,
		"kube-scheduler":          p.kubernetes,
		"kubelet":                 p.kubernetes,
		"kube-proxy":              p.kubernetes,
		"coredns":                 p.coredns,
	}
}
