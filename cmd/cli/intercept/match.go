package intercept

import (
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/devtun/devtun/cmd/cli/agents"
	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/intercept/claim"
)

// OwnName stands for this user's name as a personal key. It cannot be one.
const OwnName = "your name"

// Match is which requests are wanted, as typed. The zero value is all of them.
type Match struct {
	Headers  []string // NAME=VALUE or NAME~REGEXP; all of them
	Path     string   // how it begins, or ~REGEXP
	Methods  []string // one of them
	Personal string   // the key of --personal, OwnName for the user's; "" is none
}

// AddFlags adds the flags that say which requests are wanted.
func (m *Match) AddFlags(flags *pflag.FlagSet) {
	flags.StringArrayVar(&m.Headers, "header", nil,
		"only requests with this header: NAME=VALUE, or 'NAME~REGEXP'; repeat it for those that have several")
	flags.StringVar(&m.Path, "path", "",
		"only requests whose path begins so, as in /api/, or matches a regular expression, as in '~^/v[12]/'")
	flags.StringSliceVar(&m.Methods, "method", nil, "only requests with one of these methods, as in POST,PUT")
	flags.StringVar(&m.Personal, "personal", "",
		"only requests with the header 'baggage: devtun=KEY', which OpenTelemetry passes on by itself")
	flags.Lookup("personal").NoOptDefVal = OwnName
}

// CheckFlags refuses what cannot be told from the values alone.
func (m *Match) CheckFlags(flags *pflag.FlagSet) error {
	if flags.Changed("personal") && m.Personal == "" {
		return problem.Usage("give one, or write --personal alone for your name", "--personal= names no key")
	}
	return nil
}

// rule is what was typed, as the agents have it.
func (m Match) rule() (claim.Rule, error) {
	rule := claim.Rule{Path: m.Path}
	for _, text := range m.Headers {
		header, err := claim.ParseHeader(text)
		if err != nil {
			return rule, problem.Usage("write NAME=VALUE or 'NAME~REGEXP', as in --header x-tester=7",
				"--header: %w", err)
		}
		rule.Headers = append(rule.Headers, header)
	}
	if key := m.Personal; key != "" {
		if key == OwnName {
			key = ownKey()
		}
		if key == "" {
			return rule, problem.Usage("write --personal=KEY", "the system does not tell your name, for --personal")
		}
		if strings.ContainsFunc(key, notInBaggage) {
			return rule, problem.Usage(`give letters, digits and the like: no spaces, commas, semicolons, quotes or \`,
				"--personal: a baggage header cannot hold %q", key)
		}
		rule.Headers = append(rule.Headers, claim.Personal(key))
	}
	for _, method := range m.Methods {
		rule.Methods = append(rule.Methods, strings.ToUpper(method))
	}
	slices.Sort(rule.Methods)
	rule.Methods = slices.Compact(rule.Methods)
	if _, err := rule.Compile(); err != nil {
		return rule, problem.Usage("write --path /PREFIX or --path '~REGEXP', and --method POST,PUT",
			"what is to match: %w", err)
	}
	return rule, nil
}

// Equal reports that the same was typed.
func (m Match) Equal(other Match) bool {
	return slices.Equal(m.Headers, other.Headers) && m.Path == other.Path &&
		slices.Equal(m.Methods, other.Methods) && m.Personal == other.Personal
}

// notInBaggage reports that a value of a baggage header may not have the character as it
// is (W3C Baggage, section 3.3.1: baggage-octet).
func notInBaggage(c rune) bool { return c <= ' ' || c > '~' || strings.ContainsRune(`",;\`, c) }

// ownKey is the user's name, made fit for a baggage header.
func ownKey() string { return fit(agents.ThisUser()) }

// fit is a user's name without its domain (Windows has one), and with a dash for each
// character that a baggage header may not have.
func fit(name string) string {
	name = name[strings.LastIndex(name, `\`)+1:]
	return strings.Map(func(c rune) rune {
		if notInBaggage(c) {
			return '-'
		}
		return c
	}, name)
}

// checkMatch refuses what cannot go together, and computes the rule.
func (o *Options) checkMatch() (err error) {
	if o.rule, err = o.Match.rule(); err != nil {
		return err
	}
	all := o.rule.All()
	switch {
	case o.Replace && !all:
		return problem.Usage("use one of them",
			"with --replace no pods are left for the requests that do not match")
	case o.Replace && o.Mirror:
		return problem.Usage("use one of them", "with --replace no pods are left whose requests --mirror could copy")
	case o.Mirror && o.TLS:
		return problem.Usage("leave --tls out",
			"--tls has TLS connections answered here, and what --mirror copies is answered by the cluster")
	case o.Mirror && o.Mark:
		return problem.Usage("leave --mark out", "--mark is about answers, and those to --mirror's copies are dropped")
	case o.TLS && all:
		return problem.Usage("leave it out, or say which requests are wanted: --header, --path, --method, --personal",
			"--tls is beside a rule: without one all connections come here, TLS too")
	}
	return nil
}
