package node

import "fmt"

// service is what net/rpc shows of children to a Client.
type service struct{ children *children }

// Start is Client.Start.
func (s *service) Start(command Command, _ *struct{}) error {
	if len(command.Args) == 0 {
		return fmt.Errorf("start %s: no command line", command.Name)
	}
	if err := s.children.start(command); err != nil {
		return fmt.Errorf("start %s: %w", command.Name, err)
	}
	return nil
}

// Stop is Client.Stop.
func (s *service) Stop(request StopRequest, _ *struct{}) error {
	s.children.stop(request.Name, request.Grace)
	return nil
}

// Processes is Client.Processes.
func (s *service) Processes(_ struct{}, reply *[]Process) error {
	*reply = s.children.list()
	return nil
}
