package plan

import "github.com/devtun/devtun/intercept/claim"

// Joinable fails with what Join would fail with, as far as it can be told of what was read
// a moment ago. One that is being restored counts as joinable: Join says what is to be
// done then.
func (h Held) Joinable(c claim.Claim) error {
	switch {
	case h.Ending:
		return nil
	case len(h.Claims) == 0:
		return ErrOlder
	case h.Mode == Replace:
		return &ModeError{&StandingError{h}}
	}
	_, err := conflicts(c, h.Claims)
	return err
}
