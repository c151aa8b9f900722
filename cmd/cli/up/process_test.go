//go:build unix

package up

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/cmd/cli/run/command"
	"github.com/devtun/devtun/cmd/cli/status"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == command.Keeper {
		if err := command.Keep(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// shell is a program of a shell's.
func shell(t *testing.T, name, script string) wantedRun {
	return wantedRun{name: name, command: []string{"sh", "-c", script}, dir: t.TempDir()}
}

// says waits for what the session says.
func (s *recordedSession) says(t *testing.T, text string) {
	t.Helper()
	require.Eventually(t, func() bool { return strings.Contains(s.said(), text) }, 10*time.Second, 5*time.Millisecond,
		"%q is not in what is said: %s", text, s.said())
}

func (s *recordedSession) said() string {
	s.session.log.mu.Lock()
	defer s.session.log.mu.Unlock()
	return s.log.String()
}

func (s *recordedSession) state(name string) (r status.Run) {
	for _, run := range s.Snapshot().Runs {
		if run.Name == name {
			return run
		}
	}
	return r
}

// TestAProgramFromItsStartToItsEnd runs beside the others, is started again, and ends by
// itself without taking the session along.
func TestAProgramFromItsStartToItsEnd(t *testing.T) {
	s := newRecordedSession(t)
	web := shell(t, "web",
		`echo "hello $NAME in $PWD"; echo oops >&2; trap 'echo bye; exit 4' TERM; while :; do sleep 0.01; done`)
	web.env = []string{"NAME=you"}
	short := shell(t, "short", "printf 'no end'; exit 7")
	s.nameWidth.Store(int32(widthOf([]wantedRun{web, short})))
	require.NoError(t, s.beginRuns(t.Context(), nil, []wantedRun{web, short}, false))
	s.says(t, "web   | hello you in "+web.dir+"\n")
	s.says(t, "web   | oops\n")
	s.says(t, "short | no end\n")
	s.says(t, "warning: short has ended with exit code 7\nhint: 'devtun restart short' starts it again\n")
	require.Equal(t, status.Running, s.state("web").State)
	require.Equal(t, 7, s.state("short").ExitCode)
	require.Equal(t, status.Ended, s.state("short").State)

	end, begin := diffRuns(s.heldRuns(), []wantedRun{web, short})
	require.Equal(t, []string{"short"}, end, "what has ended is started again")
	require.Equal(t, []wantedRun{short}, begin)

	require.NoError(t, s.restart(t.Context(), []string{"short"}))
	require.NoError(t, s.restart(t.Context(), nil))
	require.Equal(t, 2, s.state("web").Starts)
	require.Equal(t, 3, s.state("short").Starts)
	require.Contains(t, s.said(), "web   | bye\n")
	require.NotContains(t, s.said(), "web has ended", "it was asked to")
	require.ErrorContains(t, s.restart(t.Context(), []string{"wb"}), `no program "wb" in this session`)

	require.NoError(t, s.endRuns([]string{"web"}))
	require.Empty(t, s.state("web").Name)
	require.ErrorContains(t, s.restart(t.Context(), []string{"web"}), `no program "web" in this session`)
	require.NoError(t, s.endAllRuns())
	require.ErrorContains(t, s.restart(t.Context(), nil), "no program runs in this session")
}

func TestAProgramThatCannotBeStarted(t *testing.T) {
	none := wantedRun{name: "web", command: []string{"nosuchprogram_"}, dir: t.TempDir()}
	require.EqualError(t, checkRuns([]wantedRun{none}),
		"run web: start nosuchprogram_: executable file not found in $PATH")
	none.dir = filepath.Join(none.dir, "none")
	require.EqualError(t, checkRuns([]wantedRun{none}), "run web: start nosuchprogram_: there is no folder "+none.dir)
}

// TestWhatAnswersIsRenewed: the program of an intercept that stays, and not the intercept.
func TestWhatAnswersIsRenewed(t *testing.T) {
	s := newRecordedSession(t)
	ctx, end := context.WithCancel(t.Context())
	answers := s.newProcess("web")
	first := shell(t, "web", "echo first; exec sleep 100")
	ended := make(chan struct{})
	go func() {
		answers.run(ctx, first, func(*command.Command) {})
		close(ended)
	}()
	answers.await(t.Context())
	w := wantedIntercept{settings: interceptSettings{workload: "web"}, run: first}
	s.intercepts[w.key()] = &heldIntercept{&plannedIntercept{w, nil, answers}, &task{over: make(chan struct{})}}
	require.NoError(t, s.renewAnswers(t.Context(), []wantedIntercept{w}))
	require.EqualValues(t, 1, answers.starts.Load(), "nothing has changed")
	w.run = shell(t, "web", "echo second; exit 1")
	require.True(t, s.intercepts[w.key()].want.equal(w))
	require.NoError(t, s.renewAnswers(t.Context(), []wantedIntercept{w}))
	s.says(t, "second\n")
	s.says(t, "web has ended with exit code 1")
	require.NoError(t, s.renewAnswers(t.Context(), []wantedIntercept{w}))
	require.EqualValues(t, 3, answers.starts.Load(), "it had ended")
	end()
	<-ended
	delete(s.intercepts, w.key())
	w.run = wantedRun{}
	require.False(t, w.equal(wantedIntercept{settings: w.settings, run: first}), "without a program it is another one")
}
