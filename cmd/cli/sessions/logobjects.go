package sessions

import (
	"encoding/json"
	"io"
	"strings"
	"time"

	"github.com/devtun/devtun/internal/lines"
)

// LogLine is a line of a log, as `devtun logs -o json` prints it.
type LogLine struct {
	Time    string `json:"time"`    // RFC 3339, in UTC; "" for what other programs wrote there
	Message string `json:"message"` // the line itself
}

// logObjects makes objects of the lines of a log, one on each line.
type logObjects struct {
	to   io.Writer
	said lines.Splitter
}

// Write implements io.Writer.
func (l *logObjects) Write(piece []byte) (int, error) {
	for line := range l.said.Add(piece) {
		object := LogLine{Message: line}
		if stamp, message, _ := strings.Cut(line, " "); stamped(stamp) {
			object = LogLine{stamp, message}
		}
		text, err := json.Marshal(object)
		if err != nil {
			return 0, err
		}
		if _, err := l.to.Write(append(text, '\n')); err != nil {
			return 0, err
		}
	}
	return len(piece), nil
}

// stamped says that this word is the time that begins a line of a log.
func stamped(word string) bool {
	_, err := time.Parse(time.RFC3339Nano, word)
	return err == nil
}
