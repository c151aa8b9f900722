package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/devtun/devtun/e2e/bench/process"
)

const (
	// mirrorHost is where the process of a mirror listens here, on the pod's own ports.
	mirrorHost = "127.0.18.1"

	// stuckSize, in bytes, is what a connection carries before it counts that the
	// process of a mirror is stuck: more than is kept for it on the way.
	stuckSize = 16 << 20
)

// mirror is a `devtun intercept --mirror` with its process, which can be stopped.
type mirror struct{ devtun, server *process.Child }

// mirrorTo starts one beside whatever intercepts the workload, and returns once copies of
// what the contender's clients ask come to its process. The caller closes it.
func (w *workload) mirrorTo(ctx context.Context, c *contender) (_ *mirror, err error) {
	m := &mirror{}
	defer func() {
		if err != nil {
			m.close()
		}
	}()
	ready := func(line string) bool { return line == "ready" }
	m.server, err = process.Start(ctx, ready, w.lab.site.Program("testserver"), "-host", mirrorHost, "-drain", "0s")
	if err != nil {
		return nil, err
	}
	here := straight(mirrorHost)
	m.devtun, err = w.startIntercept(ctx, w.lab.site.Kubeconfig, here.addresses, "--to", mirrorHost, "--mirror")
	if err != nil {
		return nil, err
	}
	return m, awaitCopies(ctx, c, here)
}

// close has the mirror leave and ends its process.
func (m *mirror) close() {
	if m.devtun != nil {
		m.devtun.Close()
	}
	if m.server != nil {
		_ = m.server.Thaw() // or it would not end in good order
		m.server.Close()
	}
}

// awaitCopies asks the contender for changes until another one has them too.
func awaitCopies(ctx context.Context, c, copied *contender) error {
	err := wait.PollUntilContextTimeout(ctx, lookEvery, connTimeout, true, func(ctx context.Context) (bool, error) {
		if _, err := tell(ctx, c, http.MethodPost, "/keys?n=1"); err != nil {
			return false, err
		}
		keys, err := tell(ctx, copied, http.MethodGet, "/keys")
		return keys != "0 keys\n", err
	})
	if err != nil {
		return fmt.Errorf("wait for copies of requests: %w", err)
	}
	return nil
}

// tell asks on a connection of its own and returns the answer's body.
func tell(ctx context.Context, c *contender, method, target string) (string, error) {
	client, done, err := dialHTTP1(ctx, c)
	if err != nil {
		return "", err
	}
	defer done()
	answer, err := client.ask(ctx, method, target, 0)
	if err != nil {
		return "", err
	}
	body, err := io.ReadAll(answer.Body)
	return string(body), errors.Join(err, answer.Body.Close())
}

// mirrored measures small requests on a kept connection, in milliseconds: through devtun
// with a mirror whose process is stopped once copies come to it, or without.
func (w *workload) mirrored(n int, p50, p99 *figure) trial {
	return trial{
		name:    "GET while a mirror is stuck",
		figures: []*figure{p50, p99},
		run: func(ctx context.Context, c *contender) ([]float64, error) {
			if c.name == devtun {
				m, err := w.mirrorTo(ctx, c)
				if err != nil {
					return nil, err
				}
				defer m.close()
				if err := m.server.Freeze(); err != nil {
					return nil, err
				}
			}
			if err := pause(ctx, settle); err != nil { // of who has come, or has just left
				return nil, err
			}
			return stuck(ctx, c, n)
		},
	}
}

// stuck asks on a connection that has carried more than is kept for whoever does not
// read.
func stuck(ctx context.Context, c *contender, n int) ([]float64, error) {
	client, done, err := dialHTTP1(ctx, c)
	if err != nil {
		return nil, err
	}
	defer done()
	if err := put(ctx, client, stuckSize, received(stuckSize)); err != nil {
		return nil, err
	}
	took, err := timed(n, func() error { return who(ctx, client, c) })
	return []float64{percentile(took, 50), percentile(took, 99)}, err
}
