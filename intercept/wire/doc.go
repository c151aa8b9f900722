// Package wire is what the two ends of an intercept say to each other: the
// developer's devtun, and the agent in the cluster. It holds the whole protocol
// and both of its ends, and nothing of Kubernetes, so that the agent stays small.
//
//	developer                                                     agent
//	  End.Dial ── hello: version, name, identity ──────────────▶ End.Receive
//	          ◀─ welcome, or a Refusal ──────────────────────── End.Accept
//	Link.Run ══════════ one yamux connection ══════════════ Link.Run
//	Link.Add ══════════ and others beside it ══════════════ Link.Add
//	      control stream: heartbeats, ports, states, resets (JSON lines, both ways)
//	      ◀─ one stream for each of the cluster's connections: Opening,
//	         the client's first bytes at once, answered by one byte
//	      ◀─ one stream for each copy of a request, with a mirror
//	      ── one stream for each hand-over: environment, files ─▶
//	      ── one stream for each tap, answered by records ─▶
//	      ── one stream for each connection of a relay's ─▶
//
// Five things yamux does not give are made here.
//
// A stream that breaks off must not look like one that ended. yamux has a
// half-close and no reset, so an end is sent for an orderly end only; a reset is
// said on the control stream, past any flow control, and the end follows once
// the far side has confirmed that it knows. An orderly end costs nothing more.
//
// Death must be noticed within a second, although a busy link may take longer to
// carry an answer. So both sides send a heartbeat several times a second, and
// whatever arrives counts as a sign of life.
//
// Nothing of a stream crosses from one connection to another, and each has a control stream
// of its own. The first carries what the link itself has to say; new streams go by an
// added one, if there is one, and not behind another's bulk. Streams that come and go
// quickly share one: what they say leaves with fewer writes.
//
// What was under way when a link was lost must not be done twice, nor be given up for nothing.
// So the agent's end keeps which streams it has taken (Openings), and is asked by a later link.
//
// Bytes must not cost much. yamux is told where streams begin and end; their data goes past
// it, from who writes into the connection's next write, and from the connection into
// chunks for who reads. What is written while a write is under way leaves together with the
// next, and a stream's opening with its first bytes. In full flow there is nobody in between: bulk
// leaves from the buffer of who writes (transport.sendBulk), and who reads has what arrives
// written on by the goroutine in which it does (Stream.Divert).
package wire
