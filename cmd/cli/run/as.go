package run

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/devtun/devtun/cmd/cli/fetch"
	"github.com/devtun/devtun/cmd/cli/image"
	"github.com/devtun/devtun/cmd/cli/intercept"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/cmd/cli/run/command"
	"github.com/devtun/devtun/cmd/cli/run/view"
	"github.com/devtun/devtun/intercept/handover"
)

// ofKind is how a workload is written: KIND/NAME or KIND.GROUP/NAME. No user is called so.
var ofKind = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9.-]*/[^/]+$`)

// ofName is what could have been meant as a workload's name.
var ofName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)

// asValue is --as: a workload, or else the user to act as that it is in kubectl.
type asValue struct {
	pflag.Value
	workload *string
}

// Set implements pflag.Value.
func (v asValue) Set(text string) error {
	if !ofKind.MatchString(text) {
		return v.Value.Set(text)
	}
	*v.workload = text
	return nil
}

// ofAs are the flags that want --as.
var ofAs = []string{"container", "files", "no-mounts", "agent-image"}

func (o *options) addAsFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	as := flags.Lookup("as") // kubectl's
	as.Value = asValue{Value: as.Value, workload: &o.as.Name}
	as.Usage = "workload whose container's environment the command gets, as KIND/NAME; or else, as in kubectl, a user " +
		"to act as"
	flags.StringVar(&o.as.Container, "container", "",
		"with --as: container whose environment and files are wanted (default: the one that listens)")
	flags.StringVar(&o.as.Files, "files", "",
		"with --as: write the container's mounted ConfigMaps, Secrets and downward files below this directory")
	flags.BoolVar(&o.as.NoMounts, "no-mounts", false,
		"with --as: do not have the command see the container's files at the container's own paths (Linux)")
	flags.StringVar(&o.as.Image, "agent-image", "",
		"with --as: an image that has the agent (default: $"+image.Variable+", or else none, as for devtun intercept)")
}

// checkAs checks what is said of --as, and completes it.
func (o *options) checkAs(flags *pflag.FlagSet) error {
	if o.as.Name == "" {
		for _, name := range ofAs {
			if flags.Changed(name) {
				return problem.Usage("add --as KIND/NAME", "--%s is about the container of --as", name)
			}
		}
		return nil
	}
	if len(o.forward.Kube.Namespaces) > 1 {
		return problem.Usage("give one", "--as is of one --namespace")
	}
	o.as.Forward = o.forward
	return o.as.Validate()
}

// noteUser tells who has --as act as a user that it is about workloads, too.
func (o *options) noteUser(out output.Writer) {
	if user := o.forward.Kube.Impersonate; user != nil && ofName.MatchString(*user) {
		out.Write(output.Note{Message: fmt.Sprintf("--as %s is a user to act as, as in kubectl: a workload is written "+
			"KIND/NAME, as deploy/%s", *user, *user)})
	}
}

// fetch has the environment and the files of --as here, for a program: on Linux it sees them
// at the container's own paths. Call done, also after an error, once that has ended.
func (o *options) fetch(
	ctx context.Context, out output.Writer, program *command.Command,
) (done func() error, err error) {
	var closing []func() error
	done = func() (err error) {
		for _, c := range slices.Backward(closing) {
			err = errors.Join(err, c())
		}
		return err
	}
	cluster, err := o.forward.Kube.Connect()
	if err != nil {
		return done, err
	}
	namespace := cluster.Namespace
	if given := o.forward.Kube.Namespaces; len(given) > 0 {
		namespace = cmp.Or(given[0], namespace)
	}
	private, err := intercept.OpenPrivate(o.as.NoMounts)
	if err != nil {
		return done, err
	}
	var show func(*handover.Handover, []string)
	if private != nil {
		closing = append(closing, private.Close)
		show = func(given *handover.Handover, mounts []string) {
			program.Files = view.Files{Dir: private.Path(), Mounts: mounts}
			given.Show(private.Path(), mounts)
		}
	}
	given, err := fetch.From(ctx, cluster, namespace, &o.as, out, show)
	if err != nil {
		return done, err
	}
	closing = append(closing, given.Close)
	program.Env = given.Command(program.Env)
	program.Note = func(text string) { out.Write(output.Note{Message: text}) }
	return done, nil
}
