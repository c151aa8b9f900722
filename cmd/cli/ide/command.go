package ide

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/devtun/devtun/cmd/cli/arguments"
	"github.com/devtun/devtun/cmd/cli/console"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/cmd/cli/project"
)

// options is what `devtun ide` was asked to do.
type options struct {
	file              string // the project file
	folder            string // that the editor has open
	program           string // "": the project file's folder
	service, workload string // for a new project file, and to choose an intercept
	namespace         string // for a new project file
	dryRun            bool
	devtun            string   // as the editor finds it
	args              []string // the program's
}

// New is devtun ide.
func New(streams output.Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "ide",
		Short: "Write an editor's files, for its debugger to start and end devtun",
		Long: `Write the files by which an editor starts a session before its debugger and ends it
afterwards. What the files hold already stays as it is.`,
		Example: `  # F5 in VS Code: this folder's program takes service-middle's requests
  devtun ide vscode --workload service-middle

  # the same in GoLand, for another folder of the project
  devtun ide jetbrains -f service-middle/devtun.yaml`,
		Args: arguments.None,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		newEditor(streams, "vscode", "Write .vscode/tasks.json and .vscode/launch.json",
			`A task brings up what the project file lists, and the debugger starts when all is
ready; another one ends the session when the debugger has ended, if the first one has
started it. If the session does not come up, VS Code shows the error and does not start
the debugger.

The program is a folder with a Go program or a package.json, or a file of Python or
JavaScript. For any other there are the tasks, and a configuration that you complete.`, VSCode),
		newEditor(streams, "jetbrains", "Write run configurations into .run",
			`A run configuration brings up what the project file lists, before it starts the
program. These IDEs have nothing that runs afterwards: the session is kept for the
next run, and ends with the IDE, or by the configuration 'devtun down'. The container's
environment is read from the env file: by PyCharm and Node themselves, in GoLand by the
plugin EnvFile.

The program is a folder with a Go program or a package.json, or a file of Python or
JavaScript. For any other, have your own configuration run 'devtun up' before launch.

A password cannot be asked for there: see docs/security.md for ways without.`, JetBrains),
	)
	return cmd
}

func newEditor(
	streams output.Streams, name, short, long string, files func(string, Target) ([]Change, error),
) *cobra.Command {
	o := &options{}
	cmd := &cobra.Command{
		Use:   name + " [-- ARGUMENT…]",
		Short: short,
		Long: long + `

The project file is what 'devtun up' reads. If there is none, --service or --workload
has one written: for --service all others are forwarded and that one runs here, for
--workload its requests arrive here besides. ARGUMENTs are the program's.`,
		Example: `  # this folder's program runs here, and reaches the others by name
  devtun ide ` + name + ` --service service-front

  # requests of the cluster to service-middle stop at its breakpoints
  devtun ide ` + name + ` --workload service-middle --program ./cmd/middle

  # a project file that there is, below the folder that the editor has open
  devtun ide ` + name + ` -f service-middle/devtun.yaml

  # the program is not to listen on all addresses, of which forwards have some
  devtun ide ` + name + ` --service service-front -- -listen localhost:8080

  # only look
  devtun ide ` + name + ` --dry-run`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 && cmd.ArgsLenAtDash() != 0 {
				return problem.Usage("what is the program's goes behind --", "unknown argument %q", args[0])
			}
			o.args = args
			if err := o.lookUp(cmd.Context(), streams); err != nil {
				return err
			}
			return run(cmd.Context(), o, name, streams, files)
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&o.file, "file", "f", project.Name, "the project file")
	flags.StringVar(&o.folder, "folder", ".", "the folder that the editor has open")
	flags.StringVar(&o.program, "program", "",
		"what is debugged: a folder or a file (default: the project file's folder)")
	flags.StringVar(&o.service, "service", "", "the service that runs here, for a new project file")
	flags.StringVar(&o.workload, "workload", "",
		"the workload or service whose requests are to arrive here, for a new project file; of several in one, the one "+
			"that is debugged")
	flags.StringVarP(&o.namespace, "namespace", "n", "",
		"namespace, for a new project file (default: the kubeconfig's, at each start)")
	flags.BoolVar(&o.dryRun, "dry-run", false, "print the files, and write nothing")
	return cmd
}

// lookUp finds out what the editor is to call devtun by, and warns if that is no name.
func (o *options) lookUp(ctx context.Context, streams output.Streams) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	var lost bool
	if o.devtun, lost = asEditorsFind(ctx, os.Getenv, self); lost {
		warn(streams, "the editor may not find devtun: it is not in the PATH of your login shell (%s); "+
			"the tasks start it as %s", os.Getenv("SHELL"), self)
	}
	return nil
}

func warn(streams output.Streams, format string, args ...any) {
	console.NewWriter(streams, "", false).Write(output.Warning{Message: fmt.Sprintf(format, args...)})
}

func run(
	ctx context.Context, o *options, editor string, streams output.Streams, files func(string, Target) ([]Change, error),
) error {
	if o.service != "" && o.workload != "" {
		return problem.Usage("--workload has the others forwarded, too", "--service and --workload cannot be used together")
	}
	p, made, err := o.project()
	if err != nil {
		return err
	}
	target, err := o.target(p)
	if err != nil {
		return err
	}
	changes, err := files(o.folder, target)
	if err != nil {
		return withHint(err)
	}
	if made != nil {
		changes = append([]Change{*made}, changes...)
	}
	ignored, err := o.ignore(ctx, p)
	if err != nil {
		return err
	}
	for _, change := range append(changes, ignored...) {
		if err := o.apply(change, streams); err != nil {
			return withHint(err)
		}
	}
	if target.Language == Other {
		console.NewWriter(streams, "", false).Write(output.Note{Message: completion(editor, target)})
	}
	return nil
}

// completion is what is left to do where no debugger is known.
func completion(editor string, t Target) string {
	if editor == "vscode" {
		return fmt.Sprintf("complete %q in .vscode/launch.json: the debugger's type, and the program", t.debug())
	}
	text := fmt.Sprintf("in your run configuration: Before launch, Run Another Configuration, %q", t.up())
	if t.EnvFile != "" {
		text += "; its env file is " + t.EnvFile
	}
	return text
}

// apply writes one file and says so, or prints it.
func (o *options) apply(change Change, streams output.Streams) error {
	word := "changed"
	switch {
	case o.dryRun:
		fmt.Fprintf(streams.Out, "==> %s <==\n%s", change.Path, change.After)
		return nil
	case !change.Needed():
		word = "unchanged"
	case change.Before == nil:
		word = "written"
	}
	if err := change.Apply(); err != nil {
		return err
	}
	fmt.Fprintf(streams.Out, "%s %s\n", word, change.Path)
	return nil
}

// withHint adds what to do about a file that is not what it should be.
func withHint(err error) error {
	var fault *FileError
	if errors.As(err, &fault) {
		return &problem.Problem{Err: err, Code: problem.ExitUsage,
			Hint: "nothing was changed: mend the file, or move it away and have a new one written"}
	}
	return err
}
