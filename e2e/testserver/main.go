// Command testserver is the pod of the end-to-end tests: one static program
// that serves, on ports of its own, every habit of a server that a tunnel has
// to survive.
//
//	8080  HTTP/1.1 and h2c: /who /ready /bytes?n=&seed= /hash /slow?d= /ws
//	9000  gRPC: the service of package echo, and health
//	      and the one of gRPC's interop suite
//	7000  TCP: echoes; at the end of input, the hash of what came
//	7001  TCP: speaks first, "220 HOST ready", then echoes lines
//	7002  TCP: reads a line, then resets the connection
//	7003  TCP: reads to the end, waits the milliseconds it read (or 3 s), answers
//	7004  TCP: reads a line with a number, sends that many bytes, fast
//	7005  TCP: reads to the end, then answers with hash and length
//	7006  TCP: reads a line with a number, then that many bytes, then answers with
//	      hash and length; needs no half-close
//	7007  TCP: reads a line with HOST:PORT, connects there, and carries what follows
//	7000  UDP: echoes each datagram
//	7443  UDP: QUIC, echoes each stream
//
// `testserver -pipe HOST` serves nothing itself: it carries each connection, whole, to
// the same port of another one. Either says "ready" once it listens.
//
// `testserver env` prints its environment, NUL-separated, `testserver cat FILE` a
// file, `testserver dial HOST:PORT` whether it can connect, and `testserver get URL`
// what is answered, for kubectl exec.
//
// Hashes are SHA-256 in hex. On SIGTERM it goes on serving for -drain, then
// lets what is under way end, for at most server.ShutdownTimeout. On SIGINT it ends
// at once.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/devtun/devtun/e2e/testserver/server"
)

// dialTimeout bounds `testserver dial`.
const dialTimeout = 5 * time.Second

// getTimeout bounds `testserver get`: a breakpoint may hold it up.
const getTimeout = 5 * time.Minute

func main() {
	drain := flag.Duration("drain", 2*time.Second, "how long to go on serving after SIGTERM")
	host := flag.String("host", "", "address to listen on (default: all)")
	origin := flag.String("pipe", "", "`HOST` to carry all connections to, instead of serving")
	flag.Parse()
	if flag.NArg() > 0 {
		if err := show(flag.Args()); err != nil {
			log.Fatal(err)
		}
		return
	}

	listeners, err := server.Listen(portOf(*host))
	if err != nil {
		log.Fatal(err)
	}
	var packets map[int]*net.UDPConn
	if *origin == "" {
		if packets, err = server.ListenPacket(portOf(*host)); err != nil {
			log.Fatal(err)
		}
	}
	ctx, stop := untilSignal(*drain)
	defer stop()
	fmt.Println("ready")
	if err := serve(ctx, listeners, packets, *origin); err != nil {
		log.Fatal(err)
	}
}

// serve serves all, or carries TCP to an origin, until ctx ends.
func serve(ctx context.Context, listeners map[int]net.Listener, packets map[int]*net.UDPConn, origin string) error {
	if origin != "" {
		return server.Pipe(ctx, listeners, portOf(origin))
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return server.Serve(ctx, listeners) })
	group.Go(func() error { return server.ServePacket(ctx, packets) })
	return group.Wait()
}

// portOf gives the address of a port of a host.
func portOf(host string) func(port int) string {
	return func(port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }
}

// show prints what kubectl exec asks for.
func show(args []string) error {
	switch {
	case args[0] == "env":
		_, err := os.Stdout.WriteString(strings.Join(os.Environ(), "\x00"))
		return err
	case args[0] == "cat" && len(args) == 2:
		content, err := os.ReadFile(args[1])
		if err == nil {
			_, err = os.Stdout.Write(content)
		}
		return err
	case args[0] == "dial" && len(args) == 2:
		conn, err := net.DialTimeout("tcp", args[1], dialTimeout)
		if err != nil {
			_, err = fmt.Println(err)
			return err
		}
		conn.Close()
		_, err = fmt.Println("connected")
		return err
	case args[0] == "get" && len(args) == 2:
		client := http.Client{Timeout: getTimeout}
		answer, err := client.Get(args[1])
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		_, err = io.Copy(os.Stdout, answer.Body)
		return err
	}
	return fmt.Errorf("what is %q?", args)
}

// untilSignal returns a context that ends with SIGINT, or drain after SIGTERM.
func untilSignal(drain time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		defer cancel()
		awaitSignal(ctx, signals, drain)
	}()
	return ctx, cancel
}

func awaitSignal(ctx context.Context, signals <-chan os.Signal, drain time.Duration) {
	select {
	case sig := <-signals:
		if sig != syscall.SIGTERM {
			return
		}
	case <-ctx.Done():
		return
	}
	log.Printf("terminated: serving on for %v", drain)
	select {
	case <-time.After(drain):
	case <-signals: // a second signal: no more patience
	case <-ctx.Done():
	}
}
