package hostsfile

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// tagged is what a line of ours looks like, by another way than parseLine's:
// byte order marks before it, words, session, checksum.
var tagged = regexp.MustCompile(`(?s)^((?:\xef\xbb\xbf)*)(.*)#devtun:(.{8}):([0-9a-f]{8})[ \t\r\n]*$`)

// foreignOf is the foreign part by that other way.
func foreignOf(file []byte) string {
	var foreign strings.Builder
	for raw := range bytes.Lines(file) {
		// As Latin-1, since the expression must see bytes.
		m := tagged.FindStringSubmatch(latin1(raw))
		if m == nil {
			foreign.Write(raw)
			continue
		}
		marks, words := bytes1(m[1]), bytes.Join(bytes.Fields(bytes1(m[2])), []byte(" "))
		sum := sha256.Sum256(slices.Concat(bytes1(m[3]), []byte("\n"), words))
		if len(raw)-len(marks) > 500 || fmt.Sprintf("%x", sum[:4]) != m[4] {
			foreign.Write(raw)
			continue
		}
		foreign.Write(marks)
	}
	return foreign.String()
}

// latin1 is a character for each byte; bytes1 is the way back.
func latin1(b []byte) string {
	var s strings.Builder
	for _, c := range b {
		s.WriteRune(rune(c))
	}
	return s.String()
}

func bytes1(s string) (b []byte) {
	for _, r := range s {
		b = append(b, byte(r))
	}
	return b
}

func FuzzSplice(f *testing.F) {
	for _, sample := range foreignSamples {
		f.Add([]byte(sample), uint8(2))
	}
	f.Fuzz(func(t *testing.T, file []byte, n uint8) {
		block := testBlock(t, "aaaaaaaa", int(n%5))
		before, foreign := split(file)
		with := insert(file, "aaaaaaaa", block)
		ours, same := split(with)
		require.Equal(t, string(foreign), string(same), "no foreign byte changes")
		mine, others := bySession(ours, "aaaaaaaa")
		require.Equal(t, block, mine)
		_, othersBefore := bySession(before, "aaaaaaaa")
		require.Equal(t, othersBefore, others, "and no line of another session")
		require.Equal(t, string(with), string(insert(with, "aaaaaaaa", block)), "again changes nothing")

		without := remove(with, "aaaaaaaa")
		require.Equal(t, string(remove(file, "aaaaaaaa")), string(without), "remove undoes insert")
		if len(before) == 0 {
			require.Equal(t, string(file), string(without), "insert and remove is identity")
		}
	})
}

// bySession parts lines into those of session and those of others, none as nil.
func bySession(ours []line, session string) (mine, others []line) {
	for _, l := range ours {
		if l.session == session {
			mine = append(mine, l)
		} else {
			others = append(others, l)
		}
	}
	return mine, others
}

func FuzzParse(f *testing.F) {
	for _, sample := range foreignSamples {
		f.Add([]byte(sample))
	}
	block := newBlock("aaaaaaaa", deadOwner, someEntries(1))
	f.Add(join(block, []byte("x")))
	f.Fuzz(func(t *testing.T, file []byte) {
		ours, foreign := split(file)
		require.Equal(t, foreignOf(file), string(foreign))
		owners(ours)
		_, err := conflicts(foreign, someEntries(1))
		require.NoError(t, err)

		left, rest := split(foreign)
		require.Empty(t, left, "nothing of ours is left")
		require.Equal(t, string(foreign), string(rest))

		for _, ending := range []string{"\n", "\r\n"} {
			joined := joinWith(ending, ours, foreign)
			again, rest := split(joined)
			require.Equal(t, string(foreign), string(rest))
			require.Equal(t, ours, again)
			require.Equal(t, string(joined), string(joinWith(ending, again, rest)))
		}
		if len(ours) == 0 {
			require.Equal(t, string(file), string(join(ours, foreign)))
		}
	})
}
