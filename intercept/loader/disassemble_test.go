package loader

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/arch/arm64/arm64asm"
	"golang.org/x/arch/x86/x86asm"
)

// disassemblers say of the first instruction what it is, with addresses for distances,
// and its size in bytes.
var disassemblers = map[string]func(code []byte, at uint64) (text string, size int, err error){
	"amd64": disassembleAMD64, "arm64": disassembleARM64,
}

// Each instruction is what stands beside it.
func TestTheTextIsTheCode(t *testing.T) {
	for arch, machine := range machines {
		lines, disassemble := machine.lines, disassemblers[arch]
		l, err := assemble(origin+headers, lines, texts(Directory))
		require.NoError(t, err)
		for i, line := range lines {
			if line.code == "" {
				continue
			}
			at := l.starts[i]
			code, err := line.bytes()
			require.NoError(t, err)
			text, size, err := disassemble(l.code[at-origin-headers:], at)
			require.NoError(t, err, line.text)
			assert.Equal(t, line.text, l.named(line, text), line.code)
			require.Equal(t, len(code), size, line.text)
		}
	}
}

// named is a disassembled instruction with the place for its address.
func (l *listing) named(line line, text string) string {
	address := fmt.Sprintf("%#x", l.labels[line.target()])
	for _, sign := range []string{" ", " #"} {
		if before, found := strings.CutSuffix(text, sign+address); found {
			return before + " " + line.target()
		}
	}
	return text
}

func disassembleAMD64(code []byte, at uint64) (text string, size int, err error) {
	instruction, err := x86asm.Decode(code, 64)
	return x86asm.IntelSyntax(instruction, at, nil), instruction.Len, err
}

func disassembleARM64(code []byte, at uint64) (text string, size int, err error) {
	instruction, err := arm64asm.Decode(code)
	for i, arg := range instruction.Args {
		if distance, is := arg.(arm64asm.PCRel); is {
			instruction.Args[i] = arm64asm.Imm64{Imm: at + uint64(distance)}
		}
	}
	text = comma.ReplaceAllString(arm64asm.GNUSyntax(instruction), ", ")
	return belowZero.ReplaceAllStringFunc(text, func(number string) string {
		value, _ := strconv.ParseUint(number, 0, 64)
		return fmt.Sprintf("%#x", int64(value))
	}), 4, err
}

// comma is written with and without a space.
var comma = regexp.MustCompile(`, ?`)

// belowZero are numbers that the disassembler writes as large ones.
var belowZero = regexp.MustCompile(`0xf{8}[0-9a-f]{8}`)
