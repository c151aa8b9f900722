package cli

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/spf13/cobra"

	"github.com/devtun/devtun/cmd/cli/arguments"
	"github.com/devtun/devtun/cmd/cli/background"
	"github.com/devtun/devtun/cmd/cli/ending"
	"github.com/devtun/devtun/cmd/cli/intercept"
	"github.com/devtun/devtun/cmd/cli/machine"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/cmd/cli/run/command"
	"github.com/devtun/devtun/dns/helper"
	"github.com/devtun/devtun/dns/hostsfile"
	"github.com/devtun/devtun/dns/loopback"
)

func newClean(streams output.Streams, start helper.Start) *cobra.Command {
	var hostsFile string
	cmd := &cobra.Command{
		Use:   "clean",
		Short: "Remove what killed sessions have left on this machine",
		Long: `Remove the host names that devtun sessions have left that were killed, or that an
earlier boot of this machine has known, and finish what a killed one was writing;
likewise addresses of pods (macOS: loopback addresses too), the files of 'devtun run',
environment and files of intercepted containers, and the logs and sockets of
'devtun up'. Address leases need no cleaning: the system ends them with their process.
Sessions that still run keep theirs. Every other devtun does the same on its way.

It says what it has removed. What it cannot remove keeps it from nothing else; it says
so at the end, with the exit code of the first failure.`,
		Example: `  devtun clean
  devtun clean --hosts-file ./hosts`,
		Args:        arguments.None,
		Annotations: map[string]string{machine.Changes: "", ending.Finishes: ""},
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runClean(cmd.Context(), hostsFile, streams, start)
		},
	}
	cmd.Flags().StringVar(&hostsFile, "hosts-file", "", "clean this file (default: the system's hosts file)")
	return cmd
}

// runClean does all that it can: what cannot be removed keeps nothing else from being.
func runClean(ctx context.Context, hostsFile string, streams output.Streams, start helper.Start) error {
	steps := []func() ([]string, error){
		func() ([]string, error) { return cleanMachine(ctx, hostsFile, start) },
		cleanPrivate,
		cleanHandover,
		cleanSessions,
	}
	var errs []error
	cleaned := false
	for _, step := range steps {
		did, err := step()
		for _, line := range did {
			fmt.Fprintln(streams.Out, line)
			cleaned = true
		}
		errs = append(errs, err)
	}
	err := errors.Join(errs...)
	if err == nil && !cleaned {
		fmt.Fprintln(streams.Out, "nothing to clean")
	}
	return err
}

// cleanMachine removes names and addresses.
func cleanMachine(ctx context.Context, hostsFile string, start helper.Start) (did []string, err error) {
	hosts, machine, err := machine.Open(hostsFile, start)
	if err != nil {
		return nil, err
	}
	defer func() { _ = machine.Close() }() // the helper ends with its connection
	aliases, err := loopback.NewAliases()
	if err != nil {
		return nil, err
	}
	stale, serr := aliases.Stale() // before a helper starts, which removes them
	did, err = cleanHosts(ctx, hosts, machine)
	err = errors.Join(err, serr)
	removed, aerr := cleanAddresses(ctx, machine, aliases, stale)
	return append(did, removed...), errors.Join(err, aerr)
}

// cleanPrivate removes the hosts files and files of containers that a killed devtun had for
// its command.
func cleanPrivate() (did []string, err error) {
	removed, err := command.CleanPrivate()
	for _, dir := range removed {
		did = append(did, "removed the files that a devtun that has ended had for its command: "+dir)
	}
	return did, err
}

// cleanHosts removes names, and asks for no rights where there are none to remove.
func cleanHosts(ctx context.Context, hosts *hostsfile.File, machine *helper.Machine) (did []string, err error) {
	stale, err := hosts.Stale()
	if err != nil {
		return nil, fmt.Errorf("clean names: %w", err)
	}
	if !stale {
		return nil, nil
	}
	report, err := machine.SetNames(ctx, nil) // as every write, it cleans on its way
	if err != nil {
		return nil, fmt.Errorf("clean names: %w", err)
	}
	for _, owner := range report.Cleaned {
		did = append(did,
			fmt.Sprintf("removed the names of a devtun that has ended (pid %d) from %s", owner.PID, hosts.Path()))
	}
	for _, saved := range report.Saved {
		did = append(did, "kept another program's change to the hosts file in "+saved)
	}
	if len(did) == 0 {
		did = append(did, "finished what a killed devtun was writing to "+hosts.Path())
	}
	return did, nil
}

// cleanAddresses removes the addresses that the dead have left.
func cleanAddresses(
	ctx context.Context, machine *helper.Machine, aliases *loopback.Aliases, stale []netip.Addr,
) (did []string, err error) {
	if len(stale) == 0 {
		return nil, nil
	}
	if err := machine.CleanAddresses(ctx); err != nil {
		return nil, err
	}
	left, err := aliases.Stale()
	for _, addr := range stale {
		if !slices.Contains(left, addr) {
			did = append(did, "removed the address "+addr.String()+" of a devtun that has ended")
		}
	}
	return did, err
}

// cleanHandover removes the environment and the files of containers that killed
// intercepts have left.
func cleanHandover() (did []string, err error) {
	ledger, err := intercept.HandoverLedger()
	if err != nil {
		return nil, err
	}
	removed, err := ledger.Clean()
	for _, path := range removed {
		did = append(did, "removed what a devtun that has ended has handed over: "+path)
	}
	return did, err
}

// cleanSessions removes what sessions in the background have left.
func cleanSessions() (did []string, err error) {
	directory, err := background.Default()
	if err != nil {
		return nil, err
	}
	cleaned, err := directory.Clean()
	for _, name := range cleaned {
		did = append(did, "removed what session "+name+" has left")
	}
	return did, err
}
