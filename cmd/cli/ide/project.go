package ide

import (
	"cmp"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/cmd/cli/project"
)

// project reads the project file, or makes one.
func (o *options) project() (*project.Project, *Change, error) {
	p, err := project.Read(o.file)
	if !errors.Is(err, fs.ErrNotExist) {
		if err == nil {
			err = o.fits(p)
		}
		return p, nil, err
	}
	name := cmp.Or(o.service, o.workload)
	if name == "" {
		return nil, nil, problem.Usage("add --service NAME or --workload NAME, which write one; or name it with -f",
			"there is no project file %s", o.file)
	}
	text := o.newProject(name)
	p, err = project.Parse(o.file, []byte(text))
	if err != nil {
		return nil, nil, err
	}
	for i := range p.Intercepts { // as Read has it
		p.Intercepts[i].EnvFile = filepath.Join(filepath.Dir(o.file), p.Intercepts[i].EnvFile)
	}
	return p, &Change{Path: o.file, After: []byte(text)}, nil
}

// newEnvFile is where a new project file has the container's environment: not .env,
// which may be the user's.
const newEnvFile = "devtun.env"

func (o *options) newProject(name string) string {
	_, short, of := strings.Cut(name, "/") // svc/NAME
	if !of {
		short = name
	}
	text := "name: " + short + "\n"
	if o.namespace != "" {
		text += "namespace: " + o.namespace + "\n"
	}
	if o.service != "" {
		return text + "forward:\n  except: [" + short + "]\n"
	}
	return text + "intercepts:\n  - workload: " + name + "\n    envFile: " + newEnvFile + "\n"
}

// fits looks whether a project file that there is does what the flags are for.
func (o *options) fits(p *project.Project) error {
	hint := "write it into " + o.file + ", or name another file with -f"
	switch {
	case o.service != "" && !slices.Contains(p.Forward.Except, o.service):
		return problem.Usage(hint, "%s is there already, and forward.except does not name %s", o.file, o.service)
	case o.workload != "" && o.intercept(p) == nil:
		return problem.Usage(hint, "%s is there already, and does not intercept %s", o.file, o.workload)
	}
	return nil
}

// intercept is the one whose program is debugged, if any.
func (o *options) intercept(p *project.Project) *project.Intercept {
	for i := range p.Intercepts {
		if o.workload == "" || p.Intercepts[i].Workload == o.workload {
			return &p.Intercepts[i]
		}
	}
	return nil
}

// target finds out what the files are about.
func (o *options) target(p *project.Project) (t Target, err error) {
	if t.Session, err = p.Session(o.file); err != nil {
		return t, err
	}
	program, language, err := programIn(cmp.Or(o.program, filepath.Dir(o.file)))
	if err != nil {
		return t, err
	}
	t.Args, t.Language, t.Devtun = o.args, language, o.devtun
	if t.Program, err = o.inside(program); err != nil {
		return t, err
	}
	if t.Project, err = o.inside(o.file); err != nil {
		return t, err
	}
	if of := o.intercept(p); of != nil && of.EnvFile != "" {
		t.EnvFile, err = o.inside(of.EnvFile)
	}
	return t, err
}

// inside is a path from the folder that the editor has open, if it is inside of it.
func (o *options) inside(path string) (string, error) {
	folder, err := filepath.Abs(o.folder)
	if err != nil {
		return "", err
	}
	if path, err = filepath.Abs(path); err != nil {
		return "", err
	}
	relative, err := filepath.Rel(folder, path)
	if err != nil || relative == ".." || strings.HasPrefix(relative, ".."+string(filepath.Separator)) {
		return path, nil
	}
	return filepath.ToSlash(relative), nil
}
