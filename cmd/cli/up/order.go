package up

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/devtun/devtun/cmd/cli/background"
	"github.com/devtun/devtun/cmd/cli/image"
	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/cmd/cli/project"
)

// order is the project file, what was given on the command line over it, and what the
// session is to know of who orders it. What can be refused without the cluster is. The name
// is the session's.
func (o *options) order() (order background.Order, name string, err error) {
	if o.file == "" {
		o.file = project.Find()
	}
	p, err := project.Read(o.file)
	if errors.Is(err, fs.ErrNotExist) {
		return order, "", problem.Usage("'devtun init' writes one; or name it with -f",
			"there is no project file %s", o.file)
	}
	if err != nil {
		return order, "", err
	}
	if err := o.override(p); err != nil {
		return order, "", err
	}
	if o.wait <= 0 {
		return order, "", problem.Usage("give a duration such as 1m", "--wait %v is too short", o.wait)
	}
	if name, err = p.Session(o.file); err != nil {
		return order, "", err
	}
	order = background.Order{Project: p, Environment: orderEnvironment(), Verbose: o.verbose, StartedBy: o.starter}
	if _, err := wantOf(order, destination{namespace: "default"}); err != nil {
		return order, "", err
	}
	if order.File, err = filepath.Abs(o.file); err != nil {
		return order, "", err
	}
	order.Parent, err = parentOf(o.parent)
	return order, name, err
}

// override puts what was given on the command line over what the file says.
func (o *options) override(p *project.Project) (err error) {
	if o.name != "" && !project.ValidName(o.name) {
		return problem.Usage(project.NameHint, "%q is not a session name", o.name)
	}
	p.Name = cmp.Or(o.name, p.Name)
	p.Context = cmp.Or(*o.kube.Context, p.Context)
	if given := *o.kube.KubeConfig; given != "" {
		if p.Kubeconfig, err = filepath.Abs(given); err != nil {
			return err
		}
	}
	switch len(o.kube.Namespaces) {
	case 0:
	case 1:
		p.Namespace = o.kube.Namespaces[0]
	default:
		return problem.Usage("give one here, and the others under forward: namespaces",
			"devtun up works in one --namespace")
	}
	if o.envFile == "" {
		return nil
	}
	if len(p.Intercepts) != 1 {
		return problem.Usage("give each intercept its envFile in "+o.file,
			"--env-file is for a project of one intercept, and %s has %d", o.file, len(p.Intercepts))
	}
	p.Intercepts[0].EnvFile, err = filepath.Abs(o.envFile)
	return err
}

// orderVariables are the variables of a command that a session has to know, which may
// have been started with others. They go with the order: what stands keeps those that it
// was made with, and so do its credential plugins.
var orderVariables = []string{"KUBECONFIG", image.Variable}

// orderEnvironment is what this process has of them. Relative paths are made absolute: the
// session may run elsewhere.
func orderEnvironment() map[string]string {
	environment := make(map[string]string)
	for _, name := range orderVariables {
		environment[name] = os.Getenv(name)
	}
	paths := filepath.SplitList(environment["KUBECONFIG"])
	for i, path := range paths {
		if absolute, err := filepath.Abs(path); err == nil && path != "" {
			paths[i] = absolute
		}
	}
	environment["KUBECONFIG"] = strings.Join(paths, string(filepath.ListSeparator))
	return environment
}
