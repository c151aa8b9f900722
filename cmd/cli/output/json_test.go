package output_test

import (
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/cmd/cli/output"
)

// writes is what was written, piece by piece.
type writes []string

func (w *writes) Write(p []byte) (int, error) {
	*w = append(*w, string(p))
	return len(p), nil
}

func TestServicesOfTheStartAreWrittenAtOnce(t *testing.T) {
	var written writes
	out := output.NewJSON(&written, io.Discard)
	const many = 1000
	for range many {
		out.Write(output.Service{State: "ready", Service: "web", Namespace: "demo"})
	}
	out.Write(output.Ready{ServiceCount: many})
	require.Less(t, len(written), many/50)
	require.Equal(t, many+1, strings.Count(strings.Join(written, ""), "\n"))
	require.Contains(t, written[len(written)-1], `"type":"ready"`)

	written = nil
	for range 2 {
		out.Write(output.Service{State: "gone", Service: "web", Namespace: "demo"})
	}
	require.Len(t, written, 2)
}

func TestServicesComeBeforeAnEnd(t *testing.T) {
	var written writes
	out := output.NewJSON(&written, io.Discard)
	out.Write(output.Service{State: "ready", Service: "web", Namespace: "demo"})
	require.Empty(t, written)
	out.Write(output.Stopped{})
	require.Len(t, written, 1)
	service, end, _ := strings.Cut(written[0], "\n")
	require.Contains(t, service, `"service":"web"`)
	require.Contains(t, end, `"type":"stopped"`)
}
