package agent

import (
	"context"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestOriginsAddressIsRemembered asks the name server once, and again when the
// address does not answer.
func TestOriginsAddressIsRemembered(t *testing.T) {
	origin := serve(t, greet("origin"))
	_, at, err := net.SplitHostPort(origin.address)
	require.NoError(t, err)
	o := newOrigins()
	name := net.JoinHostPort("localhost", at)
	dial := func() error {
		conn, err := o.Dial(context.Background(), "tcp", name)
		if err == nil {
			conn.Close()
		}
		return err
	}
	require.NoError(t, dial())
	require.Equal(t, origin.address, o.known[name])
	require.NoError(t, dial())

	other := serve(t, greet("other"))
	o.known[name], o.known["gone.invalid:80"] = "127.0.0.1:1", other.address
	require.NoError(t, dial())
	require.Equal(t, origin.address, o.known[name], "the name was asked again")
	conn, err := o.Dial(t.Context(), "tcp", "gone.invalid:80")
	require.NoError(t, err, "without a name server")
	conn.Close()
}

// TestOriginsAddressIsLearned before somebody dials it.
func TestOriginsAddressIsLearned(t *testing.T) {
	o := newOrigins()
	o.learn(t.Context(), "127.0.0.1:80")
	require.Equal(t, "127.0.0.1:80", o.known["127.0.0.1:80"])
	o.known["127.0.0.1:80"] = "127.0.0.2:80"
	o.learn(t.Context(), "127.0.0.1:80")
	require.Equal(t, "127.0.0.2:80", o.known["127.0.0.1:80"], "who has dialled knows better")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	o.learn(ctx, "gone.invalid:80")
	require.Empty(t, o.known["gone.invalid:80"])
}
