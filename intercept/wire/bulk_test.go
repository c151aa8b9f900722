package wire

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// slowly is slow, and takes parts.
type slowly struct{ *slow }

func (s slowly) Writev(parts [][]byte) error {
	var all strings.Builder
	for _, part := range parts {
		all.Write(part)
	}
	_, err := s.Write([]byte("parts " + all.String()))
	return err
}

// TestBulkLeavesFromWhereItIs: in frames, behind what was pending, unless somebody writes.
func TestBulkLeavesFromWhereItIs(t *testing.T) {
	s := newSlow()
	tr := newTransport(slowly{s}, time.Minute, nobody{})
	all := strings.Repeat("bulk", (2*maxWrite+maxWrite/2)/4)
	frames := frame(all[:maxWrite]) + frame(all[:maxWrite]) + frame(all[:maxWrite/2])
	require.NoError(t, tr.send(2, []byte("lazy"), true))
	var sending sync.WaitGroup
	send := func() {
		sending.Go(func() { require.NoError(t, tr.sendBulk(2, []byte(all), false)) })
	}
	next := func() string {
		<-s.let
		<-s.begun
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.wrote[len(s.wrote)-1]
	}
	send()
	<-s.begun
	require.NoError(t, tr.send(2, []byte("meanwhile"), false))
	s.mu.Lock()
	require.Equal(t, []string{"parts " + frame("lazy") + frames}, s.wrote)
	s.mu.Unlock()
	require.Equal(t, frame("meanwhile"), next())
	send() // by who writes
	require.Eventually(t, func() bool {
		tr.mu.Lock()
		defer tr.mu.Unlock()
		return len(tr.pending) == len(frames)
	}, soon, pollEvery)
	require.Equal(t, frames, next())
	<-s.let
	sending.Wait()
	require.NoError(t, tr.Close())
	require.Error(t, tr.sendBulk(2, []byte(all), false))
}
