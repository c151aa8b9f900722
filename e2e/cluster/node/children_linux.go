package node

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// children are the processes PID 1 was asked to start. PID 1 inherits and must
// reap every orphan of the node besides, so it waits for any process at all and
// package os, which waits for one, is of no use here.
type children struct {
	mu     sync.Mutex // held from fork to entry, so that no end is reaped before it is expected
	byName map[string]*child
}

type child struct {
	Process
	ended chan struct{} // closed once it is reaped
}

func newChildren() *children { return &children{byName: map[string]*child{}} }

// reap collects every process that ends, for ever.
func (c *children) reap() {
	ends := make(chan os.Signal, 1)
	signal.Notify(ends, syscall.SIGCHLD)
	for {
		c.collect()
		<-ends
	}
}

// collect reaps what has ended by now. One SIGCHLD may stand for many ends.
func (c *children) collect() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil || pid <= 0 {
			return
		}
		for _, child := range c.byName {
			if child.PID == pid && child.Running {
				child.Running, child.Exit = false, describe(status)
				close(child.ended)
			}
		}
	}
}

func describe(status syscall.WaitStatus) string {
	if status.Signaled() {
		return "killed by signal: " + status.Signal().String()
	}
	return fmt.Sprintf("exit status %d", status.ExitStatus())
}

func (c *children) start(command Command) error {
	path, err := exec.LookPath(command.Args[0])
	if err != nil {
		return err
	}
	log, err := os.OpenFile(command.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	null, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	defer null.Close()

	c.mu.Lock()
	defer c.mu.Unlock()
	if old := c.byName[command.Name]; old != nil && old.Running {
		return fmt.Errorf("%s is running already", command.Name)
	}
	pid, err := syscall.ForkExec(path, command.Args, &syscall.ProcAttr{
		Dir:   "/",
		Env:   os.Environ(),
		Files: []uintptr{null.Fd(), log.Fd(), log.Fd()},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return fmt.Errorf("execute %s: %w", path, err)
	}
	c.byName[command.Name] = &child{
		Process: Process{Name: command.Name, PID: pid, Running: true},
		ended:   make(chan struct{}),
	}
	return nil
}

func (c *children) stop(name string, grace time.Duration) {
	if grace > 0 {
		child := c.signal(name, syscall.SIGTERM)
		if child == nil {
			return
		}
		timeout := time.NewTimer(grace)
		defer timeout.Stop()
		select {
		case <-child.ended:
			return
		case <-timeout.C:
		}
	}
	if child := c.signal(name, syscall.SIGKILL); child != nil {
		<-child.ended
	}
}

// signal sends a signal to the process of a name, if it runs, and returns it.
// Under the lock nothing is reaped, so the process id cannot mean another.
func (c *children) signal(name string, sig syscall.Signal) *child {
	c.mu.Lock()
	defer c.mu.Unlock()
	child := c.byName[name]
	if child == nil || !child.Running {
		return nil
	}
	_ = syscall.Kill(child.PID, sig) // it may have ended
	return child
}

func (c *children) list() []Process {
	c.mu.Lock()
	defer c.mu.Unlock()
	var list []Process
	for _, child := range c.byName {
		list = append(list, child.Process)
	}
	return list
}
