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
	"github.com/devtun/devtun/proc"
)

// admitTimeout bounds how long the helper waits for the one who has it started.
const admitTimeout = 20 * time.Second

// greeting is the line that tells the program where the helper's socket is.
const greeting = "devtun-helper %d %s\n"

// doorParents are where the private socket may lie, the best first.
var doorParents = []string{"/run", "/var/run", "/tmp"}

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
	for _, parent := range doorParents {
		sweep(parent)
	}
	d, err := openAnyDoor(uid)
	if err != nil {
		return fmt.Errorf("make a private socket: %w", err)
	}
	defer d.close()
	if _, err := fmt.Fprintf(out, greeting, Version, d.path()); err != nil {
		return err
	}
	waiting, cancel := context.WithTimeout(ctx, admitTimeout)
	defer cancel()
	conn, peer, err := d.admit(waiting, uid)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := d.close(); err != nil {
		return fmt.Errorf("close the door: %w", err)
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
	return server.Serve(ctx, conn)
}

func openAnyDoor(uid int) (*door, error) {
	var errs []error
	for _, parent := range doorParents {
		d, err := openDoor(parent, uid)
		if err == nil {
			return d, nil
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
