package ide

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/devtun/devtun/cmd/cli/project"
)

// gitTimeout bounds a question to git.
const gitTimeout = 5 * time.Second

// ignore is what keeps the env file, which holds the container's Secrets, out of git: a
// line in .gitignore beside it. There is nothing to do outside of a repository.
func (o *options) ignore(ctx context.Context, p *project.Project) ([]Change, error) {
	of := o.intercept(p)
	if of == nil || of.EnvFile == "" {
		return nil, nil
	}
	folder, name := filepath.Split(of.EnvFile)
	ctx, cancel := context.WithTimeout(ctx, gitTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "git", "check-ignore", "-q", "--", name)
	cmd.Dir = folder
	var exit *exec.ExitError
	if err := cmd.Run(); !errors.As(err, &exit) || exit.ExitCode() != 1 {
		return nil, nil // it is ignored, or there is no git, or no repository
	}
	path := filepath.Join(folder, ".gitignore")
	if here, err := os.Getwd(); err == nil {
		if short, err := filepath.Rel(here, path); err == nil && filepath.IsLocal(short) {
			path = short
		}
	}
	made, err := change(path, func(before []byte) ([]byte, error) {
		text := bytes.Clone(before)
		if len(text) > 0 && !bytes.HasSuffix(text, []byte("\n")) {
			text = append(text, '\n')
		}
		return append(text, "/"+name+"\n"...), nil
	})
	return []Change{made}, err
}
