package background

import (
	"fmt"
	"io"

	"github.com/devtun/devtun/cmd/cli/project"
)

// What a session answers, each under the version of the protocol:
//
//	GET  /v1/snapshot   a status.Snapshot
//	GET  /v1/watch      a status.Snapshot now and whenever something has changed, one a line
//	POST /v1/apply      an Order; the answer is Lines, the last of which has Done
//	POST /v1/restart    a Restart; the answer is Lines too
//	POST /v1/down       the answer is Lines too; the session ends after the last
//
// Fields are added over time. What an older session would not understand has another
// version.
const prefix = "/v1/"

// Order says what a session is to hold from now on.
type Order struct {
	File    string           `json:"file"` // that the project is from
	Project *project.Project `json:"project"`
	// Environment are the variables that matter, of who gives the order.
	Environment map[string]string `json:"environment"`
	Parent      string            `json:"parent"` // process whose end ends the session, as proc.ID writes it
	// StartedBy is who starts the session by this order, if anybody says so.
	StartedBy string `json:"startedBy,omitempty"`
	Verbose   bool   `json:"verbose"`
}

// Restart names programs of the session that are to be started again: all, if it names none.
type Restart struct {
	Names []string `json:"names"`
}

// Line is a line that a session says, or how it has ended what it was told to do.
type Line struct {
	Out  string   `json:"out,omitempty"` // for standard output
	Err  string   `json:"err,omitempty"` // for standard error
	Done *Outcome `json:"done,omitempty"`
}

// Print writes the line where it belongs.
func (l Line) Print(out, err io.Writer) {
	if l.Err != "" {
		fmt.Fprintln(err, l.Err)
		return
	}
	fmt.Fprintln(out, l.Out)
}

// Outcome is how it went: well, if Error is empty.
type Outcome struct {
	Error    string `json:"error,omitempty"`
	Hint     string `json:"hint,omitempty"`
	ExitCode int    `json:"exitCode"`
}
