package main

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func testReport() report {
	download := &figure{ID: "download_1", Name: "download", Unit: "MB/s", goal: atLeastTimes(1.3, kubectl),
		contenders: map[string]values{
			devtun: {260, 300, 280}, kubectl: {200, 250, 200}, direct: {1450, 1400, 1500},
		}}
	upload := &figure{ID: "upload_1", Name: "upload", Unit: "MB/s", goal: atLeastTimes(1.3, kubectl),
		contenders: map[string]values{
			devtun: {200}, kubectl: {200},
		}}
	requests := &figure{ID: "requests", Name: "requests", contenders: map[string]values{devtun: {12}}}
	return report{
		Machine: machine{Date: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Effort: "full", Rounds: 3, Cores: 2,
			Kernel: "linux 6", Go: "go1.26", Kubernetes: "v1.35.4"},
		Figures: []*figure{download, upload, requests},
	}
}

func TestTable(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, testReport().print(&out))
	require.Equal(t, `2026-01-02: 2 cores, linux 6, go1.26, Kubernetes v1.35.4; medians of 3 rounds

                  devtun  kubectl  ratio  direct               goal  met
  download, MB/s     280      200   1.30    1450  >= 1.30 x kubectl  yes
    upload, MB/s     200      200      1          >= 1.30 x kubectl   NO
        requests      12                                                

goals missed: 1
`, out.String())
}

// There is a column for whoever was measured.
func TestTableOfOtherRivals(t *testing.T) {
	r := testReport()
	r.Figures = []*figure{
		{Name: "GET", Unit: "ms", goal: atMostAdded(0.3, pipe), contenders: map[string]values{
			devtun: {0.5}, pipe: {0.25}, direct: {0.2},
		}},
		{Name: "with a mirror", Unit: "ms", contenders: map[string]values{devtun: {3}, without: {3}}},
	}
	var out bytes.Buffer
	require.NoError(t, r.print(&out))
	require.Contains(t, out.String(), "medians of 3 rounds\n")
	require.Contains(t, out.String(), `
                     devtun  pipe  without  ratio  direct           goal  met
            GET, ms    0.50  0.25               2    0.20  <= pipe + 0.3  yes
  with a mirror, ms       3              3      1                            
`)
}

// A relay is what its figures are of.
func TestTableOfARelay(t *testing.T) {
	r := testReport()
	r.Figures = []*figure{{Name: "download", Unit: "MB/s", goal: atLeastTimes(2, kubectl), contenders: map[string]values{
		relay: {300}, kubectl: {150},
	}}}
	var out bytes.Buffer
	require.NoError(t, r.print(&out))
	require.Contains(t, out.String(), `
                  relay  kubectl  ratio  direct               goal  met
  download, MB/s    300      150      2          >= 2.00 x kubectl  yes
`)
}

func TestMoreRoundsThanOthersHave(t *testing.T) {
	r := testReport()
	r.Figures[0].add(devtun, 300)
	var out bytes.Buffer
	require.NoError(t, r.print(&out))
	require.Contains(t, out.String(), "medians of 3 rounds or more\n")
}

func TestQuickFiguresAreMarked(t *testing.T) {
	r := testReport()
	r.Machine.Effort = quickEffort.name
	var out bytes.Buffer
	require.NoError(t, r.print(&out))
	require.Contains(t, out.String(), "the figures mean nothing")
}

func TestSave(t *testing.T) {
	file := filepath.Join(t.TempDir(), ".bench", "forward.json")
	require.NoError(t, testReport().save(file))
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	var saved struct {
		Machine machine
		Figures []struct {
			ID     string
			Direct *summary
			Goal   *struct{ Met bool }
		}
	}
	require.NoError(t, json.Unmarshal(text, &saved))
	require.Equal(t, testReport().Machine, saved.Machine)
	require.Len(t, saved.Figures, 3)
	require.Equal(t, &summary{1450, values{1450, 1400, 1500}}, saved.Figures[0].Direct)
	require.True(t, saved.Figures[0].Goal.Met)
	require.False(t, saved.Figures[1].Goal.Met)
	require.Nil(t, saved.Figures[2].Goal)
}

func TestRound(t *testing.T) {
	for x, want := range map[float64]string{1450.4: "1450", 61.39: "61.4", 0.528: "0.53", 12: "12", 0: "0"} {
		require.Equal(t, want, round(x))
	}
	require.Empty(t, round(math.NaN()))
}
