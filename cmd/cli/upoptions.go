package cli

import (
	"cmp"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/cmd/cli/project"
	"github.com/devtun/devtun/proc"
)

// readProject reads the project file, and checks what can be checked without the
// cluster. The name is the session's.
func (o *upOptions) readProject() (p *project.Project, name string, err error) {
	p, err = project.Read(o.file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, "", problem.Usage("'devtun init' writes one; or name it with -f", "there is no project file %s", o.file)
	}
	if err != nil {
		return nil, "", err
	}
	if err := o.over(p); err != nil {
		return nil, "", err
	}
	if o.wait <= 0 {
		return nil, "", problem.Usage("give a duration such as 1m", "--wait %v is no time to be ready in", o.wait)
	}
	if name, err = o.session(p); err != nil {
		return nil, "", err
	}
	return p, name, validateProject(p)
}

// over puts what was given on the command line over what the file says.
func (o *upOptions) over(p *project.Project) (err error) {
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
		return problem.Usage("give one here, and the others under forward: namespaces", "devtun up works in one --namespace")
	}
	if o.envFile == "" {
		return nil
	}
	if len(p.Intercepts) != 1 {
		return problem.Usage("give each intercept its envFile in "+o.file, "--env-file is for a project of one intercept, and %s has %d", o.file, len(p.Intercepts))
	}
	p.Intercepts[0].EnvFile, err = filepath.Abs(o.envFile)
	return err
}

// session is the name of the project's session.
func (o *upOptions) session(p *project.Project) (string, error) {
	if name := cmp.Or(o.name, p.Name); name != "" {
		if !project.ValidName(name) {
			return "", problem.Usage(project.NameHint, "%q is no name for a session", name)
		}
		return name, nil
	}
	return defaultName(o.file)
}

// defaultName is made of the folder that the file lies in, and of the file's name if
// that is not the usual one.
func defaultName(file string) (string, error) {
	file, err := filepath.Abs(file)
	if err != nil {
		return "", err
	}
	name := filepath.Base(filepath.Dir(file))
	if base := filepath.Base(file); base != project.Name {
		name += "-" + strings.TrimSuffix(base, filepath.Ext(base))
	}
	fit := func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}
	name = strings.Trim(strings.Map(fit, strings.ToLower(name)), "-")
	name = strings.Trim(name[:min(len(name), 40)], "-")
	return cmp.Or(name, "devtun"), nil
}

// parentOf identifies the process that --ppid names; "" for none.
func parentOf(pid int) (string, error) {
	if pid == 0 {
		return "", nil
	}
	hint := "give the number of a process that runs, such as that of the IDE"
	if pid < 0 {
		return "", problem.Usage(hint, "--ppid %d is no process", pid)
	}
	owner, err := proc.Of(pid)
	if err != nil {
		return "", problem.Usage(hint, "--ppid %d: no such process", pid)
	}
	self, err := proc.Self()
	if err != nil {
		return "", err
	}
	owner.PIDNS = self.PIDNS // its number is one of here
	if !owner.Alive() {
		return "", problem.Usage(hint, "--ppid %d: no such process", pid)
	}
	return owner.String(), nil
}
