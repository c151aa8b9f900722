package command

import (
	"encoding/gob"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/devtun/devtun/cmd/cli/run/view"
)

// Keeper is the first argument of this executable when it is to call Keep with
// the others and do nothing else: no other goroutine, no child, no handling of
// signals.
const Keeper = "command-keeper"

// keeper is the process between devtun and the program.
type keeper struct {
	job
	program int // its process id
	ended   bool
	code    int // once it has ended

	orders <-chan order   // what devtun passes on; closed when it is gone
	group  chan os.Signal // what this process gets
	seen   map[os.Signal][]time.Time
	ends   chan os.Signal // SIGCHLD
	shown  *view.Shown
}

// Keep is the keeper's whole life: it starts the program, passes signals on, and
// ends what is left. It returns when all is over.
func Keep(args []string) error {
	// The kernel ties a parent's death signal to the thread that forked. This one
	// lasts as long as the process does.
	runtime.LockOSThread()
	if len(args) != 1 {
		return errors.New("a keeper is started by devtun, not by hand")
	}
	fd, err := strconv.Atoi(args[0])
	if err != nil {
		return fmt.Errorf("read arguments: %w", err)
	}
	conn, err := socket(fd)
	if err != nil {
		return fmt.Errorf("open socket: %w", err)
	}
	defer conn.Close()
	k := &keeper{
		group: make(chan os.Signal, 16),
		seen:  make(map[os.Signal][]time.Time),
		ends:  make(chan os.Signal, 1),
	}
	signal.Notify(k.group, passedOn()...)
	signal.Notify(k.ends, syscall.SIGCHLD)
	decoder := gob.NewDecoder(conn)
	if err := decoder.Decode(&k.job); err != nil {
		return fmt.Errorf("read job: %w", err)
	}
	orders := make(chan order, 16)
	k.orders = orders
	go func() { // ends with the process
		defer close(orders)
		for {
			var number int
			if decoder.Decode(&number) != nil {
				return
			}
			orders <- order{syscall.Signal(number), time.Now()}
		}
	}()
	devtun := newSender(conn)
	err = k.show()
	_ = devtun.send(begun{k.shown.Unshown}) // if it fails, nobody is there to read it
	if devtun.send(k.run(err)) != nil && k.Files.Dir != "" {
		return os.RemoveAll(k.Files.Dir) // devtun was killed, and cannot
	}
	return nil
}

// show gives this process, and so the program, its view.
func (k *keeper) show() (err error) {
	k.shown = new(view.Shown)
	if k.Hosts == "" && len(k.Files.Mounts) == 0 {
		return nil
	}
	v := view.View{Hosts: k.Hosts, Files: k.Files, Program: k.Path, User: k.User}
	shown, err := v.Enter()
	if err == nil {
		k.shown = shown
	}
	return err
}

// run runs the program, unless its view has failed.
func (k *keeper) run(shown error) report {
	if shown != nil {
		return failure(failedToShow, shown)
	}
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return failure(failedToStart, os.NewSyscallError("prctl", err))
	}
	if err := k.start(); err != nil {
		return failure(failedToStart, err)
	}
	k.await()
	return report{Code: k.code, Left: k.endRest()}
}

func (k *keeper) start() (err error) {
	for len(k.group) > 0 { // the program will not have these
		<-k.group
	}
	k.program, err = syscall.ForkExec(k.Path, k.Args, &syscall.ProcAttr{
		Env:   k.Env,
		Files: []uintptr{0, 1, 2},
		// Should even the keeper be killed.
		Sys: &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setsid: k.Apart},
	})
	return err
}

// signal sends the program a signal, and its process group if that is its own. It may have
// ended.
func (k *keeper) signal(s syscall.Signal) {
	target := k.program
	if k.Apart {
		target = -target
	}
	_ = syscall.Kill(target, s)
}

// await passes signals on until the program has ended, and ends it when devtun
// wants that or is gone. It gives up on a program that SIGKILL does not end.
func (k *keeper) await() {
	var grace, lost <-chan time.Time
	orders := k.orders
	for !k.ended {
		select {
		case <-k.ends:
			k.reap()
		case s := <-k.group:
			k.see(s)
		case o, open := <-orders:
			if open {
				if !k.doubled(o) {
					k.signal(o.signal)
				}
				if o.signal == syscall.SIGKILL {
					lost = time.After(killGrace)
				}
				continue
			}
			orders = nil
			k.signal(syscall.SIGTERM)
			k.signal(syscall.SIGCONT) // it may have been stopped
			grace = time.After(k.Grace)
		case <-grace:
			k.signal(syscall.SIGKILL)
			lost = time.After(killGrace)
		case <-lost:
			k.code = killedBy(syscall.SIGKILL)
			return
		case <-k.shown.Moved:
			k.shown.Renew()
		}
	}
}

// reap collects every child that has ended, the program or an orphan of its, and
// reports whether none is left. One SIGCHLD may stand for many ends.
func (k *keeper) reap() (childless bool) {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
		switch {
		case err == syscall.EINTR:
			continue
		case err != nil:
			return true
		case pid == 0:
			return false
		case pid == k.program && !k.ended:
			k.ended, k.code = true, exitCode(status)
		}
	}
}
