// Package arguments is what any command does with its arguments: refuse them, and complete
// them for the shell.
package arguments

import (
	"os"
	"slices"
	"strings"
	"time"
)

// CompletionTimeout bounds what the shell waits for at a press of Tab.
const CompletionTimeout = 2 * time.Second

// AfterDash reports that the shell completes a word of the COMMAND after "--". The
// flags do not know: while it completes, cobra has added a dash of its own.
func AfterDash() bool { return slices.Contains(os.Args, "--") }

// Matching lists the names that begin with what was typed and are not used yet.
func Matching(names, used []string, typed string) []string {
	var left []string
	for _, name := range names {
		if strings.HasPrefix(name, typed) && !slices.Contains(used, name) {
			left = append(left, name)
		}
	}
	slices.Sort(left)
	return left
}
