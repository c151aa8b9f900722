package tunnel_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/tunnel"
	"github.com/devtun/devtun/tunnel/duplex"
	"github.com/devtun/devtun/tunnel/proxy"
	"github.com/devtun/devtun/tunnel/tunneltest"
)

// ann is what a personal claim's process passes on.
var ann = proxy.Carried{Name: "baggage", Value: "devtun=ann", List: true}

func carrying(carry ...proxy.Carried) func() *tunnel.Requests {
	return func() *tunnel.Requests { return &tunnel.Requests{Carry: carry} }
}

// byRequests reports that a test's ports are to carry headers on.
func byRequests(t *testing.T) bool { return strings.HasPrefix(t.Name(), "TestWhatHoldsOfPorts") }

// TestWhatHoldsOfPorts holds of those that carry headers on as well: what goes through
// them here is no HTTP.
func TestWhatHoldsOfPorts(t *testing.T) {
	for name, test := range map[string]func(*testing.T){
		"balance":     TestPortBalancesAndPassesOverTheDead,
		"speaks":      TestAClientThatSpeaksMeanwhileIsPassedOn,
		"affinity":    TestAffinityHoldsWhileItsPodIsReady,
		"held":        TestAConnectionIsHeldUntilAPodIsReady,
		"denied":      TestADenialThatPassesIsWaitedOut,
		"nobody":      TestAConnectionThatNobodyTakesIsReset,
		"ends":        TestEndsAreCarriedOverAndTold,
		"counted":     TestBytesAreCountedAsTheyGo,
		"gone":        TestWhatAClientAskedThatHasGoneIsNotDelivered,
		"duration":    TestTheDurationIsToTheLastByte,
		"serverFirst": serverFirst,
		"tls":         tlsIsUntouched,
	} {
		t.Run(name, test)
	}
}

// serverFirst is a protocol whose client waits: its pod is dialled at once.
func serverFirst(t *testing.T) {
	server := tunneltest.NewServer(t)
	server.Pod("default", "web-0").Serve(80, func(conn net.Conn) {
		fmt.Fprint(conn, "220 hello\n")
		bufio.NewReader(conn).ReadString('\n')
	})
	began := time.Now()
	conn, err := net.Dial("tcp", overPod(t, server, nil))
	require.NoError(t, err)
	defer conn.Close()
	line, err := bufio.NewReader(conn).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "220 hello\n", line)
	require.Less(t, time.Since(began), proxy.DefaultSilence)
}

// overPod is the address of a forward to port 80 of pod web-0.
func overPod(t *testing.T, server *tunneltest.Server, requests func() *tunnel.Requests) string {
	t.Helper()
	endpoints := new(tunnel.Endpoints)
	endpoints.Set(at("web-0"), 0)
	return servePort(t, &tunnel.Port{Endpoints: endpoints, Dial: newPool(t, server, tunnel.SPDY).DialEndpoint,
		Hold: tunnel.DefaultHold, Requests: requests})
}

// tlsIsUntouched: what is encrypted is no request.
func tlsIsUntouched(t *testing.T) {
	server := tunneltest.NewServer(t)
	got := make(chan string, 1)
	server.Pod("default", "web-0").Serve(80, func(conn net.Conn) {
		said := make([]byte, 1000)
		n, _ := io.ReadFull(conn, said[:5])
		m, _ := io.ReadAtLeast(conn, said[5:], 1)
		got <- string(said[:n+m])
		fmt.Fprint(conn, "bye")
	})
	conn, err := net.Dial("tcp", overPod(t, server, nil))
	require.NoError(t, err)
	defer conn.Close()
	hello := "\x16\x03\x01\x00\x10\x01GET / HTTP/1.1\r\n\r\n"
	_, err = io.WriteString(conn, hello)
	require.NoError(t, err)
	require.Equal(t, hello, <-got)
}

// site is an HTTP server behind a pod's port, or on this machine.
type site struct {
	server *http.Server
	conns  chan net.Conn
	ended  chan struct{}
}

// serveSite has a server answer connections, HTTP/1 and HTTP/2 with prior knowledge, that
// are given to its handle.
func serveSite(t *testing.T, handler http.HandlerFunc) *site {
	t.Helper()
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	s := &site{server: &http.Server{Handler: handler, Protocols: protocols}, conns: make(chan net.Conn),
		ended: make(chan struct{})}
	var serving sync.WaitGroup
	serving.Go(func() { s.server.Serve(s) })
	t.Cleanup(func() { s.server.Close(); serving.Wait() })
	return s
}

func (s *site) Accept() (net.Conn, error) {
	select {
	case conn := <-s.conns:
		return conn, nil
	case <-s.ended:
		return nil, net.ErrClosed
	}
}

func (s *site) Close() error   { close(s.ended); return nil }
func (s *site) Addr() net.Addr { return &net.TCPAddr{} }

// handle is a pod's handler. The server closes the connection.
func (s *site) handle(conn net.Conn) {
	over := make(chan struct{})
	select {
	case s.conns <- &closing{Conn: conn, over: sync.OnceFunc(func() { close(over) })}:
		<-over
	case <-s.ended:
	}
}

type closing struct {
	net.Conn
	over func()
}

func (c *closing) Close() error { defer c.over(); return c.Conn.Close() }

// sayBaggage answers with what it was asked, and by whom.
func sayBaggage(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s: %s %s %q %q", name, r.Proto, r.URL.Path, r.Header["Baggage"], r.Header["X-Tester"])
	}
}

// browser is a client of HTTP/1 or of HTTP/2 with prior knowledge.
func browser(t *testing.T, http2 bool) *http.Client {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(!http2)
	protocols.SetUnencryptedHTTP2(http2)
	transport := &http.Transport{Protocols: protocols}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 10 * time.Second}
}

func get(t *testing.T, client *http.Client, url string, header http.Header) string {
	t.Helper()
	request, err := http.NewRequest(http.MethodGet, url, nil)
	require.NoError(t, err)
	if header != nil {
		request.Header = header
	}
	answer, err := client.Do(request)
	require.NoError(t, err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return string(body)
}

// protocols are both kinds of requests.
func protocols(t *testing.T, test func(t *testing.T, client *http.Client, proto string)) {
	for proto, two := range map[string]bool{"HTTP/1.1": false, "HTTP/2.0": true} {
		t.Run(proto, func(t *testing.T) { test(t, browser(t, two), proto) })
	}
}

func TestHeadersTravelOn(t *testing.T) {
	protocols(t, func(t *testing.T, client *http.Client, proto string) {
		server := tunneltest.NewServer(t)
		server.Pod("default", "web-0").Serve(80, serveSite(t, sayBaggage("web-0")).handle)
		url := "http://" + overPod(t, server, carrying(ann, proxy.Carried{Name: "x-tester", Value: "7"})) + "/x"
		for range 2 {
			require.Equal(t, "web-0: "+proto+` /x ["devtun=ann"] ["7"]`, get(t, client, url, nil))
		}
		require.Equal(t, "web-0: "+proto+` /x ["tenant=x, devtun=ann"] ["8"]`,
			strings.ReplaceAll(get(t, client, url, http.Header{"Baggage": {"tenant=x"}, "X-Tester": {"8"}}), "x,d", "x, d"))
		require.Equal(t, "web-0: "+proto+` /x ["devtun=ann"] ["7"]`,
			get(t, client, url, http.Header{"Baggage": {"devtun=ann"}}), "it is there")
	})
}

// TestAChainOfForwards: each hop carries on what it has, as that of the first does.
func TestAChainOfForwards(t *testing.T) {
	protocols(t, func(t *testing.T, client *http.Client, proto string) {
		server := tunneltest.NewServer(t)
		server.Pod("default", "web-0").Serve(80, serveSite(t, sayBaggage("back")).handle)
		back := "http://" + overPod(t, server, carrying(ann))
		front := tunneltest.NewServer(t)
		front.Pod("default", "web-0").Serve(80, serveSite(t, func(w http.ResponseWriter, r *http.Request) {
			body := get(t, client, back, nil) // it passes nothing on by itself
			fmt.Fprintf(w, "front %q, %s", r.Header["Baggage"], body)
		}).handle)
		url := "http://" + overPod(t, front, carrying(ann))
		require.Equal(t, `front ["devtun=ann"], back: `+proto+` / ["devtun=ann"] []`, get(t, client, url, nil))
	})
}

// TestNothingElseIsTouched compares what a pod gets with what was sent.
func TestNothingElseIsTouched(t *testing.T) {
	const asked = "POST /a?b=c HTTP/1.1\r\nhOST:  x\r\nx-A: 1\r\nX-a: 2 \r\nTransfer-Encoding: chunked\r\n%s\r\n" +
		"5;ext=1\r\nhello\r\n0\r\nTrailer: x\r\n\r\n"
	nothing := func() *tunnel.Requests { return nil }
	never := func() *tunnel.Requests {
		return &tunnel.Requests{Here: func(*proxy.Request) (proxy.Destination, bool) { return nil, false }}
	}
	for name, c := range map[string]struct {
		requests func() *tunnel.Requests
		added    string
	}{
		"nothing to do": {nothing, ""}, "nothing to carry": {carrying(), ""}, "nothing for here": {never, ""},
		"a header": {carrying(ann), "baggage: devtun=ann\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := fmt.Sprintf(asked, c.added)
			server := tunneltest.NewServer(t)
			got := make(chan string, 1)
			server.Pod("default", "web-0").Serve(80, func(conn net.Conn) {
				said := make([]byte, len(want))
				n, _ := io.ReadFull(conn, said)
				got <- string(said[:n])
				io.WriteString(conn, "HTTP/1.1 200 OK\r\nconnection: Close\r\nX-b: 1\r\n\r\nbye")
			})
			conn, err := net.Dial("tcp", overPod(t, server, c.requests))
			require.NoError(t, err)
			defer conn.Close()
			require.NoError(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
			_, err = fmt.Fprintf(conn, asked, "")
			require.NoError(t, err)
			require.Equal(t, want, <-got)
			answer, err := io.ReadAll(conn)
			require.NoError(t, err)
			require.Equal(t, "HTTP/1.1 200 OK\r\nconnection: Close\r\nX-b: 1\r\n\r\nbye", string(answer))
		})
	}
}

// process is one of this machine's that requests are for, by its address.
type process string

func (p process) Dial(ctx context.Context) (proxy.Upstream, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", string(p))
	if err != nil {
		return nil, err
	}
	return processConn{duplex.TCP{TCPConn: conn.(*net.TCPConn)}}, nil
}

type processConn struct{ duplex.TCP }

func (processConn) Taken() <-chan struct{} { return nil }

// TestWhatIsForAProcessHere goes there, request by request, and to a pod when nobody
// listens there.
func TestWhatIsForAProcessHere(t *testing.T) {
	protocols(t, func(t *testing.T, client *http.Client, proto string) {
		server := tunneltest.NewServer(t)
		server.Pod("default", "web-0").Serve(80, serveSite(t, sayBaggage("web-0")).handle)
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		here := serveSite(t, sayBaggage("here"))
		local := &http.Server{Handler: here.server.Handler, Protocols: here.server.Protocols}
		go local.Serve(listener)
		t.Cleanup(func() { local.Close() })

		endpoints := new(tunnel.Endpoints)
		endpoints.Set(at("web-0"), 0)
		reports := make(chan tunnel.Report, 10)
		url := "http://" + servePort(t,
			&tunnel.Port{Endpoints: endpoints, Dial: newPool(t, server, tunnel.SPDY).DialEndpoint,
				Hold: tunnel.DefaultHold, Closed: func(r tunnel.Report) { reports <- r },
				Requests: func() *tunnel.Requests {
					return &tunnel.Requests{Carry: []proxy.Carried{ann},
						Here: func(r *proxy.Request) (proxy.Destination, bool) {
							return process(listener.Addr().String()), r.Path() == "/here"
						}}
				}})
		require.Equal(t, "here: "+proto+` /here ["devtun=ann"] []`, get(t, client, url+"/here", nil))
		require.Equal(t, "web-0: "+proto+` /there ["devtun=ann"] []`, get(t, client, url+"/there", nil))
		require.Equal(t, "here: "+proto+` /here ["devtun=ann"] []`, get(t, client, url+"/here", nil))
		require.Empty(t, reports, "all of that on one connection")
		closed := time.Now()
		client.CloseIdleConnections()
		report := <-reports
		require.Less(t, time.Since(closed), time.Second, "the runtime would keep the pod's side for that long")
		require.True(t, report.Here)
		require.Equal(t, "web-0", report.Endpoint.Pod.Name)
		require.Equal(t, "client closed", report.Reason)
		require.NoError(t, report.Err)

		require.Equal(t, "here: "+proto+` /here ["devtun=ann"] []`, get(t, client, url+"/here", nil))
		require.NoError(t, local.Close())
		for range 2 {
			require.Equal(t, "web-0: "+proto+` /here ["devtun=ann"] []`, get(t, client, url+"/here", nil))
		}
		if proto == "HTTP/1.1" {
			require.Empty(t, reports, "and its client learns nothing of it")
		}
	})
}

// TestAPodThatRefusesRequests has seen nothing of them: another one answers.
func TestAPodThatRefusesRequests(t *testing.T) {
	protocols(t, func(t *testing.T, client *http.Client, proto string) {
		server := tunneltest.NewServer(t)
		server.Pod("default", "deaf")
		var asked atomic.Int32
		server.Pod("default", "web-0").Serve(80, serveSite(t, func(w http.ResponseWriter, r *http.Request) {
			asked.Add(1)
			body, _ := io.ReadAll(r.Body)
			fmt.Fprintf(w, "%s %s", body, r.Header.Get("Baggage"))
		}).handle)
		endpoints := new(tunnel.Endpoints)
		endpoints.Set(at("deaf", "web-0"), 0)
		url := "http://" + servePort(t,
			&tunnel.Port{Endpoints: endpoints, Dial: newPool(t, server, tunnel.SPDY).DialEndpoint,
				Hold: tunnel.DefaultHold, Requests: carrying(ann)})
		for range 6 {
			answer, err := client.Post(url, "text/plain", strings.NewReader("hello"))
			require.NoError(t, err)
			body, err := io.ReadAll(answer.Body)
			require.NoError(t, err)
			answer.Body.Close()
			require.Equal(t, "hello devtun=ann", string(body))
			client.CloseIdleConnections()
		}
		require.EqualValues(t, 6, asked.Load())
	})
}

// TestACallOfGRPCs: both sides speak in turn, and the answer ends with trailers.
func TestACallOfGRPCs(t *testing.T) {
	server := tunneltest.NewServer(t)
	server.Pod("default", "web-0").Serve(80, serveSite(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "Grpc-Status")
		w.Header().Set("Content-Type", r.Header.Get("Content-Type"))
		http.NewResponseController(w).Flush()
		in := bufio.NewReader(r.Body)
		for line, err := in.ReadString('\n'); err == nil; line, err = in.ReadString('\n') {
			fmt.Fprintf(w, "%s %s", r.Header.Get("Baggage"), line)
			http.NewResponseController(w).Flush()
		}
		w.Header().Set("Grpc-Status", "0")
	}).handle)
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: &protocols}
	defer transport.CloseIdleConnections()
	body, say := io.Pipe()
	url := "http://" + overPod(t, server, carrying(ann)) + "/demo.Echo/Chat"
	request, err := http.NewRequestWithContext(soon(t), http.MethodPost, url, body)
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/grpc")
	request.Header.Set("TE", "trailers")
	answer, err := transport.RoundTrip(request)
	require.NoError(t, err)
	defer answer.Body.Close()
	require.Equal(t, "application/grpc", answer.Header.Get("Content-Type"))
	hear := bufio.NewReader(answer.Body)
	for i := range 5 {
		fmt.Fprintf(say, "%d\n", i)
		line, err := hear.ReadString('\n')
		require.NoError(t, err)
		require.Equal(t, fmt.Sprintf("devtun=ann %d\n", i), line)
	}
	require.NoError(t, say.Close())
	_, err = hear.ReadString('\n')
	require.ErrorIs(t, err, io.EOF)
	require.Equal(t, "0", answer.Trailer.Get("Grpc-Status"))
}
