//go:build embed_agent

package image

import "embed"

// embedded holds the agent's programs, which `make build` makes.
//
//go:embed agents/amd64.lz4 agents/arm64.lz4
var embedded embed.FS
