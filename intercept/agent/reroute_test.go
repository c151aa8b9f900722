package agent

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/tunnel/duplex"
)

// keeper is a client that keeps its connection and never tries again.
type keeper struct {
	t    *testing.T
	conn duplex.TCP
	in   *bufio.Reader
}

func (w *world) keeper() *keeper {
	conn := w.client()
	return &keeper{w.t, conn, bufio.NewReader(conn)}
}

func (k *keeper) send(method string) {
	k.t.Helper()
	text := method + " / HTTP/1.1\r\nHost: here\r\n"
	if method == "POST" {
		text += "Content-Length: 3\r\n\r\nask"
	} else {
		text += "\r\n"
	}
	_, err := io.WriteString(k.conn, text)
	require.NoError(k.t, err)
}

func (k *keeper) answer() (string, error) {
	response, err := http.ReadResponse(k.in, nil)
	if err != nil {
		return "", err
	}
	body, err := io.ReadAll(response.Body)
	return string(body), err
}

func (k *keeper) ask(method string) string {
	k.t.Helper()
	k.send(method)
	answer, err := k.answer()
	require.NoError(k.t, err)
	return answer
}

// webs is a world of two web servers.
func webs(t *testing.T) (w *world, l *laptop, local, origin *server) {
	origin = web(t, "origin")
	local = web(t, "local")
	w = newWorld(t, greet("unused"), func(a *Agent) { a.Config.Ports[0].Origin = origin.address })
	return w, w.connect(to(local)), local, origin
}

func TestKeptConnectionsOutliveTheDeveloper(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*laptop, *server){
		"the link is lost":   func(l *laptop, _ *server) { l.link.Close() },
		"the link is silent": func(l *laptop, _ *server) { l.conn.pause() },
		"the local process stops": func(l *laptop, local *server) {
			l.link.SetPort(port, false)
			local.close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, l, local, _ := webs(t)
			for _, method := range []string{"GET", "POST"} {
				k := w.keeper()
				defer k.conn.Close()
				require.Equal(t, "local", k.ask(method))
				require.Equal(t, "local", k.ask(method))
				defer func() { require.Equal(t, "origin", k.ask(method), method) }()
			}
			end(l, local)
			w.eventually(func() bool { return !w.toDeveloper() })
		})
	}
}

// A request on its way into a void is asked again where that does no harm.
func TestRequestsThatNobodyAnswersAreAskedAgain(t *testing.T) {
	t.Parallel()
	w, l, _, _ := webs(t)
	get, post := w.keeper(), w.keeper()
	require.Equal(t, "local", get.ask("GET"))
	require.Equal(t, "local", post.ask("POST"))
	l.conn.pause()
	get.send("GET")
	post.send("POST")
	answer, err := get.answer()
	require.NoError(t, err)
	require.Equal(t, "origin", answer)
	require.Equal(t, "origin", get.ask("POST"), "on the same connection")

	post.conn.SetReadDeadline(time.Now().Add(quiet))
	_, err = post.answer()
	require.Error(t, err)
	post.conn.SetReadDeadline(time.Now().Add(soon))
	l.conn.resume()
	answer, err = post.answer()
	require.NoError(t, err)
	require.Equal(t, "local", answer)
}

// A local process that stops drops what it has just been asked.
func TestAFirstRequestThatIsDroppedIsAskedAgain(t *testing.T) {
	t.Parallel()
	for name, drop := range map[string]func(duplex.TCP){
		"in good order": func(conn duplex.TCP) { conn.CloseWrite(); io.Copy(io.Discard, conn) },
		"by a reset":    func(conn duplex.TCP) { conn.Abort() },
	} {
		for method, answer := range map[string]string{"GET": "origin", "POST": ""} {
			for _, stops := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s, %s, it stops: %t", name, method, stops), func(t *testing.T) {
					t.Parallel()
					origin := web(t, "origin")
					asked := make(chan bool)
					var heard atomic.Int32
					local := serve(t, func(conn duplex.TCP) {
						http.ReadRequest(bufio.NewReader(conn))
						heard.Add(1)
						<-asked
						drop(conn)
					})
					w := newWorld(t, greet("unused"), func(a *Agent) { a.Config.Ports[0].Origin = origin.address })
					l := w.connect(to(local))
					k := w.keeper()
					k.send(method)
					w.eventually(func() bool { return heard.Load() == 1 && w.allTaken() })
					if stops {
						l.link.SetPort(port, false)
						w.eventually(func() bool { return !w.toDeveloper() })
					}
					close(asked)
					got, err := k.answer()
					if !stops {
						require.Error(t, err, "it does it again")
						times := map[string]int32{"GET": 2, "POST": 1}
						require.Equal(t, times[method], local.taken.Load())
						return
					}
					require.Equal(t, answer, got)
					require.Equal(t, answer == "", err != nil)
				})
			}
		}
	}
}

// A first request that is at a breakpoint stays there, whatever becomes of the way.
func TestAFirstRequestStaysWithASilentDeveloper(t *testing.T) {
	t.Parallel()
	asked, goOn := make(chan bool), make(chan bool)
	local := serve(t, func(conn duplex.TCP) {
		http.ReadRequest(bufio.NewReader(conn))
		asked <- true
		<-goOn
		io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nlocal")
	})
	w := newWorld(t, greet("origin"))
	l := w.connect(to(local))
	k := w.keeper()
	k.send("GET")
	<-asked
	w.eventually(w.allTaken) // which the local process knows before the agent
	l.conn.pause()
	w.eventually(func() bool { return w.who() == "origin" })
	l.conn.resume()
	close(goOn)
	answer, err := k.answer()
	require.NoError(t, err)
	require.Equal(t, "local", answer)
}

// A local process that ends one connection means that one.
func TestALocalProcessEndsAKeptConnection(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var open []duplex.TCP
	local := serve(t, func(conn duplex.TCP) {
		mu.Lock()
		open = append(open, conn)
		mu.Unlock()
		http.Serve(&oneConn{conn: conn, done: make(chan struct{})},
			http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				io.WriteString(w, "local")
			}))
	})
	w := newWorld(t, greet("unused"))
	l := w.connect(to(local))
	asking := w.keeper()
	require.Equal(t, "local", asking.ask("GET"))
	mu.Lock()
	for _, conn := range open {
		conn.CloseWrite()
		conn.CloseRead()
	}
	mu.Unlock()
	<-l.closed // by the agent as well
	require.Equal(t, "local", asking.ask("POST"), "on a new connection")
	require.EqualValues(t, 2, local.taken.Load())
}
