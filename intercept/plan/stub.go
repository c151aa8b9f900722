package plan

import (
	"context"

	"github.com/devtun/devtun/intercept/claim"
)

func Claims(ctx context.Context, client *Client, ref Ref) ([]claim.Claim, bool, map[string]string, error) {
	return nil, false, nil, nil
}
func Leave(ctx context.Context, client *Client, ref Ref, id string) (bool, error) { return false, nil }
