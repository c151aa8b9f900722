package cli

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/cmd/cli/intercept"
	"github.com/devtun/devtun/cmd/cli/sessions"
	"github.com/devtun/devtun/cmd/cli/status"
	"github.com/devtun/devtun/intercept/claim"
	"github.com/devtun/devtun/intercept/plan"
)

func TestTheObjectsPageHasEveryField(t *testing.T) {
	documented := documentedTypes(t, "objects.md")
	types := map[string]any{
		"session": status.Snapshot{}, "service": status.Service{}, "port": status.Port{}, "intercept": status.Intercept{},
		"link": status.Link{}, "relay": status.Relay{},
		"route": status.Route{}, "environment": status.Environment{}, "run": status.Run{},
		"use": status.Use{}, "connection": status.Connection{}, "listed": intercept.Listed{}, "workload": plan.Object{},
		"owner": plan.Owner{}, "request": status.Request{},
		"line": sessions.LogLine{}, "rule": claim.Rule{}, "header": claim.Header{},
	}
	names := make(map[reflect.Type]string)
	for name, value := range types {
		names[reflect.TypeOf(value)] = name
	}
	require.Len(t, documented, len(types))
	for name, value := range types {
		want := make(map[string]string)
		missing := make(map[string]bool)
		for _, f := range reflect.VisibleFields(reflect.TypeOf(value)) {
			tag, options, _ := strings.Cut(f.Tag.Get("json"), ",")
			if tag != "" && len(f.Index) == 1 { // those of an embedded type are said of that
				want[tag], missing[tag] = kindOfType(f.Type, names), options == "omitempty"
			}
		}
		got := make(map[string]string)
		for field, said := range documented[name] {
			got[field] = said.kind
			require.Equal(t, missing[field], strings.HasSuffix(said.about, "may be missing"), "%s.%s", name, field)
		}
		require.Equal(t, want, got, name)
	}
}

// kindOfType is how the page names the kind of a field.
func kindOfType(is reflect.Type, names map[reflect.Type]string) string {
	if name := names[is]; name != "" {
		return name
	}
	switch is.Kind() {
	case reflect.Pointer:
		return kindOfType(is.Elem(), names)
	case reflect.Slice:
		if is.Elem().Kind() == reflect.String {
			return "list of strings"
		}
		return "list of " + kindOfType(is.Elem(), names)
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "boolean"
	case reflect.Int, reflect.Int64, reflect.Float64:
		return "number"
	}
	if is == reflect.TypeFor[time.Time]() {
		return "string"
	}
	return is.String()
}
