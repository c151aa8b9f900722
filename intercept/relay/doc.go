// Package relay is a relay's pod side: it connects, for a session, to what it may.
//
//	session                                          relay's pod
//	  a stream of the link, for a wire.Dial ───────▶ Relay.Serve
//	  what the client says, at once                    Policy.Addresses: may it, and to where
//	          ◀── accepted, or refused with the reason ── Dialer.Any: 2 s at most
//	          ◀══════ TCP, half-closes included ══════▶ endpoint
//	          ◀══════ Datagrams, each framed ═════════▶ one flow's UDP socket
//
// What a [Policy] lets be reached is known to all: the pods of the relay's namespace, the
// ports of its Services, and the [Target]s that claims name in the stored plan. What a
// session says in its hello counts for nothing. Nobody reaches link-local addresses and the
// like (forbidden.go), the relay itself, or its node beyond what Services lead to there. A
// name is looked up here, each of its addresses looked at, and that address connected to.
// Answers are remembered (cache.go), for a while also when the API server is away.
//
// [Datagrams] is both sides' way to carry datagrams over a stream: it drops them where a
// stream would have to be waited for.
package relay
