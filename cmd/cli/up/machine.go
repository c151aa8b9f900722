package up

import (
	"context"
	"errors"

	"github.com/devtun/devtun/cmd/cli/machine"
	"github.com/devtun/devtun/dns/helper"
	"github.com/devtun/devtun/dns/hostsfile"
)

// heldMachine is this machine, with a helper if it must be. It is opened once: the helper
// may have cost a password.
type heldMachine struct {
	file    string // the hosts file
	hosts   *hostsfile.File
	machine *helper.Machine
}

func (m *heldMachine) close() error {
	if m == nil {
		return nil
	}
	return m.machine.Close()
}

// openMachine makes sure that names can be written to a hosts file, "" for the system's.
func (s *session) openMachine(ctx context.Context, file string) error {
	if s.machine != nil && s.machine.file == file {
		return nil
	}
	err := s.machine.close()
	s.machine = nil
	if err != nil {
		return err
	}
	hosts, opened, err := machine.Open(file, s.start)
	if err != nil {
		return err
	}
	if err := machine.Prepare(ctx, opened); err != nil {
		return errors.Join(err, opened.Close())
	}
	s.machine = &heldMachine{file, hosts, opened}
	return nil
}
