package mux

import (
	"bufio"
	"bytes"
	"net/http"
	"strings"
	"testing"

	"github.com/moby/spdystream/spdy"
	"github.com/stretchr/testify/require"
)

// TestFramesAsOthersReadThem: the far side's library understands what is written.
func TestFramesAsOthersReadThem(t *testing.T) {
	var sent bytes.Buffer
	w := bufio.NewWriter(&sent)
	framer, err := spdy.NewFramer(nil, &sent)
	require.NoError(t, err)
	read := func(err error) spdy.Frame {
		t.Helper()
		require.NoError(t, err)
		require.NoError(t, w.Flush())
		frame, err := framer.ReadFrame()
		require.NoError(t, err)
		require.Zero(t, sent.Len(), "all of it is the frame's")
		return frame
	}

	var blocks headerBlocks
	for _, headers := range []http.Header{
		{"Streamtype": {"error"}, "Port": {"8080"}, "Requestid": {"1"}},
		{},
		{"Many": {"one", "two"}, "Long": {strings.Repeat("x", 2*maxStored)}},
		{"Port": {"8080"}},
	} {
		frame, is := read(writeSynStream(w, &blocks, 7, Opening{Headers: headers})).(*spdy.SynStreamFrame)
		require.True(t, is)
		require.EqualValues(t, 7, frame.StreamId)
		require.Equal(t, headers, frame.Headers)
		require.Zero(t, frame.CFHeader.Flags)
		require.Zero(t, frame.Priority)
	}
	opened := read(writeSynStream(w, &blocks, 9, Opening{Ended: true})).(*spdy.SynStreamFrame)
	require.Equal(t, spdy.ControlFlagFin, opened.CFHeader.Flags)

	data := read(writeData(w, 9, 0, []byte("hello"))).(*spdy.DataFrame)
	require.Equal(t, spdy.DataFrame{StreamId: 9, Data: []byte("hello")}, *data)
	end := read(writeData(w, 9, flagFin, nil)).(*spdy.DataFrame)
	require.Equal(t, spdy.DataFlagFin, end.Flags)
	reset := read(writeReset(w, 9)).(*spdy.RstStreamFrame)
	require.EqualValues(t, 9, reset.StreamId)
	require.Equal(t, spdy.Cancel, reset.Status)
	require.EqualValues(t, 3, read(writePing(w, 3)).(*spdy.PingFrame).Id)
	require.Error(t, writeData(w, 9, 0, make([]byte, maxPayload+1)))
}
