package proxy_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/tunnel/proxy"
)

// TestAServerThatSpeaksFirst is heard at once where there is only one, and else after
// Silence.
func TestAServerThatSpeaksFirst(t *testing.T) {
	t.Parallel()
	for name, only := range map[string]bool{"the only one": true, "one of several": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			origin := newPlace(t)
			r := &router{to: []proxy.Destination{origin}}
			silence := quiet
			if only {
				r.only, silence = origin, time.Hour
			}
			s := serve(t, r, proxy.Options{Silence: silence})
			server := origin.accept(t)
			server.says("220 here\r\n")
			s.hears("220 here\r\n")
			s.says("EHLO me\r\n")
			server.hears("EHLO me\r\n")
			s.CloseWrite()
			server.ends()
			server.says("221 bye\r\n")
			server.Close()
			s.hears("221 bye\r\n")
			s.ends()
			require.NoError(t, s.isOver())
			require.EqualValues(t, 1, origin.dialled.Load())
		})
	}
}

// TestTheFirstWordsTell what a connection is that was dialled before: its upstream is the
// first one of the requests.
func TestTheFirstWordsTell(t *testing.T) {
	t.Parallel()
	for name, only := range map[string]bool{"at once": true, "after a silence": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			origin, other := newPlace(t), newPlace(t)
			r := &router{to: []proxy.Destination{origin}}
			if only {
				r.only = origin
			}
			s := serve(t, r, proxy.Options{Silence: quiet / 5})
			server := origin.accept(t)
			s.says(get[:3]) // before it is known, longer than silence
			s.says(get[3:])
			server.hears(get)
			server.says(hello)
			s.hears(hello)
			r.set(other)
			s.says(get)
			there := other.accept(t)
			there.hears(get)
			there.says(hello)
			s.hears(hello)
			r.set(origin)
			s.asks(ask, server, hello)
			require.EqualValues(t, 1, origin.dialled.Load())
		})
	}
}

// TestTheFirstDestinationMayNotBeWhereItGoes.
func TestTheFirstDestinationMayNotBeWhereItGoes(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"HTTP": get, "TLS": "\x16\x03\x01\x02\x00\x01"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			silent, other := newPlace(t), newPlace(t)
			r := &router{route: func(r *proxy.Request) proxy.Route {
				if r.Protocol == proxy.Other {
					return proxy.Route{To: silent}
				}
				return proxy.Route{To: other}
			}}
			s := serve(t, r, proxy.Options{Silence: quiet / 5})
			silent.accept(t)
			s.says(text)
			server := other.accept(t)
			server.hears(text)
			server.says(hello)
			s.hears(hello)
		})
	}
}

// TestWhoDoesNotTakeASilentClientIsNotTheOnlyOne.
func TestWhoDoesNotTakeASilentClientIsNotTheOnlyOne(t *testing.T) {
	t.Parallel()
	gone, origin := newPlace(t), newPlace(t)
	gone.leave()
	s := serve(t, &router{only: gone, to: []proxy.Destination{gone, origin}}, proxy.Options{Silence: quiet})
	server := origin.accept(t)
	server.says("hello")
	s.hears("hello")
}

func TestWholeConnections(t *testing.T) {
	t.Parallel()
	origin := newPlace(t)
	begin := func(t *testing.T) (*serving, peer) {
		s := serve(t, &router{to: []proxy.Destination{origin}}, proxy.Options{Silence: quiet})
		s.says("\x00one")
		server := origin.accept(t)
		server.hears("\x00one")
		return s, server
	}
	t.Run("the server's half comes first", func(t *testing.T) {
		s, server := begin(t)
		server.CloseWrite()
		s.ends()
		s.says("still here")
		server.hears("still here")
	})
	t.Run("a reset of the server's", func(t *testing.T) {
		s, server := begin(t)
		server.Abort()
		_, err := s.Read(make([]byte, 1))
		require.ErrorIs(t, err, syscall.ECONNRESET)
	})
	t.Run("a reset of the client's", func(t *testing.T) {
		s, server := begin(t)
		s.Abort()
		_, err := server.Read(make([]byte, 1))
		require.ErrorIs(t, err, syscall.ECONNRESET)
		require.NoError(t, s.isOver())
	})
	t.Run("nothing at all", func(t *testing.T) {
		s := serve(t, &router{to: []proxy.Destination{origin}}, proxy.Options{Silence: quiet})
		s.CloseWrite()
		server := origin.accept(t)
		server.ends()
		server.Close()
		s.ends()
		require.NoError(t, s.isOver())
	})
}

// TestEndsOfRequests: how one side breaks off is what the other sees.
func TestEndsOfRequests(t *testing.T) {
	t.Parallel()
	origin := newPlace(t)
	begin := func(t *testing.T, text string) (*serving, peer) {
		s := serve(t, &router{to: []proxy.Destination{origin}}, proxy.Options{})
		s.says(text)
		server := origin.accept(t)
		server.hears(text)
		return s, server
	}
	t.Run("the client resets while an answer is awaited", func(t *testing.T) {
		s, server := begin(t, get)
		s.Abort()
		server.breaks()
		require.NoError(t, s.isOver())
	})
	t.Run("the client ends its side, and waits", func(t *testing.T) {
		s, server := begin(t, get)
		s.CloseWrite()
		server.ends()
		s.isSilent()
		server.says(hello)
		server.Close()
		s.hears(hello)
		s.ends()
		require.NoError(t, s.isOver())
	})
	t.Run("the client ends in the middle of a body", func(t *testing.T) {
		s, server := begin(t, ask[:len(ask)-1])
		s.CloseWrite()
		server.ends()
		server.says(hello)
		server.Close()
		s.hears(hello)
		s.ends()
	})
	t.Run("the client ends in the middle of a head", func(t *testing.T) {
		s := serve(t, &router{to: []proxy.Destination{origin}}, proxy.Options{})
		s.says(get[:10])
		s.CloseWrite()
		server := origin.accept(t)
		server.hears(get[:10])
		server.ends()
	})
	t.Run("the server resets in the middle of an answer", func(t *testing.T) {
		s, server := begin(t, get)
		server.says(hello[:len(hello)-1])
		s.hears(hello[:len(hello)-1])
		server.Abort()
		s.breaks()
	})
	t.Run("the server ends in the middle of an answer", func(t *testing.T) {
		for at := 1; at < len(hello); at += 7 {
			s, server := begin(t, get)
			server.says(hello[:at])
			server.Close()
			s.hears(hello[:at])
			s.ends()
		}
	})
	t.Run("the server answers and reads no more", func(t *testing.T) {
		s, server := begin(t, post+"Content-Length: 100000000\r\n\r\n")
		server.says("HTTP/1.1 413 No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
		s.hears("HTTP/1.1 413 No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
		server.CloseWrite()
		s.ends()
	})
}
