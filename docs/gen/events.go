package main

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/devtun/devtun/cmd/cli/output"
)

// eventSource is where the events' structs stand, from the folder of the pages.
const eventSource = "../cmd/cli/output/event.go"

// eventFiles are the page of events and their JSON Schema, by file name. Of the page in
// dir everything stays but for what stands below the heading of an event's type.
func eventFiles(dir string) (map[string][]byte, error) {
	comments, err := readComments(filepath.Join(dir, eventSource))
	if err != nil {
		return nil, err
	}
	page, err := os.ReadFile(filepath.Join(dir, "events.md"))
	if err != nil {
		return nil, err
	}
	made, err := eventsPage(string(page), comments)
	if err != nil {
		return nil, err
	}
	schema, err := eventsSchema(comments)
	return map[string][]byte{"events.md": []byte(made), "events.schema.json": schema}, err
}

// comments are the comments of structs, and of their fields as "Struct.Field".
type comments map[string]string

func readComments(file string) (comments, error) {
	source, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	found := make(comments)
	note := func(name string, comment *ast.CommentGroup) {
		found[name] += strings.Join(strings.Fields(comment.Text()), " ")
	}
	ast.Inspect(source, func(n ast.Node) bool {
		decl, ok := n.(*ast.GenDecl)
		if !ok || decl.Tok != token.TYPE {
			return true
		}
		spec := decl.Specs[0].(*ast.TypeSpec)
		note(spec.Name.Name, decl.Doc)
		if is, ok := spec.Type.(*ast.StructType); ok {
			for _, field := range is.Fields.List {
				note(spec.Name.Name+"."+field.Names[0].Name, field.Doc)
				note(spec.Name.Name+"."+field.Names[0].Name, field.Comment)
			}
		}
		return false
	})
	return found, nil
}

// of is what the comment of an event's struct says, by the name that tools know.
func (c comments) of(event output.Event) string {
	name := reflect.TypeOf(event).Name()
	return strings.Replace(c[name], name, "`"+event.Type()+"`", 1)
}

// eventField is a field as JSON has it.
type eventField struct {
	name, about string
	is          reflect.Type
	optional    bool
}

// fieldsOf are the fields of a struct that JSON has.
func (c comments) fieldsOf(is reflect.Type) (fields []eventField) {
	for i := range is.NumField() {
		f := is.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name != "-" {
			fields = append(fields, eventField{name, c[is.Name()+"."+f.Name], f.Type, options == "omitzero"})
		}
	}
	return fields
}

// kind is how the page names what a field holds.
func (f eventField) kind() string {
	switch {
	case f.is.Kind() == reflect.Slice && f.is.Elem().Kind() == reflect.Struct:
		return "list of objects"
	case f.is == reflect.TypeFor[json.RawMessage]():
		return "any JSON"
	}
	return strings.ReplaceAll(typeOf(f.is), "integer", "number")
}

// typeOf is what a field holds, as a JSON Schema names it; a list's is that of its items.
func typeOf(is reflect.Type) string {
	switch is.Kind() {
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "boolean"
	case reflect.Slice:
		return "list of " + typeOf(is.Elem()) + "s"
	case reflect.Int, reflect.Int64:
		if is == reflect.TypeFor[output.Seconds]() {
			return "number"
		}
		return "integer"
	}
	panic("no kind for " + is.String())
}

var (
	eventHeading = regexp.MustCompile(`(?m)^### ([a-z]+)$`)
	nextHeading  = regexp.MustCompile(`(?m)^###? `)
	with         = regexp.MustCompile("; with `[a-z]+`$")
)

// eventsPage is a page with what belongs below the heading of each type.
func eventsPage(page string, comments comments) (string, error) {
	missing := make(map[string]output.Event)
	for _, event := range output.Events {
		missing[event.Type()] = event
	}
	var made strings.Builder
	for {
		at := eventHeading.FindStringSubmatchIndex(page)
		if at == nil {
			break
		}
		name := page[at[2]:at[3]]
		event := missing[name]
		if event == nil {
			return "", fmt.Errorf("events.md has a heading %q, and there is no such event", name)
		}
		delete(missing, name)
		made.WriteString(page[:at[1]] + "\n\n" + wrap(comments.of(event)) + "\n" + comments.table(event))
		page = page[at[1]:]
		if next := nextHeading.FindStringIndex(page); next != nil {
			page = "\n" + page[next[0]:]
		} else {
			page = ""
		}
	}
	if len(missing) > 0 {
		return "", fmt.Errorf("events.md has no heading for %s", strings.Join(slices.Sorted(maps.Keys(missing)), ", "))
	}
	return made.String() + page, nil
}

// table is the table of an event's fields.
func (c comments) table(event output.Event) string {
	table := "| field | kind | |\n| --- | --- | --- |\n"
	for _, f := range c.fieldsOf(reflect.TypeOf(event)) {
		about := f.about
		if f.kind() == "list of objects" {
			condition := with.FindString(about)
			about = strings.TrimSuffix(about, condition) + ": " + c.objects(f.is.Elem()) + condition
		}
		table += strings.TrimRight(fmt.Sprintf("| `%s` | %s | %s", f.name, f.kind(), about), " ") + " |\n"
	}
	return table
}

// objects says what objects of a list hold.
func (c comments) objects(is reflect.Type) string {
	var said []string
	for _, f := range c.fieldsOf(is) {
		text := fmt.Sprintf("`%s` (%s)", f.name, f.kind())
		if f.about != "" {
			text += ": " + f.about
		}
		said = append(said, text)
	}
	return strings.Join(said, "; ")
}

// wrap breaks a text into lines of at most 88 columns.
func wrap(text string) string {
	var made, line string
	for word := range strings.FieldsSeq(text) {
		if line != "" && len(line)+1+len(word) > 88 {
			made, line = made+line+"\n", ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	return made + line + "\n"
}
