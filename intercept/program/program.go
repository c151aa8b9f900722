// Package program has the agent's program as the cluster keeps it: in parts, each the
// content of a ConfigMap that its content names, and with the loader that runs it.
//
//	agent, err := program.New("amd64", packed)
//	for _, part := range agent.Parts() { … } // all in one volume, at loader.Directory
//
// It knows no cluster: who owns the parts, and when they go, is the plan's.
package program

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/devtun/devtun/intercept/loader"
)

const (
	// MaxPart is the most, in bytes, that a part has: somewhat less than the 1 MiB that a
	// ConfigMap takes.
	MaxPart = 1_040_000

	// hashLength, in hexadecimal digits, is enough for versions of one program.
	hashLength = 12
)

// Program is the agent's for one architecture.
type Program struct {
	Arch  string
	parts []Part
}

// Part is a ConfigMap's content.
type Part struct {
	// Name is that of the ConfigMap; another content has another.
	Name string
	// Data has a file each: a part of the packed program, under loader.PartName, and in
	// the first part the loader, under loader.Name. It is not to be changed.
	Data map[string][]byte
}

// New makes a program of what loader.Pack has packed.
func New(arch string, packed []byte) (*Program, error) {
	elf, err := loader.ELF(arch)
	if err != nil {
		return nil, fmt.Errorf("cut program: %w", err)
	}
	sum := sha256.New()
	sum.Write(elf)
	sum.Write(packed)
	hash := hex.EncodeToString(sum.Sum(nil))[:hashLength]

	p := &Program{Arch: arch}
	data, room := map[string][]byte{loader.Name: elf}, MaxPart-len(elf)
	for i := 0; i == 0 || len(packed) > 0; i++ {
		if i == loader.MaxParts {
			return nil, fmt.Errorf("cut program: it has %d bytes too many", len(packed))
		}
		size := min(room, len(packed))
		data[loader.PartName(i)] = packed[:size:size]
		packed = packed[size:]
		p.parts = append(p.parts, Part{Name: fmt.Sprintf(namePrefix+"%s-%s-%d", arch, hash, i), Data: data})
		data, room = make(map[string][]byte), MaxPart
	}
	return p, nil
}

// Parts are at most loader.MaxParts, in their order.
func (p *Program) Parts() []Part { return p.parts }

// Part is the content of the part of that name.
func (p *Program) Part(name string) (data map[string][]byte, ok bool) {
	for _, part := range p.parts {
		if part.Name == name {
			return part.Data, true
		}
	}
	return nil, false
}
