package objects

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/devtun/devtun/tunnel/tunneltest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, tunneltest.KnownLeaks()...) }
