package helper

import "syscall"

const stopSignal = syscall.SIGTERM // there is no Ctrl-Z
