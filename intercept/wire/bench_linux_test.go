package wire

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/tunnel/duplex"
)

// BenchmarkStream carries bulk, each way, near and far, in the clear and in TLS. CPU is that
// of both ends and of what delays.
func BenchmarkStream(b *testing.B) {
	for _, roundTrip := range []time.Duration{0, 50 * time.Millisecond} {
		for _, inTLS := range []bool{false, true} {
			for _, streams := range []int{1, 8} {
				for _, way := range []string{"down", "up"} {
					b.Run(fmt.Sprintf("%v/tls=%v/streams=%d/%s", roundTrip, inTLS, streams, way), func(b *testing.B) {
						benchmarkBulk(b, roundTrip, inTLS, streams, way == "up")
					})
				}
			}
		}
	}
}

func benchmarkBulk(b *testing.B, roundTrip time.Duration, inTLS bool, streams int, up bool) {
	const chunk = 256 << 10
	developer, opened := distant(b, roundTrip, inTLS)
	var from, to []*Stream
	for range streams {
		stream, err := developer.Open(b.Context(), Opening{Kind: KindDial})
		require.NoError(b, err)
		from, to = append(from, stream), append(to, <-opened)
	}
	if !up {
		from, to = to, from
	}
	b.SetBytes(chunk)
	defer measureCPU(b, int64(b.N)*chunk)()
	b.ResetTimer()
	var all sync.WaitGroup
	for i := range streams {
		n := b.N / streams
		if i == 0 {
			n += b.N % streams
		}
		all.Go(func() {
			buffer := make([]byte, chunk)
			for range n {
				from[i].Write(buffer)
			}
		})
		all.Go(func() {
			buffer := make([]byte, chunk)
			for left := n * chunk; left > 0; {
				got, err := to[i].Read(buffer)
				if err != nil {
					b.Error(err)
					return
				}
				left -= got
			}
		})
	}
	all.Wait()
}

// BenchmarkLaggingReader has a reader that is slower than the link, so that much waits for it.
func BenchmarkLaggingReader(b *testing.B) {
	const chunk = 256 << 10
	from, opened := distant(b, 0, true)
	at, err := from.Open(b.Context(), Opening{Kind: KindDial})
	require.NoError(b, err)
	far := <-opened
	b.SetBytes(chunk)
	defer measureCPU(b, int64(b.N)*chunk)()
	b.ResetTimer()
	var sending sync.WaitGroup
	sending.Go(func() {
		buffer := make([]byte, chunk)
		for range b.N {
			at.Write(buffer)
		}
		at.CloseWrite()
	})
	hash := sha256.New()
	_, err = io.CopyBuffer(io.MultiWriter(hash, hash), plainReader{far}, make([]byte, 32<<10))
	require.NoError(b, err)
	sending.Wait()
}

// measureCPU reports the seconds that this process spends a GB.
func measureCPU(b *testing.B, bytes int64) (report func()) {
	before := cpuTime(b)
	return func() {
		b.ReportMetric((cpuTime(b)-before).Seconds()/(float64(bytes)/1e9), "cpu-s/GB")
	}
}

func cpuTime(b *testing.B) time.Duration {
	var used syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &used))
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// BenchmarkSmallWrites carries 1 KiB writes on eight streams at a time.
func BenchmarkSmallWrites(b *testing.B) {
	agent, streams := pair(b)
	b.SetBytes(8 << 10)
	defer measureCPU(b, int64(b.N)*8<<10)()
	var all sync.WaitGroup
	for range 8 {
		at, far := open(b, agent, streams)
		all.Go(func() {
			for range b.N {
				at.Write(make([]byte, 1<<10))
			}
		})
		all.Go(func() { io.CopyN(io.Discard, far, int64(b.N)<<10) })
	}
	all.Wait()
}

// BenchmarkRoundTrip sends a byte and takes it back, on one stream.
func BenchmarkRoundTrip(b *testing.B) {
	developer, opened := distant(b, 0, true)
	at, err := developer.Open(b.Context(), Opening{Kind: KindDial})
	require.NoError(b, err)
	far := <-opened
	go io.Copy(far, far)
	before, one := cpuTime(b), make([]byte, 1)
	b.ResetTimer()
	for range b.N {
		at.Write(one)
		at.Read(one)
	}
	b.ReportMetric(float64((cpuTime(b)-before).Microseconds())/float64(b.N), "cpu-µs/op")
}

// BenchmarkOpen opens streams, fifty at a time, exchanges a byte and ends them.
func BenchmarkOpen(b *testing.B) {
	for _, inTLS := range []bool{false, true} {
		b.Run(fmt.Sprintf("tls=%v", inTLS), func(b *testing.B) { benchmarkOpen(b, inTLS) })
	}
}

func benchmarkOpen(b *testing.B, inTLS bool) {
	agent, streams := distant(b, 0, inTLS)
	b.SetParallelism(25)
	ctx, stop := context.WithCancel(b.Context())
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			select {
			case far := <-streams:
				serving.Go(func() { io.CopyBuffer(plainWriter{far}, plainReader{far}, make([]byte, 64)); far.CloseWrite() })
			case <-ctx.Done():
				return
			}
		}
	})
	before := cpuTime(b)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			at, err := agent.Open(ctx, Opening{Kind: KindConnection})
			if err != nil {
				b.Error(err)
				return
			}
			at.Write([]byte{1})
			at.CloseWrite()
			io.CopyBuffer(plainWriter{io.Discard}, plainReader{at}, make([]byte, 64))
		}
	})
	b.ReportMetric(float64((cpuTime(b)-before).Microseconds())/float64(b.N), "cpu-µs/op")
	stop()
	serving.Wait()
}

// plainReader and plainWriter have io.CopyBuffer use the buffer that it is given.
type plainReader struct{ io.Reader }
type plainWriter struct{ io.Writer }

// distant is a link between ends that are so far apart, and the streams that the
// developer's end opens.
func distant(b *testing.B, roundTrip time.Duration, inTLS bool) (developer *Link, opened chan *Stream) {
	developerSide, agentSide := connect(b)
	if roundTrip > 0 {
		var c, d duplex.TCP
		c, d, agentSide = agentSide, duplex.TCP{}, duplex.TCP{}
		d, agentSide = connect(b)
		go delay(c, d, roundTrip/2)
		go delay(d, c, roundTrip/2)
	}
	at, far := Transport(developerSide), Transport(agentSide)
	if inTLS {
		at, far = overTLS(b, developerSide, agentSide)
	}
	developer, agent := greet(b, at, far)
	opened = make(chan *Stream, 1)
	run(b, developer, agent, Handler{}, Handler{Stream: func(ctx context.Context, _ Opening, stream *Stream) {
		opened <- stream
		select {
		case <-stream.Broken():
		case <-ctx.Done():
		}
	}})
	return developer, opened
}

// tlsTransport is a connection in TLS.
type tlsTransport struct {
	*tls.Conn
	tcp duplex.TCP
}

func (t tlsTransport) Abort()       { t.tcp.Abort() }
func (t tlsTransport) Close() error { return t.tcp.Close() }

// overTLS speaks TLS 1.3 on the two ends of a connection.
func overTLS(b *testing.B, client, server duplex.TCP) (atClient, atServer Transport) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(b, err)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(1)},
		&x509.Certificate{SerialNumber: big.NewInt(1)}, public, private)
	require.NoError(b, err)
	c := tls.Client(net.Conn(client.TCPConn), &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13})
	s := tls.Server(net.Conn(server.TCPConn), &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: private}},
	})
	return tlsTransport{c, client}, tlsTransport{s, server}
}

// delay carries what it reads, each byte so much later.
func delay(from, to duplex.TCP, by time.Duration) {
	type chunk struct {
		due  time.Time
		data []byte
	}
	line := make(chan chunk, 10_000)
	defer close(line)
	go func() {
		defer to.Close()
		for c := range line {
			time.Sleep(time.Until(c.due))
			to.Write(c.data)
		}
	}()
	for {
		buffer := make([]byte, 64<<10)
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		line <- chunk{time.Now().Add(by), buffer[:n]}
	}
}
