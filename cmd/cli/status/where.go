package status

// Where says where traffic goes, for people: to is as in Route, and local where the process
// here listens. With a rule some of it goes there, and the rest to the cluster.
func Where(to, local string, rule bool) string {
	switch {
	case to == "developer" && !rule:
		return local
	case to == "developer", to == "both":
		return local + ", cluster"
	case to == "mirror":
		return "cluster, copies to " + local
	case to == "origin":
		return "cluster"
	case to == "nobody":
		return "nowhere"
	}
	return to // held, or elsewhere
}
