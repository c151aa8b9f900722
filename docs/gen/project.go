package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/devtun/devtun/cmd/cli/project"
)

// projectParts are the parts of a project file, by their headings in its page.
var projectParts = []struct {
	heading, def string // of the schema; "" is all of it
	is           reflect.Type
}{
	{"The file", "", reflect.TypeFor[project.Project]()},
	{"forward", "forward", reflect.TypeFor[project.Forward]()},
	{"intercepts", "intercept", reflect.TypeFor[project.Intercept]()},
	{"match", "match", reflect.TypeFor[project.Match]()},
	{"run of an intercept", "run", reflect.TypeFor[project.Run]()},
	{"env", "environment", reflect.TypeFor[project.Environment]()},
	{"run", "process", reflect.TypeFor[project.Process]()},
}

// projectSchema is what is used here of the schema of project files.
type projectSchema struct {
	Description string
	Default     any
	Ref         string `json:"$ref"`
	Properties  map[string]projectSchema
	Defs        map[string]projectSchema `json:"$defs"`
}

// projectFiles is the page of project files. Of the page in dir everything stays but for the
// tables.
func projectFiles(dir string) (map[string][]byte, error) {
	const name = "project-file.md"
	page, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return nil, err
	}
	var schema projectSchema
	if err := json.NewDecoder(bytes.NewReader(project.Schema)).Decode(&schema); err != nil {
		return nil, err
	}
	made, err := projectPage(string(page), schema)
	return map[string][]byte{name: []byte(made)}, err
}

// projectPage is a page with the table of each part in the place of the one below its heading.
func projectPage(page string, schema projectSchema) (string, error) {
	for _, part := range projectParts {
		heading := "\n### " + part.heading + "\n"
		before, rest, found := strings.Cut(page, heading)
		if !found {
			return "", fmt.Errorf("there is no heading %q", part.heading)
		}
		below, after, more := strings.Cut(rest, "\n### ")
		said, _, _ := strings.Cut(below, "| key |")
		properties := schema.Properties
		if part.def != "" {
			properties = schema.Defs[part.def].Properties
		}
		table := "| key | |\n| --- | --- |\n"
		for _, key := range project.Keys(part.is) {
			property := properties[key]
			if property.Description == "" {
				property.Description = schema.Defs[strings.TrimPrefix(property.Ref, "#/$defs/")].Description
			}
			if property.Description == "" {
				return "", fmt.Errorf("the schema has no description of %s, %s", part.heading, key)
			}
			about := strings.ReplaceAll(property.Description, "|", `\|`)
			if property.Default != nil && property.Default != false {
				about += fmt.Sprintf(" Default: %v.", property.Default)
			}
			table += fmt.Sprintf("| `%s` | %s |\n", key, about)
		}
		page = before + heading + "\n" + strings.TrimLeft(strings.TrimRight(said, "\n")+"\n\n", "\n") + table
		if more {
			page += "\n### " + after
		}
	}
	return page, nil
}
