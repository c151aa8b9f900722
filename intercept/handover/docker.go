package handover

import (
	"bufio"
	"strings"
	"unicode"
	"unicode/utf8"
)

// dockerLine is a line for docker run --env-file, which takes the rest of the
// line as the value, byte for byte, and knows no quoting. It reads no file at
// all of which one line is not UTF-8, is too long, or has a name with spaces.
func dockerLine(v Variable) (line, gap string) {
	line = v.Name + "=" + v.Value
	switch {
	case strings.HasPrefix(v.Name, "#") || strings.ContainsFunc(v.Name, unicode.IsSpace):
		return "", "docker's env files have no such name"
	case strings.ContainsRune(v.Value, '\n') || strings.HasSuffix(v.Value, "\r"):
		return "", "docker's env files have no values of several lines"
	case !utf8.ValidString(line):
		return "", notText
	case len(line) >= bufio.MaxScanTokenSize-1:
		return "", "docker's env files have no values of 64 KiB"
	}
	return line, ""
}
