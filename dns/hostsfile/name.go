package hostsfile

import (
	"errors"
	"fmt"
	"strings"
)

// Limits of RFC 1123, in bytes.
const (
	maxName  = 253
	maxLabel = 63
)

// ErrReserved marks names that are well formed but not ours to define.
var ErrReserved = errors.New("reserved name")

// CheckName reports why name may not stand in the hosts file; nil means that
// it may. Lower-case labels after RFC 1123 joined by dots, 253 bytes at most,
// neither localhost nor anything under it, and nothing that programs read as
// an address ("10", "1.2").
func CheckName(name string) error {
	if len(name) > maxName {
		return fmt.Errorf("name of %d bytes is longer than %d", len(name), maxName)
	}
	labels := strings.Split(name, ".")
	for _, label := range labels {
		if err := CheckLabel(label); err != nil {
			return fmt.Errorf("name %q: %w", name, err)
		}
	}
	last := labels[len(labels)-1]
	if last == "localhost" {
		return fmt.Errorf("%w %q: it belongs to this machine", ErrReserved, name)
	}
	if readsAsNumber(last) {
		return fmt.Errorf("%w %q: it reads as an address", ErrReserved, name)
	}
	return nil
}

// CheckLabel reports why label may not be a part of a name, between two dots.
func CheckLabel(label string) error {
	if label == "" {
		return errors.New("empty label")
	}
	if len(label) > maxLabel {
		return fmt.Errorf("label of %d bytes is longer than %d", len(label), maxLabel)
	}
	for i := range len(label) {
		c := label[i]
		inner := i > 0 && i < len(label)-1
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && (c != '-' || !inner) {
			return fmt.Errorf("label %q: byte %q is not allowed there", label, c)
		}
	}
	return nil
}

// readsAsNumber reports whether inet_aton, and every resolver that asks it
// before the hosts file, would take a name with this last label for an address.
func readsAsNumber(label string) bool {
	digits, hex := strings.CutPrefix(label, "0x")
	allowed := "0123456789"
	if hex {
		allowed += "abcdef"
	}
	return strings.Trim(digits, allowed) == ""
}
