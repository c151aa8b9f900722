package main

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// workload is the pod as an intercept needs it: with a deployment, and a service,
// all named serviceName, in a namespace of their own.
type workload struct {
	lab       *lab
	namespace string
	podIP     string
}

// deploy makes a workload and waits until its pod is ready.
func (l *lab) deploy(ctx context.Context) (*workload, error) {
	namespace, err := l.makeNamespace(ctx)
	if err != nil {
		return nil, err
	}
	if err := l.makeService(ctx, namespace, serviceName, ports); err != nil {
		return nil, err
	}
	deployment := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: serviceName}}
	deployment.Spec.Selector = &metav1.LabelSelector{MatchLabels: podLabels(podName)}
	deployment.Spec.Template.Labels = podLabels(podName)
	deployment.Spec.Template.Spec = podSpec()
	if _, err := l.client.AppsV1().Deployments(namespace).Create(ctx, deployment, metav1.CreateOptions{}); err != nil {
		return nil, fmt.Errorf("make deployment: %w", err)
	}
	ip, err := l.awaitPod(ctx, namespace, podName)
	if err != nil {
		return nil, err
	}
	return &workload{l, namespace, ip}, nil
}

// contenders starts an intercept that leads to the local process, and kubectl's
// port-forward to the lab's pod; done ends both. The workload's own pod would not
// do: an intercept has it replaced, so that its clients connect anew.
func (w *workload) contenders(ctx context.Context, kubeconfig string, local *local) (_ []*contender, done func(),
	err error) {
	ours, err := w.intercept(ctx, kubeconfig, local, shortestWay)
	if err != nil {
		return nil, nil, err
	}
	theirs, err := w.lab.throughKubectl(ctx, kubeconfig)
	if err != nil {
		ours.close()
		return nil, nil, err
	}
	return []*contender{ours.contender, theirs}, func() { ours.close(); theirs.close() }, nil
}
