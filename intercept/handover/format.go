package handover

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
)

// Format is how a file holds an environment.
type Format string

const (
	Dotenv Format = "dotenv" // for VS Code, Docker Compose and the dotenv libraries
	Docker Format = "docker" // for docker run --env-file
	Shell  Format = "sh"     // for . FILE in a POSIX shell
	JSON   Format = "json"   // one object
)

// Formats are all of them.
var Formats = []Format{Dotenv, Docker, Shell, JSON}

// ParseFormat reads a format's name.
func ParseFormat(name string) (Format, error) {
	for _, f := range Formats {
		if string(f) == name {
			return f, nil
		}
	}
	return "", fmt.Errorf("%q is not a format of env files; there are %s, %s, %s and %s",
		name, Dotenv, Docker, Shell, JSON)
}

// FormatOf is the format that a file's name suggests, Dotenv if none.
func FormatOf(path string) Format {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".json":
		return JSON
	case ".sh", ".bash", ".zsh", ".ksh":
		return Shell
	}
	return Dotenv
}

// Gap is a variable that a format does not carry as it is.
type Gap struct {
	Name string
	Why  string
	// Left says that the file does not have the variable, for what would stand
	// there would be wrong, or spoil the file. Otherwise it has it, but not
	// every reader of the format gets the same from it.
	Left bool
}

// header opens every file whose format has comments.
const header = "# Written by devtun intercept, which replaces this file and removes it at the end.\n"

// Encode is the file's content for variables, and what it does not carry.
//
// Values of several lines need Dotenv, Shell or JSON; values that are not UTF-8
// need Shell; names that are not identifiers (dots, dashes) need Docker or JSON,
// those with dots can be had in Dotenv too.
func (f Format) Encode(variables []Variable) (content []byte, gaps []Gap) {
	if f == JSON {
		return encodeJSON(variables)
	}
	encode := map[Format]func(Variable) (line, gap string){
		Dotenv: dotenvLine, Docker: dockerLine, Shell: shellLine,
	}[f]
	out := bytes.NewBufferString(header)
	for _, v := range variables {
		line, gap := encode(v)
		if line != "" {
			out.WriteString(line + "\n")
		}
		if gap != "" {
			gaps = append(gaps, Gap{Name: v.Name, Why: gap, Left: line == ""})
		}
	}
	return out.Bytes(), gaps
}

// identifier reports whether name is one in the shell's sense, or with the
// additional characters given.
func identifier(name, also string) bool {
	for i, c := range []byte(name) {
		letter := c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		digit := '0' <= c && c <= '9' || strings.IndexByte(also, c) >= 0
		if !letter && (!digit || i == 0) {
			return false
		}
	}
	return name != ""
}

const notText = "its value is not UTF-8"
