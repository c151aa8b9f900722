package vscode

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// stepTimeout bounds one step: a debugger's start may take that long on a busy machine.
const stepTimeout = 90 * time.Second

// step is what page.mjs is told to do.
type step struct {
	Do       string `json:"do"`
	URL      string `json:"url,omitempty"`
	Keys     string `json:"keys,omitempty"`
	Text     string `json:"text,omitempty"`
	Selector string `json:"selector,omitempty"`
	Path     string `json:"path,omitempty"`
	Timeout  int64  `json:"timeout"` // ms
}

// answer is what it says.
type answer struct {
	Texts []string `json:"texts"`
	Error string   `json:"error"`
}

// Press presses a key, as "F5" or "Control+G".
func (e *Editor) Press(ctx context.Context, keys string) error {
	return e.do(ctx, step{Do: "press", Keys: keys}, nil)
}

// Breakpoint sets one where the cursor is. The editor is ready for F5 then.
func (e *Editor) Breakpoint(ctx context.Context) error { return e.do(ctx, step{Do: "breakpoint"}, nil) }

// Type types text.
func (e *Editor) Type(ctx context.Context, text string) error {
	return e.do(ctx, step{Do: "type", Text: text}, nil)
}

// Wait waits until an element is shown that the CSS selector fits and that has text in it,
// and returns the texts of all such.
func (e *Editor) Wait(ctx context.Context, selector, text string) (texts []string, err error) {
	return texts, e.do(ctx, step{Do: "wait", Selector: selector, Text: text}, &texts)
}

// Gone waits until there is none.
func (e *Editor) Gone(ctx context.Context, selector string) error {
	return e.do(ctx, step{Do: "gone", Selector: selector}, nil)
}

// Click clicks on such an element; twice if twice.
func (e *Editor) Click(ctx context.Context, selector, text string, twice bool) error {
	s := step{Do: "click", Selector: selector, Text: text}
	if twice {
		s.Do = "twice"
	}
	return e.do(ctx, s, nil)
}

// Picture saves what is seen, as PNG.
func (e *Editor) Picture(ctx context.Context, path string) error {
	return e.do(ctx, step{Do: "picture", Path: path}, nil)
}

func (e *Editor) do(ctx context.Context, s step, texts *[]string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.Timeout = stepTimeout.Milliseconds()
	line, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if _, err := e.steps.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("tell the browser: %w", err)
	}
	said, err := e.answers.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("the browser has ended: %w", err)
	}
	var a answer
	if err := json.Unmarshal(said, &a); err != nil {
		return fmt.Errorf("the browser said %q: %w", said, err)
	}
	if a.Error != "" {
		return errors.New(a.Error)
	}
	if texts != nil {
		*texts = a.Texts
	}
	return nil
}
