package intercept

import (
	"context"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// Await waits until every agent is ready and connected, and has confirmed what it
// was told of the local processes: from then on the swap loses no connection. Run
// must run meanwhile.
//
// What keeps the agents from that is said by ProgressEvents. What waiting will not
// cure comes at once, as an *AgentError; a pod that no node takes gets some time,
// and a little more if a node is being added. It fails with what Run fails with
// when that ends.
func (s *Session) Await(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	look := newLookout(s)
	looked := make(chan struct{})
	go func() {
		defer close(looked)
		look.run(ctx)
	}()
	defer func() { cancel(); <-looked }()

	began, scheduled, said := time.Now(), time.Now(), ""
	for {
		changed := s.changed.Wait()
		usable, found := s.judge(look)
		if usable >= s.agent.replicas {
			return nil
		}
		if found.waits {
			scheduled = time.Now()
		}
		if failure := s.verdict(found, look, time.Since(began), time.Since(scheduled)); failure != nil {
			s.addLog(ctx, failure)
			return failure
		}
		if found.text() != said {
			said = found.text()
			s.tell(Event{Progress: &ProgressEvent{Message: said}})
		}
		select {
		case <-changed:
		case <-look.news:
		case <-time.After(s.pace.poll): // the bounds
		case <-s.ended:
			return s.over()
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// text is the finding for people.
func (f finding) text() string {
	if f.failure != nil {
		return f.failure.Error()
	}
	return f.state
}

// verdict is the failure for which waiting is over. It began so long ago, and
// since then a node has been there for every pod for as long as scheduled says.
func (s *Session) verdict(f finding, look *lookout, took, scheduled time.Duration) *AgentError {
	switch {
	case f.failure != nil && !f.waits:
		return f.failure
	case f.failure != nil && took > s.pace.scheduleFor(look.scalesUp()):
		return f.failure
	case f.failure == nil && scheduled > s.pace.start:
		return &AgentError{Reason: TimedOut, Message: f.state}
	}
	return nil
}

func (p pace) scheduleFor(scalesUp bool) time.Duration {
	if scalesUp {
		return p.scaleUp
	}
	return p.schedule
}

const (
	// logLines and logBytes bound how much of a crashed agent's log is shown.
	logLines   = 10
	logBytes   = 8 << 10
	logTimeout = 3 * time.Second
)

// addLog adds a crashed agent's last words, if this user may read them.
func (s *Session) addLog(ctx context.Context, failure *AgentError) {
	if failure.Reason != Crash {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, logTimeout)
	defer cancel()
	lines, bytes := int64(logLines), int64(logBytes)
	for _, previous := range []bool{true, false} { // it may be starting again, or not yet
		text, err := s.config.Client.CoreV1().Pods(s.config.Plan.Namespace).GetLogs(failure.Pod, &corev1.PodLogOptions{
			Container: s.agent.container, Previous: previous, TailLines: &lines, LimitBytes: &bytes,
		}).DoRaw(ctx)
		if err == nil && len(text) > 0 {
			failure.Log = strings.TrimSpace(string(text))
			return
		}
	}
}
