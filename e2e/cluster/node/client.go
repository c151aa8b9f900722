package node

import (
	"context"
	"fmt"
	"net"
	"net/rpc"
	"strconv"
	"time"
)

// Root is the node's file tree as a path of the host, given the host's id of
// the node's PID 1.
func Root(pid int) string { return "/proc/" + strconv.Itoa(pid) + "/root" }

// Client asks the PID 1 of one node for things. It holds no connection: each
// call opens its own, and the context bounds it.
type Client struct {
	// PID is the host's id of the node's PID 1.
	PID int
}

// Start starts a command; it is an error if one of that name is running. That
// the command was started says nothing about how it fares.
func (c Client) Start(ctx context.Context, command Command) error {
	return c.call(ctx, "Start", command, &struct{}{})
}

// Stop ends the process of a name and waits for its end. To stop what does not
// run is no error.
func (c Client) Stop(ctx context.Context, request StopRequest) error {
	return c.call(ctx, "Stop", request, &struct{}{})
}

// Processes tells of the latest process of every name started so far.
func (c Client) Processes(ctx context.Context) (map[string]Process, error) {
	var list []Process
	if err := c.call(ctx, "Processes", struct{}{}, &list); err != nil {
		return nil, err
	}
	processes := make(map[string]Process, len(list))
	for _, p := range list {
		processes[p.Name] = p
	}
	return processes, nil
}

func (c Client) call(ctx context.Context, method string, args, reply any) error {
	// The path leads through PID 1's own root: it can reach no other node, needs
	// no file on the host, and is short however deep the cluster's directory is.
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", Root(c.PID)+socket)
	if err != nil {
		return fmt.Errorf("reach node: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	client := rpc.NewClient(conn)
	defer client.Close()
	if err := client.Call("Node."+method, args, reply); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return fmt.Errorf("ask node: %w", err)
	}
	return nil
}
