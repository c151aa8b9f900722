package relay

import (
	"fmt"
	"strings"

	"github.com/devtun/devtun/cmd/cli/forwards"
)

// The values of --relay.
const (
	all    = "all"
	needed = "only-needed"
)

// Uses are the values of --relay.
func Uses() []string { return []string{all, needed} }

// Flag is what goes through a relay, as a pflag.Value: "all", "only-needed" or nothing. A
// project file says true and false as well.
type Flag forwards.RelayUse

// Set implements pflag.Value.
func (f *Flag) Set(text string) error {
	switch text {
	case all, "true":
		*f = Flag(forwards.RelayAll)
	case needed:
		*f = Flag(forwards.RelayNeeded)
	case "", "false":
		*f = Flag(forwards.NoRelay)
	default:
		return fmt.Errorf("it is one of %s", strings.Join(Uses(), ", "))
	}
	return nil
}

// String implements pflag.Value.
func (f *Flag) String() string {
	switch forwards.RelayUse(*f) {
	case forwards.RelayAll:
		return all
	case forwards.RelayNeeded:
		return needed
	}
	return ""
}

// Type implements pflag.Value.
func (f *Flag) Type() string { return "string" }
