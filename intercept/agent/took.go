package agent

import (
	"context"
	"slices"

	"github.com/devtun/devtun/intercept/wire"
)

// keptLinks is of how many links of a claim, the latest, it is known what was taken.
const keptLinks = 8

// takenOf is what is known of a link.
type takenOf struct {
	link     string // wire.Hello.Link
	openings *wire.Openings
}

// keep has the agent know of a link of a claim what it has taken. Call it with mu held.
func (a *Agent) keep(claim, link string, of *wire.Link) {
	kept := append(a.taken[claim], takenOf{link, of.Openings()})
	a.taken[claim] = kept[max(0, len(kept)-keptLinks):]
}

// took says whether a stream of a claim's links was taken, which its developer's side lost.
func (a *Agent) took(ctx context.Context, claim string, at wire.Place, stream *wire.Stream) {
	a.mu.Lock()
	kept := a.taken[claim]
	of := slices.IndexFunc(kept, func(t takenOf) bool { return t.link == at.Link })
	a.mu.Unlock()
	if of >= 0 {
		if yes, known := kept[of].openings.Took(at); known {
			if wire.SendTook(stream, yes) == nil {
				stream.AwaitEnd(ctx)
			}
			return
		}
	}
	stream.Refuse("that is too long ago")
}
