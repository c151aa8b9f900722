package main

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// The local process passes the exchanges that the pod has to pass.
func TestLocal(t *testing.T) {
	defer goleak.VerifyNone(t)
	const size = 1 << 20
	local, err := serveLocal()
	require.NoError(t, err)
	defer local.close()
	c := &contender{answer: localName, inverted: true, addresses: local.addresses}
	transfers := map[string]transfer{
		"into": intoCluster, "out": outOfCluster,
		"put, HTTP/1.1": putting(dialHTTP1), "get, HTTP/1.1": getting(dialHTTP1),
		"put, h2c": putting(dialH2C), "get, h2c": getting(dialH2C),
	}
	for name, move := range transfers {
		t.Run(name, func(t *testing.T) {
			_, err := move(t.Context(), c, size)
			require.NoError(t, err)
		})
	}
	for name, exchange := range map[string]func(context.Context) error{
		"echo": func(ctx context.Context) error { return echo(ctx, c, size) },
		"who":  func(ctx context.Context) error { _, err := requests(ctx, c, 20, 5); return err },
	} {
		t.Run(name, func(t *testing.T) { require.NoError(t, exchange(t.Context())) })
	}
	for name, dial := range map[string]dialer{"HTTP/1.1": dialHTTP1, "h2c": dialH2C} {
		t.Run("kept, "+name, func(t *testing.T) {
			values, err := keptRequests("kept", dial, 20, nil, nil).run(t.Context(), c)
			require.NoError(t, err)
			require.Len(t, values, 2)
			require.GreaterOrEqual(t, values[1], values[0])
		})
	}
	for _, beside := range []trial{besideDownload(5, nil), besideStopped(5, nil, nil)} {
		t.Run(beside.name, func(t *testing.T) {
			alone := *c
			alone.name = without
			values, err := beside.run(t.Context(), &alone)
			require.NoError(t, err)
			require.Len(t, values, len(beside.figures))
			require.Positive(t, values[0])
		})
	}
	for name, test := range map[string]struct {
		port int
		use  use
	}{
		"whole": {portEcho, exchangeMuch}, "HTTP/1.1": {portHTTP, askMuch},
	} {
		t.Run("open, "+name, func(t *testing.T) {
			did := false
			err := whileOpen(t.Context(), c, test.port, 10, test.use, func() error { did = true; return nil })
			require.NoError(t, err)
			require.True(t, did)
		})
	}
}

func TestStanding(t *testing.T) {
	require.True(t, hearStanding(`{"type":"intercept","state":"standing","name":"testserver"}`))
	require.False(t, hearStanding(`{"type":"intercept","state":"restored","name":"testserver"}`))
	require.False(t, hearStanding(`{"type":"agent","state":"standing"}`))
	require.False(t, hearStanding("no JSON"))
}

func TestChoose(t *testing.T) {
	for _, test := range []struct{ args, want []string }{
		{nil, []string{"relay", "intercept", "agent", "forward"}},
		{[]string{"relay"}, []string{"relay"}},
		{[]string{"forward"}, []string{"forward"}},
		{[]string{"intercept"}, []string{"intercept"}},
		{[]string{"agent"}, []string{"agent"}},
	} {
		chosen, err := choose(test.args)
		require.NoError(t, err)
		var names []string
		for _, subject := range chosen {
			names = append(names, subject.name)
		}
		require.Equal(t, test.want, names)
	}
	_, err := choose([]string{"run"})
	require.ErrorContains(t, err, "measure run")
}
