package cli

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/cmd/cli/problem"
)

// page is the text of one of the pages in docs.
func page(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", name))
	require.NoError(t, err)
	return string(text)
}

// table is the rows of the first table in a text, its head left out.
func table(text string) (rows [][]string) {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "|") {
			if len(rows) > 0 {
				break
			}
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		rows = append(rows, cells)
	}
	if len(rows) < 2 {
		return nil
	}
	return rows[2:]
}

func TestTheExitCodesPageHasEveryCode(t *testing.T) {
	var want [][]string
	for _, exit := range problem.ExitCodes {
		want = append(want, []string{fmt.Sprint(exit.Code), exit.Meaning})
	}
	require.Equal(t, want, table(page(t, "exit-codes.md")))
}

func TestHelpHasEveryExitCode(t *testing.T) {
	var out bytes.Buffer
	require.Zero(t, Main([]string{"help", "exit-codes"}, output.Streams{Out: &out, Err: &out}), out.String())
	said := oneLine(out.String())
	for _, exit := range problem.ExitCodes {
		require.Contains(t, said, oneLine(fmt.Sprint(exit.Code, " ", exit.Meaning)))
	}
}

// oneLine is a text without its line breaks.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
