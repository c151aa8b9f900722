package credential

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"k8s.io/client-go/transport"
	"k8s.io/client-go/util/connrotation"

	"github.com/devtun/devtun/internal/pause"
)

const (
	// firstPause and longestPause bound the pause after a failed attempt, as long as
	// nobody wants anything but devtun itself.
	firstPause, longestPause = 15 * time.Second, 15 * time.Minute

	// firstWanted and longestWanted bound it when somebody does: the first one has an
	// attempt made at once. That may be a program that connects all night, too.
	firstWanted, longestWanted = 2 * time.Second, 2 * time.Minute

	// young is the age of credentials below which their refusal is the plugin's
	// failure: another attempt would give the like.
	young = firstPause

	// interruptTime is how long a request waits for its own end when its plugin was
	// interrupted: Ctrl-C reaches both, the plugin first perhaps.
	interruptTime = 500 * time.Millisecond
)

// Login is the credentials of one user of one cluster, as a plugin gives them. A nil
// Login is a user without a plugin.
type Login struct {
	gate   *Gate
	plugin *plugin

	holder *transport.GetCertHolder // by its address connections are shared
	conns  *connrotation.ConnectionTracker
	dialer *transport.DialHolder

	// Under gate.mu:
	current  *credentials // the last ones; nil: none yet
	attempt  *attempt     // under way; nil: none
	failure  *Error       // of the last attempt; nil after a success
	alone    pace         // of attempts that devtun makes by itself
	asked    pace         // of those that somebody wants
	wanted   bool         // somebody does
	asking   time.Time    // when the last of these failed
	worked   bool         // at some time
	told     bool         // that it does not any more
	lastUndo bool         // the attempt after the end has been made
}

// attempt is one run of the plugin, for all who wait. What it gives is set before done
// is closed.
type attempt struct {
	done  chan struct{}
	creds *credentials
	err   error
	asked bool // somebody wants it, under gate.mu
}

func newLogin(g *Gate, p *plugin) *Login {
	l := &Login{
		gate: g, plugin: p, conns: connrotation.NewConnectionTracker(),
		alone: pace{first: firstPause, longest: longestPause},
		asked: pace{first: firstWanted, longest: longestWanted},
	}
	dialer := &net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}
	l.dialer = &transport.DialHolder{Dial: connrotation.NewDialerWithTracker(dialer.DialContext, l.conns).DialContext}
	l.holder = &transport.GetCertHolder{GetCert: l.certificate}
	return l
}

// Plugin is the name of the program.
func (l *Login) Plugin() string { return l.plugin.name() }

// NeedsTerminal reports that the program cannot do without a person.
func (l *Login) NeedsTerminal() bool { return l != nil && l.plugin.needsTerminal() }

// Await waits for credentials, for as long as ctx lasts: a person may be asked for them.
func (l *Login) Await(ctx context.Context) error {
	if l == nil {
		return nil
	}
	_, err := l.get(ctx, false)
	return err
}

// Wanted is told that somebody wants to reach the cluster: after a failure, the next
// request has the plugin run again at once. That is for all who come at about the same
// time; and who comes again and again is made to wait longer and longer.
func (l *Login) Wanted() {
	if l == nil {
		return
	}
	l.gate.mu.Lock()
	defer l.gate.mu.Unlock()
	now := l.gate.now()
	switch {
	case l.current.valid(now):
	case l.attempt != nil:
		l.attempt.asked = true // it is theirs as well
	case now.Sub(l.asking) >= firstWanted:
		l.wanted = true
	}
}

// get returns valid credentials. If there are none it waits for the attempt that is
// under way, or makes one if that is due. An undo may make one more after the end.
func (l *Login) get(ctx context.Context, undo bool) (*credentials, error) {
	g := l.gate
	for {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		g.mu.Lock()
		now := g.now()
		if l.current.valid(now) {
			defer g.mu.Unlock()
			return l.current, nil
		}
		ended := isClosed(g.ending)
		a := l.attempt
		if a == nil {
			if err := l.refuse(now, ended, undo); err != nil {
				g.mu.Unlock()
				return nil, err
			}
			a = l.begin(ended)
		}
		g.mu.Unlock()

		select {
		case <-a.done:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		if errors.Is(a.err, errInterrupted) {
			if pause.Sleep(ctx, interruptTime) != nil {
				return nil, context.Cause(ctx)
			}
		}
		if undo && !ended && errors.Is(a.err, errEnded) {
			continue // it was of the time before
		}
		return a.creds, a.err
	}
}

// refuse is why no attempt may be made now, nil if one may. Call it with mu held.
func (l *Login) refuse(now time.Time, ended, undo bool) error {
	switch {
	case l.gate.closed || ended && (!undo || l.lastUndo):
		return &Error{Err: errEnded}
	case ended, l.failure == nil, l.alone.due(now), l.wanted && l.asked.due(now):
		return nil
	}
	return l.failure
}

// begin begins an attempt, the last one after the end. Call it with mu held.
func (l *Login) begin(last bool) *attempt {
	a := &attempt{done: make(chan struct{}), asked: l.wanted}
	l.attempt, l.wanted = a, false
	end := l.gate.ending
	if last {
		l.lastUndo = true
		end = l.gate.closing
	}
	l.gate.running.Go(func() {
		ctx, cancel := until(end)
		defer cancel()
		if last {
			ctx, cancel = context.WithTimeoutCause(ctx, undoTime, errLate)
			defer cancel()
		}
		creds, err := l.gate.run(ctx, l.plugin, last)
		if err != nil && ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		l.gate.say(l.finish(a, creds, err))
	})
	return a
}

// finish ends an attempt. It returns what there is to tell.
func (l *Login) finish(a *attempt, creds *credentials, err error) *Notice {
	l.gate.mu.Lock()
	defer l.gate.mu.Unlock()
	defer close(a.done)
	l.attempt = nil
	if err != nil {
		failure := &Error{Err: err}
		if errors.As(err, new(*notFoundError)) {
			failure.Install = l.plugin.config.InstallHint
		}
		a.err = failure
		if errors.Is(err, errEnded) {
			return nil
		}
		return l.failed(failure, a.asked)
	}
	before := l.current
	creds.since = l.gate.now()
	a.creds, l.current, l.failure = creds, creds, nil
	if before != nil && !sameCertificate(before.certificate, creds.certificate) {
		l.conns.CloseAll() // a connection stays the old certificate's for good
	}
	return nil
}

// failed notes a failure, and returns what there is to tell. Call it with mu held.
func (l *Login) failed(failure *Error, asked bool) *Notice {
	now := l.gate.now()
	l.failure = failure
	l.alone.failed(now)
	if asked {
		l.asking = now
		l.asked.failed(now)
	}
	if !l.worked || l.told {
		return nil
	}
	l.told = true
	return &Notice{Login: l, Err: failure}
}

// accept notes that the API server takes the credentials.
func (l *Login) accept(creds *credentials) { l.gate.say(l.accepted(creds)) }

func (l *Login) accepted(creds *credentials) *Notice {
	l.gate.mu.Lock()
	defer l.gate.mu.Unlock()
	if creds.accepted {
		return nil
	}
	creds.accepted, l.worked = true, true
	l.alone.succeeded()
	l.asked.succeeded()
	if !l.told {
		return nil
	}
	l.told = false
	return &Notice{Login: l}
}

// reject notes that the API server does not take the credentials. It reports whether
// others may be had. Those that are new, or were never taken, are the best there are:
// then it is as if the plugin had failed.
func (l *Login) reject(creds *credentials) bool {
	notice, others := l.rejected(creds)
	l.gate.say(notice)
	return others
}

func (l *Login) rejected(creds *credentials) (notice *Notice, others bool) {
	l.gate.mu.Lock()
	defer l.gate.mu.Unlock()
	if l.current != creds || creds.refused {
		return nil, l.failure == nil // somebody has noticed before
	}
	creds.refused = true
	if creds.accepted && l.gate.now().Sub(creds.since) >= young {
		return nil, true
	}
	return l.failed(&Error{Err: fmt.Errorf("exec: %s: %w", l.plugin.name(), errRefused)}, true), false
}

// certificate is the current one for a connection that is being made. The request that
// needs it has seen to it that there is one.
func (l *Login) certificate() (*tls.Certificate, error) {
	l.gate.mu.Lock()
	defer l.gate.mu.Unlock()
	if l.current == nil {
		return nil, nil
	}
	return l.current.certificate, nil
}
