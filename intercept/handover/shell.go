package handover

import "strings"

// readonly are names that a shell (bash, zsh) has for itself and fails on.
var readonly = map[string]bool{
	"UID": true, "EUID": true, "GID": true, "EGID": true, "PPID": true,
	"BASHOPTS": true, "SHELLOPTS": true, "BASH_VERSINFO": true,
}

// shellLine is a line for . FILE: within single quotes everything but that quote
// stands for itself, line ends and bytes that are no text included.
func shellLine(v Variable) (line, gap string) {
	switch {
	case !identifier(v.Name, ""):
		return "", "a shell has no such name"
	case readonly[v.Name]:
		return "", "a shell has it for itself"
	}
	return "export " + v.Name + "='" + strings.ReplaceAll(v.Value, "'", `'\''`) + "'", ""
}
