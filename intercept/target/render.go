package target

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/devtun/devtun/intercept/claim"
	"github.com/devtun/devtun/intercept/plan"
)

// Render writes, as YAML documents with comments, all that a plan would create
// and patch, in order, for whose claim is the first, and then what would undo it.
func Render(w io.Writer, p *plan.Plan, c claim.Claim) error {
	store, err := p.Store(c)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "# Intercept of %s in namespace %s (%s).\n", p.Workload, p.Namespace, p.Mode)
	fmt.Fprintf(&out, "# %s and %s stand for the UIDs of %s and of the ConfigMap, which the cluster gives them.\n",
		plan.RootUID, plan.PlanUID, p.Root)
	when := "in the same request"
	if len(p.Swap) > 0 && p.Swap[0].Carrier != "" {
		when = "in a request before it"
	}
	fmt.Fprintf(&out,
		"# Each change also writes its undo on the object, %s (%s: an annotation of Services, a label of workloads); "+
			"restoring removes it.\n", when, plan.UndoMark)
	render := func(what string, request plan.Request) {
		if err == nil {
			err = document(&out, what, request)
		}
	}
	render("prepare: store this plan", store)
	for _, step := range p.Prepare {
		render("prepare: "+step.What, step.Do)
		if step.Object == p.Root && len(p.Program) > 0 {
			fmt.Fprintf(&out, "---\n# prepare: create ConfigMaps %s, immutable, with the agent's program,\n"+
				"# where they do not stand already, and add %s to their owners\n", strings.Join(p.Program, ", "), p.Root)
		}
	}
	for _, step := range p.Swap {
		render("swap: "+step.What, step.Do)
	}
	if p.MoveConnections {
		fmt.Fprintf(&out,
			"---\n# then, while the local process answers: evict the pods of %s, one at a time, each once the last one's "+
				"successor is ready\n", p.Workload)
	}
	for _, step := range slices.Backward(p.Swap) {
		render(fmt.Sprintf("restore: bring %s back", step.Object), *step.Undo)
	}
	render("restore: remove what was created: "+p.Root.String()+" owns it all", p.Remove.Root)
	render("restore: remove the plan", p.Remove.Plan)
	if err != nil {
		return err
	}
	_, err = w.Write(out.Bytes())
	return err
}

// RenderJoin writes, as a YAML document with comments, the claim by which an intercept that
// stands would be joined.
func RenderJoin(w io.Writer, p *plan.Plan, c claim.Claim) error {
	text, err := yaml.Marshal(c)
	if err != nil {
		return fmt.Errorf("write claim: %w", err)
	}
	_, err = fmt.Fprintf(w, "# Intercept of %s in namespace %s (%s): it stands.\n---\n"+
		"# join: add this claim to the others, in ConfigMap %q, %s\n%s",
		p.Workload, p.Namespace, p.Mode, plan.ObjectName(p.Name), plan.ClaimsKey, text)
	return err
}

// document writes one request: an object as it is, anything else as a list of
// what it does.
func document(out *bytes.Buffer, what string, request plan.Request) error {
	var body any
	if err := json.Unmarshal(request.Body, &body); err != nil {
		return fmt.Errorf("read plan: %w", err)
	}
	text, err := yaml.Marshal(body)
	if err != nil {
		return fmt.Errorf("write plan: %w", err)
	}
	fmt.Fprintf(out, "---\n# %s\n# %s %s\n%s", what, request.Method, request.Path, text)
	return nil
}
