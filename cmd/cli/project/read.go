package project

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/token"
)

// Error is a fault in a project file.
type Error struct {
	File         string
	Line, Column int
	Message      string
	Hint         string
	// Unknown is a key that there is not, Known are those there are. Only an
	// unknown key sets them.
	Unknown string
	Known   []string
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Message)
}

// Read reads a project file, with what lies beside it: the file that goes over it, and the
// variables for what stands as ${NAME} in it. Relative paths in it are from its folder.
func Read(path string) (*Project, error) {
	sources, err := read(path)
	if err != nil {
		return nil, fmt.Errorf("read project file: %w", err)
	}
	folder, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("read project file: %w", err)
	}
	p, err := parse(sources, folder)
	if err != nil {
		return nil, err
	}
	p.makeAbsolute(folder)
	return p, nil
}

// source is the text of a file.
type source struct {
	path string
	text []byte
}

// read reads a project file and the one that goes over it, if there is one.
func read(path string) (sources []source, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	sources = []source{{path, text}}
	local := Local(path)
	text, err = os.ReadFile(local)
	if errors.Is(err, fs.ErrNotExist) {
		return sources, nil
	}
	return append(sources, source{local, text}), err
}

// Parse reads the text of the project file at path, for errors to name. Paths in
// it stay as they are, and nothing that lies beside it is read.
func Parse(path string, text []byte) (*Project, error) {
	return parse([]source{{path, text}}, "")
}

// parse reads texts, each of which goes over those before it. Variables are also in the
// folder's .env, unless it is "".
func parse(sources []source, folder string) (*Project, error) {
	d := &document{path: sources[0].path, files: make(map[*token.Token]string)}
	for _, source := range sources {
		if err := d.add(source); err != nil {
			return nil, err
		}
	}
	variables, err := d.variables(folder)
	if err != nil {
		return nil, err
	}
	for i, root := range d.roots {
		if root, err = d.interpolate(root, variables); err != nil {
			return nil, err
		}
		if err := d.spellOut(root, variables); err != nil {
			return nil, err
		}
		d.note(root, sources[i].path)
		d.root = merged(d.root, root)
	}
	p := new(Project)
	d.locate(d.root, reflect.TypeFor[Project](), "$")
	if d.root != nil {
		if err := yaml.NodeToValue(d.root, p, yaml.Strict()); err != nil {
			return nil, d.fault(err)
		}
	}
	p.Positions, p.Warnings = d.listed(), d.warnings
	return p, d.check(p)
}

// makeAbsolute has the paths start in a folder.
func (p *Project) makeAbsolute(folder string) {
	paths := []*string{&p.Kubeconfig, &p.Forward.HostsFile}
	for i := range p.Intercepts {
		c := &p.Intercepts[i]
		paths = append(paths, &c.EnvFile, &c.EnvJSON, &c.Files)
	}
	for i := range p.Env {
		e := &p.Env[i]
		paths = append(paths, &e.EnvFile, &e.EnvJSON, &e.Files)
	}
	for i := range p.Intercepts {
		if run := p.Intercepts[i].Run; run != nil {
			run.WorkingDir = absolute(folder, run.WorkingDir)
		}
	}
	for name, process := range p.Run {
		process.WorkingDir = absolute(folder, process.WorkingDir)
		p.Run[name] = process
	}
	for _, path := range paths {
		if *path != "" {
			*path = absolute(folder, *path)
		}
	}
}

// absolute is a path from a folder, or the folder.
func absolute(folder, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(folder, path)
}
