package helper

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/devtun/devtun/dns"
	"github.com/devtun/devtun/dns/hostsfile"
)

const (
	// frameTimeout bounds the arrival of a message that has begun, and its answer.
	frameTimeout = 10 * time.Second

	// cleanTimeout bounds the removal of what a peer leaves.
	cleanTimeout = 10 * time.Second
)

// Server does what one peer asks for.
type Server struct {
	Machine dns.Machine

	conn      *net.UnixConn
	timeout   time.Duration       // bounds a message; 0 means frameTimeout
	addresses map[netip.Addr]bool // added and not removed
}

// Serve answers conn's requests, one after the other, until the peer goes or ctx
// ends, which both are no error, or the peer breaks the protocol. Then it undoes
// what the peer leaves.
func (s *Server) Serve(ctx context.Context, conn *net.UnixConn) error {
	s.conn, s.addresses = conn, make(map[netip.Addr]bool)
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	err := s.serveRequests(ctx)
	if ctx.Err() != nil {
		err = nil
	}
	return errors.Join(err, s.clean())
}

func (s *Server) serveRequests(ctx context.Context) error {
	for {
		message, err := s.receive()
		if errors.Is(err, io.EOF) {
			return nil // the peer has gone
		}
		if err != nil {
			return err
		}
		request, err := parseRequest(message)
		if err != nil {
			_ = s.answer(answer{Error: newFailure(err)}, nil) // who breaks the protocol may not listen
			return fmt.Errorf("refuse request: %w", err)
		}
		if err := s.do(ctx, request); err != nil {
			return err
		}
	}
}

// receive reads one message. It waits for its first byte for ever. Descriptors
// that a peer may send along are closed by the kernel, since read(2) takes none.
func (s *Server) receive() ([]byte, error) {
	var header [headerLen]byte
	if _, err := io.ReadFull(s.conn, header[:1]); err != nil {
		return nil, err
	}
	s.conn.SetReadDeadline(time.Now().Add(cmp.Or(s.timeout, frameTimeout)))
	defer s.conn.SetReadDeadline(time.Time{})
	if _, err := io.ReadFull(s.conn, header[1:]); err != nil {
		return nil, unexpected(err)
	}
	message, err := readFrame(s.conn, header)
	return message, unexpected(err)
}

// unexpected is an end of input that is none of a message.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// do does what is asked. The error is one of the connection, not of the deed.
func (s *Server) do(ctx context.Context, r request) error {
	var report hostsfile.Report
	var socket *os.File
	var err error
	switch r.Do {
	case setNames:
		report, err = s.Machine.SetNames(ctx, r.Entries)
	case listen:
		socket, err = s.listen(ctx, r.Listen)
	case listenPacket:
		socket, err = s.listenPacket(ctx, r.Listen)
	case addAddress:
		s.addresses[r.Addr] = true
		err = s.Machine.AddAddress(ctx, r.Addr)
	case removeAddress:
		if err = s.Machine.RemoveAddress(ctx, r.Addr); err == nil {
			delete(s.addresses, r.Addr)
		}
	}
	reply := answer{Report: report}
	if err != nil {
		reply.Error = newFailure(err)
	}
	if socket != nil {
		defer socket.Close()
	}
	return s.answer(reply, socket)
}

// listen opens a listener and keeps of it only a descriptor to hand over.
func (s *Server) listen(ctx context.Context, addr netip.AddrPort) (*os.File, error) {
	listener, err := s.Machine.Listen(ctx, addr)
	if err != nil {
		return nil, err
	}
	defer listener.Close()
	return descriptor(listener)
}

// listenPacket does the same with a UDP socket.
func (s *Server) listenPacket(ctx context.Context, addr netip.AddrPort) (*os.File, error) {
	conn, err := s.Machine.ListenPacket(ctx, addr)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return descriptor(conn)
}

// descriptor is a copy of a socket's descriptor.
func descriptor(socket any) (*os.File, error) {
	filed, ok := socket.(interface{ File() (*os.File, error) })
	if !ok {
		return nil, fmt.Errorf("hand over a %T: %w", socket, errors.ErrUnsupported)
	}
	return filed.File()
}

func (s *Server) answer(reply answer, socket *os.File) error {
	message, err := json.Marshal(reply)
	if err != nil {
		return err
	}
	frame, err := newFrame(message)
	if err != nil {
		return err
	}
	s.conn.SetWriteDeadline(time.Now().Add(frameTimeout))
	return send(s.conn, frame, socket)
}

// clean undoes what the peer has asked for and not taken back. Names are taken out
// whoever wrote them: it may have been a helper before this one, which was killed.
func (s *Server) clean() error {
	ctx, cancel := context.WithTimeout(context.Background(), cleanTimeout)
	defer cancel()
	_, err := s.Machine.SetNames(ctx, nil) // writes nothing if there are none
	errs := []error{err}
	for addr := range s.addresses {
		errs = append(errs, s.Machine.RemoveAddress(ctx, addr))
	}
	return errors.Join(errs...)
}
