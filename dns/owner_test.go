package dns

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOwnerAlive(t *testing.T) {
	self, err := Current()
	require.NoError(t, err)
	require.True(t, self.Alive())

	with := func(change func(*Owner)) Owner {
		o := self
		change(&o)
		return o
	}
	require.False(t, with(func(o *Owner) { o.Start++ }).Alive(), "the number came round again")
	require.False(t, with(func(o *Owner) { o.Boot = "another" }).Alive(), "another boot")
	require.True(t, with(func(o *Owner) { o.PIDNS++; o.PID = 1 << 22; o.Start = 1 }).Alive(),
		"in another PID namespace the number means nothing here")
	require.False(t, with(func(o *Owner) { o.PIDNS++; o.Boot = "another" }).Alive(),
		"but another boot is the end of every namespace")
}

func TestOwnerText(t *testing.T) {
	owner := Owner{PID: 12, Start: 1<<64 - 1, Boot: "b-1", PIDNS: 4026531836}
	got, ok := parseOwner(owner.String() + " later=word")
	require.True(t, ok)
	require.Equal(t, owner, got)

	windows := Owner{PID: 12, Start: 3}
	got, ok = parseOwner(windows.String())
	require.True(t, ok)
	require.Equal(t, windows, got)

	for _, s := range []string{"", "pid=x", "pid=0 start=1", "pid=1 start=-1", "pid=1 pidns=y", "start=1"} {
		_, ok := parseOwner(s)
		require.False(t, ok, s)
	}
}
