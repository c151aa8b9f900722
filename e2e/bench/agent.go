package main

import (
	"context"
	"fmt"
	"math"

	"github.com/devtun/devtun/e2e/bench/process"
)

const (
	// agentRounds is how many times as many rounds as others the trials of an agent have,
	// and mirrorRounds those of a mirror, which starts in each.
	agentRounds  = 2
	mirrorRounds = 2
)

// measureAgent measures what an agent costs those whose requests no rule matches: its
// clients are on this machine and dial pods, as the cluster's do, and the origin answers
// all of them. The pipe is what an agent was before it understood requests.
func measureAgent(ctx context.Context, l *lab, s *series) error {
	if !l.reachesPod(ctx) {
		s.progress.step("pods cannot be reached from here: the agent is not measured")
		return nil
	}
	s.progress.step("start the workload that a team shares")
	w, err := l.deploy(ctx)
	if err != nil {
		return err
	}
	err = s.measure(ctx, w.footprint(
		&figure{ID: "program", Name: "agent's program", Unit: "MB", goal: atMost(10)},
		&figure{ID: "memory_idle", Name: "agent's peak memory, idle", Unit: "MB", goal: atMost(20)},
		&figure{ID: "memory", Name: fmt.Sprintf("agent's peak memory, %d open connections", openConnections), Unit: "MB",
			goal: atMost(128)},
	), &contender{name: devtun})
	if err != nil {
		return err
	}
	return w.beside(ctx, s)
}

// beside measures an agent beside a pipe to the same origin, and a mirror beside none.
func (w *workload) beside(ctx context.Context, s *series) error {
	trials := often(agentRounds, agentTrials(s.effort)...)
	mirrored := w.mirrored(2*s.effort.requests,
		&figure{ID: "mirror_p50", Name: "GET while a mirror is stuck, p50", Unit: "ms"},
		&figure{ID: "mirror_p99", Name: "GET while a mirror is stuck, p99", Unit: "ms",
			goal: atMostTimesAdded(1.1, without, 0.2)})
	mirrored.times = mirrorRounds
	if !s.wantsAny(append(trials, mirrored)) {
		return nil
	}
	s.progress.step("have a team of %d share it, and start a pipe to it", len(teamKeys))
	team, err := w.share(ctx, teamKeys)
	if err != nil {
		return err
	}
	defer team.close()
	piped, err := w.throughPipe(ctx)
	if err != nil {
		return err
	}
	for _, t := range trials {
		if err := s.measure(ctx, t, team.contender, piped, straight(w.podIP)); err != nil {
			return err
		}
	}
	unwatched := *team.contender
	unwatched.name = without
	return s.measure(ctx, mirrored, team.contender, &unwatched)
}

// agentTrials are those of an agent, a pipe, and neither.
func agentTrials(e effort) []trial {
	turn := e.transfer / 2 // the rounds are many
	return []trial{
		keptRequests("GET on a kept connection, HTTP/1.1", dialHTTP1, e.requests,
			&figure{ID: "http1_p50", Name: "GET, HTTP/1.1, p50", Unit: "ms", goal: atMostAdded(0.3, pipe)},
			&figure{ID: "http1_p99", Name: "GET, HTTP/1.1, p99", Unit: "ms", goal: atMostAdded(1, pipe)}),
		keptRequests("GET on a kept connection, h2c", dialH2C, e.requests,
			&figure{ID: "h2c_p50", Name: "GET, h2c, p50", Unit: "ms", goal: atMostAdded(0.3, pipe)},
			&figure{ID: "h2c_p99", Name: "GET, h2c, p99", Unit: "ms", goal: atMostAdded(1, pipe)}),
		newConnections("GET on new connections, 1 at a time", e.serial, 1, nil,
			&figure{ID: "connections_p50", Name: "GET on a new connection, p50", Unit: "ms"},
			&figure{ID: "connections_p99", Name: "GET on a new connection, p99", Unit: "ms"}),
		throughput("body of an answer, HTTP/1.1", turn, getting(dialHTTP1),
			&figure{ID: "http1_get", Name: "body of an answer, HTTP/1.1", Unit: "MB/s", goal: atLeastTimes(0.9, pipe)}, nil),
		throughput("body of a request, HTTP/1.1", turn, putting(dialHTTP1),
			&figure{ID: "http1_put", Name: "body of a request, HTTP/1.1", Unit: "MB/s", goal: atLeastTimes(0.9, pipe)}, nil),
		throughput("body of an answer, h2c", turn, getting(dialH2C),
			&figure{ID: "h2c_get", Name: "body of an answer, h2c", Unit: "MB/s"}, nil),
		throughput("body of a request, h2c", turn, putting(dialH2C),
			&figure{ID: "h2c_put", Name: "body of a request, h2c", Unit: "MB/s"}, nil),
		throughput("whole connection, out of the cluster", turn, download,
			&figure{ID: "whole_out", Name: "no HTTP, out of the cluster", Unit: "MB/s", goal: atLeastTimes(0.95, pipe)}, nil),
		throughput("whole connection, into the cluster", turn, upload,
			&figure{ID: "whole_in", Name: "no HTTP, into the cluster", Unit: "MB/s", goal: atLeastTimes(0.95, pipe)}, nil),
		roundTrip("round trip on a whole connection", e.pings,
			&figure{ID: "whole_round_trip_p50", Name: "no HTTP, round trip, p50", Unit: "ms"}),
	}
}

// footprint measures an agent from its start: the MB of its program, those of memory that
// it has had at most while idle, and with many connections that have carried requests.
func (w *workload) footprint(program, idle, busy *figure) trial {
	return trial{
		name:    "memory of a team's agent",
		figures: []*figure{program, idle, busy},
		run: func(ctx context.Context, _ *contender) ([]float64, error) {
			team, err := w.share(ctx, teamKeys)
			if err != nil {
				return nil, err
			}
			defer team.close()
			if err := pause(ctx, settle); err != nil {
				return nil, err
			}
			pid, ok := agentProcess(team.agent)
			if !ok {
				return []float64{math.NaN(), math.NaN(), math.NaN()}, nil
			}
			size, err := process.ProgramSize(pid)
			if err != nil {
				return nil, err
			}
			before, err := process.PeakMemory(pid)
			if err != nil {
				return nil, err
			}
			var peak int64
			err = whileOpen(ctx, team.contender, portHTTP, openConnections, askMuch, func() (err error) {
				peak, err = process.PeakMemory(pid)
				return err
			})
			return []float64{float64(size) / mega, float64(before) / mega, float64(peak) / mega}, err
		},
	}
}
