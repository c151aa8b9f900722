package dns

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
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
}

// testBlock is a block of n entries for a session.
func testBlock(t *testing.T, session string, n int) []line {
	t.Helper()
	b, err := newBlock(session, Owner{PID: 1, Boot: "b"}, someEntries(n))
	require.NoError(t, err)
	return b
}

// insert and remove are what Set and Remove do with the bytes.
func insert(file []byte, session string, block []line) []byte {
	ours, foreign := split(file)
	return join(replaceBlock(ours, session, block), foreign)
}

func remove(file []byte, session string) []byte { return insert(file, session, nil) }

func TestInsertAndRemoveIsIdentity(t *testing.T) {
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
	random := rand.New(rand.NewPCG(1, 2))
	pieces := append([]string{"\n", "\r\n", " ", "#", "a", tagMark, a[1].text[:20], "\xef\xbb\xbf"}, foreignSamples...)
	for range 5000 {
		var file []byte
		for range random.IntN(12) {
			file = append(file, pieces[random.IntN(len(pieces))]...)
		}
		check(file)
	}
}

func TestBlockComesFirst(t *testing.T) {
	a := testBlock(t, "aaaaaaaa", 1)
	got := string(insert([]byte("\xef\xbb\xbf10.0.0.1 api-0\r\n"), "aaaaaaaa", a))
	want := "\xef\xbb\xbf" + a[0].text + "\r\n" + a[1].text + "\r\n" + a[2].text + "\r\n10.0.0.1 api-0\r\n"
	require.Equal(t, want, got)

	shadowed := "10.0.0.1 api-0\n" + a[0].text + "\n" + a[1].text + "\n" + a[2].text + "\n"
	got = string(insert([]byte(shadowed), "aaaaaaaa", a))
	require.Equal(t, a[0].text+"\n"+a[1].text+"\n"+a[2].text+"\n10.0.0.1 api-0\n", got)
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
	dead, err := newBlock("dddddddd", deadOwner, someEntries(1))
	require.NoError(t, err)
	ours := slices.Concat(a, dead, b, c[1:]) // c has lost its begin line
	kept, owners := dropDead(ours, func(o Owner) bool { return o != deadOwner })
	require.Equal(t, slices.Concat(a, b), kept)
	require.Equal(t, []Owner{deadOwner}, owners)
}

func FuzzSplice(f *testing.F) {
	for _, sample := range foreignSamples {
		f.Add([]byte(sample), uint8(2))
	}
	f.Fuzz(func(t *testing.T, file []byte, n uint8) {
		block := testBlock(t, "aaaaaaaa", int(n%5))
		_, foreign := split(file)
		with := insert(file, "aaaaaaaa", block)
		ours, same := split(with)
		require.True(t, bytes.Equal(foreign, same), "no foreign byte changes")
		mine := slices.DeleteFunc(slices.Clone(ours), func(l line) bool { return l.session != "aaaaaaaa" })
		require.Equal(t, len(block), len(mine))
		if len(ours) == len(block) {
			require.True(t, bytes.Equal(foreign, remove(with, "aaaaaaaa")), "insert and remove is identity")
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, sample := range foreignSamples {
		f.Add([]byte(sample))
	}
	block, err := newBlock("aaaaaaaa", deadOwner, someEntries(1))
	require.NoError(f, err)
	f.Add(join(block, []byte("x")))
	f.Fuzz(func(t *testing.T, file []byte) {
		ours, foreign := split(file)
		owners(ours)
		again, rest := split(join(ours, foreign))
		require.Len(t, again, len(ours))
		require.True(t, bytes.Equal(foreign, rest))
		if len(ours) == 0 {
			require.True(t, bytes.Equal(file, foreign))
		}
	})
}
