package target

import (
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
)

// Rules are rights as a Role grants them: those about the same things together.
func Rules(rights []Right) []rbacv1.PolicyRule {
	var rules []rbacv1.PolicyRule
	for _, r := range rights {
		rule := r.rule()
		i := slices.IndexFunc(rules, func(other rbacv1.PolicyRule) bool {
			return slices.Equal(other.APIGroups, rule.APIGroups) && slices.Equal(other.Resources, rule.Resources) &&
				slices.Equal(other.ResourceNames, rule.ResourceNames)
		})
		if i < 0 {
			rules = append(rules, rule)
		} else if !slices.Contains(rules[i].Verbs, r.Verb) {
			rules[i].Verbs = append(rules[i].Verbs, r.Verb)
		}
	}
	return rules
}
