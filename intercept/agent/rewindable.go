package agent

import "github.com/devtun/devtun/tunnel/relay"

// keptBytes is how much of a client's first bytes is kept. It is less than a stream's
// first window, so that sending them never waits for the developer's side to read.
const keptBytes = 64 << 10

// rewindable is a client's connection that can still go elsewhere, until it is bound to
// whoever takes it.
type rewindable struct {
	*relay.Rewindable
	client *client
}

func newRewindable(c *client) rewindable {
	return rewindable{relay.NewRewindable(detachable{c}, keptBytes, true), c}
}

// reroute readies a connection that was detached, for the next attempt, with the
// request that nobody has answered.
func (r rewindable) reroute() { r.Restart(r.client.reattach()) }

// detachable is a client's connection whose end is kept from the client if it may go
// elsewhere.
type detachable struct{ *client }

func (d detachable) CloseWrite() error {
	if d.detach(true) {
		return nil
	}
	return d.client.CloseWrite()
}

func (d detachable) Abort() {
	if !d.detach(true) {
		d.client.Abort()
	}
}
