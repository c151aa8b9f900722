package wire

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/devtun/devtun/intercept/claim"
	"github.com/devtun/devtun/tunnel/record"
)

// Tap says which requests a developer's side wants to be told of, once they have ended,
// and how much.
type Tap struct {
	Rule  claim.Rule `json:"rule"`
	Ports []int      `json:"ports,omitempty"` // the agent's; empty: all
	// Own: only those that go to the developer of this link's claim.
	Own bool `json:"own,omitempty"`
	record.Options
}

// Record is what an agent tells of a request.
type Record struct {
	record.Request
	Port   int    `json:"port"`   // the agent's
	Client string `json:"client"` // the client's address
	// By is who answered: Origin, or the developer, as "ann@laptop".
	By string `json:"by"`
	// Dropped counts the requests since the last record that could not be told of.
	Dropped int `json:"dropped,omitempty"`
}

// Origin is who has answered what no developer did.
const Origin = "origin"

// Tap has the agent tell take of each request, until ctx ends or the link does. While
// take lasts nothing is read, and what the agent cannot keep meanwhile is dropped and
// counted. The error is nil if ctx has ended.
func (l *Link) Tap(ctx context.Context, tap Tap, take func(Record)) error {
	stream, err := l.Open(ctx, Opening{Kind: KindTap, Tap: &tap})
	if err != nil {
		return err
	}
	defer stream.Close()
	defer context.AfterFunc(ctx, stream.Abort)()
	records := json.NewDecoder(stream)
	for {
		var r Record
		if err := records.Decode(&r); err != nil {
			if ctx.Err() != nil || err == io.EOF {
				return nil
			}
			return fmt.Errorf("read records: %w", err)
		}
		take(r)
	}
}
