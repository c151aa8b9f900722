package project

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// Error is a fault in a project file.
type Error struct {
	File         string
	Line, Column int
	Message      string
	Hint         string
	// Unknown is a key that there is not, Known are those there are. Only an
	// unknown key sets them.
	Unknown string
	Known   []string
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Message)
}

// Read reads a project file. Relative paths in it are from the folder it lies in.
func Read(path string) (*Project, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read project file: %w", err)
	}
	p, err := Parse(path, text)
	if err != nil {
		return nil, err
	}
	folder, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("read project file: %w", err)
	}
	p.makeAbsolute(folder)
	return p, nil
}

// Parse reads the text of the project file at path, for errors to name. Paths in
// it stay as they are.
func Parse(path string, text []byte) (*Project, error) {
	d := &document{path: path}
	var err error
	if d.file, err = parser.ParseBytes(text, 0); err != nil {
		return nil, d.fault(err)
	}
	if len(d.file.Docs) > 1 {
		start := d.file.Docs[1].Start // its dashes
		return nil, &Error{File: path, Line: start.Position.Line, Column: start.Position.Column,
			Message: "a second YAML document", Hint: "write all of a project in one document"}
	}
	p := new(Project)
	if err := yaml.UnmarshalWithOptions(text, p, yaml.Strict()); err != nil {
		return nil, d.fault(err)
	}
	p.Positions = d.listed(p)
	return p, d.check(p)
}

// makeAbsolute has the paths start in a folder.
func (p *Project) makeAbsolute(folder string) {
	paths := []*string{&p.Kubeconfig, &p.Forward.HostsFile}
	for i := range p.Intercepts {
		c := &p.Intercepts[i]
		paths = append(paths, &c.EnvFile, &c.EnvJSON, &c.Files)
	}
	for i := range p.Env {
		e := &p.Env[i]
		paths = append(paths, &e.EnvFile, &e.EnvJSON, &e.Files)
	}
	for _, path := range paths {
		if *path != "" && !filepath.IsAbs(*path) {
			*path = filepath.Join(folder, *path)
		}
	}
}

// document is a file that is being read.
type document struct {
	path string
	file *ast.File
}

// fault makes an Error of what the YAML library says.
func (d *document) fault(err error) error {
	var said yaml.Error
	if !errors.As(err, &said) || said.GetToken() == nil {
		return fmt.Errorf("read project file %s: %w", d.path, err)
	}
	token := said.GetToken()
	e := &Error{File: d.path, Line: token.Position.Line, Column: token.Position.Column, Message: said.GetMessage(),
		Hint: "'devtun up --help' shows a whole project file"}
	var unknown *yaml.UnknownFieldError
	var misplaced *yaml.TypeError
	var unexpected *yaml.UnexpectedNodeTypeError
	switch {
	case errors.As(err, &unknown):
		e.Unknown, e.Known = token.Value, d.siblings(e.Line, e.Column)
		e.Message = fmt.Sprintf("unknown key %q", token.Value)
	case errors.As(err, &misplaced):
		e.Message = fmt.Sprintf("%s is wanted here", noun(misplaced.DstType))
	case errors.As(err, &unexpected):
		e.Message = strings.Replace(e.Message, "was used where", "stands where a", 1)
		e.Message = strings.Replace(e.Message, "is expected", "is wanted", 1)
	}
	return e
}

// noun is what a YAML author calls a Go type.
func noun(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Slice:
		return "a list"
	case reflect.Struct, reflect.Map:
		return "a mapping"
	}
	return "a text"
}

// siblings are the keys that may stand beside the one at a place.
func (d *document) siblings(line, column int) []string {
	kind := reflect.TypeFor[Project]()
	ast.Walk(visitor(func(node ast.Node) {
		key, ok := node.(*ast.MappingValueNode)
		if !ok {
			return
		}
		at := key.Key.GetToken().Position
		if at.Line != line || at.Column != column {
			return
		}
		words := strings.FieldsFunc(key.GetPath(), func(r rune) bool { return strings.ContainsRune("$.[]", r) })
		for _, word := range words[:max(0, len(words)-1)] {
			if kind.Kind() == reflect.Slice {
				kind = kind.Elem() // the word is an index
				continue
			}
			if field, ok := fieldOf(kind, word); ok {
				kind = field.Type
			}
		}
	}), d.file.Docs[0].Body)
	return Keys(kind)
}

type visitor func(ast.Node)

func (v visitor) Visit(node ast.Node) ast.Visitor {
	v(node)
	return v
}

// Keys are the keys of a part of a project file, in order.
func Keys(kind reflect.Type) (keys []string) {
	if kind.Kind() != reflect.Struct {
		return nil
	}
	for field := range kind.Fields() {
		if key := keyOf(field); key != "-" {
			keys = append(keys, key)
		}
	}
	return keys
}

func keyOf(field reflect.StructField) string {
	key, _, _ := strings.Cut(field.Tag.Get("yaml"), ",")
	return key
}

func fieldOf(kind reflect.Type, key string) (reflect.StructField, bool) {
	if kind.Kind() != reflect.Struct {
		return reflect.StructField{}, false
	}
	fields := reflect.VisibleFields(kind)
	i := slices.IndexFunc(fields, func(f reflect.StructField) bool { return keyOf(f) == key })
	if i < 0 {
		return reflect.StructField{}, false
	}
	return fields[i], true
}

// at is a fault in the value at a YAML path such as $.forward.hold; where there is
// no such value, in what would hold it.
func (d *document) at(path, hint, format string, args ...any) error {
	e := &Error{File: d.path, Line: 1, Column: 1, Message: fmt.Sprintf(format, args...), Hint: hint}
	for ; len(path) > 1; path = path[:max(strings.LastIndexAny(path, ".["), 0)] {
		query, err := yaml.PathString(path)
		if err != nil {
			continue
		}
		node, err := query.FilterFile(d.file)
		if err != nil || node == nil || node.GetToken() == nil {
			continue
		}
		place := node.GetToken().Position
		if mapping, ok := node.(*ast.MappingNode); ok && len(mapping.Values) > 0 {
			place = mapping.Values[0].Key.GetToken().Position
		}
		e.Line, e.Column = place.Line, place.Column
		return e
	}
	return e
}
