package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/devtun/devtun/cmd/cli/output"
)

// schema is what is used here of a JSON Schema.
type schema struct {
	Draft       string             `json:"$schema,omitempty"`
	Title       string             `json:"title,omitempty"`
	Description string             `json:"description,omitempty"`
	Ref         string             `json:"$ref,omitempty"`
	Type        string             `json:"type,omitempty"`
	Format      string             `json:"format,omitempty"`
	Const       string             `json:"const,omitempty"`
	Enum        []string           `json:"enum,omitempty"`
	Not         *schema            `json:"not,omitempty"`
	Items       *schema            `json:"items,omitempty"`
	Required    []string           `json:"required,omitempty"`
	Properties  map[string]*schema `json:"properties,omitempty"`
	AnyOf       []*schema          `json:"anyOf,omitempty"`
	Defs        map[string]*schema `json:"$defs,omitempty"`
}

// eventsSchema is the schema of all events. It has room for what may be added to them:
// further types, fields and values.
func eventsSchema(comments comments) ([]byte, error) {
	all := &schema{
		Draft: "https://json-schema.org/draft/2020-12/schema",
		Title: "Event of devtun",
		Description: fmt.Sprintf(
			"One line of what devtun prints with -o json: version %d of the contract in docs/events.md.", output.Version),
		Type: "object", Required: []string{"type", "time"},
		Properties: map[string]*schema{
			"type": {Type: "string"},
			"time": {Type: "string", Format: "date-time", Description: "when it was printed: RFC 3339, UTC"},
		},
		Defs: make(map[string]*schema),
	}
	var known []string
	for _, event := range output.Events {
		is := comments.schemaOf(reflect.TypeOf(event))
		is.Description = comments.of(event)
		is.Properties["type"] = &schema{Const: event.Type()}
		all.Defs[event.Type()] = is
		all.AnyOf = append(all.AnyOf, &schema{Ref: "#/$defs/" + event.Type()})
		known = append(known, event.Type())
	}
	all.AnyOf = append(all.AnyOf, &schema{
		Description: "an event of a later devtun",
		Properties:  map[string]*schema{"type": {Not: &schema{Enum: known}}},
	})
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	err := encoder.Encode(all)
	return text.Bytes(), err
}

// schemaOf is that of a struct.
func (c comments) schemaOf(is reflect.Type) *schema {
	object := &schema{Type: "object", Properties: make(map[string]*schema)}
	for _, f := range c.fieldsOf(is) {
		field := c.schemaOfType(f.is)
		field.Description = f.about
		object.Properties[f.name] = field
		if !f.optional {
			object.Required = append(object.Required, f.name)
		}
	}
	return object
}

func (c comments) schemaOfType(is reflect.Type) *schema {
	switch {
	case is == reflect.TypeFor[json.RawMessage]():
		return &schema{}
	case is.Kind() == reflect.Struct:
		return c.schemaOf(is)
	case is.Kind() == reflect.Slice:
		return &schema{Type: "array", Items: c.schemaOfType(is.Elem())}
	}
	return &schema{Type: typeOf(is)}
}
