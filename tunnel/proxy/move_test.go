package proxy_test

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/tunnel/duplex"
	"github.com/devtun/devtun/tunnel/proxy"
)

const ask = "POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 3\r\n\r\nask"

// asks is an exchange with a server that is there already.
func (s *serving) asks(text string, server peer, answer string) {
	s.t.Helper()
	s.asksFor(text, server, answer, answer)
}

// asksFor is one whose answer arrives otherwise.
func (s *serving) asksFor(text string, server peer, answer, arrives string) {
	s.t.Helper()
	s.says(text)
	server.hears(text)
	server.says(answer)
	s.hears(arrives)
}

// developer is a destination whose end is not its clients'.
func developer(t *testing.T) *place {
	p := newPlace(t)
	p.keeps = true
	return p
}

// TestAKeptConnectionOutlivesTheDeveloper, whose process ends between two requests.
func TestAKeptConnectionOutlivesTheDeveloper(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*serving, *place, peer){
		"in good order": func(_ *serving, _ *place, server peer) { server.Close() },
		"by a reset":    func(_ *serving, _ *place, server peer) { server.Abort() },
		"unheard":       func(s *serving, local *place, _ peer) { s.conn.TakeBack(local) },
		"with a word": func(_ *serving, _ *place, server peer) {
			server.says("HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n")
			server.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			local, origin := developer(t), newPlace(t)
			r := &router{to: []proxy.Destination{local, origin}}
			s := serve(t, r, proxy.Options{})
			s.says(ask)
			server := local.accept(t)
			server.hears(ask)
			server.says(hello)
			s.hears(hello)
			s.asks(get, server, hello)
			local.leave()
			end(s, local, server)
			local.isClosed(t)
			s.isSilent()
			s.says(ask)
			server = origin.accept(t)
			server.hears(ask)
			server.says(hello)
			s.hears(hello)
		})
	}
}

// TestADestinationIsReleased: what is idle ends now, what is under way when it is done.
func TestADestinationIsReleased(t *testing.T) {
	t.Parallel()
	local, origin := developer(t), newPlace(t)
	r := &router{to: []proxy.Destination{local}}
	s := serve(t, r, proxy.Options{})
	s.says(ask)
	server := local.accept(t)
	server.hears(ask)
	server.says(hello)
	s.hears(hello)
	s.conn.Release(local)
	server.breaks()
	s.says(ask)
	server = local.accept(t)
	server.hears(ask)
	s.conn.Release(local)
	server.isSilent()
	server.says(hello)
	s.hears(hello)
	server.breaks()
	r.set(origin)
	s.says(ask)
	other := origin.accept(t)
	other.hears(ask)
	other.says(hello)
	s.hears(hello)
}

// TestTheOriginsEndIsTheClients, in the same way, if it has answered last.
func TestTheOriginsEndIsTheClients(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		end  func(peer)
		sees func(*serving)
	}{
		"in good order": {func(p peer) { p.Close() }, func(s *serving) { s.ends(); s.Close() }},
		"by a reset":    {func(p peer) { p.Abort() }, func(s *serving) { s.breaks() }},
		"with a word": {
			func(p peer) { p.says("HTTP/1.1 408 No\r\n\r\n"); p.Close() },
			func(s *serving) { s.hears("HTTP/1.1 408 No\r\n\r\n"); s.ends(); s.Close() },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			origin, local := newPlace(t), developer(t)
			r := &router{to: []proxy.Destination{origin}}
			s := serve(t, r, proxy.Options{})
			s.says(get)
			server := origin.accept(t)
			server.hears(get)
			server.says(hello)
			s.hears(hello)
			test.end(server)
			test.sees(s)
			require.NoError(t, s.isOver())

			other := serve(t, r, proxy.Options{})
			other.says(get)
			server = origin.accept(t)
			server.says(hello)
			other.hears(hello)
			r.set(local)
			other.says(get)
			here := local.accept(t)
			here.hears(get)
			here.says(hello)
			other.hears(hello)
			server.hears(get)
			test.end(server) // nobody misses it
			other.isSilent()
			other.asks(get, here, hello)
		})
	}
}

// TestARequestThatIsDroppedIsAskedAgain, if that does no harm, once.
func TestARequestThatIsDroppedIsAskedAgain(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, text string
		kept, dev  bool
		again      bool
	}{
		{"a kept connection's get", get, true, false, true},
		{"a kept connection's post", ask, true, false, false},
		{"a get with a body", "GET / HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi", true, false, true},
		{"a get with a large body", "GET / HTTP/1.1\r\nContent-Length: 20000\r\n\r\n" + strings.Repeat("x", 20000),
			true, false, false},
		{"half a get", get[:20], true, false, false},
		{"a get in 1.0", "GET / HTTP/1.0\r\n\r\n", true, false, true},
		{"what is malformed", "GET / HTTP/1.1\r\nA : b\r\n\r\n", true, false, false},
		{"a first get of the origin's", get, false, false, false},
		{"a first get of a developer's", get, false, true, true},
		{"a first post of a developer's", ask, false, true, false},
	} {
		for end, drop := range map[string]func(peer){
			"in good order": func(p peer) { p.CloseWrite() },
			"by a reset":    func(p peer) { p.Abort() },
		} {
			t.Run(test.name+", "+end, func(t *testing.T) {
				t.Parallel()
				first, second := newPlace(t), newPlace(t)
				first.keeps = test.dev
				r := &router{to: []proxy.Destination{first, second}}
				s := serve(t, r, proxy.Options{})
				var server peer
				if test.kept {
					s.says(get)
					server = first.accept(t)
					server.hears(get)
					server.says(hello)
					s.hears(hello)
				}
				s.says(test.text)
				if !test.kept {
					server = first.accept(t)
				}
				if test.text == get[:20] {
					s.CloseWrite()
				}
				server.hears(test.text)
				first.leave()
				drop(server)
				if test.again {
					next := second.accept(t)
					next.hears(test.text)
					drop(next) // and not a second time
				}
				if end == "by a reset" {
					s.breaks()
				} else {
					s.ends()
				}
			})
		}
	}
}

// TestWhoIsNotHeardLosesWhatMayBeAskedAgain, and keeps the rest.
func TestWhoIsNotHeardLosesWhatMayBeAskedAgain(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, text  string
		kept, moves bool
	}{
		{"a get", get, true, true},
		{"a post", ask, true, false},
		{"a first get, which may be at a breakpoint", get, false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			local, origin := developer(t), newPlace(t)
			r := &router{to: []proxy.Destination{local}}
			s := serve(t, r, proxy.Options{})
			var server peer
			if test.kept {
				s.says(get)
				server = local.accept(t)
				server.hears(get)
				server.says(hello)
				s.hears(hello)
			}
			s.says(test.text)
			if !test.kept {
				server = local.accept(t)
			}
			server.hears(test.text)
			r.set(origin)
			s.conn.TakeBack(local)
			if test.moves {
				server = origin.accept(t)
				server.hears(test.text)
			} else {
				s.isSilent()
			}
			server.says(hello)
			s.hears(hello)
			s.says(ask)
			if !test.moves {
				server = origin.accept(t)
			}
			server.hears(ask)
			server.says(hello)
			s.hears(hello)
		})
	}
}

// TestARequestThatIsNotTakenGoesElsewhere, whatever it is, with all that was sent of it.
func TestARequestThatIsNotTakenGoesElsewhere(t *testing.T) {
	t.Parallel()
	large := strings.Repeat("0123456789", 30_000)
	for name, text := range map[string]string{
		"a get":        get,
		"a post":       ask,
		"a large post": post + "Content-Length: 300000\r\n\r\n" + large,
		"in chunks":    post + "Transfer-Encoding: chunked\r\n\r\n493E0\r\n" + large + "\r\n0\r\nA: b\r\n\r\n",
		"the last one": "POST / HTTP/1.1\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx",
		"malformed":    "POST / HTTP/1.1\r\nA : b\r\n\r\n" + large,
		"another's":    "\x00\x01" + large,
		"TLS":          "\x16\x03\x01\x02\x00\x01" + large,
	} {
		for how, refuse := range map[string]func(*serving, *place, *pending){
			"refused":    func(_ *serving, _ *place, up *pending) { close(up.refused) },
			"taken back": func(s *serving, local *place, _ *pending) { s.conn.TakeBack(local) },
		} {
			t.Run(name+", "+how, func(t *testing.T) {
				t.Parallel()
				local, origin := developer(t), newPlace(t)
				ups := make(chan *pending, 1)
				local.taking = func(conn duplex.TCP) proxy.Upstream {
					up := newPending(conn)
					ups <- up
					return up
				}
				s := serve(t, &router{to: []proxy.Destination{local, origin}}, proxy.Options{})
				go func() { io.WriteString(s, text); s.CloseWrite() }()
				server := local.accept(t)
				server.hears(text[:min(len(text), 60_000)])
				refuse(s, local, <-ups)
				server = origin.accept(t)
				server.hears(text)
				server.ends()
				server.says(hello)
				server.Close()
				s.hears(hello)
				s.ends()
				require.NoError(t, s.isOver())
			})
		}
	}
}

// TestARequestThatIsTakenLateGoesOn, however much of it there is.
func TestARequestThatIsTakenLateGoesOn(t *testing.T) {
	t.Parallel()
	large := strings.Repeat("0123456789", 30_000)
	for name, head := range map[string]string{
		"a request": post + "Content-Length: 300000\r\n\r\n",
		"malformed": "POST / HTTP/1.1\r\nA : b\r\n\r\n",
		"another's": "\x00\x01",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			local := developer(t)
			ups := make(chan *pending, 1)
			local.taking = func(conn duplex.TCP) proxy.Upstream {
				up := newPending(conn)
				ups <- up
				return up
			}
			s := serve(t, &router{to: []proxy.Destination{local}}, proxy.Options{})
			go io.WriteString(s, head+large)
			server := local.accept(t)
			server.hears(head + large[:60_000])
			server.says(hello) // which nobody hears yet
			server.SetReadDeadline(time.Now().Add(quiet))
			n, _ := io.Copy(io.Discard, server)
			require.LessOrEqual(t, n, int64(64<<10))
			s.isSilent()
			server.SetReadDeadline(time.Now().Add(soon))
			close((<-ups).taken)
			_, err := io.CopyN(io.Discard, server, 240_000-n)
			require.NoError(t, err)
			s.hears(hello)
		})
	}
}

func TestNobodyTakesIt(t *testing.T) {
	t.Parallel()
	gone := newPlace(t)
	gone.leave()
	for _, text := range []string{get, "\x00", ""} {
		s := serve(t, &router{to: []proxy.Destination{gone}}, proxy.Options{Silence: quiet})
		s.says(text)
		require.ErrorIs(t, s.isOver(), errNobody, text)
		s.breaks()
	}
}

// TestAContextEndsIt, at any point, and it says why.
func TestAContextEndsIt(t *testing.T) {
	t.Parallel()
	why := errors.New("the agent has ended")
	for name, text := range map[string]string{
		"silent": "", "half a head": get[:20], "asked": get, "half a body": ask[:len(ask)-1], "whole": "\x00",
		"TLS": "\x16\x03",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			origin := newPlace(t)
			s := serveWithin(t, ctx, &router{only: origin, to: []proxy.Destination{origin}}, proxy.Options{})
			server := origin.accept(t)
			s.says(text)
			if text == get || text == "\x00" {
				server.hears(text)
			}
			cancel(why)
			require.ErrorIs(t, s.isOver(), why)
			s.breaks()
			_, err := io.Copy(io.Discard, server) // in whichever way: it may still be dialled
			require.NotErrorIs(t, err, os.ErrDeadlineExceeded)
		})
	}
}
