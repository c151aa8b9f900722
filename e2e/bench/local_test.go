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
	for name, exchange := range map[string]func(context.Context) error{
		"into": func(ctx context.Context) error { _, err := intoCluster(ctx, c, size); return err },
		"out":  func(ctx context.Context) error { _, err := outOfCluster(ctx, c, size); return err },
		"echo": func(ctx context.Context) error { return echo(ctx, c, size) },
		"who":  func(ctx context.Context) error { _, err := requests(ctx, c, 20, 5); return err },
		"open": func(ctx context.Context) error { return whileOpen(ctx, c, 10, size, func() error { return nil }) },
	} {
		t.Run(name, func(t *testing.T) { require.NoError(t, exchange(t.Context())) })
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
		{nil, []string{"forward", "intercept"}},
		{[]string{"forward"}, []string{"forward"}},
		{[]string{"intercept"}, []string{"intercept"}},
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
