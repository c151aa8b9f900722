package service

import (
	"context"
	"errors"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/devtun/devtun/tunnel"
)

// quiet is how long a connection is listened to: whoever refuses it says so at once.
const quiet = 500 * time.Millisecond

// How much is dialled of each subject when looked at thoroughly, and of how many otherwise.
const (
	podsDialled     = 3
	portsDialled    = 5
	subjectsDialled = 5
)

// dialled is a port of a pod that a port-forward was tried to.
type dialled struct {
	pod  tunnel.Pod
	port int
}

// dials are the ports to try. Thoroughly: those that the services lead to, in a few pods, and
// the other ones that the first pod names. Else one port each of a few services, of HTTP if there
// is one.
func dials(subjects []*subject, thorough bool) (all []dialled) {
	add := func(pod *corev1.Pod, port int) {
		d := dialled{tunnel.Pod{Namespace: pod.Namespace, Name: pod.Name, UID: string(pod.UID)}, port}
		if port != 0 && !slices.Contains(all, d) {
			all = append(all, d)
		}
	}
	tried := 0
	for _, s := range subjects {
		pods, ports := s.running(), s.ports()
		if len(pods) == 0 || len(ports) == 0 {
			continue
		}
		if !thorough {
			if tried++; tried <= subjectsDialled {
				likely := ports[max(0, slices.IndexFunc(ports, speaksHTTP))]
				add(pods[0], targetOf(likely, pods[0]))
			}
			continue
		}
		for _, pod := range pods[:min(len(pods), podsDialled)] {
			for _, p := range ports[:min(len(ports), portsDialled)] {
				add(pod, targetOf(p, pod))
			}
		}
		others := declared(pods[0])
		for _, c := range others[:min(len(others), portsDialled)] {
			add(pods[0], int(c.ContainerPort))
		}
	}
	return all
}

// running are the pods that are worth a connection: those that are ready, or else run.
func (s *subject) running() []*corev1.Pod {
	if ready := readyPods(s.pods); len(ready) > 0 {
		return ready
	}
	return slices.DeleteFunc(slices.Clone(s.pods), func(pod *corev1.Pod) bool {
		return pod.Status.Phase != corev1.PodRunning || slices.ContainsFunc(pod.Status.ContainerStatuses,
			func(c corev1.ContainerStatus) bool { return c.State.Running == nil })
	})
}

// dial tries a port-forward to a port.
func (l *looking) dial(ctx context.Context, d dialled) {
	if l.Dial == nil {
		return
	}
	l.work.Go(func() {
		err := l.try(ctx, d)
		l.mu.Lock()
		defer l.mu.Unlock()
		l.seen.answers[d] = err
	})
}

// try connects, says nothing, and hears whether that is refused. Every other end is an answer.
func (l *looking) try(ctx context.Context, d dialled) error {
	conn, err := l.Dial(ctx, d.pod, d.port)
	if err != nil {
		return err
	}
	defer conn.Close()
	var said error
	heard := make(chan struct{})
	go func() {
		defer close(heard)
		_, said = conn.Read(make([]byte, 1))
	}()
	timer := time.NewTimer(quiet)
	defer timer.Stop()
	select {
	case <-heard:
		err = said
	case <-timer.C:
		conn.Abort()
		<-heard
	case <-ctx.Done():
		conn.Abort()
		<-heard
		return ctx.Err()
	}
	var remote *tunnel.RemoteError
	if errors.As(err, &remote) && remote.Refused() {
		return err
	}
	return nil
}
