package network

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/intercept/probe"
	"github.com/devtun/devtun/internal/pause"
	"github.com/devtun/devtun/tunnel"
)

const (
	// startTimeout is how long probes may take to run.
	startTimeout = 8 * time.Second
	// unscheduledTimeout is how long a probe that no node takes is waited for, once others run.
	unscheduledTimeout = time.Second
	// lookEvery is how often it is looked whether they run.
	lookEvery = 200 * time.Millisecond
	// askTimeout bounds one round of questions.
	askTimeout = probe.Limit + 2*time.Second
)

// The ports of a probe.
const (
	port     = 47380
	peerPort = 47381
)

// probes are the pods of a run.
type probes struct {
	client    kubernetes.Interface
	pool      *tunnel.Pool
	namespace string
	id        string // plan.AgentLabel's value
}

// pod is one of them.
type pod struct {
	*corev1.Pod
	node string
}

func (p pod) running() bool { return p.Status.Phase == corev1.PodRunning && p.Status.PodIP != "" }

// await waits until a number of probes run, or as many as come. The error is of the API
// server.
func (p *probes) await(ctx context.Context, count int) ([]pod, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	var seen []pod
	ran := time.Time{} // since when all run that were scheduled
	for {
		list, err := p.client.CoreV1().Pods(p.namespace).List(ctx, metav1.ListOptions{
			LabelSelector: plan.AgentLabel + "=" + p.id})
		if err != nil {
			if ctx.Err() != nil && seen != nil {
				return seen, nil
			}
			return nil, err
		}
		seen = nil
		running, waiting := 0, 0
		for i := range list.Items {
			one := pod{&list.Items[i], list.Items[i].Spec.NodeName}
			seen = append(seen, one)
			switch {
			case one.running():
				running++
			case one.node != "":
				waiting++
			}
		}
		if running == 0 || waiting > 0 {
			ran = time.Time{}
		} else if ran.IsZero() {
			ran = time.Now()
		}
		if running >= count || !ran.IsZero() && time.Since(ran) > unscheduledTimeout {
			return seen, nil
		}
		if pause.Sleep(ctx, lookEvery) != nil {
			return seen, nil
		}
	}
}

// ask asks each probe its own questions, all at once. The errors are of probes that do not
// answer, by node.
func (p *probes) ask(ctx context.Context, pods []pod, of func(node string) asked) (map[string]View, map[string]error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	var mu sync.Mutex
	views, failed := make(map[string]View), make(map[string]error)
	var asking sync.WaitGroup
	for _, one := range pods {
		questions := of(one.node)
		if len(questions) == 0 {
			continue
		}
		asking.Go(func() {
			view, err := p.askOne(ctx, one, questions)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed[one.node] = err
			} else {
				views[one.node] = view
			}
		})
	}
	asking.Wait()
	return views, failed
}

func (p *probes) askOne(ctx context.Context, one pod, questions asked) (View, error) {
	keys := slices.Sorted(maps.Keys(questions))
	var list []probe.Question
	for _, key := range keys {
		list = append(list, questions[key])
	}
	body, err := json.Marshal(list)
	if err != nil {
		return nil, fmt.Errorf("write questions: %w", err)
	}
	report, err := p.post(ctx, one, body)
	for err != nil { // it may have begun to run only now
		if pause.Sleep(ctx, lookEvery) != nil {
			return nil, err
		}
		report, err = p.post(ctx, one, body)
	}
	if len(report.Answers) != len(keys) {
		return nil, errors.New("the probe has answered something else")
	}
	view := make(View)
	for i, key := range keys {
		view[key] = report.Answers[i]
	}
	return view, nil
}

// maxReport, in bytes, bounds what a probe answers.
const maxReport = 1 << 20

func (p *probes) post(ctx context.Context, one pod, body []byte) (report probe.Report, err error) {
	conn, err := p.pool.Dial(ctx, tunnel.Pod{Namespace: one.Namespace, Name: one.Name, UID: string(one.UID)}, port)
	if err != nil {
		return report, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://probe"+probe.AskPath, bytes.NewReader(body))
	if err != nil {
		return report, err
	}
	if err := request.Write(conn); err != nil {
		return report, err
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), request)
	if err != nil {
		return report, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return report, fmt.Errorf("ask the probe: %s", response.Status)
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, maxReport)).Decode(&report); err != nil {
		return report, fmt.Errorf("read the probe's answers: %w", err)
	}
	return report, nil
}
