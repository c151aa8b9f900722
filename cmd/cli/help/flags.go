package help

import (
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/devtun/devtun/cmd/cli/kube"
)

// Flags are a command's own flags, and those that are kubectl's.
func Flags(cmd *cobra.Command) (own, kubernetes *pflag.FlagSet) {
	cmd.InitDefaultHelpFlag()
	own, kubernetes = pflag.NewFlagSet("", pflag.ContinueOnError), pflag.NewFlagSet("", pflag.ContinueOnError)
	cmd.Flags().VisitAll(func(flag *pflag.Flag) {
		if kube.IsKubectls(flag) {
			kubernetes.AddFlag(flag)
		} else {
			own.AddFlag(flag)
		}
	})
	return own, kubernetes
}

// often are those of kubectl's flags that are needed most.
func often(all *pflag.FlagSet) *pflag.FlagSet {
	some := pflag.NewFlagSet("", pflag.ContinueOnError)
	all.VisitAll(func(flag *pflag.Flag) {
		if slices.Contains([]string{"context", "kubeconfig"}, flag.Name) {
			some.AddFlag(flag)
		}
	})
	return some
}
