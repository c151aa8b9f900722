// Package testbed is what the end-to-end tests run in: a cluster with the images
// of examples and tests, the programs under test, and, for each process of tests,
// a machine of its own.
//
//	bed, leave, err := testbed.Prepare(ctx, testbed.Options{Module: "..", Progress: os.Stderr})
//	…                                  // many times, several at once
//	err = bed.Run(ctx, machine, cmd)   // cmd is a test binary, whose TestMain calls Enter
//	…
//	err = leave()
//
// A machine is a network namespace, joined to the cluster's node as this machine
// is, and a mount namespace with an /etc, a /run and a /tmp of its own. What runs
// there finds a hosts file, loopback addresses, ports, accounts that are nobody
// else's, so that tests may run beside each other and still compare the machine
// before and after, byte for byte. Processes are seen by all. With a foreign cluster
// (DEVTUN_KUBECONFIG) the network is this machine's.
//
// The bench runs on this machine as it is, and takes the bed alone.
package testbed

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/devtun/devtun/e2e/cluster"
)

// The variables that a process inside of a machine finds.
const (
	kubeconfigVar = "DEVTUN_E2E_KUBECONFIG" // of the cluster under test
	clusterVar    = "DEVTUN_E2E_CLUSTER"    // the local cluster's directory, or nothing
	programsVar   = "DEVTUN_E2E_PROGRAMS"   // the directory of what was built
	imagesVar     = "DEVTUN_E2E_IMAGES"     // a hash of the images
	homeVar       = "DEVTUN_E2E_HOME"       // the machine's directory
	numberVar     = "DEVTUN_E2E_NUMBER"     // the machine's, among those at a time
	aloneVar      = "DEVTUN_E2E_ALONE"      // not empty where no other test runs
)

// The labels of namespaces that tests make: one for many tests, or each its own.
const (
	SharedLabel = "devtun.test/shared"
	OwnLabel    = "devtun.test/own"
)

// Bed is a cluster and programs, ready for tests.
type Bed struct {
	Kubeconfig string // the path of a kubeconfig with all rights
	Cluster    string // the local cluster's directory; "" for a foreign one
	Programs   string // the directory of devtun, goclient, testserver, dist and delve
	Images     string // a hash of the programs in the images
}

// Machine is a place for one process of tests and what it starts.
type Machine struct {
	// Home is a directory for all that the machine's processes make. It is made,
	// and removed in the end.
	Home string
	// Number tells machines at a time apart, from 1 to cluster.MaxJoined.
	Number int
	// Alone says that no other machine runs meanwhile: tests may disturb the cluster.
	Alone bool
}

// Here is the bed of this process, and its machine; ok is false outside of any.
func Here() (bed Bed, home string, ok bool) {
	home = os.Getenv(homeVar)
	return Bed{
		Kubeconfig: os.Getenv(kubeconfigVar), Cluster: os.Getenv(clusterVar),
		Programs: os.Getenv(programsVar), Images: os.Getenv(imagesVar),
	}, home, home != ""
}

// Number is that of this process's machine.
func Number() string { return os.Getenv(numberVar) }

// Alone tells whether no other test runs on the bed.
func Alone() bool { return os.Getenv(aloneVar) != "" }

// Program is the path of a program of the bed.
func (b Bed) Program(name string) string { return filepath.Join(b.Programs, name) }

// Config leads to the cluster, as fast as it answers.
func (b Bed) Config() (*rest.Config, error) {
	config, err := clientcmd.BuildConfigFromFlags("", b.Kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("read kubeconfig: %w", err)
	}
	config.QPS = -1 // no throttle on this side
	return config, nil
}

// Kubectl is the path of kubectl, of the cluster's version as far as that is known.
func (b Bed) Kubectl() (string, error) {
	if b.Cluster == "" {
		return exec.LookPath("kubectl")
	}
	local, err := cluster.Open(b.Cluster)
	if err != nil {
		return "", err
	}
	return local.Kubectl(), nil
}
