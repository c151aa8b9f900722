package wire

import (
	"fmt"
	"log/slog"
	"strings"
)

// muxLog is yamux's logger. What it says is detail: every error that matters
// comes back from Run too.
type muxLog struct{ log *slog.Logger }

func (l muxLog) Print(v ...any)                 { l.debug(fmt.Sprint(v...)) }
func (l muxLog) Printf(format string, v ...any) { l.debug(fmt.Sprintf(format, v...)) }
func (l muxLog) Println(v ...any)               { l.debug(fmt.Sprintln(v...)) }

func (l muxLog) debug(text string) { l.log.Debug("mux: " + strings.TrimSpace(text)) }
