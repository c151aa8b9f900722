package hostsfile

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestConflicts(t *testing.T) {
	foreign := "127.0.0.1 localhost\r\n" +
		"10.0.0.1\tdb API.shop # by hand\r\n" +
		"# 10.0.0.2 api\n" +
		"127.1.2.3 api\n" +
		"::1 api.shop" // no newline
	found, err := conflicts([]byte(foreign), []Entry{
		{Addr: addr("127.1.2.3"), Names: []string{"api", "api.shop"}},
	})
	require.NoError(t, err)
	require.Equal(t, []Conflict{
		{Name: "api.shop", Addr: "10.0.0.1", Line: 2},
		{Name: "api.shop", Addr: "::1", Line: 5},
	}, found)
}
