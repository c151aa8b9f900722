package console

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/dns/helper"
)

func TestNoPasswordIsAskedForUnderATable(t *testing.T) {
	var asked []bool
	start := func(_ context.Context, ask bool) (*helper.Client, error) { asked = append(asked, ask); return nil, nil }
	shows := false
	quiet := Unasked(start, func() bool { return shows })
	for _, shows = range []bool{false, true, false} {
		quiet(t.Context(), true)
	}
	require.Equal(t, []bool{true, false, true}, asked)
}
