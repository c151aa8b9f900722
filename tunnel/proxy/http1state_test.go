package proxy

import (
	"io"
	"testing"

	"github.com/stretchr/testify/require"
)

// keeping is a destination whose end is not its clients'.
type keeping struct{ Destination }

func (keeping) KeepClient() bool { return true }

// takenAtOnce is an upstream that was taken from the start.
type takenAtOnce struct{ Upstream }

func (takenAtOnce) Taken() <-chan struct{} { return nil }

// TestAnEndBeforeTheRequestIsNotedAsSent: an answer may be faster than who has sent the
// request, and so may be the end behind it.
func TestAnEndBeforeTheRequestIsNotedAsSent(t *testing.T) {
	for name, c := range map[string]struct {
		to        Destination
		state     state
		forgotten bool
	}{"a developer": {keeping{}, idle, true}, "the origin": {nil, closing, false}} {
		t.Run(name, func(t *testing.T) {
			u := &upstream{Upstream: takenAtOnce{}, to: c.to}
			m := &machine{upstreams: []*upstream{u}, attend: func() {}, pipelined: func() bool { return false }}
			x := &exchange{request: &Request{Method: "GET"}, seen: &seen{}}
			m.asks(x)
			require.True(t, m.give(u, x))
			require.Equal(t, x, m.begun(u))
			m.answered(u, x)
			forgotten := m.ended(u, io.EOF) == forgetIt
			require.Equal(t, c.forgotten, forgotten)
			m.sent(x)
			require.Equal(t, c.state, m.state)
			require.Equal(t, !c.forgotten, len(m.upstreams) == 1)
		})
	}
}
