package agent

import (
	"context"
	"strings"
	"time"

	"github.com/devtun/devtun/intercept/wire"
	"github.com/devtun/devtun/internal/pause"
)

// filesEvery is how often the files are looked at while somebody follows them.
const filesEvery = time.Second

// handOver answers what the developer's side asks for on streams of its own.
func (a *Agent) handOver(ctx context.Context, opening wire.Opening, stream *wire.Stream) {
	var err error
	switch opening.Kind {
	case wire.KindEnvironment:
		err = wire.SendEnvironment(stream, handedOver(a.Environ))
	case wire.KindFiles:
		err = a.sendFiles(ctx, opening.Unlike, stream)
	default:
		stream.Refuse("the agent does not know streams of kind " + string(opening.Kind))
		return
	}
	if err != nil {
		a.Log.Warn("hand-over failed", "kind", opening.Kind, "error", err)
		return
	}
	stream.AwaitEnd(ctx)
}

// handedOver is the environment without the agent's own.
func handedOver(environ []string) []string {
	var handed []string
	for _, pair := range environ {
		if !strings.HasPrefix(pair, ConfigVariable+"=") {
			handed = append(handed, pair)
		}
	}
	return handed
}

// sendFiles sends the files once they are unlike those of the sum given.
func (a *Agent) sendFiles(ctx context.Context, unlike string, stream *wire.Stream) error {
	var looked string // stamp of the files that were summed last
	for {
		if stamp := stampFiles(a.Config.Files); stamp != looked {
			looked = stamp
			if files := sumFiles(a.Config.Files); files.Sum != unlike {
				return wire.SendFiles(stream, files, filesWriter(a.Config.Files, files.Sum))
			}
		}
		if pause.Until(ctx, stream.Broken(), filesEvery) != nil || stream.Err() != nil {
			return nil
		}
	}
}
