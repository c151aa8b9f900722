package wire

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWhatWasTakenIsKnown(t *testing.T) {
	var o Openings
	for _, stream := range []uint32{3, 9, 5} { // 7 is late
		require.True(t, o.take(0, stream))
	}
	require.True(t, o.take(1, 3))
	for at, want := range map[Place]bool{
		{Connection: 0, Stream: 3}: true, {Connection: 0, Stream: 5}: true, {Connection: 0, Stream: 9}: true,
		{Connection: 0, Stream: 7}: false, {Connection: 0, Stream: 11}: false,
	} {
		took, known := o.Took(at)
		require.True(t, known)
		require.Equal(t, want, took, "%v", at)
	}
	require.False(t, o.take(0, 7), "somebody was told that it was not")
	require.True(t, o.take(1, 5), "that was another connection")

	require.True(t, o.take(keptConnections, 3))
	_, known := o.Took(Place{Connection: 0, Stream: 3})
	require.False(t, known, "too long ago")
	require.LessOrEqual(t, len(o.of), keptConnections)
}

// TestAGapIsForgotten, for the worse: a stream that may have been taken is not opened again.
func TestAGapIsForgotten(t *testing.T) {
	var o Openings
	last := uint32(0)
	for i := range uint32(2 * mostBeyond) {
		if last = 2*i + 3; last == 11 {
			continue
		}
		require.True(t, o.take(0, last))
		require.LessOrEqual(t, len(o.of[0].beyond), mostBeyond)
	}
	for at, want := range map[uint32]bool{11: true, last: true, last + 2: false} {
		took, _ := o.Took(Place{Stream: at})
		require.Equal(t, want, took)
	}
}

// TestALostStreamIsAskedAbout by the next link: of an added connection, and of one that the
// agent never heard of.
func TestALostStreamIsAskedAbout(t *testing.T) {
	a, b := connect(t)
	developer, agent := greet(t, a, b)
	arrived := make(chan Opening, 1)
	run(t, developer, agent, Handler{}, Handler{Stream: func(_ context.Context, o Opening, stream *Stream) {
		switch o.Kind {
		case KindTook:
			took, _ := agent.Openings().Took(*o.Place)
			if SendTook(stream, took) == nil {
				stream.AwaitEnd(context.Background())
			}
		default:
			arrived <- o
			<-stream.Broken()
		}
	}})
	added, far := connect(t)
	require.NoError(t, developer.Add(added))
	require.NoError(t, agent.Add(far))
	require.Eventually(t, func() bool { return len(developer.connections()) == 1 }, soon, pollEvery)

	taken, err := developer.Open(t.Context(), Opening{Kind: KindDial})
	require.NoError(t, err)
	<-arrived
	require.Equal(t, Place{developer.Name(), 1, taken.id}, taken.Place())
	added.Abort()
	<-taken.Broken()
	took, err := developer.Took(t.Context(), taken.Place())
	require.NoError(t, err)
	require.True(t, took)

	vain := taken.Place()
	vain.Stream += 2
	took, err = developer.Took(t.Context(), vain)
	require.NoError(t, err)
	require.False(t, took)
}
