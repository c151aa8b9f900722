package main

import (
	"context"
	"fmt"

	"github.com/devtun/devtun/e2e/bench/api"
	"github.com/devtun/devtun/e2e/cluster"
)

// measureRelay runs the trials of `devtun forward --relay`, whose links go the shortest way
// that there is.
func measureRelay(ctx context.Context, l *lab, s *series) error {
	for _, part := range []func(context.Context, *lab, *series) error{relayNear, relayBeside, relayFar, relayLossy} {
		if err := part(ctx, l, s); err != nil {
			return err
		}
	}
	return nil
}

// withRelay measures trials of a relay and kubectl, and of more contenders.
func (l *lab) withRelay(ctx context.Context, s *series, kubeconfig string, trials []trial, more ...*contender) error {
	if !s.wantsAny(trials) {
		return nil
	}
	ours, err := l.throughRelay(ctx, kubeconfig)
	if err != nil {
		return err
	}
	defer ours.close()
	theirs, err := l.throughKubectl(ctx, kubeconfig)
	if err != nil {
		return err
	}
	defer theirs.close()
	for _, t := range trials {
		if err := s.measure(ctx, t, append([]*contender{ours, theirs}, more...)...); err != nil {
			return err
		}
	}
	return nil
}

// relayNear measures connections, with the API server where it is.
func relayNear(ctx context.Context, l *lab, s *series) error {
	e := s.effort
	return l.withRelay(ctx, s, l.site.Kubeconfig, []trial{
		throughput("download, 1 connection", e.transfer, download,
			&figure{ID: "download_1", Name: "download, 1 connection", Unit: "MB/s", goal: atLeastTimes(2, kubectl)},
			&figure{ID: "download_1_cpu", Name: "its CPU time here", Unit: "s/GB"},
			&figure{ID: "download_1_machine", Name: "CPU time of the whole machine", Unit: "s/GB",
				goal: atMostTimes(0.55, kubectl)}),
		throughput("upload, 1 connection", e.transfer, upload,
			&figure{ID: "upload_1", Name: "upload, 1 connection", Unit: "MB/s", goal: atLeastTimes(1.6, kubectl)},
			nil, &figure{ID: "upload_1_machine", Name: "CPU time of the whole machine", Unit: "s/GB"}),
		throughput("download, 8 connections", e.transfer, several(8, download),
			&figure{ID: "download_8", Name: "download, 8 connections", Unit: "MB/s", goal: atLeastTimes(2.2, kubectl)},
			nil),
		newConnections("new connections, 1 at a time", e.serial, 1,
			&figure{ID: "connections_1", Name: "new connections, 1 at a time", Unit: "1/s", goal: atLeastTimes(2.7, kubectl)},
			nil, nil),
		newConnections("new connections, 50 at a time", e.crowd, 50,
			&figure{ID: "connections_50", Name: "new connections, 50 at a time", Unit: "1/s", goal: atLeastTimes(4, kubectl)},
			nil, &figure{ID: "connections_50_p99", Name: "time of each, p99", Unit: "ms", goal: atMostTimes(0.3, kubectl)}),
		roundTrip("round trip on an open connection", e.pings,
			&figure{ID: "round_trip_p50", Name: "round trip on an open connection, p50", Unit: "ms",
				goal: atMostTimes(0.7, kubectl)}),
		besideDownload(e.distant/5, // kubectl's take the better part of a second each
			&figure{ID: "beside_download_p50", Name: "request beside a download, p50", Unit: "ms",
				goal: atMostTimes(0.05, kubectl)}),
	})
}

// relayBeside measures what a reader that has stopped does to the others, beside none: kubectl
// would not go on at all.
func relayBeside(ctx context.Context, l *lab, s *series) error {
	t := besideStopped(s.effort.distant,
		&figure{ID: "beside_stopped_p50", Name: "request beside a stopped reader, p50", Unit: "ms",
			goal: atMostTimes(1.25, without)},
		&figure{ID: "beside_stopped", Name: "64 MiB beside a stopped reader", Unit: "MB/s",
			goal: atLeastTimes(0.9, without)})
	if !s.wants(t.name) {
		return nil
	}
	ours, err := l.throughRelay(ctx, l.site.Kubeconfig)
	if err != nil {
		return err
	}
	defer ours.close()
	alone := *ours
	alone.name = without
	return s.measure(ctx, t, ours, &alone)
}

// relayFar measures with a distant API server.
func relayFar(ctx context.Context, l *lab, s *series) error {
	at := fmt.Sprintf(" at %v round trip", trip)
	trials := []trial{
		newConnections("new connections"+at, s.effort.distant, 1, nil,
			&figure{ID: "request_far_p50", Name: "request" + at + ", p50", Unit: "ms", goal: atMostTimes(0.35, kubectl)},
			nil),
		throughput("download"+at, s.effort.transfer, download,
			&figure{ID: "download_far", Name: "download" + at, Unit: "MB/s", goal: atLeastTimes(1.6, kubectl)}, nil),
		throughput("upload"+at, s.effort.transfer, upload,
			&figure{ID: "upload_far", Name: "upload" + at, Unit: "MB/s", goal: atLeastTimes(1.4, kubectl)}, nil),
	}
	if !s.wantsAny(trials) {
		return nil
	}
	distance, err := l.putAway(ctx)
	if err != nil {
		return err
	}
	defer distance.Close()
	return l.withRelay(ctx, s, distance.Kubeconfig, trials)
}

// lossySize, in bytes, is that of an answer where packets are lost.
const lossySize = 8 << 10

// relayLossy measures requests while packets to and from the API server are lost.
func relayLossy(ctx context.Context, l *lab, s *series) error {
	for _, percent := range []int{1, 3} {
		if err := relayLosing(ctx, l, s, percent); err != nil {
			return err
		}
	}
	return nil
}

func relayLosing(ctx context.Context, l *lab, s *series, percent int) error {
	ask := func(ctx context.Context, c *contender, n int) ([]float64, error) {
		return asked(ctx, c, requestBytes(lossySize), n, 10)
	}
	name := fmt.Sprintf("8 KiB, 10 at a time, %d %% of packets lost", percent)
	p95 := &figure{ID: fmt.Sprintf("lossy_%d_p95", percent), Name: name + ", p95", Unit: "ms",
		goal: atMostTimes(0.8, kubectl)}
	t := trial{
		name:    name,
		figures: []*figure{p95},
		warm:    func(ctx context.Context, c *contender) error { _, err := ask(ctx, c, 20); return err },
		run: func(ctx context.Context, c *contender) ([]float64, error) {
			took, err := ask(ctx, c, s.effort.serial)
			return []float64{percentile(took, 95)}, err
		},
	}
	server, known := l.site.apiAddress()
	if !s.wants(name) {
		return nil
	}
	if l.site.Cluster == "" || !known {
		s.progress.step("the cluster is not the local one: %s is not measured", name)
		return nil
	}
	local, err := cluster.Open(l.site.Cluster)
	if err != nil {
		return err
	}
	lose := func(ctx context.Context) (func() error, error) {
		return api.Lose(ctx, local.Nodes()[0], server, percent)
	}
	return l.withRelay(ctx, s, l.site.Kubeconfig, []trial{t.during(lose)})
}
