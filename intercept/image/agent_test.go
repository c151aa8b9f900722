package image

import (
	"bytes"
	"context"
	"debug/elf"
	"path/filepath"
	"runtime/debug"
	"slices"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/intercept/loader"
)

// maxSize is the most, in bytes, that the agent's binary may have.
const maxSize = 10_000_000

// module is this module's directory, whether or not the tests are compiled with
// -trimpath: an agent compiled for them is of this source.
const module = "../.."

// packed is the agent as this devtun has it, embedded or compiled, which the tests have
// done once for all.
var packed = func() func(arch string) ([]byte, error) {
	made := make(map[string]func() ([]byte, error))
	for _, platform := range Platforms() {
		arch := platform.Architecture
		made[arch] = sync.OnceValues(func() ([]byte, error) {
			return programOf(context.Background(), embedded, module, arch)
		})
	}
	return func(arch string) ([]byte, error) { return made[arch]() }
}()

func TestAgent(t *testing.T) {
	index, err := agentOf("v1.2.3", packed, Platforms())
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
		t.Logf("%s: %d bytes", platform, len(content))
		require.Less(t, len(content), maxSize, platform)
		binary, err := elf.NewFile(bytes.NewReader(content))
		require.NoError(t, err)
		require.Equal(t, machine, binary.Machine)
		for _, segment := range binary.Progs {
			require.NotEqual(t, elf.PT_INTERP, segment.Type, "not static")
		}
	}
}

// requireSameAgain compiles the agent anew: it is to the byte what this devtun has.
func requireSameAgain(t *testing.T, platforms ...v1.Platform) {
	t.Helper()
	for _, platform := range platforms {
		content, err := packed(platform.Architecture)
		require.NoError(t, err)
		had, err := loader.Unpack(content)
		require.NoError(t, err)
		compiled, err := compileAgent(t.Context(), module, platform.Architecture)
		require.NoError(t, err)
		require.True(t, bytes.Equal(had, compiled), "%s is of another source: run make agents", platform)
		one, err := agentOf("v1.2.3", packed, []v1.Platform{platform})
		require.NoError(t, err)
		another, err := agentOf("v1.2.3", func(string) ([]byte, error) { return loader.Pack(compiled) },
			[]v1.Platform{platform})
		require.NoError(t, err)
		require.Equal(t, digest(t, one), digest(t, another))
	}
}

// The same source makes the same image: a devtun that has the agent in it the same
// as one that compiles it, and one that compiles it the same each time.
func TestSameSourceSameDigest(t *testing.T) { requireSameAgain(t, Platforms()[0]) }

func TestAgentForSomePlatforms(t *testing.T) {
	asked := ""
	index, err := agentOf("v1.2.3", func(arch string) ([]byte, error) {
		asked += arch
		return loader.Pack([]byte("program"))
	}, Platforms()[1:])
	require.NoError(t, err)
	require.Equal(t, "arm64", asked, "no other is made")
	all := images(t, index)
	require.Len(t, all, 1)
	require.Contains(t, all, "linux/arm64")

	_, err = Agent(t.Context(), "v1.2.3", v1.Platform{OS: "plan9", Architecture: "amd64"})
	require.ErrorContains(t, err, "there is no agent for plan9/amd64")
}

func TestTheSourceIsWhereItWasCompiled(t *testing.T) {
	want, err := filepath.Abs(module)
	require.NoError(t, err)
	info, _ := debug.ReadBuildInfo()
	if slices.Contains(info.Settings, debug.BuildSetting{Key: "-trimpath", Value: "true"}) {
		want = ""
	}
	require.Equal(t, want, source())
}

func TestWithoutItsSourceThereIsNoAgent(t *testing.T) {
	_, err := programOf(t.Context(), fstest.MapFS{}, "", "amd64")
	require.ErrorIs(t, err, ErrNoAgent)
}

func TestWithoutGoThereIsNoAgent(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := programOf(t.Context(), fstest.MapFS{}, module, "amd64")
	require.ErrorIs(t, err, ErrNoAgent)
}

// embeddedAs has the programs as make embeds them.
func embeddedAs(amd64, arm64 string) fstest.MapFS {
	return fstest.MapFS{
		"agents/amd64.lz4": {Data: []byte(amd64)},
		"agents/arm64.lz4": {Data: []byte(arm64)},
	}
}

func TestTheEmbeddedAgentComesFirst(t *testing.T) {
	packed, err := programOf(t.Context(), embeddedAs("a", "b"), "", "arm64")
	require.NoError(t, err)
	require.Equal(t, "b", string(packed))
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
