package server

import (
	"bufio"
	"context"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// defaultDelay is what answerLate waits if it is not told otherwise.
const defaultDelay = 3 * time.Second

// echoAll sends everything back, and its hash once the input has ended.
func echoAll(_ context.Context, conn *net.TCPConn) {
	sum := sha256.New()
	if _, err := io.Copy(conn, io.TeeReader(conn, sum)); err != nil {
		return
	}
	fmt.Fprintf(conn, "%x\n", sum.Sum(nil))
}

// speakFirst greets before it has read anything, then echoes.
func speakFirst(_ context.Context, conn *net.TCPConn) {
	if _, err := fmt.Fprintf(conn, "220 %s ready\r\n", hostname()); err != nil {
		return
	}
	lines := bufio.NewReader(conn)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		if _, err := io.WriteString(conn, line); err != nil {
			return
		}
	}
}

// reset reads a line and breaks the connection.
func reset(_ context.Context, conn *net.TCPConn) {
	if _, err := bufio.NewReader(conn).ReadString('\n'); err != nil {
		return
	}
	_ = conn.SetLinger(0) // makes the close that follows a reset
}

// answerLate answers some time after the input has ended.
func answerLate(ctx context.Context, conn *net.TCPConn) {
	text, err := io.ReadAll(io.LimitReader(conn, 64))
	if err != nil {
		return
	}
	delay := defaultDelay
	if ms, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil {
		delay = time.Duration(ms) * time.Millisecond
	}
	select {
	case <-time.After(delay):
		fmt.Fprintf(conn, "answer after %v\n", delay)
	case <-ctx.Done():
	}
}

// send sends as many bytes as the first line says.
func send(_ context.Context, conn *net.TCPConn) {
	n, _, err := readCount(conn)
	if err != nil {
		fmt.Fprintln(conn, err)
		return
	}
	block := make([]byte, 256<<10)
	for n > 0 {
		block = block[:min(n, int64(len(block)))]
		if _, err := conn.Write(block); err != nil {
			return
		}
		n -= int64(len(block))
	}
}

// receive reads to the end of the input and answers.
func receive(_ context.Context, conn *net.TCPConn) {
	sum := sha256.New()
	n, err := io.CopyBuffer(sum, onlyReader{conn}, make([]byte, 256<<10))
	if err != nil {
		return
	}
	report(conn, sum, n)
}

// receiveCounted reads as many bytes as the first line says and answers.
func receiveCounted(_ context.Context, conn *net.TCPConn) {
	n, input, err := readCount(conn)
	if err != nil {
		fmt.Fprintln(conn, err)
		return
	}
	sum := sha256.New()
	got, err := io.CopyBuffer(sum, io.LimitReader(input, n), make([]byte, 256<<10))
	if err != nil {
		return
	}
	report(conn, sum, got)
}

// report answers with hash and length, as /hash does.
func report(w io.Writer, sum hash.Hash, n int64) {
	fmt.Fprintf(w, "%x %d\n", sum.Sum(nil), n)
}

// readCount reads the first line, a number, and returns what follows.
func readCount(conn net.Conn) (n int64, rest io.Reader, err error) {
	input := bufio.NewReader(conn)
	line, err := input.ReadString('\n')
	if err != nil {
		return 0, nil, fmt.Errorf("read number: %w", err)
	}
	n, err = strconv.ParseInt(strings.TrimSpace(line), 10, 64)
	if err != nil || n < 0 {
		return 0, nil, fmt.Errorf("read number: %q is none", strings.TrimSpace(line))
	}
	return n, input, nil
}

// onlyReader hides WriteTo, so that io.CopyBuffer uses its buffer.
type onlyReader struct{ io.Reader }

func hostname() string {
	host, err := os.Hostname()
	if err != nil {
		return "unknown"
	}
	return host
}
