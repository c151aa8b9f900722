package wire

import (
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAHelloThatDoesNotFitIsTheSameErrorAtBothEnds(t *testing.T) {
	good := Hello{Version: Version, Purpose: ForLink, Name: shop.Name, Identity: shop.Identity, Claim: shop.Claim}
	for _, test := range []struct {
		change func(*Hello)
		code   Code
		text   string
	}{
		{func(h *Hello) { h.Version, h.Name = 1, "" }, WrongVersion, "the agent speaks version 3, this devtun speaks 1"},
		{func(h *Hello) { h.Name = "other" }, WrongName, `the agent belongs to intercept "service-middle", not to "other"`},
		{func(h *Hello) { h.Identity = "4f1" }, WrongIdentity,
			"the agent belongs to another intercept of the same name: the identity differs"},
		{func(h *Hello) { h.Identity = "" }, WrongIdentity,
			"the agent belongs to another intercept of the same name: the identity differs"},
		{func(h *Hello) { h.Purpose = "fun" }, WrongPurpose, `the agent does not know the purpose "fun"`},
		{func(h *Hello) { h.Claim = nil }, WrongClaim, "the link is for no claim"},
	} {
		a, b := connect(t)
		hello := good
		test.change(&hello)
		var receiving sync.WaitGroup
		var received error
		receiving.Go(func() { _, received = shop.Receive(t.Context(), b) })
		require.NoError(t, writeFrame(a, magic, hello))
		require.NoError(t, readMagic(a, ErrNotAgent))
		var reply answer
		require.NoError(t, readFrame(a, &reply))
		receiving.Wait()
		var refusal *Refusal
		require.ErrorAs(t, received, &refusal)
		for _, r := range []*Refusal{refusal, reply.Refusal} {
			require.Equal(t, test.code, r.Code)
			require.EqualError(t, r, test.text)
		}
	}
}

func TestDialNamesARefusal(t *testing.T) {
	a, b := connect(t)
	var receiving sync.WaitGroup
	receiving.Go(func() { shop.Receive(t.Context(), b) })
	_, err := End{Name: shop.Name, Identity: "wrong"}.Dial(t.Context(), a)
	receiving.Wait()
	var refusal *Refusal
	require.ErrorAs(t, err, &refusal)
	require.Equal(t, WrongIdentity, refusal.Code)
	_, err = a.Write(nil)
	require.Error(t, err, "the connection is closed")
}

func TestDialBesideAnAgentOfAnotherVersion(t *testing.T) {
	a, b := connect(t)
	go writeFrame(b, magic, answer{Version: 7}) // and a welcome
	_, err := shop.Dial(t.Context(), a)
	require.ErrorContains(t, err, "the agent speaks version 7, this devtun speaks 3")
}

func TestWhatIsNotTheOtherEnd(t *testing.T) {
	for _, words := range []string{"HTTP/1.1 400 Bad Request\r\n\r\n", "devtun-agend\n\x00\x02{}"} {
		a, b := connect(t)
		go io.WriteString(b, words)
		_, err := shop.Dial(t.Context(), a)
		require.ErrorIs(t, err, ErrNotAgent)

		a, b = connect(t)
		go io.WriteString(a, words)
		_, err = shop.Receive(t.Context(), b)
		require.ErrorIs(t, err, ErrNotDevtun)
	}
	a, b := connect(t)
	go io.WriteString(a, magic+"\xff\xff and so on")
	_, err := shop.Receive(t.Context(), b)
	require.ErrorIs(t, err, errTooLong)

	a, b = connect(t)
	b.Close()
	_, err = shop.Dial(t.Context(), a)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
}

func TestASilentEndIsNotWaitedForForEver(t *testing.T) {
	late := errors.New("late")
	a, b := connect(t)
	ctx, cancel := context.WithTimeoutCause(t.Context(), 20*time.Millisecond, late)
	defer cancel()
	_, err := shop.Dial(ctx, a)
	require.ErrorIs(t, err, late)
	_, err = shop.Receive(ctx, b)
	require.ErrorIs(t, err, late)
}
