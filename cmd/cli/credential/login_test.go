//go:build unix

package credential

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestOneAttemptServesAll(t *testing.T) {
	w := newWorld(t, "give secret")
	w.takes("secret")
	requests, streams := w.client(w.login().Requests), w.client(w.login().Streams)
	var all sync.WaitGroup
	for range 10 {
		for _, client := range []*http.Client{requests, streams} {
			all.Go(func() {
				code, err := w.get(client)
				require.NoError(t, err)
				require.Equal(t, http.StatusOK, code)
			})
		}
	}
	all.Wait()
	require.Equal(t, 1, w.runs())
	require.Empty(t, w.told())
}

func TestAFailureIsTheFailureOfAll(t *testing.T) {
	w := newWorld(t, "exit 3")
	client := w.client(w.login().Requests)
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			w.requireFailure(client, "getting credentials: exec: executable "+w.exec.Command+" failed with exit code 3")
		})
	}
	all.Wait()
	require.Equal(t, 1, w.runs())
	require.Zero(t, w.requests, "nothing is sent without credentials")
	require.Empty(t, w.told(), "it has never worked")
}

// A login that has expired in the night: requests come all the time.
func TestAttemptsAfterFailuresGetRare(t *testing.T) {
	w := newWorld(t, "give secret ',\"expirationTimestamp\":\"2000-01-01T00:00:00Z\"'")
	login := w.login()
	client := w.client(login.Requests)
	w.gate.mu.Lock()
	login.current = &credentials{token: "secret", expires: w.time.Add(time.Minute)}
	w.gate.mu.Unlock()
	w.requireOK(client)
	require.Zero(t, w.runs())

	w.script("exit 1")
	var at []time.Duration
	for since := time.Duration(0); since < 8*time.Hour; since += time.Second {
		w.later(time.Second)
		before := w.runs()
		w.get(client)
		if w.runs() > before {
			at = append(at, since)
		}
	}
	require.Less(t, len(at), 45)
	for i := 2; i < len(at); i++ {
		require.GreaterOrEqual(t, at[i]-at[i-1], min(at[i-1]-at[i-2], longestPause))
	}
	require.GreaterOrEqual(t, at[len(at)-1]-at[len(at)-2], longestPause)
	told := w.told()
	require.Len(t, told, 1)
	require.ErrorContains(t, told[0].Err, "failed with exit code 1")
}

func TestSomebodyWhoConnectsBringsOneAttempt(t *testing.T) {
	w := newWorld(t, "give secret")
	login := w.login()
	client := w.client(login.Requests)
	w.requireOK(client)
	w.takes("another")
	w.script("exit 1")
	w.later(time.Hour)
	w.get(client)
	require.Equal(t, 2, w.runs(), "the server takes no more what it has taken")
	w.requireFailure(client, "exit code 1")
	require.Equal(t, 2, w.runs())
	var told []Notice
	require.Eventually(t, func() bool {
		told = append(told, w.told()...)
		return len(told) > 0
	}, time.Minute, time.Millisecond, "it is told beside")
	require.Len(t, told, 1)

	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			login.Wanted()
			w.requireFailure(client, "exit code 1")
		})
	}
	all.Wait()
	require.Equal(t, 3, w.runs(), "one for all")
	login.Wanted()
	w.requireFailure(client, "exit code 1")
	require.Equal(t, 3, w.runs())
	w.later(firstWanted)
	w.requireFailure(client, "exit code 1")
	require.Equal(t, 3, w.runs(), "who comes at the same time was served")
	login.Wanted()
	w.requireFailure(client, "exit code 1")
	require.Equal(t, 4, w.runs())
	w.later(firstWanted)
	login.Wanted()
	w.requireFailure(client, "exit code 1")
	require.Equal(t, 4, w.runs(), "a program that connects over and over is no person")
	w.later(firstWanted)
	w.requireFailure(client, "exit code 1")
	require.Equal(t, 5, w.runs(), "it was not forgotten")

	w.script("give another")
	w.later(longestWanted)
	login.Wanted()
	w.requireOK(client)
	require.Equal(t, 6, w.runs())
	told = w.told()
	require.Len(t, told, 1)
	require.NoError(t, told[0].Err)
}

func TestWhoConnectsDuringAnAttemptWaitsForIt(t *testing.T) {
	w := newWorld(t, "echo >$DIR/started; read x <$DIR/go; exit 1")
	mkfifo(t, w.path("go"))
	login := w.login()
	client := w.client(login.Requests)
	failed := make(chan error, 1)
	go func() {
		_, err := w.get(client)
		failed <- err
	}()
	w.awaitFile("started")
	login.Wanted()
	writeLine(t, w.path("go"))
	require.Error(t, <-failed)
	w.requireFailure(client, "exit code 1")
	require.Equal(t, 1, w.runs())
}

func TestWhatIsNotAcceptedIsNotAskedForAgain(t *testing.T) {
	w := newWorld(t, "give wrong")
	w.takes("secret")
	client := w.client(w.login().Requests)
	code, err := w.get(client)
	require.NoError(t, err)
	require.Equal(t, http.StatusUnauthorized, code)
	for range 5 {
		w.requireFailure(client, "does not accept what the plugin gives")
	}
	require.Equal(t, 1, w.runs())
	require.Equal(t, 1, w.requests)
}

// Credentials that were withdrawn before they expire: the request that finds out is
// sent again, body and all.
func TestWhatIsAcceptedNoMoreIsRenewed(t *testing.T) {
	w := newWorld(t, "give secret")
	w.takes("secret")
	client := w.client(w.login().Requests)
	w.requireOK(client)
	w.takes("fresh")
	w.script("give fresh")
	w.later(time.Hour)
	response, err := client.Post(w.server.URL, "text/plain", strings.NewReader("body"))
	require.NoError(t, err)
	response.Body.Close()
	require.Equal(t, http.StatusOK, response.StatusCode)
	require.Equal(t, 2, w.runs())
	require.Empty(t, w.told(), "nobody has noticed anything")
}

func TestARequestWaitsNoLongerThanItsContext(t *testing.T) {
	w := newWorld(t, "trap '' TERM INT; echo >$DIR/started; sleep 600 & wait; wait")
	login := w.login()
	ctx, cancel := context.WithCancelCause(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- login.Await(ctx) }()
	w.awaitFile("started")
	enough := errors.New("enough")
	cancel(enough)
	require.ErrorIs(t, <-ended, enough)
	require.ErrorIs(t, login.Await(ctx), enough, "nothing is begun any more")
	require.Equal(t, 1, w.runs())
}

func TestTheEndIsThePlugins(t *testing.T) {
	for name, script := range map[string]string{
		"a polite one":   "",
		"a stubborn one": "trap '' TERM INT",
	} {
		for kind, silent := range map[string]bool{"with the terminal": false, "without": true} {
			t.Run(name+" "+kind, func(t *testing.T) {
				w := newWorld(t, script+"\nsleep 600 & echo $$ $! >$DIR/started; wait; wait")
				w.gate.Silent = silent
				login := w.login()
				ended := make(chan error, 1)
				go func() { ended <- login.Await(t.Context()) }()
				pids := w.awaitFile("started")
				w.gate.Close()
				require.ErrorIs(t, <-ended, errEnded)
				requireGone(t, strings.Fields(pids))
				require.ErrorIs(t, login.Await(t.Context()), errEnded)
				require.Equal(t, 1, w.runs())
			})
		}
	}
}

// What is started in the moment of the end is not missed.
func TestTheEndIsThatOfAPluginThatStartsOneProcessAfterTheOther(t *testing.T) {
	for kind, silent := range map[string]bool{"with the terminal": false, "without": true} {
		t.Run(kind, func(t *testing.T) {
			w := newWorld(t, "i=0; while [ $i -lt 100 ]; do sleep 600 & echo $! >>$DIR/started; i=$((i+1)); done; wait")
			w.gate.Silent = silent
			ended := make(chan error, 1)
			login := w.login()
			go func() { ended <- login.Await(t.Context()) }()
			w.awaitFile("started")
			w.gate.Close()
			require.ErrorIs(t, <-ended, errEnded)
			requireGone(t, strings.Fields(w.awaitFile("started")))
		})
	}
}

func TestOnlyAnUndoRunsAPluginAfterTheEnd(t *testing.T) {
	w := newWorld(t, "echo >$DIR/started; sleep 600")
	login := w.login()
	requests, undo := w.client(login.Requests), w.client(login.Undo)
	ended := make(chan error, 2)
	for _, client := range []*http.Client{requests, undo} {
		go func() {
			_, err := w.get(client)
			if client == requests {
				ended <- err
			}
		}()
	}
	w.awaitFile("started")
	w.script("give secret")
	w.gate.End()
	require.ErrorIs(t, <-ended, errEnded)
	w.requireOK(undo)
	require.Equal(t, 2, w.runs())
	w.requireOK(requests)
}

func TestAnUndoHasOneAttempt(t *testing.T) {
	w := newWorld(t, "exit 1")
	login := w.login()
	w.gate.End()
	w.requireFailure(w.client(login.Requests), "devtun is ending")
	require.Zero(t, w.runs())
	w.requireFailure(w.client(login.Undo), "exit code 1")
	w.requireFailure(w.client(login.Undo), "devtun is ending")
	require.Equal(t, 1, w.runs())
}

func TestLoginsHaveTheirPluginsRunOneAtATime(t *testing.T) {
	w := newWorld(t, "mkdir $DIR/running || echo >$DIR/both; sleep 0.05; rmdir $DIR/running; give secret")
	var all sync.WaitGroup
	logins := make(map[*Login]bool)
	for _, argument := range []string{"a", "b", "c"} {
		config := w.config()
		other := *w.exec
		other.Args = []string{argument}
		config.ExecProvider = &other
		login, err := w.gate.Login(config)
		require.NoError(t, err)
		logins[login] = true
		again, err := w.gate.Login(config)
		require.NoError(t, err)
		require.Same(t, login, again)
		all.Go(func() { require.NoError(t, login.Await(t.Context())) })
	}
	all.Wait()
	require.Len(t, logins, 3)
	require.Equal(t, 3, w.runs())
	require.NoFileExists(t, w.path("both"))
}

func TestCertificates(t *testing.T) {
	w := newWorld(t, "")
	w.knowsCertificates()
	w.script(w.certificate("first"))
	login := w.login()
	who := func(client *http.Client) string {
		t.Helper()
		response, err := client.Get(w.server.URL)
		require.NoError(t, err)
		defer response.Body.Close()
		name, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		return string(name)
	}
	client := w.client(login.Requests)
	require.Equal(t, "first", who(client))
	require.Equal(t, "first", who(w.client(login.Streams)))
	require.Equal(t, "first", who(w.client(login.Undo)))
	w.script(w.certificate("second"))
	require.Equal(t, "first", who(client))
	w.later(2 * time.Minute)
	require.Equal(t, "second", who(client))
	require.Equal(t, 2, w.runs())
}

func TestGivenCredentialsComeBeforeAPlugin(t *testing.T) {
	w := newWorld(t, "exit 1")
	config := w.config()
	config.BearerToken = "given"
	login, err := w.gate.Login(config)
	require.NoError(t, err)
	require.Nil(t, login)
}

func TestAUserWithoutAPlugin(t *testing.T) {
	w := newWorld(t, "")
	w.exec = nil
	login := w.login()
	require.Nil(t, login)
	require.NoError(t, login.Await(t.Context()))
	login.Wanted()
	w.requireOK(w.client(login.Requests))
}
