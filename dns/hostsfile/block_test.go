package hostsfile

import (
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/internal/proc"
)

func TestBlock(t *testing.T) {
	owner := proc.ID{PID: 12, Start: 345, Boot: "b-o-o-t", PIDNS: 678}
	block := newBlock("0123abcd", owner, []Entry{
		{Addr: addr("127.1.2.3"), Names: []string{"api", "api.shop"}},
		{Addr: addr("127.1.2.4")}, // no names, no line
	})
	var bodies []string
	for _, l := range block {
		parsed, ok := parseLine([]byte(l.text))
		require.True(t, ok, l.text)
		require.Equal(t, l, parsed)
		bodies = append(bodies, l.body)
	}
	want := []string{"# devtun begin pid=12 start=345 pidns=678 boot=b-o-o-t: " +
		"do not edit, devtun removes it at its end (or: devtun clean)"}
	for _, addr := range addressForms(addr("127.1.2.3")) {
		want = append(want, strings.Join(append([]string{addr}, withFinalDot([]string{"api", "api.shop"})...), " "))
	}
	require.Equal(t, append(want, "# devtun end"), bodies)
	require.Equal(t, map[string]proc.ID{"0123abcd": owner}, owners(block))
}

func TestAddressesAsWritten(t *testing.T) {
	for _, text := range addressForms(addr("127.1.2.3")) {
		parsed, err := netip.ParseAddr(text)
		require.NoError(t, err)
		require.Equal(t, addr("127.1.2.3"), parsed.Unmap())
	}
	if runtime.GOOS == "linux" {
		require.Equal(t, []string{"127.1.2.3", "::ffff:127.1.2.3"}, addressForms(addr("127.1.2.3")))
	}
}

func TestNamesAsWritten(t *testing.T) {
	names := make([]string, 0, 9)
	names = append(names, "api", "api.shop", "api.shop.svc", "api.shop.svc.cluster.local")
	want := names
	if runtime.GOOS == "linux" {
		want = append(slices.Clone(names), "api.shop.svc.cluster.local.")
	}
	require.Equal(t, want, withFinalDot(names))
	require.Empty(t, names[:5][4], "the caller's names are not written to")
	require.Empty(t, withFinalDot(nil))
}

func TestBlockOfNothing(t *testing.T) {
	block := newBlock("0123abcd", proc.ID{}, []Entry{{Addr: addr("127.1.2.4")}})
	require.Empty(t, block)
}

func TestLinesStayShort(t *testing.T) {
	longest := strings.Repeat("a.", 126) + "b"
	require.NoError(t, CheckName(longest))
	var names []string
	for i := range 20 {
		names = append(names, fmt.Sprintf("n%d", i))
	}
	names = append(names, longest, longest[2:], "z")
	owner := proc.ID{PID: 1 << 30, Start: 1<<64 - 1, Boot: strings.Repeat("f", 36), PIDNS: 1<<64 - 1}
	block := newBlock("0123abcd", owner, []Entry{{Addr: addr("127.255.255.254"), Names: names}})
	var got []string
	for _, l := range block {
		require.LessOrEqual(t, len(l.text)+2, maxLine)
		_, ok := parseLine([]byte(l.text + "\r\n"))
		require.True(t, ok)
		if strings.HasPrefix(l.body, "127.") {
			words := strings.Fields(l.body)
			require.LessOrEqual(t, len(words)-1, maxLineNames)
			got = append(got, words[1:]...)
		}
	}
	require.Equal(t, withFinalDot(names), got, "all of them, in order")
}

// How long that may take, TestManyServicesCostNoMoreEach says.
func TestManyNames(t *testing.T) {
	block := newBlock("0123abcd", proc.ID{PID: 1}, someEntries(2000))
	file := join(block, []byte("127.0.0.1 localhost\n"))
	ours, foreign := split(file)
	require.Len(t, ours, linesOf(2000))
	require.Equal(t, "127.0.0.1 localhost\n", string(foreign))
}
