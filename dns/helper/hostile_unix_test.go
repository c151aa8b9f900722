//go:build unix

package helper

import (
	"encoding/binary"
	"encoding/json"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// What no devtun asks for. Each ends the helper, and nothing was done.
var hostile = map[string]string{
	"nothing":            ``,
	"no JSON":            `GET / HTTP/1.1`,
	"no object":          `[]`,
	"no request":         `{}`,
	"null":               `null`,
	"an unknown request": `{"do":"exec"}`,
	"an unknown field":   `{"do":"set-names","path":"/etc/passwd"}`,
	"two requests":       `{"do":"set-names"}{"do":"set-names"}`,
	"another's field":    `{"do":"set-names","addr":"127.1.1.1"}`,
	"localhost":          `{"do":"set-names","entries":[{"Addr":"127.1.1.1","Names":["localhost"]}]}`,
	"under localhost":    `{"do":"set-names","entries":[{"Addr":"127.1.1.1","Names":["a.localhost","a.localhost.svc","a.localhost.svc.localhost"]}]}`,
	"a line end":         `{"do":"set-names","entries":[{"Addr":"127.1.1.1","Names":["a.b\n10.0.0.1 x","a.b.svc","a.b.svc.c"]}]}`,
	"a NUL":              `{"do":"set-names","entries":[{"Addr":"127.1.1.1","Names":["a\u0000.b","a.b.svc","a.b.svc.c"]}]}`,
	"a comment":          `{"do":"set-names","entries":[{"Addr":"127.1.1.1","Names":["a.b#","a.b.svc","a.b.svc.c"]}]}`,
	"another machine":    `{"do":"set-names","entries":[{"Addr":"10.0.0.1","Names":["a.b","a.b.svc","a.b.svc.c"]}]}`,
	"IPv6":               `{"do":"set-names","entries":[{"Addr":"::1","Names":["a.b","a.b.svc","a.b.svc.c"]}]}`,
	"IPv4 in IPv6":       `{"do":"set-names","entries":[{"Addr":"::ffff:127.1.1.1","Names":["a.b","a.b.svc","a.b.svc.c"]}]}`,
	"no address":         `{"do":"set-names","entries":[{"Names":["a.b","a.b.svc","a.b.svc.c"]}]}`,
	"a label too long": `{"do":"set-names","entries":[{"Addr":"127.1.1.1","Names":["` + strings.Repeat("a", 64) +
		`.b","a.b.svc","a.b.svc.c"]}]}`,
	"listen nowhere":           `{"do":"listen"}`,
	"listen on all addresses":  `{"do":"listen","listen":"0.0.0.0:80"}`,
	"listen on the network":    `{"do":"listen","listen":"8.8.8.8:80"}`,
	"listen on the machine's":  `{"do":"listen","listen":"127.0.0.1:80"}`,
	"listen on a resolver's":   `{"do":"listen","listen":"127.0.0.53:53"}`,
	"listen on IPv6":           `{"do":"listen","listen":"[::1]:80"}`,
	"listen on no port":        `{"do":"listen","listen":"127.1.1.1:0"}`,
	"listen on port 65536":     `{"do":"listen","listen":"127.1.1.1:65536"}`,
	"UDP on the network":       `{"do":"listen-packet","listen":"8.8.8.8:53"}`,
	"UDP on a resolver's":      `{"do":"listen-packet","listen":"127.0.0.53:53"}`,
	"UDP on no port":           `{"do":"listen-packet","listen":"127.1.1.1:0"}`,
	"add no address":           `{"do":"add-address"}`,
	"add the internet's":       `{"do":"add-address","addr":"8.8.8.8"}`,
	"add the cloud's":          `{"do":"add-address","addr":"169.254.169.254"}`,
	"add an IPv4 in IPv6":      `{"do":"add-address","addr":"::ffff:10.0.0.1"}`,
	"add with a zone":          `{"do":"add-address","addr":"fd00::5%eth0"}`,
	"add the machine's":        `{"do":"add-address","addr":"127.0.0.1"}`,
	"remove the machine's":     `{"do":"remove-address","addr":"127.0.0.1"}`,
	"listen while adding":      `{"do":"add-address","addr":"127.1.1.1","listen":"127.1.1.1:80"}`,
	"deep nesting":             strings.Repeat(`[`, 20_000),
	"a number for the request": `{"do":7}`,
}

func TestHostileRequestsDoNothing(t *testing.T) {
	for about, message := range hostile {
		t.Run(about, func(t *testing.T) {
			s := serve(t)
			frame, err := newFrame([]byte(message))
			require.NoError(t, err)
			_, err = s.peer.Write(frame)
			require.NoError(t, err)
			require.Error(t, s.end(t))
			s.machine.untouched(t)

			// It has said why before it went.
			header, socket, err := receiveHeader(s.peer)
			require.NoError(t, err)
			require.Nil(t, socket)
			reply, err := readFrame(s.peer, header)
			require.NoError(t, err)
			var said answer
			require.NoError(t, json.Unmarshal(reply, &said))
			require.NotNil(t, said.Error)
			require.NotEmpty(t, said.Error.Message)
		})
	}
}

// TestBrokenFrames sends frames that are cut off, announce more than they hold, or
// hold noise. The soak sends thousands.
func TestBrokenFrames(t *testing.T) {
	requireNoHarm(t, rand.New(rand.NewPCG(1, 2)), 200) // the same every time
}

// requireNoHarm sends that many broken frames, each to a helper of its own.
func requireNoHarm(t *testing.T, random *rand.Rand, frames int) {
	t.Helper()
	good, err := json.Marshal(request{Do: setNames, Entries: someEntries(3)})
	require.NoError(t, err)
	whole, err := newFrame(good)
	require.NoError(t, err)
	for i := range frames {
		s := serve(t)
		var sent []byte
		switch i % 4 {
		case 0: // cut off
			sent = whole[:random.IntN(len(whole))]
		case 1: // too long
			sent = binary.BigEndian.AppendUint32(nil, maxFrame+1+random.Uint32N(1<<31))
		case 2: // one byte is another
			sent = append([]byte{}, whole...)
			sent[headerLen+random.IntN(len(good))] ^= byte(1 + random.IntN(255))
		case 3: // noise
			noise := make([]byte, random.IntN(200))
			for j := range noise {
				noise[j] = byte(random.Uint32())
			}
			sent, _ = newFrame(noise)
		}
		s.peer.Write(sent) // the helper may have hung up on it already
		s.peer.CloseWrite()
		s.end(t) // an error or not: a frame that is cut off before its first byte is none
		if i%4 != 2 {
			s.machine.untouched(t) // a changed byte may still make a name
		}
		s.peer.Close()
	}
}

// TestDescriptorsAreNotTaken sends descriptors to the helper, alone and with good
// requests. It keeps none.
func TestDescriptorsAreNotTaken(t *testing.T) {
	s := serve(t)
	read, write, err := os.Pipe()
	require.NoError(t, err)
	defer read.Close()
	message, err := json.Marshal(request{Do: setNames, Entries: someEntries(1)})
	require.NoError(t, err)
	frame, err := newFrame(message)
	require.NoError(t, err)
	rights := unix.UnixRights(int(write.Fd()), int(write.Fd()), int(write.Fd()))
	for range 10 {
		_, _, err = s.peer.WriteMsgUnix(frame, rights, nil)
		require.NoError(t, err)
		header, socket, err := receiveHeader(s.peer)
		require.NoError(t, err)
		require.Nil(t, socket)
		_, err = readFrame(s.peer, header)
		require.NoError(t, err)
	}
	require.NoError(t, write.Close())
	require.NoError(t, read.SetReadDeadline(time.Now().Add(testTimeout)))
	_, err = read.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF, "somebody still has the pipe open")
}

// TestAMessageHasToArrive begins a frame and says nothing more.
func TestAMessageHasToArrive(t *testing.T) {
	s := serve(t, func(server *Server) { server.timeout = time.Millisecond })
	_, err := s.peer.Write([]byte{0})
	require.NoError(t, err)
	require.ErrorIs(t, s.end(t), os.ErrDeadlineExceeded)
}
