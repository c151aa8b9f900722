package proc

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestIDAlive(t *testing.T) {
	self, err := Self()
	require.NoError(t, err)
	require.True(t, self.Alive())

	with := func(change func(*ID)) ID {
		o := self
		change(&o)
		return o
	}
	require.False(t, with(func(o *ID) { o.Start++ }).Alive(), "the number came round again")
	require.False(t, with(func(o *ID) { o.Boot = "another" }).Alive(), "another boot")
	require.True(t, with(func(o *ID) { o.PIDNS++; o.PID = 1 << 22; o.Start = 1 }).Alive(),
		"in another PID namespace the number means nothing here")
	require.False(t, with(func(o *ID) { o.PIDNS++; o.Boot = "another" }).Alive(),
		"but another boot is the end of every namespace")
}

func TestIDText(t *testing.T) {
	id := ID{PID: 12, Start: 1<<64 - 1, Boot: "b-1", PIDNS: 4026531836}
	got, ok := Parse(id.String() + " later=word")
	require.True(t, ok)
	require.Equal(t, id, got)

	windows := ID{PID: 12, Start: 3}
	got, ok = Parse(windows.String())
	require.True(t, ok)
	require.Equal(t, windows, got)

	for _, s := range []string{"", "pid=x", "pid=0 start=1", "pid=1 start=-1", "pid=1 pidns=y", "start=1"} {
		_, ok := Parse(s)
		require.False(t, ok, s)
	}
}
