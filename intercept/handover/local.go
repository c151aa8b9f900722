package handover

import "strings"

// names are names of variables; one that ends in * is all that begin so.
type names []string

func (all names) has(name string) bool {
	for _, one := range all {
		prefix, begins := strings.CutSuffix(one, "*")
		if name = compared(name); name == one || begins && strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// machines are the variables that describe the machine, the user and the
// terminal that a process runs under. A container's would lead a local process
// to paths, programs and libraries that are not here.
var machines = names{
	"PATH", "HOME", "PWD", "OLDPWD", "SHLVL", "_", "TERM", "SHELL", "USER", "LOGNAME", "HOSTNAME",
	"TMPDIR", "TMP", "TEMP", "IFS", "LD_LIBRARY_PATH", "LD_PRELOAD", "LD_AUDIT", "DYLD_*",
}

// images are the variables by which images tell a language's run time where in them its
// parts are, or which it is. A manifest that names one means the program, though: there the
// author has written it for this workload. What stands here may come from a ConfigMap as
// well, which nobody sees: so it is no more than what is known to do harm.
var images = names{
	"JAVA_HOME", "JAVA_EXE", "JAVA_VERSION", "JRE_HOME", "JDK_HOME", "CLASSPATH", // Java
	"JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS", // agents that are in the image
	"CATALINA_*", "MAVEN_HOME", "GRADLE_HOME",
	"GOPATH", "GOROOT", "GOBIN", "GOCACHE", "GOMODCACHE", "GOENV", "GOTOOLCHAIN", "GOLANG_VERSION",
	"PYTHONHOME", "PYTHONPATH", "PYTHONUSERBASE", "PYTHONSTARTUP", "PYTHONPYCACHEPREFIX",
	"PYTHON_VERSION", "PYTHON_SHA256", "PYTHON_PIP_VERSION", "PYTHON_SETUPTOOLS_VERSION", "PYTHON_GET_PIP_*",
	"VIRTUAL_ENV", "CONDA_*", "PIP_*", "POETRY_*", "PYENV_*", "UV_PYTHON*", "UV_CACHE_DIR", "UV_PROJECT_ENVIRONMENT",
	"NODE_PATH", "NODE_OPTIONS", "NODE_VERSION", "YARN_VERSION", "NVM_*", "NPM_CONFIG_*", "npm_config_*",
	"PNPM_HOME", "COREPACK_HOME",
	"GEM_HOME", "GEM_PATH", "BUNDLE_*", "RUBYLIB", "RUBYOPT", "RUBY_VERSION",
	"PERL5LIB", "PERL5OPT",
	"CARGO_HOME", "RUSTUP_*", "RUST_VERSION",
	"DOTNET_ROOT", "DOTNET_ROOT_*", "DOTNET_VERSION", "ASPNET_VERSION", "DOTNET_STARTUP_HOOKS",
	"DOTNET_ADDITIONAL_DEPS", "DOTNET_SHARED_STORE", "CORECLR_*",
	"PHP_INI_DIR", "PHP_INI_SCAN_DIR", "PHP_VERSION",
	"SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS",
	"LANG", "LANGUAGE", "LC_*", "XDG_*", // locales and folders that are installed there
}
