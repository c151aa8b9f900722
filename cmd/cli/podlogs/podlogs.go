// Package podlogs follows what the pods of a service or a workload log.
//
//	err := podlogs.Follow(ctx, client, live.Pods{Namespace: "demo", Names: names}, tell)
package podlogs

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/devtun/devtun/cmd/cli/live"
	"github.com/devtun/devtun/intercept/target"
	"github.com/devtun/devtun/internal/pause"
)

const (
	// before is how many lines are shown of what was logged before, of each pod.
	before = 50

	// most bounds the pods that are followed at a time.
	most = 20

	// longest bounds a line, in bytes; what is longer is cut.
	longest = 4096

	// askTimeout bounds the questions about pods.
	askTimeout = 10 * time.Second

	// againAfter is how long it takes until a log that has ended is asked for again.
	againAfter = time.Second
)

// Follow tells each line that pods log, until ctx ends or the pods are gone. Lines of several
// pods begin with the end of their pod's name. The error says why there are none.
func Follow(ctx context.Context, client kubernetes.Interface, pods live.Pods, tell func(line string)) error {
	names := pods.Names
	if pods.Workload != "" {
		var err error
		if names, err = podsOf(ctx, client, pods); err != nil {
			return err
		}
	}
	if len(names) == 0 {
		return errors.New("it has no pods")
	}
	if len(names) > most {
		tell(fmt.Sprintf("(%d of %d pods)", most, len(names)))
		names = names[:most]
	}
	var following sync.WaitGroup
	errs := make([]error, len(names))
	for i, name := range names {
		following.Go(func() {
			errs[i] = follow(ctx, client, pods.Namespace, name, func(line string) { tell(short(name) + " " + line) })
		})
	}
	following.Wait()
	for _, err := range errs {
		if apierrors.IsForbidden(err) {
			return fmt.Errorf("pods' logs need the right to get pods/log in namespace %s: 'devtun rbac logs' prints the Role",
				pods.Namespace)
		}
	}
	return errors.Join(errs...)
}

// podsOf are the names of a workload's pods.
func podsOf(ctx context.Context, client kubernetes.Interface, pods live.Pods) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	found, err := target.Resolve(ctx, client, pods.Namespace, pods.Workload)
	if err != nil {
		return nil, err
	}
	return found.PodNames(ctx, client)
}

// short is the part of a pod's name that tells it from its siblings.
func short(name string) string { return name[strings.LastIndex(name, "-")+1:] }

// follow follows one pod's, through restarts of its container, until the pod is gone.
func follow(ctx context.Context, client kubernetes.Interface, namespace, name string, tell func(string)) error {
	lines := int64(before)
	options := &corev1.PodLogOptions{Follow: true, TailLines: &lines}
	for {
		stream, err := client.CoreV1().Pods(namespace).GetLogs(name, options).Stream(ctx)
		if apierrors.IsBadRequest(err) && options.Container == "" { // which of several?
			if options.Container, err = container(ctx, client, namespace, name); err == nil {
				continue
			}
		}
		switch {
		case ctx.Err() != nil || apierrors.IsNotFound(err):
			return nil
		case apierrors.IsForbidden(err):
			return err
		case err == nil:
			read(stream, tell)
			stream.Close()
		}
		ended := metav1.Now()
		options.SinceTime, options.TailLines = &ended, nil
		if pause.Sleep(ctx, againAfter) != nil {
			return nil
		}
	}
}

// container is the one of a pod's that kubectl logs would show.
func container(ctx context.Context, client kubernetes.Interface, namespace, name string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	pod, err := client.CoreV1().Pods(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return "", err
	}
	if chosen := pod.Annotations["kubectl.kubernetes.io/default-container"]; chosen != "" {
		return chosen, nil
	}
	return pod.Spec.Containers[0].Name, nil
}

// read tells the lines of a log until its end.
func read(log io.Reader, tell func(string)) {
	reader := bufio.NewReaderSize(log, longest)
	cut := false // the line's beginning was told
	for {
		line, more, err := reader.ReadLine()
		if err != nil {
			return
		}
		if !cut {
			tell(string(line))
		}
		cut = more
	}
}
