package handover

import (
	"strings"
	"unicode/utf8"
)

// dotenvLine finds the notation that most readers understand alike. There is no
// common grammar: within single quotes nobody expands anything, but a line-based
// reader (VS Code's Go) takes no second line and python-dotenv halves a double
// backslash; within double quotes \n is known to all, other escapes to some, and
// $ is expanded. godotenv ends a value at a quote whatever number of backslashes
// precede it, and strips quotes from its end.
func dotenvLine(v Variable) (line, gap string) {
	if !identifier(v.Name, ".") {
		return "", "its name has characters that dotenv libraries stop at"
	}
	if !utf8.ValidString(v.Value) {
		return "", notText
	}
	has := func(chars string) bool { return strings.ContainsAny(v.Value, chars) }
	var (
		quotable = !has(`'`) && !strings.Contains(v.Value, `\\`) && !strings.HasSuffix(v.Value, `\`)
		text     = !has("\r\n")
	)
	switch {
	case plain(v.Value, `._-/:@%+,=~^`):
		return v.Name + "=" + v.Value, ""
	case quotable && text:
		return v.Name + "='" + v.Value + "'", interpolated(v.Value)
	case !has("\"\\$\r"):
		return v.Name + `="` + strings.ReplaceAll(v.Value, "\n", `\n`) + `"`, ""
	case quotable && !has("\r"):
		line := v.Name + "='" + v.Value + "'"
		return line, join("line-based readers (VS Code's for Go) take only its first line", interpolated(v.Value))
	case plain(v.Value, `._-/:@%+,=~^\`):
		return v.Name + "=" + v.Value, ""
	case strings.HasSuffix(v.Value, `"`) || strings.HasSuffix(v.Value, `\`):
		return "", "no notation for its mixture of quotes, backslashes, dollar signs and line ends is common to the readers"
	}
	line = v.Name + `="` + escapes.Replace(v.Value) + `"`
	return line, "only readers that know escapes (Docker Compose, godotenv) get it right"
}

var escapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, `$`, `\$`, "\n", `\n`, "\r", `\r`)

// interpolated is the gap of a value that python-dotenv expands in any quotes.
func interpolated(value string) string {
	if strings.Contains(value, "${") {
		return "python-dotenv expands what is in ${…}, whatever the quotes"
	}
	return ""
}

// join puts gaps together.
func join(gap, other string) string {
	if other == "" {
		return gap
	}
	return gap + "; " + other
}

// plain reports whether a value is not empty and has only letters, digits and
// the given characters, so that it needs no quotes.
func plain(value, also string) bool {
	for _, c := range []byte(value) {
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !letter && strings.IndexByte(also, c) < 0 {
			return false
		}
	}
	return value != ""
}
