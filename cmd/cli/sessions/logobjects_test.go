package sessions

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLogObjects(t *testing.T) {
	var out bytes.Buffer
	objects := &logObjects{to: &out}
	fmt.Fprint(objects, "2026-11-30T12:00:00.000Z ready: 2 ser")
	fmt.Fprint(objects, "vices\npanic: it is\n2026-11-30T12:00:01.000Z \n")
	require.Equal(t, `{"time":"2026-11-30T12:00:00.000Z","message":"ready: 2 services"}
{"time":"","message":"panic: it is"}
{"time":"2026-11-30T12:00:01.000Z","message":""}
`, out.String())
}
