// Package image makes container images around static Go programs, without
// Docker: the agent's, for users, and those of the examples and the tests.
//
//	agent, err := image.Agent(ctx, version, image.Platforms()...)
//	err = image.Save("agent.tar", image.Named{Name: image.Default(), Index: agent})
//	digest, err := image.Push(ctx, "registry.example/team/devtun-agent:v1", agent, image.PushOptions{})
//
// An image is an OCI index of one platform or more, each a single layer with a
// single file, the program, which runs as a user without rights. The same source
// and the same Go give the same digest.
//
// The agent's programs, packed for intercept/loader, are embedded in devtun when it is
// built with the tag embed_agent (`make build`); an image's layer is made of one when
// it is asked for. A devtun without them compiles the agent with the go command from the
// source that it was built from itself, if both are at hand.
package image
