// Package owner finds what makes pods, whatever its kind: by what the pods say of it.
//
//	for _, o := range owner.Of(pods, known) { // Rollout "web", Job "once", Pod "bare", …
//		template := owner.Template(o.Pods[0])
//		…
//	}
//	owner.Serve(client, all) // names of the kinds in paths and for people, and their scales
//
// A pod names what controls it, and what is known of that may name another in turn; the
// topmost is the owner. A pod that nothing controls is its own. Nothing but pods is read:
// what else there is, as a Job, a Rollout or a virtual machine, its user may not be allowed to
// see, and is known by name, kind and UID only.
package owner
