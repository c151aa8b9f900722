package cluster

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
)

// MaxNodes is how many nodes a cluster may have.
const MaxNodes = 4

// Shape is what one cluster has otherwise than another. A zero field stands for
// what the cluster that runs has, and where none runs for the default.
type Shape struct {
	// Nodes is their number, 1 by default. With more than one, the cluster is quick
	// to notice that a node does not answer, and to end the pods on it.
	Nodes int
	// Proxy is kube-proxy's mode: nftables, the default, or iptables.
	Proxy string
	// Kubernetes is the version: 1.35, the default, or 1.34.
	Kubernetes string
	// Policies has NetworkPolicies enforced. They are not otherwise.
	Policies bool
}

// defaultShape is that of a cluster of which nothing is said.
var defaultShape = Shape{Nodes: 1, Proxy: "nftables", Kubernetes: "1.35"}

// ShapeFromEnv is the shape that the environment asks for: CLUSTER_NODES,
// CLUSTER_PROXY, CLUSTER_KUBERNETES and CLUSTER_POLICIES, by the names of the fields.
func ShapeFromEnv() (Shape, error) {
	s := Shape{Proxy: os.Getenv("CLUSTER_PROXY"), Kubernetes: os.Getenv("CLUSTER_KUBERNETES")}
	if policies := os.Getenv("CLUSTER_POLICIES"); policies != "" {
		var err error
		if s.Policies, err = strconv.ParseBool(policies); err != nil {
			return Shape{}, fmt.Errorf("read CLUSTER_POLICIES: %w", err)
		}
	}
	if nodes := os.Getenv("CLUSTER_NODES"); nodes != "" {
		var err error
		if s.Nodes, err = strconv.Atoi(nodes); err != nil {
			return Shape{}, fmt.Errorf("read CLUSTER_NODES: %w", err)
		}
	}
	return s, s.or(defaultShape).check()
}

// or is the shape with the fields of another where it has none.
func (s Shape) or(other Shape) Shape {
	if s.Nodes == 0 {
		s.Nodes = other.Nodes
	}
	if s.Proxy == "" {
		s.Proxy = other.Proxy
	}
	if s.Kubernetes == "" {
		s.Kubernetes = other.Kubernetes
	}
	s.Policies = s.Policies || other.Policies
	return s
}

// check refuses a shape, with all its fields, that no cluster can have.
func (s Shape) check() error {
	if s.Nodes < 1 || s.Nodes > MaxNodes {
		return fmt.Errorf("%d nodes: want 1 to %d", s.Nodes, MaxNodes)
	}
	if modes := []string{"iptables", "nftables"}; !slices.Contains(modes, s.Proxy) {
		return fmt.Errorf("kube-proxy's mode %q: want one of %q", s.Proxy, modes)
	}
	if _, found := releases[s.Kubernetes]; !found {
		return fmt.Errorf("version %q of Kubernetes: want one of %q", s.Kubernetes, slices.Sorted(maps.Keys(releases)))
	}
	return nil
}
