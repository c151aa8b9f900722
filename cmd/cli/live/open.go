package live

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
)

// openers are the programs that open a URL as the desktop's user wants it.
var openers = map[string][]string{
	"darwin": {"open"}, "windows": {"rundll32", "url.dll,FileProtocolHandler"},
}

// openURL opens a URL in the user's browser, which outlives this process. The error is why
// that cannot be.
func openURL(url string, env []string) error {
	if os.Geteuid() == 0 {
		return errors.New("devtun runs as root, and a browser does not; y copies it")
	}
	opener := openers[runtime.GOOS]
	if opener == nil {
		if !slices.ContainsFunc(env, isDesktop) {
			return errors.New("there is no desktop here; y copies it")
		}
		opener = []string{"xdg-open"}
	}
	path, err := exec.LookPath(opener[0])
	if err != nil {
		return fmt.Errorf("there is no %s here; y copies it", opener[0])
	}
	cmd := apart(append([]string{path}, append(opener[1:], url)...))
	cmd.Env = env
	return cmd.Run()
}

// isDesktop reports that a variable says where programs open their windows.
func isDesktop(variable string) bool {
	name, value, _ := strings.Cut(variable, "=")
	return value != "" && slices.Contains([]string{"DISPLAY", "WAYLAND_DISPLAY", "BROWSER", "WSL_DISTRO_NAME"}, name)
}
