package main

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"time"
)

// trip is the round trip to the distant API server.
const trip = 50 * time.Millisecond

// measureForward runs the trials of `devtun forward`. Those with many services
// come last: the cluster has them to digest.
func measureForward(ctx context.Context, l *lab, s *series) error {
	for _, part := range []func(context.Context, *lab, *series) error{near, far, start, many} {
		if err := part(ctx, l, s); err != nil {
			return err
		}
	}
	return nil
}

// near measures connections, with the API server where it is.
func near(ctx context.Context, l *lab, s *series) error {
	contenders, done, err := l.contenders(ctx, l.site.Kubeconfig)
	if err != nil {
		return err
	}
	defer done()
	peer, err := l.throughPlain(ctx, l.site.Kubeconfig)
	if err != nil {
		return err
	}
	defer peer.close()
	contenders = append(contenders, peer)
	if l.reachesPod(ctx) {
		contenders = append(contenders, straight(l.podIP))
	} else {
		s.progress.step("pods cannot be reached from here: nothing is measured straight to the pod")
	}
	for _, t := range []trial{
		throughput("download, 1 connection", s.effort.transfer, download,
			&figure{ID: "download_1", Name: "download, 1 connection", Unit: "MB/s",
				goal: both(atLeastTimes(1.3, kubectl), atLeastTimes(1.1, plain))},
			&figure{ID: "download_1_cpu", Name: "its CPU time", Unit: "s/GB"}),
		throughput("upload, 1 connection", s.effort.transfer, upload,
			&figure{ID: "upload_1", Name: "upload, 1 connection", Unit: "MB/s", goal: atLeastTimes(1.3, kubectl)}, nil),
		throughput("download, 8 connections", s.effort.transfer, several(8, download),
			&figure{ID: "download_8", Name: "download, 8 connections", Unit: "MB/s", goal: atLeastTimes(1.8, kubectl)}, nil),
		newConnections("new connections, 1 at a time", s.effort.serial, 1,
			&figure{ID: "connections_1", Name: "new connections, 1 at a time", Unit: "1/s"},
			&figure{ID: "connections_1_p50", Name: "time of each, p50", Unit: "ms"},
			&figure{ID: "connections_1_p99", Name: "time of each, p99", Unit: "ms"}),
		newConnections("new connections, 50 at a time", s.effort.crowd, 50,
			&figure{ID: "connections_50", Name: "new connections, 50 at a time", Unit: "1/s",
				goal: atLeastTimes(1.1, kubectl)},
			&figure{ID: "connections_50_p50", Name: "time of each, p50", Unit: "ms"},
			&figure{ID: "connections_50_p99", Name: "time of each, p99", Unit: "ms", goal: below(kubectl)}),
		roundTrip("round trip on an open connection", s.effort.pings,
			&figure{ID: "round_trip_p50", Name: "round trip on an open connection, p50", Unit: "ms"}),
	} {
		if err := s.measure(ctx, t, contenders...); err != nil {
			return err
		}
	}
	return nil
}

// far measures new connections with a distant API server. At no distance they
// are those of near, one at a time.
func far(ctx context.Context, l *lab, s *series) error {
	t := newConnections(fmt.Sprintf("new connections at %v", trip), s.effort.distant, 1, nil,
		&figure{ID: "request_far_p50", Name: fmt.Sprintf("request at %v round trip, p50", trip), Unit: "ms",
			goal: atMostTimes(0.7, kubectl)},
		&figure{ID: "request_far_p99", Name: fmt.Sprintf("request at %v round trip, p99", trip), Unit: "ms"})
	if !s.wants(t.name) {
		return nil
	}
	distance, err := l.putAway(ctx)
	if err != nil {
		return err
	}
	defer distance.Close()
	contenders, done, err := l.contenders(ctx, distance.Kubeconfig)
	if err != nil {
		return err
	}
	defer done()
	return s.measure(ctx, t, contenders...)
}

// start measures the time to ready with one service.
func start(ctx context.Context, l *lab, s *series) error {
	return s.measure(ctx, trial{
		name:    "time to ready",
		figures: []*figure{{ID: "ready_1", Name: "time to ready, 1 service", Unit: "s"}},
		run: func(ctx context.Context, c *contender) ([]float64, error) {
			begin := map[string]func(context.Context, string) (*contender, error){
				devtun: l.throughDevtunToPod, kubectl: l.throughKubectl,
			}[c.name]
			started, err := begin(ctx, l.site.Kubeconfig)
			if err != nil {
				return nil, err
			}
			defer started.close()
			return []float64{started.child.Ready.Seconds()}, nil
		},
	}, &contender{name: devtun}, &contender{name: kubectl})
}

// many measures devtun with a namespace full of services; few of them show what
// grows.
func many(ctx context.Context, l *lab, s *series) error {
	n := s.effort.services
	few, most := fmt.Sprintf("%d services", n/100), fmt.Sprintf("%d services", n)
	if !s.wants("services") {
		return nil
	}
	requestsOfFew := &figure{ID: "requests_few", Name: "API requests at start, " + few}
	subject := &contender{name: devtun}
	crowd, err := l.gather(ctx, n/100)
	if err != nil {
		return err
	}
	if err := s.measure(ctx, crowd.talk(requestsOfFew, nil), subject); err != nil {
		return err
	}
	s.progress.step("make %d services", n)
	if crowd, err = l.gather(ctx, n); err != nil {
		return err
	}
	if err := s.measure(ctx, crowd.talk(
		&figure{ID: "requests_many", Name: "API requests at start, " + most, goal: notAbove(requestsOfFew, "with "+few)},
		&figure{ID: "upgrades_unused", Name: "port-forwards before the first use", goal: atMost(0)},
	), subject); err != nil {
		return err
	}
	return s.measure(ctx, crowd.footprint(
		&figure{ID: "ready_many", Name: "time to ready, " + most, Unit: "s", goal: atMost(1.5)},
		&figure{ID: "memory_many", Name: "resident memory, " + most, Unit: "MB", goal: atMost(200)},
		&figure{ID: "api_connections", Name: "open API connections, " + most},
	), subject)
}

// contenders starts devtun and kubectl; done ends both.
func (l *lab) contenders(ctx context.Context, kubeconfig string) (_ []*contender, done func(), err error) {
	ours, err := l.throughDevtunToPod(ctx, kubeconfig)
	if err != nil {
		return nil, nil, err
	}
	theirs, err := l.throughKubectl(ctx, kubeconfig)
	if err != nil {
		ours.close()
		return nil, nil, err
	}
	return []*contender{ours, theirs}, func() { ours.close(); theirs.close() }, nil
}

// throughDevtunToPod is throughDevtun for the lab's only service.
func (l *lab) throughDevtunToPod(ctx context.Context, kubeconfig string) (*contender, error) {
	return l.throughDevtun(ctx, kubeconfig, l.namespace, serviceName)
}

// reachesPod reports whether the pod can be reached without anything between.
func (l *lab) reachesPod(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort(l.podIP, strconv.Itoa(portHTTP)))
	if err != nil {
		return false
	}
	conn.Close()
	return true
}
