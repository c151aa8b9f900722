package intercept

import (
	"net"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// What the note says about the kernel is so.
func TestListenerOnOneAddressKeepsOthersFromAll(t *testing.T) {
	one, err := net.Listen("tcp", "127.1.2.3:0")
	require.NoError(t, err)
	defer one.Close()
	_, port, err := net.SplitHostPort(one.Addr().String())
	require.NoError(t, err)
	_, err = net.Listen("tcp", ":"+port)
	require.ErrorIs(t, err, syscall.EADDRINUSE)
	local, err := net.Listen("tcp", "localhost:"+port)
	require.NoError(t, err)
	require.NoError(t, local.Close())
}
