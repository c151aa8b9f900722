package helper

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"

	"github.com/devtun/devtun/dns"
	"github.com/devtun/devtun/dns/hostsfile"
	"github.com/devtun/devtun/dns/loopback"
)

// Version is of the protocol. Program and helper are one executable, so they
// differ only if it was replaced in between.
const Version = 4

// What may be asked for.
const (
	setNames      = "set-names"
	listen        = "listen"
	listenPacket  = "listen-packet"
	addAddress    = "add-address"
	removeAddress = "remove-address"
)

// request is what the program asks for. Each Do has fields of its own; the others
// are empty.
type request struct {
	Do      string            `json:"do"`
	Entries []hostsfile.Entry `json:"entries,omitempty"` // set-names; none removes them
	Listen  netip.AddrPort    `json:"listen,omitzero"`   // listen, listen-packet
	Addr    netip.Addr        `json:"addr,omitzero"`     // add-address, remove-address
}

// parseRequest takes a message apart and refuses whatever devtun would not ask
// for. It is all that stands between root's rights and the peer.
func parseRequest(message []byte) (request, error) {
	var r request
	if err := parse(message, &r); err != nil {
		return request{}, err
	}
	return r, r.check()
}

func (r request) check() error {
	wanted := request{Do: r.Do}
	switch r.Do {
	case setNames:
		wanted.Entries = r.Entries
		if err := dns.CheckManaged(r.Entries); err != nil {
			return err
		}
	case listen, listenPacket:
		wanted.Listen = r.Listen
		if r.Listen.Port() == 0 {
			return errors.New("listen on no port")
		}
		if err := checkAddress(r.Listen.Addr()); err != nil {
			return err
		}
	case addAddress, removeAddress:
		wanted.Addr = r.Addr
		if err := checkAddress(r.Addr); err != nil {
			return err
		}
	default:
		return fmt.Errorf("unknown request %.40q", r.Do)
	}
	if r.Addr != wanted.Addr || r.Listen != wanted.Listen || len(r.Entries) != len(wanted.Entries) {
		return fmt.Errorf("request %s with the fields of another", r.Do)
	}
	return nil
}

// checkAddress refuses what is neither an address that devtun gives a service nor one
// that a pod can have. Whether this very pod's may be taken, loopback.Aliases says.
func checkAddress(addr netip.Addr) error {
	if loopback.CheckPod(addr) == nil {
		return nil
	}
	return loopback.CheckManaged(addr)
}

// answer is what became of a request.
type answer struct {
	Report hostsfile.Report `json:"report,omitzero"` // of set-names
	Error  *failure         `json:"error,omitempty"`
}

// parse is strict: unknown fields and anything behind the value are errors.
func parse(message []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(message))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return fmt.Errorf("parse message: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("parse message: something follows it")
	}
	return nil
}
