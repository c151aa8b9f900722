package main

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"time"
)

// archive writes files below a directory of the archive's name: a zip for Windows, a
// tar.gz else.
func (r *release) archive(name, system string, files []file) (err error) {
	ending, write := ".tar.gz", writeTar
	if system == "windows" {
		ending, write = ".zip", writeZip
	}
	out, err := os.Create(filepath.Join(r.out, name+ending))
	if err != nil {
		return err
	}
	return errors.Join(write(out, name, files, r.date), out.Close())
}

func writeTar(out io.Writer, dir string, files []file, date time.Time) error {
	zipped := gzip.NewWriter(out) // whose header stays empty
	archive := tar.NewWriter(zipped)
	for _, f := range files {
		header := &tar.Header{
			Typeflag: tar.TypeReg, Name: dir + "/" + f.name, Size: int64(len(f.content)), Mode: int64(f.mode),
			ModTime: date, Uname: "root", Gname: "root", Format: tar.FormatUSTAR,
		}
		if err := archive.WriteHeader(header); err != nil {
			return err
		}
		if _, err := archive.Write(f.content); err != nil {
			return err
		}
	}
	return errors.Join(archive.Close(), zipped.Close())
}

func writeZip(out io.Writer, dir string, files []file, date time.Time) error {
	archive := zip.NewWriter(out)
	for _, f := range files {
		header := &zip.FileHeader{Name: dir + "/" + f.name, Method: zip.Deflate, Modified: date}
		header.SetMode(f.mode)
		entry, err := archive.CreateHeader(header)
		if err != nil {
			return err
		}
		if _, err := entry.Write(f.content); err != nil {
			return err
		}
	}
	return archive.Close()
}
