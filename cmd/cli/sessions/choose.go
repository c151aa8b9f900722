package sessions

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/devtun/devtun/cmd/cli/arguments"
	"github.com/devtun/devtun/cmd/cli/background"
	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/cmd/cli/project"
)

// oneSession takes at most one argument, the name of a session.
func oneSession(_ *cobra.Command, args []string) error {
	if len(args) > 1 {
		return problem.Usage("name one session, or none", "%d names were given", len(args))
	}
	return nil
}

// completeSessions completes the sessions that run.
func completeSessions(_ *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	directory, err := background.Default()
	if err != nil || len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	running, _ := directory.Running()
	return arguments.Matching(running, nil, typed), cobra.ShellCompDirectiveNoFileComp
}

// chooseSession finds the session that is meant: the one named, or else that of the
// project file in this folder or above it, or else the only one of 'devtun up'. all are those
// to choose from. It is "" if there is none.
func chooseSession(all []string, args []string) (string, error) {
	if len(args) == 1 {
		if slices.Contains(all, args[0]) {
			return args[0], nil
		}
		return "", nil
	}
	all = slices.DeleteFunc(slices.Clone(all), background.Foreground) // is meant only by its name
	if here := folderSession(); slices.Contains(all, here) {
		return here, nil
	}
	switch len(all) {
	case 0:
		return "", nil
	case 1:
		return all[0], nil
	}
	return "", problem.Usage("name one of "+strings.Join(all, ", "), "there are %d sessions", len(all))
}

// folderSession is the name of the session of the project file in this folder or above it,
// whether it runs or not.
func folderSession() string {
	file := project.Find()
	p, err := project.Read(file)
	if err != nil {
		p = &project.Project{}
	}
	name, _ := p.Session(file)
	return name
}

// noSession is that no session is running, or none of that name.
func noSession(name string, all []string) error {
	hint := "'devtun up' starts one"
	if near := problem.Near(name, all); name != "" && near != "" {
		hint = fmt.Sprintf("did you mean %s?", near)
	} else if len(all) > 0 {
		hint = "there are " + strings.Join(all, ", ")
	}
	text := "no session is running"
	if name != "" {
		text = fmt.Sprintf("no session %q is running", name)
	}
	return &problem.Problem{Err: fmt.Errorf("%s", text), Code: problem.ExitNoSession, Hint: hint}
}

// given is the name that was typed, if any.
func given(args []string) string {
	return cmp.Or(strings.Join(args, " "), "")
}
