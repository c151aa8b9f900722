package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/wait"
)

const (
	podName     = "testserver" // which it answers with
	imageName   = "devtun.test/testserver:dev"
	serviceName = "testserver" // of the pod that is measured

	pollEvery  = 100 * time.Millisecond
	podTimeout = time.Minute
)

// podLabels are those of a pod of the test server's, by its name.
func podLabels(name string) map[string]string { return map[string]string{"app": name} }

// startPod starts a pod of the test server's, with such arguments, and returns its
// address once it is ready.
func (l *lab) startPod(ctx context.Context, namespace, name string, args ...string) (ip string, err error) {
	pods := l.client.CoreV1().Pods(namespace)
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: podLabels(name)}, Spec: podSpec(args...)}
	// The namespace's service account, which every pod needs, takes a moment.
	err = wait.PollUntilContextTimeout(ctx, pollEvery, podTimeout, true, func(ctx context.Context) (bool, error) {
		_, err := pods.Create(ctx, pod, metav1.CreateOptions{})
		if apierrors.IsForbidden(err) {
			return false, nil
		}
		return err == nil, err
	})
	if err != nil {
		return "", fmt.Errorf("make pod: %w", err)
	}
	return l.awaitPod(ctx, namespace, name)
}

// podSpec is the pod's, whose host name is podName whatever its own is.
func podSpec(args ...string) corev1.PodSpec {
	seconds := int64(1)
	return corev1.PodSpec{
		Hostname:                      podName,
		TerminationGracePeriodSeconds: &seconds,
		Containers: []corev1.Container{{
			Name: podName, Image: imageName, Args: args, ImagePullPolicy: corev1.PullIfNotPresent,
			StartupProbe: &corev1.Probe{PeriodSeconds: 1, ProbeHandler: corev1.ProbeHandler{
				HTTPGet: &corev1.HTTPGetAction{Path: "/ready", Port: intstr.FromInt32(portHTTP)}}},
		}},
	}
}

// awaitPod returns the address of the namespace's only pod of that name, or of that
// deployment's, once it is ready.
func (l *lab) awaitPod(ctx context.Context, namespace, name string) (ip string, err error) {
	err = wait.PollUntilContextTimeout(ctx, pollEvery, podTimeout, true, func(ctx context.Context) (bool, error) {
		pods, err := l.client.CoreV1().Pods(namespace).List(ctx,
			metav1.ListOptions{LabelSelector: labels.FormatLabels(podLabels(name))})
		if err != nil || len(pods.Items) == 0 {
			return false, err
		}
		ip = pods.Items[0].Status.PodIP
		return isReady(&pods.Items[0]), nil
	})
	if err != nil {
		return "", fmt.Errorf("wait for pod %s/%s: %w\nhint: is the image %s in the cluster? 'kubectl describe pod -n %s' "+
			"tells",
			namespace, name, err, imageName, namespace)
	}
	return ip, nil
}

func isReady(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// makeService makes a service of the namespace's pod.
func (l *lab) makeService(ctx context.Context, namespace, name string, ports []int) error {
	return l.makeServiceAt(ctx, "", namespace, name, ports)
}

// makeServiceAt makes one with an address of its own, or none (corev1.ClusterIPNone).
func (l *lab) makeServiceAt(ctx context.Context, address, namespace, name string, ports []int) error {
	service := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       corev1.ServiceSpec{Selector: podLabels(podName), ClusterIP: address},
	}
	for _, port := range ports {
		service.Spec.Ports = append(service.Spec.Ports,
			corev1.ServicePort{Name: fmt.Sprintf("port-%d", port), Port: int32(port)})
	}
	if _, err := l.client.CoreV1().Services(namespace).Create(ctx, service, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("make service %s: %w", name, err)
	}
	return nil
}
