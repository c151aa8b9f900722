package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"

	"github.com/devtun/devtun/e2e/bench/api"
	"github.com/devtun/devtun/e2e/testbed"
)

// closeTimeout bounds the removal of what was made.
const closeTimeout = time.Minute

// lab is what is measured in: namespaces of its own, a pod with a service, and a
// directory for everything else.
type lab struct {
	site       *site
	client     kubernetes.Interface
	kubernetes string // the API server's version

	dir       string
	hostsFile string

	namespace  string // of the pod that is measured
	podIP      string
	namespaces []string // all that were made
}

// openLab makes everything and waits until the pod is ready. The caller closes the
// lab.
func openLab(ctx context.Context, site *site, progress *progress) (_ *lab, err error) {
	l := &lab{site: site}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.close(context.WithoutCancel(ctx)))
		}
	}()
	if l.client, err = kubernetes.NewForConfig(site.config); err != nil {
		return nil, fmt.Errorf("make API client: %w", err)
	}
	version, err := l.client.Discovery().ServerVersion()
	if err != nil {
		return nil, fmt.Errorf("ask for the cluster's version: %w", err)
	}
	l.kubernetes = version.GitVersion
	if l.dir, err = os.MkdirTemp("", "devtun-bench-"); err != nil {
		return nil, fmt.Errorf("make directory: %w", err)
	}
	l.hostsFile = filepath.Join(l.dir, "hosts")
	if err := os.WriteFile(l.hostsFile, []byte("127.0.0.1\tlocalhost\n"), 0o644); err != nil {
		return nil, fmt.Errorf("write hosts file: %w", err)
	}
	progress.step("start the pod")
	if l.namespace, err = l.makeNamespace(ctx); err != nil {
		return nil, err
	}
	if err := l.makeService(ctx, l.namespace, serviceName, ports); err != nil {
		return nil, err
	}
	l.podIP, err = l.startPod(ctx, l.namespace, podName)
	return l, err
}

// close removes all that was made.
func (l *lab) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, closeTimeout)
	defer cancel()
	var err error
	for _, namespace := range l.namespaces {
		err = errors.Join(err, l.client.CoreV1().Namespaces().Delete(ctx, namespace, metav1.DeleteOptions{}))
	}
	for _, namespace := range l.namespaces {
		err = errors.Join(err, wait.PollUntilContextCancel(ctx, pollEvery, true, func(ctx context.Context) (bool, error) {
			_, err := l.client.CoreV1().Namespaces().Get(ctx, namespace, metav1.GetOptions{})
			return apierrors.IsNotFound(err), nil
		}))
	}
	if l.dir != "" {
		err = errors.Join(err, os.RemoveAll(l.dir))
	}
	if err != nil {
		return fmt.Errorf("clean up: %w", err)
	}
	return nil
}

// makeNamespace makes a namespace that close removes.
func (l *lab) makeNamespace(ctx context.Context) (string, error) {
	namespace, err := l.client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		GenerateName: "devtun-bench-", Labels: map[string]string{testbed.OwnLabel: "yes"},
	}}, metav1.CreateOptions{})
	if err != nil {
		return "", fmt.Errorf("make namespace: %w", err)
	}
	l.namespaces = append(l.namespaces, namespace.Name)
	return namespace.Name, nil
}

// putAway puts the API server a trip away. The caller closes it.
func (l *lab) putAway(ctx context.Context) (*api.Distance, error) {
	return api.PutAway(ctx, l.site.apiHost(), trip, func(server string) (string, error) {
		file := filepath.Join(l.dir, "distant.kubeconfig")
		return file, l.site.writeKubeconfig(file, server, true)
	})
}
