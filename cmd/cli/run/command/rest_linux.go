package command

import (
	"errors"
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/devtun/devtun/internal/proc"
)

// look is how often the keeper looks for processes that have appeared while it
// ends them.
const look = 20 * time.Millisecond

// endRest ends all that the program has left, wherever it has gone: every
// descendant of this process, which is their subreaper. Each is asked once, and
// killed when the grace is over. It returns those that could not be ended.
func (k *keeper) endRest() (left []int) {
	asked := make(map[process]bool)
	kill := false
	grace := time.After(k.RestGrace)
	var lost <-chan time.Time // once they are killed: this process may have been stopped meanwhile
	again := time.NewTicker(look)
	defer again.Stop()
	for !k.reap() {
		rest := descendants(os.Getpid())
		reachable := false
		for _, p := range rest {
			var err error
			switch {
			case kill:
				err = p.signal(syscall.SIGKILL)
			case !asked[p]:
				asked[p] = true
				err = errors.Join(p.signal(syscall.SIGTERM), p.signal(syscall.SIGCONT))
			}
			reachable = reachable || !errors.Is(err, os.ErrPermission)
		}
		if !reachable && len(rest) > 0 {
			return ids(rest)
		}
		select {
		case <-k.ends:
		case <-again.C:
		case <-grace:
			kill = true
			lost = time.After(killGrace)
		case <-lost:
			return ids(descendants(os.Getpid()))
		}
	}
	return nil
}

// process is one process, told from a later one with the same number.
type process struct {
	pid, parent int
	start       uint64 // in clock ticks since boot
}

func ids(processes []process) []int {
	var list []int
	for _, p := range processes {
		list = append(list, p.pid)
	}
	return list
}

// descendants are the children of the process root, their children, and so on.
func descendants(root int) []process {
	names, _ := os.ReadDir("/proc")
	children := make(map[int][]process)
	for _, name := range names {
		if pid, err := strconv.Atoi(name.Name()); err == nil {
			if p, ok := lookAt(pid); ok {
				children[p.parent] = append(children[p.parent], p)
			}
		}
	}
	found := children[root]
	for i := 0; i < len(found); i++ {
		found = append(found, children[found[i].pid]...)
	}
	return found
}

// lookAt reads what /proc says of a process; ok is false for one that is gone.
func lookAt(pid int) (p process, ok bool) {
	stat, err := proc.StatOf(pid)
	return process{pid, stat.Parent, stat.Start}, err == nil
}

// signal sends a signal to the process, and never to another one that has got
// its number: the handle is opened first and then looked at.
func (p process) signal(s syscall.Signal) error {
	handle, err := os.FindProcess(p.pid)
	if err != nil {
		return err
	}
	defer handle.Release()
	if now, ok := lookAt(p.pid); !ok || now.start != p.start {
		return os.ErrProcessDone
	}
	return handle.Signal(s)
}
