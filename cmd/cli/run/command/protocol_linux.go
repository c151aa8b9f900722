package command

import (
	"encoding/gob"
	"errors"
	"net"
	"syscall"
	"time"

	"github.com/devtun/devtun/cmd/cli/run/view"
)

// The socket between devtun and its keeper carries gob values, which keep
// arguments that are not UTF-8 as they are.
//
//	devtun -> keeper: a job, then the number of each signal to pass on; the end
//	                  of the stream, by whatever cause, ends the program
//	keeper -> devtun: one begun, before the program is started, and one report, when
//	                  all is over
type job struct {
	Path      string
	Args, Env []string
	Grace     time.Duration
	RestGrace time.Duration
	Hosts     string
	Files     view.Files
	Apart     bool
	// User: the keeper is in a user namespace of its own, and what rights it has
	// there are not the program's.
	User bool
}

// begun is how the program begins.
type begun struct {
	Unshown []view.Unshown
}

type report struct {
	Code int
	Left []int
	// Failed is where the keeper had to give up before the program ran.
	Failed step
	Text   string
	Errno  syscall.Errno
}

type step int

const (
	ran step = iota
	failedToShow
	failedToStart
)

// failure reports err, which happened at a step.
func failure(at step, err error) report {
	r := report{Failed: at, Text: err.Error()}
	errors.As(err, &r.Errno)
	return r
}

func (r report) err() error { return &keeperError{r.Text, r.Errno} }

// keeperError is an error that happened in the keeper.
type keeperError struct {
	text  string
	errno syscall.Errno
}

func (e *keeperError) Error() string { return e.text }

func (e *keeperError) Unwrap() error {
	if e.errno == 0 {
		return nil
	}
	return e.errno
}

// sendTimeout bounds one write to the socket.
const sendTimeout = 10 * time.Second

// sender writes values to a socket.
type sender struct {
	conn    *net.UnixConn
	encoder *gob.Encoder
}

func newSender(conn *net.UnixConn) sender { return sender{conn, gob.NewEncoder(conn)} }

func (s sender) send(value any) error {
	if err := s.conn.SetWriteDeadline(time.Now().Add(sendTimeout)); err != nil {
		return err
	}
	return s.encoder.Encode(value)
}
