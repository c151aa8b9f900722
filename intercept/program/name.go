package program

import "strings"

// IsPartOf reports that a ConfigMap's name is one of a part of a program for an
// architecture, of whatever content.
func IsPartOf(name, arch string) bool { return strings.HasPrefix(name, namePrefix+arch+"-") }

const namePrefix = "devtun-agent-"
