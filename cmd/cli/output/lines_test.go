package output

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestBrief(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 1234: "1µs", 1500 * time.Microsecond: "2ms", 234567 * time.Microsecond: "235ms",
		1234 * time.Millisecond: "1.23s", 12345 * time.Millisecond: "12.3s",
	} {
		require.Equal(t, want, Brief(d))
	}
}
