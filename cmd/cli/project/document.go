package project

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// document is a project that is being read, of one file or several.
type document struct {
	path     string     // of the first file
	roots    []ast.Node // what each of the files has
	root     ast.Node   // all of that; nil: nothing
	files    map[*token.Token]string
	places   map[string]Position       // by path, as $.forward.hold
	known    map[*token.Token][]string // the keys that may stand where this one does
	warnings []string
}

// add parses a file.
func (d *document) add(s source) error {
	file, err := parser.ParseBytes(s.text, 0)
	if err != nil {
		return d.faultIn(s.path, err)
	}
	if len(file.Docs) > 1 {
		start := file.Docs[1].Start // its dashes
		return &Error{File: s.path, Line: start.Position.Line, Column: start.Position.Column,
			Message: "a second YAML document", Hint: "write all of a project in one document"}
	}
	var root ast.Node
	if len(file.Docs) == 1 {
		root = file.Docs[0].Body
	}
	d.roots = append(d.roots, root)
	d.note(root, s.path)
	return nil
}

type visitor func(ast.Node)

func (v visitor) Visit(node ast.Node) ast.Visitor {
	v(node)
	return v
}

// note notes which file a node and all in it are from.
func (d *document) note(root ast.Node, path string) {
	if root == nil {
		return
	}
	ast.Walk(visitor(func(node ast.Node) {
		if t := node.GetToken(); t != nil {
			d.files[t] = path
		}
	}), root)
}

// locate notes where a value and all in it stand. kind is the Go type that it is read into.
func (d *document) locate(node ast.Node, kind reflect.Type, path string) {
	if d.places == nil {
		d.places, d.known = make(map[string]Position), make(map[*token.Token][]string)
	}
	if kind != nil && kind.Kind() == reflect.Pointer {
		kind = kind.Elem()
	}
	switch n := node.(type) {
	case nil:
		return
	case *ast.AnchorNode:
		d.locate(n.Value, kind, path)
		return
	case *ast.MappingNode:
		for _, pair := range n.Values {
			key := pair.Key.GetToken()
			d.known[key] = Keys(kind)
			d.locate(pair.Value, fieldType(kind, key.Value), path+"."+key.Value)
		}
		if len(n.Values) > 0 {
			d.places[path] = d.position(n.Values[0].Key.GetToken())
			return
		}
	case *ast.SequenceNode:
		for i, value := range n.Values {
			d.locate(value, element(kind, reflect.Slice), fmt.Sprintf("%s[%d]", path, i))
		}
	}
	d.places[path] = d.position(node.GetToken())
}

// fieldType is the type of what a key of a type holds; nil if there is no such key.
func fieldType(kind reflect.Type, key string) reflect.Type {
	if kind == nil || kind.Kind() != reflect.Struct {
		return element(kind, reflect.Map)
	}
	if field, ok := fieldOf(kind, key); ok {
		return field.Type
	}
	return nil
}

// element is the type of the elements of a slice or map.
func element(kind reflect.Type, of reflect.Kind) reflect.Type {
	if kind == nil || kind.Kind() != of {
		return nil
	}
	return kind.Elem()
}

func (d *document) position(t *token.Token) Position {
	if t == nil || t.Position == nil {
		return Position{d.path, 1, 1}
	}
	return Position{cmp.Or(d.files[t], d.path), t.Position.Line, t.Position.Column}
}

// at is a fault in the value at a path such as $.forward.hold; where there is
// no such value, in what would hold it.
func (d *document) at(path, hint, format string, args ...any) error {
	place := Position{d.path, 1, 1}
	for ; path != ""; path = holder(path) {
		if there, ok := d.places[path]; ok {
			place = there
			break
		}
	}
	return &Error{File: place.File, Line: place.Line, Column: place.Column, Message: fmt.Sprintf(format, args...),
		Hint: hint}
}

// in is a fault in a node.
func (d *document) in(node ast.Node, hint, format string, args ...any) error {
	place := d.position(node.GetToken())
	return &Error{File: place.File, Line: place.Line, Column: place.Column, Message: fmt.Sprintf(format, args...),
		Hint: hint}
}

// fault makes an Error of what the YAML library says.
func (d *document) fault(err error) error { return d.faultIn("", err) }

func (d *document) faultIn(path string, err error) error {
	var said yaml.Error
	if !errors.As(err, &said) || said.GetToken() == nil {
		return fmt.Errorf("read project file %s: %w", cmp.Or(path, d.path), err)
	}
	token := said.GetToken()
	place := d.position(token)
	e := &Error{File: cmp.Or(path, place.File), Line: place.Line, Column: place.Column, Message: said.GetMessage(),
		Hint: "'devtun up --help' shows a whole project file"}
	var unknown *yaml.UnknownFieldError
	var misplaced *yaml.TypeError
	var unexpected *yaml.UnexpectedNodeTypeError
	switch {
	case errors.As(err, &unknown):
		e.Unknown, e.Known = token.Value, d.known[token]
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

// Keys are the keys of a part of a project file, in order.
func Keys(kind reflect.Type) (keys []string) {
	if kind == nil || kind.Kind() != reflect.Struct {
		return nil
	}
	for _, field := range reflect.VisibleFields(kind) {
		if key := keyOf(field); key != "" && key != "-" {
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
	fields := reflect.VisibleFields(kind)
	i := slices.IndexFunc(fields, func(f reflect.StructField) bool { return keyOf(f) == key })
	if i < 0 {
		return reflect.StructField{}, false
	}
	return fields[i], true
}
