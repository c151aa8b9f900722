// Package agents has what commands share that bring agents, or a relay, into a cluster:
// their program, the rights that takes, whose they are, a place beside others, and what is
// looked after while they stand.
//
//	missing, err := agents.MissingRights(ctx, cluster, namespace, target.RelayRights())
//	err = agents.SetProgram(ctx, &options, image, arch) // and the plan is computed
//	executor, err := agents.Entry{…}.Enter(ctx)         // stores the plan, or joins
//	agents.Keeper{…}.Run(ctx)                           // touches, and makes again
//
// What is intercepted or relayed, and how it ends, is the commands' own.
package agents
