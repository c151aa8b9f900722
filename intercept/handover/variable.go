package handover

import (
	"cmp"
	"maps"
	"runtime"
	"slices"
	"strings"
)

// Variable is a variable of an environment. Its value is bytes, not always text.
type Variable struct {
	Name, Value string
}

// Variables are those of an environment of NAME=VALUE, by name. Of two with the
// same name the later counts.
func Variables(environ []string) []Variable {
	last := make(map[string]string)
	for _, pair := range environ {
		if name, value, ok := strings.Cut(pair, "="); ok && name != "" {
			last[name] = value
		}
	}
	variables := make([]Variable, 0, len(last))
	for name, value := range last {
		variables = append(variables, Variable{name, value})
	}
	slices.SortFunc(variables, func(a, b Variable) int { return cmp.Compare(a.Name, b.Name) })
	return variables
}

// portable are the variables of a container that mean on this machine what they mean
// there, and those of an image that are named.
func portable(environ, named []string) []Variable {
	return slices.DeleteFunc(Variables(environ), func(v Variable) bool {
		return machines.has(v.Name) || images.has(v.Name) && !slices.Contains(named, v.Name)
	})
}

// Command is the environment for a command on this machine: own, and over it
// the container's, apart from the variables that describe a machine, and those that
// describe an image unless they are named. Service links and KUBERNETES_SERVICE_HOST are the
// container's: software looks there to learn that it runs in a cluster, which is what it
// should think.
func Command(own, container []string, named ...string) []string {
	merged := make(map[string]Variable) // by the name as this system compares it
	for _, v := range Variables(own) {
		merged[compared(v.Name)] = v
	}
	for _, v := range portable(container, named) {
		merged[compared(v.Name)] = v
	}
	environ := make([]string, 0, len(merged))
	for _, key := range slices.Sorted(maps.Keys(merged)) {
		environ = append(environ, merged[key].Name+"="+merged[key].Value)
	}
	return environ
}

func compared(name string) string {
	if runtime.GOOS == "windows" {
		return strings.ToUpper(name)
	}
	return name
}
