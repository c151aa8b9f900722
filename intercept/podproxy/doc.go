// Package podproxy is a link's way through the API server's pod proxy: TLS of which both ends
// are pinned.
//
//	session                                                        agent
//	 Keep ── on the link: stream of kind proxy, the session's key ─▶ Port.Agree
//	      ◀─ the agent's key, and its port on the pod network ──────
//	 Keep ── GET pods/NAME:PORT/proxy/, Upgrade: devtun ─▶ API server ─▶ Port.Serve
//	      ◀─ 101 ──────────────────────────────────────────────────
//	      ◀═ TLS 1.3, each end with the key that the other knows ══▶
//	 Link.Add                                                      Link.Add
//
// The keys are made for one link and known to nobody else: they come through the link's
// port-forward, which proves who may speak. Any pod may dial the agent's port, so whoever
// has not proved yet that he has a session's key costs little: so many bytes, so much time,
// so many at once (pending.go).
//
// Of the API server (1.34 and 1.35, apimachinery's util/proxy/upgradeaware.go and the pod's
// ProxyREST, tried by TestLinkGoesByThePodProxy of e2e) this much is relied upon:
//
//   - An upgrade by GET asks for `get pods/proxy` of NAME:PORT alone; what exec, attach and
//     port-forward ask for besides (create, since 1.35) is not asked here. By POST it would be
//     create.
//   - The name of the protocol passes unchanged, X-Forwarded-For is added, the user's
//     credentials are taken out. Bytes that the pod sends behind its 101 arrive. What the
//     client sends before it has the 101 is lost, so it waits.
//   - There is no half-close: when either side ends, both are closed, and what is under way to
//     the pod may be lost. So the multiplexer's ends alone mean anything here.
//   - Nothing bounds the API server's connecting to the pod, or the wait for its answer; it
//     ends when the client goes. The attempt has its own bound.
//   - An answer below 400 other than 101 becomes a 500, and one from 400 on is passed on.
//
// Keep and Port.Serve own what they start and wait for it; a connection is the link's once it
// was added.
package podproxy
