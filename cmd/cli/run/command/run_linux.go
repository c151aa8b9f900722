package command

import (
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/devtun/devtun/cmd/cli/run/view"
)

// run has the program run in a view of its own, or, where no more than the files would be
// in that and it is forbidden, without.
func (c *Command) run(ctx context.Context, path string) (int, error) {
	code, err := c.keep(ctx, path)
	var unviewed *viewError
	switch {
	case !errors.As(err, &unviewed):
		return code, err
	case c.Hosts != "":
		return 0, forbidden(unviewed.err, unviewed.user)
	}
	why := unviewed.err
	if forbids := new(ForbiddenError); errors.As(forbidden(why, unviewed.user), &forbids) {
		why = fmt.Errorf("forbidden by %s: %w", forbids.By, why)
	}
	c.note(fmt.Sprintf("the container's files are not in their places, but below $DEVTUN_FILES: %v", why))
	plain := *c
	plain.Files.Mounts = nil
	return plain.keep(ctx, path)
}

// viewed reports whether the program is to have a view of its own.
func (c *Command) viewed() bool { return c.Hosts != "" || len(c.Files.Mounts) > 0 }

// keep has a keeper run the program. A *viewError says that it was not started.
func (c *Command) keep(ctx context.Context, path string) (int, error) {
	var signals chan os.Signal
	pass := passedOn()
	if !c.Apart {
		signals = make(chan os.Signal, 16)
		signal.Notify(signals, pass...)
		defer signal.Stop(signals)
	}
	k, err := c.startKeeper(path)
	if err != nil {
		return 0, err
	}
	defer k.conn.Close()
	ended := make(chan error, 1)
	go func() { ended <- k.wait() }()
	done := ctx.Done()
	var asked insistence
	var overdue <-chan time.Time
	for {
		select {
		case s := <-signals:
			_ = k.send(int(s.(syscall.Signal))) // if it fails, the keeper has ended
			if c.insist(&asked, s) {
				_ = k.send(int(syscall.SIGKILL)) // if it fails, the keeper has ended
			}
		case <-done:
			done = nil
			_ = k.conn.CloseWrite() // if it fails, the keeper has ended
			overdue = time.After(c.grace() + c.restGrace() + 3*killGrace)
		case <-overdue:
			k.process.Process.Kill() // somebody has stopped it
		case begun := <-k.begun:
			c.tellUnshown(begun.Unshown)
		case err := <-ended:
			select {
			case begun := <-k.begun:
				c.tellUnshown(begun.Unshown)
			default:
			}
			return k.outcome(c.Args[0], err, pass)
		}
	}
}

// keeperProcess is devtun's side of a keeper.
type keeperProcess struct {
	sender
	process *exec.Cmd
	user    bool // see job.User
	begun   chan begun
	report  report
}

// startKeeper starts this executable as the keeper and gives it the job.
func (c *Command) startKeeper(path string) (*keeperProcess, error) {
	near, far, err := socketPair()
	if err != nil {
		return nil, fmt.Errorf("start keeper: %w", err)
	}
	defer far.Close()
	k := &keeperProcess{sender: newSender(near), begun: make(chan begun, 1)}
	files, number, err := inherit(far)
	if err == nil {
		k.process = &exec.Cmd{
			Path: "/proc/self/exe", Args: []string{os.Args[0], Keeper, strconv.Itoa(number)},
			Stdin: c.In, Stdout: c.Out, Stderr: c.Err, ExtraFiles: files, Dir: c.Dir,
			WaitDelay: killGrace, // where In is no file, the copying may never end
		}
		if c.viewed() {
			k.process.SysProcAttr, k.user = view.Attributes()
		}
		if c.Apart {
			if k.process.SysProcAttr == nil {
				k.process.SysProcAttr = new(syscall.SysProcAttr)
			}
			k.process.SysProcAttr.Setsid = true
		}
		err = k.process.Start()
		for _, file := range files {
			file.Close()
		}
	}
	if err != nil {
		near.Close()
		err = fmt.Errorf("start keeper: %w", err)
		if c.viewed() {
			err = &viewError{err, k.user}
		}
		return nil, err
	}
	_ = k.send(job{ // if it fails, the keeper has ended
		Path: path, Args: c.Args, Env: c.env(), Grace: c.grace(), RestGrace: c.restGrace(),
		Hosts: c.Hosts, Files: c.Files, Apart: c.Apart, User: k.user,
	})
	return k, nil
}

// wait waits for the report and for the keeper's end.
func (k *keeperProcess) wait() error {
	decoder := gob.NewDecoder(k.conn)
	var b begun
	err := decoder.Decode(&b)
	if err == nil {
		k.begun <- b
		err = decoder.Decode(&k.report)
	}
	if ended := k.process.Wait(); err != nil && ended != nil {
		err = ended
	}
	return err
}

// outcome is what Run returns when the keeper has ended, with err if it made no
// report.
func (k *keeperProcess) outcome(name string, err error, pass []os.Signal) (int, error) {
	if err != nil {
		// A signal to the group may hit the keeper before it is ready for it;
		// then the program was never started.
		status, _ := k.process.ProcessState.Sys().(syscall.WaitStatus)
		if status.Signaled() && slices.Contains(pass, os.Signal(status.Signal())) {
			return exitCode(status), nil
		}
		return 0, fmt.Errorf("keep program: %w", err)
	}
	switch k.report.Failed {
	case failedToShow:
		return 0, &viewError{k.report.err(), k.user}
	case failedToStart:
		failure := &StartError{Name: name, Err: k.report.err()}
		return failure.Code(), failure
	}
	if len(k.report.Left) > 0 {
		return k.report.Code, &LeftError{k.report.Left}
	}
	return k.report.Code, nil
}

// tellUnshown says which files are not in their places.
func (c *Command) tellUnshown(unshown []view.Unshown) {
	for _, u := range unshown {
		c.note(fmt.Sprintf("%s is not in its place, but below $DEVTUN_FILES: %s", u.Mount, u.Why))
	}
}

func (c *Command) note(text string) {
	if c.Note != nil {
		c.Note(text)
	}
}

func socketPair() (near *net.UnixConn, far *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	far = os.NewFile(uintptr(fds[1]), "keeper")
	near, err = socket(fds[0])
	if err != nil {
		return nil, nil, errors.Join(err, far.Close())
	}
	return near, far, nil
}

// socket takes fd over.
func socket(fd int) (*net.UnixConn, error) {
	file := os.NewFile(uintptr(fd), "socket")
	defer file.Close()
	conn, err := net.FileConn(file)
	if err != nil {
		return nil, err
	}
	stream, ok := conn.(*net.UnixConn)
	if !ok {
		return nil, errors.Join(errors.New("not a unix socket"), conn.Close())
	}
	return stream, nil
}

// inherit makes the list of descriptors, from 3 on, for a child that is to get
// ours at the first number that this process was not itself started with: what
// a shell or make has opened for the program reaches it under its own number.
func inherit(ours *os.File) (files []*os.File, number int, err error) {
	const first = 3
	for number = first; ; number++ {
		flags, err := unix.FcntlInt(uintptr(number), unix.F_GETFD, 0)
		if err != nil || flags&unix.FD_CLOEXEC != 0 {
			break // free, or opened by this process
		}
		again, err := unix.FcntlInt(uintptr(number), unix.F_DUPFD_CLOEXEC, first)
		if err != nil {
			return nil, 0, os.NewSyscallError("fcntl", err)
		}
		files = append(files, os.NewFile(uintptr(again), "inherited"))
	}
	return append(files, ours), number, nil
}
