package machine

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/devtun/devtun/dns"
	"github.com/devtun/devtun/dns/helper"
	"github.com/devtun/devtun/dns/hostsfile"
	"github.com/devtun/devtun/dns/loopback"
)

// Changes marks commands that change this machine, and may need a helper.
const Changes = "changes the machine"

// Rights is what this process may do itself and by a helper. There are three ways
// to start devtun, and all commands go one way after this:
//
//   - as a user: the helper is started through sudo, if it is needed;
//   - under sudo: the helper is started with the rights of root, and this process
//     becomes the user who called sudo before it reads anything;
//   - as root: this process may do everything, and no helper is ever needed.
type Rights struct {
	spawned *helper.Started // under sudo, until somebody needs it
}

// NewRights takes over the helper that root has started for this process, if one has.
func NewRights() *Rights { return &Rights{spawned: helper.Inherited()} }

// ChildEnv is what a child of this process needs in its environment to take over the
// helper in its place.
func (r *Rights) ChildEnv() []string {
	if r.spawned == nil {
		return nil
	}
	return []string{r.spawned.Environment()}
}

// BecomeUser makes a process under sudo the user's. It begins anew as such, and then
// finds here the helper that it has left.
func (r *Rights) BecomeUser(ctx context.Context, root *cobra.Command, args []string) error {
	user, err := helper.Invoker()
	if user == nil || err != nil {
		return err
	}
	command, _, err := root.Find(args)
	if err != nil {
		command = root // which says so
	}
	if command.Name() == helper.Command {
		return nil
	}
	var spawned *helper.Started
	if _, marked := command.Annotations[Changes]; marked {
		if spawned, err = helper.Spawn(ctx); err != nil {
			return err
		}
	}
	return user.Become(spawned)
}

// Helper is the helper.Start of all commands.
func (r *Rights) Helper(ctx context.Context, ask bool) (*helper.Client, error) {
	if spawned := r.spawned; spawned != nil {
		r.spawned = nil
		return spawned.Connect(ctx)
	}
	return helper.Sudo(ctx, ask)
}

// Open opens this machine's names for one session, with a hosts file of
// the user's own or, for "", the system's. It changes nothing yet, and starts no
// helper. The caller closes the machine.
func Open(hostsFile string, start helper.Start) (*hostsfile.File, *helper.Machine, error) {
	hosts, err := hostsfile.New(hostsFile)
	if err != nil {
		return nil, nil, fmt.Errorf("open hosts file: %w", err)
	}
	aliases, err := loopback.NewAliases()
	if err != nil {
		return nil, nil, fmt.Errorf("open loopback addresses: %w", err)
	}
	return hosts, helper.NewMachine(dns.Direct{Hosts: hosts, Aliases: aliases}, hostsFile == "", start), nil
}

// Prepare makes sure that names can be written.
func Prepare(ctx context.Context, machine *helper.Machine) error {
	if err := machine.Prepare(ctx); err != nil {
		return fmt.Errorf("write names: %w", err)
	}
	return nil
}
