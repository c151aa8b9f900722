package project

import (
	"cmp"
	"path/filepath"
	"regexp"
	"strings"
)

// nameRule is what a session may be called: its files bear that name.
var nameRule = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?$`)

// ValidName reports that a session may be called so.
func ValidName(name string) bool { return nameRule.MatchString(name) }

// NameHint says what ValidName wants.
const NameHint = "use at most 40 lower-case letters, digits and dashes"

// Session is the name of the session of a project file.
func (p *Project) Session(file string) (string, error) {
	if p.Name != "" {
		return p.Name, nil
	}
	return defaultName(file)
}

// defaultName is made of the folder that the file lies in, and of the file's name if
// that is not the usual one.
func defaultName(file string) (string, error) {
	file, err := filepath.Abs(file)
	if err != nil {
		return "", err
	}
	name := filepath.Base(filepath.Dir(file))
	if base := filepath.Base(file); base != Name {
		name += "-" + strings.TrimSuffix(base, filepath.Ext(base))
	}
	fit := func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}
	name = strings.Trim(strings.Map(fit, strings.ToLower(name)), "-")
	name = strings.Trim(name[:min(len(name), 40)], "-")
	return cmp.Or(name, "devtun"), nil
}
