package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHearDevtun(t *testing.T) {
	addresses := map[int]string{}
	for _, line := range []string{
		`warning: not JSON`,
		`{"type":"service","service":"other","address":"127.1.1.1","ports":[{"local":80,"port":80}]}`,
		`{"type":"service","service":"testserver","address":"127.2.3.4","ports":[{"local":8080,"port":8080},{"local":7001,"port":7000}]}`,
	} {
		require.False(t, hearDevtun(line, "testserver", addresses), line)
	}
	require.True(t, hearDevtun(`{"type":"ready","serviceCount":2,"portCount":3}`, "testserver", addresses))
	require.Equal(t, map[int]string{8080: "127.2.3.4:8080", 7000: "127.2.3.4:7001"}, addresses)
}

func TestHearKubectl(t *testing.T) {
	addresses := map[int]string{}
	require.True(t, hearKubectl("Forwarding from 127.0.0.1:40123 -> 8080", addresses))
	require.False(t, hearKubectl("Handling connection for 40123", addresses))
	require.Equal(t, map[int]string{8080: "127.0.0.1:40123"}, addresses)
}
