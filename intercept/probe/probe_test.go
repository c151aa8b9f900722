package probe

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const token = "a token of at least sixteen"

// freePort is one that nothing listens on.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	return l.Addr().(*net.TCPAddr).Port
}

func at(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// running is a probe that runs until the test ends.
func running(t *testing.T) Config {
	t.Helper()
	c := Config{Port: freePort(t), PeerPort: freePort(t), Token: token}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, c) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-ended)
	})
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", at(c.Port))
		if err == nil {
			conn.Close()
		}
		return err == nil
	}, 5*time.Second, 5*time.Millisecond)
	return c
}

func ask(t *testing.T, c Config, questions ...Question) []Answer {
	t.Helper()
	body, err := json.Marshal(questions)
	require.NoError(t, err)
	response, err := http.Post("http://"+at(c.Port)+AskPath, "application/json", bytes.NewReader(body))
	require.NoError(t, err)
	defer response.Body.Close()
	require.Equal(t, http.StatusOK, response.StatusCode)
	var report Report
	require.NoError(t, json.NewDecoder(response.Body).Decode(&report))
	require.Len(t, report.Answers, len(questions))
	return report.Answers
}

func TestAnswers(t *testing.T) {
	c := running(t)
	answers := ask(t, c,
		Question{Kind: TCP, Address: at(c.PeerPort), Count: 5},
		Question{Kind: TCP, Address: at(freePort(t)), Count: 3},
		Question{Kind: Peer, Address: at(c.PeerPort)},
		Question{Kind: Peer, Address: at(c.PeerPort), Size: 16 << 10},
		Question{Kind: DNS, Name: "name.test.", Address: nameServer(t, "udp", 0)},
		Question{Kind: DNS, Name: "name.test.", Address: nameServer(t, "udp", 3)},
		Question{Kind: DNS, Name: "name.test.", Address: nameServer(t, "udp", 2)},
		Question{Kind: DNS, Name: "name.test.", Address: nameServer(t, "tcp", 3), Network: "tcp"},
		Question{Kind: DNS, Name: "name.test.", Address: at(freePort(t))},
		Question{Kind: "another", Address: at(c.PeerPort)},
	)
	why := []Why{"", Refused, "", "", "", NXDomain, ServFail, NXDomain, Refused, Other}
	for i, a := range answers {
		require.Equal(t, why[i], a.Why, "%d: %+v", i, a)
		require.Equal(t, a.Why != "", a.Dead(), "%d", i)
	}
	require.Equal(t, 5, answers[0].Tries)
	require.Equal(t, 3, answers[1].Failed)
}

// TestPeerWithoutTheToken has nothing of a probe that does not belong to the run.
func TestPeerWithoutTheToken(t *testing.T) {
	c := running(t)
	conn, err := net.Dial("tcp", at(c.PeerPort))
	require.NoError(t, err)
	defer conn.Close()
	require.Error(t, greet(conn, strings.Repeat("x", len(token)), 0))
	conn, err = net.Dial("tcp", at(c.PeerPort))
	require.NoError(t, err)
	defer conn.Close()
	require.Error(t, greet(conn, token, maxSize+1))
}

// TestSilence is of a server that takes connections and says nothing, and of a black hole.
func TestSilence(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer silent.Close()
	a := asker{token: token, limit: 100 * time.Millisecond}
	answers := a.all(t.Context(), []Question{
		{Kind: Peer, Address: silent.Addr().String()},
		{Kind: TLS, Address: silent.Addr().String()},
		{Kind: DNS, Name: "name.test.", Address: silent.Addr().String(), Network: "tcp"},
	})
	for i, answer := range answers {
		require.Equal(t, Timeout, answer.Why, "%d: %+v", i, answer)
	}
}

func TestRefuses(t *testing.T) {
	c := running(t)
	many, err := json.Marshal(make([]Question, maxQuestions+1))
	require.NoError(t, err)
	for _, body := range []string{"no JSON", string(many)} {
		response, err := http.Post("http://"+at(c.Port)+AskPath, "application/json", strings.NewReader(body))
		require.NoError(t, err)
		response.Body.Close()
		require.Equal(t, http.StatusBadRequest, response.StatusCode)
	}
	for _, text := range []string{"", "{}", `{"port": 1, "peerPort": 2, "token": "short"}`} {
		_, err := parseConfig(text)
		require.Error(t, err)
	}
	var said bytes.Buffer
	require.Equal(t, 1, Main("{}", &said))
	require.Contains(t, said.String(), ConfigVariable)
}

func TestResolvConf(t *testing.T) {
	const conf = "search demo.svc.x.y svc.x.y x.y\nnameserver 10.0.0.10\n# nameserver no\nnameserver fd00::a\n"
	require.Equal(t, []string{"10.0.0.10", "fd00::a"}, valuesOf("nameserver", conf))
	require.Equal(t, "web.demo.svc.x.y.", absolute("web.demo.svc", conf))
	require.Equal(t, "web.demo.svc", absolute("web.demo.svc", "nameserver 10.0.0.10\n"))
	require.Equal(t, "example.com", absolute("example.com", conf))
}

// nameServer answers every question with a code: 0 with the address 192.0.2.1, for IPv4.
func nameServer(t *testing.T, network string, code byte) (address string) {
	t.Helper()
	answer := func(query []byte) []byte {
		answer := bytes.Clone(query)
		answer[2], answer[3] = 0x84, 0x80|code
		answer[10], answer[11] = 0, 0 // no EDNS
		question := bytes.IndexByte(answer[12:], 0) + 12 + 5
		answer = answer[:question]
		if code == 0 && answer[question-3] == 1 {
			answer[7] = 1
			answer = append(answer, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 5, 0, 4, 192, 0, 2, 1)
		}
		return answer
	}
	if network == "tcp" {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		done := make(chan struct{})
		t.Cleanup(func() { l.Close(); <-done })
		go func() {
			defer close(done)
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				buffer := make([]byte, 512)
				if n, err := conn.Read(buffer); err == nil && n > 2 {
					said := answer(buffer[2:n])
					_, _ = conn.Write(append([]byte{0, byte(len(said))}, said...))
				}
				conn.Close()
			}
		}()
		return l.Addr().String()
	}
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan struct{})
	t.Cleanup(func() { conn.Close(); <-done })
	go func() {
		defer close(done)
		buffer := make([]byte, 512)
		for {
			n, from, err := conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			_, _ = conn.WriteTo(answer(buffer[:n]), from)
		}
	}()
	return conn.LocalAddr().String()
}
