package wire

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/devtun/devtun/intercept/claim"
)

const (
	// Version is that of the protocol; both ends must speak the same.
	Version = 3

	// magic opens every hello and every answer, so that neither end mistakes
	// something else for the other.
	magic = "devtun-agent\n"

	// helloTimeout bounds the exchange of hellos.
	helloTimeout = 10 * time.Second
)

// Transport is a connection between the two ends. It needs no deadlines.
type Transport interface {
	io.ReadWriter
	// Abort ends both directions at once and releases who reads or writes.
	Abort()
	// Close releases the connection.
	Close() error
}

// Purpose is what a hello asks for.
type Purpose string

const (
	ForLink   Purpose = "session" // a link, from here on
	ForStatus Purpose = "status"  // only how it stands
)

// End is one end of an intercept. Both must be of the same name and identity.
type End struct {
	Name     string       // of the intercept
	Identity string       // the plan's random token
	Log      *slog.Logger // for details of the protocol; nil drops them
	// Claim is the developer's, at the developer's end; an agent's has none.
	Claim *claim.Claim
}

// Hello is how the developer's side introduces itself.
type Hello struct {
	Version  int     `json:"version"`
	Purpose  Purpose `json:"purpose"`
	Name     string  `json:"name"`     // of the intercept
	Identity string  `json:"identity"` // the plan's random token
	// Claim is what a link is for; nil under another purpose.
	Claim *claim.Claim `json:"claim,omitempty"`
	// Link is the link's name, random, by which it is asked later what it has taken.
	Link string `json:"link,omitempty"`
}

// answer is what the agent says to a hello.
type answer struct {
	Version int      `json:"version"`
	Refusal *Refusal `json:"refusal,omitempty"` // nil is a welcome
	Status  *Status  `json:"status,omitempty"`  // for ForStatus
}

// Status is how an agent stands, for whoever lists intercepts.
type Status struct {
	Claims []ClaimStatus `json:"claims"` // of those whose developers have been here
}

// ClaimStatus is how a claim stands with one agent.
type ClaimStatus struct {
	ID        string  `json:"id"`
	Connected bool    `json:"connected"` // the developer's side is there, and heard
	Requests  int64   `json:"requests"`  // that it got, connections that are no HTTP counted as one
	States    []State `json:"states"`    // of each TCP port of the claim
}

// Code says why a hello was refused.
type Code string

const (
	WrongVersion  Code = "version"
	WrongName     Code = "name"
	WrongIdentity Code = "identity"
	WrongPurpose  Code = "purpose"
	WrongClaim    Code = "claim"
	Restored      Code = "restored"
)

// Refusal is the agent's refusal of a hello, the same error at both ends.
type Refusal struct {
	Code    Code   `json:"code"`
	Text    string `json:"text"`
	Version int    `json:"version"` // that the agent speaks
}

func (r *Refusal) Error() string { return r.Text }

var (
	// ErrNotAgent means that what answers is no devtun agent.
	ErrNotAgent = errors.New("what answers there is not a devtun agent")

	// ErrNotDevtun means that who calls is no devtun.
	ErrNotDevtun = errors.New("the caller is not devtun")
)

// Dial introduces the developer's side on conn, which it owns from here on, and
// returns the link, to be Run. The error is a *Refusal if the agent refuses,
// and ErrNotAgent if there is none; conn is then closed.
func (e End) Dial(ctx context.Context, conn Transport) (*Link, error) {
	name := claim.NewID()
	if _, err := e.ask(ctx, conn, Hello{Purpose: ForLink, Claim: e.Claim, Link: name}); err != nil {
		return nil, err
	}
	link := newLink(conn, true, e.Log)
	link.name = name
	return link, nil
}

// AskStatus asks the agent behind conn how it stands, and closes conn. An agent of
// before that question refuses it.
func (e End) AskStatus(ctx context.Context, conn Transport) (Status, error) {
	reply, err := e.ask(ctx, conn, Hello{Purpose: ForStatus})
	if err != nil {
		return Status{}, err
	}
	if reply.Status == nil {
		return Status{}, errors.Join(fmt.Errorf("ask agent: %w", ErrNotAgent), conn.Close())
	}
	return *reply.Status, conn.Close()
}

// ask says hello and takes the answer. On error conn is closed.
func (e End) ask(ctx context.Context, conn Transport, hello Hello) (reply answer, err error) {
	hello.Version, hello.Name, hello.Identity = Version, e.Name, e.Identity
	err = within(ctx, conn, func() error {
		if err := writeFrame(conn, magic, hello); err != nil {
			return err
		}
		if err := readMagic(conn, ErrNotAgent); err != nil {
			return err
		}
		return readFrame(conn, &reply)
	})
	if err == nil && reply.Refusal != nil {
		reply.Refusal.Version = reply.Version
		err = reply.Refusal
	}
	if err == nil && reply.Version != Version {
		err = wrongVersion(reply.Version, Version)
	}
	if err != nil {
		conn.Abort()
		conn.Close()
		return answer{}, fmt.Errorf("greet agent: %w", err)
	}
	return reply, nil
}

// Receive takes the developer's hello from conn. One
// that does not fit is answered and returned as a *Refusal,
// anything else as ErrNotDevtun; conn stays the caller's.
func (e End) Receive(ctx context.Context, conn Transport) (Hello, error) {
	var hello Hello
	err := within(ctx, conn, func() error {
		if err := readMagic(conn, ErrNotDevtun); err != nil {
			return err
		}
		return readFrame(conn, &hello)
	})
	if err != nil {
		return Hello{}, fmt.Errorf("receive hello: %w", err)
	}
	if refusal := e.check(hello); refusal != nil {
		if err := Refuse(ctx, conn, refusal); err != nil {
			return Hello{}, err
		}
		return Hello{}, fmt.Errorf("receive hello: %w", refusal)
	}
	return hello, nil
}

// check compares the hello with what this agent stands for. The version comes
// first: another one may mean something else by the rest.
func (e End) check(h Hello) *Refusal {
	switch {
	case h.Version != Version:
		return wrongVersion(Version, h.Version)
	case h.Name != e.Name:
		return &Refusal{Code: WrongName,
			Text: fmt.Sprintf("the agent belongs to intercept %q, not to %q", e.Name, h.Name)}
	case subtle.ConstantTimeCompare([]byte(h.Identity), []byte(e.Identity)) != 1:
		return &Refusal{Code: WrongIdentity,
			Text: "the agent belongs to another intercept of the same name: the identity differs"}
	case h.Purpose != ForLink && h.Purpose != ForStatus:
		return &Refusal{Code: WrongPurpose, Text: fmt.Sprintf("the agent does not know the purpose %q", h.Purpose)}
	case h.Purpose == ForLink && (h.Claim == nil || h.Claim.ID == ""):
		return &Refusal{Code: WrongClaim, Text: "the link is for no claim"}
	}
	return nil
}

func wrongVersion(agent, developer int) *Refusal {
	return &Refusal{
		Code:    WrongVersion,
		Version: agent,
		Text:    fmt.Sprintf("the agent speaks version %d, this devtun speaks %d", agent, developer),
	}
}

// Refuse answers a hello with refusal.
func Refuse(ctx context.Context, conn Transport, refusal *Refusal) error {
	return reply(ctx, conn, answer{Version: Version, Refusal: refusal})
}

// TellStatus answers a hello for the agent's status.
func TellStatus(ctx context.Context, conn Transport, status Status) error {
	return reply(ctx, conn, answer{Version: Version, Status: &status})
}

// Accept welcomes the developer's side and returns the link, to be Run. On
// error conn is closed.
func (e End) Accept(ctx context.Context, conn Transport) (*Link, error) {
	if err := reply(ctx, conn, answer{Version: Version}); err != nil {
		conn.Close()
		return nil, err
	}
	return newLink(conn, false, e.Log), nil
}

func reply(ctx context.Context, conn Transport, a answer) error {
	if err := within(ctx, conn, func() error { return writeFrame(conn, magic, a) }); err != nil {
		return fmt.Errorf("answer hello: %w", err)
	}
	return nil
}

// readMagic reads the magic. At the first byte of something else it stops and
// fails with wrong.
func readMagic(r io.Reader, wrong error) error {
	var got [1]byte
	for _, want := range []byte(magic) {
		if _, err := io.ReadFull(r, got[:]); err != nil {
			return noEOF(err)
		}
		if got[0] != want {
			return wrong
		}
	}
	return nil
}

// within runs exchange, which uses conn, and aborts conn if ctx ends or
// helloTimeout passes before it is done.
func within(ctx context.Context, conn Transport, exchange func() error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, helloTimeout, errNoHello)
	defer cancel()
	stop := context.AfterFunc(ctx, conn.Abort)
	err := exchange()
	if !stop() {
		return context.Cause(ctx)
	}
	return err
}

var errNoHello = fmt.Errorf("no complete hello within %v", helloTimeout)
