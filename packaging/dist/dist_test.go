package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"io"
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	day   = time.Unix(1700000000, 0).UTC()
	files = []file{{"devtun", []byte("program"), 0o755}, {"man/devtun.1", []byte("page"), 0o644}}
)

func TestArchivesAreTheSameEachTime(t *testing.T) {
	for name, write := range map[string]func(io.Writer, string, []file,
		time.Time) error{"tar": writeTar, "zip": writeZip} {
		var first, second bytes.Buffer
		if err := write(&first, "devtun_v1", files, day); err != nil {
			t.Fatal(err)
		}
		if err := write(&second, "devtun_v1", files, day); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(first.Bytes(), second.Bytes()) {
			t.Errorf("two %ss differ", name)
		}
	}
}

func TestArchivesHaveModesAndDates(t *testing.T) {
	var out bytes.Buffer
	if err := writeTar(&out, "devtun_v1", files, day); err != nil {
		t.Fatal(err)
	}
	unzipped, err := gzip.NewReader(&out)
	if err != nil {
		t.Fatal(err)
	}
	header, err := tar.NewReader(unzipped).Next()
	if err != nil {
		t.Fatal(err)
	}
	if header.Name != "devtun_v1/devtun" || header.Mode != 0o755 || !header.ModTime.Equal(day) || header.Uid != 0 {
		t.Errorf("first entry is %+v", header)
	}
	out.Reset()
	if err := writeZip(&out, "devtun_v1", files, day); err != nil {
		t.Fatal(err)
	}
	archive, err := zip.NewReader(bytes.NewReader(out.Bytes()), int64(out.Len()))
	if err != nil {
		t.Fatal(err)
	}
	if f := archive.File[1]; f.Name != "devtun_v1/man/devtun.1" || f.Mode() != 0o644 || !f.Modified.Equal(day) {
		t.Errorf("second entry is %+v", f.FileHeader)
	}
}

func TestDebianVersions(t *testing.T) {
	for version, want := range map[string]string{
		"v1.2.3": "1.2.3", "v1.2.3-4-gabcdef1": "1.2.3+4+gabcdef1", "v1.2.3-4-gabcdef1-dirty": "1.2.3+4+gabcdef1+dirty",
		"abcdef1": "0~abcdef1", "1234567": "0~1234567", "v0.1.0": "0.1.0",
		"v1.0.0-rc1": "1.0.0~rc1", "v1.0.0-rc1-2-gabcdef1": "1.0.0~rc1+2+gabcdef1", "abcdef1-dirty": "0~abcdef1+dirty",
	} {
		if got := debVersion(version); got != want {
			t.Errorf("%s is %s, want %s", version, got, want)
		}
	}
}

// TestLicenseIsInEachArchive: it goes with the program, and is the copyright file of
// the Debian package, which names the whole text.
func TestLicenseIsInEachArchive(t *testing.T) {
	t.Chdir("../..")
	documents, err := documents()
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(documents, func(f file) bool { return f.name == "LICENSE" })
	if i < 0 {
		t.Fatal("no LICENSE")
	}
	for _, line := range []string{
		"Copyright 2026 the devtun authors\n", "SPDX-License-Identifier: Apache-2.0\n",
		"https://www.apache.org/licenses/LICENSE-2.0", "/usr/share/common-licenses/Apache-2.0",
	} {
		if !strings.Contains(string(documents[i].content), line) {
			t.Errorf("LICENSE lacks %q", line)
		}
	}
	if to := place("LICENSE"); to != "/usr/share/doc/devtun/copyright" {
		t.Errorf("Debian has it as %s", to)
	}
}
