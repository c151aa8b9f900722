// Package vscode is VS Code for tests: the real one, as the npm package code-server has
// it, and a browser without a window that presses its keys.
//
//	err := vscode.Install(ctx, progress)        // once on a machine: from npm and Debian
//	editor, err := vscode.Open(ctx, vscode.Options{Folder: folder, File: "server.js", …})
//	err = editor.Press(ctx, "F5")
//	texts, err := editor.Wait(ctx, ".monaco-dialog-box", "Errors exist")
//	err = editor.Close()
//
// The server listens on this machine's loopback alone. What Open starts, Close ends.
package vscode
