package status

import (
	"maps"
	"slices"

	"github.com/devtun/devtun/intercept"
)

// Link says how the link to an agent's pod goes.
type Link struct {
	Pod    string `json:"pod"`
	Way    string `json:"way"`              // "proxy": the API server's pod proxy, "portforward"
	WhyNot string `json:"whyNot,omitempty"` // it does not go by the pod proxy, once that is known
}

// linked is what was told last of the link to each pod.
type linked map[string]intercept.LinkEvent

// now are the links there are, by pod, and how many of their pods are heard.
func (l linked) now() (links []Link, connected int) {
	links = make([]Link, 0, len(l))
	for _, pod := range slices.Sorted(maps.Keys(l)) {
		link := l[pod]
		if link.State == intercept.Disconnected {
			continue
		}
		links = append(links, Link{Pod: pod, Way: string(link.Way), WhyNot: link.WhyNot})
		if link.State == intercept.Connected {
			connected++
		}
	}
	return links, connected
}
