package command

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"
)

const (
	// insistWithin is how soon a signal must follow another one to count as its
	// repetition. Who uses Ctrl-C in a program to end a line of input means no more
	// than that.
	insistWithin = 10 * time.Second

	// named and killed are the repetitions that are answered.
	named  = 2
	killed = 3
)

// insistence counts how often in a row a program was asked to end.
type insistence struct {
	last  os.Signal
	at    time.Time
	times int
}

// again notes a signal and returns how often in a row it was that one; 0 for one that
// does not ask for the end.
func (i *insistence) again(s os.Signal, now time.Time) int {
	if s != i.last || now.Sub(i.at) > insistWithin {
		i.times = 0
	}
	i.last, i.at = s, now
	i.times++
	if s != os.Interrupt && s != syscall.SIGTERM {
		return 0
	}
	return i.times
}

// insist reports that the program is to be killed: it goes on after it was asked to end
// for the third time. At the second that is announced.
func (c *Command) insist(i *insistence, s os.Signal) bool {
	times := i.again(s, time.Now())
	name := strings.Join(c.Args, " ")
	switch {
	case times == named:
		c.say(fmt.Sprintf("waiting for '%s' to end; a third time within %v kills it", name, insistWithin))
	case times >= killed:
		c.say(fmt.Sprintf("killing '%s', which has not ended", name))
		return true
	}
	return false
}

func (c *Command) say(text string) {
	if c.Say != nil {
		c.Say(text)
	}
}
