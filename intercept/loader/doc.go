// Package loader has a few hundred bytes of machine code that unpack a program that
// comes in parts, and run it.
//
//	file, err := loader.ELF("amd64")      // to be executed as /devtun/agent
//	packed, err := loader.Pack(program)   // cut into /devtun/0, /devtun/1, …
//
// A container whose image is not ours runs the loader from a volume, as its command. It
// reads the parts from /devtun, behind each other, unpacks the program into memory that
// the kernel takes for a file (memfd_create(2)), and executes that in its own place, with
// its own arguments and environment: nothing is written, and nothing stays open.
//
// What it cannot do is one line on its standard error, such as
//
//	devtun loader: cannot read /devtun/0, errno 2
//
// and exit code 126.
//
// The code is written down as it is: each instruction is a line with its bytes and what an
// assembler calls them (amd64.go, arm64.go), which the tests have a disassembler confirm.
// code.go puts the ways between them in, elf.go the header before them.
package loader
