package forward

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/devtun/devtun/cmd/cli/forwards"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/cmd/cli/selection"
)

// CommandTeller tells what matters to somebody who waits for a command, and when
// everything is ready for it.
type CommandTeller struct {
	Out     output.Writer
	Verbose bool
	Part    bool // of an intercept, which is ready later
	Ready   chan struct{}
	Moves   bool                     // --port moves a service's port
	denied  []*forwards.ServiceEvent // services with a port that this process may not listen on
}

// Tell is called by one goroutine until everything is ready.
func (w *CommandTeller) Tell(selected *selection.Selection, event forwards.Event) {
	switch {
	case event.Service != nil && lacksRights(event.Service):
		w.denied = append(w.denied, event.Service)
	case event.Service != nil && !w.Verbose && event.Service.State != forwards.Failed:
	case event.Ready != nil:
		if w.Part {
			w.Out.Write(Summary(event.Ready))
		} else {
			TellReady(w.Out, selected, event.Ready)
		}
		w.tellDenied(selected.Namespace)
		close(w.Ready)
	default:
		Tell(w.Out, event, selected.Namespace, w.Verbose)
	}
}

// lacksRights reports that nothing but rights keeps a service from being whole.
func lacksRights(event *forwards.ServiceEvent) bool {
	return len(event.Refused) > 0 &&
		!slices.ContainsFunc(event.Refused, func(e *forwards.PortError) bool { return !errors.Is(e, os.ErrPermission) })
}

// tellDenied says which services are out of reach, and what to do about it.
func (w *CommandTeller) tellDenied(namespace string) {
	if len(w.denied) == 0 {
		return
	}
	var names []string
	for _, event := range w.denied {
		names = append(names, PodLabel(event, namespace))
	}
	w.Out.Write(output.Warning{
		Message: fmt.Sprintf("only root may listen on ports below 1024: those of %s cannot be reached",
			strings.Join(names, ", ")),
		Hint: w.hint(namespace),
	})
}

// hint names the flags that bring the ports back, for the first few of them.
func (w *CommandTeller) hint(namespace string) string {
	const enough = 3
	hint := "add --hosts system"
	var moves []string
	for _, event := range w.denied {
		if event.Pod == "" { // a pod's port moves with its service's
			moves = append(moves, movesOf(event, namespace)...)
		}
	}
	if !w.Moves || len(moves) == 0 {
		return hint
	}
	if len(moves) > enough {
		moves = append(moves[:enough], "…")
	}
	return hint + ", or move the port: " + strings.Join(moves, " ")
}

// movesOf are the flags that move a service's low ports to where it has none.
func movesOf(event *forwards.ServiceEvent, namespace string) (flags []string) {
	var taken []int
	for _, port := range event.Ports {
		taken = append(taken, port.Local)
	}
	moved := make(map[int]bool) // with the port of the other protocol
	for _, e := range event.Refused {
		if moved[e.Port.Remote] {
			continue
		}
		moved[e.Port.Remote] = true
		local := forwards.HighPort(e.Port.Local, taken)
		taken = append(taken, local)
		flags = append(flags, fmt.Sprintf("--port %s:%d:%d", Label(e.Service, namespace), local, e.Port.Remote))
	}
	return flags
}
