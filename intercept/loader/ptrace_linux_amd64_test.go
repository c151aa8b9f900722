package loader

import (
	"fmt"
	"os"
	"runtime"
	"syscall"
)

func init() {
	tracers["amd64"] = func(argv, env []string, stderr *os.File) (process, error) {
		runtime.LockOSThread() // who traces is a thread
		started, err := os.StartProcess(argv[0], argv, &os.ProcAttr{
			Env: env, Files: []*os.File{nil, nil, stderr}, Sys: &syscall.SysProcAttr{Ptrace: true},
		})
		if err != nil {
			runtime.UnlockOSThread()
			return nil, err
		}
		p := &traced{process: started}
		_, err = p.wait()
		return p, err
	}
}

// callsAMD64 are the calls that the loader makes.
var callsAMD64 = map[uint64]string{
	syscall.SYS_OPEN: "open", syscall.SYS_READ: "read", syscall.SYS_WRITE: "write", syscall.SYS_MMAP: "mmap",
	syscall.SYS_FTRUNCATE: "ftruncate", syscall.SYS_EXIT_GROUP: "exit_group", 319: "memfd_create", 322: "execveat",
}

// traced is a process by ptrace(2), which stops before and after each call.
type traced struct {
	process *os.Process
	ended   bool
	regs    syscall.PtraceRegs
}

func (p *traced) pid() int { return p.process.Pid }

func (p *traced) wait() (status syscall.WaitStatus, err error) {
	if _, err := syscall.Wait4(p.pid(), &status, 0, nil); err != nil {
		return 0, err
	}
	p.ended = status.Exited() || status.Signaled()
	return status, nil
}

// on goes on to the next stop.
func (p *traced) on() (syscall.WaitStatus, error) {
	if err := syscall.PtraceSyscall(p.pid(), 0); err != nil {
		return 0, err
	}
	return p.wait()
}

func (p *traced) next() (*call, int, error) {
	status, err := p.on()
	if err != nil || status.Exited() {
		return nil, status.ExitStatus(), err
	}
	if status.Signaled() || status.StopSignal() != syscall.SIGTRAP {
		return nil, 0, fmt.Errorf("it got a signal: %#x", status)
	}
	if err := syscall.PtraceGetRegs(p.pid(), &p.regs); err != nil {
		return nil, 0, err
	}
	name, known := callsAMD64[p.regs.Orig_rax]
	if !known {
		return nil, 0, fmt.Errorf("call %d is none that it makes", p.regs.Orig_rax)
	}
	r := &p.regs
	return &call{name, [6]uint64{r.Rdi, r.Rsi, r.Rdx, r.R10, r.R8, r.R9}}, 0, nil
}

// finish has the kernel do what the registers say, and goes to the call's end.
func (p *traced) finish() error {
	if err := syscall.PtraceSetRegs(p.pid(), &p.regs); err != nil {
		return err
	}
	_, err := p.on()
	return err
}

func (p *traced) do(c *call) error {
	if c.name == "exit_group" {
		return nil // next sees the end
	}
	r := &p.regs
	changed := c.args != [6]uint64{r.Rdi, r.Rsi, r.Rdx, r.R10, r.R8, r.R9}
	was := *r
	r.Rdi, r.Rsi, r.Rdx, r.R10, r.R8, r.R9 = c.args[0], c.args[1], c.args[2], c.args[3], c.args[4], c.args[5]
	if err := p.finish(); err != nil || !changed {
		return err
	}
	if err := syscall.PtraceGetRegs(p.pid(), r); err != nil {
		return err
	}
	was.Rax, was.Rip = r.Rax, r.Rip
	return syscall.PtraceSetRegs(p.pid(), &was)
}

func (p *traced) answer(result int64) error {
	p.regs.Orig_rax = ^uint64(0) // no call at all
	if err := p.finish(); err != nil {
		return err
	}
	if err := syscall.PtraceGetRegs(p.pid(), &p.regs); err != nil {
		return err
	}
	p.regs.Rax = uint64(result)
	return syscall.PtraceSetRegs(p.pid(), &p.regs)
}

func (p *traced) read(address uint64, into []byte) error {
	_, err := syscall.PtracePeekData(p.pid(), uintptr(address), into)
	return err
}

func (p *traced) end() {
	if !p.ended {
		_ = p.process.Kill() // it is stopped, and there
		for !p.ended {
			if _, err := p.wait(); err != nil {
				break
			}
		}
	}
	_ = p.process.Release() // frees what Go keeps of it
	runtime.UnlockOSThread()
}
