//go:build embed_agent

package image

import "embed"

// embedded holds the agent's layers, which `make build` makes.
//
//go:embed agents/amd64.tar.gz agents/arm64.tar.gz
var embedded embed.FS
