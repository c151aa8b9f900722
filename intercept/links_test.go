package intercept

import (
	"context"
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/devtun/devtun/intercept/wire"
)

// toLocal starts a local process, and says that the port is for it.
func toLocal(t *testing.T) Local {
	return Local{Port: port, Address: serve(t, "127.0.0.1:0", "local").Addr().String()}
}

func TestTwoAgents(t *testing.T) {
	w := newWorld(t, 2)
	one := w.start("one")
	s, r := w.standing(toLocal(t))
	w.eventually(func() bool { return one.who() == "local" })
	two := w.start("two")
	w.eventually(func() bool { return two.who() == "local" })
	w.eventually(func() bool {
		now := w.told.traffic()
		return now.To == wire.ToDeveloper && now.Agents == 2 && now.Developer == 2
	})
	standing, err := s.Agent(t.Context())
	require.NoError(t, err)
	require.True(t, standing.Present())

	require.NoError(t, r.stop())
	w.eventually(func() bool { return one.who() == "origin" && two.who() == "origin" })
	require.GreaterOrEqual(t, s.Summary().Taken, 2)
	require.Zero(t, s.Summary().Open)
	_, err = s.Agent(t.Context())
	require.ErrorIs(t, err, errOver)
}

// What a connection carries is counted while it is open.
func TestBytesAreCountedAsTheyGo(t *testing.T) {
	w := newWorld(t, 1)
	one := w.start("one")
	s, _ := w.standing(toLocal(t))
	w.eventually(func() bool { return one.who() == "local" })
	w.eventually(func() bool { return s.Summary().Open == 0 })
	before := s.Summary()
	conn, err := net.Dial("tcp", one.address("", port))
	require.NoError(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, "hello")
	require.NoError(t, err)
	w.eventually(func() bool {
		now := s.Summary()
		return now.Open == 1 && now.Sent == before.Sent+int64(len("hello")) &&
			now.Received == before.Received+int64(len("local"))
	})
}

func TestReconnect(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	one := w.start("one")
	w.standing(toLocal(t))
	w.eventually(func() bool { return one.who() == "local" })
	for range 3 {
		w.network.cut()
		began := time.Now()
		w.eventually(func() bool { return one.who() == "origin" || time.Since(began) > 50*time.Millisecond })
		w.eventually(func() bool { return one.who() == "local" })
	}
	require.True(t,
		w.told.has(func(e Event) bool { return e.Link != nil && e.Link.State == Disconnected && e.Link.Reason != "" }))
}

// The agent's pod is replaced by another, at another address.
func TestANewPod(t *testing.T) {
	w := newWorld(t, 1)
	one := w.start("one")
	s, _ := w.standing(toLocal(t))
	w.eventually(func() bool { return one.who() == "local" })
	two := w.start("two")
	w.removePod("one")
	one.stop()
	w.eventually(func() bool { return two.who() == "local" })
	w.eventually(func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.links) == 1
	})
}

// A watch that has died without a word does not keep a new pod from being found.
func TestANewPodThatNoWatchTellsOf(t *testing.T) {
	w := newWorld(t, 1)
	one := w.start("one")
	w.deafWatches("pods")
	w.standing(toLocal(t))
	w.eventually(func() bool { return one.who() == "local" })
	two := w.run("two", "4f1c")
	w.addPod(two.pod)
	w.removePod("one")
	one.stop()
	w.eventually(func() bool { return two.who() == "local" })
}

func TestABlackHole(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	one := w.start("one")
	w.standing(toLocal(t))
	w.eventually(func() bool { return one.who() == "local" })

	w.network.swallow()
	w.eventually(func() bool { return one.who() == "origin" })
	w.eventually(func() bool { return w.told.traffic().To == wire.ToOrigin })
	require.True(t, w.told.has(func(e Event) bool { return e.Link != nil && e.Link.State == Silent }))

	w.network.back()
	w.eventually(func() bool { return one.who() == "local" })
}

func TestAnotherIntercept(t *testing.T) {
	w := newWorld(t, 1)
	w.start("one", "other")
	_, r := w.standing(toLocal(t))
	var refusal *wire.Refusal
	select {
	case err := <-r.ended:
		r.ended <- err
		require.ErrorAs(t, err, &refusal)
	case <-time.After(soon):
		require.Fail(t, "the standing goes on")
	}
	require.Equal(t, wire.WrongIdentity, refusal.Code)
}

// Whoever ends, or leaves others behind, lets a request in flight finish.
func TestDrain(t *testing.T) {
	t.Parallel()
	drain(t, (*Intercept).Drain)
}

func TestLeave(t *testing.T) {
	t.Parallel()
	drain(t, (*Intercept).Leave)
}

func drain(t *testing.T, by func(*Intercept, context.Context) error) {
	w := newWorld(t, 1)
	one := w.start("one")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	s, _ := w.standing(Local{Port: port, Address: listener.Addr().String()})
	w.eventually(func() bool { return w.told.traffic().To == wire.ToDeveloper })

	client, err := net.Dial("tcp", one.address("", port))
	require.NoError(t, err)
	defer client.Close()
	io.WriteString(client, "hello")
	process, err := listener.Accept()
	require.NoError(t, err)
	_, err = io.ReadFull(process, make([]byte, 5))
	require.NoError(t, err)

	drained := make(chan error, 1)
	go func() { drained <- by(s, t.Context()) }()
	w.eventually(func() bool { return w.told.traffic().To == wire.ToOrigin })
	require.Empty(t, drained)
	require.Equal(t, "origin", one.who())
	io.WriteString(process, "answer")
	process.Close()
	got, err := io.ReadAll(client)
	require.NoError(t, err)
	require.Equal(t, "answer", string(got))
	client.Close()
	require.NoError(t, <-drained)
	w.eventually(func() bool {
		return w.told.has(func(e Event) bool { return e.Connection != nil && e.Connection.Traffic.Received == 6 })
	})
	require.Equal(t, 1, s.Summary().Taken)
}

// TestOpen: streams go to the agent with the fewest, and to those that are there.
func TestOpen(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2)
	s, _ := w.standing(toLocal(t))
	_, err := s.Open(t.Context(), wire.Opening{Kind: wire.KindTap, Tap: &wire.Tap{}})
	require.ErrorIs(t, err, ErrUnlinked)

	one := w.start("one")
	w.start("two")
	linked := func(which, count int) func() bool {
		return func() bool { return s.leastBusy(nil) != nil && len(s.linked.Load()[which]) == count }
	}
	w.eventually(linked(0, 2))
	for range 6 {
		stream, err := s.Open(t.Context(), wire.Opening{Kind: wire.KindTap, Tap: &wire.Tap{}})
		require.NoError(t, err)
		defer stream.Close()
	}
	links := s.linked.Load()[0]
	require.InDelta(t, links[0].Streams(), links[1].Streams(), 1)

	ending := w.pod("one")
	ending.DeletionTimestamp, ending.ResourceVersion = new(metav1.Now()), "2"
	_, err = w.client.CoreV1().Pods(namespace).Update(t.Context(), ending, metav1.UpdateOptions{})
	require.NoError(t, err)
	w.eventually(linked(1, 1))
	leaving, staying := s.linked.Load()[1][0], s.linked.Load()[0][0]
	for range 6 { // though it has more
		require.Same(t, staying, s.leastBusy(nil))
		stream, err := s.Open(t.Context(), wire.Opening{Kind: wire.KindTap, Tap: &wire.Tap{}})
		require.NoError(t, err)
		defer stream.Close()
	}
	require.Same(t, leaving, s.leastBusy([]*wire.Link{staying}), "it is better than none")

	one.stop()
	w.removePod("one")
	w.eventually(linked(1, 0))
	stream, err := s.Open(t.Context(), wire.Opening{Kind: wire.KindTap, Tap: &wire.Tap{}})
	require.NoError(t, err)
	stream.Close()
}
