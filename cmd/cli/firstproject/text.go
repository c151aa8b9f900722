package firstproject

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// contents is what a first project file says.
type contents struct {
	schema    string // where the schema is
	namespace string
	services  []corev1.Service
	workloads []workload
	run       string // that starts what is in the folder; "": not known
}

// text is the file. What may be taken in begins with a # and no space; each block of it is
// right by itself.
func (f contents) text() string {
	var text strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&text, format+"\n", args...) }
	line("# yaml-language-server: $schema=%s", f.schema)
	line("#\n# What 'devtun up' brings up. 'devtun up --help' shows every key. What is a matter of")
	line("# taste, such as the context of the kubeconfig, is for devtun.local.yaml, which goes over this.")
	line("namespace: %s", yamlText(f.namespace))

	var names []string
	for _, service := range f.services {
		names = append(names, service.Name)
	}
	slices.Sort(names)
	line("\n# All services of the namespace are forwarded, under their own names:")
	for _, name := range names {
		line("#   %s", name)
	}
	if len(names) == 0 {
		line("#   (there are none yet)")
		return text.String()
	}
	line("# To leave out the one that runs here, take away the # of these lines:")
	line("#forward:\n#  except: [%s]", names[0])
	if len(f.workloads) == 0 {
		return text.String()
	}

	line("\n# To be a service: its requests come here, to the process that listens on the container's")
	line("# port. One of these, or several:")
	for _, w := range f.workloads {
		line("#   %s/%s (%s)", w.kind, w.name, strings.Join(w.services, ", "))
	}
	first := f.workloads[0]
	line("#intercepts:\n#  - workload: %s/%s", first.kind, first.name)
	line("#    envFile: .env.%s # the container's environment, for a debugger", first.name)
	if f.run != "" {
		line("#    run: %s # what answers; 'devtun restart' starts it again", f.run)
		line("\n# What reaches the services by their names, and gets no requests of the cluster:")
		line("#run:\n#  here: %s", f.run)
	} else {
		line("# With run: COMMAND in it, devtun starts what answers, too.")
	}
	line("\n# The environment of a container as a file, while the workload stays as it is:")
	line("#env:\n#  - workload: %s/%s\n#    envFile: .env.%s", first.kind, first.name, first.name)
	return text.String()
}

// commandIn is how the program in a folder is started, as far as its files tell.
func commandIn(folder string) string {
	for _, known := range []struct{ file, command string }{
		{"main.go", "go run ."}, {"package.json", "npm start"}, {"Cargo.toml", "cargo run"},
		{"manage.py", "python manage.py runserver"}, {"main.py", "python main.py"}, {"app.py", "python app.py"},
		{"pom.xml", "mvn spring-boot:run"}, {"build.gradle", "./gradlew bootRun"},
	} {
		if info, err := os.Stat(filepath.Join(folder, known.file)); err == nil && info.Mode().IsRegular() {
			return known.command
		}
	}
	return ""
}

// plainText is what YAML takes for a text without quotes, whatever its version.
var plainText = regexp.MustCompile(`^[a-zA-Z/][-a-zA-Z0-9_./]*$`)

// notText is what YAML, in one of its versions, takes for something else.
var notText = []string{"null", "true", "false", "yes", "no", "on", "off", "y", "n"}

// yamlText is a text as YAML has it, which is as JSON has it if it must be.
func yamlText(text string) string {
	if plainText.MatchString(text) && !slices.Contains(notText, strings.ToLower(text)) {
		return text
	}
	return strings.ReplaceAll(fmt.Sprintf("%q", text), "$", "$$")
}
