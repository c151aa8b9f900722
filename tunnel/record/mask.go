package record

import (
	"slices"
	"strings"

	"github.com/devtun/devtun/tunnel/proxy"
)

// masked is what is told of a secret.
const masked = "***"

// secretNames and secretParts say which headers, and parameters of queries, are secrets:
// those of that name, and those whose name has that in it.
var (
	secretNames = []string{"authorization", "proxy-authorization", "authentication-info", "cookie", "cookie2",
		"set-cookie", "set-cookie2", "auth", "code", "sig", "jwt", "pwd", "key", "x-forwarded-client-cert"}
	secretParts = []string{"secret", "token", "password", "passwd", "passphrase", "api-key", "apikey", "api_key",
		"access-key", "access_key", "private-key", "private_key", "credential", "signature", "session", "x-auth", "-jwt"}
)

func isSecret(name string) bool {
	name = strings.ToLower(name)
	return slices.Contains(secretNames, name) ||
		slices.ContainsFunc(secretParts, func(part string) bool { return strings.Contains(name, part) })
}

// maskFields are fields without their secrets.
func maskFields(fields []proxy.Field, secrets bool) []Field {
	told := make([]Field, len(fields))
	for i, f := range fields {
		told[i] = Field{f.Name, f.Value}
		if !secrets && (isSecret(f.Name) || f.Sensitive) {
			told[i].Value = masked
		}
	}
	return told
}

// maskTarget is a target without the secrets of its query, and of its userinfo.
func maskTarget(target string, secrets bool) string {
	if secrets {
		return target
	}
	if scheme, rest, absolute := strings.Cut(target, "://"); absolute && !strings.HasPrefix(target, "/") {
		authority, path, _ := strings.Cut(rest, "/")
		if at := strings.LastIndexByte(authority, '@'); at >= 0 {
			target = scheme + "://" + masked + authority[at:] + "/" + path
		}
	}
	path, query, some := strings.Cut(target, "?")
	if !some {
		return target
	}
	parameters := strings.Split(query, "&")
	for i, parameter := range parameters {
		if name, _, has := strings.Cut(parameter, "="); has && isSecret(name) {
			parameters[i] = name + "=" + masked
		}
	}
	return path + "?" + strings.Join(parameters, "&")
}
