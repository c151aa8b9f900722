package image

import (
	"bytes"
	"debug/elf"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/stretchr/testify/require"
)

func TestAgent(t *testing.T) {
	index, err := Agent(t.Context(), "v1.2.3", Platforms()...)
	require.NoError(t, err)
	kind, err := index.MediaType()
	require.NoError(t, err)
	require.Equal(t, types.OCIImageIndex, kind)

	all := images(t, index)
	require.Len(t, all, 2)
	for platform, machine := range map[string]elf.Machine{"linux/amd64": elf.EM_X86_64, "linux/arm64": elf.EM_AARCH64} {
		image := all[platform]
		require.NotNil(t, image, platform)
		config, err := image.ConfigFile()
		require.NoError(t, err)
		require.Equal(t, platform, config.Platform().String())
		require.Equal(t, []string{"/devtun-agent"}, config.Config.Entrypoint)
		require.Equal(t, "65532:65532", config.Config.User)
		require.Equal(t, "devtun-agent", config.Config.Labels["org.opencontainers.image.title"])
		require.Equal(t, "v1.2.3", config.Config.Labels["org.opencontainers.image.version"])
		require.True(t, config.Created.IsZero())

		header, content := onlyFile(t, image)
		require.Equal(t, "devtun-agent", header.Name)
		require.EqualValues(t, 0o755, header.Mode)
		require.Zero(t, header.Uid)
		require.Zero(t, header.Gid)
		require.True(t, header.ModTime.Equal(time.Unix(0, 0)))
		binary, err := elf.NewFile(bytes.NewReader(content))
		require.NoError(t, err)
		require.Equal(t, machine, binary.Machine)
		for _, segment := range binary.Progs {
			require.NotEqual(t, elf.PT_INTERP, segment.Type, "not static")
		}
	}
}

func TestSameSourceSameDigest(t *testing.T) {
	var digests []string
	for range 2 {
		index, err := Agent(t.Context(), "v1.2.3", Platforms()...)
		require.NoError(t, err)
		digests = append(digests, digest(t, index))
	}
	require.Equal(t, digests[0], digests[1])
}

func TestAgentForSomePlatforms(t *testing.T) {
	index, err := Agent(t.Context(), "v1.2.3", Platforms()[1])
	require.NoError(t, err)
	all := images(t, index)
	require.Len(t, all, 1)
	require.Contains(t, all, "linux/arm64")

	_, err = Agent(t.Context(), "v1.2.3", v1.Platform{OS: "plan9", Architecture: "amd64"})
	require.ErrorContains(t, err, "there is no agent for plan9/amd64")
}

func TestWithoutGoThereIsNoAgent(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := agentLayer(t.Context(), fstest.MapFS{}, "amd64")
	require.ErrorIs(t, err, ErrNoAgent)
}

// embeddedAs has the layers as make embeds them.
func embeddedAs(amd64, arm64 string) fstest.MapFS {
	return fstest.MapFS{
		"agents/amd64.tar.gz": {Data: []byte(amd64)},
		"agents/arm64.tar.gz": {Data: []byte(arm64)},
	}
}

func TestTheEmbeddedAgentComesFirst(t *testing.T) {
	layer, err := agentLayer(t.Context(), embeddedAs("a", "b"), "arm64")
	require.NoError(t, err)
	require.Equal(t, "b", string(layer))
}

func TestAnotherAgentHasAnotherTag(t *testing.T) {
	require.Equal(t, "dev", contentTag(fstest.MapFS{}))
	one := contentTag(embeddedAs("a", "b"))
	require.Equal(t, one, contentTag(embeddedAs("a", "b")))
	require.NotEqual(t, one, contentTag(embeddedAs("a", "c")))
	require.NotEqual(t, one, contentTag(embeddedAs("c", "b")))
	require.Regexp(t, `^[0-9a-f]{12}$`, one)
}

func TestDefaultIsWhole(t *testing.T) {
	tag, err := name.NewTag(Default(), name.StrictValidation)
	require.NoError(t, err)
	require.Equal(t, Default(), tag.Name(), "no tool makes another name of it")
}
