// Package firstproject is 'devtun init': it writes a first project file from what the
// cluster holds. It forwards the services of the namespace, and has what else could be wanted
// as comments. 'devtun schema' prints what editors know such files by.
package firstproject

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/devtun/devtun/cmd/cli/arguments"
	"github.com/devtun/devtun/cmd/cli/kube"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/cmd/cli/project"
	"github.com/devtun/devtun/cmd/cli/selection"
)

// options is what `devtun init` was asked to do.
type options struct {
	kube  *kube.Flags
	file  string
	force bool
}

// New is `devtun init`.
func New(streams output.Streams) *cobra.Command {
	o := &options{}
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Write a project file for what is in the namespace",
		Long: `Write devtun.yaml for 'devtun up': it forwards the services of the namespace, and has the
workloads that could be intercepted, and more, as comments, to be taken in where they are
wanted. It is for everybody: a --context or --kubeconfig that is given goes into
devtun.local.yaml beside it, which is yours alone. The schema, for editors, is written to
` + schemaName + `.

A file that is there already stays as it is, unless --force is given.`,
		Example: `  devtun init
  devtun init --context dev -n demo -f dev/devtun.yaml`,
		Args: arguments.None,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return run(cmd.Context(), o, streams)
		},
	}
	flags := cmd.Flags()
	o.kube = kube.NewFlags(flags)
	flags.StringVarP(&o.file, "file", "f", project.Name, "the project file")
	flags.BoolVar(&o.force, "force", false, "write over a file that is there")
	o.kube.CompleteFlags(cmd)
	return cmd
}

func run(ctx context.Context, o *options, streams output.Streams) error {
	if len(o.kube.Namespaces) > 1 {
		return problem.Usage("give one, and add others to the file", "devtun init works in one --namespace")
	}
	if taken(o.file) && !o.force {
		return exists(o.file)
	}
	cluster, err := o.kube.Connect()
	if err != nil {
		return err
	}
	namespace := cluster.Namespace
	if len(o.kube.Namespaces) == 1 {
		namespace = o.kube.Namespaces[0]
	}
	if !selection.IsLabel(namespace) {
		return problem.Usage("'kubectl get namespaces' lists those there are", "%q is not a namespace", namespace)
	}
	if err := cluster.LogIn(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, kube.Timeout)
	defer cancel()
	if err := cluster.CheckNamespace(ctx, namespace); err != nil {
		return err
	}
	list, err := cluster.Client.CoreV1().Services(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	workloads, err := interceptable(ctx, cluster.Client, namespace, list.Items)
	if err != nil {
		return err
	}
	schema, err := writeSchema(o.file)
	if err != nil {
		return unwritten(fmt.Errorf("write schema: %w", err))
	}
	first := contents{
		schema: schema, namespace: namespace, services: list.Items, workloads: workloads,
		run: commandIn(filepath.Dir(o.file)),
	}
	if err := o.write(o.file, first.text()); err != nil {
		return err
	}
	fmt.Fprintf(streams.Out, "wrote %s: %s, %s\n",
		o.file, output.Count(len(list.Items), "service"), output.Count(len(workloads), "workload"))
	if schema == schemaName {
		fmt.Fprintf(streams.Out, "wrote %s: by which editors know what may stand in it\n",
			filepath.Join(filepath.Dir(o.file), schemaName))
	}
	return o.writeLocal(streams)
}

// writeLocal has what was said of the cluster in the file that is its owner's alone.
func (o *options) writeLocal(streams output.Streams) error {
	text := ""
	if *o.kube.Context != "" {
		text += "context: " + yamlText(*o.kube.Context) + "\n"
	}
	if *o.kube.KubeConfig != "" {
		kubeconfig, err := filepath.Abs(*o.kube.KubeConfig) // the file may lie in another folder than this
		if err != nil {
			return err
		}
		text += "kubeconfig: " + yamlText(kubeconfig) + "\n"
	}
	if text == "" {
		return nil
	}
	local := project.Local(o.file)
	if taken(local) && !o.force {
		fmt.Fprintf(streams.Out, "%s stays as it is: it is there already\n", local)
		return nil
	}
	if err := o.write(local, text); err != nil {
		return err
	}
	fmt.Fprintf(streams.Out, "wrote %s: it is yours, and not for the repository\n", local)
	return nil
}

// taken reports that something is there.
func taken(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func exists(path string) error {
	return problem.Usage("edit it, or add --force to write over it", "there is a project file already: %s", path)
}

// write writes a file. Without --force nothing that is there is touched, even if it
// has come only now.
func (o *options) write(path, text string) error {
	flag := os.O_EXCL
	if o.force {
		flag = os.O_TRUNC
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|flag, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return exists(path)
	}
	if err == nil {
		_, err = file.WriteString(text)
		err = errors.Join(err, file.Close())
	}
	if err != nil {
		return unwritten(fmt.Errorf("write project file: %w", err))
	}
	return nil
}

func unwritten(err error) error {
	return &problem.Problem{Err: err, Code: problem.ExitMachine, Hint: "name a file that you may write with -f"}
}
