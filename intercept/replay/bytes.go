package replay

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/devtun/devtun/intercept/look"
	"github.com/devtun/devtun/tunnel/proxy"
)

// errQuiet is why a copy is given up whose process says nothing.
var errQuiet = fmt.Errorf("no answer within %v", Quiet)

// sendBytes sends an HTTP/1 request, or what a client has said, by a connection of its
// own.
func (r *Replayer) sendBytes(ctx context.Context, port int, copied *look.Reader) error {
	conn, err := r.dial(ctx, port)
	if err != nil {
		return err
	}
	bounded := &quiet{Conn: conn}
	answered := make(chan error, 1)
	defer func() {
		conn.Close()
		for range answered { // until it has ended
		}
	}()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	go func() {
		defer close(answered)
		answered <- dropAnswer(bounded, copied)
	}()
	if err := write(bounded, copied); err != nil {
		return err
	}
	if err := bounded.written(); err != nil {
		return err
	}
	return <-answered
}

// write writes a copy, as it comes.
func write(conn *quiet, copied *look.Reader) error {
	if _, err := conn.Write(copied.Raw); err != nil {
		return err
	}
	body := io.Writer(conn)
	if copied.Chunked {
		body = chunks{conn}
	}
	if _, err := io.Copy(body, copied); err != nil {
		return err
	}
	if copied.Chunked {
		return endChunks(conn, copied.Trailer)
	}
	half, can := conn.Conn.(interface{ CloseWrite() error })
	if can && (copied.Method == "" || bytes.Contains(bytes.ToLower(copied.Raw), []byte("\nupgrade:"))) {
		return half.CloseWrite() // nothing else would end it
	}
	return nil
}

// chunks writes each piece as a chunk (RFC 9112, section 7.1).
type chunks struct{ io.Writer }

func (c chunks) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	_, err := fmt.Fprintf(c.Writer, "%x\r\n%s\r\n", len(p), p)
	return len(p), err
}

func endChunks(w io.Writer, trailer []proxy.Field) error {
	end := "0\r\n"
	for _, f := range trailer {
		end += f.Name + ": " + f.Value + "\r\n"
	}
	_, err := io.WriteString(w, end+"\r\n")
	return err
}

// dropAnswer reads the answer, to its end.
func dropAnswer(conn io.Reader, copied *look.Reader) error {
	if copied.Method == "" {
		_, err := io.Copy(io.Discard, conn)
		return err
	}
	said := bufio.NewReader(conn)
	for {
		answer, err := http.ReadResponse(said, &http.Request{Method: copied.Method})
		if err != nil {
			return fmt.Errorf("read answer: %w", err)
		}
		if answer.StatusCode == http.StatusSwitchingProtocols {
			_, err := io.Copy(io.Discard, said)
			return err
		}
		if answer.StatusCode < 200 {
			continue
		}
		_, err = io.Copy(io.Discard, answer.Body)
		return errors.Join(err, answer.Body.Close())
	}
}

// quiet is a connection to a process that may be quiet for so long: it takes what is
// written in that time, and once all is, goes on answering.
type quiet struct {
	net.Conn
	isWritten atomic.Bool
}

func (q *quiet) Write(p []byte) (int, error) {
	if err := q.SetWriteDeadline(time.Now().Add(Quiet)); err != nil {
		return 0, err
	}
	n, err := q.Conn.Write(p)
	return n, explain(err)
}

// written begins the time for the answer.
func (q *quiet) written() error {
	q.isWritten.Store(true)
	return q.SetReadDeadline(time.Now().Add(Quiet))
}

func (q *quiet) Read(p []byte) (int, error) {
	n, err := q.Conn.Read(p)
	if err == nil && q.isWritten.Load() {
		err = q.SetReadDeadline(time.Now().Add(Quiet))
	}
	return n, explain(err)
}

// explain turns a timeout into the error that it is.
func explain(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return errQuiet
	}
	return err
}
