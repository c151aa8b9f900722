//go:build !embed_agent

package image

import "embed"

// embedded holds nothing: a plain `go build` needs no file that is not in the
// repository, and never takes an agent that is older than its source.
var embedded embed.FS
