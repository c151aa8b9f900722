package target

import (
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
)

// Right is one thing that somebody must be allowed to do in a namespace.
type Right struct {
	Verb, Group, Resource, Subresource string
	// Name is the one object that it is about; "" for all.
	Name string
	// Without says what is lost without it; "" if it cannot be done without.
	Without string
}

func (r Right) String() string {
	name := r.Resource
	if r.Group != "" {
		name += "." + r.Group
	}
	if r.Subresource != "" {
		name += "/" + r.Subresource
	}
	if r.Name != "" {
		name += " " + r.Name
	}
	return r.Verb + " " + name
}

func (r Right) rule() rbacv1.PolicyRule {
	rule := rbacv1.PolicyRule{APIGroups: []string{r.Group}, Resources: []string{r.Resource}, Verbs: []string{r.Verb}}
	if r.Subresource != "" {
		rule.Resources[0] += "/" + r.Subresource
	}
	if r.Name != "" {
		rule.ResourceNames = []string{r.Name}
	}
	return rule
}

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
