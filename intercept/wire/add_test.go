package wire

import (
	"context"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// wide is a link, and the streams that arrive at the developer's end of it.
type wide struct {
	developer, agent *Link
	a, b             Transport // the first connection's ends
	streams          chan *Stream
}

// newWide returns a link to which so many connections have been added.
func newWide(t *testing.T, added int) *wide {
	t.Helper()
	a, b := connect(t)
	w := &wide{a: a, b: b, streams: make(chan *Stream)}
	w.developer, w.agent = greet(t, a, b)
	run(t, w.developer, w.agent, Handler{Stream: func(ctx context.Context, _ Opening, stream *Stream) {
		select {
		case w.streams <- stream:
		case <-ctx.Done():
		}
		<-ctx.Done()
	}}, Handler{})
	for i := range added {
		w.add(t, i+1)
	}
	return w
}

// add adds a connection, and waits until there are so many.
func (w *wide) add(t *testing.T, then int) (a, b Transport) {
	t.Helper()
	a, b = connect(t)
	require.NoError(t, w.developer.Add(a))
	require.NoError(t, w.agent.Add(b))
	w.await(t, then)
	return a, b
}

// await waits until both ends have so many added connections.
func (w *wide) await(t *testing.T, added int) {
	t.Helper()
	require.Eventually(t, func() bool {
		return len(w.developer.connections()) == added && len(w.agent.connections()) == added
	}, soon, pollEvery)
}

func (l *Link) connections() []*connection {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]*connection(nil), l.added...)
}

func TestStreamsGoByAddedConnections(t *testing.T) {
	w := newWide(t, 2)
	before, _ := open(t, w.agent, w.streams)
	at, far := open(t, w.agent, w.streams)
	require.NotSame(t, w.agent.first, at.conn)
	require.NotSame(t, before.conn, at.conn, "it has less to do")
	transferAll(t, at, far, 1<<20)
	require.Equal(t, 2, int(w.agent.count.Load()), "of all connections")
}

func TestNewStreamsAvoidBulk(t *testing.T) {
	w := newWide(t, 1)
	wanted := func() bool {
		select {
		case <-w.agent.Wants():
			return true
		default:
			return false
		}
	}
	require.False(t, wanted(), "nothing is carried yet")
	bulk, far := open(t, w.agent, w.streams)
	<-w.agent.Wants() // it is alone
	w.add(t, 2)
	wanted()
	open(t, w.agent, w.streams)
	require.Never(t, wanted, 3*tendEvery, pollEvery)
	go io.Copy(bulk, &pattern{left: 1 << 40})
	go io.Copy(io.Discard, far)
	require.Eventually(t, func() bool { return bulk.conn.bulk.Load() == 1 && far.conn.bulk.Load() == 1 }, soon, pollEvery)
	for range 5 {
		at, _ := open(t, w.agent, w.streams)
		require.NotSame(t, bulk.conn, at.conn)
	}
	more, far := open(t, w.agent, w.streams)
	go io.Copy(more, &pattern{left: 1 << 40})
	go io.Copy(io.Discard, far)
	<-w.agent.Wants()
	<-w.developer.Wants() // who reads knows it too
}

// TestBriefStreamsGoTogether: streams that come and go quickly share a connection, and others
// do not.
func TestBriefStreamsGoTogether(t *testing.T) {
	w := newWide(t, 2)
	one, two := w.agent.connections()[0], w.agent.connections()[1]
	require.Same(t, one, w.agent.pick())
	one.count.Add(1)
	require.Same(t, two, w.agent.pick())
	load := w.agent.Load()
	require.Positive(t, load)

	one.gone.Add(manyBrief)
	one.measure()
	require.Same(t, one, w.agent.pick())
	require.Less(t, w.agent.Load(), load)
	one.count.Add(together)
	require.Same(t, two, w.agent.pick(), "there are too many")
	one.count.Add(-together)
	for range stayBrief {
		one.measure()
	}
	require.Same(t, two, w.agent.pick(), "no more have gone for a while")
	one.count.Add(-1)
}

func TestAnAddedConnectionEndsAlone(t *testing.T) {
	w := newWide(t, 0)
	first, _ := open(t, w.agent, w.streams)
	a, _ := w.add(t, 1)
	second, _ := open(t, w.agent, w.streams)
	a.Abort()
	<-second.Broken()
	require.ErrorIs(t, second.Err(), ErrLost)
	require.NoError(t, first.Err())
	w.await(t, 0)
	third, far := open(t, w.agent, w.streams)
	transferAll(t, third, far, 1<<20)
	require.True(t, w.agent.Present())
	require.EqualValues(t, 2, int(w.agent.count.Load()))
}

func TestTheFirstConnectionsEndIsTheLinks(t *testing.T) {
	w := newWide(t, 1)
	at, _ := open(t, w.agent, w.streams)
	w.a.Abort()
	<-at.Broken()
	require.ErrorIs(t, at.Err(), ErrLost)
	<-w.agent.Ended()
	<-w.developer.Ended()
	a, b := connect(t)
	require.ErrorIs(t, w.agent.Add(b), ErrLost)
	_, err := a.Read(make([]byte, 1))
	require.Error(t, err, "what was to be added is closed")
}

// While the first connection is silent, the others say that the far side is there.
func TestAnAddedConnectionIsASignOfLife(t *testing.T) {
	t.Parallel()
	a, b := connect(t)
	v := newValve(a)
	developer, agent := greet(t, v, b)
	told := make(chan bool, 10)
	run(t, developer, agent, Handler{}, Handler{Presence: func(present bool) { told <- present }})
	c, d := connect(t)
	added := newValve(c)
	require.NoError(t, developer.Add(added))
	require.NoError(t, agent.Add(d))
	require.Eventually(t, func() bool { return len(agent.connections()) == 1 }, soon, pollEvery)
	v.set(true)
	defer v.set(false)
	require.Eventually(t, func() bool { return !agent.first.keepalive.heardWithin(3 * silentAfter) }, soon, pollEvery)
	require.True(t, agent.Present())
	added.set(true)
	defer added.set(false)
	require.False(t, <-told)
	require.False(t, agent.Present())
}

// What is not used goes, and the one that was picked last stays.
func TestIdleConnectionsGo(t *testing.T) {
	t.Parallel()
	w := newWide(t, 2)
	longAgo := func() {
		w.developer.mu.Lock()
		defer w.developer.mu.Unlock()
		for _, c := range w.developer.added {
			c.used = time.Now().Add(-2 * idleAfter)
		}
	}
	longAgo()
	require.Eventually(t, func() bool {
		agents := w.agent.connections()
		return agents[0].resting.Load() != agents[len(agents)-1].resting.Load()
	}, soon, pollEvery)
	at, far := open(t, w.agent, w.streams)
	require.False(t, at.conn.resting.Load())
	longAgo()
	w.await(t, 1)
	transferAll(t, at, far, 1<<20)
}
