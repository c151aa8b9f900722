package doctor

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/cmd/cli/doctor/check"
	"github.com/devtun/devtun/cmd/cli/output"
)

// found is some of everything.
var found = []check.Result{
	{Area: check.Machine, Check: "one", Status: check.OK, Message: "as it should be"},
	{Area: check.Machine, Check: "two", Status: check.Warning, Message: "it is odd", Hint: "look at it"},
	{Area: check.Machine, Check: "three", Status: check.OK, Message: "well", Evidence: []string{"not shown"}},
	{Area: check.APIServer, Check: "four", Status: check.Fault, Message: "it is broken", Evidence: []string{"its words"},
		Hint: "mend it"},
	{Area: check.APIServer, Check: "five", Status: check.NotChecked, Message: "four is broken"},
	{Area: check.APIServer, Check: "six", Status: check.NotChecked, Message: "four is broken"},
	{Area: check.APIServer, Check: "seven", Status: check.NotChecked, Message: "not allowed"},
}

func text(t *testing.T, results []check.Result, format string, colour bool) string {
	t.Helper()
	var out bytes.Buffer
	report := newReport(results)
	require.NoError(t, report.write(output.Streams{Out: &out, Colour: colour}, format))
	return out.String()
}

func TestText(t *testing.T) {
	require.Equal(t, `fault: it is broken
  its words
hint: mend it

this machine
  ✓ one: as it should be
  ! two: it is odd
      hint: look at it
  ✓ three: well

API server
  ✗ four: it is broken
      its words
      hint: mend it
  - five, six: not checked: four is broken
  - seven: not checked: not allowed
`, text(t, found, "", false))
	require.Equal(t, "ok: no fault found in 1 check\n\nthis machine\n  \x1b[32m✓\x1b[0m one: as it should be\n",
		text(t, found[:1], "", true))
}

func TestSummary(t *testing.T) {
	for want, results := range map[string][]check.Result{
		"it is broken": found,
		"it is odd":    found[:3],
		"no fault found in 1 check; 1 not checked": {found[0], found[6]},
		"no fault found in 0 checks":               nil,
	} {
		require.Equal(t, want, newReport(results).Summary)
	}
}

func TestJSON(t *testing.T) {
	var got report
	require.NoError(t, json.Unmarshal([]byte(text(t, found, "json", false)), &got))
	require.Equal(t, report{Summary: "it is broken", Status: check.Fault, Results: found}, got)
	require.Contains(t, text(t, nil, "json", false), `"results": []`)
}

// TestThePageHasEveryCheck of the areas this machine, API server and cluster network.
func TestThePageHasEveryCheck(t *testing.T) {
	page, err := os.ReadFile("../../../docs/doctor.md")
	require.NoError(t, err)
	named := regexp.MustCompile(`(?:Check: |result\(|notChecked\(|unanswered\(|const name = )"([a-z-]*[a-z])"`)
	names := 0
	for _, area := range []string{"machine", "apiserver", "network"} {
		files, err := filepath.Glob(filepath.Join(area, "*.go"))
		require.NoError(t, err)
		for _, file := range files {
			source, err := os.ReadFile(file)
			require.NoError(t, err)
			for _, name := range named.FindAllStringSubmatch(string(source), -1) {
				require.True(t, strings.Contains(string(page), "`"+name[1]+"`"), "%s of %s", name[1], file)
				names++
			}
		}
	}
	require.Greater(t, names, 20)
}
