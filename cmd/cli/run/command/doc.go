// Package command runs a program of the user's for as long as devtun's names
// stand, and ends with it whatever it started.
//
//	private, err := command.NewPrivateHosts()   // Linux, without the helper
//	hosts, err := hostsfile.New(private.Path())
//	hosts.InPlace(…)
//	…
//	c := command.Command{Args: args, Hosts: private.Path(), In: os.Stdin, Out: os.Stdout, Err: os.Stderr}
//	code, err := c.Run(ctx)
//	err = private.Close()
//
// # The keeper (Linux)
//
//	devtun --socket--> keeper --fork--> program --fork--> whatever it starts
//
// Run starts this executable once more, as the keeper (run_linux.go), and the
// keeper starts the program (keep_linux.go). With a process between them
//
//   - orphans of the program come to the keeper, their subreaper, and to nobody
//     else: all its children are the program's, and all of devtun's are its own,
//   - devtun's death, however it comes, is the end of the socket, and the keeper
//     ends the program and its children then (rest_linux.go),
//   - the keeper can hold the right to mount that the program must not have
//     (package view): for the hosts file, and for files at paths of their own.
//
// All three stay in the process group that devtun was started in, so that the
// terminal and the shell treat them as the one job that they are. That lets the
// keeper see (doubled_linux.go): a signal that it gets as well went to the whole group, the
// program has it already, and it is not passed on a second time.
//
// What the program leaves behind is ended even where it has left its session and its
// parents (a Gradle daemon, adb's server): it would go on in the private view, whose
// names lead nowhere by then, and answer the next call from there.
//
// What this cannot do: end a process that has become another user's (sudo), or,
// when a SIGKILL hits the whole process group at once (kill -9 %1), one that has
// left the group.
//
// # Elsewhere
//
// There is no private view. The program has a process group (run_unix.go) or a
// job (run_windows.go) of its own where that can be, and its children end with
// that.
package command
