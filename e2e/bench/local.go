package main

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// localName is what the local process answers with.
	localName = "here"

	// localTimeout bounds each of its connections.
	localTimeout = 2 * transferTimeout
)

// local is the process on this machine that an intercept leads to. It does on
// each of the pod's ports what the pod does there.
type local struct {
	addresses map[int]string // where it listens, by the pod's port
	listeners []net.Listener
	serving   sync.WaitGroup
}

// serveLocal starts it, on ports that the kernel chooses. The caller closes it
// once no connections lead to it any longer.
func serveLocal() (*local, error) {
	l := &local{addresses: map[int]string{}}
	for port, serve := range map[int]func(*net.TCPConn){
		portHTTP: sayWho, portEcho: sendBack, portSend: sendZeros, portReceive: takeBytes,
	} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			l.close()
			return nil, fmt.Errorf("start local process: %w", err)
		}
		l.listeners = append(l.listeners, listener)
		l.addresses[port] = listener.Addr().String()
		l.serving.Go(func() { l.accept(listener, serve) })
	}
	return l, nil
}

func (l *local) accept(listener net.Listener, serve func(*net.TCPConn)) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		l.serving.Go(func() {
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(localTimeout))
			serve(conn.(*net.TCPConn))
		})
	}
}

// close ends it, and waits for its connections to end.
func (l *local) close() {
	for _, listener := range l.listeners {
		listener.Close()
	}
	l.serving.Wait()
}

// What goes wrong on a connection below is seen at its other end.

func sayWho(conn *net.TCPConn) {
	if _, err := http.ReadRequest(bufio.NewReader(conn)); err != nil {
		return
	}
	fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s\n", len(localName)+1, localName)
}

func sendBack(conn *net.TCPConn) { io.Copy(conn, conn) }

func sendZeros(conn *net.TCPConn) {
	n, _, err := readNumber(conn)
	if err != nil {
		return
	}
	for block := make([]byte, blockSize); n > 0; n -= int64(len(block)) {
		block = block[:min(n, int64(len(block)))]
		if _, err := conn.Write(block); err != nil {
			return
		}
	}
}

func takeBytes(conn *net.TCPConn) {
	n, rest, err := readNumber(conn)
	if err != nil {
		return
	}
	sum, block := sha256.New(), make([]byte, blockSize)
	for got := int64(0); got < n; {
		part, err := rest.Read(block[:min(n-got, int64(len(block)))])
		sum.Write(block[:part])
		if got += int64(part); err != nil && got < n {
			return
		}
	}
	fmt.Fprintf(conn, "%x %d\n", sum.Sum(nil), n)
}

// readNumber reads the first line, and returns what follows.
func readNumber(conn io.Reader) (n int64, rest io.Reader, err error) {
	input := bufio.NewReader(conn)
	line, err := input.ReadString('\n')
	if err != nil {
		return 0, nil, err
	}
	n, err = strconv.ParseInt(strings.TrimSpace(line), 10, 64)
	return n, input, err
}
