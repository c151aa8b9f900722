//go:build !embed_agent

package cli

import "testing"

func TestImageScriptsWithoutTheAgent(t *testing.T) { imageScripts(t, "testdata/unembedded") }
