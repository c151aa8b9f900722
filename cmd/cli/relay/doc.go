// Package relay brings a relay to a namespace, holds it with a claim, and connects through it.
//
//	relays := relay.New(relay.Config{Cluster: c, Pool: pool, Use: forwards.RelayAll, Reach: …, Tell: …})
//	defer relays.Close(ctx)                  // ends the claims; who leaves last removes
//	err := relays.Stand(ctx, "demo", "shop") // side by side
//	conn, err := relays.Dial(ctx, endpoint)  // a tunnel.Port's Dial
//
//	Dial ─ opening, client's bytes ─▶ intercept.Intercept.Open ═ link ═▶ relay's pod ─▶ endpoint
//	  └─ no relay, and the endpoint is a pod ─▶ Pool.DialEndpoint (a port-forward)
//
// There is one relay a namespace, made when it is first wanted, shared with other sessions
// by claims on its plan, and made anew when somebody takes it away. The plan, the agents' links
// and the keeping are those of an intercept (packages plan, intercept, agents); what a relay
// may connect to is decided in its pods (package intercept/relay).
//
// Where the session has an intercept, or is about to, its agents serve as the relay, and none is
// brought (Agents).
//
// A nil *Relays is none: everything goes by port-forward.
package relay
