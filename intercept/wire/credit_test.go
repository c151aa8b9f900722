package wire

import (
	"io"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestShares(t *testing.T) {
	r := receiveLimit{all: 1000, least: 10}
	for streams, want := range map[int]int{0: 1000, 1: 1000, 2: 500, 1000: 10} {
		require.Equal(t, want, r.share(streams))
	}
	for roundTrip, want := range map[time.Duration]int{
		0: 16 << 20, 25 * time.Millisecond: 40 << 20, 50 * time.Millisecond: 64 << 20, time.Second: 64 << 20,
	} {
		require.Equal(t, want, windowAt(roundTrip))
	}
}

// What waits for a reader that lags does not become more.
func TestAWindowGrowsForWhoReads(t *testing.T) {
	c := newCredit()
	for _, step := range []struct {
		short, more bool
		want        int
	}{
		{false, true, firstWindow}, {true, false, firstWindow}, {false, true, firstWindow}, {true, true, 2 * firstWindow},
		{true, true, 4 * firstWindow}, {true, true, 8 * firstWindow}, {true, true, mostWindow}, {true, true, mostWindow},
	} {
		c.short = step.short
		c.earn(0, step.more)
		require.Equal(t, step.want, c.window)
	}
}

// Many clients that do not read must not fill the agent's memory.
func TestManyStalledReadersCostLittle(t *testing.T) {
	const many = 200
	agent, streams := pair(t)
	var at, far []*Stream
	for range many {
		a, f := open(t, agent, streams)
		at, far = append(at, a), append(far, f)
	}
	var sending sync.WaitGroup
	for _, f := range far {
		sending.Go(func() { f.Write(make([]byte, 4*agentLimit.all/many)); f.CloseWrite() })
	}
	waiting := func() (n int) {
		for _, f := range far {
			f.credit.mu.Lock()
			n += f.credit.waiting
			f.credit.mu.Unlock()
		}
		return n
	}
	require.Eventually(t, func() bool { return waiting() == many*agentLimit.share(many) }, soon, pollEvery)
	require.Never(t, func() bool { return waiting() > agentLimit.all }, 10*pollEvery, pollEvery)
	for _, a := range at { // and the moment they read, it goes on
		n, err := io.Copy(io.Discard, a)
		require.NoError(t, err)
		require.EqualValues(t, 4*agentLimit.all/many, n)
	}
	sending.Wait()
}

// A stream that was alone, and has not yet said what it read, must not wait for
// ever when others come and its share shrinks.
func TestAShareThatShrinksBlocksNobody(t *testing.T) {
	agent, streams := pair(t)
	at, far := open(t, agent, streams)
	first := firstWindow/4 - 1000 // not worth saying, for one stream
	_, err := far.Write(make([]byte, first))
	require.NoError(t, err)
	_, err = io.ReadFull(at, make([]byte, first))
	require.NoError(t, err)
	for range 300 {
		open(t, agent, streams)
	}
	go far.Write(make([]byte, 1000))
	_, err = io.ReadFull(at, make([]byte, 1000))
	require.NoError(t, err)
}
