package forwards

import "github.com/devtun/devtun/intercept"

// RelayState is how the relay of a namespace stands.
type RelayState string

const (
	RelayStarting RelayState = "starting" // or waiting for its pods
	RelayStanding RelayState = "standing" // connections go through it
	RelayLost     RelayState = "lost"     // it is made anew
	RelayFailed   RelayState = "failed"   // it could not be had; tried again when it is wanted
	RelayRestored RelayState = "restored" // it is over, and removed
	RelayLeft     RelayState = "left"     // it is over for this session; others hold it
)

// RelayEvent tells how the relay of a namespace stands, or how one of its pods is linked.
type RelayEvent struct {
	Namespace string
	State     RelayState               // "" with a Link
	Message   string                   // what is waited for, or why it does not stand
	Others    []string                 // who hold it, under RelayLeft
	Count     func() (open, total int) // connections through it, under RelayStanding
	Pods      func() int               // likewise, of an intercept, that are connected; nil: each Link tells
	Link      *intercept.LinkEvent     // nil: no news of one
}
