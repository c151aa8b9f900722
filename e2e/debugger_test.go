package e2e

import (
	"bufio"
	"encoding/json"
	"net"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-dap"
	"github.com/stretchr/testify/require"
)

const (
	// dapTimeout bounds one request to the debugger.
	dapTimeout = 30 * time.Second

	// compileTimeout bounds the start of a program under the debugger, which compiles
	// it, and the standard library for the first time, without optimisation.
	compileTimeout = 5 * time.Minute
)

// debugger is Delve, spoken to as editors do: by the Debug Adapter Protocol.
type debugger struct {
	t    *testing.T
	conn net.Conn
	seq  int

	mu       sync.Mutex
	messages []dap.Message
	news     chan struct{} // closed and renewed at each message
	seen     int           // of messages, by stopped
	source   string        // where the breakpoint is
}

var listensAt = regexp.MustCompile(`DAP server listening at: (\S+)\n`)

// startDebugger starts Delve's server in a folder and connects to it. It ends with the
// test, if not before.
func startDebugger(t *testing.T, folder string, env []string) *debugger {
	t.Helper()
	cmd := exec.Command(bed.Program("delve"), "dap", "--listen=127.0.0.1:0")
	cmd.Dir, cmd.Env = folder, env
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	cmd.Stderr = cmd.Stdout
	require.NoError(t, cmd.Start())
	var said strings.Builder
	address, ended := make(chan string, 1), make(chan struct{})
	go func() { // to the end: the program's own output comes here
		defer close(ended)
		for lines := bufio.NewReader(out); ; {
			line, err := lines.ReadString('\n')
			said.WriteString(line)
			if found := listensAt.FindStringSubmatch(line); found != nil {
				address <- found[1]
			}
			if err != nil {
				cmd.Wait()
				return
			}
		}
	}()
	d := &debugger{t: t, news: make(chan struct{})}
	t.Cleanup(func() {
		if d.conn != nil {
			d.conn.Close() // which ends Delve and the program
		}
		late := time.AfterFunc(endTimeout, func() { cmd.Process.Kill() })
		defer late.Stop()
		<-ended
		if t.Failed() {
			t.Logf("the debugger said:\n%s%s", said.String(), d.console())
		}
	})
	select {
	case at := <-address:
		d.conn, err = net.DialTimeout("tcp", at, dapTimeout)
		require.NoError(t, err)
	case <-time.After(dapTimeout):
		require.FailNow(t, "the debugger does not listen")
	}
	go d.read()
	return d
}

// read collects messages until the connection ends.
func (d *debugger) read() {
	for in := bufio.NewReader(d.conn); ; {
		message, err := dap.ReadProtocolMessage(in)
		if err != nil {
			return
		}
		d.mu.Lock()
		d.messages = append(d.messages, message)
		close(d.news)
		d.news = make(chan struct{})
		d.mu.Unlock()
	}
}

// await returns the index of the first message from an index on that fits.
func (d *debugger) await(what string, from int, timeout time.Duration, fits func(dap.Message) bool) int {
	d.t.Helper()
	late := time.After(timeout)
	for {
		d.mu.Lock()
		messages, news := d.messages, d.news
		d.mu.Unlock()
		for ; from < len(messages); from++ {
			if fits(messages[from]) {
				return from
			}
		}
		select {
		case <-news:
		case <-late:
			require.FailNow(d.t, "no "+what)
		}
	}
}

// console is what an editor shows of the program and of its build.
func (d *debugger) console() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var text strings.Builder
	for _, m := range d.messages {
		if output, ok := m.(*dap.OutputEvent); ok {
			text.WriteString(output.Body.Output)
		}
	}
	return text.String()
}

func (d *debugger) message(i int) dap.Message {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.messages[i]
}

// send sends a request and returns its number.
func (d *debugger) send(command string, arguments any) int {
	d.t.Helper()
	d.seq++
	content, err := json.Marshal(map[string]any{"seq": d.seq, "type": "request", "command": command,
		"arguments": arguments})
	require.NoError(d.t, err)
	require.NoError(d.t, d.conn.SetWriteDeadline(time.Now().Add(dapTimeout)))
	require.NoError(d.t, dap.WriteBaseMessage(d.conn, content))
	return d.seq
}

// request sends a request and waits for its answer, which is to be success.
func (d *debugger) request(command string, arguments any) dap.Message {
	d.t.Helper()
	return d.response(d.send(command, arguments), command, dapTimeout)
}

func (d *debugger) response(seq int, command string, timeout time.Duration) dap.Message {
	d.t.Helper()
	i := d.await("answer to "+command, 0, timeout, func(m dap.Message) bool {
		response, ok := m.(dap.ResponseMessage)
		return ok && response.GetResponse().RequestSeq == seq
	})
	message := d.message(i)
	if failed, ok := message.(*dap.ErrorResponse); ok {
		require.FailNow(d.t, command+" failed", "%+v", failed.Body.Error)
	}
	require.True(d.t, message.(dap.ResponseMessage).GetResponse().Success, command)
	return message
}

// launch starts the program with an editor's configuration, and a breakpoint.
func (d *debugger) launch(config map[string]any, source string, line int) {
	d.t.Helper()
	d.request("initialize", dap.InitializeRequestArguments{AdapterID: "go", PathFormat: "path", LinesStartAt1: true,
		ColumnsStartAt1: true})
	launch := d.send("launch", config)
	d.await("program", 0, compileTimeout, func(m dap.Message) bool {
		if failed, ok := m.(*dap.ErrorResponse); ok {
			require.FailNow(d.t, "launch failed", "%+v", failed.Body.Error)
		}
		_, ok := m.(*dap.InitializedEvent)
		return ok
	})
	d.source = source
	set := d.breakpoints(line)
	require.Len(d.t, set, 1)
	require.True(d.t, set[0].Verified, set[0].Message)
	d.request("configurationDone", nil)
	d.response(launch, "launch", dapTimeout)
}

// breakpoints sets those of the source, instead of others.
func (d *debugger) breakpoints(lines ...int) []dap.Breakpoint {
	d.t.Helper()
	arguments := dap.SetBreakpointsArguments{Source: dap.Source{Path: d.source}, Breakpoints: []dap.SourceBreakpoint{}}
	for _, line := range lines {
		arguments.Breakpoints = append(arguments.Breakpoints, dap.SourceBreakpoint{Line: line})
	}
	return d.request("setBreakpoints", arguments).(*dap.SetBreakpointsResponse).Body.Breakpoints
}

// stopped waits until the program stops at a breakpoint once more, and returns the
// thread.
func (d *debugger) stopped() int {
	d.t.Helper()
	i := d.await("stop at the breakpoint", d.seen, time.Minute, func(m dap.Message) bool {
		_, ok := m.(*dap.StoppedEvent)
		return ok
	})
	d.seen = i + 1
	event := d.message(i).(*dap.StoppedEvent)
	require.Equal(d.t, "breakpoint", event.Body.Reason)
	return event.Body.ThreadId
}

// hits is how often the program has stopped so far.
func (d *debugger) hits() (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, m := range d.messages {
		if _, ok := m.(*dap.StoppedEvent); ok {
			n++
		}
	}
	return n
}

// top is the number of the frame in which a thread stands.
func (d *debugger) top(thread int) int {
	d.t.Helper()
	trace := d.request("stackTrace", dap.StackTraceArguments{ThreadId: thread, Levels: 1}).(*dap.StackTraceResponse)
	require.NotEmpty(d.t, trace.Body.StackFrames)
	return trace.Body.StackFrames[0].Id
}

// locals are the variables of a frame, as the editor shows them.
func (d *debugger) locals(frame int) map[string]string {
	d.t.Helper()
	values := make(map[string]string)
	scopes := d.request("scopes", dap.ScopesArguments{FrameId: frame}).(*dap.ScopesResponse)
	for _, scope := range scopes.Body.Scopes {
		if !strings.HasPrefix(scope.Name, "Locals") {
			continue
		}
		list := d.request("variables",
			dap.VariablesArguments{VariablesReference: scope.VariablesReference}).(*dap.VariablesResponse)
		for _, v := range list.Body.Variables {
			values[v.Name] = v.Value
		}
	}
	return values
}

// process is the program's number.
func (d *debugger) process() int {
	d.t.Helper()
	i := d.await("process", 0, dapTimeout, func(m dap.Message) bool {
		_, ok := m.(*dap.ProcessEvent)
		return ok
	})
	return d.message(i).(*dap.ProcessEvent).Body.SystemProcessId
}

// goOn has the program run.
func (d *debugger) goOn(thread int) {
	d.t.Helper()
	d.request("continue", dap.ContinueArguments{ThreadId: thread})
}

// disconnect ends the program and the debugger.
func (d *debugger) disconnect() {
	d.t.Helper()
	d.request("disconnect", dap.DisconnectArguments{TerminateDebuggee: true})
}
