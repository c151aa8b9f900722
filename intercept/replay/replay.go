package replay

import (
	"context"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/devtun/devtun/intercept/look"
	"github.com/devtun/devtun/tunnel/proxy"
)

// Quiet is how long a local process may say nothing before a copy is given up.
const Quiet = 15 * time.Minute

// Dial connects to the local process that stands for the agent's port.
type Dial func(ctx context.Context, port int) (net.Conn, error)

// Replayer sends copies. Make it with New.
type Replayer struct {
	dial   Dial
	shared shared
}

// New returns a Replayer that connects by dial.
func New(dial Dial) *Replayer { return &Replayer{dial: dial, shared: newShared(dial)} }

// Close closes the connections that copies have shared.
func (r *Replayer) Close() { r.shared.close() }

// Serve sends one copy to the local process for the agent's port, and returns once that
// has answered it. The error is why it was not answered, or not given whole.
func (r *Replayer) Serve(ctx context.Context, port int, from io.Reader) error {
	copied, err := look.NewReader(from)
	if err != nil {
		return err
	}
	if copied.Protocol == proxy.HTTP2 && copied.Method != "" {
		err = r.shared.send(ctx, port, copied)
	} else {
		err = r.sendBytes(ctx, port, copied)
	}
	if err != nil {
		return fmt.Errorf("send copy: %w", err)
	}
	return nil
}
