// Package target finds what an intercept is to stand for, and computes its plan.
//
//	found, err := target.Resolve(ctx, client, namespace, "svc/web")   // workload, services, ports
//	circumstances, err := found.Look(ctx, client, mode, move)         // what else has a say there
//	p, err := found.Plan(circumstances, target.Options{…})            // all requests, and their undo
//	rights := target.RightsOf(p)                                      // to ask for first
//
// It only reads the cluster; package plan changes it. The objects behind a plan
// are the functions of this package that return API types, one kind a file.
//
// In divert mode each Service keeps the keys of its selector and gets other
// values, which only the agent's pods carry. So whoever applies the Service's
// manifest again meanwhile (kubectl, Helm, Argo CD) puts back every key and thus
// the whole selector: the traffic is at the origin again. With a key of our own,
// such a merge would leave a selector that no pod has.
package target
