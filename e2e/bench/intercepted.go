package main

import (
	"context"
	"fmt"
	"math"
	"net"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/devtun/devtun/e2e/bench/process"
)

const (
	// openConnections are those that an agent has open when its memory is looked
	// at, and openSize is what each has carried, both ways, in bytes.
	openConnections = 500
	openSize        = 256 << 10
)

// measureIntercept runs the trials of `devtun intercept`. Its clients are the
// cluster's side and dial the agent, its server is on this machine; kubectl has
// them the other way round, on the same way through API server, kubelet and
// container runtime. So what is compared is bytes in the same direction.
func measureIntercept(ctx context.Context, l *lab, s *series) error {
	if !l.reachesPod(ctx) {
		s.progress.step("pods cannot be reached from here: the intercept is not measured")
		return nil
	}
	s.progress.step("start the workload to intercept")
	w, err := l.deploy(ctx)
	if err != nil {
		return err
	}
	local, err := serveLocal()
	if err != nil {
		return err
	}
	defer local.close()
	image, err := l.site.AgentImage(ctx)
	if err != nil {
		return err
	}
	err = s.measure(ctx, w.begin(local, image,
		&figure{ID: "first_request", Name: "from command to first intercepted request", Unit: "s", goal: atMost(5)},
		&figure{ID: "first_request_beside", Name: "the same, beside that with an image that is there", Unit: "s",
			goal: atMostAdded(1, prepared)},
		&figure{ID: "agent_memory", Name: fmt.Sprintf("agent's peak memory, %d open connections", openConnections),
			Unit: "MB", goal: atMost(128)},
	), &contender{name: devtun}, &contender{name: prepared})
	if err != nil {
		return err
	}
	if err := w.near(ctx, local, s); err != nil {
		return err
	}
	return w.far(ctx, local, s)
}

// begin measures an intercept from its start: the seconds to the first request
// that it brings, twice, and then, with many connections, its agent's peak memory in MB.
// The agent's image is for the contender of that name.
func (w *workload) begin(local *local, image string, first, beside, memory *figure) trial {
	return trial{
		name:    "start of an intercept",
		figures: []*figure{first, beside, memory},
		run: func(ctx context.Context, c *contender) ([]float64, error) {
			var flags []string
			if c.name == prepared {
				flags = []string{"--agent-image", image}
			}
			var arrived time.Duration
			began := time.Now()
			group, groupCtx := errgroup.WithContext(ctx)
			group.Go(func() error {
				err := w.firstRequest(groupCtx)
				arrived = time.Since(began)
				return err
			})
			started, err := w.intercept(groupCtx, w.lab.site.Kubeconfig, local, flags...)
			if err != nil {
				group.Go(func() error { return err }) // ends the wait for the request
				return nil, group.Wait()
			}
			defer started.close()
			if err := group.Wait(); err != nil {
				return nil, err
			}
			peak := math.NaN()
			err = whileOpen(ctx, started.contender, portEcho, openConnections, exchangeMuch, func() error {
				pid, ok := agentProcess(started.agent)
				if !ok {
					return nil
				}
				bytes, err := process.PeakMemory(pid)
				peak = float64(bytes) / mega
				return err
			})
			return []float64{arrived.Seconds(), arrived.Seconds(), peak}, err
		},
	}
}

// use has a connection carry bytes both ways.
type use func(context.Context, *contender, net.Conn) error

// whileOpen does something while connections to a port are open, each of which has been
// used.
func whileOpen(ctx context.Context, c *contender, port, conns int, each use, do func() error) error {
	var opened []net.Conn
	for range conns {
		conn, done, err := open(ctx, c, port, transferTimeout)
		if err != nil {
			return err
		}
		defer done()
		opened = append(opened, conn)
	}
	var group errgroup.Group
	for _, conn := range opened {
		group.Go(func() error { return each(ctx, c, conn) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return do()
}

// exchangeMuch uses a connection to the echo.
func exchangeMuch(_ context.Context, _ *contender, conn net.Conn) error {
	return exchange(conn, openSize)
}

// askMuch uses a connection for requests, with bodies and without.
func askMuch(ctx context.Context, c *contender, conn net.Conn) error {
	client := newHTTP1(conn)
	for _, ask := range []func() error{
		func() error { return who(ctx, client, c) },
		func() error { return put(ctx, client, openSize, received(openSize)) },
		func() error { return get(ctx, client, openSize) },
		func() error { return who(ctx, client, c) },
	} {
		if err := ask(); err != nil {
			return err
		}
	}
	return nil
}

// near measures connections, with the API server where it is.
func (w *workload) near(ctx context.Context, local *local, s *series) error {
	trials := []trial{
		throughput("into the cluster, 1 connection", s.effort.transfer, intoCluster,
			&figure{ID: "into_1", Name: "into the cluster, 1 connection", Unit: "MB/s",
				goal: atLeastTimes(1.8, kubectl)},
			&figure{ID: "into_1_cpu", Name: "its CPU time here", Unit: "s/GB"}),
		throughput("out of the cluster, 1 connection", s.effort.transfer, outOfCluster,
			&figure{ID: "out_1", Name: "out of the cluster, 1 connection", Unit: "MB/s",
				goal: atLeastTimes(1.8, kubectl)},
			&figure{ID: "out_1_cpu", Name: "its CPU time here", Unit: "s/GB"}),
		newConnections("new intercepted connections, 50 at a time", s.effort.crowd, 50,
			&figure{ID: "connections_50", Name: "new connections, 50 at a time", Unit: "1/s",
				goal: atLeastTimes(4, kubectl)},
			&figure{ID: "connections_50_p50", Name: "time of each, p50", Unit: "ms"},
			&figure{ID: "connections_50_p99", Name: "time of each, p99", Unit: "ms"}),
		roundTrip("round trip on an intercepted connection", s.effort.pings,
			&figure{ID: "round_trip_p50", Name: "round trip on an open connection, p50", Unit: "ms",
				goal: atMostAdded(1, direct)}),
	}
	if !s.wantsAny(trials) {
		return nil
	}
	contenders, done, err := w.contenders(ctx, w.lab.site.Kubeconfig, local)
	if err != nil {
		return err
	}
	defer done()
	contenders = append(contenders, straight(w.lab.podIP))
	for _, t := range trials {
		if err := s.measure(ctx, t, contenders...); err != nil {
			return err
		}
	}
	return nil
}

// far measures transfers with a distant API server.
func (w *workload) far(ctx context.Context, local *local, s *series) error {
	into, out := fmt.Sprintf("into the cluster at %v round trip", trip),
		fmt.Sprintf("out of the cluster at %v round trip", trip)
	trials := []trial{
		throughput(into, s.effort.transfer, intoCluster,
			&figure{ID: "into_far", Name: into, Unit: "MB/s", goal: atLeast(60)}, nil),
		throughput(out, s.effort.transfer, outOfCluster, &figure{ID: "out_far", Name: out, Unit: "MB/s", goal: atLeast(60)},
			nil),
	}
	if !s.wantsAny(trials) {
		return nil
	}
	distance, err := w.lab.putAway(ctx)
	if err != nil {
		return err
	}
	defer distance.Close()
	contenders, done, err := w.contenders(ctx, distance.Kubeconfig, local)
	if err != nil {
		return err
	}
	defer done()
	for _, t := range trials {
		if err := s.measure(ctx, t, contenders...); err != nil {
			return err
		}
	}
	return nil
}
