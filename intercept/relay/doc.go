// Package relay is a relay's pod side: it connects, for a session, to what it may.
//
//	session                                    relay's pod
//	  Link.Open(wire.Dial) ── client's bytes ─▶ Policy: may it?
//	          ◀───── accepted, or a refusal ── dial, 2 s at most
//	          ◀══ TCP, half-closes included ══▶ endpoint
//	          ◀══ Datagrams, each framed ═════▶ UDP socket of one flow
package relay
