package agent

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/intercept/wire"
	"github.com/devtun/devtun/tunnel/duplex"
)

func TestConnectionsGoToTheDeveloperWhileALocalProcessListens(t *testing.T) {
	w := newWorld(t, greet("origin"))
	require.Equal(t, "origin", w.who(), "without a link")
	l := w.connect(to(serve(t, greet("local"))))
	require.Equal(t, "local", w.who())
	l.link.SetPort(port, false)
	w.eventually(func() bool { return l.state().To == wire.ToOrigin })
	require.Equal(t, wire.NothingListens, l.state().Why)
	require.Equal(t, "origin", w.who(), "nobody listens")
	l.link.SetPort(port, true)
	w.eventually(func() bool { return l.state().To == wire.ToDeveloper })
	require.Equal(t, "local", w.who())
	l.link.Close()
	w.eventually(func() bool { return w.who() == "origin" })
	for _, address := range w.dialled {
		require.Equal(t, w.origin.address, address)
	}
	var logged []string // each change once; short ones may pass unseen
	w.eventually(func() bool {
		logged = nil
		for line := range strings.Lines(w.log.String()) {
			if _, state, ok := strings.Cut(line, `msg="new connections" `); ok {
				logged = append(logged, state)
			}
		}
		return strings.Contains(logged[len(logged)-1], "devtun is not connected")
	})
	require.Len(t, slices.Compact(slices.Clone(logged)), len(logged))
}

func TestAConnectionThatIsNotTakenGoesWholeToTheOrigin(t *testing.T) {
	t.Parallel()
	hang := func(ctx context.Context) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	for name, dial := range map[string]func(*laptop, context.Context) (net.Conn, error){
		"refused": func(*laptop, context.Context) (net.Conn, error) { return nil, syscall.ECONNREFUSED },
		"stalled": func(_ *laptop, ctx context.Context) (net.Conn, error) { return hang(ctx) },
		"killed":  func(l *laptop, ctx context.Context) (net.Conn, error) { l.conn.Abort(); return hang(ctx) },
		"closed":  func(l *laptop, ctx context.Context) (net.Conn, error) { l.link.Close(); return hang(ctx) },
		"stopped": func(l *laptop, ctx context.Context) (net.Conn, error) { l.conn.pause(); return hang(ctx) },
	} {
		for _, size := range []int{0, 100, keptBytes - 1, keptBytes, 10 * keptBytes} {
			t.Run(fmt.Sprintf("%s after %d", name, size), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, echo(nil), func(a *Agent) {
					if name == "stalled" {
						a.TakeTimeout = quiet
					}
				})
				var l *laptop
				ready := make(chan struct{})
				l = w.connect(func(ctx context.Context) (net.Conn, error) {
					<-ready
					return dial(l, ctx)
				})
				close(ready)
				client := w.client()
				sent := make([]byte, size)
				io.ReadFull(&pattern{left: int64(size)}, sent)
				go func() { client.Write(sent); client.CloseWrite() }()
				got, err := io.ReadAll(client)
				require.NoError(t, err)
				require.True(t, bytes.Equal(sent, got))
				require.EqualValues(t, 1, w.origin.taken.Load())
			})
		}
	}
}

func TestHalfClose(t *testing.T) {
	t.Parallel()
	for _, where := range []string{"local", "origin"} {
		t.Run(where, func(t *testing.T) {
			t.Parallel()
			release := make(chan struct{})
			w := newWorld(t, echo(release))
			if where == "local" {
				w.connect(to(serve(t, echo(release))))
			}
			client := w.client()
			fmt.Fprint(client, "question")
			client.CloseWrite()
			client.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
			_, err := client.Read(make([]byte, 1))
			require.ErrorContains(t, err, "timeout", "the answer is slow")
			client.SetReadDeadline(time.Now().Add(soon))
			close(release)
			got, err := io.ReadAll(client)
			require.NoError(t, err)
			require.Equal(t, "question", string(got))
		})
	}
}

func TestTheServersHalfComesFirst(t *testing.T) {
	w := newWorld(t, greet("origin"))
	got := make(chan string, 1)
	w.connect(to(serve(t, func(conn duplex.TCP) {
		conn.CloseWrite()
		rest, _ := io.ReadAll(conn)
		got <- string(rest)
	})))
	client := w.client()
	_, err := client.Read(make([]byte, 1))
	require.Equal(t, io.EOF, err)
	fmt.Fprint(client, "still here")
	client.CloseWrite()
	require.Equal(t, "still here", <-got)
}

func TestAResetArrivesAsOne(t *testing.T) {
	for _, where := range []string{"local", "origin"} {
		t.Run("of the server, "+where, func(t *testing.T) {
			crash := func(conn duplex.TCP) {
				io.WriteString(conn, "half a sen")
				io.ReadFull(conn, make([]byte, 1)) // the client has it
				conn.Abort()
			}
			w := newWorld(t, crash)
			if where == "local" {
				w.connect(to(serve(t, crash)))
			}
			client := w.client()
			_, err := io.ReadFull(client, make([]byte, 10))
			require.NoError(t, err)
			fmt.Fprint(client, "x")
			_, err = client.Read(make([]byte, 1))
			require.ErrorIs(t, err, syscall.ECONNRESET)
		})
		t.Run("of the client, "+where, func(t *testing.T) {
			seen := make(chan error, 1)
			listen := func(conn duplex.TCP) {
				io.WriteString(conn, "hello")
				_, err := io.Copy(io.Discard, conn)
				seen <- err
			}
			w := newWorld(t, listen)
			if where == "local" {
				w.connect(to(serve(t, listen)))
			}
			client := w.client()
			_, err := io.ReadFull(client, make([]byte, 5))
			require.NoError(t, err)
			client.Abort()
			require.ErrorIs(t, <-seen, syscall.ECONNRESET)
		})
	}
}

func TestALostSessionResetsItsConnections(t *testing.T) {
	w := newWorld(t, greet("origin"))
	l := w.connect(to(serve(t, func(conn duplex.TCP) {
		io.WriteString(conn, "half a sen")
		io.Copy(io.Discard, conn)
	})))
	client := w.client()
	_, err := io.ReadFull(client, make([]byte, 10))
	require.NoError(t, err)
	l.conn.Abort()
	_, err = client.Read(make([]byte, 1))
	require.ErrorIs(t, err, syscall.ECONNRESET)
}

func TestMuchEachWay(t *testing.T) { carryMuch(t, 32<<20) }

// carryMuch sends so many bytes to a local process and, at once, back.
func carryMuch(t *testing.T, size int64) {
	w := newWorld(t, greet("origin"))
	w.connect(to(serve(t, func(conn duplex.TCP) { io.Copy(conn, conn); conn.CloseWrite() })))
	client := w.client()
	client.SetDeadline(time.Now().Add(time.Minute + time.Duration(size>>20)*time.Second/8)) // beside other tests
	sum := sha256.New()
	sent := make(chan error, 1)
	began := time.Now()
	go func() {
		_, err := io.CopyBuffer(struct{ io.Writer }{io.MultiWriter(client, sum)}, &pattern{left: size}, make([]byte, 64<<10))
		sent <- errors.Join(err, client.CloseWrite())
	}()
	got := sha256.New()
	n, err := io.Copy(got, client)
	require.NoError(t, err)
	require.NoError(t, <-sent)
	require.EqualValues(t, size, n)
	require.Equal(t, sum.Sum(nil), got.Sum(nil))
	t.Logf("%.0f MB/s each way at once", float64(size)/1e6/time.Since(began).Seconds())
}

func TestFiveHundredAtOnceAndOneStalled(t *testing.T) { carryManyBesideAStalled(t, 30<<10) }

// carryManyBesideAStalled sends so many bytes over each of 500 connections.
func carryManyBesideAStalled(t *testing.T, size int) {
	back := func(conn duplex.TCP) { io.Copy(conn, conn); conn.CloseWrite() }
	w := newWorld(t, back)
	w.connect(to(serve(t, back)))
	stalled := w.client()
	go io.Copy(stalled, &pattern{left: 64 << 20}) // and reads nothing
	message := make([]byte, size)
	io.ReadFull(&pattern{left: int64(len(message))}, message)

	var all sync.WaitGroup
	errs := make(chan error, 500)
	clients := make([]duplex.TCP, 500)
	for i := range clients {
		clients[i] = w.client()
		clients[i].SetDeadline(time.Now().Add(5 * time.Minute)) // all have the processors to share
	}
	for _, client := range clients {
		all.Go(func() {
			go func() { client.Write(message); client.CloseWrite() }()
			got, err := io.ReadAll(client)
			if err == nil && !bytes.Equal(message, got) {
				err = fmt.Errorf("got %d other bytes", len(got))
			}
			if err != nil {
				errs <- err
			}
		})
	}
	all.Wait()
	close(errs)
	require.NoError(t, <-errs)
	if !strings.Contains(w.log.String(), "does not answer") { // as a busy machine's developer may not
		require.Zero(t, w.origin.taken.Load())
	}
	stalled.Abort()
}

// pattern is left bytes of no short period.
type pattern struct {
	left int64
	x    uint32
}

func (p *pattern) Read(b []byte) (int, error) {
	if p.left == 0 {
		return 0, io.EOF
	}
	b = b[:min(int64(len(b)), p.left)]
	for i := range b {
		p.x = p.x*1664525 + 1013904223
		b[i] = byte(p.x >> 24)
	}
	p.left -= int64(len(b))
	return len(b), nil
}
