package tunnel_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/tunnel"
)

// datagramPod is a pod of datagrams: a dialled flow to it, whose Writes and Reads are whole.
// It answers each with its own name and what came.
type datagramPod struct {
	name   string
	mute   bool
	closed sync.Once
	done   chan struct{}
	out    chan []byte
	err    error // of Read, once done
}

func newDatagramPod(name string) *datagramPod {
	return &datagramPod{name: name, done: make(chan struct{}), out: make(chan []byte, 1000), err: io.EOF}
}

func (p *datagramPod) Write(datagram []byte) (int, error) {
	if !p.mute {
		p.out <- append([]byte(p.name+" "), datagram...)
	}
	return len(datagram), nil
}

func (p *datagramPod) Read(into []byte) (int, error) {
	select {
	case datagram := <-p.out:
		return copy(into, datagram), nil
	case <-p.done:
		return 0, p.err
	}
}

func (p *datagramPod) Close() error {
	p.closed.Do(func() { close(p.done) })
	return nil
}

// packets is a PacketPort at work.
type packets struct {
	*tunnel.PacketPort
	t       *testing.T
	addr    string
	reports chan tunnel.Report
	flows   chan *datagramPod // that were dialled
}

func servePackets(t *testing.T, adjust func(*packets)) *packets {
	t.Helper()
	p := &packets{t: t, reports: make(chan tunnel.Report, 2000), flows: make(chan *datagramPod, 2000)}
	p.PacketPort = &tunnel.PacketPort{
		Endpoints: new(tunnel.Endpoints), Hold: 10 * time.Second, Idle: time.Minute,
		Closed: func(report tunnel.Report) { p.reports <- report },
		Meter:  new(tunnel.Meter),
		Dial: func(_ context.Context, to tunnel.Endpoint) (io.ReadWriteCloser, error) {
			pod := newDatagramPod(to.Name())
			p.flows <- pod
			return pod, nil
		},
	}
	p.Endpoints.Set(at("a"), 0)
	if adjust != nil {
		adjust(p)
	}
	socket, err := net.ListenPacket("udp4", "127.0.0.1:0")
	require.NoError(t, err)
	p.addr = socket.LocalAddr().String()
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- p.Serve(ctx, socket) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-served)
	})
	return p
}

// client is a program that sends datagrams.
func (p *packets) client() net.Conn {
	p.t.Helper()
	conn, err := net.Dial("udp4", p.addr)
	require.NoError(p.t, err)
	p.t.Cleanup(func() { conn.Close() })
	require.NoError(p.t, conn.SetDeadline(time.Now().Add(10*time.Second)))
	return conn
}

// asks sends a datagram and returns the answer.
func (p *packets) asks(client net.Conn, question string) string {
	p.t.Helper()
	_, err := io.WriteString(client, question)
	require.NoError(p.t, err)
	answer := make([]byte, 70000)
	n, err := client.Read(answer)
	require.NoError(p.t, err)
	return string(answer[:n])
}

func TestAFlowIsOneClientsDatagrams(t *testing.T) {
	t.Parallel()
	p := servePackets(t, func(p *packets) { p.Endpoints.Set(at("a", "b"), 0) })
	one, other := p.client(), p.client()
	first := p.asks(one, "1")
	second := p.asks(other, "1")
	require.NotEqual(t, first, second, "endpoints in turn")
	for i := range 5 {
		require.Equal(t, fmt.Sprintf("%c %d", first[0], i), p.asks(one, fmt.Sprint(i)))
		require.Equal(t, fmt.Sprintf("%c %d", second[0], i), p.asks(other, fmt.Sprint(i)))
	}
	require.Len(t, p.flows, 2)
	large := strings.Repeat("x", 65000)
	require.Equal(t, first[:2]+large, p.asks(one, large))
	require.Equal(t, first[:2], p.asks(one, ""), "an empty one is one too")
	require.Eventually(t, func() bool {
		return p.Meter.Traffic() == tunnel.Traffic{Sent: 65012, Received: 65040}
	}, 10*time.Second, step, "%v", p.Meter.Traffic())
}

func TestASilentFlowEnds(t *testing.T) {
	t.Parallel()
	p := servePackets(t, func(p *packets) { p.Idle = 50 * time.Millisecond })
	client := p.client()
	require.Equal(t, "a hello", p.asks(client, "hello"))
	report := <-p.reports
	require.Equal(t, "idle", report.Reason)
	require.NoError(t, report.Err)
	require.Equal(t, client.LocalAddr().String(), report.Client)
	require.Equal(t, "a", report.Endpoint.Pod.Name)
	require.Equal(t, tunnel.Traffic{Sent: 5, Received: 7}, report.Traffic)
	require.Less(t, report.Duration, 50*time.Millisecond, "to the last datagram")
	<-(<-p.flows).done
	require.Equal(t, "a again", p.asks(client, "again"), "the next one begins another")
}

func TestAFlowBeginsAnewWhenItsEndpointGoes(t *testing.T) {
	t.Parallel()
	p := servePackets(t, nil)
	client := p.client()
	require.Equal(t, "a 1", p.asks(client, "1"))
	p.Endpoints.Set(at("b"), 0)
	require.Equal(t, "b 2", p.asks(client, "2"))
	require.Equal(t, "endpoint gone", (<-p.reports).Reason)

	// Or ends it.
	<-p.flows
	(<-p.flows).Close()
	require.Equal(t, "pod closed", (<-p.reports).Reason)
	require.Equal(t, "b 3", p.asks(client, "3"))
}

// hanging is a flow that takes nothing any more, and whose end takes its time.
type hanging struct {
	*datagramPod
	release chan struct{}
}

func (h hanging) Write([]byte) (int, error) { return 0, errors.New("silent") }
func (h hanging) Close() error              { <-h.release; return h.datagramPod.Close() }

func TestAFlowBeginsAnewWhileTheOneBeforeEnds(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	end := sync.OnceFunc(func() { close(release) })
	p := servePackets(t, func(p *packets) {
		dial, first := p.Dial, true
		p.Dial = func(ctx context.Context, to tunnel.Endpoint) (io.ReadWriteCloser, error) {
			if first {
				first = false
				return hanging{newDatagramPod("a"), release}, nil
			}
			return dial(ctx, to)
		}
	})
	t.Cleanup(end)
	client := p.client()
	_, err := io.WriteString(client, "lost")
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		require.NoError(t, client.SetDeadline(time.Now().Add(100*time.Millisecond)))
		_, err := io.WriteString(client, "again")
		require.NoError(t, err)
		answer := make([]byte, 100)
		n, err := client.Read(answer)
		return err == nil && string(answer[:n]) == "a again"
	}, 10*time.Second, step)
	require.Empty(t, p.reports, "it has not ended")
	end()
	require.Contains(t, (<-p.reports).Err.Error(), "silent")
}

func TestAFlowIsHeldUntilThereIsAnEndpoint(t *testing.T) {
	t.Parallel()
	p := servePackets(t, func(p *packets) { p.Endpoints.Set(nil, 0) })
	client := p.client()
	_, err := io.WriteString(client, "early")
	require.NoError(t, err)
	require.Eventually(t, p.Endpoints.Awaited, 10*time.Second, step)
	p.Endpoints.Set(at("a"), 0)
	answer := make([]byte, 100)
	n, err := client.Read(answer)
	require.NoError(t, err)
	require.Equal(t, "a early", string(answer[:n]))
}

func TestAnEndpointThatCannotBeDialledIsLeftOut(t *testing.T) {
	t.Parallel()
	p := servePackets(t, func(p *packets) {
		p.Endpoints.Set(at("a", "b"), 0)
		dial := p.Dial
		p.Dial = func(ctx context.Context, to tunnel.Endpoint) (io.ReadWriteCloser, error) {
			if to.Pod.Name == "a" {
				return nil, errors.New("no way")
			}
			return dial(ctx, to)
		}
	})
	for range 3 {
		require.Equal(t, "b hello", p.asks(p.client(), "hello"))
	}
}

// notAllowed is what a relay says of what it does not connect to.
type notAllowed struct{ error }

func (notAllowed) Refused() bool { return true }

func TestThatFlowsAreRefusedIsToldOnce(t *testing.T) {
	t.Parallel()
	told := new(told)
	var mu sync.Mutex
	refuses := true
	p := servePackets(t, func(p *packets) {
		p.Failing = told.tell
		p.Dial = func(_ context.Context, to tunnel.Endpoint) (io.ReadWriteCloser, error) {
			mu.Lock()
			defer mu.Unlock()
			pod := newDatagramPod(to.Name())
			if refuses {
				pod.mute = true
				pod.err = notAllowed{errors.New("not allowed")}
				pod.Close()
			}
			return pod, nil
		}
	})
	for range 3 {
		_, err := io.WriteString(p.client(), "hello")
		require.NoError(t, err)
		report := <-p.reports
		require.Equal(t, "refused by the pod", report.Reason)
		require.EqualError(t, report.Err, "not allowed")
	}
	require.Equal(t, []string{"pod default/a port 80: not allowed"}, told.all())
	mu.Lock()
	refuses = false
	mu.Unlock()
	require.Equal(t, "a hello", p.asks(p.client(), "hello"))
	require.Equal(t, []string{"pod default/a port 80: not allowed", "<nil>"}, told.all())
}

// TestNoFlowHarmsAnother: one whose endpoint is not found, or takes nothing.
func TestNoFlowHarmsAnother(t *testing.T) {
	t.Parallel()
	stuck := make(chan struct{})
	p := servePackets(t, func(p *packets) {
		dial := p.Dial
		var once atomic.Bool
		p.Dial = func(ctx context.Context, to tunnel.Endpoint) (io.ReadWriteCloser, error) {
			if !once.Swap(true) {
				close(stuck)
				<-ctx.Done()
				return nil, context.Cause(ctx)
			}
			return dial(ctx, to)
		}
	})
	waiting := p.client()
	for range 1000 { // more than wait for an endpoint
		_, err := waiting.Write(make([]byte, 1000))
		require.NoError(t, err)
	}
	<-stuck
	client := p.client()
	for i := range 20 {
		require.Equal(t, fmt.Sprintf("a %d", i), p.asks(client, fmt.Sprint(i)))
	}
}

// TestFlowsAreBounded: one more ends that which was silent longest.
func TestFlowsAreBounded(t *testing.T) {
	t.Parallel()
	p := servePackets(t, nil)
	oldest, kept := p.client(), p.client()
	require.Equal(t, "a hello", p.asks(oldest, "hello"))
	for range tunnel.MaxFlows + 10 {
		require.Equal(t, "a hello", p.asks(kept, "hello"))
		require.Equal(t, "a hello", p.asks(p.client(), "hello"))
	}
	var ended []string
	for range 12 {
		report := <-p.reports
		require.Equal(t, "too many flows", report.Reason)
		ended = append(ended, report.Client)
	}
	require.Empty(t, p.reports)
	require.Contains(t, ended, oldest.LocalAddr().String())
	require.NotContains(t, ended, kept.LocalAddr().String())
	require.Equal(t, "a hello", p.asks(oldest, "hello"), "it begins anew")
}

func TestWhenThePortGoesItsFlowsEnd(t *testing.T) {
	t.Parallel()
	reports := make(chan tunnel.Report, 1)
	port := &tunnel.PacketPort{
		Endpoints: new(tunnel.Endpoints), Hold: time.Minute, Idle: time.Minute,
		Closed: func(report tunnel.Report) { reports <- report },
	}
	socket, err := net.ListenPacket("udp4", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancelCause(t.Context())
	served := make(chan error, 1)
	go func() { served <- port.Serve(ctx, socket) }()
	client, err := net.Dial("udp4", socket.LocalAddr().String())
	require.NoError(t, err)
	defer client.Close()
	_, err = io.WriteString(client, "hello")
	require.NoError(t, err)
	require.Eventually(t, port.Endpoints.Awaited, 10*time.Second, step)
	cancel(tunnel.ErrWithdrawn)
	require.NoError(t, <-served)
	require.Equal(t, "no longer forwarded", (<-reports).Reason)
}
