package ide

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/devtun/devtun/cmd/cli/arguments"
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
	args              []string // the program's
}

// New is devtun ide.
func New(streams output.Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "ide",
		Short: "Write an editor's files, for its debugger to start and end devtun",
		Long: `Write the files by which an editor starts a session before its debugger and ends it
afterwards. What the files hold already stays as it is.`,
		Example: `  # F5 in VS Code: this Go program takes service-middle's requests
  devtun ide vscode --workload service-middle

  # the same in GoLand, for another folder of the project
  devtun ide jetbrains -f service-middle/devtun.yaml`,
		Args: arguments.None,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		newEditor(streams, "vscode", "Write .vscode/tasks.json and .vscode/launch.json",
			`A task brings up what the project file lists, and the debugger starts when all is
ready; another one ends the session when the debugger has ended. If the session does
not come up, VS Code tells of the error and does not start the debugger.

The program is a folder of Go, or a Python file.`, VSCode),
		newEditor(streams, "jetbrains", "Write run configurations into .run",
			`A Go run configuration brings up what the project file lists, before it starts the
program. These IDEs have nothing that runs afterwards: the session is kept for the
next run, and ends with the IDE, or by the configuration 'devtun down'. The plugin
EnvFile hands the container's environment to the program.

A password cannot be asked for there: see README, Rights, for ways without.`, JetBrains),
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
			return run(o, name, streams, files)
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&o.file, "file", "f", project.Name, "the project file")
	flags.StringVar(&o.folder, "folder", ".", "the folder that the editor has open")
	flags.StringVar(&o.program, "program", "",
		"what is debugged: a folder with a Go program, or a Python file (default: the project file's folder)")
	flags.StringVar(&o.service, "service", "", "the service that runs here, for a new project file")
	flags.StringVar(&o.workload, "workload", "",
		"the workload or service whose requests are to arrive here, for a new project file; of several in one, the one "+
			"that is debugged")
	flags.StringVarP(&o.namespace, "namespace", "n", "",
		"namespace, for a new project file (default: the kubeconfig's, at each start)")
	flags.BoolVar(&o.dryRun, "dry-run", false, "print the files, and write nothing")
	return cmd
}

func run(o *options, editor string, streams output.Streams, files func(string, Target) ([]Change, error)) error {
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
	if target.Python && editor == "jetbrains" {
		return problem.Usage("PyCharm: make a run configuration by hand, as docs/ide.md says", "%s is not a Go program",
			target.Program)
	}
	changes, err := files(o.folder, target)
	if err != nil {
		return withHint(err)
	}
	if made != nil {
		changes = append([]Change{*made}, changes...)
	}
	for _, change := range changes {
		if err := o.apply(change, streams); err != nil {
			return withHint(err)
		}
	}
	return nil
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
