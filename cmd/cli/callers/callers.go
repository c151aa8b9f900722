// Package callers names the pods that requests come from, by their addresses.
//
//	names := callers.New(client, namespace)
//	caller := names.Of(ctx, "10.0.0.7:41234") // "service-front-5f9c", "" if that is not known
//
// A pod is looked for when it is first seen, and remembered for a while; who may not list
// pods gets no names.
package callers

import (
	"context"
	"net"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

const (
	// rememberFor is how long a name is taken for true: addresses are given to other pods.
	rememberFor = time.Minute

	// askEvery is how often the API server is asked for unknown addresses.
	askEvery = time.Second

	// askTimeout bounds a question: a request's line waits for it.
	askTimeout = time.Second

	// most bounds the addresses that are remembered.
	most = 4096
)

// Names knows the pods' names. Its methods may be called concurrently.
type Names struct {
	client    kubernetes.Interface
	namespace string

	mu        sync.Mutex
	known     map[string]name // by address
	asked     time.Time
	forbidden map[string]bool // by namespace
}

// name is what is known of an address.
type name struct {
	pod  string // "" is that there is none
	seen time.Time
}

// New returns names of pods, first of all of a namespace's, and of others if they may be
// listed.
func New(client kubernetes.Interface, namespace string) *Names {
	return &Names{client: client, namespace: namespace, known: make(map[string]name), forbidden: make(map[string]bool)}
}

// Of is the name of the pod with that address (host:port), with its namespace unless that
// is the one given to New; "" if that is not known. It may ask the API server.
func (n *Names) Of(ctx context.Context, address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return ""
	}
	n.mu.Lock()
	defer n.mu.Unlock() // one question at a time: others want to know the same
	found, known := n.known[host]
	if known && time.Since(found.seen) < rememberFor || time.Since(n.asked) < askEvery {
		return found.pod
	}
	if len(n.known) >= most {
		clear(n.known)
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	pod, sure := n.ask(ctx, host)
	n.asked = time.Time{}
	if pod == "" {
		n.asked = time.Now()
	}
	if pod != "" || sure {
		n.known[host] = name{pod, time.Now()}
	}
	return pod
}

// ask looks for the pod. It is sure if it may look, and could.
func (n *Names) ask(ctx context.Context, host string) (pod string, sure bool) {
	for _, namespace := range []string{n.namespace, metav1.NamespaceAll} {
		if n.forbidden[namespace] {
			continue
		}
		pods, err := n.client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{
			FieldSelector: "status.podIP=" + host, Limit: 10,
		})
		switch {
		case apierrors.IsForbidden(err):
			n.forbidden[namespace] = true
			continue
		case err != nil:
			return "", false
		}
		if pod := n.the(pods.Items, host); pod != "" {
			return pod, true
		}
	}
	return "", true
}

// the is the one pod that has the address now: those that use their node's share it, and
// those that have ended may have had it before.
func (n *Names) the(pods []corev1.Pod, host string) (name string) {
	for _, pod := range pods {
		ended := pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
		if pod.Spec.HostNetwork || ended || pod.Status.PodIP != host {
			continue
		}
		if name != "" {
			return ""
		}
		if name = pod.Name; pod.Namespace != n.namespace {
			name += "." + pod.Namespace
		}
	}
	return name
}
