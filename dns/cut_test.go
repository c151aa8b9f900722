package dns

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFirstCut(t *testing.T) {
	for _, c := range []struct {
		about, old, next string
		want             string // old after the cut; empty for none
	}{
		{"at the start", "ours\nours\na\nb", "a\nb", "a\nb"},
		{"after a mark", "\xef\xbb\xbfours\na\n", "\xef\xbb\xbfa\n", "\xef\xbb\xbfa\n"},
		{"in the middle", "a\nours\nb\n", "a\nb\n", "a\nb\n"},
		{"at the end", "a\nours", "a\n", "a\n"},
		{"the first of two", "ours\na\nours\nb\n", "a\nb\n", "a\nours\nb\n"},
		{"a like line after it", "ours\na\na\n", "a\na\n", "a\na\n"},
		{"line endings kept", "ours\r\na\r\n", "a\r\n", "a\r\n"},
		{"the same", "a\n", "a\n", ""},
		{"longer", "a\n", "a\nb\n", ""},
		{"other words", "ours\nours\na\n", "mine\na\n", ""},
		{"another order", "ours\na\nb\n", "b\na\n", ""},
		{"parts of lines", "aaa\nb\n", "aa\nb\n", ""},
	} {
		at, size, ok := firstCut([]byte(c.old), []byte(c.next))
		require.Equal(t, c.want != "", ok, c.about)
		if ok {
			require.Equal(t, c.want, c.old[:at]+c.old[at+size:], c.about)
		}
	}
}

// requireFound checks that a cut is found at every point of its way, and what
// is left of content after it.
func requireFound(t *testing.T, content []byte, at, size int, appended string) {
	t.Helper()
	c := newCut(content, at, size)
	rest := slices.Concat(content[:at], content[at+size:])
	read, ok := parseCut("/etc/hosts", c.mark("/etc/hosts"))
	require.True(t, ok)
	require.Equal(t, c, read)
	for p := at; p <= len(rest); p += 1 + len(rest)/200 {
		torn := slices.Concat(rest[:p], content[p:], []byte(appended))
		found, ok := c.find(torn)
		require.True(t, ok, "at %d", p)
		require.Equal(t, string(rest)+appended, string(torn[:found])+string(torn[found+size:]), "at %d", p)
	}
	_, ok = c.find(rest)
	require.False(t, ok, "done")
	if len(rest) > 0 {
		anew := bytes.Repeat([]byte{^rest[0]}, len(content))
		_, ok = c.find(anew)
		require.False(t, ok, "made anew")
	}
}

func TestCutIsFoundAnywhere(t *testing.T) {
	block := join(testBlock(t, "aaaaaaaa", 2), nil)
	for _, foreign := range append([]string{strings.Repeat("127.0.0.1 localhost\n", 50)}, foreignSamples...) {
		for _, appended := range []string{"", "\n10.0.0.9 late\n"} {
			requireFound(t, append(slices.Clone(block), foreign...), 0, len(block), appended)
			requireFound(t, slices.Concat(bom, block, []byte(foreign)), len(bom), len(block), appended)
		}
	}
}

func TestParseCut(t *testing.T) {
	for _, name := range []string{
		"", "draft", "cut-", "cut-1-2-3", "cut-1-2-z-t", "cut-0-2-3-t", "cut-3-2-3-t", "cut--1-2-3-t", "cut-1-2-3-4-5",
	} {
		_, ok := parseCut("/etc/hosts", beside("/etc/hosts", name))
		require.False(t, ok, name)
	}
}

func FuzzCut(f *testing.F) {
	f.Add([]byte("ours\na\nb\n"), uint16(0), uint16(5), uint16(2), []byte("late\n"))
	f.Add([]byte("\n\n\n\n\n\n"), uint16(1), uint16(2), uint16(9), []byte("\n\n\n"))
	f.Add([]byte("\xef\xbb\xbfours\r\n\x00\xff"), uint16(3), uint16(6), uint16(1), []byte(""))
	f.Fuzz(func(t *testing.T, content []byte, at, size, moved uint16, appended []byte) {
		from := int(at) % (len(content) + 1)
		n := int(size) % (len(content) - from + 1)
		if n == 0 {
			return
		}
		c := newCut(content, from, n)
		rest := slices.Concat(content[:from], content[from+n:])
		p := from + int(moved)%(len(rest)-from+1)
		torn := slices.Concat(rest[:p], content[p:], appended)
		found, ok := c.find(torn)
		require.True(t, ok)
		got := slices.Concat(torn[:found], torn[found+n:])
		require.True(t, bytes.Equal(slices.Concat(rest, appended), got), "nothing lost, nothing twice")
	})
}
