package live

import "os"

func foreground(*os.File) bool { return true }
