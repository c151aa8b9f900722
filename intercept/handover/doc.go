// Package handover puts what an agent hands over, the environment and the
// mounted files of the target's container, where a local process finds it.
//
//	wire.Link.Environment ─▶ Variables ─▶ Format.Encode ─▶ env file, 0600
//	                                      └▶ Command: a local command's environment
//	wire.Link.ReadFiles ─▶ tar ─▶ a tree beside the old one ─▶ swapped in
//
// A Handover is made with Open before anything in the cluster is changed, so
// that a path that cannot be used is known by then; Follow serves it from one
// session after another; Close takes everything away again.
//
// Only what devtun has written is ever replaced or removed. A Ledger in the
// user's state directory says what that is: it is written before the files are,
// and knows them by their sums. So a file of the user's is refused, one that
// the user has changed meanwhile is left, and what a killed devtun has left is
// replaced by the next and removed by Clean. Until then its secrets stay on disk.
//
// Env files have what Command would set: of the agent's environment what does not
// describe a machine (PATH, HOME, HOSTNAME and their like), nor an image (JAVA_HOME and its
// like, unless the manifest has it). The pod's name and addresses are the agent's.
// Files are 0600 and directories 0700 whatever they are in the container; they
// lie under the folder by their path there. Windows has no such modes: there
// the directory's access list counts.
package handover
