package node

import (
	"bufio"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A starter that dies before it has sent the setup leaves no node behind.
func TestRunEndsWithoutSetup(t *testing.T) {
	for name, input := range map[string]string{"nothing": "", "half": `{"Directory": "/tm`} {
		t.Run(name, func(t *testing.T) {
			verdict, ready, err := os.Pipe()
			require.NoError(t, err)
			defer verdict.Close()
			require.ErrorContains(t, Run(strings.NewReader(input), ready), "read setup")
			line, err := bufio.NewReader(verdict).ReadString('\n')
			require.NoError(t, err)
			require.Contains(t, line, "read setup")
		})
	}
}
