// Unpackjar takes libLLVM out of a jar of JavaCPP's presets:
//
//	go run ./scripts/unpackjar llvm.jar FOLDER
//
// A jar holds each library under several names; the largest is the library, the others
// stand for links. It is written under its own soname to FOLDER, by way of a temporary
// file, so that a broken run leaves nothing that looks like a library.
package main

import (
	"archive/zip"
	"debug/elf"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: unpackjar JAR FOLDER")
		os.Exit(2)
	}
	to, err := unpack(os.Args[1], os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, "unpackjar:", err)
		os.Exit(1)
	}
	fmt.Println(to)
}

// unpack writes the libLLVM of a jar to a folder and returns its path.
func unpack(jar, dir string) (string, error) {
	z, err := zip.OpenReader(jar)
	if err != nil {
		return "", fmt.Errorf("%s: %w", jar, err)
	}
	defer z.Close()
	var lib *zip.File
	for _, f := range z.File {
		if name := path.Base(f.Name); strings.HasPrefix(name, "libLLVM") && strings.Contains(name, ".so") &&
			(lib == nil || f.UncompressedSize64 > lib.UncompressedSize64) {
			lib = f
		}
	}
	if lib == nil {
		return "", fmt.Errorf("%s holds no libLLVM", jar)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	tmp, err := os.CreateTemp(dir, ".unpack-*")
	if err != nil {
		return "", err
	}
	defer os.Remove(tmp.Name())
	if err := write(tmp, lib); err != nil {
		return "", fmt.Errorf("unpacking %s: %w", lib.Name, err)
	}
	to := filepath.Join(dir, soname(tmp.Name(), path.Base(lib.Name)))
	return to, os.Rename(tmp.Name(), to)
}

func write(to *os.File, f *zip.File) error {
	r, err := f.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = io.Copy(to, r)
	if serr := to.Sync(); err == nil {
		err = serr
	}
	if cerr := to.Chmod(0o755); err == nil {
		err = cerr
	}
	if cerr := to.Close(); err == nil {
		err = cerr
	}
	return err
}

// soname returns the name that a library gives itself, or otherwise.
func soname(file, otherwise string) string {
	f, err := elf.Open(file)
	if err != nil {
		return otherwise
	}
	defer f.Close()
	if names, err := f.DynString(elf.DT_SONAME); err == nil && len(names) > 0 {
		return path.Base(names[0])
	}
	return otherwise
}
