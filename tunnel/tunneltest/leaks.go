package tunneltest

import "go.uber.org/goleak"

// KnownLeaks names the goroutines that the streaming libraries, not the server,
// leave behind, for a while or for good, when a connection ends abruptly:
//
//	goleak.VerifyNone(t, tunneltest.KnownLeaks()...)
func KnownLeaks() []goleak.Option {
	const streaming = "k8s.io/cri-streaming/pkg/streaming/portforward."
	const spdystream = "github.com/moby/spdystream."
	return []goleak.Option{
		// Waits up to streamPairTimeout for the second stream of a pair.
		goleak.IgnoreAnyFunction(streaming + "(*httpStreamHandler).monitorStreamPair"),
		// Offers a stream to a loop that has ended; Serve waits for it.
		goleak.IgnoreAnyFunction(streaming + "handleHTTPStreams.httpStreamReceived.func1"),
		// Waits for ever for a reply to have been sent: see gentleConn.
		goleak.IgnoreAnyFunction(spdystream + "(*Stream).waitWriteReply"),
		// Says to nobody that a stream was reset before it was replied to. Serve waits for it:
		// whoever waits for a goroutine is no leak of its own.
		goleak.IgnoreAnyFunction(spdystream + "(*Connection).handleResetFrame"),
		goleak.IgnoreTopFunction("sync.runtime_SemacquireWaitGroup"),
		// Holds a failed close for a second, should somebody ask.
		goleak.IgnoreAnyFunction(spdystream + "(*Connection).shutdown"),
		// Waits for ever for streams that were created after the end.
		goleak.IgnoreAnyFunction(spdystream + "(*Connection).shutdown.func1"),
	}
}
