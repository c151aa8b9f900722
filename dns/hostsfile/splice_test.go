package hostsfile

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/internal/proc"
)

// foreignSamples are files as they are found, and worse.
var foreignSamples = []string{
	"",
	"\n",
	"127.0.0.1 localhost\n",
	"127.0.0.1 localhost",
	"127.0.0.1\tlocalhost\r\n::1\tlocalhost\r\n",
	"\r\n",
	"\r",
	"\xef\xbb\xbf127.0.0.1 localhost\n",
	"\xef\xbb\xbf",
	"\xef\xbb\xbf\xef\xbb\xbf\n",
	"\x00\x00\n\xff\xfe broken \x80\n",
	"# only a comment, no newline",
	"#devtun:\n",
	"10.0.0.1 db #devtun:0123abcd:00000000\n",
	"# devtun begin pid=1\n127.1.2.3 api\n",
	"\n\n\n",
	"one\rtwo\rthree",
	"10.0.0.1 db # see #devtun:0123abcd:00000000 above\n",
	strings.Repeat("x", 5000) + "\n127.0.0.1 localhost\n",
}

// testBlock is a block of n entries for a session.
func testBlock(t *testing.T, session string, n int) []line {
	t.Helper()
	return newBlock(session, proc.ID{PID: 1, Boot: "b"}, someEntries(n))
}

// insert and remove are what Set and Remove do with the bytes.
func insert(file []byte, session string, block []line) []byte {
	ours, foreign := split(file)
	return join(replaceBlock(ours, session, block), foreign)
}

func remove(file []byte, session string) []byte { return insert(file, session, nil) }

// The fuzzing and the soak do it with many more files.
func TestInsertAndRemoveIsIdentity(t *testing.T) {
	requireIdentity(t, rand.New(rand.NewPCG(1, 2)), 500) // the same every time
}

// requireIdentity checks the samples and that many random files made of them.
func requireIdentity(t *testing.T, random *rand.Rand, files int) {
	t.Helper()
	a, b := testBlock(t, "aaaaaaaa", 3), testBlock(t, "bbbbbbbb", 2)
	check := func(file []byte) {
		both := insert(insert(file, "aaaaaaaa", a), "bbbbbbbb", b)
		require.Equal(t, string(file), string(remove(remove(both, "aaaaaaaa"), "bbbbbbbb")))
		require.Equal(t, string(file), string(remove(remove(both, "bbbbbbbb"), "aaaaaaaa")))
		require.Equal(t, string(both), string(insert(both, "aaaaaaaa", a)), "a block keeps its place")
	}
	for _, sample := range foreignSamples {
		check([]byte(sample))
	}
	pieces := append([]string{"\n", "\r\n", " ", "#", "a", tagMark, a[1].text[:20], "\xef\xbb\xbf"}, foreignSamples...)
	for range files {
		var file []byte
		for range random.IntN(12) {
			file = append(file, pieces[random.IntN(len(pieces))]...)
		}
		check(file)
	}
}

// textOf is lines with their endings.
func textOf(lines []line, ending string) (text string) {
	for _, l := range lines {
		text += l.text + ending
	}
	return text
}

func TestBlockComesFirst(t *testing.T) {
	a := testBlock(t, "aaaaaaaa", 1)
	got := string(insert([]byte("\xef\xbb\xbf10.0.0.1 api-0\r\n"), "aaaaaaaa", a))
	want := "\xef\xbb\xbf" + textOf(a, "\r\n") + "10.0.0.1 api-0\r\n"
	require.Equal(t, want, got)

	shadowed := "10.0.0.1 api-0\n" + textOf(a, "\n")
	got = string(insert([]byte(shadowed), "aaaaaaaa", a))
	require.Equal(t, textOf(a, "\n")+"10.0.0.1 api-0\n", got)
}

// The file keeps one kind of line ending; one that has none gets the system's.
func TestLineEnding(t *testing.T) {
	a := testBlock(t, "aaaaaaaa", 1)
	for _, c := range []struct{ about, system, file, want string }{
		{"empty", "\n", "", "\n"},
		{"empty on Windows", "\r\n", "", "\r\n"},
		{"a mark alone on Windows", "\r\n", "\xef\xbb\xbf", "\r\n"},
		{"one line without an ending, on Windows", "\r\n", "127.0.0.1 localhost", "\r\n"},
		{"from another system", "\r\n", "127.0.0.1 localhost\n", "\n"},
		{"from Windows", "\n", "127.0.0.1 localhost\r\n", "\r\n"},
		{"the first line counts", "\n", "# a\r\n# b\n", "\r\n"},
		{"an empty line counts", "\r\n", "\n# b\r\n", "\n"},
		{"an empty line from Windows", "\n", "\r\n# b\n", "\r\n"},
		{"a lone carriage return does not", "\r\n", "\r\r", "\r\n"},
	} {
		rest, hasBOM := bytes.CutPrefix([]byte(c.file), bom)
		want := textOf(a, c.want) + string(rest)
		if hasBOM {
			want = string(bom) + want
		}
		got := joinWith(c.system, a, []byte(c.file))
		require.Equal(t, want, string(got), c.about)
		_, foreign := split(got)
		require.Equal(t, c.file, string(foreign), c.about)
	}
}

func TestDamagedBlocks(t *testing.T) {
	a := testBlock(t, "aaaaaaaa", 2)
	begin, one, two, end := a[0].text+"\n", a[1].text+"\n", a[2].text+"\n", a[3].text+"\n"
	for _, c := range []struct{ about, file, want string }{
		{"end line gone", begin + one + two + "10.0.0.1 db\n", "10.0.0.1 db\n"},
		{"begin line gone", one + two + end + "10.0.0.1 db\n", "10.0.0.1 db\n"},
		{"a line added inside", begin + one + "10.0.0.1 db\n" + two + end, "10.0.0.1 db\n"},
		{"twice", begin + one + two + end + "x\n" + begin + one + two + end, "x\n"},
		{"nested", begin + begin + one + end + "x\n" + two + end, "x\n"},
		{"reordered", end + "x\n" + two + begin + one, "x\n"},
		{"an edited line is its editor's", begin + "127.9.9.9 mine " + one + end, "127.9.9.9 mine " + one},
		{"last newline gone", begin + one + two + a[3].text, ""},
		{"cut off", begin + one + two[:20], two[:20]},
	} {
		require.Equal(t, c.want, string(remove([]byte(c.file), "aaaaaaaa")), c.about)
	}
}

func TestDropDead(t *testing.T) {
	a, b, c := testBlock(t, "aaaaaaaa", 1), testBlock(t, "bbbbbbbb", 1), testBlock(t, "cccccccc", 1)
	dead := newBlock("dddddddd", deadOwner, someEntries(1))
	ours := slices.Concat(a, dead, b, c[1:]) // c has lost its begin line
	kept, owners := dropDead(ours, func(o proc.ID) bool { return o != deadOwner })
	require.Equal(t, slices.Concat(a, b), kept)
	require.Equal(t, []proc.ID{deadOwner}, owners)
}
