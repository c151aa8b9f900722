package loader

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/devtun/devtun/internal/pause"
)

// qemu emulates arm64, but for execveat, of which version 7.2 says that there is none.
// So the last step is the test's.
const qemu = "qemu-aarch64-static"

func init() {
	tracers["arm64"] = func(argv, env []string, stderr *os.File) (process, error) {
		socket := filepath.Join(filepath.Dir(argv[0]), "gdb")
		// It is started anew in the same place.
		if err := os.Remove(socket); err != nil && !os.IsNotExist(err) {
			return nil, err
		}
		p := &emulated{cmd: exec.Command(qemu, append([]string{"-g", socket}, argv...)...)}
		p.cmd.Env, p.cmd.Stderr = env, stderr
		if err := p.cmd.Start(); err != nil {
			return nil, fmt.Errorf("install Debian's qemu-user-static, or what else has it: %w", err)
		}
		if err := p.connect(socket, filepath.Dir(argv[0])); err != nil {
			p.end()
			return nil, err
		}
		return p, nil
	}
}

// callsARM64 are the calls that the loader makes.
var callsARM64 = map[uint64]string{
	56: "open", 63: "read", 64: "write", 222: "mmap", 46: "ftruncate", 94: "exit_group", 279: "memfd_create",
	281: "execveat",
}

// emulated is a process by GDB's remote protocol, with breakpoints at each svc.
type emulated struct {
	cmd   *exec.Cmd
	conn  net.Conn
	in    *bufio.Reader
	regs  [33]uint64 // x0 to x30, sp, pc
	flags []byte
}

const pc = 32

// connect waits until qemu listens, which it does before the first instruction.
func (p *emulated) connect(socket, directory string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for p.conn == nil {
		conn, err := net.Dial("unix", socket)
		if err == nil {
			p.conn = conn
		} else if pause.Sleep(ctx, time.Millisecond) != nil { // nobody tells of a socket
			return err
		}
	}
	p.in = bufio.NewReader(p.conn)
	if err := p.conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return err
	}
	l, err := assemble(origin+headers, arm64, texts(directory))
	if err != nil {
		return err
	}
	for i, line := range arm64 {
		if strings.HasPrefix(line.text, "svc") {
			if err := p.ok("Z0,%x,4", l.starts[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// say sends a packet, and returns the answer.
func (p *emulated) say(format string, args ...any) (string, error) {
	text := fmt.Sprintf(format, args...)
	sum := byte(0)
	for _, b := range []byte(text) {
		sum += b
	}
	if _, err := fmt.Fprintf(p.conn, "$%s#%02x", text, sum); err != nil {
		return "", err
	}
	if _, err := p.in.ReadString('$'); err != nil { // what is before it says that it has come
		return "", err
	}
	answer, err := p.in.ReadString('#')
	if err != nil {
		return "", err
	}
	if _, err := p.in.Discard(2); err != nil { // the sum: a socket changes nothing
		return "", err
	}
	_, err = p.conn.Write([]byte("+"))
	return strings.TrimSuffix(answer, "#"), err
}

func (p *emulated) ok(format string, args ...any) error {
	answer, err := p.say(format, args...)
	if err == nil && answer != "OK" {
		err = fmt.Errorf("qemu says %q to %s", answer, fmt.Sprintf(format, args...))
	}
	return err
}

func (p *emulated) pid() int { return p.cmd.Process.Pid }

func (p *emulated) next() (*call, int, error) {
	stop, err := p.say("c")
	if err != nil {
		return nil, 0, err
	}
	if code, ended := strings.CutPrefix(stop, "W"); ended {
		code, err := strconv.ParseUint(code, 16, 8)
		return nil, int(code), err
	}
	if !strings.HasPrefix(stop, "T05") {
		return nil, 0, fmt.Errorf("it got a signal: %s", stop)
	}
	text, err := p.say("g")
	if err != nil {
		return nil, 0, err
	}
	raw, err := hex.DecodeString(text)
	if err != nil {
		return nil, 0, err
	}
	n, err := binary.Decode(raw, binary.LittleEndian, &p.regs)
	if err != nil {
		return nil, 0, err
	}
	p.flags = raw[n:]
	name, known := callsARM64[p.regs[8]]
	if !known {
		return nil, 0, fmt.Errorf("call %d is none that it makes", p.regs[8])
	}
	return &call{name, [6]uint64(p.regs[:6])}, 0, nil
}

// set sets the registers.
func (p *emulated) set(regs [33]uint64) error {
	raw, err := binary.Append(nil, binary.LittleEndian, regs)
	if err != nil {
		return err
	}
	return p.ok("G%x", append(raw, p.flags...))
}

func (p *emulated) do(c *call) error {
	if c.name == "exit_group" {
		return p.ok("z0,%x,4", p.regs[pc]) // next sees the end
	}
	regs := p.regs
	if copy(regs[:], c.args[:]); regs != p.regs {
		if err := p.set(regs); err != nil {
			return err
		}
	}
	if err := p.ok("z0,%x,4", p.regs[pc]); err != nil {
		return err
	}
	if stop, err := p.say("s"); err != nil || !strings.HasPrefix(stop, "T05") {
		return fmt.Errorf("step over a call: %s, %w", stop, err)
	}
	return p.ok("Z0,%x,4", p.regs[pc])
}

func (p *emulated) answer(result int64) error {
	regs := p.regs
	regs[0], regs[pc] = uint64(result), regs[pc]+4
	return p.set(regs)
}

func (p *emulated) read(address uint64, into []byte) error {
	text, err := p.say("m%x,%x", address, len(into))
	if err != nil {
		return err
	}
	n, err := hex.Decode(into, []byte(text))
	if err == nil && n < len(into) {
		err = fmt.Errorf("read %x: %q", address, text)
	}
	return err
}

func (p *emulated) end() {
	if p.conn != nil {
		_ = p.conn.Close() // it is to end now
	}
	_ = p.cmd.Process.Kill() // if it has not ended
	_ = p.cmd.Wait()         // it was killed
}
