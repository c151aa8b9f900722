package cli

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/devtun/devtun/cmd/cli/forwards"
)

// runWatcher tells what matters to somebody who waits for a command, and when
// everything is ready for it.
type runWatcher struct {
	printer *printer
	ready   chan struct{}
	moves   bool                     // --port moves a service's port
	denied  []*forwards.ServiceEvent // services with a port that this process may not listen on
}

// tell is called by one goroutine until everything is ready.
func (w *runWatcher) tell(event forwards.Event) {
	switch {
	case event.Service != nil && denied(event.Service):
		w.denied = append(w.denied, event.Service)
	case event.Service != nil && !w.printer.verbose && event.Service.State != forwards.Failed:
	case event.Ready != nil:
		w.printer.tell(event)
		w.tellDenied()
		close(w.ready)
	default:
		w.printer.tell(event)
	}
}

// denied reports that nothing but rights keeps a service from being whole.
func denied(event *forwards.ServiceEvent) bool {
	return len(event.Refused) > 0 &&
		!slices.ContainsFunc(event.Refused, func(e *forwards.PortError) bool { return !errors.Is(e, os.ErrPermission) })
}

// tellDenied says which services are out of reach, and what to do about it.
func (w *runWatcher) tellDenied() {
	if len(w.denied) == 0 {
		return
	}
	var names []string
	for _, event := range w.denied {
		names = append(names, w.printer.label(event))
	}
	w.printer.tell(forwards.Event{Warning: &forwards.WarningEvent{Message: fmt.Sprintf(
		"ports below 1024 are root's to listen on: no such port of %s can be reached", strings.Join(names, ", "))}})
	if !w.printer.json {
		fmt.Fprintln(w.printer.streams.Err, "hint: "+w.hint())
	}
}

// hint names the flags that bring the ports back, for the first few of them.
func (w *runWatcher) hint() string {
	const enough = 3
	hint := "add --hosts system"
	var moves []string
	for _, event := range w.denied {
		if event.Pod == "" { // a pod's port moves with its service's
			moves = append(moves, w.movesOf(event)...)
		}
	}
	if !w.moves || len(moves) == 0 {
		return hint
	}
	if len(moves) > enough {
		moves = append(moves[:enough], "…")
	}
	return hint + ", or move the port: " + strings.Join(moves, " ")
}

// movesOf are the flags that move a service's low ports to where it has none.
func (w *runWatcher) movesOf(event *forwards.ServiceEvent) (flags []string) {
	var taken []int
	for _, port := range event.Ports {
		taken = append(taken, port.Local)
	}
	for _, e := range event.Refused {
		local := forwards.HighPort(e.Port.Local, taken)
		taken = append(taken, local)
		flags = append(flags, fmt.Sprintf("--port %s:%d:%d", w.printer.service(e.Service), local, e.Port.Remote))
	}
	return flags
}
