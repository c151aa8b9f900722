package project

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNamesOfSessions(t *testing.T) {
	for file, name := range map[string]string{
		"/home/me/shop/devtun.yaml": "shop", "/home/me/My Shop.v2/devtun.yaml": "my-shop-v2",
		"/home/me/shop/dev.yaml": "shop-dev",
		"/devtun.yaml":           "devtun", "/home/---/devtun.yaml": "devtun",
		"/home/a-very-long-name-of-a-folder-that-somebody-has-made/devtun.yaml": "a-very-long-name-of-a-folder-that-somebo",
	} {
		got, err := defaultName(file)
		require.NoError(t, err)
		require.Equal(t, name, got)
		require.True(t, ValidName(got))
	}
}
