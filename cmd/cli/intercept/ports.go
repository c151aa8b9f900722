package intercept

import (
	"context"
	"fmt"
	"maps"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/devtun/devtun/cmd/cli/background"
	"github.com/devtun/devtun/cmd/cli/status"
	"github.com/devtun/devtun/intercept"
	"github.com/devtun/devtun/internal/pause"
)

// A forward keeps a local process from its port: the kernel lets nobody listen on all
// addresses while somebody listens on the port of one (bind(2), EADDRINUSE). Whose
// forward it is does not matter: this session's, or another's.

const (
	sharedHint     = "have the process listen on localhost alone, or on another port with --port LOCAL:PORT"
	sharedHintHeld = "have the process listen on localhost alone or on another port (ports: [LOCAL:PORT]), or move the " +
		"service's (forward: ports: [SERVICE:LOCAL:REMOTE])"

	// othersTimeout bounds the questions to other sessions.
	othersTimeout = 2 * time.Second

	// sharedEvery is how often, at most, it is looked for services that have come.
	sharedEvery = time.Second
)

// reported is what has been said of which service and port.
type reported map[string]bool

// sharedPorts says, for each port of a local process of this machine's that a forward has
// as well, which services' that is, but for what has been told.
func sharedPorts(locals []intercept.Local, told reported, sessions ...status.Snapshot) (texts []string) {
	services := make(map[int][]string)
	for _, l := range locals {
		if port, here := herePort(l.Address); here {
			services[port] = nil
		}
	}
	for _, s := range sessions {
		for _, service := range s.Services {
			label := service.Service
			if service.Namespace != s.Namespace {
				label += "." + service.Namespace
			}
			if s.PID != os.Getpid() {
				label += " (session " + s.Session + ")"
			}
			for _, port := range service.Ports {
				known, ours := services[port.Local]
				key := fmt.Sprintf("%s:%d", label, port.Local)
				if ours && service.Address != "" && !told[key] {
					told[key] = true
					services[port.Local] = append(known, label)
				}
			}
		}
	}
	for _, port := range slices.Sorted(maps.Keys(services)) {
		if len(services[port]) > 0 {
			texts = append(texts,
				fmt.Sprintf("the forward of %s uses port %d too: the process here cannot listen there on all addresses",
					strings.Join(services[port], ", "), port))
		}
	}
	return texts
}

// herePort is the port of a local address that is this machine's loopback, or all of its
// addresses; false for another machine's.
func herePort(address string) (int, bool) {
	host, port, err := net.SplitHostPort(address)
	number, numberErr := strconv.Atoi(port)
	if err != nil || numberErr != nil {
		return 0, false
	}
	ip := net.ParseIP(host)
	return number, host == "" || host == "localhost" || ip.IsLoopback() || ip.IsUnspecified()
}

// SameHere is a local address, all of this machine's written in one way.
func SameHere(address string) string {
	if port, here := herePort(address); here {
		return net.JoinHostPort("localhost", strconv.Itoa(port))
	}
	return address
}

// otherSessions are this user's sessions that other processes hold, as far as they answer.
func otherSessions(ctx context.Context) (others []status.Snapshot) {
	ctx, cancel := context.WithTimeout(ctx, othersTimeout)
	defer cancel()
	directory, err := background.Default()
	if err != nil {
		return nil
	}
	names, _ := directory.Running()
	for _, name := range names {
		if s, err := directory.Client(name).Snapshot(ctx); err == nil && s.PID != os.Getpid() {
			others = append(others, s)
		}
	}
	return others
}

// tellPorts says, before the traffic comes and COMMAND starts, what is on the local
// process's ports: forwards, and processes that listen there already.
func (h *hold) tellPorts(ctx context.Context) reported {
	told := make(reported)
	h.tellShared(told, otherSessions(ctx)...)
	for _, l := range h.agents.Listening(ctx) {
		name, here := listener(l)
		if !here {
			continue // COMMAND would not listen there
		}
		text := fmt.Sprintf("%s listens on %s already: the cluster's requests go there", name, intercept.Shown(l.Address))
		hint := ""
		if h.program != nil {
			text = fmt.Sprintf(
				"%s listens on %s already, and is not COMMAND: the cluster's requests go there as long as it does", name,
				intercept.Shown(l.Address))
			hint = "stop it, or have COMMAND listen on another port with --port LOCAL:PORT"
		}
		h.Events.Note(text, hint)
	}
	return told
}

// tellShared says what is new about forwards that have a local process's port.
func (h *hold) tellShared(told reported, others ...status.Snapshot) {
	texts := sharedPorts(h.Locals, told, append([]status.Snapshot{h.tracker.Snapshot()}, others...)...)
	for i, text := range texts {
		hint := "" // once, behind the last
		if i == len(texts)-1 {
			hint = sharedHint
			if h.Events.InSession {
				hint = sharedHintHeld
			}
		}
		h.Events.Note(text, hint)
	}
}

// watchPorts goes on with that, for services that come later.
func (h *hold) watchPorts(ctx context.Context, told reported) {
	for {
		changed := h.tracker.Changed()
		h.tellShared(told)
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
		if pause.Sleep(ctx, sharedEvery) != nil { // many changes come together
			return
		}
	}
}
