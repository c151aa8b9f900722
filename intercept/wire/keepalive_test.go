package wire

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// valve is a transport that can be shut: then nothing passes, and nothing fails.
type valve struct {
	Transport
	mu   sync.Mutex
	shut chan struct{} // nil, or closed on open
	gone chan struct{}
	end  func()
}

func newValve(conn Transport) *valve {
	v := &valve{Transport: conn, gone: make(chan struct{})}
	v.end = sync.OnceFunc(func() { close(v.gone) })
	return v
}

func (v *valve) set(shut bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case shut:
		v.shut = make(chan struct{})
	case v.shut != nil:
		close(v.shut)
		v.shut = nil
	}
}

func (v *valve) pass() {
	v.mu.Lock()
	shut := v.shut
	v.mu.Unlock()
	if shut != nil {
		select {
		case <-shut:
		case <-v.gone:
		}
	}
}

func (v *valve) Read(p []byte) (int, error) {
	n, err := v.Transport.Read(p)
	v.pass()
	return n, err
}

func (v *valve) Write(p []byte) (int, error) {
	v.pass()
	return v.Transport.Write(p)
}

func (v *valve) Abort() {
	v.end()
	v.Transport.Abort()
}

func TestSilenceIsNoticedAtBothEnds(t *testing.T) {
	t.Parallel()
	a, b := connect(t)
	v := newValve(a)
	developer, agent := greet(t, v, b)
	atDeveloper, atAgent := make(chan bool, 10), make(chan bool, 10)
	run(t, developer, agent,
		Handler{Presence: func(present bool) { atDeveloper <- present }},
		Handler{Presence: func(present bool) { atAgent <- present }})
	require.Eventually(t, func() bool { return agent.RoundTrip() > 0 && developer.RoundTrip() > 0 }, soon,
		time.Millisecond)
	v.set(true)
	require.False(t, <-atAgent)
	require.False(t, <-atDeveloper)
	require.False(t, agent.Present())
	v.set(false)
	require.True(t, <-atAgent)
	require.True(t, <-atDeveloper)
	require.True(t, agent.Present())
}

// TestSilenceIsNoticedInTime says when.
func TestSilenceIsNoticedInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := new(Link)
		c := &connection{link: l, pace: firstPace, transport: &transport{}, out: newOutbox(), ended: make(chan struct{})}
		l.first, c.keepalive = c, newKeepalive(c)
		presence, ended := make(chan bool, 1), make(chan error, 1)
		h := Handler{Presence: func(present bool) { presence <- present }}
		go func() { ended <- c.keepalive.run(func() { l.tellPresence(h) }) }()
		for range 100 { // heartbeats, and what comes between
			time.Sleep(time.Duration(firstPace.heartbeatEvery) * tick)
			c.transport.heard.Add(1)
		}
		require.Empty(t, presence)
		since := time.Now()
		require.False(t, <-presence)
		require.InDelta(t, silentAfter*tick, time.Since(since), float64(tick))

		c.transport.heard.Add(1)
		since = time.Now()
		require.True(t, <-presence)
		require.InDelta(t, 0, time.Since(since), float64(tick))

		since = time.Now()
		require.False(t, <-presence)
		require.ErrorIs(t, <-ended, ErrSilent)
		require.InDelta(t, giveUpAfter*tick, time.Since(since), float64(tick))
	})
}

func TestASilentLinkIsGivenUp(t *testing.T) {
	t.Parallel()
	a, b := connect(t)
	v := newValve(a)
	developer, agent := greet(t, v, b)
	agent.first.keepalive.giveUpAfter = 12
	var running sync.WaitGroup
	running.Go(func() { developer.Run(context.Background(), Handler{}) })
	ended := make(chan error, 1)
	running.Go(func() { ended <- agent.Run(context.Background(), Handler{}) })
	require.Eventually(t, func() bool { return agent.RoundTrip() > 0 }, soon, time.Millisecond)
	v.set(true)
	require.ErrorIs(t, <-ended, ErrSilent)
	v.set(false)
	running.Wait() // it learns of it
	require.ErrorIs(t, developer.lost(), ErrLost)
}

func TestCloseDoesNotWaitForASilentFarSide(t *testing.T) {
	a, b := connect(t)
	developer, agent := greet(t, a, b)
	ended := make(chan error, 1)
	go func() { ended <- agent.Run(context.Background(), Handler{}) }()
	agent.Close() // the developer's end is not even run
	select {
	case err := <-ended:
		require.ErrorIs(t, err, ErrClosed)
	case <-time.After(soon):
		t.Fatal("it waits")
	}
	require.Error(t, developer.Run(t.Context(), Handler{}))
}

func TestALinkThatIsNotWantedEnds(t *testing.T) {
	a, b := connect(t)
	developer, agent := greet(t, a, b)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, developer.Run(ctx, Handler{}), context.Canceled)
	require.Error(t, agent.Run(t.Context(), Handler{}))
}

// jam is a transport whose writes may be stopped, while what comes is read on.
type jam struct {
	Transport
	valve *valve
}

func (j *jam) Write(p []byte) (int, error) {
	j.valve.pass()
	return j.Transport.Write(p)
}

func (j *jam) Abort() { j.valve.Abort() }

// TestAResetHoldsNoMessageUp: the stream's end has to wait for a transport that is full, and
// what the far side says next has not.
func TestAResetHoldsNoMessageUp(t *testing.T) {
	t.Parallel()
	a, b := connect(t)
	jammed := &jam{b, newValve(b)}
	developer, agent := greet(t, a, jammed)
	opened, said := make(chan *Stream), make(chan Message, 1)
	run(t, developer, agent, Handler{Stream: func(ctx context.Context, _ Opening, stream *Stream) {
		opened <- stream
		<-ctx.Done()
	}}, Handler{Message: func(m Message) { said <- m }})
	idle, far := open(t, agent, opened)
	var full []*Stream
	for range 4 {
		at, _ := open(t, agent, opened)
		full = append(full, at)
	}
	var writing sync.WaitGroup
	defer writing.Wait()
	jammed.valve.set(true)
	for _, at := range full {
		defer at.Abort()
		writing.Go(func() { at.Write(make([]byte, writeBuffer)) })
	}
	defer jammed.valve.set(false)
	require.Eventually(t, func() bool {
		agent.first.transport.mu.Lock()
		defer agent.first.transport.mu.Unlock()
		return len(agent.first.transport.pending) >= writeBuffer
	}, soon, pollEvery)

	far.Abort()
	<-idle.Broken()
	developer.Drain()
	select {
	case m := <-said:
		require.Equal(t, typeDrain, m.Type)
	case <-time.After(soon):
		require.Fail(t, "the message waits behind the reset")
	}
}

// A busy way takes longer to answer, and is no longer for that.
func TestTheDistanceIsTheShortestRoundTrip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &connection{link: &Link{}, out: newOutbox()}
		c.keepalive = newKeepalive(c)
		for _, roundTrip := range []time.Duration{90 * time.Millisecond, 50 * time.Millisecond, time.Second} {
			n := c.keepalive.heartbeat()
			time.Sleep(roundTrip)
			c.keepalive.echoed(n)
		}
		require.EqualValues(t, 50*time.Millisecond, c.keepalive.nearest.Load())
		require.Greater(t, c.keepalive.roundTrip.Load(), int64(200*time.Millisecond))
		require.Equal(t, mostWindow, c.window(agentLimit))
		c.link.count.Store(4)
		require.Equal(t, agentLimit.all/4, c.window(agentLimit))
		require.Equal(t, developerLimit.all/4, c.window(developerLimit))
	})
}
