// Package doctor is devtun doctor: it finds where a byte stops on its way from this machine
// to a service of the cluster, and says whose fault it is.
//
//	this machine ─┐
//	API server   ─┴─▶ service ─▶ cluster network (--probe)
//
// Each area is a package below this one, whose Check asks all of its questions side by side,
// each with a deadline, and returns what it has found in the order of a byte's way. What
// cannot be asked since something before it failed is not checked, and no fault of its own:
// so the first fault is the one to mend (check.FirstFault). Without --probe and --headers
// nothing is changed, anywhere.
package doctor
