// Package helper is the small process with root's rights: it writes this
// session's block of the hosts file, opens sockets below port 1024, and adds
// loopback and pods' addresses, for one peer and for as long as that peer lives. The
// process that reads the kubeconfig and speaks to the cluster has no such rights.
//
//	program                                    helper (root)
//	───────                                    ─────────────
//	Start: sudo devtun helper ───────────────> Run: private socket, one line with
//	read its address    <────── stdout ──────       its address
//	connect, peer is root?  ── socket ───────> peer is the user?
//	Client.SetNames …       ── frame ────────> Server: check, do      (dns.Direct)
//	answer                  <─ frame, socket ─
//	goes, however it goes   ── end of input ─> remove names, end
//
// Machine is what a session uses: it does itself what the process may, and starts
// a helper for the rest, at the first need.
//
// # Trust
//
// The helper trusts nothing but the kernel's word about who is on the other end
// of its socket (SO_PEERCRED, LOCAL_PEERCRED), and sudo's about who that has to
// be (SUDO_UID). It takes no arguments and no paths: it writes the system's hosts
// file and no other. Each request is one frame of bounded size (frame.go), decoded
// strictly (request.go) and checked by the rules that devtun's own names and
// addresses keep (dns.CheckManaged). What breaks the protocol ends the helper,
// which cleans up as at any end.
package helper
