package project

import (
	"fmt"
	"regexp"
	"strings"
)

// Run is a program that runs while the session stands: with the environment of who has
// called devtun, and over that the container's, if it runs as a workload, and Env.
type Run struct {
	Command    []string          `yaml:"command" json:"command"` // the program and its arguments
	Env        map[string]string `yaml:"env,omitempty" json:"env,omitempty"`
	WorkingDir string            `yaml:"workingDir,omitempty" json:"workingDir,omitempty"` // default: the file's folder
}

// Process is a program that no intercept is about.
type Process struct {
	Run        `yaml:",inline"`
	As         string `yaml:"as,omitempty" json:"as,omitempty"` // workload whose container's environment it gets
	Namespace  string `yaml:"namespace,omitempty" json:"namespace,omitempty"`
	Container  string `yaml:"container,omitempty" json:"container,omitempty"`
	AgentImage string `yaml:"agentImage,omitempty" json:"agentImage,omitempty"`
}

// runName is what a program may be called.
var runName = regexp.MustCompile(`^[a-zA-Z0-9]([-_.a-zA-Z0-9]{0,62}[a-zA-Z0-9])?$`)

// RunName is what the program of an intercept is called: as the workload.
func (p *Project) RunName(c Intercept) string {
	name := c.Workload[strings.LastIndex(c.Workload, "/")+1:]
	if c.Namespace != "" && c.Namespace != p.Namespace {
		name += "." + c.Namespace
	}
	return name
}

// checkRuns checks what runs.
func (d *document) checkRuns(p *Project) error {
	names := make(map[string]string)
	for i, c := range p.Intercepts {
		if c.Run == nil {
			continue
		}
		at := fmt.Sprintf("$.intercepts[%d].run", i)
		if err := d.checkRun(at, *c.Run); err != nil {
			return err
		}
		if c.To != "" && host(c.To) != "" {
			return d.at(at, "take one of them out", "the program runs here, and the requests go to %s", c.To)
		}
		name := p.RunName(c)
		if other, taken := names[name]; taken {
			return d.at(at, "intercept one of them as svc/NAME or by another name", "%s and %s would both run as %q",
				other, c.Workload, name)
		}
		names[name] = c.Workload
	}
	for name, process := range p.Run {
		at := "$.run." + name
		switch {
		case !runName.MatchString(name):
			return d.at(at, "use letters, digits, dashes and underscores", "%q is no name for what runs", name)
		case names[name] != "":
			return d.at(at, "give it another name", "what runs for %s is called %s already", names[name], name)
		case process.As == "" && process.Namespace+process.Container+process.AgentImage != "":
			return d.at(at, "add as: KIND/NAME, or leave them out", "namespace, container and agentImage are about the "+
				"workload of as")
		}
		if err := d.checkRun(at, process.Run); err != nil {
			return err
		}
	}
	return nil
}

func (d *document) checkRun(at string, r Run) error {
	if len(r.Command) == 0 || r.Command[0] == "" {
		return d.at(at+".command", "write run: COMMAND, or run: {command: COMMAND, …}", "there is no command to run")
	}
	for name := range r.Env {
		if name == "" || strings.ContainsAny(name, "=\x00") {
			return d.at(at+".env", "write NAME: VALUE", "%q is no name of a variable", name)
		}
	}
	return nil
}
