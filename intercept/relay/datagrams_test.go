package relay

import (
	"bytes"
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestDatagrams(t *testing.T) {
	here, there := net.Pipe()
	a, b := NewDatagrams(here), NewDatagrams(there)
	defer a.Close()
	defer b.Close()
	buffer := make([]byte, MaxDatagram)
	for _, size := range []int{0, 1, 1200, MaxDatagram} {
		for _, way := range [][2]*Datagrams{{a, b}, {b, a}} {
			sent := bytes.Repeat([]byte{byte(size)}, size)
			n, err := way[0].Write(sent)
			require.NoError(t, err)
			require.Equal(t, size, n)
			n, err = way[1].Read(buffer)
			require.NoError(t, err)
			require.Equal(t, sent, buffer[:n])
		}
	}
	_, err := a.Write(make([]byte, MaxDatagram+1))
	require.ErrorIs(t, err, ErrDatagramTooLong)

	_, err = a.Write([]byte("what there is no room for is lost"))
	require.NoError(t, err)
	_, err = a.Write([]byte("next"))
	require.NoError(t, err)
	n, err := b.Read(buffer[:4])
	require.NoError(t, err)
	require.Equal(t, "what", string(buffer[:n]))
	n, err = b.Read(buffer)
	require.NoError(t, err)
	require.Equal(t, "next", string(buffer[:n]))
}

// TestDatagramsNeverWait: what a stream does not take is dropped beyond a bound.
func TestDatagramsNeverWait(t *testing.T) {
	here, there := net.Pipe() // whose far side does not read
	d := NewDatagrams(here)
	const size, count = 1000, 10_000
	for i := range count {
		n, err := d.Write(bytes.Repeat([]byte{byte(i)}, size))
		require.NoError(t, err)
		require.Equal(t, size, n)
	}
	d.mu.Lock()
	require.LessOrEqual(t, len(d.waiting), datagramQueue)
	d.mu.Unlock()

	read := NewDatagrams(there)
	buffer := make([]byte, MaxDatagram)
	for i := range 100 { // the first are whole, and in order
		n, err := read.Read(buffer)
		require.NoError(t, err)
		require.Equal(t, bytes.Repeat([]byte{byte(i)}, size), buffer[:n])
	}
	require.NoError(t, d.Close())
	_, err := d.Write([]byte("late"))
	require.Error(t, err)
	require.NoError(t, read.Close())
}

// said is a stream on which the far side has said something.
type said struct{ io.Reader }

func (said) Write(p []byte) (int, error) { return len(p), nil }
func (said) Close() error                { return nil }

func TestDatagramsEndWithTheirStream(t *testing.T) {
	d := NewDatagrams(said{bytes.NewReader([]byte{0, 3, 'a'})})
	_, err := d.Read(make([]byte, 10))
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.NoError(t, d.Close())
}
