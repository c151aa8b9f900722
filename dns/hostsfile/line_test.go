package hostsfile

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLineProvesItself(t *testing.T) {
	l := newLine("0123abcd", "127.4.5.6        api api.shop")
	for _, raw := range []string{
		l.text,
		l.text + "\n",
		l.text + "\r\n",
		"  " + strings.ReplaceAll(l.text, " ", "\t") + " \t\r\n",
		strings.ReplaceAll(l.text, "        ", " "),
	} {
		got, ok := parseLine([]byte(raw))
		require.True(t, ok, "%q", raw)
		require.Equal(t, "0123abcd", got.session)
		require.Equal(t, "127.4.5.6 api api.shop", got.body)
	}
	for _, raw := range []string{
		"",
		"\n",
		"127.4.5.6 api api.shop",
		strings.Replace(l.text, "api.shop", "api.shop mine", 1),
		strings.Replace(l.text, "127.4.5.6", "127.4.5.7", 1),
		strings.Replace(l.text, "0123abcd", "0123abce", 1),
		"#" + l.text,
		l.text + " mine",
		l.text[:len(l.text)-1],
		l.text + "\x00",
		tagMark,
		tagMark + "0123abcd:",
		strings.Repeat("x", 10_000) + l.text,
	} {
		_, ok := parseLine([]byte(raw))
		require.False(t, ok, "%q", raw)
	}
}
