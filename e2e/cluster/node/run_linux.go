package node

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/rpc"
)

// Run is PID 1 of a node. It reads a Setup from in, furnishes the namespaces it
// was started in, writes "ok" or an error, in one line, to ready, and then
// serves requests for as long as the node lives: it returns only if it fails.
func Run(in io.Reader, ready io.WriteCloser) error {
	listener, err := furnish(in)
	verdict := "ok"
	if err != nil {
		verdict = err.Error()
	}
	if _, werr := fmt.Fprintln(ready, verdict); werr != nil && err == nil {
		err = fmt.Errorf("report ready: %w", werr)
	}
	ready.Close()
	if err != nil {
		return err
	}

	children := newChildren()
	go children.reap() // ends with the process: there is no PID 1 without it
	server := rpc.NewServer()
	if err := server.RegisterName("Node", &service{children}); err != nil {
		return fmt.Errorf("register requests: %w", err)
	}
	server.Accept(listener)
	return fmt.Errorf("serve requests: %s was closed", socket)
}

func furnish(in io.Reader) (net.Listener, error) {
	var setup Setup
	if err := json.NewDecoder(in).Decode(&setup); err != nil {
		return nil, fmt.Errorf("read setup: %w", err)
	}
	if err := mountAll(setup); err != nil {
		return nil, err
	}
	if err := connect(setup); err != nil {
		return nil, err
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return nil, fmt.Errorf("listen for requests: %w", err)
	}
	return listener, nil
}
