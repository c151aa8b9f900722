package helper

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/devtun/devtun/dns"
	"github.com/devtun/devtun/dns/hostsfile"
	"github.com/devtun/devtun/dns/loopback"
	"github.com/devtun/devtun/internal/proc"
)

// acceptTimeout bounds how long the helper waits for the one who has it started.
const acceptTimeout = 20 * time.Second

// announcement is the line that tells the program where the helper's socket is.
const announcement = "devtun-helper %d %s\n"

// socketParents are where the private socket may lie, the best first.
var socketParents = []string{"/run", "/var/run", "/tmp"}

// ErrNotStarted means that the helper was run by hand.
var ErrNotStarted = errors.New("the helper is started by devtun, with root's rights through sudo")

// Run is the helper: it says on out where it is, and serves the one peer that may
// come, until that one goes. It is undisturbed by what the terminal sends to all
// of devtun's processes; SIGTERM ends it, and it cleans up.
func Run(out io.Writer) error {
	uid, err := invoker()
	if err != nil || os.Geteuid() != 0 {
		return errors.Join(ErrNotStarted, err)
	}
	signal.Ignore(os.Interrupt, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGPIPE, stopSignal)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	for _, parent := range socketParents {
		removeStaleSockets(parent)
	}
	socket, err := openAnySocket(uid)
	if err != nil {
		return fmt.Errorf("make a private socket: %w", err)
	}
	defer func() { _ = socket.close() }() // of one that nobody has come to
	if _, err := fmt.Fprintf(out, announcement, Version, socket.path()); err != nil {
		return err
	}
	waiting, cancel := context.WithTimeout(ctx, acceptTimeout)
	defer cancel()
	conn, peer, err := socket.accept(waiting, uid)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := socket.close(); err != nil {
		return fmt.Errorf("close the private socket: %w", err)
	}
	owner, err := proc.Of(peer.pid)
	if err != nil {
		return err
	}
	hosts, err := hostsfile.Of(owner, "")
	if err != nil {
		return err
	}
	aliases := loopback.AliasesOf(owner)
	if _, err := aliases.Clean(ctx); err != nil {
		return err
	}
	server := &Server{Machine: dns.Direct{Hosts: hosts, Aliases: aliases}}
	return errors.Join(server.Serve(ctx, conn), removeAll(aliases))
}

// removeAll removes the addresses that a helper of the same peer has left that was
// killed.
func removeAll(aliases *loopback.Aliases) error {
	ctx, cancel := context.WithTimeout(context.Background(), cleanTimeout)
	defer cancel()
	return aliases.RemoveAll(ctx)
}

func openAnySocket(uid int) (*privateSocket, error) {
	var errs []error
	for _, parent := range socketParents {
		socket, err := openSocket(parent, uid)
		if err == nil {
			return socket, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

// invoker is the user whom sudo has started this process for.
func invoker() (uid int, err error) {
	text := os.Getenv("SUDO_UID")
	uid, err = strconv.Atoi(text)
	if err != nil || uid <= 0 {
		return 0, fmt.Errorf("SUDO_UID is %q", text)
	}
	return uid, nil
}
