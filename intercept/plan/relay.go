package plan

// Relay stands in for no workload: the agents connect, for those who hold it, to what a
// port-forward cannot reach. Its plan has the name RelayName, and swaps nothing; it is
// joined, left and restored as an intercept is.
const Relay Mode = "relay"

// RelayName is the name of a namespace's relay: of its plan, and of all that this makes.
const RelayName = "devtun-relay"
