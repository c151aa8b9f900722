package dns

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNames(t *testing.T) {
	label63 := strings.Repeat("a", 63)
	for _, c := range []struct {
		about   string
		naming  Naming
		service Service
		want    []string
		wrong   string
	}{
		{
			about:   "another namespace",
			naming:  Naming{Default: "shop"},
			service: Service{Namespace: "bank", Name: "api"},
			want:    []string{"api.bank", "api.bank.svc", "api.bank.svc.cluster.local"},
		},
		{
			about:   "default namespace",
			naming:  Naming{Default: "shop", Domain: "Corp.Example."},
			service: Service{Namespace: "shop", Name: "api"},
			want:    []string{"api", "api.shop", "api.shop.svc", "api.shop.svc.corp.example"},
		},
		{
			about:   "pod of a headless service",
			naming:  Naming{Default: "shop"},
			service: Service{Namespace: "shop", Name: "db", Pod: "db-0"},
			want:    []string{"db-0.db", "db-0.db.shop", "db-0.db.shop.svc", "db-0.db.shop.svc.cluster.local"},
		},
		{
			about:   "pod elsewhere",
			service: Service{Namespace: "shop", Name: "db", Pod: "db-0"},
			want:    []string{"db-0.db.shop", "db-0.db.shop.svc", "db-0.db.shop.svc.cluster.local"},
		},
		{
			about:   "a service named localhost",
			naming:  Naming{Default: "shop"},
			service: Service{Namespace: "shop", Name: "localhost"},
			want:    []string{"localhost.shop", "localhost.shop.svc", "localhost.shop.svc.cluster.local"},
		},
		{
			about:   "a namespace named localhost",
			service: Service{Namespace: "localhost", Name: "api"},
			want:    []string{"api.localhost.svc", "api.localhost.svc.cluster.local"},
		},
		{
			about:   "names that read as addresses",
			naming:  Naming{Default: "10"},
			service: Service{Namespace: "10", Name: "1"},
			want:    []string{"1.10.svc", "1.10.svc.cluster.local"},
		},
		{
			about:   "a domain under localhost",
			naming:  Naming{Domain: "cluster.localhost"},
			service: Service{Namespace: "shop", Name: "api"},
			want:    []string{"api.shop", "api.shop.svc"},
		},
		{
			about:   "an object of the default namespace",
			naming:  Naming{Default: "shop"},
			service: Service{Namespace: "shop", Name: "web-0", Kind: Object},
			want:    []string{"web-0", "web-0.shop"},
		},
		{
			about:   "an object elsewhere",
			service: Service{Namespace: "shop", Name: "web-0", Kind: Object},
			want:    []string{"web-0.shop"},
		},
		{
			about:   "a host",
			naming:  Naming{Default: "shop"},
			service: Service{Namespace: "shop", Name: "DB.internal", Kind: Host},
			want:    []string{"db.internal"},
		},
		{
			about:   "a host that is taken",
			naming:  Naming{Taken: []string{"db.internal"}},
			service: Service{Namespace: "shop", Name: "db.internal", Kind: Host},
			want:    []string{},
		},
		{about: "nameless", service: Service{Namespace: "shop", Name: "10.0.0.1", Kind: Nameless}},
		{about: "no name", service: Service{Namespace: "shop"}, wrong: "empty label"},
		{about: "no namespace", service: Service{Name: "api"}, wrong: "empty label"},
		{about: "dot", service: Service{Namespace: "shop", Name: "a.b"}, wrong: `byte '.'`},
		{about: "newline", service: Service{Namespace: "shop", Name: "api\n"}, wrong: `byte '\n'`},
		{about: "pod", service: Service{Namespace: "shop", Name: "db", Pod: "db 0"}, wrong: `byte ' '`},
		{
			about:   "domain",
			naming:  Naming{Domain: "a b"},
			service: Service{Namespace: "shop", Name: "api"},
			wrong:   `byte ' '`,
		},
		{
			about:   "too long",
			naming:  Naming{Domain: strings.Join([]string{label63, label63, label63}, ".")},
			service: Service{Namespace: label63, Name: "api"},
			wrong:   "longer than 253",
		},
	} {
		t.Run(c.about, func(t *testing.T) {
			names, err := c.naming.Names(c.service)
			if c.wrong != "" {
				require.ErrorContains(t, err, c.wrong)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.want, names)
		})
	}
}

func TestTakenNames(t *testing.T) {
	s := Service{Namespace: "shop", Name: "api"}
	n := Naming{Default: "shop", Taken: []string{"api.shop", "elsewhere", "api.shop.svc.cluster.local"}}
	names, err := n.Names(s)
	require.NoError(t, err)
	require.Equal(t, []string{"api", "api.shop.svc"}, names)
	require.Equal(t, []string{"api.shop", "api.shop.svc.cluster.local"}, n.Withheld(s))
	require.Empty(t, n.Withheld(Service{Namespace: "shop", Name: "db"}))
	require.Empty(t, Naming{}.Withheld(s))
}
